"""How far one column has moved: one detector a file, found by its name."""
