"""A profile's expressions, conditions and texts turned into functions of the cells at hand."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import NamedTuple

from config.expressions import Binary, Expr, Index, Number, Object, Ref, Template, own_refs
from config.rules import Condition, Source, Test, Text, Value
from snmp.message import VarBind
from snmp.oid import OID

from .cells import number, parse, text, told

Row = tuple[int, ...]
Columns = list[Mapping[Row, VarBind]]
"""The cells of each object a profile reads, by the slot number the compiler gave it."""

ZERO: Row = (0,)


class Form(NamedTuple):
    """A number, and how it follows from one live cell: value = raw * scale + offset. Without a cell it is pinned."""

    value: int | float
    cell: VarBind | None = None
    scale: int | float = 1
    offset: int | float = 0


Numeric = Callable[[Columns, Row], Form | None]
Textual = Callable[[Columns, Row], str]
Check = Callable[[Columns, Row], bool]
Finder = Callable[[Columns, Row], VarBind | None]

_IF_ENTRY = OID((1, 3, 6, 1, 2, 1, 2, 2, 1))

_OPERATORS: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "**": math.pow,
}


class Compiler:
    """Gives every object a slot, and makes the functions that read them."""

    def __init__(self, moving: Collection[OID]) -> None:
        self.objects: list[Object] = []
        self._moving = moving
        self._slots: dict[tuple[OID, bool], int] = {}

    def slot(self, found: Object) -> int:
        """The object's place in `Columns`."""
        key = found.oid, found.scalar
        if key not in self._slots:
            self._slots[key] = len(self.objects)
            self.objects.append(found)
        return self._slots[key]

    def finder(self, ref: Ref) -> Finder:
        """The cell a reference means."""
        slot = self.slot(ref.object)
        if ref.object.scalar:
            return lambda columns, index: columns[slot].get(ZERO)
        if not ref.at:
            return lambda columns, index: columns[slot].get(index)
        entry = OID(ref.object.oid[:-1])
        parts = [self._arcs(part, entry) for part in ref.at]

        def find(columns: Columns, index: Row) -> VarBind | None:
            arcs: Row = ()
            for part in parts:
                found = part(columns, index)
                if found is None:
                    return None
                arcs += found
            return columns[slot].get(arcs)

        return find

    def _arcs(self, part: Expr, entry: OID) -> Callable[[Columns, Row], Row | None]:
        """The arcs a part of a lookup stands for: some of the row's index, a cell's value, or a number."""
        if isinstance(part, Index):
            if part.start is None and part.stop is None:
                return lambda columns, index: index
            span = slice(part.start, (part.start or 0) + 1 or None) if part.single else slice(part.start, part.stop)
            return lambda columns, index: index[span]
        if isinstance(part, Ref):
            find = self.finder(part)

            def value(columns: Columns, index: Row) -> Row | None:
                cell = find(columns, index)
                if cell is None or cell.value is None:
                    return None
                if isinstance(cell.value, OID):
                    return _pointed(cell.value, entry)
                return (cell.value,) if isinstance(cell.value, int) else tuple(cell.value)

            return value
        read = self.numeric(part, live=False)

        def computed(columns: Columns, index: Row) -> Row | None:
            form = read(columns, index)
            return None if form is None else (int(form.value),)

        return computed

    def numeric(self, expr: Expr, live: bool = True) -> Numeric:
        """A number; with `live`, its one cell that moves is kept in the form."""
        if isinstance(expr, Number):
            constant = Form(expr.value)
            return lambda columns, index: constant
        if isinstance(expr, Index):
            at = (expr.start or 0) if expr.single else -1
            return lambda columns, index: Form(index[at]) if -len(index) <= at < len(index) else None
        if isinstance(expr, Binary):
            return _binary(expr.op, self.numeric(expr.left, live), self.numeric(expr.right, live))
        find = self.finder(expr)
        live = live and expr.object.oid in self._moving

        def read(columns: Columns, index: Row) -> Form | None:
            cell = find(columns, index)
            if cell is None:
                return None
            value = cell.value
            if isinstance(value, int):
                return Form(value, cell) if live else Form(value)
            found = number(cell)
            return None if found is None else Form(found)

        return read

    def value(self, value: Value, live: bool = True) -> Numeric | None:
        """The first of the alternatives that gives a number; None when there are none."""
        readers = [self._parsed(one) if isinstance(one, Source) else self.numeric(one, live) for one in value]
        if len(readers) < 2:
            return readers[0] if readers else None

        def read(columns: Columns, index: Row) -> Form | None:
            for one in readers:
                found = one(columns, index)
                if found is not None:
                    return found
            return None

        return read

    def live_refs(self, value: Value) -> list[Ref]:
        """The references whose cells a value moves with, those it looks others up with not included."""
        found: list[Ref] = []
        for one in value:
            exprs = [p for p in one.template.parts if not isinstance(p, str)] if isinstance(one, Source) else [one]
            while exprs:
                expr = exprs.pop()
                if isinstance(expr, Binary):
                    exprs += (expr.left, expr.right)
                elif isinstance(expr, Ref):
                    found.append(expr)
        return found

    def _parsed(self, source: Source) -> Numeric:
        read = self._source(source)

        def value(columns: Columns, index: Row) -> Form | None:
            found = parse(read(columns, index))
            return None if found is None else Form(found)

        return value

    def text(self, text_: Text) -> Textual | None:
        """The first of the sources that gives text; None when there are none."""
        readers = [self._source(source) for source in text_]
        if len(readers) < 2:
            return readers[0] if readers else None

        def read(columns: Columns, index: Row) -> str:
            for one in readers:
                found = one(columns, index)
                if found:
                    return found
            return ""

        return read

    def fact(self, text_: Text) -> Textual:
        """The same for a device as a whole: each source takes the first row that tells something; without rows, the scalars."""
        sources = [(self._source(source), [self.slot(o) for o in columns_of(source)]) for source in text_]

        def read(columns: Columns, index: Row) -> str:
            for one, slots in sources:
                for row in rows(columns, slots) or (ZERO,):
                    found = told(one(columns, row))
                    if found:
                        return found
            return ""

        return read

    def _source(self, source: Source) -> Textual:
        read = self.template(source.template)
        where, unless = self.check(source.where), self.check(source.unless, any)
        regex, out, mapping = source.regex, source.out, source.map
        if regex is None and out is None and mapping is None and where is None and unless is None:
            return read

        def find(columns: Columns, index: Row) -> str:
            if (where and not where(columns, index)) or (unless and unless(columns, index)):
                return ""
            found = read(columns, index)
            if not found:
                return ""
            if regex is not None:
                match = regex.search(found)
                if match is None:
                    return ""
                found = _picked(match, out)
            elif out is not None:
                found = "".join(part if isinstance(part, str) else found for part in out)
            if mapping is not None:
                return mapping.get(found, mapping.get("other", ""))
            return found.strip()

        return find

    def template(self, template: Template) -> Textual:
        """Text with cells in it; a cell that is not there leaves nothing, and text without any of its cells is empty."""
        parts = [part if isinstance(part, str) else self._part(part) for part in template.parts]
        if len(parts) == 1:
            (only,) = parts
            if isinstance(only, str):
                literal = only
                return lambda columns, index: literal
            return only

        def read(columns: Columns, index: Row) -> str:
            found = [part if isinstance(part, str) else part(columns, index) for part in parts]
            if not any(f for f, part in zip(found, parts, strict=True) if not isinstance(part, str)):
                return ""
            return " ".join("".join(found).split())

        return read

    def _part(self, expr: Expr) -> Textual:
        if isinstance(expr, Index):
            span = slice(expr.start, (expr.start or 0) + 1 or None) if expr.single else slice(expr.start, expr.stop)
            return lambda columns, index: ".".join(map(str, index[span]))
        if not isinstance(expr, Ref):
            read = self.numeric(expr, live=False)

            def calculated(columns: Columns, index: Row) -> str:
                form = read(columns, index)
                return "" if form is None else f"{form.value:g}"

            return calculated
        find, form_, labels = self.finder(expr), expr.object.form, expr.object.labels

        def cell_text(columns: Columns, index: Row) -> str:
            cell = find(columns, index)
            if cell is None:
                return ""
            if labels and isinstance(cell.value, (int, OID)) and cell.value in labels:
                return labels[cell.value]
            return text(cell, form_)

        return cell_text

    def check(self, conditions: Iterable[Condition], join: Callable[[Iterable[bool]], bool] = all) -> Check | None:
        """Do all conditions hold (or any)? None when there are none."""
        checks = [self._condition(one) for one in conditions]
        if not checks:
            return None
        if len(checks) == 1:
            return checks[0]
        return lambda columns, index: join(one(columns, index) for one in checks)

    def _condition(self, condition: Condition) -> Check:
        expr = condition.expr
        if not isinstance(expr, Ref):
            read = self.numeric(expr, live=False)

            def computed(columns: Columns, index: Row) -> bool:
                form = read(columns, index)
                return form is not None and any(_holds(test, form.value, "") for test in condition.tests)

            return computed
        find, form_ = self.finder(expr), expr.object.form

        def check(columns: Columns, index: Row) -> bool:
            cell = find(columns, index)
            if cell is None or cell.value is None:
                return False
            value = cell.value
            if isinstance(value, bytes):
                shown = text(cell, form_)
                return any(_holds(test, parse(shown), shown) for test in condition.tests)
            return any(_holds(test, value, str(value)) for test in condition.tests)

        return check


