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
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from config.profiles import Profile, Profiles
from snmp import ber, message
from snmp.client import Request
from snmp.errors import EncodeError
from snmp.message import VarBind
from snmp.oid import OID
from snmp.oid import decode as decode_oid
from snmp.oid import encode as encode_oid
from snmp.shape import Element, Shape, elements

from ..model import Block, Facts, Layout, Series
from .learn import columns, polled
from .program import Number, Program, plan_for
from .questions import BODY, Cells, Question, ask_for
from .translate import Sample, translate

UPTIME = encode_oid(OID((1, 3, 6, 1, 2, 1, 1, 3, 0)))
VERSION = 1
"""Of plans as bytes."""


class Changed(Exception):
    """The device no longer has the shape that was learnt: what was found. `body` is set when its answers were cut off:
    the octets of varbinds it did give."""

    def __init__(self, found: str, body: int | None = None) -> None:
        super().__init__(found)
        self.body = body


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

    __slots__ = ("_free", "_inventory", "_layout", "_moving", "_pinned", "_pinned_key", "_program", "_shapes", "_signed",
                 "_ticks", "_ticks_at", "profile", "questions", "requests")  # fmt: skip

    def __init__(self, profile: Profile, questions: tuple[Question, ...], inventory: bytes) -> None:
        self.profile = profile
        self.questions = questions
        self.requests: tuple[Request, ...] = tuple(share(("request", q), q.request) for q in questions)
        self._inventory = inventory
        self._shapes: tuple[Shape, ...] = ()
        self._signed: tuple[tuple[int, int], ...] = ()
        self._layout = Layout(())
        self._program: Program | None = None
        self._moving: frozenset[bytes] = frozenset()
        self._free: frozenset[bytes] = frozenset()
        self._pinned: tuple[Number, ...] = ()
        self._pinned_key = 0
        self._ticks = 0
        self._ticks_at = -1

    @classmethod
    def made(cls, profile: Profile, cells: Cells, *, v1: bool = False, body: int = BODY) -> Plan:
        """The plan for a device that was found to have `cells`: all that the profile asks, of either cadence."""
        every = polled(profile)
        ignored = translate(profile, cells).ignored
        asked = {
            column: rows
            for column, rows in cells.items()
            if column in every and not all(binding.oid in ignored for binding in rows.values())
        }
        questions = tuple(map(_same, ask_for(asked, v1=v1, body=body)))
        kept = [binding for column, rows in cells.items() if column not in asked for binding in rows.values()]
        return cls(profile, questions, zlib.compress(b"".join(map(_encode, kept))))

    def values(self, bodies: Sequence[bytes]) -> Sequence[Number] | None:
        """The block's values when every answer has the layout of the last ones, else None."""
        if self._program is None:
            return None
        pool: list[Number] = []
        for shape, body in zip(self._shapes, bodies, strict=True):
            cut = shape.cut(body)
            if cut is None:
                return None
            pool += map(int.from_bytes, cut)
        if (at := self._ticks_at) >= 0:
            ticks = pool[at]
            if ticks < self._ticks:
                raise Changed(f"sysUpTime went back from {self._ticks} to {ticks}: the device restarted")
            self._ticks = int(ticks)
        for at, bit in self._signed:
            if pool[at] >= bit:
                pool[at] -= bit << 1
        values = self._program.values(pool, self._pinned)
        if values is None:
            self._pinned_key = 0  # a number stands for something else now, as "no reading": translate anew
        return values

    def read(self, bodies: Sequence[bytes | None], when: float) -> tuple[Block, Facts | None]:
        """A poll's values, and the facts when they had to be worked out anew; None stands for a missing answer.

        Raises Changed when the device has another shape, snmp.errors.DecodeError for what is no answer at all.
        """
        if None in bodies:
            return snapshot(self.profile, self._cells(bodies), when)
        whole: Sequence[bytes] = bodies  # type: ignore[assignment]
        values = self.values(whole)
        facts_or_none: Facts | None = None
        if values is None:
            facts_or_none = self._reshape(whole)
            values = self.values(whole)
            assert values is not None
        return Block(self._layout, values, when), facts_or_none

    # -- when an answer looks different

    def _reshape(self, bodies: Sequence[bytes]) -> Facts | None:
        """Learn the answers' layout; facts only when a value changed that was not declared moving."""
        found = [elements(body) for body in bodies]
        for question, body, places in zip(self.questions, bodies, found, strict=True):
            _check(question, body, places)
        facts = None
        if self._program is None or self._key(bodies, found) != self._pinned_key:
            facts, samples, ignored = _translated(self.profile, self._cells(bodies))
            moving = frozenset(encode_oid(sample.cell) for sample in samples if sample.cell is not None) | {UPTIME}
            self._moving = share(moving, lambda: moving)
            unread = frozenset(map(encode_oid, ignored)) - moving
            self._free = share(unread, lambda: unread)
            self._pinned_key = self._key(bodies, found)
            self._compile(bodies, found, samples)
        shapes, signed, count = [], [], 0
        for question, body, places in zip(self.questions, bodies, found, strict=True):
            spans = []
            for i, place in enumerate(places):
                if i not in question.sentinels and body[place.name : place.name_end] in self._moving:
                    spans.append((_first(place), place.end))
                    if place.tag == ber.INTEGER:
                        signed.append((count, 1 << (8 * (place.end - place.value) - 1)))
                    count += 1
            free = [
                (place.value, place.end)
                for i, place in enumerate(places)
                if i in question.sentinels or body[place.name : place.name_end] in self._free
            ]
            shapes.append(Shape(body, spans, free))
        self._shapes = tuple(shapes)
        self._signed = tuple(signed)
        return facts

    def _key(self, bodies: Sequence[bytes], found: Sequence[list[Element]]) -> int:
        """A digest of all values that are not moving."""
        pinned = []
        for question, body, places in zip(self.questions, bodies, found, strict=True):
            for i, place in enumerate(places):
                name = body[place.name : place.name_end]
                if i not in question.sentinels and name not in self._moving and name not in self._free:
                    pinned.append(body[place.name_end : place.end])
        return hash(tuple(pinned))

    def _compile(self, bodies: Sequence[bytes], found: Sequence[list[Element]], samples: list[Sample]) -> None:
        """From samples to a program over the moving values, in the order in which `Shape.cut` gives them."""
        at: dict[bytes, int] = {}
        for question, body, places in zip(self.questions, bodies, found, strict=True):
            for i, place in enumerate(places):
                name = body[place.name : place.name_end]
                if i in question.sentinels or name not in self._moving:
                    continue
                at[name] = len(at)
        key, make, self._pinned = plan_for(samples, at)
        self._program = share(key, make)
        self._layout = _layout(samples)
        self._ticks_at = at.get(UPTIME, -1)

    def _cells(self, bodies: Sequence[bytes | None]) -> Cells:
        """What was answered now and what was learnt with the plan."""
        bindings = message.decode_varbinds(zlib.decompress(self._inventory))
        for question, body in zip(self.questions, bodies, strict=True):
            if body is not None:
                some = message.decode_varbinds(body)
                bindings += [binding for i, binding in enumerate(some) if i not in question.sentinels]
        return arrange(bindings, columns(self.profile))

    # -- across a restart

    def dump(self) -> bytes:
        """The plan as bytes for `load`: the questions and what only learning asks."""
        return zlib.compress(
            json.dumps(
                {
                    "version": VERSION,
                    "profile": self.profile.name,
                    "inventory": b64encode(self._inventory).decode(),
                    "questions": [
                        [q.kind, [n.hex() for n in q.asked], q.non_repeaters, q.max_repetitions, [n.hex() for n in q.names],
                         sorted(q.sentinels)] for q in self.questions
                    ],
                }
            ).encode()
        )  # fmt: skip

    @classmethod
    def load(cls, data: bytes, profiles: Profiles) -> Plan:
        """A plan from `dump`; raises ValueError when it is damaged, of another version or of an unknown profile."""
        try:
            d = json.loads(zlib.decompress(data))
            if d["version"] != VERSION:
                raise KeyError(f"version {d['version']}, expected {VERSION}")
            questions = tuple(
                Question(
                    kind, tuple(map(bytes.fromhex, asked)), non, reps, tuple(map(bytes.fromhex, names)), frozenset(sentinels)
                )
                for kind, asked, non, reps, names, sentinels in d["questions"]
            )
            return cls(profiles[d["profile"]], tuple(map(_same, questions)), b64decode(d["inventory"]))
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


