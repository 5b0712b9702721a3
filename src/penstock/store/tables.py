"""The database schema; its migrations stand beside it."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

REVISION = "0002"  # the newest migration; a test holds it against the folder

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Moment(sa.types.TypeDecorator[datetime]):
    """A UTC time, aware on both sides; SQLite keeps none of the zone."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Turn an aware time into UTC."""
        del dialect
        return value.astimezone(UTC) if value is not None else None

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Give UTC back to what the database returns."""
        del dialect
        if value is None:
            return None
        moment: datetime = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        return moment


projects = sa.Table(
    "projects",
    metadata,
    sa.Column("name", sa.String(48), primary_key=True),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("registered_at", Moment, nullable=False),
)

records = sa.Table(
    "records",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("kind", sa.String(48), nullable=False),
    sa.Column("project", sa.String(48), nullable=False),
    sa.Column("key", sa.String(200), nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("saved_at", Moment, nullable=False),
    sa.UniqueConstraint("kind", "project", "key"),
)

datasets = sa.Table(
    "datasets",
    metadata,
    sa.Column("project", sa.String(48), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("seen", sa.Integer, nullable=False, default=1),
    sa.Column("body", sa.Text, nullable=False),
    sa.UniqueConstraint("project", "digest"),
)

trainings = sa.Table(
    "trainings",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("project", sa.String(48), nullable=False),
    sa.Column("study", sa.String(100), nullable=False),
    sa.Column("dataset", sa.String(64), nullable=False),
    sa.Column("spec", sa.String(64), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("resumed", sa.Integer, nullable=False, default=0),
    sa.Column("started_at", Moment, nullable=False),
    sa.Column("ended_at", Moment),
    sa.Column("incident", sa.String(36)),
)

steps = sa.Table(
    "steps",
    metadata,
    sa.Column("training", sa.String(36), sa.ForeignKey("trainings.id"), primary_key=True),
    sa.Column("step", sa.String(48), primary_key=True),
    sa.Column("body", sa.Text, nullable=False),
)

leases = sa.Table(
    "leases",
    metadata,
    sa.Column("name", sa.String(100), primary_key=True),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("started", sa.Float, nullable=False),
    sa.Column("host", sa.String(200), nullable=False),
    sa.Column("taken_at", Moment, nullable=False),
)

versions = sa.Table(
    "versions",
    metadata,
    sa.Column("project", sa.String(48), primary_key=True),
    sa.Column("version", sa.String(16), primary_key=True),
    sa.Column("training", sa.String(36), nullable=False, unique=True),
    sa.Column("body", sa.Text, nullable=False),
)

releases = sa.Table(
    "releases",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("project", sa.String(48), nullable=False, index=True),
    sa.Column("version", sa.String(16), nullable=False),
    sa.Column("state", sa.String(24), nullable=False),
    sa.Column("weights", sa.JSON, nullable=False),
    sa.Column("opened_at", Moment, nullable=False),
    sa.Column("actor", sa.String(100), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("previous", sa.String(16)),
    sa.Column("decision", sa.String(36)),
    sa.Column("alias_seen", sa.String(16)),
    sa.Column("incident", sa.String(36)),
    sa.Column("stage", sa.Integer),
    sa.Column("stage_began", Moment),
    sa.Column("valid_until", Moment),
)
sa.Index(
    "uq_releases_one_active",
    releases.c.project,
    unique=True,
    sqlite_where=releases.c.state.in_(["shadow", "partial", "pending_approval"]),
    postgresql_where=releases.c.state.in_(["shadow", "partial", "pending_approval"]),
)

audit = sa.Table(
    "audit",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("at", sa.String(40), nullable=False),
    sa.Column("actor", sa.String(100), nullable=False),
    sa.Column("action", sa.String(60), nullable=False),
    sa.Column("project", sa.String(48), index=True),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("before", sa.Text, nullable=False),
    sa.Column("after", sa.Text, nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Column("incident", sa.String(36), index=True),
    sa.Column("link", sa.Text),
)

keys = sa.Table(
    "keys",
    metadata,
    sa.Column("hash", sa.String(64), primary_key=True),
    sa.Column("name", sa.String(100), nullable=False, unique=True),
    sa.Column("projects", sa.JSON, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("revoked_at", Moment),
)

labels = sa.Table(
    "labels",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("project", sa.String(48), nullable=False),
    sa.Column("request_id", sa.String(36), nullable=False),
    sa.Column("row", sa.Integer, nullable=False),
    sa.Column("value", sa.Text, nullable=False),
    sa.Column("source", sa.String(100), nullable=False),
    sa.Column("observed_at", Moment, nullable=False),
    sa.Column("received_at", Moment, nullable=False),
    sa.Column("probability", sa.Float, nullable=False),
    sa.Column("picked", sa.Boolean, nullable=False),
    sa.Column("known", sa.Boolean, nullable=False),
    sa.Column("newest", sa.Boolean, nullable=False),
)
sa.Index(
    "uq_labels_newest",
    labels.c.project,
    labels.c.request_id,
    labels.c.row,
    unique=True,
    sqlite_where=labels.c.newest,
    postgresql_where=labels.c.newest,
)

looks = sa.Table(
    "looks",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("project", sa.String(48), nullable=False, index=True),
    sa.Column("pair", sa.String(100), nullable=False),
    sa.Column("rows", sa.String(64), nullable=False),
    sa.Column("at", Moment, nullable=False),
    sa.UniqueConstraint("project", "pair"),
)

outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("key", sa.String(120), nullable=False, unique=True),
    sa.Column("event", sa.String(60), nullable=False),
    sa.Column("project", sa.String(48), nullable=False),
    sa.Column("payload", sa.JSON, nullable=False),
    sa.Column("incident", sa.String(36)),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("emitted_at", Moment),
    sa.Column("settled_at", Moment),
    sa.Column("flow_run", sa.String(36)),
    sa.Column("note", sa.Text),
)

claims = sa.Table(
    "claims",
    metadata,
    sa.Column("decision", sa.String(36), primary_key=True),
    sa.Column("project", sa.String(48), nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("started", sa.Float, nullable=False),
    sa.Column("host", sa.String(200), nullable=False),
    sa.Column("flow_run", sa.String(36)),
    sa.Column("training", sa.String(36)),
    sa.Column("claimed_at", Moment, nullable=False),
    sa.Column("ended_at", Moment),
    sa.Column("taken_over", sa.Integer, nullable=False, default=0),
)

segments = sa.Table(
    "segments",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("project", sa.String(48), nullable=False),
    sa.Column("spool", sa.String(80), nullable=False),
    sa.Column("start", sa.BigInteger, nullable=False),
    sa.Column("end", sa.BigInteger, nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("ids", sa.String(64), nullable=False),
    sa.Column("requests", sa.Integer, nullable=False),
    sa.Column("rows", sa.Integer, nullable=False),
    sa.Column("first_id", sa.String(36), nullable=False),
    sa.Column("last_id", sa.String(36), nullable=False),
    sa.Column("from_at", Moment, nullable=False),
    sa.Column("to_at", Moment, nullable=False),
    sa.Column("sealed_at", Moment, nullable=False),
    sa.UniqueConstraint("project", "spool", "start"),
)

windows = sa.Table(
    "windows",
    metadata,
    sa.Column("project", sa.String(48), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("last_id", sa.String(36), nullable=False),
    sa.Column("last_label", sa.Integer, nullable=False),
    sa.Column("decision", sa.String(36), nullable=False, unique=True),
    sa.Column("at", Moment, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
)

alias_requests = sa.Table(
    "alias_requests",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("project", sa.String(48), nullable=False, index=True),
    sa.Column("version", sa.String(16)),
    sa.Column("before", sa.String(16)),
    sa.Column("seen_at", Moment, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("actor", sa.String(100), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
)
