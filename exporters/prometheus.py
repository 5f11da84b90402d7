"""The Prometheus pages: a sink for polls that keeps one page a unit ready, and joins them when everything is asked for."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping

from collector.model import Block, Device, Facts, Interface, Series, State, Status, Unit
from config.catalogue import CATALOGUE

from .device import make
from .page import HEADERS, Page, compose, deflate, join
from .text import ORDER, Templates, line, pairs, stamp

log = logging.getLogger(__name__)

WRAP = 2**53
"""The first integer after which a double, and so Prometheus, leaves some out (IEEE 754)."""
LARGEST = 100_000
"""Samples a page that Prometheus scrapes should stay under."""

_SLICE = 0.005
"""Seconds the event loop may be kept by putting pages together."""
_CHUNK = 32
"""Devices rendered before the clock is looked at."""
_MARK = b"\xff"

_STATE, _ANSWER, _REQUESTS, _RETRIES, _DEVICE_INFO, _INTERFACE_INFO = (
    ORDER[f"haidang_{name}"]
    for name in (
        "device_state", "device_answer_seconds", "device_requests_total", "device_retries_total", "device_info", "interface_info",
    )
)  # fmt: skip
_STATES = {
    state: b"".join(b'haidang_device_state{%b,state="%b"} %d\n' % (_MARK, other.encode(), other is state) for other in State)
    for state in State
}
_STATE_NAMES = tuple((state, state.value.encode()) for state in State)
_UNIT_INFO, _UNIT_DEVICES = ORDER["haidang_unit_info"], ORDER["haidang_unit_devices"]
_OWN = len(State) + 4
"""Samples of each device beside the polled ones: states, counts, identity."""
_Families = defaultdict[int, list[bytes]]
_ANSWERING = (State.UP, State.PARTIAL, State.REFUSED, State.GARBLED)
_NOT_ASKED = Status(State.UNKNOWN)


class Known:
    """What the pages know of one device."""

    __slots__ = ("block", "device", "facts", "interfaces", "kind", "label", "last", "make", "name", "named", "status")

    def __init__(self, device: Device) -> None:
        self.label = pairs((("device", device.id),))
        self.status = _NOT_ASKED
        self.block: Block | None = None
        self.last = float("-inf")
        self.name = self.kind = self.make = ""
        self.facts = b""
        self.interfaces = b""
        self.settle(device)

    def settle(self, device: Device) -> None:
        """Take the device's name and address from the settings; a device they do not name calls itself what it likes."""
        self.device = device
        self.named = pairs((("name", device.name or self.name), ("address", device.address)))

    def describe(self, facts: Facts) -> None:
        """Take what the device says of itself."""
        self.name, self.kind, self.make = facts.name, facts.kind, make(facts.vendor, facts.model)
        self.settle(self.device)
        self.facts = b"," + pairs(
            (
                ("kind", facts.kind), ("vendor", facts.vendor), ("model", facts.model), ("serial", facts.serial),
                ("os", facts.os_name), ("os_version", facts.os_version), ("profile", facts.profile),
            )
        )  # fmt: skip
        self.interfaces = b"".join(_interface_info(facts.interfaces))


class Office:
    """One unit: its devices by id, and its page."""

    __slots__ = ("devices", "info", "label", "page", "samples", "states", "told", "unit", "values")

    def __init__(self, unit: Unit) -> None:
        self.devices: dict[str, Known] = {}
        self.told: dict[int, bytes] = {}
        self.states: Counter[State] = Counter()
        self.page: Page | None = None
        self.samples = self.values = 0
        self.settle(unit)

    def settle(self, unit: Unit) -> None:
        """Take the unit's name, kind and parent from the settings."""
        self.unit = unit
        self.label = pairs((("unit", unit.id),))
        named = (("unit", unit.id), ("name", unit.name), ("kind", unit.kind), ("parent", unit.parent))
        self.info = line("haidang_unit_info", named, 1)

    @property
    def reachable(self) -> bool | None:
        """Whether anything answers here; None while nothing is known."""
        if any(self.states[state] for state in _ANSWERING):
            return True
        return False if self.states[State.UNREACHABLE] or self.states[State.SILENT] else None


