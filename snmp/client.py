"""The asking side: one UDP socket an address family for all devices, many requests under way at once.

A request is a callback, not a task: `Client.submit` sends and returns, and `done` is called once with the answer or an
`SnmpError`. `snmp.session` puts coroutines on top. Every answer must come from the address and port that were asked,
bear the request's id and, in v3, the engine that was asked and a valid digest; all else is dropped and counted, and
mentioned when in the end nothing better came.
"""

from __future__ import annotations

import asyncio
import errno
import heapq
import os
import random
import socket
from itertools import islice
from math import inf
from time import monotonic

from . import message, sockets
from .errors import DecodeError, PortClosed, SnmpError, Timeout, Unreachable
from .message import Pdu
from .target import Counters, Credential, Done, Line, Pending, Request, Target

__all__ = ["Client", "Counters", "Credential", "Done", "Line", "Pending", "Request", "Target"]

FIRST_ID, LAST_ID = 0x01000000, 0x7FFFFFFF
"""Request ids that take exactly four octets, so that the rest of a request can be encoded beforehand."""
BURST = 32
"""Datagrams sent right behind one another before what came meanwhile is read."""
BATCH = 256
"""Datagrams taken from the socket before the event loop gets its turn."""
REDISCOVERIES = 3
"""Times a request is sent again because the device's engine became known or changed."""
_STRANGERS = 1024
_random = random.random


