"""States: what an outcome says of a device, and what the silence of several says of their line or their switch."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.estate.states import behind_dead_line, cut_off, judge, quiet
from collector.model import Outcome, State, Status


def test_every_outcome_is_a_state() -> None:
    """Each outcome has its state; only silence and an unreachable place are quiet: a closed port is the machine's own word."""
    states = {outcome: judge(outcome) for outcome in Outcome}
    assert states[Outcome.OK] is State.UP
    assert states[Outcome.AUTH] is State.REFUSED
    assert {outcome for outcome, state in states.items() if quiet(state)} == {Outcome.TIMEOUT, Outcome.UNREACHABLE}
    assert not quiet(State.UNKNOWN)


@pytest.mark.parametrize(
    ("states", "dead"),
    [
        ([], False),
        ([State.SILENT], False),
        ([State.SILENT, State.SILENT], True),
        ([State.SILENT, State.UNREACHABLE], True),
        ([State.SILENT, State.UP], False),
        ([State.SILENT, State.REFUSED], False),
        ([State.SILENT, State.GARBLED], False),
        ([State.SILENT, State.UNKNOWN], False),
        ([State.SILENT, State.OFF], False),
        ([State.SILENT, State.OFF, State.SILENT], True),
        ([State.OFF, State.OFF], False),
    ],
)
def test_a_line_is_dead_when_nothing_behind_it_answers(states: list[State], dead: bool) -> None:
    """One device alone may be dead itself; one that answers anything, or is not known yet, speaks for the line."""
    assert behind_dead_line([Status(state) for state in states]) is dead


PARENTS = {"pc": "floor", "printer": "floor", "floor": "core", "server": "core"}


def lost(**states: State) -> set[str]:
    return cut_off({device: Status(state) for device, state in states.items()}, PARENTS)


def test_what_hangs_on_a_dead_switch_is_cut_off() -> None:
    """The switch itself is silent; of what is behind it nothing is known."""
    silent, up = State.SILENT, State.UP
    assert lost(core=up, server=up, floor=silent, pc=silent, printer=silent) == {"pc", "printer"}
    assert lost(core=up, server=up, floor=up, pc=silent, printer=up) == set()
    assert lost(core=up, server=up, floor=silent, pc=up, printer=silent) == set(), "it forwards, so it is not dead"
    assert lost(core=silent, server=silent, floor=silent, pc=silent, printer=silent) == {"server", "floor", "pc", "printer"}


def test_nothing_known_is_nothing_said() -> None:
    """Without links nobody is cut off."""
    assert cut_off({"a": Status(State.SILENT), "b": Status(State.SILENT)}, {}) == set()


NAMES = st.sampled_from("abcdefg")


@given(st.dictionaries(NAMES, st.sampled_from(list(State))), st.dictionaries(NAMES, NAMES))
def test_links_in_a_circle_end(states: dict[str, State], parents: dict[str, str]) -> None:
    """Whatever the links say, circles and strangers included: only silent devices are cut off, each behind another one."""
    found = cut_off({device: Status(state) for device, state in states.items()}, parents)
    assert all(quiet(states[device]) and device in parents for device in found)
