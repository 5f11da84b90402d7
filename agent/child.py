"""Work that would weigh too much in the resident process is done by a child of it, which ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Protocol


class Child(Protocol):
    """A process under way: `subprocess.Popen` or what has the same functions."""

    def poll(self) -> int | None:
        """Its exit status, negative for a signal; None while it runs."""

    def kill(self) -> None:
        """End it at once."""

    def wait(self) -> int:
        """Wait for its end; its exit status."""


def start(arguments: Sequence[str]) -> Child:
    """Run a command of the agent's own, with nothing to read; raises OSError."""
    command = [sys.executable, *(() if getattr(sys, "frozen", False) else ("-m", "agent")), *arguments]
    home = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    path = os.pathsep.join(filter(None, (home, os.environ.get("PYTHONPATH", ""))))
    environment = {**os.environ, "PYTHONPATH": path}
    if os.name == "posix":
        return _Spawned(command, environment)
    import subprocess

    return subprocess.Popen(command, stdin=subprocess.DEVNULL, env=environment)


class _Spawned:
    """A child without `subprocess`, whose imports take half a megabyte."""

    __slots__ = ("_pid", "_status")

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        nothing = (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)
        self._pid = os.posix_spawn(command[0], command, environment, file_actions=[nothing])
        self._status: int | None = None

    def poll(self) -> int | None:
        return self._look(os.WNOHANG)

    def kill(self) -> None:
        if self.poll() is None:
            os.kill(self._pid, 9)

    def wait(self) -> int:
        status = self._look(0)
        return -1 if status is None else status

    def _look(self, options: int) -> int | None:
        if self._status is None:
            pid, status = os.waitpid(self._pid, options)
            if pid:
                self._status = os.waitstatus_to_exitcode(status)
        return self._status
