"""What agents send, understood as far as it must be before it is kept: reports, and notices of other kinds."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from config import objects
from snmp import message
from snmp.errors import DecodeError
from snmp.notify import Notification
from snmp.oid import OID

TOLERATED = 10.0
"""Seconds an agent's clock may be wrong before our own is taken instead."""
HEAD = len(objects.REPORT.objects)
"""Objects in front of a report that say what it is."""
_UNKNOWN_AGE = 0xFFFFFFFF
_LARGEST = 2**63 - 1
_PARTS, _INTERVAL = 1000, 86400
GRACE = 30
"""Seconds an agent's interval counts as at least, where lateness is measured by it."""
REASONS = next(item.choices for item in objects.REPORT.objects if item.fact == "reason")
"""Why an agent reports: their words, the first of them number 1."""


class Report(NamedTuple):
    """One part of an agent's report (HAIDANG-MIB, hdReport). Times are Unix seconds.

    `device` (its id) and `engine` tell whose it is, `lineage` which line of names in the journal it belongs to (0: not kept yet).
    `time` is when the agent observed it, by our clock where the agent's is wrong; `ahead` is by how much that is. `body` is its
    objects' varbinds, encoded. `late`: it came after its time, or after newer ones, so that no page has shown it.
    """

    device: str
    engine: bytes
    sequence: int
    base: int
    oldest: int
    part: int
    parts: int
    time: float
    ahead: float
    interval: int
    reason: int
    uptime: int
    address: str
    received: float
    late: bool
    body: bytes
    lineage: int = 0

    @property
    def first(self) -> int:
        """The sequence of the first part of the report this part belongs to."""
        return self.sequence - self.part + 1

    @property
    def last(self) -> int:
        """The sequence of its last part."""
        return self.first + self.parts - 1

    @property
    def full(self) -> bool:
        """Does it say everything, not only what differs?"""
        return self.first == self.base


class Late(NamedTuple):
    """A report that no page has shown: one of its parts, the objects of it and of the full report it differs from, encoded, and
    when the next report was observed (infinity: none was). Without `bodies` it cannot be understood any more."""

    head: Report
    base: tuple[bytes, ...]
    bodies: tuple[bytes, ...]
    until: float


@lru_cache(maxsize=16)
def _names(trap: OID) -> tuple[OID, ...]:
    """What a report must begin with, its instances included, for the enterprise whose notification `trap` is."""
    if len(trap) != 10 or trap != objects.notification(trap[6]):
        return ()
    return tuple(OID((*objects.REPORT.oid(item, trap[6]), 0)) for item in objects.REPORT.objects)


def read(told: Notification, device: str, received: float) -> Report:
    """A device's notification as a report; raises DecodeError when it is none."""
    names = _names(told.trap)
    head = told.varbinds[: len(names)]
    numbers = [binding.value for binding in head if isinstance(binding.value, int)]
    if not names or tuple(binding.oid for binding in head) != names or len(numbers) != len(names):
        raise DecodeError(f"a notification {told.trap}, which is no report of HAIDANG-MIB")
    sequence, base, oldest, part, parts, time, interval, reason, age = numbers
    if not (0 < sequence <= _LARGEST and 0 < base <= sequence and 0 < part <= parts <= _PARTS and part <= sequence):
        raise DecodeError(f"a report whose part {part} of {parts} is number {sequence}, based on {base}")
    if not (0 <= interval <= _INTERVAL and 0 < reason <= len(REASONS) and age >= 0 and oldest > 0):
        raise DecodeError(f"a report with interval {interval}, reason {reason}, age {age}, oldest part {oldest}")
    if age == _UNKNOWN_AGE:
        when, ahead, late = min(float(time), received), 0.0, True
    else:
        ahead = time - (received - age)
        when = min(float(time), received) if abs(ahead) <= TOLERATED else received - age
        late = age > 2 * max(interval, GRACE)
    return Report(
        device, told.engine_id, sequence, base, min(oldest, sequence), part, parts, when, ahead, interval, reason,
        told.uptime, told.address, received, late, message.encode_varbinds(told.varbinds[len(names) :]) + told.rest,
    )  # fmt: skip


class Notice(NamedTuple):
    """A notification of an agent's user that is no report, as other programs on its machine may send: kept as it is.

    `body` is its objects' varbinds, encoded; `received` in Unix seconds.
    """

    device: str
    engine: bytes
    request: int
    trap: OID
    uptime: int
    address: str
    received: float
    body: bytes


def notice(told: Notification, device: str, received: float) -> Notice:
    """A device's notification as a notice."""
    body = message.encode_varbinds(told.varbinds) + told.rest
    return Notice(device, told.engine_id, told.request_id, told.trap, told.uptime, told.address, received, body)


def is_report(told: Notification) -> bool:
    """Does it say that it is a report?"""
    return bool(_names(told.trap))
