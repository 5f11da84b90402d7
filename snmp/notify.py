"""Notifications: what they hold, how v1's map to v2's (RFC 3584 section 3), and sending them.

`trap_v1`, `trap_v2` and `trap_v3` make datagrams; an `InformSession` makes informs and understands their acknowledgements.
Receiving is `snmp.receiver`.
"""

from __future__ import annotations

import enum
import os
from collections.abc import Sequence
from typing import Final, NamedTuple

from . import ber, message, v3
from .ciphers import Factory
from .engine import COUNTERS, Engine
from .errors import DecodeError, EncodeError, NotInTimeWindow, SecurityError, StatusError, UnknownEngine
from .message import Pdu, TrapV1, VarBind
from .oid import OID
from .security import Community
from .usm import MAX_BOOTS, REPORTS, TIME_WINDOW, Keys, User

SYS_UP_TIME = OID((1, 3, 6, 1, 2, 1, 1, 3, 0))
SNMP_TRAP_OID = OID((1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0))
SNMP_TRAP_ENTERPRISE = OID((1, 3, 6, 1, 6, 3, 1, 1, 4, 3, 0))
SNMP_TRAP_ADDRESS = OID((1, 3, 6, 1, 6, 3, 18, 1, 3, 0))
SNMP_TRAP_COMMUNITY = OID((1, 3, 6, 1, 6, 3, 18, 1, 4, 0))
SNMP_TRAPS = OID((1, 3, 6, 1, 6, 3, 1, 1, 5))
"""Below it coldStart, warmStart, linkDown, linkUp, authenticationFailure and egpNeighborLoss, 1 to 6."""

_ENTERPRISE_SPECIFIC = 6


class Notification(NamedTuple):
    """A trap or inform: `trap` is snmpTrapOID.0, `uptime` sysUpTime.0 in hundredths of a second, `varbinds` the other objects.

    `rest` are the objects behind those, still encoded: where a receiver was told to decode only the first ones, and for a sender
    that has them so.
    The other fields say how it came and are not sent: `address` of the sender, `version` (`message.V1` ...), `confirmed` for
    an inform, the community, or the user with its security level (0, 1, 3), and the engine and context whose objects these are.
    """

    trap: OID
    uptime: int
    varbinds: tuple[VarBind, ...] = ()
    address: str = ""
    version: int = message.V2C
    confirmed: bool = False
    request_id: int = 0
    community: bytes = b""
    user: bytes = b""
    level: int = 0
    engine_id: bytes = b""
    context: bytes = b""
    rest: bytes = b""

    def __repr__(self) -> str:
        told = (f"{name}={value!r}" for name, value in self._asdict().items() if name != "community")
        return f"Notification({', '.join(told)})"


def from_v1(trap: TrapV1) -> tuple[OID, int, tuple[VarBind, ...]]:
    """(trap, uptime, varbinds) of a v1 trap (RFC 3584 section 3.1), its agent address and enterprise added as objects.

    Raises DecodeError for varbinds that cannot be read or a generic trap number that does not exist.
    """
    if not 0 <= trap.generic <= _ENTERPRISE_SPECIFIC:
        raise DecodeError(f"generic trap {trap.generic}: expected 0 to {_ENTERPRISE_SPECIFIC}")
    if trap.generic == _ENTERPRISE_SPECIFIC:
        name = OID((*trap.enterprise, 0, trap.specific & 0xFFFFFFFF))
    else:
        name = OID((*SNMP_TRAPS, trap.generic + 1))
    varbinds = message.decode_varbinds(trap.body)
    present = {binding.oid for binding in varbinds}
    for added in (
        VarBind(SNMP_TRAP_ADDRESS, ber.IP_ADDRESS, trap.agent_address),
        VarBind(SNMP_TRAP_ENTERPRISE, ber.OBJECT_IDENTIFIER, trap.enterprise),
    ):
        if added.oid not in present:
            varbinds.append(added)
    return name, trap.timestamp, tuple(varbinds)


def to_v1(notification: Notification, agent_address: bytes = bytes(4)) -> TrapV1:
    """A notification as a v1 trap (RFC 3584 section 3.2); raises EncodeError for a Counter64, which v1 cannot carry."""
    trap = notification.trap
    enterprise: OID | None = None
    kept: list[VarBind] = []
    for binding in (*notification.varbinds, *message.decode_varbinds(notification.rest)):
        if binding.tag == ber.COUNTER64:
            raise EncodeError(f"a v1 trap cannot carry {binding.oid}, a Counter64 (RFC 3584 section 3.2)")
        if binding.oid == SNMP_TRAP_ENTERPRISE and isinstance(binding.value, OID):
            enterprise = binding.value
        elif binding.oid == SNMP_TRAP_ADDRESS and isinstance(binding.value, bytes):
            agent_address = binding.value
        elif binding.oid != SNMP_TRAP_COMMUNITY:
            kept.append(binding)
    if len(trap) == len(SNMP_TRAPS) + 1 and SNMP_TRAPS.covers(trap) and 1 <= trap[-1] <= _ENTERPRISE_SPECIFIC:
        generic, specific = trap[-1] - 1, 0
        enterprise = enterprise or SNMP_TRAPS
    else:
        generic, specific = _ENTERPRISE_SPECIFIC, trap[-1]
        enterprise = OID(trap[:-2] if len(trap) > 2 and trap[-2] == 0 else trap[:-1])
    return TrapV1(enterprise, agent_address, generic, specific, notification.uptime, message.encode_varbinds(kept))


