"""Routers: IF-MIB, addresses and the ARP table (RFC 4293's older tables), and on RouterOS HOST-RESOURCES and LLDP."""

from __future__ import annotations

from snmp import ber
from snmp.oid import OID

from . import interfaces, neighbours, switch
from .cabling import ROUTER_PORT, hardware_address, pick
from .interfaces import DOWN, Port
from .life import level
from .models import RouterModel
from .sheet import Sheet, address, identifier, integer, text, under
from .site import Site, put_system

_IP = OID((1, 3, 6, 1, 2, 1, 4))
_HOST = OID((1, 3, 6, 1, 2, 1, 25))
_RAM, _FIXED = under(_HOST, 2, 1, 2), under(_HOST, 2, 1, 4)
_PROCESSOR = under(_HOST, 3, 1, 3)


def put(sheet: Sheet, site: Site) -> None:
    """Add all of a router's objects."""
    model = pick(site.machine)
    assert isinstance(model, RouterModel)
    put_system(sheet, site, model.description, model.object_id, 78)
    interfaces.put(sheet, site.life, _ports(site, model))
    _put_addresses(sheet, site, model)
    if model.vendor == "MikroTik":
        _put_host(sheet, site, model)
        switch.put_routeros(sheet, site, model.version)
        seen = switch.of_first_switch(site, ROUTER_PORT)
        neighbours.put(sheet, site, hardware_address(site.machine, model.oui), dict(enumerate(model.ports, 1)), seen)


def _inner(model: RouterModel) -> int:
    """The number of the port towards the office."""
    return ROUTER_PORT if model.vendor == "MikroTik" else 1


def _ports(site: Site, model: RouterModel) -> list[Port]:
    """One line to the state's data network, one to the internet, one to the office; the rest is free."""
    base = int.from_bytes(hardware_address(site.machine, model.oui), "big")
    load = 16_000.0 * len(site.cabling.members)
    inner = _inner(model)
    outer = [number for number in range(1, len(model.ports) + 1) if number != inner][:2]
    ports = []
    for number, name in enumerate(model.ports, 1):
        port = Port(number, name, name, (base + number - 1 & 0xFFFFFFFFFFFF).to_bytes(6, "big"))
        if number == inner:
            port.alias, port.receives, port.sends = "LAN", load * 0.4, load
        elif number in outer:
            share = 0.3 if number == outer[0] else 0.7
            port.alias = ("TSLCD", "Internet")[outer.index(number)]
            port.receives, port.sends = load * share, load * share * 0.4
            port.speed = 100 if number == outer[0] else 1000
        else:
            port.oper = (ber.INTEGER, DOWN)
            port.duplex = 1
        ports.append(port)
    return ports


def _put_addresses(sheet: Sheet, site: Site, model: RouterModel) -> None:
    inner, own = _inner(model), site.machine.address
    sheet.put(under(_IP, 1, 0), integer(1))
    sheet.row(
        under(_IP, 20, 1), tuple(map(int, own.split("."))), {1: address(own), 2: integer(inner), 3: address("255.255.255.0")}
    )
    for machine in site.cabling.members[1:]:
        key = (inner, *map(int, machine.address.split(".")))
        sheet.row(
            under(_IP, 22, 1),
            key,
            {1: integer(inner), 2: text(switch.machine_address(site, machine)), 3: address(machine.address), 4: integer(3)},
        )


def _put_host(sheet: Sheet, site: Site, model: RouterModel) -> None:
    sheet.put(under(_HOST, 1, 1, 0), site.life.ticks)
    for index, kind, name, size, used in (
        (65536, _RAM, "main memory", model.memory, level(site.life, model.memory * 0.2, model.memory * 0.3)),
        (131072, _FIXED, "system disk", model.disk, (ber.INTEGER, model.disk * 3 // 4)),
    ):
        sheet.row(
            under(_HOST, 2, 3, 1),
            (index,),
            {1: integer(index), 2: identifier(kind), 3: text(name), 4: integer(1024), 5: integer(size), 6: used},
        )
    for core in range(1, 5):
        sheet.row(
            under(_HOST, 3, 2, 1), (core,), {1: integer(core), 2: identifier(_PROCESSOR), 3: text(f"CPU {core}"), 5: integer(2)}
        )
        sheet.row(under(_HOST, 3, 3, 1), (core,), {1: identifier(OID((0, 0))), 2: level(site.life, 2, 30 + core)})
