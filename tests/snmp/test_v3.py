"""The v3 message: what is encoded opens again, what was touched does not, and a real agent agrees on every protocol pair."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from itertools import product

import peers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutation import mutated

from snmp import ber, message, usm, v3
from snmp.ciphers import cipher_factory
from snmp.errors import DecodeError, DecryptionError, EncodeError, SnmpError, UnsupportedSecurityLevel, WrongDigest
from snmp.message import Pdu, VarBind
from snmp.oid import OID
from snmp.usm import AUTH, AUTH_FLAG, PRIV, PRIV_FLAG, Keys, User

ENGINE = bytes.fromhex("80001f888056565656565656")
PAIRS = [("", ""), *product(AUTH, ["", *PRIV])]
SYS_NAME = OID((1, 3, 6, 1, 2, 1, 1, 5, 0))
PDU = message.encode_pdu(Pdu(message.GET, 0x01020304, 0, 0, message.encode_names([SYS_NAME])))
SCOPED = v3.encode_scoped(ENGINE, b"", PDU)

int31 = st.integers(0, 2**31 - 1)


def user_of(auth: str, priv: str = "") -> User:
    """A user with these protocols, and a name that tells them."""
    secrets = (b"authpass1234" if auth else b"", b"privpass1234" if priv else b"")
    return User(f"{auth}+{priv}".encode(), auth, secrets[0], priv, secrets[1])


def keys_of(auth: str, priv: str = "") -> Keys:
    """Its keys at our engine."""
    return user_of(auth, priv).localise(ENGINE)


def sealed(keys: Keys, flags: int, scoped: bytes = SCOPED) -> bytes:
    """A message of the user to our engine."""
    return v3.encode(77, flags, ENGINE, 3, 1000, b"watcher", scoped, keys)


short = st.binary(max_size=32)


engines = st.sampled_from([b"", ENGINE, bytes(32)])  # few: a Reeder key for a new engine hashes a megabyte


@given(st.sampled_from(PAIRS), int31, int31, int31, st.booleans(), engines, short, st.binary(max_size=300))
def test_every_message_opens_again(
    pair: tuple[str, str], msg_id: int, boots: int, time: int, reportable: bool, engine: bytes, context: bytes, text: bytes
) -> None:
    """For every pair of protocols each field survives, and the PDU comes out as it went in."""
    user = user_of(*pair)
    keys = user.localise(engine)
    pdu = Pdu(message.RESPONSE, msg_id, 0, 0, message.encode_varbind(SYS_NAME, ber.OCTET_STRING, text))
    flags = user.level | (v3.REPORTABLE if reportable else 0)
    scoped = v3.encode_scoped(engine, context, message.encode_pdu(pdu))
    data = v3.encode(msg_id, flags, engine, boots, time, user.name, scoped, keys, 1472)
    opened = v3.decode(data)
    assert opened[:7] == (msg_id, 1472, flags, engine, boots, time, user.name)
    assert opened.level == user.level
    assert len(opened.auth_params) == keys.mac_length
    assert len(opened.priv_params) == (8 if pair[1] else 0)
    plain = v3.open_(opened, data, keys)
    assert v3.decode_scoped(plain) == (engine, context, pdu)
    assert message.peek_id(data) == msg_id
    if pair[1] and len(text) > 8:
        assert text not in data


def test_discovery_is_written_as_the_standard_says() -> None:
    """A discovery is the empty noAuthNoPriv message of RFC 3414 section 4, octet by octet."""
    pdu = message.encode_pdu(Pdu(message.GET, 0x2B67, 0, 0, b""))
    data = v3.encode(0x2B67, v3.REPORTABLE, b"", 0, 0, b"", v3.encode_scoped(b"", b"", pdu))
    assert data == peers.DISCOVERY
    assert v3.decode(data).max_size == message.MAX_MESSAGE


@pytest.mark.parametrize("pair", [("MD5", "DES"), ("SHA-1", "AES-128"), ("SHA-512", "AES-256"), ("SHA-256", "")])
def test_no_octet_of_a_signed_message_can_be_changed(pair: tuple[str, str]) -> None:
    """Whichever octet is touched, the message is refused, or no longer claims to be signed (which the caller refuses)."""
    keys = keys_of(*pair)
    data = sealed(keys, keys.level)
    for at in range(len(data)):
        for change in (0x01, 0x80, 0xFF):
            touched = data[:at] + bytes((data[at] ^ change,)) + data[at + 1 :]
            try:
                opened = v3.decode(touched)
                v3.open_(opened, touched, keys)
            except SnmpError:
                continue
            assert opened.level == 0
    for end in range(len(data)):
        with pytest.raises(DecodeError):
            v3.decode(data[:end])
    with pytest.raises(WrongDigest):
        v3.open_(v3.decode(data + b"\0"), data + b"\0", keys)


def test_another_password_is_a_wrong_digest() -> None:
    """A message signed with another password, protocol or engine's key is refused as not authentic."""
    keys = keys_of("SHA-1")
    strangers = [
        User(b"watcher", "SHA-1", b"another password").localise(ENGINE),
        User(b"watcher", "SHA-1", b"authpass1234").localise(ENGINE + b"\0"),
        keys_of("MD5"),
        keys_of("SHA-256"),
    ]
    for stranger in strangers:
        data = sealed(stranger, AUTH_FLAG)
        with pytest.raises(WrongDigest):
            v3.open_(v3.decode(data), data, keys)


