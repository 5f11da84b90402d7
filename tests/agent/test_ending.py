from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from agent import ending
from agent.report import OUTAGE, SHUTDOWN, STOPPED


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine that is up, on mains: its systemctl answers what the file `state` says."""
    monkeypatch.setattr(ending, "_SIGNS", (str(tmp_path / "nologin"),))
    monkeypatch.setattr(ending, "_POWER_SIGNS", (str(tmp_path / "killpower"),))
    monkeypatch.setattr(psutil, "sensors_battery", lambda: None)
    program = tmp_path / "systemctl"
    program.write_text(f'#!/bin/sh\ncat "{tmp_path}/state"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    (tmp_path / "state").write_text("running\n")
    return tmp_path


def test_an_agent_that_is_stopped_alone(system: Path) -> None:
    """While the machine stays up the farewell is of the agent only."""
    assert ending.reason() == STOPPED


@pytest.mark.parametrize("sign", ["systemd", "nologin"])
def test_a_machine_that_is_shut_down(system: Path, sign: str) -> None:
    """systemd that is stopping, or that lets nobody log in any more, takes the machine down."""
    (system / "state").write_text("stopping\n" if sign == "systemd" else "running\n")
    if sign == "nologin":
        (system / "nologin").touch()
    assert ending.reason() == SHUTDOWN


@pytest.mark.parametrize("sign", ["battery", "ups"])
def test_a_machine_that_goes_down_for_want_of_power(system: Path, monkeypatch: pytest.MonkeyPatch, sign: str) -> None:
    """A laptop on its battery, or a UPS monitor's mark, tells that mains power was lost."""
    (system / "state").write_text("stopping\n")
    if sign == "battery":
        monkeypatch.setattr(psutil, "sensors_battery", lambda: SimpleNamespace(power_plugged=False))
    else:
        (system / "killpower").touch()
    assert ending.reason() == OUTAGE


def test_a_system_without_systemd(system: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody can be asked, the agent says only that it was stopped."""
    monkeypatch.setenv("PATH", str(system / "nothing"))
    assert ending.reason() == STOPPED
