"""Whole tables, all their columns side by side, from devices of every kind: each asked in the largest shape it bears."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from . import ber, message
from .client import Client, Request, Target
from .errors import DecodeError, SnmpError, StatusError, Timeout, WalkError
from .message import VarBind
from .oid import OID
from .session import ask, get_next, is_v1

TOGETHER = 12
"""Columns walked side by side at most."""
WALKED = 48
"""Objects wanted in an answer to a walk at most: their values' lengths are not known yet."""
USUAL = 28
"""Octets of a usual varbind."""
MAX_ROWS = 8192
"""Rows of one table: more is a device that counts on for ever, or a routing table nobody asked for."""
_SYSTEM = OID((1, 3, 6, 1, 2, 1, 1))

Rows = dict[OID, dict[tuple[int, ...], VarBind]]
"""Column -> index -> varbind."""
Missed = dict[OID, str]
"""Column that could not be read to its end -> why not."""


class Manner(NamedTuple):
    """A shape to ask in: at most so many columns side by side, objects and octets of them in an answer; with GETBULK or
    name by name; with single objects beside the columns of one request or not."""

    columns: int
    objects: int
    octets: int
    bulk: bool = True
    mixed: bool = True

    def within(self, room: int) -> Manner:
        """The same in answers of `room` octets at most."""
        return self._replace(octets=min(self.octets, room))


MANNERS = (
    Manner(18, 72, 1320),  # of the usual `message.PACKET` v3's headers leave a little less
    Manner(18, 24, 440),  # 484 octets of message is what every agent must take (RFC 3417 section 3.2.1)
    Manner(4, 12, 440, mixed=False),
    Manner(8, 8, 440, bulk=False),
    Manner(1, 1, 440, bulk=False),
)
"""From what spares the line most to what every device bears."""
BY_NAME = 3
"""The first rung on which nothing is asked in bulk."""


class Bearing:
    """What one device bears: a place in `MANNERS`, which only goes down, until somebody sets it back."""

    __slots__ = ("rung",)

    def __init__(self, rung: int = 0) -> None:
        self.rung = min(max(rung, 0), len(MANNERS) - 1)

    @property
    def manner(self) -> Manner:
        """The shape to ask in."""
        return MANNERS[self.rung]

    def lower(self, failed: int) -> bool:
        """Go down a rung from the one that failed, unless somebody did already; False at the lowest."""
        if failed >= len(MANNERS) - 1:
            return False
        self.rung = max(self.rung, failed + 1)
        return True

    def __repr__(self) -> str:
        return f"Bearing({self.rung})"


class _Column:
    __slots__ = ("cursor", "ended", "first", "name", "rows")

    def __init__(self, name: OID) -> None:
        self.name = name
        self.cursor = name
        self.first: OID | None = None
        self.ended = False
        self.rows: dict[tuple[int, ...], VarBind] = {}

    def take(self, binding: VarBind) -> None:
        """Keep the next row."""
        self.rows[binding.oid[len(self.name) :]] = binding
        self.cursor = binding.oid
        if self.first is None:
            self.first = binding.oid


class _Misshapen(WalkError):
    """An answer that does not fit its question."""


async def walk_columns(
    client: Client, target: Target, columns: Iterable[OID], bearing: Bearing | None = None, missed: Missed | None = None
) -> Rows:
    """Walk columns side by side until all have ended; a row is where its name says, or nowhere.

    A device that fails on many columns, many repetitions or large answers is asked in ever smaller shapes, which
    `bearing` remembers. What it cannot answer at all is said in `missed`, and without that raised. Raises SnmpError.
    """
    bearing = bearing or Bearing()
    borne, broken = bearing.rung, False
    every = [_Column(name) for name in columns]
    while active := [column for column in every if not column.ended]:
        rung, manner = bearing.rung, bearing.manner
        group = active[: min(manner.columns, TOGETHER)]
        try:
            await _advance(client, target, group, every, manner)
        except (StatusError, DecodeError, Timeout, _Misshapen) as error:
            if await _singly(client, target, group, every, missed, error):
                broken = True
            else:
                bearing.lower(rung)
        for column in group:
            if len(column.rows) > MAX_ROWS:
                column.rows.clear()
                _give_up(column, f"more than {MAX_ROWS} rows: it counts on for ever", missed)
    if broken:
        bearing.rung = borne  # an object that breaks the agent is met in every shape, and behind the ends of other columns too
    return {column.name: column.rows for column in every}