def read_v2(body: bytes, bindings: Sequence[VarBind] | None = None) -> tuple[OID, int, tuple[VarBind, ...]]:
    """(trap, uptime, varbinds) of a v2 trap's or inform's variable bindings (RFC 3416 section 4.2.6), decoded already or not.

    The two objects that must come first are found elsewhere too, as some devices send them; raises DecodeError without a
    snmpTrapOID.0.
    """
    trap: OID | None = None
    uptime = 0
    rest: list[VarBind] = []
    for binding in message.decode_varbinds(body) if bindings is None else bindings:
        if binding.oid == SNMP_TRAP_OID and trap is None and isinstance(binding.value, OID):
            trap = binding.value
        elif binding.oid == SYS_UP_TIME and not rest and isinstance(binding.value, int):
            uptime = binding.value
        else:
            rest.append(binding)
    if trap is None:
        raise DecodeError(f"a notification without {SNMP_TRAP_OID} (snmpTrapOID.0)")
    return trap, uptime, tuple(rest)


def trap_v1(notification: Notification, community: bytes, agent_address: bytes = bytes(4)) -> bytes:
    """The datagram of a v1 trap; raises EncodeError."""
    pdu = message.encode_trap_v1(to_v1(notification, agent_address))
    return message.encode_community(message.V1, community, pdu)


def trap_v2(notification: Notification, community: bytes, request_id: int) -> bytes:
    """The datagram of a v2c trap; raises EncodeError."""
    return message.encode_community(message.V2C, community, _pdu(message.TRAP, notification, request_id))


def trap_v3(
    notification: Notification,
    user: User,
    engine: Engine,
    request_id: int,
    now: float,
    context: bytes = b"",
    ciphers: Factory | None = None,
) -> bytes:
    """The datagram of a v3 trap, for which our own engine is authoritative; `now` by the engine's clock. Raises EncodeError."""
    scoped = v3.encode_scoped(engine.id, context, _pdu(message.TRAP, notification, request_id))
    keys = user.localise(engine.id, ciphers) if user.level else None
    return v3.encode(request_id & 0x7FFFFFFF, user.level, engine.id, engine.boots, engine.time(now), user.name, scoped, keys)


def _pdu(kind: int, notification: Notification, request_id: int) -> bytes:
    first: Sequence[VarBind] = (
        VarBind(SYS_UP_TIME, ber.TIME_TICKS, notification.uptime & 0xFFFFFFFF),
        VarBind(SNMP_TRAP_OID, ber.OBJECT_IDENTIFIER, notification.trap),
    )
    body = message.encode_varbinds((*first, *notification.varbinds)) + notification.rest
    return message.encode_pdu(Pdu(kind, request_id, 0, 0, body))


class Retry(enum.Enum):
    """What `InformSession.receive` answers when the same inform should be asked for and sent again at once."""

    NOW = enum.auto()


RETRY: Final = Retry.NOW

_RETRIES = 4
_OUTSTANDING = 1024


