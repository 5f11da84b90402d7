"""Basic encoding rules as far as SNMP uses them (RFC 3417 section 8, X.690): definite lengths, low tag numbers."""

from __future__ import annotations

from . import oid as _oid
from .errors import DecodeError, EncodeError
from .oid import OID

INTEGER = 0x02
OCTET_STRING = 0x04
NULL = 0x05
OBJECT_IDENTIFIER = 0x06
SEQUENCE = 0x30
IP_ADDRESS = 0x40
COUNTER32 = 0x41
GAUGE32 = 0x42
TIME_TICKS = 0x43
OPAQUE = 0x44
COUNTER64 = 0x46
NO_SUCH_OBJECT = 0x80
NO_SUCH_INSTANCE = 0x81
END_OF_MIB_VIEW = 0x82

UNSIGNED = frozenset((COUNTER32, GAUGE32, TIME_TICKS, COUNTER64))
EXCEPTIONS = frozenset((NO_SUCH_OBJECT, NO_SUCH_INSTANCE, END_OF_MIB_VIEW))
TEXTS = frozenset((OCTET_STRING, OPAQUE, IP_ADDRESS))

Value = int | bytes | OID | None
"""INTEGER and the unsigned types: int. OCTET STRING, Opaque, IpAddress: bytes. OID: OID. NULL and exceptions: None."""


def encode_length(n: int) -> bytes:
    """Definite length octets of `n`, the shortest form; raises EncodeError for 16 MiB and more."""
    if n < 0x80:
        return bytes((n,))
    if n < 0x100:
        return bytes((0x81, n))
    if n < 0x10000:
        return bytes((0x82, n >> 8, n & 0xFF))
    if n >= 0x1000000:
        raise EncodeError(f"an element of {n} bytes: no message is that long")
    return bytes((0x83, n >> 16, n >> 8 & 0xFF, n & 0xFF))


def tlv(tag: int, content: bytes) -> bytes:
    """One element: tag, length, content."""
    n = len(content)
    if n < 0x80:
        return bytes((tag, n)) + content
    return bytes((tag,)) + encode_length(n) + content


def encode_integer(value: int, tag: int = INTEGER) -> bytes:
    """A two's complement integer, the shortest form (X.690 section 8.3); also used for the unsigned types."""
    return tlv(tag, value.to_bytes((value.bit_length() if value >= 0 else (value + 1).bit_length()) // 8 + 1, "big", signed=True))


def encode_oid(oid: tuple[int, ...]) -> bytes:
    """An OBJECT IDENTIFIER element; raises EncodeError for arcs that cannot be encoded."""
    try:
        return tlv(OBJECT_IDENTIFIER, _oid.encode(oid))
    except ValueError as e:
        raise EncodeError(str(e)) from e


_RANGES = {
    INTEGER: (-(2**31), 2**31 - 1),
    COUNTER32: (0, 2**32 - 1),
    GAUGE32: (0, 2**32 - 1),
    TIME_TICKS: (0, 2**32 - 1),
    COUNTER64: (0, 2**64 - 1),
}


def encode_value(tag: int, value: Value) -> bytes:
    """One varbind value; raises EncodeError when the value does not fit the type."""
    if tag in _RANGES:
        low, high = _RANGES[tag]
        if not isinstance(value, int) or not low <= value <= high:
            raise EncodeError(f"type 0x{tag:02x} takes an integer from {low} to {high}, found {value!r}")
        return encode_integer(value, tag)
    if tag in TEXTS:
        if not isinstance(value, bytes) or len(value) > 0xFFFF or (tag == IP_ADDRESS and len(value) != 4):
            raise EncodeError(f"type 0x{tag:02x} takes bytes (an IpAddress four of them), found {value!r:.80}")
        return tlv(tag, value)
    if tag == OBJECT_IDENTIFIER:
        if not isinstance(value, tuple):
            raise EncodeError(f"an OBJECT IDENTIFIER is a tuple of arcs, found {value!r:.80}")
        return encode_oid(value)
    if (tag == NULL or tag in EXCEPTIONS) and value is None:
        return bytes((tag, 0))
    raise EncodeError(f"no SNMP value has type 0x{tag:02x} with {value!r:.80}")


def header(data: bytes, pos: int, end: int) -> tuple[int, int, int]:
    """Read tag and length at `pos`: (tag, start of content, end of content); raises DecodeError past `end`."""
    if pos + 2 > end:
        raise DecodeError(f"cut off at byte {pos}: an element needs two bytes at least")
    tag = data[pos]
    n = data[pos + 1]
    pos += 2
    if n >= 0x80:
        k = n & 0x7F
        if not 1 <= k <= 4 or pos + k > end:
            raise DecodeError(f"length of {k} bytes at byte {pos}: expected 1 to 4, all of them present")
        n = int.from_bytes(data[pos : pos + k], "big")
        pos += k
    if pos + n > end:
        raise DecodeError(f"element at byte {pos} says {n} bytes, {end - pos} are there")
    return tag, pos, pos + n


def expect(data: bytes, pos: int, end: int, tag: int) -> tuple[int, int]:
    """Read an element that must have `tag`: (start, end of content)."""
    found, start, stop = header(data, pos, end)
    if found != tag:
        raise DecodeError(f"type 0x{found:02x} at byte {pos}, expected 0x{tag:02x}")
    return start, stop


def decode_integer(data: bytes, pos: int, end: int) -> tuple[int, int]:
    """Read an INTEGER of at most 32 bits (8 octets are taken, as some agents pad): (value, position after it)."""
    start, stop = expect(data, pos, end, INTEGER)
    if not 1 <= stop - start <= 8:
        raise DecodeError(f"INTEGER of {stop - start} bytes at byte {pos}: expected 1 to 8")
    return int.from_bytes(data[start:stop], "big", signed=True), stop


def decode_octets(data: bytes, pos: int, end: int) -> tuple[bytes, int]:
    """Read an OCTET STRING: (content, position after it)."""
    if pos + 2 <= end and data[pos] == OCTET_STRING:
        stop = pos + 2 + data[pos + 1]
        if data[pos + 1] < 0x80 and stop <= end:
            return data[pos + 2 : stop], stop
    start, stop = expect(data, pos, end, OCTET_STRING)
    return data[start:stop], stop


def decode_value(tag: int, content: bytes) -> Value:
    """The Python value of one varbind; raises DecodeError for an unknown type or a width that cannot be.

    Agents in the field sign-extend or pad counters; 1 to 9 octets are read unsigned and cut to the type's width.
    """
    if tag == OCTET_STRING:
        return content
    if tag in UNSIGNED:
        if not 1 <= len(content) <= 9:
            raise DecodeError(f"unsigned integer of {len(content)} bytes: expected 1 to 9")
        value = int.from_bytes(content, "big")
        return value & (0xFFFFFFFFFFFFFFFF if tag == COUNTER64 else 0xFFFFFFFF)
    if tag == INTEGER:
        if not 1 <= len(content) <= 8:
            raise DecodeError(f"INTEGER of {len(content)} bytes: expected 1 to 8")
        return int.from_bytes(content, "big", signed=True)
    if tag == OBJECT_IDENTIFIER:
        try:
            return _oid.decode(content)
        except ValueError as e:
            raise DecodeError(str(e)) from e
    if tag in EXCEPTIONS or tag == NULL:
        return None
    if tag in (IP_ADDRESS, OPAQUE):
        return content
    raise DecodeError(f"no SNMP value has type 0x{tag:02x}")
