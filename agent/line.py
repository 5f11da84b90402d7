"""The line to the collector, measured: round trip, jitter and loss by small packets, throughput by a short paced transfer."""

from __future__ import annotations

import itertools
import os
import select
import socket
import statistics
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from snmp.notify import RETRY, InformSession, Notification
from snmp.oid import OID
from snmp.usm import User

from .portal import Portal

PROBES, APART, PATIENCE = 20, 0.1, 2.0
"""Packets of a test, seconds between two, and seconds an answer may take."""
PATH = "/agents/line"
_PIECE = 1 << 13
_NOTHING = Notification(OID((1, 3, 6, 1, 6, 3, 1, 1, 5, 1)), 0, ())


class Packets(NamedTuple):
    """How packets fared. Times in seconds, None when no packet, or too few, came back."""

    round_trip: float | None
    jitter: float | None
    loss: float


def packets(to: tuple[str, int], count: int = PROBES, apart: float = APART, patience: float = PATIENCE) -> Packets:
    """Send SNMP engine discoveries (RFC 3414 section 4), which a collector answers at once and without work.

    The median round trip; jitter is the mean difference between successive round trips (RFC 3550 section 6.4.1's measure).
    """
    family = socket.AF_INET6 if ":" in to[0] else socket.AF_INET
    sent: list[tuple[InformSession, float]] = []
    trips: dict[int, float] = {}
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        began = time.monotonic()
        sock.connect(to)
        while len(trips) < count:
            now = time.monotonic()
            due = began + len(sent) * apart
            if len(sent) < count and now >= due:
                session = InformSession(User(b"line"))
                try:
                    sock.send(session.request(len(sent) + 1, _NOTHING, now))
                except OSError:
                    pass  # lost, like those that are lost further on
                sent.append((session, now))
                continue
            wait = (due if len(sent) < count else sent[-1][1] + patience) - now
            if len(sent) == count and wait <= 0:
                break
            if select.select([sock], [], [], max(wait, 0.0))[0]:
                _take(sock, sent, trips)
    found = [trips[n] for n in sorted(trips)]
    jumps = [abs(after - before) for before, after in itertools.pairwise(found)]
    return Packets(
        statistics.median(found) if found else None, statistics.mean(jumps) if jumps else None, 1 - len(found) / count
    )


def _take(sock: socket.socket, sent: list[tuple[InformSession, float]], trips: dict[int, float]) -> None:
    try:
        data = sock.recv(65535)
    except OSError:
        return  # nobody listens there
    now = time.monotonic()
    for n, (session, when) in enumerate(sent):
        if n not in trips and session.receive(data, now) is RETRY:
            trips[n] = now - when
            return


def download(portal: Portal, seconds: float) -> float | None:
    """Bits a second from the collector; None when too little came to tell. What has not come after so many seconds is left."""
    came: list[tuple[float, int]] = []
    size = 0
    with portal.download(PATH, _PIECE) as pieces:
        for piece in pieces:
            size += len(piece)
            came.append((time.monotonic(), size))
            if came[-1][0] - came[0][0] > seconds:
                break
    return _rate(came)


def _rate(came: Sequence[tuple[float, int]]) -> float | None:
    """Bits a second, from when how many octets were there in all. The first quarter does not count: in it TCP finds out, by
    losses, how much the line bears; and what comes first tells nothing of how long it took."""
    if not came:
        return None
    last, size = came[-1]
    first, before = next(one for one in came if one[1] * 4 >= size)
    return (size - before) * 8 / (last - first) if last > first else None


def upload(portal: Portal, seconds: float, most: int, rate: float | None = None) -> float | None:
    """Bits a second to the collector, by its own account; for so many seconds and bytes at most, paced to `rate` bits/s."""

    def pieces() -> Iterator[bytes]:
        began, size = time.monotonic(), 0
        while size < most and (passed := time.monotonic() - began) < seconds:
            if rate and (ahead := size * 8 / rate - passed) > 0:
                time.sleep(ahead)
            yield os.urandom(min(_PIECE, most - size))
            size += _PIECE

    answer = portal.upload(PATH, pieces())
    size, took = answer.get("bytes"), answer.get("seconds")
    if not isinstance(size, int) or not isinstance(took, int | float) or not took > 0:
        return None
    return size * 8 / took
