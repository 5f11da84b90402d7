"""A device's learnt plan: which requests to send, what must come back, and how answers become values.

Learning walks; the plan then keeps the rows found and asks all columns of a table together, with known starts and
repetitions, so that the requests of a poll need not wait for one another (`questions` works them out). What comes back is
held against what was expected, on the fast path (`snmp.shape`) as on the slow one; what does not fit raises `Changed`.
"""

from __future__ import annotations

import json
import zlib
from base64 import b64decode, b64encode
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import zip_longest
from math import isnan, nan
from typing import Any

from config.profiles import Profile, Profiles
from snmp import ber, message
from snmp.client import Request
from snmp.errors import EncodeError
from snmp.message import VarBind
from snmp.oid import OID
from snmp.oid import encode as encode_oid
from snmp.shape import Element, elements
from snmp.table import MANNERS, Manner

from ..model import Block, Facts, Layout, Series
from .changed import Changed, Restarted, TableChanged, check
from .learn import TABLE_CHANGED, columns, polled
from .outline import Outline, outline
from .program import Number, Program, plan_for
from .questions import Cells, Question, ask_for
from .translate import Sample, translate

UPTIME = encode_oid(OID((1, 3, 6, 1, 2, 1, 1, 3, 0)))
_TABLE_CHANGED = encode_oid(OID((*TABLE_CHANGED, 0)))
__all__ = ["Changed", "Plan", "Restarted", "TableChanged", "arrange", "share", "snapshot"]
VERSION = 3
"""Of plans as bytes."""
_LATE, _SLOW = 600.0, 0.95
"""Over a restart of ours: seconds by which sysUpTime may be late, and the rate it keeps at least, before it counts as reset."""


_shared: dict[Any, Any] = {}


def share(key: Any, make: Callable[[], Any]) -> Any:
    """Devices of one model have equal questions, layouts and programs: keep one of each."""
    found = _shared.get(key)
    if found is None:
        if len(_shared) > 50_000:
            _shared.clear()
        found = _shared[key] = make()
    return found


def _same(question: Question) -> Question:
    one: Question = share(question, lambda: question)
    return one


