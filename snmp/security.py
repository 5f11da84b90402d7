"""How a request is wrapped for one device and its answer unwrapped: by community, or by USM with engine state.

One `Security` belongs to one `Target`: cloned disk images repeat engine IDs, so engine boots and time are kept for an
address and engine together, never for an engine alone.
"""

from __future__ import annotations

from typing import Final, NamedTuple, Protocol

from . import ber, message, usm, v3
from .errors import (
    DecodeError,
    DecryptionError,
    NotInTimeWindow,
    SecurityError,
    SnmpError,
    UnknownEngine,
    UnknownUser,
    UnsupportedSecurityLevel,
    WrongDigest,
)
from .message import Pdu, Request
from .sealed import Sealed
from .usm import User


class Community(NamedTuple):
    """A v1 or v2c credential; `version` is `message.V1` or `message.V2C`."""

    name: bytes
    version: int = message.V2C

    def __repr__(self) -> str:
        return f"Community(version={self.version})"


class _Discovery:
    """The answer taught us the device's engine: the request is to be sent again."""


Discovery: Final = _Discovery()


class Security(Protocol):
    """What a target's credential does with its messages. Times are the event loop's, in seconds."""

    overhead: int
    """Octets of a request beside its variable bindings, more or less."""
    room: int
    """Octets of variable bindings that an answer in one packet holds at most, and no more than the device says it sends."""
    mismatch: str
    """What to say of an answer that came from the right place and was not acceptable."""

    def wrap(self, request: Request, request_id: int, now: float) -> bytes:
        """The message to send; `request_id` also serves as the v3 message id."""

    def unwrap(self, data: bytes, request_id: int, now: float) -> Pdu | _Discovery | None:
        """The answer in a message; None when it is not acceptable; raises what the device complains of."""

    def current(self, sent: bytes, now: float) -> bool:
        """After a Discovery: would a message be sent now as `sent` was, engine and time included?"""


def secure(credential: Community | User, context: bytes) -> Security:
    """The `Security` of a credential; in v1 and v2c a context is asked for as ``community@context``."""
    if isinstance(credential, Community):
        name = credential.name + b"@" + context if context else credential.name
        return _shared(name, credential.version)
    return Usm(credential, context)


_LENGTHS = 4096
"""Lengths of answers that are remembered of one community at most."""


class Clear:
    """Community-based messages (RFC 1901): nothing to remember of the device, so shared between devices."""

    mismatch = "an answer came with another community, version or request id than was asked"

    def __init__(self, name: bytes, version: int) -> None:
        self.overhead = 20 + len(name)
        self.room = message.PACKET - self.overhead
        self._name, self._version = name, version
        self._lead = ber.encode_integer(version) + ber.tlv(ber.OCTET_STRING, name)
        self._heads: dict[tuple[int, int], bytes] = {}
        self._usual: dict[int, tuple[bytes, int, bytes, int]] = {}
        """By the length of an answer: what stands before its request id, where that is, and what follows up to the varbinds."""

    def wrap(self, request: Request, request_id: int, now: float) -> bytes:
        tail = request.tail
        key = (request.type, len(tail))
        head = self._heads.get(key)
        if head is None:
            pdu = bytes((request.type,)) + ber.encode_length(6 + len(tail))
            head = b"\x30" + ber.encode_length(len(self._lead) + len(pdu) + 6 + len(tail)) + self._lead + pdu + b"\x02\x04"
            self._heads[key] = head
        return head + request_id.to_bytes(4, "big") + tail

    def unwrap(self, data: bytes, request_id: int, now: float) -> Pdu | None:
        usual = self._usual.get(len(data))
        if usual is not None:
            before, at, after, start = usual
            if data.startswith(before) and data.startswith(request_id.to_bytes(4, "big") + after, at):
                return Pdu(message.RESPONSE, request_id, 0, 0, data[start:])
        version, pos, end = message.decode_version(data)
        if version != self._version:
            return None
        name, pos = ber.decode_octets(data, pos, end)
        if name != self._name:
            return None
        pdu = message.decode_pdu(data, pos, end)
        if not isinstance(pdu, Pdu) or pdu.type != message.RESPONSE or pdu.request_id != request_id:
            return None
        self._remember(data, pos, request_id)
        return pdu

    def _remember(self, data: bytes, pos: int, request_id: int) -> None:
        """Of an answer without error, encoded as every agent does: what stands before its varbinds is compared, not decoded, when
        the next one of its length comes. `pos` is where the PDU begins."""
        at = ber.header(data, pos, len(data))[1] + 2
        if not data.startswith(b"\x02\x04" + request_id.to_bytes(4, "big") + message.WELL, at - 2):
            return
        start, end = ber.expect(data, at + 4 + len(message.WELL), len(data), ber.SEQUENCE)
        if end != len(data):
            return
        if len(self._usual) >= _LENGTHS:
            self._usual.clear()
        self._usual[len(data)] = data[:at], at, data[at + 4 : start], start

    def current(self, sent: bytes, now: float) -> bool:
        return True


