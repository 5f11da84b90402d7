"""Links: what hangs on what, and since when."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Create the table of links."""
    op.create_table(
        "link",
        sa.Column("id", ID, primary_key=True, autoincrement=True),
        sa.Column("device_id", ID, nullable=False),
        sa.Column("port", sa.Text, nullable=False, comment="empty: not known"),
        sa.Column("remote_id", ID, comment="null: a stranger"),
        sa.Column("remote_port", sa.Text, nullable=False, comment="empty: not known"),
        sa.Column("name", sa.Text, nullable=False, comment="what the remote end calls itself, or a stranger's address"),
        sa.Column("how", sa.Text, nullable=False, comment="lldp, cdp, mndp, forwarding or arp"),
        sa.Column("via", sa.Text, nullable=False, comment="what stands between; empty: nothing"),
        sa.Column("vlan", sa.Integer),
        sa.Column("first_seen", sa.Double, nullable=False),
        sa.Column("last_seen", sa.Double, nullable=False),
        sa.Column("ended", sa.Double, comment="when the remote end was seen elsewhere or given up; null: it stands"),
        sa.PrimaryKeyConstraint("id", name="pk_link"),
        sa.ForeignKeyConstraint(["device_id"], ["device.id"], name="fk_link_device_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["remote_id"], ["device.id"], name="fk_link_remote_id", ondelete="CASCADE"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_link_device_id", "link", ["device_id"])
    op.create_index("ix_link_remote_id", "link", ["remote_id"])
