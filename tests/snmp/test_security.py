"""Wrapping and unwrapping: communities, and USM through discovery, reboots, clocks, changed engines and forgeries."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from devices import NAME, Device, listening, responder, silent, system, text
from hypothesis import given
from hypothesis import strategies as st
from mutation import mutated
from virtual import clock, run

from snmp import ber, message, usm, v3
from snmp.client import Client, Request, Target
from snmp.errors import (
    DecodeError,
    DecryptionError,
    SnmpError,
    Timeout,
    UnknownContext,
    UnknownUser,
    UnsupportedSecurityLevel,
    WrongDigest,
)
from snmp.message import Pdu, VarBind
from snmp.oid import OID
from snmp.responder import Responder
from snmp.security import Clear, Community, Usm, secure
from snmp.session import get
from snmp.usm import User

SEALED = User(b"sealed", "SHA-1", b"authpass1234", "AES-128", b"privpass1234")
SIGNED = User(b"signed", "SHA-256", b"authpass1234")
OPEN = User(b"open")
USERS = (SEALED, SIGNED, OPEN)


async def name_of(client: Client, target: Target) -> object:
    """The device's name, or the error."""
    try:
        (binding,) = await get(client, target, [NAME])
    except SnmpError as e:
        return e
    return binding.value


def with_device(work: Callable[[Client, Device, Target], Any], user: User = SEALED, **options: Any) -> None:
    """Run `work` with a v3 device that has no communities, and a target for it."""

    async def whole() -> None:
        client = Client()
        async with listening(responder(system(), USERS, **options).answer) as device:
            await work(client, device, Target(device.host, device.port, user))
        client.close()

    run(whole)


# communities


@given(
    st.sampled_from([b"public", b"", b"\x02\x04\x01\x02\x03\x04", bytes(200)]),
    st.binary(max_size=300),
    st.binary(max_size=300),
    st.integers(0, 2**31),
    st.integers(0, 20),
)
def test_an_answer_is_read_alike_whatever_came_before(name: bytes, first: bytes, second: bytes, seed: int, extra: int) -> None:
    """Comparing with the last answer of the same length gives what decoding gives, for damaged messages too."""
    ids = (0x01020304, 0x02040102)
    answers = [
        message.encode_community(message.V2C, name, message.encode_pdu(Pdu(message.RESPONSE, number, 0, 0, body)))
        for number in ids for body in (first, second)
    ]  # fmt: skip
    answers += [answer + bytes(extra) for answer in answers]
    used = Clear(name, message.V2C)
    for data in (*answers, *mutated(answers, 20, seed), *answers):
        for number in ids:
            assert unwrapped(used, data, number) == unwrapped(Clear(name, message.V2C), data, number)


def unwrapped(security: Clear, data: bytes, number: int) -> object:
    try:
        return security.unwrap(data, number, 0.0)
    except DecodeError:
        return "malformed"


@given(
    st.sampled_from([message.GET, message.GET_NEXT, message.GET_BULK]),
    st.binary(max_size=300),
    st.sampled_from([message.V1, message.V2C]),
    st.lists(st.lists(st.integers(0, 2**32 - 1), max_size=20).map(lambda arcs: OID((1, 3, *arcs))), max_size=30),
    st.tuples(st.integers(0, 100), st.integers(0, 1000)),
)
def test_a_prepared_request_is_the_message_of_the_standard(
    kind: int, name: bytes, version: int, names: list[OID], counts: tuple[int, int]
) -> None:
    """What is put together from prepared parts is what encoding the whole message gives."""
    request = Request(kind, message.encode_names(names), *counts)
    whole = message.encode_community(
        version, name, message.encode_pdu(Pdu(kind, 0x01020304, *counts, message.encode_names(names)))
    )
    assert Clear(name, version).wrap(request, 0x01020304, 0.0) == whole


def response(
    body: bytes, request_id: int = 0x01020304, status: int = 0, community: bytes = b"public", version: int = message.V2C
) -> bytes:
    return message.encode_community(version, community, message.encode_pdu(Pdu(message.RESPONSE, request_id, status, 0, body)))


@given(st.binary(max_size=700))
def test_every_body_is_unwrapped_as_it_was_sent(value: bytes) -> None:
    """Answers of all lengths give back their variable bindings."""
    body = message.encode_varbinds([text(value=value)])
    pdu = Clear(b"public", message.V2C).unwrap(response(body), 0x01020304, 0.0)
    assert pdu == Pdu(message.RESPONSE, 0x01020304, 0, 0, body)


