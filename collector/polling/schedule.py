"""When each device is asked: a cycle a unit, its devices spread over the interval, on a clock that nobody sets."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import ceil
from statistics import median

from ..estate.states import behind_dead_line, cut_off, judge, quiet
from ..model import Outcome, Sink, State, Status, Unit
from .watch import Asking, Result, Watch

log = logging.getLogger(__name__)

SPREAD = 0.6
"""The part of the interval over which the devices' turns are spread; the rest is for slow answers."""
TICK = 0.05
"""Seconds. Turns of all units begin on the same ticks, so that the process wakes twenty times a second to send many requests
and take many answers, not once for each."""
HURRY = 5.0
"""Seconds over which a unit's very first turns are spread at least: whoever starts a collector waits for its pages."""
HURRY_SHARE = 0.45
"""The part of the interval they take at most: the units begin one after another within the same time, so that all are
asked once within an interval."""
SPARED = (0, 0, 1, 2, 4, 8)
"""Turns that a device is left out after so many silent ones in a row; the last figure holds from then on."""


@dataclass(slots=True)
class Tally:
    """What happened so far, for the collector's own health page."""

    cycles: int = 0
    overruns: int = 0
    failures: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Figures:
    """What a unit's cycles were like: counts since the start; seconds, median answer time and the part of the messages to
    answering devices that had to be repeated, in the last cycle; None: nothing answered."""

    cycles: int = 0
    overruns: int = 0
    requests: int = 0
    retries: int = 0
    seconds: float = 0.0
    answer_seconds: float | None = None
    loss: float | None = None


