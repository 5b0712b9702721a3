"""Columns that tell the target: alone, or by sums."""
