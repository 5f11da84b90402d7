"""One device through its turns: learnt, polled, learnt again when it changed, and asked in the shape it bears."""

from __future__ import annotations

import asyncio
import logging
import random
from typing import Any

import pytest
from crooked import GARBAGE, SILENCE, SPOILERS, Asked, Limit, beyond, cut, refuses, rows_skipped, short
from hypothesis import given, settings
from hypothesis import strategies as st
from rows import IF, IFX, UPTIME, port
from switches import PROFILES, Switch, desk, harmless, many, right, series
from virtual import clock, run

from collector.model import Outcome
from collector.polling import watch as watching
from collector.polling.ask import WINDOW
from collector.polling.plan import Plan
from collector.polling.watch import CALM, LEARN_WITHIN, RELEARN, Watch, restore
from snmp import ber, message
from snmp.message import VarBind
from snmp.oid import OID
from snmp.security import Community
from snmp.usm import User

SEALED = User(b"sealed", "SHA-1", b"authpass1234", "AES-128", b"privpass1234")
WORDY = User(b"w" * 32, "SHA-512", b"authpass1234", "AES-256", b"privpass1234")
TABLE_CHANGED = OID.parse("1.3.6.1.2.1.31.1.5.0")


def ticked(switch: Switch, ticks: int = 6000) -> None:
    """Let the switch's uptime and counters go on."""
    for name, (tag, value) in switch.rows.items():
        if tag in (ber.TIME_TICKS, ber.COUNTER32, ber.COUNTER64) and name != TABLE_CHANGED:
            assert isinstance(value, int)
            switch.rows[name] = (tag, value + ticks)


# in health


@pytest.mark.parametrize("credential", [Community(b"public"), Community(b"public", message.V1), SEALED])
def test_the_first_turn_learns_and_the_others_poll(credential: Any) -> None:
    """Each turn gives what a walk gives; from the second on it costs as many packets as the plan has questions."""

    async def work() -> None:
        switch = Switch(many(), [SEALED])
        async with desk(switch) as own:
            watch = own.watch(switch, credential)
            first = await own.turn(watch)
            assert right(first, switch) == (not isinstance(credential, Community) or credential.version != message.V1)
            assert first.facts is not None
            for _ in range(3):
                ticked(switch)
                before = switch.peer.requests()
                result = await own.turn(watch)
                assert result.outcome is Outcome.OK
                assert harmless(result, switch)
                assert result.facts is None
                assert watch.plan is not None
                assert switch.peer.requests() - before == len(watch.plan.requests)
            assert (watch.bearing.rung, watch.window) == (0, WINDOW)

    run(work)


def test_v1_reads_all_but_64_bit_counters() -> None:
    """In v1 everything that v1 can carry is there, also when the last object of all has a sentinel behind it."""

    async def work() -> None:
        switch = Switch({name: pair for name, pair in many().items() if pair[0] != ber.COUNTER64})
        async with desk(switch) as own:
            watch = own.watch(switch, Community(b"public", message.V1))
            for _ in range(3):
                assert right(await own.turn(watch), switch)
                ticked(switch)
            assert watch.plan is not None

    run(work)


def test_learning_again_within_the_hour() -> None:
    """After about an hour names are read anew, and facts are there again."""

    async def work() -> None:
        switch = Switch(many(3))
        async with desk(switch) as own:
            watch = own.watch(switch)
            await own.turn(watch)
            first = watch.plan
            await asyncio.sleep(RELEARN * 0.8)
            ticked(switch)
            await own.turn(watch)
            assert watch.plan is first
            await asyncio.sleep(RELEARN * 0.31)
            ticked(switch)
            result = await own.turn(watch)
            assert right(result, switch)
            assert result.facts is not None
            assert watch.plan is not first

    run(work)


def test_a_restart_of_ours_takes_the_plan_from_disk() -> None:
    """The first turn after a restart polls; nothing is walked; what the device bears is known."""

    async def work() -> None:
        switch = Switch(many())
        switch.crook = refuses(Limit(objects=30), message.GEN_ERR)
        async with desk(switch) as own:
            watch = own.watch(switch)
            await own.turn(watch)
            assert watch.bearing.rung == 1
            again = own.watch(switch)
            restore(again, Plan.load(own.kept[watch.device.id], PROFILES, 60.0), clock().time())
            assert again.bearing.rung == 1
            ticked(switch)
            before = switch.peer.requests()
            assert right(await own.turn(again), switch)
            assert again.plan is not None
            assert switch.peer.requests() - before == len(again.plan.requests)

    run(work)


