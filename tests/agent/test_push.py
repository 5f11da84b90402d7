from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from collectors import ENGINE, SECRETS, Office, Told, user
from peers import User, snmptrapd

from agent import report, settings
from agent.push import PROBE, Push
from agent.tree import HOST, IFX_ENTRY, MIB2, at
from config import objects
from snmp import ber
from snmp.engine import engine_id, steady
from snmp.message import VarBind

NAME = VarBind(at(MIB2, 1, 5, 0), ber.OCTET_STRING, b"ketoan-01")
TRAFFIC = at(IFX_ENTRY, 6, 2)
TEXTS = [VarBind(at(HOST, 9, n), ber.OCTET_STRING, b"x" * 90) for n in range(60)]

Opening = Callable[..., Office]


def rows(octets: int = 1000, name: bytes = b"ketoan-01") -> list[VarBind]:
    return [NAME._replace(value=name), VarBind(TRAFFIC, ber.COUNTER64, octets), *TEXTS]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opening]:
    offices: list[Office] = []

    def open_office(**how: object) -> Office:
        offices.append(Office(str(tmp_path), rows(), **how))  # type: ignore[arg-type]
        return offices[-1]

    yield open_office
    for office in offices:
        office.close()


def reasons(office: Office) -> list[int]:
    return [told.reason for told in office.collector.told]


def test_everything_at_once_on_start_then_what_changed_every_interval(opened: Opening) -> None:
    """The first report is whole and comes at once; the next ones come an interval apart, more or less, and hold what differs."""
    office = opened()
    office.run(2)
    first = office.collector.told
    assert {told.reason for told in first} == {report.START} and len(first) == first[0].parts > 1
    whole = {name: value for told in first for name, value in told.rows.items()}
    assert whole == {row.oid: row.value for row in rows()}
    count, start = len(first), office.clock.now - 2
    office.rows = rows(2000)
    office.run(537)
    assert len(office.collector.told) == count
    office.run(124)
    (later,) = office.collector.told[count:]
    assert later.reason == report.INTERVAL and later.rows == {TRAFFIC: 2000} and later.base == first[0].sequence
    assert start + 540 <= later.time - 1_800_000_000 <= start + 661 and len(office.push.spool) == 0


def test_intervals_vary_so_that_a_province_does_not_report_at_once(opened: Opening) -> None:
    """No two intervals are alike, and none differs by more than a tenth."""
    office = opened()
    office.run(600 * 20)
    times = sorted({told.time for told in office.collector.told})
    gaps = [after - before for before, after in pairwise(times)]
    assert len(set(gaps)) > 5 and all(539 <= gap <= 661 for gap in gaps)


def test_a_full_report_every_day(opened: Opening) -> None:
    """A day after the last full report comes another, which later ones then differ from."""
    office = opened()
    office.run(86400 * 2.1)
    fulls = [told.reason for told in office.collector.told if told.sequence == told.base]
    assert fulls == [report.START, report.DAILY, report.DAILY]


def test_a_change_is_told_within_a_minute(opened: Opening) -> None:
    """What does not move all the time is reported as soon as it is seen, and once."""
    office = opened()
    office.run(100)
    before = len(office.collector.told)
    office.rows = rows(name=b"ketoan-02")
    office.run(60)
    (told,) = office.collector.told[before:]
    assert told.reason == report.CHANGE and told.rows == {NAME.oid: b"ketoan-02"}
    office.run(100)
    assert len(office.collector.told) == before + 1


def test_a_full_volume_is_told_within_a_minute(opened: Opening) -> None:
    """A volume over its limit is reported with the reason threshold."""
    office = opened()
    volume = [
        VarBind(at(HOST, 2, 3, 1, 2, 31), ber.OBJECT_IDENTIFIER, at(HOST, 2, 1, 4)),
        VarBind(at(HOST, 2, 3, 1, 5, 31), ber.INTEGER, 1000),
    ]
    used = VarBind(at(HOST, 2, 3, 1, 6, 31), ber.INTEGER, 500)
    office.rows = [*rows(), *volume, used]
    office.run(100)
    before = len(office.collector.told)
    office.rows[-1] = used._replace(value=930)
    office.run(60)
    (told,) = office.collector.told[before:]
    assert told.reason == report.THRESHOLD and told.rows == {used.oid: 930}


