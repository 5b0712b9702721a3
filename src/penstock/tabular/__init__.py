"""A table in memory, learnt from without a project: what the estimators for a notebook are made of."""
