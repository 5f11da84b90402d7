"""Coroutines over the client: objects are right or absent, whatever the device leaves out, repeats or refuses."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import pytest
from crooked import GARBAGE, SILENCE, Asked, crooked
from devices import DESCR, NAME, UPTIME, Answer, Device, listening, question, reply, responder, silent, system, text
from virtual import run

from snmp import ber, message, session
from snmp.client import Client, Target
from snmp.errors import DecodeError, SnmpError, StatusError, Timeout, WalkError
from snmp.message import VarBind
from snmp.oid import OID
from snmp.security import Community
from snmp.tree import Tree

T = TypeVar("T")
ROOT = OID((1, 3, 6, 1, 4, 1, 32473))


def many(count: int, size: int = 4) -> Tree:
    """Objects ROOT.1 to ROOT.count, each with its number in `size` octets or more."""
    return Tree.of((OID((*ROOT, i)), ber.OCTET_STRING, b"%d" % i * size) for i in range(1, count + 1))


def with_device(
    answer: Answer | Callable[[], Answer],
    work: Callable[[Client, Device, Target], Awaitable[T]],
    *,
    made: bool = False,
    version: int = message.V2C,
) -> T:
    """Run `work` with a device that answers so; `made`: what answers is made on the loop."""

    async def whole() -> T:
        client = Client()
        async with listening(answer() if made else answer) as device:  # type: ignore[call-arg,arg-type,operator]
            try:
                return await work(client, device, Target(device.host, device.port, Community(b"public", version)))
            finally:
                client.close()

    return run(whole)


async def walked(client: Client, device: Device, target: Target) -> list[OID]:
    return [binding.oid async for binding in session.walk(client, target, ROOT)]


# get


@pytest.mark.parametrize("version", [message.V1, message.V2C])
def test_get_gives_objects_in_order_and_says_what_is_missing(version: int) -> None:
    """Objects come back in the order they were asked for; one the device lacks is absent, and the others are there."""
    lacking = OID((*NAME[:-2], 99, 0))

    async def work(client: Client, _: Device, target: Target) -> list[VarBind]:
        return await session.get(client, target, [NAME, lacking, DESCR])

    found = with_device(lambda: responder(system()).answer, work, made=True, version=version)
    assert found == [text(), VarBind(lacking, ber.NO_SUCH_OBJECT, None), text(DESCR, b"a device")]


def test_nothing_asked_is_nothing_sent() -> None:
    """An empty list costs no packet."""

    async def work(client: Client, device: Device, target: Target) -> int:
        assert await session.get(client, target, []) == await session.get_next(client, target, []) == []
        return device.requests()

    assert with_device(silent, work) == 0


def test_what_is_too_big_is_split() -> None:
    """Forty long objects from an agent with small messages: tooBig halves the request until all is there."""
    names = [OID((*ROOT, i)) for i in range(1, 41)]

    async def work(client: Client, _: Device, target: Target) -> list[VarBind]:
        return await session.get(client, target, names)

    found = with_device(lambda: responder(many(40, 50), max_size=484).answer, work, made=True)
    assert [binding.oid for binding in found] == names
    assert all(binding.value == b"%d" % i * 50 for i, binding in enumerate(found, 1))


def test_one_object_that_is_too_big_is_an_error() -> None:
    """There is nothing left to split: tooBig."""
    with pytest.raises(StatusError, match="tooBig"):
        with_device(lambda data, _: reply(data, status=message.TOO_BIG), lambda c, _, t: session.get(c, t, [NAME]))


def test_one_object_among_others_that_is_too_big_is_missing() -> None:
    """A value that fits no message costs itself alone: the other objects are told, and the device is not taken for silent."""
    tree = Tree.of((OID((*ROOT, i)), ber.OCTET_STRING, b"x" * (2000 if i == 2 else 5)) for i in range(1, 5))
    names = [OID((*ROOT, i)) for i in range(1, 5)]

    async def work(client: Client, _: Device, target: Target) -> list[VarBind]:
        return await session.get(client, target, names)

    found = with_device(lambda: responder(tree, max_size=484).answer, work, made=True)
    assert [binding.value for binding in found] == [b"xxxxx", None, b"xxxxx", b"xxxxx"]


@pytest.mark.parametrize("how", [SILENCE, GARBAGE, message.GEN_ERR, message.TOO_BIG])
def test_a_successor_that_breaks_the_agent_is_not_the_end(how: int) -> None:
    """It comes as the name asked, with NULL; its neighbours are told, and a walk says where it ended."""
    bad = OID((*ROOT, 3))

    def crook(_: Asked, found: list[VarBind]) -> list[VarBind] | int:
        return how if any(binding.oid == bad for binding in found) else found

    async def work(client: Client, _: Device, target: Target) -> None:
        names = [OID((*ROOT, i)) for i in range(4)]
        found = await session.get_next(client, target, names)
        assert [binding.oid for binding in found] == [OID((*ROOT, 1)), OID((*ROOT, 2)), OID((*ROOT, 2)), OID((*ROOT, 4))]
        assert (found[2].tag, found[2].value) == (ber.NULL, None)
        with pytest.raises(SnmpError):
            await walked(client, _, target)

    with_device(lambda: crooked(responder(many(4)).answer, crook), work, made=True)


@pytest.mark.parametrize("most", [1, 2, 5])
def test_a_device_that_answers_few_objects_at_once(most: int) -> None:
    """Of what was asked only the first objects are answered: the rest is asked for again until nothing is left."""
    agent: list[Any] = []

    def answer(data: bytes, source: Any) -> bytes:
        _, found = question(agent[0].answer(data, source))
        return reply(data, found[:most])

    async def work(client: Client, device: Device, target: Target) -> list[VarBind]:
        agent.append(responder(system()))
        return await session.get(client, target, [DESCR, UPTIME, NAME])

    assert [binding.value for binding in with_device(answer, work)] == [b"a device", 4711, b"lighthouse"]


def test_a_device_that_answers_one_of_two_objects() -> None:
    """The object that never comes is absent; the other one is not lost, and not put in its place."""

    def answer(data: bytes, _: Any) -> bytes:
        return reply(data, [text()])

    async def work(client: Client, device: Device, target: Target) -> tuple[list[VarBind], int]:
        return await session.get(client, target, [DESCR, NAME]), device.requests()

    found, requests = with_device(answer, work)
    assert found == [VarBind(DESCR, ber.NO_SUCH_OBJECT, None), text()]
    assert requests == 2


@pytest.mark.parametrize("order", [[1, 0, 2], [2, 1, 0], [0, 0, 1, 2, 2]])
def test_objects_out_of_order_are_put_right(order: Sequence[int]) -> None:
    """GET answers are known by their names, not by their places."""
    objects = [text(DESCR, b"d"), text(NAME, b"n"), text(OID((*NAME[:-2], 6, 0)), b"l")]

    def answer(data: bytes, _: Any) -> bytes:
        return reply(data, [objects[i] for i in order])

    found = with_device(answer, lambda c, _, t: session.get(c, t, [binding.oid for binding in objects]))
    assert found == objects


def test_somebody_elses_object_is_not_taken() -> None:
    """A device that answers another object than the one asked for has not answered."""

    def answer(data: bytes, _: Any) -> bytes:
        return reply(data, [text(DESCR, b"always this")])

    found = with_device(answer, lambda c, _, t: session.get(c, t, [NAME, UPTIME]))
    assert {binding.tag for binding in found} == {ber.NO_SUCH_OBJECT}


def test_get_next_never_steps_back() -> None:
    """A successor that is no successor is taken for the end."""

    def answer(data: bytes, _: Any) -> bytes:
        return reply(data, [text(DESCR), text(OID((1, 3, 7)))])

    found = with_device(answer, lambda c, _, t: session.get_next(c, t, [NAME]))
    assert found == [VarBind(NAME, ber.END_OF_MIB_VIEW, None)]


@pytest.mark.parametrize("spoil", [lambda found: found[::-1], lambda found: found[1:], lambda found: found[1:] + found[:1]])
def test_successors_in_the_wrong_places_are_asked_for_again(spoil: Callable[[list[VarBind]], list[VarBind]]) -> None:
    """GETNEXT answers are known by their places only: where those cannot be right, each is asked for alone."""
    agent: list[Any] = []

    def answer(data: bytes, source: Any) -> bytes:
        asked = question(data)[1]
        found = question(agent[0].answer(data, source))[1]
        return reply(data, found if len(asked) == 1 else spoil(found))

    async def work(client: Client, device: Device, target: Target) -> list[VarBind]:
        agent.append(responder(many(9)))
        return await session.get_next(client, target, [OID((*ROOT, i)) for i in (0, 2, 5, 9)])

    assert [b.oid[-1] if b.tag != ber.END_OF_MIB_VIEW else None for b in with_device(answer, work)] == [1, 3, 6, None]


@pytest.mark.parametrize("index", [0, 2])
def test_an_object_that_breaks_the_agent_does_not_hide_the_others(index: int) -> None:
    """genErr for one object, named by its index or not: the others are read without it."""
    bad = OID((*ROOT, 13))

    def answer(data: bytes, _: Any) -> bytes:
        asked = [binding.oid for binding in question(data)[1]]
        if bad in asked:
            return reply(data, status=message.GEN_ERR, index=asked.index(bad) + 1 if index else 0)
        return reply(data, [text(name, str(name).encode()) for name in asked])

    names = [OID((*ROOT, i)) for i in range(10, 20)]
    found = with_device(answer, lambda c, _, t: session.get(c, t, names))
    assert [binding.oid for binding in found] == names
    assert [binding.value is None for binding in found] == [name == bad for name in names]


def test_an_error_of_the_agent_is_raised() -> None:
    """A refusal such as authorizationError is the caller's to judge."""
    with pytest.raises(StatusError, match="authorizationError"):
        with_device(
            lambda data, _: reply(data, status=message.AUTHORIZATION_ERROR), lambda c, _, t: session.get(c, t, [NAME, DESCR])
        )


