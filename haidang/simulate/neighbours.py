"""LLDP-MIB (IEEE 802.1AB): what a device says of itself and what it sees at the other ends of its ports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from snmp.oid import OID

from .cabling import ROUTER_PORT, hardware_address, pick
from .models import RouterModel
from .province import ROUTER, SWITCH, Machine
from .sheet import Sheet, identifier, integer, text, under
from .site import Site

_LLDP = OID((1, 0, 8802, 1, 1, 2, 1))
_NOWHERE = OID((0, 0))
_MAC, _INTERFACE_NAME = 4, 5
"""Subtypes of chassis id and port id."""
_BRIDGE, _ROUTER = b"\x20\x00", b"\x08\x00"
"""LldpSystemCapabilitiesMap, the first bit is `other`."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """One entry: at the local port `port` stands `machine` with its MAC address, its port's name and its description."""

    port: int
    address: bytes
    remote_port: str
    machine: Machine
    description: str


def put(sheet: Sheet, site: Site, address: bytes, ports: Mapping[int, str], seen: list[Neighbour]) -> None:
    """Add the local system (`address` is its MAC address, `ports` number -> name) and the neighbours seen."""
    able = _capability(site.machine)
    sheet.scalars(
        under(_LLDP, 3),
        {1: integer(_MAC), 2: text(address), 3: text(site.machine.name), 4: text(""), 5: text(able), 6: text(able)},
    )
    for number, name in ports.items():
        sheet.row(under(_LLDP, 3, 7, 1), (number,), {2: integer(_INTERFACE_NAME), 3: text(name), 4: text(name)})
    for position, one in enumerate(seen, 1):
        index = (0, one.port, position)
        does = _capability(one.machine)
        sheet.row(
            under(_LLDP, 4, 1, 1),
            index,
            {
                4: integer(_MAC), 5: text(one.address), 6: integer(_INTERFACE_NAME), 7: text(one.remote_port),
                8: text(one.remote_port), 9: text(one.machine.name), 10: text(one.description), 11: text(does), 12: text(does),
            },
        )  # fmt: skip
        where = (*index, 1, 4, *map(int, one.machine.address.split(".")))
        sheet.row(under(_LLDP, 4, 2, 1), where, {3: integer(2), 4: integer(1), 5: identifier(_NOWHERE)})


def _capability(machine: Machine) -> bytes:
    return _BRIDGE if machine.kind == SWITCH else _ROUTER


def of_router(site: Site, port: int) -> Neighbour | None:
    """What a switch sees of the office's router at a port; None where the router does not speak LLDP."""
    router = site.cabling.router
    model = pick(router)
    if router.kind != ROUTER or not isinstance(model, RouterModel) or model.vendor != "MikroTik":
        return None
    return Neighbour(port, hardware_address(router, model.oui), model.ports[ROUTER_PORT - 1], router, model.description)