def test_lengths_in_the_long_form_are_read() -> None:
    """Agents that write every length in four octets are understood, with an error status too."""

    def long(tag: int, content: bytes) -> bytes:
        return bytes((tag, 0x84)) + len(content).to_bytes(4, "big") + content

    for status in (0, 5):
        body = long(ber.SEQUENCE, long(ber.OBJECT_IDENTIFIER, NAME.encode()) + long(ber.OCTET_STRING, b"x"))
        inner = long(ber.INTEGER, b"\x01\x02\x03\x04") + long(ber.INTEGER, bytes((status,))) + long(ber.INTEGER, b"\0")
        pdu = long(message.RESPONSE, inner + long(ber.SEQUENCE, body))
        whole = long(ber.SEQUENCE, long(ber.INTEGER, b"\x01") + long(ber.OCTET_STRING, b"public") + pdu)
        assert message.peek_id(whole) == 0x01020304
        found = Clear(b"public", message.V2C).unwrap(whole, 0x01020304, 0.0)
        assert found == Pdu(message.RESPONSE, 0x01020304, status, 0, body)
        assert message.decode_varbinds(body) == [text(value=b"x")]


@pytest.mark.parametrize(
    "data",
    [
        response(b"", request_id=0x01020305),
        response(b"", community=b"publik"),
        response(b"", community=b"publicc"),
        response(b"", version=message.V1),
        message.encode_community(message.V2C, b"public", message.encode_pdu(Pdu(message.GET, 0x01020304, 0, 0, b""))),
        message.encode_community(message.V2C, b"public", message.encode_pdu(Pdu(message.REPORT, 0x01020304, 0, 0, b""))),
        message.encode_community(message.V2C, b"public", message.encode_pdu(Pdu(message.TRAP, 0x01020304, 0, 0, b""))),
    ],
)
def test_what_was_not_asked_is_not_unwrapped(data: bytes) -> None:
    """Another id, community, version or kind of message is not taken for the answer."""
    assert Clear(b"public", message.V2C).unwrap(data, 0x01020304, 0.0) is None


def test_a_context_is_asked_for_in_the_community() -> None:
    """In v1 and v2c a context follows the community and an at sign, as switches take VLANs."""

    async def whole() -> None:
        client = Client()
        async with listening(responder(system(b"vlan 7"), community=b"public@7").answer) as device:
            assert await name_of(client, Target(device.host, device.port, Community(b"public"), context=b"7")) == b"vlan 7"
            assert isinstance(await name_of(client, Target(device.host, device.port, Community(b"public"))), Timeout)
        client.close()

    run(whole)


def test_secrets_are_not_printed() -> None:
    """A community shows its version only."""
    assert repr(Community(b"secret")) == "Community(version=1)"
    assert secure(Community(b"secret"), b"") is secure(Community(b"secret"), b""), "nothing is kept of a device: one for all"


def test_walks_with_many_contexts_fill_nothing() -> None:
    """What is shared between devices of one community is bounded."""
    from snmp import security

    for i in range(10_000):
        secure(Community(b"public"), b"%d" % i)
    assert len(security._SHARED) <= 4097


# USM in health


@pytest.mark.parametrize("user", USERS, ids=["authPriv", "authNoPriv", "noAuthNoPriv"])
def test_discovery_once_then_one_packet_a_request(user: User) -> None:
    """A device's engine is discovered with the first request; after that a request is one packet and one answer."""

    async def work(client: Client, device: Device, target: Target) -> None:
        for _ in range(5):
            assert await name_of(client, target) == b"lighthouse"
        assert device.requests() == 1 + 5
        assert isinstance(target.security, Usm)
        assert target.security.engine_id.endswith(b"device")

    with_device(work, user)


def test_a_window_of_requests_to_an_unknown_engine() -> None:
    """Requests sent together before the engine is known are all answered."""

    async def work(client: Client, device: Device, target: Target) -> None:
        assert await asyncio.gather(*(name_of(client, target) for _ in range(4))) == [b"lighthouse"] * 4
        assert device.requests() == 8

    with_device(work)