@pytest.mark.parametrize("reason", report.ENDINGS)
def test_a_farewell_says_why(opened: Opening, reason: int) -> None:
    """Whoever ends the agent, the collector hears it: the machine is going down, for want of power, or the agent alone."""
    office = opened()
    office.run(2)
    take = office.push.serve
    office.push.serve = lambda responder=None: (office.collector.take(), take())[1]  # type: ignore[method-assign]
    office.push.farewell(reason)
    assert office.collector.told[-1].reason == reason and office.collector.told[-1].interval == 0
    assert len(office.push.spool) == 0


def test_a_farewell_that_did_not_arrive_is_told_at_the_next_start(opened: Opening) -> None:
    """The end is known then, with its own time, after the present."""
    office = opened()
    office.run(2)
    office.collector.cut = True
    office.push.farewell(report.SHUTDOWN, patience=0.0)
    office.collector.take()
    office.collector.cut = False
    office.clock.now += 8 * 3600
    office.start()
    office.run(2)
    *_, end = office.collector.told
    assert end.reason == report.SHUTDOWN and end.age == 8 * 3600
    assert [told.reason for told in office.collector.told[-2:]] == [report.START, report.SHUTDOWN]


def test_what_a_dead_line_kept_back_comes_later_in_order_the_present_first(opened: Opening) -> None:
    """After hours without a line the present state comes within seconds, then the past with its times, each once, none lost."""
    office = opened()
    office.run(2)
    known = len(office.collector.told)
    office.collector.cut = True
    for n in range(20):
        office.rows = rows(2000 + n)
        office.run(600)
    assert any("does not answer" in line for line in office.said)
    office.collector.cut = False
    kept = set(office.push.spool)
    office.rows = rows(9999)
    back = office.clock.now
    office.run(PROBE + 2)
    told = office.collector.told[known:]
    assert len(office.push.spool) == 0 and any("answers again" in line for line in office.said)
    present = next(n for n, one in enumerate(told) if one.rows.get(TRAFFIC) == 9999)
    assert told[present].time - 1_800_000_000 - back <= PROBE + 1 and present <= 2
    past = [one for one in told if one.time - 1_800_000_000 < back and one is not told[0]]
    sequences = [one.sequence for one in told]
    assert len(sequences) == len(set(sequences)) and [one.sequence for one in past] == sorted(one.sequence for one in past)
    assert len(kept) >= 18 and kept <= set(sequences)
    assert all(abs(one.age - (back - (one.time - 1_800_000_000))) <= PROBE + 2 for one in past)


def test_a_line_that_loses_a_third_loses_no_report(opened: Opening) -> None:
    """With 30 % loss each way every report arrives, and is then forgotten; the collector is not called silent for it."""
    office = opened(loss=0.3)
    for n in range(60):
        office.rows = rows(2000 + n)
        office.run(600)
    office.collector.loss = 0.0
    office.run(120)
    sequences = {told.sequence for told in office.collector.told}
    assert sequences == set(range(min(sequences), max(sequences) + 1)) and len(office.push.spool) == 0
    assert sum("does not answer" in line for line in office.said) <= 6


def test_nothing_is_forgotten_before_it_is_acknowledged(opened: Opening) -> None:
    """A collector that hears but does not acknowledge (its disk is full) hears again until it does."""
    office = opened()
    office.collector.keeps = False
    office.run(300)
    assert len(office.push.spool) > 1 and not office.collector.told
    office.collector.keeps = True
    office.run(PROBE + 20)
    assert len(office.push.spool) == 0 and office.collector.told[0].reason == report.START


