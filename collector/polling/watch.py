"""One device under watch: asked when its turn comes, learnt when it is new or has changed, spared while it is dead."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from config.profiles import Profiles
from snmp.client import Client, Target
from snmp.errors import DecodeError, StatusError
from snmp.session import is_v1
from snmp.usm import User

from ..model import Block, Device, Facts, Outcome, State, Status
from .ask import WINDOW, Poll, Reading, attempt
from .learn import Learners, Learnt, learn
from .plan import Changed, Plan, snapshot
from .questions import BODY, SECURED

RELEARN = 3600.0
"""Seconds after which names and rows are learnt again, give or take a tenth so that not all are at once."""
MODEST = 440
"""Octets of varbinds in an answer that every agent can give: 484 octets of message are required (RFC 3417 section 3.2.1)."""
SPARED = (0, 0, 1, 2, 4, 8)
"""Turns that a device is left out after so many silent ones in a row; the last figure holds from then on."""


@dataclass(slots=True)
class Watch:
    """What is remembered of a device between its turns. `bearing` is how plainly it must be asked: 0 as we like, 1 small
    answers, 2 every object by name."""

    device: Device
    target: Target
    plan: Plan | None = None
    status: Status = field(default_factory=lambda: Status(State.UNKNOWN))
    published: State = State.UNKNOWN
    relearn: float = 0.0
    silent_turns: int = 0
    spared: int = 0
    bearing: int = 0
    window: int = WINDOW
    partial_turns: int = 0
    busy: bool = False
    requests: int = 0
    retries: int = 0


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

    def turn(self, watch: Watch, done: Callable[[Watch, Result], None]) -> None:
        """Ask a device now; its `busy` is set until `done`."""
        watch.busy = True
        if watch.plan is None or self.client.loop.time() >= watch.relearn:
            self.learners.add(lambda: self._learn(watch, done))
        else:
            self._poll(watch, watch.plan, done, None)

    def _poll(self, watch: Watch, plan: Plan, done: Callable[[Watch, Result], None], fresh: Learnt | None) -> None:
        def answered(reading: Reading) -> None:
            watch.requests += reading.requests
            watch.retries += reading.retries
            result = self._understand(watch, plan, reading, fresh)
            if result is None:
                watch.plan = None
                self.learners.add(lambda: self._learn(watch, done))
            else:
                watch.busy = False
                done(watch, result)

        Poll(self.client, watch.target, plan.requests, answered, window=watch.window, cautious=watch.silent_turns > 0)

    def _understand(self, watch: Watch, plan: Plan, reading: Reading, fresh: Learnt | None) -> Result | None:
        """The turn's result; None when the device must be learnt (again) first."""
        error = reading.error
        said = str(error) if error is not None else ""
        if reading.duration is None:
            return Result(reading.outcome, said)
        watch.partial_turns = watch.partial_turns + 1 if reading.outcome is Outcome.PARTIAL else 0
        try:
            if isinstance(error, StatusError) or watch.partial_turns > 1:
                raise Changed(said, body=0)  # it does not bear what it is asked
            block, facts = plan.read(reading.bodies, time.time())
        except Changed as e:
            if e.body is not None:
                watch.bearing = min(watch.bearing + 1, 2)
            if fresh is None:
                return None
            # learnt a moment ago and different again: what the walk found is right all the same
            watch.plan = None
            watch.bearing = min(watch.bearing + 1, 2)
            block, facts = snapshot(fresh.profile, fresh.cells, time.time())
            return Result(Outcome.OK, "", block, facts, reading.duration)
        except DecodeError as e:
            return Result(Outcome.MALFORMED, str(e))
        missed = fresh.missed if fresh is not None else ""
        return Result(reading.outcome, said or missed, block, facts, reading.duration)

    async def _learn(self, watch: Watch, done: Callable[[Watch, Result], None]) -> None:
        found, outcome, said = await attempt(learn(self.client, watch.target, self.profiles, watch.device.profile))
        if found is None:
            watch.busy = False
            watch.requests += 1
            done(watch, Result(outcome, said))
            return
        plain = is_v1(watch.target) or watch.bearing >= 2
        body = SECURED if isinstance(watch.target.credential, User) else BODY
        watch.plan = Plan.made(found.profile, found.cells, v1=plain, body=MODEST if watch.bearing else body)
        watch.relearn = self.client.loop.time() + RELEARN * random.uniform(0.9, 1.1)
        self._learnt(watch)
        self._poll(watch, watch.plan, done, found)