def test_a_device_that_restarted_while_we_were_down_is_learnt_again() -> None:
    """A plan from disk knows how long the device must be up by now; a younger one may have its ports numbered anew."""

    async def work() -> None:
        switch = Switch(many(4))
        switch.rows[UPTIME] = (ber.TIME_TICKS, 1_000_000)
        async with desk(switch) as own:
            watch = own.watch(switch)
            await own.turn(watch)
            swapped = {**switch.rows, IFX + (1, 1): (ber.OCTET_STRING, b"p2"), IFX + (1, 2): (ber.OCTET_STRING, b"p1")}
            switch.rows = swapped
            switch.rows[UPTIME] = (ber.TIME_TICKS, 1_100_000)
            again = own.watch(switch)
            restore(again, Plan.load(own.kept[watch.device.id], PROFILES, 86400.0), clock().time())
            assert right(await own.turn(again), switch)

    run(work)


# devices that change


@pytest.mark.parametrize("change", ["row", "last row", "new row", "new last row", "column", "all"])
def test_a_change_is_learnt_in_the_same_turn(change: str) -> None:
    """Rows and columns that go or come are right in the very turn that notices them."""

    async def work() -> None:
        switch = Switch(many(12))
        del switch.rows[IF + (13, 12)]
        async with desk(switch) as own:
            watch = own.watch(switch)
            assert right(await own.turn(watch), switch)
            ticked(switch)
            rows = switch.rows
            if change == "row":
                switch.rows = {name: pair for name, pair in rows.items() if name[-1] != 5}
            elif change == "last row":
                switch.rows = {name: pair for name, pair in rows.items() if name[-1] != 12}
            elif change == "new row":
                rows |= port(0)
            elif change == "new last row":
                rows |= port(13)
            elif change == "column":
                switch.rows = {name: pair for name, pair in rows.items() if name[: len(IF) + 1] != (*IF, 14)}
            else:
                switch.rows = {name: pair for name, pair in many(3).items() if name not in rows or len(name) < 10 or name[-1] < 4}
                switch.rows[UPTIME] = rows[UPTIME]
            result = await own.turn(watch)
            assert right(result, switch)
            assert result.facts is not None
            ticked(switch)
            assert right(await own.turn(watch), switch)
            assert watch.bearing.rung == 0, "nothing was wrong with how it was asked"

    run(work)


def test_counters_that_wrap_and_numbers_that_fall_are_taken_as_they_are() -> None:
    """Raw counters go to the page; a wrap is no change of shape."""

    async def work() -> None:
        switch = Switch(many(4))
        async with desk(switch) as own:
            watch = own.watch(switch)
            switch.rows[IFX + (6, 2)] = (ber.COUNTER64, 2**64 - 1)
            switch.rows[IF + (14, 2)] = (ber.COUNTER32, 2**32 - 1)
            assert right(await own.turn(watch), switch)
            plan = watch.plan
            switch.rows[IFX + (6, 2)] = (ber.COUNTER64, 3)
            switch.rows[IF + (14, 2)] = (ber.COUNTER32, 0)
            result = await own.turn(watch)
            assert right(result, switch)
            assert 3 in series(result.block).values()
            assert watch.plan is plan

    run(work)


def swapped(switch: Switch) -> None:
    """The device restarts with its first two ports exchanged: names and counters change places."""
    rows = dict(switch.rows)
    for name, pair in switch.rows.items():
        if (IF.covers(name) or IFX.covers(name)) and name[-1] in (1, 2):
            rows[OID((*name[:-1], 3 - name[-1]))] = pair
    rows[UPTIME] = (ber.TIME_TICKS, 5)
    switch.rows = rows


def test_a_restart_between_turns_is_noticed() -> None:
    """Ports that changed places with a restart have their own values under their own names at once."""

    async def work() -> None:
        switch = Switch(many(12))
        async with desk(switch) as own:
            watch = own.watch(switch)
            assert right(await own.turn(watch), switch)
            swapped(switch)
            assert right(await own.turn(watch), switch)

    run(work)