class Pages:
    """The sink that renders for Prometheus (a `collector.model.Sink`).

    A block must not change once it was handed over: it is rendered when its unit's page is put together. `timestamps` says, for
    all devices or for one, whether polled values bear their time: a device heard more seldom than every five minutes had better
    not, for Prometheus shows nothing older. With `wrap_counters` counters begin anew at 2^53. `unit_numbers` gives, for
    a unit's id, further catalogue metrics with the one label `unit`, by name. Of a device that is yet to be described holds what
    is `remembered`.
    """

    def __init__(
        self,
        units: Iterable[Unit] = (),
        devices: Iterable[Device] = (),
        *,
        timestamps: bool | Callable[[Device], bool] = True,
        wrap_counters: bool = False,
        unit_numbers: Callable[[str], Mapping[str, float]] | None = None,
        remembered: Mapping[str, Facts] | None = None,
    ) -> None:
        self.offices: dict[str, Office] = {}
        self._timestamps = timestamps if callable(timestamps) else lambda device: timestamps
        self._wrap_counters = wrap_counters
        self._unit_numbers = unit_numbers
        self._remembered = remembered or {}
        self._known: dict[str, Known] = {}
        self._templates = Templates()
        self._waiting: dict[str, None] = {}
        self._work: Iterator[None] | None = None
        self._handle: asyncio.Handle | None = None
        self.arrange(units, devices)

    def arrange(self, units: Iterable[Unit], devices: Iterable[Device]) -> None:
        """Take the settings' units and devices, at the start and when they were read again; what is known is kept."""
        wanted = {unit.id: unit for unit in units}
        for gone in self.offices.keys() - wanted.keys():
            del self.offices[gone]
        for unit in wanted.values():
            if (office := self.offices.get(unit.id)) is None:
                self.offices[unit.id] = Office(unit)
            else:
                office.settle(unit)
                office.devices.clear()
        before, self._known = self._known, {}
        for device in devices:
            known = before.get(device.id) or self._new(device)
            known.settle(device)
            self._place(known)
        self._waiting.update(dict.fromkeys(self.offices))
        self._proceed()

    def _new(self, device: Device) -> Known:
        known = Known(device)
        if (facts := self._remembered.get(device.id)) is not None:
            known.describe(facts)
        return known

    def _place(self, known: Known) -> None:
        """Put a device into its unit, which is made when the settings never named it."""
        unit = known.device.unit
        if unit not in self.offices:
            self.offices[unit] = Office(Unit(unit, unit))
        self._known[known.device.id] = self.offices[unit].devices[known.device.id] = known

    def _get(self, device: Device) -> Known:
        known = self._known.get(device.id)
        if known is None:
            known = self._new(device)
            self._place(known)
        elif known.device is not device:
            if known.device.unit != device.unit:
                self._remove(known)
                known.device = device
                self._place(known)
            known.settle(device)
        return known

    def _remove(self, known: Known) -> None:
        if (office := self.offices.get(known.device.unit)) is not None:
            office.devices.pop(known.device.id, None)
            self._renew(known.device.unit)

    # The sink.

    def polled(self, device: Device, status: Status, block: Block | None) -> None:
        """A poll ended. Without a block (the device did not answer) its polled values vanish with the next page."""
        known = self._get(device)
        known.status = status
        known.block = block

    def described(self, device: Device, facts: Facts) -> None:
        """The device's facts were read anew and differ from the last ones."""
        self._get(device).describe(facts)

    def cycled(self, unit: str) -> None:
        """All devices of a unit were asked once: its page is put together, now or, for a large one, in slices."""
        self._renew(unit)

    def forgotten(self, device: Device) -> None:
        """The device was taken out of the settings."""
        if (known := self._known.pop(device.id, None)) is not None:
            self._remove(known)

    def tell(self, unit: str, samples: Iterable[tuple[Series, float]]) -> None:
        """Further samples of a unit's page, with all their labels and without times, until told anew."""
        office = self.offices.get(unit)
        if office is None:
            return
        families: _Families = defaultdict(list)
        for series, value in samples:
            families[ORDER[series.metric]].append(line(series.metric, series.labels, value))
        office.told = {family: b"".join(lines) for family, lines in families.items()}
        self._renew(unit)

    @property
    def busy(self) -> bool:
        """Are there pages still to be put together?"""
        return self._handle is not None

    # Putting pages together.

    def _renew(self, unit: str) -> None:
        self._waiting[unit] = None
        if self._handle is None:
            self._proceed()

    def _proceed(self) -> None:
        """Work on the pages that wait: for a slice of time on an event loop, to the end without one."""
        self._handle = None
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            loop = None
        until = time.perf_counter() + _SLICE
        while self._work is not None or self._waiting:
            if self._work is None:
                unit = next(iter(self._waiting))
                del self._waiting[unit]
                self._work = self._compose(unit)
            try:
                for _ in self._work:
                    if loop is not None and time.perf_counter() > until:
                        self._handle = loop.call_soon(self._proceed)
                        return
            except Exception:  # whatever is wrong with one page, the others and the polls go on; the page stays as it was
                log.exception("a unit's page cannot be put together")
            self._work = None

    def _compose(self, unit: str) -> Iterator[None]:
        office = self.offices.get(unit)
        if office is None:
            return
        families: _Families = defaultdict(list)
        states: Counter[State] = Counter()
        values = 0
        for number, known in enumerate(tuple(office.devices.values()), 1):
            states[known.status.state] += 1
            _add_own(families, known, office.label)
            values += self._add_polled(families, known, self._timestamps(known.device))
            if number % _CHUNK == 0:
                yield
        office.states = states
        self._add_unit(families, office)
        for family, lines in office.told.items():
            families[family].append(lines)
        made = yield from compose(families)
        if self.offices.get(unit) is office:
            samples = values + len(office.devices) * _OWN
            if samples > LARGEST >= office.samples:
                text = "the page of unit %s has %d samples, and Prometheus does well up to %d: make two units of it"
                log.warning(text, unit, samples, LARGEST)
            office.samples = samples
            office.page = made
            office.values = values

    def _add_polled(self, families: _Families, known: Known, timed: bool) -> int:
        block = known.block
        if block is None:
            return 0
        end = b"\n"
        # Behind the newest time on the page (the clock was set back) values go without a time of their own, and
        # Prometheus gives them that of the scrape: it refuses times that go backwards within a series.
        if timed and block.time >= known.last:
            known.last = block.time
            end = stamp(block.time)
        template = self._templates.of(block.layout)
        values = wrapped(block) if self._wrap_counters else block.values
        try:
            segments = template.render(known.label, values, end)
        except (ValueError, TypeError) as error:
            log.error("values of device %s cannot be rendered: %s", known.device.id, error)
            known.block = None
            return 0
        for family, segment in zip(template.families, segments, strict=True):
            families[family].append(segment)
        return len(block.values)

    def _add_unit(self, families: _Families, office: Office) -> None:
        unit = office.unit.id
        numbers: dict[str, float] = dict(self._unit_numbers(unit)) if self._unit_numbers else {}
        if office.reachable is not None:
            numbers["haidang_unit_reachable"] = int(office.reachable)
        for name, value in numbers.items():
            families[ORDER[name]] = [line(name, (("unit", unit),), value)]
        families[_UNIT_INFO] = [office.info]
        families[_UNIT_DEVICES] = [
            b'haidang_unit_devices{%b,state="%b"} %d\n' % (office.label, name, office.states[state])
            for state, name in _STATE_NAMES
        ]

    # What is asked for.

    def page(self, unit: str) -> Page | None:
        """The page of a unit; None when there is no such unit, or its page is not there yet."""
        office = self.offices.get(unit)
        return None if office is None else office.page

    def everything(self, preface: bytes = b"") -> Iterator[bytes]:
        """The deflate stream of the preface and all pages, grouped by family, for `text_of` and `gzip_of`."""
        return join(self._ready(), preface)

    def states(self, preface: bytes = b"") -> Iterator[bytes]:
        """The deflate stream of the preface and every device's state.

        For more devices than fit on a page that Prometheus scrapes, only the state each one is in: the rest is 0.
        """
        if len(self._known) * len(State) < LARGEST * 9 // 10:
            return join(self._ready(), preface, _STATE)
        lines = (
            b'haidang_device_state{%b,%b,state="%b"} 1\n' % (known.label, office.label, known.status.state.encode())
            for office in self.offices.values()
            for known in office.devices.values()
        )
        return iter((deflate(preface + HEADERS[_STATE] + b"".join(lines)),))

    def numbers(self) -> Mapping[str, float | Mapping[str, float]]:
        """Catalogue metrics on the pages themselves, for the collector's health."""
        states: Counter[str] = Counter({state.value: 0 for state in State})
        for office in self.offices.values():
            states.update({state.value: count for state, count in office.states.items()})
        return {
            "haidang_collector_devices": states,
            "haidang_collector_units": len(self.offices),
            "haidang_collector_values": sum(office.values for office in self.offices.values()),
        }

    def _ready(self) -> list[Page]:
        return [office.page for office in self.offices.values() if office.page is not None]


