"""Alembic's entry: the connection is handed in by `penstock.store.schema`."""

from alembic import context

from penstock.store.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, transaction_per_migration=False)
context.run_migrations()
