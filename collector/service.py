"""The collector's work, wired together: settings in, polls out to the sinks, until told to stop or to read again."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import random
import time
from collections.abc import Mapping, Sequence

from config.profiles import Profiles
from config.settings import Credential, Settings
from config.settings import Device as DeviceSettings
from config.settings import Unit as UnitSettings
from snmp import message
from snmp.client import Client, Target
from snmp.security import Community
from snmp.usm import User

from .estate.inventory import Inventory
from .model import Block, Device, Facts, Sink, Status, Unit
from .polling.line import Line
from .polling.plan import Plan
from .polling.schedule import Cycle, Tally
from .polling.watch import RELEARN, Asking, Watch

log = logging.getLogger(__name__)

BYTES_SHARE = 0.1
"""The part of a unit's bandwidth that polling may take, both directions together."""


def open_credential(credential: Credential) -> Community | User:
    """What the client needs of a credential of the settings."""
    if credential.version == "3":
        secrets = [s.reveal().encode() if s is not None else b"" for s in (credential.auth_secret, credential.priv_secret)]
        return User(credential.user.encode(), credential.auth, secrets[0], credential.priv, secrets[1])
    assert credential.community is not None
    version = message.V1 if credential.version == "1" else message.V2C
    return Community(credential.community.reveal().encode(), version)


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

    def __init__(self, settings: Settings, profiles: Profiles, inventory: Inventory, sinks: Sequence[Sink]) -> None:
        self.inventory = inventory
        self.client = Client()
        self.tally = Tally()
        self.watches: dict[str, Watch] = {}
        self.cycles: dict[str, Cycle] = {}
        self._sinks = (*sinks, Remember(inventory))
        self._asking = Asking(self.client, profiles, learnt=self._learnt)
        self._lines: dict[str, Line] = {}
        self._settings = settings
        self._names: dict[str, str] = {}
        self._dropped = 0
        self._resolving: asyncio.Task[None] | None = None
        self._plans = inventory.plans()
        self._profiles = profiles
        self.arrange(settings)
        self._plans = {}

    def arrange(self, settings: Settings) -> None:
        """Take (new) settings: what stayed the same keeps its state and plan, the rest begins or ends."""
        self._settings = settings
        before, self.watches = self.watches, {}
        for one in settings.devices:
            device = Device(one.id, one.address, one.port, one.credential, one.unit, one.profile, one.name)
            self.watches[device.id] = self._watch(device, one, before.pop(device.id, None))
        for gone in before.values():
            for sink in self._sinks:
                sink.forgotten(gone.device)
        self._arrange_cycles(settings.units)
        self._resolving = self.client.loop.create_task(self._resolve())

    def _watch(self, device: Device, one: DeviceSettings, old: Watch | None) -> Watch:
        credential = self._settings.credentials[one.credential]
        unit = self._settings.units[one.unit]
        opened = open_credential(credential)
        line = self._line(unit)
        if old is not None and old.device == device and old.target.credential == opened:
            old.target.timeout, old.target.retries, old.target.line = unit.timeout, unit.retries, line
            return old
        target = Target(
            self._names.get(one.address, one.address),
            one.port,
            opened,
            context=credential.context.encode(),
            timeout=unit.timeout,
            retries=unit.retries,
            line=line,
        )
        watch = Watch(device, target)
        if old is not None:
            watch.status, watch.published = old.status, old.published
        if (kept := self._plans.get(device.id)) is not None:
            try:
                watch.plan = Plan.load(kept, self._profiles)
                watch.relearn = self.client.loop.time() + random.uniform(0.1, 1.1) * RELEARN
            except ValueError as e:
                log.info("plan not taken over device=%s reason=%r", device.id, str(e))
        return watch

    def _line(self, unit: UnitSettings) -> Line:
        bytes_per_second = unit.bandwidth / 8 * BYTES_SHARE if unit.bandwidth else 0.0
        key = f"{unit.id} {unit.packets_per_second} {bytes_per_second}"
        line = self._lines.get(key)
        if line is None:
            line = self._lines[key] = Line(unit.packets_per_second, bytes_per_second, self.client.loop.time)
        return line

    def _arrange_cycles(self, units: Mapping[str, UnitSettings]) -> None:
        by_unit: dict[str, list[Watch]] = {unit: [] for unit in units}
        for watch in self.watches.values():
            by_unit[watch.device.unit].append(watch)
        before, self.cycles = self.cycles, {}
        for i, (name, unit) in enumerate(units.items()):
            as_model = Unit(unit.id, unit.name, unit.kind, unit.parent)
            cycle = before.pop(name, None)
            if cycle is None or cycle.interval != unit.interval:
                if cycle is not None:
                    cycle.stop()
                cycle = Cycle(as_model, unit.interval, self._asking, self._sinks, self.tally)
                cycle.start(phase=i / len(units))
            cycle.unit = as_model
            cycle.watches = by_unit[name]
            self.cycles[name] = cycle
        for cycle in before.values():
            cycle.stop()

    async def _resolve(self) -> None:
        """Look up the devices that are named, not numbered; one that has no address (yet) is asked by its name in vain."""
        for watch in list(self.watches.values()):
            name = watch.device.address
            try:
                ipaddress.ip_address(name)
            except ValueError:
                try:
                    found = await self.client.loop.getaddrinfo(name, watch.device.port, type=2)
                except OSError as e:
                    log.warning("address not found device=%s address=%s reason=%r", watch.device.id, name, str(e))
                    continue
                self._names[name] = str(found[0][4][0])
                watch.target.locate(self._names[name], watch.device.port)

    def _learnt(self, watch: Watch) -> None:
        if watch.plan is not None:
            self.inventory.save_plan(watch.device.id, watch.plan.dump())

    def numbers(self) -> Mapping[str, float | Mapping[str, float]]:
        """The collector's own health, by catalogue metric."""
        counters = self.client.counters
        return {
            "haidang_collector_interval_seconds": self._settings.collector.interval,
            "haidang_collector_cycle_seconds": max((cycle.seconds for cycle in self.cycles.values()), default=0.0),
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

    def unit_numbers(self, unit: str) -> Mapping[str, float]:
        """A unit's own figures, by catalogue metric."""
        cycle = self.cycles.get(unit)
        if cycle is None:
            return {}
        return {"haidang_unit_cycle_seconds": cycle.seconds, "haidang_unit_cycle_overruns_total": cycle.overruns}

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
        self._asking.learners.close()
        self.client.close()
