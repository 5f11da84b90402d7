"""Evidence is found by its value, when a single machine is to be recognised."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the index."""
    op.create_index("ix_evidence_value", "evidence", ["value"])
