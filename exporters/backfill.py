"""Late reports into the remote storage, with their own times, so that an outage leaves no hole in a series."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from collector.errors import CollectorError, ReceiveError
from collector.model import Device
from collector.polling.receive import Receive
from collector.polling.report import Late
from collector.polling.reporters import late_blocks

from .remote_write import Answer, Samples, gather

log = logging.getLogger(__name__)

AT_ONCE = 20
"""Reports in one request: some thousand samples."""
LOOK_EVERY = 5.0
"""Seconds between two looks whether a report came late."""
SHORTEST, LONGEST = 1.0, 60.0
"""Seconds until a storage that failed is asked again: each time twice as long."""
NAMED_EVERY = 60.0
"""Seconds between two lines of the log on reports that the storage refuses for good."""

Labelled = Callable[[Device], Mapping[str, str]]


class Storage(Protocol):
    """Where samples go: a `remote_write.Writer`."""

    def write(self, samples: Samples) -> Answer: ...

    def close(self) -> None: ...


class Backfill:
    """Writes what `receive` took too late for any page, in a thread of its own; what is not yet written stays in the journal.

    `labels` gives those that Prometheus adds to what it scrapes of a device, its unit's among them.
    """

    def __init__(self, receive: Receive, storage: Storage, labels: Labelled, wrap_counters: bool = False) -> None:
        self.counts = {"written": 0, "refused": 0, "incomplete": 0}
        self.trouble = ""
        """Why nothing can be written at the moment; empty in health."""
        self._samples = self._failures = self._waiting = 0
        self._named = float("-inf")
        self._receive = receive
        self._storage = storage
        self._labels = labels
        self._wrap_counters = wrap_counters
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="late reports", daemon=True)
        receive.keep_late()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    async def stop(self) -> None:
        """End, after the request under way; to be called before `receive` is stopped."""
        self._stopping.set()
        if self._thread.ident is not None:
            await asyncio.to_thread(self._thread.join)
        self._storage.close()

    def numbers(self) -> Mapping[str, float | Mapping[str, float]]:
        """For the collector's health, by catalogue metric."""
        return {
            "haidang_collector_late_reports_total": dict(self.counts),
            "haidang_collector_late_reports_waiting": self._waiting,
            "haidang_collector_late_samples_total": self._samples,
            "haidang_collector_late_failures_total": self._failures,
        }

    # -- in the thread

    def _run(self) -> None:
        after = 0
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                lates, after, self._waiting = self._receive.late(after, AT_ONCE)
                if lates and not self._write(lates):
                    return
            except CollectorError as error:
                self._tell(str(error))
                after = 0
            except Exception:  # whatever is wrong with these reports, others may be right
                log.exception("late reports ended in an error of our own")
            # half of the time is left to those who poll
            self._stopping.wait(time.monotonic() - began if after else LOOK_EVERY)

    def _write(self, lates: Sequence[Late]) -> bool:
        """Write reports and tick them off: together, or where they are refused in halves; False when it is time to end."""
        samples: Samples = {}
        results = {late.head: self._add(late, samples) for late in lates}
        if samples:
            answer = self._send(samples)
            if answer is None:
                return False
            if answer.refused and len(lates) > 1:
                middle = len(lates) // 2
                return self._write(lates[:middle]) and self._write(lates[middle:])
            if answer.refused:
                results = dict.fromkeys(results, "refused")
                self._name(lates[0], answer.trouble)
            else:
                self._samples += sum(map(len, samples.values()))
        self._receive.written([head for head, result in results.items() if result])
        for result in filter(None, results.values()):
            self.counts[result] += 1
        return True

    def _add(self, late: Late, samples: Samples) -> str:
        """Add a report's values; what becomes of it, "" when it must wait."""
        reporter = self._receive.reporters.get(late.head.device)
        if reporter is None:
            return ""  # its user is revoked: it waits for its return, or to be forgotten
        if not late.bodies:
            return "incomplete"
        try:
            blocks = late_blocks(reporter.profile, late)
        except ReceiveError as error:
            log.warning("late report cannot be read device=%s reason=%r", late.head.device, str(error))
            return "incomplete"
        for block in blocks:
            gather(block, {**self._labels(reporter.device), "device": reporter.device.id}, samples, self._wrap_counters)
        return "written"

    def _send(self, samples: Samples) -> Answer | None:
        """Until they are written or refused; None when it is time to end."""
        wait = SHORTEST
        while True:
            answer = self._storage.write(samples)
            if answer.written or answer.refused:
                self._tell("")
                return answer
            self._failures += 1
            self._tell(answer.trouble)
            if self._stopping.wait(max(wait, answer.after)):
                return None
            wait = min(2 * wait, LONGEST)

    def _name(self, late: Late, reason: str) -> None:
        now = time.monotonic()
        if now - self._named > NAMED_EVERY:
            self._named = now
            log.warning("late report refused device=%s time=%.0f reason=%r", late.head.device, late.head.time, reason)

    def _tell(self, trouble: str) -> None:
        if trouble and trouble != self.trouble:
            log.error("late reports not written, kept for later reason=%r", trouble)
        elif self.trouble and not trouble:
            log.info("late reports are written again")
        self.trouble = trouble
