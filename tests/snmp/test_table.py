"""Tables: every row of every column from devices of every kind, each row where its name says."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from crooked import (
    GARBAGE,
    SILENCE,
    SPOILERS,
    Asked,
    Crook,
    Limit,
    backwards,
    beyond,
    columns_lost,
    crooked,
    cut,
    refuses,
    repeated,
    rows_skipped,
    short,
)
from devices import Device, listening, question, reply, responder, silent, system
from hypothesis import given, settings
from hypothesis import strategies as st
from virtual import clock, run

from snmp import ber, message, table
from snmp.client import Client, Target
from snmp.errors import SnmpError, Timeout, WalkError
from snmp.message import VarBind
from snmp.oid import OID
from snmp.security import Community
from snmp.table import MANNERS, Bearing, confirm, walk_columns
from snmp.tree import Tree

ENTRY = OID((1, 3, 6, 1, 4, 1, 32473, 7, 1))
Indexes = dict[int, Sequence[int]]
"""Column -> the rows it has."""


def column(number: int) -> OID:
    return OID((*ENTRY, number))


def value(number: int, row: int) -> int:
    return 1000 * number + row


def tree(indexes: Indexes) -> Tree:
    """A table in which each cell tells its place, behind a system group."""
    rows = [((*column(number), row), ber.GAUGE32, value(number, row)) for number, some in indexes.items() for row in some]
    return system(more=[(OID(name), tag, found) for name, tag, found in rows])


def right(indexes: Indexes) -> dict[int, dict[int, int]]:
    return {number: {row: value(number, row) for row in rows} for number, rows in indexes.items()}


def walked(
    indexes: Indexes,
    crook: Crook | None = None,
    *,
    columns: Sequence[int] = (),
    bearing: Bearing | None = None,
    missed: table.Missed | None = None,
    version: int = message.V2C,
    max_size: int = 1472,
    timeout: float = 2.0,
    confirmed: bool = False,
) -> tuple[dict[int, dict[int, int]], int]:
    """(column -> row -> value as walked, requests); fails when a cell has not the value of its place."""

    async def whole() -> tuple[dict[int, dict[int, int]], int]:
        client = Client()
        agent = responder(tree(indexes), max_size=max_size).answer
        async with listening(crooked(agent, crook) if crook else agent) as device:
            target = Target(device.host, device.port, Community(b"public", version), timeout=timeout)
            names = [column(number) for number in columns or sorted(indexes)]
            rows = await walk_columns(client, target, names, bearing, missed)
            if confirmed and not await confirm(client, target, rows, missed or ()):
                rows = await walk_columns(client, target, names, Bearing(3), missed)
            assert client.waiting == 0
            client.close()
            cells = {name[-1]: {index[0]: _value(b) for index, b in found.items()} for name, found in rows.items()}
            return cells, device.requests()

    found, requests = run(whole)
    for number, rows in found.items():
        for row, one in rows.items():
            assert one == value(number, row), "another row's value"
    return found, requests


def _value(binding: VarBind) -> int:
    assert isinstance(binding.value, int)
    return binding.value


PORTS: Indexes = {number: range(1, 40) for number in range(2, 22)}


@pytest.mark.parametrize("version", [message.V1, message.V2C])
@pytest.mark.parametrize(
    "indexes",
    [
        PORTS,
        {1: [5]},
        {1: [], 2: [1, 2], 3: [], 4: [2]},
        {1: range(1, 30), 2: range(20, 60), 3: [7], 4: range(1, 30, 3)},
        {1: [0, 2**31]},
    ],
)
def test_every_row_of_every_column(indexes: Indexes, version: int) -> None:
    """Even, sparse, empty and long columns side by side are all read whole."""
    assert walked(indexes, version=version)[0] == right(indexes)


def test_columns_go_together() -> None:
    """Twenty columns of 39 rows cost few requests, as many as answers of 48 objects take and a few for the ends."""
    assert walked(PORTS)[1] <= 20 * 39 / 48 + 6


def test_columns_need_not_be_neighbours() -> None:
    """Columns that were not asked for, between those that were, do not appear and do no harm."""
    assert walked(PORTS, columns=(3, 7, 20))[0] == {number: right(PORTS)[number] for number in (3, 7, 20)}


@pytest.mark.parametrize("max_size", [484, 700])
def test_small_answers_are_enough(max_size: int) -> None:
    """An agent that cuts its answers off to its size is walked all the same."""
    assert walked(PORTS, max_size=max_size)[0] == right(PORTS)


@pytest.mark.parametrize("how", [GARBAGE, SILENCE, message.GEN_ERR, message.TOO_BIG])
@pytest.mark.parametrize(
    ("limit", "rung"),
    [
        (Limit(repetitions=1), 3),
        (Limit(repetitions=0), 3),
        (Limit(objects=16), 1),
        (Limit(names=4), 2),
        (Limit(names=1), 4),
        (Limit(objects=1), 4),
    ],
)
def test_a_device_that_refuses_is_asked_for_less(limit: Limit, rung: int, how: int) -> None:
    """However a device fails on too much, the shape it bears is found and remembered, and nothing is lost."""
    bearing = Bearing()
    indexes = {number: range(1, 15) for number in range(1, 13)}
    assert walked(indexes, refuses(limit, how), bearing=bearing)[0] == right(indexes)
    assert 0 < bearing.rung <= rung
    again, requests = walked(indexes, refuses(limit, how), bearing=bearing)
    assert again == right(indexes)
    assert requests < 12 * 14 * 1.2, "nothing is tried again that failed"


@pytest.mark.parametrize("spoil", SPOILERS)
@pytest.mark.parametrize("limit", [Limit(objects=20), Limit(names=3), Limit(repetitions=1), Limit(names=1)])
def test_a_device_that_answers_wrongly_is_asked_for_less(limit: Limit, spoil: Any) -> None:
    """Columns swapped or lost, rows repeated or reversed, in answers to too much: all rows are found in the end."""
    indexes = {number: range(1, 15) for number in range(1, 9)}
    missed: table.Missed = {}
    assert walked(indexes, beyond(limit, spoil), missed=missed)[0] == right(indexes)
    assert missed == {}


@pytest.mark.parametrize("crook", [cut(1), cut(5), cut(30), short(100), short(500)])
def test_a_device_that_truncates_is_walked(crook: Crook) -> None:
    """Answers cut off anywhere, in the middle of a row as well, lose nothing."""
    indexes = {number: range(1, 15) for number in range(1, 9)}
    assert walked(indexes, crook)[0] == right(indexes)


def test_a_device_that_answers_nothing_for_columns() -> None:
    """Empty answers are no tables: each column is given up, and said."""
    missed: table.Missed = {}
    assert walked({1: [1], 2: [1]}, lambda asked, _: [], missed=missed)[0] == {1: {}, 2: {}}
    assert len(missed) == 2
    with pytest.raises(WalkError):
        walked({1: [1], 2: [1]}, lambda asked, _: [])


def test_one_object_that_breaks_the_agent() -> None:
    """A cell that cannot be read ends its column, and says so; the other columns and the shape stay as they were."""
    indexes = {number: range(1, 15) for number in range(1, 9)}

    def crook(asked: Asked, found: list[VarBind]) -> list[VarBind] | int:
        return message.GEN_ERR if any(binding.oid == OID((*column(3), 7)) for binding in found) else found

    missed: table.Missed = {}
    bearing = Bearing()
    found, _ = walked(indexes, crook, missed=missed, bearing=bearing)
    assert found == {**right(indexes), 3: {row: value(3, row) for row in range(1, 7)}}
    assert bearing.rung == 0
    assert table.said(missed) == [f"{column(3)}: genErr"]


@pytest.mark.parametrize("how", [SILENCE, GARBAGE])
def test_one_object_that_silences_the_agent(how: int) -> None:
    """The same for a cell that makes the agent hang, or garble."""
    indexes = {number: range(1, 5) for number in range(1, 5)}

    def crook(asked: Asked, found: list[VarBind]) -> list[VarBind] | int:
        return how if any(binding.oid == OID((*column(3), 2)) for binding in found) else found

    missed: table.Missed = {}
    assert walked(indexes, crook, missed=missed)[0] == {**right(indexes), 3: {1: value(3, 1)}}
    assert len(missed) == 1


def test_a_device_that_dies_in_the_middle_is_left_alone() -> None:
    """It is not asked in ever smaller shapes when it does not even say what it is."""

    async def whole() -> None:
        client = Client()
        agent = responder(tree(PORTS)).answer
        async with listening(agent) as device:
            left = 5

            def answer(data: bytes, source: Any) -> Any:
                nonlocal left
                left -= 1
                return agent(data, source) if left > 0 else None

            device.answer = answer
            began = clock().time()
            with pytest.raises(Timeout):
                await walk_columns(client, Target(device.host, device.port, Community(b"public")), [column(n) for n in PORTS])
            assert device.requests() <= 4 + 3 * 3
            assert clock().time() - began < 60
        client.close()

    run(whole)


def test_an_endless_table_is_left_out() -> None:
    """A device that counts on for ever is stopped, nothing of that column is kept, and it is said."""

    async def whole() -> None:
        client = Client()

        def answer(data: bytes, _: Any) -> bytes:
            pdu, asked = question(data)
            rows = range(1, max(1, pdu.error_index) + 1)
            last = {b.oid[: len(ENTRY) + 1]: b.oid[len(ENTRY) + 1 :] for b in asked}
            begins = {name: index[0] if index else 0 for name, index in last.items()}
            return reply(data, [VarBind(OID((*n, first + row)), ber.INTEGER, 1) for row in rows for n, first in begins.items()])

        async with listening(answer) as device:
            missed: table.Missed = {}
            target = Target(device.host, device.port, Community(b"public"))
            rows = await walk_columns(client, target, [column(1), column(2)], missed=missed)
            assert rows == {column(1): {}, column(2): {}}
            assert list(missed.values()) == ["more than 8192 rows: it counts on for ever"] * 2
            assert device.requests() < 2 * 8192 / 40
        client.close()

    run(whole)


@pytest.mark.parametrize("step", [0, 1])
def test_a_table_that_goes_in_a_circle_is_left(step: int) -> None:
    """A device that repeats a row, or steps back to the first, is not followed: what came is kept, and it is said."""

    def crook(asked: Asked, found: list[VarBind]) -> list[VarBind]:
        rows = [min(b.oid[-1], 3) if step == 0 else (b.oid[-1] - 1) % 3 + 1 for b in found]
        return [VarBind(OID((*column(1), row)), ber.GAUGE32, value(1, row)) for row in rows]

    missed: table.Missed = {}
    found, requests = walked({1: range(1, 30)}, crook, missed=missed)
    assert found == {1: {row: value(1, row) for row in (1, 2, 3)}}
    assert len(missed) == 1
    assert requests < 10


def test_a_silent_device_is_a_timeout() -> None:
    """Nothing at all: the error of the first request, after asking whether the device is there."""

    async def whole() -> int:
        client = Client()
        async with listening(silent) as device:
            with pytest.raises(Timeout):
                await walk_columns(client, Target(device.host, device.port, Community(b"public")), [column(1), column(2)])
            return device.requests()

    assert run(whole) == 9


def test_tables_side_by_side_go_down_together() -> None:
    """Three tables of one device that fail at the same time lower its bearing by one rung, not three."""

    async def whole() -> None:
        client = Client()
        indexes = {number: range(1, 20) for number in range(1, 13)}
        agent = crooked(responder(tree(indexes)).answer, refuses(Limit(objects=20), message.GEN_ERR))
        async with listening(agent) as device:
            target = Target(device.host, device.port, Community(b"public"))
            bearing = Bearing()
            parts = [[column(n) for n in range(start, start + 4)] for start in (1, 5, 9)]
            rows = await asyncio.gather(*(walk_columns(client, target, part, bearing) for part in parts))
            assert sum(len(found) for part in rows for found in part.values()) == 12 * 19
            assert bearing.rung == 1
        client.close()

    run(whole)


def test_the_ladder_ends_where_every_device_stands() -> None:
    """Rungs only go down, to one object a request by GETNEXT, and stay within the ladder."""
    bearing = Bearing(-5)
    rungs = []
    while bearing.lower(bearing.rung):
        rungs.append(bearing.rung)
    assert rungs == [1, 2, 3, 4]
    assert bearing.manner == MANNERS[-1] == table.Manner(1, 1, 440, bulk=False)
    assert Bearing(99).rung == 4
    assert not bearing.lower(4)


@st.composite
def devices(draw: st.DrawFn) -> tuple[Indexes, Crook, int]:
    """A table, an agent that spoils or refuses what is beyond its limits, and a version."""
    numbers = draw(st.lists(st.integers(1, 30), min_size=1, max_size=9, unique=True))
    indexes = {number: sorted(draw(st.sets(st.integers(1, 25), max_size=14))) for number in sorted(numbers)}
    limit = Limit(draw(st.integers(1, 12)), draw(st.integers(0, 12)), draw(st.integers(1, 60)))
    how = draw(st.sampled_from([GARBAGE, SILENCE, message.GEN_ERR, message.TOO_BIG, *SPOILERS, rows_skipped, columns_lost]))
    crook = refuses(limit, how) if isinstance(how, int) else beyond(limit, how)
    return indexes, crook, draw(st.sampled_from([message.V1, message.V2C]))


@settings(max_examples=60)
@given(devices())
def test_whatever_is_wrong_beyond_a_limit_nothing_is_wrong_in_the_rows(made: tuple[Indexes, Crook, int]) -> None:
    """For any table and any agent that answers single objects rightly, all rows are found, and none in another's place."""
    indexes, crook, version = made
    missed: table.Missed = {}
    found, _ = walked(indexes, crook, missed=missed, version=version, timeout=0.5, confirmed=True)
    assert found == right(indexes), missed


