"""Penstock: from a file to a served model that keeps itself good."""
