"""The SNMPv3 message: header, security parameters, scoped PDU (RFC 3412 section 6, RFC 3414 section 2.4)."""

from __future__ import annotations

from typing import NamedTuple

from . import ber, message
from .errors import DecodeError, DecryptionError, EncodeError, UnsupportedSecurityLevel, WrongDigest
from .message import Pdu, TrapV1
from .usm import AUTH_FLAG, MAX_NAME, PRIV_FLAG, Keys

REPORTABLE = 4
"""Bit of msgFlags: the receiver may answer with a Report (RFC 3412 section 6.4)."""
LEVEL = AUTH_FLAG | PRIV_FLAG
USM = 3
"""msgSecurityModel of the user-based security model."""
MAX_31 = 2**31 - 1
"""The largest message id, maximum size, engine boots and engine time."""


class Message(NamedTuple):
    """A v3 message taken apart, nothing verified yet.

    `auth_offset` is where in the datagram `auth_params` lie. `payload` is the ciphertext when `flags` says PRIV_FLAG, else
    the scoped PDU element. `max_size` is 484 at least. `time` in seconds.
    """

    msg_id: int
    max_size: int
    flags: int
    engine_id: bytes
    boots: int
    time: int
    user: bytes
    auth_params: bytes
    auth_offset: int
    priv_params: bytes
    payload: bytes

    @property
    def level(self) -> int:
        """The security level it claims: 0, 1 or 3."""
        return self.flags & LEVEL


def encode(
    msg_id: int,
    flags: int,
    engine_id: bytes,
    boots: int,
    time: int,
    user: bytes,
    scoped: bytes,
    keys: Keys | None = None,
    max_size: int = message.MAX_MESSAGE,
) -> bytes:
    """A message around a scoped PDU, encrypted and signed as `flags` say; raises EncodeError when `keys` cannot do that.

    Discovery is flags REPORTABLE with everything empty and 0 (RFC 3414 section 4).
    """
    if flags & ~(keys.level if keys else 0) & LEVEL or flags & LEVEL == PRIV_FLAG:
        raise EncodeError(f"security level {flags & LEVEL} asked of a user with level {keys.level if keys else 0}")
    tlv, encode_integer = ber.tlv, ber.encode_integer
    mac = priv = b""
    if keys and flags & AUTH_FLAG:
        mac = bytes(keys.mac_length)
        if flags & PRIV_FLAG:
            scoped, priv = keys.encrypt(scoped, boots, time)
            scoped = tlv(ber.OCTET_STRING, scoped)
    tail = tlv(ber.OCTET_STRING, priv)
    size = len(tail) + len(scoped)
    security = (
        tlv(ber.OCTET_STRING, engine_id)
        + encode_integer(boots)
        + encode_integer(time)
        + tlv(ber.OCTET_STRING, user)
        + tlv(ber.OCTET_STRING, mac)
        + tail
    )
    header = encode_integer(msg_id) + encode_integer(max_size) + bytes((4, 1, flags, 2, 1, USM))
    whole = tlv(
        ber.SEQUENCE,
        b"\x02\x01\x03" + tlv(ber.SEQUENCE, header) + tlv(ber.OCTET_STRING, tlv(ber.SEQUENCE, security)) + scoped,
    )
    return keys.sign(whole, len(whole) - size - len(mac)) if keys and mac else whole


def decode(data: bytes) -> Message:
    """Take a message apart; raises DecodeError for anything that is no USM message. Verifies nothing: see `open_`."""
    return _decode_usual(data) or _decode(data)


def _decode_usual(data: bytes) -> Message | None:
    """A message whose header and security parameters are as short as they nearly always are, read in place, which takes half
    the time; None for all others, and for what is wrong."""
    try:
        size, pos = data[1], 2
        if size >= 0x80:
            pos += size & 0x7F
            size = int.from_bytes(data[2:pos], "big")
        end = pos + size
        # the places of the elements, each behind the one before
        msg_id = pos + 5
        max_size = msg_id + 2 + data[msg_id + 1]
        flags = max_size + 2 + data[max_size + 1]
        parameters = flags + 6
        engine_id = parameters + 4
        boots = engine_id + 2 + data[engine_id + 1]
        time = boots + 2 + data[boots + 1]
        user = time + 2 + data[time + 1]
        mac = user + 2 + data[user + 1]
        priv = mac + 2 + data[mac + 1]
        payload = priv + 2 + data[priv + 1]
        if not (
            data[0] == 0x30 and pos <= 6
            and data.startswith(b"\x02\x01\x03\x30", pos)
            and data[pos + 4] == parameters - msg_id
            and data[msg_id] == data[max_size] == data[boots] == data[time] == ber.INTEGER
            and data.startswith(b"\x04\x01", flags)
            and data.startswith(b"\x02\x01\x03\x04", flags + 3)
            and data[parameters + 1] == payload - parameters - 2 < 0x80
            and data[parameters + 2] == ber.SEQUENCE
            and data[parameters + 3] == payload - engine_id
            and data[engine_id] == data[user] == data[mac] == data[priv] == ber.OCTET_STRING
            and 3 <= max_size - msg_id <= 6 and 3 <= flags - max_size <= 6 and 3 <= time - boots <= 6 and 3 <= user - time <= 6
            and engine_id < boots <= engine_id + 2 + MAX_NAME and user < mac <= user + 2 + MAX_NAME
            and end <= len(data) and data[flags + 2] & LEVEL != PRIV_FLAG
        ):  # fmt: skip
            return None
        sealed = data[flags + 2] & PRIV_FLAG
        tag, start, stop = ber.header(data, payload, end)
        number = int.from_bytes
        found = Message(
            number(data[msg_id + 2 : max_size], signed=True), number(data[max_size + 2 : flags], signed=True), data[flags + 2],
            data[engine_id + 2 : boots], number(data[boots + 2 : time], signed=True), number(data[time + 2 : user], signed=True),
            data[user + 2 : mac], data[mac + 2 : priv], mac + 2, data[priv + 2 : payload],
            data[start if sealed else payload : stop],
        )  # fmt: skip
    except (IndexError, DecodeError):
        return None
    if tag != (ber.OCTET_STRING if sealed else ber.SEQUENCE) or found.msg_id | found.boots | found.time < 0:
        return None
    return found if found.max_size >= message.MIN_MESSAGE else None


