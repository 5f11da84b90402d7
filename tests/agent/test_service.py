from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import psutil
import pytest
from peers import wait_until

ROOT = Path(__file__).parents[2]
SECRETS = ("authpass1234", "privpass1234")


class Running:
    """An agent on a free port of the loopback, and net-snmp's tools against it."""

    def __init__(self, process: subprocess.Popen[str], port: str) -> None:
        self.process = process
        self.port = port

    def ask(self, tool: str, *arguments: str, v3: bool = False) -> str:
        auth, priv = SECRETS
        v3_options = ["-v3", "-l", "authPriv", "-u", "poller", "-a", "SHA-256", "-A", auth, "-x", "AES", "-X", priv]
        options = v3_options if v3 else ["-v2c", "-c", "public"]
        run = subprocess.run(
            [tool, *options, "-t", "15", "-Onet", f"127.0.0.1:{self.port}", *arguments],
            capture_output=True, text=True, check=True, timeout=100,
        )  # fmt: skip
        return run.stdout


def start(directory: Path, settings: str) -> Running:
    path = directory / "agent.toml"
    path.write_text(f'[agent]\nlisten = "127.0.0.1:0"\nstate = "state"\n{settings}')
    process = subprocess.Popen(
        [sys.executable, "-m", "agent", "run", "--config", str(path)], cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    line = process.stderr.readline()
    assert "listens on 127.0.0.1:" in line, line + process.stderr.read()
    return Running(process, line.strip().rpartition(":")[2])


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    auth, priv = SECRETS
    running = start(
        tmp_path_factory.mktemp("agent"),
        'location = "Phòng Một cửa"\n[[community]]\nname = "public"\nnetworks = ["127.0.0.0/8"]\n'
        f'[[user]]\nname = "poller"\nauth = "SHA-256"\nauth_secret = "{auth}"\npriv = "AES"\npriv_secret = "{priv}"\n',
    )
    yield running
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(60) == 0


def oids(walk: str) -> list[tuple[int, ...]]:
    lines = [line.split(" = ")[0] for line in walk.splitlines() if line.startswith(".1.") and "No more variables" not in line]
    return [tuple(map(int, line.strip(".").split("."))) for line in lines]


@pytest.mark.parametrize("v3", [False, True])
def test_a_whole_walk_is_strictly_ordered_and_ends(agent: Running, v3: bool) -> None:
    """snmpbulkwalk over everything sees each object once, in order, and comes to the end."""
    found = oids(agent.ask("snmpbulkwalk", ".1.3", v3=v3))
    assert len(found) > 100
    assert all(one < other for one, other in pairwise(found))


def test_values_agree_with_psutil(agent: Running) -> None:
    """Names, sizes and counters are those psutil reads beside the agent."""
    names = agent.ask("snmpwalk", "-Ovq", ".1.3.6.1.2.1.31.1.1.1.1").split()
    assert {name.strip('"') for name in names} == set(psutil.net_io_counters(pernic=True))
    size = int(agent.ask("snmpget", "-Ovq", ".1.3.6.1.2.1.25.2.2.0").split()[0])
    assert size == psutil.virtual_memory().total // 1024
    loads = agent.ask("snmpwalk", "-Ovq", ".1.3.6.1.2.1.25.3.3.1.2").split()
    assert len(loads) == psutil.cpu_count() and all(0 <= int(load) <= 100 for load in loads)
    before = psutil.net_io_counters(pernic=True)["lo"].bytes_recv
    index = next(line.split(" = ")[0].rpartition(".")[2] for line in _walk(agent, ".1.3.6.1.2.1.31.1.1.1.1") if '"lo"' in line)
    counted = [0]

    def looked_again() -> bool:
        counted.append(int(agent.ask("snmpget", "-Ovq", f".1.3.6.1.2.1.31.1.1.1.6.{index}")))
        return counted[-1] >= before

    wait_until(looked_again, "the agent counts on")
    assert counted[-1] <= psutil.net_io_counters(pernic=True)["lo"].bytes_recv


def _walk(agent: Running, oid: str) -> list[str]:
    return agent.ask("snmpwalk", oid).splitlines()


def test_text_in_vietnamese_arrives_whole(agent: Running) -> None:
    """sysLocation is what the settings say, in UTF-8."""
    answer = agent.ask("snmpget", "-Ovqx", ".1.3.6.1.2.1.1.6.0")
    assert bytes.fromhex(answer.strip().strip('"').replace(" ", "")).decode() == "Phòng Một cửa"


def test_an_unknown_community_and_a_wrong_password_get_nothing(agent: Running) -> None:
    """Who has no right to ask hears no word, or what is wrong with the key."""
    run = subprocess.run(
        ["snmpget", "-v2c", "-c", "other", "-t", "0.3", "-r", "0", f"127.0.0.1:{agent.port}", ".1.3.6.1.2.1.1.3.0"],
        capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip
    assert "Timeout" in run.stderr
    run = subprocess.run(
        ["snmpget", "-v3", "-l", "authNoPriv", "-u", "poller", "-a", "SHA-256", "-A", "wrongwrong1", "-t", "15", "-r", "0",
         f"127.0.0.1:{agent.port}", ".1.3.6.1.2.1.1.3.0"],
        capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip
    assert "Authentication failure" in run.stderr


def test_an_agent_on_every_address_answers_from_the_one_it_was_asked_at(tmp_path: Path) -> None:
    """Bound to 0.0.0.0 and asked at 127.0.0.5 it answers from 127.0.0.5, or a strict manager would drop the answer."""
    import socket

    path = tmp_path / "agent.toml"
    path.write_text('[agent]\nlisten = "0.0.0.0:0"\nstate = "state"\n[[community]]\nname = "public"\n')
    process = subprocess.Popen(
        [sys.executable, "-m", "agent", "run", "--config", str(path)], cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stderr is not None
        port = int(process.stderr.readline().strip().rpartition(":")[2])
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(60)
            request = bytes.fromhex("302602010104067075626c6963a01902044a2b3c4d020100020100300b300906052b060102010500")
            sock.sendto(request, ("127.0.0.5", port))
            assert sock.recvfrom(2000)[1] == ("127.0.0.5", port)
    finally:
        process.terminate()
        assert process.wait(60) == 0
        process.stderr.close() if process.stderr else None


def test_boots_are_counted_and_the_engine_id_stays(tmp_path: Path) -> None:
    """A restart keeps the engine ID and counts one boot more, on disk."""
    seen = []
    for _ in range(2):
        running = start(tmp_path, '[[user]]\nname = "poller"\nauth = "SHA"\nauth_secret = "authpass1234"\n')
        running.process.terminate()
        running.process.wait(60)
        state = tmp_path / "state"
        seen.append(((state / "engine-id").read_text(), int((state / "engine-boots").read_text())))
    assert seen[0][0] == seen[1][0] and seen[0][0].startswith("80007ed905")
    assert [boots for _, boots in seen] == [1, 2]


def test_a_port_that_is_taken_is_said_and_nothing_is_started(agent: Running, tmp_path: Path) -> None:
    """The message names the address and the reason; the exit code is 2."""
    path = tmp_path / "agent.toml"
    path.write_text(f'[agent]\nlisten = "127.0.0.1:{agent.port}"\nstate = "state"\n[[community]]\nname = "public"\n')
    run = subprocess.run(
        [sys.executable, "-m", "agent", "run", "--config", str(path)], cwd=ROOT, capture_output=True, text=True, timeout=100,
        check=False, env={**os.environ, "LC_ALL": "C"},
    )  # fmt: skip
    assert run.returncode == 2
    assert f"cannot listen on 127.0.0.1:{agent.port}: Address already in use" in run.stderr
