"""Asking one device: what each failure is called, what a silence means, and one round of requests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import peers
import pytest
from devices import DESCR, NAME, UPTIME, Answer, Device, listening, question, reply, responder, silent, system, text
from virtual import clock, run

from collector.model import Outcome
from collector.polling.ask import Poll, Reading, attempt, outcome, why_silent
from snmp import errors, message, session
from snmp.client import Client, Credential, Request, Target
from snmp.errors import SnmpError
from snmp.oid import OID
from snmp.security import Community
from snmp.usm import User

SEALED = User(b"sealed", "SHA-1", b"authpass1234", "AES-128", b"privpass1234")
SIGNED = User(b"signed", "SHA-256", b"authpass1234")
PUBLIC = Community(b"public")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (errors.Timeout("x"), Outcome.TIMEOUT),
        (errors.Unreachable("x"), Outcome.UNREACHABLE),
        (errors.PortClosed("x"), Outcome.CLOSED),
        (errors.WrongDigest("x"), Outcome.AUTH),
        (errors.UnknownUser("x"), Outcome.AUTH),
        (errors.DecryptionError("x"), Outcome.AUTH),
        (errors.UnsupportedSecurityLevel("x"), Outcome.AUTH),
        (errors.NotInTimeWindow("x"), Outcome.AUTH),
        (errors.Ignored("x"), Outcome.AUTH),
        (errors.StatusError(message.AUTHORIZATION_ERROR), Outcome.AUTH),
        (errors.StatusError(message.NO_ACCESS), Outcome.AUTH),
        (errors.StatusError(message.GEN_ERR, 3), Outcome.PARTIAL),
        (errors.DecodeError("x"), Outcome.MALFORMED),
        (errors.WalkError("x"), Outcome.MALFORMED),
        (errors.UnknownContext("x"), Outcome.MALFORMED),
        (errors.EncodeError("x"), Outcome.MALFORMED),
    ],
)
def test_every_error_has_its_outcome(error: SnmpError, expected: Outcome) -> None:
    """Each error of the SNMP room says something else of a device."""
    assert outcome(error) is expected


def test_every_error_is_told() -> None:
    """No error of the SNMP room is left without an outcome, those still to come included."""
    kinds = [errors.SnmpError]
    for kind in kinds:
        kinds += kind.__subclasses__()
        error = kind(5) if kind is errors.StatusError else kind("x")  # type: ignore[arg-type]
        assert isinstance(outcome(error), Outcome)


# attempt, and why a device is silent


def tried(
    answer: Callable[[], Answer], credential: Credential = PUBLIC, **options: Any
) -> tuple[object, Outcome, str, Device, float]:
    """One attempt with doubts at a device: (result, outcome, words, device, seconds)."""

    async def whole() -> tuple[object, Outcome, str, Device, float]:
        client = Client()
        async with listening(answer()) as device:
            target = Target(device.host, device.port, credential, **options)
            began = clock().time()
            found, how, said = await attempt(session.get(client, target, [NAME]), (client, target))
            took = clock().time() - began
            assert client.waiting == 0
            client.close()
            assert target.sent == device.requests(), "all is counted"
            return found, how, said, device, took

    return run(whole)


def test_an_answer_is_ok() -> None:
    """What was awaited, OK, and no words."""
    found, how, said, _, _ = tried(lambda: responder(system()).answer)
    assert (found, how, said) == ([text()], Outcome.OK, "")


def test_nobody_there_costs_one_packet_more() -> None:
    """A silent device is asked once who it is, and stays silent."""
    _, how, said, device, _ = tried(lambda: silent)
    assert how is Outcome.TIMEOUT
    assert "no answer from 127.0.0.1" in said
    assert device.requests() == 3 + 1


def test_a_closed_port_is_told_at_once() -> None:
    """Nothing more is asked of a port that is closed."""

    async def whole() -> None:
        client = Client()
        async with listening(silent) as device:
            port = device.port
        target = Target("127.0.0.1", port, PUBLIC)
        _, how, said = await attempt(session.get(client, target, [NAME]), (client, target))
        assert how is Outcome.CLOSED
        assert said.startswith(f"127.0.0.1 port {port}: Connection refused")
        assert await why_silent(client, target) is None
        client.close()

    run(whole)


def test_garbage_is_malformed() -> None:
    """A device that answers with noise is there, and garbled."""
    _, how, said, _, _ = tried(lambda: lambda data, _: b"\x00\x01 noise")
    assert how is Outcome.MALFORMED
    assert "no SNMP message" in said


def test_a_wrong_community_is_found_out() -> None:
    """A device that tells its engine and not its name is there: it does not know this community."""
    _, how, said, device, _ = tried(lambda: responder(system(), [SEALED]).answer, Community(b"wrong"))
    assert how is Outcome.AUTH
    assert "does not answer this community" in said
    assert f"port {device.port}" in said
    assert "wrong" not in said, "communities are secrets"


def test_a_burst_of_losses_is_no_wrong_community() -> None:
    """A device that was merely unlucky answers when it is asked once more."""

    def make() -> Answer:
        agent = responder(system()).answer
        left = 3

        def answer(data: bytes, source: Any) -> Any:
            nonlocal left
            left -= 1
            return None if left >= 0 else agent(data, source)

        return answer

    _, how, _, _, _ = tried(make)
    assert how is Outcome.TIMEOUT, "of this attempt: the next one will do better"


def muffled(users: list[User], drops: Callable[[bytes], bool]) -> Callable[[], Answer]:
    """An agent that says nothing where `drops` says so."""

    def make() -> Answer:
        agent = responder(system(), users).answer
        return lambda data, source: None if drops(data) else agent(data, source)

    return make


def test_a_wrong_privacy_password_is_found_out() -> None:
    """net-snmp's way: silence for what cannot be decrypted. The same user without privacy is answered."""
    from snmp import v3

    wrong = SEALED._replace(priv_secret=b"another one")
    _, how, said, device, _ = tried(muffled([SEALED], lambda data: v3.decode(data).level == 3), wrong)
    assert how is Outcome.AUTH
    assert "answers user 'sealed' without privacy and not with AES-128" in said
    assert "another one" not in said
    assert device.requests() <= 1 + 3 + 2 + 3 + 2


