"""What the loop keeps: outbox, claims, segments, windows, alias requests, incidents, and the stages of a rollout."""

import sqlalchemy as sa
from alembic import op

from penstock.store.tables import Moment

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go to this revision."""
    op.create_table(
        "alias_requests",
        sa.Column("number", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("project", sa.String(length=48), nullable=False),
        sa.Column("version", sa.String(length=16), nullable=True),
        sa.Column("before", sa.String(length=16), nullable=True),
        sa.Column("seen_at", Moment, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("actor", sa.String(length=100), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_alias_requests")),
    )
    op.create_index(op.f("ix_alias_requests_project"), "alias_requests", ["project"], unique=False)
    op.create_table(
        "claims",
        sa.Column("decision", sa.String(length=36), nullable=False),
        sa.Column("project", sa.String(length=48), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("started", sa.Float(), nullable=False),
        sa.Column("host", sa.String(length=200), nullable=False),
        sa.Column("flow_run", sa.String(length=36), nullable=True),
        sa.Column("training", sa.String(length=36), nullable=True),
        sa.Column("claimed_at", Moment, nullable=False),
        sa.Column("ended_at", Moment, nullable=True),
        sa.Column("taken_over", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("decision", name=op.f("pk_claims")),
    )
    op.create_table(
        "outbox",
        sa.Column("number", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("key", sa.String(length=120), nullable=False),
        sa.Column("event", sa.String(length=60), nullable=False),
        sa.Column("project", sa.String(length=48), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("incident", sa.String(length=36), nullable=True),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("emitted_at", Moment, nullable=True),
        sa.Column("settled_at", Moment, nullable=True),
        sa.Column("flow_run", sa.String(length=36), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_outbox")),
        sa.UniqueConstraint("key", name=op.f("uq_outbox_key")),
    )
    op.create_table(
        "segments",
        sa.Column("number", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("project", sa.String(length=48), nullable=False),
        sa.Column("spool", sa.String(length=80), nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("end", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("ids", sa.String(length=64), nullable=False),
        sa.Column("requests", sa.Integer(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("first_id", sa.String(length=36), nullable=False),
        sa.Column("last_id", sa.String(length=36), nullable=False),
        sa.Column("from_at", Moment, nullable=False),
        sa.Column("to_at", Moment, nullable=False),
        sa.Column("sealed_at", Moment, nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_segments")),
        sa.UniqueConstraint("project", "spool", "start", name=op.f("uq_segments_project_spool_start")),
    )
    op.create_table(
        "windows",
        sa.Column("project", sa.String(length=48), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("last_id", sa.String(length=36), nullable=False),
        sa.Column("last_label", sa.Integer(), nullable=False),
        sa.Column("decision", sa.String(length=36), nullable=False),
        sa.Column("at", Moment, nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("project", "number", name=op.f("pk_windows")),
        sa.UniqueConstraint("decision", name=op.f("uq_windows_decision")),
    )
    op.add_column("audit", sa.Column("incident", sa.String(length=36), nullable=True))
    op.add_column("audit", sa.Column("link", sa.Text(), nullable=True))
    op.create_index(op.f("ix_audit_incident"), "audit", ["incident"], unique=False)
    op.add_column("releases", sa.Column("incident", sa.String(length=36), nullable=True))
    op.add_column("releases", sa.Column("stage", sa.Integer(), nullable=True))
    op.add_column("releases", sa.Column("stage_began", Moment, nullable=True))
    op.add_column("releases", sa.Column("valid_until", Moment, nullable=True))
    op.add_column("trainings", sa.Column("incident", sa.String(length=36), nullable=True))
