"""What a responder serves: objects in MIB order, found by bisection once and then by position.

A `Shape` is the order of the names; it never changes and thousands of trees may share it. A `Tree` adds values to a shape:
encoded bytes, or a function of the clock. A `LiveTree` is made of groups that are read when somebody asks.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from . import ber, message
from .errors import EncodeError
from .message import VarBind
from .oid import OID

Source = bytes | Callable[[float], bytes]
"""A value: its encoding (`ber.encode_value`), or a function of the clock's seconds that returns one; it must not raise."""
Row = tuple[OID, int, ber.Value]
"""One object as a reader gives it: name, type (constants in `ber`), value."""

_SEQUENCE = [bytes((ber.SEQUENCE, n)) for n in range(0x80)]
_REMEMBERED = 256
_REMEMBERED_BODY = 768
_REMEMBERED_BINDINGS = 160


class Plan(NamedTuple):
    """Which objects answer a request: (encoded name, position), or (whole varbind, -1) where no object does.

    `edges` are the positions beside which each requested name stands; a group that gained objects is noticed there.
    """

    items: list[tuple[bytes, int]]
    edges: frozenset[int]


class Shape:
    """Names in MIB order, encoded once. Immutable but for a bounded memory of the requests seen lately."""

    __slots__ = ("_plans", "_remembered", "heads", "names")

    def __init__(
        self, names: Iterable[OID], encode: Callable[[OID], bytes] = ber.encode_oid, remembered: int = _REMEMBERED
    ) -> None:
        """Sorts; raises ValueError for a name given twice, EncodeError for one that cannot be encoded.

        An `encode` that remembers saves memory where many shapes have names in common, as does keeping fewer requests.
        """
        self.names: tuple[OID, ...] = tuple(sorted(names))
        for one, other in zip(self.names, self.names[1:], strict=False):
            if one == other:
                raise ValueError(f"object {one} stands twice in the tree")
        self.heads: tuple[bytes, ...] = tuple(encode(name) for name in self.names)
        self._remembered = remembered
        self._plans: dict[tuple[int, int, int, int, bytes], Plan] = {}

    def __len__(self) -> int:
        return len(self.names)

    def position(self, name: tuple[int, ...]) -> int:
        """Where this very object stands, -1 if it does not."""
        at = bisect_left(self.names, name)
        return at if at < len(self.names) and self.names[at] == name else -1

    def plan(self, kind: int, first: int, second: int, body: bytes, limit: int) -> Plan:
        """What answers a request of type `kind` with these two header fields; raises DecodeError for a damaged `body`.

        For a GET_BULK the fields are non-repeaters and max-repetitions, and no more is planned than `limit` bytes can hold.
        """
        key = (kind, first, second, limit, body)
        found = self._plans.get(key)
        if found is not None:
            return found
        names = [binding.oid for binding in message.decode_varbinds(body)]
        if kind == message.GET:
            plan = self._exact(names)
        elif kind == message.GET_NEXT:
            plan = self._next(names, len(names), 0, limit)
        else:
            plan = self._next(names, max(first, 0), max(second, 0), limit)
        if len(body) <= _REMEMBERED_BODY and len(plan.items) <= _REMEMBERED_BINDINGS:
            if len(self._plans) >= self._remembered:
                self._plans.clear()
            self._plans[key] = plan
        return plan

    def _exact(self, names: list[OID]) -> Plan:
        items: list[tuple[bytes, int]] = []
        edges: set[int] = set()
        for name in names:
            at = bisect_left(self.names, name)
            if at < len(self.names) and self.names[at] == name:
                items.append((self.heads[at], at))
                continue
            near = [p for p in (at - 1, at) if 0 <= p < len(self.names)]
            known = any(_akin(name, self.names[p]) for p in near)
            items.append((_exception(name, ber.NO_SUCH_INSTANCE if known else ber.NO_SUCH_OBJECT), -1))
            edges.update(near)
        return Plan(items, frozenset(edges))

    def _next(self, names: list[OID], single: int, repetitions: int, limit: int) -> Plan:
        heads, count = self.heads, len(self.heads)
        starts = [bisect_right(self.names, name) for name in names]
        edges = frozenset(p for at in starts for p in (at - 1, at) if 0 <= p < count)
        items: list[tuple[bytes, int]] = []
        for name, at in zip(names[:single], starts, strict=False):
            items.append((heads[at], at) if at < count else (_exception(name, ber.END_OF_MIB_VIEW), -1))
        columns = starts[single:]
        ends = [
            _exception(name if at >= count else self.names[-1], ber.END_OF_MIB_VIEW)
            for name, at in zip(names[single:], columns, strict=True)
        ]
        room = limit - sum(len(head) for head, _ in items)
        for row in range(repetitions if columns else 0):
            alive = False
            for at, end in zip(columns, ends, strict=True):
                item = (heads[at + row], at + row) if at + row < count else (end, -1)
                alive = alive or item[1] >= 0
                items.append(item)
                room -= len(item[0])
            if room < 0 or not alive:
                break
        return Plan(items, edges)


