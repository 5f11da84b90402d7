from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reporting import DEVICE, PROFILES

from collector.model import Outcome, State, Status
from collector.polling.report import Late, Report
from collector.polling.reporters import CARRY, Reporter, late_blocks, stamps, stand_together
from config import objects
from snmp import ber, message
from snmp.message import VarBind
from snmp.oid import OID

WALL = 1_800_000_000.0
INTERVAL = 600
REASON = {word: n for n, word in enumerate(objects.REPORT.objects[7].choices, 1)}
PROFILE = PROFILES["workstation"]
NAME = OID((1, 3, 6, 1, 2, 1, 1, 5, 0))
UPTIME = "haidang_device_uptime_seconds"
FREE = [VarBind(OID((1, 3, 6, 1, 2, 1, 25, 2, 2, 0)), ber.INTEGER, 8_000_000)]


def encoded(*rows: VarBind) -> bytes:
    return message.encode_varbinds(rows)


def named(text: bytes) -> bytes:
    return encoded(VarBind(NAME, ber.OCTET_STRING, text))


def report(sequence: int, base: int = 1, when: float = 0.0, body: bytes = b"", **changed: object) -> Report:
    fields: dict[str, object] = {
        "device": "pc-1", "engine": b"engine", "sequence": sequence, "base": base, "oldest": 1, "part": 1, "parts": 1,
        "time": WALL + when, "ahead": 0.0, "interval": INTERVAL, "reason": REASON["interval"], "uptime": 100 * sequence,
        "address": "192.0.2.1", "received": WALL + when, "late": False, "body": body or named(b"pc-%d" % sequence), "lineage": 1,
        **changed,
    }  # fmt: skip
    return Report(**fields)  # type: ignore[arg-type]


class Seat:
    """A reporter, and time that a test moves."""

    def __init__(self) -> None:
        self.reporter = Reporter(DEVICE, PROFILE)
        self.now = 0.0

    def take(self, *reports: Report) -> bool:
        newer = False
        for one in reports:
            self.now = max(self.now, one.received - WALL)
            newer = self.reporter.take(one, self.now)
        return newer

    def name(self) -> str:
        _, facts = self.reporter.render(self.now, WALL + self.now)
        return facts.name if facts is not None else ""

    def missed(self) -> list[int]:
        found = sorted({one.first for one in self.reporter.missed})
        self.reporter.missed.clear()
        return found


def test_a_later_report_is_the_full_one_and_what_changed() -> None:
    """Objects that a later report does not name are as the full one said; those that are gone, are gone."""
    seat = Seat()
    whole = encoded(VarBind(NAME, ber.OCTET_STRING, b"pc-1"), *FREE)
    assert seat.take(report(1, body=whole))
    block, facts = seat.reporter.render(0, WALL)
    assert block is not None and facts is not None and facts.name == "pc-1" and facts.uptime_seconds == 1
    assert seat.take(report(2, when=600, body=named(b"pc-1b")))
    again, facts = seat.reporter.render(600, WALL + 600)
    assert again is not None and facts is not None and facts.name == "pc-1b" and len(again.values) == len(block.values)
    assert seat.take(report(3, when=1200, body=encoded(VarBind(NAME, ber.NO_SUCH_INSTANCE, None))))
    assert seat.name() == ""


def test_facts_are_told_when_something_stands_otherwise() -> None:
    """Load, space, uptime and temperatures move with every report and are no news; a name, or a size, is."""
    load = OID((1, 3, 6, 1, 2, 1, 25, 3, 3, 1, 2, 1))

    def body(name: bytes, percent: int) -> bytes:
        return encoded(VarBind(NAME, ber.OCTET_STRING, name), *FREE, VarBind(load, ber.INTEGER, percent))

    seat = Seat()
    told = []
    for n, (name, percent) in enumerate([(b"a", 5), (b"a", 50), (b"b", 50), (b"b", 70)], 1):
        seat.take(report(n, base=n, when=600 * n, body=body(name, percent)))
        told.append(seat.reporter.render(seat.now, WALL + seat.now)[1] is not None)
    assert told == [True, False, True, False]


