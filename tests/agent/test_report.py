from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.report import CHANGE, INTERVAL, ROOM, THRESHOLD, UNKNOWN_AGE, Memory, Part, bodies, notification
from agent.tree import HOST, IF_ENTRY, IFX_ENTRY, MIB2, SENSOR_ENTRY, at
from config import objects
from snmp import ber, message
from snmp.message import VarBind
from snmp.oid import OID

NAME = VarBind(at(MIB2, 1, 5, 0), ber.OCTET_STRING, b"ketoan-01")
OCTETS = VarBind(at(IFX_ENTRY, 6, 2), ber.COUNTER64, 1000)
FIXED = at(HOST, 2, 1, 4)
RAM = at(HOST, 2, 1, 2)


def volume(n: int, used: int, size: int = 1000, kind: OID = FIXED) -> list[VarBind]:
    return [
        VarBind(at(HOST, 2, 3, 1, 2, n), ber.OBJECT_IDENTIFIER, kind),
        VarBind(at(HOST, 2, 3, 1, 5, n), ber.INTEGER, size),
        VarBind(at(HOST, 2, 3, 1, 6, n), ber.INTEGER, used),
    ]


def degrees(tenths: int) -> VarBind:
    return VarBind(at(SENSOR_ENTRY, 4, 10_000), ber.INTEGER, tenths)


def health(word: str) -> VarBind:
    disk = next(group for group in objects.GROUPS if group.name == "hdDisk")
    item = next(item for item in disk.objects if item.fact == "health")
    return VarBind(at(disk.oid(item), 1), ber.INTEGER, item.choices.index(word) + 1)


def said(encoded: list[bytes] | None) -> dict[OID, ber.Value]:
    assert encoded is not None
    return {row.oid: row.value for row in message.decode_varbinds(b"".join(encoded))}


def test_only_what_differs_from_the_full_report_is_said() -> None:
    """A later report holds the objects with other values than the full one, and those that are gone as noSuchInstance."""
    memory = Memory()
    assert said(memory.full([NAME, OCTETS])) == {NAME.oid: b"ketoan-01", OCTETS.oid: 1000}
    moved = OCTETS._replace(value=2000)
    assert said(memory.changed([NAME, moved])) == {OCTETS.oid: 2000}
    assert said(memory.changed([NAME, moved])) == {OCTETS.oid: 2000}, "until the next full report, which others may have missed"
    gone = message.decode_varbinds(b"".join(memory.changed([NAME]) or []))
    assert [(row.oid, row.tag) for row in gone] == [(OCTETS.oid, ber.NO_SUCH_INSTANCE)]


def test_what_is_left_out() -> None:
    """SNMP's own counters, the date, short twins of long counters and sysUpTime cost no octet of a weak line."""
    short = VarBind(at(IF_ENTRY, 10, 2), ber.COUNTER32, 5)
    uptime = VarBind(at(MIB2, 1, 3, 0), ber.TIME_TICKS, 5)
    own = VarBind(at(MIB2, 11, 1, 0), ber.COUNTER32, 5)
    date = VarBind(at(HOST, 1, 2, 0), ber.OCTET_STRING, b"\x07\xea\x01\x01\x00\x00\x00\x00")
    assert said(Memory().full([NAME, short, uptime, own, date])) == {NAME.oid: b"ketoan-01"}


def test_much_that_is_new_asks_for_a_full_report() -> None:
    """After the first inventory the next report is a full one, or every later one would be long."""
    memory = Memory()
    memory.full([NAME])
    serials = [VarBind(at(OID((1, 3, 6, 1, 4, 1, 32473, 9)), n), ber.OCTET_STRING, b"x" * 30) for n in range(20)]
    assert memory.changed([NAME, *serials]) is None


def test_counters_load_and_temperatures_are_no_news() -> None:
    """What moves all the time causes no report of its own; a link that goes down, or a name that changes, does."""
    memory = Memory()
    load = VarBind(at(HOST, 3, 3, 1, 2, 1), ber.INTEGER, 5)
    link = VarBind(at(IF_ENTRY, 8, 2), ber.INTEGER, 1)
    memory.full([NAME, OCTETS, load, link, degrees(400), *volume(31, 100)])
    restless = [NAME, OCTETS._replace(value=9), load._replace(value=99), link, degrees(700), *volume(31, 500)]
    assert memory.noteworthy(restless) == 0
    assert memory.noteworthy([NAME, OCTETS, load, link._replace(value=2), degrees(400), *volume(31, 100)]) == CHANGE