async def _advance(client: Client, target: Target, group: Sequence[_Column], every: Sequence[_Column], manner: Manner) -> None:
    """One request and what follows from its answer."""
    names = message.encode_names(column.cursor for column in group)
    if manner.bulk and not is_v1(target):
        objects = min(manner.objects, WALKED, manner.octets // USUAL)
        pdu = await ask(client, target, Request(message.GET_BULK, names, 0, max(1, objects // len(group))))
    else:
        pdu = await ask(client, target, Request(message.GET_NEXT, names))
    if pdu.error_status == message.NO_SUCH_NAME and 1 <= pdu.error_index <= len(group):
        group[pdu.error_index - 1].ended = True  # v1's end of everything (RFC 1157 section 4.1.3)
        return
    if pdu.error_status:
        raise StatusError(pdu.error_status, pdu.error_index)
    found = message.decode_varbinds(pdu.body)
    if len(found) < len(group) and len(pdu.body) < min(manner.octets, 400):
        raise _Misshapen(f"{target.address} answered {len(found)} objects where {len(group)} columns were asked")
    _understand(target, group, every, found)


def _understand(target: Target, group: Sequence[_Column], every: Sequence[_Column], found: Sequence[VarBind]) -> None:
    """Put rows into their columns and end those that have ended; raises _Misshapen, and keeps nothing, when something
    cannot be."""
    ended: dict[_Column, OID | None] = {}
    rows: list[tuple[_Column, VarBind]] = []
    cursors = {column: column.cursor for column in group}
    for i, binding in enumerate(found):
        column = group[i % len(group)]
        oid = binding.oid
        if column in ended:
            continue
        if binding.tag in ber.EXCEPTIONS:
            ended[column] = None
        elif not column.name.covers(oid):
            ended[column] = oid
        elif oid > cursors[column]:
            rows.append((column, binding))
            cursors[column] = oid
        elif oid < cursors[column]:
            raise _Misshapen(f"{target.address} answered {oid} after {cursors[column]}: its objects are out of order")
    if not rows and not ended:
        raise _Misshapen(f"{target.address} repeats {found[0].oid if found else 'nothing'} for ever")
    firsts = {column: column.first for column in every}
    for column, binding in rows:
        if firsts[column] is None:
            firsts[column] = binding.oid
    for column, after in ended.items():
        if after is not None:
            _check_end(target, cursors[column], after, firsts)
    for column, binding in rows:
        column.take(binding)
    for column in ended:
        column.ended = True


def _check_end(target: Target, last: OID, after: OID, firsts: Mapping[_Column, OID | None]) -> None:
    """What follows a column's last row is the first row of another column: another row of one of ours is a misplaced one."""
    if after <= last:
        raise _Misshapen(f"{target.address} answered {after} after {last}: its objects are out of order")
    for other, first in firsts.items():
        if other.name.covers(after) and after != first and (other.ended or first is not None):
            raise _Misshapen(f"{target.address} answered {after} in the place of what follows {last}")


async def confirm(client: Client, target: Target, rows: Rows, missed: Collection[OID] = ()) -> bool:
    """Does a device give the same rows singly as it gave in bulk? Tries every row of one column of those that have the same
    rows, and of each other column what is behind the last row, which for an empty one is all; but not what is behind those
    `missed`. Raises SnmpError."""
    expected: dict[OID, tuple[OID, OID | None]] = {}  # name -> its column, the next row of that column
    tried = set()
    for name, column in rows.items():
        chain: list[OID | None] = [name, *(binding.oid for binding in column.values())]
        chain += [None] * (name not in missed)
        alike = name[:-1], tuple(column)
        some = slice(None) if alike not in tried else slice(-2, None)
        tried.add(alike)
        expected.update((before, (name, after)) for before, after in pairwise(chain[some]) if before is not None)
    try:
        found = await get_next(client, target, list(expected))
    except (StatusError, DecodeError):
        return False
    return all(
        binding.oid == after if after is not None else not name.covers(binding.oid) or binding.tag in ber.EXCEPTIONS
        for (name, after), binding in zip(expected.values(), found, strict=True)
    )


def said(missed: Missed) -> list[str]:
    """What was missed, in words."""
    return [f"{column}: {reason}" for column, reason in missed.items()]


async def _singly(
    client: Client,
    target: Target,
    group: Sequence[_Column],
    every: Sequence[_Column],
    missed: Missed | None,
    error: SnmpError,
) -> bool:
    """Ask each column alone: was one of them at fault (it is given up), and not the shape?

    Raises the error when the device does not even say what it is.
    """
    guilty = False
    for column in group:
        try:
            await _advance(client, target, [column], every, MANNERS[-1])
        except (StatusError, DecodeError, Timeout, _Misshapen) as alone:
            if isinstance(alone, Timeout):
                await _check_alive(client, target, error)
            _give_up(column, str(alone), missed, alone)
            guilty = True
    return guilty


async def _check_alive(client: Client, target: Target, error: SnmpError) -> None:
    try:
        await ask(client, target, Request(message.GET_NEXT, message.encode_names([_SYSTEM])))
    except Timeout:
        raise error from None


def _give_up(column: _Column, reason: str, missed: Missed | None, error: SnmpError | None = None) -> None:
    column.ended = True
    if missed is None:
        raise error or WalkError(f"{column.name}: {reason}")
    missed[column.name] = reason
