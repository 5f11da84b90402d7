"""A responder with communities, users and contexts, and what it takes to ask it without a network."""

from __future__ import annotations

from collections.abc import Iterable

from snmp import ber, message, v3
from snmp.access import CommunityAccess, UserAccess
from snmp.engine import COUNTERS, Engine, engine_id
from snmp.message import Pdu, VarBind
from snmp.oid import OID
from snmp.responder import Responder
from snmp.tree import Tree
from snmp.usm import User

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


def make(tree: Tree = TREE, boots: int = 5, max_size: int = 1472) -> Responder:
    """A responder in its 600th second at this boot."""
    engine = Engine(ENGINE_ID, boots, NOW - 600)
    communities = [CommunityAccess(b"public"), CommunityAccess(b"inside", ["10.1.0.0/16", "fd00::/8"])]
    users = [UserAccess(OPEN), UserAccess(SIGNED), UserAccess(SEALED), UserAccess(User(b"far"), ["10.1.0.0/16"])]
    return Responder(tree, communities, users, engine, contexts={b"vlan-7": LONG}, clock=lambda: NOW, max_size=max_size)


def pdu_bytes(kind: int, names: Iterable[tuple[int, ...]], first: int = 0, second: int = 0, request_id: int = 77) -> bytes:
    """A request; `first` and `second` are a GETBULK's non-repeaters and max-repetitions."""
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
    """A request in a v3 message, right in all that is not given."""
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
