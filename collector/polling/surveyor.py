"""Who surveys: each unit about once an hour and on command, on its own paced line, and what comes of it is kept and told."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from snmp.client import Client
from snmp.table import Bearing

from ..errors import CollectorError
from ..estate.directory import Node
from ..estate.links import Links
from ..estate.picture import ANSWERING, Picture, picture
from ..estate.ports import standings
from ..estate.roster import Roster
from ..estate.topology import Topology, recover
from ..model import Block, Device, Facts, Outcome, Status, Survey
from .ask import attempt
from .learn import Learners
from .survey import KINDS, survey
from .watch import Watch

log = logging.getLogger(__name__)

EVERY = 3600.0
"""Seconds between two surveys of a unit, give or take a tenth."""
SOON, SPREAD = 10.0, 0.25
"""Seconds after its first cycle when a unit is surveyed first: at least so many, and up to so many more for each device of the
network there is, so that a new collector does not ask all of them at once."""
AT_ONCE = 4
"""Units surveyed side by side."""
WITHIN = 300.0
"""Seconds in which one device's survey must end."""
KEPT = 3 * EVERY
"""Seconds for which the survey of a device stands that does not answer any more."""


class Surveyor:
    """A sink that learns whom to survey, and has it done. `watch` gives the watch of a device; `drawn` takes each picture.

    Lives on one event loop; what is worked out and kept, is so in a thread beside it.
    """

    def __init__(
        self,
        client: Client,
        watch: Callable[[str], Watch | None],
        links: Links,
        drawn: Callable[[Picture], None],
        every: float = EVERY,
    ) -> None:
        self._client = client
        self._watch = watch
        self._links = links
        self._drawn = drawn
        self._every = every
        self._roster = Roster(KINDS)
        self._blocks: dict[str, Block] = {}
        self._answering: set[str] = set()
        self._surveys: dict[str, Survey] = {}
        self._missed: dict[str, str] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._turns = Learners(AT_ONCE)

    # -- the sink

    def polled(self, device: Device, status: Status, block: Block | None) -> None:
        """A poll ended."""
        (self._answering.add if status.state in ANSWERING else self._answering.discard)(device.id)
        if block is not None:
            self._blocks[device.id] = block
        else:
            self._blocks.pop(device.id, None)

    def described(self, device: Device, facts: Facts) -> None:
        """The device's facts were read anew."""
        self._roster.add(device, facts)

    def cycled(self, unit: str) -> None:
        """A unit's devices were asked once: after the first time its surveys begin."""
        if unit not in self._timers and self._roster.unit(unit):
            self._turns.add(lambda: self._recall(unit))
            latest = min(SOON + SPREAD * self._roster.network, self._every)
            self._plan(unit, random.uniform(min(SOON, latest), latest))

    def forgotten(self, device: Device) -> None:
        """The device was taken out of the settings."""
        self._roster.remove(device.id)
        self._blocks.pop(device.id, None)
        self._surveys.pop(device.id, None)
        self._missed.pop(device.id, None)
        self._answering.discard(device.id)

    # -- surveys

    def _plan(self, unit: str, wait: float) -> None:
        self._timers[unit] = self._client.loop.call_later(wait, self._due, unit)

    def _due(self, unit: str) -> None:
        if not self._roster.unit(unit):
            del self._timers[unit]  # the unit is gone
            return
        self._plan(unit, self._every * random.uniform(0.9, 1.1))
        self._turns.add(lambda: self._turn(unit))

    async def _turn(self, unit: str) -> None:
        await self.survey(unit)

    async def _recall(self, unit: str) -> None:
        """Draw what earlier surveys found, until there is a new one."""
        if await asyncio.to_thread(self._any_kept, unit):
            await self._draw(unit, [])

    def _any_kept(self, unit: str) -> bool:
        try:
            return bool(self._links.standing(set(self._roster.unit(unit))))
        except CollectorError:
            return False

    async def survey(self, unit: str) -> Picture:
        """Survey a unit now, one device after another."""
        asked = [id for id in sorted(self._roster.unit(unit)) if self._worth_asking(id) and await self._ask(id)]
        return await self._draw(unit, asked)

    async def _draw(self, unit: str, asked: Sequence[str]) -> Picture:
        now = time.time()
        nodes, surveys = self._scope(unit, now)
        blocks = {one.id: self._blocks[one.id] for one in nodes if one.id in self._blocks}
        work = _Work(unit, now, nodes, surveys, asked, frozenset(self._answering & blocks.keys()), blocks)
        try:
            picture = await asyncio.to_thread(work.done, self._links)
        except CollectorError as error:
            log.warning("topology not kept unit=%s reason=%r", unit, str(error))
            return Picture(unit)
        self._drawn(picture)
        return picture

    def _worth_asking(self, id: str) -> bool:
        return self._roster.of_network(id) and id in self._answering

    async def _ask(self, id: str) -> bool:
        """Survey one device; False when it did not answer."""
        watch, one = self._watch(id), self._roster.node(id)
        if watch is None:
            return False
        bearing = Bearing(watch.bearing.rung)
        try:
            async with asyncio.timeout(WITHIN):
                found, outcome, said = await attempt(
                    survey(self._client, watch.target, id, one.interfaces, one.neighbours, bearing)
                )
        except TimeoutError:
            found, outcome, said = None, Outcome.TIMEOUT, f"not done within {WITHIN:g} s"
        missed = said if found is None else found.missed
        if missed != self._missed.get(id, ""):
            self._missed[id] = missed
            if missed:
                log.info("survey incomplete device=%s outcome=%s reason=%r", id, outcome, missed)
        if found is None:
            return False
        if found.macs or found.heard or found.beside or found.resolved:
            self._surveys[id] = found
            self._roster.heard(found)
        else:
            self._surveys.pop(id, None)
        return True

    def _scope(self, unit: str, now: float) -> tuple[list[Node], list[Survey]]:
        """The unit's devices, and those of other units that its switches hear; with the surveys that still stand."""
        ids = self._roster.unit(unit)
        fresh = {id: one for id, one in self._surveys.items() if now - one.time < KEPT and id in self._roster}
        guests = self._roster.owners({mac for id in ids if id in fresh for mac, _, _ in fresh[id].heard}) - ids
        every = sorted(ids | guests)
        return [self._roster.node(id) for id in every], [fresh[id] for id in every if id in fresh]

    def stop(self) -> None:
        """Survey nothing more."""
        self._turns.close()
        for timer in self._timers.values():
            timer.cancel()


@dataclass(frozen=True, slots=True)
class _Work:
    """What follows from a unit's surveys."""

    unit: str
    now: float
    nodes: Sequence[Node]
    surveys: Sequence[Survey]
    asked: Sequence[str]
    answering: Collection[str]
    blocks: Mapping[str, Block]

    def done(self, links: Links) -> Picture:
        """Work it out and keep it; raises InventoryError."""
        topology = Topology()
        if self.asked:
            topology = recover(self.nodes, self.surveys, self.unit)
            links.keep(topology.links, self.asked, self.now)
        told = {one.device: one for one in self.surveys}
        ports = {
            (id, port): standing for id, block in self.blocks.items() for port, standing in standings(block, told.get(id)).items()
        }
        return picture(self.unit, self.now, topology, links, self.nodes, ports, self.answering)
