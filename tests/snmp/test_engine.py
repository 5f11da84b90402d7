"""Engine IDs, and boots that survive restarts and power cuts."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from snmp import ber
from snmp.engine import COUNTERS, Engine, Statistics, engine_id, engine_rows, steady
from snmp.errors import StateError
from snmp.tree import Tree
from snmp.usm import MAX_BOOTS

ID = engine_id(32473, b"abc")


def test_engine_ids_have_the_form_of_rfc_3411() -> None:
    """Enterprise number with the first bit set, format 5, then the octets."""
    assert ID == b"\x80\x00\x7e\xd9\x05abc"
    for enterprise, octets in ((0, b"a"), (2**31, b"a"), (1, b""), (1, b"x" * 28)):
        with pytest.raises(ValueError, match="1 to 27 octets"):
            engine_id(enterprise, octets)
    for bad in (b"", b"1234", b"x" * 33, bytes(8), b"\xff" * 8):
        with pytest.raises(ValueError, match="5 to 32 octets"):
            Engine(bad, 1, 0.0)


def test_boots_count_starts(tmp_path: Path) -> None:
    """Every start is one more boot, from 1, also when the engine ID changes, and nothing but the file stays behind."""
    path = tmp_path / "boots"
    assert [Engine.start(path, ID, 0.0).boots for _ in range(3)] == [1, 2, 3]
    assert Engine.start(path, engine_id(32473, b"other"), 0.0).boots == 4
    assert [entry.name for entry in tmp_path.iterdir()] == ["boots"]


def test_boots_saturate(tmp_path: Path) -> None:
    """At 2^31-1 the count stays (RFC 3414 2.2.2)."""
    path = tmp_path / "boots"
    path.write_text(f"{MAX_BOOTS - 1}\n")
    assert [Engine.start(path, ID, 0.0).boots for _ in range(2)] == [MAX_BOOTS, MAX_BOOTS]


@pytest.mark.parametrize("content", [b"", b"many", b"-1", b"1 2", b"99999999999999999999", b"2147483648", b"\x00" * 4096, b"1.5"])
def test_a_damaged_file_is_not_guessed_at(tmp_path: Path, content: bytes) -> None:
    """Boots that would restart are refused with the file, what was found and what to do; the file is left as it is."""
    path = tmp_path / "boots"
    path.write_bytes(content)
    with pytest.raises(StateError, match=r"boots: expected the number of the engine's boots, found b'.*change of the engine ID"):
        Engine.start(path, ID, 0.0)
    assert path.read_bytes() == content


def test_a_file_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    """Without a place to count boots there is no engine."""
    with pytest.raises(StateError, match="cannot be written: No such file or directory"):
        Engine.start(tmp_path / "nowhere" / "boots", ID, 0.0)
    with pytest.raises(StateError, match="cannot be read: Is a directory"):
        Engine.start(tmp_path, ID, 0.0)


def test_a_draft_left_by_a_power_cut_is_harmless(tmp_path: Path) -> None:
    """A half-written new file beside the old one does not count."""
    path = tmp_path / "boots"
    Engine.start(path, ID, 0.0)
    (tmp_path / "boots.new").write_text("99")
    assert Engine.start(path, ID, 0.0).boots == 2


def test_engine_time_is_whole_seconds_since_its_start() -> None:
    """The clock passed in decides; before the start it is 0."""
    engine = Engine(ID, 1, 100.0)
    assert [engine.time(now) for now in (99.0, 100.0, 101.9, 3700.0)] == [0, 0, 1, 3600]


def test_the_clock_goes_on_while_a_machine_sleeps() -> None:
    """Linux' boot-time clock is at or ahead of the monotonic one, by the time slept, and never goes back."""
    before, now, after = time.monotonic(), steady(), steady()
    assert before <= now <= after


def test_counters_and_engine_can_be_served() -> None:
    """The counters and the snmpEngine group make rows a tree takes."""
    stats = Statistics()
    assert [stats.count("usmStatsWrongDigests") for _ in range(2)] == [1, 2]
    stats.counts["snmpInPkts"] = 2**32 - 1
    assert stats.count("snmpInPkts") == 0
    tree = Tree.of([*stats.rows(), *engine_rows(Engine(ID, 7, 0.0), 1472, 33.0)])
    values = {str(row.oid): row.value for row in tree.rows(0.0)}
    assert values[str(COUNTERS["usmStatsWrongDigests"])] == 2
    assert [values[f"1.3.6.1.6.3.10.2.1.{i}.0"] for i in range(1, 5)] == [ID, 7, 33, 1472]
    assert next(row.tag for row in tree.rows(0.0) if row.oid == COUNTERS["usmStatsWrongDigests"]) == ber.COUNTER32