@pytest.mark.parametrize("after", range(1, 8))
def test_a_restart_in_the_middle_of_a_turn_is_noticed(after: int) -> None:
    """A device that restarts while it is asked, whichever answers it gave before, never has its ports mixed up."""

    async def work() -> None:
        switch = Switch(many(40))
        before = dict(switch.rows)
        async with desk(switch) as own:
            watch = own.watch(switch)
            assert right(await own.turn(watch), switch)
            left = after

            def crook(asked: Asked, found: list[VarBind]) -> list[VarBind] | int:
                nonlocal left
                left -= 1
                if left == 0:
                    swapped(switch)
                    switch.peer.drop = 3
                    return SILENCE
                return found

            switch.crook = crook
            result = await own.turn(watch)
            assert switch.rows != before
            counters = {key: value for key, value in series(result.block).items() if "uptime" not in str(key)}
            assert counters.items() <= switch.truth().items(), "whatever its number, a port keeps its counters"
            switch.crook = None
            result = await own.turn(watch)
            assert right(result, switch)

    run(work)


@pytest.mark.parametrize("after", range(1, 30, 4))
def test_a_restart_in_the_middle_of_learning_is_noticed(after: int) -> None:
    """What was walked half before and half after a restart is not kept: the ports have their own values, or none."""

    async def work() -> None:
        switch = Switch(many(40))
        async with desk(switch) as own:
            watch = own.watch(switch)
            left = after

            def crook(asked: Asked, found: list[VarBind]) -> list[VarBind] | int:
                nonlocal left
                left -= 1
                if left == 0:
                    swapped(switch)
                    switch.peer.drop = 3
                    return SILENCE
                return found

            switch.crook = crook
            result = await own.turn(watch)
            counters = {key: value for key, value in series(result.block).items() if "uptime" not in str(key)}
            assert counters.items() <= switch.truth().items(), "whatever its number, a port keeps its counters"
            ticked(switch)
            for _ in range(2):
                result = await own.turn(watch)
            assert right(result, switch)

    run(work)


def test_a_device_that_was_exchanged_is_learnt_again() -> None:
    """After a silence another device answers, up for longer and with as many ports: they have its names at once."""

    async def work() -> None:
        switch = Switch(many(8))
        async with desk(switch) as own:
            watch = own.watch(switch)
            assert right(await own.turn(watch), switch)
            switch.peer.answer = lambda data, source: None
            await own.turn(watch)
            switch.peer.answer = switch.answer
            ticked(switch)
            switch.rows |= {IFX + (1, i): (ber.OCTET_STRING, b"new%d" % i) for i in range(1, 9)}
            switch.rows[OID.parse("1.3.6.1.2.1.1.1.0")] = (ber.OCTET_STRING, b"Another switch")
            result = await own.turn(watch)
            assert right(result, switch)
            assert any("new8" in str(key) for key in series(result.block))

    run(work)


def test_ports_replaced_under_the_same_numbers_are_noticed() -> None:
    """ifTableLastChange says that a module was exchanged: names are read again at once."""

    async def work() -> None:
        switch = Switch(many(8))
        switch.rows[TABLE_CHANGED] = (ber.TIME_TICKS, 77)
        async with desk(switch) as own:
            watch = own.watch(switch)
            assert right(await own.turn(watch), switch)
            ticked(switch)
            assert right(await own.turn(watch), switch)
            await asyncio.sleep(600)
            switch.rows[IFX + (1, 3)] = (ber.OCTET_STRING, b"new-module")
            switch.rows[TABLE_CHANGED] = (ber.TIME_TICKS, 100_500)
            result = await own.turn(watch)
            assert right(result, switch)
            assert any("new-module" in str(key) for key in series(result.block))

    run(work)


