"""Basic encoding rules: each value as the standard writes it, nothing read past its end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snmp import ber
from snmp.errors import DecodeError, EncodeError
from snmp.oid import OID

values = st.one_of(
    st.tuples(st.just(ber.INTEGER), st.integers(-(2**31), 2**31 - 1)),
    st.tuples(st.sampled_from([ber.COUNTER32, ber.GAUGE32, ber.TIME_TICKS]), st.integers(0, 2**32 - 1)),
    st.tuples(st.just(ber.COUNTER64), st.integers(0, 2**64 - 1)),
    st.tuples(st.sampled_from([ber.OCTET_STRING, ber.OPAQUE]), st.binary(max_size=300)),
    st.tuples(st.just(ber.IP_ADDRESS), st.binary(min_size=4, max_size=4)),
    st.tuples(st.just(ber.OBJECT_IDENTIFIER), st.lists(st.integers(0, 2**32 - 1), max_size=20).map(lambda x: OID((1, 3, *x)))),
    st.tuples(st.sampled_from([ber.NULL, *sorted(ber.EXCEPTIONS)]), st.none()),
)


@given(values)
def test_every_value_reads_back(pair: tuple[int, ber.Value]) -> None:
    """A value of any type survives encoding, and its element ends where it says."""
    tag, value = pair
    data = ber.encode_value(tag, value)
    found, start, end = ber.header(data, 0, len(data))
    assert (found, end) == (tag, len(data))
    assert ber.decode_value(found, data[start:end]) == value


@given(st.integers(-(2**63), 2**63 - 1))
def test_integers_take_the_shortest_form(value: int) -> None:
    """X.690 section 8.3.2: the first nine bits of an INTEGER are never all equal, and it reads back."""
    data = ber.encode_integer(value)
    assert ber.decode_integer(data, 0, len(data)) == (value, len(data))
    if len(data) > 3:
        assert int.from_bytes(data[2:4], "big") >> 7 not in (0, 0x1FF)


@pytest.mark.parametrize(
    ("value", "octets"),
    [
        (0, "020100"),
        (127, "02017f"),
        (128, "02020080"),
        (-1, "0201ff"),
        (-128, "020180"),
        (-129, "0202ff7f"),
        (2**31, "02050080000000"),
    ],
)
def test_known_integers(value: int, octets: str) -> None:
    """Integers at the edges of their widths are written as the standard says."""
    assert ber.encode_integer(value).hex() == octets


@pytest.mark.parametrize(
    ("n", "octets"),
    [(0, "00"), (127, "7f"), (128, "8180"), (255, "81ff"), (256, "820100"), (65535, "82ffff"), (65536, "83010000")],
)
def test_lengths_take_the_shortest_form(n: int, octets: str) -> None:
    """Lengths are short up to 127 and long beyond, and read back."""
    assert ber.encode_length(n).hex() == octets
    element = ber.tlv(ber.OCTET_STRING, bytes(n))
    assert ber.expect(element, 0, len(element), ber.OCTET_STRING) == (len(element) - n, len(element))


def test_an_element_longer_than_any_message_is_refused() -> None:
    """Lengths of 16 MiB and more raise EncodeError."""
    with pytest.raises(EncodeError, match="16777216"):
        ber.encode_length(1 << 24)


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        (ber.INTEGER, 2**31),
        (ber.INTEGER, None),
        (ber.COUNTER32, -1),
        (ber.GAUGE32, 2**32),
        (ber.COUNTER64, 2**64),
        (ber.OCTET_STRING, "text"),
        (ber.OCTET_STRING, bytes(0x10000)),
        (ber.IP_ADDRESS, b"\x7f\0\0"),
        (ber.OBJECT_IDENTIFIER, (9, 9)),
        (ber.OBJECT_IDENTIFIER, b"1.3"),
        (ber.NULL, 0),
        (0x99, None),
    ],
)
def test_values_that_do_not_fit_are_refused(tag: int, value: ber.Value) -> None:
    """A value outside its type's range, or of another type, raises EncodeError."""
    with pytest.raises(EncodeError):
        ber.encode_value(tag, value)


@pytest.mark.parametrize(
    "octets",
    ["", "02", "0201", "0280", "02850000000001", "0281", "0284ffffffff00", "0202ff"],
)
def test_elements_that_do_not_fit_are_refused(octets: str) -> None:
    """An element that is cut off, of indefinite or absurd length, or longer than what is there, raises DecodeError."""
    data = bytes.fromhex(octets)
    with pytest.raises(DecodeError):
        ber.header(data, 0, len(data))


def test_nothing_is_read_past_the_end_given() -> None:
    """An element inside another must end inside it, even when more bytes follow."""
    data = b"\x30\x03\x04\x02ab"
    _, end = ber.expect(data, 0, 5, ber.SEQUENCE)
    with pytest.raises(DecodeError, match="says 2 bytes, 1 are there"):
        ber.decode_octets(data, 2, end)


def test_another_type_is_named() -> None:
    """The message of a wrong type says what was found, where, and what was expected."""
    with pytest.raises(DecodeError, match="type 0x04 at byte 0, expected 0x02"):
        ber.decode_integer(b"\x04\x01a", 0, 3)


@pytest.mark.parametrize("octets", ["0200", "0209010203040506070809"])
def test_integers_of_no_width_or_too_wide_are_refused(octets: str) -> None:
    """An INTEGER has 1 to 8 octets."""
    data = bytes.fromhex(octets)
    with pytest.raises(DecodeError, match="1 to 8"):
        ber.decode_integer(data, 0, len(data))
    with pytest.raises(DecodeError, match="1 to 8"):
        ber.decode_value(ber.INTEGER, data[2:])


@pytest.mark.parametrize(
    ("tag", "content", "value"),
    [
        (ber.COUNTER32, "ffffffff", 2**32 - 1),
        (ber.COUNTER32, "00ffffffff", 2**32 - 1),
        (ber.COUNTER32, "ffffffffffffffff", 2**32 - 1),
        (ber.COUNTER64, "00ffffffffffffffff", 2**64 - 1),
        (ber.COUNTER64, "ffffffffffffffff", 2**64 - 1),
        (ber.TIME_TICKS, "80", 128),
    ],
)
def test_counters_that_agents_pad_or_sign_are_read(tag: int, content: str, value: int) -> None:
    """Counters padded, sign-extended or without their leading zero, as agents in the field send them, keep their value."""
    assert ber.decode_value(tag, bytes.fromhex(content)) == value


@given(st.integers(0, 255), st.binary(max_size=20))
def test_any_value_is_read_or_refused(tag: int, content: bytes) -> None:
    """Whatever type and content: a value, or DecodeError."""
    try:
        ber.decode_value(tag, content)
    except DecodeError:
        pass
