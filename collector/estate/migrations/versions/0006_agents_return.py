"""Agents: one whose place was taken by a machine that said it was the same may come back."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the column."""
    op.add_column("agent", sa.Column("replaced", sa.Double, comment="when another agent took its place; it may come back"))
