"""Shapes: an answer that fits gives its moving values, and nothing fits that differs anywhere else."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from snmp import ber, message
from snmp.errors import DecodeError
from snmp.message import VarBind
from snmp.oid import OID
from snmp.shape import Element, Shape, elements

OIDS = st.lists(st.integers(0, 2**32 - 1), max_size=12).map(lambda arcs: OID((1, 3, *arcs)))
VALUES = st.one_of(
    st.tuples(st.just(ber.OCTET_STRING), st.binary(max_size=200)),
    st.tuples(st.just(ber.INTEGER), st.integers(-(2**31), 2**31 - 1)),
    st.tuples(st.sampled_from([ber.COUNTER32, ber.GAUGE32, ber.TIME_TICKS]), st.integers(0, 2**32 - 1)),
    st.tuples(st.just(ber.COUNTER64), st.integers(0, 2**64 - 1)),
    st.tuples(st.just(ber.OBJECT_IDENTIFIER), OIDS),
    st.tuples(st.just(ber.IP_ADDRESS), st.binary(min_size=4, max_size=4)),
    st.tuples(st.sampled_from([ber.NULL, *sorted(ber.EXCEPTIONS)]), st.none()),
)
BINDINGS = st.lists(st.builds(lambda name, value: VarBind(name, *value), OIDS, VALUES), max_size=12)


@given(BINDINGS)
def test_elements_stand_where_the_decoder_finds_them(bindings: list[VarBind]) -> None:
    """Names, types and values cut out by position are those of the list."""
    body = message.encode_varbinds(bindings)
    found = elements(body)
    assert [body[e.name : e.name_end] for e in found] == [binding.oid.encode() for binding in bindings]
    assert [(e.tag, ber.decode_value(e.tag, body[e.value : e.end])) for e in found] == [(b.tag, b.value) for b in bindings]


@given(st.binary(max_size=200))
def test_garbage_is_a_decode_error(body: bytes) -> None:
    """Any bytes are either elements within the body or a DecodeError."""
    try:
        found = elements(body)
    except DecodeError:
        return
    assert all(0 <= e.name <= e.name_end <= e.value <= e.end <= len(body) for e in found)


@given(BINDINGS, st.data())
def test_damaged_lists_are_decode_errors(bindings: list[VarBind], data: st.DataObject) -> None:
    """One octet changed anywhere: no other exception."""
    body = bytearray(message.encode_varbinds(bindings))
    assume(body)
    body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    try:
        elements(bytes(body))
    except DecodeError:
        pass


def spans(body: bytes, chosen: set[int]) -> list[tuple[int, int]]:
    return [(e.value, e.end) for i, e in enumerate(elements(body)) if i in chosen and e.end > e.value]


@given(BINDINGS, st.data())
def test_what_moves_is_cut_out(bindings: list[VarBind], data: st.DataObject) -> None:
    """A body of the same layout gives the contents of its moving values, whatever they are; what is free does not matter."""
    body = message.encode_varbinds(bindings)
    places = range(len(bindings))
    moving = data.draw(st.sets(st.sampled_from(places)) if bindings else st.just(set()))
    free = data.draw(st.sets(st.sampled_from(places)) if bindings else st.just(set())) - moving
    shape = Shape(body, spans(body, moving), spans(body, free))
    assert shape.cut(body) == tuple(body[a:b] for a, b in spans(body, moving))
    other = bytearray(body)
    for start, end in spans(body, moving | free):
        other[start:end] = data.draw(st.binary(min_size=end - start, max_size=end - start))
    assert shape.cut(bytes(other)) == tuple(bytes(other[a:b]) for a, b in spans(body, moving))


@given(BINDINGS.filter(bool), st.data())
def test_what_differs_elsewhere_does_not_fit(bindings: list[VarBind], data: st.DataObject) -> None:
    """One bit changed outside of what may differ, or one octet more or less: another layout."""
    body = message.encode_varbinds(bindings)
    moving = data.draw(st.sets(st.sampled_from(range(len(bindings)))))
    shape = Shape(body, spans(body, moving))
    allowed = {i for start, end in spans(body, moving) for i in range(start, end)}
    at = data.draw(st.sampled_from([i for i in range(len(body)) if i not in allowed]))
    changed = bytearray(body)
    changed[at] ^= 1 << data.draw(st.integers(0, 7))
    assert shape.cut(bytes(changed)) is None
    assert shape.cut(body + b"\0") is None
    assert shape.cut(body[:-1]) is None
    assert shape.cut(b"") is None


def test_an_empty_body_is_a_layout_too() -> None:
    """v1 answers "nothing there" with nothing."""
    assert Shape(b"", []).cut(b"") == ()
    assert Shape(b"", []).cut(b"x") is None
    assert elements(b"") == []


def test_leading_zeros_do_not_shift_anything() -> None:
    """Bodies that begin with zero octets are told apart: the comparison is not one of numbers."""
    shape = Shape(b"\0\0\1", [])
    assert shape.cut(b"\0\0\1") == ()
    assert shape.cut(b"\0\1") is None
    assert shape.cut(b"\0\0\0\1") is None


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"\x31\x00", "type 0x31"),
        (b"\x30\x02\x05\x00", "begins with type 0x05"),
        (b"\x30\x07\x06\x01\x2b\x05\x00\x05\x00", "too many"),
        (b"\x30\x05\x06\x01\x2b\x05", "says 5 bytes"),
    ],
)
def test_the_message_names_what_is_wrong(body: bytes, says: str) -> None:
    """Each way to be no list of bindings has its words."""
    with pytest.raises(DecodeError, match=says):
        elements(body)


def test_an_element_is_a_plain_tuple() -> None:
    """Positions of one varbind, in order."""
    body = message.encode_varbinds([VarBind(OID((1, 3, 6)), ber.INTEGER, 5)])
    assert elements(body) == [Element(4, 6, ber.INTEGER, 8, 9)]
