"""What changes while a machine runs: its uptime, its counters, its loads. All of it follows from the clock and the seed."""

from __future__ import annotations

import math

from snmp import ber
from snmp.engine import Engine, engine_id
from snmp.tree import Source

from .province import Machine

ENTERPRISE = 32473
"""RFC 5612's documentation number: the engines of machines that are not real bear it."""

_DAY = 86400.0
_USUAL_UPTIME = {"workstation": 3 * _DAY, "switch": 120 * _DAY, "router": 60 * _DAY, "printer": 15 * _DAY, "ups": 200 * _DAY}
_WAVE = 3600.0
"""Seconds from one crest of traffic to the next."""
_TURN = 2 * math.pi / _WAVE


class Life:
    """One machine's time: its engine (when it was started and how often), how many rows a fault let its tables grow by, and to
    how many Mbit/s one slowed its link (0: none did)."""

    __slots__ = ("engine", "grown", "grown_at", "link", "machine")

    def __init__(self, machine: Machine, now: float) -> None:
        """`now` is the clock's time at which the province began, so that a machine asked later has lived as long."""
        random = machine.random("life")
        self.machine = machine
        started = now - random.uniform(600.0, _USUAL_UPTIME[machine.kind])
        self.engine = Engine(engine_id(ENTERPRISE, machine.identity.to_bytes(8, "big")), random.randint(1, 60), started)
        self.grown = 0
        self.grown_at = started
        self.link = 0

    def uptime(self, now: float) -> float:
        """Seconds since the machine was started."""
        return now - self.engine.started

    def reboot(self, started: float) -> None:
        """Start anew at a time of the clock: counters at zero, one engine boot more, grown rows gone."""
        self.engine.started = started
        self.engine.boots += 1
        self.grown = 0
        self.grown_at = started

    def grow(self, rows: int, now: float) -> None:
        """Let the machine's interface table have `rows` rows more than it was built with."""
        self.grown = rows
        self.grown_at = now

    def ticks(self, now: float) -> bytes:
        """sysUpTime, encoded."""
        return _encoded(ber.TIME_TICKS, int((now - self.engine.started) * 100) & 0xFFFFFFFF)

    def seconds(self, now: float) -> bytes:
        """snmpEngineTime, encoded."""
        return _encoded(ber.INTEGER, self.engine.time(now))


class Flow:
    """A counter that rises by `rate` a second on average, in waves, from zero at the machine's start. A `Source`."""

    __slots__ = ("_engine", "_heads", "_mask", "_offset", "_phase", "_rate")

    def __init__(self, life: Life, rate: float, phase: float, tag: int) -> None:
        self._engine = life.engine
        self._rate = rate
        self._phase = phase
        self._offset = math.sin(phase)
        self._heads = _HEADS[tag]
        self._mask = 0xFFFFFFFFFFFFFFFF if tag == ber.COUNTER64 else 0xFFFFFFFF

    def __call__(self, now: float) -> bytes:
        up = now - self._engine.started
        if up <= 0:
            return self._heads[1] + b"\0"
        # The derivative, 1 + 0.8 cos(...), is never negative: a counter does not fall.
        value = int(self._rate * (up + (math.sin(up * _TURN + self._phase) - self._offset) * (0.8 / _TURN))) & self._mask
        n = (value.bit_length() >> 3) + 1
        return self._heads[n] + value.to_bytes(n, "big")


def flow(life: Life, rate: float, phase: float, tag: int = ber.COUNTER64) -> Source:
    """A `Flow`; or, where nothing flows, a plain zero."""
    return Flow(life, rate, phase, tag) if rate > 0 else _NOTHING[tag]


def level(life: Life, low: float, high: float, tag: int = ber.INTEGER) -> Source:
    """A value that swings between `low` and `high` and looks irregular: two waves without a common period."""
    middle, swing = (low + high) / 2, (high - low) / 2
    engine, phase = life.engine, life.machine.random(f"level {low} {high}").uniform(0, 2 * math.pi)

    def value(now: float) -> bytes:
        at = now - engine.started
        wave = 0.6 * math.sin(at / 47.0 + phase) + 0.4 * math.sin(at / 311.0 + 2 * phase)
        return _encoded(tag, max(0, round(middle + swing * wave)))

    return value


_HEADS = {
    tag: tuple(bytes((tag, n)) for n in range(10))
    for tag in (ber.INTEGER, ber.COUNTER32, ber.GAUGE32, ber.TIME_TICKS, ber.COUNTER64)
}

_NOTHING = {tag: ber.encode_value(tag, 0) for tag in (ber.COUNTER32, ber.COUNTER64)}


def _encoded(tag: int, value: int) -> bytes:
    """A value known to be in its type's range; `ber.encode_value` would check it again, once for each of many counters."""
    n = (value.bit_length() >> 3) + 1
    return _HEADS[tag][n] + value.to_bytes(n, "big")
