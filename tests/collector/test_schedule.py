"""The cycle: everyone once an interval, nobody waits for anybody, and what silence means is told for the whole unit."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
from virtual import clock, run

from collector.model import Block, Device, Facts, Layout, Outcome, State, Status, Unit
from collector.polling.schedule import HURRY, SPARED, Cycle, Tally
from collector.polling.watch import Result, Watch
from snmp.client import Target
from snmp.security import Community

INTERVAL = 60.0
OK = Result(Outcome.OK, block=Block(Layout(()), (), 1.0), facts=Facts(), duration=0.02)
SILENT = Result(Outcome.TIMEOUT, "no answer")


class Desk:
    """Stands for the asking: answers each turn as `answers` says, after `takes` seconds; None never ends."""

    def __init__(self) -> None:
        self.client = SimpleNamespace(loop=clock())
        self.turns: list[tuple[float, str]] = []
        self.answers: dict[str, Result | None] = {}
        self.takes: dict[str, float] = {}
        self.waiting: list[tuple[Watch, Callable[[Watch, Result], None]]] = []

    def turn(self, watch: Watch, done: Callable[[Watch, Result], None]) -> None:
        assert not watch.busy, "nobody is asked twice at once"
        name = watch.device.id
        watch.busy = True
        watch.plan = watch.plan or object()  # type: ignore[assignment]
        watch.target.sent += 2
        self.turns.append((clock().time(), name))
        result = self.answers.get(name, OK)
        if result is None:
            self.waiting.append((watch, done))
            return

        def end() -> None:
            watch.busy = False
            done(watch, result)

        clock().call_later(self.takes.get(name, 0.02), end)

    def asked(self, name: str, since: float = 0.0) -> list[float]:
        return [when for when, who in self.turns if who == name and when >= since]


class Notes:
    """A sink that notes what it is told."""

    def __init__(self) -> None:
        self.states: dict[str, list[State]] = {}
        self.last: dict[str, Status] = {}
        self.blocks: dict[str, Block | None] = {}
        self.cycles = 0
        self.facts = 0

    def polled(self, device: Device, status: Status, block: Block | None) -> None:
        states = self.states.setdefault(device.id, [])
        if not states or states[-1] is not status.state:
            states.append(status.state)
        self.last[device.id] = status
        self.blocks[device.id] = block

    def described(self, device: Device, facts: Facts) -> None:
        self.facts += 1

    def cycled(self, unit: str) -> None:
        self.cycles += 1

    def forgotten(self, device: Device) -> None:
        raise AssertionError


def unit(names: Iterable[str], interval: float = INTERVAL) -> tuple[Cycle, Desk, Notes]:
    """A unit with these devices."""
    desk, notes = Desk(), Notes()
    cycle = Cycle(Unit("xa-1", "Xã 1"), interval, desk, [notes], Tally())  # type: ignore[arg-type]
    cycle.watches = [
        Watch(Device(name, "127.0.0.1", 161, "c", "xa-1"), Target("127.0.0.1", 161, Community(b"public"))) for name in names
    ]
    return cycle, desk, notes


def names(count: int) -> list[str]:
    return [f"d{i:02}" for i in range(count)]


# in health


@pytest.mark.parametrize("phase", [0.0, 0.3, 0.5, 0.51, 0.99])
def test_everyone_once_an_interval(phase: float) -> None:
    """After a hurried first cycle each device is asked once in every interval, at the same moment of it, spread over it."""

    async def work() -> None:
        cycle, desk, notes = unit(names(20))
        began = clock().time()
        cycle.start(phase)
        await asyncio.sleep(INTERVAL * 10)
        first = [desk.asked(name)[0] - began for name in names(20)]
        assert max(first) <= 2 * HURRY, "whoever starts a collector waits for its pages"
        for name in names(20):
            times = desk.asked(name)
            gaps = [b - a for a, b in pairwise(times)]
            assert all(gap == pytest.approx(INTERVAL, abs=0.06) for gap in gaps[1:])
            assert gaps[0] <= 1.75 * INTERVAL
            assert len(times) in (10, 11)
        late = [desk.asked(name)[-1] for name in names(20)]
        assert max(late) - min(late) > INTERVAL / 2
        assert notes.states == {name: [State.UP] for name in names(20)}
        assert cycle.figures.overruns == 0
        assert notes.facts > 0
        cycle.stop()

    run(work)


def test_figures_of_a_cycle() -> None:
    """Duration, the median answer, and the part that had to be repeated by those who answer."""

    async def work() -> None:
        cycle, desk, _ = unit(names(3))
        desk.answers = {f"d0{i}": Result(Outcome.OK, duration=0.1 * (i + 1)) for i in range(3)}
        cycle.start(0)
        await asyncio.sleep(INTERVAL - 1)
        for watch in cycle.watches:
            watch.target.repeated += 1
        await asyncio.sleep(INTERVAL)
        figures = cycle.figures
        assert figures.answer_seconds == pytest.approx(0.2)
        assert figures.loss == pytest.approx(0.5)
        assert (figures.requests, figures.retries) == (3 * 2 * 2, 3)
        assert 0 < figures.seconds < INTERVAL
        cycle.stop()

    run(work)


def test_an_empty_unit_cycles_all_the_same() -> None:
    """A unit without devices has a page too."""

    async def work() -> None:
        cycle, _, notes = unit([])
        cycle.start(0)
        await asyncio.sleep(INTERVAL * 3)
        assert notes.cycles >= 3
        assert (cycle.figures.answer_seconds, cycle.figures.loss) == (None, None)
        cycle.stop()

    run(work)


def test_whoever_waits_is_told() -> None:
    """`when_done` calls once, when the cycle has ended."""

    async def work() -> None:
        cycle, _, _ = unit(names(3))
        calls: list[float] = []
        cycle.when_done(lambda: calls.append(clock().time()))
        cycle.start(0)
        await asyncio.sleep(INTERVAL * 3)
        assert len(calls) == 1
        cycle.stop()

    run(work)


# overruns


def test_an_overrun_is_counted_and_named_and_never_piles_up(caplog: pytest.LogCaptureFixture) -> None:
    """A device that takes three intervals is asked every fourth time; the others every time; the log names unit and device."""

    async def work() -> None:
        cycle, desk, notes = unit(names(5))
        cycle.start(0)
        await asyncio.sleep(INTERVAL)
        desk.takes["d03"] = 3.2 * INTERVAL
        began = clock().time()
        await asyncio.sleep(INTERVAL * 12)
        assert len(desk.asked("d03", began)) in (3, 4)
        assert all(len(desk.asked(name, began)) >= 11 for name in ("d00", "d01", "d02", "d04"))
        assert cycle.figures.overruns == cycle._tally.overruns
        assert 3 <= cycle.figures.overruns <= 4, "one a turn that is late, not one a cycle it lasts"
        assert notes.states["d03"] == [State.UP]
        desk.takes.clear()
        await asyncio.sleep(INTERVAL * 5)
        before = cycle.figures.overruns
        await asyncio.sleep(INTERVAL * 5)
        assert cycle.figures.overruns == before
        cycle.stop()

    with caplog.at_level(logging.WARNING):
        run(work)
    lines = [record.getMessage() for record in caplog.records if "overrun" in record.getMessage()]
    assert lines
    assert all("unit=xa-1" in line and "d03" in line and "unfinished=1" in line for line in lines)


def test_a_turn_that_never_ends_costs_nobody_else() -> None:
    """Even if one turn is lost for ever, the cycles of the others go on and their page is put together."""

    async def work() -> None:
        cycle, desk, notes = unit(names(3))
        desk.answers["d01"] = None
        cycle.start(0)
        await asyncio.sleep(INTERVAL * 5)
        assert len(desk.asked("d01")) == 1
        assert len(desk.asked("d00")) >= 5
        assert notes.cycles >= 5
        cycle.stop()

    run(work)


def test_many_slow_devices_are_named_by_three(caplog: pytest.LogCaptureFixture) -> None:
    """The line stays short, whoever is late."""

    async def work() -> None:
        cycle, desk, _ = unit(names(30))
        cycle.start(0)
        await asyncio.sleep(INTERVAL)
        desk.takes = dict.fromkeys(names(30), 1.5 * INTERVAL)
        await asyncio.sleep(INTERVAL * 2)
        cycle.stop()

    with caplog.at_level(logging.WARNING):
        run(work)
    line = next(record.getMessage() for record in caplog.records if "overrun" in record.getMessage())
    assert line.count("d") < 12
    assert "unfinished=" in line


# clocks


def test_the_wall_clock_may_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """A day back, a year forward: turns come at their times, and states say what they said."""

    async def work() -> None:
        cycle, desk, notes = unit(names(4))
        desk.answers["d03"] = SILENT
        shift = 0.0
        real = time.time
        monkeypatch.setattr("collector.polling.schedule.time.time", lambda: real() + shift)
        cycle.start(0)
        await asyncio.sleep(INTERVAL * 3)
        for step in (-86400.0, 365 * 86400.0):
            shift += step
            began = clock().time()
            await asyncio.sleep(INTERVAL * 6)
            for name in names(3):
                assert [b - a for a, b in pairwise(desk.asked(name, began))] == [pytest.approx(INTERVAL, abs=0.06)] * (
                    len(desk.asked(name, began)) - 1
                )
                assert 5 <= len(desk.asked(name, began)) <= 7
        assert notes.states == {"d00": [State.UP], "d01": [State.UP], "d02": [State.UP], "d03": [State.SILENT]}
        assert cycle.figures.overruns == 0
        cycle.stop()

    run(work)


def test_standing_still_is_not_made_up_for() -> None:
    """After the process stood still for an hour the devices are asked once, and then at their old moments."""

    async def work() -> None:
        cycle, desk, _ = unit(names(4))
        cycle.start(0)
        await asyncio.sleep(INTERVAL * 3.5)
        phase = desk.asked("d00")[-1] % INTERVAL
        clock().pass_(3600.0 + 17)
        began = clock().time()
        await asyncio.sleep(INTERVAL * 5)
        times = desk.asked("d00", began)
        assert 5 <= len(times) <= 6
        assert all(when % INTERVAL == pytest.approx(phase, abs=0.1) for when in times[1:])
        cycle.stop()

    run(work)


# silence


def test_a_silent_device_changes_its_state_within_a_cycle_and_comes_back() -> None:
    """Off: SILENT before two intervals are over, its values gone. On: UP at its next turn, with its values."""

    async def work() -> None:
        cycle, desk, notes = unit(names(4))
        cycle.start(0)
        await asyncio.sleep(INTERVAL * 2)
        desk.answers["d02"] = SILENT
        desk.takes["d02"] = 1.4
        await asyncio.sleep(INTERVAL * 2)
        assert notes.states["d02"] == [State.UP, State.SILENT]
        assert notes.blocks["d02"] is None
        assert notes.last["d02"].message == "no answer"
        assert notes.last["d02"].answer_seconds is None
        assert notes.last["d02"].answered is not None
        desk.answers["d02"] = OK
        await asyncio.sleep(INTERVAL * 2)
        assert notes.states["d02"] == [State.UP, State.SILENT, State.UP]
        assert notes.blocks["d02"] is not None
        cycle.stop()

    run(work)


def test_the_dead_are_asked_ever_more_rarely() -> None:
    """The gaps grow to nine intervals and stay there; `since` keeps the beginning of the silence."""

    async def work() -> None:
        cycle, desk, notes = unit(names(4))
        cycle.start(0)
        await asyncio.sleep(INTERVAL * 2)
        desk.answers["d02"] = SILENT
        began = clock().time()
        await asyncio.sleep(INTERVAL * 60)
        times = desk.asked("d02", began)
        gaps = [round((b - a) / INTERVAL) for a, b in pairwise(times)]
        assert gaps[:5] == [spared + 1 for spared in SPARED[1:]]
        assert set(gaps[5:]) == {SPARED[-1] + 1}
        status = notes.last["d02"]
        assert status.since is not None
        assert status.answered is not None
        since = status.since
        await asyncio.sleep(INTERVAL * 10)
        assert notes.last["d02"].since == since
        cycle.stop()

    run(work)


def test_a_device_that_answers_again_speaks_for_the_others() -> None:
    """When one of several silent devices returns, the others are asked at their very next turn."""

    async def work() -> None:
        cycle, desk, _ = unit(names(5))
        cycle.start(0)
        await asyncio.sleep(INTERVAL * 2)
        desk.answers = {"d01": SILENT, "d02": SILENT}
        await asyncio.sleep(INTERVAL * 30)
        desk.answers = {}
        while not [result for result in desk.asked("d01")[-1:] if result > clock().time() - 1]:
            await asyncio.sleep(1)
        began = clock().time()
        await asyncio.sleep(INTERVAL * 1.5)
        assert desk.asked("d02", began - 1)
        cycle.stop()

    run(work)


def test_a_unit_of_which_nothing_answers_is_unreachable(caplog: pytest.LogCaptureFixture) -> None:
    """All silent: UNREACHABLE, said in one line; a scout a cycle finds the line back, and then all are asked at once."""

    async def work() -> None:
        cycle, desk, notes = unit(names(12))
        cycle.start(0)
        await asyncio.sleep(INTERVAL * 2)
        desk.answers = dict.fromkeys(names(12), SILENT)
        await asyncio.sleep(INTERVAL * 3)
        assert {states[-1] for states in notes.states.values()} == {State.UNREACHABLE}
        await asyncio.sleep(INTERVAL * 40)
        began = clock().time()
        await asyncio.sleep(INTERVAL * 9)
        dead = [when for when, _ in desk.turns if when >= began]
        assert 9 <= len(dead) <= 9 * 12 // 4, "a scout each cycle, and now and then one of the others"
        assert {status.state for status in notes.last.values()} == {State.UNREACHABLE}
        desk.answers = {}
        began = clock().time()
        await asyncio.sleep(INTERVAL * 1.1)
        assert {status.state for status in notes.last.values()} == {State.UP}
        assert all(len(desk.asked(name, began)) >= 1 for name in names(12))
        cycle.stop()

    with caplog.at_level(logging.INFO):
        run(work)
    said = [record.getMessage() for record in caplog.records]
    assert sum("unit unreachable unit=xa-1 devices=12" in line for line in said) == 1
    assert sum("unit reachable unit=xa-1" in line for line in said) == 1
    assert len(said) < 30, "not a line for each device and cycle"


def test_one_device_that_answers_makes_the_silence_of_the_others_their_own() -> None:
    """On a live line the silent ones are SILENT, whatever they answered last."""

    async def work() -> None:
        cycle, desk, notes = unit(names(3))
        desk.answers = {"d00": SILENT, "d01": SILENT, "d02": Result(Outcome.AUTH, "refused")}
        cycle.start(0)
        await asyncio.sleep(INTERVAL * 3)
        assert notes.states == {"d00": [State.SILENT], "d01": [State.SILENT], "d02": [State.REFUSED]}
        desk.answers["d02"] = SILENT
        await asyncio.sleep(INTERVAL * 3)
        assert {states[-1] for states in notes.states.values()} == {State.UNREACHABLE}
        cycle.stop()

    run(work)


def test_a_device_alone_is_silent_not_unreachable() -> None:
    """Of one device nobody can tell whether it is the line."""

    async def work() -> None:
        cycle, desk, notes = unit(names(1))
        desk.answers = {"d00": Result(Outcome.UNREACHABLE, "No route to host")}
        cycle.start(0)
        await asyncio.sleep(INTERVAL * 3)
        assert notes.states == {"d00": [State.SILENT]}
        cycle.stop()

    run(work)


def test_an_office_whose_machines_refuse_is_no_dead_line() -> None:
    """Each refusal came over the line: the machines are there, none is UNREACHABLE, and all are asked every time."""

    async def work() -> None:
        cycle, desk, notes = unit(names(2))
        desk.answers = dict.fromkeys(("d00", "d01"), Result(Outcome.CLOSED, "Connection refused"))
        cycle.start(0)
        await asyncio.sleep(INTERVAL * 5)
        assert notes.states == {"d00": [State.REFUSED], "d01": [State.REFUSED]}
        assert len(desk.asked("d00")) >= 4
        cycle.stop()

    run(work)


@pytest.mark.parametrize("outcome", [Outcome.PARTIAL, Outcome.AUTH, Outcome.CLOSED, Outcome.MALFORMED])
def test_what_is_not_silent_is_asked_every_time(outcome: Outcome) -> None:
    """A device that refuses, garbles or answers in part is there: no turn is left out, and its failures are counted."""

    async def work() -> None:
        cycle, desk, notes = unit(names(2))
        desk.answers["d01"] = Result(outcome, "hm")
        cycle.start(0)
        await asyncio.sleep(INTERVAL * 10)
        assert len(desk.asked("d01")) >= 10
        assert cycle._tally.failures[outcome] == len(desk.asked("d01"))
        assert notes.last["d01"].outcome is outcome
        cycle.stop()

    run(work)


# new settings


def test_a_stopped_cycle_says_nothing_more() -> None:
    """What comes in after the end is no state: at a shutdown nobody becomes silent."""

    async def work() -> None:
        cycle, desk, notes = unit(names(3))
        desk.takes = dict.fromkeys(names(3), 5.0)
        cycle.start(0)
        await asyncio.sleep(0.5)
        cycle.stop()
        await asyncio.sleep(INTERVAL * 3)
        assert notes.states == {}
        assert len(desk.turns) <= 2

    run(work)


def test_a_device_that_is_gone_is_not_heard_of_again() -> None:
    """Its answer comes after it was taken out of the settings: nobody is told, and the cycle ends."""

    async def work() -> None:
        cycle, desk, notes = unit(names(3))
        desk.takes["d01"] = 10.0
        cycle.start(0)
        await asyncio.sleep(HURRY)
        gone = cycle.watches[1]
        gone.gone = True
        cycle.settle(cycle.unit, INTERVAL, [watch for watch in cycle.watches if watch is not gone])
        await asyncio.sleep(INTERVAL)
        assert "d01" not in notes.states
        assert cycle.figures.overruns == 0
        assert notes.cycles >= 1
        cycle.stop()

    run(work)


def test_a_new_interval_holds_from_now_on() -> None:
    """A shorter interval does not wait for the end of the long one, a longer one does; the devices keep their state."""

    async def work() -> None:
        cycle, desk, notes = unit(names(3), 3600.0)
        cycle.start(0)
        await asyncio.sleep(600)
        assert len(desk.asked("d00")) == 1
        cycle.settle(cycle.unit, 30.0, cycle.watches)
        began = clock().time()
        await asyncio.sleep(301)
        assert len(desk.asked("d00", began)) in (9, 10)
        cycle.settle(cycle.unit, 600.0, cycle.watches)
        began = clock().time()
        await asyncio.sleep(6000)
        assert len(desk.asked("d00", began)) in (10, 11)
        assert notes.states["d00"] == [State.UP]
        cycle.stop()

    run(work)


def test_a_new_device_is_asked_in_the_next_cycle() -> None:
    """Devices that are added to a unit under way join it."""

    async def work() -> None:
        cycle, desk, notes = unit(names(3))
        cycle.start(0)
        await asyncio.sleep(INTERVAL * 2)
        more = unit(["new"])[0].watches
        cycle.settle(cycle.unit, INTERVAL, [*cycle.watches, *more])
        await asyncio.sleep(INTERVAL * 1.7)
        assert desk.asked("new")
        assert notes.states["new"] == [State.UP]
        cycle.stop()

    run(work)


def test_a_state_is_logged_when_it_changes(caplog: pytest.LogCaptureFixture) -> None:
    """One line a change, with device, unit, address and reason; none in health."""

    async def work() -> None:
        cycle, desk, _ = unit(names(3))
        cycle.start(0)
        await asyncio.sleep(INTERVAL * 5)
        assert not caplog.records
        desk.answers["d01"] = SILENT
        await asyncio.sleep(INTERVAL * 20)
        desk.answers["d01"] = OK
        await asyncio.sleep(INTERVAL * 20)
        cycle.stop()

    with caplog.at_level(logging.INFO):
        run(work)
    assert [record.getMessage() for record in caplog.records] == [
        "device state=silent was=up device=d01 unit=xa-1 address=127.0.0.1 reason='no answer'",
        "device state=up was=silent device=d01 unit=xa-1 address=127.0.0.1 reason=''",
    ]


def test_many_units_share_the_ticks() -> None:
    """Devices of many units are asked on the same twenty moments a second, so that the process wakes rarely."""

    async def work() -> Any:
        cycles = [unit(names(7))[:2] for _ in range(5)]
        for i, (cycle, _) in enumerate(cycles):
            cycle.start(i / 5)
        await asyncio.sleep(INTERVAL * 3)
        moments = {round(when, 6) for _, desk in cycles for when, _ in desk.turns if when > 1000 + INTERVAL * 2}
        assert all(abs(when / 0.05 - round(when / 0.05)) < 1e-4 for when in moments)
        for cycle, _ in cycles:
            cycle.stop()

    run(work)
