"""From the rows a device has to the requests that read them all: columns together, in answers that fit a packet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from typing import NamedTuple

from snmp import ber, message
from snmp.client import Request
from snmp.message import VarBind
from snmp.oid import OID
from snmp.oid import encode as encode_oid
from snmp.table import MANNERS, Manner

Cells = dict[OID, dict[tuple[int, ...], VarBind]]
"""Column -> index -> varbind; a scalar is the column without its ``.0``, with index ``(0,)``."""

MANY = 12
"""Objects at most that are read name by name to spare a request."""
NAMES = 20
"""Names at most in a request without repetitions."""
FEW = 3
"""A table of so few rows is read name by name, in whatever request has room."""
SPARE = 20
"""Octets of what lies behind a column's last row, more or less."""

_USUAL = {ber.COUNTER32: 2, ber.COUNTER64: 5}
"""Octets that counters, the small ones mostly of errors and the large ones of traffic, grow to within the hour after they began
anew."""


class Question(NamedTuple):
    """One request and what must come back, in order: the octets of each name. At a sentinel's place stands the column
    that the name must not belong to: there would be a new row behind the last one."""

    kind: int
    asked: tuple[bytes, ...]
    non_repeaters: int
    max_repetitions: int
    names: tuple[bytes, ...]
    sentinels: frozenset[int]

    def request(self) -> Request:
        """The encoded request."""
        body = b"".join(ber.tlv(ber.SEQUENCE, ber.tlv(ber.OBJECT_IDENTIFIER, name) + b"\x05\x00") for name in self.asked)
        return Request(self.kind, body, self.non_repeaters, self.max_repetitions)


class _Point(NamedTuple):
    """One object read by name: what precedes it, itself (None: a sentinel), the octets it takes, its column."""

    before: OID
    name: OID | None
    size: int
    column: OID


class _Block(NamedTuple):
    """Rows of columns side by side; with a `spare` one, which is not there, behind the last ones."""

    starts: tuple[OID, ...]
    rows: tuple[tuple[int, ...], ...]
    columns: tuple[OID, ...]
    size: int
    spare: bool = False

    @property
    def objects(self) -> int:
        """Objects in the answer."""
        return (len(self.rows) + self.spare) * len(self.columns)


def ask_for(cells: Cells, manner: Manner = MANNERS[0], *, v1: bool = False, closed: Set[OID] = frozenset()) -> Iterator[Question]:
    """The questions that read `cells` again and notice any new row, in a shape that the device bears.

    Behind the last row of a column one more is asked for, which is not there: it costs some octets of an answer. Not of what
    is in `closed`: scalars, which have no rows, and columns whose next row the device cannot tell.
    """
    points: list[_Point] = []
    blocks: list[_Block] = []
    by_name = v1 or not manner.bulk
    for indexes, columns in _alike(cells).items():
        if by_name or len(indexes) <= FEW:
            for column in columns:
                points += _points(cells, column, column, indexes, spare=column not in closed)
            continue
        for some in _side_by_side(cells, columns, indexes, manner):
            blocks += _chop(cells, some, indexes, manner, spare=closed.isdisjoint(some))
            if not blocks[-1].spare:
                points += (_Point(column + indexes[-1], None, SPARE, column) for column in some if column not in closed)
    if not by_name and manner.mixed:
        _dissolve(cells, blocks, points, manner)
    points.sort(key=lambda point: point.before)
    for block in sorted(blocks, key=lambda block: block.starts[0]):
        yield _bulk(block, _beside(block, points, manner) if manner.mixed else [])
    # v1 answers a request for one object that does not exist with nothing else (RFC 1157 section 4.1.3), so the sentinel
    # that may look behind the last of all objects stands alone
    last = max((point for point in points if point.name is None), key=lambda point: point.column, default=None) if v1 else None
    yield from _by_name([point for point in points if point is not last], manner, by_name)
    if last is not None:
        yield _next([last])


def _points(cells: Cells, column: OID, before: OID, rows: Sequence[tuple[int, ...]], *, spare: bool) -> Iterator[_Point]:
    """Rows of a column name by name, and with `spare` what is behind them; `before` precedes the first one."""
    for row in rows:
        yield _Point(before, column + row, _size(cells[column][row]), column)
        before = column + row
    if spare:
        yield _Point(before, None, SPARE, column)


def _beside(block: _Block, points: list[_Point], manner: Manner) -> list[_Point]:
    """Take out of `points` those that find room in the answer that holds a block."""
    room, places = manner.octets - block.size, manner.objects - block.objects
    beside: list[_Point] = []
    for point in list(points):
        if point.size <= room and places > 0:
            room, places = room - point.size, places - 1
            beside.append(point)
            points.remove(point)
    return beside


