"""`haidang agent` as a user types it: what it says, and what it refuses in which words."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import certificates
import pytest

from collector.estate.access import typed_code
from collector.estate.admission import Said
from collector.estate.agents import Agents, Grant
from collector.polling.journal import JOURNAL, Journal
from collector.polling.report import Notice
from config import settings
from haidang.cli import main
from snmp import ber
from snmp.message import VarBind, encode_varbinds
from snmp.oid import OID

TEXT = """
[web]
listen = "127.0.0.1:9715"
[agents]
listen = "127.0.0.1:9162"
[[unit]]
id = "xa-an-lam"
name = "UBND xã An Lâm"
[[unit]]
id = "so"
name = "Sở Tài chính"
"""


class Desk:
    """A settings file, and what the commands print."""

    def __init__(self, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.path = directory / "haidang.toml"
        self.path.write_text(TEXT)
        self._capsys = capsys

    def __call__(self, *words: str) -> tuple[int, str, str]:
        """Exit status, output and errors."""
        status = main(["agent", *words, "--config", str(self.path)])
        told = self._capsys.readouterr()
        return status, told.out, told.err

    def said(self, *words: str) -> str:
        """The output of a command that succeeds."""
        status, out, err = self(*words)
        assert (status, err) == (0, ""), err
        return out

    def refused(self, *words: str) -> str:
        """The error of one that does not."""
        status, out, err = self(*words)
        assert status != 0 and out == "", out
        return err

    def code(self, *words: str) -> str:
        found = re.search(r"enrol \S+ (\S+)", self.said("invite", "--unit", "xa-an-lam", *words))
        assert found is not None
        return found[1]

    def enrol(self, code: str, name: str) -> Grant:
        """What the web server does when a machine asks."""
        with closing(Agents.open(settings.read(self.path))) as agents:
            said = Said({"name": [name], "mac": [f"001b21{len(name):06x}"]}, "0.1.0", "10.1.2.3")
            return agents.enrol(code, said, time.time())


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Desk]:
    return Desk(tmp_path, capsys)


def test_an_invitation_is_a_command_to_type(desk: Desk) -> None:
    """It says for how many machines of which unit and until when, and prints the command that enrols one."""
    first, second, command = desk.said("invite", "--unit", "xa-an-lam", "--count", "12", "--expires", "2h").splitlines()
    assert first.startswith("invitation 1: 12 machines of UBND xã An Lâm (xa-an-lam) until ")
    assert second == "on each machine, as administrator:"
    assert re.fullmatch(r"  haidang-agent enrol http://127\.0\.0\.1:9715 \w{4}-\w{4}-\w{4}", command)
    assert typed_code(command.split()[-1]) == command.split()[-1]
    assert "1 machine of" in desk.said("invite", "--unit", "so")


def test_the_certificate_is_pinned_in_it(desk: Desk, tmp_path: Path) -> None:
    """With a certificate the command goes to HTTPS and holds the agent to it; one that cannot be read is named before any code is
    made."""
    tls = f'tls_certificate = "{tmp_path}/certificate.pem"\ntls_key = "{tmp_path}/key.pem"'
    pin = certificates.make(tmp_path)
    desk.path.write_text(TEXT.replace("[agents]", f"{tls}\n[agents]"))
    assert re.search(rf"enrol https://127\.0\.0\.1:9715 \S+ --pin {pin}$", desk.said("invite", "--unit", "so"), re.M)
    desk.path.write_text(TEXT.replace("[agents]", f'{tls}\n[agents]\nurl = "https://collector.example.vn"'))
    assert "enrol https://collector.example.vn " in desk.said("invite", "--unit", "so")
    (tmp_path / "certificate.pem").write_text("nothing")
    assert "certificate.pem: no certificate can be read from it" in desk.refused("invite", "--unit", "so")
    assert len(desk.said("invitations").splitlines()) == 3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--unit", "xa-an-lan"), 'no [[unit]] has the id "xa-an-lan"; did you mean "xa-an-lam"?'),
        (("--unit", "so", "--count", "0"), "--count: found 0, expected a number from 1 to 10000"),
        (("--unit", "so", "--count", "10001"), "--count: found 10001, expected a number from 1 to 10000"),
        (("--unit", "so", "--expires", "1s"), "--expires: found"),
        (("--unit", "so", "--expires", "91d"), "expected a duration from 60 s to 7776000 s"),
        (("--unit", "so", "--expires", "soon"), "--expires: found 'soon', expected a duration"),
    ],
)
def test_a_wrong_invitation_is_refused(desk: Desk, words: tuple[str, ...], message: str) -> None:
    """A unit that is not there, a count or time out of bounds: said with what would be right, and no code is made."""
    assert message in desk.refused("invite", *words)
    assert desk.said("invitations") == "no invitation is open\n"


def test_what_the_settings_lack_is_said(desk: Desk) -> None:
    """Nobody is invited where no report could come in, or where keys would go over the line in the clear."""
    desk.path.write_text(TEXT.replace('listen = "127.0.0.1:9162"', ""))
    error = desk.refused("invite", "--unit", "so")
    assert '[agents]: listen is missing, so no reports come in; write listen = "0.0.0.0:9162"' in error
    desk.path.write_text(TEXT.replace("127.0.0.1:9715", "10.1.2.3:9715"))
    error = desk.refused("invite", "--unit", "so")
    assert "agents cannot enrol at http://10.1.2.3:9715" in error and "tls_certificate" in error
    assert desk.said("invitations") == "no invitation is open\n"


def test_invitations_and_their_end(desk: Desk) -> None:
    """Open ones are listed with their use; `--all` has those that are used up, withdrawn or expired, each by its word."""
    code = desk.code()
    desk.code("--count", "3")
    desk.enrol(code, "KETOAN-01")
    listed = desk.said("invitations").splitlines()
    assert len(listed) == 2 and re.match(r"2 +xa-an-lam +0 of 3 .* open$", listed[1])
    assert desk.said("withdraw", "2") == "invitation 2 of xa-an-lam is withdrawn; 0 of 3 used it\n"
    assert [line.split()[-1] for line in desk.said("invitations", "--all").splitlines()[1:]] == ["up", "withdrawn"]
    assert "there is no invitation 9; `haidang agent invitations` shows all" in desk.refused("withdraw", "9")


def test_agents_listed_rotated_and_revoked(desk: Desk) -> None:
    """A list by unit; a dry run changes nothing; what is done is said agent by agent; the revoked stand in `--all` only."""
    assert desk.said("list") == "no agent is enrolled; `haidang agent invite` makes a code\n"
    assert desk.said("list", "--unit", "so") == "no agent is enrolled in so; `haidang agent invite` makes a code\n"
    code = desk.code("--count", "2")
    desk.enrol(code, "KETOAN-01")
    desk.enrol(code, "VANTHU")
    assert re.search(r"^ketoan-01 +xa-an-lam +KETOAN-01 .* enrolled$", desk.said("list"), re.M)
    assert "would get new keys" in desk.said("rotate", "--unit", "xa-an-lam", "--dry-run")
    assert "new keys wait" not in desk.said("list")
    rotated = "vanthu (xa-an-lam) gets new keys when it asks next, within 60 minutes when it is on\n"
    assert desk.said("rotate", "vanthu") == rotated
    assert "(it has not fetched those of the last time yet)" in desk.said("rotate", "vanthu")
    assert re.search(r"^vanthu .* new keys wait$", desk.said("list"), re.M)
    assert desk.said("revoke", "vanthu", "--dry-run") == "vanthu (xa-an-lam) would be revoked\n"
    assert desk.said("revoke", "vanthu") == "vanthu (xa-an-lam) is revoked: nothing it sends is taken any more\n"
    assert "vanthu" not in desk.said("list")
    assert re.search(r"^vanthu .* revoked \d{4}-\d\d-\d\d \d\d:\d\d by \w+", desk.said("list", "--all"), re.M)
    told = json.loads(desk.said("list", "--json", "--all"))
    assert [one["key"] for one in told] == ["ketoan-01", "vanthu"] and not any("secret" in key for key in told[0])


@pytest.mark.parametrize("command", ["rotate", "revoke"])
def test_whom_is_asked(desk: Desk, command: str) -> None:
    """A command about agents names them, or a unit that has some; else it says what is wrong and changes nothing."""
    assert "name the agents: DEVICE ..., or --unit U; `haidang agent list` shows all" in desk.refused(command)
    assert "no agent is called 'nobody'; `haidang agent list` shows all" in desk.refused(command, "nobody")
    assert "no agent is enrolled in unit 'so'; `haidang agent list` shows all" in desk.refused(command, "--unit", "so")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("zz\n", "the key of agents' secrets cannot be used"),
        ("abcd\n", "holds 2 octets, expected 32; restore it"),
        ("", "holds 0 octets"),
    ],
)
def test_a_damaged_key_is_not_replaced(desk: Desk, content: str, message: str) -> None:
    """When the key of all agents' secrets is damaged, nothing is done with another one, and the file is named."""
    key = Path(settings.read(desk.path).collector.state_directory) / "agents-key"
    key.parent.mkdir(parents=True)
    key.write_text(content)
    error = desk.refused("list")
    assert f"{key}: {message}" in error and key.read_text() == content


