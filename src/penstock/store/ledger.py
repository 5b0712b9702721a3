"""The audit: append-only, each entry's hash covering the one before it."""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from penstock.domain.releases import AuditEntry
from penstock.domain.workspace import Workspace
from penstock.store import tables
from penstock.store.database import connect, reading

FIRST = "0" * 64


@dataclass(frozen=True, slots=True)
class Act:
    """What an entry says: who did what to which project, why, and plain values before and after.

    `incident` is the id of the decision that it follows from; `link` leads to where more is shown.
    """

    actor: str
    action: str
    project: str | None
    reason: str
    after: object
    before: object = None
    incident: str | None = None
    link: str | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """Where the chain ended at some time: how many entries it had, and the hash of the last."""

    count: int
    hash: str


def append_audit(connection: sa.Connection, act: Act) -> AuditEntry:
    """Add an entry inside the caller's transaction, so that it stands if and only if the act does.

    Parameters
    ----------
    connection
        A connection in a transaction that holds the write lock.
    act
        What the entry says; its action is a word such as ``release.moved``.
    """
    table = tables.audit
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("lock table audit in exclusive mode"))
    last = connection.execute(sa.select(table).order_by(table.c.number.desc()).limit(1)).one_or_none()
    fields: dict[str, Any] = {
        "number": 1 if last is None else last.number + 1,
        "at": datetime.now(UTC).isoformat(),
        "actor": act.actor,
        "action": act.action,
        "project": act.project,
        "reason": act.reason,
        "before": json.dumps(act.before, sort_keys=True, default=str),
        "after": json.dumps(act.after, sort_keys=True, default=str),
    }
    fields |= {"incident": act.incident, "link": act.link}
    fields["hash"] = _hash(fields, FIRST if last is None else last.hash)
    connection.execute(sa.insert(table).values(fields))
    return _entry(fields)


def record_act(act: Act, workspace: Workspace) -> AuditEntry:
    """Add an entry in a transaction of its own."""
    with connect(workspace).begin() as connection:
        return append_audit(connection, act)


def list_audit(
    project: str, workspace: Workspace, at: datetime | None = None, incident: str | None = None
) -> list[AuditEntry]:
    """Return a project's entries, oldest first, up to a time; of one incident if it is given."""
    query = sa.select(tables.audit).where(tables.audit.c.project == project).order_by(tables.audit.c.number)
    if incident is not None:
        query = query.where(tables.audit.c.incident == incident)
    with reading(workspace).begin() as connection:
        entries = [_entry(row._asdict()) for row in connection.execute(query)]
    return [entry for entry in entries if at is None or entry.at <= at]


def find_head(workspace: Workspace) -> Head | None:
    """Return where the chain ends, None while there is no entry."""
    table = tables.audit
    query = sa.select(table.c.number, table.c.hash).order_by(table.c.number.desc()).limit(1)
    with reading(workspace).begin() as connection:
        row = connection.execute(query).one_or_none()
    return None if row is None else Head(row.number, row.hash)


def hash_of(number: int, workspace: Workspace) -> str | None:
    """Return the hash of an entry, None if there is no entry of that number."""
    query = sa.select(tables.audit.c.hash).where(tables.audit.c.number == number)
    with reading(workspace).begin() as connection:
        return connection.execute(query).scalar_one_or_none()


def first_broken(workspace: Workspace) -> int | None:
    """Return the number of the first entry whose hash does not follow, None if all do."""
    before, expected = FIRST, 1
    with reading(workspace).begin() as connection:
        for row in connection.execute(sa.select(tables.audit).order_by(tables.audit.c.number)):
            fields = row._asdict()
            if row.number != expected or _hash(fields, before) != row.hash:
                return expected
            before, expected = row.hash, expected + 1
    return None


def _hash(fields: dict[str, Any], before: str) -> str:
    later = {name for name in ("incident", "link") if fields.get(name) is None}  # older entries know neither
    told = {name: fields[name] for name in sorted(fields) if name != "hash" and name not in later}
    body = json.dumps(told, default=str)
    return hashlib.sha256(f"{before}\n{body}".encode()).hexdigest()


def _entry(fields: dict[str, Any]) -> AuditEntry:
    return AuditEntry(**{**fields, "at": datetime.fromisoformat(str(fields["at"]))})
