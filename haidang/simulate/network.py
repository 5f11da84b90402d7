"""The wire: one UDP socket on all loopback addresses, answers that leave from the address that was asked, faults in between."""

from __future__ import annotations

import contextlib
import heapq
import ipaddress
import os
import selectors
import socket
import struct
import time
from collections.abc import Callable
from random import Random

from snmp.responder import Responder

from .control import Control
from .devices import Devices
from .faults import Fault, Faults

_IP_PKTINFO = 8
"""Linux' number; the socket module of Python 3.11 has no name for it. The message is struct in_pktinfo of ip(7)."""
_PKTINFO = struct.Struct("=i4s4s")
_ANCILLARY = socket.CMSG_SPACE(_PKTINFO.size)
_SO_RCVBUFFORCE = 33
_BUFFER = 16 << 20
_BATCH = 512
"""Datagrams taken before delayed answers and orders get their turn."""

Sender = tuple[str, int]


class Network:
    """The province on the wire. Everything happens in the thread that calls `serve`, until `stop`."""

    def __init__(self, devices: Devices, faults: Faults, port: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Binds the UDP port (0: a free one) and the control's TCP port of the same number; raises OSError."""
        self._devices = devices
        self._faults = faults
        self._clock = clock
        self._random = Random(f"{devices.province.seed}/network")
        self._waiting: list[tuple[float, int, bytes, bytes, Sender]] = []
        self._turn = 0
        self._known: dict[bytes, tuple[str, Responder | None]] = {}
        self._running = True
        self.answers = 0
        self.socket, self.control = _bind(port, self._order)
        self.port: int = self.socket.getsockname()[1]
        self._wake_in, self._wake_out = os.pipe()

    def serve(self) -> None:
        """Answer until `stop`; then everything is closed."""
        with selectors.DefaultSelector() as selector, self.socket:
            selector.register(self.socket, selectors.EVENT_READ)
            selector.register(self._wake_in, selectors.EVENT_READ)
            self.control.register(selector)
            while self._running:
                pause = max(0.0, self._waiting[0][0] - self._clock()) if self._waiting else None
                for key, _ in selector.select(pause):
                    if key.fileobj is self.socket:
                        self._take()
                    elif key.fileobj != self._wake_in:
                        self.control.ready(key.fileobj, selector)
                self._send_due()
            self.control.close(selector)
        os.close(self._wake_in)
        os.close(self._wake_out)

    def stop(self) -> None:
        """End `serve`; may be called from another thread or a signal handler."""
        self._running = False
        with contextlib.suppress(OSError):
            os.write(self._wake_out, b".")

    def _take(self) -> None:
        """Answer what has come in."""
        receive, send, known, present = self.socket.recvmsg, self.socket.sendmsg, self._known, self._faults.present
        for _ in range(_BATCH):
            try:
                data, ancillary, _, sender = receive(65535, _ANCILLARY)
            except BlockingIOError:
                return
            except OSError:
                continue
            asked = ancillary[0][2][8:12]
            entry = known.get(asked)
            if entry is None:
                entry = self._learn(asked)
            address, responder = entry
            if responder is None:
                continue
            if address in present or responder.engine.started > self._clock():  # type: ignore[union-attr]
                self._trouble(address, responder, data, asked, sender)
                continue
            reply = responder.answer(data, sender)
            if reply is not None:
                self.answers += 1
                with contextlib.suppress(OSError):
                    send((reply,), ((socket.IPPROTO_IP, _IP_PKTINFO, _PKTINFO.pack(0, asked, b"\0\0\0\0")),), 0, sender)

    def _learn(self, asked: bytes) -> tuple[str, Responder | None]:
        address = str(ipaddress.IPv4Address(asked))
        entry = (address, self._devices.responder(address))
        if entry[1] is not None:
            self._known[asked] = entry
        return entry

    def _trouble(self, address: str, responder: Responder, data: bytes, asked: bytes, sender: Sender) -> None:
        """Answer, or not, as the machine's faults will have it."""
        now = self._clock()
        fault = self._faults.present.get(address, Fault())
        assert responder.engine is not None
        if fault.off or fault.silent or responder.engine.started > now or self._random.random() < fault.lossy:
            return
        reply = responder.answer(data, sender)
        if reply is None:
            return
        if fault.garbage:
            reply = self._garbage(reply)
        self._turn += 1
        heapq.heappush(self._waiting, (now + fault.slow, self._turn, reply, asked, sender))

    def _garbage(self, reply: bytes) -> bytes:
        """A reply cut off, with octets changed, or nothing but noise."""
        random = self._random
        kind = random.randrange(3)
        if kind == 0:
            return reply[: random.randrange(1, len(reply))]
        if kind == 1:
            damaged = bytearray(reply)
            for _ in range(1 + len(damaged) // 20):
                damaged[random.randrange(len(damaged))] = random.randrange(256)
            return bytes(damaged)
        return random.randbytes(random.randrange(1, 200))

    def _send_due(self) -> None:
        now = self._clock()
        while self._waiting and self._waiting[0][0] <= now:
            _, _, reply, asked, sender = heapq.heappop(self._waiting)
            self.answers += 1
            with contextlib.suppress(OSError):
                self.socket.sendmsg(
                    (reply,), ((socket.IPPROTO_IP, _IP_PKTINFO, _PKTINFO.pack(0, asked, b"\0\0\0\0")),), 0, sender
                )

    def _order(self, line: str) -> str:
        """Carry out a line of the control's and say what came of it."""
        words = line.split()
        if len(words) >= 3 and words[0] == "fault":
            for order in words[2:]:
                self._faults.order(words[1], order, self._devices, self._clock())
            return "ok"
        if words == ["faults"]:
            return " ".join(sorted(self._faults.present)) or "none"
        if words == ["answers"]:
            return str(self.answers)
        raise ValueError(f"unknown order {line!r}; expected: fault TARGET ORDER..., faults, answers")


def _bind(port: int, order: Callable[[str], str]) -> tuple[socket.socket, Control]:
    """The UDP socket and the control on a TCP port of the same number; with port 0, one that is free for both."""
    for attempt in range(20):
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            udp.bind(("0.0.0.0", port))
            control = Control(udp.getsockname()[1], order)
        except OSError:
            udp.close()
            if port or attempt == 19:
                raise
            continue
        udp.setblocking(False)
        udp.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
        try:
            udp.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
        except OSError:
            udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        return udp, control
    raise AssertionError
