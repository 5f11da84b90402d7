"""Cells to facts and samples by profile: what a device is and how it stands. Pure; never raises on device data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple
from weakref import WeakKeyDictionary

from config.enterprises import vendor
from config.profiles import Profile
from config.rules import Rule
from config.units import SENSOR_CLASSES
from snmp.message import VarBind
from snmp.oid import OID

from ..model import Component, Facts, Neighbour, Processor, Sensor, Storage, Supply
from .cells import Cells, told
from .measures import Gauge, Measure, Sample, unique
from .ports import PortReader, ports
from .readers import ZERO, Check, Columns, Compiler, Row, rows

__all__ = ["Cells", "Sample", "Translation", "translate"]


class Translation(NamedTuple):
    """Facts, samples, and the cells that do not matter.

    Every cell that was given is one of three: the `cell` of a sample (it may move within the sample's bounds), `ignored` (passed
    over for a better one, as ifInOctets where there is ifHCInOctets; a column whose cells are all ignored need not be asked until
    the plan is learnt again), or pinned: when its bytes change, or a cell comes or goes, translate anew.
    """

    facts: Facts
    samples: list[Sample]
    ignored: frozenset[OID]


def translate(profile: Profile, cells: Cells) -> Translation:
    """What `cells` say by `profile`."""
    program = _programs.get(profile)
    if program is None:
        program = _programs[profile] = _Program(profile)
    return program.run(cells)


Maker = Callable[["_Output", Columns, Row], None]
_Volume = tuple[str, str, Row, Measure | None, Measure | None, Measure | None]
"""Name, kind, row, size, used, used percent."""
_EMPTY: Mapping[Row, VarBind] = {}


class _Output:
    """What one translation gathers."""

    __slots__ = (
        "components",
        "memory",
        "metrics",
        "neighbours",
        "pinned",
        "processors",
        "sensors",
        "skip",
        "storage",
        "supplies",
    )

    def __init__(self) -> None:
        self.pinned: set[OID] = set()
        self.skip: frozenset[str] = frozenset()
        self.sensors: list[tuple[str, str, Row, Measure]] = []
        self.processors: list[tuple[str, Row, Measure]] = []
        self.memory: list[_Volume] = []
        self.storage: list[_Volume] = []
        self.supplies: list[tuple[str, str, Row, Measure | None, str]] = []
        self.components: list[Component] = []
        self.neighbours: list[Neighbour] = []
        self.metrics: list[Sample] = []


class _Step(NamedTuple):
    """A compiled rule."""

    rule: Rule
    slots: tuple[int, ...]
    where: Check | None
    unless: Check | None
    make: Maker


class _Program:
    """A profile compiled to functions. Made once, used for every device of the family."""

    def __init__(self, profile: Profile) -> None:
        compiler = Compiler(profile.moving)
        self._name = profile.name.partition("@")[0]
        self._facts = {name: compiler.fact(text) for name, text in profile.facts.items()}
        self._guesses = {name: compiler.fact(text) for name, text in profile.guesses.items()}
        self._uptime = compiler.value(profile.uptime)
        self._steps = [
            _Step(
                rule,
                tuple(compiler.slot(o) for o in rule.rows),
                compiler.check(rule.where),
                compiler.check(rule.unless, any),
                _MAKERS[section](rule, compiler),
            )
            for section in _MAKERS
            for rule in profile.rules.get(section, ())
        ]
        self._ports = [PortReader(rule, compiler) for rule in profile.rules.get("interfaces", ())]
        self._objects = [o.oid for o in compiler.objects]
        self._movable = [slot for slot, oid in enumerate(self._objects) if oid in profile.moving]

    def run(self, cells: Cells) -> Translation:
        columns: Columns = [cells.get(oid, _EMPTY) for oid in self._objects]
        out = _Output()
        for step in self._steps:
            self._apply(step, out, columns)
        interfaces, port_samples = ports(self._ports, columns, out.pinned)
        samples: list[Sample] = []
        uptime = self._uptime(columns, ZERO) if self._uptime else None
        if uptime is not None:
            cell = uptime.cell.oid if uptime.cell else None
            samples.append(Sample("haidang_device_uptime_seconds", (), uptime.value, cell, uptime.scale, uptime.offset))
        samples += port_samples
        facts = {name: read(columns, ZERO) for name, read in self._facts.items()}
        maker = vendor(facts.get("object_id", ""))
        facts["kind"] = facts.get("kind") or maker.kind
        facts["vendor"] = facts.get("vendor") or maker.name
        for name, read in self._guesses.items():
            facts[name] = facts.get(name) or read(columns, ZERO)
        facts["kind"] = facts["kind"] or "other"
        described = Facts(
            profile=self._name,
            **facts,
            uptime_seconds=None if uptime is None else round(uptime.value, 2),
            interfaces=interfaces,
            sensors=_sensors(out, samples),
            processors=_processors(out, samples),
            memory=_volumes(out.memory, "memory", samples),
            storage=_volumes(out.storage, "storage", samples),
            supplies=_supplies(out, samples),
            components=tuple(out.components),
            neighbours=tuple(out.neighbours),
        )
        known = {(sample.metric, sample.labels) for sample in samples}
        for sample in out.metrics:
            if (sample.metric, sample.labels) not in known:
                known.add((sample.metric, sample.labels))
                samples.append(sample)
        if out.pinned:
            samples = [sample._replace(cell=None) if sample.cell in out.pinned else sample for sample in samples]
        return Translation(described, samples, self._ignored(columns, samples, out.pinned))

    def _apply(self, step: _Step, out: _Output, columns: Columns) -> None:
        _, slots, where, unless, make = step
        if step.rule.otherwise:
            found = getattr(out, step.rule.section)
            if step.rule.section == "sensors":
                out.skip = frozenset(sensor[0] for sensor in found)
            elif found:
                return
        for row in rows(columns, slots) if slots else (ZERO,):
            if (where is None or where(columns, row)) and (unless is None or not unless(columns, row)):
                make(out, columns, row)
        out.skip = frozenset()

    def _ignored(self, columns: Columns, samples: list[Sample], pinned: set[OID]) -> frozenset[OID]:
        ignored = {cell.oid for slot in self._movable for cell in columns[slot].values()}
        ignored.difference_update(sample.cell for sample in samples if sample.cell is not None)
        return frozenset(ignored - pinned)


def _sensor(rule: Rule, compiler: Compiler) -> Maker:
    class_, name = compiler.text(rule.texts["class"]), compiler.text(rule.texts.get("name", ()))
    assert class_ is not None
    gauge = Gauge(rule, "value", compiler)

    def make(out: _Output, columns: Columns, row: Row) -> None:
        kind = class_(columns, row)
        if kind not in SENSOR_CLASSES or kind in out.skip:
            return
        quantity = SENSOR_CLASSES[kind]
        measure = gauge.read(columns, row, out.pinned, rule.range or (quantity.low, quantity.high))
        if measure is not None:
            out.sensors.append((kind, name(columns, row) if name else "", row, measure))

    return make


def _processor(rule: Rule, compiler: Compiler) -> Maker:
    name, gauge = compiler.text(rule.texts.get("name", ())), Gauge(rule, "load", compiler, 0, 100)

    def make(out: _Output, columns: Columns, row: Row) -> None:
        measure = gauge.read(columns, row, out.pinned)
        if measure is not None:
            out.processors.append((name(columns, row) if name else "", row, measure))

    return make


def _volume(rule: Rule, compiler: Compiler) -> Maker:
    name, kind = compiler.text(rule.texts.get("name", ())), compiler.text(rule.texts.get("kind", ()))
    gauges = {key: Gauge(rule, key, compiler, 0) for key in ("size", "used", "free") if key in rule.values}
    share = Gauge(rule, "used_percent", compiler, 0, 100, unit=False) if "used_percent" in rule.values else None
    section, sized = rule.section, "size" in rule.values

    def make(out: _Output, columns: Columns, row: Row) -> None:
        size, used, free = (
            gauges[key].read(columns, row, out.pinned) if key in gauges else None for key in ("size", "used", "free")
        )
        if size is None and used is not None and free is not None:
            # Pools that tell used and free alone: their sum stays, so it is worked out when the device is learnt.
            size = Measure(used.value + free.value, None, 1, 0, None, None)
        if size is not None and size.value <= 0:
            if used is None or used.value <= 0:
                return  # A drive without a medium.
            size = None
        if used is None and free is not None:
            if size is not None and free.value <= size.value:
                used = free.within(0, size.value).times(-1, size.value)
            elif free.cell is not None:
                out.pinned.add(free.cell)
        percent = None
        if used is None and share is not None and (size is not None or not sized):
            percent = share.read(columns, row, out.pinned)
            if percent is not None and size is not None:
                used, percent = percent.times(size.value / 100), None
        if size is not None or used is not None or percent is not None:
            called, sort = name(columns, row) if name else "", kind(columns, row) if kind else ""
            getattr(out, section).append((called, sort, row, size, used, percent))

    return make


def _supply(rule: Rule, compiler: Compiler) -> Maker:
    name, kind = compiler.text(rule.texts.get("name", ())), compiler.text(rule.texts.get("kind", ()))
    gauge = Gauge(rule, "level", compiler)
    capacity = compiler.value(rule.values.get("capacity", ()), live=False)

    def make(out: _Output, columns: Columns, row: Row) -> None:
        level = gauge.read(columns, row, out.pinned)
        if level is None:
            return
        full = capacity(columns, row) if capacity else None
        # RFC 3805 has -1 and -2 for a capacity that is unlimited or unknown; printers that say so count the level in percent.
        whole = full.value if full is not None and full.value > 0 else 100
        state = {-1: "unlimited", -2: "unknown", -3: "some"}.get(int(level.value), "unknown") if level.value < 0 else "measured"
        if state == "measured" and level.value > whole:
            state = "unknown"
        percent = level.times(100 / whole) if state == "measured" else None
        if percent is None and level.cell is not None:
            out.pinned.add(level.cell)
        called, sort = name(columns, row) if name else "", kind(columns, row) if kind else ""
        bounded = None if percent is None else percent._replace(low=0, high=int(whole))
        out.supplies.append((called, sort, row, bounded, state))

    return make


def _component(rule: Rule, compiler: Compiler) -> Maker:
    fields = {name: reader for name, text in rule.texts.items() if (reader := compiler.text(text))}

    def make(out: _Output, columns: Columns, row: Row) -> None:
        found = {name: told(read(columns, row)) for name, read in fields.items()}
        if any(found.values()):
            out.components.append(Component(**{"name": "", "kind": "other", **found}))

    return make


def _neighbour(rule: Rule, compiler: Compiler) -> Maker:
    fields = {name: reader for name, text in rule.texts.items() if (reader := compiler.text(text))}

    def make(out: _Output, columns: Columns, row: Row) -> None:
        found = {name: read(columns, row) for name, read in fields.items()}
        if found.get("remote_name") or found.get("remote_id"):
            neighbour = Neighbour(**{"local_port": "", "remote_name": "", **found})
            if neighbour not in out.neighbours:
                out.neighbours.append(neighbour)

    return make


def _metric(rule: Rule, compiler: Compiler) -> Maker:
    labels = {name: reader for name, text in rule.labels.items() if (reader := compiler.text(text))}
    gauge, metric = Gauge(rule, "value", compiler), rule.metric

    def make(out: _Output, columns: Columns, row: Row) -> None:
        measure = gauge.read(columns, row, out.pinned)
        if measure is not None:
            out.metrics.append(measure.sample(metric, tuple((name, read(columns, row)) for name, read in labels.items())))

    return make


_MAKERS: dict[str, Callable[[Rule, Compiler], Maker]] = {
    "sensors": _sensor,
    "processors": _processor,
    "memory": _volume,
    "storage": _volume,
    "supplies": _supply,
    "components": _component,
    "neighbours": _neighbour,
    "metrics": _metric,
}


def _dotted(row: Row) -> str:
    return ".".join(map(str, row))


def _sensors(out: _Output, samples: list[Sample]) -> tuple[Sensor, ...]:
    found: list[Sensor] = []
    for kind, quantity in SENSOR_CLASSES.items():
        of_kind = [sensor for sensor in out.sensors if sensor[0] == kind]
        names = unique((name or kind, _dotted(row)) for _, name, row, _ in of_kind)
        for name, (_, _, _, measure) in zip(names, of_kind, strict=True):
            found.append(Sensor(kind, name, round(measure.value, 9)))
            samples.append(measure.sample(quantity.metric, (("sensor", name),), quantity.factor))
    return tuple(found)


def _processors(out: _Output, samples: list[Sample]) -> tuple[Processor, ...]:
    names = unique((name or "processor", _dotted(row)) for name, row, _ in out.processors)
    found = []
    for name, (_, _, measure) in zip(names, out.processors, strict=True):
        found.append(Processor(name, round(measure.value, 2)))
        samples.append(measure.sample("haidang_processor_load_ratio", (("processor", name),), 0.01))
    return tuple(found)


def _volumes(volumes: list[_Volume], section: str, samples: list[Sample]) -> tuple[Storage, ...]:
    names = unique((volume[0] or section, _dotted(volume[2])) for volume in volumes)
    found, sizes, uses = [], [], []
    for name, (_, kind, _, size, used, percent) in zip(names, volumes, strict=True):
        found.append(
            Storage(
                name,
                None if size is None else int(size.value),
                None if used is None else int(used.value),
                kind,
                None if percent is None else round(percent.value, 2),
            )
        )
        labels = ((section, name),)
        if size is not None:
            sizes.append(size.sample(f"haidang_{section}_size_bytes", labels))
        if used is not None:
            uses.append(used.sample(f"haidang_{section}_used_bytes", labels))
        if percent is not None:
            uses.append(percent.sample(f"haidang_{section}_used_ratio", labels, 0.01))
    samples += sizes
    samples += uses
    return tuple(found)


_LEVELS = ("measured", "some", "unknown", "unlimited")


def _supplies(out: _Output, samples: list[Sample]) -> tuple[Supply, ...]:
    names = unique((name or kind or "supply", _dotted(row)) for name, kind, row, _, _ in out.supplies)
    found = []
    levels: list[Sample] = []
    states: list[Sample] = []
    for name, (_, kind, _, percent, state) in zip(names, out.supplies, strict=True):
        found.append(Supply(kind, name, None if percent is None else round(percent.value, 2), state))
        labels = (("supply", name), ("kind", kind))
        if percent is not None:
            levels.append(percent.sample("haidang_supply_level_ratio", labels, 0.01))
        states += (Sample("haidang_supply_state", (*labels, ("state", one)), int(one == state)) for one in _LEVELS)
    samples += levels
    samples += states
    return tuple(found)


_programs: WeakKeyDictionary[Profile, _Program] = WeakKeyDictionary()
