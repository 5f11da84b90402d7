"""Runs of discovery: one at a time a unit, and one that was stopped goes on where it was."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy import Engine, insert, select, update

from config.ranges import Spans

from ..errors import DiscoveryError
from .database import changing, reading
from .schema import DISCOVERY

LATE = 30.0
"""Seconds after which a run that says nothing is taken for dead."""
STALE = 86400.0
"""Seconds after which a run that was stopped is not gone on with: things have changed since."""


class Run(NamedTuple):
    """How a unit's last run stands. Times are Unix seconds; `ended` None: it is under way, or was stopped.

    `vain`: addresses not done with, as numbers, and how many questions each has left unanswered.
    """

    started: float
    ended: float | None
    done: Spans
    vain: Mapping[int, int]


class Runs:
    """The runs of an inventory. Blocking: for a thread of its own; raises InventoryError."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._runner = f"process {os.getpid()} on {socket.gethostname()}"

    def begin(self, unit: str, when: float, afresh: bool = False) -> Run:
        """Begin a run, or go on with one that was stopped; raises DiscoveryError while another process carries one out."""
        with changing(self._engine) as connection:
            row = connection.execute(select(DISCOVERY).where(DISCOVERY.c.unit == unit).with_for_update()).first()
            if row is not None and row.runner and row.ended is None and row.alive > when - LATE and self._lives(row.runner):
                raise DiscoveryError(
                    f"discovery of unit {unit} is under way already, by {row.runner}; wait for it, or stop it first"
                )
            if row is not None and row.ended is None and row.started > when - STALE and not afresh:
                run = Run(row.started, None, *_load(row.done))
            else:
                run = Run(when, None, Spans(), {})
            done = _dump(run.done, run.vain)
            values = {"started": run.started, "alive": when, "ended": None, "runner": self._runner, "done": done}
            if row is None:
                connection.execute(insert(DISCOVERY), {"unit": unit, **values})
            else:
                connection.execute(update(DISCOVERY).where(DISCOVERY.c.unit == unit).values(values))
            return run

    def save(self, unit: str, done: Spans, vain: Mapping[int, int], when: float) -> None:
        """The run is under way, and came so far."""
        self._write(unit, {"done": _dump(done, vain), "alive": when})

    def end(self, unit: str, done: Spans, vain: Mapping[int, int], when: float, complete: bool) -> None:
        """The run has ended, or (not `complete`) was stopped."""
        self._write(unit, {"done": _dump(done, vain), "alive": when, "ended": when if complete else None, "runner": ""})

    def all(self) -> Mapping[str, Run]:
        """The last run of each unit."""
        with reading(self._engine) as connection:
            rows = connection.execute(select(DISCOVERY))
            return {row.unit: Run(row.started, row.ended, *_load(row.done)) for row in rows}

    def _write(self, unit: str, values: Mapping[str, object]) -> None:
        with changing(self._engine) as connection:
            mine = (DISCOVERY.c.unit == unit, DISCOVERY.c.runner == self._runner)
            connection.execute(update(DISCOVERY).where(*mine).values(values))

    def _lives(self, runner: str) -> bool:
        """Does the process still live? Of one on another machine we cannot know."""
        words = runner.split()
        if runner == self._runner or words[-1] != socket.gethostname():
            return runner != self._runner
        try:
            os.kill(int(words[1]), 0)
        except ProcessLookupError:
            return False
        except (PermissionError, ValueError):
            pass
        return True


def _dump(done: Spans, vain: Mapping[int, int]) -> str:
    """The addresses done with, then those with one question in vain, with two, and so on, divided by semicolons."""
    levels = [Spans() for _ in range(max(vain.values(), default=0))]
    for number, count in vain.items():
        if count:
            levels[count - 1].add(number)
    return ";".join(level.dump() for level in (done, *levels))


def _load(text: str) -> tuple[Spans, dict[int, int]]:
    done, *levels = map(Spans.load, text.split(";"))
    spans = ((count, span) for count, level in enumerate(levels, 1) for span in level)
    return done, {number: count for count, (first, last) in spans for number in range(first, last + 1)}