def test_a_last_change_that_always_changes_says_nothing() -> None:
    """A device whose ifTableLastChange is its uptime is not walked at every turn."""

    async def work() -> None:
        switch = Switch(many(8))
        async with desk(switch) as own:
            watch = own.watch(switch)
            requests = []
            for i in range(12):
                switch.rows[TABLE_CHANGED] = (ber.TIME_TICKS, 100_000 + i)
                ticked(switch)
                before = switch.peer.requests()
                assert right(await own.turn(watch), switch)
                requests.append(switch.peer.requests() - before)
                await asyncio.sleep(60)
            assert watch.plan is not None
            assert requests[3:] == [len(watch.plan.requests)] * 9

    run(work)


# what a device bears


LIMITS = [Limit(objects=30), Limit(objects=8), Limit(names=5), Limit(repetitions=1), Limit(mixed=False), Limit(objects=2)]


@pytest.mark.parametrize("how", [GARBAGE, SILENCE, message.GEN_ERR, message.TOO_BIG, *SPOILERS])
@pytest.mark.parametrize("limit", LIMITS)
def test_a_device_is_asked_in_the_shape_it_bears(limit: Limit, how: Any) -> None:
    """Whatever a device does wrong beyond its limits, its values are right or absent at every turn, all there within a few
    turns, and from then on polled by a plan without a single failure."""

    async def work() -> None:
        switch = Switch(many(14))
        switch.crook = refuses(limit, how) if isinstance(how, int) else beyond(limit, how)
        async with desk(switch) as own:
            watch = own.watch(switch)
            for _ in range(6):
                result = await own.turn(watch)
                assert harmless(result, switch)
                ticked(switch)
            assert watch.plan is not None
            for _ in range(3):
                before = switch.peer.requests()
                assert right(await own.turn(watch), switch)
                assert switch.peer.requests() - before == len(watch.plan.requests)
                ticked(switch)
            kept = Plan.load(own.kept[watch.device.id], PROFILES, 0.0)
            assert kept.rung == watch.bearing.rung

    run(work)


@pytest.mark.parametrize("crook", [cut(20), cut(3), short(600), short(200), beyond(Limit(repetitions=1), rows_skipped)])
def test_devices_that_truncate_or_skip(crook: Any) -> None:
    """Answers cut off, or with rows left out, are found out while learning or at the first poll."""

    async def work() -> None:
        switch = Switch(many(14))
        switch.crook = crook
        async with desk(switch) as own:
            watch = own.watch(switch)
            for _ in range(4):
                assert right(await own.turn(watch), switch)
                ticked(switch)
            assert watch.bearing.rung > 0

    run(work)


@pytest.mark.parametrize("user", [SEALED, WORDY], ids=["SEALED", "WORDY"])
@pytest.mark.parametrize("size", [message.MIN_MESSAGE, 700, 900, 1400])
def test_an_engine_is_asked_for_no_more_than_it_says_it_sends(user: User, size: int) -> None:
    """A v3 device that tells a maximum message size is never asked for an answer it would have to cut."""

    async def work() -> None:
        for count in (3, 8, 40):
            switch = Switch(many(count), [user], max_size=size)
            async with desk(switch) as own:
                watch = own.watch(switch, user)
                for _ in range(3):
                    assert right(await own.turn(watch), switch)
                    ticked(switch)
                assert watch.bearing.rung == 0, count

    run(work)


@pytest.mark.parametrize("count", [16, 24])
def test_counters_grow_within_what_an_engine_sends(count: int) -> None:
    """A v3 device whose answers fill what it sends is asked as before when the counters of some ports take an octet more."""

    async def work() -> None:
        switch = Switch(many(count), [SEALED])
        async with desk(switch) as own:
            watch = own.watch(switch, SEALED)
            assert right(await own.turn(watch), switch)
            for name, (tag, value) in switch.rows.items():
                if tag == ber.COUNTER32 and name[-1] <= 4:
                    assert isinstance(value, int)
                    switch.rows[name] = (tag, value | 2**31)
            plan = watch.plan
            assert right(await own.turn(watch), switch)
            assert (watch.plan, watch.bearing.rung) == (plan, 0)

    run(work)


@pytest.mark.parametrize("count", [14, 17, 35])
def test_answers_fit_a_packet_whatever_the_user(count: int) -> None:
    """A long user name and a long MAC leave fewer octets for objects: no answer that was planned is sent in fragments."""

    async def work() -> None:
        switch = Switch(many(count), [WORDY], max_size=message.MAX_MESSAGE)
        async with desk(switch) as own:
            watch = own.watch(switch, WORDY)
            await own.turn(watch)
            switch.sizes.clear()
            assert right(await own.turn(watch), switch)
            assert max(switch.sizes) <= message.PACKET

    run(work)


