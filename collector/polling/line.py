"""The line to an office: how many packets and bytes a second polling may put on it, and what it has carried."""

from __future__ import annotations

from collections.abc import Callable

HEADERS = 28
"""Octets of IPv4 and UDP headers around each message."""


class Line:
    """A packet and a byte budget, spent by virtual scheduling (the generic cell rate algorithm, ITU-T I.371 annex A).

    What is within `burst` seconds of the budget goes at once. Bytes count both directions: answers are booked when they
    come, and what is sent after them waits the longer. 0 is no limit. `clock` gives seconds.
    """

    __slots__ = ("_byte", "_bytes_due", "_clock", "_packet", "_packets_due", "burst", "received", "sent")

    def __init__(
        self, packets_per_second: float, bytes_per_second: float, clock: Callable[[], float], burst: float = 0.25
    ) -> None:
        self._clock = clock
        self._packets_due = 0.0
        self._bytes_due = 0.0
        self.burst = burst
        self.sent = 0
        """Octets sent so far, headers included."""
        self.received = 0
        """Octets received so far, headers included."""
        self.settle(packets_per_second, bytes_per_second)

    def settle(self, packets_per_second: float, bytes_per_second: float) -> None:
        """Take (new) budgets; what is booked already stays so."""
        self._packet = 1 / packets_per_second if packets_per_second else 0.0
        self._byte = 1 / bytes_per_second if bytes_per_second else 0.0

    def pace(self, size: int) -> float:
        """Book a message of so many octets to be sent: the seconds it must wait, 0 or less for none."""
        now = self._clock()
        size += HEADERS
        self.sent += size
        packets, octets = max(self._packets_due, now), max(self._bytes_due, now)
        self._packets_due = packets + self._packet
        self._bytes_due = octets + size * self._byte
        return max(packets, octets) - now - self.burst

    @property
    def backlog(self) -> float:
        """Seconds that a message booked now would wait, 0 or less for none."""
        return max(self._packets_due, self._bytes_due) - self._clock() - self.burst

    def carried(self, size: int) -> None:
        """Book an answer of so many octets, after the fact."""
        size += HEADERS
        self.received += size
        if self._byte:
            self._bytes_due = max(self._bytes_due, self._clock()) + size * self._byte
