"""The learnt plan: what it gives is what a fresh walk gives, or it says that it must be learnt again."""

from __future__ import annotations

import pytest
import wild
from hypothesis import given
from hypothesis import strategies as st
from rows import IF, IFX, UPTIME, Rows, bodies, cells, port, ports

from collector.model import Block
from collector.polling.learn import polled
from collector.polling.plan import Changed, Plan, snapshot
from collector.polling.questions import ask_for
from config.profiles import Profiles
from snmp import ber, message
from snmp.errors import DecodeError
from snmp.message import decode_varbinds
from snmp.table import MANNERS, Manner

PROFILES = Profiles.load()
GENERIC = PROFILES["generic"]


def series(block: Block) -> dict[object, float]:
    """The block's values by series."""
    return dict(zip(block.layout.series, block.values, strict=True))


def walked(rows: Rows) -> dict[object, float]:
    """What a fresh walk gives."""
    return series(snapshot(GENERIC, cells(GENERIC, rows), 0.0)[0])


def learnt(rows: Rows, manner: Manner = MANNERS[0], *, v1: bool = False) -> Plan:
    """A plan for the device, which has answered it once."""
    plan = Plan.made(GENERIC, cells(GENERIC, rows), manner, v1=v1)
    block, facts = plan.read(bodies(plan.requests, rows), 1.0)
    assert facts is not None
    assert series(block) == walked(rows)
    return plan


def test_moving_values_take_the_fast_path() -> None:
    """Counters that move are read at their known places, and give what a walk gives."""
    plan = learnt(ports(range(1, 9)))
    later = ports(range(1, 9), seed=50)
    answers = bodies(plan.requests, later)
    values = plan.values(answers)
    assert values is not None
    block, facts = plan.read(answers, 2.0)
    assert facts is None
    assert series(block) == walked(later)


def test_a_longer_number_is_read_right() -> None:
    """A counter that grows by an octet has another layout, and is read all the same, without new facts."""
    rows = ports(range(1, 5))
    plan = learnt(rows)
    rows[IFX + (6, 2)] = (ber.COUNTER64, 2**63 + 5)
    block, facts = plan.read(bodies(plan.requests, rows), 2.0)
    assert facts is None
    assert series(block) == walked(rows)
    assert plan.values(bodies(plan.requests, rows)) is not None, "the new layout is the known one now"


def test_a_port_that_goes_down_is_new_facts() -> None:
    """A value that is not a number to follow, as ifOperStatus, makes facts and values anew."""
    rows = ports(range(1, 5))
    plan = learnt(rows)
    rows[IF + (8, 2)] = (ber.INTEGER, 2)
    block, facts = plan.read(bodies(plan.requests, rows), 2.0)
    assert facts is not None
    assert next(p for p in facts.interfaces if p.index == 2).oper == "down"
    assert series(block) == walked(rows)


@pytest.mark.parametrize("gone", [1, 3, 8])
def test_a_row_that_vanishes_must_be_learnt(gone: int) -> None:
    """When a port is gone, no other port's numbers are taken for its own."""
    rows = ports(range(1, 9))
    plan = learnt(rows)
    left = {name: value for name, value in rows.items() if name[-1] != gone or not (IF.covers(name) or IFX.covers(name))}
    with pytest.raises(Changed):
        plan.read(bodies(plan.requests, left), 2.0)


@pytest.mark.parametrize("new", [1, 5, 99])
def test_a_new_row_is_noticed(new: int) -> None:
    """A port that appears before, between or behind the known ones is noticed at the next poll."""
    rows = ports([2, 3, 4, 6, 7])
    plan = learnt(rows)
    with pytest.raises(Changed):
        plan.read(bodies(plan.requests, rows | port(new)), 2.0)


def test_a_restart_must_be_learnt() -> None:
    """sysUpTime going back means that the ports may be numbered anew, even when everything looks the same."""
    rows = ports(range(1, 5))
    plan = learnt(rows)
    rows[UPTIME] = (ber.TIME_TICKS, 5)
    with pytest.raises(Changed, match="restarted"):
        plan.read(bodies(plan.requests, rows), 2.0)


