"""Receiving notifications: bytes in; a notification and the bytes that acknowledge it out. Pure, like the responder."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from . import ber, message, v3
from .access import CommunityAccess, Source, UserAccess, address_of
from .authority import Authority, Request
from .ciphers import Factory
from .engine import Engine, Statistics, steady
from .errors import DecodeError, NotInTimeWindow, SecurityError
from .message import Pdu, TrapV1
from .notify import Notification, from_v1, read_v2
from .usm import MAX_BOOTS, TIME_WINDOW, Keys

_ENGINES = 65536


class _Sender(NamedTuple):
    """A sending engine as its last authentic trap showed it; `zero` is our clock's value at which its time was 0."""

    boots: int
    latest: int
    zero: float


class Receiver:
    """Takes traps of SNMPv1, v2c and v3 and informs of v2c and v3; answers nothing but informs and engine discovery.

    For a v3 trap the sender's engine is authoritative: the user's keys are localised for it, and its boots and time are
    followed from the first authentic trap on (RFC 3414 section 3.2.7b). For an inform our engine is.
    """

    __slots__ = ("_authority", "_ciphers", "_communities", "_decoded", "_senders", "_users", "clock", "engine", "stats")

    def __init__(
        self,
        communities: Iterable[CommunityAccess] = (),
        users: Iterable[UserAccess] = (),
        engine: Engine | None = None,
        *,
        clock: Callable[[], float] = steady,
        stats: Statistics | None = None,
        ciphers: Factory | None = None,
        decoded: int | None = None,
    ) -> None:
        """Without an engine v3 traps are taken, but no v3 informs. Of v3's no more than `decoded` objects are decoded, beside the
        time and the notification's name; the others are `Notification.rest`."""
        users = list(users)
        self.engine = engine
        self.clock = clock
        self.stats = stats or Statistics()
        self._communities = {access.name: access for access in communities}
        self._users = {access.user.name: access for access in users}
        self._ciphers = ciphers
        self._decoded = decoded
        self._authority = Authority(engine, users, self.stats, message.MAX_MESSAGE, ciphers) if engine is not None else None
        self._senders: dict[bytes, _Sender] = {}

    def receive(self, data: bytes, source: Source) -> tuple[Notification | None, bytes | None]:
        """(what was notified, what to send back to `source`); either may be None; never raises for what `data` holds.

        With a notification the bytes are its acknowledgement: send them when it is safe, and the sender will not repeat it.
        Without one they are a Report, to be sent at once.
        """
        self.stats.counts["snmpInPkts"] += 1
        try:
            start, end = ber.expect(data, 0, len(data), ber.SEQUENCE)
            version, pos = ber.decode_integer(data, start, end)
            if version == message.V3:
                return self._receive_user(data, source)
            if version in (message.V1, message.V2C):
                return self._receive_community(data, source, version, start, pos, end)
            self.stats.count("snmpInBadVersions")
        except DecodeError:
            self.stats.count("snmpInASNParseErrs")
        return None, None

    def refuse(self, data: bytes, source: Source) -> bytes | None:
        """What to answer instead of the acknowledgement of an authentic v3 inform that nobody can use: a Response with genErr."""
        authority, now = self._authority, self.clock()
        request = authority.open(data, source, now) if authority is not None else None
        if authority is None or not isinstance(request, Request):
            return None
        pdu = request.pdu._replace(type=message.RESPONSE, error_status=message.GEN_ERR, error_index=0)
        return authority.seal(request, message.encode_pdu(pdu), now)

    def _receive_community(
        self, data: bytes, source: Source, version: int, start: int, pos: int, end: int
    ) -> tuple[Notification | None, bytes | None]:
        name, pos = ber.decode_octets(data, pos, end)
        access = self._communities.get(name)
        if access is None or source not in access.networks:
            self.stats.count("snmpInBadCommunityNames")
            return None, None
        pdu = message.decode_pdu(data, pos, end)
        address = address_of(source)
        if isinstance(pdu, TrapV1):
            if version != message.V1:
                return None, None
            return Notification(*from_v1(pdu), address, version, community=name, context=access.context), None
        if version != message.V2C or pdu.type not in (message.TRAP, message.INFORM):
            return None, None
        confirmed = pdu.type == message.INFORM
        notification = Notification(
            *read_v2(pdu.body), address, version, confirmed, pdu.request_id, name, context=access.context
        )  # fmt: skip
        reply = ber.tlv(ber.SEQUENCE, data[start:pos] + _acknowledgement(pdu)) if confirmed else None
        return notification, reply

    def _receive_user(self, data: bytes, source: Source) -> tuple[Notification | None, bytes | None]:
        opened = v3.decode(data)
        now = self.clock()
        authority = self._authority
        if authority is None or (opened.engine_id != authority.engine_id and not opened.flags & v3.REPORTABLE):
            return self._receive_trap(opened, data, source, now), None
        request = authority.open(data, source, now)
        if not isinstance(request, Request):
            return None, request
        if request.pdu.type != message.INFORM or not request.access.admits(request.level):
            return None, None
        notification = self._notified(request.pdu, source, opened, request.context_engine, request.context)
        return notification, authority.seal(request, _acknowledgement(request.pdu), now)

    def _receive_trap(self, opened: v3.Message, data: bytes, source: Source, now: float) -> Notification | None:
        access = self._users.get(opened.user)
        if access is None or source not in access.networks:
            self.stats.count("usmStatsUnknownUserNames")
            return None
        level = opened.level
        if not access.admits(level):
            self.stats.count("usmStatsUnsupportedSecLevels")
            return None
        keys: Keys | None = None
        try:
            if level:
                keys = access.user.localise(opened.engine_id, self._ciphers)
            plain = v3.open_(opened, data, keys)
            if level:
                self._follow(opened, now)
        except SecurityError as e:
            self.stats.count(e.counter)
            return None
        engine_id, context, pdu = v3.decode_scoped(plain)
        return self._notified(pdu, source, opened, engine_id, context) if pdu.type == message.TRAP else None

    def _follow(self, opened: v3.Message, now: float) -> None:
        """Judge an authentic trap's boots and time, and remember the latest; raises NotInTimeWindow."""
        if opened.boots == MAX_BOOTS:
            raise NotInTimeWindow(f"engine {opened.engine_id.hex()} has used up its boots (RFC 3414 section 2.2.2)")
        known = self._senders.get(opened.engine_id)
        if known is not None:
            late = int(now - known.zero) - opened.time > TIME_WINDOW
            if opened.boots < known.boots or (opened.boots == known.boots and late):
                raise NotInTimeWindow(f"a trap of engine {opened.engine_id.hex()} from an earlier boot or time")
            if opened.boots == known.boots and opened.time <= known.latest:
                return
        elif len(self._senders) >= _ENGINES:
            self._senders.pop(next(iter(self._senders)))
        self._senders[opened.engine_id] = _Sender(opened.boots, opened.time, now - opened.time)

    def _notified(self, pdu: Pdu, source: Source, opened: v3.Message, engine_id: bytes, context: bytes) -> Notification:
        rest, bindings = b"", None
        if self._decoded is not None:
            bindings, rest = message.split_varbinds(pdu.body, self._decoded + 2)
        return Notification(
            *read_v2(pdu.body, bindings), address_of(source), message.V3, pdu.type == message.INFORM, pdu.request_id, b"",
            opened.user, opened.level, engine_id, context, rest,
        )  # fmt: skip


def _acknowledgement(pdu: Pdu) -> bytes:
    return message.encode_pdu(pdu._replace(type=message.RESPONSE, error_status=0, error_index=0))