@pytest.mark.parametrize("spoil", [rows_skipped, backwards, repeated])
def test_what_cannot_be_seen_in_bulk_is_found_by_asking_singly(spoil: Any) -> None:
    """A device that skips rows in bulk, or hides them, is found out by a few single questions."""
    indexes = {number: range(1, 15) for number in range(1, 9)}
    for honest in (True, False):

        async def whole(honest: bool = honest) -> bool:
            client = Client()
            agent = responder(tree(indexes)).answer
            crook = beyond(Limit(repetitions=1), spoil)
            async with listening(agent if honest else crooked(agent, crook)) as device:
                target = Target(device.host, device.port, Community(b"public"))
                half = {column(n): {(row,): VarBind(OID((*column(n), row)), 66, 1) for row in range(1, 15, 2)} for n in indexes}
                rows = await walk_columns(client, target, list(map(column, indexes)), Bearing()) if honest else half
                client_found = await confirm(client, target, rows)
                client.close()
                return client_found

        assert run(whole) is honest


@settings(max_examples=60)
@given(st.randoms(use_true_random=False), devices())
def test_rows_are_right_or_absent(source: Any, made: tuple[Indexes, Crook, int]) -> None:
    """For an agent that spoils its answers at random, single objects as well, every row that is found is right."""
    indexes, _, version = made

    def crook(asked: Asked, found: list[VarBind]) -> list[VarBind] | int:
        chance = source.random()
        if chance < 0.5:
            return found
        if chance < 0.6:
            return source.choice([GARBAGE, SILENCE, message.GEN_ERR, message.TOO_BIG])  # type: ignore[no-any-return]
        if chance < 0.8:
            return found[: source.randrange(len(found) + 1)]
        return source.choice([*SPOILERS, columns_lost])(asked, found)  # type: ignore[no-any-return]

    missed: table.Missed = {}
    try:
        found, _ = walked(indexes, crook, missed=missed, version=version, timeout=0.5)
    except SnmpError:
        return
    for number, rows in found.items():
        assert rows.items() <= right(indexes)[number].items()


def test_nothing_to_walk() -> None:
    """No columns, no packets."""

    async def whole() -> None:
        client = Client()
        async with listening(silent) as device:
            target = Target(device.host, device.port, Community(b"public"))
            assert await walk_columns(client, target, []) == {}
            assert isinstance(device, Device)
            assert device.requests() == 0
        client.close()

    run(whole)