class Plan:
    """What the poller keeps of a device between two polls."""

    __slots__ = ("_free", "_inventory", "_layout", "_moving", "_outlines", "_pinned", "_program", "_stale", "_table_changed",
                 "_ticks", "_ticks_at", "profile", "questions", "requests", "restless", "rung", "window")  # fmt: skip

    def __init__(self, profile: Profile, questions: tuple[Question, ...], inventory: bytes) -> None:
        self.profile = profile
        self.questions = questions
        self.requests: tuple[Request, ...] = tuple(share(("request", q), q.request) for q in questions)
        self._inventory = inventory
        self._outlines: tuple[Outline, ...] = ()
        """Of the last answers; empty before the first."""
        self._layout = Layout(())
        self._program: Program | None = None
        self._moving: frozenset[bytes] = frozenset()
        self._free: frozenset[bytes] = frozenset()
        self._pinned: tuple[Number, ...] = ()
        self._stale = False
        """Must the answers be translated anew?"""
        self._ticks = 0
        self._ticks_at = -1
        self._table_changed: bytes | None = None
        self.restless = False
        """The device's ifTableLastChange says nothing: it moves all the time."""
        self.rung = self.window = 0
        """What the device bears, for the next start: a rung of `snmp.table.MANNERS`, requests under way."""

    @classmethod
    def made(
        cls, profile: Profile, cells: Cells, manner: Manner = MANNERS[0], *, v1: bool = False, broken: Collection[OID] = ()
    ) -> Plan:
        """The plan for a device that was found to have `cells`: all that the profile asks, of either cadence. What comes behind
        the last row of columns that are `broken` is not asked."""
        every = polled(profile)
        ignored = translate(profile, cells).ignored
        asked = {
            column: rows
            for column, rows in cells.items()
            if column in every and not all(binding.oid in ignored for binding in rows.values())
        }
        questions = tuple(map(_same, ask_for(asked, manner, v1=v1, closed={*profile.scalars, TABLE_CHANGED, *broken})))
        kept = [binding for column, rows in cells.items() if column not in asked for binding in rows.values()]
        plan = cls(profile, questions, zlib.compress(b"".join(map(_encode, kept))))
        plan._ticks = _ticks(binding for rows in cells.values() for binding in rows.values()) or 0
        return plan

    @property
    def ticks(self) -> int:
        """The device's sysUpTime when it was last read, hundredths of a second; 0: it has none."""
        return self._ticks

    @property
    def settled(self) -> bool:
        """Has it understood a poll?"""
        return self._program is not None

    def values(self, bodies: Sequence[bytes]) -> Sequence[Number] | None:
        """The block's values when every answer has the layout of the last ones, else None."""
        program = self._program
        if program is None:
            return None
        contents: list[bytes] = []
        for (shape, _), body in zip(self._outlines, bodies, strict=True):
            cut = shape.cut(body)
            if cut is None:
                return None
            contents += cut
        if (at := self._ticks_at) >= 0:
            self._take_ticks(contents[at])
        values = program.values(contents, self._pinned)
        if values is None:
            self._stale = True  # a number stands for something else now, as "no reading": translate anew
        return values

    def _take_ticks(self, content: bytes) -> None:
        ticks = int.from_bytes(content, "big")
        if ticks < self._ticks:
            raise self.restarted(ticks)
        self._ticks = ticks

    def read(self, bodies: Sequence[bytes | None], when: float) -> tuple[Block, Facts | None]:
        """A poll's values, and the facts when they had to be worked out anew; None stands for a missing answer.

        Raises Changed when the device has another shape, snmp.errors.DecodeError for what is no answer at all.
        """
        if None in bodies:
            return self._read_part(bodies, when)
        whole: Sequence[bytes] = bodies  # type: ignore[assignment]
        facts: Facts | None = None
        values = self.values(whole)
        for _ in range(2):  # another layout, and then perhaps a number that stands for something else now
            if values is None:
                facts = self._reshape(whole) or facts
                values = self.values(whole)
        if values is None:
            return snapshot(self.profile, self._cells(whole), when)
        return Block(self._layout, values, when), facts

    def restarted(self, ticks: int) -> Restarted:
        """What to raise for a sysUpTime that went back."""
        return Restarted(f"sysUpTime went back from {self._ticks} to {ticks}: the device restarted")

    def _read_part(self, bodies: Sequence[bytes | None], when: float) -> tuple[Block, None]:
        """What was answered of a poll, when it looks as it did, and with it the time that tells whether the device restarted;
        else nothing.

        What would be worked out from other cells in place of those that are missing is absent as well.
        """
        nothing = Block(_layout([]), (), when), None
        contents: list[bytes] = []
        absent: list[int] = []
        fits = self._program is not None
        for question, known, body in zip_longest(self.questions, self._outlines, bodies):
            if body is None:
                names = (name for i, name in enumerate(question.names) if i not in question.sentinels)
                missing = sum(name in self._moving for name in names)
                absent += range(len(contents), len(contents) + missing)
                contents += [b""] * missing
            elif known is None or (cut := known.shape.cut(body)) is None:
                check(question, body, elements(body))
                fits = False
            else:
                contents += cut
        if self._program is None or not fits:
            return nothing
        if (at := self._ticks_at) >= 0:
            if at in absent:
                return nothing
            self._take_ticks(contents[at])
        values = self._program.values(contents, [nan] * len(self._pinned), absent)
        if values is None:
            return nothing
        there = [i for i, value in enumerate(values) if not isnan(value)]
        return Block(Layout(tuple(self._layout.series[i] for i in there)), [values[i] for i in there], when), None

    # -- when an answer looks different

    def _reshape(self, bodies: Sequence[bytes]) -> Facts | None:
        """Learn the layout of answers that have another one; facts only when a value changed that was not declared moving."""
        before, facts = self._outlines, None
        found = {
            i: self._elements(i, body)
            for i, body in enumerate(bodies)
            if not before or before[i].shape.cut(body) is None
        }  # fmt: skip
        fresh = self._outlined(bodies, found)
        if self._stale or not before or any(fresh[i].key != before[i].key for i in found):
            every = [found.get(i) or self._elements(i, body) for i, body in enumerate(bodies)]
            facts, samples, ignored = _translated(self.profile, self._cells(bodies))
            moving = frozenset(encode_oid(sample.cell) for sample in samples if sample.cell is not None) | {UPTIME}
            self._moving = share(moving, lambda: moving)
            unread = frozenset(map(encode_oid, ignored)) - moving | ({_TABLE_CHANGED} if self.restless else frozenset())
            self._free = share(unread, lambda: unread)
            self._compile(bodies, every, samples)
            fresh = self._outlined(bodies, dict(enumerate(every)))
            self._stale = False
        self._outlines = tuple(fresh.get(i) or before[i] for i in range(len(bodies)))
        return facts

    def _elements(self, i: int, body: bytes) -> list[Element]:
        """An answer's varbinds, as the i-th question expects them; raises Changed."""
        places = elements(body)
        check(self.questions[i], body, places)
        self._check_table(body, places)
        return places

    def _outlined(self, bodies: Sequence[bytes], found: Mapping[int, Sequence[Element]]) -> dict[int, Outline]:
        return {i: outline(self.questions[i], bodies[i], places, self._moving, self._free) for i, places in found.items()}

    def _check_table(self, body: bytes, places: Sequence[Element]) -> None:
        for place in places:
            if body[place.name : place.name_end] == _TABLE_CHANGED:
                before, self._table_changed = self._table_changed, body[place.value : place.end]
                if before not in (None, self._table_changed) and not self.restless:
                    raise TableChanged("ifTableLastChange is another: ports came or went")

    def _compile(self, bodies: Sequence[bytes], found: Sequence[list[Element]], samples: list[Sample]) -> None:
        """From samples to a program over the moving values, in the order in which `Shape.cut` gives them."""
        at: dict[bytes, int] = {}
        signed: list[int] = []
        self._ticks_at = -1
        for question, body, places in zip(self.questions, bodies, found, strict=True):
            for i, place in enumerate(places):
                name = body[place.name : place.name_end]
                if i in question.sentinels or name not in self._moving:
                    continue
                if name == UPTIME and place.tag == ber.TIME_TICKS:
                    self._ticks_at = len(at)
                if place.tag == ber.INTEGER:
                    signed.append(len(at))
                at[name] = len(at)
        key, make, self._pinned = plan_for(samples, at, tuple(signed))
        self._program = share(key, make)
        self._layout = _layout(samples)

    def _cells(self, bodies: Sequence[bytes | None]) -> Cells:
        """What was answered now and what was learnt with the plan."""
        bindings = message.decode_varbinds(zlib.decompress(self._inventory))
        for question, body in zip(self.questions, bodies, strict=True):
            if body is not None:
                some = message.decode_varbinds(body)
                bindings += [binding for i, binding in enumerate(some) if i not in question.sentinels]
        return arrange(bindings, columns(self.profile))

    def contradicts(self, bindings: Sequence[VarBind]) -> bool:
        """Were these objects otherwise when the device was learnt?"""
        known = {one.oid: one for one in message.decode_varbinds(zlib.decompress(self._inventory))}
        return any(known.get(one.oid, one) != one for one in bindings)

    # -- across a restart

    def dump(self, when: float, of: str = "") -> bytes:
        """The plan as bytes for `load`: the questions and what only learning asks. `when` is Unix seconds; `of` says which
        device it is of and how that is asked."""
        return zlib.compress(
            json.dumps(
                {
                    "version": VERSION,
                    "of": of,
                    "profile": self.profile.name,
                    "ticks": self._ticks,
                    "when": when,
                    "table": self._table_changed.hex() if self._table_changed is not None else None,
                    "rung": self.rung,
                    "window": self.window,
                    "inventory": b64encode(self._inventory).decode(),
                    "questions": [
                        [q.kind, [n.hex() for n in q.asked], q.non_repeaters, q.max_repetitions, [n.hex() for n in q.names],
                         sorted(q.sentinels)] for q in self.questions
                    ],
                }
            ).encode()
        )  # fmt: skip

    @classmethod
    def load(cls, data: bytes, profiles: Profiles, now: float, of: str = "") -> Plan:
        """A plan from `dump`; raises ValueError when it is damaged, of another version, device or way to ask it, or of an
        unknown profile.

        From `now` (Unix seconds) follows what the device's sysUpTime must be at least, unless it restarted meanwhile.
        """
        try:
            d = json.loads(zlib.decompress(data))
            if d["version"] != VERSION:
                raise KeyError(f"version {d['version']}, expected {VERSION}")
            if d["of"] != of:
                raise KeyError(f"of {d['of']}, expected {of}")
            questions = tuple(
                Question(
                    kind, tuple(map(bytes.fromhex, asked)), non, reps, tuple(map(bytes.fromhex, names)), frozenset(sentinels)
                )
                for kind, asked, non, reps, names, sentinels in d["questions"]
            )
            plan = cls(profiles[d["profile"]], tuple(map(_same, questions)), b64decode(d["inventory"]))
            passed = max(0.0, (now - d["when"]) * _SLOW - _LATE)
            plan._ticks = int(d["ticks"] + 100 * passed)
            plan._table_changed = None if d["table"] is None else bytes.fromhex(d["table"])
            plan.rung, plan.window = int(d["rung"]), int(d["window"])
            return plan
        except (KeyError, TypeError, ValueError, zlib.error) as e:
            raise ValueError(f"not a plan: {e!r}") from e


