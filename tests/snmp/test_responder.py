"""The responder without a network: what is answered, what is refused, what is met with silence."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable

import pytest
from mutation import mutated

from snmp import ber, message, v3
from snmp.access import CommunityAccess, UserAccess
from snmp.engine import COUNTERS, Engine, engine_id
from snmp.message import Pdu, VarBind
from snmp.oid import OID
from snmp.responder import Responder
from snmp.tree import Tree
from snmp.usm import MAX_BOOTS, User

NOW = 1000.0
MANAGER = ("127.0.0.1", 40000)
ENGINE_ID = engine_id(32473, b"responder")
DESCR, UPTIME, NAME = (OID((1, 3, 6, 1, 2, 1, 1, i, 0)) for i in (1, 3, 5))
OCTETS = OID((1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 6))
SPEED = OID((1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 15))

TREE = Tree.of(
    [
        (DESCR, ber.OCTET_STRING, b"a lighthouse"),
        (UPTIME, ber.TIME_TICKS, 4711),
        (NAME, ber.OCTET_STRING, "Hải Đăng".encode()),
        (OID((*OCTETS, 1)), ber.COUNTER64, 2**40),
        (OID((*OCTETS, 2)), ber.COUNTER64, 7),
        (OID((*SPEED, 1)), ber.GAUGE32, 1000),
        (OID((*SPEED, 2)), ber.GAUGE32, 100),
    ]
)
LONG = Tree.of((OID((1, 3, i)), ber.OCTET_STRING, b"x" * 200) for i in range(1, 40))

OPEN = User(b"open")
SIGNED = User(b"signed", "SHA-256", b"authpass1234")
SEALED = User(b"sealed", "SHA-1", b"authpass1234", "AES-128", b"privpass1234")


def make(tree: Tree = TREE, boots: int = 5, **options: int) -> Responder:
    engine = Engine(ENGINE_ID, boots, NOW - 600)
    communities = [CommunityAccess(b"public"), CommunityAccess(b"inside", ["10.1.0.0/16", "fd00::/8"])]
    users = [UserAccess(OPEN), UserAccess(SIGNED), UserAccess(SEALED), UserAccess(User(b"far"), ["10.1.0.0/16"])]
    return Responder(
        tree, communities, users, engine, contexts={b"vlan-7": LONG}, clock=lambda: NOW, max_size=options.get("max_size", 1472)
    )


def pdu_bytes(kind: int, names: Iterable[tuple[int, ...]], first: int = 0, second: int = 0, request_id: int = 77) -> bytes:
    return message.encode_pdu(Pdu(kind, request_id, first, second, message.encode_names(names)))


def ask(
    responder: Responder, kind: int, names: Iterable[tuple[int, ...]], first: int = 0, second: int = 0, version: int = message.V2C
) -> tuple[Pdu, list[VarBind]]:
    """Ask with a community: the Response-PDU and its variable bindings."""
    data = message.encode_community(version, b"public", pdu_bytes(kind, names, first, second))
    reply = responder.answer(data, MANAGER)
    assert reply is not None
    assert len(reply) <= responder.max_size
    got_version, community, pdu = message.decode_community(reply)
    assert isinstance(pdu, Pdu)
    assert (got_version, community, pdu.type, pdu.request_id) == (version, b"public", message.RESPONSE, 77)
    return pdu, message.decode_varbinds(pdu.body)


def user_message(
    user: User,
    pdu: bytes,
    *,
    level: int | None = None,
    engine: bytes = ENGINE_ID,
    boots: int = 5,
    time: int = 600,
    flags: int = v3.REPORTABLE,
    context: bytes = b"",
    context_engine: bytes | None = None,
    max_size: int = 65507,
) -> bytes:
    level = user.level if level is None else level
    scoped = v3.encode_scoped(engine if context_engine is None else context_engine, context, pdu)
    return v3.encode(42, flags | level, engine, boots, time, user.name, scoped, user.localise(ENGINE_ID), max_size)


def opened(reply: bytes | None, user: User | None = None) -> tuple[v3.Message, bytes, bytes, Pdu]:
    """An answer to `user_message`, verified and decrypted as its level says."""
    assert reply is not None
    outer = v3.decode(reply)
    assert outer.msg_id == 42
    assert not outer.flags & v3.REPORTABLE
    plain = v3.open_(outer, reply, user.localise(ENGINE_ID) if user else None)
    return outer, *v3.decode_scoped(plain)


def reported(reply: bytes | None, user: User | None = None) -> str:
    """The name of the counter a Report bears."""
    _, _, _, pdu = opened(reply, user)
    assert pdu.type == message.REPORT
    (binding,) = message.decode_varbinds(pdu.body)
    assert binding.value == 1
    return next(name for name, oid in COUNTERS.items() if oid == binding.oid)


# communities


def test_get_answers_in_order() -> None:
    """GET gives each object asked for, in order, missing ones as exceptions, request id and community as sent."""
    pdu, found = ask(make(), message.GET, [NAME, UPTIME, OID((1, 3, 9, 9))])
    assert (pdu.error_status, pdu.error_index) == (0, 0)
    assert found == [
        VarBind(NAME, ber.OCTET_STRING, "Hải Đăng".encode()),
        VarBind(UPTIME, ber.TIME_TICKS, 4711),
        VarBind(OID((1, 3, 9, 9)), ber.NO_SUCH_OBJECT, None),
    ]


def test_v1_refuses_the_whole_request_for_one_object() -> None:
    """In v1 a missing object is noSuchName at its index, with the request's varbinds given back (RFC 1157 4.1.2)."""
    for kind, missing in ((message.GET, OID((1, 3, 9, 9))), (message.GET_NEXT, OID((2, 1)))):
        pdu, found = ask(make(), kind, [NAME, missing], version=message.V1)
        assert (pdu.error_status, pdu.error_index) == (message.NO_SUCH_NAME, 2)
        assert found == [VarBind(NAME, ber.NULL, None), VarBind(missing, ber.NULL, None)]


