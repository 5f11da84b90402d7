from __future__ import annotations

import random
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.errors import ReceiveError
from collector.polling import journal as keeping
from collector.polling.journal import Journal
from collector.polling.report import Report, is_report, notice, read
from config import objects
from snmp import ber, message
from snmp.errors import DecodeError
from snmp.message import VarBind
from snmp.notify import Notification
from snmp.oid import OID

NOW = 1_800_000_000.0
INTERVAL = 600
LINK_DOWN = OID((1, 3, 6, 1, 6, 3, 1, 1, 5, 3))
SYNTAX = {objects.SERIAL: ber.COUNTER64, objects.NUMBER: ber.GAUGE32, objects.TIME: ber.GAUGE32, objects.CHOICE: ber.INTEGER}
REASON = {word: n for n, word in enumerate(objects.REPORT.objects[7].choices, 1)}


def told(**changed: int) -> Notification:
    said = {"sequence": 10, "base": 9, "oldest": 8, "part": 1, "parts": 1, "time": int(NOW), "interval": INTERVAL,
            "reason": REASON["interval"], "age": 0, **changed}  # fmt: skip
    head = [
        VarBind(OID((*objects.REPORT.oid(item), 0)), SYNTAX[item.syntax], said[item.fact]) for item in objects.REPORT.objects
    ]
    body = VarBind(OID((1, 3, 6, 1, 2, 1, 1, 5, 0)), ber.OCTET_STRING, b"pc-1")
    return Notification(objects.notification(), 4711, (*head, body), "192.0.2.1", engine_id=b"engine")


def report(sequence: int, base: int = 1, when: float = 0.0, **changed: object) -> Report:
    """A part made `when` seconds after NOW; full when it names itself as base."""
    fields: dict[str, object] = {
        "device": "pc-1", "engine": b"engine", "sequence": sequence, "base": base, "oldest": sequence, "part": 1, "parts": 1,
        "time": NOW + when, "ahead": 0.0, "interval": INTERVAL, "reason": REASON["interval"], "uptime": 0,
        "address": "192.0.2.1", "received": NOW + when, "late": False, "body": b"%d" % sequence, **changed,
    }  # fmt: skip
    return Report(**fields)  # type: ignore[arg-type]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "reports.db"


def kept(path: Path) -> list[tuple[int, int]]:
    """(sequence, late) of all that is in the file."""
    with sqlite3.connect(path) as db:
        return db.execute("SELECT sequence, late FROM report ORDER BY agent, sequence").fetchall()


def keep(journal: Journal, *reports: Report) -> list[Report]:
    """Commit, each for itself, and give them with their lineage."""
    return [one._replace(lineage=journal.commit([one])[0]) for one in reports]


def test_a_report_is_read() -> None:
    """What hdReport says becomes a report, the rest its body."""
    found = read(told(), "pc-1", NOW + 1)
    assert (found.device, found.engine, found.sequence, found.base, found.oldest) == ("pc-1", b"engine", 10, 9, 8)
    assert (found.time, found.interval, found.uptime, found.address, found.late) == (NOW, 600, 4711, "192.0.2.1", False)
    assert message.decode_varbinds(found.body)[0].value == b"pc-1" and not found.full and found.first == found.last == 10


@pytest.mark.parametrize("off", [-86400, -11, 11, 86400])
def test_a_clock_that_is_wrong_is_noticed_and_put_right(off: int) -> None:
    """A report's time is by our clock where the agent's is wrong, and by how much is kept."""
    found = read(told(time=int(NOW) + off, age=100), "pc-1", NOW + 100)
    assert found.time == NOW and found.ahead == off and not found.late


def test_a_small_difference_is_none() -> None:
    """A clock right within seconds is believed: reports keep the times the agent gave them, never later than they came."""
    assert read(told(time=int(NOW) - 7, age=0), "pc-1", NOW).time == NOW - 7
    assert read(told(time=int(NOW) + 7, age=0), "pc-1", NOW).time == NOW


def test_late_is_what_is_older_than_two_intervals() -> None:
    """By its age, not by what clocks say; a report of unknown age is late."""
    assert not read(told(time=5, age=1200), "pc-1", NOW).late and read(told(time=5, age=1201), "pc-1", NOW).late
    unknown = read(told(time=int(NOW) - 900, age=2**32 - 1), "pc-1", NOW)
    assert unknown.late and unknown.time == NOW - 900


