"""`haidang discover` as a user types it, in one office of a simulated province."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import peers
import province
import pytest

from collector.estate.candidates import Candidates
from haidang.cli import main
from haidang.simulate.running import Running

HAIDANG = [str(Path(sys.executable).parent / "haidang"), "discover"]
Command = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    """One office of twelve machines, on the first addresses of its network."""
    with province.running(1, 12) as found:
        yield found


def write(port: int, directory: Path, ranges: str, pace: int = 2000, more: str = "", database: str = "") -> Path:
    """Settings that look in these ranges, and keep what is found in a database, by default one in the directory."""
    kept = f'database = "{database}"' if database else ""
    path = directory / "haidang.toml"
    path.write_text(
        f"""
        [collector]
        timeout = "2s"
        {kept}
        [[credential]]
        name = "wrong"
        version = "2c"
        community = "wrong"
        [[credential]]
        name = "read"
        version = "2c"
        community = "public"
        [[unit]]
        id = "office"
        packets_per_second = {pace}
        [[discovery]]
        unit = "office"
        port = {port}
        ranges = [{ranges}]
        credentials = ["wrong", "read"]
        {more}
        """
    )
    return path


def network(running: Running) -> str:
    """The office's network: 127.x.y"""
    return running.province.machines[0].address.rpartition(".")[0]


@pytest.fixture
def config(running: Running, tmp_path: Path, database_url: str) -> Path:
    """Settings that look where the office's machines are, and at four addresses beyond."""
    return write(running.port, tmp_path, f'"{network(running)}.1-{network(running)}.16"', database=database_url)


@pytest.fixture
def discover(config: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """The command on these settings."""

    def call(*words: str) -> tuple[int, str, str]:
        code = main(["discover", words[0], "--config", str(config), *words[1:]])
        out, err = capsys.readouterr()
        return code, out, err

    return call


def test_a_dry_run_asks_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It says how many addresses would be asked, what they would be shown and how long it takes, and sends no packet."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.66.77.8", 0))
        listener.setblocking(False)
        config = write(listener.getsockname()[1], tmp_path, '"127.66.77.1-127.66.77.16"')
        assert main(["discover", "run", "--dry-run", "--config", str(config)]) == 0
        with pytest.raises(BlockingIOError):
            listener.recv(1)
    out = capsys.readouterr().out
    assert "unit office: 16 addresses to ask on port" in out
    assert "credential wrong: shown to at most 16 addresses" in out
    assert out.endswith("nothing was asked\n")


