"""The rules of a profile: where the texts and numbers of facts come from, as plain data."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from .expressions import Expr, Object, Template

KINDS = (
    "switch",
    "router",
    "firewall",
    "wireless",
    "printer",
    "ups",
    "pdu",
    "server",
    "workstation",
    "storage",
    "sensor",
    "other",
)


@dataclass(frozen=True, slots=True)
class Test:
    """One thing a condition accepts: `op` is ``=`` (number, OID, text), ``~`` (regular expression), ``any``, or a comparison."""

    op: str
    operand: int | float | str | tuple[int, ...] | re.Pattern[str] = ""


@dataclass(frozen=True, slots=True)
class Condition:
    """Holds when one of the tests holds for the expression's value."""

    expr: Expr
    tests: tuple[Test, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """One place a text may come from. Empty results fall through to the next source.

    `out` holds literal texts and group names (as one-element tuples) of `regex`.
    """

    template: Template
    regex: re.Pattern[str] | None = None
    out: tuple[str | tuple[str], ...] | None = None
    map: Mapping[str, str] | None = None
    where: tuple[Condition, ...] = ()
    unless: tuple[Condition, ...] = ()


Text = tuple[Source, ...]
"""Sources in order of preference."""
Value = tuple[Expr | Source, ...]
"""The same for numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One entry of a section: for each row (of `rows`, else of the columns its values name) at most one fact.

    `unit` is (scale, offset) to base units, `scale` one more factor, both for all values of the rule. `otherwise`: only when
    no rule before gave one of its kind.
    """

    section: str
    path: str
    rows: tuple[Object, ...] = ()
    where: tuple[Condition, ...] = ()
    unless: tuple[Condition, ...] = ()
    otherwise: bool = False
    texts: Mapping[str, Text] = field(default_factory=dict)
    values: Mapping[str, Value] = field(default_factory=dict)
    labels: Mapping[str, Text] = field(default_factory=dict)
    metric: str = ""
    scale: Value = ()
    unit: tuple[float, float] = (1, 0)
    absent: frozenset[int] = frozenset()
    range: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """What the rules of a section may hold: texts, values asked at every poll, and values asked hourly."""

    texts: tuple[str, ...] = ()
    live: tuple[str, ...] = ()
    hourly: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    live_texts: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    unit: str = ""


COUNTERS = (
    "receive_bytes",
    "transmit_bytes",
    "receive_errors",
    "transmit_errors",
    "receive_discards",
    "transmit_discards",
)

_VOLUME = Section(
    texts=("name", "kind"),
    live=("used", "free", "used_percent"),
    hourly=("size",),
    options=("unit", "scale", "absent"),
    unit="B",
)

SECTIONS = {
    "interfaces": Section(
        texts=("name", "alias", "description", "mac", "duplex", "oper", "admin"),
        live=("speed_bps", "speed_mbps", *COUNTERS),
        hourly=("index", "type"),
        live_texts=("duplex", "oper", "admin"),
    ),
    "sensors": Section(
        texts=("class", "name"), live=("value",), required=("class", "value"), options=("unit", "scale", "absent", "range")
    ),
    "processors": Section(texts=("name",), live=("load",), required=("load",), options=("scale", "absent", "range")),
    "memory": _VOLUME,
    "storage": _VOLUME,
    "supplies": Section(texts=("name", "kind"), live=("level",), hourly=("capacity",), required=("level",), options=("absent",)),
    "components": Section(texts=("name", "kind", "model", "serial", "vendor", "version", "description")),
    "neighbours": Section(texts=("local_port", "remote_name", "remote_port", "remote_id", "protocol"), required=("remote_name",)),
    "metrics": Section(live=("value",), required=("metric", "value"), options=("metric", "labels", "scale", "absent", "range")),
}

FACTS = ("kind", "vendor", "model", "serial", "name", "description", "object_id", "location", "contact", "os_name", "os_version")


def conditions(rule: Rule | Source) -> Iterator[Condition]:
    """Where and unless together."""
    yield from rule.where
    yield from rule.unless
