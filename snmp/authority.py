"""The authoritative side of USM: opening what is sent to our engine, sealing answers, Reports (RFC 3414 section 3.2)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from . import ber, message, v3
from .access import Source, UserAccess
from .ciphers import Factory
from .engine import COUNTERS, Engine, Statistics
from .errors import DecodeError, SecurityError
from .message import Pdu
from .usm import AUTH_FLAG, MAX_BOOTS, PRIV_FLAG, TIME_WINDOW, Keys

CONFIRMED = frozenset((message.GET, message.GET_NEXT, message.GET_BULK, message.SET, message.INFORM))
"""PDU types that are answered (RFC 3411 section 2.8); only these may cause a Report."""

_ENVELOPE = 85
"""Bytes of a v3 message at most, beside its PDU, engine IDs, names and digest."""


class Request(NamedTuple):
    """A message that USM let pass. `room` is how many bytes the PDU of an answer may have."""

    message: v3.Message
    access: UserAccess
    keys: Keys | None
    level: int
    context_engine: bytes
    context: bytes
    pdu: Pdu
    room: int


class Authority:
    """An engine, the users it knows and their keys. Silent where no user may come from; without users it refuses all."""

    __slots__ = ("_ciphers", "_engine", "_keys", "_max_size", "_stats", "_users")

    def __init__(
        self, engine: Engine, users: Iterable[UserAccess], stats: Statistics, max_size: int, ciphers: Factory | None = None
    ) -> None:
        self._engine = engine
        self._users = {access.user.name: access for access in users}
        self._keys: dict[bytes, Keys] = {}
        self._stats = stats
        self._max_size = max_size
        self._ciphers = ciphers

    def open(self, data: bytes, source: Source, now: float) -> Request | bytes | None:
        """The request in a datagram; or the Report to send back; or None for what deserves no word. Raises DecodeError."""
        opened = v3.decode(data)
        engine = self._engine
        if self._users and not any(source in access.networks for access in self._users.values()):
            return None  # a stranger, to whom the engine does not show; with no users left, their senders are to know
        if opened.engine_id != engine.id:
            return self._refuse(opened, "usmStatsUnknownEngineIDs", now)
        access = self._users.get(opened.user)
        if access is None or source not in access.networks:
            return self._refuse(opened, "usmStatsUnknownUserNames", now)
        level = opened.level
        if level & ~access.user.level:
            return self._refuse(opened, "usmStatsUnsupportedSecLevels", now)
        keys = None
        try:
            if level:
                keys = self._keys.get(opened.user)
                if keys is None:
                    keys = self._keys[opened.user] = access.user.localise(engine.id, self._ciphers)
                if opened.boots != engine.boots or engine.boots == MAX_BOOTS or abs(opened.time - engine.time(now)) > TIME_WINDOW:
                    if keys.verify(data, opened.auth_offset, len(opened.auth_params)):
                        return self._refuse(opened, "usmStatsNotInTimeWindows", now, keys)
                    return self._refuse(opened, "usmStatsWrongDigests", now)
            plain = v3.open_(opened, data, keys)
        except SecurityError as e:
            return self._refuse(opened, e.counter, now)
        try:
            context_engine, context, pdu = v3.decode_scoped(plain)
        except DecodeError:
            if level & PRIV_FLAG:  # a wrong key gives garbage that may begin like a PDU
                return self._refuse(opened, "usmStatsDecryptionErrors", now)
            raise
        mac = keys.mac_length if keys else 0
        names = len(engine.id) + len(context_engine) + len(context) + len(opened.user)
        room = min(self._max_size, opened.max_size) - _ENVELOPE - names - mac
        return Request(opened, access, keys, level, context_engine, context, pdu, room)

    @property
    def engine_id(self) -> bytes:
        """The engine's ID, which requests must bear."""
        return self._engine.id

    def seal(self, request: Request, pdu: bytes, now: float) -> bytes:
        """The message that answers a request with an encoded PDU, at the request's security level."""
        engine = self._engine
        scoped = v3.encode_scoped(request.context_engine, request.context, pdu)
        return v3.encode(
            request.message.msg_id, request.level, engine.id, engine.boots, engine.time(now), request.message.user, scoped,
            request.keys, self._max_size,
        )  # fmt: skip

    def report(self, request: Request, counter: str, now: float) -> bytes | None:
        """Count, and make the Report for a request that was opened but cannot be served."""
        number = self._stats.count(counter)
        if request.pdu.type not in CONFIRMED or not request.message.flags & v3.REPORTABLE:
            return None
        ours = request._replace(context_engine=self._engine.id, context=b"")
        return self.seal(ours, _report(counter, number, request.pdu.request_id), now)

    def _refuse(self, opened: v3.Message, counter: str, now: float, keys: Keys | None = None) -> bytes | None:
        """Count, and make the Report for a message that USM does not let pass; signed when there are keys."""
        number = self._stats.count(counter)
        if not opened.flags & v3.REPORTABLE:
            return None
        request_id = 0
        if not opened.flags & PRIV_FLAG:
            pdu = v3.decode_scoped(opened.payload)[2]
            if pdu.type not in CONFIRMED:
                return None
            request_id = pdu.request_id
        engine = self._engine
        scoped = v3.encode_scoped(engine.id, b"", _report(counter, number, request_id))
        flags = AUTH_FLAG if keys else 0
        return v3.encode(
            opened.msg_id, flags, engine.id, engine.boots, engine.time(now), opened.user, scoped, keys, self._max_size
        )


def _report(counter: str, number: int, request_id: int) -> bytes:
    body = message.encode_varbind(COUNTERS[counter], ber.COUNTER32, number)
    return message.encode_pdu(Pdu(message.REPORT, request_id, 0, 0, body))