def _check(question: Question, body: bytes, places: list[Element]) -> None:
    """Every name must be the one expected, in its place; raises Changed."""
    names = question.names
    for i, (name, place) in enumerate(zip(names, places, strict=False)):
        found = body[place.name : place.name_end]
        if i in question.sentinels:
            if found.startswith(name) and len(found) > len(name) and place.tag not in ber.EXCEPTIONS:
                raise Changed(f"a new row: {_text(found)}")
        elif found != name:
            raise Changed(f"{_text(found)} where {_text(name)} was expected")
        elif place.tag in ber.EXCEPTIONS:
            raise Changed(f"{_text(name)} is gone")
    if len(places) < len(names):
        raise Changed(f"{len(places)} objects where {len(names)} were expected", body=len(body) if places else 0)
    if len(places) > len(names):
        raise Changed(f"{len(places)} objects where {len(names)} were expected")


def _first(place: Element) -> int:
    """Where the part of a moving value begins that counts: agents pad 32-bit numbers beyond four octets (see
    `ber.decode_value`), and what lies before them must not move."""
    if place.tag == ber.COUNTER64:
        return max(place.value, place.end - 8)
    if place.tag in ber.UNSIGNED:
        return max(place.value, place.end - 4)
    return place.value


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


def _text(name: bytes) -> str:
    try:
        return str(decode_oid(name))
    except ValueError:
        return f"a malformed name ({name[:20].hex()})"