def test_a_collector_that_was_restarted_or_replaced_is_found_again(opened: Opening) -> None:
    """New boots cost a round trip; another engine is sent everything, for it cannot know what later reports differ from."""
    office = opened()
    office.run(2)
    office.collector.boot(2)
    office.rows = rows(2000)
    office.run(700)
    assert office.collector.told[-1].rows == {TRAFFIC: 2000} and len(office.push.spool) == 0
    before = len(office.collector.told)
    office.collector.boot(1, engine=engine_id(32473, b"another"))
    office.run(700)
    fresh = office.collector.told[before:]
    assert {name for told in fresh for name in told.rows} == {row.oid for row in rows()} and len(office.push.spool) == 0


@pytest.mark.parametrize(
    ("users", "counter"),
    [
        ([user("somebody")], "usmStatsUnknownUserNames"),
        ([user(secrets=("otherpass123", SECRETS[1]))], "usmStatsWrongDigests"),
        ([user(secrets=(SECRETS[0], "otherpass123"))], "usmStatsDecryptionErrors"),
    ],
    ids=["revoked", "authentication", "privacy"],
)
def test_a_collector_that_refuses_us_is_named_with_the_reason_and_nothing_is_lost(
    opened: Opening, users: list[report.OID], counter: str
) -> None:
    """The journal says once why; reports are kept; when the keys are right again they go out, without a restart."""
    office = opened(users=users)
    office.run(400)
    told = [line for line in office.said if "refuses our reports" in line]
    assert len(told) == 1 and counter in told[0] and not office.collector.told
    assert office.collector.octets < 15_000, "somebody who is refused knocks seldom"
    office.collector.boot(2, users=[user()])
    office.run(320)
    assert len(office.push.spool) == 0 and office.collector.told[0].reason == report.START


def test_a_collector_that_hears_late_of_an_agent_has_its_reports_soon(opened: Opening) -> None:
    """One of several collectors may learn some seconds later who enrolled with another: it is tried again within as many."""
    office = opened(users=[user("somebody")])
    office.run(9)
    assert office.push.refused and not office.collector.told
    office.collector.boot(2, users=[user()])
    office.run(10)
    assert len(office.push.spool) == 0 and not office.push.refused


def test_a_report_that_the_collector_cannot_use_stops_no_other(opened: Opening) -> None:
    """An authentic refusal of one part gives up that one, and says so."""
    office = opened()
    take = office.collector.take
    office.collector.take = lambda: take(lambda told: told.part == 2)  # type: ignore[method-assign,misc,assignment]
    office.run(2)
    assert len(office.push.spool) == 0 and {told.part for told in office.collector.told} == {1, 3, 4, 5, 6, 7}
    assert any("cannot use a report" in line for line in office.said)


