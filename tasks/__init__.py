"""Library steps with retries, and what their runs show."""