def test_v1_never_sees_a_counter64() -> None:
    """In v1 a Counter64 does not exist: noSuchName to GET, passed over by GETNEXT (RFC 3584 4.2.2.1)."""
    pdu, _ = ask(make(), message.GET, [OID((*OCTETS, 1))], version=message.V1)
    assert (pdu.error_status, pdu.error_index) == (message.NO_SUCH_NAME, 1)
    _, found = ask(make(), message.GET_NEXT, [NAME, OID((*SPEED, 1))], version=message.V1)
    assert [row.oid for row in found] == [OID((*SPEED, 1)), OID((*SPEED, 2))]
    only = Tree.of([(OID((*OCTETS, 1)), ber.COUNTER64, 1)])
    pdu, _ = ask(make(only), message.GET_NEXT, [(1, 3)], version=message.V1)
    assert pdu.error_status == message.NO_SUCH_NAME


def test_set_is_refused() -> None:
    """Nothing can be written: notWritable in v2c and v3, noSuchName in v1, at the first varbind."""
    pdu, found = ask(make(), message.SET, [NAME])
    assert (pdu.error_status, pdu.error_index) == (message.NOT_WRITABLE, 1)
    assert found == [VarBind(NAME, ber.NULL, None)]
    pdu, _ = ask(make(), message.SET, [NAME], version=message.V1)
    assert (pdu.error_status, pdu.error_index) == (message.NO_SUCH_NAME, 1)
    *_, pdu = opened(make().answer(user_message(SEALED, pdu_bytes(message.SET, [NAME])), MANAGER), SEALED)
    assert (pdu.error_status, pdu.error_index) == (message.NOT_WRITABLE, 1)


