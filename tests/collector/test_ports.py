"""Ports that run worse than they could: told when a cable is likely bad, and not when a machine sleeps or was replaced."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from collector.estate.ledger import Fact
from collector.estate.links import Kept
from collector.estate.ports import SETTLED, Flaw, Flawed, Port, Standing, bits, finding, flaws, standings
from collector.model import Block, Layout, Link, Series, Survey

DAY = 86400.0
NOW = datetime(2026, 11, 20, 9, tzinfo=UTC).timestamp()
FELL = datetime(2026, 10, 12, 8, tzinfo=UTC).timestamp()
GIGABIT, MEGABITS = 10**9, 10**8
PC, SW = ("pc1", "eth0"), ("sw1", "Gi0/7")
CABLE = Kept(Link("sw1", "Gi0/7", "pc1", "eth0"), FELL - 90 * DAY, NOW)


def history(*speeds: tuple[int, float], until: float | None = None) -> list[Fact]:
    """The speeds a port had, each from its time until the next one's."""
    ends: list[float | None] = [when for _, when in speeds[1:]] + [until]
    return [Fact("", str(speed), when, when, end) for (speed, when), end in zip(speeds, ends, strict=True)]


SLOWER = history((GIGABIT, FELL - 60 * DAY), (MEGABITS, FELL))


def judged(
    ports: dict[Port, Standing],
    past: dict[Port, list[Fact]] | None = None,
    links: Sequence[Kept] = (CABLE,),
    answering: Sequence[str] = ("pc1", "sw1"),
) -> list[Flawed]:
    return flaws(links, ports, past or {}, answering, NOW)


def test_a_port_slower_than_it_was_is_told_with_the_day() -> None:
    """1000 to 100 since 12/10, likely the cable: once a cable, at the machine's end, with the switch port at the other."""
    slow = {PC: Standing(True, MEGABITS, True), SW: Standing(True, MEGABITS, True)}
    (found,) = judged(slow, {PC: SLOWER, SW: SLOWER})
    assert found == Flawed("pc1", "eth0", Flaw.PAST, GIGABIT, MEGABITS, FELL, "sw1", "Gi0/7")
    told = finding(found, UTC)
    assert (told.rule, told.device, told.verdict) == ("port.past", "pc1", "failed")
    assert (told.expected, told.observed) == ("1 Gbit/s, as before", "eth0: 100 Mbit/s since 2026-10-12")
    assert "cable" in told.fix
    assert "sw1 Gi0/7" in " ".join(told.evidence)


def test_the_switch_alone_can_tell() -> None:
    """A machine that says nothing of its past: the switch port's is enough."""
    (found,) = judged({PC: Standing(True, MEGABITS), SW: Standing(True, MEGABITS)}, {SW: SLOWER})
    assert (found.device, found.port, found.flaw) == ("sw1", "Gi0/7", Flaw.PAST)


def test_a_machine_asleep_is_no_bad_cable() -> None:
    """Cards slow their link down to save power: while the machine does not answer, its port is not judged."""
    assert judged({SW: Standing(True, 10**7)}, {SW: SLOWER}, answering=["sw1"]) == []


def test_a_port_that_is_down_is_not_judged() -> None:
    """What is not up has no speed to judge."""
    assert judged({SW: Standing(False, MEGABITS, False)}, {SW: SLOWER}, links=()) == []


def test_another_machine_has_another_past() -> None:
    """The gigabit was before this machine came to the port: it may have a slower card."""
    moved = CABLE._replace(first_seen=FELL + 5)
    assert judged({SW: Standing(True, MEGABITS), PC: Standing(True, MEGABITS)}, {SW: SLOWER}, [moved]) == []


def test_what_lasted_a_moment_is_no_past() -> None:
    """A speed that held for less than an hour is not what the port was."""
    brief = history((GIGABIT, FELL - 600), (MEGABITS, FELL))
    assert judged({PC: Standing(True, MEGABITS)}, {PC: brief}) == []


def test_a_port_with_nobody_known_counts_once_it_has_settled() -> None:
    """A switch port of which nobody knows the other end: slower for three days is no sleep any more."""
    ports = {("sw1", f"Gi0/{n}"): Standing(True, MEGABITS if n == 7 else GIGABIT) for n in range(1, 9)}
    assert [one.port for one in judged(ports, {SW: SLOWER}, ())] == ["Gi0/7"]
    lately = history((GIGABIT, FELL), (MEGABITS, NOW - SETTLED / 2))
    assert judged(ports, {SW: lately}, ()) == []


