"""Topology: made-up offices are recovered from what their switches forward, and nothing is guessed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from offices import NOW, Office, mac, node

from collector.estate.topology import UNMANAGED, Topology, parents, recover
from collector.model import Beside, Heard, Link, Survey


@st.composite
def offices(draw: st.DrawFn, segments: bool = False) -> Office:
    """Up to seven switches, machines on their ports, some ports shared; `segments`: also with switches below them."""
    office = Office()
    names = iter(f"pc{n}" for n in range(1000))
    for number in range(draw(st.integers(1, 7))):
        above = draw(st.sampled_from(["gw", *(switch.id for switch in office.switches)])) if number else "gw"
        taken = {port for switch in office.switches if switch.id == above for port in switch.machines}
        taken |= {switch.at for switch in office.switches if switch.above == above}
        free = [port for port in range(2, 13) if segments or port not in taken]
        at = 2 if above == "gw" else draw(st.sampled_from(free))
        switch = office.add(above, at)
        for port in draw(st.lists(st.integers(13, 24), max_size=5, unique=True)):
            switch.machines[port] = [next(names) for _ in range(draw(st.integers(1, 3)))]
        if segments and draw(st.booleans()):
            switch.machines[draw(st.integers(2, 5))] = [next(names)]
    return office


def found(topology: Topology) -> dict[str, tuple[str, str, bool]]:
    """Device -> what it hangs on, the port (of switches only), whether it shares it."""
    return {
        link.remote: (link.device, link.port if link.device != "gw" else "", bool(link.via))
        for link in topology.links
        if link.remote
    }


def cabling(office: Office) -> dict[str, tuple[str, str, bool]]:
    return office.cabling()


@given(offices())
def test_an_office_is_recovered_from_whole_tables(office: Office) -> None:
    """Every switch hangs on the right port of the right one, every machine sits on its port, shared ports are known as such."""
    topology = recover(office.nodes(), office.surveys())
    assert found(topology) == cabling(office)
    assert topology.root == "gw"
    assert all(link.remote_port for link in topology.links)


@given(offices(), st.randoms(use_true_random=False))
def test_it_needs_only_what_our_own_questions_keep_fresh(office: Office, random: object) -> None:
    """Switches that have forgotten most are placed by the router's address and those of the switches below; a machine by the
    one entry of its own switch."""
    cables = cabling(office)

    def keep(switch: str, device: str) -> bool:
        kept = device == "gw" or device.startswith("sw") or cables[device][0] == switch
        return kept or random.random() < 0.3  # type: ignore[attr-defined]

    assert found(recover(office.nodes(), office.surveys(keep))) == cables


@given(offices(segments=True), st.data())
def test_switches_nobody_can_ask_are_found_between_others(office: Office, data: st.DataObject) -> None:
    """Machines and switches that share one port of a switch hang on something between; LLDP that some speak changes nothing."""
    pairs = [(switch.id, switch.above) for switch in office.switches]
    alone = [pair for pair in pairs if pair[1] != "gw" and not cabling(office)[pair[0]][2]]
    told = data.draw(st.lists(st.sampled_from(alone), unique=True)) if alone else []
    assert found(recover(office.nodes(), office.surveys(told=told))) == cabling(office)


@given(offices(), st.data())
def test_hanging_never_goes_in_a_circle(office: Office, data: st.DataObject) -> None:
    """Whatever switches claim to hear where, everything hangs on the root or on nothing."""
    ids = [one.id for one in office.nodes()]
    surveys = []
    for survey in office.surveys():
        heard = [
            Heard(mac(id), f"p{data.draw(st.integers(1, 24))}") for id in data.draw(st.lists(st.sampled_from(ids), max_size=12))
        ]
        beside = [
            Beside(f"p{data.draw(st.integers(1, 24))}", data.draw(st.sampled_from(["lldp", "cdp"])), mac(id), id, ("p3",))
            for id in data.draw(st.lists(st.sampled_from(ids), max_size=4))
        ]
        surveys.append(replace(survey, heard=tuple(heard), beside=tuple(beside)))
    hanging = parents(recover(office.nodes(), surveys).links)
    for device in hanging:
        seen = {device}
        while (device := hanging.get(device, "")) != "":
            assert device not in seen
            seen.add(device)


def small() -> Office:
    """A router, a switch on its port 2, another one on that one's port 3; two machines on the first, one on the second."""
    office = Office()
    office.add("", 2, p10=["pc1"], p11=["pc2"])
    office.add("sw0", 3, p7=["pc3"])
    return office


