"""Devices on the loopback that live on the test's own event loop and answer, well or badly, as they are told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

from snmp import ber, message
from snmp.access import CommunityAccess, UserAccess
from snmp.engine import Engine, engine_id
from snmp.message import Pdu, VarBind
from snmp.oid import OID
from snmp.responder import Responder
from snmp.tree import Tree
from snmp.usm import User

Answer = Callable[[bytes, Any], bytes | Iterable[bytes] | None]
SYSTEM = OID((1, 3, 6, 1, 2, 1, 1))
DESCR, UPTIME, NAME = (OID((*SYSTEM, i, 0)) for i in (1, 3, 5))


class Device(asyncio.DatagramProtocol):
    """`answer(data, source)` gives the datagrams to send back; `asked` keeps (when, data) of all that came."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.asked: list[tuple[float, bytes]] = []
        self.delay = 0.0
        """Seconds until an answer is sent."""
        self.drop = 0
        """So many of the next requests get lost."""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.host, self.port = transport.get_extra_info("sockname")[:2]

    def datagram_received(self, data: bytes, source: Any) -> None:
        loop = asyncio.get_running_loop()
        self.asked.append((loop.time(), data))
        if self.drop > 0:
            self.drop -= 1
            return
        found = self.answer(data, source)
        for reply in (found,) if isinstance(found, bytes) else found or ():
            if self.delay:
                loop.call_later(self.delay, self.send, reply, source)
            else:
                self.send(reply, source)

    def send(self, data: bytes, to: Any) -> None:
        """Send a datagram from the device's port."""
        if not self.transport.is_closing():
            self.transport.sendto(data, to)

    def requests(self) -> int:
        """How many datagrams came."""
        return len(self.asked)


@asynccontextmanager
async def listening(answer: Answer, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[Device]:
    """A device at a free port, until the block ends."""
    loop = asyncio.get_running_loop()
    transport, device = await loop.create_datagram_endpoint(lambda: Device(answer), (host, port))
    try:
        yield device
    finally:
        transport.close()
        await asyncio.sleep(0)
        await asyncio.sleep(0)  # the socket is closed in the loop's next turn


def silent(data: bytes, source: Any) -> None:
    """Answers nothing."""


def system(name: bytes = b"lighthouse", more: Iterable[tuple[OID, int, ber.Value]] = ()) -> Tree:
    """A small tree: description, object ID, uptime, name."""
    return Tree.of(
        [
            (DESCR, ber.OCTET_STRING, b"a device"),
            (OID((*SYSTEM, 2, 0)), ber.OBJECT_IDENTIFIER, OID((1, 3, 6, 1, 4, 1, 32473, 9))),
            (UPTIME, ber.TIME_TICKS, 4711),
            (NAME, ber.OCTET_STRING, name),
            *more,
        ]
    )


def responder(
    tree: Tree,
    users: Iterable[User] = (),
    *,
    community: bytes = b"public",
    engine: bytes = b"device",
    boots: int = 1,
    started: float = 0.0,
    **options: Any,
) -> Responder:
    """A well-behaved agent that goes by the loop's clock; `started` is when its engine's time was 0."""
    own = Engine(engine_id(32473, engine), boots, started)
    access = [UserAccess(user) for user in users]
    clock = asyncio.get_running_loop().time
    return Responder(tree, [CommunityAccess(community)], access, own, clock=clock, **options)


def question(data: bytes) -> tuple[Pdu, list[VarBind]]:
    """A community-based request taken apart."""
    _, _, pdu = message.decode_community(data)
    assert isinstance(pdu, Pdu)
    return pdu, message.decode_varbinds(pdu.body)


def reply(
    data: bytes,
    bindings: Iterable[VarBind] = (),
    *,
    request_id: int | None = None,
    community: bytes | None = None,
    status: int = 0,
    index: int = 0,
) -> bytes:
    """A community-based answer to a request, right in all that is not given."""
    version, name, pdu = message.decode_community(data)
    assert isinstance(pdu, Pdu)
    body = message.encode_varbinds(bindings)
    told = Pdu(message.RESPONSE, pdu.request_id if request_id is None else request_id, status, index, body)
    return message.encode_community(version, name if community is None else community, message.encode_pdu(told))


def text(name: OID = NAME, value: bytes = b"lighthouse") -> VarBind:
    """An object with a text."""
    return VarBind(name, ber.OCTET_STRING, value)
