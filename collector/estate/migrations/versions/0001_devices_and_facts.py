"""Devices, the ledger of their facts, and the poller's plans."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Create the first tables."""
    op.create_table(
        "device",
        sa.Column("id", ID, primary_key=True, autoincrement=True),
        sa.Column("key", sa.Text, nullable=False, comment="the device's id in the settings"),
        sa.Column("added", sa.Double, nullable=False, comment="when it was first heard of"),
        sa.Column("first_seen", sa.Double, comment="first answer; null: never answered"),
        sa.Column("last_seen", sa.Double, comment="last answer"),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("since", sa.Double, nullable=False, comment="when the state became what it is"),
        sa.Column("first_described", sa.Double, comment="when its facts were first read in full"),
        sa.Column("described", sa.Double, comment="when its facts were last read in full"),
        sa.Column("forgotten", sa.Double, comment="when it was taken out of the settings"),
        sa.PrimaryKeyConstraint("id", name="pk_device"),
        sa.UniqueConstraint("key", name="uq_device_key"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "fact",
        sa.Column("device_id", ID, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("ended", sa.Double, nullable=False, comment="when it was found to hold no longer; 0: it holds"),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("first_seen", sa.Double, nullable=False),
        sa.Column("last_seen", sa.Double, comment="null while it holds: then the device's `described` tells"),
        sa.PrimaryKeyConstraint("device_id", "path", "ended", name="pk_fact"),
        sa.ForeignKeyConstraint(["device_id"], ["device.id"], name="fk_fact_device_id", ondelete="CASCADE"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_fact_first_seen", "fact", ["first_seen"])
    closed = sa.text("ended > 0")
    op.create_index("ix_fact_ended", "fact", ["ended"], sqlite_where=closed, postgresql_where=closed)
    op.create_table(
        "plan",
        sa.Column("device_id", ID, autoincrement=False, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("device_id", name="pk_plan"),
        sa.ForeignKeyConstraint(["device_id"], ["device.id"], name="fk_plan_device_id", ondelete="CASCADE"),
    )