def test_keys_are_localised_once_an_engine() -> None:
    """However often a device is asked, its keys are worked out once; another target for it shares them."""

    async def work(client: Client, device: Device, target: Target) -> None:
        before = usm._localised.cache_info().misses
        for _ in range(3):
            await name_of(client, target)
        await name_of(client, Target(device.host, device.port, SEALED))
        assert usm._localised.cache_info().misses - before <= 1

    with_device(work, engine=b"once")


def test_contexts_are_asked_for() -> None:
    """A context gives another tree; one the device does not have is an error of its own."""

    async def whole() -> None:
        client = Client()
        agent = responder(system(), [SEALED], contexts={b"vlan-7": system(b"seven")})
        async with listening(agent.answer) as device:
            seven = Target(device.host, device.port, SEALED, context=b"vlan-7")
            eight = Target(device.host, device.port, SEALED, context=b"vlan-8")
            assert await name_of(client, seven) == b"seven"
            assert isinstance(await name_of(client, eight), UnknownContext)
        client.close()

    run(whole)


@pytest.mark.parametrize("user", USERS, ids=lambda user: user.name.decode())
def test_what_an_engine_sends_at_most_is_taken_from_its_answers(user: User) -> None:
    """What the last answer says counts, not only the Report before the first, and not only with a later time."""
    engine, number = b"\x80\0\0\0\x05engine", 0x01020304
    security = Usm(user, b"")
    security.unwrap(report(security.wrap(Request(message.GET, b""), number, 9.0), UNKNOWN_ENGINE, engine, time=9), number, 9.0)
    rooms = [security.room]
    keys = user.localise(engine) if user.level else None
    pdu = Pdu(message.RESPONSE, number, 0, 0, message.encode_varbinds([text(value=bytes(300))]))
    scoped = v3.encode_scoped(engine, b"", message.encode_pdu(pdu))
    for max_size in (1400, 1400, 484, 1400):
        answer = v3.encode(number, user.level, engine, 1, 9, user.name, scoped, keys, max_size)
        assert security.unwrap(answer, number, 9.0) == pdu
        rooms.append(security.room)
    assert rooms[0] > rooms[1] == rooms[2] == rooms[4] > rooms[3] > 200


# what a device complains of


@pytest.mark.parametrize(
    ("user", "error", "says"),
    [
        (User(b"stranger"), UnknownUser, "does not know user 'stranger'"),
        (SEALED._replace(auth_secret=b"another one"), WrongDigest, "refuses the authentication of user 'sealed'"),
        (User(b"sealed", "MD5", b"authpass1234", "AES-128", b"privpass1234"), WrongDigest, "another password or protocol"),
        (SEALED._replace(priv_secret=b"another one"), DecryptionError, "cannot decrypt for user 'sealed'"),
        (User(b"sealed", "SHA-1", b"authpass1234", "DES", b"privpass1234"), DecryptionError, "another privacy password"),
        (User(b"signed", "SHA-256", b"authpass1234", "AES-128", b"privpass1234"), UnsupportedSecurityLevel, "security level"),
    ],
)
def test_each_refusal_is_an_error_of_its_own(user: User, error: type[SnmpError], says: str) -> None:
    """What the device reports ends the request at once with that error, the user named, and no secret in it."""

    async def work(client: Client, device: Device, target: Target) -> None:
        began = clock().time()
        found = await name_of(client, target)
        assert type(found) is error
        assert says in str(found)
        assert "another one" not in repr(found)
        assert clock().time() - began < 0.1
        assert device.requests() == 2

    with_device(work, user)


def report(sent: bytes, counter: OID, engine: bytes, *, boots: int = 1, time: int = 1, bindings: int = 1) -> bytes:
    """An unsigned Report to a message of ours."""
    asked = v3.decode(sent)
    body = message.encode_varbinds([VarBind(counter, ber.COUNTER32, 1)] * bindings)
    scoped = v3.encode_scoped(engine, b"", message.encode_pdu(Pdu(message.REPORT, 0, 0, 0, body)))
    return v3.encode(asked.msg_id, 0, engine, boots, time, asked.user, scoped)


