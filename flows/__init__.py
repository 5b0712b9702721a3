"""Chains of tasks; they branch only on a decision."""
