"""Devices of any tables, and anything that may happen to them between two polls or in the middle of one."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from hypothesis import strategies as st
from rows import IF, IFX, UPTIME, Rows

from collector.polling.learn import columns, polled
from collector.polling.plan import Plan, arrange
from collector.polling.questions import Cells
from config.profiles import Profile, Profiles
from snmp import ber, message
from snmp.access import CommunityAccess
from snmp.message import Pdu, VarBind
from snmp.oid import OID, decode
from snmp.responder import Responder
from snmp.security import Clear
from snmp.tree import Tree

ROOT = OID.parse("1.3.6.1.4.1.32473")
_YAML = """
description: Devices of any tables
extends: [system, if]
objects:
  pairValue: 1.3.6.1.4.1.32473.50.1.3
  pairDecimals: {oid: 1.3.6.1.4.1.32473.50.1.4, hourly: false}
  deepTenths: 1.3.6.1.4.1.32473.51.1.2
  deepState: {oid: 1.3.6.1.4.1.32473.51.1.5, values: {ok: 1, missing: 2}, hourly: false}
  loneLoad: 1.3.6.1.4.1.32473.52.1.2
  twinLoad: 1.3.6.1.4.1.32473.53.1.2
  volumeSize: {oid: 1.3.6.1.4.1.32473.54.1.2, hourly: false}
  volumeUsed: 1.3.6.1.4.1.32473.54.1.3
  volumeFree: 1.3.6.1.4.1.32473.54.1.7
  soloTenths: 1.3.6.1.4.1.32473.55.1.0
sensors:
  - {class: temperature, name: "deep {index}", value: deepTenths, unit: 0.1 C, absent: -999, unless: {deepState: missing}}
  - {class: temperature, name: solo, value: soloTenths, unit: 0.1 C}
  - {class: voltage, name: "pair {index[0]} {index[1]}", value: pairValue, scale: 10 ** (0 - pairDecimals)}
processors:
  - {name: "lone {index}", load: loneLoad}
  - {name: "twin {index}", load: twinLoad}
storage:
  - {name: "volume {index}", size: volumeSize, used: volumeUsed}
  - {name: "room {index}", size: volumeSize, free: volumeFree}
