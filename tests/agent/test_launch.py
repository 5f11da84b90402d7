from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest
from installation import Installation, files, lay, program
from peers import Snmptrapd, User, end, free_port, snmptrapd, wait_until

from agent import launch, versions
from agent.report import SHUTDOWN, STOPPED
from agent.versions import Switch
from config import objects
from deploy import release as built

BASE = built.version()
NEW = "7.0.0"
REPORTER = User("office", "SHA-256", "authpass1234", "AES-128", "privpass1234")
NEVER_REPORTS = {"agent/service.py": ("        if not pushes:\n            return\n", "        return\n")}
WRITES = "import os, sys\nopen({path!r}, 'a').write(os.environ['HAIDANG_VERSION'] + '\\n')\n"


@pytest.fixture
def installed(tmp_path: Path) -> Installation:
    return Installation(tmp_path)


def reason(number: int) -> str:
    """What snmptrapd prints of a report's reason."""
    (item,) = (item for item in objects.REPORT.objects if item.fact == "reason")
    return f".{'.'.join(map(str, objects.REPORT.oid(item, 32473)))}.0 = INTEGER: {number}"


def write_settings(installed: Installation, collector: Snmptrapd | None = None) -> None:
    """Settings of an agent that answers on some port, and tells a collector."""
    port = free_port("udp")
    pushes = (
        f'[[push]]\nto = "127.0.0.1:{collector.port}"\nuser = "office"\nauth = "SHA-256"\nauth_secret = "authpass1234"\n'
        'priv = "AES-128"\npriv_secret = "privpass1234"\n'
        if collector is not None
        else ""
    )
    installed.settings.write_text(
        f'[agent]\nlisten = "127.0.0.1:{port}"\nstate = "{installed.home}"\n[[community]]\nname = "public"\n{pushes}'
    )


def test_the_launcher_becomes_the_agent_where_nothing_is_to_be_watched(installed: Installation) -> None:
    """The installed version runs in the launcher's own process, without a parent or a child of it staying."""
    write_settings(installed)
    process = installed.start()
    try:
        wait_until(lambda: "listens on" in installed.text(), "the agent listens")
        assert psutil.Process(process.pid).cmdline()[-4:] == [str(installed.base), "run", "--config", str(installed.settings)]
        assert f"{BASE} listens on" in installed.text()
    finally:
        end(process)
    assert process.returncode == 0


def test_a_new_version_that_reports_is_kept(installed: Installation) -> None:
    """Once a collector has acknowledged its report it is the one that starts, without anybody watching it any more."""
    with snmptrapd(users=[REPORTER]) as collector:
        write_settings(installed, collector)
        installed.update(files(NEW), NEW)
        assert installed.switch() == Switch(BASE, tried=NEW)
        process = installed.start()
        try:
            wait_until(lambda: installed.switch().kept == NEW, "the new version is kept")
            assert installed.switch() == Switch(BASE, kept=NEW)
            assert f"{NEW} listens on" in installed.text()
        finally:
            end(process)
        assert process.returncode == 0
        again = installed.start()
        try:
            wait_until(lambda: installed.text().count(f"{NEW} listens on") == 2, "it is started again")
            assert psutil.Process(again.pid).cmdline()[-4] == str(installed.versions / NEW)
        finally:
            end(again)


def test_a_new_version_says_goodbye_when_the_launcher_is_told_to_end(installed: Installation) -> None:
    """SIGTERM to the launcher reaches the version it watches, which tells its collectors and ends in order."""
    with snmptrapd(users=[REPORTER]) as collector:
        write_settings(installed, collector)
        installed.update(files(NEW), NEW)
        process = installed.start()
        wait_until(lambda: installed.switch().kept == NEW, "the new version is kept")
        (child,) = psutil.Process(process.pid).children()
        process.terminate()
        assert process.wait(60) == 0
        assert not child.is_running()
        collector.wait_for(reason(STOPPED))