def _bulk(block: _Block, beside: Sequence[_Point]) -> Question:
    names = [_expected(point) for point in beside]
    names += [encode_oid(column + row) for row in block.rows for column in block.columns]
    sentinels = [i for i, point in enumerate(beside) if point.name is None]
    if block.spare:
        sentinels += range(len(names), len(names) + len(block.columns))
        names += map(encode_oid, block.columns)
    return Question(
        message.GET_BULK,
        tuple(encode_oid(name) for name in (*(point.before for point in beside), *block.starts)),
        len(beside),
        len(block.rows) + block.spare,
        tuple(names),
        frozenset(sentinels),
    )


def _by_name(points: Sequence[_Point], manner: Manner, plainly: bool) -> Iterator[Question]:
    """GETNEXTs of as many points as an answer holds, `plainly` of fewer; by GETNEXT, so that a row between two others is
    noticed."""
    most = min(manner.objects, NAMES) if plainly else manner.objects
    if not manner.mixed or not manner.bulk:
        most = min(most, manner.columns)
    some: list[_Point] = []
    room = manner.octets
    for point in points:
        if some and (len(some) >= most or point.size > room):
            yield _next(some)
            some, room = [], manner.octets
        some.append(point)
        room -= point.size
    if some:
        yield _next(some)


def _dissolve(cells: Cells, blocks: list[_Block], points: list[_Point], manner: Manner) -> None:
    """Where the smallest block fits beside the others, read it there name by name: one packet less each way."""
    while len(blocks) > 1:
        least = min(blocks, key=lambda block: block.size)
        others = [block for block in blocks if block is not least]
        room = sum(manner.octets - block.size for block in others) - sum(point.size for point in points)
        places = sum(manner.objects - block.objects for block in others) - len(points)
        if least.objects > MANY or least.size > room or least.objects > places:
            return
        blocks.remove(least)
        for column, before in zip(least.columns, least.starts, strict=True):
            points += _points(cells, column, before, least.rows, spare=least.spare)


def _next(points: Sequence[_Point]) -> Question:
    return Question(
        message.GET_NEXT,
        tuple(encode_oid(point.before) for point in points),
        0,
        0,
        tuple(_expected(point) for point in points),
        frozenset(i for i, point in enumerate(points) if point.name is None),
    )


def _expected(point: _Point) -> bytes:
    return encode_oid(point.column if point.name is None else point.name)


def _size(binding: VarBind) -> int:
    """Octets of a varbind in an answer, with room for a counter to grow until the device is learnt again. Other values stay
    as they are, more or less: a packet a few octets longer than wanted passes, one more takes a round trip's work."""
    value = binding.value
    if isinstance(value, bytes):
        content = len(value)
    elif isinstance(value, tuple):
        content = len(encode_oid(value))
    else:
        content = max(_USUAL.get(binding.tag, 0), (value or 0).bit_length() // 8 + 1)
    return len(encode_oid(binding.oid)) + content + (6 if content < 100 else 9)


def _alike(cells: Cells) -> Mapping[tuple[tuple[int, ...], ...], list[OID]]:
    """Columns by the rows they have: only those with the very same rows can be read side by side."""
    out: dict[tuple[tuple[int, ...], ...], list[OID]] = {}
    for column in sorted(cells):
        if cells[column]:
            out.setdefault(tuple(sorted(cells[column])), []).append(column)
    return out


def _side_by_side(cells: Cells, columns: list[OID], indexes: tuple[tuple[int, ...], ...], manner: Manner) -> Iterator[list[OID]]:
    """Groups of columns that an answer holds with all their rows: a request names each column once, so the fewer requests
    a column needs the shorter they are. A column that is too long for one answer stands alone."""
    group: list[OID] = []
    room, places = manner.octets, manner.objects
    for column in columns:
        size = sum(_size(cells[column][index]) for index in indexes)
        if group and (size > room or len(indexes) > places or len(group) >= manner.columns):
            yield group
            group, room, places = [], manner.octets, manner.objects
        group.append(column)
        room -= size
        places -= len(indexes)
    if group:
        yield group


def _chop(
    cells: Cells, columns: list[OID], indexes: tuple[tuple[int, ...], ...], manner: Manner, *, spare: bool
) -> Iterator[_Block]:
    """Blocks of as many rows as an answer holds, the last one with a `spare` row when there is room for it."""
    sizes = [sum(_size(cells[column][index]) for column in columns) for index in indexes]
    starts = tuple(columns)
    rows: list[tuple[int, ...]] = []
    size = 0
    for index, more in zip(indexes, sizes, strict=True):
        if rows and (size + more > manner.octets or (len(rows) + 1) * len(columns) > manner.objects):
            yield _Block(starts, tuple(rows), tuple(columns), size)
            starts = tuple(column + rows[-1] for column in columns)
            rows, size = [], 0
        rows.append(index)
        size += more
    spared = size + SPARE * len(columns)
    spare = spare and spared <= manner.octets and (len(rows) + 1) * len(columns) <= manner.objects
    yield _Block(starts, tuple(rows), tuple(columns), spared if spare else size, spare)
