"""The inventory's writing thread: gathers work, writes it in bounded transactions, and keeps it while it cannot."""

from __future__ import annotations

import logging
import threading
import time

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from .batch import Batch, Described, Seen
from .database import reason
from .store import Store

GATHER = 2.0
"""Seconds that work may wait for more to be written with it."""
CHUNK = 500
"""Devices in one transaction, which bounds its length and memory."""
WAITS = (1.0, 60.0)
"""Seconds between tries while the database cannot be written: the first, doubling up to the last."""
LOOK = 30.0
"""Seconds without work after which the database is looked for all the same, so that its absence shows before it is needed."""
STUCK = 60.0
"""Seconds that one transaction may take before this is trouble: a server that is there, but does not go on."""
REMIND = 300.0
"""Seconds between two lines in the log about the same trouble."""

log = logging.getLogger(__name__)


class Writer:
    """Takes work from one thread, writes it in another."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._pending = Batch()
        self._changed = threading.Condition()
        self._busy = False
        self._hurry = False
        self._closing = False
        self._reported = 0.0
        self._troubled = 0.0
        self._trouble = ""
        self._began: float | None = None
        self._thread = threading.Thread(target=self._run, name="inventory", daemon=True)
        self._thread.start()

    @property
    def trouble(self) -> str:
        """Why the database cannot be written at the moment; empty in health."""
        began = self._began
        if not self._trouble and began is not None and (seconds := time.monotonic() - began) > STUCK:
            return f"the database has not finished a transaction begun {seconds:.0f} s ago"
        return self._trouble

    def seen(self, seen: Seen) -> None:
        """Write how a device stands."""
        with self._changed:
            self._pending.add_seen(seen)
            self._changed.notify_all()

    def described(self, described: Described) -> None:
        """Write what was read from a device."""
        with self._changed:
            self._pending.add_described(described)
            self._changed.notify_all()

    def plan(self, key: str, plan: bytes) -> None:
        """Write a device's plan."""
        with self._changed:
            self._pending.plans[key] = plan
            self._changed.notify_all()

    def forgotten(self, key: str, when: float) -> None:
        """Write that a device was taken out of the settings."""
        with self._changed:
            self._pending.forgotten[key] = when
            self._changed.notify_all()

    def flush(self, timeout: float) -> bool:
        """Wait until everything is written; False when it was not done in time."""
        with self._changed:
            self._hurry = True
            self._changed.notify_all()
            done = self._changed.wait_for(lambda: not self._pending and not self._busy, timeout)
            self._hurry = False
            return done

    def close(self, timeout: float) -> bool:
        """Write what waits and end the thread; False when something remains unwritten, which is logged."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(timeout)
        if not self._thread.is_alive() and not self._pending:
            return True
        log.error("inventory closed with work unwritten: reason=%s", self.trouble or f"not done within {timeout:g} s")
        return False

    def _run(self) -> None:
        wait = 0.0
        while True:
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                if wait:
                    self._changed.wait_for(lambda: self._closing, wait)
                if self._changed.wait_for(lambda: self._pending or self._closing, LOOK):
                    self._changed.wait_for(lambda: self._hurry or self._closing, GATHER)
                batch, self._pending = self._pending, Batch()
                self._busy = True
                last = self._closing
            left = self._write(batch) if batch or last else self._write_part(batch)
            with self._changed:
                self._pending.add_older(left)
                if last:
                    self._busy = False
                    self._changed.notify_all()
                    return
            wait = min(max(WAITS[0], wait * 2), WAITS[1]) if left else 0.0

    def _write(self, batch: Batch) -> Batch:
        """What could not be written, for a reason that may pass, comes back."""
        left = Batch()
        for part in batch.split(CHUNK):
            if left:
                part.add_older(left)
                left = part
                continue
            started = time.monotonic()
            left = self._write_part(part)
            if not (self._closing or self._hurry):
                time.sleep(min(0.5, time.monotonic() - started))  # the event loop needs the interpreter, too
        return left

    def _write_part(self, part: Batch) -> Batch:
        self._began = time.monotonic()
        try:
            self._store.write(part)
        except (DataError, IntegrityError) as error:
            return self._isolate(part, error)
        except (DBAPIError, PoolTimeout, OSError) as error:
            self._failed(error)
            self._store.reconnect()
            return part
        except Exception as error:
            return self._isolate(part, error)
        finally:
            self._began = None
        if self._trouble:
            log.info("inventory written again: after=%ds", time.monotonic() - self._troubled)
            self._trouble = ""
        return Batch()

    def _isolate(self, part: Batch, error: Exception) -> Batch:
        """A value the database refuses must not hold up the others: find its device and leave its work out."""
        size = len(part.keys())
        if size == 1:
            log.error("inventory refused a device's work: device=%s reason=%s", *part.keys(), reason(error))
            return Batch()
        left = Batch()
        for half in part.split((size + 1) // 2):
            left.add_older(self._write_part(half))
        return left

    def _failed(self, error: Exception) -> None:
        now = time.monotonic()
        if not self._trouble:
            self._troubled = now
        if not self._trouble or now - self._reported > REMIND:
            self._reported = now
            log.warning("inventory not written, will try again: reason=%s", reason(error))
        self._trouble = reason(error)
