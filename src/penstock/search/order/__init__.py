"""What is tried next: defaults, portfolios, then tuning, as time and memory allow."""
