"""Links kept: what was seen, since when, and what is no longer; on both kinds of database."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.estate.inventory import Inventory
from collector.estate.links import FORGOTTEN, GIVEN_UP, Kept, Links, merge
from collector.model import Device, Facts, Interface, Link, State

NOW, HOUR = 1763884800.0, 3600.0
AT_7, AT_8 = Link("sw1", "7", "pc1", "eth0"), Link("sw1", "8", "pc1", "eth0")
BY_ARP = Link("gw", "LAN1", "pc1", how="arp")
STRANGER = Link("sw1", "9", "", name="3c:d9:2b:00:00:01")


def kept(link: Link, first: float = NOW, last: float = NOW) -> Kept:
    return Kept(link, first, last)


def test_a_machine_that_is_off_stays_where_it_was() -> None:
    """Not seen is not gone: at night, on weekends and over Tet the links stand, until nobody believes them any more."""
    assert merge([kept(AT_7)], [], NOW + 10 * 24 * HOUR).ended == []
    assert merge([kept(AT_7)], [], NOW + GIVEN_UP + 1).ended == [0]


def test_a_machine_that_is_elsewhere_has_moved() -> None:
    """Seen on another port: the old link ends, the new one begins."""
    merged = merge([kept(AT_7)], [AT_8], NOW)
    assert (merged.ended, merged.begun, merged.seen) == ([0], [AT_8], {})


def test_somewhere_is_no_news_of_one_whose_port_is_known() -> None:
    """ARP remembers for hours what forwarding tables forget in minutes: it ends no link to a port, but finds its own again."""
    for vague in (BY_ARP, Link("sw2", "", "pc1")):
        merged = merge([kept(AT_7)], [vague], NOW)
        assert (merged.ended, merged.begun) == ([], [])
        assert merge([kept(vague)], [AT_7], NOW).ended == [0]
        assert merge([kept(vague)], [vague], NOW).seen == {0: vague}


def test_what_is_told_of_a_link_is_renewed_and_nothing_is_lost() -> None:
    """Protocol and what stands between follow the survey; a remote port or VLAN that was known once stays known."""
    known = Link("sw1", "7", "pc1", "eth0", vlan=10)
    assert merge([kept(known)], [Link("sw1", "7", "pc1", via="unmanaged")], NOW).seen == {0: replace(known, via="unmanaged")}


def test_parallel_cables_are_links_of_their_own() -> None:
    """Two cables between two switches: one that is pulled ends alone."""
    both = [Link("sw1", "23", "sw2", "1"), Link("sw1", "24", "sw2", "2")]
    assert merge([], both, NOW).begun == both
    assert merge([kept(one) for one in both], both[:1], NOW).ended == [1]


def test_strangers_are_forgotten_sooner() -> None:
    """Nothing is kept of a stranger for longer than a week; a stranger seen elsewhere has moved, too."""
    assert merge([kept(STRANGER)], [], NOW + FORGOTTEN - 1).ended == []
    assert merge([kept(STRANGER)], [], NOW + FORGOTTEN + 1).ended == [0]
    assert merge([kept(STRANGER)], [replace(STRANGER, port="3")], NOW).ended == [0]


LINKS = st.builds(
    Link,
    st.sampled_from(["sw1", "sw2"]),
    st.sampled_from(["", "1", "2"]),
    st.sampled_from(["", "pc1", "pc2"]),
    name=st.sampled_from(["x", "y"]),
    how=st.sampled_from(["forwarding", "arp"]),
)


def unique(links: list[Link]) -> list[Link]:
    return list({(link.device, link.port, link.remote or link.name): link for link in links}.values())


@given(st.lists(LINKS, max_size=8), st.lists(LINKS, max_size=8))
def test_what_was_found_stands_afterwards(known: list[Link], found: list[Link]) -> None:
    """Held against itself a survey changes nothing more; each link is seen, begun or ended, never two of them."""
    before, now = [kept(one) for one in unique(known)], unique(found)
    merged = merge(before, now, NOW)
    assert not set(merged.seen) & set(merged.ended)
    left = [kept(merged.seen.get(i, one.link)) for i, one in enumerate(before) if i not in merged.ended]
    after = left + [kept(one) for one in merged.begun]
    again = merge(after, now, NOW)
    assert (again.ended, again.begun) == ([], [])


# -- in the database


@pytest.fixture
def inventory(database_url: str) -> Iterator[Inventory]:
    """An inventory with a router, two switches and a machine."""
    found = Inventory.open(database_url)
    for key, kind in (("gw", "router"), ("sw1", "switch"), ("sw2", "switch"), ("pc1", "workstation")):
        device = Device(key, f"10.0.0.{len(key)}{ord(key[-1])}", 161, "v2c", "xa-1")
        facts = Facts(
            kind=kind,
            name=key.upper(),
            interfaces=(Interface(1, "eth0", mac="3c:d9:2b:00:00:01", speed_bps=10**9, duplex="full"),),
        )
        found.seen(device, NOW, State.UP)
        found.described(device, facts, NOW)
        found.described(device, replace(facts, interfaces=(replace(facts.interfaces[0], speed_bps=10**8),)), NOW + HOUR)
    assert found.flush()
    yield found
    found.close()


def test_links_are_kept_with_their_dates(inventory: Inventory) -> None:
    """A survey's links stand; a later one moves a machine, and where it was is history."""
    links = Links(inventory.engine)
    links.keep([AT_7, STRANGER, Link("gw", "LAN1", "sw1", "24", how="lldp", vlan=10)], ["sw1", "gw"], NOW)
    links.keep([AT_8], ["sw1", "gw"], NOW + HOUR)
    standing = {(one.link.device, one.link.port): one for one in links.standing()}
    assert standing.keys() == {("sw1", "8"), ("sw1", "9"), ("gw", "LAN1")}
    assert standing["gw", "LAN1"] == Kept(Link("gw", "LAN1", "sw1", "24", how="lldp", vlan=10), NOW, NOW)
    assert standing["sw1", "9"].link == STRANGER
    assert links.history("pc1") == [Kept(AT_7, NOW, NOW, NOW + HOUR), Kept(AT_8, NOW + HOUR, NOW + HOUR)]
    assert links.standing(["pc1"]) == [standing["sw1", "8"]]
    links.keep([AT_8], ["sw1"], NOW + 2 * HOUR)
    assert links.history("pc1")[-1] == Kept(AT_8, NOW + HOUR, NOW + 2 * HOUR)


