"""Interfaces: what several tables say of one ifIndex, put together (IF-MIB RFC 2863, EtherLike-MIB RFC 3635, vendors' own)."""

from __future__ import annotations

from collections.abc import Iterable

from config.rules import COUNTERS, SECTIONS, Rule
from snmp.oid import OID

from ..model import Interface
from .measures import Gauge, Measure, Sample, unique
from .readers import ZERO, Columns, Compiler, Row, Textual, rows

_COUNTER_METRICS = {name: f"haidang_interface_{name}_total" for name in COUNTERS}
_SATURATED = 4294967294
"""ifSpeed tells no more than 2^32-1; some agents stop one below (RFC 2863 section 3.1.19)."""


class PortReader:
    """A compiled rule of ``interfaces``. Only rules that give a name make a port; others add to those that exist."""

    __slots__ = ("_gauges", "_index", "_slots", "_texts", "_unless", "_where", "names")

    def __init__(self, rule: Rule, compiler: Compiler) -> None:
        self.names = "name" in rule.texts
        self._slots = [compiler.slot(o) for o in rule.rows]
        self._where, self._unless = compiler.check(rule.where), compiler.check(rule.unless, any)
        self._index = compiler.value(rule.values.get("index", ()), live=False)
        self._texts: list[tuple[str, Textual]] = [
            (name, reader) for name in SECTIONS["interfaces"].texts if (reader := compiler.text(rule.texts.get(name, ())))
        ]
        self._gauges = [(name, Gauge(rule, name, compiler)) for name in rule.values if name != "index"]

    def read(self, found: dict[int, dict[str, object]], columns: Columns, pinned: set[OID]) -> None:
        """Add what this rule says to the ports in `found`; what is there already stays."""
        where, unless, names = self._where, self._unless, self.names
        for row in rows(columns, self._slots) if self._slots else (ZERO,):
            if (where is not None and not where(columns, row)) or (unless is not None and unless(columns, row)):
                continue
            index = self._number(columns, row)
            if index is None:
                continue
            port = found.get(index)
            if port is None:
                port = found[index] = {}
            if names:
                port["made"] = True
            for name, text in self._texts:
                if not port.get(name):
                    port[name] = text(columns, row)
            for name, gauge in self._gauges:
                if name not in port:
                    measure = gauge.read(columns, row, pinned)
                    if measure is not None:
                        port[name] = measure
                        if name in _SPEEDS and measure.cell is not None:
                            pinned.add(measure.cell)  # a port's speed is worked out from both columns, so both decide

    def _number(self, columns: Columns, row: Row) -> int | None:
        if self._index is None:
            return row[-1] if row else None
        form = self._index(columns, row)
        return None if form is None else int(form.value)


_SPEEDS = ("speed_bps", "speed_mbps")


def ports(readers: Iterable[PortReader], columns: Columns, pinned: set[OID]) -> tuple[tuple[Interface, ...], list[Sample]]:
    """All interfaces and their samples, those of one metric together."""
    found: dict[int, dict[str, object]] = {}
    for reader in readers:
        reader.read(found, columns, pinned)
    made = {index: port for index, port in sorted(found.items()) if "made" in port}
    names = unique((_named(index, port), str(index)) for index, port in made.items())
    interfaces = []
    columns_of_samples: dict[str, list[Sample]] = {metric: [] for metric in _METRICS}
    for name, (index, port) in zip(names, made.items(), strict=True):
        interface = _interface(index, name, port)
        interfaces.append(interface)
        labels = (("interface", name),)
        for metric, value in _states(interface):
            columns_of_samples[metric].append(Sample(metric, labels, value))
        for counter, metric in _COUNTER_METRICS.items():
            measure = port.get(counter)
            if isinstance(measure, Measure):
                columns_of_samples[metric].append(Sample(metric, labels, *measure))
    return tuple(interfaces), [sample for samples in columns_of_samples.values() for sample in samples]


_METRICS = (
    "haidang_interface_up",
    "haidang_interface_admin_up",
    "haidang_interface_speed_bytes_per_second",
    "haidang_interface_full_duplex",
    *_COUNTER_METRICS.values(),
)


def _named(index: int, port: dict[str, object]) -> str:
    return str(port.get("name") or port.get("description") or f"port {index}")


def _interface(index: int, name: str, port: dict[str, object]) -> Interface:
    def text(key: str) -> str:
        return str(port.get(key) or "")

    sort = port.get("type")
    return Interface(
        index=index,
        name=name,
        alias=text("alias"),
        description=text("description"),
        type=int(sort.value) if isinstance(sort, Measure) else None,
        mac=text("mac"),
        speed_bps=_speed(port),
        duplex=text("duplex") or None,
        oper=text("oper") or None,
        admin=text("admin") or None,
    )


def _speed(port: dict[str, object]) -> int | None:
    """ifHighSpeed where ifSpeed cannot count so far, where it disagrees, or is missing; ifSpeed where a megabit is too coarse."""
    bits, megabits = port.get("speed_bps"), port.get("speed_mbps")
    exact = int(bits.value) if isinstance(bits, Measure) else None
    coarse = int(megabits.value) * 1_000_000 if isinstance(megabits, Measure) else None
    if exact is None or exact >= _SATURATED:
        return coarse
    if not coarse or abs(exact - coarse) < 1_000_000:
        return exact
    return coarse


def _states(interface: Interface) -> list[tuple[str, int]]:
    found = []
    if interface.oper and interface.oper != "unknown":
        found.append(("haidang_interface_up", int(interface.oper == "up")))
    if interface.admin:
        found.append(("haidang_interface_admin_up", int(interface.admin == "up")))
    if interface.speed_bps is not None:
        found.append(("haidang_interface_speed_bytes_per_second", interface.speed_bps // 8))
    if interface.duplex:
        found.append(("haidang_interface_full_duplex", int(interface.duplex == "full")))
    return found