def test_a_machine_is_at_the_port_nearest_to_it() -> None:
    """A machine that moved may still be listed where it was: the port that fewer hang on wins, and no trunk."""
    office = small()
    surveys = office.surveys()
    stale = replace(
        surveys[1], heard=(*surveys[1].heard, Heard(mac("pc1"), "p9"), Heard(mac("pc9"), "p9"), Heard(mac("pc8"), "p9"))
    )
    assert found(recover(office.nodes(), [surveys[0], stale]))["pc1"][:2] == ("sw0", "p10")


def test_a_switch_that_forgot_its_machine_still_has_it_behind_it() -> None:
    """The switch above hears the machine at the port of the one below: it is behind that one, at a port nobody knows."""
    office = small()
    surveys = office.surveys(lambda switch, device: (switch, device) != ("sw1", "pc3"))
    assert found(recover(office.nodes(), surveys))["pc3"] == ("sw1", "", False)


def test_what_is_behind_a_switch_that_cannot_be_asked_hangs_on_it() -> None:
    """A known switch that tells nothing of what it forwards carries whatever shares its port."""
    office = small()
    surveys = [survey for survey in office.surveys() if survey.device == "sw0"]
    topology = recover(office.nodes(), surveys)
    assert found(topology)["sw1"] == ("sw0", "p3", False)
    assert found(topology)["pc3"] == ("sw1", "", False)


def test_cloned_addresses_place_nobody() -> None:
    """Two machines with one address: where either sits cannot be told, and that is said."""
    office = small()
    nodes = [replace(one, interfaces=node("pc1").interfaces) if one.id == "pc2" else one for one in office.nodes()]
    topology = recover(nodes, office.surveys())
    assert not {"pc1", "pc2"} & found(topology).keys()
    assert topology.shared == {mac("pc1"): ("pc1", "pc2")}


def beside(office: Office, device: str, *more: Beside) -> list[Survey]:
    return [replace(survey, beside=(*survey.beside, *more)) if survey.device == device else survey for survey in office.surveys()]


def test_cdp_that_passes_through_others_is_no_cable() -> None:
    """Cisco's protocol goes through another maker's switch: neighbours by CDP with a known switch between are not linked."""
    office = small()
    office.add("sw1", 4)
    cdp = Beside("p3", "cdp", "", "sw2.example.vn", ("p1",), role="bridge")
    topology = recover(office.nodes(), beside(office, "sw0", cdp))
    assert found(topology) == cabling(office)
    assert len(topology.links) == len(found(topology))


def test_lldp_names_the_ports_and_wins_over_a_bare_address() -> None:
    """What both ends say by LLDP gives the link its ports and its protocol, also towards a router that forwards nothing."""
    office = small()
    surveys = beside(office, "sw0", Beside("p1", "lldp", mac("gw"), "gw", ("eth0",), role="router"))
    link = next(link for link in recover(office.nodes(), surveys).links if link.remote == "sw0")
    assert (link.device, link.port, link.remote_port, link.how) == ("gw", "eth0", "p1", "lldp")


