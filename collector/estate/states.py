"""From outcomes to states: what a device's silence means depends on its neighbours behind the same line."""

from __future__ import annotations

from collections.abc import Sequence

from ..model import Outcome, State, Status

_STATES = {
    Outcome.OK: State.UP,
    Outcome.PARTIAL: State.PARTIAL,
    Outcome.TIMEOUT: State.SILENT,
    Outcome.UNREACHABLE: State.SILENT,
    Outcome.AUTH: State.REFUSED,
    Outcome.MALFORMED: State.GARBLED,
}


def judge(outcome: Outcome) -> State:
    """What one attempt alone says of a device."""
    return _STATES[outcome]


def quiet(state: State) -> bool:
    """Does the state mean that nothing is heard of the device?"""
    return state is State.SILENT or state is State.UNREACHABLE


def behind_dead_line(statuses: Sequence[Status]) -> bool:
    """Two devices or more in a unit, and none of them answers: the line or the power is gone, not the devices."""
    return len(statuses) > 1 and all(quiet(status.state) for status in statuses)