def test_too_big() -> None:
    """GET of more than fits is tooBig: without varbinds in v2c (RFC 3416 4.2.1), with those of the request in v1 (RFC 1157)."""
    names = LONG.shape.names[:10]
    pdu, found = ask(make(LONG), message.GET, names)
    assert (pdu.error_status, pdu.error_index, found) == (message.TOO_BIG, 0, [])
    pdu, found = ask(make(LONG), message.GET, names, version=message.V1)
    assert (pdu.error_status, pdu.error_index, len(found)) == (message.TOO_BIG, 0, 10)
    pdu, found = ask(make(LONG, max_size=4000), message.GET, names)
    assert (pdu.error_status, len(found)) == (0, 10)
    pdu, found = ask(make(LONG, max_size=484), message.GET, [(1, 3, 9999, i) for i in range(200)], version=message.V1)
    assert (pdu.error_status, found) == (message.TOO_BIG, [])


def test_getbulk_is_cut_to_size() -> None:
    """GETBULK gives as many varbinds as fit, without an error (RFC 3416 4.2.3); tooBig when not even one does."""
    pdu, found = ask(make(LONG), message.GET_BULK, [(1, 3)], 0, 30)
    assert pdu.error_status == 0
    assert [row.oid for row in found] == list(LONG.shape.names[: len(found)])
    assert len(found) == 6
    huge = Tree.of([(OID((1, 3, 1)), ber.OCTET_STRING, b"x" * 2000)])
    pdu, found = ask(make(huge), message.GET_BULK, [(1, 3)], 0, 30)
    assert (pdu.error_status, found) == (message.TOO_BIG, [])


def test_getbulk_without_repetitions_or_names() -> None:
    """Zero repetitions, zero names and negative counts give what is left to answer, perhaps nothing."""
    assert ask(make(), message.GET_BULK, [NAME], 0, 0) == (Pdu(message.RESPONSE, 77, 0, 0, b""), [])
    assert ask(make(), message.GET_BULK, [], 3, 3)[1] == []
    assert ask(make(), message.GET, [])[1] == []
    assert [row.oid for row in ask(make(), message.GET_BULK, [DESCR, DESCR], 1, -5)[1]] == [UPTIME]
    assert [row.oid for row in ask(make(), message.GET_BULK, [DESCR], -1, 1)[1]] == [UPTIME]


def test_a_getbulk_of_thousands_is_bounded() -> None:
    """The largest repetition count with the most names costs no more than one full answer."""
    responder = make(max_size=65507)
    pdu, found = ask(responder, message.GET_BULK, [(1, 3)] * 1000, 0, 2**31 - 1)
    assert pdu.error_status == 0
    assert 1000 < len(found) < 10000


@pytest.mark.parametrize(
    ("community", "source", "expected"),
    [
        (b"public", "192.0.2.1", True),
        (b"nothing", "127.0.0.1", False),
        (b"", "127.0.0.1", False),
        (b"inside", "10.1.255.3", True),
        (b"inside", "10.2.0.1", False),
        (b"inside", "::ffff:10.1.2.3", True),
        (b"inside", "fd00::5%eth0", True),
        (b"inside", "2001:db8::1", False),
        (b"inside", "somewhere", False),
    ],
)
def test_communities_and_their_networks(community: bytes, source: str, expected: bool) -> None:
    """A wrong community, or a right one from outside its networks, gets silence and is counted."""
    responder = make()
    data = message.encode_community(message.V2C, community, pdu_bytes(message.GET, [NAME]))
    for asker in (source, (source, 1), (source, 1, 0, 0)):
        assert (responder.answer(data, asker) is not None) is expected
    assert responder.stats["snmpInBadCommunityNames"] == (0 if expected else 3)
    assert responder.stats["snmpInPkts"] == 3


