from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent import state
from agent.errors import StateError
from snmp import ber
from snmp.oid import OID


def test_an_engine_id_is_made_once(tmp_path: Path) -> None:
    """It has RFC 3411's format under the enterprise number, stays, and differs between machines."""
    made = state.engine_id(str(tmp_path), 32473)
    assert made[:5] == bytes.fromhex("80007ed905") and len(made) == 17
    assert state.engine_id(str(tmp_path), 32473) == made
    (tmp_path / "other").mkdir()
    assert state.engine_id(str(tmp_path / "other"), 32473) != made


def test_a_damaged_engine_id_is_said(tmp_path: Path) -> None:
    """The message names the file and the way out."""
    (tmp_path / state.ENGINE_ID).write_bytes(b"\xff\xfe")
    with pytest.raises(StateError, match=f"{state.ENGINE_ID}: expected an engine ID in hexadecimal"):
        state.engine_id(str(tmp_path), 32473)


def test_a_spare_engine_is_the_machines_own_and_its_boots_rise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of it is on disk: the same agent finds the same ID at every start, another one another, and boots go up."""
    monkeypatch.setattr(state.time, "time", lambda: 1_800_000_000.0)
    before = state.spare_engine(32473, "pc-1")
    monkeypatch.setattr(state.time, "time", lambda: 1_800_000_005.0)
    after = state.spare_engine(32473, "pc-1")
    assert after.id == before.id and len(after.id) == 17 and after.boots == before.boots + 5
    assert state.spare_engine(32473, "pc-2").id != before.id
    monkeypatch.setattr(state.time, "time", lambda: 0.0)
    assert state.spare_engine(32473, "pc-1").boots == 1


def test_rows_come_back_as_they_were(tmp_path: Path) -> None:
    """More objects than a message may hold are kept in chunks, in order."""
    rows = [(OID((1, 3, 6, n)), ber.OCTET_STRING, f"row {n}".encode()) for n in range(9000)]
    state.write_rows(str(tmp_path), reversed(rows))
    assert state.read_rows(str(tmp_path)) == rows
    assert state.read_rows(str(tmp_path / "nothing")) == []


def test_damaged_rows_are_noticed(tmp_path: Path) -> None:
    """A file cut off or overwritten is refused as a whole, at every length."""
    state.write_rows(str(tmp_path), [(OID((1, 3, 6, n)), ber.INTEGER, n) for n in range(20)])
    path = tmp_path / state.ROWS
    whole = path.read_bytes()
    for size in range(1, len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(StateError, match="is damaged"):
            state.read_rows(str(tmp_path))


def test_a_directory_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    """The message names the directory and the setting."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match=r"the state directory cannot be used: .*; name another one: \[agent\] state"):
        state.prepare(str(tmp_path / "file" / "state"))


def test_a_write_leaves_the_old_or_the_new(tmp_path: Path) -> None:
    """A file is replaced in one step and is for its owner only."""
    path = str(tmp_path / "x")
    state.write(path, b"one")
    state.write(path, b"two")
    assert state.read(path) == b"two" and os.stat(path).st_mode & 0o777 == 0o600
    assert sorted(os.listdir(tmp_path)) == ["x"]
