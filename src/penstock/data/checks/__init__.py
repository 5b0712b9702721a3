"""What is odd or wrong in a table: expectations, findings, failing rows, and what a person accepted."""
