"""Machines: what is seen of them, the evidence, doubts, and what people decided."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Create the tables of machines."""
    op.create_table(
        "machine",
        sa.Column("id", ID, primary_key=True, autoincrement=True),
        sa.Column("created", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_machine"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "sighting",
        sa.Column("id", ID, primary_key=True, autoincrement=True),
        sa.Column("device_id", ID, nullable=False),
        sa.Column("machine_id", ID, nullable=False),
        sa.Column("unit", sa.Text, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("first_seen", sa.Double, nullable=False),
        sa.Column("last_seen", sa.Double, nullable=False, comment="when its evidence last changed, or it ended"),
        sa.Column("ended", sa.Double, comment="when its answers came from another machine; null: they come from this one"),
        sa.Column("reasons", sa.Text, nullable=False, comment="JSON: why it was taken for this machine"),
        sa.PrimaryKeyConstraint("id", name="pk_sighting"),
        sa.ForeignKeyConstraint(["device_id"], ["device.id"], name="fk_sighting_device_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["machine_id"], ["machine.id"], name="fk_sighting_machine_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_sighting_device_id", "sighting", ["device_id"])
    op.create_index("ix_sighting_machine_id", "sighting", ["machine_id"])
    op.create_table(
        "evidence",
        sa.Column("sighting_id", ID, autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("first_seen", sa.Double, nullable=False),
        sa.Column("ended", sa.Double, comment="when the device said something else; null: it says so"),
        sa.PrimaryKeyConstraint("sighting_id", "kind", "value", name="pk_evidence"),
        sa.ForeignKeyConstraint(["sighting_id"], ["sighting.id"], name="fk_evidence_sighting_id", ondelete="CASCADE"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "act",
        sa.Column("id", ID, primary_key=True, autoincrement=True),
        sa.Column("made", sa.Double, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("what", sa.Text, nullable=False, comment="merge, split or apart"),
        sa.Column("one", ID, nullable=False),
        sa.Column("other", ID, nullable=False),
        sa.Column("moved", sa.Text, nullable=False, comment="JSON: the sightings that were moved"),
        sa.Column("undone", sa.Double),
        sa.PrimaryKeyConstraint("id", name="pk_act"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "doubt",
        sa.Column("id", ID, primary_key=True, autoincrement=True),
        sa.Column("machine_id", ID, nullable=False),
        sa.Column("other_id", ID, nullable=False),
        sa.Column("asked", sa.Double, nullable=False),
        sa.Column("points", sa.Double, nullable=False),
        sa.Column("reasons", sa.Text, nullable=False),
        sa.Column("act_id", ID, comment="the act that answered it; null: open"),
        sa.PrimaryKeyConstraint("id", name="pk_doubt"),
        sa.ForeignKeyConstraint(["machine_id"], ["machine.id"], name="fk_doubt_machine_id"),
        sa.ForeignKeyConstraint(["other_id"], ["machine.id"], name="fk_doubt_other_id"),
        sa.ForeignKeyConstraint(["act_id"], ["act.id"], name="fk_doubt_act_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_doubt_machine_id", "doubt", ["machine_id"])
    op.create_index("ix_doubt_other_id", "doubt", ["other_id"])
