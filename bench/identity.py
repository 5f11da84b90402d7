"""One machine, one record: wrong merges and missed merges among 10,000 machines that move, change cards and were cloned.

Peer: none. A province is drawn from a seed with the troubles that `Trouble` counts; every machine is read before and after
them, in shuffled order, over the whole way into an SQLite inventory. Afterwards all sightings are compared with the truth.
A machine that was asked about counts as missed. Three forms, the worst is the row's value: `agent` (all evidence an agent
gives), `plain` (serial, UUID, addresses and name only), and `mixed` (plain, readings from before and after in one shuffle).
"""

from __future__ import annotations

import random
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from collector.estate.inventory import Inventory
from collector.model import Component, Device, Facts, Interface, State

BAR = 0.5
"""Missed merges in percent of the machines; wrong merges have to be 0."""
NOW = 1_700_000_000.0
WEEK = 7 * 86400.0
VENDORS = (
    ("Dell", "OptiPlex 3080"),
    ("HP", "ProDesk 400 G7"),
    ("Lenovo", "ThinkCentre M70s"),
    ("FPT", "Elead T10"),
    ("Asus", "D500"),
)
PLACEHOLDERS = ("To be filled by O.E.M.", "Default string", "System Serial Number", "0000000000", "123456789", "None", "")


@dataclass(slots=True)
class Trouble:
    """Shares of the machines."""

    cloned: float = 0.03
    """of these the disk, UUID included, is a copy of another's; half kept the name as well"""
    changed: float = 0.03
    """all network cards changed"""
    moved: float = 0.05
    """another office and address; a third of them renamed; every other one takes the place, and device, of another"""
    placeholder: float = 0.12
    """no serial of the machine; of these two in five have none of the board either"""
    docked: float = 0.02
    """a dock's address in common with four others"""
    no_disk: float = 0.05
    """the disk's serial cannot be read"""


@dataclass(slots=True)
class Machine:
    """A machine as it is in truth."""

    number: int
    facts: Facts
    device: Device


