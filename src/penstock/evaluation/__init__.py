"""How a model does on rows that nothing has seen, and what to decide."""
