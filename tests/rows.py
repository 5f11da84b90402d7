"""A device of plain rows that answers a plan's questions through our responder, without sockets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from collector.polling.learn import columns
from collector.polling.plan import arrange
from collector.polling.questions import Cells
from config.profiles import Profile
from snmp import ber, message
from snmp.access import CommunityAccess
from snmp.client import Request
from snmp.message import Pdu, VarBind
from snmp.oid import OID
from snmp.responder import Responder
from snmp.security import Clear
from snmp.tree import Tree

Rows = dict[OID, tuple[int, ber.Value]]
"""Instance -> tag and value."""

IF, IFX = OID.parse("1.3.6.1.2.1.2.2.1"), OID.parse("1.3.6.1.2.1.31.1.1.1")
UPTIME = OID.parse("1.3.6.1.2.1.1.3.0")


def ports(indexes: Sequence[int], seed: int = 0) -> Rows:
    """A switch with these ports, each number told apart by port, column and seed."""
    rows: Rows = {
        OID.parse("1.3.6.1.2.1.1.1.0"): (ber.OCTET_STRING, b"A switch of plain rows"),
        OID.parse("1.3.6.1.2.1.1.2.0"): (ber.OBJECT_IDENTIFIER, OID.parse("1.3.6.1.4.1.32473.9")),
        UPTIME: (ber.TIME_TICKS, 100_000 + seed),
        OID.parse("1.3.6.1.2.1.1.5.0"): (ber.OCTET_STRING, b"switch"),
    }
    for i in indexes:
        rows |= port(i, seed)
    return rows


def port(i: int, seed: int = 0) -> Rows:
    """One port's rows."""
    number = 1_000_000 + 1000 * i + seed
    rows: Rows = {
        IF + (2, i): (ber.OCTET_STRING, b"port %d" % i),
        IF + (3, i): (ber.INTEGER, 6),
        IF + (5, i): (ber.GAUGE32, 100_000_000),
        IF + (7, i): (ber.INTEGER, 1),
        IF + (8, i): (ber.INTEGER, 1 + i % 2),
        IFX + (1, i): (ber.OCTET_STRING, b"p%d" % i),
        IFX + (6, i): (ber.COUNTER64, 7 * number),
        IFX + (10, i): (ber.COUNTER64, 11 * number),
        IFX + (15, i): (ber.GAUGE32, 100),
    }
    rows |= {IF + (column, i): (ber.COUNTER32, number + column) for column in (13, 14, 19, 20)}
    return rows


def cells(profile: Profile, rows: Mapping[OID, tuple[int, ber.Value]]) -> Cells:
    """What a walk of the device finds for a profile."""
    return arrange((VarBind(name, *value) for name, value in sorted(rows.items())), columns(profile))


def bodies(requests: Sequence[Request], rows: Mapping[OID, tuple[int, ber.Value]], size: int = 1400) -> list[bytes]:
    """The varbinds of the answers to `requests`; an answer takes at most `size` octets."""
    tree = Tree.of((name, tag, value) for name, (tag, value) in sorted(rows.items()))
    responder = Responder(tree, [CommunityAccess(b"public")], max_size=size)
    clear = Clear(b"public", message.V2C)
    found = []
    for number, request in enumerate(requests, 0x01000000):
        data = responder.answer(clear.wrap(request, number, 0.0), "127.0.0.1")
        assert data is not None
        pdu = clear.unwrap(data, number, 0.0)
        assert isinstance(pdu, Pdu)
        assert pdu.error_status == 0
        found.append(pdu.body)
    return found
