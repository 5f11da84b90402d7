"""Switches: IF-MIB, ENTITY-MIB (RFC 6933), LLDP, BRIDGE-MIB and Q-BRIDGE-MIB (RFC 4188, 4363), some of the makers' own."""

from __future__ import annotations

from snmp import ber
from snmp.oid import OID
from snmp.tree import Source

from . import interfaces, neighbours
from .cabling import Plant, hardware_address, pick
from .interfaces import DOWN, FULL, UP, VLAN, Port
from .life import level
from .links import half_duplex, link_speed, traffic
from .models import SwitchModel
from .neighbours import Neighbour
from .province import Machine
from .sheet import Cell, Sheet, counter, gauge, identifier, integer, text, under
from .site import Site, put_system

_BRIDGE = OID((1, 3, 6, 1, 2, 1, 17))
_ENTITY_ENTRY = OID((1, 3, 6, 1, 2, 1, 47, 1, 1, 1, 1))
_SENSOR_ENTRY = OID((1, 3, 6, 1, 2, 1, 99, 1, 1, 1))
_CISCO = OID((1, 3, 6, 1, 4, 1, 9, 9))
_HP = OID((1, 3, 6, 1, 4, 1, 11, 2, 14, 11, 5, 1))
_MIKROTIK = OID((1, 3, 6, 1, 4, 1, 14988, 1, 1))
_NOWHERE = OID((0, 0))
_OFFICE_VLAN = 10

_IS_UP, _IS_DOWN = (ber.encode_value(ber.INTEGER, state) for state in (UP, DOWN))


def put(sheet: Sheet, site: Site) -> None:
    """Add all of a switch's objects."""
    plant = site.cabling.plants[site.machine.address]
    model = plant.model
    put_system(sheet, site, model.description, model.object_id, 2 if model.vendor == "D-Link" else 6)
    interfaces.put(sheet, site.life, _ports(site, plant))
    _put_entities(sheet, site, model)
    _put_bridge(sheet, site, plant)
    _put_vlans(sheet, plant)
    neighbours.put(sheet, site, base_address(plant), {n: model.port_label(n) for n in plant.model_ports()}, _seen(site, plant))
    if model.vendor == "Cisco":
        _put_cisco(sheet, site)
    elif model.vendor == "HP":
        sheet.put(under(_HP, 9, 6, 1, 0), level(site.life, 4, 22))
        sheet.row(
            under(_HP, 1, 2, 2, 1, 1), (1,), {1: integer(1), 5: integer(123387904), 6: integer(88211072), 7: integer(35176832)}
        )
    elif model.vendor == "MikroTik":
        put_routeros(sheet, site, model.version)


def base_address(plant: Plant) -> bytes:
    """The switch's own MAC address."""
    return hardware_address(plant.machine, plant.model.oui)


def _ports(site: Site, plant: Plant) -> list[Port]:
    model, base = plant.model, int.from_bytes(base_address(plant), "big")
    ports = []
    for number in plant.model_ports():
        port = Port(
            model.index(number), label := model.port_label(number), label, (base + number & 0xFFFFFFFFFFFF).to_bytes(6, "big")
        )
        if model.vendor == "Cisco":
            port.description = label.replace("Fa", "FastEthernet").replace("Gi", "GigabitEthernet")
        port.speed = model.speed if number <= model.ports else 1000
        _connect(site, plant, number, port)
        ports.append(port)
    if model.vendor == "Cisco":
        ports.insert(0, Port(1, "Vl1", "Vlan1", base_address(plant), type=VLAN, duplex=0, receives=400.0, sends=350.0))
    return ports