@given(st.permutations([1, 2, 3, 4, 5, 6]))
def test_parts_in_any_order_give_the_same(order: list[int]) -> None:
    """A full report in three parts and a later one in two, shuffled on their way: the newest complete one is shown, the rest is
    known as missed."""
    rows = [VarBind(OID((1, 3, 6, 1, 2, 1, 25, 2, 2, 0)), ber.INTEGER, 5)]
    parts = {
        1: report(1, body=named(b"old"), parts=3), 2: report(2, part=2, parts=3, body=encoded(*rows)),
        3: report(3, part=3, parts=3, body=encoded(VarBind(OID((1, 3, 6, 1, 2, 1, 1, 6, 0)), ber.OCTET_STRING, b"x"))),
        4: report(4, when=1, parts=2, body=named(b"new")), 5: report(5, when=1, part=2, parts=2, body=encoded(*FREE)),
        6: report(6, when=2, body=named(b"newest")),
    }  # fmt: skip
    seat = Seat()
    seat.take(*(parts[n] for n in order))
    assert seat.name() == "newest"
    assert {4} <= set(seat.missed()) <= {1, 4}


def test_what_a_page_showed_only_briefly_counts_as_missed() -> None:
    """A report that was replaced before every Prometheus can have read it is written elsewhere like a late one; others not."""
    seat = Seat()
    seat.take(report(1), report(2, when=600), report(3, when=630))
    assert seat.missed() == [2]
    seat.take(report(5, when=1230), report(4, when=1200, received=WALL + 1231))
    assert seat.missed() == [4]


def test_a_farewell_needs_nothing_but_itself() -> None:
    """Off for the reason that was given, whatever is missing of the reports before."""
    for reason, words in (("shutdown", "shut down"), ("outage", "mains power"), ("stopped", "agent was stopped")):
        seat = Seat()
        assert seat.take(report(9, reason=REASON[reason], interval=0))
        assert seat.reporter.render(0, WALL) == (None, None)
        assert seat.reporter.status.state is State.OFF and words in seat.reporter.status.message
        assert not seat.reporter.fell_silent(10**6, WALL + 10**6)


def test_two_intervals_without_a_word_are_silence() -> None:
    """Not one, for a report may be delayed; and silence is told once, with since when."""
    seat = Seat()
    seat.take(report(1))
    seat.name()
    assert not seat.reporter.fell_silent(1199, WALL + 1199)
    assert seat.reporter.fell_silent(1201, WALL + 1201) and not seat.reporter.fell_silent(1300, WALL + 1300)
    status = seat.reporter.status
    assert (status.state, status.outcome, status.since, status.answered) == (State.SILENT, Outcome.TIMEOUT, WALL + 1201, WALL)


def test_who_is_refused_is_not_silent() -> None:
    """Somebody speaks as this machine with wrong keys: refused while that lasts, up as soon as a report is right."""
    seat = Seat()
    seat.reporter.refused("wrong authentication key", 5)
    assert seat.reporter.fell_silent(6, WALL + 6) and seat.reporter.status.state is State.REFUSED
    seat.take(report(1, when=10))
    seat.name()
    assert seat.reporter.status.state is State.UP
    seat.reporter.refused("wrong authentication key", 1000)
    assert not seat.reporter.fell_silent(1100, WALL + 1100)
    assert seat.reporter.fell_silent(1300, WALL + 1300) and seat.reporter.status.message == "wrong authentication key"


def test_a_wrong_clock_is_told() -> None:
    """Beside the state, in seconds and direction."""
    for ahead, words in ((86400.0, "86400 s ahead"), (-3600.0, "3600 s behind"), (5.0, "")):
        seat = Seat()
        seat.take(report(1, ahead=ahead))
        seat.name()
        assert words in seat.reporter.status.message and bool(words) == bool(seat.reporter.status.message)


def test_a_second_machine_with_the_same_user_is_told_and_changes_nothing() -> None:
    """The one that was there first stays as long as it reports, and people are warned; then the other one takes its place."""
    seat = Seat()
    seat.take(report(1, body=named(b"first")))
    assert seat.name() == "first"
    other = report(1, when=300, body=named(b"second"), engine=b"clone", lineage=2)
    assert not seat.take(other) and seat.reporter.settled[-1].lineage == 2
    assert seat.take(report(2, when=600, body=named(b"still first")))
    assert seat.name() == "still first" and "another machine reports as the same user: engine 636c6f6e65" in (
        seat.reporter.status.message
    )
    assert seat.take(report(2, when=2400, body=named(b"second now"), engine=b"clone", lineage=2))
    assert seat.name() == "second now"


def test_a_machine_that_was_set_up_anew_is_known_at_once() -> None:
    """After a farewell a new agent of the machine needs no patience."""
    seat = Seat()
    seat.take(report(1), report(2, when=60, reason=REASON["shutdown"], interval=0))
    assert seat.take(report(1, when=120, engine=b"new", lineage=2, body=named(b"fresh"))) and seat.name() == "fresh"
    assert seat.reporter.status.message == ""


