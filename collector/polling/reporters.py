"""What is known of the machines that report by themselves: which report is the newest, what it says, who has fallen silent."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from config.profiles import Profile
from snmp import ber, message
from snmp.errors import SnmpError
from snmp.message import VarBind
from snmp.notify import SYS_UP_TIME

from ..errors import ReceiveError
from ..estate.states import behind_dead_line, quiet
from ..model import Block, Device, Facts, Outcome, State, Status
from .learn import columns
from .plan import arrange, snapshot
from .report import REASONS, TOLERATED, Late, Report

log = logging.getLogger(__name__)

MISSED = 2.0
"""Intervals without a report after which a machine counts as silent."""
SEEN = 120.0
"""Seconds a report stands on its page before one may take it that every Prometheus has read it."""
CARRY, _CARRIED = 240.0, 0.9
"""Prometheus shows no value older than five minutes: a report's values are said again in steps of so many seconds, for that part
of the interval, in which no other report can have been made."""
_ENDINGS = {
    REASONS.index("shutdown") + 1: "the machine was shut down",
    REASONS.index("outage") + 1: "the machine lost its mains power and was shut down",
    REASONS.index("stopped") + 1: "its agent was stopped",
}
_KEPT = 4
_TRACKS = 3


def stamps(time: float, interval: float, until: float = float("inf")) -> Iterator[float]:
    """The times at which a report's values count, in Unix seconds: that of the report first. `until`: the next report's, which
    stands for both when they are of the same second."""
    if time < until:
        yield time
    end = min(until, time + interval * _CARRIED)
    while (time := time + CARRY) < end:
        yield time


def understood(profile: Profile, base: Iterable[bytes], bodies: Iterable[bytes], head: Report) -> tuple[Block, Facts]:
    """What a report says together with the full report it differs from, at its own time; raises snmp.errors.DecodeError."""
    found = {binding.oid: binding for body in base for binding in message.decode_varbinds(body)}
    if not head.full:
        found.update((binding.oid, binding) for body in bodies for binding in message.decode_varbinds(body))
    found[SYS_UP_TIME] = VarBind(SYS_UP_TIME, ber.TIME_TICKS, head.uptime)
    return snapshot(profile, arrange(found.values(), columns(profile)), head.time)


def late_blocks(profile: Profile, late: Late) -> list[Block]:
    """The values of a report that no page has shown, as the page would have; none of a farewell or of one that lacks parts.

    Raises ReceiveError for objects that cannot be read.
    """
    if not late.bodies or late.head.reason in _ENDINGS:
        return []
    try:
        block, _ = understood(profile, late.base, late.bodies, late.head)
    except SnmpError as error:
        raise ReceiveError(f"the objects of a report cannot be read: {error}") from error
    return [block._replace(time=time) for time in stamps(late.head.time, late.head.interval, late.until)]


@dataclass(slots=True)
class Whole:
    """A report as far as it is here: one of its parts without body, and the bodies by number, compressed where they stay long."""

    head: Report
    bodies: dict[int, bytes] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        return len(self.bodies) == self.head.parts

    def texts(self) -> Iterator[bytes]:
        """Its parts' bodies, in order."""
        for part in sorted(self.bodies):
            body = self.bodies[part]
            yield zlib.decompress(body) if self.head.full else body


class Track:
    """The reports of one lineage of one agent's names."""

    __slots__ = ("engine", "fulls", "heard", "missed", "newer", "shown")

    def __init__(self, engine: bytes) -> None:
        self.engine = engine
        self.heard = 0.0
        self.fulls: dict[int, Whole] = {}
        self.newer: dict[int, Whole] = {}
        self.shown: Whole | None = None
        self.missed: list[Report] = []

    def take(self, report: Report) -> bool:
        """Does this part make a report complete that is newer than the one shown?"""
        head = self.shown.head if self.shown is not None else None
        newer = head is None or report.first > head.first
        if head is not None and report.first < head.first:
            self.missed.append(report._replace(body=b""))
        if not (newer or report.full):
            return False
        whole = self.fulls.get(report.first) or self.newer.get(report.first) or Whole(report._replace(body=b""))
        if report.parts == whole.head.parts:
            whole.bodies[report.part] = zlib.compress(report.body, 1) if whole.head.full else report.body
        if report.full:
            _keep(self.fulls, report.first, whole, spare=-1 if head is None else head.base)
        if newer:
            _keep(self.newer, report.first, whole)
        return self._advance()

    def _advance(self) -> bool:
        for first in sorted(self.newer, reverse=True):
            whole = self.newer[first]
            base = self.fulls.get(whole.head.base)
            if whole.complete and (whole.head.reason in _ENDINGS or (base is not None and base.complete)):
                self.missed += [one.head for other, one in self.newer.items() if other < first]
                self.newer = {other: one for other, one in self.newer.items() if other > first}
                self.shown = whole
                return True
        return False


