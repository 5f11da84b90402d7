"""The agents side by side, each on loopback with settings of its own: ours as this environment's ``haidang-agent run``, Debian's
snmpd, prometheus-node-exporter and zabbix-agent2.

Ours in three forms: `v2c` (a community), `v3` (a USM user with SHA-1 and AES-128) and `push` (v2c, and reports to a collector,
which here is snmptrapd). The work that is asked is `work.py`'s: of SNMP agents in the requests the collector would send, of
node_exporter its page, of Zabbix agent 2 the items that say the same.
"""

from __future__ import annotations

import asyncio
import compileall
import os
import re
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from collector.polling.questions import Cells, ask_for
from snmp import ber, message, session
from snmp.client import Client, Credential, Request, Target
from snmp.oid import OID
from snmp.security import Community
from snmp.table import MANNERS, walk_columns
from snmp.usm import User

from . import process, work

HOUSE = Path(__file__).resolve().parent.parent
OURS = ("v2c", "v3", "push")
PEERS = ("snmpd", "node_exporter", "zabbix_agent2")
_INVENTORIED = OID((1, 3, 6, 1, 4, 1, 32473, 1, 1, 1, 2, 0))
"""hdAgentInventoryTime: there once the inventory is served."""
_DISCOVERY = bytes.fromhex(
    "303a020103300f02022b67020300ffe30401040201030410300e0400020100020100040004000400301204000400a00c02022b670201000201003000"
)
_ITEMS = (
    "system.uname", "system.uptime", "system.hostname", "net.if.discovery", "vfs.fs.get", "vm.memory.size[available]",
    "system.cpu.util",
)  # fmt: skip
_USER = f"""\
auth = "SHA-1"
auth_secret = "{work.AUTH_SECRET}"
priv = "AES-128"
priv_secret = "{work.PRIV_SECRET}"
"""


class Agent(NamedTuple):
    """A running agent, and whether it was asked over v3."""

    name: str
    process: subprocess.Popen[str]
    port: int
    secured: bool = False

    @property
    def pid(self) -> int:
        """The resident process."""
        return self.process.pid

    @property
    def credential(self) -> Credential:
        """How an SNMP agent is spoken to."""
        if self.secured:
            return User(work.USER.encode(), "SHA-1", work.AUTH_SECRET.encode(), "AES-128", work.PRIV_SECRET.encode())
        return Community(work.COMMUNITY.encode())

    def answers(self, patience: float = 0.2) -> bool:
        """Does it answer the smallest question of its protocol now?"""
        if self.name in ("node_exporter", "zabbix_agent2"):
            try:
                return bool(self._page("/") if self.name == "node_exporter" else self._item("agent.ping"))
            except OSError:
                return False
        question = _DISCOVERY if self.secured else _SMALL
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(patience)
            try:
                sock.connect(("127.0.0.1", self.port))
                sock.send(question)
                return bool(sock.recv(65535))
            except OSError:
                return False

    def _page(self, path: str) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), 5.0) as sock:
            sock.sendall(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
            found = b"".join(iter(lambda: sock.recv(65536), b""))
        if b" 200 " not in found[:20]:
            sys.exit(f"{self.name}: {path}: {found[:200]!r}")
        return found

    def _item(self, key: str) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), 5.0) as sock:
            sock.sendall(b"ZBXD\x01" + struct.pack("<Q", len(key)) + key.encode())
            found = b"".join(iter(lambda: sock.recv(65536), b""))
        if not found.startswith(b"ZBXD\x01") or b"ZBX_NOTSUPPORTED" in found:
            sys.exit(f"{self.name}: {key}: {found[:200]!r}")
        return found[13:]

    def poll(self) -> None:
        """The work, of an agent that does not speak SNMP."""
        if self.name == "node_exporter":
            self._page("/metrics")
        else:
            for key in _ITEMS:
                self._item(key)


_SYS_UPTIME = message.Pdu(message.GET, 1, 0, 0, message.encode_names([OID((1, 3, 6, 1, 2, 1, 1, 3, 0))]))
_SMALL = message.encode_community(message.V2C, work.COMMUNITY.encode(), message.encode_pdu(_SYS_UPTIME))