@pytest.mark.parametrize("user", [SEALED, SIGNED])
def test_a_user_that_is_ignored_is_found_out(user: User) -> None:
    """An agent that answers discovery and none of the user's messages does not know it, or not from here."""
    from snmp import v3

    _, how, said, _, _ = tried(muffled([user], lambda data: v3.decode(data).level > 0), user)
    assert how is Outcome.AUTH
    assert f"does not answer user {user.name.decode()!r}" in said


@pytest.mark.parametrize(
    ("user", "says"),
    [
        (User(b"stranger"), "does not know user 'stranger'"),
        (SEALED._replace(auth_secret=b"another one"), "refuses the authentication"),
        (SEALED._replace(priv_secret=b"another one"), "cannot decrypt"),
    ],
)
def test_what_a_device_says_itself_is_not_doubted(user: User, says: str) -> None:
    """A Report is an answer: two packets, and the words are the device's complaint."""
    _, how, said, device, took = tried(lambda: responder(system(), [SEALED]).answer, user)
    assert how is Outcome.AUTH
    assert says in said
    assert device.requests() == 2
    assert took < 0.1


GOOD = peers.User("good", "SHA-256", "authpass1234", "AES-128", "privpass1234")


@pytest.mark.parametrize(
    ("credential", "expected", "says"),
    [
        (Community(b"public"), Outcome.OK, ""),
        (Community(b"private"), Outcome.AUTH, "does not answer this community"),
        (User(b"good", "SHA-256", b"authpass1234", "AES-128", b"privpass1234"), Outcome.OK, ""),
        (User(b"good", "SHA-256", b"authpass1234", "AES-128", b"wrongpass1234"), Outcome.AUTH, "another privacy password"),
        (User(b"good", "SHA-256", b"authpass1234", "DES", b"privpass1234"), Outcome.AUTH, "another privacy password or protocol"),
        (User(b"good", "SHA-256", b"wrongpass1234", "AES-128", b"privpass1234"), Outcome.AUTH, "refuses the authentication"),
        (User(b"good", "SHA-256", b"authpass1234"), Outcome.AUTH, "authorizationError"),
        (User(b"nobody"), Outcome.AUTH, "does not know user 'nobody'"),
    ],
)
def test_snmpd_is_understood(credential: Credential, expected: Outcome, says: str) -> None:
    """Against net-snmp's own agent: right and wrong communities, users, passwords and levels."""

    async def whole(port: int) -> tuple[Outcome, str]:
        client = Client()
        target = Target("127.0.0.1", port, credential, timeout=2.0, retries=0)
        _, how, said = await attempt(session.get(client, target, [NAME]), (client, target))
        client.close()
        return how, said

    with peers.snmpd(users=[GOOD]) as agent:
        how, said = asyncio.run(whole(agent.port))
    assert how is expected, said
    assert says in said


# one round of requests


def names(*objects: OID) -> Request:
    return Request(message.GET, message.encode_names(objects))


def polled(answer: Answer, count: int = 5, window: int = 3, credential: Credential = PUBLIC) -> tuple[Reading, Device]:
    """A poll of `count` single objects; `done` is called once."""

    async def whole() -> tuple[Reading, Device]:
        client = Client()
        readings: list[Reading] = []
        ended = asyncio.Event()

        def done(reading: Reading) -> None:
            readings.append(reading)
            ended.set()

        async with listening(answer) as device:
            requests = [names(OID((*NAME[:-2], i, 0))) for i in range(1, count + 1)]
            Poll(client, Target(device.host, device.port, credential), requests, done, window)
            await ended.wait()
            await asyncio.sleep(60)
            assert len(readings) == 1
            assert client.waiting == 0
            client.close()
            return readings[0], device

    return run(whole)


