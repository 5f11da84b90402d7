"""Learning: the right profile, every row of it, and a place for everybody who wants to learn."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from crooked import Asked, Limit, beyond, columns_lost, crooked, refuses, rows_skipped
from devices import listening, question, reply, responder, silent, system
from rows import cells, ports
from switches import GENERIC, PROFILES
from virtual import clock, run

from collector.polling.learn import GREETING, TABLE_CHANGED, Learners, columns, learn, polled
from snmp import ber, message
from snmp.client import Client, Target
from snmp.errors import Timeout, WrongDigest
from snmp.message import VarBind
from snmp.oid import OID
from snmp.security import Community
from snmp.table import Bearing
from snmp.tree import Tree
from snmp.usm import User

SEALED = User(b"sealed", "SHA-1", b"authpass1234", "AES-128", b"privpass1234")


def tree(rows: Any) -> Tree:
    return Tree.of((name, tag, value) for name, (tag, value) in sorted(rows.items()))


def learnt(answer: Any, credential: Any = Community(b"public"), **options: Any) -> Any:
    """(what was learnt, requests it took)."""

    async def whole() -> Any:
        client = Client()
        async with listening(answer()) as device:
            found = await learn(client, Target(device.host, device.port, credential), PROFILES, "generic", **options)
            assert client.waiting == 0
            client.close()
            return found, device.requests()

    return run(whole)


SWITCH = ports(range(1, 25))


@pytest.mark.parametrize("credential", [Community(b"public"), SEALED])
def test_all_rows_of_the_profile_are_learnt(credential: Any) -> None:
    """What is learnt is what a walk of everything gives."""
    found, requests = learnt(lambda: responder(tree(SWITCH), [SEALED]).answer, credential)
    assert found.profile is GENERIC
    assert found.cells == cells(GENERIC, SWITCH)
    assert found.missed == ""
    assert requests < 40


def test_v1_learns_all_but_counter64() -> None:
    """The same in v1, which cannot carry 64-bit counters."""
    found, _ = learnt(lambda: responder(tree(SWITCH)).answer, Community(b"public", message.V1))
    assert found.cells == cells(GENERIC, {name: pair for name, pair in SWITCH.items() if pair[0] != ber.COUNTER64})


def test_what_was_answered_already_is_not_asked_again() -> None:
    """The answer to the greeting is taken over."""
    first = [VarBind(name, *SWITCH[name]) for name in GREETING]
    _, without = learnt(lambda: responder(tree(SWITCH)).answer)
    _, greeted = learnt(lambda: responder(tree(SWITCH)).answer, first=first)
    assert greeted == without - 1
    _, other = learnt(lambda: responder(tree(SWITCH)).answer, first=first[:1])
    assert other == without


def test_the_profile_is_chosen_from_what_the_device_says() -> None:
    """A sysObjectID that a profile names gives that profile; one that nobody names the generic one."""

    async def whole(object_id: str) -> str:
        client = Client()
        rows = {**SWITCH, OID.parse("1.3.6.1.2.1.1.2.0"): (ber.OBJECT_IDENTIFIER, OID.parse(object_id))}
        async with listening(responder(tree(rows)).answer) as device:
            found = await learn(client, Target(device.host, device.port, Community(b"public")), PROFILES)
        client.close()
        return found.profile.name

    assert run(lambda: whole("1.3.6.1.4.1.4242.1")) == "generic"
    assert run(lambda: whole("1.3.6.1.4.1.9.1.1208")) != "generic"


def test_a_device_with_nothing_is_learnt_as_such() -> None:
    """A system group and no table: what there is, without complaints."""
    found, _ = learnt(lambda: responder(system()).answer)
    assert found.missed == ""
    assert OID.parse("1.3.6.1.2.1.1.5") in found.cells


def test_a_table_that_cannot_be_read_is_said() -> None:
    """An object that breaks the agent ends its column, in words; everything else is there."""
    bad = OID.parse("1.3.6.1.2.1.2.2.1.14.7")

    def crook(asked: Asked, found: list[VarBind]) -> list[VarBind] | int:
        return message.GEN_ERR if any(binding.oid == bad for binding in found) else found

    found, _ = learnt(lambda: crooked(responder(tree(SWITCH)).answer, crook))
    assert found.missed == "1.3.6.1.2.1.2.2.1.14: genErr"
    expected = cells(GENERIC, SWITCH)
    column = OID(bad[:-1])
    assert {**found.cells, column: {}} == {**expected, column: {}}
    assert set(found.cells[column]) == {(row,) for row in range(1, 7)}


@pytest.mark.parametrize("crook", [beyond(Limit(repetitions=1), rows_skipped), beyond(Limit(names=2), columns_lost)])
def test_a_device_that_hides_things_is_found_out(crook: Any) -> None:
    """Rows left out of large answers, columns lost from wide ones: all of it is learnt, and the bearing remembers why."""
    bearing = Bearing()
    found, _ = learnt(lambda: crooked(responder(tree(SWITCH)).answer, crook), bearing=bearing)
    assert found.cells == cells(GENERIC, SWITCH)
    assert bearing.rung > 0


def test_what_is_known_to_be_borne_is_asked() -> None:
    """A second lesson in the shape that the first one found does not fail once."""
    bearing = Bearing()
    limit = refuses(Limit(objects=15), message.TOO_BIG)
    learnt(lambda: crooked(responder(tree(SWITCH)).answer, limit), bearing=bearing)
    rung = bearing.rung
    assert rung > 0
    failures = 0

    def crook(asked: Asked, found: list[VarBind]) -> list[VarBind] | int:
        nonlocal failures
        failures += Limit(objects=15).exceeded(asked)
        return limit(asked, found)

    learnt(lambda: crooked(responder(tree(SWITCH)).answer, crook), bearing=bearing)
    assert bearing.rung == rung
    assert failures <= 3, "single objects in lists longer than fifteen"


def test_a_device_that_dies_while_it_is_learnt_is_a_timeout() -> None:
    """After a few answers nothing: one error for the whole, soon, whatever tables are walked side by side."""

    async def whole() -> None:
        client = Client()
        agent = responder(tree(SWITCH)).answer
        left = 6

        def answer(data: bytes, source: Any) -> Any:
            nonlocal left
            left -= 1
            return agent(data, source) if left >= 0 else None

        async with listening(answer) as device:
            began = clock().time()
            with pytest.raises(Timeout):
                await learn(client, Target(device.host, device.port, Community(b"public")), PROFILES, "generic")
            assert clock().time() - began < 60
            await asyncio.sleep(0)
            assert client.waiting == 0
        client.close()

    run(whole)


def test_a_refusal_is_raised() -> None:
    """A wrong password ends the lesson with what the device says."""
    with pytest.raises(WrongDigest):
        learnt(lambda: responder(tree(SWITCH), [SEALED]).answer, SEALED._replace(auth_secret=b"another one"))
    with pytest.raises(Timeout):
        learnt(lambda: silent)


def test_a_device_that_says_nothing_useful() -> None:
    """Wrong types for sysDescr and sysObjectID, and NULLs for everything, are no reason to fail."""

    def answer(data: bytes, _: Any) -> bytes:
        pdu, asked = question(data)
        if pdu.type == message.GET:
            return reply(data, [VarBind(b.oid, ber.INTEGER, 5) for b in asked])
        return reply(data, [VarBind(b.oid, ber.END_OF_MIB_VIEW, None) for b in asked])

    found, _ = learnt(lambda: answer)
    assert found.profile is GENERIC


def test_what_is_polled_is_a_part_of_what_is_learnt() -> None:
    """Of every profile: columns are ascending, none twice, and each poll asks some of them."""
    for name in PROFILES:
        profile = PROFILES[name]
        every = columns(profile)
        assert list(every) == sorted(set(every))
        assert polled(profile) <= set(every)
        assert TABLE_CHANGED in every


# learners


def test_no_more_than_so_many_learn_at_once() -> None:
    """The others wait their turn, first come first served, and all get it."""

    async def whole() -> None:
        running = most = 0
        order: list[int] = []

        async def lesson(i: int) -> None:
            nonlocal running, most
            running += 1
            most = max(most, running)
            order.append(i)
            await asyncio.sleep(1)
            running -= 1

        learners = Learners(3)
        for i in range(10):
            learners.add(lambda i=i: lesson(i))  # type: ignore[misc]
        assert len(learners) == 7
        await asyncio.sleep(20)
        assert (most, order, len(learners)) == (3, list(range(10)), 0)

    run(whole)


def test_a_lesson_that_fails_gives_its_place_back(caplog: pytest.LogCaptureFixture) -> None:
    """An error of ours is logged, and the next one learns."""

    async def whole() -> None:
        learners = Learners(1)
        done = asyncio.Event()

        async def broken() -> None:
            raise ZeroDivisionError

        async def fine() -> None:
            done.set()

        learners.add(broken)
        learners.add(fine)
        await asyncio.wait_for(done.wait(), 5)

    with caplog.at_level(logging.ERROR):
        run(whole)
    assert "an error of our own" in caplog.text


def test_closed_learners_learn_no_more() -> None:
    """What runs is cancelled, what waits is dropped, what comes later is ignored."""

    async def whole() -> None:
        learners = Learners(1)
        seen: list[str] = []

        async def lesson(name: str) -> None:
            try:
                await asyncio.sleep(100)
                seen.append(name)
            except asyncio.CancelledError:
                seen.append(f"{name} cancelled")
                raise

        learners.add(lambda: lesson("one"))
        learners.add(lambda: lesson("two"))
        await asyncio.sleep(1)
        learners.close()
        learners.add(lambda: lesson("three"))
        await asyncio.sleep(300)
        assert seen == ["one cancelled"]

    run(whole)
