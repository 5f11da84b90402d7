"""The machine as objects of the standard modules, read when somebody asks: SNMPv2-MIB, IF-MIB, EtherLike-MIB,
HOST-RESOURCES-MIB and ENTITY-SENSOR-MIB. What changes slowly comes ready from the inventory (`inventory/rows.py`).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import lru_cache
from types import ModuleType

from snmp import ber
from snmp.engine import steady
from snmp.oid import OID
from snmp.tree import Group, Row

from . import __version__
from .facts import Interface, Traffic
from .load import Load


@lru_cache(maxsize=4096)
def at(base: OID, *arcs: int) -> OID:
    """What stands below an object, such as the instance of a column: at(table entry, column, row)."""
    return OID((*base, *arcs))


MIB2 = OID((1, 3, 6, 1, 2, 1))
SYSTEM = at(MIB2, 1)
IF_ENTRY = at(MIB2, 2, 2, 1)
IFX_ENTRY = at(MIB2, 31, 1, 1, 1)
IF_TABLE_LAST_CHANGE = at(MIB2, 31, 1, 5, 0)
DOT3_STATS = at(MIB2, 10, 7, 2, 1)
HOST = at(MIB2, 25)
SENSOR_ENTRY = at(MIB2, 99, 1, 1, 1)
PHYSICAL_ENTRY = at(MIB2, 47, 1, 1, 1, 1)

ZERO = OID((0, 0))
_VOLUMES = 31
"""The first hrStorageIndex of a volume, as net-snmp has it."""
SENSORS = 10_000
"""The first entPhysicalIndex of a temperature; the inventory numbers its parts below."""

_OPER = {"up": 1, "down": 2, "testing": 3, "unknown": 4, "dormant": 5, "notPresent": 6, "lowerLayerDown": 7}
_ETHERNET = 6
_STORAGE_TYPES = {"other": 1, "ram": 2, "virtual": 3, "swap": 3, "fixed": 4, "removable": 5, "flash": 9, "network": 10}
_SERVICES = 72
"""RFC 3418: a host that offers applications (layers 4 and 7)."""

_MODULES = (
    (OID((1, 3, 6, 1, 6, 3, 1)), "SNMPv2-MIB: the agent itself"),
    (at(MIB2, 31), "IF-MIB: network interfaces"),
    (at(MIB2, 35), "EtherLike-MIB: duplex"),
    (at(MIB2, 25, 7), "HOST-RESOURCES-MIB: memory, volumes, processors"),
    (at(MIB2, 47), "ENTITY-MIB: physical parts"),
    (at(MIB2, 99), "ENTITY-SENSOR-MIB: temperatures"),
)


class Machine:
    """This machine's live groups. `source` is `agent.linux`, `agent.windows` or what has the same functions."""

    def __init__(
        self,
        source: ModuleType,
        enterprise: int,
        contact: str = "",
        location: str = "",
        clock: Callable[[], float] = steady,
    ) -> None:
        self._source = source
        self._enterprise = enterprise
        self._contact = contact
        self._location = location
        self._clock = clock
        self._started = clock()
        self._interfaces: list[Interface] = []
        self._links: dict[int, tuple[tuple[str, int], int]] = {}
        self._table_changed = 0
        self._looked = False
        self._names: list[str] = []
        self._volumes: dict[str, int] = {}
        self.load = Load()

    def uptime(self) -> int:
        """sysUpTime: hundredths of a second since the agent started."""
        return int((self._clock() - self._started) * 100) & 0xFFFFFFFF

    def look(self) -> None:
        """Keep how busy the processors are now, so that the next answer can average over the last minute."""
        self.load.sample(self._clock(), self._source.processor_times())

    def groups(self) -> list[Group]:
        """What a tree is made of, and for how many seconds each part may be served before it is read again."""
        return [
            Group("system", self.system, 300),
            Group("uptime", self.uptimes, 0),
            Group("date", self.date, 0),
            Group("interfaces", self.interfaces, 8),
            Group("traffic", self.traffic, 1),
            Group("host", self.host, 8),
            Group("storage", self.storage, 15),
            Group("processors", self.processors, 8),
            Group("sensors", self.sensors, 8),
        ]

    def system(self) -> list[Row]:
        """SNMPv2-MIB's system group without sysUpTime."""
        host = self._source.host()
        product = 2 if os.name == "nt" else 1
        rows: list[Row] = [
            (at(SYSTEM, 1, 0), ber.OCTET_STRING, _text(f"{host.description}; haidang-agent {__version__}")),
            (at(SYSTEM, 2, 0), ber.OBJECT_IDENTIFIER, OID((1, 3, 6, 1, 4, 1, self._enterprise, 1, 3, product))),
            (at(SYSTEM, 4, 0), ber.OCTET_STRING, _text(self._contact)),
            (at(SYSTEM, 5, 0), ber.OCTET_STRING, _text(host.name)),
            (at(SYSTEM, 6, 0), ber.OCTET_STRING, _text(self._location)),
            (at(SYSTEM, 7, 0), ber.INTEGER, _SERVICES),
            (at(SYSTEM, 8, 0), ber.TIME_TICKS, 0),
        ]
        for n, (module, title) in enumerate(_MODULES, 1):
            rows += [
                (at(SYSTEM, 9, 1, 2, n), ber.OBJECT_IDENTIFIER, module),
                (at(SYSTEM, 9, 1, 3, n), ber.OCTET_STRING, _text(title)),
                (at(SYSTEM, 9, 1, 4, n), ber.TIME_TICKS, 0),
            ]
        return rows

    def uptimes(self) -> list[Row]:
        """The objects that move with every request."""
        since_boot = int((time.time() - self._source.boot_time()) * 100)
        return [
            (at(SYSTEM, 3, 0), ber.TIME_TICKS, self.uptime()),
            (at(HOST, 1, 1, 0), ber.TIME_TICKS, max(since_boot, 0) & 0xFFFFFFFF),
        ]

    def date(self) -> list[Row]:
        """hrSystemDate, which costs more than the other times and is hardly ever asked for."""
        return [(at(HOST, 1, 2, 0), ber.OCTET_STRING, date_and_time(time.time()))]

    def interfaces(self) -> list[Row]:
        """IF-MIB without its counters, and EtherLike's duplex."""
        self._interfaces = self._source.interfaces()
        rows: list[Row] = [(at(MIB2, 2, 1, 0), ber.INTEGER, len(self._interfaces))]
        for interface in self._interfaces:
            rows += self._interface(interface)
        for gone in set(self._links) - {interface.number for interface in self._interfaces}:
            del self._links[gone]
            self._table_changed = self.uptime()
        self._looked = True
        rows.append((IF_TABLE_LAST_CHANGE, ber.TIME_TICKS, self._table_changed))
        return rows

    def _interface(self, interface: Interface) -> list[Row]:
        n = interface.number
        link = interface.oper, interface.changes
        if n not in self._links:
            # What was there before the agent has not changed since (RFC 2863: zero).
            self._links[n] = link, self.uptime() if self._looked else 0
            self._table_changed = self._links[n][1] or self._table_changed
        elif self._links[n][0] != link:
            self._links[n] = link, self.uptime()
        speed = interface.speed_bps or 0
        rows: list[Row] = [
            (at(IF_ENTRY, 1, n), ber.INTEGER, n),
            (at(IF_ENTRY, 2, n), ber.OCTET_STRING, _text(interface.description)),
            (at(IF_ENTRY, 3, n), ber.INTEGER, interface.type),
            (at(IF_ENTRY, 4, n), ber.INTEGER, min(interface.mtu, 0x7FFFFFFF)),
            (at(IF_ENTRY, 5, n), ber.GAUGE32, min(speed, 0xFFFFFFFF)),
            (at(IF_ENTRY, 6, n), ber.OCTET_STRING, interface.mac),
            (at(IF_ENTRY, 7, n), ber.INTEGER, 1 if interface.admin else 2),
            (at(IF_ENTRY, 8, n), ber.INTEGER, _OPER.get(interface.oper, 4)),
            (at(IF_ENTRY, 9, n), ber.TIME_TICKS, self._links[n][1]),
            (at(IFX_ENTRY, 1, n), ber.OCTET_STRING, _text(interface.name)),
            (at(IFX_ENTRY, 14, n), ber.INTEGER, 2),
            (at(IFX_ENTRY, 15, n), ber.GAUGE32, min((speed + 500_000) // 1_000_000, 0xFFFFFFFF)),
            (at(IFX_ENTRY, 16, n), ber.INTEGER, 1 if interface.promiscuous else 2),
            (at(IFX_ENTRY, 17, n), ber.INTEGER, 1 if interface.physical else 2),
            (at(IFX_ENTRY, 18, n), ber.OCTET_STRING, _text(interface.alias)),
            (at(IFX_ENTRY, 19, n), ber.TIME_TICKS, 0),
        ]
        if interface.type == _ETHERNET:
            duplex = 1 if interface.full_duplex is None else 3 if interface.full_duplex else 2
            rows += [(at(DOT3_STATS, 1, n), ber.INTEGER, n), (at(DOT3_STATS, 19, n), ber.INTEGER, duplex)]
        return rows

    def traffic(self) -> list[Row]:
        """IF-MIB's counters of the interfaces that the interfaces group has seen."""
        counters = self._source.traffic()
        if not self._interfaces:
            self._interfaces = self._source.interfaces()
        rows: list[Row] = []
        for interface in self._interfaces:
            found = counters.get(interface.name)
            if found is not None:
                rows += _counters(interface.number, found)
        return rows

    def host(self) -> list[Row]:
        """HOST-RESOURCES-MIB's hrSystem group but its times, and the size of the memory."""
        memory = self._source.memory()
        return [
            (at(HOST, 1, 5, 0), ber.GAUGE32, self._source.users()),
            (at(HOST, 1, 6, 0), ber.GAUGE32, self._source.processes()),
            (at(HOST, 1, 7, 0), ber.INTEGER, 0),
            (at(HOST, 2, 2, 0), ber.INTEGER, min(memory[0].size_bytes // 1024, 0x7FFFFFFF)),
        ]

    def storage(self) -> list[Row]:
        """hrStorageTable: memory, swap, volumes. A size that does not fit 31 bits is told in larger units."""
        rows: list[Row] = []
        entry = at(HOST, 2, 3, 1)
        # A volume keeps its row while others come and go.
        numbers = self._volumes
        volumes = [(numbers.setdefault(space.name, _VOLUMES + len(numbers)), space) for space in self._source.volumes()]
        spaces = [*enumerate(self._source.memory(), 1), *volumes]
        for n, space in spaces:
            unit = space.block_bytes
            while space.size_bytes // unit > 0x7FFFFFFF:
                unit *= 2
            rows += [
                (at(entry, 1, n), ber.INTEGER, n),
                (at(entry, 2, n), ber.OBJECT_IDENTIFIER, at(HOST, 2, 1, _STORAGE_TYPES[space.kind])),
                (at(entry, 3, n), ber.OCTET_STRING, _text(space.name)),
                (at(entry, 4, n), ber.INTEGER, unit),
                (at(entry, 5, n), ber.INTEGER, space.size_bytes // unit),
                (at(entry, 6, n), ber.INTEGER, space.used_bytes // unit),
            ]
        return rows

    def processors(self) -> list[Row]:
        """hrDeviceTable's processors and hrProcessorTable."""
        loads = self.load.sample(self._clock(), self._source.processor_times())
        if len(self._names) != len(loads):
            self._names = (self._source.processor_names() + ["Processor"] * len(loads))[: len(loads)]
        rows: list[Row] = []
        device, processor = at(HOST, 3, 2, 1), at(HOST, 3, 3, 1)
        for n, (load, name) in enumerate(zip(loads, self._names, strict=True), 1):
            rows += [
                (at(device, 1, n), ber.INTEGER, n),
                (at(device, 2, n), ber.OBJECT_IDENTIFIER, at(HOST, 3, 1, 3)),
                (at(device, 3, n), ber.OCTET_STRING, _text(name)),
                (at(device, 4, n), ber.OBJECT_IDENTIFIER, ZERO),
                (at(device, 5, n), ber.INTEGER, 2),
                (at(device, 6, n), ber.COUNTER32, 0),
                (at(processor, 1, n), ber.OBJECT_IDENTIFIER, ZERO),
                (at(processor, 2, n), ber.INTEGER, load),
            ]
        return rows

    def sensors(self) -> list[Row]:
        """ENTITY-SENSOR-MIB: temperatures in tenths of a degree, and their places in ENTITY-MIB."""
        rows: list[Row] = []
        for n, sensor in enumerate(self._source.sensors(), SENSORS):
            rows += [
                (at(PHYSICAL_ENTRY, 2, n), ber.OCTET_STRING, _text(f"Temperature {sensor.name}")),
                (at(PHYSICAL_ENTRY, 4, n), ber.INTEGER, 1),
                (at(PHYSICAL_ENTRY, 5, n), ber.INTEGER, 8),
                (at(PHYSICAL_ENTRY, 6, n), ber.INTEGER, n - SENSORS + 1),
                (at(PHYSICAL_ENTRY, 7, n), ber.OCTET_STRING, _text(sensor.name)),
                (at(SENSOR_ENTRY, 1, n), ber.INTEGER, 8),
                (at(SENSOR_ENTRY, 2, n), ber.INTEGER, 9),
                (at(SENSOR_ENTRY, 3, n), ber.INTEGER, 1),
                (at(SENSOR_ENTRY, 4, n), ber.INTEGER, round(sensor.celsius * 10)),
                (at(SENSOR_ENTRY, 5, n), ber.INTEGER, 1),
                (at(SENSOR_ENTRY, 6, n), ber.OCTET_STRING, b"Celsius"),
            ]
        return rows


def _counters(n: int, found: Traffic) -> list[Row]:
    names = _counter_names(n)
    multicast = found.receive_multicast or 0
    received = max(found.receive_packets - multicast, 0)
    rows: list[Row] = [
        (names[0], ber.COUNTER32, found.receive_bytes & 0xFFFFFFFF),
        (names[1], ber.COUNTER32, received & 0xFFFFFFFF),
        (names[2], ber.COUNTER32, found.receive_discards & 0xFFFFFFFF),
        (names[3], ber.COUNTER32, found.receive_errors & 0xFFFFFFFF),
        (names[4], ber.COUNTER32, found.transmit_bytes & 0xFFFFFFFF),
        (names[5], ber.COUNTER32, found.transmit_packets & 0xFFFFFFFF),
        (names[6], ber.COUNTER32, found.transmit_discards & 0xFFFFFFFF),
        (names[7], ber.COUNTER32, found.transmit_errors & 0xFFFFFFFF),
        (names[8], ber.COUNTER64, found.receive_bytes),
        (names[9], ber.COUNTER64, received),
        (names[10], ber.COUNTER64, found.transmit_bytes),
        (names[11], ber.COUNTER64, found.transmit_packets),
    ]
    if found.receive_multicast is not None:
        rows.append((names[12], ber.COUNTER32, multicast & 0xFFFFFFFF))
        rows.append((names[13], ber.COUNTER64, multicast))
    return rows


@lru_cache(maxsize=512)
def _counter_names(n: int) -> tuple[OID, ...]:
    """The instances of `_counters`, looked up together since they are read most often."""
    columns = [(IF_ENTRY, column) for column in (10, 11, 13, 14, 16, 17, 19, 20)]
    columns += [(IFX_ENTRY, column) for column in (6, 7, 10, 11, 2, 8)]
    return tuple(at(entry, column, n) for entry, column in columns)


def date_and_time(seconds: float) -> bytes:
    """SNMPv2-TC's DateAndTime with the local offset from UTC."""
    now = time.localtime(seconds)
    offset = now.tm_gmtoff // 60
    head = now.tm_year.to_bytes(2, "big") + bytes((now.tm_mon, now.tm_mday, now.tm_hour, now.tm_min, min(now.tm_sec, 60)))
    sign = b"+" if offset >= 0 else b"-"
    return head + bytes((int(seconds * 10) % 10,)) + sign + bytes(divmod(abs(offset), 60))


def _text(text: str) -> bytes:
    """A DisplayString: UTF-8 of at most 255 octets."""
    data = text.encode("utf-8", "replace")
    return data if len(data) <= 255 else data[:255].decode("utf-8", "ignore").encode()
