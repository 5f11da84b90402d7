"""Ports that run worse than they did, or than both ends of their cable can. Pure: links, states and histories in, flaws out.

A computer asleep keeps its link at 10 or 100 Mbit/s to save power: a cable is judged while both its ends answer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, tzinfo
from enum import StrEnum
from typing import NamedTuple

from ..model import Block, Finding, Survey
from .ledger import Fact
from .links import Kept

HELD = 3600.0
"""Seconds for which a port must have had a speed for it to count as its own."""
REMEMBERED = 365 * 86400.0
"""Seconds after which a past is past."""
SETTLED = 3 * 86400.0
"""Seconds after which a slower speed counts where nobody knows who hangs on the port."""

Port = tuple[str, str]
"""Device and interface."""


class Flaw(StrEnum):
    """What is wrong with a port."""

    PAST = "past"
    ALLOWED = "allowed"
    PEER = "peer"
    HALF = "half_duplex"
    MISMATCH = "duplex_mismatch"


class Standing(NamedTuple):
    """How a port stands. Speeds in bits a second; `able` what it can, `offered` what the other end says it can; None or
    0: not known."""

    up: bool | None = None
    speed: int | None = None
    full: bool | None = None
    able: int | None = None
    offered: int | None = None


class Flawed(NamedTuple):
    """A flaw of a port: what was to be expected, what is, since when, and what is at the other end as far as known."""

    device: str
    port: str
    flaw: Flaw
    expected: int = 0
    observed: int = 0
    since: float | None = None
    remote: str = ""
    remote_port: str = ""


_METRICS = {
    "haidang_interface_up": 0,
    "haidang_interface_speed_bytes_per_second": 1,
    "haidang_interface_full_duplex": 2,
    "haidang_interface_speed_limit_bytes_per_second": 3,
    "haidang_interface_partner_limit_bytes_per_second": 4,
}


def standings(block: Block, survey: Survey | None = None) -> dict[str, Standing]:
    """How the ports of a device stand after a poll, and what its last survey says they can."""
    rows: dict[str, list[float | None]] = {}
    for series, value in zip(block.layout.series, block.values, strict=False):
        place = _METRICS.get(series.metric)
        if place is not None and value is not None:
            rows.setdefault(dict(series.labels).get("interface", ""), [None] * 5)[place] = value
    able: Mapping[str, int] = survey.able if survey is not None else {}
    offered: Mapping[str, int] = survey.offered if survey is not None else {}
    return {
        port: Standing(
            None if up is None else bool(up),
            None if speed is None else int(speed * 8),
            None if full is None else bool(full),
            able.get(port) or (int(limit * 8) if limit else None),
            offered.get(port) or (int(partner * 8) if partner else None),
        )
        for port, (up, speed, full, limit, partner) in rows.items()
    }


def flaws(
    links: Iterable[Kept],
    ports: Mapping[Port, Standing],
    past: Mapping[Port, Sequence[Fact]],
    answering: Collection[str],
    when: float,
) -> list[Flawed]:
    """What is wrong with these ports. Of a cable, the end nearer to the machine is named; `past` are the speeds a port had,
    oldest first."""
    ends: dict[Port, list[Kept]] = defaultdict(list)
    for kept in links:
        link = kept.link
        if link.how != "arp":
            ends[link.device, link.port].append(kept)
            if link.remote and link.remote_port:
                ends[link.remote, link.remote_port].append(kept)
    found: dict[Port, list[Flawed]] = {}
    for port, standing in ports.items():
        if port[0] in answering and standing.up is not False and port[1]:
            found[port] = list(_judge(port, standing, ends.get(port, []), ports, past, answering, when))
    return [one for port, some in sorted(found.items()) for one in some if not _told_below(one, ends.get(port, []), found)]


def _judge(
    port: Port,
    standing: Standing,
    kept: Sequence[Kept],
    ports: Mapping[Port, Standing],
    past: Mapping[Port, Sequence[Fact]],
    answering: Collection[str],
    when: float,
) -> Iterable[Flawed]:
    direct = _direct(port, kept)
    other = _other(port, direct) if direct is not None else ("", "")
    if other[0] and other[0] not in answering:
        return
    beyond = ports.get(other)
    if standing.full is False:
        mismatch = beyond is not None and beyond.full is True
        yield Flawed(*port, Flaw.MISMATCH if mismatch else Flaw.HALF, remote=other[0], remote_port=other[1])
    now = standing.speed
    if not now:
        return
    since = _since(past.get(port, ()), now)
    before = _before(past.get(port, ()), now, min((one.first_seen for one in kept), default=0.0), when)
    if not kept and before and when - (since or when) < SETTLED and not _is_station(port, ports):
        before = 0
    able = standing.able or (beyond.offered if beyond is not None else None) or 0
    offered = standing.offered or (beyond.able if beyond is not None else None) or 0
    if before:
        yield Flawed(*port, Flaw.PAST, before, now, since, *other)
    elif min(able, offered) > now:
        yield Flawed(*port, Flaw.ALLOWED, min(able, offered), now, since, *other)
    elif beyond is not None and beyond.speed and beyond.up is not False and beyond.speed > now:
        yield Flawed(*port, Flaw.PEER, beyond.speed, now, since, *other)


def _direct(port: Port, kept: Sequence[Kept]) -> Kept | None:
    """The one link of a port with nothing known to stand between its ends."""
    return kept[0] if len(kept) == 1 and not kept[0].link.via else None


def _other(port: Port, kept: Kept) -> Port:
    link = kept.link
    return (link.remote, link.remote_port) if port == (link.device, link.port) else (link.device, link.port)


def _is_station(port: Port, ports: Mapping[Port, Standing]) -> bool:
    """Is it one of few ports, as a computer's: nobody else can hang on it?"""
    return sum(device == port[0] for device, _ in ports) <= 4