def test_a_second_cable_that_spanning_tree_blocks_is_told_and_hangs_nothing() -> None:
    """LLDP on a port that forwards nothing: one more link, and everything hangs as it did."""
    office = small()
    spare = Beside("p20", "lldp", mac("sw1"), "sw1", ("p21",), role="bridge")
    topology = recover(office.nodes(), beside(office, "sw0", spare))
    extra = [link for link in topology.links if (link.device, link.remote) == ("sw0", "sw1")]
    assert {(link.port, link.remote_port) for link in extra} == {("p3", "p1"), ("p20", "p21")}
    assert parents(topology.links)["sw1"] == "sw0"


def test_members_of_an_aggregate_are_one_way_up() -> None:
    """Forwarding tables name the aggregate, LLDP its members: the members are the cables, the machines stay in place."""
    office = small()
    surveys = []
    for survey in office.surveys():
        up = "p3" if survey.device == "sw0" else "p1"
        heard = tuple(one._replace(port="Po1" if one.port == up else one.port) for one in survey.heard)
        own, other = (("p20", "p21"), "sw1") if survey.device == "sw0" else (("p22", "p23"), "sw0")
        far = ("p22", "p23") if survey.device == "sw0" else ("p20", "p21")
        said = tuple(Beside(a, "lldp", mac(other), other, (b,), role="bridge") for a, b in zip(own, far, strict=True))
        surveys.append(replace(survey, heard=heard, beside=said, bundles=dict.fromkeys(own, "Po1")))
    topology = recover(office.nodes(), surveys)
    cables = {(link.port, link.remote_port, link.via) for link in topology.links if link.remote == "sw1"}
    assert cables == {("p20", "p22", ""), ("p21", "p23", "")}
    assert found(topology)["pc3"] == ("sw1", "p7", False)


@pytest.mark.parametrize(
    ("kind", "behind"),
    [("wireless", ["pc8", "pc9"]), ("switch", ["pc9"])],
)
def test_an_access_point_carries_those_at_its_port(kind: str, behind: Sequence[str]) -> None:
    """Machines at the port of an access point (or of a switch that tells nothing) hang on it, not beside it."""
    office = Office()
    office.add("", 2, p5=["ap", *behind], p6=["pc1"])
    nodes = [node(one.id, kind) if one.id == "ap" else one for one in office.nodes()]
    topology = recover(nodes, office.surveys())
    assert found(topology) == {
        "sw0": ("gw", "", False), "ap": ("sw0", "p5", False), "pc1": ("sw0", "p6", False),
        **dict.fromkeys(behind, ("ap", "", False)),
    }  # fmt: skip


def test_a_computer_behind_a_telephone_is_no_unmanaged_switch() -> None:
    """A telephone that nobody polls, known by LLDP, is what the computer hangs on."""
    office = Office()
    office.add("", 2, p5=["pc1"])
    phone = Beside("p5", "lldp", mac("phone"), "SEP001122334455", ("port 1",), role="phone")
    (survey,) = beside(office, "sw0", phone)
    survey = replace(survey, heard=(*survey.heard, Heard(mac("phone"), "p5")))
    links = recover(office.nodes(), [survey]).links
    assert next(link for link in links if link.remote == "pc1").via == "SEP001122334455"
    assert [link.name for link in links if not link.remote] == [mac("phone")]


def test_machines_inside_a_machine_hang_on_it() -> None:
    """Virtual machines at a server's port hang on the server."""
    office = Office()
    office.add("", 2, p5=["host", "vm1", "vm2"])
    made = {"vm1": "52:54:00:00:00:01", "vm2": "00:50:56:00:00:02"}
    nodes = [
        replace(one, interfaces=(replace(one.interfaces[0], mac=made[one.id]),)) if one.id in made else one
        for one in office.nodes()
    ]
    (survey,) = office.surveys()
    heard = tuple(one._replace(mac=next((made[id] for id in made if mac(id) == one.mac), one.mac)) for one in survey.heard)
    topology = recover(nodes, [replace(survey, heard=heard)])
    assert found(topology) == {
        "sw0": ("gw", "", False), "host": ("sw0", "p5", False), "vm1": ("host", "", False), "vm2": ("host", "", False)
    }  # fmt: skip


