"""Network interfaces as objects: IF-MIB (RFC 2863) and the duplex status of EtherLike-MIB (RFC 3635)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from snmp import ber
from snmp.oid import OID
from snmp.tree import Source

from .life import Life, flow
from .sheet import Cell, Sheet, counter, gauge, integer, text, ticks, under

_INTERFACES = OID((1, 3, 6, 1, 2, 1, 2))
_IF_ENTRY = under(_INTERFACES, 2, 1)
_IF_MIB_OBJECTS = OID((1, 3, 6, 1, 2, 1, 31, 1))
_IFX_ENTRY = under(_IF_MIB_OBJECTS, 1, 1)
_ETHER_ENTRY = OID((1, 3, 6, 1, 2, 1, 10, 7, 2, 1))

ETHERNET, LOOPBACK, VLAN, BRIDGE, TUNNEL = 6, 24, 136, 209, 131
"""IANAifType."""
UP, DOWN = 1, 2
HALF, FULL = 2, 3
_MEGABIT = 1_000_000
_FRAME = 740
"""Octets of an average frame."""


@dataclass(slots=True)
class Port:
    """One interface. `speed` in Mbit/s, rates in octets a second, `faulty` errors a second; `oper` may follow the clock."""

    index: int
    name: str
    description: str
    mac: bytes = b""
    alias: str = ""
    type: int = ETHERNET
    speed: int = 1000
    mtu: int = 1500
    admin: int = UP
    oper: Cell = (ber.INTEGER, UP)
    duplex: int = FULL
    receives: float = 0.0
    sends: float = 0.0
    faulty: float = 0.0


def put(sheet: Sheet, life: Life, ports: list[Port]) -> None:
    """Add the interfaces, and those that a fault lets the table grow by."""
    ports = ports + _grown(life, ports[-1])
    sheet.put(under(_INTERFACES, 1, 0), integer(len(ports)))
    sheet.put(under(_IF_MIB_OBJECTS, 5, 0), ticks(life.grown_at - life.engine.started))
    for port in ports:
        _put_port(sheet, life, port)


def _grown(life: Life, last: Port) -> list[Port]:
    return [
        Port(
            last.index + n,
            f"tunnel{n}",
            f"Virtual tunnel {n}",
            type=TUNNEL,
            speed=10,
            mtu=1400,
            duplex=0,
            receives=90.0,
            sends=60.0,
        )
        for n in range(1, life.grown + 1)
    ]


def _put_port(sheet: Sheet, life: Life, port: Port) -> None:
    phase = (port.index * 2.399 + life.machine.seed % 628 / 100) % (2 * math.pi)

    def count(rate: float, tag: int = ber.COUNTER32) -> Source:
        return flow(life, rate, phase, tag)

    still: Cell = counter(0)
    receives, sends = port.receives, port.sends
    sheet.row(
        _IF_ENTRY,
        (port.index,),
        {
            1: integer(port.index),
            2: text(port.description),
            3: integer(port.type),
            4: integer(port.mtu),
            5: gauge(min(port.speed * _MEGABIT, 0xFFFFFFFF)),
            6: text(port.mac),
            7: integer(port.admin),
            8: port.oper,
            9: ticks(20.0) if port.oper != (ber.INTEGER, DOWN) else ticks(0.0),
            10: count(receives),
            11: count(receives / _FRAME),
            13: count(port.faulty / 4),
            14: count(port.faulty),
            15: still,
            16: count(sends),
            17: count(sends / _FRAME),
            19: still,
            20: still,
        },
    )
    sheet.row(
        _IFX_ENTRY,
        (port.index,),
        {
            1: text(port.name),
            2: count(receives / 9000),
            3: count(receives / 20000),
            4: count(sends / 12000),
            5: count(sends / 30000),
            6: count(receives, ber.COUNTER64),
            7: count(receives / _FRAME, ber.COUNTER64),
            8: count(receives / 9000, ber.COUNTER64),
            9: count(receives / 20000, ber.COUNTER64),
            10: count(sends, ber.COUNTER64),
            11: count(sends / _FRAME, ber.COUNTER64),
            12: count(sends / 12000, ber.COUNTER64),
            13: count(sends / 30000, ber.COUNTER64),
            14: integer(1 if port.type == ETHERNET else 2),
            15: gauge(port.speed),
            16: integer(2),
            17: integer(1 if port.type == ETHERNET else 2),
            18: text(port.alias),
            19: ticks(0.0),
        },
    )
    if port.type == ETHERNET and port.duplex:
        sheet.row(
            _ETHER_ENTRY,
            (port.index,),
            {1: integer(port.index), 2: count(port.faulty / 10), 3: count(port.faulty / 2), 10: still, 13: still,
             19: integer(port.duplex)},
        )  # fmt: skip
