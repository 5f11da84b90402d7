"""Agents for tests of the receiving side: reports made as our agent makes them, sent over real UDP; and a sink that remembers."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from agent import linux
from agent.report import INTERVAL, START, Memory, Part, bodies, notification
from agent.tree import Machine
from collector.model import Block, Device, Facts, Status
from collector.polling.receive import Receive
from config import objects
from config.profiles import Profiles
from snmp.engine import engine_id, steady
from snmp.errors import SnmpError
from snmp.message import VarBind
from snmp.notify import RETRY, InformSession, Notification
from snmp.tree import LiveTree
from snmp.usm import User

SECRETS = (b"authpass1234", b"privpass1234")
PROFILES = Profiles.load()
DEVICE = Device("pc-1", "", 0, "agents", "xa-1", "workstation")


def user(name: str = "pc-1", secrets: tuple[bytes, bytes] = SECRETS) -> User:
    return User(name.encode(), "SHA-256", secrets[0], "AES-128", secrets[1])


def machine_rows() -> list[VarBind]:
    """This machine as our agent tells it."""
    tree = LiveTree(Machine(linux, objects.ENTERPRISE).groups())
    return [VarBind(*row) for row in tree.rows(steady())]


class Pages:
    """A sink that remembers what it was told, and on which one can wait."""

    def __init__(self) -> None:
        self.status: dict[str, Status] = {}
        self.blocks: dict[str, list[Block | None]] = {}
        self.facts: dict[str, Facts] = {}
        self.cycles = 0
        self._news = asyncio.Event()

    def polled(self, device: Device, status: Status, block: Block | None) -> None:
        self.status[device.id] = status
        self.blocks.setdefault(device.id, []).append(block)
        self._news.set()

    def described(self, device: Device, facts: Facts) -> None:
        self.facts[device.id] = facts

    def cycled(self, unit: str) -> None:
        self.cycles += 1

    def forgotten(self, device: Device) -> None:
        self.status.pop(device.id, None)

    async def until(self, holds: Callable[[], bool], patience: float = 60.0) -> None:
        async with asyncio.timeout(patience):
            while not holds():
                self._news.clear()
                await self._news.wait()


class Agent:
    """An agent at the wire: makes reports, sends them, and waits for what comes back."""

    def __init__(self, to: tuple[str, int], who: User | None = None, engine: bytes = b"agent", boots: int = 1) -> None:
        self.loop = asyncio.get_running_loop()
        self.to = to
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setblocking(False)
        self.engine = engine_id(32473, engine)
        self.session = InformSession(who or user(), engine_id=self.engine)
        self.memory = Memory()
        self.sequence = boots << 32 | 1
        self.base = self.sequence
        self.sent: list[bytes] = []

    def report(
        self, rows: Sequence[VarBind], reason: int = INTERVAL, full: bool = False, ago: float = 0.0, interval: int = 600,
        oldest: int = 0,
    ) -> list[tuple[int, Notification]]:  # fmt: skip
        """The parts of a report as they are sent; without `oldest` the agent holds nothing older."""
        encoded = self.memory.full(rows) if full else self.memory.changed(rows) or []
        found = bodies(encoded)
        first = self.sequence
        self.sequence += len(found)
        if full:
            self.base = first
        when = int(time.time() - ago)
        made = []
        for n, body in enumerate(found):
            part = Part(self.base, n + 1, len(found), when, 4711, interval, reason, 0, 0, body)
            made.append((first + n, notification(part, first + n, oldest or first + n, objects.ENTERPRISE, round(ago))))
        return made

    def start(self, rows: Sequence[VarBind], interval: int = 600) -> list[tuple[int, Notification]]:
        return self.report(rows, START, full=True, interval=interval)

    async def send(self, parts: Sequence[tuple[int, Notification]], patience: float = 60.0) -> None:
        """Send parts one after the other; raises TimeoutError without an acknowledgement, SnmpError when refused."""
        for sequence, told in parts:
            await self._send(sequence & 0x7FFFFFFF, told, patience)

    async def _send(self, number: int, told: Notification, patience: float) -> None:
        async with asyncio.timeout(patience):
            while True:
                self.sent.append(self.session.request(number, told, steady()))
                self.sock.sendto(self.sent[-1], self.to)
                answer = await self._answer()
                if answer is not None and answer is not RETRY:
                    return

    async def _answer(self) -> object:
        """What the collector says within a second."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                while (answer := self.session.receive(await self.loop.sock_recv(self.sock, 65535), steady())) is None:
                    pass
                return answer
        return None

    def close(self) -> None:
        self.sock.close()


async def refused(agent: Agent, parts: Sequence[tuple[int, Notification]]) -> str:
    """Why the collector refuses a report."""
    try:
        await agent.send(parts)
    except SnmpError as error:
        return str(error)
    return ""


def receive(
    directory: Path, sink: Pages, users: dict[str, User] | None = None, host: str = "127.0.0.1", port: int = 0
) -> Receive:
    """The receiving side for some agents, each the user of its name."""
    made = Receive((host, port), directory, PROFILES, [sink])
    known = {"pc-1": user()} if users is None else users
    made.arrange({key: (Device(key, "", 0, "agents", "xa-1", "workstation"), [one]) for key, one in known.items()})
    return made
