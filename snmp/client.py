"""The asking side: one UDP socket an address family for all devices, many requests under way at once.

A request is a callback, not a task: `Client.submit` sends and returns, and `done` is called once with the answer or an
`SnmpError`. `snmp.session` puts coroutines on top. Every answer must come from the address and port that were asked,
bear the request's id and, in v3, the engine that was asked and a valid digest; all else is dropped and counted.
"""

from __future__ import annotations

import asyncio
import errno
import heapq
import os
import random
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from . import ber, message
from .errors import DecodeError, SnmpError, Timeout, Unreachable
from .message import Pdu
from .security import Community, Security, secure
from .usm import User

FIRST_ID, LAST_ID = 0x01000000, 0x7FFFFFFF
"""Request ids that take exactly four octets, so that the rest of a request can be encoded beforehand."""
RECEIVE_BUFFER = 8 << 20
BATCH = 256
"""Datagrams taken from the socket before the event loop gets its turn."""
_IP_RECVERR, _IPV6_RECVERR = 11, 25
_MSG_ERRQUEUE = 0x2000

_random = random.random
Credential = Community | User
Done = Callable[[Pdu | SnmpError, "Pending"], None]


class Request:
    """An encoded request that can be sent to any number of devices, any number of times."""

    __slots__ = ("tail", "type")

    def __init__(self, kind: int, names: bytes, non_repeaters: int = 0, max_repetitions: int = 0) -> None:
        """`names` is `message.encode_names(...)`; the two counts matter for GETBULK alone."""
        self.type = kind
        self.tail = ber.encode_integer(non_repeaters) + ber.encode_integer(max_repetitions) + ber.tlv(ber.SEQUENCE, names)


class Target:
    """One device as the client sees it: where it is, how to speak to it, and how fast it answers.

    The round trip is estimated as in RFC 6298 section 2 (seconds); `pace` gives the seconds a packet of so many bytes
    must still wait for its line.
    """

    __slots__ = (
        "address",
        "context",
        "credential",
        "family",
        "pace",
        "retries",
        "rttvar",
        "security",
        "sockaddr",
        "srtt",
        "timeout",
    )

    def __init__(
        self,
        address: str,
        port: int,
        credential: Credential,
        *,
        context: bytes = b"",
        timeout: float = 2.0,
        retries: int = 2,
        pace: Callable[[int], float] | None = None,
    ) -> None:
        self.locate(address, port)
        self.credential = credential
        self.context = context
        self.security: Security = secure(credential, context)
        self.timeout = timeout
        self.retries = retries
        self.pace = pace
        self.srtt = 0.0
        self.rttvar = 0.0

    def locate(self, address: str, port: int) -> None:
        """Set where the device is: an IPv4 or IPv6 address and a UDP port."""
        self.address = address
        self.sockaddr: tuple[str, int] | tuple[str, int, int, int]
        self.sockaddr = (address, port, 0, 0) if ":" in address else (address, port)
        self.family: int = socket.AF_INET6 if ":" in address else socket.AF_INET

    def measured(self, rtt: float) -> None:
        """Take a round trip in seconds into the estimate (RFC 6298 sections 2.2, 2.3)."""
        if self.srtt:
            self.rttvar += (abs(self.srtt - rtt) - self.rttvar) / 4
            self.srtt += (rtt - self.srtt) / 8
        else:
            self.srtt, self.rttvar = rtt, rtt / 2

    def patience(self) -> float:
        """Seconds to wait for a first answer: the estimate within [0.2 s, `timeout`], `timeout` when nothing is known.

        The floor is not RFC 6298's second: an agent delays no acknowledgement, but weak ones think for a while.
        """
        if not self.srtt:
            return self.timeout
        return min(max(self.srtt + 4 * self.rttvar, 0.2, 1.5 * self.srtt), self.timeout)


class Pending:
    """A request under way; `mark` is whatever number the asker gave it."""

    __slots__ = ("data", "done", "due", "id", "mark", "rediscoveries", "request", "sent", "target", "tries")

    def __init__(self, target: Target, request: Request, done: Done, request_id: int, mark: int) -> None:
        self.mark = mark
        self.target = target
        self.request = request
        self.done = done
        self.id = request_id
        self.tries = 0
        self.rediscoveries = 0
        self.sent = 0.0
        self.due = 0.0
        self.data = b""


@dataclass(slots=True)
class Counters:
    """What the sockets did since they were opened."""

    sent: int = 0
    received: int = 0
    retries: int = 0
    timeouts: int = 0
    refused: int = 0
    malformed: int = 0
    unexpected: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0


