from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import peers
import pytest
import sqlalchemy
from sqlalchemy import func, select

from collector.errors import IdentityError, InventoryError
from collector.estate import matcher
from collector.estate.identity import FORMER_KEPT, Known, Verdict
from collector.estate.inventory import Inventory
from collector.estate.machines import Machines
from collector.estate.schema import DOUBT, EVIDENCE, FACT, MACHINE, SIGHTING
from collector.model import Component, Device, Facts, Interface, State

NOW = 1_700_000_000.0
DAY = 86400.0
OLD = Device("old", "10.0.0.1", 161, "public", "office")
NEW = Device("new", "10.0.0.2", 161, "public", "annex")
FACTS = Facts(
    kind="workstation", model="OptiPlex 3080", serial="5CG0123ABC", name="ketoan-01", uuid="4c4c4544-0031-3510-8052-b4c04f4a3332",
    interfaces=(Interface(1, "eth0", type=6, mac="00:1b:21:01:02:03"),),
    components=(Component("sda", "disk", serial="S3Z8NB0K7"),),
)  # fmt: skip
CARDS = (Interface(1, "eth0", type=6, mac="00:1b:21:77:88:99"),)
DOUBTFUL = replace(FACTS, serial="", components=(), interfaces=CARDS)
"""The machine of FACTS without its serials and with other cards, or its clone: nobody can tell."""


@pytest.fixture
def inventory(database_url: str) -> Iterator[Inventory]:
    opened = Inventory.open(database_url)
    yield opened
    opened.close()


@pytest.fixture
def machines(inventory: Inventory, database_url: str) -> Iterator[Machines]:
    opened = Machines.open(database_url)
    yield opened
    opened.close()


def read(inventory: Inventory, device: Device, facts: Facts, when: float) -> None:
    inventory.seen(device, when, State.UP)
    inventory.described(device, facts, when)
    assert inventory.flush()