def test_a_cut_off_answer_is_found_out() -> None:
    """A device that gives less than was asked is found out as one that does not bear it."""
    rows = ports(range(1, 30))
    plan = Plan.made(GENERIC, cells(GENERIC, rows))
    with pytest.raises(Changed) as caught:
        plan.read(bodies(plan.requests, rows, size=600), 2.0)
    assert caught.value.misshapen


@pytest.mark.parametrize("v1", [False, True])
@pytest.mark.parametrize("manner", MANNERS)
def test_every_bearing_gives_the_same(v1: bool, manner: Manner) -> None:
    """Small answers and single names give the same values as whole tables."""
    rows = ports(range(1, 30))
    plan = learnt(rows, manner, v1=v1)
    later = ports(range(1, 30), seed=3)
    block, _ = plan.read(bodies(plan.requests, later), 2.0)
    assert series(block) == walked(later)


@pytest.mark.parametrize("odd", wild.ODD)
def test_a_counter_of_another_type_is_no_number_of_the_old_one(odd: tuple[int, ber.Value]) -> None:
    """Octets where a counter stood, or nothing at all, are not read as its number, nor is its neighbour's."""
    rows = ports(range(1, 5))
    plan = learnt(rows)
    rows[IFX + (6, 2)] = odd
    for _ in range(2):
        assert series(plan.read(bodies(plan.requests, rows), 2.0)[0]) == walked(rows)


def test_a_width_that_cannot_be_is_an_error_of_the_wire() -> None:
    """A counter of no octets, or of ten, in an answer that is right otherwise."""
    rows = ports(range(1, 3))
    plan = learnt(rows)
    answers = bodies(plan.requests, rows)
    name = ber.encode_oid(IF + (14, 2))
    (at,) = [i for i, body in enumerate(answers) if name in body]
    for content in (b"", bytes(10)):
        bad = [b if b.oid != IF + (14, 2) else None for b in decode_varbinds(answers[at])]
        pieces = [message.encode_varbind(*b) if b else ber.tlv(ber.SEQUENCE, name + ber.tlv(ber.COUNTER32, content)) for b in bad]
        with pytest.raises(DecodeError):
            plan.read([*answers[:at], b"".join(pieces), *answers[at + 1 :]], 2.0)


def test_a_sensor_that_loses_its_reading_is_absent_at_once() -> None:
    """A number that means "no reading", and takes more octets than the one before, leaves one value out and no other."""
    probe = wild.ROOT + (51, 1, 2, 1)
    rows = {**ports(range(1, 5)), probe: (ber.INTEGER, 215)}
    plan = Plan.made(wild.WILD, wild.cells(rows))
    before, _ = plan.read(bodies(plan.requests, rows), 1.0)
    rows[probe] = (ber.INTEGER, 2147483647)
    after, _ = plan.read(bodies(plan.requests, rows), 2.0)
    lost = series(before).keys() - series(after).keys()
    assert [(one.metric, dict(one.labels)) for one in lost] == [("haidang_sensor_celsius", {"sensor": "deep 1"})]  # type: ignore[attr-defined]


def test_a_lost_answer_does_not_turn_one_counter_into_another() -> None:
    """Where some ports have 64-bit counters only and others 32-bit ones, what is read for want of the first is not shown."""
    rows = ports(range(1, 40))
    for i in range(1, 40):
        rows[IF + (10, i)] = (ber.COUNTER32, i)
    del rows[IFX + (6, 39)]
    plan = learnt(rows)
    answers = bodies(plan.requests, rows)
    for lost in range(len(answers)):
        block, _ = plan.read([None if i == lost else body for i, body in enumerate(answers)], 2.0)
        assert series(block).items() <= walked(rows).items()


def test_a_missing_answer_leaves_its_values_out() -> None:
    """Of a poll that was answered in part, what was answered is right and the rest is absent."""
    rows = ports(range(1, 40))
    plan = learnt(rows)
    answers: list[bytes | None] = list(bodies(plan.requests, rows))
    assert len(answers) > 2
    answers[-1] = None
    block, _ = plan.read(answers, 2.0)
    found, whole = series(block), walked(rows)
    assert 0 < len(found) < len(whole)
    assert found.items() <= whole.items()


