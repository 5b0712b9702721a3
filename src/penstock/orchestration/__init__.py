"""Prefect's runs, seen from the library."""
