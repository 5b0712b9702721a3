"""What a person asks of a search: families, spaces, grids, estimators of her own."""
