from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from collector.estate.inventory import Inventory
from collector.model import Device, Facts, Interface, State
from config.errors import ConfigError
from haidang import device
from haidang.moment import minute

NOW = 1_700_000_000.0
PORTS = (Interface(1, "eth0", type=6, mac="00:1b:21:01:02:03"),)
FACTS = Facts(name="ketoan-01", uuid="4c4c4544-0031-3510-8052-b4c04f4a3332", interfaces=PORTS)
Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def haidang(tmp_path: Path, capsys: pytest.CaptureFixture[str], database_url: str) -> Command:
    """The command on an inventory with two machines in doubt, `a` (number 1) and `b` (number 2)."""
    config = tmp_path / "haidang.toml"
    units = "".join(f'[[unit]]\nid = "{id}"\n' for id in ("office", "school"))
    config.write_text(f'[collector]\ndatabase = "{database_url}"\n{units}')
    inventory = Inventory.open(database_url)
    first = Device("a", "10.0.0.1", 161, "public", "office")
    for number, (one, facts) in enumerate(
        (
            (first, FACTS),
            (
                replace(first, id="b", address="10.0.0.2"),
                replace(FACTS, interfaces=(replace(PORTS[0], mac="00:1b:21:77:88:99"),)),
            ),
        )
    ):
        inventory.seen(one, NOW + number * 86400, State.UP)
        inventory.described(one, facts, NOW + number * 86400)
        assert inventory.flush()
    inventory.close()

    def call(*words: str) -> tuple[int, str, str]:
        parser = argparse.ArgumentParser()
        device.declare(parser)
        args = parser.parse_args([*words, "--config", str(config)])
        code = args.func(args)
        out, err = capsys.readouterr()
        return code, out, err

    return call


def test_list(haidang: Command) -> None:
    """`list` shows every device with what it is and how it stands; of one unit on request, and for programs."""
    code, out, _ = haidang("list")
    heads, *rows = out.splitlines()
    assert code == 0 and heads.split()[:4] == ["DEVICE", "UNIT", "ADDRESS", "STATE"]
    assert [row.split()[:4] for row in rows] == [["a", "office", "10.0.0.1", "up"], ["b", "office", "10.0.0.2", "up"]]
    code, out, _ = haidang("list", "--json")
    found = [json.loads(line) for line in out.splitlines()]
    assert [(one["id"], one["name"], one["last_seen"]) for one in found] == [
        ("a", "ketoan-01", NOW),
        ("b", "ketoan-01", NOW + 86400),
    ]
    with pytest.raises(ConfigError, match='no \\[\\[unit\\]\\] has the id "nowhere"'):
        haidang("list", "--unit", "nowhere")


def test_changes(haidang: Command, monkeypatch: pytest.MonkeyPatch, database_url: str) -> None:
    """`changes` shows what became different within the time asked, newest first; of one unit on request, and for programs."""
    monkeypatch.setattr("haidang.changes.time.time", lambda: NOW + 10 * 86400)
    moved = Device("a", "10.0.0.9", 161, "public", "school")
    with closing(Inventory.open(database_url)) as inventory:
        inventory.seen(moved, NOW + 5 * 86400, State.UP)
        inventory.described(moved, replace(FACTS, os_version="2"), NOW + 9 * 86400)
        assert inventory.flush()
    code, out, _ = haidang("changes")
    heads, *rows = out.splitlines()
    assert code == 0 and heads.split() == ["WHEN", "DEVICE", "WHAT", "FROM", "TO"]
    assert [row.split()[2:] for row in rows] == [
        ["a", "os.version", "-", "2"],
        ["a", "address", "10.0.0.1", "10.0.0.9"],
        ["a", "unit", "office", "school"],
    ]
    assert len(haidang("changes", "--since", "30d")[1].splitlines()) == 6
    found = [json.loads(line) for line in haidang("changes", "--since", "30d", "--json")[1].splitlines()]
    assert found[0] == {"when": NOW + 9 * 86400, "device": "a", "what": "os.version", "from": None, "to": "2"}
    assert [one["device"] for one in found if one["what"] == "device"] == ["b", "a"]
    assert haidang("changes", "--since", "30m")[:2] == (0, f"nothing changed since {minute(NOW + 10 * 86400 - 1800)}\n")
    with pytest.raises(ConfigError, match=r"--since: .*soon"):
        haidang("changes", "--since", "soon")
    of_unit = {
        unit: [
            json.loads(line)["device"] for line in haidang("changes", "--since", "30d", "--json", "--unit", unit)[1].splitlines()
        ]
        for unit in ("school", "office")
    }
    assert of_unit == {"school": ["a"] * 4, "office": ["a", "a", "a", "b", "a"]}, "it was in the office then"


