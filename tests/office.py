"""An office's network on the loopback: every address of 127.x.y.z on one port, some with devices, all others silent."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import struct
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from snmp import message, v3
from snmp.errors import DecodeError

_IP_PKTINFO = 8
_PKTINFO = struct.Struct("=i4s4s")
Answer = Callable[[bytes, object], bytes | None]


class Asked(NamedTuple):
    """A datagram that came: when (the loop's time), for which address, and the community or user it showed (None: none)."""

    when: float
    address: str
    shown: bytes | None


class Office:
    """See the module. `devices` are by address; `delay` is how long each thinks before it answers."""

    def __init__(self, sock: socket.socket) -> None:
        self.devices: dict[str, Answer] = {}
        self.delay = 0.0
        self.asked: list[Asked] = []
        self.crowded: list[str] = []
        """Addresses that were asked while they were still thinking."""
        self.port: int = sock.getsockname()[1]
        self._sock = sock
        self._thinking: Counter[str] = Counter()

    def shown(self, address: str) -> set[bytes]:
        """The communities and users that an address has seen."""
        return {one.shown for one in self.asked if one.address == address and one.shown is not None}

    def addresses(self) -> set[str]:
        """The addresses that were asked anything."""
        return {one.address for one in self.asked}

    def readable(self) -> None:
        """Take what has come in."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                data, ancillary, _, sender = self._sock.recvmsg(65535, socket.CMSG_SPACE(_PKTINFO.size))
            except BlockingIOError:
                return
            own = ancillary[0][2][8:12]
            address = str(ipaddress.IPv4Address(own))
            self.asked.append(Asked(loop.time(), address, _shown(data)))
            if self._thinking[address]:
                self.crowded.append(address)
            answer = self.devices.get(address)
            reply = answer(data, sender) if answer is not None else None
            if reply is None:
                continue
            self._thinking[address] += 1
            loop.call_later(self.delay, self._send, reply, own, address, sender)

    def _send(self, reply: bytes, own: bytes, address: str, sender: object) -> None:
        self._thinking[address] -= 1
        if self._sock.fileno() >= 0:
            self._sock.sendmsg([reply], [(socket.IPPROTO_IP, _IP_PKTINFO, _PKTINFO.pack(0, own, bytes(4)))], 0, sender)


@contextmanager
def office() -> Iterator[Office]:
    """An office on a free port, on the running loop, until the block ends."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("0.0.0.0", 0))
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        made = Office(sock)
        loop.add_reader(sock, made.readable)
        try:
            yield made
        finally:
            loop.remove_reader(sock)


def _shown(data: bytes) -> bytes | None:
    """The community, or the user's name; None for the discovery of an engine."""
    try:
        return message.decode_community(data)[1]
    except DecodeError:
        return v3.decode(data).user or None