def test_notices_of_other_kinds_are_shown(desk: Desk) -> None:
    """What other programs report with an agent's keys is listed with when, whose and what, of one unit or all."""
    assert desk.said("notices") == "no notification of another kind is kept\n"
    device = desk.enrol(desk.code(), "ketoan-01").agent.key
    directory = settings.read(desk.path).collector.state_directory
    keeping = Journal(directory / JOURNAL)
    body = encode_varbinds([VarBind(OID.parse("1.3.6.1.2.1.2.2.1.1.2"), ber.INTEGER, 2)])
    trap = OID.parse("1.3.6.1.6.3.1.1.5.3")
    some = [Notice(device, b"engine", n, trap, 0, "10.1.2.3", time.time(), body if n else b"\xff") for n in range(3)]
    keeping.commit(some)
    lines = desk.said("notices", "--unit", "xa-an-lam").splitlines()
    assert lines[0].split() == ["WHEN", "DEVICE", "FROM", "NOTIFICATION", "OBJECTS"] and len(lines) == 4
    assert "unreadable: " in lines[1]
    assert lines[2].split()[2:] == [device, "10.1.2.3", str(trap), "1.3.6.1.2.1.2.2.1.1.2|2|2"]
    assert len(desk.said("notices", "--last", "1").splitlines()) == 2
    assert "no notification" in desk.said("notices", "--unit", "so")
    keeping.close()
