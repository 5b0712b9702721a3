"""How far a score or a gain may be off: what depends on what, paired gains, looks and the error they spend."""
