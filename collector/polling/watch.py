"""One device under watch: asked when its turn comes, learnt when it is new or has changed, in the shape it bears."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

from config.profiles import Profiles
from snmp import errors, message
from snmp.client import Client, Request, Target
from snmp.message import VarBind
from snmp.oid import OID
from snmp.session import is_v1
from snmp.table import BY_NAME, Bearing
from snmp.usm import User

from ..model import Block, Device, Facts, Outcome, State, Status
from .ask import WINDOW, Poll, Reading, attempt, why_silent
from .ask import outcome as outcome_of
from .learn import GREETING, Learners, Learnt, learn
from .plan import Changed, Plan, Restarted, TableChanged, snapshot

log = logging.getLogger(__name__)

LOOK_AGAIN = (30.0, 300.0)
"""Seconds after which a device whose ports changed their state is learnt again."""
RELEARN = 3600.0
"""Seconds after which names and rows are learnt again, give or take a tenth so that not all are at once."""
LEARN_WITHIN = 300.0
"""Seconds in which learning must end, or the device is tried again at its next turn."""
SOON = 600.0
"""Seconds in which a second change of ifTableLastChange means that it says nothing; and until a failed learning is repeated."""
RESTLESS = 86400.0
"""Seconds in which such an ifTableLastChange is not looked at."""
UNSURE = 1.0
"""Seconds: a poll that took longer, with retries, may have met a device that restarted meanwhile."""
MORE_TRIES = 2
"""Further tries for a device that answered at its last turn: of 13,000 on lines that lose 2 % each way, some lose three packets
in a row every minute."""
QUIET_TRIES = 2
"""Tries for a device that was silent at its last turn: with the question why it is, three packets."""
STRAIN = 0.15
"""The part of a burst behind its first packet that must be asked again, on average over a few turns, until fewer are under way
at once."""
CALM = 30
"""Turns without a loss until one more request may be under way; each cut doubles it."""

_GREET = (Request(message.GET, message.encode_names(GREETING)),)
_UPTIME = (Request(message.GET, message.encode_names([OID((1, 3, 6, 1, 2, 1, 1, 3, 0))])),)

Done = Callable[["Watch", "Result"], None]


@dataclass(slots=True)
class Watch:
    """What is remembered of a device between its turns.

    `tries` as the settings allow. `bumped` is when its ifTableLastChange changed last, `restless` until when that says
    nothing. `bearing` and `window` say what it bears: the shape of questions, and how many under way
    at once. `gone`: it is no longer in the settings, or another watch has taken its place. `counted`: messages and
    repeated ones that its unit has counted already.
    """

    device: Device
    target: Target
    plan: Plan | None = None
    status: Status = field(default_factory=lambda: Status(State.UNKNOWN))
    published: State = State.UNKNOWN
    relearn: float = 0.0
    bumped: float = float("-inf")
    restless: float = float("-inf")
    tries: int = 3
    silent_turns: int = 0
    spared: int = 0
    bearing: Bearing = field(default_factory=Bearing)
    misfits: int = 0
    window: int = WINDOW
    strain: float = 0.0
    cuts: int = 0
    calm: int = 0
    busy: bool = False
    gone: bool = False
    counted: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class Result:
    """How a turn ended. Without a block nothing of the device is known to hold now; `facts` only when worked out anew."""

    outcome: Outcome
    message: str = ""
    block: Block | None = None
    facts: Facts | None = None
    duration: float | None = None


class Asking:
    """Takes devices through their turns: `turn(watch, done)`; `done(watch, result)` is called once a turn."""

    def __init__(
        self, client: Client, profiles: Profiles, *, learning: int = 48, learnt: Callable[[Watch], None] = lambda _: None
    ) -> None:
        self.client = client
        self.profiles = profiles
        self._learnt = learnt
        self.learners = Learners(learning)
        self.doubts = Learners(learning)

    def turn(self, watch: Watch, done: Done) -> None:
        """Ask a device now; its `busy` is set until `done`."""
        watch.busy = True
        watch.target.retries = _tries(watch) - 1
        if watch.plan is None or watch.silent_turns or self.client.loop.time() >= watch.relearn:
            self._greet(watch, done)
        else:
            self._poll(watch, watch.plan, done)

    def close(self) -> None:
        """Learn nothing more."""
        self.learners.close()
        self.doubts.close()

    def _end(self, watch: Watch, done: Done, result: Result) -> None:
        watch.busy = False
        done(watch, result)

    def _ask(self, watch: Watch, requests: Sequence[Request], done: Done, then: Callable[[Reading], Result | None]) -> None:
        """Ask and go on with `then`, which gives the turn's result or None when it goes on itself."""

        def answered(reading: Reading) -> None:
            try:
                result = then(reading)
            except Exception as e:
                result = _own_error(watch, e)
            if result is not None:
                self._end(watch, done, result)

        Poll(self.client, watch.target, requests, answered, watch.window)

    def _task(self, learners: Learners, watch: Watch, done: Done, work: Callable[[], Coroutine[Any, Any, Result | None]]) -> None:
        """Run a coroutine when its turn comes; what it gives, or raises, ends the device's turn."""

        async def whole() -> None:
            try:
                result = await work()
            except Exception as e:
                result = _own_error(watch, e)
            if result is not None:
                self._end(watch, done, result)

        learners.add(whole)

    # -- is it there?

    def _greet(self, watch: Watch, done: Done) -> None:
        """One plain question first: so the dead cost little, and keep nobody from learning."""

        def then(reading: Reading) -> Result | None:
            if reading.duration is None:
                return self._unheard(watch, reading, done)
            watch.target.retries = watch.tries - 1
            said = _bindings(reading)
            if watch.plan is not None and watch.plan.contradicts(said):
                watch.plan = None  # another device stands there now
            if watch.plan is not None and self.client.loop.time() < watch.relearn:
                self._poll(watch, watch.plan, done, greeted=True)
            else:
                self._task(self.learners, watch, done, lambda: self._learn(watch, done, said))
            return None

        self._ask(watch, _GREET, done, then)

    def _unheard(self, watch: Watch, reading: Reading, done: Done) -> Result | None:
        """Nothing came. Twice in a row, or for one that is known to refuse us: find out why."""
        result = Result(reading.outcome, str(reading.error))
        doubtful = watch.silent_turns == 1 or watch.status.outcome is Outcome.AUTH
        if reading.outcome is not Outcome.TIMEOUT or not doubtful:
            return result

        async def doubt() -> Result:
            watch.target.retries = watch.tries - 1
            error = await why_silent(self.client, watch.target)
            return result if error is None else Result(outcome_of(error), str(error))

        self._task(self.doubts, watch, done, doubt)
        return None

    # -- what is it?

    async def _learn(self, watch: Watch, done: Done, first: Sequence[VarBind]) -> Result | None:
        now = self.client.loop.time
        work = learn(self.client, watch.target, self.profiles, watch.device.profile, watch.bearing, first)
        try:
            async with asyncio.timeout(LEARN_WITHIN):
                found, outcome, said = await attempt(work)
        except TimeoutError:
            found, outcome, said = None, Outcome.MALFORMED, f"it could not be learnt within {LEARN_WITHIN:g} s"
        if found is None:
            if watch.plan is not None and outcome in (Outcome.MALFORMED, Outcome.PARTIAL):
                watch.relearn = now() + SOON
                self._poll(watch, watch.plan, done)
                return None
            return Result(outcome, said)
        watch.relearn = now() + RELEARN * random.uniform(0.9, 1.1)
        self._poll(watch, self._planned(watch, found), done, found)
        return None

    def _planned(self, watch: Watch, found: Learnt) -> Plan:
        manner = watch.bearing.manner.within(watch.target.security.room)
        watch.plan = Plan.made(found.profile, found.cells, manner, v1=is_v1(watch.target), broken=found.broken)
        watch.plan.restless = self.client.loop.time() < watch.restless
        return watch.plan

    # -- how is it?

    def _poll(self, watch: Watch, plan: Plan, done: Done, fresh: Learnt | None = None, greeted: bool = False) -> None:
        """Ask what the plan says. `fresh` is what was learnt this very turn; `greeted`: it answered a moment ago."""

        def then(reading: Reading) -> Result | None:
            # it answered a moment ago: what it does not answer, or with garbage, is the shape it is asked in
            if reading.duration is None and reading.outcome is Outcome.TIMEOUT and (fresh is not None or greeted):
                reading = reading._replace(error=errors.StatusError(message.TOO_BIG), duration=0.0)
            elif reading.duration is None and reading.outcome is Outcome.MALFORMED and fresh is not None:
                reading = reading._replace(duration=0.0)
            if reading.duration is None:
                if reading.outcome is Outcome.MALFORMED:
                    watch.relearn = 0.0  # perhaps only what it is asked
                return Result(reading.outcome, str(reading.error))
            self._weigh(watch, reading)
            settled = plan.settled
            try:
                block, facts = self._read(watch, plan, reading, fresh is not None)
            except TableChanged as e:
                bumped, watch.bumped = watch.bumped, self.client.loop.time()
                if fresh is None and watch.bumped - bumped > SOON:
                    return self._changed(watch, done, e, fresh, reading)
                watch.restless = watch.bumped + RESTLESS  # it said so a moment ago as well
                plan.restless = True
                block, facts = self._read(watch, plan, reading, fresh is not None)
                settled = False
            except Changed as e:
                return self._changed(watch, done, e, fresh, reading)
            except errors.DecodeError as e:
                return self._changed(watch, done, Changed(str(e), misshapen=True), fresh, reading)
            missed = fresh.missed if fresh is not None else ""
            said = str(reading.error) if reading.error is not None else missed
            result = Result(reading.outcome, said, block, facts, reading.duration)
            if fresh is not None:
                self._keep(watch)
            elif facts is not None and settled:
                # a port went up or down: what is asked about hourly, as its speed, may be another now
                watch.relearn = min(watch.relearn, self.client.loop.time() + random.uniform(*LOOK_AGAIN))
            if reading.retries and reading.duration > UNSURE and plan.ticks:
                self._confirm(watch, plan, done, result)
                return None
            return result

        self._ask(watch, plan.requests, done, then)

    def _read(self, watch: Watch, plan: Plan, reading: Reading, fresh: bool) -> tuple[Block, Facts | None]:
        """What the answers say; raises Changed, also when they say that it does not bear what it is asked.

        Of a device that was answering well one failure is taken as it comes.
        """
        error = reading.error
        if error is None:
            block, facts = plan.read(reading.bodies, time.time())
            watch.misfits = 0
            return block, facts
        watch.misfits += 1
        if isinstance(error, errors.StatusError) and error.status == message.NO_SUCH_NAME:
            raise Changed(str(error))
        of_shape = isinstance(error, errors.StatusError | errors.DecodeError)
        if (of_shape and (fresh or watch.misfits > 1)) or (watch.misfits > 1 and watch.window == 1):
            raise Changed(str(error), misshapen=True)
        return plan.read(reading.bodies, time.time())

    def _changed(self, watch: Watch, done: Done, why: Changed, fresh: Learnt | None, reading: Reading) -> Result | None:
        """Learn it (again), or ask it in a plainer shape what was learnt this very turn."""
        log.debug("device changed device=%s reason=%r", watch.device.id, str(why))
        rung = watch.bearing.rung
        if isinstance(why, Restarted):
            watch.plan = None
            watch.bearing.rung = 0  # perhaps with better software
            if fresh is not None:  # what was walked is of two minds
                return Result(Outcome.PARTIAL, str(why), duration=reading.duration)
        elif fresh is not None:
            watch.misfits += 1
            if (why.misshapen or (watch.misfits > 2 and rung < BY_NAME - 1)) and watch.bearing.lower(rung):
                self._again(watch, done, fresh)
                return None
            watch.plan = None
            # no plan fits, as with rows that come and go all the time: what the walk found is right all the same
            block, facts = snapshot(fresh.profile, fresh.cells, time.time())
            return Result(Outcome.OK, fresh.missed, block, facts, reading.duration)
        elif why.misshapen:
            watch.bearing.lower(rung)
        watch.plan = None
        self._greet(watch, done)
        return None

    def _again(self, watch: Watch, done: Done, fresh: Learnt) -> None:
        """The next rung, once the device has shown that it is still there."""

        def then(reading: Reading) -> Result | None:
            if reading.duration is None:
                return Result(reading.outcome, str(reading.error))
            self._poll(watch, self._planned(watch, fresh), done, fresh)
            return None

        self._ask(watch, _GREET, done, then)

    def _confirm(self, watch: Watch, plan: Plan, done: Done, result: Result) -> None:
        """What was asked again and again may have been answered after a restart: look at the uptime once more."""

        def then(reading: Reading) -> Result | None:
            ticks = next((b.value for b in _bindings(reading) if isinstance(b.value, int)), None)
            if ticks is None:
                return Result(Outcome.PARTIAL, f"it fell silent while it was asked ({reading.error})", duration=result.duration)
            if ticks < plan.ticks:
                return self._changed(watch, done, plan.restarted(ticks), None, reading)
            return result

        self._ask(watch, _UPTIME, done, then)

    # -- what does it bear?

    def _weigh(self, watch: Watch, reading: Reading) -> None:
        """Fewer requests under way to a device that drops bursts, one more after a calm while.

        A line loses any packet; a device whose buffer holds so many and no more loses, turn after turn, those behind the
        first of a burst.
        """
        asked = reading.requests - reading.retries
        if asked < 2:
            return
        watch.strain += (reading.spilt - watch.strain) / 4
        if watch.window > 1 and (watch.strain > STRAIN or (reading.outcome is Outcome.PARTIAL and reading.retries)):
            watch.window = max(1, min(watch.window, asked) - 1 if watch.strain < 2 * STRAIN else min(watch.window, asked) // 2)
            watch.strain, watch.calm = 0.0, 0
            watch.cuts += 1
            self._keep(watch)
        elif watch.window < WINDOW and watch.strain < STRAIN / 2:
            watch.calm += 1
            if watch.calm >= CALM << min(watch.cuts, 5):
                watch.calm = 0
                watch.window += 1

    def _keep(self, watch: Watch) -> None:
        """Have the plan saved, with what the device bears."""
        if watch.plan is not None:
            watch.plan.rung, watch.plan.window = watch.bearing.rung, watch.window
            self._learnt(watch)


def _bindings(reading: Reading) -> list[VarBind]:
    try:
        return message.decode_varbinds(reading.bodies[0] or b"")
    except errors.DecodeError:
        return []


def _own_error(watch: Watch, error: Exception) -> Result:
    """An error of ours in one device's answers must not stop the others, nor this one for ever."""
    log.error("turn ended in an error of our own device=%s", watch.device.id, exc_info=error)
    watch.plan = None
    return Result(Outcome.MALFORMED, f"its answers could not be understood: {type(error).__name__}: {error}")


def identity(watch: Watch) -> str:
    """Which device a plan is of, and how that is asked: a plan fits nothing else."""
    credential = watch.target.credential
    version = "3" if isinstance(credential, User) else "1" if is_v1(watch.target) else "2c"
    return f"{watch.device.address} port {watch.device.port} version {version} context {watch.target.context.hex() or 'none'}"


def restore(watch: Watch, plan: Plan, now: float) -> None:
    """Take a plan from the last run; names are read again within the hour, not all at once."""
    watch.plan = plan
    watch.bearing = Bearing(plan.rung)
    watch.window = plan.window if 1 <= plan.window <= WINDOW else WINDOW
    watch.relearn = now + random.uniform(0.1, 1.1) * RELEARN


def _tries(watch: Watch) -> int:
    """How often the first question of a turn is put before the device counts as silent."""
    if watch.silent_turns:
        return min(watch.tries, QUIET_TRIES)
    return watch.tries + MORE_TRIES if watch.status.state in (State.UP, State.PARTIAL) else watch.tries
