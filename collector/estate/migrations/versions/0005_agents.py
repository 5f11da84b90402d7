"""Agents: who may send reports, and the invitations with which they enrol."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Create the tables of invitations and agents."""
    op.create_table(
        "invitation",
        sa.Column("id", ID, primary_key=True, autoincrement=True),
        sa.Column("digest", sa.Text, nullable=False, comment="keyed digest of the code; the code itself is kept nowhere"),
        sa.Column("unit", sa.Text, nullable=False),
        sa.Column("count", sa.Integer, nullable=False, comment="machines that may enrol with it"),
        sa.Column("used", sa.Integer, nullable=False),
        sa.Column("made", sa.Double, nullable=False),
        sa.Column("expires", sa.Double, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("withdrawn", sa.Double),
        sa.PrimaryKeyConstraint("id", name="pk_invitation"),
        sa.UniqueConstraint("digest", name="uq_invitation_digest"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "agent",
        sa.Column("id", ID, primary_key=True, autoincrement=True),
        sa.Column("key", sa.Text, nullable=False, comment="the device's id"),
        sa.Column("name", sa.Text, nullable=False, comment="of its SNMPv3 user and of its access over HTTPS"),
        sa.Column("unit", sa.Text, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False, comment="of its keys; rotating makes the next one"),
        sa.Column("taken", sa.Integer, nullable=False, comment="the generation that it is known to have; older ones are void"),
        sa.Column("invitation_id", ID, comment="null: it is a copy of another agent"),
        sa.Column("origin_id", ID, comment="the agent whose disk it was copied from"),
        sa.Column("enrolled", sa.Double, nullable=False),
        sa.Column("seen", sa.Double, nullable=False, comment="when it last asked over HTTPS"),
        sa.Column("address", sa.Text, nullable=False, comment="where it last asked from"),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("evidence", sa.Text, nullable=False, comment="JSON: what it says of its machine's identity, by kind"),
        sa.Column("note", sa.Text, nullable=False, comment="what a person should know"),
        sa.Column("tested", sa.Double, comment="when it was last told to test its line"),
        sa.Column("revoked", sa.Double),
        sa.Column("who", sa.Text, nullable=False, comment="who revoked it"),
        sa.PrimaryKeyConstraint("id", name="pk_agent"),
        sa.UniqueConstraint("name", name="uq_agent_name"),
        sa.ForeignKeyConstraint(["invitation_id"], ["invitation.id"], name="fk_agent_invitation_id"),
        sa.ForeignKeyConstraint(["origin_id"], ["agent.id"], name="fk_agent_origin_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_agent_key", "agent", ["key"])