@pytest.mark.parametrize(
    "changed",
    [{"sequence": 0}, {"sequence": 2**63}, {"base": 11}, {"base": 0}, {"part": 2}, {"part": 0}, {"parts": 1001, "part": 1},
     {"interval": 86401}, {"reason": 9}, {"reason": 0}, {"oldest": 0}, {"part": 12, "parts": 12}],
    ids=str,
)  # fmt: skip
def test_numbers_that_cannot_be_are_refused(changed: dict[str, int]) -> None:
    """An authentic agent may be wrong too: impossible names, parts and reasons are no report."""
    with pytest.raises(DecodeError):
        read(told(**changed), "pc-1", NOW)


def test_another_notification_is_no_report() -> None:
    """A linkDown, and a report without its objects, are told apart from a report."""
    whole = told()
    assert is_report(whole) and not is_report(whole._replace(trap=LINK_DOWN))
    for other in (
        Notification(LINK_DOWN, 0, whole.varbinds),
        Notification(whole.trap, 0, whole.varbinds[1:]),
        Notification(whole.trap, 0, (VarBind(whole.varbinds[0].oid, ber.OCTET_STRING, b"1"), *whole.varbinds[1:])),
    ):
        with pytest.raises(DecodeError, match="no report of HAIDANG-MIB"):
            read(other, "pc-1", NOW)


def test_each_is_kept_once(path: Path) -> None:
    """A report that comes again is known, also after a restart, also when a page has replaced it long ago."""
    journal = Journal(path)
    assert journal.commit([report(1, oldest=1), report(2, oldest=1), report(2, oldest=1)]) == [1, 1, 0]
    three, _ = keep(journal, report(3), report(4))
    journal.commit([], [three])
    assert [sequence for sequence, _ in kept(path)] == [1, 3, 4]
    journal.close()
    again = Journal(path)
    assert again.commit([report(1), report(2), report(4), report(5, oldest=5)]) == [0, 0, 0, 1]
    assert again.commit([report(2, device="pc-2"), report(2, engine=b"other")]) == [2, 3]


def test_a_commit_that_fails_keeps_nothing_and_says_why(path: Path) -> None:
    """A full disk: no report counts, the error says it, and when there is room all of them are new."""
    journal = Journal(path)
    keep(journal, report(1))
    pages = journal._db.execute("PRAGMA page_count").fetchone()[0]
    journal._db.execute(f"PRAGMA max_page_count = {pages}")
    batch = [report(n, body=bytes(4000)) for n in range(2, 30)] + [report(1, device="pc-2")]
    with pytest.raises(ReceiveError, match="full"):
        journal.commit(batch)
    assert [sequence for sequence, _ in kept(path)] == [1]
    journal._db.execute("PRAGMA max_page_count = 100000")
    assert all(journal.commit(batch)) and len(kept(path)) == 30