_SHARED: dict[tuple[bytes, int], Clear] = {}


def _shared(name: bytes, version: int) -> Clear:
    if len(_SHARED) > 4096:  # walks with one community a VLAN must not fill the memory
        _SHARED.clear()
    return _SHARED.setdefault((name, version), Clear(name, version))


_FRAME = 85
"""Octets of a usual v3 message beside its variable bindings, engine IDs, names and MAC."""
_SPARE = 40
"""Octets left free of what a device says it sends at most: it may reckon with longer headers, and values grow until they are
learnt again."""


class Usm:
    """USM towards one device (RFC 3414): its engine, the keys for it, its boots and time as last heard."""

    __slots__ = (
        "_boots", "_clock", "_context", "_engine_id", "_flags", "_keys", "_max_size", "_sealed", "_user", "overhead", "room"
    )  # fmt: skip

    mismatch = "an answer came that is not signed, or not by the engine and user that were asked"

    def __init__(self, user: User, context: bytes) -> None:
        self._user = user
        self._context = context
        self._flags = user.level | v3.REPORTABLE
        self._engine_id = b""
        self._keys: usm.Keys | None = None
        self._sealed: Sealed | None = None
        """What writes and reads nearly every message, when it is known how."""
        self._boots = 0
        self._clock = 0.0
        """The loop's time at which the engine's time was 0."""
        self._measure(message.MAX_MESSAGE)

    def within(self, context: bytes) -> Usm:
        """The same user of the same engine in another context: nothing of it needs to be asked again."""
        found = Usm(self._user, context)
        found._engine_id, found._keys, found._boots, found._clock = self._engine_id, self._keys, self._boots, self._clock
        found._measure(self._max_size)
        return found

    @property
    def engine_id(self) -> bytes:
        """The device's snmpEngineID; empty before it answered."""
        return self._engine_id

    def wrap(self, request: Request, request_id: int, now: float) -> bytes:
        if not self._engine_id:
            # RFC 3414 section 4: an empty engine ID makes the device report its own
            pdu = ber.tlv(message.GET, b"\x02\x04" + request_id.to_bytes(4, "big") + b"\x02\x01\0\x02\x01\0\x30\0")
            return v3.encode(request_id, v3.REPORTABLE, b"", 0, 0, b"", v3.encode_scoped(b"", b"", pdu))
        time = min(int(now - self._clock), usm.MAX_BOOTS)
        if self._sealed is not None:
            return self._sealed.wrap(request, request_id, self._boots, time)
        tail = request.tail
        pdu = bytes((request.type,)) + ber.encode_length(6 + len(tail)) + b"\x02\x04" + request_id.to_bytes(4, "big") + tail
        scoped = v3.encode_scoped(self._engine_id, self._context, pdu)
        return v3.encode(request_id, self._flags, self._engine_id, self._boots, time, self._user.name, scoped, self._keys)

    def unwrap(self, data: bytes, request_id: int, now: float) -> Pdu | _Discovery | None:
        if self._sealed is not None:
            heard = int(now - self._clock)
            if (usual := self._sealed.unwrap(data, request_id, self._boots, heard)) is not None:
                if usual[1] > heard:
                    self._clock = now - usual[1]
                return usual[0]
        opened = v3.decode(data)
        if opened.msg_id != request_id:
            return None
        level = opened.level
        if level and opened.engine_id != self._engine_id:
            return None
        try:
            plain = v3.open_(opened, data, self._keys)
        except SecurityError:
            return None  # forged, or damaged on the way: what the device itself refuses, it reports
        pdu = v3.decode_scoped(plain)[2]
        if pdu.type == message.REPORT:
            return self._reported(opened, pdu, now)
        if pdu.type != message.RESPONSE or pdu.request_id != request_id:
            return None
        if level != self._user.level or opened.engine_id != self._engine_id:
            return None
        if level and (opened.boots, opened.time) > (self._boots, int(now - self._clock)):
            # RFC 3414 section 3.2 step 7b: the latest authenticated notion of the engine's time
            self._hear(opened, now)
        elif opened.max_size != self._max_size:
            self._measure(opened.max_size)
        return pdu

    def _reported(self, opened: v3.Message, pdu: Pdu, now: float) -> _Discovery | None:
        """What a Report says (RFC 3414 section 3.2); raises what the device complains of."""
        bindings = message.decode_varbinds(pdu.body)
        if not bindings:
            raise DecodeError("a Report without a counter")
        error = usm.REPORTS.get(bindings[0].oid)
        if error is None:
            raise DecodeError(f"a Report of {bindings[0].oid}, which no standard names")
        if error is UnknownEngine:
            if not 5 <= len(opened.engine_id) <= usm.MAX_NAME:
                raise DecodeError(f"a Report from an engine ID of {len(opened.engine_id)} octets, expected 5 to {usm.MAX_NAME}")
            if opened.engine_id != self._engine_id:
                self._engine_id = opened.engine_id
                self._keys = self._user.localise(opened.engine_id) if self._user.level else None
                self._sealed = None
            self._hear(opened, now)
            return Discovery
        if error is NotInTimeWindow:
            if not opened.level:
                return None
            # Authenticated, and with the id of a message of ours that is still under way, so no replay: even a clock that
            # went back (a device that forgets its boots) is believed, or that device would never be heard again.
            self._hear(opened, now)
            return Discovery
        raise error(_COMPLAINTS.get(error, "the device refuses the request").format(self._user.name.decode("utf-8", "replace")))

    def current(self, sent: bytes, now: float) -> bool:
        message_sent = v3.decode(sent)
        return (
            message_sent.engine_id == self._engine_id
            and message_sent.boots == self._boots
            and abs(message_sent.time - (now - self._clock)) < usm.TIME_WINDOW - 10
        )

    def _hear(self, opened: v3.Message, now: float) -> None:
        self._boots = opened.boots
        self._clock = now - opened.time
        if self._sealed is None or opened.max_size != self._max_size:
            self._measure(opened.max_size)

    def _measure(self, max_size: int) -> None:
        """Take it that the engine sends messages of `max_size` octets at most, and have the parts of such messages ready."""
        keys = self._keys
        self._max_size = max_size
        names = 2 * len(self._engine_id) + len(self._user.name) + len(self._context)
        self.overhead = _FRAME + names + (keys.mac_length if keys is not None else 0)
        self.room = min(max_size - _SPARE, message.PACKET) - self.overhead
        if keys is not None and keys.level == v3.LEVEL and keys.aes:
            self._sealed = Sealed(self._user.name, keys, self._context, max_size)


_COMPLAINTS: dict[type[SnmpError], str] = {
    UnknownUser: "the device does not know user {!r}",
    WrongDigest: "the device refuses the authentication of user {!r}: another password or protocol",
    DecryptionError: "the device cannot decrypt for user {!r}: another privacy password or protocol",
    UnsupportedSecurityLevel: "the device does not allow user {!r} at this security level",
}