class Cycle:
    """A unit's devices, asked once an interval. Times are the event loop's: a step of the wall clock changes nothing."""

    def __init__(self, unit: Unit, interval: float, asking: Asking, sinks: Sequence[Sink], tally: Tally) -> None:
        self.unit = unit
        self.interval = interval
        self.watches: list[Watch] = []
        self.parents: Mapping[str, str] = {}
        """What each device hangs on, as far as is known."""
        self.others: Callable[[str], Sequence[Status]] = lambda unit: ()
        """How the machines of a unit stand that report by themselves."""
        self.figures = Figures()
        self._asking = asking
        self._sinks = sinks
        self._tally = tally
        self._loop = asking.client.loop
        self._timer: asyncio.TimerHandle | None = None
        self._started = 0.0
        self._spread = self.interval * SPREAD
        self._began = 0.0
        self._turns: list[Watch] = []
        self._awaited: set[int] = set()
        self._answers: list[float] = []
        self._sent = self._repeated = 0
        self._stepping = False
        self._stopped = False
        self._scout = 0
        self._dead = False
        self._waiters: list[Callable[[], None]] = []

    def start(self, phase: float, hurry: float = HURRY) -> None:
        """Begin soon, within `hurry` seconds; later cycles begin `phase` (0 to 1) of an interval after those of phase 0."""
        now = self._loop.time()
        self._spread = min(hurry, self.interval * HURRY_SHARE)
        in_time = phase * self.interval > 1.2 * (1 + phase) * self._spread  # the second cycle finds the first one ended
        self._started = now + (phase - 1 if in_time else phase) * self.interval
        self._timer = self._loop.call_later(phase * self._spread, self._begin)

    def settle(self, unit: Unit, interval: float, watches: list[Watch]) -> None:
        """Take (new) settings; what is under way goes on."""
        self.unit = unit
        self.watches = watches
        if interval == self.interval:
            return
        self.interval = interval
        if not self.figures.cycles:
            return
        self._spread = interval * SPREAD
        if self._timer is not None and not self._stepping:
            self._started = min(self._started, self._loop.time() + interval)
            self._timer.cancel()
            self._timer = self._loop.call_at(on_tick(self._started), self._begin)

    def stop(self) -> None:
        """Begin nothing more; what is under way is not awaited, and nothing is made of it."""
        self._stopped = True
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
        self._began = self._loop.time()
        self._turns = [watch for watch in self.watches if not watch.busy]
        self._awaited = {id(watch) for watch in self._turns}
        self._answers, self._sent, self._repeated = [], 0, 0
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
            if watch.gone or watch.spared > 0:
                watch.spared = max(0, watch.spared - 1)
                self._awaited.discard(id(watch))
            elif not watch.busy:
                self._asking.turn(watch, self._done)
        if at + 1 < len(self._turns):
            due = self._began + (at + 1) * self._spread / len(self._turns)
            self._timer = self._loop.call_at(on_tick(due), self._step, at + 1)
            return
        self._stepping = False
        self._spread = self.interval * SPREAD
        # cycles that were missed while the process stood still are not made up for
        missed = max(0.0, (self._loop.time() - self._started) // self.interval)
        self._started += (missed + 1) * self.interval
        self._timer = self._loop.call_at(on_tick(self._started), self._begin)
        if not self._awaited:
            self._end()

    def _done(self, watch: Watch, result: Result) -> None:
        if self._stopped:
            watch.relearn = 0.0  # should it go on in another unit: what was found out now is lost
            return
        if not watch.gone:
            self._note(watch, result)
        if id(watch) in self._awaited:
            self._awaited.discard(id(watch))
            if not self._awaited and not self._stepping:
                self._end()
        elif not self._awaited and not self._stepping:
            self._conclude()  # asked out of turn, when its line returned

    def _note(self, watch: Watch, result: Result) -> None:
        """What the turn says of the device, and of its unit."""
        heard = result.duration is not None
        if result.outcome is not Outcome.OK:
            self._tally.failures[result.outcome] = self._tally.failures.get(result.outcome, 0) + 1
        self._count(watch, heard)
        if result.duration is not None:
            self._answers.append(result.duration)
        before, state, now = watch.status, judge(result.outcome), time.time()
        if quiet(state) and quiet(before.state):
            state = before.state  # which kind of silence it is, the whole unit tells
        watch.status = Status(
            state,
            result.outcome,
            since=before.since if before.state is state else now,
            answered=now if heard else before.answered,
            answer_seconds=result.duration,
            requests=watch.target.sent,
            retries=watch.target.repeated,
            message=result.message,
        )
        if quiet(state):
            watch.silent_turns += 1
            watch.spared = SPARED[min(watch.silent_turns, len(SPARED) - 1)]
            return
        if watch.silent_turns:
            watch.silent_turns = 0
            self._line_returned()
        self._publish(watch, result)

    def _count(self, watch: Watch, heard: bool) -> None:
        sent, repeated = watch.counted
        watch.counted = watch.target.sent, watch.target.repeated
        sent, repeated = max(0, watch.target.sent - sent), max(0, watch.target.repeated - repeated)
        self.figures.requests += sent
        self.figures.retries += repeated
        if heard:
            self._sent += sent
            self._repeated += repeated

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

    def _end(self) -> None:
        """All were asked."""
        self._tally.cycles += 1
        figures = self.figures
        figures.cycles += 1
        figures.seconds = self._loop.time() - self._began
        figures.answer_seconds = median(self._answers) if self._answers else None
        figures.loss = self._repeated / self._sent if self._sent else None
        self._conclude()
        waiters, self._waiters = self._waiters, []
        for call in waiters:
            call()

    def _conclude(self) -> None:
        """Judge the silent ones together, and let the unit's page be put together."""
        dead = behind_dead_line([*(watch.status for watch in self.watches), *self.others(self.unit.id)])
        if dead is not self._dead:
            self._dead = dead
            if dead:
                log.warning("unit unreachable unit=%s devices=%d", self.unit.id, len(self.watches))
            else:
                log.info("unit reachable unit=%s", self.unit.id)
        behind = set() if dead else cut_off({watch.device.id: watch.status for watch in self.watches}, self.parents)
        for watch in self.watches:
            status = watch.status
            if not quiet(status.state):
                continue
            should = State.UNREACHABLE if dead or watch.device.id in behind else State.SILENT
            if status.state is not should:
                watch.status = replace(status, state=should, since=time.time())
            self._publish(watch)
        for sink in self._sinks:
            sink.cycled(self.unit.id)

    def _overrun(self) -> None:
        """The next cycle is due and some have not answered: theirs goes on beside it, there is never a pile-up."""
        late = [watch for watch in self.watches if watch.busy and id(watch) in self._awaited]
        learning = sum(watch.plan is None for watch in late)
        if learning < len(late):
            self._tally.overruns += 1
            self.figures.overruns += 1
            log.warning(
                "cycle overrun unit=%s interval=%gs unfinished=%d such_as=%s",
                self.unit.id, self.interval, len(late), ",".join(watch.device.id for watch in late[:3]),
            )  # fmt: skip
        self._awaited = set()
        self._end()

    def _line_returned(self) -> None:
        """A silent device answered: if it is its line that is back, the others will answer too, so ask them at once."""
        was_dead, self._dead = self._dead, False
        if was_dead:
            log.info("unit reachable unit=%s", self.unit.id)
        for watch in self.watches:
            watch.spared = 0
            if was_dead and not watch.busy and quiet(watch.status.state):
                self._asking.turn(watch, self._done)


def on_tick(when: float) -> float:
    """The first tick not before a time."""
    return ceil(when / TICK) * TICK
