"""Agents' reports: a UDP socket, who may send, acknowledgement when a report is safe on disk, and then the way a poll takes."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import os
import socket
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from config import objects
from config.profiles import Profiles
from snmp.access import UserAccess
from snmp.engine import Engine, Statistics, engine_id, steady
from snmp.errors import DecodeError, StateError
from snmp.receiver import Receiver
from snmp.usm import User

from ..errors import ReceiveError
from ..model import Device, Sink
from .journal import Journal, Report, read
from .reporters import Reporter

log = logging.getLogger(__name__)

JOURNAL, ENGINE_ID, BOOTS = "reports.db", "receive-engine-id", "receive-boots"
WAITING = 20_000
"""Reports that may wait for the disk; what comes beyond is not acknowledged, and agents send it again."""
_BATCH = 2_000
_AT_ONCE = 100
"""Datagrams taken before others on the event loop get their turn."""
_SLICE = 0.01
_JUDGE = 1.0
_KEEP_EVERY = 3600.0
_BUFFER = 8 << 20

Address = tuple[Any, ...]


def open_engine(directory: Path) -> Engine:
    """The collector's own engine, its ID made once and kept, its boots counted; raises ReceiveError."""
    path = directory / ENGINE_ID
    try:
        directory.mkdir(parents=True, exist_ok=True)
        try:
            known = bytes.fromhex(path.read_text(encoding="ascii"))
        except FileNotFoundError:
            known = engine_id(objects.ENTERPRISE, os.urandom(12))
            draft = path.with_name(path.name + ".new")
            with draft.open("w") as file:
                file.write(known.hex() + "\n")
                file.flush()
                os.fsync(file.fileno())
            os.replace(draft, path)
        return Engine.start(directory / BOOTS, known, steady())
    except (OSError, StateError, ValueError) as error:
        raise ReceiveError(f"{path}: the engine that agents send to cannot be opened: {error}") from error