def told(data: bytes, _: Any) -> bytes:
    return reply(data, [text(question(data)[1][0].oid)])


def test_all_answered() -> None:
    """The bodies in the order of the requests, OK, and nothing repeated."""
    reading, device = polled(told)
    found = [message.decode_varbinds(body or b"")[0].oid[-2] for body in reading.bodies]
    assert found == [1, 2, 3, 4, 5]
    assert (reading.outcome, reading.error, reading.requests, reading.retries) == (Outcome.OK, None, 5, 0)
    assert reading.duration is not None
    assert device.requests() == 5


def test_nothing_to_ask_is_done_at_once() -> None:
    """A plan without questions ends in a reading without bodies."""
    reading, _ = polled(told, count=0)
    assert (reading.bodies, reading.outcome) == ([], Outcome.OK)


def test_no_more_than_the_window_are_under_way() -> None:
    """Of nine requests never more than three wait for their answers."""

    async def whole() -> None:
        client = Client()
        ended = asyncio.Event()
        async with listening(told) as device:
            device.delay = 0.05
            most = 0

            def watch() -> None:
                nonlocal most
                most = max(most, client.waiting)
                clock().call_later(0.01, watch)

            watch()
            Poll(client, Target(device.host, device.port, PUBLIC), [names(NAME)] * 9, lambda _: ended.set(), 3)
            began = clock().time()
            await ended.wait()
            assert most == 3
            assert clock().time() - began == pytest.approx(0.15, abs=0.03)
        client.close()

    run(whole)


def test_a_dead_device_is_spared_the_rest() -> None:
    """When the first requests ended in silence the others are not even sent."""
    reading, device = polled(silent, count=9)
    assert (reading.outcome, reading.duration) == (Outcome.TIMEOUT, None)
    assert device.requests() == 3 + 2


def test_one_that_is_never_answered_is_a_part() -> None:
    """The others are there, in their places; the outcome is PARTIAL, with the reason."""

    def answer(data: bytes, source: Any) -> bytes | None:
        return None if question(data)[1][0].oid[-2] == 2 else told(data, source)

    reading, _ = polled(answer)
    assert [body is None for body in reading.bodies] == [False, True, False, False, False]
    assert reading.outcome is Outcome.PARTIAL
    assert isinstance(reading.error, errors.Timeout)
    assert reading.retries == 2
    assert reading.spilt == 0.5, "one of the two that were sent right behind the first"


def test_an_error_status_is_a_part() -> None:
    """An agent's genErr hides the objects of that request only, and is told rather than a loss."""

    def answer(data: bytes, source: Any) -> bytes | None:
        number = question(data)[1][0].oid[-2]
        if number == 1:
            return None
        return reply(data, status=message.GEN_ERR, index=1) if number == 4 else told(data, source)

    reading, _ = polled(answer)
    assert reading.outcome is Outcome.PARTIAL
    assert isinstance(reading.error, errors.StatusError)
    assert [body is None for body in reading.bodies] == [True, False, False, True, False]


def test_refusals_alone_are_what_they_say() -> None:
    """authorizationError for everything: the device answers (there is a duration), and refuses."""
    reading, _ = polled(lambda data, _: reply(data, status=message.AUTHORIZATION_ERROR))
    assert reading.outcome is Outcome.AUTH
    assert reading.duration is not None


def test_v1s_end_is_an_empty_answer() -> None:
    """noSuchName to a single object is v1's word for nothing there, and no error."""

    def answer(data: bytes, source: Any) -> bytes:
        asked = question(data)[1]
        return reply(data, asked, status=message.NO_SUCH_NAME, index=1) if asked[0].oid[-2] == 3 else told(data, source)

    reading, _ = polled(answer, credential=Community(b"public", message.V1))
    assert reading.outcome is Outcome.OK
    assert reading.bodies[2] == b""


def test_garbage_in_one_answer_is_malformed() -> None:
    """Of a device that garbles one answer the others are kept, and the outcome says what it did."""

    def answer(data: bytes, source: Any) -> bytes:
        made = told(data, source)
        return made[:-4] if question(data)[1][0].oid[-2] == 3 else made

    reading, _ = polled(answer)
    assert reading.outcome is Outcome.MALFORMED
    assert [body is None for body in reading.bodies] == [False, False, True, False, False]
    assert reading.duration is not None


def test_a_refused_user_ends_the_poll_at_once() -> None:
    """A Report to the first ones: the rest is not sent, the outcome is AUTH."""

    async def whole() -> None:
        client = Client()
        ended: list[Reading] = []
        done = asyncio.Event()
        async with listening(responder(system(), [SEALED]).answer) as device:
            target = Target(device.host, device.port, SEALED._replace(auth_secret=b"another one"))
            Poll(client, target, [names(DESCR), names(UPTIME), names(NAME)] * 3, lambda r: (ended.append(r), done.set()), 2)  # type: ignore[func-returns-value]
            await done.wait()
            assert (ended[0].outcome, ended[0].duration) == (Outcome.AUTH, None)
            assert device.requests() == 4
        client.close()

    run(whole)
