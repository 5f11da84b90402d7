"""The objects of one machine while they are put together; what machines have in common is kept once."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from snmp import ber
from snmp.oid import OID
from snmp.tree import Shape, Source, Tree

Cell = tuple[int, ber.Value] | Source
"""A value by type, or encoded, or as a function of the clock."""


class Shapes:
    """The shapes in use, each kept once; machines with the same objects share one."""

    def __init__(self) -> None:
        self._shapes: dict[tuple[OID, ...], Shape] = {}

    def __len__(self) -> int:
        return len(self._shapes)

    def of(self, names: tuple[OID, ...]) -> Shape:
        """The shape of these names, which are in order."""
        shape = self._shapes.get(names)
        if shape is None:
            shape = Shape(names)
            self._shapes[shape.names] = shape
        return shape


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
        for column, cell in cells.items():
            self.put(under(entry, column, *index), cell)

    def tree(self, shapes: Shapes) -> Tree:
        """All of it in MIB order."""
        cells = self._cells
        shape = shapes.of(tuple(sorted(cells)))
        return Tree(shape, [cells[name] for name in shape.names])


@lru_cache(maxsize=1 << 16)
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
