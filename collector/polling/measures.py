"""From a raw number to a measurement in base units, or to nothing when the device means "no reading"."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

from config.rules import Rule
from snmp.oid import OID

from .readers import Columns, Compiler, Form, Row

Labels = tuple[tuple[str, str], ...]


class Sample(NamedTuple):
    """A metric's value now, and how it follows later.

    With a `cell` (an instance): on later polls value = raw * scale + offset, as long as low <= raw <= high. Without one the value
    is pinned: it stays until another cell that was read changes, and `translate` is called again.
    """

    metric: str
    labels: Labels
    value: int | float
    cell: OID | None = None
    scale: int | float = 1
    offset: int | float = 0
    low: int | None = None
    high: int | None = None


class Measure(NamedTuple):
    """A value in base units and the raw range in which it follows linearly."""

    value: int | float
    cell: OID | None
    scale: int | float
    offset: int | float
    low: int | None
    high: int | None

    def times(self, factor: int | float, offset: int | float = 0) -> Measure:
        """The measure times `factor` plus `offset`, for the same raw numbers."""
        value, cell, scale, base, low, high = self
        return Measure(value * factor + offset, cell, scale * factor, base * factor + offset, low, high)

    def within(self, lowest: float, highest: float) -> Measure:
        """The measure for raw numbers whose value lies in [lowest, highest], and for no others."""
        low, high = _bounds(self.scale, self.offset, lowest, highest)
        return self._replace(
            low=low if self.low is None else self.low if low is None else max(low, self.low),
            high=high if self.high is None else self.high if high is None else min(high, self.high),
        )

    def sample(self, metric: str, labels: Labels, factor: int | float = 1) -> Sample:
        """As a sample of a metric whose unit is `factor` times ours."""
        if factor == 1:
            return Sample(metric, labels, *self)
        value, cell, scale, offset, low, high = self
        return Sample(metric, labels, value * factor, cell, scale * factor, offset * factor, low, high)


class Gauge:
    """One value of a rule, with the rule's scale, unit, range and the raw numbers that mean "absent"."""

    __slots__ = ("_absent", "_alternatives", "_plain", "_range", "_scale", "_unit")

    def __init__(
        self, rule: Rule, name: str, compiler: Compiler, low: float = -math.inf, high: float = math.inf, unit: bool = True
    ) -> None:
        self._alternatives = [
            (read, [compiler.finder(ref) for ref in compiler.live_refs((one,))])
            for one in rule.values[name]
            if (read := compiler.value((one,))) is not None
        ]
        self._scale = compiler.value(rule.scale, live=False) if unit else None
        self._unit = rule.unit if unit else (1, 0)
        self._absent = tuple(sorted(rule.absent))
        self._range = rule.range or (low, high)
        bounded = self._absent or math.isfinite(self._range[0]) or math.isfinite(self._range[1])
        self._plain = not bounded and self._scale is None and self._unit == (1, 0)

    def read(self, columns: Columns, row: Row, pinned: set[OID], limits: tuple[float, float] | None = None) -> Measure | None:
        """The first of the rule's values that is a measurement, within `limits`; cells it rests on other than linearly, and those
        passed over as no reading, are added to `pinned`."""
        for read, finders in self._alternatives:
            form = read(columns, row)
            measure = None if form is None else self._measure(form, columns, row, limits or self._range)
            if measure is None or measure.cell is None:
                for find in finders:
                    cell = find(columns, row)
                    if cell is not None:
                        pinned.add(cell.oid)
            if measure is not None:
                return measure
        return None

    def _measure(self, form: Form, columns: Columns, row: Row, limits: tuple[float, float]) -> Measure | None:
        value, cell, scale, offset = form
        if self._plain and limits is self._range:
            return Measure(value, cell.oid if cell else None, scale, offset, None, None) if math.isfinite(value) else None
        raw = value if cell is None else cell.value
        if raw in self._absent:
            return None
        factor, base = self._unit
        if self._scale is not None:
            more = self._scale(columns, row)
            if more is None:
                return None
            factor = factor * more.value
        if factor != 1 or base != 0:
            value, scale, offset = value * factor + base, scale * factor, offset * factor + base
        lowest, highest = limits
        if not lowest <= value <= highest or not math.isfinite(value):
            return None
        if cell is None:
            return Measure(value, None, 1, 0, None, None)
        low, high = _bounds(scale, offset, lowest, highest)
        for number in self._absent:
            if number < raw:  # type: ignore[operator]
                low = number + 1 if low is None or number >= low else low
            else:
                high = number - 1 if high is None or number <= high else high
        return Measure(value, cell.oid, scale, offset, low, high)


def _bounds(scale: float, offset: float, lowest: float, highest: float) -> tuple[int | None, int | None]:
    """The raw numbers whose value lies in [lowest, highest]."""
    if scale == 0:
        return None, None
    ends = sorted(((lowest - offset) / scale, (highest - offset) / scale))
    return (
        math.ceil(ends[0] - 1e-6) if math.isfinite(ends[0]) else None,
        math.floor(ends[1] + 1e-6) if math.isfinite(ends[1]) else None,
    )


def unique(names: Iterable[tuple[str, str]]) -> list[str]:
    """Names of a device's things, each with its index appended where another has the same name."""
    pairs = list(names)
    count: dict[str, int] = {}
    for name, _ in pairs:
        count[name] = count.get(name, 0) + 1
    found: list[str] = []
    taken: set[str] = set()
    for name, index in pairs:
        label = name if count[name] == 1 and name else f"{name} {index}".strip()
        while label in taken:
            label += "'"
        taken.add(label)
        found.append(label)
    return found