def test_garbage_in_the_bindings_is_a_decode_error() -> None:
    """A well-formed message around bytes that are no bindings is the device's garbage."""

    def answer(data: bytes, _: Any) -> bytes:
        pdu = question(data)[0]._replace(type=message.RESPONSE, body=b"\x31\x05hello")
        return message.encode_community(message.V2C, b"public", message.encode_pdu(pdu))

    with pytest.raises(DecodeError):
        with_device(answer, lambda c, _, t: session.get(c, t, [NAME]))


def test_a_cancelled_question_leaves_nothing_behind() -> None:
    """Whoever stops waiting takes the request along."""

    async def work(client: Client, device: Device, target: Target) -> int:
        task = asyncio.ensure_future(session.get(client, target, [NAME]))
        await asyncio.sleep(0.1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return client.waiting

    assert with_device(silent, work) == 0


# getbulk and walk


def test_a_bulk_that_is_too_big_gets_fewer_repetitions() -> None:
    """tooBig for many repetitions: half of them, and again."""
    asked = []

    def answer(data: bytes, _: Any) -> bytes:
        pdu, _names = question(data)
        asked.append(pdu.error_index)
        if pdu.error_index > 3:
            return reply(data, status=message.TOO_BIG)
        return reply(data, [text(OID((*ROOT, i))) for i in range(1, pdu.error_index + 1)])

    found = with_device(answer, lambda c, _, t: session.get_bulk(c, t, [ROOT], max_repetitions=20))
    assert len(found) == 2
    assert asked == [20, 10, 5, 2]


@pytest.mark.parametrize("version", [message.V1, message.V2C])
@pytest.mark.parametrize("count", [0, 1, 24, 25, 26, 130])
def test_a_walk_gives_all_below_the_root(version: int, count: int) -> None:
    """Every object below the root once, in order, and none beyond."""
    tree = Tree.of(
        [
            (NAME, ber.OCTET_STRING, b"before"),
            *((OID((*ROOT, i)), ber.INTEGER, i) for i in range(count)),
            (OID((1, 3, 6, 1, 4, 1, 32474)), ber.INTEGER, 0),
        ]
    )
    found = with_device(lambda: responder(tree).answer, walked, made=True, version=version)
    assert found == [OID((*ROOT, i)) for i in range(count)]


def test_a_walk_to_the_end_of_everything_ends() -> None:
    """In v1 noSuchName and in v2c endOfMibView end a walk of the last subtree."""
    for version in (message.V1, message.V2C):
        assert len(with_device(lambda: responder(many(60)).answer, walked, made=True, version=version)) == 60


@pytest.mark.parametrize("back", [0, -3])
def test_a_walk_that_does_not_advance_is_an_error(back: int) -> None:
    """A device that repeats an object, or steps back, is not followed in a circle; what came before is kept."""
    taken: list[OID] = []

    def answer(data: bytes, _: Any) -> bytes:
        last = question(data)[1][0].oid[-1] if len(question(data)[1][0].oid) > len(ROOT) else 0
        return reply(data, [text(OID((*ROOT, last + 1))), text(OID((*ROOT, max(last + 1 + back, 0))))])

    async def work(client: Client, _: Device, target: Target) -> None:
        async for binding in session.walk(client, target, ROOT):
            taken.append(binding.oid)  # noqa: PERF401

    with pytest.raises(WalkError, match="out of order"):
        with_device(answer, work)
    assert taken == [OID((*ROOT, 1))]


@pytest.mark.parametrize("refusal", ["silence", "genErr", "tooBig", "garbage"])
@pytest.mark.parametrize("bears", [5, 1, 0])
def test_a_walk_asks_for_less_where_less_is_borne(refusal: str, bears: int) -> None:
    """A device that is silent, fails or garbles on many repetitions is walked with fewer, or with GETNEXT (0)."""
    agent: list[Any] = []

    def answer(data: bytes, source: Any) -> bytes | None:
        pdu = question(data)[0]
        if pdu.type == message.GET_BULK and pdu.error_index > bears:
            if refusal == "silence":
                return None
            if refusal == "garbage":
                return reply(data, [text()])[:-3]
            return reply(data, status=message.GEN_ERR if refusal == "genErr" else message.TOO_BIG)
        made: bytes = agent[0].answer(data, source)
        return made

    async def work(client: Client, device: Device, target: Target) -> list[OID]:
        agent.append(responder(many(60)))
        return await walked(client, device, target)

    assert with_device(answer, work) == [OID((*ROOT, i)) for i in range(1, 61)]


def test_a_walk_of_a_dead_device_says_so_soon() -> None:
    """A device that answers nothing is not asked in five ways."""

    async def work(client: Client, device: Device, target: Target) -> tuple[SnmpError, int]:
        with pytest.raises(Timeout) as caught:
            await walked(client, device, target)
        return caught.value, device.requests()

    _, requests = with_device(silent, work)
    assert requests == 6
