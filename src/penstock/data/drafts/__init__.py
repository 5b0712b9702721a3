"""The project file that a table suggests, as text, and changes that a person asks of it."""
