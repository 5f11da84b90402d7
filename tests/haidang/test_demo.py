"""The demonstration: it shows a living estate, says what is wrong, and leaves nothing behind."""

from __future__ import annotations

import argparse
import re
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import peers
import psutil
import pytest

from collector.model import State
from haidang import cast, demo, watcher
from haidang.cast import Cast, CastError
from haidang.cli import main
from haidang.watcher import Picture

SMALL = ["--units", "2", "--devices", "12", "--interval", "2"]


def arguments(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    demo.declare(parser)
    return parser.parse_args(words)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Cast]:
    with cast.gathered(tmp_path) as found:
        yield found


def picture(**states: State) -> Picture:
    return Picture(dict(states), {"office": Counter(states.values())}, {})


def test_once_ends_well_when_every_device_answers(tmp_path: Path) -> None:
    """`haidang demo --once` polls the province, hears the agent of this machine, says so, and ends with 0."""
    done = subprocess.run(
        [sys.executable, "-m", "haidang.cli", "demo", "--once", *SMALL, "--directory", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"1[34] devices in 3 units: 1[34] up", done.stdout)
    assert (tmp_path / "haidang.toml").stat().st_mode & 0o077 == 0
    assert "enrolled as" in (tmp_path / "enrol.log").read_text()


def test_ctrl_c_ends_everything_it_started() -> None:
    """After Ctrl-C no process of the demonstration is left, nor its temporary directory, and it ends with 0."""
    command = [sys.executable, "-u", "-m", "haidang.cli", "demo", *SMALL]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        said = ""
        for line in process.stdout:
            said += line
            if re.search(r"devices in \d+ unit", line):
                break
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
        assert process.wait(peers.DEADLINE) == 0, said + rest
    assert len(children) >= 3
    _, alive = psutil.wait_procs(children, timeout=peers.DEADLINE)
    assert not alive
    directory = re.search(r"settings and logs: (\S+)", said)
    assert directory and not Path(directory[1]).exists()
    assert "http://127.0.0.1:" in said
    (command_to_copy,) = [line for line in said.splitlines() if "simulate fault" in line]
    assert command_to_copy.startswith("    ") and command_to_copy.split(" simulate fault ")[1].split()[1:3] == ["off", "--port"]


def test_a_port_that_is_taken_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """A port asked for that is taken ends it with 2 before anything is started."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert demo.run(arguments("--port", str(port))) == 2
    assert f"port {port}" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["demo"], ["simulate"], ["simulate", "fault", "a", "off"]])
def test_what_is_no_port(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Ports are numbers from 0 to 65535, and another is refused before anything is started."""
    with pytest.raises(SystemExit) as ended:
        main([*command, "--port", "99999"])
    assert ended.value.code == 2
    assert "found '99999', expected a port from 0 to 65535" in capsys.readouterr().err


def test_once_fails_when_a_device_does_not_answer(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """With one device silent `--once` names it and ends with 1."""
    monkeypatch.setattr(demo, "_look", lambda stage: picture(a=State.UP, b=State.SILENT))
    assert demo._once(demo.Stage(None, None, "", 2, (), ())) == 1  # type: ignore[arg-type]
    assert "silent: b" in capsys.readouterr().err


def test_once_gives_up_on_what_is_never_asked(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A device that stays unknown is named when the time is over."""
    monkeypatch.setattr(demo, "FIRST_CYCLE", 0.0)
    monkeypatch.setattr(demo, "_look", lambda stage: picture(a=State.UP, b=State.UNKNOWN))
    assert demo._once(demo.Stage(None, None, "", 2, (), ())) == 1  # type: ignore[arg-type]
    assert "not asked within 0 s: b" in capsys.readouterr().err


def test_a_process_that_does_not_start_is_told_with_its_words(stage: Cast) -> None:
    """What ends before it answers gives an error with its status and what it said."""
    with pytest.raises(CastError, match="broken ended with status 3: no such thing"):
        stage.start("broken", [sys.executable, "-c", "print('no such thing'); raise SystemExit(3)"], lambda _: False)
    assert stage.fallen() == ""


def test_a_process_that_ends_by_itself_is_noticed(stage: Cast) -> None:
    """A process that ends later is told by `fallen`."""
    actor = stage.start("short", [sys.executable, "-c", "input()"], lambda _: True)
    actor.process.wait(peers.DEADLINE)
    assert stage.fallen().startswith("short ended with status 1")


def test_an_agent_that_cannot_enrol_is_told(stage: Cast) -> None:
    """When nobody answers where the agent shall enrol, the demonstration says what the agent said."""
    config = stage.directory / "haidang.toml"
    config.write_text('[[unit]]\nid = "here"\n')
    with pytest.raises(CastError, match=r"the agent did not enrol: .*no collector answers there"):
        cast.start_agent(stage, f"http://127.0.0.1:{peers.free_port()}", config, "here")
    assert (stage.directory / "haidang-agent.toml").stat().st_mode & 0o077 == 0


def test_the_collector_takes_a_free_port(stage: Cast) -> None:
    """Where the usual port is taken the collector is started with port 0, and says where its pages are."""
    config = stage.directory / "haidang.toml"
    config.write_text('[[unit]]\nid = "here"\n')
    pages = cast.start_collector(stage, config, 0)
    assert watcher.fetch(f"{pages}/metrics")


def test_snmpd_answers_beside_the_agent(stage: Cast) -> None:
    """Where snmpd is installed it is asked with a community of this run."""
    peers.require("snmpd")
    stranger = cast.start_snmpd(stage, "here")
    assert stranger is not None
    port = re.search(r"127\.0\.0\.1:(\d+)", stranger.settings)[1]  # type: ignore[index]
    community = re.search(r'community = "(\w+)"', stranger.settings)[1]  # type: ignore[index]
    done = peers.net_snmp("snmpget", "-v2c", "-c", community, "-Oqv", f"127.0.0.1:{port}", "1.3.6.1.2.1.1.5.0")
    assert done.stdout.strip() == '"snmpd"'


PAGE = """\
# TYPE haidang_interface_up gauge
haidang_interface_up{device="a",interface="eth0"} 1 1700000000000
haidang_interface_up{device="b",interface="eth0"} 0 1700000000000
haidang_interface_speed_bytes_per_second{device="a",interface="eth0"} 1.25e7
haidang_interface_speed_bytes_per_second{device="b",interface="eth0"} 1.25e7
haidang_interface_speed_limit_bytes_per_second{device="a",interface="eth0"} 1.25e8
haidang_interface_speed_limit_bytes_per_second{device="b",interface="eth0"} 1.25e8
haidang_storage_size_bytes{device="a",storage="C:"} 100
haidang_storage_used_bytes{device="a",storage="C:"} 95
haidang_storage_size_bytes{device="b",storage="C:"} 100
haidang_storage_used_bytes{device="b",storage="C:"} 50
haidang_supply_level_ratio{device="p",supply="Toner \\"black\\"",kind="toner"} 0.05
haidang_disk_health{device="a",disk="0",health="failing"} 1
haidang_disk_health{device="b",disk="0",health="failing"} 0
"""


def test_what_is_wrong_is_read_from_the_page() -> None:
    """Slow ports that are up, full disks, failing disks and empty supplies are told, and nothing that is well."""
    assert watcher.judge(PAGE) == [
        "port slower than its card allows: a eth0",
        "disk nearly full: a C:",
        "disk failing: a 0",
        'supply nearly used up: p Toner "black"',
    ]
    assert watcher.judge("") == []


def test_troubles_name_devices_and_lost_units() -> None:
    """Every state but up and unknown is a trouble; behind a dead line only the unit is named."""
    found = picture(a=State.UP, b=State.SILENT, c=State.UNREACHABLE, d=State.UNREACHABLE, e=State.UNKNOWN)
    assert watcher.troubles(found) == ["silent: b", "unit unreachable: office"]


def test_long_lists_are_cut() -> None:
    """Five are named, the rest counted."""
    assert watcher.named("abcdefgh") == "a, b, c, d, e and 3 more"


def test_a_line_fits_the_screen_and_keeps_its_colours() -> None:
    """A line is cut to the screen's width without counting what sets colours, and ends plain."""
    line = demo._cut(f"{demo._BAD}Hải Đăng{demo._PLAIN} sáng", 5)
    assert re.sub(r"\x1b\[\d*m", "", line) == "Hải Đ"
    assert line.startswith(demo._BAD) and line.endswith(demo._PLAIN)
