"""When each device is asked: a cycle a unit, its devices spread over the interval, on a clock that nobody sets."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from math import ceil

from ..estate.states import behind_dead_line, judge, quiet
from ..model import Outcome, Sink, State, Status, Unit
from .watch import SPARED, Asking, Result, Watch

log = logging.getLogger(__name__)

SPREAD = 0.6
"""The part of the interval over which the devices' turns are spread; the rest is for slow answers."""
TICK = 0.05
"""Seconds. Turns of all units begin on the same ticks, so that the process wakes twenty times a second to send many requests
and take many answers, not once for each."""
HURRY = 5.0
"""Seconds over which a unit's very first turns are spread: whoever starts a collector waits for its pages."""


@dataclass(slots=True)
class Tally:
    """What happened so far, for the collector's own health page."""

    polls: int = 0
    cycles: int = 0
    overruns: int = 0
    failures: dict[str, int] = field(default_factory=dict)


class Cycle:
    """A unit's devices, asked once an interval. Times are the event loop's: a step of the wall clock changes nothing."""

    def __init__(self, unit: Unit, interval: float, asking: Asking, sinks: Sequence[Sink], tally: Tally) -> None:
        self.unit = unit
        self.interval = interval
        self.watches: list[Watch] = []
        self.seconds = 0.0
        """How long the last cycle took."""
        self.overruns = 0
        self._asking = asking
        self._sinks = sinks
        self._tally = tally
        self._loop = asking.client.loop
        self._timer: asyncio.TimerHandle | None = None
        self._started = 0.0
        self._spread = self.interval * SPREAD
        self._began = 0.0
        self._turns: list[Watch] = []
        self._awaited: set[str] = set()
        self._stepping = False
        self._scout = 0
        self._dead = False
        self._waiters: list[Callable[[], None]] = []

    def start(self, phase: float) -> None:
        """Begin soon; later cycles begin `phase` (0 to 1) of an interval after those of phase 0."""
        now = self._loop.time()
        self._started = now + (phase - 1 if phase > 0.5 else phase) * self.interval
        self._spread = min(HURRY, self.interval * SPREAD)
        self._timer = self._loop.call_later(phase * self._spread, self._begin)

    def stop(self) -> None:
        """Begin nothing more; what is under way is not awaited."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def when_done(self, call: Callable[[], None]) -> None:
        """Call once when the cycle under way, or else the next one, has ended."""
        self._waiters.append(call)

    # -- one cycle

    def _begin(self) -> None:
        if self._awaited:
            self._overrun()
        now = self._loop.time()
        if now - self._started > 2 * self.interval:  # the process stood still: do not hurry after what was missed
            self._started = now
        self._began = now
        self._turns = [watch for watch in self.watches if not watch.busy]
        self._awaited = {watch.device.id for watch in self._turns}
        self._stepping = True
        if self._dead and self._turns:
            # behind a dead line every device is spared but one scout, another each time
            self._scout += 1
            self._turns[self._scout % len(self._turns)].spared = 0
        self._step(0)

    def _step(self, at: int) -> None:
        """The turn of device `at`, and a timer for the next one."""
        if at < len(self._turns):
            watch = self._turns[at]
            if watch.spared > 0:
                watch.spared -= 1
                self._awaited.discard(watch.device.id)
            elif not watch.busy:
                self._asking.turn(watch, self._done)
        if at + 1 < len(self._turns):
            due = self._began + (at + 1) * self._spread / len(self._turns)
            self._timer = self._loop.call_at(on_tick(due), self._step, at + 1)
            return
        self._stepping = False
        self._started += self.interval
        self._spread = self.interval * SPREAD
        self._timer = self._loop.call_at(on_tick(self._started), self._begin)
        if not self._awaited:
            self._end()

    def _done(self, watch: Watch, result: Result) -> None:
        self._tally.polls += 1
        state = judge(result.outcome)
        if result.outcome is not Outcome.OK:
            self._tally.failures[result.outcome] = self._tally.failures.get(result.outcome, 0) + 1
        before = watch.status
        now = time.time()
        heard = result.duration is not None
        watch.status = Status(
            before.state if quiet(state) and quiet(before.state) else state,
            result.outcome,
            since=before.since if before.state is state else now,
            answered=now if heard else before.answered,
            answer_seconds=result.duration,
            requests=watch.requests,
            retries=watch.retries,
            message=result.message,
        )
        if quiet(state):
            watch.silent_turns += 1
            watch.spared = SPARED[min(watch.silent_turns, len(SPARED) - 1)]
        else:
            if watch.silent_turns:
                watch.silent_turns = 0
                self._line_returned()
            self._publish(watch, result)
        self._close(watch)

    def _publish(self, watch: Watch, result: Result | None = None) -> None:
        status, was = watch.status, watch.published
        watch.published = status.state
        # of a dead line one word is enough, and of a device that answers from the first none
        quietly = State.UNREACHABLE in (status.state, was) or (was, status.state) == (State.UNKNOWN, State.UP)
        if status.state is not was and not quietly:
            log.log(
                logging.INFO if status.state is State.UP else logging.WARNING,
                "device state=%s was=%s device=%s unit=%s address=%s reason=%r",
                status.state, was, watch.device.id, self.unit.id, watch.device.address, status.message,
            )  # fmt: skip
        for sink in self._sinks:
            sink.polled(watch.device, status, result.block if result is not None else None)
            if result is not None and result.facts is not None and result.outcome is Outcome.OK:
                sink.described(watch.device, result.facts)

    def _close(self, watch: Watch) -> None:
        if watch.device.id in self._awaited:
            self._awaited.discard(watch.device.id)
            if not self._awaited and not self._stepping:
                self._end()
        elif not self._awaited:
            self._end()  # asked out of turn, when its line returned

    def _end(self) -> None:
        """All were asked: judge the silent ones together, and let the unit's page be put together."""
        self._tally.cycles += 1
        self.seconds = self._loop.time() - self._began
        dead = behind_dead_line([watch.status for watch in self.watches])
        if dead is not self._dead:
            self._dead = dead
            if dead:
                log.warning("unit unreachable unit=%s devices=%d", self.unit.id, len(self.watches))
            else:
                log.info("unit reachable unit=%s", self.unit.id)
        for watch in self.watches:
            status = watch.status
            if not quiet(status.state):
                continue
            should = State.UNREACHABLE if dead else State.SILENT
            if status.state is not should:
                watch.status = replace(status, state=should, since=time.time())
            self._publish(watch)
        for sink in self._sinks:
            sink.cycled(self.unit.id)
        waiters, self._waiters = self._waiters, []
        for call in waiters:
            call()

    def _overrun(self) -> None:
        """The next cycle is due and some have not answered: theirs goes on beside it, there is never a pile-up."""
        late = [watch for watch in self.watches if watch.busy and watch.device.id in self._awaited]
        learning = sum(watch.plan is None for watch in late)
        if learning < len(late):
            self._tally.overruns += 1
            self.overruns += 1
            log.warning(
                "cycle overrun unit=%s interval=%gs unfinished=%d such_as=%s",
                self.unit.id, self.interval, len(late), ",".join(watch.device.id for watch in late[:3]),
            )  # fmt: skip
        self._awaited = set()
        self._end()

    def _line_returned(self) -> None:
        """A silent device answered: if it is its line that is back, the others will answer too, so ask them at once."""
        for watch in self.watches:
            watch.spared = 0
            if self._dead and not watch.busy and quiet(watch.status.state):
                self._asking.turn(watch, self._done)
        self._dead = False


def on_tick(when: float) -> float:
    """The first tick not before a time."""
    return ceil(when / TICK) * TICK