@pytest.mark.parametrize("priv", PRIV)
def test_another_privacy_password_is_a_decryption_error_or_no_pdu(priv: str) -> None:
    """Garbage out of the cipher is refused, nearly always as what it is."""
    keys = keys_of("SHA-1", priv)
    refusals = []
    for n in range(40):
        stranger = User(b"watcher", "SHA-1", b"authpass1234", priv, b"another password %d" % (n % 2))
        data = sealed(stranger.localise(ENGINE), AUTH_FLAG | PRIV_FLAG)
        with pytest.raises((DecryptionError, DecodeError)) as raised:
            v3.decode_scoped(v3.open_(v3.decode(data), data, keys))
        refusals.append(raised.type)
    assert refusals.count(DecryptionError) > 30


def test_a_level_the_user_does_not_have_is_refused_both_ways() -> None:
    """Neither encoding nor opening goes above a user's level, nor is there privacy without authentication."""
    for keys, flags in ((None, AUTH_FLAG), (keys_of("MD5"), 3), (keys_of("MD5", "DES"), PRIV_FLAG)):
        with pytest.raises(EncodeError, match="security level"):
            v3.encode(1, flags, ENGINE, 1, 1, b"watcher", SCOPED, keys)
    signed = sealed(keys_of("MD5"), AUTH_FLAG)
    encrypted = sealed(keys_of("MD5", "DES"), 3)
    for data, low in ((signed, None), (signed, User(b"watcher").localise(ENGINE)), (encrypted, keys_of("MD5"))):
        with pytest.raises(UnsupportedSecurityLevel):
            v3.open_(v3.decode(data), data, low)


def test_a_user_may_speak_below_its_level() -> None:
    """Reports go out with less than the user has: the flags decide, not the keys."""
    keys = keys_of("SHA-1", "AES-128")
    for flags in (0, AUTH_FLAG):
        data = sealed(keys, flags)
        opened = v3.decode(data)
        assert opened.level == flags
        assert v3.open_(opened, data, keys) == SCOPED


def assembled(**changes: bytes) -> bytes:
    """A noAuthNoPriv message put together from parts, some of them changed."""
    parts = {
        "version": b"\x02\x01\x03",
        "id": b"\x02\x01\x07",
        "size": b"\x02\x02\x05\xc0",
        "flags": b"\x04\x01\x04",
        "model": b"\x02\x01\x03",
        "engine": ber.tlv(4, ENGINE),
        "boots": b"\x02\x01\x01",
        "time": b"\x02\x01\x01",
        "user": b"\x04\x01u",
        "auth": b"\x04\x00",
        "priv": b"\x04\x00",
        "scoped": SCOPED,
        **changes,
    }
    header = ber.tlv(0x30, b"".join(parts[name] for name in ("id", "size", "flags", "model")))
    security = ber.tlv(0x30, b"".join(parts[name] for name in ("engine", "boots", "time", "user", "auth", "priv")))
    return ber.tlv(0x30, parts["version"] + header + ber.tlv(4, security) + parts["scoped"])


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"version": b"\x02\x01\x01"}, "SNMP version 1: expected 3"),
        ({"id": b"\x02\x01\xff"}, "message id -1"),
        ({"id": b"\x02\x05\x00\x80\x00\x00\x00"}, "message id 2147483648"),
        ({"size": b"\x02\x01\x80"}, "maximum size -128"),
        ({"flags": b"\x04\x00"}, "message flags empty"),
        ({"flags": b"\x04\x02\x00\x04"}, "message flags 0004"),
        ({"flags": b"\x04\x01\x06"}, "message flags 06"),
        ({"model": b"\x02\x01\x02"}, "security model 2"),
        ({"boots": b"\x02\x01\xff"}, "boots -1"),
        ({"time": b"\x02\x05\x01\x00\x00\x00\x00"}, "time 4294967296"),
        ({"engine": ber.tlv(4, bytes(33))}, "engine ID of 33"),
        ({"user": ber.tlv(4, bytes(33))}, "user name of 33 octets"),
        ({"scoped": b"\x04\x00"}, "expected 0x30"),
        ({"flags": b"\x04\x01\x03"}, "expected 0x04"),
        ({"scoped": b""}, "cut off"),
    ],
)
def test_headers_that_cannot_be_are_refused_and_named(changes: dict[str, bytes], complaint: str) -> None:
    """Every field out of its range raises DecodeError with what was found."""
    assert v3.decode(assembled()).user == b"u"
    with pytest.raises(DecodeError, match=complaint):
        v3.decode(assembled(**changes))


