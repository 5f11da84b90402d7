"""Where a reader takes its facts from: files below a root and the output of commands. Both can be recordings."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping
from typing import Any

from ..errors import Unreadable
from .parts import Limit

_NEEDED = 1 << 2 | 1 << 12 | 1 << 17
"""CAP_DAC_READ_SEARCH, CAP_NET_ADMIN and CAP_SYS_RAWIO (linux/capability.h)."""
_PATIENCE = 10.0
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def run(command: list[str]) -> str:
    """What a command prints, also when it ends with an error; raises Unreadable when it cannot be run at all."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_PATIENCE,
            check=False,
            env={**os.environ, "LC_ALL": "C", "PATH": os.pathsep.join(filter(None, (os.environ.get("PATH"), _PATH)))}
            if os.name == "posix"
            else None,
        )
    except FileNotFoundError:
        raise Unreadable(f"{command[0]} is not installed") from None
    except subprocess.TimeoutExpired:
        raise Unreadable(f"{command[0]} did not end within {_PATIENCE:g} s") from None
    except OSError as error:
        raise Unreadable(f"{command[0]} cannot be run: {error.strerror}") from None
    return done.stdout.decode("utf-8", "replace")


def may_see_all() -> bool:
    """May this process see what root sees?"""
    if os.name != "posix" or os.geteuid() == 0:
        return os.name == "posix"
    try:
        with open("/proc/self/status", "rb") as file:
            effective = next(int(line.split()[1], 16) for line in file if line.startswith(b"CapEff:"))
    except (OSError, StopIteration, ValueError):
        return False
    return effective & _NEEDED == _NEEDED


class Source:
    """The machine, or a recording of one. `limits` collects what could not be seen."""

    def __init__(
        self,
        root: str = "",
        run: Callable[[list[str]], str] = run,
        privileged: bool | None = None,
        answers: dict[str, list[Mapping[str, Any]]] | None = None,
    ) -> None:
        self.root = root
        self.recorded = bool(root) or answers is not None
        self.run = run
        self.privileged = may_see_all() if privileged is None else privileged
        self.limits: list[Limit] = []
        self.answers = answers
        """Windows: what its CIM classes answered (`cim.answers`)."""

    def missing(self, name: str, reason: str) -> None:
        """Note that something could not be seen, once."""
        if all(limit.name != name for limit in self.limits):
            self.limits.append(Limit(name, reason))

    def data(self, path: str, limit: int = 1 << 22) -> bytes | None:
        """A file's octets; None when it cannot be read."""
        try:
            with open(self.root + path, "rb") as file:
                return file.read(limit)
        except OSError:
            return None

    def text(self, path: str) -> str:
        """A file's text without the blanks around it; empty when it cannot be read."""
        return (self.data(path) or b"").decode("utf-8", "replace").strip()

    def number(self, path: str) -> int | None:
        """A file that holds a whole number."""
        try:
            return int(self.text(path))
        except ValueError:
            return None

    def names(self, path: str) -> list[str]:
        """What is in a directory, sorted so that sda2 stands before sda10."""
        try:
            found = os.listdir(self.root + path)
        except OSError:
            return []
        return sorted(found, key=natural)

    def exists(self, path: str) -> bool:
        """Is there such a file or directory?"""
        return os.path.exists(self.root + path)

    def target(self, path: str) -> str:
        """Where a link leads in the end, still below the root; empty when there is nothing."""
        full = os.path.realpath(self.root + path)
        base = os.path.realpath(self.root) if self.root else ""
        return full[len(base) :] if os.path.exists(full) and full.startswith(base) else ""

    def changed(self, path: str) -> int | None:
        """When a file last changed, Unix seconds."""
        try:
            return int(os.stat(self.root + path).st_mtime)
        except OSError:
            return None


def natural(name: str) -> tuple[tuple[bool, int, str], ...]:
    """A key that sorts numbers within names as numbers."""
    parts: list[str] = []
    for character in name:
        if parts and parts[-1][-1].isdigit() == character.isdigit():
            parts[-1] += character
        else:
            parts.append(character)
    return tuple((part.isdigit(), int(part) if part.isascii() and part.isdigit() else 0, part) for part in parts)
