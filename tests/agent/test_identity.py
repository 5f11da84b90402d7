"""Which machine this is."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agent import identity
from agent.errors import Unreadable
from agent.facts import Interface
from agent.inventory.parts import Machine
from agent.inventory.source import Source

PC = {"serial": ["7XK2LM3"], "board": ["B1"], "uuid": ["u1"], "mac": ["001b21010203", "001b21010204"], "name": ["pc-1"]}


def card(mac: str, physical: bool = True) -> Interface:
    return Interface(1, "eth0", 6, 1500, bytes.fromhex(mac), True, "up", None, None, physical=physical)


@pytest.mark.parametrize(
    ("now", "another"),
    [
        ({}, False),
        ({"name": ["pc-2"]}, False),
        ({"mac": ["001b21999999"]}, False),
        ({"mac": ["001b21010204", "aabbccddeeff"]}, False),
        ({"mac": ["001b21999999"], "name": ["pc-2"]}, False),
        ({"serial": ["OTHER"], "board": ["B2"], "uuid": ["u2"], "mac": ["001b21999999"]}, True),
        ({"serial": ["OTHER"], "board": ["B2"], "mac": ["001b21999999"]}, True),
        ({"serial": [], "board": [], "mac": ["001b21999999"]}, False),
        ({"serial": [], "board": [], "mac": ["001b21999999"], "name": ["pc-2"]}, True),
        ({"serial": [], "board": [], "uuid": [], "mac": ["001b21999999"]}, False),
        ({"serial": [], "board": [], "uuid": [], "mac": ["001b21999999"], "name": ["pc-2"]}, True),
        ({"serial": [], "board": [], "uuid": [], "mac": []}, False),
    ],
)
def test_other_machines_are_told_from_changed_ones(now: dict[str, list[str]], another: bool) -> None:
    """New cards, a dock, a new name or an unreadable part make no other machine; another board with other cards does, also
    when the UUID is the same one on both."""
    assert identity.other(PC, {**PC, **now}) is another


def test_what_is_said(tmp_path: Path) -> None:
    """Serials, UUID, real network cards' burnt-in addresses, host name, and a digest of the machine id, never the id itself."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/machine-id").write_text("0123456789abcdef0123456789abcdef\n")

    def machine(source: Any) -> Machine:
        return Machine(serial="7XK2LM3", uuid="u1", board_model="H81M")

    cards = [card("001b21010203"), card("02deadbeef01"), card("001b21010209", physical=False), card("")]
    found = identity.said(cards, Source(str(tmp_path)), SimpleNamespace(machine=machine))  # type: ignore[arg-type]
    assert found["mac"] == ["001b21010203"]
    assert (found["serial"], found["uuid"], found["model"]) == (["7XK2LM3"], ["u1"], ["H81M"])
    assert "board" not in found and found["name"]
    assert len(found["machine"][0]) == 32 and "0123456789abcdef" not in found["machine"][0]


def test_what_cannot_be_read_is_missing(tmp_path: Path) -> None:
    """A machine whose firmware may not be read still says its name and its cards."""

    def machine(source: Any) -> Machine:
        raise Unreadable("needs root")

    found = identity.said([card("001b21010203")], Source(str(tmp_path)), SimpleNamespace(machine=machine))  # type: ignore[arg-type]
    assert set(found) == {"name", "mac"}
