"""The inventory's tables. Times are Unix seconds; ids are our own and never used twice.

`migrations/` builds them; a test holds the two together.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Double, ForeignKey, Index, Integer, LargeBinary, MetaData, Table, Text, text

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
METADATA = MetaData(naming_convention=NAMES)
ID = BigInteger().with_variant(Integer, "sqlite")
"""SQLite gives ids of its own only to columns of exactly the type INTEGER."""

OPEN = 0.0
"""`fact.ended` of what still holds."""

DEVICE = Table(
    "device",
    METADATA,
    Column("id", ID, primary_key=True, autoincrement=True),
    Column("key", Text, nullable=False, unique=True, comment="the device's id in the settings"),
    Column("added", Double, nullable=False, comment="when it was first heard of"),
    Column("first_seen", Double, comment="first answer; null: never answered"),
    Column("last_seen", Double, comment="last answer"),
    Column("state", Text, nullable=False),
    Column("since", Double, nullable=False, comment="when the state became what it is"),
    Column("first_described", Double, comment="when its facts were first read in full"),
    Column("described", Double, comment="when its facts were last read in full"),
    Column("forgotten", Double, comment="when it was taken out of the settings"),
    sqlite_autoincrement=True,
)

FACT = Table(
    "fact",
    METADATA,
    Column("device_id", ID, ForeignKey("device.id", ondelete="CASCADE"), primary_key=True),
    Column("path", Text, primary_key=True),
    Column("ended", Double, primary_key=True, comment="when it was found to hold no longer; 0: it holds"),
    Column("value", Text, nullable=False),
    Column("first_seen", Double, nullable=False),
    Column("last_seen", Double, comment="null while it holds: then the device's `described` tells"),
    Index(None, "first_seen"),
    Index("ix_fact_ended", "ended", sqlite_where=text("ended > 0"), postgresql_where=text("ended > 0")),
    sqlite_with_rowid=False,
)
"""The ledger. `ended` stands in the key so that the database itself allows one open row a path."""

PLAN = Table(
    "plan",
    METADATA,
    Column("device_id", ID, ForeignKey("device.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),
)
"""What the poller has learnt of each device, in its own form."""
