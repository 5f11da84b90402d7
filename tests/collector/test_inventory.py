from __future__ import annotations

import contextlib
import logging
import os
import re
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import peers
import pytest
import sqlalchemy

from collector.errors import InventoryError
from collector.estate import writer
from collector.estate.inventory import SEEN_EVERY, Inventory
from collector.estate.ledger import Change
from collector.model import Device, Facts, Interface, State

ROOT = Path(__file__).parents[2]

SWITCH = Device("sw-1", "10.0.0.1", 161, "public", "office")
PC = Device("pc-1", "10.0.0.2", 161, "public", "office")
PORT = Interface(1, "Gi0/1", speed_bps=10**9, duplex="full", mac="00:11:22:33:44:55")
FACTS = Facts(kind="switch", vendor="Cisco", model="C2960", serial="FOC1", os_version="15.0", interfaces=(PORT,))
NOW = 1_700_000_000.0


@pytest.fixture
def inventory(database_url: str) -> Iterator[Inventory]:
    opened = Inventory.open(database_url)
    yield opened
    opened.close()


@contextlib.contextmanager
def reopened(inventory: Inventory, database_url: str) -> Iterator[Inventory]:
    assert inventory.close()
    again = Inventory.open(database_url)
    yield again
    again.close()


def test_seen(inventory: Inventory) -> None:
    """A device has its first and last answer, its state and since when; silence is no answer."""
    inventory.seen(SWITCH, NOW, State.SILENT)
    assert inventory.flush()
    found = inventory.device("sw-1")
    assert found is not None
    assert (found.first_seen, found.last_seen, found.state, found.since) == (None, None, State.SILENT, NOW)
    for step, state in enumerate([State.UP, State.UP, State.SILENT, State.SILENT], 1):
        inventory.seen(SWITCH, NOW + step * 60, state)
    assert inventory.flush()
    found = inventory.device("sw-1")
    assert found is not None
    assert (found.first_seen, found.last_seen, found.state, found.since) == (NOW + 60, NOW + 120, State.SILENT, NOW + 180)
    assert inventory.device("nobody") is None


def test_last_seen_is_written_now_and_then(inventory: Inventory, database_url: str) -> None:
    """While nothing changes `last_seen` is written every few minutes, and exactly when the inventory closes."""
    for minute in range(4):
        inventory.seen(SWITCH, NOW + minute * 60, State.UP)
    assert inventory.flush()
    assert inventory.devices()["sw-1"].last_seen == NOW
    inventory.seen(SWITCH, NOW + SEEN_EVERY, State.UP)
    assert inventory.flush()
    assert inventory.devices()["sw-1"].last_seen == NOW + SEEN_EVERY
    inventory.seen(SWITCH, NOW + SEEN_EVERY + 60, State.UP)
    with reopened(inventory, database_url) as again:
        assert again.devices()["sw-1"].last_seen == NOW + SEEN_EVERY + 60


def test_state_survives_a_restart(inventory: Inventory, database_url: str) -> None:
    """A state's beginning, a device's id and its first answer stay what they were when the collector starts again."""
    inventory.seen(PC, NOW, State.UP)
    inventory.seen(SWITCH, NOW, State.UP)
    with reopened(inventory, database_url) as again:
        before = again.devices()["sw-1"]
        again.seen(SWITCH, NOW + 1000, State.UP)
        assert again.flush()
        after = again.devices()["sw-1"]
    assert (after.id, after.since, after.first_seen, after.last_seen) == (before.id, NOW, NOW, NOW + 1000)


def test_what_devices_are_is_remembered(inventory: Inventory, database_url: str) -> None:
    """After a restart it is known in short what each device of the settings is, as it was last read."""
    inventory.described(PC, replace(FACTS, kind="workstation"), NOW)
    inventory.described(SWITCH, FACTS, NOW)
    inventory.described(SWITCH, replace(FACTS, os_version="15.2"), NOW + 10)
    inventory.forgotten(PC, NOW + 20)
    with reopened(inventory, database_url) as again:
        (found,) = again.remembered().values()
    assert (found.kind, found.vendor, found.os_version) == (FACTS.kind, FACTS.vendor, "15.2")
    assert (found.name, found.model, found.serial) == (FACTS.name, FACTS.model, FACTS.serial)