def snapshot(profile: Profile, cells: Cells, when: float) -> tuple[Block, Facts]:
    """Values and facts of what a walk found, without a plan."""
    facts, samples, _ = _translated(profile, cells)
    return Block(_layout(samples), [sample.value for sample in samples], when), facts


def _translated(profile: Profile, cells: Cells) -> tuple[Facts, list[Sample], frozenset[OID]]:
    """Facts, samples in page order (those of one metric together), and the cells whose values do not matter."""
    facts, samples, ignored = translate(profile, cells)
    return facts, sorted(samples, key=lambda sample: sample.metric), ignored


def arrange(bindings: Iterable[VarBind], columns: Sequence[OID]) -> Cells:
    """Sort varbinds into the columns (ascending) they belong to; what belongs to none, or is no value, is left out."""
    cells: Cells = {}
    for binding in bindings:
        at = bisect_right(columns, binding.oid) - 1
        if at >= 0 and columns[at].covers(binding.oid) and binding.tag not in ber.EXCEPTIONS:
            column = columns[at]
            cells.setdefault(column, {})[tuple(binding.oid[len(column) :])] = binding
    return cells


def _ticks(bindings: Iterable[VarBind]) -> int | None:
    """sysUpTime among objects."""
    for binding in bindings:
        if binding.tag == ber.TIME_TICKS and encode_oid(binding.oid) == UPTIME and isinstance(binding.value, int):
            return binding.value
    return None


def _layout(samples: list[Sample]) -> Layout:
    series = tuple(Series(sample.metric, sample.labels) for sample in samples)
    layout: Layout = share(("layout", series), lambda: Layout(series))
    return layout


def _encode(binding: VarBind) -> bytes:
    try:
        return message.encode_varbind(*binding)
    except EncodeError:  # wider than its type allows, but that is how the device has it
        assert isinstance(binding.value, int)
        return ber.tlv(ber.SEQUENCE, ber.encode_oid(binding.oid) + ber.encode_integer(binding.value, binding.tag))
