"""Agents' reports: a UDP socket, who may send, acknowledgement when a report is safe on disk, and then the way a poll takes."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from config.profiles import Profiles
from snmp.access import UserAccess
from snmp.engine import Statistics
from snmp.errors import DecodeError
from snmp.receiver import Receiver
from snmp.usm import User

from ..errors import ReceiveError
from ..model import Device, Sink, Status
from .inbox import Inbox, Origin, open_engine
from .journal import JOURNAL, Journal
from .refusals import Refusals
from .report import HEAD, Late, Notice, Report, is_report, notice, read
from .reporters import Reporter, stand_together

log = logging.getLogger(__name__)

WAITING = 20_000
"""Reports that may wait for the disk; what comes beyond is not acknowledged, and agents send it again."""
_BATCH = 2_000
_AT_ONCE = 100
"""Datagrams taken before others on the event loop get their turn."""
_SLICE, _PAUSE = 0.01, 0.06
"""Seconds of rendering at a time, and between two such times while reports stream in: acknowledgements go first."""
_STREAM = 0.1
"""Reports stream in while there are no more seconds between two."""
_UNITS_EVERY = 5.0
"""Seconds after which pages are put together though there are reports still to be rendered."""
_JUDGE, _JUDGED = 1.0, 2_000
"""Seconds between two looks for silent machines, and machines looked at each time: with more of them everybody's turn comes
less often, and nobody waits for it."""
_SETTLE_EVERY = 5.0
_KEEP_EVERY = 3600.0
_RECALLED = 100
"""Devices whose reports are read from the journal together."""


class Waiting(NamedTuple):
    """A report or notice on its way to the disk, and how it is acknowledged then."""

    report: Report | Notice
    reply: bytes
    origin: Origin


class Receive:
    """Takes reports and hands them to sinks. Made on the event loop it runs on; raises ReceiveError.

    Who may report, `arrange` says; until then reports wait in the socket. `keep`: seconds for which late reports are kept.
    """

    def __init__(
        self, listen: tuple[str, int], directory: Path, profiles: Profiles, sinks: Sequence[Sink], keep: float = 30 * 86400.0
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.counts = {"new": 0, "late": 0, "known": 0, "notice": 0, "refused": 0, "overflow": 0}
        self.reporters: dict[str, Reporter] = {}
        self.others: Callable[[str], Sequence[Status]] = lambda unit: ()
        """How the machines of a unit stand that are polled."""
        self._members: dict[str, list[Reporter]] = {}
        self._unjudged: list[Reporter] = []
        self.trouble = ""
        """Why reports cannot be kept at the moment; empty in health."""
        self._profiles = profiles
        self._sinks = sinks
        self._keep = keep
        self._inbox = Inbox(listen)  # first: who does not get the port touches nothing that its owner keeps
        try:
            self.engine = open_engine(directory)
            self._journal = Journal(directory / JOURNAL)
        except ReceiveError:
            self._inbox.close()
            raise
        self._statistics = Statistics()
        self._refusals = Refusals(self._statistics)
        self._receiver = Receiver((), (), self.engine, stats=self._statistics)
        self._keys: dict[bytes, str] = {}
        self._waiting: list[Waiting] = []
        self._settled: dict[int, Report] = {}
        self._missed: list[Report] = []
        self._settle_at = 0.0
        self._dirty: dict[str, None] = {}
        self._units: dict[str, None] = {}
        self._rendering: asyncio.TimerHandle | None = None
        self._committing: asyncio.Future[list[int]] | None = None
        self._recalled: set[str] = set()
        self._remembering: set[asyncio.Task[None]] = set()
        self._heard = self._told = float("-inf")
        self._disk = ThreadPoolExecutor(1, "reports")
        self._keysmith = ThreadPoolExecutor(1, "keys")
        self._stopped = False
        self._judging = self.loop.call_later(_JUDGE, self._judge)
        self._cleaned = self.loop.time()

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        return self._inbox.address

    @property
    def busy(self) -> bool:
        """Is there anything that waits for the disk, or for its page?"""
        return bool(self._waiting or self._dirty or self._remembering) or self._committing is not None

    def arrange(self, agents: Mapping[str, tuple[Device, Sequence[User]]]) -> None:
        """Take who may report, by device id, and as which users (two, while keys are changed); what is known is kept."""
        before, self.reporters = self.reporters, {}
        for key, (device, _) in agents.items():
            profile = self._profiles[device.profile]
            reporter = before.pop(key, None)
            if reporter is None or reporter.profile is not profile:
                reporter = Reporter(device, profile)
            reporter.device = replace(device, address=reporter.device.address)
            self.reporters[key] = reporter
        for gone in before.values():
            for sink in self._sinks:
                sink.forgotten(gone.device)
        self._keys = {user.name: key for key, (_, users) in agents.items() for user in users}
        every = [user for _, users in agents.values() for user in users]
        accesses = [UserAccess(user) for user in every]
        self._receiver = Receiver((), accesses, self.engine, stats=self._statistics, decoded=HEAD)
        self._keysmith.submit(self._warm, every)
        # What came before the first time waits in the socket: agents that are not known yet would be refused.
        self.loop.add_reader(self._inbox.sock, self._readable)
        self._members = {}
        for reporter in self.reporters.values():
            self._members.setdefault(reporter.device.unit, []).append(reporter)
        self._unjudged = []
        new = [key for key in self.reporters if key not in self._recalled]
        self._recalled = set(self.reporters)
        remembering = self.loop.create_task(self._remember(new))
        self._remembering.add(remembering)
        remembering.add_done_callback(self._remembered)

    def _remembered(self, task: asyncio.Task[None]) -> None:
        self._remembering.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("what was reported before is not known", exc_info=error)

    async def _remember(self, devices: Sequence[str]) -> None:
        """What reporters that are new here said before the last end, some at a time."""
        for start in range(0, len(devices), _RECALLED):
            some = frozenset(devices[start : start + _RECALLED])
            found = await self.loop.run_in_executor(self._disk, self._present, some)
            now, wall = self.loop.time(), time.time()
            for report in found:
                if report.device in self.reporters:
                    self._deliver(report, now - max(0.0, wall - report.received))

    def _present(self, devices: frozenset[str]) -> list[Report]:
        return list(self._journal.present(devices))

    def _warm(self, users: Sequence[User]) -> None:
        """Make users' keys, which takes some milliseconds each, before their reports need them."""
        for user in users:
            if self._stopped:
                return
            if user.level:
                user.localise(self.engine.id)

    # -- receiving

    def _readable(self) -> None:
        self._heard = self.loop.time()
        for data, origin in self._inbox.read(_AT_ONCE):
            self._take(data, origin)
        self._commit()

    def _take(self, data: bytes, origin: Origin) -> None:
        told, reply = self._receiver.receive(data, origin.address)
        if told is None:
            if reply is not None:
                self._inbox.send(reply, origin)
                refusal = self._refusals.note(data, origin.host, self.loop.time())
                if refusal is not None and (key := self._keys.get(refusal.user)) is not None:
                    why = f"reports from {origin.host} are refused: {refusal.reason}"
                    self.reporters[key].refused(why, self.loop.time())
            return
        report: Report | Notice
        try:
            if reply is None:
                raise DecodeError("a trap: what is kept here is acknowledged, so it must be an inform")
            report = (read if is_report(told) else notice)(told, self._keys[told.user], time.time())
        except DecodeError as error:
            self.counts["refused"] += 1
            log.debug("not a report from=%s reason=%r", origin.host, str(error))
            if reply is not None and (answer := self._receiver.refuse(data, origin.address)) is not None:
                self._inbox.send(answer, origin)
            return
        if len(self._waiting) >= WAITING:
            self.counts["overflow"] += 1
            return
        self._waiting.append(Waiting(report, reply, origin))

    def _commit(self) -> None:
        """All that waits goes to the disk together; what comes meanwhile, with the next."""
        if self._committing is not None or self._stopped:
            return
        now = self.loop.time()
        tidy = now >= self._settle_at and bool(self._settled or self._missed)
        if not (self._waiting or tidy):
            return
        batch, self._waiting = self._waiting[:_BATCH], self._waiting[_BATCH:]
        settled: dict[int, Report] = {}
        missed: list[Report] = []
        if tidy:
            self._settle_at = now + _SETTLE_EVERY
            settled, self._settled, missed, self._missed = self._settled, {}, self._missed, []
        reports = [one.report for one in batch]
        self._committing = self.loop.run_in_executor(self._disk, self._journal.commit, reports, settled.values(), missed)
        self._committing.add_done_callback(lambda done: self._committed(batch, settled, missed, done))

    def _committed(
        self, batch: list[Waiting], settled: dict[int, Report], missed: list[Report], done: asyncio.Future[list[int]]
    ) -> None:
        self._committing = None
        if done.cancelled():
            return
        if (error := done.exception()) is not None:
            self._settled, self._missed = settled | self._settled, missed + self._missed
            if str(error) != self.trouble:
                log.error("reports not kept, so not acknowledged count=%d reason=%r", len(batch), str(error))
            self.trouble = str(error)
            self._settle_at = self.loop.time() + _SETTLE_EVERY
            self.loop.call_later(_JUDGE, self._commit)
            return
        if self.trouble:
            log.info("reports are kept again")
        self.trouble = ""
        now = self.loop.time()
        for (report, reply, origin), lineage in zip(batch, done.result(), strict=True):
            self._inbox.send(reply, origin)
            if isinstance(report, Notice):
                self.counts["notice" if lineage else "known"] += 1
                log.info("notice device=%s from=%s trap=%s", report.device, report.address, report.trap)
                continue
            self.counts["known" if not lineage else "late" if report.late else "new"] += 1
            if lineage and report.device in self.reporters:
                self._deliver(report._replace(lineage=lineage), now)
        self._commit()

    # -- what was received

    def _deliver(self, report: Report, now: float) -> None:
        reporter = self.reporters[report.device]
        newer = reporter.take(report, now)
        self._settled.update((one.lineage, one) for one in reporter.settled)
        self._missed += reporter.missed
        reporter.settled.clear()
        reporter.missed.clear()
        if not newer:
            return
        if reporter.device.address != report.address:
            reporter.device = replace(reporter.device, address=report.address)
        self._dirty[report.device] = None
        if self._rendering is None:
            self._rendering = self.loop.call_later(0, self._render)

    def _render(self) -> None:
        """For a slice of time; of a machine that reports faster than that, its newest report."""
        self._rendering = None
        now, wall = self.loop.time(), time.time()
        end = now + _SLICE
        while self._dirty and self.loop.time() < end:
            key = next(iter(self._dirty))
            del self._dirty[key]
            reporter = self.reporters.get(key)
            if reporter is None:
                continue
            try:
                block, facts = reporter.render(now, wall)
                if reporter.fell_silent(now, wall):
                    block = None  # known from before a restart
            except Exception as error:
                log.error("report ended in an error of our own device=%s", key, exc_info=error)
                continue
            for sink in self._sinks:
                sink.polled(reporter.device, reporter.status, block)
                if facts is not None:
                    sink.described(reporter.device, facts)
            self._units[reporter.device.unit] = None
        if self._dirty:
            self._rendering = self.loop.call_later(_PAUSE if now - self._heard < _STREAM else 0, self._render)
        self._tell_units()

    def _tell_units(self) -> None:
        """Pages are put together when all that was heard is rendered, or from time to time."""
        now = self.loop.time()
        if self._dirty and now - self._told < _UNITS_EVERY:
            return
        self._told = now
        units, self._units = self._units, {}
        wall = time.time()
        for unit in units:
            for reporter in stand_together(self._members.get(unit, ()), self.others(unit), wall):
                for sink in self._sinks:
                    sink.polled(reporter.device, reporter.status, None)
        for sink in self._sinks:
            for unit in units:
                sink.cycled(unit)

    def statuses(self, unit: str) -> list[Status]:
        """How the machines of a unit stand that report by themselves."""
        return [reporter.status for reporter in self._members.get(unit, ())]

    def _judge(self) -> None:
        """Who has not been heard for two intervals is silent; the others' values are said again before they count as old."""
        self._judging = self.loop.call_later(_JUDGE, self._judge)
        now, wall = self.loop.time(), time.time()
        if not self._unjudged:
            self._unjudged = list(self.reporters.values())
        some, self._unjudged = self._unjudged[-_JUDGED:], self._unjudged[:-_JUDGED]
        for reporter in some:
            silent = reporter.fell_silent(now, wall)
            block = None if silent else reporter.carried(wall)
            if not silent and block is None:
                continue
            if silent:
                status = reporter.status
                log.warning("device state=%s device=%s reason=%r", status.state, reporter.device.id, status.message)
            self._units[reporter.device.unit] = None
            for sink in self._sinks:
                sink.polled(reporter.device, reporter.status, block)
        self._tell_units()
        self._commit()
        if now - self._cleaned > _KEEP_EVERY:
            self._cleaned = now
            self._disk.submit(self._forget, wall - self._keep)

    def _forget(self, before: float) -> None:
        try:
            self._journal.forget(before)
        except ReceiveError as error:
            log.error("old reports not removed reason=%r", str(error))

    # -- what no page has shown

    def keep_late(self) -> None:
        """From now on keep late reports until `written` is told of them."""
        self._journal.keep_late = True

    def late(self, after: int, limit: int) -> tuple[list[Late], int, int]:
        """What `Journal.late` gives, and how many parts of reports wait; for other threads. Raises ReceiveError."""
        return self._disk.submit(self._late, after, limit).result()

    def _late(self, after: int, limit: int) -> tuple[list[Late], int, int]:
        return *self._journal.late(after, limit, time.time()), self._journal.waiting()

    def written(self, heads: Sequence[Report]) -> None:
        """These late reports are safe elsewhere; for other threads, as `late`. Raises ReceiveError."""
        self._disk.submit(self._journal.written, heads).result()

    def numbers(self) -> Mapping[str, float | Mapping[str, float]]:
        """The receiving end's own health, by catalogue metric."""
        refused = self._statistics["snmpInBadCommunityNames"] + len(self._refusals)
        return {
            "haidang_collector_reports_total": {**self.counts, "unauthenticated": refused},
            "haidang_collector_reporters": len(self.reporters),
        }

    async def stop(self) -> None:
        """Take nothing more; what was taken is written, and acknowledged."""
        self.loop.remove_reader(self._inbox.sock)
        self._judging.cancel()
        for task in self._remembering:
            task.cancel()
        self._settle_at = 0.0
        self._commit()
        while self._committing is not None and not self.trouble:
            await asyncio.wait([self._committing])
            await asyncio.sleep(0)
        self._stopped = True
        await asyncio.to_thread(self._disk.shutdown)
        await asyncio.to_thread(self._keysmith.shutdown)
        if self._rendering is not None:
            self._rendering.cancel()
        self._inbox.close()
        self._journal.close()