def _connect(site: Site, plant: Plant, number: int, port: Port) -> None:
    """Give a port the link, speed and traffic of what hangs on it."""
    behind = plant.behind(number)
    if number == plant.uplink:
        others = [machine for machine in site.cabling.members if machine is not plant.machine]
        port.alias = "Uplink"
        port.receives, port.sends = 25_000.0 * len(others), 9_000.0 * len(others)
    elif number in plant.children:
        port.alias = plant.children[number].machine.name
        port.sends, port.receives = map(sum, zip(*(traffic(machine) for machine in behind), strict=True))
    elif behind:
        # Several machines on one port hang on an unmanaged switch, which keeps the link up whatever they do.
        one = behind[0]
        port.speed = link_speed(plant, number, one, site.slowed(one.address)) if len(behind) == 1 else port.speed
        port.duplex = interfaces.HALF if len(behind) == 1 and half_duplex(one) else FULL
        port.sends, port.receives = map(sum, zip(*(traffic(machine) for machine in behind), strict=True))
        port.faulty = 0.05 if port.duplex == interfaces.HALF or one.random("cable").random() < 0.03 else 0.0
        port.oper = _follows(site, one.address) if len(behind) == 1 else (ber.INTEGER, UP)
    else:
        port.oper = (ber.INTEGER, DOWN)
        port.duplex = 1


def _follows(site: Site, address: str) -> Source:
    powered = site.powered
    return lambda now: _IS_UP if powered(address) else _IS_DOWN


def _put_entities(sheet: Sheet, site: Site, model: SwitchModel) -> None:
    serial = f"F{site.machine.seed % 36**9:09X}"[:11]
    parts: list[tuple[int, int, str, str, str, str]] = [
        (3, 0, model.name, f"{model.vendor} {model.name}", serial, model.name),
        (6, 1, "Power Supply 1", "Internal power supply", "", ""),
        (7, 1, "Fan 1", "Fan", "", ""),
        (8, 1, "Temperature 1", "Temperature sensor", "", ""),
        (10, 1, model.port_label(1), "Ethernet port", "", ""),
    ]
    for index, (kind, parent, name, description, number, product) in enumerate(parts, 1):
        sheet.row(
            _ENTITY_ENTRY,
            (index,),
            {
                2: text(description), 3: identifier(model.object_id if kind == 3 else _NOWHERE), 4: integer(parent),
                5: integer(kind),
                6: integer(1), 7: text(name), 8: text(""), 9: text(""), 10: text(model.version if kind == 3 else ""),
                11: text(number), 12: text(model.vendor if kind == 3 else ""), 13: text(product), 14: text(""), 15: text(""),
                16: integer(1 if kind == 3 else 2),
            },
        )  # fmt: skip
    sheet.row(
        _SENSOR_ENTRY,
        (4,),
        {1: integer(8), 2: integer(9), 3: integer(0), 4: level(site.life, 36, 47), 5: integer(1), 6: text("Celsius"),
         7: site.life.ticks, 8: gauge(5000)},
    )  # fmt: skip


def _put_bridge(sheet: Sheet, site: Site, plant: Plant) -> None:
    model, base = plant.model, base_address(plant)
    sheet.scalars(under(_BRIDGE, 1), {1: text(base), 2: integer(model.size), 3: integer(2)})
    sheet.scalars(under(_BRIDGE, 4), {1: counter(0), 2: integer(300)})
    for number in plant.model_ports():
        sheet.row(
            under(_BRIDGE, 1, 4, 1),
            (number,),
            {1: integer(number), 2: integer(model.index(number)), 3: identifier(_NOWHERE), 4: counter(0), 5: counter(0)},
        )
    for address, port in forwarding(site, plant).items():
        key = tuple(address)
        sheet.row(under(_BRIDGE, 4, 3, 1), key, {1: text(address), 2: integer(port), 3: integer(3)})
        sheet.row(under(_BRIDGE, 7, 1, 2, 2, 1), (_OFFICE_VLAN, *key), {2: integer(port), 3: integer(3)})


def forwarding(site: Site, plant: Plant) -> dict[bytes, int]:
    """The forwarding table: MAC address -> port. Whatever does not hang below the switch came in at the uplink."""
    table: dict[bytes, int] = {}
    for machine in site.cabling.members:
        if machine is not plant.machine:
            table[machine_address(site, machine)] = plant.uplink
    for number in plant.model_ports():
        if number != plant.uplink:
            table.update(dict.fromkeys((machine_address(site, machine) for machine in plant.behind(number)), number))
    return table


