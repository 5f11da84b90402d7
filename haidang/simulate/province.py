"""What exists: offices, and in each a router, switches, printers, UPS and workstations with their addresses."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from random import Random

from . import names

ROUTER, SWITCH, PRINTER, UPS, WORKSTATION = KINDS = ("router", "switch", "printer", "ups", "workstation")

FIRST_ADDRESS = int(ipaddress.IPv4Address("127.10.0.0"))
_HOSTS = 250
"""Machines in one block of 256 addresses; an office with more has several blocks."""
_BLOCKS = (256 - 10) << 8
MOST_DEVICES = 60_000

_COPIED = 8
"""Of 256 workstations so many were set up from a disk image of another and bear its identity."""

_SIZES = {"department": (45.0, 25.0, 8.0, 180.0), "commune": (31.0, 6.0, 18.0, 44.0), "ward": (36.0, 8.0, 20.0, 60.0)}
"""Staff of an office by kind: mean, deviation, least, most. The number of machines follows it."""


@dataclass(frozen=True, slots=True)
class Office:
    """A unit. `mark` begins the names of its machines; `parent` is an office id or empty."""

    id: str
    name: str
    kind: str
    mark: str
    parent: str = ""


@dataclass(frozen=True, slots=True)
class Machine:
    """One device. `number` counts the machines of one kind in an office, from 1; `seed` fixes all that is drawn for it."""

    address: str
    kind: str
    office: str
    name: str
    number: int
    seed: int
    copied: bool = False
    """Set up from a disk image of the office's first workstation: MAC address, UUID and engine ID are that one's."""
    identity: int = 0
    """What MAC address, UUID and engine ID are made of: unique but for copies."""

    def random(self, topic: str) -> Random:
        """The numbers drawn for one topic, the same in every run; what a copy is made of (``model``) is its original's."""
        return Random(f"{self.identity if topic == 'model' else self.seed}/{topic}")


@dataclass(frozen=True, slots=True)
class Province:
    """Everything there is, in a fixed order. `offices[0]` is the province, which has no machines of its own."""

    seed: int
    offices: tuple[Office, ...]
    machines: tuple[Machine, ...]
    _members: dict[str, tuple[Machine, ...]]
    _index: dict[str, Machine]

    def members(self, office: str) -> tuple[Machine, ...]:
        """The machines of an office; raises KeyError."""
        return self._members[office]

    def machine(self, address: str) -> Machine | None:
        """The machine at an address."""
        return self._index.get(address)

    def office(self, id: str) -> Office:
        """An office by its id; raises KeyError."""
        return next(office for office in self.offices if office.id == id)


def build(units: int, devices: int, seed: int = 708) -> Province:
    """A province of `units` offices with `devices` machines in all; the same for the same three numbers.

    Raises ValueError when the numbers do not go together.
    """
    if not 1 <= units <= 1500:
        raise ValueError(f"{units} units: expected 1 to 1500")
    if not units <= devices <= MOST_DEVICES:
        raise ValueError(f"{devices} devices in {units} units: expected {units} to {MOST_DEVICES}")
    random = Random(f"{seed}/province")
    offices = _offices(units, random)
    block = 0
    machines: list[Machine] = []
    members: dict[str, tuple[Machine, ...]] = {offices[0].id: ()}
    for office, size in zip(offices[1:], _sizes(offices[1:], devices, random), strict=True):
        own = tuple(_office_machines(office, size, FIRST_ADDRESS + (block << 8), seed, random))
        block += -(-size // _HOSTS)
        members[office.id] = own
        machines += own
    assert block <= _BLOCKS
    return Province(seed, tuple(offices), tuple(machines), members, {machine.address: machine for machine in machines})


def _offices(units: int, random: Random) -> list[Office]:
    """The province, its departments (about one in six, as in the source documents) and its communes."""
    root = Office(names.slug(names.PROVINCE), names.PROVINCE, "province", "")
    departments = min(max(1, round(units * 115 / 620)), units)
    offices = [root]
    marks: set[str] = set()
    for number in range(departments):
        name, mark = names.department(number)
        marks.add(mark)
        offices.append(Office(names.slug(name), name, "department", mark, root.id))
    for name, kind in names.communes(units - departments, random):
        plain = names.fold(name.split(" ", 1)[1]).replace(" ", "").upper()[:9]
        mark = next(mark for mark in (plain, *(f"{plain[:8]}{n}" for n in range(2, 100))) if mark not in marks)
        marks.add(mark)
        offices.append(Office(names.slug(name), name, kind, mark, root.id))
    return offices


def _sizes(offices: Sequence[Office], devices: int, random: Random) -> list[int]:
    """`devices` shared out by the offices' staff, at least one each."""
    staff = []
    for office in offices:
        mean, deviation, least, most = _SIZES[office.kind]
        staff.append(min(most, max(least, random.gauss(mean, deviation))))
    left = devices - len(offices)
    total = sum(staff)
    shares = [left * one / total for one in staff]
    sizes = [1 + int(share) for share in shares]
    largest = sorted(range(len(shares)), key=lambda i: int(shares[i]) - shares[i])
    for i in largest[: devices - sum(sizes)]:
        sizes[i] += 1
    return sizes


def _office_machines(office: Office, size: int, base: int, seed: int, random: Random) -> list[Machine]:
    """Router first, then switches, printers, UPS and workstations, as many as go into `size`."""
    left = size - 1
    switches = min(left, max(1, -(-left // 22)))
    left -= switches
    printers = min(left, round(left * random.uniform(0.08, 0.16)) or int(left >= 4))
    ups = min(left - printers, int(office.kind == "department" or random.random() < 0.5) if left >= 4 else 0)
    counts = {ROUTER: 1, SWITCH: switches, PRINTER: printers, UPS: ups, WORKSTATION: left - printers - ups}
    machines: list[Machine] = []
    image = 0
    for kind, count in counts.items():
        for number in range(1, count + 1):
            position = len(machines)
            address = str(ipaddress.IPv4Address(base + (position // _HOSTS << 8) + position % _HOSTS + 1))
            digest = sha256(f"{seed}/{address}".encode()).digest()
            own = int.from_bytes(digest[:8], "big")
            copied = kind == WORKSTATION and number > 1 and digest[8] < _COPIED
            if kind == WORKSTATION and number == 1:
                image = own
            machines.append(
                Machine(address, kind, office.id, _name(office, kind, number), number, own, copied, image if copied else own)
            )
    return machines


def _name(office: Office, kind: str, number: int) -> str:
    """A host name of at most 15 characters (what Windows allows)."""
    return f"{office.mark}-{ {ROUTER: 'GW', SWITCH: 'SW', PRINTER: 'IN', UPS: 'UPS', WORKSTATION: 'PC'}[kind] }{number:02d}"
