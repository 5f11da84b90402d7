"""Discovery in the collector: searches made from the settings, run when their time comes, and what was accepted polled."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from config import discovery as settings_of
from config.profiles import Profiles
from config.settings import Device, Settings
from snmp.client import Client, Target

from .credential import open_credential
from .errors import CollectorError
from .estate.candidates import Candidate, Candidates, State, known_addresses
from .polling.cases import Known, Opener
from .polling.discover import Search
from .polling.line import Line

log = logging.getLogger(__name__)

SHARE = 0.5
"""The part of a line's packets that discovery takes beside polling."""
AT_ONCE = 4
"""Units searched at the same time."""
SOON = 60.0
"""Seconds after the start until a search that is overdue, or was stopped, goes on."""
STOP_WITHIN = 5.0
"""Seconds for a search to write down how far it came when the collector ends."""
LOOK_EVERY = 30.0
"""Seconds between two looks at what people have accepted."""


def enlarged(settings: Settings, accepted: Sequence[Device]) -> Settings:
    """The settings with the devices that were accepted. What the settings say of an address, or call a device, wins; a device
    whose unit or credential they no longer have is left out."""
    places = {(device.address, device.port) for device in settings.devices}
    names = {device.id for device in settings.devices}
    more = []
    for one in accepted:
        if one.unit not in settings.units or one.credential not in settings.credentials:
            log.warning("accepted device not polled device=%s reason='no such unit or credential in the settings'", one.id)
        elif (one.address, one.port) not in places and one.id not in names:
            more.append(one)
    return replace(settings, devices=(*settings.devices, *more))


class Grounds(NamedTuple):
    """What a search needs to know beside its settings: what to try, what is known in the unit and anywhere."""

    openers: list[Opener]
    known: list[Known]
    skip: set[str]
    taken: set[str]


async def explore(settings: Settings, candidates: Candidates, discovery: settings_of.Discovery, line: Line) -> Grounds:
    """The grounds of a search. `settings` as the operator wrote them; raises CollectorError."""
    wanted = [settings.credentials[name] for name in discovery.credentials]
    numbers = await asyncio.to_thread(candidates.tried.identify, wanted, time.time())
    openers = [Opener(one.name, numbers[one.name], open_credential(one), one.context.encode()) for one in wanted]
    decided = await asyncio.to_thread(candidates.all, "", (State.ACCEPTED, State.REJECTED))
    devices = enlarged(settings, await asyncio.to_thread(candidates.accepted)).devices
    places = await _look_up({device.address for device in devices})
    unit = settings.units[discovery.unit]
    known = []
    for device in devices:
        if device.unit == unit.id:
            credential = settings.credentials[device.credential]
            target = Target(
                places.get(device.address, device.address), device.port, open_credential(credential),
                context=credential.context.encode(), timeout=unit.timeout, retries=min(unit.retries, 1), line=line,
            )  # fmt: skip
            known.append(Known(device.id, target))
    skip = {places.get(device.address, device.address) for device in devices}
    skip |= {address for address, _ in known_addresses(decided)}
    return Grounds(openers, known, skip, {device.id for device in settings.devices})


async def _look_up(names: set[str]) -> dict[str, str]:
    """Host name -> address, of those that are names and can be found."""
    found = {}
    for name in names:
        try:
            ipaddress.ip_address(name)
        except ValueError:
            try:
                answers = await asyncio.get_running_loop().getaddrinfo(name, 0, type=socket.SOCK_DGRAM)
                found[name] = str(answers[0][4][0])
            except (OSError, UnicodeError):
                pass
    return found


