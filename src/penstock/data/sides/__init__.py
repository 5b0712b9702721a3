"""Which rows are one, which belong together, and on which side a rule puts them."""