@pytest.mark.parametrize(
    ("before", "after", "again", "back"),
    [
        (volume(31, 890), volume(31, 901), volume(31, 885), volume(31, 870)),
        ([degrees(900)], [degrees(951)], [degrees(901)], [degrees(899)]),
    ],
    ids=["volume", "heat"],
)
def test_a_limit_that_is_crossed_is_told_once_and_once_when_it_is_over(
    before: list[VarBind], after: list[VarBind], again: list[VarBind], back: list[VarBind]
) -> None:
    """A volume 90 % full and a sensor at 95 degrees cause a report, hovering below does not, and coming back by a margin does."""
    memory = Memory()
    memory.full(before)
    assert memory.noteworthy(after) == THRESHOLD
    memory.changed(after)
    assert memory.noteworthy(after) == memory.noteworthy(again) == 0
    assert memory.noteworthy(back) == THRESHOLD


def test_a_disk_that_is_about_to_fail_is_told_at_once() -> None:
    """SMART's verdict failing is a threshold; memory that is full is not, for that is what memory is for."""
    memory = Memory()
    memory.full([health("warning"), *volume(1, 500, kind=RAM)])
    assert memory.noteworthy([health("failing"), *volume(1, 500, kind=RAM)]) == THRESHOLD
    assert memory.noteworthy([health("warning"), *volume(1, 990, kind=RAM)]) == 0


@given(st.lists(st.binary(min_size=1, max_size=3000), max_size=40))
def test_parts_hold_everything_in_order_and_fit_a_datagram(encoded: list[bytes]) -> None:
    """Parts joined are the report, none has more than ROOM octets unless one object alone has; an empty report is one part."""
    parts = bodies(encoded)
    assert b"".join(parts) == b"".join(encoded) and parts
    assert all(len(part) <= max(ROOM, *map(len, encoded), 0) for part in parts)


@given(
    st.tuples(
        st.integers(0, 2**64 - 1), st.integers(0, 2**16 - 1), st.integers(0, 2**16 - 1), *[st.integers(0, 2**32 - 1)] * 3,
        st.integers(0, 255), *[st.integers(0, 2**32 - 1)] * 2, st.binary(max_size=50),
    )
)  # fmt: skip
def test_a_part_is_the_same_after_the_spool(fields: tuple[int, int, int, int, int, int, int, int, int, bytes]) -> None:
    """Packed and unpacked nothing is lost; fewer octets than its head are an error, no half part."""
    part = Part(*fields)
    assert Part.unpack(part.pack()) == part
    with pytest.raises(struct.error):
        Part.unpack(part.pack()[:20])


def part(time: int = 1_000_000, boot: int = 7, clock: int = 500) -> Part:
    return Part(1, 1, 1, time, 0, 600, INTERVAL, boot, clock, b"")


def test_the_age_needs_no_right_clock() -> None:
    """Since the same start of the machine the steady clock tells; after another one the calendar, unless it went back."""
    assert part().age(boot=7, clock=560.2, wall=5_000_000.0) == 60
    assert part().age(boot=8, clock=20.0, wall=1_000_090.0) == 90
    assert part().age(boot=8, clock=20.0, wall=900_000.0) == UNKNOWN_AGE


def test_the_notification_says_what_the_table_has() -> None:
    """hdReport's objects stand in front, in the table's order, the changed ones behind."""
    told = notification(part()._replace(body=message.encode_varbind(*NAME)), 5, 3, objects.ENTERPRISE, 60)
    assert told.trap == objects.notification()
    values = {item.fact: row.value for item, row in zip(objects.REPORT.objects, told.varbinds, strict=False)}
    assert (values["sequence"], values["oldest"], values["age"], values["reason"]) == (5, 3, 60, INTERVAL)
    assert message.decode_varbinds(told.rest) == [NAME]
