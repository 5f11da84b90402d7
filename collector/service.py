"""The collector's work, wired together: settings in, polls out to the sinks, until told to stop or to read again."""

from __future__ import annotations

import asyncio
import gc
import ipaddress
import logging
import socket
import time
from collections.abc import Callable, Mapping, Sequence

from config.profiles import Profiles
from config.settings import Device as DeviceSettings
from config.settings import Settings
from config.settings import Unit as UnitSettings
from snmp.client import Client, Target

from .credential import open_credential
from .estate.inventory import Inventory
from .estate.links import Links
from .estate.picture import Picture
from .model import Block, Device, Facts, Sink, State, Status, Unit
from .polling.line import Line
from .polling.plan import Plan
from .polling.schedule import HURRY, Cycle, Tally
from .polling.surveyor import Surveyor
from .polling.watch import Asking, Watch, identity, restore

log = logging.getLogger(__name__)

FIRST_TURNS = 400.0
"""Devices a second that may have their first turn at a start, as far as the interval allows: it takes some milliseconds."""
NAMES_AGAIN, MISSING_AGAIN = 600.0, 30.0
"""Seconds until host names are looked up again: all of them, and while one was not found."""
LOOK_UPS = 8
"""Names looked up side by side."""
BYTES_SHARE = 0.1
"""The part of a unit's bandwidth that polling may take, both directions together."""


def device_of(told: DeviceSettings) -> Device:
    """A device of the settings, as the collector has it."""
    return Device(told.id, told.address, told.port, told.credential, told.unit, told.profile, told.name)


def unit_of(told: UnitSettings) -> Unit:
    """A unit of the settings, as the collector has it."""
    return Unit(told.id, told.name, told.kind, told.parent)


def budget(unit: UnitSettings) -> tuple[float, float]:
    """What of a unit's line may be used, both directions together: packets and bytes a second, 0 for no limit."""
    return unit.packets_per_second, unit.bandwidth / 8 * BYTES_SHARE if unit.bandwidth else 0.0


def collect_seldom() -> None:
    """Have Python look for circular garbage more seldom than it does by itself: polls make next to none."""
    gc.set_threshold(5_000, 20, 10)


