"""From a decision to traffic."""