def test_facts_and_what_changed(inventory: Inventory) -> None:
    """Facts hold from when they were first read; another value ends the old one; both are askable, also as of then."""
    inventory.described(SWITCH, FACTS, NOW)
    inventory.described(SWITCH, FACTS, NOW + 3600)
    later = replace(FACTS, os_version="15.2", interfaces=(replace(PORT, speed_bps=10**8),))
    inventory.described(SWITCH, later, NOW + 7200)
    assert inventory.flush()
    facts = inventory.facts("sw-1")
    assert facts["vendor"][1:] == ("Cisco", NOW, NOW + 7200, None)
    assert facts["os.version"][1:] == ("15.2", NOW + 7200, NOW + 7200, None)
    assert facts["address"].value == "10.0.0.1"
    assert inventory.facts("sw-1", NOW + 5000)["os.version"][1:] == ("15.0", NOW, NOW + 3600, NOW + 7200)
    assert [fact.value for fact in inventory.history("sw-1", "interface[Gi0/1].speed_bps")] == ["1000000000", "100000000"]
    assert inventory.changes(NOW + 1) == [
        Change("sw-1", "interface[Gi0/1].speed_bps", "1000000000", "100000000", NOW + 7200),
        Change("sw-1", "os.version", "15.0", "15.2", NOW + 7200),
    ]
    assert inventory.changes(NOW, NOW + 7200) == [Change("sw-1", "device", None, "sw-1", NOW)]


def test_what_went(inventory: Inventory) -> None:
    """A part that is no longer there is a change; one that was not asked for is none."""
    inventory.described(SWITCH, FACTS, NOW)
    inventory.described(SWITCH, replace(FACTS, interfaces=()), NOW + 60, complete=False)
    assert inventory.flush()
    assert inventory.changes(NOW + 1) == []
    inventory.described(SWITCH, replace(FACTS, interfaces=()), NOW + 120)
    assert inventory.flush()
    assert {(change.path, change.old, change.new) for change in inventory.changes(NOW + 1)} == {
        ("interface[Gi0/1].speed_bps", "1000000000", None),
        ("interface[Gi0/1].duplex", "full", None),
        ("interface[Gi0/1].mac", "00:11:22:33:44:55", None),
    }


def test_a_moved_device(inventory: Inventory) -> None:
    """A device with another address or unit is the same device, and the change has its date."""
    inventory.seen(SWITCH, NOW, State.UP)
    inventory.described(SWITCH, FACTS, NOW)
    inventory.seen(replace(SWITCH, address="10.9.9.9", unit="annex"), NOW + 60, State.UP)
    assert inventory.flush()
    assert len(inventory.devices()) == 1
    assert inventory.changes(NOW + 1) == [
        Change("sw-1", "address", "10.0.0.1", "10.9.9.9", NOW + 60),
        Change("sw-1", "unit", "office", "annex", NOW + 60),
    ]
    assert inventory.facts("sw-1")["serial"].value == "FOC1"


def test_same_again_writes_nothing(inventory: Inventory, database_url: str) -> None:
    """Reading the same facts again, also after a restart, leaves the ledger as it is."""
    inventory.described(SWITCH, FACTS, NOW)
    with reopened(inventory, database_url) as again:
        for hour in range(1, 4):
            again.described(SWITCH, FACTS, NOW + hour * 3600)
            assert again.flush()
        assert again.changes(NOW + 1) == []
        assert again.facts("sw-1")["model"][2:] == (NOW, NOW + 3 * 3600, None)


def test_the_clock_steps_back(inventory: Inventory) -> None:
    """A clock set back, even to the moment of an earlier change, loses no value and stops nothing."""
    for version in "1213":
        inventory.described(SWITCH, replace(FACTS, os_version=version), NOW)
    inventory.described(SWITCH, replace(FACTS, os_version="4"), NOW - 86400)
    assert inventory.flush()
    assert [fact.value for fact in inventory.history("sw-1", "os.version")][-1] == "4"
    assert len(inventory.history("sw-1", "os.version")) == 5
    assert not inventory.trouble


def test_any_text(inventory: Inventory) -> None:
    """Whatever text a device gives, NUL and broken UTF-8 included, is kept as far as a database can."""
    inventory.described(SWITCH, replace(FACTS, location="Tầng\x002\udc80", contact="'; DROP TABLE fact; --"), NOW)
    assert inventory.flush()
    facts = inventory.facts("sw-1")
    assert facts["location"].value == "Tầng2?"
    assert facts["contact"].value == "'; DROP TABLE fact; --"


def test_plans(inventory: Inventory, database_url: str) -> None:
    """Learnt plans come back byte for byte, the last one of a device; a forgotten device's stay away."""
    inventory.save_plan("sw-1", b"old")
    assert inventory.flush()
    inventory.save_plan("sw-1", bytes(range(256)))
    inventory.save_plan("pc-1", b"\0")
    with reopened(inventory, database_url) as again:
        assert again.plans() == {"sw-1": bytes(range(256)), "pc-1": b"\0"}
        again.forgotten(PC, NOW)
        assert again.flush()
        assert list(again.plans()) == ["sw-1"]
        assert again.devices()["pc-1"].forgotten == NOW
        again.seen(PC, NOW + 60, State.UP)
        assert again.flush()
        assert again.devices()["pc-1"].forgotten is None