UNKNOWN_ENGINE = OID((1, 3, 6, 1, 6, 3, 15, 1, 1, 4, 0))
NOT_IN_TIME = OID((1, 3, 6, 1, 6, 3, 15, 1, 1, 2, 0))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda sent: report(sent, OID((1, 3, 6, 1, 4, 1, 32473, 1)), b"\x80\0\0\0\x05engine"), "which no standard names"),
        (lambda sent: report(sent, UNKNOWN_ENGINE, b"\x80\0\0\0\x05engine", bindings=0), "without a counter"),
        (lambda sent: report(sent, UNKNOWN_ENGINE, b"abc"), "an engine ID of 3 octets"),
    ],
)
def test_reports_that_say_nothing_are_malformed(make: Callable[[bytes], bytes], says: str) -> None:
    """A Report of nothing known ends the request as a device that speaks garbage."""

    async def whole() -> None:
        client = Client()
        async with listening(lambda data, _: make(data)) as device:
            found = await name_of(client, Target(device.host, device.port, SEALED))
            assert isinstance(found, DecodeError)
            assert says in str(found)
        client.close()

    run(whole)


# reboots, clocks, engines


def swap(device: Device, **options: Any) -> None:
    """The device becomes another agent at the same address."""
    device.answer = responder(system(), USERS, **options).answer


@pytest.mark.parametrize("boots", [2, 700])
def test_a_reboot_is_survived(boots: int) -> None:
    """Boots rose and time began again: one Report, and the same request is answered."""

    async def work(client: Client, device: Device, target: Target) -> None:
        assert await name_of(client, target) == b"lighthouse"
        await asyncio.sleep(5000)
        swap(device, boots=boots, started=clock().time() - 3)
        before = device.requests()
        assert await asyncio.gather(*(name_of(client, target) for _ in range(4))) == [b"lighthouse"] * 4
        assert device.requests() - before <= 8
        before = device.requests()
        assert await name_of(client, target) == b"lighthouse"
        assert device.requests() - before == 1

    with_device(work)


def test_a_device_that_forgets_its_boots_is_heard_again() -> None:
    """Boots fell back to 1 (a lost memory, a restored image): its signed Report is believed."""

    async def work(client: Client, device: Device, target: Target) -> None:
        assert await name_of(client, target) == b"lighthouse"
        swap(device, boots=1, started=clock().time())
        assert await name_of(client, target) == b"lighthouse"

    with_device(work, boots=17)


@pytest.mark.parametrize("step", [-900, -100, 100, 900, 10_000_000])
def test_a_clock_that_jumps_is_followed(step: int) -> None:
    """The engine's time steps back or forward within one boot: the device is asked once more at most."""

    async def work(client: Client, device: Device, target: Target) -> None:
        assert await name_of(client, target) == b"lighthouse"
        swap(device, started=-step)
        before = device.requests()
        assert await name_of(client, target) == b"lighthouse"
        assert device.requests() - before <= 2
        assert await name_of(client, target) == b"lighthouse"

    with_device(work)


@pytest.mark.parametrize("rate", [0.9, 1.1])
def test_a_clock_that_goes_wrong_is_followed_without_resyncs(rate: float) -> None:
    """An engine clock that is ten per cent fast or slow costs a Report now and then, not one each time."""

    async def whole() -> None:
        client = Client()
        agent = responder(system(), USERS)
        begin = clock().time()
        agent.clock = lambda: begin + (clock().time() - begin) * rate
        async with listening(agent.answer) as device:
            target = Target(device.host, device.port, SEALED)
            for _ in range(200):
                assert await name_of(client, target) == b"lighthouse"
                await asyncio.sleep(60)
            assert device.requests() <= 1 + 200 + 10
        client.close()

    run(whole)


def test_our_own_clock_standing_still_is_survived() -> None:
    """The collector slept for an hour: one resync a device."""

    async def whole() -> None:
        client = Client()
        agent = responder(system(), USERS)
        skew = 0.0
        agent.clock = lambda: clock().time() + skew
        async with listening(agent.answer) as device:
            target = Target(device.host, device.port, SEALED)
            assert await name_of(client, target) == b"lighthouse"
            skew = 3600.0
            assert await name_of(client, target) == b"lighthouse"
            assert device.requests() == 2 + 2
        client.close()

    run(whole)


