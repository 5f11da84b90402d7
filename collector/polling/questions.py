"""From the rows a device has to the requests that read them all: columns together, in answers that fit a packet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from snmp import ber, message
from snmp.client import Request
from snmp.message import VarBind
from snmp.oid import OID
from snmp.oid import encode as encode_oid

Cells = dict[OID, dict[tuple[int, ...], VarBind]]
"""Column -> index -> varbind; a scalar is the column without its ``.0``, with index ``(0,)``."""

BODY = 1350
"""Octets of varbinds wanted in one answer: with the headers of SNMP, UDP and IP 1,413, which pass through the tunnels that
office lines are made of."""
SECURED = 1230
"""The same for v3, whose headers take some 120 more."""
VARBINDS = 72
"""Varbinds at most in one answer: weak agents take their time over more."""
WIDTH = 18
"""Columns at most side by side."""
MANY = 12
"""Objects at most that are read name by name to spare a request."""
NAMES = 20
"""Names at most in a request without repetitions."""
FEW = 3
"""A table of so few rows is read name by name, in whatever request has room."""


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
    """Rows of columns side by side."""

    starts: tuple[OID, ...]
    rows: tuple[tuple[int, ...], ...]
    columns: tuple[OID, ...]
    size: int


def ask_for(cells: Cells, *, v1: bool = False, body: int = BODY) -> Iterator[Question]:
    """The questions that read `cells` again and would notice a new row; answers of at most `body` octets where possible."""
    points: list[_Point] = []
    blocks: list[_Block] = []
    for indexes, columns in _alike(cells).items():
        if indexes != ((0,),):
            points.append(_Point(columns[0] + indexes[-1], None, 24, columns[0]))
        if v1 or len(indexes) <= FEW:
            for column in columns:
                before = column
                for index in indexes:
                    points.append(_Point(before, column + index, _size(cells[column][index]), column))
                    before = column + index
            continue
        for first in range(0, len(columns), WIDTH):
            blocks += _chop(cells, columns[first : first + WIDTH], indexes, body)
    if v1:
        yield from _v1(points)
        return
    _dissolve(cells, blocks, points, body)
    points.sort(key=lambda point: point.before)
    for block in sorted(blocks, key=lambda block: block.starts[0]):
        room, places = body - block.size, VARBINDS - len(block.rows) * len(block.columns)
        beside: list[_Point] = []
        for point in list(points):
            if point.size <= room and places > 0:
                room, places = room - point.size, places - 1
                beside.append(point)
                points.remove(point)
        names = [_expected(point) for point in beside]
        names += [encode_oid(column + row) for row in block.rows for column in block.columns]
        yield Question(
            message.GET_BULK,
            tuple(encode_oid(name) for name in (*(point.before for point in beside), *block.starts)),
            len(beside),
            len(block.rows),
            tuple(names),
            frozenset(i for i, point in enumerate(beside) if point.name is None),
        )
    while points:
        room, some = body, list[_Point]()
        while points and len(some) < VARBINDS and (not some or points[0].size <= room):
            room -= points[0].size
            some.append(points.pop(0))
        yield _next(some)


def _dissolve(cells: Cells, blocks: list[_Block], points: list[_Point], body: int) -> None:
    """Where the smallest block fits beside the others, read it there name by name: one packet less each way."""
    while len(blocks) > 1:
        least = min(blocks, key=lambda block: block.size)
        room = sum(body - block.size for block in blocks if block is not least) - sum(point.size for point in points)
        places = sum(VARBINDS - len(block.rows) * len(block.columns) for block in blocks if block is not least) - len(points)
        count = len(least.rows) * len(least.columns)
        if count > MANY or least.size + 60 > room or count > places:
            return
        blocks.remove(least)
        for column, before in zip(least.columns, least.starts, strict=True):
            for row in least.rows:
                points.append(_Point(before, column + row, _size(cells[column][row]), column))
                before = column + row


def _next(points: list[_Point]) -> Question:
    return Question(
        message.GET_NEXT,
        tuple(encode_oid(point.before) for point in points),
        0,
        0,
        tuple(_expected(point) for point in points),
        frozenset(i for i, point in enumerate(points) if point.name is None),
    )


def _v1(points: list[_Point]) -> Iterator[Question]:
    """By GETNEXT, so that a row between two others is noticed. v1 answers a request for one object that does not exist
    with nothing else (RFC 1157 section 4.1.3), so sentinels, which may be the last of all objects, stand alone."""
    named = [point for point in points if point.name is not None]
    for first in range(0, len(named), NAMES):
        yield _next(named[first : first + NAMES])
    for point in points:
        if point.name is None:
            yield _next([point])


def _expected(point: _Point) -> bytes:
    return encode_oid(point.column if point.name is None else point.name)


def _size(binding: VarBind) -> int:
    """Octets of a varbind in an answer, with room for a counter to grow."""
    value = binding.value
    if isinstance(value, bytes):
        content = len(value) + 1
    elif isinstance(value, tuple):
        content = len(encode_oid(value))
    else:
        content = 9 if binding.tag == ber.COUNTER64 else 5
    return len(encode_oid(binding.oid)) + content + (6 if content < 100 else 9)


def _alike(cells: Cells) -> Mapping[tuple[tuple[int, ...], ...], list[OID]]:
    """Columns by the rows they have: only those with the very same rows can be read side by side."""
    out: dict[tuple[tuple[int, ...], ...], list[OID]] = {}
    for column in sorted(cells):
        if cells[column]:
            out.setdefault(tuple(sorted(cells[column])), []).append(column)
    return out


def _chop(cells: Cells, columns: list[OID], indexes: tuple[tuple[int, ...], ...], body: int) -> Iterator[_Block]:
    """Blocks of as many rows as an answer holds, evenly filled."""
    sizes = [sum(_size(cells[column][index]) for column in columns) for index in indexes]
    starts = tuple(columns)
    rows: list[tuple[int, ...]] = []
    size = 0
    for index, more in zip(indexes, sizes, strict=True):
        if rows and (size + more > body or (len(rows) + 1) * len(columns) > VARBINDS):
            yield _Block(starts, tuple(rows), tuple(columns), size)
            starts = tuple(column + rows[-1] for column in columns)
            rows, size = [], 0
        rows.append(index)
        size += more
    if rows:
        yield _Block(starts, tuple(rows), tuple(columns), size)
