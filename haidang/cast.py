"""Who plays in the demonstration: processes on free loopback ports, each with a log of its own, ended together."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from collector.estate.agents import Agents
from config.settings import read
from snmp import message, v3

HOST = "127.0.0.1"
PATIENCE = 20.0
"""Seconds a process may take until it answers."""
INVITED = 300.0
"""Seconds for which the agent's invitation holds."""
_TRIES = 3
_PR_SET_PDEATHSIG = 1
_SBIN = ("/usr/sbin", "/usr/local/sbin")


class CastError(RuntimeError):
    """Something could not be started, or ended by itself; the message says what and where its log is."""


@dataclass(frozen=True, slots=True)
class Actor:
    """A process and where it writes what it has to say."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def last_words(self) -> str:
        """The last lines of its log, in one."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return " / ".join(lines[-3:]) or "it said nothing"


class Cast:
    """The processes, in the order in which they were started. They end in the opposite order, and with this process."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._actors: list[Actor] = []

    def start(
        self, name: str, command: Sequence[str], ready: Callable[[Actor], bool], environment: dict[str, str] | None = None
    ) -> Actor:
        """Start a process and wait until `ready`; raises CastError when it ends before or does not get ready."""
        log = self.directory / f"{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.directory,
                env={**os.environ, "PYTHONPATH": _python_path(), **(environment or {})},
                start_new_session=True,  # Ctrl-C is for us, who end them in order
                preexec_fn=_end_with_parent if sys.platform == "linux" else None,
            )
        actor = Actor(name, process, log)
        self._actors.append(actor)
        ends = time.monotonic() + PATIENCE
        while not ready(actor):
            if process.poll() is not None:
                self._actors.remove(actor)
                raise CastError(f"{name} ended with status {process.returncode}: {actor.last_words()}")
            if time.monotonic() > ends:
                raise CastError(f"{name} did not answer within {PATIENCE:g} s: {actor.last_words()}")
            time.sleep(0.05)
        return actor

    def fallen(self) -> str:
        """A sentence about the first process that has ended by itself; empty when all run."""
        for actor in self._actors:
            if actor.process.poll() is not None:
                return f"{actor.name} ended with status {actor.process.returncode}: {actor.last_words()}"
        return ""

    def stop(self) -> None:
        """End all."""
        while self._actors:
            process = self._actors.pop().process
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(8)
                except subprocess.TimeoutExpired:
                    process.kill()
            process.wait()


def _python_path() -> str:
    """Where the processes find us: an installed package needs nothing, a source tree its own place."""
    home = str(Path(__file__).resolve().parent.parent)
    return os.pathsep.join(filter(None, (home, os.environ.get("PYTHONPATH", ""))))


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


@dataclass(frozen=True, slots=True)
class Stranger:
    """Another agent to poll: what the settings say of it, as `[[credential]]` and `[[device]]` tables."""

    id: str
    settings: str


def start_agent(cast: Cast, pages: str, config: Path, unit: str) -> str:
    """Our own agent on this machine, enrolled with the collector, to which it reports by itself: its device id."""
    settings = _private(cast.directory / "haidang-agent.toml", '[agent]\nstate = "agent"\nlocation = "This machine"\n')
    with contextlib.closing(Agents.open(read(config))) as agents:
        now = time.time()
        code, _ = agents.invite(unit, 1, now + INVITED, "haidang demo", now)
    agent = [sys.executable, "-m", "agent"]
    log = cast.directory / "enrol.log"
    with log.open("w+", encoding="utf-8") as output:
        done = subprocess.run(
            [*agent, "enrol", pages, code, "--config", str(settings)],
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
            env={**os.environ, "PYTHONPATH": _python_path()},
        )
        output.seek(0)
        said = output.read().strip()
    enrolled = re.match(r"enrolled as (\S+) of ", said)
    if done.returncode or enrolled is None:
        raise CastError(f"the agent did not enrol: {said or f'status {done.returncode}'}")
    cast.start("agent", [*agent, "run", "--config", str(settings)], lambda actor: " tells " in actor.last_words())
    return enrolled[1]


def start_snmpd(cast: Cast, unit: str) -> Stranger | None:
    """net-snmp's agent beside ours, asked in v2c; None where it is not installed."""
    path = shutil.which("snmpd") or shutil.which("snmpd", path=os.pathsep.join(_SBIN))
    if path is None:
        return None
    community = secrets.token_hex(8)
    kept = cast.directory / "snmpd"
    kept.mkdir(exist_ok=True)

    def start(port: int) -> None:
        config = _private(
            cast.directory / "snmpd.conf",
            f"agentAddress udp:{HOST}:{port}\nrocommunity {community} {HOST}\nsysLocation This machine\nsysName snmpd\n",
        )
        environment = {"SNMP_PERSISTENT_DIR": str(kept), "SNMPCONFPATH": str(kept), "MIBS": ""}
        cast.start("snmpd", [path, "-f", "-LE", "4", "-C", "-c", str(config)], lambda _: answers(port), environment)

    port = _on_a_free_port(start)
    return Stranger(
        "snmpd",
        f'[[credential]]\nname = "snmpd"\nversion = "2c"\ncommunity = "{community}"\n\n'
        f'[[device]]\nid = "snmpd"\naddress = "{HOST}:{port}"\nunit = "{unit}"\ncredential = "snmpd"\n',
    )


def start_collector(cast: Cast, config: Path, port: int) -> str:
    """The collector with its pages on `port` (0: a free one): the address of its pages."""
    command = [sys.executable, "-m", "haidang.cli", "collector", "run", "--config", str(config), "--listen", f"{HOST}:{port}"]
    actor = cast.start("collector", command, lambda actor: bool(_pages_at(actor)))
    return _pages_at(actor)


def _pages_at(actor: Actor) -> str:
    for line in actor.log.read_text(encoding="utf-8", errors="replace").splitlines():
        if not line[:1].isdigit() and line.startswith("polling ") and " pages at " in line:
            return line.split(" pages at ", 1)[1].strip().rstrip("/")
    return ""


def free(port: int) -> bool:
    """Can a TCP port of this machine be listened on?"""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((HOST, port))
        except OSError:
            return False
        return True


def free_port() -> int:
    """A UDP port that was free a moment ago."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((HOST, 0))
        port: int = sock.getsockname()[1]
        return port


def _on_a_free_port(start: Callable[[int], None]) -> int:
    """Start something on a free UDP port, on another when somebody was faster."""
    for attempt in range(_TRIES):
        port = free_port()
        try:
            start(port)
        except CastError:
            if attempt == _TRIES - 1:
                raise
            continue
        return port
    raise AssertionError


def answers(port: int, patience: float = 0.2) -> bool:
    """Does an SNMP engine answer a discovery (RFC 3414 section 4) on this port?"""
    empty = message.encode_pdu(message.Pdu(message.GET, 1, 0, 0, b""))
    request = v3.encode(1, v3.REPORTABLE, b"", 0, 0, b"", v3.encode_scoped(b"", b"", empty))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock, contextlib.suppress(OSError):
        sock.settimeout(patience)
        sock.connect((HOST, port))
        sock.send(request)
        return bool(sock.recv(65535))
    return False


def _private(path: Path, text: str) -> Path:
    """A file that only we may read."""
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")
    return path


@contextlib.contextmanager
def gathered(directory: Path) -> Iterator[Cast]:
    """A cast that ends with the block."""
    cast = Cast(directory)
    try:
        yield cast
    finally:
        cast.stop()