def test_a_full_disk_costs_no_present_report(opened: Opening, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be kept is sent all the same, and the trouble is said once; when there is room again it is kept again."""
    office = opened()
    office.run(2)
    before = len(office.collector.told)

    def full(file: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    for n in range(3):
        office.rows = rows(2000 + n)
        office.run(661)
    assert {told.rows[TRAFFIC] for told in office.collector.told[before:]} >= {2000, 2001, 2002}
    assert sum("cannot be kept: No space left" in line for line in office.said) <= 3
    monkeypatch.undo()
    office.collector.cut = True
    office.run(700)
    assert len(office.push.spool) == 1


def test_what_later_reports_differ_from_is_made_again_when_it_got_lost(opened: Opening, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full report that neither the disk took nor the collector is made once more, so that those after it are understood."""
    office = opened()
    office.collector.cut = True

    def full(file: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    office.run(700)
    monkeypatch.undo()
    office.collector.cut = False
    office.rows = rows(2000)
    office.run(700)
    bases = {told.base for told in office.collector.told}
    assert bases and bases <= {told.sequence for told in office.collector.told}


def test_a_damaged_spool_is_said_and_the_rest_arrives(opened: Opening, tmp_path: Path) -> None:
    """Octets overwritten in a spool cost the parts they hit; the agent starts, says so and sends the others."""
    office = opened()
    office.collector.cut = True
    office.run(600 * 10)
    waiting = len(office.push.spool)
    office.push.close()
    path = sorted(Path(tmp_path / "spool").rglob("*.spool"))[0]
    data = bytearray(path.read_bytes())
    data[100:140] = bytes(40)
    path.write_bytes(data)
    office.collector.cut = False
    office.start()
    office.run(60)
    assert any("damaged octets are left out" in line for line in office.said)
    assert len(office.push.spool) == 0
    assert len([told for told in office.collector.told if told.sequence >> 32 == 1]) == waiting - 1


def test_a_clock_a_day_wrong_does_not_change_the_age(opened: Opening) -> None:
    """The calendar may be wrong, and be set in between: the age that is told stays right."""
    office = opened()
    office.clock.off = -86400
    office.collector.cut = True
    office.run(2)
    office.clock.off = 0
    office.clock.now += 300
    office.collector.cut = False
    office.run(PROBE + 60)
    start = office.collector.told[0]
    assert 300 <= start.age <= 380 and start.time < 1_800_000_000 + office.clock.now - 86000


def test_names_rise_over_restarts_and_never_come_twice(opened: Opening) -> None:
    """Whatever becomes of the spool, a restarted agent's parts have greater names than all before."""
    office = opened()
    seen: list[int] = []
    for _ in range(3):
        office.run(1500)
        told = [one.sequence for one in office.collector.told]
        assert told == sorted(set(told))
        assert not seen or told[len(seen)] > max(seen)
        seen = told
        office.push.close()
        for path in Path(office.directory).rglob("*.spool"):
            path.unlink()
        office.start()


def test_an_acknowledgement_is_of_one_part_only(opened: Opening) -> None:
    """Parts of two starts are under way together, and the collector keeps only those of the second: the first one's stay."""
    office = opened()
    office.collector.cut = True
    office.run(5)
    office.push.close()
    office.collector.cut = False
    office.start()
    before = set(office.push.spool)
    take, heard = office.collector.take, []

    def keeps(told: Told) -> bool:
        heard.append(told.sequence)
        return told.sequence >> 32 == 2 and (told.sequence != 2 << 32 | 3 or heard.count(told.sequence) > 1)

    office.collector.take = lambda: take(keeps=keeps)  # type: ignore[method-assign,misc,assignment]
    office.run(20)
    assert heard.count(2 << 32 | 3) == 2 and 1 << 32 | 3 in heard
    assert {told.sequence >> 32 for told in office.collector.told} == {2} and before <= set(office.push.spool)


def test_a_megabyte_a_day(opened: Opening) -> None:
    """An ordinary day, with everything an interface and a few volumes count, stays within a megabyte, answers included."""
    office = opened()
    for n in range(144):
        moving = [VarBind(at(IFX_ENTRY, column, 2), ber.COUNTER64, 10**9 + n * 10**6) for column in (6, 7, 10, 11)]
        spaces = [VarBind(at(HOST, 2, 3, 1, 6, row), ber.INTEGER, 10**6 + n) for row in range(1, 8)]
        loads = [VarBind(at(HOST, 3, 3, 1, 2, row), ber.INTEGER, n % 100) for row in range(8)]
        office.rows = [*rows(), *moving, *spaces, *loads]
        office.run(600)
    assert 2 * office.collector.octets < 1_000_000


def test_snmptrapd_takes_our_informs(tmp_path: Path) -> None:
    """net-snmp's snmptrapd authenticates, decrypts and acknowledges a whole report, part by part."""
    secrets = SECRETS
    peer = User("pc-1", "SHA-256", secrets[0], "AES-128", secrets[1])
    with snmptrapd((), [peer]) as trapd:
        who = settings.User("pc-1", "SHA-256", secrets[0], "AES-128", secrets[1], ())
        options = settings.Push((trapd.host, trapd.port), who, 600, 8)
        push = Push(options, str(tmp_path), ENGINE, 1, 32473, rows, lambda: 4711, print)
        push.sock.setblocking(True)
        push.work(push.due)
        waiting = [*push.spool]
        while len(push.spool):
            push.sock.settimeout(max(0.01, min(push.due - steady(), 5.0)))
            push.serve()
            push.work(steady())
        push.close()
        lines = [trapd.wait_for(f" = Counter64: {sequence}") for sequence in waiting]
    trap = objects.notification()
    assert len(lines) > 1 and all(f".{trap}" in line for line in lines)
    assert "ketoan-01" in lines[0]