class Receive:
    """Takes reports and hands them to sinks. Made on the event loop it runs on; raises ReceiveError.

    `users` are the agents' by device id; `interval`s are the agents' own. `keep`: seconds for which late reports are kept.
    """

    def __init__(
        self, listen: tuple[str, int], directory: Path, profiles: Profiles, sinks: Sequence[Sink], keep: float = 30 * 86400.0
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.counts = {"new": 0, "late": 0, "known": 0, "refused": 0, "overflow": 0}
        self.reporters: dict[str, Reporter] = {}
        self.trouble = ""
        """Why reports cannot be kept at the moment; empty in health."""
        self._profiles = profiles
        self._sinks = sinks
        self._keep = keep
        self._engine = open_engine(directory)
        self._statistics = Statistics()
        self._receiver = Receiver((), (), self._engine, stats=self._statistics)
        self._keys: dict[bytes, str] = {}
        self._waiting: list[tuple[Report, bytes, Address]] = []
        self._settled: dict[str, Report] = {}
        self._dirty: dict[str, None] = {}
        self._units: dict[str, None] = {}
        self._rendering: asyncio.Handle | None = None
        self._committing: asyncio.Future[list[bool]] | None = None
        self._disk = ThreadPoolExecutor(1, "reports")
        self._sock = _bind(listen)
        try:
            self._journal = Journal(directory / JOURNAL)
        except ReceiveError:
            self._sock.close()
            raise
        self.loop.add_reader(self._sock, self._readable)
        self._judging = self.loop.call_later(_JUDGE, self._judge)
        self._cleaned = self.loop.time()

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        host, port = self._sock.getsockname()[:2]
        return host, port

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
        accesses = [UserAccess(user) for _, users in agents.values() for user in users]
        self._receiver = Receiver((), accesses, self._engine, stats=self._statistics)
        self._remember()

    def _remember(self) -> None:
        """What reporters that are new here said before the last end."""
        now, wall = self.loop.time(), time.time()
        new = {key for key, reporter in self.reporters.items() if reporter.shown is None}
        for report in self._journal.present() if new else ():
            if report.device in new:
                self._deliver(report.device, report, now - max(0.0, wall - report.received))

    # -- receiving

    def _readable(self) -> None:
        try:
            for _ in range(_AT_ONCE):
                data, address = self._sock.recvfrom(65535)
                self._take(data, address)
        except OSError:
            pass  # nothing more, or an ICMP error for an acknowledgement
        self._commit()

    def _take(self, data: bytes, address: Address) -> None:
        told, reply = self._receiver.receive(data, address)
        if told is None or reply is None:
            if reply is not None:
                self._send(reply, address)
            return
        key = self._keys[told.user]
        try:
            report = read(told, key, time.time())
        except DecodeError as error:
            self.counts["refused"] += 1
            log.debug("not a report from=%s reason=%r", address[0], str(error))
            return
        if len(self._waiting) >= WAITING:
            self.counts["overflow"] += 1
            return
        shown = self.reporters[key].shown
        if shown is not None and shown.engine == report.engine and report.first < shown.first:
            report = report._replace(late=True)
        self._waiting.append((report, reply, address))

    def _send(self, data: bytes, address: Address) -> None:
        try:
            self._sock.sendto(data, address)
        except OSError as error:
            log.debug("not sent to=%s reason=%r", address[0], error.strerror)  # the agent asks again

    def _commit(self) -> None:
        """All that waits goes to the disk together; what comes meanwhile, with the next."""
        if self._committing is not None or not self._waiting:
            return
        batch, self._waiting = self._waiting[:_BATCH], self._waiting[_BATCH:]
        settled, self._settled = list(self._settled.values()), {}
        reports = [report for report, _, _ in batch]
        self._committing = self.loop.run_in_executor(self._disk, self._journal.commit, reports, settled)
        self._committing.add_done_callback(lambda done: self._committed(batch, done))

    def _committed(self, batch: list[tuple[Report, bytes, Address]], done: asyncio.Future[list[bool]]) -> None:
        self._committing = None
        if done.cancelled():
            return
        if (error := done.exception()) is not None:
            if str(error) != self.trouble:
                log.error("reports not kept, so not acknowledged count=%d reason=%r", len(batch), str(error))
            self.trouble = str(error)
            self.loop.call_later(_JUDGE, self._commit)
            return
        self.trouble = ""
        now = self.loop.time()
        for (report, reply, address), new in zip(batch, done.result(), strict=True):
            self._send(reply, address)
            self.counts["late" if new and report.late else "new" if new else "known"] += 1
            if new and report.device in self.reporters:
                self._deliver(report.device, report, now)
        self._commit()

    # -- what was received

    def _deliver(self, key: str, report: Report, now: float) -> None:
        reporter = self.reporters[key]
        if reporter.device.address != report.address:
            reporter.device = replace(reporter.device, address=report.address)
        if not reporter.take(report, now):
            return
        if reporter.shown is not None:
            self._settled[key] = reporter.shown
        self._dirty[key] = None
        if self._rendering is None:
            self._rendering = self.loop.call_soon(self._render)

    def _render(self) -> None:
        """For a slice of time; of a machine that reports faster than that, its newest report."""
        self._rendering = None
        end = self.loop.time() + _SLICE
        while self._dirty and self.loop.time() < end:
            key = next(iter(self._dirty))
            del self._dirty[key]
            reporter = self.reporters.get(key)
            if reporter is None:
                continue
            try:
                block, facts = reporter.render(time.time())
                if reporter.fell_silent(self.loop.time(), time.time()):
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
            self._rendering = self.loop.call_later(0, self._render)
        elif self._units:
            units, self._units = self._units, {}
            for sink in self._sinks:
                for unit in units:
                    sink.cycled(unit)

    def _judge(self) -> None:
        """Who has not been heard for two intervals is silent."""
        self._judging = self.loop.call_later(_JUDGE, self._judge)
        now, wall = self.loop.time(), time.time()
        units: dict[str, None] = {}
        for reporter in self.reporters.values():
            if reporter.fell_silent(now, wall):
                log.warning("device state=silent device=%s reason=%r", reporter.device.id, reporter.status.message)
                units[reporter.device.unit] = None
                for sink in self._sinks:
                    sink.polled(reporter.device, reporter.status, None)
        for sink in self._sinks:
            for unit in units:
                sink.cycled(unit)
        if now - self._cleaned > _KEEP_EVERY:
            self._cleaned = now
            self._disk.submit(self._journal.forget_late, wall - self._keep)

    def late(self, after: float = 0.0) -> list[Report]:
        """Reports that no page has shown in their time, received after a time."""
        return list(self._journal.late(after))

    def numbers(self) -> Mapping[str, float | Mapping[str, float]]:
        """The receiving end's own health, by catalogue metric."""
        refused = sum(self._statistics[name] for name in self._statistics.counts if name.startswith("usmStats"))
        discovery = self._statistics["usmStatsUnknownEngineIDs"]
        return {
            "haidang_collector_reports_total": {**self.counts, "unauthenticated": refused - discovery},
            "haidang_collector_reporters": len(self.reporters),
        }

    async def stop(self) -> None:
        """Take nothing more; what was taken is written, and acknowledged."""
        self.loop.remove_reader(self._sock)
        self._judging.cancel()
        while self._committing is not None and not self.trouble:
            await asyncio.wait([self._committing])
            await asyncio.sleep(0)
        await asyncio.to_thread(self._disk.shutdown)
        if self._rendering is not None:
            self._rendering.cancel()
        self._sock.close()
        self._journal.close()


def _bind(listen: tuple[str, int]) -> socket.socket:
    host, port = listen
    try:
        family = socket.AF_INET6 if ipaddress.ip_address(host).version == 6 else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_DGRAM)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
            sock.setblocking(False)
            sock.bind((host, port))
        except OSError:
            sock.close()
            raise
    except (OSError, ValueError) as error:
        raise ReceiveError(f"cannot take reports at {host}:{port}: {error}") from error
    return sock