def test_many_devices(inventory: Inventory) -> None:
    """More devices than one transaction takes are all written, under ids of their own."""
    devices = [replace(SWITCH, id=f"d{number}", address=f"10.1.{number >> 8}.{number & 255}") for number in range(1200)]
    for device in devices:
        inventory.seen(device, NOW, State.UP)
        inventory.described(device, replace(FACTS, serial=f"FOC{device.id}X"), NOW)
    assert inventory.flush(60)
    found = inventory.devices()
    assert len({record.id for record in found.values()}) == 1200
    assert {record.described for record in found.values()} == {NOW}


def test_connections_that_break(inventory: Inventory, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that cannot be written is told, and tried again until everything is there once."""
    monkeypatch.setattr(writer, "WAITS", (0.05, 0.05))
    monkeypatch.setattr(writer, "GATHER", 0.01)
    inventory.described(SWITCH, FACTS, NOW)
    assert inventory.flush()
    engine = inventory._engine
    failures = iter(range(3))

    def fail(*_: object) -> None:
        if next(failures, None) is not None:
            raise sqlalchemy.exc.OperationalError("", {}, OSError("No space left on device"))

    sqlalchemy.event.listen(engine, "before_cursor_execute", fail)
    inventory.described(SWITCH, replace(FACTS, os_version="16"), NOW + 60)
    inventory.seen(PC, NOW + 60, State.UP)
    peers.wait_until(lambda: inventory.trouble, "the trouble shows")
    assert "No space left" in inventory.trouble
    assert peers.wait_until(lambda: inventory.flush(1), "all is written")
    assert not inventory.trouble
    assert [fact.value for fact in inventory.history("sw-1", "os.version")] == ["15.0", "16"]
    assert list(inventory.devices()) == ["sw-1", "pc-1"]


def test_an_absent_database_shows_before_it_is_needed(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With nothing to write the database is looked for all the same, so that its absence shows, and its return."""
    monkeypatch.setattr(writer, "LOOK", 0.05)
    absent = threading.Event()

    def begin(_: object) -> None:
        if absent.is_set():
            raise sqlalchemy.exc.OperationalError("", {}, OSError("No route to host"))

    with closing(Inventory.open(database_url)) as inventory:
        sqlalchemy.event.listen(inventory.engine, "begin", begin)
        absent.set()
        assert peers.wait_until(lambda: inventory.trouble, "the trouble shows") == "No route to host"
        absent.clear()
        peers.wait_until(lambda: not inventory.trouble, "it is well again")


def test_a_database_that_does_not_go_on_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A transaction that takes too long is trouble before its end, for the end may never come."""
    monkeypatch.setattr(writer, "STUCK", 0.1)
    with closing(Inventory.open(f"sqlite:///{tmp_path}/inventory.db")) as inventory:
        holder = sqlite3.connect(tmp_path / "inventory.db", isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        inventory.seen(SWITCH, NOW, State.UP)
        trouble = peers.wait_until(lambda: inventory.trouble, "the trouble shows")
        assert re.fullmatch(r"the database has not finished a transaction begun \d+ s ago", trouble)
        holder.execute("ROLLBACK")
        holder.close()
        assert peers.wait_until(lambda: inventory.flush(1), "all is written")
        assert not inventory.trouble


def test_a_refused_value_stops_nobody_else(
    inventory: Inventory, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """When the database refuses one device's work for good, that device is named in the log and the others are written."""
    whole = inventory._writer._store.write

    def write(batch: writer.Batch) -> None:
        if "pc-1" in batch.seen:
            raise sqlalchemy.exc.DataError("", {}, ValueError("invalid byte sequence"))
        whole(batch)

    monkeypatch.setattr(inventory._writer._store, "write", write)
    for number in range(20):
        inventory.seen(replace(SWITCH, id=f"d{number}"), NOW, State.UP)
    inventory.seen(PC, NOW, State.UP)
    with caplog.at_level(logging.ERROR):
        assert inventory.flush()
    assert len(inventory.devices()) == 20
    assert [record.getMessage() for record in caplog.records] == [
        "inventory refused a device's work: device=pc-1 reason=invalid byte sequence"
    ]


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """On a full disk calls still return at once; with room again everything is written, and nothing twice."""
    monkeypatch.setattr(writer, "WAITS", (0.05, 0.05))
    monkeypatch.setattr(writer, "GATHER", 0.01)
    inventory = Inventory.open(f"sqlite:///{tmp_path}/inventory.db")
    inventory.described(SWITCH, FACTS, NOW)
    assert inventory.flush()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = (tmp_path / "inventory.db-wal").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        for number in range(50):
            inventory.described(replace(SWITCH, id=f"d{number}"), replace(FACTS, description="x" * 5000), NOW)
        peers.wait_until(lambda: inventory.trouble, "the trouble shows")
        assert not inventory.flush(0.2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert inventory.flush()
    assert len(inventory.devices()) == 51
    assert inventory.close()
    warnings = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warnings) == 1
    assert warnings[0].startswith("inventory not written, will try again: reason=")


def test_close_gives_up_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While another process holds the database, closing does not wait longer than it promises, and says what was lost."""
    monkeypatch.setattr("collector.estate.inventory.PATIENCE", 0.2)
    inventory = Inventory.open(f"sqlite:///{tmp_path}/inventory.db")
    holder = sqlite3.connect(tmp_path / "inventory.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    inventory.seen(SWITCH, NOW, State.UP)
    assert not inventory.close(), "which it would never do while the other holds on"
    holder.execute("ROLLBACK")
    holder.close()


KILLED = """
import sys
from dataclasses import replace
from collector.estate import writer
from collector.estate.inventory import Inventory
from collector.model import Device, Facts, State
writer.GATHER = 0.0
inventory = Inventory.open(sys.argv[1])
for round in range(100000):
    for number in range(50):
        device = Device(f"d{number}", f"10.0.0.{number}", 161, "public", "office")
        inventory.seen(device, 1.7e9 + round, State.UP)
        inventory.described(device, Facts(serial=str(number), os_version=str(round)), 1.7e9 + round)
    inventory.flush()
    print(round, flush=True)
"""


def test_kill_in_the_middle(database_url: str) -> None:
    """After kill -9 what was flushed is there, the ledger is whole, and the next start goes on."""
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, database_url], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": "."},
    )  # fmt: skip
    assert process.stdout is not None
    for line in process.stdout:
        if int(line) == 20:
            break
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    inventory = Inventory.open(database_url)
    versions = {int(inventory.facts(f"d{number}")["os.version"].value) for number in range(50)}
    assert min(versions) >= 20
    for number in (0, 49):
        held = inventory.history(f"d{number}", "os.version")
        assert [fact.ended for fact in held[:-1]] == [fact.first_seen for fact in held[1:]]
        assert [int(fact.value) for fact in held] == list(range(len(held)))
    inventory.described(SWITCH, FACTS, NOW + 10**6)
    assert inventory.close()


def test_database_that_cannot_be_opened(tmp_path: Path) -> None:
    """A URL that leads nowhere is an InventoryError that says why and hides the password."""
    (tmp_path / "file").touch()
    (tmp_path / "text.db").write_text("this is no database, however long one looks at it" * 100)
    for url, message in {
        "nonsense": "no SQLAlchemy URL",
        "mysql://u:hunter2@h/d": "expected sqlite:///PATH or postgresql://",
        f"sqlite:///{tmp_path}/file/x.db": "cannot open sqlite:////",
        f"sqlite:///{tmp_path}/text.db": "file is not a database",
        f"postgresql://u:hunter2@127.0.0.1:{peers.free_port()}/d": "cannot open postgresql://u:***@127.0.0.1",
    }.items():
        with pytest.raises(InventoryError, match=re.escape(message)) as caught:
            Inventory.open(url)
        assert "hunter2" not in str(caught.value)


def test_a_file_that_was_taken_away_shows(tmp_path: Path) -> None:
    """SQLite goes on writing a file that was deleted or replaced while it was open: the trouble names it, until it is back."""
    path, aside = tmp_path / "haidang.db", tmp_path / "aside.db"
    with closing(Inventory.open(f"sqlite:///{path}")) as inventory:
        assert not inventory.trouble
        path.rename(aside)
        assert inventory.trouble.startswith(f"{path}: No such file or directory: it was taken away")
        path.touch()
        assert inventory.trouble == f"{path} is another file than was opened: restart the collector"
        aside.replace(path)
        assert not inventory.trouble


def test_a_directory_that_cannot_be_written_shows(tmp_path: Path) -> None:
    """SQLite needs its directory for the journal: the trouble names it before a write fails."""
    program = """
import os, sys
from collector.estate.inventory import Inventory
place = sys.argv[1]
inventory = Inventory.open(f"sqlite:///{place}/haidang.db")
print(repr(inventory.trouble))
os.chmod(place, 0o500)
print(repr(inventory.trouble))
os.chmod(place, 0o700)
print(repr(inventory.trouble))
inventory.close()
"""
    place = tmp_path / "state"
    no_override = [] if os.geteuid() else [peers.require("setpriv"), "--bounding-set=-dac_override"]
    done = subprocess.run(
        [*no_override, sys.executable, "-c", program, str(place)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        cwd=ROOT,
    )
    assert done.stdout.splitlines() == ["''", repr(f"{place} cannot be written: give the collector's user the right to"), "''"]
