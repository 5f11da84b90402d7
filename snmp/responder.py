"""The answering side: bytes in, bytes or nothing out. No sockets, no event loop, no clock but the one passed in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from . import ber, message
from .access import CommunityAccess, Source, UserAccess
from .engine import Engine, Statistics, steady
from .errors import DecodeError
from .message import Pdu
from .tree import Tree

if TYPE_CHECKING:
    from .authority import Authority
    from .ciphers import Factory

MAX_SIZE = 1472
"""Octets of an answer unless told otherwise: what an Ethernet frame carries without IP fragments."""

_READS = (message.GET, message.GET_NEXT, message.GET_BULK)
_ASKS = (*_READS, message.SET)


class Responder:
    """Answers GET, GETNEXT and GETBULK of SNMPv1, v2c and v3 from a tree; refuses SET; says nothing to all else.

    `tree` may be replaced at any time. `contexts` are further trees by context name. `stats` counts what came in.
    """

    __slots__ = ("_authority", "_communities", "clock", "contexts", "engine", "max_size", "stats", "tree")

    def __init__(
        self,
        tree: Tree,
        communities: Iterable[CommunityAccess] = (),
        users: Iterable[UserAccess] = (),
        engine: Engine | None = None,
        *,
        contexts: Mapping[bytes, Tree] | None = None,
        max_size: int = MAX_SIZE,
        clock: Callable[[], float] = steady,
        stats: Statistics | None = None,
        ciphers: Factory | None = None,
    ) -> None:
        """Without an engine v3 is not answered. `clock` gives seconds and must be the one that `engine.started` was read from."""
        least, most = message.MIN_MESSAGE, message.MAX_MESSAGE
        if not least <= max_size <= most:
            raise ValueError(f"an answer's size lies between {least} and {most} bytes, found {max_size}")
        self.tree = tree
        self.contexts: Mapping[bytes, Tree] = contexts or {}
        self.engine = engine
        self.max_size = max_size
        self.clock = clock
        self.stats = stats or Statistics()
        self._communities = {access.name: access for access in communities}
        self._authority: Authority | None = None
        if engine is not None:
            # Hashes and ciphers weigh as much as all the rest: an agent without users goes without them.
            from .authority import Authority

            self._authority = Authority(engine, users, self.stats, max_size, ciphers)

    def answer(self, data: bytes, source: Source) -> bytes | None:
        """The datagram to send back to where `data` came from, or None; never raises for what `data` holds."""
        counts = self.stats.counts
        counts["snmpInPkts"] += 1
        try:
            start, end = ber.expect(data, 0, len(data), ber.SEQUENCE)
            version, pos = ber.decode_integer(data, start, end)
            if version == message.V3:
                return self._answer_user(data, source)
            if version not in (message.V1, message.V2C):
                self.stats.count("snmpInBadVersions")
                return None
            name, pos = ber.decode_octets(data, pos, end)
            access = self._communities.get(name)
            if access is None or source not in access.networks:
                self.stats.count("snmpInBadCommunityNames")
                return None
            pdu = message.decode_pdu(data, pos, end)
            if not isinstance(pdu, Pdu) or pdu.type not in _ASKS or (version == message.V1 and pdu.type == message.GET_BULK):
                return None
            tree = self._tree(access.context)
            if tree is None:
                return None
            if pdu.type == message.SET:
                self.stats.count("snmpInBadCommunityUses")
            lead = data[start:pos]
            respond = _respond_v1 if version == message.V1 else _respond
            reply = respond(tree, pdu, self.max_size - len(lead) - 4, self.clock())
        except DecodeError:
            self.stats.count("snmpInASNParseErrs")
            return None
        return ber.tlv(ber.SEQUENCE, lead + reply)

    def _answer_user(self, data: bytes, source: Source) -> bytes | None:
        authority = self._authority
        if authority is None:
            self.stats.count("snmpInBadVersions")
            return None
        now = self.clock()
        request = authority.open(data, source, now)
        if request is None or isinstance(request, bytes):
            return request
        pdu = request.pdu
        if pdu.type not in _ASKS:
            return None
        if request.context_engine != authority.engine_id:
            return authority.report(request, "snmpUnknownPDUHandlers", now)
        tree = self._tree(request.context)
        if tree is None:
            return authority.report(request, "snmpUnknownContexts", now)
        room = request.room
        if not request.access.admits(request.level):
            reply = _refuse(pdu, message.AUTHORIZATION_ERROR, 0, pdu.body, room)
        else:
            reply = _respond(tree, pdu, room, now)
        return authority.seal(request, reply, now)

    def _tree(self, context: bytes) -> Tree | None:
        return self.contexts.get(context) if context else self.tree


def _respond(tree: Tree, pdu: Pdu, room: int, now: float) -> bytes:
    """The Response-PDU of RFC 3416 section 4.2 within `room` bytes."""
    kind = pdu.type
    if kind == message.SET:
        return _refuse(pdu, message.NOT_WRITABLE, 1, pdu.body, room) if message.decode_varbinds(pdu.body) else _reply(pdu, b"")
    left = room - _overhead(pdu)
    if kind == message.GET_BULK:
        plan = tree.plan(kind, pdu.error_status, pdu.error_index, pdu.body, left, now)
        body, count = tree.bind(plan, left, now)
        fits = count > 0 or not plan.items
    else:
        plan = tree.plan(kind, 0, 0, pdu.body, 0, now)
        body, count = tree.bind(plan, left, now)
        fits = count == len(plan.items)
    return _reply(pdu, body) if fits else _refuse(pdu, message.TOO_BIG, 0, b"", room)


def _respond_v1(tree: Tree, pdu: Pdu, room: int, now: float) -> bytes:
    """The GetResponse-PDU of RFC 1157 section 4.1: one object missing refuses all, and no Counter64 (RFC 3584 4.2.2.1)."""
    if pdu.type == message.SET:
        names = message.decode_varbinds(pdu.body)
        return _refuse(pdu, message.NO_SUCH_NAME, 1, pdu.body, room) if names else _reply(pdu, b"")
    plan = tree.plan(pdu.type, 0, 0, pdu.body, 0, now)
    out: list[bytes] = []
    for index, (_, position) in enumerate(plan.items, 1):
        binding = _binding_v1(tree, pdu.type, position, now)
        if binding is None:
            return _refuse(pdu, message.NO_SUCH_NAME, index, pdu.body, room)
        out.append(binding)
    body = b"".join(out)
    return _reply(pdu, body) if len(body) <= room - _overhead(pdu) else _refuse(pdu, message.TOO_BIG, 0, pdu.body, room)


def _binding_v1(tree: Tree, kind: int, position: int, now: float) -> bytes | None:
    """The varbind at a position or, for a GETNEXT, at the first one after it that v1 can carry."""
    while position >= 0:
        head, value = tree.shape.heads[position], tree.value(position, now)
        if value[0] != ber.COUNTER64:
            return ber.tlv(ber.SEQUENCE, head + value)
        if kind == message.GET:
            return None
        step = ber.tlv(ber.SEQUENCE, head + b"\x05\x00")
        position = tree.plan(message.GET_NEXT, 0, 0, step, 0, now).items[0][1]
    return None


def _overhead(pdu: Pdu) -> int:
    """Bytes of a Response-PDU beside its variable bindings, at most."""
    return 15 + len(ber.encode_integer(pdu.request_id))


def _reply(pdu: Pdu, body: bytes) -> bytes:
    rest = message.WELL + ber.tlv(ber.SEQUENCE, body)
    return ber.tlv(message.RESPONSE, ber.encode_integer(pdu.request_id) + rest)


def _refuse(pdu: Pdu, status: int, index: int, body: bytes, room: int) -> bytes:
    """A Response-PDU with an error-status."""
    if len(body) > room - _overhead(pdu):
        status, index, body = message.TOO_BIG, 0, b""
    return message.encode_pdu(Pdu(message.RESPONSE, pdu.request_id, status, index, body))
