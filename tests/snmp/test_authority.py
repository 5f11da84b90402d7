"""The user-based security model as a responder meets it: levels, discovery, Reports, the time window, contexts, sizes."""

from __future__ import annotations

import pytest
from asking import (
    ENGINE_ID,
    LONG,
    MANAGER,
    NAME,
    NOW,
    OPEN,
    SEALED,
    SIGNED,
    TREE,
    make,
    opened,
    pdu_bytes,
    reported,
    user_message,
)

from snmp import ber, message
from snmp.access import UserAccess
from snmp.engine import Engine, engine_id
from snmp.message import VarBind
from snmp.responder import Responder
from snmp.usm import MAX_BOOTS, User


@pytest.mark.parametrize("user", [OPEN, SIGNED, SEALED])
def test_a_user_is_answered_at_the_level_asked(user: User) -> None:
    """The answer has the request's level, message id, request id, user and context, and our engine, boots and time."""
    outer, context_engine, context, pdu = opened(make().answer(user_message(user, pdu_bytes(message.GET, [NAME])), MANAGER), user)
    assert (outer.level, outer.user, outer.engine_id, outer.boots, outer.time) == (user.level, user.name, ENGINE_ID, 5, 600)
    assert (context_engine, context, pdu.type, pdu.request_id) == (ENGINE_ID, b"", message.RESPONSE, 77)
    assert message.decode_varbinds(pdu.body) == [VarBind(NAME, ber.OCTET_STRING, "Hải Đăng".encode())]


def test_discovery() -> None:
    """An empty engine ID, or another's, is answered with our ID, boots and time, unauthenticated (RFC 3414 section 4)."""
    for engine in (b"", engine_id(32473, b"another")):
        responder = make()
        reply = responder.answer(user_message(OPEN, pdu_bytes(message.GET, []), engine=engine), MANAGER)
        assert reported(reply) == "usmStatsUnknownEngineIDs"
        outer, context_engine, _, pdu = opened(reply)
        assert (outer.level, outer.engine_id, outer.boots, outer.time) == (0, ENGINE_ID, 5, 600)
        assert (context_engine, pdu.request_id) == (ENGINE_ID, 77)
        assert responder.stats["usmStatsUnknownEngineIDs"] == 1


def test_each_refusal_has_its_report() -> None:
    """Unknown user, level too high, wrong digest, wrong privacy key: each rises and reports its own counter."""
    get = pdu_bytes(message.GET, [NAME])
    stranger = User(b"stranger", "SHA-1", b"authpass1234")
    stronger = User(b"signed", "SHA-256", b"authpass1234", "AES-128", b"privpass1234")
    forger = User(b"sealed", "SHA-1", b"wrongpass1234", "AES-128", b"privpass1234")
    blind = User(b"sealed", "SHA-1", b"authpass1234", "AES-128", b"wrongpass1234")
    other = User(b"sealed", "SHA-512", b"authpass1234", "AES-128", b"privpass1234")
    for user, counter in (
        (stranger, "usmStatsUnknownUserNames"),
        (User(b"far"), "usmStatsUnknownUserNames"),
        (stronger, "usmStatsUnsupportedSecLevels"),
        (forger, "usmStatsWrongDigests"),
        (other, "usmStatsWrongDigests"),
        (blind, "usmStatsDecryptionErrors"),
    ):
        responder = make()
        assert reported(responder.answer(user_message(user, get), MANAGER)) == counter
        assert responder.stats[counter] == 1
        assert responder.answer(user_message(user, get, flags=0), MANAGER) is None, "nobody asked for a Report"
        assert responder.stats[counter] == 2


@pytest.mark.parametrize(("boots", "time"), [(4, 600), (6, 600), (5, 449), (5, 751), (0, 0)])
def test_outside_the_time_window(boots: int, time: int) -> None:
    """An authentic message of another boot or over 150 s off gets a Report that is itself authenticated (RFC 3414 3.2.7a)."""
    for user in (SIGNED, SEALED):
        responder = make()
        reply = responder.answer(user_message(user, pdu_bytes(message.GET, [NAME]), boots=boots, time=time), MANAGER)
        assert reported(reply, user) == "usmStatsNotInTimeWindows"
        outer, *_ = opened(reply, user)
        assert (outer.level, outer.boots, outer.time) == (1, 5, 600)


