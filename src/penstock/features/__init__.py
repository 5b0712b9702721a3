"""What is done to each column, and the pipeline that does it."""