def _since(facts: Sequence[Fact], now: int) -> float | None:
    """Since when a port has the speed it has; None when that is not written down yet."""
    open_ = [fact for fact in facts if fact.ended is None]
    return open_[-1].first_seen if open_ and open_[-1].value == str(now) else None


def _before(facts: Sequence[Fact], now: int, linked: float, when: float) -> int:
    """The best speed that a port held, on the same cable; 0 when that was no better."""
    held = [
        int(fact.value)
        for fact in facts
        if fact.ended is not None and fact.ended > max(linked, when - REMEMBERED) and fact.ended - fact.first_seen >= HELD
        if fact.value.isdecimal()
    ]
    best = max(held, default=0)
    return best if best > now else 0


def _told_below(one: Flawed, kept: Sequence[Kept], found: Mapping[Port, Sequence[Flawed]]) -> bool:
    """Is the same told of the other end, the machine's own?"""
    direct = _direct((one.device, one.port), kept)
    if direct is None or (one.device, one.port) != (direct.link.device, direct.link.port):
        return False
    speed = one.flaw in (Flaw.PAST, Flaw.ALLOWED, Flaw.PEER)
    below = found.get((direct.link.remote, direct.link.remote_port), ())
    return any(speed == (other.flaw in (Flaw.PAST, Flaw.ALLOWED, Flaw.PEER)) for other in below)


def finding(flawed: Flawed, zone: tzinfo) -> Finding:
    """A flaw in words; times in the zone given."""
    since = f" since {datetime.fromtimestamp(flawed.since, zone):%Y-%m-%d}" if flawed.since is not None else ""
    observed = f"{bits(flawed.observed)}{since}" if flawed.observed else "half duplex"
    expected = {
        Flaw.PAST: f"{bits(flawed.expected)}, as before",
        Flaw.ALLOWED: f"{bits(flawed.expected)}, which both ends can",
        Flaw.PEER: f"{bits(flawed.expected)}, as at the other end",
        Flaw.HALF: "full duplex",
        Flaw.MISMATCH: "full duplex, as at the other end",
    }[flawed.flaw]
    fix = {
        Flaw.PAST: "likely the cable or a plug: a gigabit needs all four pairs; try another cable, then another port",
        Flaw.ALLOWED: "likely the cable or a plug: a gigabit needs all four pairs; or one end is set to a fixed speed",
        Flaw.PEER: "something stands between that neither end tells of: a small switch, a telephone or a converter",
        Flaw.HALF: "let both ends negotiate; replace a hub",
        Flaw.MISMATCH: "one end is set by hand and the other negotiates: let both negotiate",
    }[flawed.flaw]
    other = f"{flawed.remote} {flawed.remote_port}".strip()
    evidence = (f"port {flawed.port}", *((f"other end: {other}",) if other else ()))
    return Finding(f"port.{flawed.flaw}", flawed.device, "failed", expected, f"{flawed.port}: {observed}", fix, evidence)


def bits(rate: float) -> str:
    """A speed as it stands on the box."""
    for unit, size in (("Gbit/s", 1e9), ("Mbit/s", 1e6)):
        if rate >= size:
            return f"{rate / size:g} {unit}"
    return f"{rate:g} bit/s"