def test_a_device_that_comes_back_with_garbage_is_learnt_again() -> None:
    """A device that was silent and answers every question but the plain ones with garbage says so, and is right a turn later."""

    async def work() -> None:
        switch = Switch(many(20))
        async with desk(switch) as own:
            watch = own.watch(switch)
            assert right(await own.turn(watch), switch)
            switch.crook = lambda asked, found: SILENCE
            assert (await own.turn(watch)).outcome is Outcome.TIMEOUT
            switch.crook = lambda asked, found: GARBAGE if asked.kind == message.GET_BULK else found
            result = await own.turn(watch)
            assert (result.outcome, result.block, result.duration) == (Outcome.MALFORMED, None, None)
            assert right(await own.turn(watch), switch)

    run(work)


def test_a_device_that_came_to_bear_less_is_found_out() -> None:
    """A device that was asked in large shapes for long and then fails on them: all is there again within a few turns."""

    async def work() -> None:
        switch = Switch(many(14))
        async with desk(switch) as own:
            for how in (GARBAGE, SILENCE, message.GEN_ERR, message.TOO_BIG):
                switch.crook = None
                watch = own.watch(switch)
                for _ in range(3):
                    assert right(await own.turn(watch), switch)
                switch.crook = refuses(Limit(objects=20), how)
                found = [right(await own.turn(watch), switch) for _ in range(5)]
                assert found[-2:] == [True, True], how
                assert watch.bearing.rung > 0

    run(work)


@pytest.mark.parametrize("how", [GARBAGE, SILENCE, message.GEN_ERR])
@pytest.mark.parametrize("row", [1, 7, 24])
def test_an_object_that_breaks_the_agent_is_left_alone(how: int, row: int) -> None:
    """What comes before it is polled by a plan that asks neither for it nor for what is behind it, and nothing fails again."""

    async def work() -> None:
        switch = Switch(many(24))
        switch.crook = lambda asked, found: how if any(b.oid == IF + (14, row) for b in found) else found
        async with desk(switch) as own:
            watch = own.watch(switch)
            first = await own.turn(watch)
            assert "1.3.6.1.2.1.2.2.1.14" in first.message
            for _ in range(3):
                ticked(switch)
                before, failed = switch.peer.requests(), own.client.counters.retries
                result = await own.turn(watch)
                assert (result.outcome, result.message) == (Outcome.OK, "")
                assert len(series(result.block)) == len(switch.truth()) - (25 - row)
                assert harmless(result, switch)
                assert watch.plan is not None
                assert switch.peer.requests() - before == len(watch.plan.requests)
                assert own.client.counters.retries == failed
            assert watch.bearing.rung == 0, "nothing is wrong with the shape"

    run(work)


def test_one_bad_answer_is_no_reason_to_ask_for_less() -> None:
    """A single error of a healthy device costs the values it hid, for one turn, and nothing else."""

    async def work() -> None:
        switch = Switch(many(14))
        async with desk(switch) as own:
            watch = own.watch(switch)
            await own.turn(watch)
            for how in (GARBAGE, message.GEN_ERR):
                left = 1

                def crook(asked: Asked, found: list[VarBind], how: int = how) -> list[VarBind] | int:
                    nonlocal left
                    left -= 1
                    return how if left == 0 else found

                switch.crook = crook
                result = await own.turn(watch)
                assert result.outcome is not Outcome.OK
                assert harmless(result, switch)
                assert right(await own.turn(watch), switch)
            assert watch.bearing.rung == 0

    run(work)


def test_a_restart_sets_back_what_a_device_bears() -> None:
    """New software comes with a restart: the device is tried in the best shape again."""

    async def work() -> None:
        switch = Switch(many(14))
        switch.crook = refuses(Limit(objects=20), message.GEN_ERR)
        async with desk(switch) as own:
            watch = own.watch(switch)
            assert right(await own.turn(watch), switch)
            assert watch.bearing.rung > 0
            switch.crook = None
            switch.rows[UPTIME] = (ber.TIME_TICKS, 7)
            assert right(await own.turn(watch), switch)
            assert watch.bearing.rung == 0

    run(work)


