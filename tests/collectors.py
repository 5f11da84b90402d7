"""The receiving end of agents' reports for tests: a real socket and a real receiver, in the test's own time."""

from __future__ import annotations

import random
import socket
from collections.abc import Callable
from typing import NamedTuple

from agent import settings
from agent.push import Push
from config import objects
from snmp.access import UserAccess
from snmp.engine import Engine, engine_id
from snmp.message import VarBind
from snmp.oid import OID
from snmp.receiver import Receiver
from snmp.usm import User

SECRETS = ("authpass1234", "privpass1234")
ENGINE = engine_id(32473, b"collector")
FACTS = [item.fact for item in objects.REPORT.objects]


class Clock:
    """Seconds that a test moves; `wall` runs beside it, wrong by `off`."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now
        self.off = 0.0

    def __call__(self) -> float:
        return self.now

    def wall(self) -> float:
        return 1_800_000_000 + self.now + self.off


class Told(NamedTuple):
    """A part of a report as it came: what it says of itself, and its objects."""

    head: dict[str, int]
    rows: dict[OID, object]

    def __getattr__(self, name: str) -> int:
        return self.head[name]


def user(name: str = "pc-1", secrets: tuple[str, str] = SECRETS) -> User:
    return User(name.encode(), "SHA-256", secrets[0].encode(), "AES-128", secrets[1].encode())


class Collector:
    """Takes informs when `take` is called. `keeps` is whether it acknowledges; `loss` is how much the line loses, both ways."""

    def __init__(self, clock: Clock, users: list[User] | None = None, loss: float = 0.0) -> None:
        self.clock = clock
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        self.sock.setblocking(False)
        self.told: list[Told] = []
        self.octets = 0
        self.loss = loss
        self.cut = False
        self.keeps = True
        self._random = random.Random(5)
        self._users = [user()] if users is None else users
        self.boot(1)

    @property
    def address(self) -> tuple[str, int]:
        host, port = self.sock.getsockname()
        return host, port

    def boot(self, boots: int, engine: bytes = ENGINE, users: list[User] | None = None) -> None:
        """Start anew: as another engine, with other users, or only once more."""
        self._users = self._users if users is None else users
        accesses = [UserAccess(one) for one in self._users]
        self._receiver = Receiver((), accesses, Engine(engine, boots, self.clock.now), clock=self.clock)

    def take(
        self, refuse: Callable[[Told], bool] = lambda told: False, keeps: Callable[[Told], bool] = lambda told: True
    ) -> bool:
        """Answer what has arrived; False when there was nothing."""
        heard = False
        while True:
            try:
                data, address = self.sock.recvfrom(65535)
            except BlockingIOError:
                return heard
            heard = True
            self.octets += len(data)
            if self.cut or self._random.random() < self.loss:
                continue
            found, reply = self._receiver.receive(data, address)
            if found is not None:
                numbers = {fact: row.value for fact, row in zip(FACTS, found.varbinds, strict=False)}
                told = Told(numbers, {row.oid: row.value for row in found.varbinds[len(FACTS) :]})  # type: ignore[arg-type]
                if refuse(told):
                    reply = self._receiver.refuse(data, address)
                elif not (self.keeps and keeps(told)):
                    continue
                else:
                    self.told.append(told)
            if reply is not None and self._random.random() >= self.loss:
                self.sock.sendto(reply, address)


class Office:
    """An agent's pushing side and its collector, moved on together as fast as they can be."""

    def __init__(self, directory: str, rows: list[VarBind], clock: Clock | None = None, **how: object) -> None:
        self.clock = clock or Clock()
        self.rows = rows
        self.said: list[str] = []
        self.directory = directory
        self.boots = 0
        self.collector = Collector(self.clock, **how)  # type: ignore[arg-type]
        self.start()

    def start(self, name: str = "pc-1", interval: int = 600, megabytes: int = 8, secrets: tuple[str, str] = SECRETS) -> None:
        """Start the agent, again."""
        self.boots += 1
        who = settings.User(name, "SHA-256", secrets[0], "AES-128", secrets[1], ())
        options = settings.Push(self.collector.address, who, interval, megabytes)
        self.push = Push(
            options, self.directory, engine_id(32473, b"agent"), self.boots, 32473, lambda: list(self.rows),
            lambda: int(self.clock.now * 100), self.said.append, clock=self.clock, wall=self.clock.wall,
        )  # fmt: skip

    def settle(self) -> None:
        """Let everything happen that needs no time."""
        self.push.work(self.clock.now)
        while self.collector.take():
            self.push.serve()
            self.push.work(self.clock.now)

    def run(self, seconds: float) -> None:
        """Let time pass."""
        end = self.clock.now + seconds
        self.settle()
        while (due := self.push.due) <= end:
            self.clock.now = max(self.clock.now + 0.001, due)
            self.settle()
        self.clock.now = end

    def close(self) -> None:
        self.push.close()
        self.collector.sock.close()
