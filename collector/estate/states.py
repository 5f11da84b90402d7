"""From outcomes to states: what a device's silence means depends on its neighbours behind the same line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..model import Outcome, State, Status

_STATES = {
    Outcome.OK: State.UP,
    Outcome.PARTIAL: State.PARTIAL,
    Outcome.TIMEOUT: State.SILENT,
    Outcome.UNREACHABLE: State.SILENT,
    Outcome.AUTH: State.REFUSED,
    Outcome.CLOSED: State.REFUSED,
    Outcome.MALFORMED: State.GARBLED,
}

_ANSWERS = (State.UP, State.PARTIAL, State.REFUSED, State.GARBLED)


def judge(outcome: Outcome) -> State:
    """What one attempt alone says of a device."""
    return _STATES[outcome]


def quiet(state: State) -> bool:
    """Does the state mean that nothing is heard of the device?"""
    return state is State.SILENT or state is State.UNREACHABLE


def behind_dead_line(statuses: Sequence[Status]) -> bool:
    """Two devices or more in a unit, and nothing is heard of any: the line or the power is gone, not the devices.

    A machine that said goodbye tells nothing of the line.
    """
    on = [status for status in statuses if status.state is not State.OFF]
    return len(on) > 1 and all(quiet(status.state) for status in on)


def cut_off(statuses: Mapping[str, Status], parents: Mapping[str, str]) -> set[str]:
    """Of the silent devices those behind another silent one that nothing answers behind: it is gone, of them nothing is known.

    `parents` says what each device hangs on. A switch that forwards but no longer answers has others behind it that do.
    """
    silent = {device for device, status in statuses.items() if quiet(status.state)}
    if len(silent) < 2 or not parents:
        return set()
    forwarding: set[str] = set()
    for device, status in statuses.items():
        if status.state in _ANSWERS:
            while (device := parents.get(device, "")) and device not in forwarding:
                forwarding.add(device)
    gone = silent - forwarding
    found = set()
    for device in silent:
        above, passed = parents.get(device, ""), {device}
        while above and above not in gone and above not in passed:
            passed.add(above)
            above = parents.get(above, "")
        if above in gone and above != device:
            found.add(device)
    return found
