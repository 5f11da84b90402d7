"""The nouns of discovery, and one address under it: what it is asked next, what its answers make of it. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, NamedTuple

from snmp.client import Credential, Target
from snmp.usm import User

from ..model import Outcome

ROUNDS = 2
"""Times each question is put to an address that does not answer: packets get lost."""


class Opener(NamedTuple):
    """A credential to try: its name in the settings, its number in the memory of what was tried, and what it consists of."""

    name: str
    number: int
    credential: Credential
    context: bytes = b""

    @property
    def by_user(self) -> bool:
        """Is it a user of SNMPv3? Such are shown to those only that have told their engine."""
        return isinstance(self.credential, User)


class _Hello:
    """SNMPv3's discovery of the engine, which shows no credential."""

    name = "hello"


HELLO: Final = _Hello()
Step = Opener | _Hello


class End(Enum):
    """How an address ends: something opened it, something answered but nothing opened it, nothing answered, nothing speaks
    SNMP there, or nothing was left that it may still be shown."""

    OPENED = "opened"
    LOCKED = "locked"
    SILENT = "silent"
    CLOSED = "closed"
    WITHHELD = "withheld"


@dataclass(slots=True)
class Case:
    """An address, who told of it, and the credentials it may be shown, in order. `engine` is its SNMPv3 engine, once told."""

    address: str
    how: str
    openers: Sequence[Opener]
    withheld: bool = False
    """Some credentials are not shown, because it has seen as many others as it may."""
    engine: bytes = b""
    note: str = ""
    """What it said, when that was no."""
    end: End | None = None
    opened_by: Opener | None = None
    vain: int = 0
    """Questions it has left unanswered, in a part of the run before this one, too; 0 once it has answered any."""
    _round: int = 0
    _steps: list[Step] = field(default_factory=list)
    _refused: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._steps = self._all()
        if not self.openers:
            self.end = End.WITHHELD
        for _ in range(self.vain):  # without an answer the questions come in the order they came in before
            self.next()

    def next(self) -> Step | None:
        """What it is asked now; None when there is nothing more to ask, and `end` says how it ended."""
        while self.end is None:
            if not self._steps:
                self._round += 1
                self._steps = self._all() if self._round < ROUNDS else []
                if not self._steps:
                    self.end = End.LOCKED if self.engine or self.note else End.SILENT
                    break
            step = self._steps.pop(0)
            if isinstance(step, Opener) and (step.number in self._refused or (step.by_user and not self.engine)):
                continue
            return step
        return None

    def left(self) -> int:
        """Questions it may still be asked at most."""
        return 0 if self.end is not None else len(self._steps) + (ROUNDS - 1 - self._round) * len(self._all())

    def answered(self, step: Step, outcome: Outcome, said: str = "", engine: bytes = b"") -> None:
        """Take what came of a step; PARTIAL is an answer, too."""
        self.engine = engine or self.engine
        self.vain = self.vain + 1 if outcome is Outcome.TIMEOUT and not (self.engine or self.note or self._refused) else 0
        if outcome in (Outcome.CLOSED, Outcome.UNREACHABLE):
            self.end = End.CLOSED
            self.note = said
        elif isinstance(step, Opener):
            if outcome in (Outcome.OK, Outcome.PARTIAL):
                self.end = End.OPENED
                self.opened_by = step
            elif outcome is not Outcome.TIMEOUT:
                self._refused.add(step.number)
                self.note = said
        elif outcome is Outcome.MALFORMED:
            self.note = said

    def denied(self, step: Opener) -> None:
        """The credential may not be shown: the address has seen as many others as it may."""
        self.withheld = True
        self.openers = [one for one in self.openers if one.number != step.number]
        if not self.openers:
            self.end = End.WITHHELD

    def _all(self) -> list[Step]:
        steps: list[Step] = []
        for one in self.openers:
            if one.by_user and HELLO not in steps and not self.engine:
                steps.append(HELLO)
            if one.number not in self._refused:
                steps.append(one)
        return steps


@dataclass(frozen=True, slots=True)
class Known:
    """A device that is polled already: what it is called, how it is asked."""

    name: str
    target: Target


@dataclass(slots=True)
class Tally:
    """How a search stands, or ended. `ends`: addresses by how they ended; `states`: finds by the state they have now."""

    unit: str
    total: int = 0
    """Addresses to ask, as far as is known."""
    begun: int = 0
    done: int = 0
    skipped: int = 0
    """Addresses known already, which are not asked."""
    resumed: int = 0
    """Addresses done with in the part of the run before it was stopped."""
    questions: int = 0
    complete: bool = False
    ends: Counter[End] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)


def questions(openers: Sequence[Opener]) -> int:
    """How many are put at most to an address that may be shown these, and does not answer."""
    return ROUNDS * (sum(not one.by_user for one in openers) + any(one.by_user for one in openers))


def permitted(openers: Sequence[Opener], seen: Collection[int], limit: int) -> tuple[list[Opener], bool]:
    """Those that an address may be shown which has seen some already, in order; were any withheld?"""
    room = limit - len(seen)
    found = []
    for one in openers:
        if one.number not in seen:
            if room <= 0:
                continue
            room -= 1
        found.append(one)
    return found, len(found) < min(len(openers), limit)
