"""From a source to a validated, split dataset version."""
