"""From a model version to predictions."""