class Client:
    """See the module. Lives on one event loop; `close` fails what is still under way."""

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self.loop = loop or asyncio.get_running_loop()
        self.counters = Counters()
        self._sockets: dict[int, socket.socket] = {}
        self._pending: dict[int, Pending] = {}
        self._next_id = random.SystemRandom().randrange(FIRST_ID, LAST_ID)
        self._events: list[tuple[float, int]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._wakes = 0.0

    # -- asking

    def submit(self, target: Target, request: Request, done: Done, mark: int = 0) -> Pending:
        """Send `request`; `done(answer, pending)` is called once, never from within this call."""
        request_id = self._next_id
        self._next_id = request_id + 1 if request_id < LAST_ID else FIRST_ID
        pending = Pending(target, request, done, request_id, mark)
        self._pending[request_id] = pending
        self._dispatch(pending)
        return pending

    def cancel(self, pending: Pending) -> None:
        """Forget a request: its `done` will not be called."""
        self._pending.pop(pending.id, None)

    def _dispatch(self, pending: Pending) -> None:
        """Send now, or when the line has room."""
        target = pending.target
        now = monotonic()
        try:
            pending.data = target.security.wrap(pending.request, pending.id, now)
        except SnmpError as e:
            self._soon(pending, e)
            return
        if target.pace is not None and (wait := target.pace(len(pending.data))) > 0:
            pending.sent = 0.0
            self._at(now + wait, pending)
        else:
            self._send(pending, now)

    def _send(self, pending: Pending, now: float) -> None:
        target, data = pending.target, pending.data
        pending.tries += 1
        pending.sent = now
        sock = self._sockets.get(target.family) or self._socket(target.family)
        try:
            sock.sendto(data, target.sockaddr)
        except OSError as e:
            if not self._sent_after_all(sock, pending, e):
                return
        self.counters.sent += 1
        self.counters.bytes_sent += len(data)
        # back-off doubles with each try (RFC 6298 section 5.5); the jitter keeps devices behind one line apart
        patience = target.patience() * (1 << (pending.tries - 1))
        self._at(now + min(patience, 4 * target.timeout) * (1.0 + 0.1 * _random()), pending)

    def _sent_after_all(self, sock: socket.socket, pending: Pending, error: OSError) -> bool:
        """Deal with a failed sendto: False when the request has failed with it."""
        if error.errno in (errno.EAGAIN, errno.EWOULDBLOCK, errno.ENOBUFS):
            return True  # the send buffer is full: the retry will find room
        if self._take_errors(sock):
            # the error was an earlier packet's (IP_RECVERR reports it at the next call): send again
            try:
                sock.sendto(pending.data, pending.target.sockaddr)
                return True
            except OSError as again:
                error = again
        self._soon(pending, _unreachable(pending.target, error))
        return False

    def _socket(self, family: int) -> socket.socket:
        sock = self._sockets[family] = _open(family)
        self.loop.add_reader(sock, self._readable, sock)
        return sock

    # -- time

    def _at(self, when: float, pending: Pending) -> None:
        pending.due = when
        heapq.heappush(self._events, (when, pending.id))
        if self._timer is None or when < self._wakes - 0.005:
            self._arm()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._wakes = self._events[0][0]
        self._timer = self.loop.call_at(self._wakes, self._tick)

    def _tick(self) -> None:
        now = monotonic() + 0.001
        self._timer = None
        events = self._events
        while events and events[0][0] <= now:
            when, request_id = heapq.heappop(events)
            pending = self._pending.get(request_id)
            if pending is None or pending.due != when:
                continue  # answered, or sent again since
            if not pending.sent:
                self._send(pending, now)
            elif pending.tries <= pending.target.retries:
                self.counters.retries += 1
                self._dispatch(pending)
            else:
                self.counters.timeouts += 1
                target = pending.target
                waited = f"no answer from {target.address} port {target.sockaddr[1]} after {pending.tries} tries"
                self._finish(pending, Timeout(waited))
        while events and events[0][1] not in self._pending:  # answered meanwhile
            heapq.heappop(events)
        if events and self._timer is None:
            self._arm()

    def _soon(self, pending: Pending, error: SnmpError) -> None:
        self.loop.call_soon(self._finish, pending, error)

    def _finish(self, pending: Pending, answer: Pdu | SnmpError) -> None:
        if self._pending.pop(pending.id, None) is not None:
            pending.done(answer, pending)

    # -- answers

    def _readable(self, sock: socket.socket) -> None:
        receive = sock.recvfrom
        counters = self.counters
        for _ in range(BATCH):
            try:
                data, source = receive(65535)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                if not self._take_errors(sock):
                    return
                continue
            counters.received += 1
            counters.bytes_received += len(data)
            try:
                self._answered(data, source)
            except DecodeError:
                counters.malformed += 1

    def _answered(self, data: bytes, source: tuple[str, int]) -> None:
        request_id = message.peek_id(data)
        pending = self._pending.get(request_id)
        if pending is None or not pending.sent:
            self.counters.unexpected += 1
            return
        target = pending.target
        if source != target.sockaddr and not _same(source, target):
            self.counters.unexpected += 1
            return
        now = monotonic()
        try:
            answer = target.security.unwrap(data, pending.id, now)
        except DecodeError as e:
            # from the right place with the right id: the device itself speaks garbage
            self.counters.malformed += 1
            self._finish(pending, e)
            return
        except SnmpError as e:
            self._finish(pending, e)
            return
        if pending.tries == 1:  # Karn's algorithm: after a retry nobody knows which try was answered
            target.measured(now - pending.sent)
        if type(answer) is Pdu:
            del self._pending[request_id]
            pending.done(answer, pending)
        elif answer is None:
            self.counters.unexpected += 1
        else:
            self._ask_again(pending)

    def _ask_again(self, pending: Pending) -> None:
        """The device's engine is known now, or known anew: the request itself can be sent, a bounded number of times."""
        pending.rediscoveries += 1
        if pending.rediscoveries > 3:
            self._finish(pending, Timeout(f"{pending.target.address} keeps changing its engine ID or clock"))
        else:
            pending.tries = 0
            self._dispatch(pending)

    def _take_errors(self, sock: socket.socket) -> bool:
        """Read the socket's error queue (ICMP errors, with the packet they answer); was there any?"""
        any_error = False
        while sys.platform == "linux":
            try:
                data, ancillary, _, _ = sock.recvmsg(65535, 512, _MSG_ERRQUEUE)
            except OSError:
                break
            any_error = True
            number = next((int.from_bytes(a[2][:4], sys.byteorder) for a in ancillary if a[1] in (_IP_RECVERR, _IPV6_RECVERR)), 0)
            try:
                pending = self._pending.get(message.peek_id(data))
            except DecodeError:
                continue
            if pending is not None and number:
                self.counters.refused += 1
                self._soon(pending, _unreachable(pending.target, OSError(number, os.strerror(number))))
        return any_error

    # -- health and end

    def dropped(self) -> int:
        """Datagrams the kernel dropped because a receive buffer was full (Linux: /proc/net/udp; elsewhere 0)."""
        total = 0
        for sock in self._sockets.values():
            inode = str(os.fstat(sock.fileno()).st_ino)
            path = "/proc/net/udp6" if sock.family == socket.AF_INET6 else "/proc/net/udp"
            try:
                with open(path) as f:
                    total += next((int(row[-1]) for row in map(str.split, f) if len(row) > 12 and row[9] == inode), 0)
            except OSError:
                pass
        return total

    def receive_buffer(self) -> int:
        """The smallest receive buffer in bytes that the kernel granted; 0 when no socket is open."""
        return min((s.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) for s in self._sockets.values()), default=0)

    @property
    def waiting(self) -> int:
        """Requests under way."""
        return len(self._pending)

    def close(self) -> None:
        """Close the sockets; requests under way end with a Timeout."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for sock in self._sockets.values():
            self.loop.remove_reader(sock)
            sock.close()
        self._sockets.clear()
        for pending in list(self._pending.values()):
            self._finish(pending, Timeout("the client was closed"))


def _open(family: int) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_DGRAM | getattr(socket, "SOCK_NONBLOCK", 0))
    sock.setblocking(False)
    for option in (33, socket.SO_RCVBUF) if sys.platform == "linux" else (socket.SO_RCVBUF,):
        try:  # 33 is SO_RCVBUFFORCE: beyond net.core.rmem_max, needs CAP_NET_ADMIN
            sock.setsockopt(socket.SOL_SOCKET, option, RECEIVE_BUFFER)
            break
        except OSError:
            continue
    if sys.platform == "linux":
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)
        else:
            sock.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
    sock.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", 0))
    return sock


def _same(source: tuple[str, int], target: Target) -> bool:
    """IPv6 sources bear flow and scope, which do not count."""
    return len(target.sockaddr) == 4 and source[:2] == target.sockaddr[:2]


def _unreachable(target: Target, e: OSError) -> Unreachable:
    return Unreachable(f"{target.address} port {target.sockaddr[1]}: {e.strerror or e}")
