"""How steadily a Linux machine runs: its starts of the last 30 days, and those no shutdown came before.

The record is wtmp (utmp(5)), wtmpdb's database where wtmp is no more, or the journal: the first that is there.
"""

from __future__ import annotations

import json
import re
import struct
import time
from typing import NamedTuple

from ..errors import Unreadable
from ..linux import boot_time
from .parts import Stability
from .source import Source

_MONTH = 30 * 86400
_WTMP, _WTMPDB, _JOURNAL = "/var/log/wtmp", "/var/lib/wtmpdb/wtmp.db", "/var/log/journal"
_UTMP = 384
_RUN_LEVEL, _BOOT = 1, 2
_BOOT_TIME = 1
"""wtmpdb's type of an entry that stands for one run of the system, from its start to its shutdown."""
_JOURNAL_STARTED = "f77379a8490b408bbe5f6940505a777b"
"""SD_MESSAGE_JOURNAL_START (sd-messages.h)."""
_PSTORE = ("/sys/fs/pstore", "/var/lib/systemd/pstore")
_SLACK = 600
"""Seconds by which a crash's record may be younger than the start after it: it is kept when the system is up again."""


class _Start(NamedTuple):
    when: int
    asked: bool
    """A shutdown was recorded before; the first start of a record has nothing before it to judge by."""


def started(source: Source) -> float:
    """When the system that runs was started, Unix seconds."""
    told = re.search(r"^btime (\d{1,12})$", source.text("/proc/stat"), re.MULTILINE)
    return float(told[1]) if told else boot_time()


def stability(source: Source) -> Stability:
    """Starts of the last 30 days, and those nobody asked for."""
    boot = int(started(source))
    starts = _from_wtmp(source) or _from_wtmpdb(source) or _from_journal(source)
    if not starts:
        source.missing("unexpected restarts", f"no record of starts and shutdowns: neither {_WTMP} nor {_WTMPDB} nor a journal")
        return Stability(boot_time=boot)
    recent = [start for start in starts if start.when > time.time() - _MONTH]
    surprises = [start.when for start in recent if not start.asked]
    return Stability(
        boot_time=boot,
        unexpected=len(surprises),
        last_unexpected=surprises[-1] if surprises else None,
        last_reason=_reason(source, surprises[-1]) if surprises else "",
        starts=len(recent),
    )


def _reason(source: Source, when: int) -> str:
    crashes = [source.changed(f"{base}/{name}") or 0 for base in _PSTORE for name in source.names(base)]
    if any(when - _MONTH < crash < when + _SLACK for crash in crashes):
        return "the kernel crashed (pstore kept its last words)"
    return "no shutdown was recorded before this start"


def _from_wtmp(source: Source) -> list[_Start]:
    # The file before the last rotation says what went before the first start of this one.
    data = b"".join((source.data(path, 1 << 26) or b"") for path in (f"{_WTMP}.1", _WTMP))
    starts = []
    asked = True
    for at in range(0, len(data) - _UTMP + 1, _UTMP):
        kind = struct.unpack_from("<h", data, at)[0]
        user = data[at + 44 : at + 76].split(b"\0")[0]
        if kind == _RUN_LEVEL and user == b"shutdown":
            asked = True
        elif kind == _BOOT:
            starts.append(_Start(struct.unpack_from("<i", data, at + 340)[0], asked))
            asked = False
    return starts


def _from_wtmpdb(source: Source) -> list[_Start]:
    if not source.exists(_WTMPDB):
        return []
    import sqlite3

    try:
        with sqlite3.connect(f"file:{source.root}{_WTMPDB}?mode=ro&immutable=1", uri=True) as database:
            runs = database.execute("select Login, Logout from wtmp where Type = ? order by Login", (_BOOT_TIME,)).fetchall()
    except sqlite3.Error as error:
        source.missing("unexpected restarts", f"{_WTMPDB}: {error}")
        return []
    finally:
        pass
    found = []
    asked = True
    for login, logout in runs:
        if isinstance(login, int):
            found.append(_Start(login // 1_000_000, asked))
            asked = bool(logout)
    return found


def _from_journal(source: Source) -> list[_Start]:
    """A run of the system ended as asked when shutdown.target was reached in it."""
    if not source.exists(_JOURNAL):
        return []
    try:
        text = source.run([
            "journalctl", "--quiet", "--output=json", "--output-fields=UNIT", "--since=-31 days",
            f"MESSAGE_ID={_JOURNAL_STARTED}", "+", "UNIT=shutdown.target",
        ])  # fmt: skip
    except Unreadable:
        return []
    runs: dict[str, list[int | bool]] = {}
    for line in text.splitlines():
        try:
            entry = json.loads(line)
            boot, when = str(entry["_BOOT_ID"]), int(entry["__REALTIME_TIMESTAMP"]) // 1_000_000
        except (ValueError, KeyError, TypeError):
            continue
        run = runs.setdefault(boot, [when, False])
        run[1] = run[1] or entry.get("UNIT") == "shutdown.target"
    found = []
    asked = True
    for when, ended in sorted(runs.values()):
        found.append(_Start(int(when), asked))
        asked = bool(ended)
    return found
