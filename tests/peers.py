"""Real peers for the tests: where each is found, how it is started on a free port, and how it is ended.

A peer that is missing skips the test with the command that installs it; with HAIDANG_REQUIRE_PEERS=1 it fails the test.
"""

from __future__ import annotations

import errno
import itertools
import json
import os
import pwd
import queue
import random
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import pytest

PACKAGES = {
    "snmpd": "snmpd",
    "snmptrapd": "snmptrapd",
    "snmpget": "snmp",
    "snmpgetnext": "snmp",
    "snmpbulkget": "snmp",
    "snmpwalk": "snmp",
    "snmpbulkwalk": "snmp",
    "snmptable": "snmp",
    "snmpset": "snmp",
    "snmptrap": "snmp",
    "snmpinform": "snmp",
    "prometheus": "prometheus",
    "promtool": "prometheus",
    "victoria-metrics": "victoria-metrics",
    "prometheus-snmp-exporter": "prometheus-snmp-exporter",
    "prometheus-alertmanager": "prometheus-alertmanager",
    "amtool": "prometheus-alertmanager",
    "prometheus-node-exporter": "prometheus-node-exporter",
    "initdb": "postgresql",
    "postgres": "postgresql",
    "pg_isready": "postgresql",
    "psql": "postgresql",
    "chromium": "chromium",
    "gcc": "gcc",
    "ip": "iproute2",
    "tc": "iproute2",
    "nft": "nftables",
    "git": "git",
    "systemd-analyze": "systemd",
    "makensis": "nsis",
    "7z": "p7zip-full",
}
"""Command -> the Debian package that holds it."""

DEADLINE = 60.0
"""Seconds anything waited for may take; the machine may be slow, and busy with other tests."""

DISCOVERY = bytes.fromhex(
    "303a020103300f02022b67020300ffe30401040201030410300e0400020100020100040004000400301204000400a00c02022b670201000201003000"
)
"""An SNMPv3 engine discovery (RFC 3414 section 4), which every v3 engine answers whatever its users and communities."""


class PeerError(RuntimeError):
    """A peer is there but did not start or answer; the message ends with what it wrote."""


