"""Alembic migrations of Penstock's own database."""