def test_names_that_went_back_are_told() -> None:
    """The same engine begins to count anew: shown at once, with a warning for two intervals."""
    seat = Seat()
    seat.take(report(100, base=100))
    seat.name()
    assert seat.take(report(50, base=50, when=600, lineage=2))
    assert seat.name() == "pc-50" and "restored from an image" in seat.reporter.status.message
    seat.take(report(51, base=50, when=2400, lineage=2))
    assert seat.name() == "pc-51" and seat.reporter.status.message == ""


def test_values_are_said_again_before_they_count_as_old() -> None:
    """With an interval of ten minutes the page bears three times for each report; short intervals need none but the first."""
    seat = Seat()
    seat.take(report(1))
    block, _ = seat.reporter.render(0, WALL)
    assert block is not None and block.time == WALL
    told = [found.time - WALL for t in range(0, 1200, 10) if (found := seat.reporter.carried(WALL + t)) is not None]
    assert told == [CARRY, 2 * CARRY]
    seat.take(report(2, when=1200, interval=60))
    seat.name()
    assert seat.reporter.carried(WALL + 1500) is None


@given(st.floats(0, 1e9), st.integers(1, 86400), st.floats(0.001, 1e5))
def test_no_value_is_carried_into_the_next_report(time: float, interval: int, after: float) -> None:
    """Times begin with the report's, rise by steps that Prometheus bridges, and end before the next report can have been made."""
    found = list(itertools.islice(stamps(time, interval, time + after), 400))
    assert found[0] == time and all(one < time + min(after, 0.9 * interval) for one in found[1:])
    assert all(0 < later - one <= CARRY + 1e-3 for one, later in itertools.pairwise(found))


def test_of_two_reports_in_one_second_the_later_one_counts() -> None:
    """A storage keeps one value for a time, and refuses the other."""
    assert list(stamps(WALL, 600, WALL)) == []


def test_a_late_report_gives_what_its_page_would_have() -> None:
    """The same values at the same times; nothing for a farewell, nor for one that lacks a part."""
    whole = encoded(VarBind(NAME, ber.OCTET_STRING, b"pc-1"), *FREE)
    seat = Seat()
    seat.take(report(1, body=whole), report(2, when=600, body=named(b"x")))
    shown, _ = seat.reporter.render(600, WALL + 600)
    assert shown is not None
    late = Late(report(2, when=600), (whole,), (named(b"x"),), WALL + 1150)
    blocks = late_blocks(PROFILE, late)
    assert [block.time - WALL for block in blocks] == [600, 840, 1080]
    assert blocks[0].layout.series == shown.layout.series and list(blocks[0].values) == list(shown.values)
    assert late_blocks(PROFILE, late._replace(bodies=())) == []
    assert late_blocks(PROFILE, late._replace(head=late.head._replace(reason=REASON["shutdown"]))) == []


def test_one_that_is_flooded_with_lineages_keeps_few(caplog: pytest.LogCaptureFixture) -> None:
    """Two machines that share everything begin a lineage with every report: memory stays bounded, and the log too."""
    seat = Seat()
    for n in range(1, 100):
        seat.take(report(200 - n, base=200 - n, when=n, lineage=n))
        seat.name()
    assert len(seat.reporter._tracks) <= 3
    assert len([one for one in caplog.records if "went back" in one.message]) <= 2


def silenced() -> Seat:
    """A machine that reported once and was not heard since."""
    seat = Seat()
    seat.take(report(1))
    seat.name()
    seat.now += 3 * INTERVAL
    assert seat.reporter.fell_silent(seat.now, WALL + seat.now)
    return seat


def test_behind_a_dead_line_nothing_is_known_of_a_machine() -> None:
    """When nothing is heard of a whole unit, reporting or polled, its machines are unreachable, not silent themselves; one that
    is heard, whichever way, speaks for the line again, and one that said goodbye tells nothing."""
    one, other = silenced(), silenced()
    members = [one.reporter, other.reporter]
    assert stand_together(members, [Status(State.UP)], WALL) == []
    assert stand_together(members, [Status(State.OFF), Status(State.SILENT)], WALL) == members
    assert [member.status.state for member in members] == [State.UNREACHABLE] * 2
    one.take(report(2, when=one.now))
    one.name()
    assert stand_together(members, [Status(State.UNREACHABLE)], WALL) == [other.reporter]
    assert (one.reporter.status.state, other.reporter.status.state) == (State.UP, State.SILENT)
    assert stand_together([other.reporter], [Status(State.OFF)], WALL) == [], "alone it may be dead itself"
