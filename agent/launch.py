"""The launcher: starts the version that is due, watches a new one, and goes back when it does not work.

It belongs to the installed version and never changes with the later ones. Where nothing has to be watched it becomes the agent
(exec), and costs no memory; a new version, and every version on Windows, runs as its child.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from types import FrameType
from typing import IO, NoReturn

from snmp.engine import steady

from . import __version__, lifeline, versions
from .errors import StateError

PATIENCE = 600.0
"""Seconds a new version has until a collector must have acknowledged it."""
FAREWELL = 10.0
"""Seconds a version has to say goodbye when it is told to end."""
_LOOK = 1.0
PAUSE = 0.5
_LONGEST_PAUSE = 60.0
_RAN = 60.0
"""Seconds after which a version that ended is started again at once."""
_AS_OWNER = ("enrol",)
"""Commands that leave files which the service must read: root becomes its user first, and may still read the firmware."""
_KEPT = "+dac_read_search,+net_admin,+sys_rawio"


def say(message: str) -> None:
    """A line for the journal."""
    print(f"haidang-agent: {message}", file=sys.stderr, flush=True)


def command(path: str, installed: bool) -> list[str]:
    """How the version in a directory is started. Root's look at the installed one leaves no bytecode behind."""
    if os.name == "nt":
        return [os.path.join(path, "haidang-agent.exe")]
    return [sys.executable, "-I", *(["-B"] if installed else []), path]


def main(base: str, home: str, arguments: list[str] | None = None) -> int:
    """Run a command of the version that is due. `base` is where the installed version lies, `home` the state directory."""
    words = sys.argv[1:] if arguments is None else arguments
    directory = os.path.join(home, "versions")
    # Root must not run what the service's user may write.
    if not _owns(home):
        before = _as_owner(home) if words[:1] and words[0] in _AS_OWNER else []
        installed = {**os.environ, versions.VERSIONS: "", versions.VERSION: "", "STATE_DIRECTORY": home}
        _become(base, "", words, installed, before)
    if words[:1] == ["run"]:
        return Keeper(base, directory, words).run()
    version = _chosen(directory)
    _become(versions.path_of(directory, version) if version else base, version, words, _environment(directory, version))


def _owns(home: str) -> bool:
    try:
        return os.name != "posix" or os.stat(home).st_uid == os.geteuid()
    except OSError:
        return False


def _as_owner(home: str) -> list[str]:
    """What runs a command as the service's user, where root asks for it."""
    if os.name != "posix" or os.geteuid() or not os.path.exists(home):
        return []
    found = os.stat(home)
    user = [f"--reuid={found.st_uid}", f"--regid={found.st_gid}", "--clear-groups"]
    return ["/usr/bin/setpriv", *user, f"--inh-caps={_KEPT}", f"--ambient-caps={_KEPT}"]


def _chosen(directory: str) -> str:
    """The version at work; a look that is not counted as a start."""
    try:
        switch = versions.read(directory)
    except StateError:
        return ""
    usable = switch.base == __version__ and os.path.isdir(versions.path_of(directory, switch.chosen))
    return switch.chosen if usable else ""


def _environment(directory: str, version: str) -> dict[str, str]:
    return {**os.environ, versions.VERSIONS: directory, versions.VERSION: version}


def _become(path: str, version: str, words: list[str], environment: dict[str, str], before: Sequence[str] = ()) -> NoReturn:
    line = [*before, *command(path, not version), *words]
    if os.name == "nt":
        sys.exit(subprocess.run(line, env=environment, check=False).returncode)
    os.execve(line[0], line, environment)


