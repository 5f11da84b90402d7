"""Switches of plain rows on the loopback, watched by the real asking code in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from math import isclose
from typing import Any

from crooked import Crook, crooked
from devices import Device as Peer
from devices import listening, responder
from rows import Rows, cells, ports

from collector.estate.states import judge, quiet
from collector.model import Block, Device, Outcome, Status
from collector.polling.plan import snapshot
from collector.polling.watch import Asking, Result, Watch
from config.profiles import Profiles
from snmp import message
from snmp.client import Client, Credential, Target
from snmp.security import Community
from snmp.tree import Tree
from snmp.usm import User

PROFILES = Profiles.load()
GENERIC = PROFILES["generic"]


class Switch:
    """A device whose rows may be changed at any time, and that answers as `crook` says."""

    def __init__(self, rows: Rows, users: Sequence[User] = (), max_size: int = 1472) -> None:
        self.rows = rows
        self.crook: Crook | None = None
        self.sizes: list[int] = []
        """Octets of its answers."""
        self.agent = responder(Tree.of(()), users, max_size=max_size)
        self.peer: Peer

    def answer(self, data: bytes, source: Any) -> bytes | None:
        self.agent.tree = Tree.of((name, tag, value) for name, (tag, value) in sorted(self.rows.items()))
        answer = crooked(self.agent.answer, self.crook) if self.crook else self.agent.answer
        found = answer(data, source)
        assert found is None or isinstance(found, bytes)
        self.sizes.append(len(found or b""))
        return found

    def truth(self) -> dict[object, float]:
        """What a walk of it gives, by series."""
        return series(snapshot(GENERIC, cells(GENERIC, self.rows), 0.0)[0])


def series(block: Block | None) -> dict[object, float]:
    """A block's values by series."""
    return {} if block is None else dict(zip(block.layout.series, block.values, strict=True))


class Desk:
    """Asks switches turn by turn, as a cycle does."""

    def __init__(self) -> None:
        self.client = Client()
        self.kept: dict[str, bytes] = {}
        self.asking = Asking(self.client, PROFILES, learnt=self._learnt)

    def _learnt(self, watch: Watch) -> None:
        assert watch.plan is not None
        self.kept[watch.device.id] = watch.plan.dump(0.0)

    def watch(self, switch: Switch, credential: Credential | None = None, **options: Any) -> Watch:
        """A watch for a switch."""
        peer = switch.peer
        device = Device(f"sw-{peer.host}-{peer.port}", peer.host, peer.port, "any", "unit", "generic")
        return Watch(device, Target(peer.host, peer.port, credential or Community(b"public", message.V2C), **options))

    async def turn(self, watch: Watch) -> Result:
        """One turn, noted as a cycle notes it."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self.asking.turn(watch, lambda _, result: future.set_result(result))
        result = await future
        watch.status = Status(judge(result.outcome), result.outcome)
        watch.silent_turns = watch.silent_turns + 1 if quiet(watch.status.state) else 0
        assert not watch.busy
        return result

    def close(self) -> None:
        self.asking.close()
        self.client.close()


@asynccontextmanager
async def desk(*switches: Switch) -> AsyncIterator[Desk]:
    """A desk, the switches answering."""
    own = Desk()
    opened = []
    try:
        for switch in switches:
            context = listening(switch.answer)
            switch.peer = await context.__aenter__()
            opened.append(context)
        yield own
        assert own.client.waiting == 0
    finally:
        own.close()
        for context in opened:
            await context.__aexit__(None, None, None)


def right(result: Result, switch: Switch) -> bool:
    """Are all values there and right?"""
    return result.outcome is Outcome.OK and len(series(result.block)) == len(switch.truth()) and harmless(result, switch)


def harmless(result: Result, switch: Switch) -> bool:
    """Are the values that are there right? A port whose ifName could not be read goes by its ifDescr."""
    truth = {_plain(key): value for key, value in switch.truth().items()}
    found = {_plain(key): value for key, value in series(result.block).items()}
    return all(key in truth and isclose(value, truth[key], rel_tol=1e-12) for key, value in found.items())


def _plain(key: object) -> str:
    return str(key).replace("'port ", "'p")


def many(count: int = 30, seed: int = 0) -> Rows:
    """A switch's rows."""
    return ports(range(1, count + 1), seed)
