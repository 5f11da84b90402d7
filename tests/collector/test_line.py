"""The line: packets and bytes within their budgets, bursts of a moment, both directions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.polling.line import HEADERS, Line


class Clock:
    """Time that goes when it is told."""

    def __init__(self) -> None:
        self.now = 5000.0

    def __call__(self) -> float:
        return self.now


def test_the_first_packet_does_not_wait() -> None:
    """An idle line takes a packet at once, however slow it is."""
    for rate in (0.1, 1.0, 50.0):
        assert Line(rate, 1.0, Clock()).pace(1000) <= 0


def test_packets_come_at_their_rate() -> None:
    """Behind what a burst holds, each packet waits for the one before it."""
    line = Line(10.0, 0.0, Clock(), burst=0.25)
    waits = [line.pace(80) for _ in range(6)]
    assert waits == [pytest.approx(0.1 * i - 0.25) for i in range(6)]


def test_bytes_come_at_their_rate() -> None:
    """A large message makes the next one wait for its bytes, headers included."""
    line = Line(0.0, 1000.0, Clock(), burst=0.0)
    line.pace(472)
    assert line.pace(72) == pytest.approx((472 + HEADERS) / 1000)
    assert line.pace(1) == pytest.approx((472 + 72 + 2 * HEADERS) / 1000)


def test_answers_count() -> None:
    """What came back is booked, on a line that stood idle as well."""
    clock = Clock()
    line = Line(0.0, 1000.0, clock, burst=0.0)
    line.pace(72)
    clock.now += 60
    line.carried(1372)
    assert line.pace(72) == pytest.approx(1.4)
    assert (line.sent, line.received) == (200, 1400)


def test_no_limit_is_no_wait() -> None:
    """Zero is no budget at all."""
    line = Line(0.0, 0.0, Clock())
    for _ in range(1000):
        assert line.pace(1400) <= 0
        line.carried(1400)


def test_idle_time_is_not_saved_up() -> None:
    """An hour of silence allows no more than a burst."""
    clock = Clock()
    line = Line(10.0, 0.0, clock, burst=0.25)
    for _ in range(5):
        line.pace(80)
    clock.now += 3600
    assert sum(line.pace(80) <= 0 for _ in range(20)) == 3


def test_budgets_may_change_on_the_way() -> None:
    """New settings hold from the next packet on; what is booked stays booked."""
    line = Line(10.0, 0.0, Clock(), burst=0.0)
    for _ in range(5):
        line.pace(80)
    line.settle(100.0, 0.0)
    assert line.pace(80) == pytest.approx(0.5)
    assert line.pace(80) == pytest.approx(0.51)


@given(
    st.floats(0.5, 200),
    st.floats(500, 1e6),
    st.lists(st.tuples(st.integers(40, 1400), st.integers(0, 1400), st.floats(0, 2)), min_size=1, max_size=60),
)
def test_the_budget_holds(packets: float, octets: float, traffic: list[tuple[int, int, float]]) -> None:
    """Whatever is sent and answered when, over any stretch no more leaves than the budgets and one burst allow."""
    clock = Clock()
    line = Line(packets, octets, clock)
    left: list[tuple[float, int]] = []
    for size, answer, pause in traffic:
        left.append((clock.now + max(0.0, line.pace(size)), size + HEADERS))
        if answer:
            line.carried(answer)
        clock.now += pause
    left.sort()
    for i in range(len(left)):
        for j in range(i + 1, len(left)):
            seconds = left[j][0] - left[i][0] + line.burst + 1e-6
            assert j - i <= seconds * packets + 1
            assert sum(size for _, size in left[i:j]) <= seconds * octets + 1428