def test_notices_are_kept_once_and_not_for_ever(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A notification of another kind is kept as it came, a repeated one once, a failed commit's not at all, and the oldest go."""
    monkeypatch.setattr(keeping, "_MOST_NOTICES", 20_000)
    monkeypatch.setattr(keeping, "_NOTED", 10)
    journal = Journal(path)
    what = notice(told()._replace(trap=LINK_DOWN, request_id=7), "pc-1", NOW)
    assert journal.commit([what, what, report(1)]) == [1, 0, 1]
    assert keeping.notices(path) == [what]
    pages = journal._db.execute("PRAGMA page_count").fetchone()[0]
    journal._db.execute(f"PRAGMA max_page_count = {pages}")
    larger = [what._replace(request=n, body=bytes(4000)) for n in range(100, 103)]
    with pytest.raises(ReceiveError, match="full"):
        journal.commit(larger)
    journal._db.execute("PRAGMA max_page_count = 100000")
    assert journal.commit(larger) == [1, 1, 1]
    for n in range(200, 300):
        journal.commit([what._replace(request=n)])
    found = keeping.notices(path)
    assert 20 < len(found) < 70 and found[-1].request == 299 and {one.trap for one in found} == {LINK_DOWN}


def test_an_agent_gone_wild_fills_no_disk(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Of a device that sends more than it may the oldest is given up, whatever names and engines it invents, and the log says so;
    what others sent stays, and so it is after a restart."""
    monkeypatch.setattr(keeping, "_MOST", 200_000)
    journal = Journal(path)
    journal.keep_late = True
    journal.commit([report(n, device="pc-2", late=True, oldest=1, body=bytes(100)) for n in range(1, 20)])
    for start in range(1, 1001, 50):
        some = range(start, start + 50)
        journal.commit([report(n, engine=b"engine%d" % (n // 300), late=n % 2 > 0, oldest=1, body=bytes(700)) for n in some])
        if start == 501:
            journal.close()
            journal = Journal(path)
            journal.keep_late = True
    with sqlite3.connect(path) as db:
        count = "SELECT count(*), max(sequence) FROM report JOIN agent ON agent.id = agent WHERE device = ?"
        number, newest = db.execute(count, ("pc-1",)).fetchone()
        assert 100 < number <= 250 and newest == 1000
        assert db.execute(count, ("pc-2",)).fetchone() == (19, 19)
        assert db.execute("SELECT count(*) FROM agent WHERE device = 'pc-1'").fetchone()[0] <= 2
    lines = [record.getMessage() for record in caplog.records]
    assert 3 < len(lines) < 20 and all("reports given up device=pc-1" in line for line in lines)
    assert journal.commit([report(1001, engine=b"engine3", oldest=1)]) != [0]


def test_a_file_that_cannot_be_used_is_named(path: Path) -> None:
    """A damaged file, and one of another release, are refused with their name."""
    path.write_bytes(b"no database, but long enough to be taken for one" * 40)
    with pytest.raises(ReceiveError, match=r"reports\.db"):
        Journal(path)
    path.unlink()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(ReceiveError, match="version 99, expected 1"):
        Journal(path)


def test_what_is_replaced_goes_but_the_full_report_that_is_needed_stays(path: Path) -> None:
    """A journal holds the present and what it differs from, not a year of reports."""
    journal = Journal(path)
    for n in range(1, 400):
        base = (n - 1) // 100 * 100 + 1
        (shown,) = keep(journal, report(n, base=base, when=n))
        journal.commit([], [shown])
    assert [sequence for sequence, _ in kept(path)] == [301, 399]
    assert [one.sequence for one in journal.present({"pc-1"})] == [301, 301, 399]


def test_the_full_report_that_waiting_ones_differ_from_stays(path: Path) -> None:
    """The agent still holds parts of yesterday: what they differ from, acknowledged then, is there when they come."""
    journal = Journal(path)
    journal.keep_late = True
    keep(journal, report(1, when=0))
    shown = keep(journal, report(50, base=50, when=90_000, oldest=2), report(51, base=50, when=90_001, oldest=2))
    journal.commit([], shown)
    assert 1 in [sequence for sequence, _ in kept(path)]
    keep(journal, report(2, when=600, received=NOW + 90_002, late=True, oldest=2))
    journal.commit([], shown)
    keep(journal, report(52, base=50, when=90_600))
    ((late,), _) = journal.late(0, 10, NOW + 90_600)
    assert late.head.sequence == 2 and late.base == (b"1",) and late.bodies == (b"2",) and late.until == NOW + 90_000


def test_late_ones_stay_until_they_are_written(path: Path) -> None:
    """In the order they came, each until it is safe elsewhere; then it goes with the next that replaces it."""
    journal = Journal(path)
    journal.keep_late = True
    keep(journal, report(1))
    (present,) = keep(journal, report(10, when=6000, oldest=2))
    past = [report(n, when=600 * n, received=NOW + 6001, late=True) for n in range(2, 6)]
    keep(journal, *past)
    keep(journal, report(11, when=6600))
    first, after = journal.late(0, 3, NOW + 6600)
    assert [late.head.sequence for late in first] == [2, 3, 4] and after
    rest, end = journal.late(after, 3, NOW + 6600)
    assert [late.head.sequence for late in rest] == [5] and end == 0
    assert [late.until for late in first] == [NOW + 1800, NOW + 2400, NOW + 3000]
    journal.commit([], [present])
    assert len(kept(path)) == 7
    journal.written([late.head for late in first])
    journal.close()
    journal = Journal(path)
    journal.keep_late = True
    assert [late.head.sequence for late in journal.late(0, 10, NOW + 6600)[0]] == [5]
    journal.written([late.head for late in rest])
    journal.commit([], [present])
    assert [sequence for sequence, _ in kept(path)] == [1, 10, 11]


def test_a_late_report_waits_for_its_successor(path: Path) -> None:
    """Until when its values held is known once everything older than it is here, or when nothing comes any more."""
    journal = Journal(path)
    journal.keep_late = True
    keep(journal, report(1), report(9, when=5400, oldest=2))
    keep(journal, report(3, when=1800, received=NOW + 5401, late=True, oldest=2))
    assert journal.late(0, 10, NOW + 5402)[0] == []
    keep(journal, report(2, when=1200, received=NOW + 5402, late=True, oldest=2), report(10, when=6000, oldest=10))
    found, _ = journal.late(0, 10, NOW + 6000)
    assert [(late.head.sequence, late.until) for late in found] == [(3, NOW + 5400), (2, NOW + 1800)]


def test_parts_that_will_never_come_do_not_hold_up_others(path: Path) -> None:
    """A late report whose agent gave up a part of it, or what it differs from, is handed out empty, to be ticked off."""
    journal = Journal(path)
    journal.keep_late = True
    keep(journal, report(3, base=3, parts=2, late=True), report(20, base=19, late=True), report(40, base=40, oldest=40))
    found, _ = journal.late(0, 10, NOW + 1)
    assert [(late.head.sequence, late.bodies) for late in found] == [(3, ()), (20, ())]


def test_what_no_page_showed_is_late(path: Path) -> None:
    """Reports that were in time but were replaced before anybody could read their page are kept like late ones."""
    journal = Journal(path)
    journal.keep_late = True
    parts = keep(journal, report(1), report(2, parts=2), report(3, part=2, parts=2), report(4, oldest=4))
    journal.commit([], [parts[3]], [parts[2]])
    assert kept(path) == [(1, 0), (2, 1), (3, 1), (4, 0)]


def test_nothing_late_is_kept_for_nobody(path: Path) -> None:
    """Where nobody writes late reports elsewhere they do not pile up."""
    journal = Journal(path)
    (shown,) = keep(journal, report(10, base=10, oldest=2))
    keep(journal, report(2, base=2, late=True, oldest=2), report(11, base=10))
    assert kept(path) == [(2, 0), (10, 0), (11, 0)]
    journal.commit([], [shown], [shown])
    assert kept(path) == [(10, 0), (11, 0)]


def test_names_that_go_back_begin_anew_and_lose_nothing(path: Path) -> None:
    """A machine restored from an image, or a second one with the same identity: its reports are new, not known ones."""
    journal = Journal(path)
    first = journal.commit([report(n, oldest=n) for n in range(100, 110)])
    assert set(first) == {1}
    restored = [report(n, base=50, when=7200 + n) for n in range(50, 53)]
    assert journal.commit(restored) == [2, 2, 2]
    assert journal.commit([restored[0], report(105, when=5)]) == [0, 2], "what was sent before the restoration is no step back"
    journal.close()
    assert Journal(path).commit([restored[2], report(60, when=9000)]) == [0, 2]


def test_old_agents_are_forgotten(path: Path) -> None:
    """What was received before a time goes, with agents of whom nothing later is known."""
    journal = Journal(path)
    journal.keep_late = True
    keep(journal, report(1), report(2, late=True), report(1, device="pc-2", when=5000))
    journal.forget(NOW + 3000)
    assert [one.device for one in journal.present({"pc-1", "pc-2"})] == ["pc-2", "pc-2"]
    assert journal.commit([report(7, when=6000)]) == [3]


@given(st.integers(0, 2**32), st.lists(st.integers(1, 12), min_size=1, max_size=60))
def test_in_whatever_order_they_come_each_counts_once(
    tmp_path_factory: pytest.TempPathFactory, seed: int, sequences: list[int]
) -> None:
    """Reordered, repeated, with the floor rising behind: a name counts the first time only, and never when below the floor."""
    journal = Journal(tmp_path_factory.mktemp("journal") / "reports.db")
    chance = random.Random(seed)
    floor, seen = 0, set()
    for sequence in sequences:
        oldest = chance.randint(1, sequence)
        new = journal.commit([report(sequence, oldest=oldest)])[0]
        assert bool(new) == (sequence not in seen and sequence >= floor)
        if sequence >= floor:
            seen.add(sequence)
            floor = max(floor, oldest)
    journal.close()
