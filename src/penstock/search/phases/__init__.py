"""What a campaign does beside its trials: opening, whom it admits, filling its slots, and the model fitted in time."""
