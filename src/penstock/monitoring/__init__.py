"""How far rows have moved from those that were learnt from, how good answers were, and what follows."""