def province(size: int, trouble: Trouble, rng: random.Random) -> list[Machine]:
    """Machines before anything happens to them but the cloning."""
    machines: list[Machine] = []
    for number in range(size):
        vendor, model = rng.choice(VENDORS)
        bare = rng.random() < trouble.placeholder
        board = rng.choice(PLACEHOLDERS) if bare and rng.random() < 0.4 else f"{rng.getrandbits(40):010X}"
        disk = "" if rng.random() < trouble.no_disk else f"S{rng.getrandbits(48):012X}"
        cards = [_mac(rng) for _ in range(rng.choice((1, 1, 2)))]
        facts = Facts(
            kind="workstation",
            vendor=vendor,
            model=model,
            serial=rng.choice(PLACEHOLDERS) if bare else f"{vendor[:2].upper()}{rng.getrandbits(36):09X}",
            name=f"pc-{rng.getrandbits(24):06x}",
            interfaces=_ports(cards),
            components=(Component("disk 0", "disk", serial=disk),) if disk else (),
            uuid=_hex(rng, 128),
            board_serial=board,
            machine_id=_hex(rng, 128),
            engine_id="80001f88" + _hex(rng, 64),
        )
        unit = number // 18
        machines.append(Machine(number, facts, _device(unit, number % 18)))
    _clone(machines, trouble, rng)
    for _ in range(round(size * trouble.docked) // 5):
        dock = _mac(rng)
        for machine in rng.sample(machines, 5):
            ports = [*(port.mac for port in machine.facts.interfaces), dock]
            machine.facts = replace(machine.facts, interfaces=_ports(ports))
    return machines


def later(machines: list[Machine], trouble: Trouble, rng: random.Random, swap: bool) -> list[Machine]:
    """The same machines weeks later."""
    size = len(machines)
    changed = set(rng.sample(range(size), round(size * trouble.changed)))
    moved = rng.sample(range(size), round(size * trouble.moved))
    places = {number: machines[other].device for number, other in zip(moved, moved[1:] + moved[:1], strict=True)}
    found = []
    for machine in machines:
        facts, device = machine.facts, machine.device
        if machine.number in changed:
            # a new card gets a new lease: the device is found under another address of its office
            facts = replace(facts, interfaces=_ports([_mac(rng) for _ in facts.interfaces]))
            device = _device(machine.number // 18, 100 + machine.number % 18)
        if machine.number in places:
            device = places[machine.number]
            if not swap or rng.random() < 0.5:
                device = _device(int(device.unit.removeprefix("unit-")), 40 + machine.number % 18)
                device = replace(device, id=f"{device.id}-{machine.number}")
            if rng.random() < 1 / 3:
                facts = replace(facts, name=f"new-{rng.getrandbits(24):06x}")
        found.append(Machine(machine.number, facts, device))
    return found


def plain(facts: Facts) -> Facts:
    """What is left without an agent: no board, no disk, no ids of system and SNMP engine."""
    return replace(facts, components=(), board_serial="", machine_id="", engine_id="")


def score(size: int, form: str, seed: int, path: Path) -> dict[str, Any]:
    """Read everything twice in shuffled order; how the machines in the inventory compare with the truth."""
    rng = random.Random(seed)
    trouble = Trouble()
    before = province(size, trouble, rng)
    after = later(before, trouble, rng, swap=form != "mixed")
    readings = [(machine, 0) for machine in before]
    rng.shuffle(readings)
    second = [(machine, 1) for machine in after]
    rng.shuffle(second)
    readings += second
    if form == "mixed":
        rng.shuffle(readings)
    inventory = Inventory.open(f"sqlite:///{path}")
    used = time.process_time()
    for number, (machine, epoch) in enumerate(readings):
        if number == size and not inventory.flush(600):
            raise RuntimeError(f"the inventory did not keep up: {inventory.trouble}")
        when = NOW + (number * WEEK / size if form == "mixed" else epoch * WEEK + number % size * 60 / size)
        inventory.seen(machine.device, when, State.UP)
        inventory.described(machine.device, machine.facts if form == "agent" else plain(machine.facts), when)
    if not inventory.flush(600):
        raise RuntimeError(f"the inventory did not keep up: {inventory.trouble}")
    used = time.process_time() - used
    inventory.close()
    truth: dict[str, dict[int, int]] = {}
    for machine, epoch in readings:
        truth.setdefault(machine.device.id, {})[epoch] = machine.number
    records: dict[int, set[int]] = {}
    places: dict[int, set[int]] = {}
    for key, record, first, last in _sightings(path):
        middle = NOW + WEEK / 2
        epochs = {epoch for epoch, there in ((0, first < middle), (1, last >= middle)) if there}
        numbers = truth[key]
        for number in set(numbers.values()):
            if len(set(numbers.values())) == 1 or any(numbers.get(epoch) == number for epoch in epochs):
                records.setdefault(record, set()).add(number)
                places.setdefault(number, set()).add(record)
    if len(places) != size:
        raise RuntimeError(f"{size} machines were read, {len(places)} are in the inventory")
    wrong = sum(1 for numbers in records.values() if len(numbers) > 1)
    missed = sum(1 for found in places.values() if len(found) > 1)
    return {"wrong": wrong, "missed": missed, "asked": _questions(path), "records": len(records), "cpu": used}


def run(quick: bool) -> dict[str, Any]:
    """The row `identity`: value is missed merges in percent; `ok` needs no wrong merge as well."""
    size, seeds = (5_000, (1,)) if quick else (10_000, (1, 2, 3))
    worst, wrong = 0.0, 0
    for form in ("agent", "plain", "mixed"):
        total: Counter[str] = Counter()
        for seed in seeds:
            with tempfile.TemporaryDirectory() as directory:
                total.update(score(size, form, seed, Path(directory) / "inventory.db"))
        many = size * len(seeds)
        missed = 100 * total["missed"] / many
        print(
            f"{form}: {many} machines in {total['records']} records, wrong merges {total['wrong']}, missed {total['missed']} "
            f"({missed:.2f} %), questions {total['asked']}, {500 * total['cpu'] / many:.2f} ms of CPU a reading, database and all"
        )
        worst, wrong = max(worst, missed), wrong + total["wrong"]
    return {
        "value": round(worst, 3), "unit": "% missed", "bar": BAR, "ok": wrong == 0 and worst <= BAR,
        "peer": f"none; wrong merges {wrong} (bar: 0)",
    }  # fmt: skip


def _clone(machines: list[Machine], trouble: Trouble, rng: random.Random) -> None:
    """Copy one machine's disk to others, half of the groups in one office."""
    left = round(len(machines) * trouble.cloned)
    while left > 1:
        size = min(left, rng.choice((2, 2, 3, 5, 10)))
        left -= size
        start = rng.randrange(len(machines) - 18)
        group = machines[start : start + size] if rng.random() < 0.5 else rng.sample(machines, size)
        image = group[0].facts
        for machine in group[1:]:
            facts = replace(machine.facts, uuid=image.uuid, machine_id=image.machine_id, engine_id=image.engine_id)
            if rng.random() < 0.5:
                facts = replace(facts, name=image.name)
            machine.facts = facts


def _sightings(path: Path) -> Iterator[tuple[str, int, float, float]]:
    connection = sqlite3.connect(path)
    yield from connection.execute(
        "SELECT key, machine_id, sighting.first_seen, CASE WHEN ended THEN sighting.last_seen ELSE device.last_seen END "
        "FROM sighting JOIN device ON device.id = device_id"
    )
    connection.close()


def _questions(path: Path) -> int:
    connection = sqlite3.connect(path)
    (count,) = connection.execute("SELECT count(*) FROM doubt").fetchone()
    connection.close()
    return int(count)


def _device(unit: int, place: int) -> Device:
    address = f"10.{unit >> 8}.{unit & 255}.{place}"
    return Device(address, address, 161, "public", f"unit-{unit}")


def _ports(macs: list[str]) -> tuple[Interface, ...]:
    return tuple(Interface(number, f"eth{number}", type=6, mac=mac) for number, mac in enumerate(macs, 1))


def _mac(rng: random.Random) -> str:
    return f"{rng.choice(('00:1b:21', '3c:52:82', '64:00:6a', 'b0:83:fe'))}:" + ":".join(
        f"{rng.randrange(256):02x}" for _ in range(3)
    )


def _hex(rng: random.Random, bits: int) -> str:
    return f"{rng.getrandbits(bits):0{bits // 4}x}"