@pytest.mark.parametrize("length", [b"\x80", b"\x85\0\0\0\0\x80"])
def test_a_message_of_no_length_is_refused(length: bytes) -> None:
    """A message of indefinite length, or whose length takes more octets than any can need, raises DecodeError."""
    whole = assembled()
    with pytest.raises(DecodeError, match=r"length of . bytes"):
        v3.decode(b"\x30" + length + whole[2:] + bytes(130 - len(whole)))


def test_small_maximum_sizes_read_as_the_least_allowed() -> None:
    """An agent that claims less than RFC 3412's 484 octets is taken to bear those."""
    assert v3.decode(assembled(size=b"\x02\x01\x00")).max_size == message.MIN_MESSAGE


def test_long_lengths_are_followed_when_signing_is_checked() -> None:
    """The MAC is found wherever the sender's lengths put it, as with net-snmp's two-octet ones."""
    keys = keys_of("SHA-1")
    data = assembled(flags=b"\x04\x01\x01", engine=b"\x04\x82\x00\x0c" + ENGINE, auth=b"\x04\x81\x0c" + bytes(12))
    offset = v3.decode(data).auth_offset
    assert data[offset - 3 : offset] == b"\x04\x81\x0c"
    signed = keys.sign(data, offset)
    assert v3.open_(v3.decode(signed), signed, keys) == SCOPED


def test_scoped_pdus_that_cannot_be_are_refused() -> None:
    """A v1 trap, or nothing, inside a scoped PDU raises DecodeError; padding behind it does not."""
    trap = message.encode_trap_v1(message.TrapV1(SYS_NAME, bytes(4), 6, 1, 1, b""))
    with pytest.raises(DecodeError, match="v1 trap"):
        v3.decode_scoped(v3.encode_scoped(b"", b"", trap))
    with pytest.raises(DecodeError, match="cut off"):
        v3.decode_scoped(v3.encode_scoped(b"", b"", b""))
    assert v3.decode_scoped(SCOPED + bytes(7)) == v3.decode_scoped(SCOPED)
    engine, context, pos, end = v3.scope(SCOPED)
    assert (engine, context, SCOPED[pos:end]) == (ENGINE, b"", PDU)


def test_damaged_messages_raise_nothing_but_our_errors() -> None:
    """50,000 packets, damaged on the way or badly made but well signed, are each read or refused with our errors."""
    listed = [(ber.OCTET_STRING, b"watchtower"), (ber.COUNTER64, 2**63), (ber.END_OF_MIB_VIEW, None)] * 3
    body = b"".join(message.encode_varbind(SYS_NAME, tag, value) for tag, value in listed)
    kinds = (message.GET, message.GET_BULK, message.RESPONSE, message.INFORM, message.TRAP, message.REPORT)
    scoped = [v3.encode_scoped(ENGINE, b"context", message.encode_pdu(Pdu(kind, 7, 0, 9, body))) for kind in kinds]
    users = [keys_of(*pair) for pair in (("MD5", ""), ("MD5", "DES"), ("SHA-1", "AES-128"), ("SHA-256", "AES-256"))]
    whole = [sealed(keys, flags, part) for keys, part in product(users, scoped) for flags in {0, keys.level}]
    packets = [(users[i % 4], data) for i, data in enumerate(mutated(whole, 30_000, seed=3412))]
    for i, part in enumerate(mutated(scoped, 20_000, seed=3414)):
        keys = users[i % 4]
        packets.append((keys, sealed(keys, keys.level, part)))
    read = refused = 0
    for _, data in packets:
        assert decoded(v3.decode, data) == decoded(v3._decode, data), "read in place or element by element, it says the same"
    for keys, data in packets:
        try:
            message.peek_id(data)
        except SnmpError:
            pass
        try:
            opened = v3.decode(data)
            message.decode_varbinds(v3.decode_scoped(v3.open_(opened, data, keys))[2].body)
            read += 1
        except SnmpError:
            refused += 1
    assert min(read, refused) > 2_000


def decoded(way: Callable[[bytes], v3.Message], data: bytes) -> v3.Message | None:
    try:
        return way(data)
    except DecodeError:
        return None


