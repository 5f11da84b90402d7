"""Protocol data units and community messages: round trips, real octets, and whatever else may arrive."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutation import mutated

from snmp import ber, message, oid
from snmp.errors import DecodeError, EncodeError, SnmpError
from snmp.message import MAX_VARBINDS, Pdu, TrapV1, VarBind
from snmp.oid import OID

names = st.lists(st.integers(0, 2**32 - 1), max_size=30).map(lambda arcs: OID((1, 3, *arcs)))
bindings = st.lists(
    st.one_of(
        st.builds(VarBind, names, st.just(ber.INTEGER), st.integers(-(2**31), 2**31 - 1)),
        st.builds(VarBind, names, st.just(ber.COUNTER64), st.integers(0, 2**64 - 1)),
        st.builds(VarBind, names, st.just(ber.OCTET_STRING), st.binary(max_size=200)),
        st.builds(VarBind, names, st.just(ber.OBJECT_IDENTIFIER), names),
        st.builds(VarBind, names, st.just(ber.END_OF_MIB_VIEW), st.none()),
    ),
    max_size=12,
)
int32 = st.integers(-(2**31), 2**31 - 1)
kinds = st.sampled_from([kind for kind in range(message.GET, message.REPORT + 1) if kind != message.TRAP_V1])


@given(bindings)
def test_variable_bindings_read_back(listed: list[VarBind]) -> None:
    """Names, types and values of a list survive, in order."""
    assert message.decode_varbinds(message.encode_varbinds(listed)) == listed


@given(bindings, st.integers(0, 14))
def test_a_list_is_split_where_it_is_asked(listed: list[VarBind], most: int) -> None:
    """The first ones are decoded, the rest is what they would be encoded."""
    first, rest = message.split_varbinds(message.encode_varbinds(listed), most)
    assert first == listed[:most] and message.decode_varbinds(rest) == listed[most:]


@given(bindings, st.integers(0, 300), st.binary(max_size=4))
def test_a_damaged_list_is_split_only_along_its_outlines(listed: list[VarBind], at: int, junk: bytes) -> None:
    """Octets put anywhere into a list raise nothing but DecodeError; what comes out is all that went in."""
    body = message.encode_varbinds(listed)
    body = body[:at] + junk + body[at:]
    try:
        first, rest = message.split_varbinds(body, 3)
    except DecodeError:
        return
    assert len(first) <= 3 and body.endswith(rest)


@given(st.sampled_from([message.V1, message.V2C]), st.binary(max_size=40), kinds, int32, int32, int32, bindings)
def test_a_community_message_reads_back(
    version: int, community: bytes, kind: int, request_id: int, status: int, index: int, listed: list[VarBind]
) -> None:
    """Version, community and PDU of any type survive, even with bytes behind the message."""
    pdu = Pdu(kind, request_id, status, index, message.encode_varbinds(listed))
    data = message.encode_community(version, community, message.encode_pdu(pdu))
    assert message.decode_community(data + b"\0\0") == (version, community, pdu)
    assert message.peek_id(data) == request_id


@given(st.sampled_from([message.V1, message.V2C]), st.binary(max_size=140), int32, bindings, st.tuples(*5 * [st.integers(1, 4)]))
def test_the_id_is_found_whatever_form_lengths_have(
    version: int, community: bytes, request_id: int, listed: list[VarBind], forms: tuple[int, ...]
) -> None:
    """Agents may write lengths in more octets than they take: the id found at a glance is the one that decoding finds."""

    def element(tag: int, content: bytes, form: int) -> bytes:
        return bytes((tag, 0x80 | form)) + len(content).to_bytes(form, "big") + content if form > 1 else ber.tlv(tag, content)

    rest = message.WELL + ber.tlv(ber.SEQUENCE, message.encode_varbinds(listed))
    number = element(ber.INTEGER, request_id.to_bytes(4, "big", signed=True), forms[0])
    pdu = element(message.RESPONSE, number + rest, forms[1])
    inside = element(ber.INTEGER, bytes((version,)), forms[2]) + element(ber.OCTET_STRING, community, forms[3]) + pdu
    data = element(ber.SEQUENCE, inside, forms[4])
    found = message.decode_community(data)[2]
    assert isinstance(found, Pdu) and message.peek_id(data) == found.request_id == request_id


@given(names, st.binary(min_size=4, max_size=4), int32, int32, st.integers(0, 2**32 - 1), bindings)
def test_a_v1_trap_reads_back(
    enterprise: OID, address: bytes, generic: int, specific: int, timestamp: int, listed: list[VarBind]
) -> None:
    """All six fields of a v1 trap survive."""
    trap = TrapV1(enterprise, address, generic, specific, timestamp, message.encode_varbinds(listed))
    data = message.encode_community(message.V1, b"public", message.encode_trap_v1(trap))
    assert message.decode_community(data) == (message.V1, b"public", trap)


def test_a_get_is_written_as_other_implementations_write_it() -> None:
    """A v2c GET of sysName.0 is, octet by octet, what net-snmp sends."""
    pdu = Pdu(message.GET, 0x01020304, 0, 0, message.encode_names([(1, 3, 6, 1, 2, 1, 1, 5, 0)]))
    expected = "302902010104067075626c6963a01c020401020304020100020100300e300c06082b060102010105000500"
    assert message.encode_community(message.V2C, b"public", message.encode_pdu(pdu)).hex() == expected


def test_long_lengths_where_short_ones_would_do_are_read() -> None:
    """net-snmp writes every SEQUENCE with a length of two octets, and some devices with four."""
    body = b"\x30\x84\0\0\0\x0c\x06\x08\x2b\x06\x01\x02\x01\x01\x05\x00\x05\x00"
    assert message.decode_varbinds(body) == [VarBind(OID.parse("1.3.6.1.2.1.1.5.0"), ber.NULL, None)]


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        ("", "cut off"),
        ("3003020102", "SNMP version 2"),
        ("3003020103", "v3 message"),
        ("300702010104026162", "cut off"),
        ("300b0201010402616230020000", "PDU type 0x30"),
        ("300902010104026162a900", "PDU type 0xa9"),
        ("300f02010104026162a40606012b400102", "agent address"),
    ],
)
def test_what_is_no_message_is_refused_and_named(data: str, complaint: str) -> None:
    """Versions, types and parts that cannot be raise DecodeError with what was found."""
    with pytest.raises(DecodeError, match=complaint):
        message.decode_community(bytes.fromhex(data))


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("0400", "type 0x04 in the variable bindings"),
        ("30020500", "begins with type 0x05"),
        ("300506012b050100", "says 5 bytes|cut off|says"),
        ("300706012b05000500", "2 bytes too many"),
        ("300506018b0500", "inside an arc"),
        ("300506012bff00", "no SNMP value has type 0xff"),
    ],
)
def test_variable_bindings_that_cannot_be_are_refused(body: str, complaint: str) -> None:
    """A list with wrong types, lengths or names raises DecodeError."""
    with pytest.raises(DecodeError, match=complaint):
        message.decode_varbinds(bytes.fromhex(body))


def test_the_number_of_variable_bindings_is_bounded() -> None:
    """As many bindings as are allowed are read, one more is refused."""
    one = bytes.fromhex("300506012b0500")
    assert len(message.decode_varbinds(one * MAX_VARBINDS)) == MAX_VARBINDS
    with pytest.raises(DecodeError, match=str(MAX_VARBINDS)):
        message.decode_varbinds(one * (MAX_VARBINDS + 1))


def test_a_name_that_cannot_be_encoded_is_refused() -> None:
    """A request for arcs that no encoding exists for raises EncodeError."""
    with pytest.raises(EncodeError):
        message.encode_names([(1, 99)])


def pdus() -> list[bytes]:
    """A PDU of every type, with values of every type."""
    listed = [
        VarBind(OID((1, 3, 6, 1, 2, 1, 1, 1, 0)), ber.OCTET_STRING, b"Linux watchtower 6.1" * 8),
        VarBind(OID((1, 3, 6, 1, 2, 1, 1, 2, 0)), ber.OBJECT_IDENTIFIER, OID((1, 3, 6, 1, 4, 1, 8072, 3, 2, 10))),
        VarBind(OID((1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 6, 10101)), ber.COUNTER64, 2**63),
        VarBind(OID((1, 3, 6, 1, 2, 1, 2, 2, 1, 5, 4294967295)), ber.GAUGE32, 4294967295),
        VarBind(OID((1, 3, 6, 1, 2, 1, 4, 20, 1, 1, 127, 0, 0, 1)), ber.IP_ADDRESS, b"\x7f\0\0\x01"),
        VarBind(OID((1, 3, 6, 1, 2, 1, 99, 0)), ber.NO_SUCH_INSTANCE, None),
    ]
    body = message.encode_varbinds(listed)
    trap = TrapV1(OID((1, 3, 6, 1, 4, 1, 32473)), b"\x7f\0\0\x01", 6, 1, 12345, body)
    others = [kind for kind in range(message.GET, message.TRAP + 1) if kind != message.TRAP_V1]
    return [*(message.encode_pdu(Pdu(kind, 0x11000001, 0, 10, body)) for kind in others), message.encode_trap_v1(trap)]


def test_damaged_messages_raise_nothing_but_our_errors() -> None:
    """50,000 packets, damaged anywhere or only inside, are each read or refused with our errors; the OID cache stays bounded."""
    whole = [message.encode_community(version, b"public", pdu) for pdu in pdus() for version in (message.V1, message.V2C)]
    packets = [*mutated(whole, 25_000, seed=1157)]
    packets += [message.encode_community(message.V2C, b"public", pdu) for pdu in mutated(pdus(), 25_000, seed=3416)]
    read = refused = 0
    for data in packets:
        try:
            message.peek_id(data)
        except SnmpError:
            pass
        try:
            message.decode_varbinds(message.decode_community(data)[2].body)
            read += 1
        except SnmpError:
            refused += 1
    assert min(read, refused) > 3_000
    assert oid.decode.cache_info().currsize <= oid.CACHED