def _pointed(value: OID, entry: OID) -> Row:
    """The index a row pointer (RFC 2579) means in the table of `entry`; ifIndex.N, as in entAliasMappingIdentifier, means N."""
    for table in (entry, _IF_ENTRY):
        if table.covers(value) and len(value) > len(table) + 1:
            return tuple(value[len(table) + 1 :])
    return tuple(value)


def _holds(test: Test, value: int | float | OID | None, shown: str) -> bool:
    operand = test.operand
    if test.op == "any":
        return bool(shown) or value is not None
    if test.op == "=":
        return shown == operand if isinstance(operand, str) else value == operand
    if isinstance(operand, re.Pattern):
        return operand.search(shown) is not None
    if not isinstance(value, (int, float)) or not isinstance(operand, (int, float)):
        return False
    return {">": value > operand, "<": value < operand, ">=": value >= operand, "<=": value <= operand}[test.op]


def _picked(match: re.Match[str], out: tuple[str | tuple[str], ...] | None) -> str:
    if out is None:
        return (match[1] or "") if match.re.groups else match[0]
    return "".join(part if isinstance(part, str) else match[int(part[0]) if part[0].isdigit() else part[0]] or "" for part in out)


def _binary(op: str, left: Numeric, right: Numeric) -> Numeric:
    apply = _OPERATORS[op]

    def read(columns: Columns, index: Row) -> Form | None:
        a, b = left(columns, index), right(columns, index)
        if a is None or b is None:
            return None
        try:
            value = apply(a.value, b.value)
        except (ArithmeticError, ValueError):
            return None
        if not isinstance(value, (int, float)):
            return None
        if a.cell is not None and b.cell is None:
            return _with_left(op, value, a, b.value)
        if b.cell is not None and a.cell is None:
            return _with_right(op, value, a.value, b)
        return Form(value)

    return read