class Tree:
    """A shape and its values, position by position. Values may be replaced in place; the shape may not."""

    __slots__ = ("shape", "values")

    def __init__(self, shape: Shape, values: Sequence[Source]) -> None:
        if len(values) != len(shape):
            raise ValueError(f"{len(shape)} names in the shape, but {len(values)} values")
        self.shape = shape
        self.values: Sequence[Source] = values

    @classmethod
    def of(cls, rows: Iterable[Row]) -> Tree:
        """A tree of fixed values, given in any order; raises EncodeError or ValueError for what no tree can hold."""
        ordered = sorted(rows, key=lambda row: row[0])
        return Tree(Shape(row[0] for row in ordered), [ber.encode_value(tag, value) for _, tag, value in ordered])

    def plan(self, kind: int, first: int, second: int, body: bytes, limit: int, now: float) -> Plan:
        """What answers this request now; see `Shape.plan`."""
        return self.shape.plan(kind, first, second, body, limit)

    def value(self, position: int, now: float) -> bytes:
        """The encoded value at a position."""
        value = self.values[position]
        return value if isinstance(value, bytes) else value(now)

    def bind(self, plan: Plan, room: int, now: float) -> tuple[bytes, int]:
        """The variable bindings of a plan as far as `room` bytes hold them: (their encoding, how many)."""
        values = self.values
        out: list[bytes] = []
        add = out.append
        count = 0
        for head, position in plan.items:
            if position < 0:
                room -= len(head)
                if room < 0:
                    break
                add(head)
            else:
                value = values[position]
                if not isinstance(value, bytes):
                    value = value(now)
                n = len(head) + len(value)
                if n < 0x80:
                    room -= n + 2
                    if room < 0:
                        break
                    add(_SEQUENCE[n])
                else:
                    start = b"\x30" + ber.encode_length(n)
                    room -= n + len(start)
                    if room < 0:
                        break
                    add(start)
                add(head)
                add(value)
            count += 1
        return b"".join(out), count

    def rows(self, now: float) -> Iterator[VarBind]:
        """Every object with its value, in order."""
        for position, name in enumerate(self.shape.names):
            tag, start, end = ber.header(value := self.value(position, now), 0, len(value))
            yield VarBind(name, tag, ber.decode_value(tag, value[start:end]))


class Group:
    """Objects that are read together, such as everything one look at the network cards gives.

    `read` returns rows in any order; what it returned is served for `ttl` seconds (0: for one request only). A row that cannot
    be encoded is left out, and if `read` fails the whole group is, until it is asked for again; both are logged when they begin.
    """

    __slots__ = ("_fresh_until", "_places", "_rows", "_trouble", "name", "names", "read", "readings", "ttl", "values")

    def __init__(self, name: str, read: Callable[[], Iterable[Row]], ttl: float = 2.0) -> None:
        self.name = name
        self.read = read
        self.ttl = ttl
        self.names: list[OID] = []
        """In order; another list when the names change."""
        self.values: list[bytes] = []
        self.readings = 0
        """How often it was read."""
        self._rows: list[tuple[OID, int, ber.Value, bytes]] = []
        self._places: list[int] = []
        self._fresh_until = float("-inf")
        self._trouble = ""

    def fresh(self, now: float) -> bool:
        """May what was read last still be served?"""
        return now <= self._fresh_until

    def refresh(self, now: float) -> None:
        """Read again."""
        # Readers give their rows in the same order nearly always: then each is compared with the last one in its place, and
        # nothing is looked up or sorted.
        last, moved, trouble = self._rows, False, ""
        rows: list[tuple[OID, int, ber.Value, bytes]] = []
        try:
            for name, tag, value in self.read():
                before = last[len(rows)] if len(rows) < len(last) else None
                if before is None or before[0] != name:
                    moved = True
                elif before[1] == tag and before[2] == value:
                    rows.append(before)
                    continue
                try:
                    if moved:
                        ber.encode_oid(name)
                    rows.append((name, tag, value, ber.encode_value(tag, value)))
                except EncodeError as e:
                    trouble = f"{name} is left out: {e}"
        except Exception as e:  # whatever a reader of the machine's state stumbles over, the other groups are served
            rows = []
            trouble = f"not readable: {type(e).__name__}: {e}"
        if trouble and not self._trouble:
            # Imported when there is something to say: an agent in health goes without its memory.
            import logging

            logging.getLogger(__name__).warning("objects of group %s: %s", self.name, trouble)
        self._trouble = trouble
        self._fresh_until = now + self.ttl
        self._rows = rows
        if moved or len(rows) != len(last):
            places = {row[0]: place for place, row in enumerate(rows)}
            names = sorted(places)
            if names != self.names:
                self.names = names
            self._places = [places[name] for name in names]
        self.values = [rows[place][3] for place in self._places]
        self.readings += 1


