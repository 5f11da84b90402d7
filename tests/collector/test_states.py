"""States worked out for a unit as a whole: what is behind a dead switch or line is unreachable, not silent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.estate.states import behind_dead_line, cut_off, quiet
from collector.model import State, Status

OFFICE = {"sw1": "gw", "sw2": "sw1", "pc1": "sw1", "pc2": "sw2", "pc3": "sw2"}
"""A router, a switch, another one on it; machines on both."""


def statuses(*silent: str, unknown: str = "") -> dict[str, Status]:
    """The office with these devices silent."""
    return {
        device: Status(State.UNKNOWN if device == unknown else State.SILENT if device in silent else State.UP)
        for device in ("gw", *OFFICE)
    }


@pytest.mark.parametrize(
    ("silent", "behind"),
    [
        ([], set()),
        (["pc1", "pc2"], set()),
        (["sw2", "pc2", "pc3"], {"pc2", "pc3"}),
        (["sw2", "pc2"], set()),
        (["sw1", "sw2", "pc1", "pc2", "pc3"], {"sw2", "pc1", "pc2", "pc3"}),
        (["gw", "pc1"], set()),
        (["sw1", "pc1"], set()),
        (["sw2", "pc1", "pc2", "pc3"], {"pc2", "pc3"}),
    ],
    ids=[
        "all well", "two machines are off", "a dead switch", "a switch that only forwards", "the first switch",
        "a router that only forwards", "a first switch that only forwards", "a dead switch, and a machine elsewhere off",
    ],
)  # fmt: skip
def test_machines_behind_a_dead_switch_are_unreachable(silent: list[str], behind: set[str]) -> None:
    """A silent switch with nothing answering behind it takes those behind it along; one with somebody answering does not."""
    assert cut_off(statuses(*silent), OFFICE) == behind


def test_a_device_nobody_asked_yet_is_no_sign_of_life() -> None:
    """Only an answer proves that a switch forwards."""
    assert cut_off(statuses("sw2", "pc2", unknown="pc3"), OFFICE) == {"pc2"}
    assert cut_off(statuses("sw2", "pc2"), {}) == set()


@given(st.sets(st.sampled_from(["gw", *OFFICE])))
def test_somebody_is_always_left_to_blame(silent: set[str]) -> None:
    """Not everything that is silent is behind something; nothing that answers is."""
    behind = cut_off(statuses(*silent), OFFICE)
    assert behind <= silent
    assert not silent or behind < silent


def test_a_line_is_dead_when_nobody_answers() -> None:
    """Two devices or more, all silent: the line. One device alone may have failed itself."""
    assert behind_dead_line([Status(State.SILENT), Status(State.UNREACHABLE)])
    assert not behind_dead_line([Status(State.SILENT)])
    assert not behind_dead_line([Status(State.SILENT), Status(State.REFUSED)])
    assert quiet(State.UNREACHABLE)