def _with_left(op: str, value: float, a: Form, b: float) -> Form:
    if op == "+":
        return Form(value, a.cell, a.scale, a.offset + b)
    if op == "-":
        return Form(value, a.cell, a.scale, a.offset - b)
    if op == "*":
        return Form(value, a.cell, a.scale * b, a.offset * b)
    if op == "/":
        return Form(value, a.cell, a.scale / b, a.offset / b)
    return Form(value)


def _with_right(op: str, value: float, a: float, b: Form) -> Form:
    if op == "+":
        return Form(value, b.cell, b.scale, a + b.offset)
    if op == "-":
        return Form(value, b.cell, -b.scale, a - b.offset)
    if op == "*":
        return Form(value, b.cell, a * b.scale, a * b.offset)
    return Form(value)


def columns_of(source: Source) -> list[Object]:
    """The columns a source reads in its own row; the first decides which rows there are."""
    exprs: list[Expr] = [part for part in source.template.parts if not isinstance(part, str)]
    exprs += [condition.expr for condition in (*source.where, *source.unless)]
    return list(dict.fromkeys(ref.object for expr in exprs for ref in own_refs(expr)))


def rows(columns: Columns, slots: Iterable[int]) -> Iterable[Row]:
    """The rows of several columns, in the device's order."""
    found = [columns[slot] for slot in slots if columns[slot]]
    if len(found) < 2:
        return found[0] if found else ()
    return {row: None for column in found for row in column}
