"""Discovery: candidates, the credentials their addresses have seen, and how far the runs came."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Create the tables of discovery."""
    op.create_table(
        "candidate",
        sa.Column("id", ID, primary_key=True, autoincrement=True),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("port", sa.Integer, nullable=False),
        sa.Column("unit", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False, comment="new, accepted, rejected, known or locked"),
        sa.Column("credential", sa.Text, nullable=False, comment="name of the credential that opened it; empty: none did"),
        sa.Column("how", sa.Text, nullable=False, comment="what told of it"),
        *(sa.Column(word, sa.Text, nullable=False) for word in ("kind", "vendor", "model", "serial", "name", "profile")),
        sa.Column("evidence", sa.Text, nullable=False, comment="JSON: what it says of its identity, by kind"),
        sa.Column(
            "note", sa.Text, nullable=False, comment="what a person should know: where else it is known, or why it is doubtful"
        ),
        sa.Column(
            "same_as", sa.Text, nullable=False, comment="the device's id, or candidate's number, whose other address it is"
        ),
        sa.Column("key", sa.Text, comment="the device's id once it is accepted"),
        sa.Column("first_seen", sa.Double, nullable=False),
        sa.Column("last_seen", sa.Double, nullable=False),
        sa.Column("decided", sa.Double, comment="when it was accepted or rejected"),
        sa.Column("who", sa.Text, nullable=False, comment="who accepted or rejected it"),
        sa.PrimaryKeyConstraint("id", name="pk_candidate"),
        sa.UniqueConstraint("key", name="uq_candidate_key"),
        sa.UniqueConstraint("address", "port", name="uq_candidate_address_port"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "credential",
        sa.Column("id", ID, primary_key=True, autoincrement=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("salt", sa.LargeBinary, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False, comment="scrypt of all it consists of"),
        sa.Column("first_used", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_credential"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_credential_name", "credential", ["name"])
    op.create_table(
        "tried",
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("port", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("credential_id", ID, autoincrement=False, nullable=False),
        sa.Column("first_used", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("address", "port", "credential_id", name="pk_tried"),
        sa.ForeignKeyConstraint(["credential_id"], ["credential.id"], name="fk_tried_credential_id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "discovery",
        sa.Column("unit", sa.Text, nullable=False),
        sa.Column("started", sa.Double, nullable=False),
        sa.Column("alive", sa.Double, nullable=False, comment="when it last said how far it is"),
        sa.Column("ended", sa.Double, comment="null: it is under way, or was stopped"),
        sa.Column("runner", sa.Text, nullable=False, comment="which process carries it out; empty: none"),
        sa.Column("done", sa.Text, nullable=False, comment="the addresses done with, as config.ranges.Spans dumps them"),
        sa.PrimaryKeyConstraint("unit", name="pk_discovery"),
    )
