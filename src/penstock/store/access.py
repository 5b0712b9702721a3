"""Keys of the inference service, kept as hashes."""

from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa

from penstock.domain.workspace import Workspace
from penstock.errors import NotFound, SpecError
from penstock.store import tables
from penstock.store.database import connect, reading


@dataclass(frozen=True, slots=True)
class Key:
    """A key's hash, its name, and the projects it opens (empty: all)."""

    hash: str
    name: str
    projects: tuple[str, ...]
    created_at: datetime
    revoked_at: datetime | None = None


def save_key(key: Key, workspace: Workspace) -> None:
    """Keep a key by its hash; the same key again changes nothing.

    Raises
    ------
    SpecError
        If another key has the name.
    """
    table = tables.keys
    with connect(workspace).begin() as connection:
        if connection.execute(sa.select(table.c.hash).where(table.c.hash == key.hash)).one_or_none():
            return
        if connection.execute(sa.select(table.c.hash).where(table.c.name == key.name)).one_or_none():
            raise SpecError(f"A key's name must be new, but there is a key {key.name!r}. Choose another name.")
        connection.execute(
            sa.insert(table).values(
                hash=key.hash, name=key.name, projects=list(key.projects), created_at=key.created_at
            )
        )


def list_keys(workspace: Workspace) -> list[Key]:
    """Return every key, revoked ones too."""
    with reading(workspace).begin() as connection:
        rows = connection.execute(sa.select(tables.keys).order_by(tables.keys.c.created_at)).all()
    return [Key(row.hash, row.name, tuple(row.projects), row.created_at, row.revoked_at) for row in rows]


def is_revoked(digest: str, workspace: Workspace) -> bool:
    """Return whether there is a key of a hash that was revoked."""
    query = sa.select(tables.keys.c.revoked_at).where(tables.keys.c.hash == digest)
    with reading(workspace).begin() as connection:
        return connection.execute(query).scalar_one_or_none() is not None


def revoke_key(name: str, workspace: Workspace) -> None:
    """Revoke a key by its name.

    Raises
    ------
    NotFound
        If no key has the name.
    """
    table = tables.keys
    with connect(workspace).begin() as connection:
        changed = connection.execute(sa.update(table).where(table.c.name == name).values(revoked_at=datetime.now(UTC)))
    if changed.rowcount == 0:
        known = ", ".join(key.name for key in list_keys(workspace)) or "none"
        raise NotFound(f"No key is named {name!r}. There are: {known}.")