@pytest.mark.parametrize("user", USERS, ids=["authPriv", "authNoPriv", "noAuthNoPriv"])
def test_an_engine_changed_in_the_middle_is_survived(user: User) -> None:
    """Another engine ID at the same address, with four requests under way: all are answered, with the new engine's keys."""

    async def work(client: Client, device: Device, target: Target) -> None:
        assert await name_of(client, target) == b"lighthouse"
        tasks = [asyncio.ensure_future(name_of(client, target)) for _ in range(4)]
        swap(device, engine=b"another", boots=9, started=-77.0)
        assert await asyncio.gather(*tasks) == [b"lighthouse"] * 4
        assert isinstance(target.security, Usm)
        assert target.security.engine_id.endswith(b"another")

    with_device(work, user)


def test_an_engine_that_changes_for_ever_is_given_up() -> None:
    """A device (or a pair behind one address) with another engine ID each time ends in a Timeout that says so."""

    async def whole() -> None:
        client = Client()
        count = 0

        def answer(data: bytes, _: Any) -> bytes:
            nonlocal count
            count += 1
            return report(data, UNKNOWN_ENGINE, b"\x80\0\0\0\x05engine%d" % count)

        async with listening(answer) as device:
            found = await name_of(client, Target(device.host, device.port, SEALED))
            assert isinstance(found, Timeout)
            assert "keeps changing its engine ID" in str(found)
            assert device.requests() == 4
        client.close()

    run(whole)


def test_copies_of_a_report_change_nothing() -> None:
    """A network that doubles every packet does not look like an engine that keeps changing."""

    async def whole() -> None:
        client = Client()
        agent = responder(system(), USERS)

        def answer(data: bytes, source: Any) -> list[bytes]:
            made = agent.answer(data, source)
            return [made] * 4 if made is not None else []

        async with listening(answer) as device:
            target = Target(device.host, device.port, SEALED)
            device.delay = 1.0
            assert await name_of(client, target) == b"lighthouse"
            assert device.requests() == 2
            assert target.srtt == pytest.approx(1.0, abs=0.05), "no copy was measured"
        client.close()

    run(whole)


def test_a_device_that_reports_what_it_was_told_is_silent() -> None:
    """It says "unknown engine" of its own engine ID: no answer, a Timeout, and no endless exchange."""

    async def whole() -> None:
        client = Client()
        async with listening(lambda data, _: report(data, UNKNOWN_ENGINE, b"\x80\0\0\0\x05engine")) as device:
            found = await name_of(client, Target(device.host, device.port, SEALED))
            assert isinstance(found, Timeout)
            assert "reports its engine or time again and again" in str(found)
            assert device.requests() <= 5
        client.close()

    run(whole)


def test_two_devices_with_one_engine_id() -> None:
    """Cloned disks: each address keeps its own boots and time, and neither disturbs the other."""

    async def whole() -> None:
        client = Client()
        one = responder(system(b"one"), USERS, boots=3, started=-500_000.0)
        two = responder(system(b"two"), USERS, boots=40, started=900.0)
        async with listening(one.answer, "127.0.0.1") as first, listening(two.answer, "127.0.0.2") as second:
            targets = [Target(device.host, device.port, SEALED) for device in (first, second)]
            for _ in range(5):
                assert await asyncio.gather(*(name_of(client, target) for target in targets)) == [b"one", b"two"]
            assert (first.requests(), second.requests()) == (6, 6)
        client.close()

    run(whole)


# forgeries


class Forger:
    """Stands before a good agent and sends something in front of its answer."""

    def __init__(self, agent: Responder, forge: Callable[[bytes, bytes], bytes]) -> None:
        self.agent, self.forge, self.forged = agent, forge, 0

    def answer(self, data: bytes, source: Any) -> list[bytes]:
        made = self.agent.answer(data, source)
        assert made is not None
        if not v3.decode(data).engine_id:
            return [made]
        self.forged += 1
        return [self.forge(data, made), made]


def unsigned(data: bytes, made: bytes) -> bytes:
    """An answer without a signature, with another name in it."""
    asked = v3.decode(data)
    body = message.encode_varbinds([text(value=b"forged")])
    # the request id of ours is the message id
    pdu = message.encode_pdu(Pdu(message.RESPONSE, asked.msg_id, 0, 0, body))
    scoped = v3.encode_scoped(asked.engine_id, b"", pdu)
    return v3.encode(asked.msg_id, 0, asked.engine_id, asked.boots, asked.time, asked.user, scoped)


