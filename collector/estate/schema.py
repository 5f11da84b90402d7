"""The inventory's tables. Times are Unix seconds; ids are our own and never used twice.

`migrations/` builds them; a test holds the two together.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

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

MACHINE = Table(
    "machine",
    METADATA,
    Column("id", ID, primary_key=True, autoincrement=True),
    Column("created", Double, nullable=False),
    sqlite_autoincrement=True,
)
"""A physical (or virtual) machine. What is known of it are its sightings."""

SIGHTING = Table(
    "sighting",
    METADATA,
    Column("id", ID, primary_key=True, autoincrement=True),
    Column("device_id", ID, ForeignKey("device.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("machine_id", ID, ForeignKey("machine.id"), nullable=False, index=True),
    Column("unit", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("first_seen", Double, nullable=False),
    Column("last_seen", Double, nullable=False, comment="when its evidence last changed, or it ended"),
    Column("ended", Double, comment="when its answers came from another machine; null: they come from this one"),
    Column("reasons", Text, nullable=False, comment="JSON: why it was taken for this machine"),
    sqlite_autoincrement=True,
)
"""A device's answers for as long as they came from one machine. Merging and splitting moves sightings between machines."""

EVIDENCE = Table(
    "evidence",
    METADATA,
    Column("sighting_id", ID, ForeignKey("sighting.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("kind", Text, primary_key=True),
    Column("value", Text, primary_key=True),
    Column("first_seen", Double, nullable=False),
    Column("ended", Double, comment="when the device said something else; null: it says so"),
    Index(None, "value"),
    sqlite_with_rowid=False,
)

ACT = Table(
    "act",
    METADATA,
    Column("id", ID, primary_key=True, autoincrement=True),
    Column("made", Double, nullable=False),
    Column("who", Text, nullable=False),
    Column("what", Text, nullable=False, comment="merge, split or apart"),
    Column("one", ID, nullable=False),
    Column("other", ID, nullable=False),
    Column("moved", Text, nullable=False, comment="JSON: the sightings that were moved"),
    Column("undone", Double),
    sqlite_autoincrement=True,
)
"""What people did to machines; never deleted, so that it can be shown and undone."""

DOUBT = Table(
    "doubt",
    METADATA,
    Column("id", ID, primary_key=True, autoincrement=True),
    Column("machine_id", ID, ForeignKey("machine.id"), nullable=False, index=True),
    Column("other_id", ID, ForeignKey("machine.id"), nullable=False, index=True),
    Column("asked", Double, nullable=False),
    Column("points", Double, nullable=False),
    Column("reasons", Text, nullable=False),
    Column("act_id", ID, ForeignKey("act.id"), comment="the act that answered it; null: open"),
    sqlite_autoincrement=True,
)
"""A question to people: are these two machines one?"""

CANDIDATE = Table(
    "candidate",
    METADATA,
    Column("id", ID, primary_key=True, autoincrement=True),
    Column("address", Text, nullable=False),
    Column("port", Integer, nullable=False),
    Column("unit", Text, nullable=False),
    Column("state", Text, nullable=False, comment="new, accepted, rejected, known or locked"),
    Column("credential", Text, nullable=False, comment="name of the credential that opened it; empty: none did"),
    Column("how", Text, nullable=False, comment="what told of it"),
    Column("kind", Text, nullable=False),
    Column("vendor", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("serial", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("profile", Text, nullable=False),
    Column("evidence", Text, nullable=False, comment="JSON: what it says of its identity, by kind"),
    Column("note", Text, nullable=False, comment="what a person should know: where else it is known, or why it is doubtful"),
    Column("same_as", Text, nullable=False, comment="the device's id, or candidate's number, whose other address it is"),
    Column("key", Text, unique=True, comment="the device's id once it is accepted"),
    Column("first_seen", Double, nullable=False),
    Column("last_seen", Double, nullable=False),
    Column("decided", Double, comment="when it was accepted or rejected"),
    Column("who", Text, nullable=False, comment="who accepted or rejected it"),
    UniqueConstraint("address", "port"),
    sqlite_autoincrement=True,
)
"""What discovery found: a machine at an address, and whether it is to be polled."""

CREDENTIAL = Table(
    "credential",
    METADATA,
    Column("id", ID, primary_key=True, autoincrement=True),
    Column("name", Text, nullable=False, index=True),
    Column("salt", LargeBinary, nullable=False),
    Column("digest", LargeBinary, nullable=False, comment="scrypt of all it consists of"),
    Column("first_used", Double, nullable=False),
    sqlite_autoincrement=True,
)
"""The credentials discovery has used, so that one that was changed is known for another one, and none can be read."""

TRIED = Table(
    "tried",
    METADATA,
    Column("address", Text, primary_key=True),
    Column("port", Integer, primary_key=True, autoincrement=False),
    Column("credential_id", ID, ForeignKey("credential.id"), primary_key=True, autoincrement=False),
    Column("first_used", Double, nullable=False),
    sqlite_with_rowid=False,
)
"""Which credentials an address has got to see; written before they are sent."""

DISCOVERY = Table(
    "discovery",
    METADATA,
    Column("unit", Text, primary_key=True),
    Column("started", Double, nullable=False),
    Column("alive", Double, nullable=False, comment="when it last said how far it is"),
    Column("ended", Double, comment="null: it is under way, or was stopped"),
    Column("runner", Text, nullable=False, comment="which process carries it out; empty: none"),
    Column("done", Text, nullable=False, comment="the addresses done with, as config.ranges.Spans dumps them"),
)
"""The last run of discovery in each unit, and how far it came."""

LINK = Table(
    "link",
    METADATA,
    Column("id", ID, primary_key=True, autoincrement=True),
    Column("device_id", ID, ForeignKey("device.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("port", Text, nullable=False, comment="empty: not known"),
    Column("remote_id", ID, ForeignKey("device.id", ondelete="CASCADE"), index=True, comment="null: a stranger"),
    Column("remote_port", Text, nullable=False, comment="empty: not known"),
    Column("name", Text, nullable=False, comment="what the remote end calls itself, or a stranger's address"),
    Column("how", Text, nullable=False, comment="lldp, cdp, mndp, forwarding or arp"),
    Column("via", Text, nullable=False, comment="what stands between; empty: nothing"),
    Column("vlan", Integer),
    Column("first_seen", Double, nullable=False),
    Column("last_seen", Double, nullable=False),
    Column("ended", Double, comment="when the remote end was seen elsewhere or given up; null: it stands"),
    sqlite_autoincrement=True,
)
"""What hangs on what: cables between devices, and the switch port each machine sits on."""

INVITATION = Table(
    "invitation",
    METADATA,
    Column("id", ID, primary_key=True, autoincrement=True),
    Column("digest", Text, nullable=False, unique=True, comment="keyed digest of the code; the code itself is kept nowhere"),
    Column("unit", Text, nullable=False),
    Column("count", Integer, nullable=False, comment="machines that may enrol with it"),
    Column("used", Integer, nullable=False),
    Column("made", Double, nullable=False),
    Column("expires", Double, nullable=False),
    Column("who", Text, nullable=False),
    Column("withdrawn", Double),
    sqlite_autoincrement=True,
)
"""Leave to enrol agents into a unit."""

AGENT = Table(
    "agent",
    METADATA,
    Column("id", ID, primary_key=True, autoincrement=True),
    Column("key", Text, nullable=False, index=True, comment="the device's id"),
    Column("name", Text, nullable=False, unique=True, comment="of its SNMPv3 user and of its access over HTTPS"),
    Column("unit", Text, nullable=False),
    Column("generation", Integer, nullable=False, comment="of its keys; rotating makes the next one"),
    Column("taken", Integer, nullable=False, comment="the generation that it is known to have; older ones are void"),
    Column("invitation_id", ID, ForeignKey("invitation.id"), comment="null: it is a copy of another agent"),
    Column("origin_id", ID, ForeignKey("agent.id"), comment="the agent whose disk it was copied from"),
    Column("enrolled", Double, nullable=False),
    Column("seen", Double, nullable=False, comment="when it last asked over HTTPS"),
    Column("address", Text, nullable=False, comment="where it last asked from"),
    Column("host", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("evidence", Text, nullable=False, comment="JSON: what it says of its machine's identity, by kind"),
    Column("note", Text, nullable=False, comment="what a person should know"),
    Column("tested", Double, comment="when it was last told to test its line"),
    Column("revoked", Double),
    Column("replaced", Double, comment="when another agent took its place; it may come back"),
    Column("who", Text, nullable=False, comment="who revoked it"),
    sqlite_autoincrement=True,
)
"""An agent that enrolled. A machine that enrols again has another row with the same `key`, and the one before is revoked."""