"""


def _load() -> Profiles:
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, "wild.yaml").write_text(_YAML)
        return Profiles.load([Path(directory)])


PROFILES = _load()
WILD = PROFILES["wild"]
POLLED = sorted(polled(WILD))
"""What every poll asks of such a device, should it be there."""
SYSTEM: Rows = {
    OID.parse("1.3.6.1.2.1.1.1.0"): (ber.OCTET_STRING, b"anything"),
    OID.parse("1.3.6.1.2.1.1.2.0"): (ber.OBJECT_IDENTIFIER, ROOT + (9,)),
    OID.parse("1.3.6.1.2.1.1.5.0"): (ber.OCTET_STRING, b"wild"),
}

_ARC = st.sampled_from([0, 1, 2, 3, 7, 127, 128, 40000])
_INDEXES: dict[OID, st.SearchStrategy[tuple[int, ...]]] = {
    IF: st.integers(1, 12).map(lambda i: (i,)),
    ROOT + (50, 1): st.tuples(_ARC, _ARC),
    ROOT + (51, 1): st.lists(_ARC, min_size=1, max_size=4).map(tuple),
    ROOT + (52, 1): st.integers(0, 3).map(lambda i: (i,)),
    ROOT + (53, 1): st.integers(0, 3).map(lambda i: (i,)),
    ROOT + (54, 1): st.tuples(st.integers(0, 5)),
}
_COLUMNS: dict[OID, list[OID]] = {
    IF: [*(IF + (i,) for i in (2, 3, 5, 7, 8, 10, 13, 14, 16, 19, 20)), *(IFX + (i,) for i in (1, 6, 10, 15))],
    ROOT + (50, 1): [ROOT + (50, 1, i) for i in (3, 4, 9)],
    ROOT + (51, 1): [ROOT + (51, 1, i) for i in (2, 5)],
    ROOT + (52, 1): [ROOT + (52, 1, 2)],
    ROOT + (53, 1): [ROOT + (53, 1, 2)],
    ROOT + (54, 1): [ROOT + (54, 1, i) for i in (2, 3, 7)],
}
"""Some of them are never asked: they are what lies behind the last row."""
_TYPES = {
    IFX + (6,): ber.COUNTER64, IFX + (10,): ber.COUNTER64, IF + (2,): ber.OCTET_STRING, IFX + (1,): ber.OCTET_STRING,
    IF + (10,): ber.COUNTER32, IF + (16,): ber.COUNTER32,
}  # fmt: skip
_SMALL = {IF + (8,): (1, 2, 7), IF + (7,): (1, 2), ROOT + (50, 1, 4): (0, 1, 2), ROOT + (51, 1, 5): (1, 2)}
_NUMBERS = st.one_of(st.integers(0, 300), st.integers(0, 2**31 - 1), st.sampled_from([127, 128, 255, 256, 65535, 2**31 - 1]))


@st.composite
def _value(draw: st.DrawFn, name: OID) -> tuple[int, ber.Value]:
    column = next((c for some in _COLUMNS.values() for c in some if c.covers(name)), name)
    tag = _TYPES.get(column, ber.INTEGER)
    if tag == ber.OCTET_STRING:
        return tag, b"port %d" % name[-1]
    if column in _SMALL:
        return tag, draw(st.sampled_from(_SMALL[column]))
    if tag == ber.COUNTER64:
        return tag, draw(st.one_of(_NUMBERS, st.sampled_from([2**32, 2**53 + 1, 2**63, 2**64 - 1])))
    return tag, draw(st.one_of(_NUMBERS, st.integers(-1000, -1))) if tag == ber.INTEGER else draw(_NUMBERS)


@st.composite
def devices(draw: st.DrawFn) -> Rows:
    """Tables with one index, two, or any number of arcs, whole and with holes, their columns ending at different rows."""
    rows = dict(SYSTEM)
    rows[UPTIME] = (ber.TIME_TICKS, draw(st.integers(1, 2**31)))
    if draw(st.booleans()):
        rows[ROOT + (55, 1, 0)] = draw(_value(ROOT + (55, 1, 0)))
    for entry, indexes in _INDEXES.items():
        if not draw(st.booleans()):
            continue
        own = draw(st.lists(indexes, min_size=1, max_size=5, unique=True))
        whole = draw(st.booleans())
        for column in _COLUMNS[entry]:
            for index in own:
                if whole or draw(st.integers(0, 9)):
                    rows[column + index] = draw(_value(column + index))
    return rows


ODD: Sequence[tuple[int, ber.Value]] = [
    (ber.NULL, None), (ber.OCTET_STRING, b""), (ber.OCTET_STRING, b"12,5 C"), (ber.OCTET_STRING, b"abc"), (ber.INTEGER, -1),
    (ber.GAUGE32, 2**32 - 1), (ber.COUNTER64, 7), (ber.TIME_TICKS, 9), (ber.IP_ADDRESS, b"\1\2\3\4"),
    (ber.OBJECT_IDENTIFIER, OID((1, 3))), (ber.OPAQUE, b"\x9f\x78\x04\x41\x20\0\0"),
]  # fmt: skip


@st.composite
def later(draw: st.DrawFn, before: Rows) -> Rows:
    """The same device some time on: numbers move, and up to three other things happen to what is polled.

    A column that had no row at all when the device was learnt stays so: that is found when it is learnt again.
    """
    after = dict(before)
    asked = sorted(name for name in before if name != UPTIME and any(column.covers(name) for column in POLLED))
    for name in draw(st.lists(st.sampled_from(asked), max_size=12)) if asked else ():
        after[name] = draw(_value(name))
    for _ in range(draw(st.integers(0, 3))):
        _HAPPENINGS[draw(st.sampled_from(sorted(_HAPPENINGS)))](draw, before, after)
    ticks = before[UPTIME][1]
    assert isinstance(ticks, int)
    after[UPTIME] = (ber.TIME_TICKS, draw(st.integers(ticks, ticks + 10_000)))
    return after


def _polled(rows: Rows) -> list[OID]:
    return sorted(name for name in rows if name != UPTIME and any(column.covers(name) for column in POLLED))


def _row(draw: st.DrawFn, before: Rows, after: Rows) -> None:
    """A row appears anywhere, in all columns of its table or in some."""
    entry = draw(st.sampled_from(sorted(_INDEXES)))
    index = draw(_INDEXES[entry])
    some = draw(st.booleans())
    for column in _COLUMNS[entry]:
        if column in POLLED and any(column.covers(name) for name in before) and not (some and draw(st.booleans())):
            after[column + index] = draw(_value(column + index))


def _no_row(draw: st.DrawFn, before: Rows, after: Rows) -> None:
    """A row vanishes, in all columns of its table or in some."""
    if names := _polled(after):
        name = draw(st.sampled_from(names))
        some = draw(st.booleans())
        for every in _COLUMNS.values():
            index = next((name[len(column) :] for column in every if column.covers(name)), None)
            for column in every if index is not None else ():
                if column in POLLED and not (some and draw(st.booleans())):
                    after.pop(column + tuple(index or ()), None)
        after.pop(name, None)


def _odd(draw: st.DrawFn, before: Rows, after: Rows) -> None:
    """A cell has another type."""
    if names := _polled(after):
        after[draw(st.sampled_from(names))] = draw(st.sampled_from(ODD))


def _column(draw: st.DrawFn, before: Rows, after: Rows) -> None:
    """A column vanishes."""
    column = draw(st.sampled_from(POLLED))
    for name in [name for name in after if column.covers(name) and name != UPTIME]:
        del after[name]


def _view(draw: st.DrawFn, before: Rows, after: Rows) -> None:
    """The manager's view ends sooner: what lies behind some name is gone, polled or not."""
    names = sorted(after)
    end = draw(st.sampled_from(names))
    for name in names:
        if name > end and name != UPTIME and len(name) > len(UPTIME):
            del after[name]


