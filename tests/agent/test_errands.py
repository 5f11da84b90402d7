"""Short-lived children, one at a time: real ones."""

from __future__ import annotations

import sys
from pathlib import Path

import peers
import pytest

from agent.errands import Errand, Errands

FOREVER = float("inf")


class Journal:
    """What errands came to, and what was said of them."""

    def __init__(self) -> None:
        self.ended: list[tuple[str, int | None]] = []
        self.said: list[str] = []

    def errand(self, *arguments: str, every: float = FOREVER, due: float = 0.0, patience: float = 60.0) -> Errand:
        return Errand(arguments, every, lambda status: self.ended.append((arguments[0], status)), due, patience)

    def work(self, errands: Errands, number: int, now: float = 0.0) -> None:
        """Tick until so many have ended."""

        def done() -> bool:
            errands.tick(now)
            return len(self.ended) >= number

        peers.wait_until(done, f"{number} errands have ended")


def test_they_run_in_turn() -> None:
    """What is due runs in the order of the list, one at a time, and each tells how it ended."""
    journal = Journal()
    errands = Errands([journal.errand("--version"), journal.errand("nonsense"), journal.errand("--help", due=5.0)], print)
    assert not errands.busy
    journal.work(errands, 2)
    assert journal.ended == [("--version", 0), ("nonsense", 2)] and not errands.busy
    journal.work(errands, 3, now=5.0)
    assert journal.ended[2] == ("--help", 0)


def test_they_come_again() -> None:
    """An errand is due again after its time from its start, or at once when somebody says so."""
    journal = Journal()
    errands = Errands([journal.errand("--version", every=3600.0), journal.errand("--help", every=FOREVER)], print)
    journal.work(errands, 2)
    errands.tick(3599.0)
    assert not errands.busy
    errands.hasten("--help", 3599.0)
    journal.work(errands, 3, now=3599.0)
    journal.work(errands, 4, now=3600.0)
    assert [name for name, _ in journal.ended] == ["--version", "--help", "--help", "--version"]


def test_who_takes_too_long_is_ended(tmp_path: Path) -> None:
    """A child that does not end is killed after its patience and said to be; the next one has its turn."""
    (tmp_path / "agent.toml").write_text(f'[agent]\nstate = "{tmp_path}/state"\n')
    journal = Journal()
    forever = journal.errand("run", "--config", str(tmp_path / "agent.toml"), patience=10.0)
    errands = Errands([forever, journal.errand("--version")], journal.said.append)
    errands.tick(0.0)
    errands.tick(10.0)
    assert errands.busy and not journal.said
    journal.work(errands, 2, now=10.1)
    assert journal.ended == [("run", -9), ("--version", 0)]
    assert journal.said[0] == "run took longer than 10 s and was ended"


def test_who_cannot_be_started_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the program nothing is run, which is told to whoever waits; the time of the next try is kept."""
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    journal = Journal()
    errands = Errands([journal.errand("identity", every=60.0)], journal.said.append)
    errands.tick(0.0)
    errands.tick(1.0)
    assert journal.ended == [("identity", None)]
    assert journal.said == ["identity could not be started: No such file or directory"]


def test_closing_ends_the_child(tmp_path: Path) -> None:
    """Nothing runs on when the agent ends."""
    (tmp_path / "agent.toml").write_text(f'[agent]\nstate = "{tmp_path}/state"\n')
    journal = Journal()
    errands = Errands([journal.errand("run", "--config", str(tmp_path / "agent.toml"))], print)
    errands.tick(0.0)
    child = errands._child
    assert child is not None
    errands.close()
    assert not errands.busy and child.poll() == -9
