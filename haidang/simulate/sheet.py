"""The objects of one machine while they are put together; what machines have in common is kept once."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, lru_cache

from snmp import ber
from snmp.oid import OID
from snmp.tree import Shape, Source, Tree

Cell = tuple[int, ber.Value] | Source
"""A value by type, or encoded, or as a function of the clock."""


_COMMON_ARCS = 13
_REMEMBERED = 48
"""Requests that a shape remembers: a poll's, not a whole walk's, since a province has thousands of switches unlike each other."""


class Shapes:
    """The shapes in use, each kept once; machines with the same objects share one."""

    def __init__(self) -> None:
        self._shapes: dict[tuple[OID, ...], Shape] = {}
        self._heads: dict[OID, bytes] = {}

    def __len__(self) -> int:
        return len(self._shapes)

    def of(self, names: tuple[OID, ...]) -> Shape:
        """The shape of these names, which are in order."""
        shape = self._shapes.get(names)
        if shape is None:
            shape = Shape(names, self._head, _REMEMBERED)
            self._shapes[shape.names] = shape
        return shape

    def _head(self, name: OID) -> bytes:
        head = self._heads.get(name)
        if head is None:
            head = ber.encode_oid(name)
            if len(name) <= _COMMON_ARCS:
                self._heads[name] = head
        return head


class Sheet:
    """Names and values, put in one by one in any order; a later value replaces an earlier one."""

    __slots__ = ("_cells",)

    def __init__(self) -> None:
        self._cells: dict[OID, Source] = {}

    def put(self, name: OID, cell: Cell) -> None:
        """Set one object; raises EncodeError for a value that does not fit its type."""
        self._cells[name] = _encoded(*cell) if isinstance(cell, tuple) else cell

    def scalars(self, group: OID, cells: Mapping[int, Cell]) -> None:
        """Set scalars: arc below `group` -> value."""
        for arc, cell in cells.items():
            self.put(under(group, arc, 0), cell)

    def row(self, entry: OID, index: tuple[int, ...], cells: Mapping[int, Cell]) -> None:
        """Set a table's row: column -> value."""
        alone = len(index) > 2  # an address, which few machines have in common
        for column, cell in cells.items():
            self.put(OID((*entry, column, *index)) if alone else under(entry, column, *index), cell)

    def tree(self, shapes: Shapes) -> Tree:
        """All of it in MIB order."""
        cells = self._cells
        shape = shapes.of(tuple(sorted(cells)))
        return Tree(shape, [cells[name] for name in shape.names])


@cache
def under(prefix: OID, *arcs: int) -> OID:
    """What stands below an object."""
    return OID((*prefix, *arcs))


def _encoded(tag: int, value: ber.Value) -> bytes:
    if tag == ber.OCTET_STRING and value:
        return ber.encode_value(tag, value)
    return _common(tag, value)


@lru_cache(maxsize=1 << 14)
def _common(tag: int, value: ber.Value) -> bytes:
    """Numbers and identifiers, most of which many machines share."""
    return ber.encode_value(tag, value)


def text(value: str | bytes) -> Cell:
    """An OCTET STRING, text in UTF-8."""
    return ber.OCTET_STRING, value.encode() if isinstance(value, str) else value


def integer(value: int) -> Cell:
    """An INTEGER."""
    return ber.INTEGER, value


def gauge(value: int) -> Cell:
    """A Gauge32 or Unsigned32."""
    return ber.GAUGE32, value


def counter(value: int) -> Cell:
    """A Counter32 that stands still."""
    return ber.COUNTER32, value


def ticks(seconds: float) -> Cell:
    """TimeTicks that stand still."""
    return ber.TIME_TICKS, int(seconds * 100) & 0xFFFFFFFF


def identifier(value: OID) -> Cell:
    """An OBJECT IDENTIFIER."""
    return ber.OBJECT_IDENTIFIER, value


def address(value: str) -> Cell:
    """An IpAddress from dotted notation."""
    return ber.IP_ADDRESS, bytes(map(int, value.split(".")))
