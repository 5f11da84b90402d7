"""What a pushed report holds: the objects that differ from the last full report, cut into parts that fit a datagram."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterable
from typing import NamedTuple

from config import objects
from snmp import ber, message
from snmp.errors import EncodeError
from snmp.message import VarBind
from snmp.notify import Notification
from snmp.oid import OID

from .limits import Limits
from .tree import HOST, IF_ENTRY, IFX_ENTRY, MIB2, at

ROOM = 1000
"""Octets of objects in one part: its datagram passes tunnels without being cut."""
START, DAILY, INTERVAL, CHANGE, SHUTDOWN, STOPPED, THRESHOLD, OUTAGE = range(1, 9)
"""Why the agent reports: hdReportReason."""
ENDINGS = (SHUTDOWN, STOPPED, OUTAGE)
UNKNOWN_AGE = 0xFFFFFFFF
_HEAD = struct.Struct(">QHHIIIBII")
_TAGS = {objects.SERIAL: ber.COUNTER64, objects.NUMBER: ber.GAUGE32, objects.TIME: ber.GAUGE32, objects.CHOICE: ber.INTEGER}

_LEFT_OUT = (
    OID((1, 3, 6, 1, 2, 1, 11)), OID((1, 3, 6, 1, 6, 3)), at(MIB2, 1, 3), at(MIB2, 1, 9), at(HOST, 1, 2),
    *(at(IF_ENTRY, column) for column in (10, 11, 12, 16, 17, 18)),
    *(at(IFX_ENTRY, column) for column in (2, 3, 4, 5, 8, 9, 12, 13)),
)  # fmt: skip
"""What a report is not burdened with: SNMP's own counters, sysUpTime (it stands in front), the date, the table of modules,
broadcast and multicast counts, and the short twins of long counters."""
_RESTLESS = (at(HOST, 1), at(HOST, 2, 3, 1, 6), at(HOST, 3, 3, 1, 2), at(MIB2, 99))
"""What moves without being a counter: users and processes, space used, load, temperatures."""
_MOVING = frozenset((ber.COUNTER32, ber.COUNTER64, ber.TIME_TICKS))


class Part(NamedTuple):
    """One inform's worth of a report, as it lies in the spool. `time` is Unix seconds, `uptime` sysUpTime; `clock` is the steady
    clock then, which tells the age as long as the machine was not started anew (`boot`), whoever sets the other clock."""

    base: int
    part: int
    parts: int
    time: int
    uptime: int
    interval: int
    reason: int
    boot: int
    clock: int
    body: bytes

    def age(self, boot: int, clock: float, wall: float) -> int:
        """Seconds since then; UNKNOWN_AGE where no clock can tell."""
        passed = clock - self.clock if boot == self.boot else wall - self.time
        return max(0, round(passed)) if -1 <= passed < UNKNOWN_AGE else UNKNOWN_AGE

    def pack(self) -> bytes:
        """As octets for the spool."""
        return _HEAD.pack(*self[:-1]) + self.body

    @classmethod
    def unpack(cls, data: bytes) -> Part:
        """From the spool's octets; raises struct.error for fewer than its head."""
        return cls._make((*_HEAD.unpack_from(data), data[_HEAD.size :]))


def boot_mark() -> int:
    """A number that changes with every start of the machine, where the system tells (Linux), else of this process."""
    try:
        with open("/proc/sys/kernel/random/boot_id", "rb") as file:
            return zlib.crc32(file.read())
    except OSError:
        return int.from_bytes(os.urandom(4), "big")


def notification(part: Part, sequence: int, oldest: int, enterprise: int, age: int) -> Notification:
    """The inform of a part: hdReport's objects, then those that changed."""
    told = (sequence, part.base, oldest, part.part, part.parts, part.time, part.interval, part.reason, age)
    head = [
        VarBind(OID((*objects.REPORT.oid(item, enterprise), 0)), _TAGS[item.syntax], value)
        for item, value in zip(objects.REPORT.objects, told, strict=True)
    ]
    return Notification(objects.notification(enterprise), part.uptime, tuple(head), rest=part.body)


class Memory:
    """What the last full report said, as hashes, and what need be said beyond it."""

    __slots__ = ("_crossed", "_last", "_limits", "_said", "_size")

    def __init__(self, enterprise: int = objects.ENTERPRISE) -> None:
        self._said: dict[OID, int] = {}
        self._last = 0
        self._size = 0
        self._limits = Limits(enterprise)
        self._crossed: frozenset[OID] = frozenset()

    def full(self, rows: Iterable[VarBind]) -> list[bytes]:
        """Every object, encoded; later reports differ from these."""
        kept = _kept(rows)
        self._said = {row.oid: hash(row[1:]) for row in kept}
        self._last, self._crossed = _quiet(kept), self._limits.crossed(kept)
        encoded = _encoded(kept)
        self._size = sum(map(len, encoded))
        return encoded

    def changed(self, rows: Iterable[VarBind]) -> list[bytes] | None:
        """The objects that are not as the full report said, and those that are gone; None when a new full report is due,
        since so much is different that others would be long (as after the first inventory)."""
        kept = _kept(rows)
        last, self._last, self._crossed = self._last, _quiet(kept), self._limits.crossed(kept)
        different = [row for row in kept if self._said.get(row.oid) != hash(row[1:])]
        gone = sorted(self._said.keys() - {row.oid for row in kept})
        encoded = _encoded([*different, *(VarBind(name, ber.NO_SUCH_INSTANCE, None) for name in gone)])
        return None if self._last != last and sum(map(len, encoded)) > self._size // 2 else encoded

    def noteworthy(self, rows: Iterable[VarBind]) -> int:
        """THRESHOLD when a limit was crossed, or is no longer, since the last report; CHANGE when anything else is different
        that does not move all the time; else 0."""
        kept = _kept(rows)
        if self._limits.crossed(kept) != self._crossed:
            return THRESHOLD
        return CHANGE if _quiet(kept) != self._last else 0


def _kept(rows: Iterable[VarBind]) -> list[VarBind]:
    return [row for row in rows if not _within(row.oid, _LEFT_OUT)]


def _quiet(rows: Iterable[VarBind]) -> int:
    return hash(tuple(hash(row) for row in rows if row.tag not in _MOVING and not _within(row.oid, _RESTLESS)))


def _within(name: OID, subtrees: tuple[OID, ...]) -> bool:
    return any(name[: len(subtree)] == subtree for subtree in subtrees)


def _encoded(rows: Iterable[VarBind]) -> list[bytes]:
    encoded = []
    for row in rows:
        try:
            encoded.append(message.encode_varbind(*row))
        except EncodeError:
            continue  # no message can carry it, and polls leave it out too
    return encoded


def bodies(encoded: Iterable[bytes]) -> list[bytes]:
    """Encoded objects as the bodies of parts, at least one."""
    found: list[bytes] = []
    body: list[bytes] = []
    size = 0
    for one in encoded:
        if body and size + len(one) > ROOM:
            found.append(b"".join(body))
            body, size = [], 0
        body.append(one)
        size += len(one)
    return [*found, b"".join(body)]