def wrapped(block: Block) -> list[int | float]:
    """The values with counters counting from 0 again where a double can no longer tell two numbers apart."""
    return [
        value % WRAP if value >= WRAP and CATALOGUE[series.metric].type == "counter" else value
        for series, value in zip(block.layout.series, block.values, strict=True)
    ]


def _add_own(families: _Families, known: Known, unit: bytes) -> None:
    """What is said of a device whether or not it answers: none of it bears a time."""
    status = known.status
    both = b"%b,%b" % (known.label, unit)
    families[_STATE].append(_STATES[status.state].replace(_MARK, both))
    if status.answer_seconds is not None:
        families[_ANSWER].append(b"haidang_device_answer_seconds{%b} %a\n" % (both, status.answer_seconds))
    families[_REQUESTS].append(b"haidang_device_requests_total{%b} %d\n" % (both, status.requests))
    families[_RETRIES].append(b"haidang_device_retries_total{%b} %d\n" % (both, status.retries))
    families[_DEVICE_INFO].append(b"haidang_device_info{%b,%b%b} 1\n" % (both, known.named, known.facts))
    if known.interfaces:
        families[_INTERFACE_INFO].append(known.interfaces.replace(_MARK, known.label))


def _interface_info(interfaces: Iterable[Interface]) -> Iterator[bytes]:
    seen = set()
    for one in interfaces:
        if one.name and one.name not in seen:
            seen.add(one.name)
            kind = "" if one.type is None else str(one.type)
            own = pairs((("interface", one.name), ("alias", one.alias), ("mac", one.mac), ("type", kind)))
            yield b"haidang_interface_info{%b,%b} 1\n" % (_MARK, own)
