"""What is asked, of whom, and how a request stands: the client's nouns."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from .errors import SnmpError
from .message import Pdu, Request
from .security import Community, Security, Usm, secure
from .usm import User

__all__ = ["MAX_NAMES", "Counters", "Credential", "Done", "Line", "Pending", "Request", "SockAddr", "Target"]

Credential = Community | User
SockAddr = tuple[str, int] | tuple[str, int, int, int]
PATIENCE_FLOOR = 0.2
"""Seconds to wait for an answer at least. Not RFC 6298's second: an agent delays no acknowledgement, but weak ones think."""
MAX_NAMES = 24
"""Names in one request: with values of usual length the answer stays below 1,400 bytes."""
MAX_BACK_OFF = 4
"""Doublings that are kept from one request to the next."""


class Line(Protocol):
    """What lies between us and some devices. Sizes are octets of SNMP messages."""

    def pace(self, size: int) -> float:
        """Book a message to be sent: the seconds it must wait, 0 or less for none."""

    def carried(self, size: int) -> None:
        """A message came back."""


class Target:
    """One device as the client sees it: where it is, how to speak to it, and how fast it answers.

    The round trip is estimated as in RFC 6298 section 2 (seconds). `heard` is when it last answered (`time.monotonic`),
    `names` how many it was found to bear in one request; `sent` and `repeated` count the messages to it.
    """

    __slots__ = (
        "address", "back_off", "context", "credential", "family", "heard", "line", "names", "parked", "pilot", "repeated",
        "retries", "rttvar", "security", "sent", "sockaddr", "srtt", "timeout",
    )  # fmt: skip

    def __init__(
        self,
        address: str,
        port: int,
        credential: Credential,
        *,
        context: bytes = b"",
        timeout: float = 2.0,
        retries: int = 2,
        line: Line | None = None,
    ) -> None:
        self.locate(address, port)
        self.credential = credential
        self.context = context
        self.security: Security = secure(credential, context)
        self.timeout = timeout
        self.retries = retries
        self.line = line
        self.names = MAX_NAMES
        self.sent = 0
        self.repeated = 0
        self.srtt = 0.0
        self.rttvar = 0.0
        self.back_off = 0
        self.heard = float("-inf")
        self.pilot: Pending | None = None
        self.parked: list[Pending] | None = None

    def locate(self, address: str, port: int) -> None:
        """Set where the device is: an IPv4 or IPv6 address and a UDP port. At a name nothing is sent: look it up first."""
        self.address = address
        self.sockaddr: SockAddr = (address, port)
        self.family: int = socket.AF_INET
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            self.family = socket.AF_UNSPEC
            return
        if isinstance(found, ipaddress.IPv6Address):
            self.family = socket.AF_INET6
            self.sockaddr = (str(found).partition("%")[0], port, 0, _scope(found.scope_id))
        else:
            self.sockaddr = (str(found), port)

    def within(self, context: bytes) -> Target:
        """The same device in one of its contexts, with what is known of it and its line."""
        found = Target(
            self.address, self.sockaddr[1], self.credential,
            context=context, timeout=self.timeout, retries=self.retries, line=self.line,
        )  # fmt: skip
        if isinstance(self.security, Usm):
            found.security = self.security.within(context)
        found.names, found.srtt, found.rttvar = self.names, self.srtt, self.rttvar
        return found

    def measured(self, rtt: float) -> None:
        """Take a round trip in seconds into the estimate (RFC 6298 sections 2.2, 2.3)."""
        self.back_off = 0
        if self.srtt:
            self.rttvar += (abs(self.srtt - rtt) - self.rttvar) / 4
            self.srtt += (rtt - self.srtt) / 8
        else:
            self.srtt, self.rttvar = rtt, rtt / 2

    def unmeasured(self) -> None:
        """An answer came after a retry, nobody knows to which try (Karn's algorithm): wait longer until one can be measured
        (RFC 6298 section 5.7), or a device that became slower than the estimate would be asked twice for ever."""
        self.back_off = min(self.back_off + 1, MAX_BACK_OFF)

    def patience(self, tries: int = 1) -> float:
        """Seconds to wait for an answer to the try of this number: at first the estimate within [0.2 s, `timeout`],
        `timeout` when nothing is known, then twice as long each time (RFC 6298 section 5.5)."""
        first = self.timeout
        if self.srtt:
            first = min(max(self.srtt + 4 * self.rttvar, PATIENCE_FLOOR, 1.5 * self.srtt) * (1 << self.back_off), first)
        return first if tries == 1 else min(first * (1 << (tries - 1)), 4 * self.timeout)


@dataclass(slots=True)
class Counters:
    """What a client's sockets did since they were opened."""

    sent: int = 0
    received: int = 0
    retries: int = 0
    timeouts: int = 0
    refused: int = 0
    malformed: int = 0
    unexpected: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0


class Pending:
    """A request under way; `mark` is whatever number the asker gave it.

    `began` and `sent` are when it was sent first and last, 0 before; `waiting`: for room on its line; `note`: what came
    in its stead.
    """

    __slots__ = ("began", "data", "done", "due", "id", "mark", "note", "rediscoveries", "request", "sent", "target", "tries",
                 "waiting")  # fmt: skip

    def __init__(self, target: Target, request: Request, done: Done, request_id: int, mark: int) -> None:
        self.mark = mark
        self.target = target
        self.request = request
        self.done = done
        self.id = request_id
        self.tries = 0
        self.rediscoveries = 0
        self.began = 0.0
        self.sent = 0.0
        self.due = 0.0
        self.waiting = False
        self.data = b""
        self.note = ""


Done = Callable[[Pdu | SnmpError, Pending], None]


def _scope(name: str | None) -> int:
    """The number of an IPv6 zone, as in ``fe80::1%eth0``; 0 for none, and for one this machine does not have."""
    if not name:
        return 0
    try:
        return int(name) if name.isdecimal() else socket.if_nametoindex(name)
    except OSError:
        return 0