def test_rows_that_come_and_go_all_the_time() -> None:
    """A device of which no two answers have the same rows is walked at each turn; what is said is right."""

    async def work() -> None:
        switch = Switch(many(14))
        count = 0

        def crook(asked: Asked, found: list[VarBind]) -> list[VarBind]:
            nonlocal count
            count += 1
            if count % 5 == 0:
                rows = [name for name in switch.rows if len(name) > len(IF) and name[-1] == 20]
                if rows:
                    for name in rows:
                        del switch.rows[name]
                else:
                    switch.rows |= port(20)
            return found

        switch.crook = crook
        async with desk(switch) as own:
            watch = own.watch(switch)
            whole = Switch(switch.rows | port(20))
            for _ in range(8):
                assert harmless(await own.turn(watch), whole)
            assert watch.bearing.rung < 4

    run(work)


# bursts


def burst(switch: Switch, most: int) -> None:
    """The switch takes so many requests within 10 ms; the others are lost."""
    recent: list[float] = []
    answer = switch.answer

    def limited(data: bytes, source: Any) -> bytes | None:
        now = clock().time()
        recent[:] = [when for when in recent if now - when < 0.01]
        if len(recent) >= most:
            return None
        recent.append(now)
        return answer(data, source)

    switch.peer.answer = limited


@pytest.mark.parametrize("most", [1, 2])
def test_a_device_that_drops_bursts_is_sent_fewer_at_once(most: int) -> None:
    """The window goes down within a few turns, after that nothing is lost; it is kept over a restart."""

    async def work() -> None:
        switch = Switch(many(50))
        async with desk(switch) as own:
            watch = own.watch(switch)
            assert right(await own.turn(watch), switch)
            switch.peer.delay = 0.02
            burst(switch, most)
            for _ in range(10):
                await own.turn(watch)
            assert watch.window == most
            lost = own.client.counters.retries
            for _ in range(5):
                assert right(await own.turn(watch), switch)
            assert own.client.counters.retries == lost
            assert Plan.load(own.kept[watch.device.id], PROFILES, 0.0).window == most

    run(work)


def test_random_losses_leave_the_window_as_it_is() -> None:
    """A line that loses every twentieth packet is no device that drops bursts, and no reason to ask for less."""

    async def work() -> None:
        switch = Switch(many(50))
        async with desk(switch) as own:
            watch = own.watch(switch)
            await own.turn(watch)
            answer = switch.answer
            count = 0

            def lossy(data: bytes, source: Any) -> bytes | None:
                nonlocal count
                count += 7919
                return None if count % 20 == 0 else answer(data, source)

            switch.peer.answer = lossy
            switch.peer.delay = 0.02
            for _ in range(60):
                assert right(await own.turn(watch), switch)
            assert (watch.window, watch.bearing.rung) == (WINDOW, 0)

    run(work)


def test_the_window_opens_again() -> None:
    """After a calm while one more request is under way at once."""

    async def work() -> None:
        switch = Switch(many(50))
        async with desk(switch) as own:
            watch = own.watch(switch)
            await own.turn(watch)
            watch.window = 2
            for _ in range(CALM):
                await own.turn(watch)
            assert watch.window == 3

    run(work)


# the silent


def test_a_dead_device_costs_at_most_three_packets_a_turn() -> None:
    """From its second silent turn on, the question whether somebody is there included; before, the window and four more."""

    async def work() -> None:
        switch = Switch(many())
        async with desk(switch) as own:
            unknown, known = own.watch(switch), own.watch(switch)
            await own.turn(known)
            plan = known.plan
            assert plan is not None
            assert len(plan.requests) <= WINDOW
            switch.peer.answer = lambda data, source: None
            requests = []
            for watch in (unknown, known):
                for _ in range(4):
                    before = switch.peer.requests()
                    result = await own.turn(watch)
                    assert result.outcome is Outcome.TIMEOUT
                    requests.append(switch.peer.requests() - before)
            assert requests == [3, 3, 2, 2, len(plan.requests) + 4, 3, 2, 2]
            switch.peer.answer = switch.answer
            ticked(switch)
            for watch in (unknown, known):
                assert right(await own.turn(watch), switch)

    run(work)


