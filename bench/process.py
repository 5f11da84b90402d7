"""Programs of the benchmarks: found, pinned to a core, measured by what the operating system says, ended."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence

TICKS = os.sysconf("SC_CLK_TCK")


def command(name: str, package: str) -> str:
    """The path of a program the benchmarks need; ends the run with the package to install when there is none."""
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"]))
    return found or sys.exit(f"{name} is not installed: apt-get install {package} (make bench installs it as root)")


def cores() -> tuple[int, int]:
    """The core for the program that is measured, and the one for everything else (the same one, where there is only one)."""
    return _CORES


_CORES = (min(os.sched_getaffinity(0)), max(os.sched_getaffinity(0)))


def stand_aside() -> None:
    """Keep this process, and what it starts unpinned, off the core of what is measured."""
    os.sched_setaffinity(0, {_CORES[1]})


def pinned(core: int, words: Sequence[str]) -> list[str]:
    """A command that runs on one core."""
    return [command("taskset", "util-linux"), "-c", str(core), *words]


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM, within: Sequence[int] = (0,)) -> int:
    """A port that is free on every address, the first such one `within` a range for programs that take no other."""
    for wanted in within:
        with socket.socket(socket.AF_INET, kind) as sock:
            try:
                sock.bind(("", wanted))
            except OSError:
                continue
            port: int = sock.getsockname()[1]
            return port
    sys.exit(f"no port is free from {within[0]} to {within[-1]}")


def end(process: subprocess.Popen[str]) -> str:
    """Terminate a program of ours and give what is left of its output."""
    process.terminate()
    try:
        return process.communicate(timeout=15)[0] or ""
    except subprocess.TimeoutExpired:
        process.kill()
        return process.communicate()[0] or ""


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, all its threads."""
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_bytes(pid: int, what: str = "VmRSS") -> int:
    """Resident memory now (VmRSS) or at its peak (VmHWM)."""
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
        for line in file:
            if line.startswith(what + ":"):
                return int(line.split()[1]) * 1024
    raise ValueError(f"/proc/{pid}/status has no {what}")


def resident_and_private(pid: int) -> tuple[int, int]:
    """Bytes resident now, and bytes of them that nobody shares and that were written to."""
    found = {}
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        for line in file:
            name, _, rest = line.partition(":")
            if name in ("Rss", "Private_Dirty"):
                found[name] = int(rest.split()[0]) * 1024
    return found["Rss"], found["Private_Dirty"]


def cpu_nanoseconds(pid: int) -> int:
    """Time on a processor of all threads a process has, and of its children that ended (those in ticks)."""
    spent = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/schedstat", encoding="ascii") as file:
            spent += int(file.read().split()[0])
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        fields = file.read().rpartition(")")[2].split()
    return spent + (int(fields[13]) + int(fields[14])) * 1_000_000_000 // TICKS


def family(pid: int) -> list[int]:
    """A process and those that descend from it, as far as they are there."""
    parents: dict[int, list[int]] = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", encoding="ascii", errors="replace") as file:
                parents.setdefault(int(file.read().rpartition(")")[2].split()[1]), []).append(int(name))
        except OSError:
            continue
    found = [pid]
    for one in found:
        found += parents.get(one, ())
    return found


def page(url: str, timeout: float = 10.0) -> str:
    """The text of a page."""
    with urllib.request.urlopen(url, timeout=timeout) as answer:
        body: bytes = answer.read()
        return body.decode()


def wait_for_http(url: str, deadline: float = 20.0, server: subprocess.Popen[str] | None = None) -> None:
    """Return as soon as a page is there; ends the run when it does not come, or when its server has ended."""
    stop = time.monotonic() + deadline
    while True:
        try:
            page(url, 2.0)
            return
        except (OSError, urllib.error.URLError) as e:
            if time.monotonic() > stop or (server is not None and server.poll() is not None):
                sys.exit(f"{url} does not answer: {e}")
            time.sleep(0.05)