def require(command: str) -> str:
    """The path of a peer's command. Skips the test when it is missing, or fails it where peers are required."""
    places = [os.environ.get("PATH", ""), "/usr/sbin", "/sbin", *map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin")))]
    found = shutil.which(command, path=os.pathsep.join(places))
    return found or missing(command, PACKAGES.get(command, command))


def missing(what: str, package: str) -> NoReturn:
    """End the running test because a peer is not installed: skipped, or failed with HAIDANG_REQUIRE_PEERS=1."""
    message = f"{what} is not installed: apt-get install {package} (make test installs it as root)"
    if os.environ.get("HAIDANG_REQUIRE_PEERS") == "1":
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


def require_ipv6() -> None:
    """Skip the test where this machine has no IPv6 loopback."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
            sock.bind(("::1", 0))
    except OSError as e:
        pytest.skip(f"no IPv6 on this machine: {e.strerror}")


PORTS = range(10_000, 32_768)
"""Below those that Linux gives to sockets which ask for none (ip_local_port_range)."""
_reservations: list[socket.socket] = []


def free_port(kind: str = "tcp", host: str = "127.0.0.1") -> int:
    """A port that nobody holds, and that no other test is given while this process lives; `kind` is "udp" or "tcp".

    An abstract Unix socket with the port's name reserves it among all processes of this machine, until ours ends.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    type = {"udp": socket.SOCK_DGRAM, "tcp": socket.SOCK_STREAM}[kind]
    begin = random.Random().randrange(len(PORTS))
    for port in itertools.chain(PORTS[begin:], PORTS[:begin]):
        reservation = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            reservation.bind(f"\0haidang-test-port-{port}")
            with socket.socket(family, type) as sock:
                sock.bind((host, port))
        except OSError as e:
            reservation.close()
            if e.errno != errno.EADDRINUSE:
                raise
            continue
        _reservations.append(reservation)
        return port
    raise PeerError(f"no {kind} port is free at {host} from {PORTS.start} to {PORTS.stop - 1}")


def wait_until(condition: Callable[[], Any], what: str, deadline: float = DEADLINE, pause: float = 0.02) -> Any:
    """Ask `condition` until it holds and hand back what it gave; raises PeerError after `deadline` seconds."""
    end = time.monotonic() + deadline
    while True:
        if result := condition():
            return result
        if time.monotonic() > end:
            raise PeerError(f"{what}: not within {deadline:g} s")
        time.sleep(pause)


@contextmanager
def running(
    command: Sequence[str], ready: Callable[[], Any], *, env: Mapping[str, str] | None = None, user: str | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A process that answers (`ready` gives something true), ended when the block ends; its output goes to the error."""
    with tempfile.TemporaryFile() as output:
        identity: dict[str, Any] = {}
        if user is not None and os.geteuid() == 0:
            entry = pwd.getpwnam(user)
            identity = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
        process = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(os.environ if env is None else env),
            cwd="/",
            **identity,
        )

        def said() -> str:
            output.seek(0)
            return output.read().decode(errors="replace")[-2000:]

        def answers() -> Any:
            if process.poll() is not None:
                raise PeerError(f"{command[0]} ended with status {process.returncode}: {said()}")
            return ready()

        try:
            try:
                wait_until(answers, f"{command[0]} answers")
            except PeerError as e:
                raise PeerError(f"{e}: {said()}") from None
            yield process
        finally:
            end(process)


def end(process: subprocess.Popen[Any], patience: float = DEADLINE) -> None:
    """Terminate a process we started, and kill it when it does not go."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()


# net-snmp


_TOKENS = {"SHA-1": "SHA", "AES-128": "AES"}
"""Where net-snmp's own names differ from the standards'."""


@dataclass(frozen=True)
class User:
    """A USM user of a net-snmp peer. Protocols by the names of RFC 3414 and 7860, "SHA-1" and "AES-128" included."""

    name: str
    auth: str = ""
    auth_secret: str = ""
    priv: str = ""
    priv_secret: str = ""

    @property
    def level(self) -> str:
        return "authPriv" if self.priv else "authNoPriv" if self.auth else "noAuthNoPriv"

    def create(self) -> str:
        """What follows createUser in snmpd.conf and snmptrapd.conf."""
        words = [self.name]
        if self.auth:
            words += [_TOKENS.get(self.auth, self.auth), f'"{self.auth_secret}"']
        if self.priv:
            words += [_TOKENS.get(self.priv, self.priv), f'"{self.priv_secret}"']
        return " ".join(words)

    def options(self) -> list[str]:
        """Options of net-snmp's commands that make them this user."""
        words = ["-v3", "-u", self.name, "-l", self.level]
        if self.auth:
            words += ["-a", _TOKENS.get(self.auth, self.auth), "-A", self.auth_secret]
        if self.priv:
            words += ["-x", _TOKENS.get(self.priv, self.priv), "-X", self.priv_secret]
        return words


def net_snmp(command: str, *arguments: str, timeout: float = DEADLINE, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run one of net-snmp's commands without MIBs, with no settings but ours and nothing kept; text in, text out.

    Raises PeerError with what it wrote when it fails, unless `check` is False.
    """
    path = require(command)
    with tempfile.TemporaryDirectory() as kept:
        result = subprocess.run(
            [path, "-t", "10", *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=timeout,
            check=False,
            env=_net_snmp_env(kept),
        )
    if check and result.returncode:
        raise PeerError(f"{command} ended with status {result.returncode}: {result.stdout[-1000:]}{result.stderr[-1000:]}")
    return result


def _net_snmp_env(directory: str) -> dict[str, str]:
    return {**os.environ, "SNMPCONFPATH": directory, "SNMP_PERSISTENT_DIR": directory, "MIBS": "", "LC_ALL": "C"}


def answers_discovery(host: str, port: int, patience: float = 0.2) -> bool:
    """Does an SNMPv3 engine answer at this address?"""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(patience)
        try:
            sock.connect((host, port))
            sock.send(DISCOVERY)
            return bool(sock.recv(65535))
        except OSError:
            return False


@dataclass(frozen=True)
class Snmpd:
    """A running snmpd. `address` is what net-snmp's commands take as agent."""

    host: str
    port: int
    communities: tuple[str, ...]
    users: tuple[User, ...]
    pid: int
    directory: Path

    @property
    def address(self) -> str:
        return f"udp6:[{self.host}]:{self.port}" if ":" in self.host else f"udp:{self.host}:{self.port}"


@contextmanager
def snmpd(
    communities: Sequence[str] = ("public",),
    users: Sequence[User] = (),
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    config: str = "",
    directory: Path | None = None,
) -> Iterator[Snmpd]:
    """Debian's snmpd in the foreground, read-only, answering these communities (v1 and v2c) and users.

    `config` adds lines to snmpd.conf. With a `directory` of your own the engine ID and boots outlive the block, so that a
    second block is a reboot of the same agent; give it the same `port` then.
    """
    path = require("snmpd")
    with tempfile.TemporaryDirectory() as temporary:
        kept = directory or Path(temporary)
        port = port or free_port("udp", host)
        agent = f"udp6:[{host}]:{port}" if ":" in host else f"udp:{host}:{port}"
        known = (kept / "snmpd.conf").exists()  # the persistent file: it holds the users' keys already
        lines = [
            f"agentAddress {agent}",
            *(f"{word} {name} default" for name in communities for word in ("rocommunity", "rocommunity6")),
            *(f"createUser {user.create()}" for user in users if not known),
            *(f"rouser {user.name} {_RANK[user.level]}" for user in users),
            "sysLocation machine room",
            "sysContact admin@example.org",
            "sysName peer",
            config,
        ]
        settings = Path(temporary) / "settings"
        settings.mkdir()
        (settings / "snmpd.conf").write_text("\n".join(lines) + "\n")
        # without -C, which would leave the persistent file unread as well
        env = {**_net_snmp_env(str(kept)), "SNMPCONFPATH": f"{settings}:{kept}"}
        with running([path, "-f", "-LE", "4"], lambda: answers_discovery(host, port), env=env) as process:
            yield Snmpd(host, port, tuple(communities), tuple(users), process.pid, kept)


_RANK = {"noAuthNoPriv": "noauth", "authNoPriv": "auth", "authPriv": "priv"}


@dataclass
class Snmptrapd:
    """A running snmptrapd; each notification it takes is one line, values as snmpwalk -On prints them."""

    host: str
    port: int
    engine_id: str
    lines: list[str] = field(default_factory=list)
    _new: queue.Queue[str] = field(default_factory=queue.Queue)

    @property
    def address(self) -> str:
        return f"udp:{self.host}:{self.port}"

    def wait_for(self, text: str, timeout: float = DEADLINE) -> str:
        """The first line that contains `text`, of those read already or still to come; raises PeerError."""
        for line in self.lines:
            if text in line:
                return line
        end_time = time.monotonic() + timeout
        while (left := end_time - time.monotonic()) > 0:
            try:
                line = self._new.get(timeout=left)
            except queue.Empty:
                break
            self.lines.append(line)
            if text in line:
                return line
        raise PeerError(f"snmptrapd printed no line with {text!r} within {timeout:g} s; it printed {self.lines}")


@contextmanager
def snmptrapd(
    communities: Sequence[str] = ("public",),
    users: Sequence[User] = (),
    *,
    host: str = "127.0.0.1",
    engine_id: str = "0x8000000001020304",
    config: str = "",
) -> Iterator[Snmptrapd]:
    """Debian's snmptrapd in the foreground. `users` may send informs; for v3 traps from another engine add a
    ``createUser -e ENGINEID ...`` line through `config`."""
    path = require("snmptrapd")
    with tempfile.TemporaryDirectory() as kept:
        port = free_port("udp", host)
        settings = Path(kept) / "settings.conf"
        lines = [
            f"engineIDType 3\nexactEngineID {engine_id}",
            *(f"authCommunity log {name}" for name in communities),
            *(f"createUser {user.create()}" for user in users),
            *(f"authUser log {user.name} {_RANK[user.level]}" for user in users),
            config,
        ]
        settings.write_text("\n".join(lines) + "\n")
        process = subprocess.Popen(
            [path, "-f", "-Lo", "-On", "-n", "-t", "-C", "-c", str(settings), "-F", r"%b|%P|%W|%v\n", f"udp:{host}:{port}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=_net_snmp_env(kept),
        )
        trapd = Snmptrapd(host, port, engine_id.removeprefix("0x"))
        assert process.stdout is not None
        output = process.stdout

        def read() -> None:
            for line in output:
                trapd._new.put(line.rstrip("\n"))

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        try:
            wait_until(lambda: process.poll() is not None or answers_discovery(host, port), "snmptrapd answers")
            if process.poll() is not None:
                reader.join(60)
                raise PeerError(f"snmptrapd ended with status {process.returncode}: {list(trapd._new.queue)}")
            yield trapd
        finally:
            end(process)
            reader.join(60)
            output.close()


# Prometheus


def fetch(url: str, timeout: float = DEADLINE, headers: Mapping[str, str] | None = None) -> bytes:
    """The body of a page; raises urllib's HTTPError for a status over 399."""
    with urllib.request.urlopen(urllib.request.Request(url, headers=dict(headers or {})), timeout=timeout) as answer:
        body: bytes = answer.read()
        return body


def answers_http(url: str) -> bool:
    """Does this page exist and is its status below 400?"""
    try:
        fetch(url, 2.0)
    except (OSError, urllib.error.URLError):
        return False
    return True


@dataclass(frozen=True)
class Prometheus:
    """A running Prometheus."""

    url: str
    pid: int
    directory: Path

    def api(self, path: str, **parameters: str) -> Any:
        """The "data" of an answer of the HTTP API, such as api("targets")."""
        query = urllib.parse.urlencode(parameters)
        return json.loads(fetch(f"{self.url}/api/v1/{path}?{query}"))["data"]

    def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """Evaluate PromQL now: (labels, value) for each series; raises HTTPError for an expression it does not accept."""
        result = self.api("query", query=expression)
        if result["resultType"] == "scalar":
            return [({}, float(result["result"][1]))]
        return [(one["metric"], float(one["value"][1])) for one in result["result"]]

    def wait_for(self, expression: str, timeout: float = DEADLINE) -> list[tuple[dict[str, str], float]]:
        """The expression's result as soon as it is not empty; raises PeerError."""
        found: list[tuple[dict[str, str], float]] = wait_until(
            lambda: self.query(expression), f"{expression} gives a result", timeout, 0.1
        )
        return found


@contextmanager
def prometheus(config: str, files: Mapping[str, str] | None = None, *options: str) -> Iterator[Prometheus]:
    """Debian's Prometheus with this YAML configuration. `files` (name -> text) lie beside it, for rule_files and the like."""
    path = require("prometheus")
    port = free_port("tcp")
    with tempfile.TemporaryDirectory() as directory:
        for name, text in {"prometheus.yml": config, **(files or {})}.items():
            (Path(directory) / name).write_text(text)
        with running(
            [
                path,
                f"--config.file={directory}/prometheus.yml",
                f"--storage.tsdb.path={directory}/data",
                f"--web.listen-address=127.0.0.1:{port}",
                "--log.level=warn",
                *options,
            ],
            lambda: answers_http(f"http://127.0.0.1:{port}/-/ready"),
        ) as process:
            yield Prometheus(f"http://127.0.0.1:{port}", process.pid, Path(directory))


@contextmanager
def victoria_metrics() -> Iterator[Prometheus]:
    """Debian's VictoriaMetrics, empty; it answers the part of Prometheus' API that is used here."""
    path = require("victoria-metrics")
    port = free_port("tcp")
    with (
        tempfile.TemporaryDirectory() as directory,
        running(
            [path, f"-storageDataPath={directory}/data", f"-httpListenAddr=127.0.0.1:{port}", "-loggerLevel=ERROR"],
            lambda: answers_http(f"http://127.0.0.1:{port}/health"),
        ) as process,
    ):
        yield Prometheus(f"http://127.0.0.1:{port}", process.pid, Path(directory))


def promtool(*arguments: str, text: str = "", cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run promtool, `text` on its standard input; the caller looks at returncode, stdout and stderr."""
    return subprocess.run(
        [require("promtool"), *arguments], input=text, capture_output=True, text=True, timeout=60, cwd=cwd, check=False
    )


def metrics_errors(page: str) -> list[str]:
    """What ``promtool check metrics`` says of a page, one line a fault; empty when the page is valid and well named."""
    result = promtool("check", "metrics", text=page)
    lines = [line for line in (result.stdout + result.stderr).splitlines() if line.strip()]
    return lines or ([f"promtool ended with status {result.returncode}"] if result.returncode else [])


# PostgreSQL


@dataclass(frozen=True)
class PostgreSQL:
    """A running PostgreSQL server with one empty database."""

    host: str
    port: int
    user: str
    database: str

    def url(self, driver: str = "postgresql+psycopg") -> str:
        """A SQLAlchemy URL."""
        return f"{driver}://{self.user}@{self.host}:{self.port}/{self.database}"


@contextmanager
def postgresql() -> Iterator[PostgreSQL]:
    """Debian's PostgreSQL on a free port, run by an unprivileged user (postgres, when the tests run as root)."""
    initdb, server = require("initdb"), require("postgres")
    user = "postgres" if os.geteuid() == 0 else None
    directory = Path(tempfile.mkdtemp(prefix="haidang-postgresql-"))
    try:
        identity: dict[str, Any] = {}
        if user is not None:
            entry = pwd.getpwnam(user)
            os.chown(directory, entry.pw_uid, entry.pw_gid)
            identity = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
        data = directory / "data"
        made = subprocess.run(
            [initdb, "-D", str(data), "-U", "haidang", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"],
            capture_output=True, text=True, check=False, cwd="/", **identity,
        )  # fmt: skip
        if made.returncode:
            raise PeerError(f"initdb ended with status {made.returncode}: {made.stderr[-2000:]}")
        port = free_port("tcp")
        ask = [require("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port), "-d", "postgres", "-U", "haidang"]
        with running(
            [
                server, "-D", str(data), "-k", str(directory), "-h", "127.0.0.1", "-p", str(port),
                "-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off",
            ],
            lambda: subprocess.run(ask, check=False, capture_output=True).returncode == 0,
            user=user,
        ):  # fmt: skip
            yield PostgreSQL("127.0.0.1", port, "haidang", "postgres")
    finally:
        shutil.rmtree(directory, ignore_errors=True)
