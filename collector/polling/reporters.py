"""What is known of the machines that report by themselves: which report is the newest, what it says, who has fallen silent."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from dataclasses import replace as changed

from config import objects
from config.profiles import Profile
from snmp import ber, message
from snmp.message import VarBind
from snmp.notify import SYS_UP_TIME

from ..model import Block, Device, Facts, Outcome, State, Status
from .journal import Report
from .learn import columns
from .plan import arrange, snapshot

log = logging.getLogger(__name__)

MISSED = 2.0
"""Intervals without a report after which a machine counts as silent."""
_REASONS = next(item.choices for item in objects.REPORT.objects if item.fact == "reason")
_ENDINGS = {
    _REASONS.index("shutdown") + 1: "the machine was shut down",
    _REASONS.index("stopped") + 1: "its agent was stopped",
}
_KEPT = 4
_AHEAD = 60.0


@dataclass(slots=True)
class Whole:
    """A report as far as it is here: one of its parts without body, and the bodies, compressed, by number."""

    head: Report
    bodies: dict[int, bytes] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        return len(self.bodies) == self.head.parts

    def bindings(self) -> Iterator[VarBind]:
        """What it says."""
        for part in sorted(self.bodies):
            yield from message.decode_varbinds(zlib.decompress(self.bodies[part]))


class Reporter:
    """One machine that reports by itself. `heard` is when its last report came, by the event loop's clock."""

    def __init__(self, device: Device, profile: Profile) -> None:
        self.device = device
        self.profile = profile
        self.status = Status(State.UNKNOWN)
        self.heard = 0.0
        self.facts: Facts | None = None
        self._engine = b""
        self._fulls: dict[int, Whole] = {}
        self._newer: dict[int, Whole] = {}
        self._shown: Whole | None = None
        self._shown_at = 0.0

    @property
    def shown(self) -> Report | None:
        """The newest complete report, without body."""
        return None if self._shown is None else self._shown.head

    def take(self, report: Report, now: float) -> bool:
        """A part that was not known before: does it make a report complete that is newer than the one shown?"""
        if report.engine != self._engine:
            if self._engine:
                was = self._engine.hex()
                log.warning("another agent reports device=%s was=%s is=%s", self.device.id, was, report.engine.hex())
            self._engine, self._shown = report.engine, None
            self._fulls.clear()
            self._newer.clear()
        self.heard = now
        shown = self.shown
        newer = shown is None or report.first > shown.first
        if not (report.full or newer):
            return False
        whole = self._fulls.get(report.first) or self._newer.get(report.first) or Whole(report._replace(body=b""))
        if report.parts == whole.head.parts:
            whole.bodies[report.part] = zlib.compress(report.body, 1)
        if report.full:
            _keep(self._fulls, report.first, whole, spare=-1 if shown is None else shown.base)
        if newer:
            _keep(self._newer, report.first, whole)
        return self._advance()

    def _advance(self) -> bool:
        for first in sorted(self._newer, reverse=True):
            whole = self._newer[first]
            base = self._fulls.get(whole.head.base)
            if whole.complete and (whole.head.reason in _ENDINGS or (base is not None and base.complete)):
                self._shown = whole
                self._newer = {other: one for other, one in self._newer.items() if other > first}
                return True
        return False

    def render(self, now: float) -> tuple[Block | None, Facts | None]:
        """The newest report's values, and its facts when they are others than before; `now` in Unix seconds."""
        whole = self._shown
        if whole is None or whole.head.reason in _ENDINGS:
            self._stand(State.OFF, None if whole is None else _ENDINGS[whole.head.reason], now)
            return None, None
        head = whole.head
        found = {binding.oid: binding for binding in self._fulls[head.base].bindings()}
        if not head.full:
            found.update((binding.oid, binding) for binding in whole.bindings())
        found[SYS_UP_TIME] = VarBind(SYS_UP_TIME, ber.TIME_TICKS, head.uptime)
        cells = arrange(found.values(), columns(self.profile))
        # a clock set back, or wrong from the start, must not take a page into the past or the future
        when = float(head.time) if self._shown_at < head.time <= now else max(now, self._shown_at)
        self._shown_at = when
        block, facts = snapshot(self.profile, cells, when)
        ahead = head.time - head.received
        self._stand(State.UP, f"its clock is {ahead:.0f} s ahead" if ahead > _AHEAD else "", now)
        if facts == self.facts:
            return block, None
        self.facts = facts
        return block, facts

    def fell_silent(self, now: float, wall: float) -> bool:
        """Has it been silent for too long, for the first time? `now` by the event loop's clock, `wall` in Unix seconds."""
        shown = self.shown
        if self.status.state is not State.UP or shown is None or now - self.heard <= MISSED * shown.interval:
            return False
        self._stand(State.SILENT, f"no report for {now - self.heard:.0f} s, expected every {shown.interval} s", wall)
        return True

    def _stand(self, state: State, message: str | None, now: float) -> None:
        before = self.status
        received = None if self.shown is None else self.shown.received
        self.status = changed(
            before,
            state=state,
            outcome=Outcome.TIMEOUT if state is State.SILENT else Outcome.OK,
            since=before.since if before.state is state else now,
            answered=received or before.answered,
            message=message or "",
        )


def _keep(found: dict[int, Whole], first: int, whole: Whole, spare: int = -1) -> None:
    found[first] = whole
    while len(found) > _KEPT:
        del found[min(key for key in found if key != spare)]