def test_a_machine_found_elsewhere_leaves_the_switch_that_was_not_asked(inventory: Inventory) -> None:
    """The survey of one switch ends a link at another that did not answer, when its machine is here now; no other."""
    links = Links(inventory.engine)
    links.keep([AT_7, Link("sw1", "24", "sw2", "1")], ["sw1"], NOW)
    links.keep([Link("sw2", "3", "pc1")], ["sw2"], NOW + HOUR)
    assert {(one.link.device, one.link.remote) for one in links.standing()} == {("sw2", "pc1"), ("sw1", "sw2")}


def test_devices_the_inventory_does_not_know_yet_are_left_for_the_next_survey(inventory: Inventory) -> None:
    """A link to a device whose record is not written yet is no error."""
    links = Links(inventory.engine)
    links.keep([Link("sw1", "3", "new"), Link("new", "1", "pc1"), AT_7], ["sw1", "new"], NOW)
    assert [one.link for one in links.standing()] == [AT_7]


def test_what_was_taken_out_of_the_settings_hangs_nowhere(inventory: Inventory) -> None:
    """Links of a device that was forgotten are not told any more; its history is."""
    links = Links(inventory.engine)
    links.keep([AT_7], ["sw1"], NOW)
    inventory.forgotten(Device("pc1", "", 161, "", ""), NOW + 1)
    assert inventory.flush()
    assert links.standing() == []
    assert len(links.history("pc1")) == 1


def test_the_ledger_is_read_port_by_port(inventory: Inventory) -> None:
    """The speeds a port had, oldest first, the last one still holding; the devices with their addresses; their states."""
    links = Links(inventory.engine)
    past = links.ports(["sw1", "gw"], "speed_bps")
    assert past.keys() == {("sw1", "eth0"), ("gw", "eth0")}
    assert [(fact.value, fact.first_seen, fact.ended) for fact in past["sw1", "eth0"]] == [
        ("1000000000", NOW, NOW + HOUR), ("100000000", NOW + HOUR, None)
    ]  # fmt: skip
    assert [fact.value for fact in links.ports(["sw1"], "duplex")["sw1", "eth0"]] == ["full"]
    nodes = {one.id: one for one in links.nodes(["xa-1"])}
    assert nodes.keys() == {"gw", "sw1", "sw2", "pc1"}
    assert (nodes["gw"].kind, nodes["gw"].name, nodes["gw"].interfaces) == (
        "router", "GW", (Interface(0, "eth0", mac="3c:d9:2b:00:00:01"),)
    )  # fmt: skip
    assert links.nodes(["xa-2"]) == []
    assert links.nodes() == list(nodes.values())
    assert links.named(["gw", "nobody"]) == [nodes["gw"]]
    inventory.forgotten(Device("gw", "", 161, "", ""), NOW + HOUR)
    assert inventory.flush()
    assert links.named(["gw"]) == []
    assert links.nodes(["xa-1"]) == links.nodes() == [one for id, one in nodes.items() if id != "gw"]
    assert links.states(["sw1", "nobody"]) == {"sw1": State.UP}


def test_a_clock_that_was_ahead_leaves_nothing(inventory: Inventory) -> None:
    """A link that began while the clock was years ahead began, once it is right again, when it is seen: so what its ports were
    before, and are from now on, counts as on any other cable."""
    links = Links(inventory.engine)
    links.keep([AT_7], ["sw1"], NOW + 1000 * 24 * HOUR)
    links.keep([AT_7], ["sw1"], NOW + HOUR)
    assert links.standing() == [Kept(AT_7, NOW + HOUR, NOW + HOUR)]
    links.keep([AT_7], ["sw1"], NOW + 2 * HOUR)
    assert links.standing() == [Kept(AT_7, NOW + HOUR, NOW + 2 * HOUR)]