def test_a_plan_survives_a_restart() -> None:
    """A plan from disk asks the same and understands the answers the same."""
    rows = ports(range(1, 9))
    plan = Plan.load(learnt(rows).dump(0.0), PROFILES, 0.0)
    assert series(plan.read(bodies(plan.requests, rows), 2.0)[0]) == walked(rows)


@pytest.mark.parametrize("damage", [b"", b"nonsense", b"x\x9c\x03\x00\x00\x00\x00\x01"])
def test_a_damaged_plan_is_refused(damage: bytes) -> None:
    """What is no plan raises ValueError and nothing else."""
    with pytest.raises(ValueError, match="plan"):
        Plan.load(damage, PROFILES, 0.0)


@pytest.mark.parametrize("body", [b"\x30", b"\x30\x03\x02\x01\x01", b"\x31\x00", bytes(50)])
def test_garbage_is_an_error_of_the_wire(body: bytes) -> None:
    """An answer that is no variable bindings raises DecodeError, or says that the shape is another."""
    plan = learnt(ports(range(1, 3)))
    with pytest.raises((DecodeError, Changed)):
        plan.read([body] * len(plan.requests), 2.0)


def test_answers_keep_to_their_size() -> None:
    """No answer holds more octets or objects than wanted."""
    rows = ports(range(1, 53))
    plan = Plan.made(GENERIC, cells(GENERIC, rows))
    for body in bodies(plan.requests, rows):
        assert len(body) <= MANNERS[0].octets
        assert len(decode_varbinds(body)) <= MANNERS[0].objects


def test_all_cells_are_asked_once() -> None:
    """The questions together name every cell that is polled, each exactly once."""
    asked = {c: rows for c, rows in cells(GENERIC, ports(range(1, 20))).items() if c in polled(GENERIC)}
    names = [
        name
        for question in ask_for(asked)
        for i, name in enumerate(question.names)
        if i not in question.sentinels
    ]  # fmt: skip
    assert sorted(names) == sorted(binding.oid.encode() for rows in asked.values() for binding in rows.values())


@st.composite
def histories(draw: st.DrawFn) -> list[wild.Rows]:
    """A device, and the same one at its later polls."""
    rows = [draw(wild.devices())]
    for _ in range(draw(st.integers(1, 4))):
        rows.append(draw(wild.later(rows[-1])))
    return rows


@given(histories(), st.sampled_from(MANNERS), st.sampled_from([message.V1, message.V2C]), st.data())
def test_a_planned_poll_is_a_walk_or_says_so(history: list[wild.Rows], manner: Manner, version: int, data: st.DataObject) -> None:
    """For any tree and any changes between two polls or in the middle of one, the plan gives what a walk gives, or must be
    learnt again; when answers are lost, it gives some of what a walk gives that finds the lost cells as they were heard last."""
    first, *later = [wild.seen(rows, version) for rows in history]
    plan = Plan.made(wild.WILD, wild.cells(first), manner, v1=version == message.V1)
    before, heard = first, [first] * len(plan.requests)
    for after in (first, *later):
        switch = data.draw(st.integers(0, len(plan.requests)), label="answers before the change")
        states = [before] * switch + [after] * (len(plan.requests) - switch)
        lost = data.draw(st.sets(st.integers(0, len(plan.requests)), max_size=1), label="lost") if plan.settled else set()
        try:
            answers: list[bytes | None] = list(wild.answers(plan, states, version))
            for i in lost & set(range(len(answers))):
                answers[i], states[i] = None, heard[i]
            block, _ = plan.read(answers, 2.0)
        except (Changed, wild.Refused):
            return
        whole = series(snapshot(wild.WILD, wild.cells(wild.mixed(plan, first, states)), 0.0)[0])
        found = series(block)
        if None in answers:
            whole = {key: value for key, value in whole.items() if key in found}
        else:
            heard = states
        assert found == pytest.approx(whole, rel=1e-12)
        before = after