def test_a_version_that_ends_at_once_is_returned_from(installed: Installation, tmp_path: Path) -> None:
    """After five starts the version before it runs, the failure is remembered with its reason, and the journal tells it."""
    count = tmp_path / "count"
    installed.update(program(NEW, WRITES.format(path=str(count)) + "sys.exit(3)"), NEW)
    write_settings(installed)
    process = installed.start()
    try:
        wait_until(lambda: f"{BASE} listens on" in installed.text(), "the version before runs")
        assert count.read_text().split() == [NEW] * versions.STARTS
        switch = installed.switch()
        assert (switch.kept, switch.tried) == ("", "")
        assert [tuple(refused) for refused in switch.refused] == [(NEW, f"ended {versions.STARTS} times at its start")]
        assert f"returned from {NEW} to {BASE}" in installed.text()
        assert psutil.Process(process.pid).cmdline()[-4] == str(installed.base)
    finally:
        end(process)


def test_a_version_that_works_but_never_reports_is_returned_from(installed: Installation) -> None:
    """When the time is over it is ended in order and the version before it, which reports, is started."""
    with snmptrapd(users=[REPORTER]) as collector:
        write_settings(installed, collector)
        installed.update(files(NEW, NEVER_REPORTS), NEW)
        process = installed.start(patience=10)
        try:
            wait_until(lambda: f"{NEW} listens on" in installed.text(), "the new version runs")
            wait_until(lambda: f"{BASE} listens on" in installed.text(), "the version before runs")
            collector.wait_for("32473")
            (refused,) = installed.switch().refused
            assert refused == (NEW, "was not acknowledged by a collector within 10 s")
        finally:
            end(process)