class Keeper:
    """Keeps one version running until it is told to end. `output` takes what the agent says; none: standard error."""

    def __init__(
        self,
        base: str,
        directory: str,
        words: list[str],
        *,
        say: Callable[[str], None] = say,
        output: IO[bytes] | None = None,
        may_become: bool = os.name == "posix",
    ) -> None:
        self._base = base
        self._directory = directory
        self._words = words
        self._say = say
        self._output = output
        self._patience = PATIENCE
        self._may_become = may_become
        self._ending = False
        self._going_down = False
        self._pause = PAUSE
        self._waker, self._woken = socket.socketpair()

    def end(self, going_down: bool) -> None:
        """Have the agent say goodbye and end, and `run` return; from any thread or signal handler."""
        self._going_down = going_down
        self._ending = True
        self._wake()

    def _wake(self) -> None:
        try:
            self._waker.send(b"\0")
        except OSError:
            pass

    def _wait(self, child: subprocess.Popen[bytes]) -> None:
        child.wait()
        self._wake()

    def _rest(self, seconds: float | None) -> None:
        """Wait for a wake-up or for the time."""
        self._woken.settimeout(seconds)
        try:
            self._woken.recv(1)
        except TimeoutError:
            pass

    def run(self) -> int:
        """Give the last status of the agent. On POSIX it becomes the agent instead as soon as nothing has to be watched."""
        status = 0
        while not self._ending:
            version, told = versions.start(self._directory, __version__)
            if told:
                self._say(told)
            tried = bool(version) and self._tried(version)
            path = versions.path_of(self._directory, version) if version else self._base
            environment = _environment(self._directory, version)
            if self._may_become and not tried:
                self._forget_signals()
                if self._ending:
                    break
                _become(path, version, self._words, environment)
            self._heed_signals()
            status = self._watch(path, version, tried, environment)
        return status

    def _tried(self, version: str) -> bool:
        try:
            return versions.read(self._directory).tried == version
        except StateError:
            return False

    def _watch(self, path: str, version: str, tried: bool, environment: dict[str, str]) -> int:
        line = [*command(path, not version), *self._words]
        began = steady()
        try:
            child = subprocess.Popen(
                line,
                stdin=subprocess.PIPE,
                stdout=self._output,
                stderr=self._output,
                env={**environment, lifeline.LIFELINE: "1"},
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except OSError as error:
            self._say(f"{line[0]}: cannot be started: {error.strerror}")
            self._hesitate(0.0)
            return 1
        waiter = threading.Thread(target=self._wait, args=(child,), daemon=True)
        waiter.start()
        while child.returncode is None and not self._ending:
            self._rest(_LOOK if tried else None)
            if tried and child.returncode is None:
                tried = self._tried(version)
                if tried and steady() - began > self._patience:
                    self._return(version)
                    break
        if child.returncode is None:
            self._dismiss(child)
        elif not self._ending:
            self._hesitate(steady() - began)
        waiter.join()
        return child.returncode

    def _return(self, version: str) -> None:
        try:
            switch = versions.read(self._directory)
            if switch.tried == version:
                reason = f"was not acknowledged by a collector within {self._patience:g} s"
                self._say(versions.give_up(self._directory, switch, reason)[1])
        except (StateError, OSError) as error:
            self._say(str(error))

    def _dismiss(self, child: subprocess.Popen[bytes]) -> None:
        if child.stdin is not None:
            try:
                child.stdin.write(lifeline.GOING_DOWN if self._going_down else b"")
                child.stdin.close()
            except OSError:
                pass  # it has just ended by itself
        end = steady() + FAREWELL
        while child.returncode is None and (left := end - steady()) > 0:
            self._rest(left)
        if child.returncode is None:
            self._say(f"the agent did not end within {FAREWELL:g} s and was killed")
            child.kill()

    def _hesitate(self, ran: float) -> None:
        """A version that ends at once is not started again at once."""
        self._pause = PAUSE if ran > _RAN else min(self._pause * 2, _LONGEST_PAUSE)
        end = steady() + self._pause
        while not self._ending and (left := end - steady()) > 0:
            self._rest(left)

    def _heed_signals(self) -> None:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, self._signalled)

    def _forget_signals(self) -> None:
        # Between here and exec SIGTERM has its ordinary effect.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        self.end(False)
