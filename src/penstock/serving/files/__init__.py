"""Tables of rows as files: to predict, to label, and where predictions are written."""