class Client:
    """See the module. Lives on one event loop; `close` fails what is still under way."""

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self.loop = loop or asyncio.get_running_loop()
        self.counters = Counters()
        self._sockets: dict[int, socket.socket] = {}
        self._pending: dict[int, Pending] = {}
        self._leaving: dict[int, Pending] = {}
        """What is to be sent together at the loop's next turn."""
        self._next_id = random.SystemRandom().randrange(FIRST_ID, LAST_ID)
        self._events: list[tuple[float, int]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._wakes = 0.0
        self._strange: dict[tuple[str, int], tuple[float, bool, str]] = {}
        """By source: when it sent what answers nothing, whether that was no SNMP at all, and what was wrong with it."""
        self._closed = False

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
        if self._pending.pop(pending.id, None) is not None and pending.target.pilot is pending:
            self._release(pending.target)

    def _dispatch(self, pending: Pending) -> None:
        """Send at the loop's next turn, or when the line has room."""
        line = pending.target.line
        if line is not None and (wait := line.pace(len(pending.request.tail) + pending.target.security.overhead)) > 0:
            pending.waiting = True
            self._at(monotonic() + wait, pending)
        else:
            self._leave(pending)

    def _leave(self, pending: Pending) -> None:
        # Sent one right behind the other, after all that came was read, packets cost the kernel less than singly.
        pending.waiting = False
        if not self._leaving:
            self.loop.call_soon(self._flush)
        self._leaving[pending.id] = pending

    def _flush(self) -> None:
        now = monotonic()
        try:
            for request_id in tuple(islice(self._leaving, BURST)):
                pending = self._leaving.pop(request_id)
                if request_id in self._pending:  # not cancelled, and not answered after all
                    self._send(pending, now)
        finally:
            if self._leaving:
                self.loop.call_soon(self._flush)

    def _send(self, pending: Pending, now: float) -> None:
        target = pending.target
        try:
            pending.data = data = target.security.wrap(pending.request, pending.id, now)
        except SnmpError as e:
            self._soon(pending, e)
            return
        pending.tries += 1
        pending.sent = now
        if not pending.began:
            pending.began = now
        try:
            sock = self._sockets.get(target.family) or self._socket(target.family)
            sock.sendto(data, target.sockaddr)
        except OSError as e:
            if not self._sent_after_all(pending, e):
                return
        target.sent += 1
        self.counters.sent += 1
        self.counters.bytes_sent += len(data)
        # the jitter keeps devices behind one line apart
        self._at(now + target.patience(pending.tries) * (1.0 + 0.1 * _random()), pending)

    def _sent_after_all(self, pending: Pending, error: OSError) -> bool:
        """Deal with a failed sendto: False when the request has failed with it."""
        target = pending.target
        sock = self._sockets.get(target.family)
        for _ in range(BATCH):
            if error.errno in (errno.EAGAIN, errno.EWOULDBLOCK, errno.ENOBUFS):
                return True  # the send buffer is full: the retry will find room
            if sock is None or not self._take_errors(sock):
                break
            # the error was an earlier packet's (IP_RECVERR reports it at the next call): send again
            try:
                sock.sendto(pending.data, target.sockaddr)
                return True
            except OSError as again:
                error = again
        self._soon(pending, _unreachable(target, error))
        return False

    def _socket(self, family: int) -> socket.socket:
        if self._closed:
            raise OSError(errno.EBADF, "the client is closed")
        if family == socket.AF_UNSPEC:
            raise OSError(errno.EADDRNOTAVAIL, "no address is known for this name")
        sock = self._sockets[family] = sockets.open_socket(family)
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
        now = monotonic()
        self._timer = None
        events = self._events
        try:
            while events and events[0][0] <= now + 0.001:
                when, request_id = heapq.heappop(events)
                pending = self._pending.get(request_id)
                if pending is None or pending.due != when:
                    continue  # answered, or sent again since
                if pending.waiting:
                    self._leave(pending)
                else:
                    self._overdue(pending)
            while events and events[0][1] not in self._pending:  # answered meanwhile
                heapq.heappop(events)
        finally:
            if events and self._timer is None:
                self._arm()

    def _overdue(self, pending: Pending) -> None:
        """No answer in time: ask again, or give up.

        While a device is silent altogether only one request, its pilot, is asked again, and the others wait for what
        comes of that: a device that died costs the retries of one request.
        """
        target = pending.target
        heard = target.heard >= pending.sent
        if pending.tries > target.retries:
            self.counters.timeouts += 1
            self._finish(pending, self._silence(pending))
        elif heard or target.pilot is None or target.pilot is pending:
            if not heard:
                target.pilot = pending
            self._repeat(pending)
        else:
            pending.due = inf
            if target.parked is None:
                target.parked = []
            target.parked.append(pending)

    def _release(self, target: Target, error: Timeout | None = None) -> None:
        """The pilot was answered, or gave up with `error`: so do those that waited for it."""
        parked, target.parked, target.pilot = target.parked, None, None
        for pending in parked or ():
            if pending.id not in self._pending:
                continue
            if error is not None:
                self.counters.timeouts += 1
                self._finish(pending, error)
            else:
                self._repeat(pending)

    def _repeat(self, pending: Pending) -> None:
        self.counters.retries += 1
        pending.target.repeated += 1
        self._dispatch(pending)

    def _silence(self, pending: Pending) -> SnmpError:
        """What to say when no acceptable answer came."""
        target = pending.target
        where = f"{target.address} port {target.sockaddr[1]}"
        when, garbage, strange = self._strange.pop(target.sockaddr[:2], (-inf, False, ""))
        if when < pending.began:
            garbage, strange = False, ""
        if garbage:
            return DecodeError(f"{where} answers with what is no SNMP message: {strange}")
        times = "once" if pending.tries == 1 else f"{pending.tries} times"
        return Timeout("; ".join(filter(None, (f"no answer from {where}, asked {times}", pending.note or strange))))

    def _soon(self, pending: Pending, error: SnmpError) -> None:
        self.loop.call_soon(self._finish, pending, error)

    def _finish(self, pending: Pending, answer: SnmpError) -> None:
        if self._pending.pop(pending.id, None) is not None:
            if pending.target.pilot is pending:
                self._release(pending.target, answer if isinstance(answer, Timeout) else None)
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
            except DecodeError as e:
                counters.malformed += 1
                self._wonder(source, True, str(e))

    def _answered(self, data: bytes, source: tuple[str, int]) -> None:
        request_id = message.peek_id(data)
        pending = self._pending.get(request_id)
        if pending is None or not pending.tries:
            self.counters.unexpected += 1
            self._wonder(source, False, "what it sent bears the id of no request under way: late answers, or wrong ones")
            return
        target = pending.target
        if source != target.sockaddr and not _same(source, target):
            self.counters.unexpected += 1
            pending.note = f"an answer came from {source[0]} port {source[1]}, which was not asked"
            return
        now = monotonic()
        if target.line is not None:
            target.line.carried(len(data))
        try:
            answer = target.security.unwrap(data, request_id, now)
        except DecodeError as e:
            # from the right place with the right id: the device itself speaks garbage
            self.counters.malformed += 1
            self._finish(pending, e)
            return
        except SnmpError as e:
            self._finish(pending, e)
            return
        if answer is None:
            self.counters.unexpected += 1
            pending.note = target.security.mismatch
            return
        if type(answer) is not Pdu and pending.rediscoveries:
            pass  # perhaps a copy of the Report before: nobody knows which message it answers (Karn's algorithm)
        elif pending.tries == 1:
            target.measured(now - pending.sent)
        else:
            target.unmeasured()
        target.heard = now
        if target.pilot is not None:
            self._release_others(target, pending)
        if type(answer) is Pdu:
            del self._pending[request_id]
            pending.done(answer, pending)
        else:
            self._ask_again(pending, now)

    def _release_others(self, target: Target, answered: Pending) -> None:
        if target.parked is not None and answered in target.parked:
            target.parked.remove(answered)
        self._release(target)

    def _ask_again(self, pending: Pending, now: float) -> None:
        """The device's engine is known now, or known anew: the request itself can be sent, a bounded number of times."""
        target = pending.target
        if target.security.current(pending.data, now):
            # a Report's copy, or a device that reports what it was just told: sending the same again would change nothing
            self.counters.unexpected += 1
            pending.note = f"{target.address} reports its engine or time again and again"
            return
        pending.rediscoveries += 1
        if pending.rediscoveries > REDISCOVERIES:
            self._finish(pending, Timeout(f"{target.address} keeps changing its engine ID or clock"))
        else:
            pending.tries = 0
            self._dispatch(pending)

    def _wonder(self, source: tuple[str, int], garbage: bool, what: str) -> None:
        """Remember what answers nothing: should its sender stay silent otherwise, this is why."""
        if len(self._strange) >= _STRANGERS:
            self._strange.clear()
        self._strange[source[:2]] = (monotonic(), garbage, what)

    def _take_errors(self, sock: socket.socket) -> bool:
        """Fail the requests that ICMP errors answer; were there any?"""
        any_error = False
        for number, data, destination, own in sockets.queued_errors(sock):
            any_error = True
            try:
                pending = self._pending.get(message.peek_id(data))
            except DecodeError:  # many a router sends back no more than the UDP header
                pending = next((p for p in self._pending.values() if p.tries and p.target.sockaddr[:2] == destination), None)
            if pending is not None and number and pending.target.sockaddr[:2] == destination:
                self.counters.refused += 1
                self._soon(pending, _unreachable(pending.target, OSError(number, os.strerror(number)), own))
        return any_error

    # -- health and end

    def dropped(self) -> int:
        """Datagrams the kernel dropped because a receive buffer was full (Linux: /proc/net/udp; elsewhere 0)."""
        return sockets.dropped(self._sockets.values())

    def receive_buffer(self) -> int:
        """The smallest receive buffer in bytes that the kernel granted; 0 when no socket is open."""
        return min((s.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) for s in self._sockets.values()), default=0)

    @property
    def waiting(self) -> int:
        """Requests under way."""
        return len(self._pending)

    def close(self) -> None:
        """Close the sockets for good; requests under way end with a Timeout."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for sock in self._sockets.values():
            self.loop.remove_reader(sock)
            sock.close()
        self._sockets.clear()
        for pending in list(self._pending.values()):
            self._finish(pending, Timeout("the client was closed"))


def _same(source: tuple[str, int], target: Target) -> bool:
    """IPv6 sources bear flow and scope, which do not count."""
    return target.family == socket.AF_INET6 and (source[0].partition("%")[0], source[1]) == target.sockaddr[:2]


def _unreachable(target: Target, e: OSError, own: bool = False) -> Unreachable:
    said = f"{target.address} port {target.sockaddr[1]}: {e.strerror or e}"
    if own and e.errno == errno.ECONNREFUSED:
        return PortClosed(f"{said}: the machine is there, but nothing listens at this port")
    return Unreachable(said)