def test_strangers_are_told_where_they_sit() -> None:
    """Addresses of no known device are links without a device, at the lowest port they are heard at; a crowd shares a switch."""
    office = small()
    strange = {f"3c:d9:2b:00:00:0{n}" for n in range(4)}
    one, *crowd = sorted(strange)
    surveys = []
    for survey in office.surveys():
        below = survey.device == "sw1"
        more = [Heard(one, "p9" if below else "p3"), *(Heard(found, "p1" if below else "p12") for found in crowd)]
        surveys.append(replace(survey, heard=(*survey.heard, *more)))
    links = [link for link in recover(office.nodes(), surveys).links if not link.remote]
    assert {(link.device, link.port, link.name, link.via) for link in links} == {
        ("sw1", "p9", one, ""),
        *(("sw0", "p12", found, UNMANAGED) for found in crowd),
    }


def test_without_a_switch_to_ask_the_router_tells_who_is_in_its_network() -> None:
    """An office of unmanaged switches: machines hang on the router's port where it resolves their addresses, by ARP."""
    nodes = [node("gw", "router"), node("pc1"), node("pc2"), node("pc3", address="10.0.0.3")]
    nodes[3] = replace(nodes[3], interfaces=())
    resolved = {f"10.0.0.{n}": (mac(f"pc{n}"), "LAN1") for n in (1, 2, 3)}
    links = recover(nodes, [Survey("gw", NOW, resolved=resolved)]).links
    assert [(link.device, link.port, link.remote, link.how, link.via) for link in links] == [
        ("gw", "LAN1", f"pc{n}", "arp", "") for n in (1, 2, 3)
    ]


def test_a_proxy_is_nobody() -> None:
    """One address that answers for several others is not taken for any of them."""
    nodes = [node("gw", "router"), *(replace(node(f"pc{n}", address=f"10.0.0.{n}"), interfaces=()) for n in (1, 2))]
    resolved = {f"10.0.0.{n}": ("3c:d9:2b:00:00:01", "LAN1") for n in (1, 2)}
    assert recover(nodes, [Survey("gw", NOW, resolved=resolved)]).links == ()


def test_others_units_are_placed_where_seen_and_never_guessed() -> None:
    """A machine of another unit on one of our switches is linked; one that is only somewhere above is not."""
    office = small()
    home = [replace(one, unit="a") for one in office.nodes()]
    guests = [node("near", unit="b"), node("far", unit="b")]
    surveys = []
    for survey in office.surveys():
        at = "p14" if survey.device == "sw0" else "p1"
        surveys.append(replace(survey, heard=(*survey.heard, Heard(mac("near"), at), Heard(mac("far"), "p1"))))
    hanging = found(recover([*home, *guests], surveys, "a"))
    assert hanging["near"] == ("sw0", "p14", False)
    assert "far" not in hanging


def test_without_a_router_the_switch_most_others_hear_is_the_top() -> None:
    """A carrier's router that nobody may ask: the tree still stands, on one of the switches."""
    office = small()
    nodes = [one for one in office.nodes() if one.id != "gw"]
    topology = recover(nodes, office.surveys())
    assert topology.root in ("sw0", "sw1")
    assert {frozenset((link.device, link.remote)) for link in topology.links if link.remote.startswith("sw")} == {
        frozenset(("sw0", "sw1"))
    }
    assert found(topology)["pc3"][:2] == ("sw1", "p7")


def test_nothing_is_known_of_nothing() -> None:
    """Without surveys there are no links, and no error."""
    assert recover([node("pc1")], []) == Topology("", (), {})
    assert recover([], []) == Topology("", (), {})


def test_parents_take_the_first_link_of_a_device() -> None:
    """A device with two cables hangs on one of them; strangers hang on nothing."""
    links = [Link("a", "1", "b"), Link("c", "2", "b"), Link("a", "3", "", name="00:11:22:33:44:55"), Link("b", "1", "a")]
    assert parents(links) == {"b": "a"}
