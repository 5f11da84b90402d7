"""How busy the processors were over the last minute (hrProcessorLoad, RFC 2790)."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from .facts import Times

SPAN = 60.0
"""Seconds an average reaches back."""
STEP = 10.0
"""Seconds between two looks that are kept."""


class Load:
    """Remembers what the processors had done at some moments of the last minute."""

    __slots__ = ("_looks",)

    def __init__(self) -> None:
        self._looks: deque[tuple[float, list[Times]]] = deque()

    def sample(self, now: float, times: Sequence[Times]) -> list[int]:
        """The load of each processor in percent since the oldest look within a minute, or since the system's start."""
        looks = self._looks
        while len(looks) > 1 and looks[1][0] <= now - SPAN:
            looks.popleft()
        # A processor that was switched on or off begins a new count.
        if looks and len(looks[0][1]) != len(times):
            looks.clear()
        before = looks[0][1] if looks else [Times(0.0, 0.0)] * len(times)
        if not looks or now - looks[-1][0] >= STEP:
            looks.append((now, list(times)))
        return [_percent(new.busy - old.busy, new.idle - old.idle) for new, old in zip(times, before, strict=True)]


def _percent(busy: float, idle: float) -> int:
    # idle time may go back a little (proc(5)).
    busy, idle = max(busy, 0.0), max(idle, 0.0)
    return min(round(100 * busy / (busy + idle)), 100) if busy + idle > 0 else 0
