"""Object identifiers: text, order and encoding."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snmp import oid
from snmp.oid import MAX_ARC, MAX_ARCS, MAX_OCTETS, OID

arcs = st.one_of(st.integers(0, 300), st.integers(0, MAX_ARC))
oids = st.one_of(
    st.builds(lambda a, b, rest: OID((a, b, *rest)), st.integers(0, 1), st.integers(0, 39), st.lists(arcs, max_size=126)),
    st.builds(lambda b, rest: OID((2, b, *rest)), arcs, st.lists(arcs, max_size=126)),
)


@given(oids)
def test_what_is_encoded_reads_back(name: OID) -> None:
    """Every identifier of two arcs or more survives encoding, and its text."""
    assert oid.decode(name.encode()) == name
    assert OID.parse(str(name)) == name


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("1.3.6.1.2.1.1.1.0", "2b06010201010100"),
        ("1.3.6.1.4.1.32473", "2b0601040181fd59"),
        ("2.999.3", "883703"),  # X.690 section 8.19.5's example
        ("0.0", "00"),
        ("1.3.4294967295", "2b8fffffff7f"),
        ("2.4294967295", "908080804f"),
    ],
)
def test_known_encodings(text: str, content: str) -> None:
    """The encodings of X.690's example and of the largest arcs are those of the standard."""
    assert OID.parse(text).encode().hex() == content
    assert str(oid.decode(bytes.fromhex(content))) == text


def test_text_may_begin_with_one_dot() -> None:
    """net-snmp's leading dot and spaces around are taken, and repr can be read back."""
    assert OID.parse(" .1.3.6 ") == OID((1, 3, 6))
    assert repr(OID((1, 3, 6))) == "OID('1.3.6')"


@pytest.mark.parametrize(
    "text", ["", ".", "1..3", "..1.3", "1.3.", "1.-3", "iso.3", "1.3.4294967296", "1.³", ".".join(["1"] * 129), "1." + "9" * 5000]
)
def test_text_that_names_nothing_is_refused(text: str) -> None:
    """What is no identifier raises ValueError."""
    with pytest.raises(ValueError, match=r"not an object identifier|integer string"):
        OID.parse(text)


@pytest.mark.parametrize("name", [(), (1,) * 129, (1, -1), (1, 3, MAX_ARC + 1), (3, 1), (0, 40), (1, 40)])
def test_arcs_without_an_encoding_are_refused(name: tuple[int, ...]) -> None:
    """Too few, too many, too large arcs, or a root no standard has, raise ValueError."""
    with pytest.raises(ValueError, match=r"arcs|object identifier"):
        oid.encode(name)


@pytest.mark.parametrize(
    "content",
    [
        b"\x2b\x86",
        b"\x80",
        b"\x2b\x90\x80\x80\x80\x00",
        b"\x2b" + b"\xff" * 9 + b"\x7f",
        b"\x2b" * (MAX_ARCS + 1),
        b"\x80" * MAX_OCTETS + b"\x01",
    ],
)
def test_contents_that_are_no_identifier_are_refused(content: bytes) -> None:
    """Contents cut off, with an arc over 32 bits, too many arcs or endless padding raise ValueError."""
    with pytest.raises(ValueError, match="object identifier"):
        oid.decode(content)


def test_empty_content_reads_as_zero() -> None:
    """The empty content some agents send for a null identifier is 0.0."""
    assert oid.decode(b"") == (0, 0)


@given(st.binary(max_size=40))
def test_any_content_is_an_identifier_or_a_value_error(content: bytes) -> None:
    """No bytes make the decoder do anything else than answer within its bounds or raise ValueError."""
    try:
        name = oid.decode(content)
    except ValueError:
        return
    assert 2 <= len(name) <= MAX_ARCS
    assert max(name) <= MAX_ARC


@given(oids, oids)
def test_order_and_coverage(one: OID, other: OID) -> None:
    """Identifiers sort as tuples of numbers, and one covers another exactly when it is its beginning."""
    assert (one < other) == (tuple(one) < tuple(other))
    assert one.covers(other) == (tuple(other)[: len(one)] == tuple(one))
    assert one.covers((*one, 1, 2))


def test_arcs_are_appended() -> None:
    """An identifier and further arcs make an identifier."""
    arcs = [6, 1]
    longer = OID((1, 3)) + arcs
    assert longer == OID.parse("1.3.6.1")
    assert type(longer) is OID
