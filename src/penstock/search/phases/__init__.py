"""What a campaign does beside its trials: how it opens, whom it admits, and how its model is fitted in time."""