def test_a_machine_behind_an_unmanaged_switch_is_judged_by_itself() -> None:
    """Where no switch can be asked, the computer's side tells."""
    assert [one.flaw for one in judged({PC: Standing(True, MEGABITS)}, {PC: SLOWER}, ())] == [Flaw.PAST]


@pytest.mark.parametrize(
    ("pc", "sw"),
    [
        (Standing(True, MEGABITS, able=GIGABIT, offered=GIGABIT), Standing(True, MEGABITS)),
        (Standing(True, MEGABITS, able=GIGABIT), Standing(True, MEGABITS, able=GIGABIT)),
        (Standing(True, MEGABITS), Standing(True, MEGABITS, able=GIGABIT, offered=GIGABIT)),
    ],
    ids=["the card knows its partner", "each knows itself", "the switch knows its partner"],
)
def test_slower_than_both_ends_can_is_told(pc: Standing, sw: Standing) -> None:
    """Card and switch can a gigabit and agree on less: whoever says so."""
    (found,) = judged({PC: pc, SW: sw})
    assert (found.flaw, found.expected, found.observed) == (Flaw.ALLOWED, GIGABIT, MEGABITS)


def test_a_slow_switch_is_no_bad_cable() -> None:
    """A gigabit card on a switch of 100 Mbit/s runs as well as it can."""
    assert judged({PC: Standing(True, MEGABITS, able=GIGABIT), SW: Standing(True, MEGABITS, able=MEGABITS)}) == []


def test_ends_that_disagree_are_told() -> None:
    """One cable cannot have two speeds: something stands between that neither end tells of."""
    (found,) = judged({PC: Standing(True, GIGABIT), SW: Standing(True, MEGABITS)})
    assert (found.device, found.flaw, found.expected) == ("sw1", Flaw.PEER, GIGABIT)


def test_what_stands_between_is_allowed_to_differ() -> None:
    """Behind a switch that cannot be asked each end has its own speed."""
    between = CABLE._replace(link=Link("sw1", "Gi0/7", "pc1", "eth0", via="unmanaged"))
    assert judged({PC: Standing(True, GIGABIT), SW: Standing(True, MEGABITS)}, links=[between]) == []


@pytest.mark.parametrize(("other", "flaw"), [(None, Flaw.HALF), (False, Flaw.HALF), (True, Flaw.MISMATCH)])
def test_half_duplex_is_told_and_a_mismatch_is_worse(other: bool | None, flaw: Flaw) -> None:
    """Half duplex is told once a cable; with the other end at full duplex it is a mismatch."""
    (found,) = judged({PC: Standing(True, MEGABITS, False), SW: Standing(True, MEGABITS, other)})
    assert (found.device, found.flaw) == ("pc1", flaw)
    assert finding(found, UTC).observed == "eth0: half duplex"


def test_how_ports_stand_is_read_from_a_poll_and_a_survey() -> None:
    """Speeds in bits a second from the block, what the ends can from the survey, else from the agent; unknown stays unknown."""
    where = (("interface", "eth0"),)
    values = {
        "haidang_interface_up": 1, "haidang_interface_speed_bytes_per_second": 12_500_000, "haidang_interface_full_duplex": 0,
        "haidang_interface_speed_limit_bytes_per_second": 125_000_000,
        "haidang_interface_partner_limit_bytes_per_second": 125_000_000, "haidang_interface_receive_bytes_total": 5,
    }  # fmt: skip
    block = Block(Layout([Series(metric, where) for metric in values]), list(values.values()), NOW)
    assert standings(block) == {"eth0": Standing(True, MEGABITS, False, GIGABIT, GIGABIT)}
    survey = Survey("sw1", NOW, able={"eth0": MEGABITS})
    assert standings(block, survey)["eth0"].able == MEGABITS
    bare = Block(Layout([Series("haidang_interface_up", where)]), [0], NOW)
    assert standings(bare) == {"eth0": Standing(False)}


@pytest.mark.parametrize("flaw", list(Flaw))
def test_every_flaw_is_a_finding(flaw: Flaw) -> None:
    """Each says what was expected, what is, and what to do."""
    told = finding(Flawed("pc1", "eth0", flaw, GIGABIT, MEGABITS), UTC)
    assert told.expected
    assert told.observed.startswith("eth0: ")
    assert told.fix


def test_speeds_are_written_as_on_the_box() -> None:
    """2.5 Gbit/s, 100 Mbit/s."""
    assert [bits(rate) for rate in (2.5e9, 1e8, 1e7, 64000)] == ["2.5 Gbit/s", "100 Mbit/s", "10 Mbit/s", "64000 bit/s"]
