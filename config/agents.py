"""What the settings say of the workstations' agents: `[agents]`."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time
from typing import Any
from urllib.parse import urlsplit

from .secrets import Secret
from .tables import Address, Key, Table, address, bandwidth, duration, expected, whole

PORT = 9162
"""Where agents' reports come in unless told otherwise (UDP)."""
LOOPBACK = ("localhost", "127.0.0.1", "::1")
"""Hosts to which keys may go in the clear, since they do not leave the machine."""
_LEAST_KEY = 32
_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)\Z")


@dataclass(frozen=True, slots=True)
class Hours:
    """A part of every day by the local clock; one whose end is before its start goes over midnight."""

    start: time
    end: time

    def holds(self, now: time) -> bool:
        """Is this time within it?"""
        if self.start <= self.end:
            return self.start <= now < self.end
        return now >= self.start or now < self.end


@dataclass(frozen=True, slots=True)
class Agents:
    """How agents are received, and what they are told. Durations are seconds.

    Without `listen` none are received. `url` is where they enrol, empty: where the pages are. `collectors` is where they send to;
    empty: the host they enrolled at. Every unit's line is tested each `line_test_every` (0: never), within the hours, for at most
    `line_test_seconds` a way, with `line_test_bytes` in all, at `line_test_rate` bits a second at most.
    """

    listen: Address | None
    url: str
    collectors: tuple[Address, ...]
    key: Secret | None
    interval: float
    check_in: float
    line_test_every: float
    line_test_hours: Hours | None
    line_test_seconds: float
    line_test_bytes: int
    line_test_rate: int | None


def _addresses(found: Any) -> tuple[Address, ...]:
    what = 'a list of addresses as the offices see them, such as ["10.1.2.3:9162"]'
    if not isinstance(found, list) or not found:
        raise expected(found, what)
    read = address(PORT)
    places = tuple(read(item) for item in found)
    for place in places:
        try:
            host = ipaddress.ip_address(place.host)
        except ValueError:
            raise ValueError(f"found {place.host!r}, expected an IP address: an office's name service may be away") from None
        if host.is_unspecified:
            raise ValueError(f"found {place.host!r}, expected an address that offices can send to")
    if len(set(places)) != len(places):
        raise ValueError("names a collector twice; keep one")
    return places


def _url(found: Any) -> str:
    what = 'where agents find the web server, such as "https://collector.example.vn:9715"'
    try:
        parts = urlsplit(found) if isinstance(found, str) else None
        plain = parts is not None and parts.hostname and (parts.port or 1) and "@" not in parts.netloc
    except ValueError:
        parts = None
    if parts is None or not plain or parts.scheme not in ("http", "https") or parts.path.strip("/") or parts.query:
        raise expected(found, what)
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise ValueError(f"found {found!r}, expected https: keys go to agents this way")
    return f"{parts.scheme}://{parts.netloc}"


def _hours(found: Any) -> Hours:
    match = _CLOCK.match(found) if isinstance(found, str) else None
    if match is None:
        raise expected(found, 'hours of the day, such as "07:00-17:00"')
    first, second, third, fourth = (int(part) for part in match.groups())
    hours = Hours(time(first, second), time(third, fourth))
    if hours.start == hours.end:
        raise expected(found, 'hours of the day that have an end, such as "07:00-17:00"; for no tests line_test_every = 0')
    return hours


def _key(found: Secret) -> Secret:
    if len(found) < _LEAST_KEY:
        raise ValueError(f"has {len(found)} octets, expected at least {_LEAST_KEY} from a good source of randomness")
    return found


def _seldom(found: Any) -> float:
    return 0.0 if found == 0 and not isinstance(found, bool) else duration(600, 30 * 86400)(found)


KEYS: Mapping[str, Key] = {
    "listen": Key(address(PORT)),
    "url": Key(_url, ""),
    "collectors": Key(_addresses, ()),
    "key": Key(_key, secret=True),
    "interval": Key(duration(10, 86400), 600.0),
    "check_in": Key(duration(60, 7 * 86400), 3600.0),
    "line_test_every": Key(_seldom, 86400.0),
    "line_test_hours": Key(_hours),
    "line_test_seconds": Key(duration(1, 30), 4.0),
    "line_test_bytes": Key(whole(10_000, 1_000_000_000), 5_000_000),
    "line_test_rate": Key(bandwidth),
}


def read(table: Table) -> Agents:
    """The settings of the table."""
    return Agents(**table.take(KEYS))