def memory(database_url: str) -> list[tuple[object, ...]]:
    """What matching would know after a restart."""
    engine = sqlalchemy.create_engine(database_url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.connect() as connection:
        known: Known = matcher.load(connection)
    engine.dispose()
    return snapshot(known)


def snapshot(known: Known) -> list[tuple[object, ...]]:
    return [
        (one.id, one.machine, one.source, one.unit, one.address, one.said, one.former, known.current(one.source) is one)
        for machine in sorted(known.machines())
        for one in sorted(known.sightings(machine), key=lambda sighting: sighting.id)
    ]


def test_one_machine_two_devices(inventory: Inventory, machines: Machines) -> None:
    """A machine found again under another address and office is the same machine, and `why` holds the reasons."""
    read(inventory, OLD, FACTS, NOW)
    read(inventory, NEW, replace(FACTS, interfaces=CARDS), NOW + DAY)
    assert machines.find("old") == machines.find("new") == machines.find(str(machines.find("old")))
    found = machines.describe(machines.find("new"))
    assert [(one.device, one.address, one.unit, one.first_seen) for one in found.sightings] == [
        ("old", "10.0.0.1", "office", NOW), ("new", "10.0.0.2", "annex", NOW + DAY),
    ]  # fmt: skip
    assert found.sightings[0].why.verdict is Verdict.NEW
    assert found.sightings[1].why.verdict is Verdict.SAME
    assert "+10 serial: 5CG0123ABC" in map(str, found.sightings[1].why.reasons)
    assert "-4 mac: 001b21778899 is not 001b21010203" in map(str, found.sightings[1].why.reasons)
    assert [(held.value, held.device) for held in found.evidence if held.kind == "mac"] == [
        ("001b21010203", "old"), ("001b21778899", "new"),
    ]  # fmt: skip
    assert machines.doubts() == []


def test_evidence_has_dates(inventory: Inventory, machines: Machines) -> None:
    """What a device no longer says keeps the time it said it, and comes back without being counted twice."""
    read(inventory, OLD, FACTS, NOW)
    read(inventory, OLD, replace(FACTS, interfaces=CARDS), NOW + DAY)
    read(inventory, OLD, FACTS, NOW + 2 * DAY)
    macs = [held[1:] for held in machines.describe(machines.find("old")).evidence if held.kind == "mac"]
    assert macs == [("001b21010203", "old", NOW, None), ("001b21778899", "old", NOW + DAY, NOW + 2 * DAY)]


def test_another_machine_in_its_place(inventory: Inventory, machines: Machines) -> None:
    """When another machine answers under a device's address, the first one's sighting ends; when it returns, it goes on."""
    other = Facts(serial="5CG0999XYZ", name="ketoan-02", interfaces=CARDS, uuid="9a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9")
    read(inventory, OLD, FACTS, NOW)
    first = machines.find("old")
    read(inventory, OLD, other, NOW + DAY)
    second = machines.find("old")
    assert second != first
    assert machines.describe(first).sightings[0].ended == NOW + DAY
    assert machines.describe(first).sightings[0].last_seen == NOW
    read(inventory, OLD, FACTS, NOW + 2 * DAY)
    assert machines.find("old") == first
    assert [one.ended for one in machines.describe(first).sightings] == [None]
    assert [one.ended for one in machines.describe(second).sightings] == [NOW + 2 * DAY]


def test_doubt_and_merge(inventory: Inventory, machines: Machines) -> None:
    """A doubtful match asks; merging answers it, a running collector takes notice, and undo asks again."""
    read(inventory, OLD, FACTS, NOW)
    near = replace(NEW, unit="office")
    read(inventory, near, DOUBTFUL, NOW + DAY)
    (doubt,) = machines.doubts()
    new = machines.find("new")
    assert (doubt.machine, doubt.other, doubt.why.verdict) == (new, machines.find("old"), Verdict.ASK)
    act = machines.merge("old", "new", "lan", NOW + 2 * DAY)
    assert (act.what, act.who, act.one, act.other) == ("merge", "lan", doubt.other, new)
    assert machines.doubts() == []
    read(inventory, near, replace(DOUBTFUL, name="ketoan-09"), NOW + 3 * DAY)
    assert machines.find("new") == machines.find("old") == doubt.other
    assert machines.undo(None, NOW + 4 * DAY).id == act.id
    assert machines.find("new") == new
    assert machines.doubts() == [doubt]
    assert [one.undone for one in machines.describe(new).acts] == [NOW + 4 * DAY]


def test_apart(inventory: Inventory, machines: Machines) -> None:
    """Two machines that a person set apart are not asked about again, and not merged by mistake."""
    read(inventory, OLD, FACTS, NOW)
    read(inventory, replace(NEW, unit="office"), DOUBTFUL, NOW + DAY)
    assert len(machines.doubts()) == 1
    machines.apart("old", "new", "lan", NOW + 2 * DAY)
    assert machines.doubts() == []
    with pytest.raises(IdentityError, match=r"act 1 \(apart\) says that .* are two machines; undo it first"):
        machines.merge("old", "new", "lan", NOW)
    machines.undo(1, NOW + 3 * DAY)
    machines.merge("old", "new", "lan", NOW + 4 * DAY)
    assert machines.find("old") == machines.find("new")


def test_split_lasts(inventory: Inventory, machines: Machines, database_url: str) -> None:
    """What a person split stays split, though the evidence says the same as before, also after a restart."""
    read(inventory, OLD, FACTS, NOW)
    read(inventory, NEW, FACTS, NOW + DAY)
    one = machines.find("old")
    act = machines.split(["new"], "lan", NOW + 2 * DAY)
    assert machines.find("new") == act.other != one
    read(inventory, NEW, replace(FACTS, interfaces=CARDS), NOW + 3 * DAY)
    assert machines.find("new") == act.other
    inventory.close()
    again = Inventory.open(database_url)
    read(again, NEW, FACTS, NOW + 4 * DAY)
    assert machines.find("new") == act.other
    machines.undo(act.id, NOW + 5 * DAY)
    assert machines.find("new") == one
    again.close()


def test_undo_in_order(inventory: Inventory, machines: Machines) -> None:
    """An act that a later one builds on is undone after that one; each is undone once."""
    three = [replace(OLD, id=name, address=f"10.0.0.{number}") for number, name in enumerate("abc", 1)]
    for number, device in enumerate(three):
        read(inventory, device, Facts(serial=f"SERIAL{number}XYZ", name=device.id * 3), NOW)
    numbers = [machines.find(name) for name in "abc"]
    machines.merge("b", "c", "lan", NOW)
    machines.merge("a", "b", "lan", NOW)
    assert {machines.find(name) for name in "abc"} == {numbers[0]}
    with pytest.raises(IdentityError, match="what act 1 moved was moved again, to machine"):
        machines.undo(1, NOW)
    machines.undo(None, NOW)
    machines.undo(None, NOW)
    assert [machines.find(name) for name in "abc"] == numbers
    with pytest.raises(IdentityError, match="nothing to undo"):
        machines.undo(None, NOW)
    with pytest.raises(IdentityError, match="act 1 is undone already"):
        machines.undo(1, NOW)
    assert [act.what for act in machines.acts()] == ["merge", "merge"]


def test_mistakes_are_named(inventory: Inventory, machines: Machines) -> None:
    """Names that mean nothing, and acts that make no sense, are refused with what was found."""
    read(inventory, OLD, FACTS, NOW)
    read(inventory, NEW, Facts(serial="5CG0999XYZ"), NOW)
    for act, message in (
        (lambda: machines.find("nobody"), "no device of this id and no machine of this number is known: 'nobody'"),
        (lambda: machines.describe(99), "no machine has the number 99"),
        (lambda: machines.merge("old", "old", "lan", NOW), "old and old are both machine 1 already"),
        (lambda: machines.split(["old"], "lan", NOW), "machine 1 consists of nothing else"),
        (
            lambda: machines.split(["old", "new"], "lan", NOW),
            "only devices of one machine can be split from it: old is machine 1, new",
        ),
        (lambda: machines.split(["nobody"], "lan", NOW), "no device is called 'nobody'"),
        (lambda: machines.undo(7, NOW), "there is no act 7"),
    ):
        with pytest.raises(IdentityError, match=re.escape(message)):
            act()
    assert machines.acts() == []


def test_memory_is_what_a_restart_reads(inventory: Inventory, database_url: str) -> None:
    """After any course of readings, what is kept in memory equals what the database gives."""
    for number in range(60):
        device = replace(OLD, id=f"d{number % 7}", address=f"10.0.0.{number % 9}")
        facts = replace(
            FACTS, serial=f"SERIAL{number % 5}XYZ" if number % 3 else "", name=f"host-{number % 4}",
            interfaces=(Interface(1, "eth0", type=6, mac=f"00:1b:21:01:02:{number % 11:02x}"),),
        )  # fmt: skip
        inventory.described(device, facts, NOW + number * DAY)
        if number % 4 == 0:
            assert inventory.flush()
    assert inventory.flush()
    kept = inventory._writer._store._matcher._known
    assert kept is not None
    assert snapshot(kept) == memory(database_url)


def test_a_failed_transaction_leaves_no_ghost(inventory: Inventory, machines: Machines, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was matched in a transaction that could not be committed is matched again, once."""
    monkeypatch.setattr("collector.estate.writer.WAITS", (0.05, 0.05))
    monkeypatch.setattr("collector.estate.writer.GATHER", 0.01)
    read(inventory, OLD, FACTS, NOW)
    failures = iter(range(2))

    def fail(*_: object) -> None:
        if next(failures, None) is not None:
            raise sqlalchemy.exc.OperationalError("", {}, OSError("No space left on device"))

    sqlalchemy.event.listen(inventory._engine, "commit", fail)
    inventory.described(NEW, Facts(serial="5CG0999XYZ"), NOW + DAY)
    peers.wait_until(lambda: inventory.trouble, "the trouble shows")
    assert peers.wait_until(lambda: inventory.flush(1), "all is written")
    assert len({machines.find("old"), machines.find("new")}) == 2
    assert len(machines.describe(machines.find("new")).sightings) == 1


def test_nothing_there(tmp_path: Path) -> None:
    """A database that cannot be opened is an InventoryError."""
    with pytest.raises(InventoryError):
        Machines.open(f"sqlite:///{tmp_path}")


def other(number: int) -> Facts:
    """A machine that nothing is known of: all it says of itself is new."""
    return Facts(
        kind="workstation", model=f"M{number}", serial=f"SERIAL{number}X", name=f"host-{number}",
        uuid=f"0123456789abcdef{number:016x}",
        interfaces=(Interface(1, "eth0", type=6, mac=(0x001B21000000 + number).to_bytes(6, "big").hex(":")),),
    )  # fmt: skip


def counts(database_url: str) -> dict[str, int]:
    """Rows of each table that identity and the ledger write."""
    engine = sqlalchemy.create_engine(database_url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.connect() as connection:
        tables = (MACHINE, SIGHTING, EVIDENCE, DOUBT, FACT)
        found = {table.name: connection.scalar(select(func.count()).select_from(table)) or 0 for table in tables}
    engine.dispose()
    return found


def test_a_device_that_is_another_machine_each_time_fills_nothing(
    inventory: Inventory, machines: Machines, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is kept of it is bounded, in the database and in memory; who was there for long, and what people said, stays."""
    monkeypatch.setattr("collector.estate.matcher.ENDED_KEPT", 5)
    monkeypatch.setattr("collector.estate.store.ENDED_KEPT", 200)
    monkeypatch.setattr("collector.estate.store.TRIM_EVERY", 20)
    read(inventory, OLD, FACTS, NOW)
    read(inventory, OLD, replace(FACTS, name="ketoan-02"), NOW + 30 * DAY)
    first = machines.find("old")
    bounds: list[dict[str, int]] = []
    for number in range(120):
        inventory.described(OLD, other(number), NOW + 31 * DAY + number * 60)
        if number % 8 == 7:
            assert inventory.flush()
            bounds.append(counts(database_url))
    assert bounds[-1]["machine"] == bounds[-1]["sighting"] == 6
    assert bounds[-1]["evidence"] <= 6 * 8
    assert bounds[-1]["fact"] <= 200 + 20 + 20
    assert bounds[-1]["doubt"] <= 6
    assert bounds[8:] == [pytest.approx(bounds[-1], abs=40)] * len(bounds[8:])
    assert [one.device for one in machines.describe(first).sightings] == ["old"]
    kept = inventory._writer._store._matcher._known
    assert kept is not None
    assert snapshot(kept) == memory(database_url)
    assert len(kept) == 6
    assert len(kept._holders) <= 6 * 8
    read(inventory, NEW, FACTS, NOW + 40 * DAY)
    assert machines.find("new") == first


def test_what_a_machine_said_before_is_bounded(inventory: Inventory, machines: Machines, database_url: str) -> None:
    """A machine with other network cards at each reading: of the former addresses the latest are kept, and one that comes back
    is known."""
    cards = [(Interface(1, "eth0", type=6, mac=f"00:1b:21:05:{n // 256:02x}:{n % 256:02x}"),) for n in range(1, 101)]
    for number, own in enumerate(cards):
        inventory.described(OLD, replace(FACTS, interfaces=own), NOW + number * DAY)
        if number % 8 == 7:  # no more are held back of one device
            assert inventory.flush()
    assert inventory.flush()
    inventory.described(OLD, replace(FACTS, interfaces=cards[90]), NOW + 200 * DAY)
    inventory.described(OLD, replace(FACTS, interfaces=cards[0]), NOW + 201 * DAY)
    assert inventory.flush()
    held = [one for one in machines.describe(machines.find("old")).evidence if one.kind == "mac"]
    assert len(held) == FORMER_KEPT + 1
    assert [one.value for one in held if one.ended is None] == ["001b21050001"]
    assert {one.value for one in held} >= {f"001b210500{n:02x}" for n in range(38, 101)}
    kept = inventory._writer._store._matcher._known
    assert kept is not None
    assert snapshot(kept) == memory(database_url)