def machine_address(site: Site, machine: Machine) -> bytes:
    """The MAC address of any machine of the office."""
    plant = site.cabling.plants.get(machine.address)
    return base_address(plant) if plant else hardware_address(machine, pick(machine).oui)


def _put_vlans(sheet: Sheet, plant: Plant) -> None:
    size = plant.model.size
    every = ((1 << size) - 1 << (-size % 8)).to_bytes(-(-size // 8), "big")
    sheet.scalars(under(_BRIDGE, 7, 1, 1), {1: integer(1), 2: integer(4094), 3: gauge(4094), 4: gauge(2)})
    for vlan, name, members in ((1, "default", bytes(len(every))), (_OFFICE_VLAN, "Van phong", every)):
        sheet.row(
            under(_BRIDGE, 7, 1, 4, 3, 1),
            (vlan,),
            {1: text(name), 2: text(members), 3: text(bytes(len(every))), 4: text(members), 5: integer(1)},
        )
    for number in plant.model_ports():
        sheet.put(under(_BRIDGE, 7, 1, 4, 5, 1, 1, number), gauge(_OFFICE_VLAN))


def _seen(site: Site, plant: Plant) -> list[Neighbour]:
    """What LLDP shows: the router or the next switch at the uplink, switches below."""
    found = []
    if plant.parent is None:
        found.append(neighbours.of_router(site, plant.uplink))
    else:
        found.append(_neighbour(plant.uplink, plant.parent, plant.parent_port))
    found += [_neighbour(port, child, child.uplink) for port, child in plant.children.items()]
    return [one for one in found if one is not None]


def _neighbour(local: int, plant: Plant, port: int) -> Neighbour:
    return Neighbour(local, base_address(plant), plant.model.port_label(port), plant.machine, plant.model.description)


def of_first_switch(site: Site, local: int) -> list[Neighbour]:
    """What the office's router sees of the first switch."""
    return [_neighbour(local, plant, plant.uplink) for plant in site.cabling.plants.values() if plant.parent is None]


def _put_cisco(sheet: Sheet, site: Site) -> None:
    """CISCO-PROCESS-MIB, CISCO-MEMORY-POOL-MIB, CISCO-ENVMON-MIB."""
    load: Cell = level(site.life, 5, 24, ber.GAUGE32)
    sheet.row(under(_CISCO, 109, 1, 1, 1, 1), (1,), {2: integer(1), 6: load, 7: load, 8: load})
    sheet.row(
        under(_CISCO, 48, 1, 1, 1),
        (1,),
        {2: text("Processor"), 3: integer(0), 4: integer(1), 5: gauge(21_874_412), 6: gauge(9_362_180)},
    )
    sheet.row(
        under(_CISCO, 48, 1, 1, 1), (2,), {2: text("I/O"), 3: integer(0), 4: integer(1), 5: gauge(2_211_840), 6: gauge(1_982_464)}
    )
    sheet.row(
        under(_CISCO, 13, 1, 3, 1), (1005,),
        {2: text("SW#1, Sensor#1, GREEN"), 3: level(site.life, 36, 47, ber.GAUGE32), 4: integer(60), 6: integer(1)},
    )  # fmt: skip
    sheet.row(under(_CISCO, 13, 1, 4, 1), (1004,), {2: text("Switch#1, Fan#1"), 3: integer(1)})
    sheet.row(under(_CISCO, 13, 1, 5, 1), (1003,), {2: text("Sw1, PS1 Normal, RPS NotExist"), 3: integer(1), 4: integer(2)})


def put_routeros(sheet: Sheet, site: Site, version: str) -> None:
    """MIKROTIK-MIB: health in tenths, software and serial number."""
    sheet.scalars(under(_MIKROTIK, 3), {8: level(site.life, 238, 243), 10: level(site.life, 340, 460)})
    sheet.scalars(under(_MIKROTIK, 4), {1: text(f"{site.machine.seed % 36**7:07X}"), 3: integer(4), 4: text(version)})
    sheet.scalars(under(_MIKROTIK, 7), {3: text(f"{site.machine.seed % 16**12:012X}"), 4: text(version)})