def test_a_version_that_hangs_and_does_not_end_is_killed(
    installed: Installation, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A version that ignores everything is killed, and the one before it runs."""
    deaf = "import signal, sys, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nopen({!r}, 'w').close()\ntime.sleep(60)\n"
    installed.update(program(NEW, deaf.format(str(tmp_path / "up"))), NEW)
    monkeypatch.setattr(launch, "PATIENCE", 0.5)
    monkeypatch.setattr(launch, "FAREWELL", 0.3)
    lay(
        program(BASE, f"import os, signal\nos.kill({os.getpid()}, 0)\nopen({str(tmp_path / 'base')!r}, 'w').close()\n"),
        installed.base,
    )
    said: list[str] = []
    keeper = launch.Keeper(str(installed.base), str(installed.versions), ["run"], say=said.append, may_become=False)

    def look() -> bool:
        if (tmp_path / "base").exists():
            keeper.end(False)
        return (tmp_path / "base").exists()

    thread = threading.Thread(target=keeper.run)
    thread.start()
    wait_until(look, "the version before runs")
    thread.join(60)
    assert not thread.is_alive()
    assert any("was killed" in line for line in said) and any(f"returned from {NEW}" in line for line in said)
    assert [refused.version for refused in installed.switch().refused] == [NEW]


@pytest.mark.parametrize(("going_down", "word"), [(True, "down"), (False, "")])
def test_an_agent_under_a_service_is_told_to_end_through_its_input(
    installed: Installation, tmp_path: Path, going_down: bool, word: str
) -> None:
    """As on Windows, where there is no SIGTERM: the end of the input ends the agent, and says whether the machine goes down."""
    with snmptrapd(users=[REPORTER]) as collector:
        write_settings(installed, collector)
        environment = {**os.environ, "HAIDANG_LIFELINE": "1"}
        command = [sys.executable, "-I", str(installed.base), "run", "--config", str(installed.settings)]
        agent = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)
        assert agent.stdin is not None and agent.stderr is not None
        collector.wait_for("32473")
        agent.stdin.write(word.encode())
        agent.stdin.close()
        assert agent.wait(60) == 0
        agent.stderr.close()
        collector.wait_for(reason(SHUTDOWN if going_down else STOPPED))


def test_a_keeper_starts_an_agent_again_that_ended(installed: Installation, tmp_path: Path) -> None:
    """On Windows nobody else does; a version that is killed comes again, the installed one too."""
    count = tmp_path / "count"
    lay(
        program(BASE, f"import os, sys\nopen({str(count)!r}, 'a').write(str(os.getpid()) + '\\n')\nsys.stdin.read()\n"),
        installed.base,
    )
    keeper = launch.Keeper(str(installed.base), str(installed.versions), ["run"], say=lambda line: None, may_become=False)
    thread = threading.Thread(target=keeper.run)
    thread.start()
    (first,) = wait_until(lambda: count.exists() and count.read_text().split(), "it is started")
    os.kill(int(first), signal.SIGKILL)
    wait_until(lambda: len(count.read_text().split()) == 2, "it is started again")
    keeper.end(False)
    thread.join(60)
    assert not thread.is_alive() and not psutil.pid_exists(int(count.read_text().split()[1]))


def test_another_installed_version_wins(installed: Installation, tmp_path: Path) -> None:
    """Who installs a package over it, newer or older, gets that version, and releases begin anew from it."""
    installed.update(program(NEW, WRITES.format(path=str(tmp_path / "ran"))), NEW)
    versions.write(str(installed.versions), Switch("0.0.9", kept=NEW))
    write_settings(installed)
    process = installed.start()
    try:
        wait_until(lambda: f"{BASE} listens on" in installed.text(), "the installed version runs")
    finally:
        end(process)
    assert not (tmp_path / "ran").exists()
    assert installed.switch() == Switch(BASE)
    assert f"{BASE} was installed over 0.0.9" in installed.text()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_root_runs_nothing_that_the_service_may_write(installed: Installation, tmp_path: Path) -> None:
    """As root a command is that of the installed version when the state directory belongs to another user."""
    installed.update(program(NEW, WRITES.format(path=str(tmp_path / "ran"))), NEW)
    versions.write(str(installed.versions), Switch(BASE, kept=NEW))
    assert installed.run("--version").returncode == 0 and (tmp_path / "ran").exists()
    (tmp_path / "ran").unlink()
    os.chown(installed.home, 65534, 65534)
    assert installed.run("--version").stdout == f"haidang-agent {BASE}\n"
    assert not (tmp_path / "ran").exists()


def test_a_version_whose_files_are_gone_and_a_damaged_switch_do_not_stop_the_agent(installed: Installation) -> None:
    """Whatever became of the state directory, the installed version runs, and says why."""
    write_settings(installed)
    for damage, told in (
        (f'base = "{BASE}"\nkept = "{NEW}"\ntried = ""\nstarts = 0\nrefused = []\n', "is missing"),
        ("kept = ", "is damaged"),
        (f'base = "{BASE}"\nkept = "../../etc"\ntried = ""\nstarts = 0\nrefused = []\n', "is damaged"),
    ):
        installed.versions.mkdir(exist_ok=True)
        (installed.versions / versions.SWITCH).write_text(damage)
        installed.said.unlink(missing_ok=True)
        process = installed.start()
        try:
            wait_until(lambda: f"{BASE} listens on" in installed.text(), "the installed version runs")
            assert told in installed.text()
        finally:
            end(process)


def test_a_kept_version_that_no_longer_starts_gives_way_to_the_installed_one(installed: Installation, tmp_path: Path) -> None:
    """A disk that lost its files must not silence the agent; such a version may be fetched again."""
    count = tmp_path / "count"
    installed.update(program(NEW, WRITES.format(path=str(count)) + "sys.exit(1)"), NEW)
    versions.write(str(installed.versions), Switch(BASE, kept=NEW))
    write_settings(installed)
    for _ in range(versions.STARTS):
        process = installed.start()
        assert process.wait(60) == 1
    process = installed.start()
    try:
        wait_until(lambda: f"{BASE} listens on" in installed.text(), "the installed version runs")
        assert installed.switch() == Switch(BASE)
        assert len(count.read_text().split()) == versions.STARTS
    finally:
        end(process)