class Discoveries:
    """Runs the searches of the settings on their schedule, beside polling. `arrange(accepted)` is called at the start and when
    people or rules have accepted something else."""

    def __init__(
        self,
        client: Client,
        profiles: Profiles,
        candidates: Candidates,
        lines: Callable[[str], Line],
        arrange: Callable[[list[Device]], None],
    ) -> None:
        self.accepted: list[Device] = []
        self._client = client
        self._profiles = profiles
        self._candidates = candidates
        self._lines = lines
        self._arrange = arrange
        self._settings: Settings | None = None
        self._searches: dict[str, Search] = {}
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._running: set[asyncio.Task[None]] = set()
        self._scheduler = AsyncIOScheduler(event_loop=client.loop)

    def start(self, settings: Settings, accepted: list[Device]) -> None:
        """Begin to keep the schedule; `accepted` is what is polled already."""
        self.accepted = accepted
        self._scheduler.start()
        self._scheduler.add_job(
            self._look, IntervalTrigger(seconds=LOOK_EVERY), coalesce=True, max_instances=1, misfire_grace_time=None
        )
        self.settle(settings)

    def settle(self, settings: Settings) -> None:
        """Take (new) settings. A search under way ends as it began; its unit's next one is another."""
        self._settings = settings
        for job in self._scheduler.get_jobs():
            if job.id.startswith("discover "):
                job.remove()
        for work in (self._schedule(settings), self._look()):
            task = asyncio.ensure_future(work)
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def stop(self) -> None:
        """Search no more; what is under way can be gone on with."""
        self._settings = None
        for search in self._searches.values():
            search.stop()
        if self._running:
            await asyncio.wait(self._running, timeout=STOP_WITHIN)
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    async def _schedule(self, settings: Settings) -> None:
        last: Mapping[str, tuple[float, float | None]] = {}
        try:
            runs = await asyncio.to_thread(self._candidates.runs.all)
            last = {unit: (run.started, run.ended) for unit, run in runs.items()}
        except CollectorError as error:
            log.warning("discovery's last runs not known reason=%r", str(error))
        if self._settings is not settings:
            return  # read again meanwhile
        for one in settings.discoveries.values():
            if one.every is not None:
                trigger = IntervalTrigger(seconds=int(one.every))
            elif one.at is not None:
                trigger = CronTrigger(hour=one.at.hour, minute=one.at.minute)
            else:
                continue
            due = due_at(one, last.get(one.unit), time.time())
            self._scheduler.add_job(
                self._run, trigger, args=[one.unit], id=f"discover {one.unit}", coalesce=True, max_instances=1,
                misfire_grace_time=None, **({"next_run_time": due} if due is not None else {}),
            )  # fmt: skip

    async def _run(self, unit: str) -> None:
        """One search, in its turn; an error of one unit's is no other's."""
        task = asyncio.current_task()
        assert task is not None
        self._running.add(task)
        try:
            async with self._turn:
                await self._search(unit)
        except CollectorError as error:
            log.error("discovery failed unit=%s reason=%r", unit, str(error))
        finally:
            self._running.discard(task)

    async def _search(self, unit: str) -> None:
        settings = self._settings
        if settings is None or unit not in settings.discoveries or unit in self._searches:
            return
        discovery, line = settings.discoveries[unit], self._lines(unit)
        grounds = await explore(settings, self._candidates, discovery, line)
        search = Search(
            self._client, self._profiles, self._candidates, discovery, settings.units[unit], line, grounds.openers,
            known=grounds.known, skip=grounds.skip, taken=grounds.taken, share=SHARE, found=_tell,
        )  # fmt: skip
        self._searches[unit] = search
        began = time.monotonic()
        try:
            tally = await search.run()
        finally:
            del self._searches[unit]
        log.info(
            "discovery ended unit=%s complete=%s addresses=%d found=%d new=%d accepted=%d seconds=%.0f",
            unit, str(tally.complete).lower(), tally.done, sum(tally.states.values()), tally.states[State.NEW],
            tally.states[State.ACCEPTED], time.monotonic() - began,
        )  # fmt: skip
        await self._look()

    async def _look(self) -> None:
        """Have what is accepted now polled."""
        try:
            accepted = await asyncio.to_thread(self._candidates.accepted)
        except CollectorError as error:
            log.warning("accepted devices not read reason=%r", str(error))
            return
        except asyncio.CancelledError:
            if self._settings is None:
                return  # the collector ends, which APScheduler would log as an error
            raise
        if accepted != self.accepted:
            log.info("accepted devices changed before=%d now=%d", len(self.accepted), len(accepted))
            self.accepted = accepted
            self._arrange(accepted)


def due_at(one: settings_of.Discovery, last: tuple[float, float | None] | None, now: float) -> datetime | None:
    """When a search is due first after a start at `now`, given when its last run began and ended; None: when its trigger says."""
    if last is not None and last[1] is None:
        due = now + SOON  # it was stopped: go on
    elif one.every is not None:
        began = min(last[0], now) if last is not None else 0.0  # the clock may have been ahead
        due = max(now + SOON, began + one.every)
    else:
        return None
    return datetime.fromtimestamp(due).astimezone()


def _tell(candidate: Candidate) -> None:
    if candidate.state in (State.NEW, State.ACCEPTED):
        log.info(
            "found unit=%s address=%s state=%s candidate=%d kind=%s vendor=%r model=%r name=%r",
            candidate.unit, candidate.address, candidate.state, candidate.id, candidate.kind, candidate.vendor,
            candidate.model, candidate.name,
        )  # fmt: skip