def _decode(data: bytes) -> Message:
    expect, decode_integer, decode_octets = ber.expect, ber.decode_integer, ber.decode_octets
    version, pos, end = message.decode_version(data)
    if version != message.V3:
        raise DecodeError(f"SNMP version {version}: expected 3")
    pos, after_header = expect(data, pos, end, ber.SEQUENCE)
    msg_id, pos = decode_integer(data, pos, after_header)
    max_size, pos = decode_integer(data, pos, after_header)
    flags, pos = decode_octets(data, pos, after_header)
    model, pos = decode_integer(data, pos, after_header)
    if model != USM:
        raise DecodeError(f"security model {model}: expected {USM} (USM)")
    if len(flags) != 1 or flags[0] & LEVEL == PRIV_FLAG:
        raise DecodeError(f"message flags {flags.hex() or 'empty'}: expected one octet, privacy only with authentication")
    pos, after_security = expect(data, after_header, end, ber.OCTET_STRING)
    pos, stop = expect(data, pos, after_security, ber.SEQUENCE)
    engine_id, pos = decode_octets(data, pos, stop)
    boots, pos = decode_integer(data, pos, stop)
    time, pos = decode_integer(data, pos, stop)
    user, pos = decode_octets(data, pos, stop)
    auth_offset, pos = expect(data, pos, stop, ber.OCTET_STRING)
    auth_params = data[auth_offset:pos]
    priv_params, pos = decode_octets(data, pos, stop)
    if len(engine_id) > MAX_NAME or len(user) > MAX_NAME:
        raise DecodeError(f"engine ID of {len(engine_id)}, user name of {len(user)} octets: expected at most {MAX_NAME}")
    # one comparison for all four: a negative one is negative in the union of bits, a large one large
    if not 0 <= msg_id | max_size | boots | time <= MAX_31:
        raise DecodeError(f"message id {msg_id}, maximum size {max_size}, boots {boots}, time {time}: expected 0 to {MAX_31}")
    if flags[0] & PRIV_FLAG:
        start, end = expect(data, after_security, end, ber.OCTET_STRING)
    else:
        start, end = after_security, expect(data, after_security, end, ber.SEQUENCE)[1]
    max_size = max(max_size, message.MIN_MESSAGE)
    return Message(
        msg_id, max_size, flags[0], engine_id, boots, time, user, auth_params, auth_offset, priv_params, data[start:end]
    )


def open_(opened: Message, data: bytes, keys: Keys | None) -> bytes:
    """The scoped PDU of a message, MAC verified and decrypted as its flags say; `data` is the datagram it came in.

    Raises WrongDigest, DecryptionError, and UnsupportedSecurityLevel when the message has a higher level than the user.
    Whether a lower level is acceptable, and the time window, are the caller's to judge.
    """
    level = opened.level
    if not level:
        return opened.payload
    if keys is None or level & ~keys.level:
        raise UnsupportedSecurityLevel(f"a message with security level {level} for a user with {keys.level if keys else 0}")
    if not keys.verify(data, opened.auth_offset, len(opened.auth_params)):
        raise WrongDigest("the message was not signed with this user's authentication key")
    if not level & PRIV_FLAG:
        return opened.payload
    plain = keys.decrypt(opened.payload, opened.boots, opened.time, opened.priv_params)
    try:
        ber.expect(plain, 0, len(plain), ber.SEQUENCE)
    except DecodeError:
        raise DecryptionError("decrypting gives no PDU: another privacy key or protocol") from None
    return plain


def encode_scoped(engine_id: bytes, context: bytes, pdu: bytes) -> bytes:
    """A scoped PDU: context engine ID, context name and an encoded PDU."""
    return ber.tlv(ber.SEQUENCE, ber.tlv(ber.OCTET_STRING, engine_id) + ber.tlv(ber.OCTET_STRING, context) + pdu)


def scope(plain: bytes) -> tuple[bytes, bytes, int, int]:
    """(context engine ID, context name, position of the PDU, end of the scoped PDU); what lies behind it is padding."""
    pos, end = ber.expect(plain, 0, len(plain), ber.SEQUENCE)
    engine_id, pos = ber.decode_octets(plain, pos, end)
    context, pos = ber.decode_octets(plain, pos, end)
    return engine_id, context, pos, end


def decode_scoped(plain: bytes) -> tuple[bytes, bytes, Pdu]:
    """(context engine ID, context name, PDU) of a scoped PDU; raises DecodeError."""
    engine_id, context, pos, end = scope(plain)
    pdu = message.decode_pdu(plain, pos, end)
    if isinstance(pdu, TrapV1):
        raise DecodeError("a v1 trap in a v3 message")
    return engine_id, context, pdu