class LiveTree(Tree):
    """A tree of groups, each read at most once in its `ttl` and only for an answer that holds or passes its objects.

    Groups may interleave; of two that give the same object the first is served. Trees may share groups.
    """

    __slots__ = ("_groups", "_live", "_names", "_owners", "_places", "_readings")

    def __init__(self, groups: Iterable[Group]) -> None:
        super().__init__(Shape(()), [])
        self._groups = tuple(groups)
        self._live: list[bytes] = []
        self._owners: list[int] = []
        self._places: list[list[int]] = [[] for _ in self._groups]
        self._names: list[list[OID]] = [[] for _ in self._groups]
        self._readings = [0] * len(self._groups)

    def plan(self, kind: int, first: int, second: int, body: bytes, limit: int, now: float) -> Plan:
        """What answers this request now, after the groups it concerns have been read."""
        while True:
            plan = self.shape.plan(kind, first, second, body, limit)
            owners = self._owners
            wanted = {owners[position] for _, position in plan.items if position >= 0}
            wanted.update(owners[position] for position in plan.edges)
            wanted.update(i for i, places in enumerate(self._places) if not places)
            if not self._refresh(wanted, now):
                return plan

    def rows(self, now: float) -> Iterator[VarBind]:
        """Every object with its value, in order, all groups read."""
        self._refresh(range(len(self._groups)), now)
        return super().rows(now)

    def _refresh(self, wanted: Iterable[int], now: float) -> bool:
        """Read those of the wanted groups that are stale; did the shape change?"""
        changed = False
        for i in wanted:
            group = self._groups[i]
            if not group.fresh(now):
                group.refresh(now)
            if self._readings[i] == group.readings:
                continue
            self._readings[i] = group.readings
            if self._names[i] is not group.names:
                changed = True
            elif not changed:
                for position, value in zip(self._places[i], group.values, strict=True):
                    if position >= 0:
                        self._live[position] = value
        if changed:
            self._assemble()
        return changed

    def _assemble(self) -> None:
        merged: dict[OID, tuple[int, bytes]] = {}
        for i, group in enumerate(self._groups):
            for name, value in zip(group.names, group.values, strict=True):
                merged.setdefault(name, (i, value))
        self.shape = Shape(merged)
        self.values = self._live = [merged[name][1] for name in self.shape.names]
        self._owners = [merged[name][0] for name in self.shape.names]
        at = {name: position for position, name in enumerate(self.shape.names)}
        self._names = [group.names for group in self._groups]
        self._readings = [group.readings for group in self._groups]
        self._places = [
            [at[name] if merged[name][0] == i else -1 for name in group.names] for i, group in enumerate(self._groups)
        ]


def _akin(missing: OID, present: OID) -> bool:
    """Is `missing` another instance of the object that `present` is one of, or that object without instance?

    A tree does not know which objects are columns, so this is judged by the names; indexes of several arcs may escape it.
    """
    beside = missing[:-1] == present[: len(missing) - 1] and missing != present[: len(missing)]
    return beside or missing == present[:-1]


def _exception(name: OID, tag: int) -> bytes:
    return ber.tlv(ber.SEQUENCE, ber.encode_oid(name) + bytes((tag, 0)))
