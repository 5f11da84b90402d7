"""What `haidang-agent status` says."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from agent import enrolment, state
from agent.enrol import standing_of
from agent.enrolment import Enrolment
from agent.errors import StateError
from agent.inventory.parts import Standing
from agent.settings import Settings, read
from agent.status import status

NOW = 1_795_600_000
REPORTS = {
    "to": "10.1.2.3:9162", "acknowledged": NOW, "day": 20782, "waiting": 0, "spool_octets": 0, "given_up": 0,
    "octets_today": 182_400, "octets_yesterday": 240_000, "trouble": "",
}  # fmt: skip


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return read({"agent": {"state": str(tmp_path)}}, str(tmp_path / "agent.toml"))


def enrolled(settings: Settings) -> None:
    made = Enrolment(
        url="https://collector.example.vn:9715", pin="", ca="", device="ketoan-01", unit="xa-an-lam", unit_name="UBND xã An Lâm",
        user="hd-1.1", token="t", check_in_seconds=3600, machine={}, pushes=(), release_key="",
    )  # fmt: skip
    enrolment.save(settings.state, made)


def stood(settings: Settings, **known: Any) -> None:
    state.write(f"{settings.state}/{state.STANDING}", json.dumps(known).encode())


def noted(settings: Settings, **known: Any) -> None:
    state.write(f"{settings.state}/{state.REPORTS}", json.dumps([{**REPORTS, **known}]).encode())


def told(settings: Settings) -> dict[str, str]:
    """The lines by their first word."""
    lines = list(status(settings))
    return {line[:11].strip() or f"line {n}": line[11:] for n, line in enumerate(lines)}


def when(moment: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment))


def test_not_enrolled(settings: Settings) -> None:
    """An agent that reports to nobody says what would change that, and nothing else."""
    assert list(status(settings)) == ["not enrolled: haidang-agent enrol URL CODE"]


def test_just_enrolled(settings: Settings) -> None:
    """An agent that enrolled and has not been at work says both."""
    enrolled(settings)
    assert list(status(settings)) == [
        "enrolled   as ketoan-01 of UBND xã An Lâm (xa-an-lam) at https://collector.example.vn:9715",
        "asked      never",
        "reports    none yet; is haidang-agent run at work?",
    ]


def test_in_health(settings: Settings) -> None:
    """Device, unit, the last question, clock, line and reports, each in one line with its units."""
    enrolled(settings)
    stood(
        settings, checked=NOW, clock_milliseconds=-1200, tested=NOW + 5, round_trip_microseconds=12_400,
        jitter_microseconds=1_600, loss_permille=15, receive_kbits=18_020, transmit_kbits=9_940,
    )  # fmt: skip
    noted(settings)
    lines = list(status(settings))
    assert lines[1:] == [
        f"asked      {when(NOW)}",
        "clock      as the collector's",
        f"line       tested {when(NOW + 5)}: round trip 12.4 ms, jitter 1.6 ms, loss 1.5 %, 18.02 Mbit/s from it, "
        "9.94 Mbit/s to it",
        f"reports to 10.1.2.3:9162: acknowledged {when(NOW)}; nothing waits",
        "           182 kB today, 240 kB yesterday, of 1000",
    ]


@pytest.mark.parametrize(
    ("milliseconds", "words"),
    [(86_400_000, "86400 s ahead of the collector's"), (-7_600, "8 s behind the collector's"), (1_999, "as the collector's")],
)
def test_the_clock(settings: Settings, milliseconds: int, words: str) -> None:
    """How far the clock is off, and in which direction."""
    enrolled(settings)
    stood(settings, clock_milliseconds=milliseconds)
    assert told(settings)["clock"] == words


def test_in_trouble(settings: Settings) -> None:
    """What is wrong with the collector and with reports stands beside them, and how much waits."""
    enrolled(settings)
    stood(settings, checked=NOW, trouble="this agent was revoked by An", update="1.2.0 is refused: wrong signature")
    noted(settings, acknowledged=0, waiting=17, spool_octets=1_234_567, trouble="does not answer; reports are kept until it does")
    lines = told(settings)
    assert lines["asked"] == f"{when(NOW)}; this agent was revoked by An"
    assert lines["version"] == "1.2.0 is refused: wrong signature"
    assert lines["reports to"] == "10.1.2.3:9162: acknowledged never; 17 parts wait (1.23 MB)"
    assert "does not answer; reports are kept until it does" in lines.values()


def test_of_a_line_that_was_tested_in_part(settings: Settings) -> None:
    """What the test of a line did not find is left out."""
    enrolled(settings)
    stood(settings, tested=NOW, loss_permille=1000)
    assert told(settings)["line"] == f"tested {when(NOW)}: loss 100.0 %"


def test_for_programs(settings: Settings) -> None:
    """As JSON it has the same, without secrets."""
    enrolled(settings)
    stood(settings, checked=NOW)
    noted(settings)
    (text,) = status(settings, as_json=True)
    found = json.loads(text)
    assert found["enrolment"]["device"] == "ketoan-01" and "token" not in text
    assert found["standing"] == {"checked": NOW} and found["reports"] == [REPORTS] and found["budget"] == 1_000_000


@pytest.mark.parametrize("content", [b"", b"\xff\x00", b"[", b"3", b"[" * 5000, b'[{"to": 5}]', b'{"checked": 3}', b"[3, null]"])
def test_damaged_notes_are_no_news(settings: Settings, content: bytes) -> None:
    """Notes that a power cut or a full disk left half written are as good as none."""
    enrolled(settings)
    state.write(f"{settings.state}/{state.REPORTS}", content)
    assert told(settings)["reports"] == "none yet; is haidang-agent run at work?"


@pytest.mark.parametrize("content", [b"", b"\xff\x00", b"[", b"3", b"[" * 5000, b"[]"])
def test_a_damaged_standing_is_none(settings: Settings, content: bytes) -> None:
    """Neither status nor the next check-in fails for a standing that cannot be read."""
    state.write(f"{settings.state}/{state.STANDING}", content)
    assert standing_of(settings.state) == Standing()


def test_of_a_standing_what_is_right_stays(settings: Settings) -> None:
    """Values of a kind they never have are left out, the others count."""
    stood(settings, checked=NOW, clock_milliseconds=[1], tested="x", trouble=5, loss_permille=True, odd=3, update="1.2.0 comes")
    assert standing_of(settings.state) == Standing(checked=NOW, update="1.2.0 comes")


def test_a_damaged_enrolment_is_an_error(settings: Settings) -> None:
    """Without its enrolment the agent can say nothing, and says how to get another one."""
    Path(settings.state, enrolment.FILE).write_text("[enrolment]\nurl = ")
    with pytest.raises(StateError, match=r"is damaged .*; enrol again"):
        list(status(settings))