class InformSession:
    """Informs to one receiver, without socket or clock: send what `request` gives, hand what arrives to `receive`.

    For a v3 user it learns the receiver's engine, boots and time by itself (RFC 3414 section 4), and again after the receiver
    was restarted or replaced. Several informs may be under way.
    """

    def __init__(
        self, credential: Community | User, context: bytes = b"", engine_id: bytes = b"", ciphers: Factory | None = None
    ) -> None:
        """`engine_id` is our own, to name whose objects an inform holds (the receiver's stands there without)."""
        if isinstance(credential, Community) and credential.version == message.V1:
            raise ValueError("SNMPv1 has no informs; use v2c or v3")
        self.credential = credential
        self.context = context
        self._context_engine = engine_id
        self._ciphers = ciphers
        self._engine_id = b""
        self._keys: Keys | None = None
        self._boots = 0
        self._zero = 0.0
        self._authentic = False
        self._retries = 0
        self._next = int.from_bytes(os.urandom(4), "big") >> 1
        self._outstanding: dict[int, int] = {}

    @property
    def receiver(self) -> bytes:
        """The receiver's engine ID; empty until it is known, and for a community."""
        return self._engine_id

    def request(self, inform_id: int, notification: Notification, now: float) -> bytes:
        """The datagram to send for this inform now, at the first try and at every further one; raises EncodeError.

        `inform_id` (0 to 2^31-1) is the caller's and comes back from `receive`; `now` in seconds of any steady clock.
        """
        if isinstance(self.credential, Community):
            self._remember(inform_id, inform_id)
            return message.encode_community(message.V2C, self.credential.name, _pdu(message.INFORM, notification, inform_id))
        self._next = msg_id = (self._next + 1) & 0x7FFFFFFF
        self._remember(msg_id, inform_id)
        if not self._engine_id:
            empty = message.encode_pdu(Pdu(message.GET, msg_id, 0, 0, b""))
            return v3.encode(msg_id, v3.REPORTABLE, b"", 0, 0, b"", v3.encode_scoped(b"", b"", empty))
        user = self.credential
        pdu = _pdu(message.INFORM, notification, inform_id)
        scoped = v3.encode_scoped(self._context_engine or self._engine_id, self.context, pdu)
        time = self._time(now) if user.level else 0
        boots = self._boots if user.level else 0
        return v3.encode(msg_id, v3.REPORTABLE | user.level, self._engine_id, boots, time, user.name, scoped, self._keys)

    def receive(self, data: bytes, now: float) -> int | Retry | None:
        """The id of the inform that `data` acknowledges; RETRY; or None when it is nothing of ours: go on waiting.

        Raises StatusError when the receiver refuses the inform, SecurityError when its Report says why it cannot accept us.
        """
        try:
            if isinstance(self.credential, Community):
                return self._receive_community(data, self.credential)
            return self._receive_user(data, self.credential, now)
        except DecodeError:
            return None

    def _receive_community(self, data: bytes, community: Community) -> int | None:
        version, name, pdu = message.decode_community(data)
        if version != message.V2C or name != community.name or not isinstance(pdu, Pdu):
            return None
        return self._acknowledged(pdu.request_id, pdu)

    def _receive_user(self, data: bytes, user: User, now: float) -> int | Retry | None:
        opened = v3.decode(data)
        if opened.msg_id not in self._outstanding:
            return None
        keys = self._keys if opened.level else None
        try:
            if opened.level and (opened.engine_id != self._engine_id or keys is None):
                return None
            plain = v3.open_(opened, data, keys)
        except SecurityError:
            return None  # not from who we speak to
        pdu = v3.decode_scoped(plain)[2]
        if pdu.type == message.REPORT:
            return self._reported(opened, pdu, user, now)
        if opened.level != user.level or opened.engine_id != self._engine_id or opened.user != user.name:
            return None
        if opened.level and not self._timely(opened, now):
            return None
        return self._acknowledged(opened.msg_id, pdu)

    def _acknowledged(self, key: int, pdu: Pdu) -> int | None:
        if pdu.type != message.RESPONSE or self._outstanding.get(key) != pdu.request_id:
            return None
        del self._outstanding[key]
        self._retries = 0
        if pdu.error_status:
            raise StatusError(pdu.error_status, pdu.error_index, pdu.request_id)
        return pdu.request_id

    def _reported(self, opened: v3.Message, pdu: Pdu, user: User, now: float) -> Retry | None:
        names = [binding.oid for binding in message.decode_varbinds(pdu.body)]
        complaint = REPORTS.get(names[0]) if names else None
        if complaint is None or (complaint is NotInTimeWindow and not opened.level):
            return None
        del self._outstanding[opened.msg_id]
        self._retries += 1
        if complaint is UnknownEngine and len(opened.engine_id) >= 5 and self._retries <= _RETRIES:
            # unauthenticated: boots and time are a first guess, which only an authentic message makes knowledge
            if opened.engine_id != self._engine_id:
                self._engine_id = opened.engine_id
                self._keys = user.localise(opened.engine_id, self._ciphers) if user.level else None
            self._boots, self._zero, self._authentic = opened.boots, now - opened.time, False
            return RETRY
        if complaint is NotInTimeWindow and self._retries <= _RETRIES:
            # it bears the id of a message just sent, so it is no replay even where it sets boots or time back: a receiver
            # restored from a backup must not be lost for ever
            self._boots, self._zero, self._authentic = opened.boots, now - opened.time, True
            return RETRY
        self._retries = 0
        counter = next((name for name, oid in COUNTERS.items() if oid == names[0]), names[0])
        raise complaint(f"the receiver's engine {opened.engine_id.hex()} reports {counter}")

    def _timely(self, opened: v3.Message, now: float) -> bool:
        """Judge an authentic message's boots and time, and learn from them (RFC 3414 section 3.2.7b)."""
        if self._authentic and (
            opened.boots < self._boots or (opened.boots == self._boots and opened.time < self._time(now) - TIME_WINDOW)
        ):
            return False
        if opened.boots == MAX_BOOTS:
            return False
        if not self._authentic or opened.boots > self._boots or opened.time > self._time(now):
            self._boots, self._zero = opened.boots, now - opened.time
        self._authentic = True
        return True

    def _time(self, now: float) -> int:
        return min(max(int(now - self._zero), 0), MAX_BOOTS)

    def _remember(self, key: int, inform_id: int) -> None:
        if len(self._outstanding) >= _OUTSTANDING:
            self._outstanding.pop(next(iter(self._outstanding)))
        self._outstanding[key] = inform_id
