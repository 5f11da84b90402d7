"""Which version of the agent runs: the installed one, or a later one that a collector sent and that has proved itself.

A directory holds the later ones, each under its number, and `switch.toml`, which is always replaced whole: whenever the power
fails, what is found names a version that is complete. The launcher and the versions it starts, older and newer than itself, meet
in that file and in the two variables below, so neither may change its meaning.
"""

from __future__ import annotations

import os
import tomllib
from typing import NamedTuple

from . import state
from .errors import StateError

VERSIONS = "HAIDANG_VERSIONS"
"""The variable that tells an agent where later versions are kept; absent where the agent is not started by the launcher."""
VERSION = "HAIDANG_VERSION"
"""The variable that tells an agent which of them it is; empty for the installed one."""
SWITCH = "switch.toml"
STARTS = 5
"""How often in a row a version is started without settling."""
SETTLED = 60.0
"""Seconds after which a kept version that still runs has settled. A new one has when a collector has acknowledged it."""
_REMEMBERED = 50


class Refused(NamedTuple):
    """A version that was returned from, and why."""

    version: str
    reason: str


class Switch(NamedTuple):
    """What `switch.toml` says. It was decided for the installed version `base`: one that has been installed since then wins."""

    base: str = ""
    kept: str = ""
    tried: str = ""
    starts: int = 0
    refused: tuple[Refused, ...] = ()

    @property
    def chosen(self) -> str:
        """The version to start; empty for the installed one."""
        return self.tried or self.kept


def path_of(directory: str, version: str) -> str:
    """Where a later version lies."""
    return os.path.join(directory, version)


def read(directory: str) -> Switch:
    """What was decided last, nothing where nothing was; raises StateError for a damaged file."""
    path = os.path.join(directory, SWITCH)
    content = state.read(path)
    if content is None:
        return Switch()
    try:
        raw = tomllib.loads(content.decode("utf-8"))
        refused = tuple(Refused(str(version), str(reason)) for version, reason in raw["refused"])
        return Switch(str(raw["base"]), _name(raw["kept"]), _name(raw["tried"]), int(raw["starts"]), refused)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
        raise StateError(f"{path}: is damaged: {error}; the installed version runs") from None


def _name(found: object) -> str:
    if not isinstance(found, str) or not all(part.isdecimal() for part in found.split(".") if found):
        raise ValueError(f"found {found!r}, expected a version")
    return found


def write(directory: str, switch: Switch) -> None:
    """Replace what was decided; raises StateError."""
    refused = ", ".join(f"[{_quoted(version)}, {_quoted(reason)}]" for version, reason in switch.refused[-_REMEMBERED:])
    words = {name: _quoted(getattr(switch, name)) for name in ("base", "kept", "tried")}
    lines = [*(f"{name} = {word}" for name, word in words.items()), f"starts = {switch.starts}", f"refused = [{refused}]", ""]
    state.write(os.path.join(directory, SWITCH), "\n".join(lines).encode())
    sync(directory)


def _quoted(text: str) -> str:
    clean = "".join(letter if letter.isprintable() else " " for letter in text)
    return '"' + clean.replace("\\", "\\\\").replace('"', '\\"') + '"'


def sync(path: str) -> None:
    """Have the names in a directory outlive a power cut, where the system can."""
    if os.name == "posix":
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def start(directory: str, base: str) -> tuple[str, str]:
    """Decide which version is started now, and count the start before it happens.

    Gives the version (empty for the installed one) and what a person should know, if anything. Never fails: the installed
    version is always there.
    """
    try:
        switch, told = _decide(directory, base, read(directory))
    except (StateError, OSError) as error:
        return "", str(error)
    if not switch.chosen:
        return "", told
    try:
        write(directory, switch._replace(starts=switch.starts + 1))
    except (StateError, OSError) as error:
        # What cannot be counted could be started for ever: only what has proved itself is.
        return switch.kept, "; ".join(filter(None, (told, str(error))))
    return switch.chosen, told


def _decide(directory: str, base: str, switch: Switch) -> tuple[Switch, str]:
    if switch.base not in ("", base):
        told = f"{base} was installed over {switch.base}; later versions than that are left" if switch.chosen else ""
        decided = Switch(base, refused=switch.refused)
    elif switch.tried and switch.starts >= STARTS:
        return give_up(directory, switch, f"ended {switch.starts} times at its start")
    elif switch.chosen and switch.starts >= STARTS:
        told = f"{switch.kept} ended {switch.starts} times at its start; {base} runs"
        decided = switch._replace(kept="", starts=0)
    elif switch.chosen and not os.path.isdir(path_of(directory, switch.chosen)):
        told = f"{path_of(directory, switch.chosen)}: is missing; {(switch.tried and switch.kept) or base} runs"
        decided = switch._replace(tried="", kept=switch.kept if switch.tried else "", starts=0)
    else:
        return switch, ""
    if decided != switch:
        write(directory, decided)
    return decided, told


def give_up(directory: str, switch: Switch, reason: str) -> tuple[Switch, str]:
    """Return from the version being tried, for good; raises StateError."""
    refused = (*switch.refused, Refused(switch.tried, reason))
    back = switch._replace(tried="", starts=0, refused=refused)
    write(directory, back)
    return back, f"returned from {switch.tried} to {switch.kept or switch.base}: {switch.tried} {reason}"


def settle(directory: str, version: str) -> None:
    """Keep a version that works; raises StateError."""
    switch = read(directory)
    if version == switch.chosen and switch.starts:
        write(directory, switch._replace(kept=version, tried="", starts=0))


class Probation:
    """A later version at work, until it has settled."""

    def __init__(self, directory: str, version: str, now: float) -> None:
        """Raises StateError."""
        self.directory = directory
        self.version = version
        self._new = read(directory).tried == version
        self._since = now

    def over(self, now: float, acknowledged: bool) -> bool:
        """Settle when it has come to that; raises StateError."""
        if not acknowledged and (self._new or now - self._since < SETTLED):
            return False
        settle(self.directory, self.version)
        return True


def probation(now: float) -> Probation | None:
    """What the launcher has put this process on; None for the installed version. Raises StateError."""
    directory, version = os.environ.get(VERSIONS, ""), os.environ.get(VERSION, "")
    return Probation(directory, version, now) if directory and version else None


def waiting() -> str:
    """The version that is to be tried at the next start, when that is not this one; else nothing."""
    directory = os.environ.get(VERSIONS, "")
    try:
        tried = read(directory).tried if directory else ""
    except StateError:
        return ""
    return "" if tried == os.environ.get(VERSION) else tried
