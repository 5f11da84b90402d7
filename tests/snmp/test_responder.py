"""The responder without a network: what is answered, what is refused, what is met with silence."""

from __future__ import annotations

import tracemalloc

import pytest
from asking import (
    DESCR,
    ENGINE_ID,
    LONG,
    MANAGER,
    NAME,
    OCTETS,
    OPEN,
    SEALED,
    SIGNED,
    SPEED,
    TREE,
    UPTIME,
    ask,
    make,
    opened,
    pdu_bytes,
    user_message,
)
from mutation import mutated

from snmp import ber, message, v3
from snmp.access import CommunityAccess
from snmp.message import Pdu, VarBind
from snmp.oid import OID
from snmp.responder import Responder
from snmp.tree import Tree


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