def test_the_edge_of_the_time_window() -> None:
    """150 seconds early or late are still in time."""
    for time in (450, 750):
        *_, pdu = opened(make().answer(user_message(SIGNED, pdu_bytes(message.GET, [NAME]), time=time), MANAGER), SIGNED)
        assert pdu.type == message.RESPONSE


def test_a_forged_message_outside_the_window_learns_nothing() -> None:
    """A wrong digest is reported as such whatever time the message claims."""
    forger = User(b"signed", "SHA-256", b"wrongpass1234")
    reply = make().answer(user_message(forger, pdu_bytes(message.GET, [NAME]), boots=1), MANAGER)
    assert reported(reply) == "usmStatsWrongDigests"


def test_boots_used_up() -> None:
    """At 2^31-1 boots no authenticated message is in time any more (RFC 3414 2.2.2)."""
    reply = make(boots=MAX_BOOTS).answer(user_message(SIGNED, pdu_bytes(message.GET, [NAME]), boots=MAX_BOOTS), MANAGER)
    assert reported(reply, SIGNED) == "usmStatsNotInTimeWindows"


def test_a_lower_level_than_the_user_has_is_not_enough() -> None:
    """A user with passwords may not read without using them: authorizationError, no values; unless its access says so."""
    for user, level in ((SEALED, 0), (SEALED, 1), (SIGNED, 0)):
        *_, pdu = opened(make().answer(user_message(user, pdu_bytes(message.GET, [NAME]), level=level), MANAGER), user)
        assert (pdu.type, pdu.error_status) == (message.RESPONSE, message.AUTHORIZATION_ERROR)
        assert message.decode_varbinds(pdu.body) == [VarBind(NAME, ber.NULL, None)]
    lax = Responder(TREE, (), [UserAccess(SEALED, level=1)], Engine(ENGINE_ID, 5, NOW - 600), clock=lambda: NOW)
    *_, pdu = opened(lax.answer(user_message(SEALED, pdu_bytes(message.GET, [NAME]), level=1), MANAGER), SEALED)
    assert pdu.error_status == 0


def test_networks_of_users_keep_others_out_entirely() -> None:
    """Where every user has networks, an address outside all of them is not even told the engine ID."""
    users = [UserAccess(SEALED, ["10.1.0.0/16"])]
    responder = Responder(TREE, (), users, Engine(ENGINE_ID, 5, NOW - 600), clock=lambda: NOW)
    discovery = user_message(OPEN, pdu_bytes(message.GET, []), engine=b"")
    assert responder.answer(discovery, MANAGER) is None
    assert responder.answer(discovery, "10.1.4.4") is not None


def test_contexts() -> None:
    """A context reads its own tree and is named in the answer; an unknown one is reported at the request's level."""
    _, _, context, pdu = opened(
        make().answer(user_message(SEALED, pdu_bytes(message.GET, [(1, 3, 1)]), context=b"vlan-7"), MANAGER), SEALED
    )
    assert context == b"vlan-7"
    assert message.decode_varbinds(pdu.body)[0].value == b"x" * 200
    reply = make().answer(user_message(SEALED, pdu_bytes(message.GET, [NAME]), context=b"vlan-9"), MANAGER)
    assert reported(reply, SEALED) == "snmpUnknownContexts"
    assert opened(reply, SEALED)[0].level == 3
    reply = make().answer(user_message(SEALED, pdu_bytes(message.GET, [NAME]), context_engine=b"elsewhere"), MANAGER)
    assert reported(reply, SEALED) == "snmpUnknownPDUHandlers"


@pytest.mark.parametrize("user", [OPEN, SIGNED, SEALED])
@pytest.mark.parametrize("asked", [0, 484, 600, 1000, 1300, 65507])
def test_the_askers_message_size_is_honoured(user: User, asked: int) -> None:
    """No answer is larger than the request's msgMaxSize (484 at least) nor than our own limit."""
    responder = make(LONG)
    data = user_message(user, pdu_bytes(message.GET_BULK, [(1, 3)], 0, 30), max_size=asked)
    reply = responder.answer(data, MANAGER)
    assert reply is not None
    assert len(reply) <= min(max(asked, 484), 1472)
    *_, pdu = opened(reply, user)
    assert 1 <= len(message.decode_varbinds(pdu.body)) <= 6
    *_, pdu = opened(responder.answer(user_message(user, pdu_bytes(message.GET, LONG.shape.names[:10])), MANAGER), user)
    assert (pdu.error_status, pdu.body) == (message.TOO_BIG, b"")
