from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from collector.model import Outcome
from collector.polling.cases import HELLO, ROUNDS, Case, End, Opener, permitted
from snmp.security import Community
from snmp.usm import User

OPENERS = [Opener(f"c{n}", n, Community(b"x") if n % 3 else User(b"u")) for n in range(1, 9)]
OUTCOMES = [outcome for outcome in Outcome if outcome not in (Outcome.OK, Outcome.PARTIAL, Outcome.CLOSED, Outcome.UNREACHABLE)]


def shown(case: Case, outcomes: list[Outcome], engine: bytes) -> list[Opener]:
    """Carry a case through: each step ends as told, in turn; the openers it was shown."""
    steps = []
    for turn in range(1000):
        if (step := case.next()) is None:
            return steps
        told = engine if step is HELLO or (isinstance(step, Opener) and step.by_user) else b""
        if isinstance(step, Opener):
            steps.append(step)
        case.answered(step, outcomes[turn % len(outcomes)], "no", told)
    raise AssertionError("it never ends")


@given(
    st.lists(st.sampled_from(OPENERS), unique=True, max_size=8),
    st.sets(st.integers(1, 12), max_size=8),
    st.integers(1, 6),
    st.lists(st.sampled_from(OUTCOMES), min_size=1, max_size=5),
    st.sampled_from([b"", b"\x80\0\x1f\x88\4abcd"]),
)
def test_never_more_than_permitted(
    openers: list[Opener], seen: set[int], limit: int, outcomes: list[Outcome], engine: bytes
) -> None:
    """Whatever it answers, an address is shown at most the limit of different credentials, those of earlier runs counted; no
    user before its engine is known; each at most once a round."""
    allowed, withheld = permitted(openers, seen, limit)
    case = Case("10.0.0.1", "sweep", allowed, withheld)
    steps = shown(case, outcomes, engine)
    new = {one.number for one in steps} - seen
    assert len(new | seen) <= max(limit, len(seen))
    assert engine or not any(one.by_user for one in steps)
    assert all(steps.count(one) <= ROUNDS for one in steps)
    assert case.end in (End.SILENT, End.LOCKED) if allowed else case.end is End.WITHHELD
    assert case.left() == 0


def test_the_settings_order_is_kept() -> None:
    """Credentials are tried in the order of the settings; a hello goes before the first user, once a round."""
    one, two, user, other = OPENERS[0], OPENERS[1], OPENERS[2], OPENERS[5]
    case = Case("10.0.0.1", "sweep", [one, user, other, two])
    steps = []
    while (step := case.next()) is not None:
        steps.append(step)
        case.answered(step, Outcome.TIMEOUT)
    assert steps == [one, HELLO, two] * ROUNDS
    assert case.end is End.SILENT


def test_what_was_refused_is_not_repeated() -> None:
    """A credential that was refused is not shown again; an answer, even an error, opens."""
    user, community = OPENERS[2], OPENERS[0]
    case = Case("10.0.0.1", "sweep", [user, community])
    assert case.next() is HELLO
    case.answered(HELLO, Outcome.AUTH, "unknown user", b"engine")
    assert case.next() is user
    case.answered(user, Outcome.AUTH, "wrong password", b"engine")
    assert case.next() is community
    case.answered(community, Outcome.TIMEOUT)
    assert case.next() is community
    case.answered(community, Outcome.PARTIAL)
    assert (case.end, case.opened_by, case.next()) == (End.OPENED, community, None)


def test_an_address_may_be_denied_late() -> None:
    """A credential that another process used up the room for is not shown; without any left the address is withheld."""
    case = Case("10.0.0.1", "sweep", [OPENERS[0], OPENERS[1]])
    step = case.next()
    assert step is OPENERS[0]
    case.denied(OPENERS[0])
    assert case.next() is OPENERS[1]
    case.answered(OPENERS[1], Outcome.TIMEOUT)
    assert case.next() is OPENERS[1]
    case.denied(OPENERS[1])
    assert (case.next(), case.end) == (None, End.WITHHELD)


def test_withheld_is_what_others_used_up() -> None:
    """More credentials in the settings than the limit is a choice; other credentials of earlier runs take room and are told."""
    assert permitted(OPENERS[:5], (), 3) == (OPENERS[:3], False)
    assert permitted(OPENERS[:3], (1, 2), 3) == (OPENERS[:3], False)
    assert permitted(OPENERS[:3], (7, 8), 3) == (OPENERS[:1], True)
    assert permitted(OPENERS[:3], (6, 7, 8), 3) == ([], True)
    assert permitted(OPENERS[:5], (5, 4), 3) == ([OPENERS[0], OPENERS[3], OPENERS[4]], False)