class Asker:
    """A blocking manager, as small as can be: what it needs to ask a real agent something."""

    def __init__(self, agent: peers.Snmpd) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.settimeout(10)
        self.socket.connect((agent.host, agent.port))
        self.ids = iter(range(1000, 2**31))
        report, pdu = self.exchange(v3.REPORTABLE, b"", 0, 0, b"", None, b"")
        assert usm.REPORTS[message.decode_varbinds(pdu.body)[0].oid].__name__ == "UnknownEngine"
        self.engine_id, self.boots, self.time = report.engine_id, report.boots, report.time

    def send(self, flags: int, engine: bytes, boots: int, time: int, name: bytes, keys: Keys | None, names: bytes) -> int:
        """Send a GET; its id."""
        number = next(self.ids)
        scoped = v3.encode_scoped(engine, b"", message.encode_pdu(Pdu(message.GET, number, 0, 0, names)))
        self.socket.send(v3.encode(number, flags, engine, boots, time, name, scoped, keys))
        return number

    def exchange(
        self, flags: int, engine: bytes, boots: int, time: int, name: bytes, keys: Keys | None, names: bytes
    ) -> tuple[v3.Message, Pdu]:
        """Send a GET and open what comes back."""
        number = self.send(flags, engine, boots, time, name, keys, names)
        data = self.socket.recv(65535)
        answer = v3.decode(data)
        assert answer.msg_id == number
        return answer, v3.decode_scoped(v3.open_(answer, data, keys))[2]

    def get(self, user: User, level: int, boots_off: int = 0, source: str = "cryptography") -> tuple[v3.Message, Pdu]:
        """Ask for sysName.0 as this user."""
        keys = user.localise(self.engine_id, cipher_factory(source))
        flags, names = level | v3.REPORTABLE, message.encode_names([SYS_NAME])
        return self.exchange(flags, self.engine_id, self.boots + boots_off, self.time, user.name, keys, names)


@pytest.fixture(scope="module")
def asker() -> Iterator[Asker]:
    """A manager that discovered a real snmpd, which knows a user for every pair of protocols."""
    users = [
        peers.User(user.name.decode(), user.auth, user.auth_secret.decode(), user.priv, user.priv_secret.decode())
        for user in (user_of(*pair) for pair in PAIRS)
    ]
    with peers.snmpd(users=users) as agent:
        one = Asker(agent)
        yield one
        one.socket.close()


@pytest.mark.parametrize(("auth", "priv"), PAIRS)
def test_a_real_agent_answers_every_pair(asker: Asker, auth: str, priv: str) -> None:
    """snmpd understands our GET and we its answer, at the same level, for every protocol pair and both sources of ciphers."""
    user = user_of(auth, priv)
    for source in ("cryptography", "libcrypto"):
        answer, pdu = asker.get(user, user.level, source=source)
        assert answer.level == user.level
        assert pdu.type == message.RESPONSE
        assert message.decode_varbinds(pdu.body) == [VarBind(SYS_NAME, ber.OCTET_STRING, b"peer")]


@pytest.mark.parametrize(
    ("user", "level", "boots_off", "error"),
    [
        (User(b"nobody", "MD5", b"authpass1234"), 1, 0, "UnknownUser"),
        (User(b"SHA-1+", "SHA-1", b"another password"), 1, 0, "WrongDigest"),
        (User(b"SHA-1+", "SHA-1", b"authpass1234", "AES", b"privpass1234"), 3, 0, "UnsupportedSecurityLevel"),
        (User(b"SHA-1+", "SHA-1", b"authpass1234"), 1, 7, "NotInTimeWindow"),
    ],
)
def test_a_real_agents_reports_are_understood(asker: Asker, user: User, level: int, boots_off: int, error: str) -> None:
    """Each way of being wrong brings the Report whose counter we map to the error of that name."""
    answer, pdu = asker.get(user, level, boots_off)
    assert pdu.type == message.REPORT
    assert usm.REPORTS[message.decode_varbinds(pdu.body)[0].oid].__name__ == error
    assert answer.level == (AUTH_FLAG if error == "NotInTimeWindow" else 0)


@pytest.mark.parametrize("priv", ["DES", "AES-128"])
def test_a_real_agent_is_silent_at_a_wrong_privacy_password(asker: Asker, priv: str) -> None:
    """snmpd drops what it decrypts to garbage without a word, and answers the same user without privacy."""
    wrong = User(f"SHA-1+{priv}".encode(), "SHA-1", b"authpass1234", priv, b"another password")
    keys = wrong.localise(asker.engine_id)
    asker.send(3 | v3.REPORTABLE, asker.engine_id, asker.boots, asker.time, wrong.name, keys, message.encode_names([SYS_NAME]))
    _, pdu = asker.get(wrong, AUTH_FLAG)
    assert (pdu.type, pdu.error_status) == (message.RESPONSE, message.AUTHORIZATION_ERROR)
