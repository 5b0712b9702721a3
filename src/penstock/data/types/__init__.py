"""What type a column has, and its cells in that type: text, numbers, true and false, dates."""
