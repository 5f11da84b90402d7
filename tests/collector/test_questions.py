"""Questions: every cell once, in the shape a device bears, and a new row never goes unnoticed."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rows import bodies

from collector.polling.questions import NAMES, Cells, Question, ask_for
from snmp import ber, message
from snmp.message import VarBind, decode_varbinds
from snmp.oid import OID, decode
from snmp.table import MANNERS, Manner

ROOT = (1, 3, 6, 1, 4, 1, 32473)
SCALARS = [OID((*ROOT, 1, i)) for i in range(1, 6)]


def binding(name: OID, size: int) -> VarBind:
    if size:
        return VarBind(name, ber.OCTET_STRING, b"x" * size)
    return VarBind(name, ber.COUNTER32, 2**31)


@st.composite
def devices(draw: st.DrawFn) -> Cells:
    """Scalars, and tables of any rows: even, sparse, with long indexes and long values."""
    cells: Cells = {}
    for scalar in draw(st.sets(st.sampled_from(SCALARS))):
        cells[scalar] = {(0,): binding(OID((*scalar, 0)), draw(st.sampled_from([0, 5, 60])))}
    for table in range(2, 2 + draw(st.integers(0, 3))):
        arcs = st.lists(st.integers(0, 300), min_size=1, max_size=draw(st.integers(1, 4))).map(tuple)
        rows = sorted(draw(st.sets(arcs, min_size=1, max_size=20)))
        for number in draw(st.sets(st.integers(1, 25), min_size=1, max_size=22)):
            column = OID((*ROOT, table, 1, number))
            some = rows if draw(st.booleans()) else [row for row in rows if draw(st.booleans())]
            size = draw(st.sampled_from([0, 0, 8, 40, 200]))
            if some:
                cells[column] = {row: binding(OID((*column, *row)), size) for row in some}
    return cells


def named(question: Question) -> list[OID]:
    """What must come back, sentinels left out."""
    return [decode(name) for i, name in enumerate(question.names) if i not in question.sentinels]


@settings(max_examples=80)
@given(devices(), st.sampled_from(MANNERS), st.booleans())
def test_every_cell_is_asked_once_and_answered_as_expected(cells: Cells, manner: Manner, v1: bool) -> None:
    """The questions name every cell once, and an honest agent answers exactly what they expect, where they expect it."""
    questions = list(ask_for(cells, manner, v1=v1, closed={*SCALARS}))
    every = {b.oid: b for rows in cells.values() for b in rows.values()}
    assert sorted(name for question in questions for name in named(question)) == sorted(every)
    device = {name: (b.tag, b.value) for name, b in every.items()}
    for question, body in zip(questions, bodies([q.request() for q in questions], device, size=60000), strict=True):
        found = [b.oid.encode() for b in decode_varbinds(body)]
        assert len(found) == len(question.names)
        for i, name in enumerate(question.names):
            if i in question.sentinels:
                last = not found[i].startswith(name) or decode_varbinds(body)[i].tag in ber.EXCEPTIONS
                assert last, "behind the last row there is none"
            else:
                assert found[i] == name


@settings(max_examples=80)
@given(devices(), st.sampled_from(MANNERS), st.booleans())
def test_no_question_asks_for_more_than_is_borne(cells: Cells, manner: Manner, v1: bool) -> None:
    """Columns, objects and octets stay within the manner, and a single object may be as large as it is."""
    for question in ask_for(cells, manner, v1=v1, closed={*SCALARS}):
        columns = len(question.asked) - question.non_repeaters
        if question.kind == message.GET_BULK:
            assert manner.bulk
            assert not v1
            assert manner.mixed or not question.non_repeaters
            assert columns <= manner.columns
            assert len(question.names) == question.non_repeaters + columns * question.max_repetitions
        else:
            assert question.kind == message.GET_NEXT
            assert len(question.names) <= (manner.objects if manner.bulk and not v1 else min(manner.objects, NAMES))
        rows = question.max_repetitions if question.kind == message.GET_BULK else 1
        assert len(question.names) <= manner.objects or rows == 1
        sizes = [len(message.encode_varbind(*_of(cells, name))) for name in named(question)]
        assert sum(sizes) <= manner.octets or rows == 1
    asked = list(ask_for(cells, manner, v1=v1, closed={*SCALARS}))
    sentinels = [question.names[i] for question in asked for i in question.sentinels]
    if v1 and sentinels:
        last = max(sentinels, key=decode)
        alone = [question.names for question in asked if last in {question.names[i] for i in question.sentinels}]
        assert alone == [(last,)], "v1 says nothing else beside what is missing behind the last object"


def _of(cells: Cells, name: OID) -> VarBind:
    return next(b for rows in cells.values() for b in rows.values() if b.oid == name)


@settings(max_examples=80)
@given(devices().filter(bool), st.sampled_from(MANNERS), st.booleans(), st.data())
def test_a_new_row_is_noticed(cells: Cells, manner: Manner, v1: bool, data: st.DataObject) -> None:
    """A row that appears in any column, wherever, makes an answer other than expected."""
    columns = [column for column in cells if column not in SCALARS]
    if not columns:
        return
    column = data.draw(st.sampled_from(columns))
    arcs = st.lists(st.integers(0, 300), min_size=1, max_size=4).map(tuple)
    new = data.draw(arcs.filter(lambda row: row not in cells[column]))
    questions = list(ask_for(cells, manner, v1=v1, closed={*SCALARS}))
    device = {b.oid: (b.tag, b.value) for rows in cells.values() for b in rows.values()}
    device[OID((*column, *new))] = (ber.COUNTER32, 1)
    noticed = False
    for question, body in zip(questions, bodies([q.request() for q in questions], device, size=60000), strict=True):
        for i, b in enumerate(decode_varbinds(body)):
            name = b.oid.encode()
            if i in question.sentinels:
                noticed |= name.startswith(question.names[i]) and b.tag not in ber.EXCEPTIONS
            else:
                noticed |= name != question.names[i]
    assert noticed


def test_nothing_to_ask() -> None:
    """A device without cells gets no questions."""
    assert list(ask_for({})) == []


def test_a_switch_costs_few_packets() -> None:
    """Fifty-two ports with thirteen counters each, and the uptime: as many answers as their octets fill."""
    column = {i: OID((*ROOT, 2, 1, i)) for i in range(1, 14)}
    cells: Cells = {c: {(row,): binding(OID((*c, row)), 0) for row in range(1, 53)} for c in column.values()}
    cells[SCALARS[0]] = {(0,): binding(OID((*SCALARS[0], 0)), 0)}
    assert len(list(ask_for(cells))) <= 13


@pytest.mark.parametrize("count", [1, 3])
def test_small_tables_share_their_packets(count: int) -> None:
    """Ten tables of few rows and some scalars need no packet each."""
    cells: Cells = {}
    for table in range(10, 20):
        for number in (1, 2):
            name = OID((*ROOT, table, 1, number))
            cells[name] = {(row,): binding(OID((*name, row)), 0) for row in range(1, count + 1)}
    assert len(list(ask_for(cells))) <= 2