def test_from_find_to_polled_device(
    running: Running, config: Path, discover: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    """All machines are found and wait; a person accepts some, whose ids other commands know from then on, and rejects others."""
    code, out, _ = discover("run")
    assert code == 0
    assert "found 12 new" in out
    code, out, _ = discover("list", "--json")
    found = {one["address"]: one for one in map(json.loads, out.splitlines())}
    assert found.keys() == {machine.address for machine in running.province.machines}
    kinds = {machine.address: machine.kind for machine in running.province.machines}
    assert {address: one["kind"] for address, one in found.items()} == kinds
    switch = next(one for one in found.values() if one["kind"] == "switch")
    assert discover("accept", str(switch["id"]), "--as", "the-switch") == (
        0, f"candidate {switch['id']}: {switch['address']} is polled as the-switch\n", "",
    )  # fmt: skip
    other = next(number for number in range(1, 13) if number != switch["id"])
    assert discover("reject", str(other))[0] == 0
    code, out, _ = discover("list", "--state", "rejected", "--state", "accepted")
    assert [line.split()[:2] for line in sorted(out.splitlines()[1:])] == sorted(
        [[str(switch["id"]), "accepted"], [str(other), "rejected"]]
    )
    assert main(["probe", "the-switch", "--config", str(config)]) == 0
    assert "  switch: " in capsys.readouterr().out
    assert main(["probe", "nobody", "--config", str(config)]) == 2
    assert "no device has the id or address 'nobody'" in capsys.readouterr().err
    assert main(["topology", "--config", str(config), "--survey", "now"]) == 0
    assert "the-switch" in capsys.readouterr().out


def test_what_cannot_be_decided_stops_nothing(discover: Command) -> None:
    """Of many candidates those that cannot be accepted are named one by one; the others are accepted, and the status is 1."""
    discover("run")
    assert discover("accept", "2")[0] == 0
    code, out, err = discover("accept", "1-3", "99")
    assert code == 1
    assert [line.partition(":")[0] for line in out.splitlines()] == ["candidate 1", "candidate 3"]
    assert [line.partition(" (")[0] for line in err.splitlines()] == [
        "haidang discover: candidate 2", "haidang discover: there is no candidate 99; `haidang discover list` shows all",
    ]  # fmt: skip
    code, out, err = discover("forget", "99", "4")
    assert (code, out.count("forgotten"), err.count("no candidate 99")) == (1, 1, 1)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run", "--unit", "nowhere"), "no [[discovery]] for unit 'nowhere': expected one of office"),
        (("list", "--state", "odd"), "invalid choice: 'odd' (choose from 'new', 'accepted', "),
        (("list", "--unit", "nowhere"), "no [[unit]] has the id 'nowhere'"),
        (("accept", "x"), "not a candidate's number: 'x' (expected 7, or 3-9"),
        (("accept", "9-3"), "expected the lower one first"),
        (("accept", "1", "--as", "a/b"), "found 'a/b', expected a name"),
        (("accept", "1", "--as", "a\x1bb"), "expected a name"),
        (("accept", "1-2", "--as", "a"), "--as names one device, and 2 candidates are given"),
        (("forget", "10.0.0.0/8x"), "neither a candidate's number nor an address"),
    ],
)
def test_words_that_make_no_sense(
    discover: Command, words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 2 with what was found and what would be right; nothing is changed."""
    try:
        code, _, err = discover(*words)
    except SystemExit as ended:
        code, err = int(str(ended.code)), capsys.readouterr().err
    assert code == 2
    assert said.replace("'", "") in err.replace('"', "").replace("'", "")


def test_without_discovery_in_the_settings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit status 2, and where to read how to write it."""
    (tmp_path / "haidang.toml").touch()
    assert main(["discover", "run", "--config", str(tmp_path / "haidang.toml")]) == 2
    assert "no [[discovery]] says where to look" in capsys.readouterr().err


def test_progress_is_shown_on_a_terminal(running: Running, tmp_path: Path) -> None:
    """While it looks a terminal shows how far it is, what was found and how long it will take; the finds stay readable."""
    config = write(running.port, tmp_path, f'"{network(running)}.0/26"', pace=200)
    ours, theirs = os.openpty()
    with subprocess.Popen(
        [*HAIDANG, "run", "--config", str(config)], stdout=subprocess.PIPE, stderr=theirs, text=True
    ) as process:
        os.close(theirs)
        shown = bytearray()
        while True:
            try:
                shown += os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
        assert process.stdout is not None
        out = process.stdout.read()
    os.close(ours)
    shares = [int(share) for share in re.findall(rb"(\d+) % of 62 addresses, \d+ found, \d+ s left", shown)]
    assert len(shares) > 3
    assert shares == sorted(shares)
    assert out.count("candidate ") == 12
    assert "\x1b" not in out


def written_down(directory: Path, least: int) -> None:
    """Wait until the inventory knows of so many addresses that they are done with: it is told every second."""
    with closing(Candidates.open(f"sqlite:///{directory}/state/haidang.db")) as candidates:


        def done() -> bool:
            return sum(last - first + 1 for first, last in candidates.runs.all()["office"].done) >= least

        peers.wait_until(done, "they are written down")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_what_was_stopped_is_gone_on_with(running: Running, tmp_path: Path, number: signal.Signals) -> None:
    """A run that was stopped, or killed, goes on: what it had found is not asked again, and the rest is."""
    config = write(running.port, tmp_path, f'"{network(running)}.0/25"', pace=100)
    with subprocess.Popen([*HAIDANG, "run", "--config", str(config)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "candidate 8" in line:
                break
        written_down(tmp_path, 8)  # one that was found may still be asked for its neighbours
        process.send_signal(number)
        out = process.stdout.read()
    assert process.returncode == (130 if number is signal.SIGINT else -signal.SIGKILL)
    assert ("goes on from here" in out) is (number is signal.SIGINT)
    write(running.port, tmp_path, f'"{network(running)}.0/25"')
    done = subprocess.run([*HAIDANG, "run", "--config", str(config)], capture_output=True, text=True, check=True)
    resumed = re.search(r"(\d+) known already, (\d+) done with before", done.stdout)
    assert resumed is not None
    assert int(resumed[2]) >= 8
    addresses = re.search(r"unit office: (\d+) addresses in", done.stdout)
    assert addresses is not None
    assert int(addresses[1]) + int(resumed[2]) == 126


def test_rules_accept_without_a_person(running: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What a rule fits is polled at once, under its own name; all else waits."""
    config = write(running.port, tmp_path, f'"{network(running)}.1-{network(running)}.12"', more='accept = [{kind = "print*"}]')
    assert main(["discover", "run", "--config", str(config)]) == 0
    printers = sum(machine.kind == "printer" for machine in running.province.machines)
    assert f"{printers} accepted, {12 - printers} new" in capsys.readouterr().out