def test_history(haidang: Command) -> None:
    """`history` shows all that changed of one device, or the values one thing of it has had; a wrong name gets its neighbour."""
    code, out, _ = haidang("history", "a")
    assert code == 0 and [line.split()[2:] for line in out.splitlines()[1:]] == [["a", "device", "-", "a"]]
    code, out, _ = haidang("history", "a", "address", "--json")
    assert (code, json.loads(out)) == (0, {"value": "10.0.0.1", "since": NOW, "until": None})
    assert haidang("history", "a", "address")[1].split()[-2:] == ["now", "10.0.0.1"]
    code, out, err = haidang("history", "a", "addres")
    assert (code, out) == (1, "") and 'never said "addres"' in err and "address" in err
    code, out, err = haidang("history", "nobody")
    assert (code, out) == (1, "") and 'no device "nobody"' in err


def test_why(haidang: Command) -> None:
    """`why` shows a machine's devices, its evidence with dates, every point that decided, and what is asked."""
    code, out, _ = haidang("why", "b")
    assert code == 0
    lines = [line.strip() for line in out.splitlines()]
    assert lines[0].startswith("machine 2, known since 2023-11-15 ") or lines[0].startswith("machine 2, known since 2023-11-1")
    assert any(line.startswith("device b at 10.0.0.2, unit office, since ") for line in lines)
    assert "perhaps machine 1: a person is asked with 3 points" in lines
    assert "-4 mac: 001b21778899 is not 001b21010203" in lines
    assert any(line.startswith("mac      001b21778899, since ") and line.endswith(", by b") for line in lines)
    assert any(line.endswith("are machines 2 and 1 one?") for line in lines)


def test_a_question_answered_and_taken_back(haidang: Command) -> None:
    """A question is answered by merge or apart, shown by `why`, and open again after undo."""
    assert "are machines 2 and 1 one?" in haidang("doubts")[1]
    code, out, _ = haidang("merge", "1", "b")
    assert code == 0
    assert out.startswith("act 1: machine 2 merged into 1 by ")
    assert haidang("doubts")[1] == "no open question\n"
    out = haidang("why", "b")[1]
    assert out.startswith("machine 1,")
    assert "act 1: machine 2 merged into 1" in out
    assert haidang("undo")[1].startswith("undone: act 1: machine 2 merged into 1")
    assert "are machines 2 and 1 one?" in haidang("doubts")[1]
    assert haidang("apart", "a", "b")[1].startswith("act 2: machines 1 and 2 set apart by ")
    assert haidang("doubts")[1] == "no open question\n"


def test_split(haidang: Command) -> None:
    """`split` makes a machine of devices that were merged."""
    haidang("merge", "a", "b")
    assert haidang("split", "b")[1].startswith("act 2: machine 3 split from 1 by ")
    assert haidang("why", "b")[1].startswith("machine 3,")


def test_mistakes(haidang: Command) -> None:
    """What cannot be done gives one line on standard error and exit code 1."""
    for words in (("why", "nobody"), ("merge", "a", "a"), ("undo",), ("split", "a")):
        code, out, err = haidang(*words)
        assert (code, out) == (1, "")
        assert err.startswith("haidang: ") and err.count("\n") == 1