def test_a_device_that_comes_back_is_polled_by_its_plan() -> None:
    """After a silence one greeting comes first, then the plan that is still there."""

    async def work() -> None:
        switch = Switch(many())
        async with desk(switch) as own:
            watch = own.watch(switch)
            await own.turn(watch)
            plan = watch.plan
            switch.peer.answer = lambda data, source: None
            await own.turn(watch)
            switch.peer.answer = switch.answer
            ticked(switch)
            before = switch.peer.requests()
            assert right(await own.turn(watch), switch)
            assert watch.plan is plan
            assert plan is not None
            assert switch.peer.requests() - before == 1 + len(plan.requests)

    run(work)


def test_dead_devices_keep_nobody_from_learning() -> None:
    """Two hundred dead devices before a living one: it is learnt before the first of them has timed out."""

    async def work() -> None:
        dead, living = Switch(many(2)), Switch(many(2))
        async with desk(dead, living) as own:
            dead.peer.answer = lambda data, source: None
            ended: list[Any] = []
            for _ in range(200):
                own.asking.turn(own.watch(dead), lambda watch, result: ended.append(result))
            began = clock().time()
            assert right(await own.turn(own.watch(living)), living)
            assert clock().time() - began < 1
            await asyncio.sleep(60)
            assert len(ended) == 200

    run(work)


def test_an_endless_lesson_ends() -> None:
    """A device that answers so slowly that learning takes for ever is told so, and leaves its place to others."""

    async def work() -> None:
        switch = Switch(many(300))
        async with desk(switch) as own:
            watch = own.watch(switch)
            switch.peer.delay = 13.0
            began = clock().time()
            result = await own.turn(watch)
            assert clock().time() - began < LEARN_WITHIN + 20
            assert result.outcome is Outcome.MALFORMED
            assert "learnt within 300 s" in result.message
            assert own.client.waiting == 0

    run(work)


def test_an_error_of_our_own_ends_the_turn(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """A bug in reading one device's answers is logged with its name; the device is asked again next time."""

    async def work() -> None:
        switch = Switch(many(3))
        async with desk(switch) as own:
            watch = own.watch(switch)
            await own.turn(watch)
            with monkeypatch.context() as patch:
                patch.setattr(Plan, "read", lambda *_: 1 / 0)
                result = await own.turn(watch)
                assert result.outcome is Outcome.MALFORMED
                assert "ZeroDivisionError" in result.message
                patch.setattr(watching, "learn", lambda *_: 1 / 0)
                watch.plan = None
                assert (await own.turn(watch)).outcome is Outcome.MALFORMED
            assert right(await own.turn(watch), switch)

    with caplog.at_level(logging.ERROR):
        run(work)
    assert sum("error of our own device=sw-" in record.getMessage() for record in caplog.records) == 2


# anything


@settings(max_examples=12)
@given(st.integers(0, 2**32), st.integers(3, 12), st.booleans())
def test_whatever_a_device_does_its_values_are_right_or_absent(seed: int, ports: int, v1: bool) -> None:
    """A device that refuses, spoils, loses and changes rows at random: no value is ever another's, nothing hangs, and once
    it answers rightly all is there."""

    source = random.Random(seed)

    async def work() -> None:
        switch = Switch(many(ports))

        def crook(asked: Asked, found: list[VarBind]) -> list[VarBind] | int:
            chance = source.random()
            if chance < 0.6:
                return found
            if chance < 0.75:
                return source.choice([GARBAGE, SILENCE, message.GEN_ERR, message.TOO_BIG])
            if chance < 0.85:
                return found[: source.randrange(len(found) + 1)]
            return source.choice(SPOILERS)(asked, found)

        async with desk(switch) as own:
            watch: Watch = own.watch(switch, Community(b"public", message.V1 if v1 else message.V2C), timeout=0.3)
            switch.crook = crook
            for _ in range(8):
                assert harmless(await own.turn(watch), switch)
                await asyncio.sleep(60)
            switch.crook = None
            for _ in range(4):
                result = await own.turn(watch)
            assert harmless(result, switch)
            assert result.outcome is Outcome.OK

    run(work)
