"""Private SNMPv3 messages to and from one engine, as they nearly always are.

Of a message to a known engine all but its id, time, salt, MAC and ciphertext is known beforehand: it is put together from kept
parts, and in an answer compared instead of decoded. `snmp.v3` reads every answer that is written otherwise.
"""

from __future__ import annotations

from functools import lru_cache

from . import ber, message, v3
from .message import Pdu, Request
from .usm import Keys

_VERSION = b"\x02\x01\x03"
_SALT = b"\x04\x08"


class Sealed:
    """What one user exchanges with one engine in one context under AES. `max_size` is what the engine says it takes at most."""

    __slots__ = ("_after", "_asked", "_boots", "_keys", "_mac", "_max_size", "_scope", "_told", "_user", "_width")

    def __init__(self, user: bytes, keys: Keys, context: bytes, max_size: int) -> None:
        self._keys = keys
        self._max_size = max_size
        self._scope = ber.tlv(ber.OCTET_STRING, keys.engine_id) + ber.tlv(ber.OCTET_STRING, context)
        self._user = user
        self._mac = bytes(keys.mac_length)
        self._after = ber.tlv(ber.OCTET_STRING, user) + bytes((ber.OCTET_STRING, keys.mac_length))
        """What lies between time and MAC."""
        self._asked = self._told = b"", b""
        """What lies before and behind the message id, up to the time, in questions and in answers; for `_boots` and a time of
        `_width` octets."""
        self._boots = self._width = -1

    def wrap(self, request: Request, request_id: int, boots: int, time: int) -> bytes:
        """What `v3.encode` gives for it."""
        number, tail, scope = request_id.to_bytes(4, "big"), request.tail, self._scope
        width = self._fit(boots, time)
        begin, pdu = _around(request.type, len(scope), len(tail))
        cipher, salt = self._keys.encrypt(begin + scope + pdu + number + tail, boots, time)
        before, behind = self._asked
        first, last = _outside(len(before) + len(behind) + width + len(self._after) + len(self._mac) + 14, len(cipher))
        front = first + before + number + behind + time.to_bytes(width, "big") + self._after
        back = _SALT + salt + last + cipher
        return front + self._keys.mac(front + self._mac + back) + back

    def unwrap(self, data: bytes, request_id: int, boots: int, time: int) -> tuple[Pdu, int] | None:
        """An answer without error to the request of this id, and its time, when it has these `boots` and a time about as long as
        `time`; else None. Its MAC is verified."""
        width = self._fit(boots, time)
        before, behind = self._told
        number, size = request_id.to_bytes(4, "big"), len(data)
        begin = b"\x30\x82" + (size - 4 & 0xFFFF).to_bytes(2, "big") + before + number + behind
        at = len(begin)
        mac = at + width + len(self._after)
        salt = mac + len(self._mac) + 2
        start = salt + 12
        if not (
            start < size
            and data.startswith(begin)
            and data[at] < 0x80
            and data.startswith(self._after, at + width)
            and data.startswith(_SALT, salt - 2)
            and data.startswith(b"\x04\x82" + (size - start).to_bytes(2, "big"), start - 4)
            and self._keys.verify(data, mac, len(self._mac))
        ):
            return None
        time = int.from_bytes(data[at : at + width], "big")
        plain = self._keys.decrypt(data[start:], boots, time, data[salt : salt + 8])
        scope = self._scope
        begin, pdu, well = _answered(len(scope), len(plain))
        begin += scope + pdu + number + well
        if not plain.startswith(begin):
            return None
        return Pdu(message.RESPONSE, request_id, 0, 0, plain[len(begin) :]), time

    def _fit(self, boots: int, time: int) -> int:
        """Have the parts for these boots and a time as long as this one; gives how many octets that is."""
        width = time.bit_length() // 8 + 1
        if width != self._width or boots != self._boots:
            self._boots, self._width = boots, width
            self._asked = self._parts(message.MAX_MESSAGE, v3.LEVEL | v3.REPORTABLE)
            self._told = self._parts(self._max_size, v3.LEVEL)
        return width

    def _parts(self, max_size: int, flags: int) -> tuple[bytes, bytes]:
        engine = ber.tlv(ber.OCTET_STRING, self._keys.engine_id) + ber.encode_integer(self._boots)
        engine += bytes((ber.INTEGER, self._width))
        rest = self._width + len(self._after) + len(self._mac) + len(_SALT) + 8
        about = ber.encode_integer(max_size) + bytes((ber.OCTET_STRING, 1, flags, ber.INTEGER, 1, v3.USM))
        parameters = bytes((ber.SEQUENCE,)) + ber.encode_length(len(engine) + rest)
        size = ber.encode_length(len(parameters) + len(engine) + rest)
        header = bytes((ber.SEQUENCE, 6 + len(about), ber.INTEGER, 4))
        return _VERSION + header, about + bytes((ber.OCTET_STRING,)) + size + parameters + engine


@lru_cache(4096)
def _around(kind: int, scope: int, tail: int) -> tuple[bytes, bytes]:
    """What stands before the scope, and between it and the request id, in a scoped PDU with so many octets behind the id."""
    pdu = bytes((kind,)) + ber.encode_length(6 + tail) + b"\x02\x04"
    return b"\x30" + ber.encode_length(scope + len(pdu) + 4 + tail), pdu


@lru_cache(4096)
def _outside(parameters: int, cipher: int) -> tuple[bytes, bytes]:
    """What begins a message with so many octets before the ciphertext, and what begins the ciphertext."""
    last = b"\x04" + ber.encode_length(cipher)
    return b"\x30" + ber.encode_length(parameters + len(last) + cipher), last


@lru_cache(4096)
def _answered(scope: int, size: int) -> tuple[bytes, bytes, bytes]:
    """What an answer without error of `size` octets has before the scope, between it and the request id, and behind that up to
    the varbinds, with lengths of two octets, as all are that are long enough."""

    def header(tag: int, left: int) -> bytes:
        return bytes((tag, 0x82, left >> 8 & 0xFF, left & 0xFF))

    left = size - 4
    begin = header(ber.SEQUENCE, left)
    left -= scope + 4
    pdu = header(message.RESPONSE, left) + b"\x02\x04"
    left -= 6 + len(message.WELL) + 4
    return begin, pdu, message.WELL + header(ber.SEQUENCE, left)