class Remember:
    """A sink that writes what changes into the inventory."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory

    def polled(self, device: Device, status: Status, block: Block | None) -> None:
        self._inventory.seen(device, time.time(), status.state)

    def described(self, device: Device, facts: Facts) -> None:
        self._inventory.described(device, facts, time.time())

    def cycled(self, unit: str) -> None:
        pass

    def forgotten(self, device: Device) -> None:
        self._inventory.forgotten(device, time.time())


class Service:
    """Polls what the settings name. Made on the event loop it runs on."""

    def __init__(
        self,
        settings: Settings,
        profiles: Profiles,
        inventory: Inventory,
        sinks: Sequence[Sink],
        drawn: Callable[[Picture], None] = lambda _: None,
        afresh: bool = False,
    ) -> None:
        """`drawn` takes each unit's topology whenever it was worked out anew. `afresh`: every device is learnt, and its facts are
        read, at once, whatever plan of it is kept."""
        self.inventory = inventory
        self.client = Client()
        self._drawn = drawn
        self.surveyor = Surveyor(self.client, lambda id: self.watches.get(id), Links(inventory.engine), self._draw)
        self.tally = Tally()
        self.reporting: Callable[[str], Sequence[Status]] = lambda unit: ()
        """How the machines of a unit stand that report by themselves."""
        self.watches: dict[str, Watch] = {}
        self.cycles: dict[str, Cycle] = {}
        self.sinks: tuple[Sink, ...] = (*sinks, Remember(inventory), self.surveyor)
        self._asking = Asking(self.client, profiles, learnt=self._learnt)
        self._lines: dict[str, Line] = {}
        self._settings = settings
        self._names: dict[str, str] = {}
        self._dropped = 0
        self._resolving: asyncio.Task[None] | None = None
        self._plans = {} if afresh else inventory.plans()
        self._answered = {record.key: record.last_seen for record in inventory.devices().values()}
        self._profiles = profiles
        self.arrange(settings)
        self._plans, self._answered = {}, {}

    def arrange(self, settings: Settings) -> None:
        """Take (new) settings: what stayed the same keeps its state and plan, the rest begins or ends."""
        self._settings = settings
        self._arrange_lines(settings.units)
        before, self.watches = self.watches, {}
        for device in map(device_of, settings.devices):
            self.watches[device.id] = self._watch(device, before.pop(device.id, None))
        for gone in before.values():
            gone.gone = True
            for sink in self.sinks:
                sink.forgotten(gone.device)
        self._arrange_cycles(settings.units)
        self._names = {name: found for name, found in self._names.items() if name in {one.address for one in settings.devices}}
        if self._resolving is not None:
            self._resolving.cancel()
        self._resolving = self.client.loop.create_task(self._resolve())

    def _arrange_lines(self, units: Mapping[str, UnitSettings]) -> None:
        before, self._lines = self._lines, {}
        for unit in units.values():
            line = before.get(unit.id)
            if line is None:
                line = Line(*budget(unit), self.client.loop.time)
            else:
                line.settle(*budget(unit))
            self._lines[unit.id] = line

    def line(self, unit: str) -> Line:
        """The line of a unit of the settings, for whoever else asks something over there."""
        return self._lines[unit]

    def _watch(self, device: Device, old: Watch | None) -> Watch:
        """The watch for a device of the settings: the one it had, where it is the same device asked in the same way."""
        credential = self._settings.credentials[device.credential]
        unit = self._settings.units[device.unit]
        opened, context = open_credential(credential), credential.context.encode()
        same = old is not None and _same_place(old.device, device)
        if old is not None and same and (old.target.credential, old.target.context) == (opened, context):
            watch = old
            watch.device = device
        else:
            watch = Watch(device, Target(self._names.get(device.address, device.address), device.port, opened, context=context))
            watch.status = Status(State.UNKNOWN, answered=self._answered.get(device.id))
            if old is not None:
                old.gone = True
                watch.status, watch.published = old.status, old.published
            if (kept := self._plans.get(device.id)) is not None:
                self._restore(watch, kept)
            elif old is not None and old.device.profile == device.profile and identity(old) == identity(watch):
                watch.plan, watch.relearn = old.plan, old.relearn
                watch.bearing, watch.window = old.bearing, old.window
        watch.tries = unit.retries + 1
        watch.target.timeout, watch.target.line = unit.timeout, self._lines[unit.id]
        return watch

    def _restore(self, watch: Watch, kept: bytes) -> None:
        try:
            plan = Plan.load(kept, self._profiles, time.time(), identity(watch))
        except ValueError as e:
            log.info("plan not taken over device=%s reason=%r", watch.device.id, str(e))
            return
        if not watch.device.profile or watch.device.profile == plan.profile.name:
            restore(watch, plan, self.client.loop.time())

    def _arrange_cycles(self, units: Mapping[str, UnitSettings]) -> None:
        by_unit: dict[str, list[Watch]] = {unit: [] for unit in units}
        for watch in self.watches.values():
            by_unit[watch.device.unit].append(watch)
        before, self.cycles = self.cycles, {}
        for i, (name, unit) in enumerate(units.items()):
            cycle = before.pop(name, None)
            if cycle is None:
                cycle = Cycle(unit_of(unit), unit.interval, self._asking, self.sinks, self.tally)
                cycle.others = lambda unit: self.reporting(unit)
                cycle.start(i / len(units), max(HURRY, len(self.watches) / FIRST_TURNS))
            cycle.settle(unit_of(unit), unit.interval, by_unit[name])
            self.cycles[name] = cycle
        for cycle in before.values():
            cycle.stop()

    async def _resolve(self) -> None:
        """Look up the devices that are named, not numbered, and again from time to time: addresses change."""
        missing: set[str] = set()
        while named := {w.device.address for w in self.watches.values() if not _numeric(w.device.address)}:
            turn = asyncio.Semaphore(LOOK_UPS)

            async def look_up(name: str, turn: asyncio.Semaphore = turn) -> None:
                async with turn:
                    await self._look_up(name, missing)

            await asyncio.gather(*map(look_up, sorted(named)))
            await asyncio.sleep(MISSING_AGAIN if missing else NAMES_AGAIN)

    async def _look_up(self, name: str, missing: set[str]) -> None:
        try:
            found = await self.client.loop.getaddrinfo(name, 0, type=socket.SOCK_DGRAM)
        except (OSError, UnicodeError) as e:
            if name not in missing:
                log.warning("address not found name=%s reason=%r", name, str(e))
            missing.add(name)
            return
        missing.discard(name)
        address = str(found[0][4][0])
        for watch in self.watches.values():
            if watch.device.address == name and watch.target.address != address:
                watch.target.locate(address, watch.device.port)
                watch.spared = 0
        self._names[name] = address

    def _draw(self, picture: Picture) -> None:
        if (cycle := self.cycles.get(picture.unit)) is not None:
            cycle.parents = picture.parents
        self._drawn(picture)

    def _learnt(self, watch: Watch) -> None:
        if watch.plan is not None and not watch.gone:
            self.inventory.save_plan(watch.device.id, watch.plan.dump(time.time(), identity(watch)))

    def numbers(self) -> Mapping[str, float | Mapping[str, float]]:
        """The collector's own health, by catalogue metric."""
        counters = self.client.counters
        return {
            "haidang_collector_interval_seconds": self._settings.collector.interval,
            "haidang_collector_cycle_seconds": max((cycle.figures.seconds for cycle in self.cycles.values()), default=0.0),
            "haidang_collector_cycles_total": self.tally.cycles,
            "haidang_collector_cycle_overruns_total": self.tally.overruns,
            "haidang_collector_packets_sent_total": counters.sent,
            "haidang_collector_packets_received_total": counters.received,
            "haidang_collector_sent_bytes_total": counters.bytes_sent,
            "haidang_collector_received_bytes_total": counters.bytes_received,
            "haidang_collector_retries_total": counters.retries,
            "haidang_collector_errors_total": {
                **self.tally.failures,
                "packet_malformed": counters.malformed,
                "packet_unexpected": counters.unexpected,
                "packet_refused": counters.refused,
            },
            "haidang_collector_socket_dropped_total": self.client.dropped(),
            "haidang_collector_socket_buffer_bytes": self.client.receive_buffer(),
        }

    def statuses(self, unit: str) -> list[Status]:
        """How the polled devices of a unit stand."""
        cycle = self.cycles.get(unit)
        return [watch.status for watch in cycle.watches] if cycle is not None else []

    def unit_numbers(self, unit: str) -> Mapping[str, float]:
        """A unit's own figures, by catalogue metric."""
        cycle = self.cycles.get(unit)
        if cycle is None:
            return {}
        figures, line, told = cycle.figures, self._lines[unit], self._settings.units[unit]
        known = {
            "haidang_unit_answer_seconds": figures.answer_seconds,
            "haidang_unit_loss_ratio": figures.loss,
            "haidang_unit_contracted_bytes_per_second": told.bandwidth / 8 if told.bandwidth else None,
            "haidang_unit_committed_bytes_per_second": told.committed / 8 if told.committed else None,
        }
        return {
            "haidang_unit_cycle_seconds": figures.seconds,
            "haidang_unit_cycle_overruns_total": figures.overruns,
            "haidang_unit_requests_total": figures.requests,
            "haidang_unit_retries_total": figures.retries,
            "haidang_unit_sent_bytes_total": line.sent,
            "haidang_unit_received_bytes_total": line.received,
            **{name: value for name, value in known.items() if value is not None},
        }

    def ailments(self) -> list[str]:
        """What is wrong with the collector now, in words; empty in health."""
        found = [f"the inventory: {self.inventory.trouble}"] if self.inventory.trouble else []
        dropped = self.client.dropped()
        if dropped > self._dropped:
            self._dropped = dropped
            found.append(
                f"the kernel dropped {dropped} packets: the receive buffer of {self.client.receive_buffer()} bytes was full; "
                "raise net.core.rmem_max (sysctl -w net.core.rmem_max=16777216) and start again"
            )
            log.warning("packets dropped count=%d hint='sysctl -w net.core.rmem_max=16777216'", dropped)
        return found

    async def cycled(self, deadline: float) -> bool:
        """Wait until every unit has ended a cycle; False when `deadline` seconds were not enough."""
        events = []
        for cycle in self.cycles.values():
            done = asyncio.Event()
            cycle.when_done(done.set)
            events.append(done.wait())
        try:
            await asyncio.wait_for(asyncio.gather(*events), deadline)
        except TimeoutError:
            return False
        return True

    def stop(self) -> None:
        """Ask nothing more and close the sockets; the inventory is the caller's to close."""
        for cycle in self.cycles.values():
            cycle.stop()
        if self._resolving is not None:
            self._resolving.cancel()
        self._asking.close()
        self.surveyor.stop()
        self.client.close()


def _numeric(address: str) -> bool:
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return False
    return True


def _same_place(one: Device, other: Device) -> bool:
    """The same address, read by the same profile? Names and units may differ."""
    return (one.address, one.port, one.profile) == (other.address, other.port, other.profile)
