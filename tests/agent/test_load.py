from __future__ import annotations

from agent.facts import Times
from agent.load import Load


def test_the_load_is_that_of_the_last_minute() -> None:
    """A busy hour before does not show in the average of the last minute."""
    load = Load()
    load.sample(0, [Times(3600.0, 0.0)])
    for n in range(1, 13):
        found = load.sample(n * 10, [Times(3600.0 + n, 9.0 * n)])
    assert found == [10]


def test_the_first_look_averages_since_the_start() -> None:
    """With nothing to compare, the system's own start is where the average begins."""
    assert Load().sample(5, [Times(25.0, 75.0), Times(0.0, 0.0)]) == [25, 0]


def test_a_processor_that_comes_or_goes_begins_anew() -> None:
    """The number of processors may change while the system runs."""
    load = Load()
    load.sample(0, [Times(1.0, 1.0)])
    assert load.sample(20, [Times(1.0, 3.0), Times(2.0, 2.0)]) == [25, 50]
    assert load.sample(40, [Times(2.0, 3.0), Times(2.0, 3.0)]) == [100, 0]


def test_times_that_go_back_do_no_harm() -> None:
    """Idle time may shrink a little (proc(5)); the load stays between 0 and 100."""
    load = Load()
    load.sample(0, [Times(10.0, 100.0)])
    assert load.sample(30, [Times(10.0, 99.9)]) == [0]