class Manager:
    """Who asks the agents: the product's client, with what the collector would ask of each for `work.py`'s columns."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._client = Client(self._loop)
        self._asked: dict[int, tuple[Target, list[Request]]] = {}

    def close(self) -> None:
        """Let go of the sockets."""
        self._client.close()
        self._loop.close()

    def _target(self, agent: Agent) -> Target:
        return Target("127.0.0.1", agent.port, agent.credential, timeout=5.0)

    def whole(self, agent: Agent) -> set[OID]:
        """Ask for all there is; of an SNMP agent the names of its objects."""
        if agent.name in ("node_exporter", "zabbix_agent2"):
            agent.poll()
            return set()

        async def walk() -> set[OID]:
            return {row.oid async for row in session.walk(self._client, self._target(agent), OID((1, 3)), max_repetitions=10)}

        return self._loop.run_until_complete(walk())

    def learn(self, agent: Agent) -> int:
        """Find the rows; gives how many values one poll has."""
        target = self._target(agent)

        async def cells() -> Cells:
            found: Cells = {}
            for binding in await session.get(self._client, target, [OID.parse(name) for name in work.SCALARS]):
                if binding.tag not in ber.EXCEPTIONS:
                    found[OID(binding.oid[:-1])] = {(0,): binding}
            return found | await walk_columns(self._client, target, [OID.parse(name) for name in work.COLUMNS])

        known = self._loop.run_until_complete(cells())
        scalars = {OID.parse(name.removesuffix(".0")) for name in work.SCALARS}
        manner = MANNERS[0].within(target.security.room)
        self._asked[agent.port] = target, [question.request() for question in ask_for(known, manner, closed=scalars)]
        return sum(map(len, known.values()))

    def poll(self, agent: Agent) -> None:
        """The work once."""
        if agent.name in ("node_exporter", "zabbix_agent2"):
            agent.poll()
            return
        if agent.port not in self._asked:
            self.learn(agent)
        target, requests = self._asked[agent.port]

        async def ask() -> None:
            for request in requests:
                answer = await session.ask(self._client, target, request)
                if answer.error_status or not answer.body:
                    sys.exit(f"{agent.name}: error-status {answer.error_status}")

        self._loop.run_until_complete(ask())


def start(name: str, directory: Path, port: int, collector: int = 0) -> Agent:
    """An agent by its name, not yet answering; its state and settings stay in `directory`."""
    home = directory / name
    home.mkdir(exist_ok=True)
    env = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    if name in OURS:
        settings = home / "agent.toml"
        settings.write_text(_our_settings(name, home, port, collector), encoding="utf-8")
        words = [str(Path(sys.executable).parent / "haidang-agent"), "run", "--config", str(settings)]
    elif name == "snmpd":
        settings = home / "settings.conf"
        settings.write_text(
            f"agentAddress udp:127.0.0.1:{port}\nrocommunity {work.COMMUNITY} 127.0.0.0/8\n"
            f'createUser {work.USER} SHA "{work.AUTH_SECRET}" AES "{work.PRIV_SECRET}"\nrouser {work.USER} priv\n'
            "sysLocation office\nsysContact admin@example.org\n"
        )
        words = [process.command("snmpd", "snmpd"), "-f", "-Ln", "-C", "-c", str(settings)]
        env |= {"SNMPCONFPATH": str(home), "SNMP_PERSISTENT_DIR": str(home), "MIBS": ""}
    elif name == "node_exporter":
        program = process.command("prometheus-node-exporter", "prometheus-node-exporter")
        words = [program, f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]
    else:
        settings = home / "zabbix.conf"
        settings.write_text(
            f"Server=127.0.0.1\nListenIP=127.0.0.1\nListenPort={port}\nHostname=office\nLogType=console\n"
            f"ControlSocket={home}/control\nPluginSocket={home}/plugin\n"
        )
        words = [process.command("zabbix_agent2", "zabbix-agent2"), "-f", "-c", str(settings)]
    with (home / "output").open("w") as output:
        running = subprocess.Popen(words, env=env, text=True, cwd=home, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    return Agent(name, running, port, secured=name == "v3")


def port_for(name: str) -> int:
    """A free port that an agent takes."""
    if name == "zabbix_agent2":
        return process.free_port(within=range(20050, 32767))  # it refuses those the system hands out
    return process.free_port(socket.SOCK_STREAM if name == "node_exporter" else socket.SOCK_DGRAM)


def _our_settings(name: str, home: Path, port: int, collector: int) -> str:
    """What an office's machine has: who may ask from where, who is told, what people want to read."""
    lines = ["[agent]", f'listen = "127.0.0.1:{port}"', f'state = "{home}/state"']
    lines += ['contact = "Phòng CNTT, 0259 123 456"', 'location = "UBND xã An Lâm, phòng 2"']
    if name == "v3":
        lines += ["[[user]]", f'name = "{work.USER}"', _USER, 'networks = ["127.0.0.0/8", "10.0.0.0/8"]']
    else:
        lines += ["[[community]]", f'name = "{work.COMMUNITY}"', 'networks = ["127.0.0.0/8", "10.0.0.0/8"]']
    if name == "push":
        lines += ["[[push]]", f'to = "127.0.0.1:{collector}"', f'user = "{work.USER}"', _USER]
    return "\n".join(lines) + "\n"


