"""Looking for a unit's machines: every address that may be asked, one packet at a time each, on the unit's own line.

Nothing outside the ranges of the settings is asked, whoever tells of it, and no address is shown more credentials than
allowed, in all runs together. What is done is kept, so that a search that was stopped goes on where it was.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Collection, Coroutine, Iterator, Sequence
from typing import Any

from config.discovery import Discovery
from config.enterprises import VENDORS
from config.profiles import Profiles
from config.ranges import Spans, number_of, text_of
from config.settings import Unit
from snmp import session
from snmp.client import Client, Target
from snmp.errors import StatusError
from snmp.security import Usm

from ..estate.candidates import Candidate, Candidates, Find
from ..model import Facts
from .ask import NOBODY, WHO, attempt, outcome
from .cases import Case, End, Known, Opener, Step, Tally, permitted, questions
from .hints import Hint, confirm, forwarded, leased, neighbours
from .learn import learn
from .line import Line
from .survey import KINDS
from .translate import translate

log = logging.getLogger(__name__)

UNDER_WAY = 3
"""Addresses under way, in questions that fit between one question and the end of the wait for its answer: enough that the line
is always used, also at the end of a small network, and so few that a search of a large one that is stopped has not begun
everything and ended nothing."""
EXAMINED = 12
"""Devices that are read at the same time."""
BATCH = 32
"""Questions between two looks into the memory of what was tried."""
SAVE_EVERY = 1.0
"""Seconds between two writings of how far a search is."""
CATCH_UP = 0.25
"""Seconds that the pace may make up for after a delay."""


class Search:
    """One run of discovery in one unit. `found(candidate)` is called for each find, on the event loop."""

    def __init__(
        self,
        client: Client,
        profiles: Profiles,
        candidates: Candidates,
        discovery: Discovery,
        unit: Unit,
        line: Line,
        openers: Sequence[Opener],
        *,
        known: Sequence[Known] = (),
        skip: Collection[str] = (),
        taken: Collection[str] = (),
        share: float = 1.0,
        found: Callable[[Candidate], None] = lambda _: None,
    ) -> None:
        """`known`: the unit's devices, whose neighbours' tables are read where they stand in the ranges; `skip`: addresses known
        already; `taken`: device ids of the settings; `share`: the part of the line's packets that discovery may use."""
        self.tally = Tally(discovery.unit)
        self._client = client
        self._profiles = profiles
        self._candidates = candidates
        self._discovery = discovery
        self._unit = unit
        self._line = line
        self._openers = openers
        self._known = [one for one in known if one.target.address in discovery.ranges]
        self._skip = frozenset(map(number_of, skip))
        self._taken = taken
        self._told = found
        self._pause = 1 / (unit.packets_per_second * share)
        self._slot = 0.0
        self._window = max(BATCH, int(UNDER_WAY * unit.timeout / self._pause))
        self._done = Spans()
        self._vain: dict[int, int] = {}
        self._first: dict[str, Opener] = {}
        self._hints: deque[Hint] = deque()
        self._unsure: list[Hint] = []
        self._bridges: list[Target] = []
        self._sweep: Iterator[int] = iter(discovery.ranges if discovery.sweep else ())
        self._cases: dict[int, Case] = {}
        self._ready: deque[Case] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._stopping = False
        self._failure: BaseException | None = None
        self._examining = asyncio.Semaphore(EXAMINED)

    # -- from outside

    async def run(self, afresh: bool = False) -> Tally:
        """Search until all is asked, or `stop`; raises CollectorError."""
        unit = self._discovery.unit
        begun = await asyncio.to_thread(self._candidates.runs.begin, unit, time.time(), afresh)
        self._done, self._vain = begun.done, dict(begun.vain)
        saver = asyncio.create_task(self._save_now_and_then())
        try:
            await self._prepare()
            await self._ask_everyone()
            self.tally.complete = not self._stopping
        finally:
            self._stopping = True
            for task in (*self._tasks, saver):
                task.cancel()
            await asyncio.gather(*self._tasks, saver, return_exceptions=True)
            await asyncio.to_thread(self._candidates.runs.end, unit, *self._progress(), self.tally.complete)
        return self.tally

    def stop(self) -> None:
        """Ask nothing more; the run can be gone on with."""
        self._stopping = True
        self._changed.set()

    def questions_left(self) -> int:
        """How many questions will still be asked, as far as can be told."""
        waiting = max(self.tally.total - self.tally.begun, 0)
        under_way = sum(case.left() for case in self._cases.values())
        return max(waiting * self._each() - sum(self._vain.values()), 0) + under_way

    def seconds_left(self) -> float:
        """How long it will still take, as far as can be told."""
        waiting = self.questions_left()
        return waiting * self._pause + (self._unit.timeout if waiting or self._cases else 0.0)

    # -- what is asked

    def _each(self) -> int:
        """Questions at most to one address that does not answer."""
        return questions(self._openers[: self._discovery.max_credentials])

    async def _prepare(self) -> None:
        """Count, gather hints, and what is known of candidates."""
        for number in self._discovery.ranges if self._discovery.sweep else ():
            if number in self._skip:
                self.tally.skipped += 1
            elif number in self._done:
                self.tally.resumed += 1
            else:
                self.tally.total += 1
        by_name = {one.name: one for one in self._openers}
        for candidate in await asyncio.to_thread(self._candidates.all):
            if candidate.credential in by_name and candidate.port == self._discovery.port:
                self._first[candidate.address] = by_name[candidate.credential]
        hints, problems = await asyncio.to_thread(leased, self._discovery.leases)
        self.tally.problems += problems
        for problem in problems:
            log.warning("discovery unit=%s %s", self._unit.id, problem)
        self._take(hints)
        if self._discovery.neighbours:
            for one in self._known:
                self._start(self._ask_neighbours(one.target, one.name))

    def _take(self, hints: Sequence[Hint]) -> None:
        """Take what others tell, where it lies in the ranges: the one gate for hints."""
        for hint in hints:
            if self._untouched(number_of(hint.address)) and hint.address in self._discovery.ranges:
                (self._hints if hint.sure else self._unsure).append(hint)
        self._changed.set()

    def _untouched(self, number: int | None) -> bool:
        """Is it an address that is neither known nor asked in this run?"""
        return number is not None and number not in self._skip and number not in self._done and number not in self._cases

    def _fresh(self) -> Iterator[tuple[int, str]]:
        """Addresses not asked yet in this run, and who told of each: hints first."""
        while self._hints:
            hint = self._hints.popleft()
            number = number_of(hint.address)
            if number is not None and self._untouched(number):
                yield number, hint.how
        for number in self._sweep:
            if self._untouched(number):
                yield number, "sweep"

    async def _admit(self) -> None:
        """Fill up the addresses under way."""
        room = self._window - len(self._cases)
        if room < BATCH and self._cases:
            return
        some: dict[int, str] = {}
        for number, how in self._fresh():
            some.setdefault(number, how)
            if len(some) >= room:
                break
        if not some:
            return
        texts = {number: text_of(number) for number in some}
        seen = await asyncio.to_thread(self._candidates.tried.seen, list(texts.values()))
        for number, how in some.items():
            address = texts[number]
            first = self._first.get(address)
            openers = sorted(self._openers, key=lambda one: one is not first)
            allowed, withheld = permitted(openers, seen.get(address, ()), self._discovery.max_credentials)
            case = self._cases[number] = Case(address, how, allowed, withheld, vain=self._vain.pop(number, 0))
            self._ready.append(case)
        self.tally.begun += len(some)
        self.tally.total = max(self.tally.total, self.tally.begun)

    async def _ask_everyone(self) -> None:
        while not self._stopping:
            self._changed.clear()
            await self._admit()
            if self._ready:
                await self._send_some()
            elif self._tasks:
                await self._changed.wait()
            elif self._unsure:
                await self._confirm_unsure()
            else:
                break
            if self._failure is not None:
                raise self._failure

    async def _send_some(self) -> None:
        """Put the next question to the addresses whose turn it is."""
        some: list[tuple[Case, Step]] = []
        while self._ready and len(some) < BATCH:
            case = self._ready.popleft()
            step = case.next()
            if step is None:
                self._finish(case)
            else:
                some.append((case, step))
        wanted = [(case.address, step.number) for case, step in some if isinstance(step, Opener)]
        granted = await self._reserve(wanted) if wanted else set()
        for case, step in some:
            if isinstance(step, Opener) and (case.address, step.number) not in granted:
                case.denied(step)
                self._ready.append(case)
                continue
            await self._turn()
            if self._stopping:
                return
            self.tally.questions += 1
            self._start(self._knock(case, step))

    async def _reserve(self, wanted: list[tuple[str, int]]) -> set[tuple[str, int]]:
        limit = self._discovery.max_credentials
        return await asyncio.to_thread(self._candidates.tried.reserve, wanted, self._discovery.port, limit, time.time())

    async def _turn(self) -> None:
        """Wait for the pace, and until nothing of others waits on the line: polls go before."""
        loop = self._client.loop
        while (wait := max(self._slot - loop.time(), self._line.backlog)) > 0 and not self._stopping:
            await asyncio.sleep(wait)
        self._slot = max(self._slot, loop.time() - CATCH_UP) + self._pause

    # -- what comes of it

    async def _knock(self, case: Case, step: Step) -> None:
        """One question to one address."""
        target = self._target(case.address, step)
        answer, result, said = await attempt(session.ask(self._client, target, WHO))
        if answer is not None and answer.error_status:
            refusal = StatusError(answer.error_status, answer.error_index)
            result, said = outcome(refusal), str(refusal)
        case.answered(step, result, said, target.security.engine_id if isinstance(target.security, Usm) else b"")
        if case.opened_by is not None:
            await self._examine(case, case.opened_by, target)
            self._finish(case)  # at once: whoever stops the search now must not lose it
        else:
            self._ready.append(case)
        self._changed.set()

    def _target(self, address: str, step: Step) -> Target:
        """Communities and hellos are sent once. Who is shown a user has told its engine, so it is there: worth a repetition."""
        credential, context, there = (NOBODY, b"", False) if not isinstance(step, Opener) else (*step[2:], step.by_user)
        return Target(
            address, self._discovery.port, credential,
            context=context, timeout=self._unit.timeout, retries=int(there), line=self._line,
        )  # fmt: skip

    async def _examine(self, case: Case, opener: Opener, target: Target) -> None:
        """Read what it is, note it, and ask it for its neighbours."""
        target.retries = self._unit.retries
        async with self._examining:
            facts, said = await self._read(target)
            place = (case.address, self._discovery.port, self._unit.id, case.how, time.time())
            await self._note(Find(*place, opener.name, facts, said))
            if self._discovery.neighbours and facts.kind in KINDS:
                self._bridges.append(target)
                await self._ask_neighbours(target, facts.name or case.address)

    async def _read(self, target: Target) -> tuple[Facts, str]:
        """What a device is, and in words what went wrong; an error of ours in one device's answers is no other's trouble."""
        try:
            learnt, _, said = await attempt(learn(self._client, target, self._profiles, at_once=1))
            return translate(learnt.profile, learnt.cells).facts if learnt is not None else Facts(), said
        except Exception as error:
            log.error("a find could not be understood address=%s", target.address, exc_info=error)
            return Facts(), f"its answers could not be understood: {type(error).__name__}: {error}"

    async def _ask_neighbours(self, target: Target, name: str) -> None:
        hints, _, said = await attempt(neighbours(self._client, target, name))
        if hints is None:
            self.tally.problems.append(f"{name}: neighbours not read ({said})")
        self._take(hints or ())

    async def _confirm_unsure(self) -> None:
        """Addresses that had a machine once are asked when a switch still forwards that machine's frames."""
        unsure = [hint for hint in self._unsure if self._untouched(number_of(hint.address))]
        self._unsure = []
        alive: set[str] = set()
        for target in (*(one.target for one in self._known), *self._bridges) if unsure else ():
            macs, _, _ = await attempt(forwarded(self._client, target))
            alive |= macs or set()
        self._hints.extend(confirm(unsure, alive))

    def _finish(self, case: Case) -> None:
        number = number_of(case.address)
        assert number is not None and case.end is not None
        del self._cases[number]
        self._done.add(number)
        self.tally.done += 1
        self.tally.ends[case.end] += 1
        if case.end is End.LOCKED:
            self._start(self._note(_locked(case, self._discovery.port, self._unit.id)))

    async def _note(self, find: Find) -> None:
        """Write a find down and tell of it."""
        facts = find.facts
        accept = facts is not None and self._discovery.accepts(facts.kind, facts.vendor, facts.model, facts.profile)
        candidate = await asyncio.to_thread(self._candidates.found, find, accept, self._taken)
        self.tally.states[candidate.state] += 1
        self._told(candidate)

    # -- work beside

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None and self._failure is None:
            self._failure = error
        self._changed.set()

    def _progress(self) -> tuple[Spans, dict[int, int], float]:
        """The addresses done with, the questions that others have left unanswered, and the time of it."""
        under_way = {number: case.vain for number, case in self._cases.items() if case.vain}
        return Spans(self._done), {**self._vain, **under_way}, time.time()

    async def _save_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(SAVE_EVERY)
            try:
                await asyncio.to_thread(self._candidates.runs.save, self._unit.id, *self._progress())
            except Exception as error:
                log.warning("discovery's progress not kept unit=%s reason=%r", self._unit.id, str(error))


def _locked(case: Case, port: int, unit: str) -> Find:
    """What is known of a device that answers and that nothing opens; an engine ID begins with its maker's number (RFC 3411)."""
    note = case.note or "answers SNMPv3, but not these credentials"
    if len(case.engine) > 4:
        maker = VENDORS.get(int.from_bytes(case.engine[:4], "big") & 0x7FFFFFFF)
        if maker is not None and maker.name:
            note = f"{maker.name}: {note}"
    return Find(case.address, port, unit, case.how, time.time(), note=note)