_HAPPENINGS: dict[str, Callable[[st.DrawFn, Rows, Rows], None]] = {
    happening.__name__: happening for happening in (_row, _no_row, _odd, _column, _view)
}


def seen(rows: Rows, version: int) -> Rows:
    """What a manager of this version sees: v1 knows no 64-bit counters (RFC 2576 section 4.1.2.1)."""
    return {name: pair for name, pair in rows.items() if version != message.V1 or pair[0] != ber.COUNTER64}


def cells(rows: Rows, profile: Profile = WILD) -> Cells:
    """What a walk finds."""
    return arrange((VarBind(name, *pair) for name, pair in sorted(rows.items())), columns(profile))


class Refused(Exception):
    """The agent answered with v1's noSuchName to a question for several objects."""


def answers(plan: Plan, states: Sequence[Rows], version: int) -> list[bytes]:
    """The answers to a plan's questions, each from the next of the device's states; raises Refused."""
    clear = Clear(b"public", version)
    agents: dict[int, Responder] = {}
    found = []
    for number, (request, rows) in enumerate(zip(plan.requests, states, strict=True), 0x01000000):
        if id(rows) not in agents:
            tree = Tree.of((name, *pair) for name, pair in sorted(rows.items()))
            agents[id(rows)] = Responder(tree, [CommunityAccess(b"public")], max_size=60000)
        data = agents[id(rows)].answer(clear.wrap(request, number, 0.0), "127.0.0.1")
        assert data is not None
        pdu = clear.unwrap(data, number, 0.0)
        assert isinstance(pdu, Pdu)
        if pdu.error_status:
            assert (version, pdu.error_status) == (message.V1, message.NO_SUCH_NAME)
            if len(plan.questions[number - 0x01000000].names) > 1:
                raise Refused
        found.append(b"" if pdu.error_status else pdu.body)
    return found


def mixed(plan: Plan, learnt: Rows, states: Sequence[Rows]) -> Rows:
    """What a device shows that is asked the plan's questions one after the other while it changes: each cell as it was when it
    was asked for, and what is not polled as it was learnt."""
    asked: Rows = {}
    for question, rows in zip(plan.questions, states, strict=True):
        for i, name in enumerate(question.names):
            if i not in question.sentinels:
                oid = decode(name)
                if oid in rows:
                    asked[oid] = rows[oid]
    named = {decode(name) for question in plan.questions for i, name in enumerate(question.names) if i not in question.sentinels}
    return {**{name: pair for name, pair in learnt.items() if name not in named}, **asked}