def compile_ours() -> None:
    """What a package does when it is installed: an agent that has to compile its own modules is not the one in use."""
    for room in ("agent", "config", "snmp"):
        compileall.compile_dir(HOUSE / room, quiet=1)


def wait(agent: Agent, deadline: float = 20.0) -> None:
    """Return when it answers; ends the run when it does not."""
    stop = time.monotonic() + deadline
    while not agent.answers():
        if agent.process.poll() is not None or time.monotonic() > stop:
            sys.exit(f"{agent.name} does not answer")
        time.sleep(0.02)


@contextmanager
def running(directory: Path, names: Sequence[str] = (*OURS, *PEERS)) -> Iterator[tuple[Manager, dict[str, Agent]]]:
    """These agents, answering, our inventories read and served, and everything asked once of each."""
    compile_ours()
    with ExitStack() as stack:
        manager = Manager()
        stack.callback(manager.close)
        collector = stack.enter_context(_collector(directory)) if "push" in names else 0
        agents: dict[str, Agent] = {}
        for name in names:
            agents[name] = start(name, directory, port_for(name), collector)
            stack.callback(process.end, agents[name].process)
        for agent in agents.values():
            wait(agent)
            stop = time.monotonic() + 60
            while _INVENTORIED not in manager.whole(agent) and agent.name in OURS:
                if time.monotonic() > stop:
                    sys.exit(f"{agent.name}: no inventory is served after a minute")
                time.sleep(0.5)
        if "push" in names:
            _wait_for_reports(directory)
        if "snmpd" in names:
            # one process answers both; what is asked over v3 is told apart
            agents["snmpd v3"] = agents["snmpd"]._replace(secured=True)
        yield manager, agents


@contextmanager
def _collector(directory: Path) -> Iterator[int]:
    """snmptrapd, which acknowledges informs; gives its port."""
    home = directory / "collector"
    home.mkdir(exist_ok=True)
    port = process.free_port(socket.SOCK_DGRAM)
    settings = home / "settings.conf"
    settings.write_text(
        f'createUser {work.USER} SHA "{work.AUTH_SECRET}" AES "{work.PRIV_SECRET}"\nauthUser log {work.USER} priv\n'
        "doNotLogTraps no\n"
    )
    words = [process.command("snmptrapd", "snmptrapd"), "-f", "-n", "-Lf", str(home / "log"), "-C", "-c", str(settings)]
    env = {**os.environ, "SNMPCONFPATH": str(home), "SNMP_PERSISTENT_DIR": str(home), "MIBS": ""}
    running = subprocess.Popen([*words, f"udp:127.0.0.1:{port}"], env=env, text=True)
    try:
        yield port
    finally:
        process.end(running)


def _wait_for_reports(directory: Path) -> None:
    """Return when the collector has acknowledged a report and hears no more."""
    stop = time.monotonic() + 60
    log = directory / "collector" / "log"
    heard = 0
    while time.monotonic() < stop:
        size = log.stat().st_size if log.exists() else 0
        if size == heard and b".32473.1.0.1" in log.read_bytes():
            return
        heard = size
        time.sleep(2.0)
    sys.exit("the pushing agent's reports did not arrive within a minute")


def versions() -> dict[str, str]:
    """The peers' versions."""
    asked = {
        "snmpd": [process.command("snmpd", "snmpd"), "-v"],
        "node_exporter": [process.command("prometheus-node-exporter", "prometheus-node-exporter"), "--version"],
        "zabbix_agent2": [process.command("zabbix_agent2", "zabbix-agent2"), "-V"],
    }
    found = {}
    for name, words in asked.items():
        said = subprocess.run(words, capture_output=True, text=True, check=False)
        match = re.search(r"\d+\.\d+[\w.+~]*", said.stdout + said.stderr)
        found[name] = match[0] if match else "unknown"
    return found
