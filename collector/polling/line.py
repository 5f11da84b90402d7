"""The line to an office: how many packets and bytes a second polling may put on it."""

from __future__ import annotations

from collections.abc import Callable


class Line:
    """A packet and a byte budget, spent by virtual scheduling (the generic cell rate algorithm, ITU-T I.371 annex A).

    `pace(size)` books a packet of `size` bytes and gives the seconds it must wait; a short burst goes at once. Bytes count
    both directions: an answer is taken to be `answer` bytes, corrected by nothing, since a budget is a promise about load.
    """

    __slots__ = ("_byte", "_bytes_due", "_clock", "_packet", "_packets_due", "burst")

    def __init__(
        self, packets_per_second: float, bytes_per_second: float, clock: Callable[[], float], burst: float = 0.25
    ) -> None:
        self._packet = 1 / packets_per_second if packets_per_second else 0.0
        self._byte = 1 / bytes_per_second if bytes_per_second else 0.0
        self._clock = clock
        self._packets_due = 0.0
        self._bytes_due = 0.0
        self.burst = burst

    def pace(self, size: int) -> float:
        now = self._clock()
        self._packets_due = max(self._packets_due, now) + self._packet
        self._bytes_due = max(self._bytes_due, now) + size * self._byte
        return max(self._packets_due, self._bytes_due) - now - self.burst

    def carried(self, size: int) -> None:
        """Book the bytes of an answer, after the fact."""
        self._bytes_due += size * self._byte