class Reporter:
    """One machine that reports by itself. Times of `now` are the event loop's clock, `wall` is Unix seconds.

    Two machines may report as one user, when a disk was copied: the one that was there first stays, for as long as it reports.
    """

    def __init__(self, device: Device, profile: Profile) -> None:
        self.device = device
        self.profile = profile
        self.status = Status(State.UNKNOWN)
        self._described = 0
        self.missed: list[Report] = []
        """Reports that no page has shown, and none will, until whoever keeps them takes them from here."""
        self.settled: list[Report] = []
        """Reports that became the newest of their agent, likewise."""
        self._tracks: dict[int, Track] = {}
        self._lineage = 0
        self._warning = ""
        self._warned = float("-inf")
        self._refused = ""
        self._refused_at = float("-inf")
        self._showing_since = float("-inf")
        self._block: Block | None = None
        self._stamps: Iterator[float] = iter(())
        self._next_stamp = float("inf")

    @property
    def shown(self) -> Report | None:
        """The newest complete report, without body."""
        track = self._tracks.get(self._lineage)
        return None if track is None or track.shown is None else track.shown.head

    @property
    def heard(self) -> float:
        """When its last report came."""
        track = self._tracks.get(self._lineage)
        return float("-inf") if track is None else track.heard

    def take(self, report: Report, now: float) -> bool:
        """A part that was not known before: does it make a report complete that is newer than the one shown?"""
        track = self._tracks.get(report.lineage)
        if track is None:
            track = self._tracks[report.lineage] = Track(report.engine)
            while len(self._tracks) > _TRACKS:
                del self._tracks[next(key for key in self._tracks if key not in (self._lineage, report.lineage))]
        track.heard = now
        if report.lineage != self._lineage and not self._turn(report.lineage, now):
            if track.take(report) and track.shown is not None:
                self.settled.append(track.shown.head)
            track.missed.clear()
            return False
        before = track.shown
        if not track.take(report):
            self._miss(track)
            return False
        if before is not None and now - self._showing_since < SEEN:
            track.missed.append(before.head)
        self._miss(track)
        self._showing_since = now
        if track.shown is not None:
            self.settled.append(track.shown.head)
        return True

    def _miss(self, track: Track) -> None:
        self.missed += track.missed
        track.missed.clear()

    def _turn(self, lineage: int, now: float) -> bool:
        """Believe another lineage than until now?"""
        before, other = self._tracks.get(self._lineage), self._tracks[lineage]
        if before is not None and before.shown is not None:
            head = before.shown.head
            if before.engine == other.engine:
                self._warn("its names of reports went back: restored from an image, or two machines with one identity", now)
            elif head.reason not in _ENDINGS and now - before.heard <= MISSED * head.interval:
                self._warn(f"another machine reports as the same user: engine {other.engine.hex()}", now)
                return False
            else:
                log.info("another agent device=%s was=%s is=%s", self.device.id, before.engine.hex(), other.engine.hex())
        self._lineage = lineage
        return True

    def _warn(self, text: str, now: float) -> None:
        if text != self._warning or now - self._warned > 3600:
            log.warning("device=%s trouble=%r", self.device.id, text)
        self._warning, self._warned = text, now

    def render(self, now: float, wall: float) -> tuple[Block | None, Facts | None]:
        """The newest report's values, and its facts when what does not move all the time is other than before."""
        track = self._tracks.get(self._lineage)
        whole = None if track is None else track.shown
        self._block, self._next_stamp = None, float("inf")
        if track is None or whole is None or whole.head.reason in _ENDINGS:
            self._stand(State.OFF, None if whole is None else _ENDINGS[whole.head.reason], wall)
            return None, None if track is None or whole is None else self._before_its_end(track, whole.head)
        head = whole.head
        try:
            block, facts = understood(self.profile, track.fulls[head.base].texts(), whole.texts(), head)
        except SnmpError as error:
            self._stand(State.GARBLED, f"its report cannot be read: {error}", wall)
            return None, None
        self._stand(State.UP, self._remark(head, now), wall)
        self._block, self._stamps = block, stamps(head.time, head.interval)
        self._next_stamp = next(self._stamps)
        return self.carried(wall) or block, self._news(facts)

    def _before_its_end(self, track: Track, head: Report) -> Facts | None:
        """What a machine is that is off, when nothing was said of it since the collector's start."""
        base = track.fulls.get(head.base)
        if self._described or base is None or not base.complete:
            return None
        try:
            return self._news(understood(self.profile, base.texts(), (), base.head)[1])
        except SnmpError:
            return None

    def _news(self, facts: Facts) -> Facts | None:
        before, self._described = self._described, hash(_standing(facts))
        return facts if self._described != before else None

    def _remark(self, head: Report, now: float) -> str:
        if now - self._warned <= MISSED * head.interval:
            return self._warning
        if abs(head.ahead) <= TOLERATED:
            return ""
        return f"its clock is {abs(head.ahead):.0f} s {'ahead' if head.ahead > 0 else 'behind'}"

    def carried(self, wall: float) -> Block | None:
        """The shown values at the latest of their `stamps` that has come, once for each."""
        found = None
        if self._block is not None and self.status.state is State.UP:
            while self._next_stamp <= wall:
                found = self._block._replace(time=self._next_stamp)
                self._next_stamp = next(self._stamps, float("inf"))
        return found

    def refused(self, why: str, now: float) -> None:
        """Somebody sends reports as this machine's user that are not signed with its keys."""
        self._refused, self._refused_at = why, now

    def fell_silent(self, now: float, wall: float) -> bool:
        """Has it been silent, or refused, for too long, for the first time?"""
        shown = self.shown
        expected = shown.interval if shown is not None else 0
        refused = now - self._refused_at <= MISSED * max(expected, 600)
        if shown is None:
            if self.status.state is not State.UNKNOWN or not refused:
                return False
        elif self.status.state not in (State.UP, State.GARBLED) or now - self.heard <= MISSED * expected:
            return False
        silence = f"no report for {now - self.heard:.0f} s, expected every {expected} s"
        self._stand(State.REFUSED if refused else State.SILENT, self._refused if refused else silence, wall)
        self._block = None
        return True

    def _stand(self, state: State, message: str | None, wall: float) -> None:
        before = self.status
        received = None if self.shown is None else self.shown.received
        outcomes = {State.SILENT: Outcome.TIMEOUT, State.REFUSED: Outcome.AUTH, State.GARBLED: Outcome.MALFORMED}
        self.status = replace(
            before,
            state=state,
            outcome=outcomes.get(state, Outcome.OK),
            since=before.since if before.state is state else wall,
            answered=received or before.answered,
            message=message or "",
        )


def _standing(facts: Facts) -> object:
    """The facts without what is measured: load, space used, levels, temperatures, uptime."""
    return (
        replace(facts, uptime_seconds=None, sensors=(), processors=(), memory=(), storage=(), supplies=()),
        tuple((sensor.kind, sensor.name) for sensor in facts.sensors),
        tuple((supply.kind, supply.name) for supply in facts.supplies),
        tuple(one.name for one in facts.processors),
        tuple((one.name, one.size_bytes, one.kind) for one in (*facts.memory, *facts.storage)),
    )


def stand_together(members: Sequence[Reporter], others: Sequence[Status], wall: float) -> list[Reporter]:
    """Judge a unit's silent machines together with its `others`; those that stand otherwise now. Behind a dead line nothing is
    known of a machine."""
    should = State.UNREACHABLE if behind_dead_line([*(one.status for one in members), *others]) else State.SILENT
    moved = [one for one in members if quiet(one.status.state) and one.status.state is not should]
    for one in moved:
        one.status = replace(one.status, state=should, since=wall)
    return moved


def _keep(found: dict[int, Whole], first: int, whole: Whole, spare: int = -1) -> None:
    found[first] = whole
    while len(found) > _KEPT:
        del found[min(key for key in found if key != spare)]
