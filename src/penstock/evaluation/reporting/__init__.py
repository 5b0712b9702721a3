"""A model's figures as pictures, tables and plain words."""
