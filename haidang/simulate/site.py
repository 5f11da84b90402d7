"""What a machine's objects are made from: the machine, its time and its place; and the objects that all machines have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from snmp import message
from snmp.oid import OID

from . import names
from .cabling import Cabling
from .life import Life
from .province import Machine, Office
from .sheet import Sheet, identifier, integer, text, under

SYSTEM = OID((1, 3, 6, 1, 2, 1, 1))
_ENGINE = OID((1, 3, 6, 1, 6, 3, 10, 2, 1))
_SNMP_MODULE = OID((1, 3, 6, 1, 6, 3, 1))

_ROOMS = (
    "Văn phòng",
    "Bộ phận Một cửa",
    "Phòng Kinh tế",
    "Phòng Văn hóa - Xã hội",
    "Phòng họp",
    "Công an",
    "Bộ phận Kế toán",
    "Địa chính",
)


@dataclass(frozen=True, slots=True)
class Site:
    """One machine in its place. `powered` tells whether the machine at an address is switched on, `slowed` to how many Mbit/s
    a fault slowed its link (0: none did); `epoch` is the Unix time at which the clock was 0.
    """

    machine: Machine
    office: Office
    cabling: Cabling
    life: Life
    epoch: float
    powered: Callable[[str], bool]
    slowed: Callable[[str], int]


def put_system(sheet: Sheet, site: Site, description: str, object_id: OID, services: int) -> None:
    """SNMPv2-MIB's system group (RFC 3418) and the engine's own (RFC 3411)."""
    machine, life = site.machine, site.life
    network = machine.kind in ("router", "switch", "ups")
    room = "Tủ mạng" if network else machine.random("room").choice(_ROOMS)
    sheet.scalars(
        SYSTEM,
        {
            1: text(description),
            2: identifier(object_id),
            3: life.ticks,
            4: text(f"Quản trị mạng {site.office.name}"),
            5: text(machine.name),
            6: text(f"{room}, {site.office.name}, {names.PROVINCE}"),
            7: integer(services),
            8: integer(0),
        },
    )
    sheet.row(under(SYSTEM, 9, 1), (1,), {2: identifier(_SNMP_MODULE), 3: text("SNMPv2-MIB (RFC 3418)"), 4: (0x43, 0)})
    engine = life.engine
    sheet.scalars(_ENGINE, {1: text(engine.id), 2: integer(engine.boots), 3: life.seconds, 4: integer(message.MAX_MESSAGE)})
