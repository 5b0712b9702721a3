"""From a plan to a fitted model."""