def of_another_engine(data: bytes, made: bytes) -> bytes:
    """An answer rightly signed by this user's keys at another engine."""
    asked = v3.decode(data)
    engine = b"\x80\0\0\0\x05other"
    keys = SEALED.localise(engine)
    pdu = message.encode_pdu(Pdu(message.RESPONSE, asked.msg_id, 0, 0, message.encode_varbinds([text(value=b"forged")])))
    return v3.encode(asked.msg_id, 3, engine, asked.boots, asked.time, asked.user, v3.encode_scoped(engine, b"", pdu), keys)


def of_another_request(data: bytes, made: bytes) -> bytes:
    """An answer rightly signed, to another request id in the right message id."""
    asked = v3.decode(data)
    keys = SEALED.localise(asked.engine_id)
    pdu = message.encode_pdu(Pdu(message.RESPONSE, asked.msg_id ^ 1, 0, 0, message.encode_varbinds([text(value=b"forged")])))
    scoped = v3.encode_scoped(asked.engine_id, b"", pdu)
    return v3.encode(asked.msg_id, 3, asked.engine_id, asked.boots, asked.time, asked.user, scoped, keys)


def signed_only(data: bytes, made: bytes) -> bytes:
    """An answer rightly signed but in clear, to a question that was encrypted."""
    asked = v3.decode(data)
    keys = SEALED.localise(asked.engine_id)
    pdu = message.encode_pdu(Pdu(message.RESPONSE, asked.msg_id, 0, 0, message.encode_varbinds([text(value=b"forged")])))
    scoped = v3.encode_scoped(asked.engine_id, b"", pdu)
    return v3.encode(asked.msg_id, 1, asked.engine_id, asked.boots, asked.time, asked.user, scoped, keys)


def flipped(data: bytes, made: bytes) -> bytes:
    """The good answer with one bit changed in its ciphertext."""
    return made[:-5] + bytes((made[-5] ^ 1,)) + made[-4:]


def out_of_time(data: bytes, made: bytes) -> bytes:
    """An unsigned Report that the clock is wrong."""
    return report(data, NOT_IN_TIME, v3.decode(data).engine_id, boots=77, time=1)


@pytest.mark.parametrize("forge", [unsigned, of_another_engine, of_another_request, signed_only, flipped, out_of_time])
def test_a_forged_answer_is_not_accepted(forge: Callable[[bytes, bytes], bytes]) -> None:
    """Whatever comes in front of the true answer, the true answer is the one that counts."""

    async def whole() -> None:
        client = Client()
        forger = Forger(responder(system(), USERS), forge)
        async with listening(forger.answer) as device:
            target = Target(device.host, device.port, SEALED)
            for _ in range(3):
                assert await name_of(client, target) == b"lighthouse"
            assert forger.forged == 3
            assert device.requests() == 4
            device.answer = lambda data, _: forge(data, forger.agent.answer(data, device.host) or b"")
            found = await name_of(client, target)
            assert isinstance(found, Timeout)
            assert "not signed, or not by the engine" in str(found)
        client.close()

    run(whole)


def test_a_replayed_answer_is_not_accepted() -> None:
    """An answer of yesterday bears yesterday's message id."""

    async def work(client: Client, device: Device, target: Target) -> None:
        agent = device.answer
        kept: list[bytes] = []

        def keep(data: bytes, source: Any) -> Any:
            kept.append(agent(data, source))  # type: ignore[arg-type]
            return kept[-1]

        device.answer = keep
        assert await name_of(client, target) == b"lighthouse"
        device.answer = lambda data, source: kept[-1]
        assert isinstance(await name_of(client, target), Timeout)

    with_device(work)


def test_a_wrong_user_costs_no_more_than_one_question() -> None:
    """A refusal is not tried again: passwords do not get better, and devices lock out those who insist."""

    async def work(client: Client, device: Device, target: Target) -> None:
        for i in range(1, 4):
            assert isinstance(await name_of(client, target), WrongDigest)
            assert device.requests() == 1 + i

    with_device(work, SEALED._replace(auth_secret=b"another one"))


def test_a_device_without_v3_times_out() -> None:
    """Nothing answers the discovery: a Timeout, and the engine stays unknown."""

    async def whole() -> None:
        client = Client()
        async with listening(silent) as device:
            target = Target(device.host, device.port, SEALED)
            assert isinstance(await name_of(client, target), Timeout)
            assert isinstance(target.security, Usm)
            assert target.security.engine_id == b""
        client.close()

    run(whole)