def test_a_community_may_see_another_tree() -> None:
    """A community's context names one of the further trees; without such a tree there is silence."""
    access = [CommunityAccess(b"public@7", context=b"vlan-7"), CommunityAccess(b"public@8", context=b"vlan-8")]
    responder = Responder(TREE, access, contexts={b"vlan-7": LONG})
    for name, answered in ((b"public@7", True), (b"public@8", False)):
        data = message.encode_community(message.V2C, name, pdu_bytes(message.GET, [(1, 3, 1)]))
        reply = responder.answer(data, MANAGER)
        assert (reply is not None and b"xxx" in reply) is answered


def test_what_is_not_asked_is_not_answered() -> None:
    """Responses, traps, informs, reports, v1 GETBULK and unknown versions get silence."""
    responder = make()
    for kind in (message.RESPONSE, message.INFORM, message.TRAP, message.REPORT):
        assert responder.answer(message.encode_community(message.V2C, b"public", pdu_bytes(kind, [NAME])), MANAGER) is None
        for user in (OPEN, SEALED):
            assert responder.answer(user_message(user, pdu_bytes(kind, [NAME])), MANAGER) is None
    bulk = message.encode_community(message.V1, b"public", pdu_bytes(message.GET_BULK, [NAME], 0, 5))
    assert responder.answer(bulk, MANAGER) is None
    trap = message.encode_trap_v1(message.TrapV1(OID((1, 3, 6)), bytes(4), 0, 0, 0, b""))
    assert responder.answer(message.encode_community(message.V1, b"public", trap), MANAGER) is None
    assert responder.answer(message.encode_community(2, b"public", pdu_bytes(message.GET, [NAME])), MANAGER) is None
    assert responder.stats["snmpInBadVersions"] == 1
    for garbage in (b"", b"\x30", b"GET / HTTP/1.1\r\n", bytes(500), b"\x30\x03\x02\x01\x01"):
        assert responder.answer(garbage, MANAGER) is None
    assert responder.stats["snmpInASNParseErrs"] == 5


def test_without_an_engine_v3_is_silent() -> None:
    """A responder for communities only does not speak v3 at all."""
    responder = Responder(TREE, [CommunityAccess(b"public")])
    assert responder.answer(user_message(OPEN, pdu_bytes(message.GET, [NAME])), MANAGER) is None
    assert responder.stats["snmpInBadVersions"] == 1


def test_sizes_that_no_answer_can_have_are_refused() -> None:
    """The size setting lies between what every engine takes and what UDP carries."""
    for size in (100, 70000):
        with pytest.raises(ValueError, match="between 484 and 65507"):
            Responder(TREE, max_size=size)


# users


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


# hostile input


def test_mutated_packets_do_no_harm() -> None:
    """100,000 damaged packets: no exception, no growth, every answer a Response or Report of ours."""
    responder = make()
    kinds = (message.GET, message.GET_NEXT, message.GET_BULK, message.SET)
    pdus = [pdu_bytes(kind, [NAME, OCTETS, SPEED], 1, 9) for kind in kinds]
    seeds = [message.encode_community(version, b"public", pdu) for pdu in pdus for version in (message.V1, message.V2C)]
    seeds += [user_message(user, pdu) for pdu in pdus for user in (OPEN, SIGNED, SEALED)]
    seeds.append(user_message(OPEN, pdus[0], engine=b""))
    answers = 0
    for data in mutated(seeds, 100_000, seed=20261122):
        reply = responder.answer(data, MANAGER)
        if reply is None:
            continue
        answers += 1
        assert len(reply) <= 1472
        if message.decode_version(reply)[0] == message.V3:
            assert v3.decode(reply).engine_id == ENGINE_ID
        else:
            _, community, pdu = message.decode_community(reply)
            assert (community, pdu.type if isinstance(pdu, Pdu) else 0) == (b"public", message.RESPONSE)
    assert answers > 1000, "the mutations are mild enough to reach deep"
    tracemalloc.start()
    try:
        held = []
        for _ in range(3):
            for data in mutated(seeds, 2000, seed=20261122):
                responder.answer(data, MANAGER)
            held.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert held[2] - held[1] < 65536, f"memory grew from turn to turn: {held}"
