"""Where state lives; nobody else opens a file, a session or an MLflow run."""
