"""Protocol data units and the community-based message (RFC 1157 section 4, RFC 1901, RFC 3416 section 3)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from . import ber, oid
from .errors import DecodeError
from .oid import OID

V1 = 0
V2C = 1
V3 = 3

GET = 0xA0
GET_NEXT = 0xA1
RESPONSE = 0xA2
SET = 0xA3
TRAP_V1 = 0xA4
GET_BULK = 0xA5
INFORM = 0xA6
TRAP = 0xA7
REPORT = 0xA8

MAX_MESSAGE = 65507
"""The largest UDP payload over IPv4."""
MIN_MESSAGE = 484
"""Octets of a message that every engine takes (RFC 3412 section 6.3)."""
PACKET = 1444
"""Octets of a message in a packet that PPPoE carries whole: 1,492 (RFC 2516 section 7) with the headers of IPv6 and UDP."""
MAX_VARBINDS = 4096
"""More than any agent fits into one datagram with real objects; bounds the work a hostile one can cause."""

NO_ERROR, TOO_BIG, NO_SUCH_NAME, BAD_VALUE, READ_ONLY, GEN_ERR, NO_ACCESS = range(7)
NOT_WRITABLE = 17
AUTHORIZATION_ERROR = 16

WELL = b"\x02\x01\0\x02\x01\0"
"""error-status and error-index of an answer without error, encoded."""


class VarBind(NamedTuple):
    """One object and its value: `tag` is the ASN.1 type octet (constants in `ber`), `value` see `ber.Value`."""

    oid: OID
    tag: int
    value: ber.Value


class Pdu(NamedTuple):
    """Any PDU but the v1 trap. In a GET_BULK `error_status` is non-repeaters and `error_index` max-repetitions (RFC 3416
    section 4.2.3).

    `body` is the content of the variable-bindings list, still encoded: `varbinds(body)` reads it.
    """

    type: int
    request_id: int
    error_status: int
    error_index: int
    body: bytes


class Request:
    """An encoded request that can be sent to any number of devices, any number of times."""

    __slots__ = ("tail", "type")

    def __init__(self, kind: int, names: bytes, non_repeaters: int = 0, max_repetitions: int = 0) -> None:
        """`names` is `encode_names(...)`; the two counts matter for GETBULK alone."""
        self.type = kind
        self.tail = ber.encode_integer(non_repeaters) + ber.encode_integer(max_repetitions) + ber.tlv(ber.SEQUENCE, names)


class TrapV1(NamedTuple):
    """RFC 1157 section 4.1.6. `timestamp` in hundredths of a second, `agent_address` four bytes."""

    enterprise: OID
    agent_address: bytes
    generic: int
    specific: int
    timestamp: int
    body: bytes


def encode_varbind(name: tuple[int, ...], tag: int = ber.NULL, value: ber.Value = None) -> bytes:
    """One variable binding; without a value it is the NULL of a request."""
    return ber.tlv(ber.SEQUENCE, ber.encode_oid(name) + ber.encode_value(tag, value))


def encode_names(names: Iterable[tuple[int, ...]]) -> bytes:
    """The variable-bindings content of a request: each name with NULL."""
    return b"".join(ber.tlv(ber.SEQUENCE, ber.encode_oid(name) + b"\x05\x00") for name in names)


def encode_varbinds(bindings: Iterable[VarBind]) -> bytes:
    """The variable-bindings content of a response or notification."""
    return b"".join(encode_varbind(*binding) for binding in bindings)


def encode_pdu(pdu: Pdu) -> bytes:
    """A whole PDU; the request id takes four octets when it is 2^24 or more."""
    return ber.tlv(
        pdu.type,
        ber.encode_integer(pdu.request_id)
        + ber.encode_integer(pdu.error_status)
        + ber.encode_integer(pdu.error_index)
        + ber.tlv(ber.SEQUENCE, pdu.body),
    )


def encode_trap_v1(trap: TrapV1) -> bytes:
    """A v1 Trap-PDU."""
    return ber.tlv(
        TRAP_V1,
        ber.encode_oid(trap.enterprise)
        + ber.encode_value(ber.IP_ADDRESS, trap.agent_address)
        + ber.encode_integer(trap.generic)
        + ber.encode_integer(trap.specific)
        + ber.encode_value(ber.TIME_TICKS, trap.timestamp)
        + ber.tlv(ber.SEQUENCE, trap.body),
    )


def encode_community(version: int, community: bytes, pdu: bytes) -> bytes:
    """A v1 or v2c message around an encoded PDU."""
    return ber.tlv(ber.SEQUENCE, ber.encode_integer(version) + ber.tlv(ber.OCTET_STRING, community) + pdu)


def decode_version(data: bytes) -> tuple[int, int, int]:
    """(version, position after it, end of the message); raises DecodeError. Bytes after the message are ignored."""
    start, end = ber.expect(data, 0, len(data), ber.SEQUENCE)
    version, pos = ber.decode_integer(data, start, end)
    if version not in (V1, V2C, V3):
        raise DecodeError(f"SNMP version {version}: expected 0 (v1), 1 (v2c) or 3")
    return version, pos, end


def decode_pdu(data: bytes, pos: int, end: int) -> Pdu | TrapV1:
    """Read the PDU at `pos`; raises DecodeError."""
    kind, start, stop = ber.header(data, pos, end)
    if kind == TRAP_V1:
        return _decode_trap_v1(data, start, stop)
    if not GET <= kind <= REPORT:
        raise DecodeError(f"PDU type 0x{kind:02x}: expected 0xa0 to 0xa8")
    pos = start + 12
    if pos <= stop and data.startswith(b"\x02\x04", start) and data.startswith(WELL, start + 6):
        request_id, status, index = int.from_bytes(data[start + 2 : start + 6], "big", signed=True), 0, 0
    else:
        request_id, pos = ber.decode_integer(data, start, stop)
        status, pos = ber.decode_integer(data, pos, stop)
        index, pos = ber.decode_integer(data, pos, stop)
    first, last = ber.expect(data, pos, stop, ber.SEQUENCE)
    return Pdu(kind, request_id, status, index, data[first:last])


def _decode_trap_v1(data: bytes, pos: int, end: int) -> TrapV1:
    start, pos = ber.expect(data, pos, end, ber.OBJECT_IDENTIFIER)
    enterprise = ber.decode_value(ber.OBJECT_IDENTIFIER, data[start:pos])
    start, pos = ber.expect(data, pos, end, ber.IP_ADDRESS)
    address = data[start:pos]
    if len(address) != 4:
        raise DecodeError(f"agent address of {len(address)} bytes: expected 4")
    generic, pos = ber.decode_integer(data, pos, end)
    specific, pos = ber.decode_integer(data, pos, end)
    start, pos = ber.expect(data, pos, end, ber.TIME_TICKS)
    timestamp = ber.decode_value(ber.TIME_TICKS, data[start:pos])
    first, last = ber.expect(data, pos, end, ber.SEQUENCE)
    assert isinstance(enterprise, OID) and isinstance(timestamp, int)
    return TrapV1(enterprise, address, generic, specific, timestamp, data[first:last])


def decode_varbinds(body: bytes) -> list[VarBind]:
    """Read the content of a variable-bindings list; raises DecodeError."""
    out: list[VarBind] = []
    pos, end = 0, len(body)
    header, decode_value, decode_oid = ber.header, ber.decode_value, oid.decode
    while pos < end:
        tag, start, pos = header(body, pos, end)
        if tag != ber.SEQUENCE:
            raise DecodeError(f"type 0x{tag:02x} in the variable bindings, expected 0x30")
        tag, first, last = header(body, start, pos)
        if tag != ber.OBJECT_IDENTIFIER:
            raise DecodeError(f"a variable binding begins with type 0x{tag:02x}, expected 0x06")
        try:
            name = decode_oid(body[first:last])
        except ValueError as e:
            raise DecodeError(str(e)) from e
        tag, first, last = header(body, last, pos)
        if last != pos:
            raise DecodeError(f"{pos - last} bytes too many after the value of {name}")
        out.append(VarBind(name, tag, decode_value(tag, body[first:last])))
        if len(out) > MAX_VARBINDS:
            raise DecodeError(f"more than {MAX_VARBINDS} variable bindings")
    return out


def split_varbinds(body: bytes, most: int) -> tuple[list[VarBind], bytes]:
    """The first varbinds of a list, `most` of them at most, and the rest, still encoded: of that only the outlines are checked.

    Raises DecodeError.
    """
    header, pos, end, count = ber.header, 0, len(body), 0
    cut = end
    while pos < end:
        if count == most:
            cut = pos
        tag, start, pos = header(body, pos, end)
        # the name's tag, and its length in the short form: a name that needs the long one is left to whoever reads it
        if tag != ber.SEQUENCE or pos - start < 4 or body[start] != ber.OBJECT_IDENTIFIER or start + 4 + body[start + 1] > pos:
            raise DecodeError(f"type 0x{tag:02x}, {pos - start} octets, in the variable bindings: expected a name and a value")
        count += 1
    if count > MAX_VARBINDS:
        raise DecodeError(f"more than {MAX_VARBINDS} variable bindings")
    return decode_varbinds(body[:cut]), body[cut:]


def decode_community(data: bytes) -> tuple[int, bytes, Pdu | TrapV1]:
    """Read a v1 or v2c message: (version, community, PDU); raises DecodeError, also for a v3 message."""
    version, pos, end = decode_version(data)
    if version == V3:
        raise DecodeError("a v3 message where a community-based one was expected")
    community, pos = ber.decode_octets(data, pos, end)
    return version, community, decode_pdu(data, pos, end)


def peek_id(data: bytes) -> int:
    """The request id of a v1 or v2c message, the message id of a v3 one, read without checking the rest.

    Raises DecodeError when the bytes do not even get that far.
    """
    try:
        if data[1] == 0x82 and data[8] < 0x80:  # long, as most answers are: it stands where it nearly always does
            at = 9 if data[6] == V3 else 13 + data[8]
            if data[at : at + 2] == b"\x02\x04" and (data[6] == V3 or data[at - 3] == 0x82):
                return int.from_bytes(data[at + 2 : at + 6], "big", signed=True)
        _, pos = _span(data, _span(data, 0)[0])
        version = data[pos - 1]
        inside, pos = _span(data, pos)
        if version != V3:  # that was the community, and the PDU comes behind it
            inside, _ = _span(data, pos)
        start, stop = _span(data, inside)
        if data[inside] != ber.INTEGER:
            raise DecodeError(f"no request id at byte {inside}")
        return int.from_bytes(data[start:stop], "big", signed=True)
    except IndexError:
        raise DecodeError(f"cut off after {len(data)} bytes, before the request id") from None


def _span(data: bytes, pos: int) -> tuple[int, int]:
    """Where the content of the element at `pos` begins, and where it would end if the message is whole."""
    size = data[pos + 1]
    pos += 2
    if size >= 0x80:
        size &= 0x7F
        return pos + size, pos + size + int.from_bytes(data[pos : pos + size], "big")
    return pos, pos + size
