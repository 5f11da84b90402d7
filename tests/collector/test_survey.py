"""Surveys: bridge ports, filtering databases, VLANs and LLDP's port numbers are told apart, on devices of every kind."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import offices
import peers
import pytest
from catalysts import Catalyst
from devices import listening, responder, silent, system
from loopback import served
from virtual import run

from collector.model import Beside, Heard, Interface, Neighbour, Survey
from collector.polling import survey as module
from collector.polling.bridge import members
from collector.polling.survey import survey
from snmp import ber, message
from snmp.access import CommunityAccess
from snmp.client import Client, Target
from snmp.errors import Timeout
from snmp.message import VarBind
from snmp.oid import OID
from snmp.security import Community
from snmp.tree import Tree
from snmp.usm import User

BRIDGE = (1, 3, 6, 1, 2, 1, 17)
LLDP = (1, 0, 8802, 1, 1, 2, 1)
CISCO = (1, 3, 6, 1, 4, 1, 9, 9)
PC1, PC2, GROUP, OWN = "3c:d9:2b:00:00:01", "3c:d9:2b:00:00:02", "01:00:5e:00:00:01", "00:1b:54:00:00:01"
Cell = tuple[OID, int, ber.Value]
USER = User(b"hai-dang", "SHA-1", b"authentication", "AES-128", b"privacy-secret")


def octets(mac: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(mac.replace(":", "")))


def integers(prefix: tuple[int, ...], rows: Mapping[tuple[int, ...], int]) -> Iterable[Cell]:
    return [(OID((*prefix, *index)), ber.INTEGER, value) for index, value in rows.items()]


def texts(prefix: tuple[int, ...], rows: Mapping[tuple[int, ...], bytes]) -> Iterable[Cell]:
    return [(OID((*prefix, *index)), ber.OCTET_STRING, value) for index, value in rows.items()]


def base(ports: Mapping[int, int]) -> Iterable[Cell]:
    """dot1dBasePortIfIndex."""
    return integers((*BRIDGE, 1, 4, 1, 2), {(port,): index for port, index in ports.items()})


def plain(entries: Mapping[str, int], state: int = 3) -> list[Cell]:
    """dot1dTpFdbTable."""
    rows = {octets(mac): port for mac, port in entries.items()}
    return [
        *integers((*BRIDGE, 4, 3, 1, 2), rows), *integers((*BRIDGE, 4, 3, 1, 3), dict.fromkeys(rows, state))
    ]  # fmt: skip


def by_database(entries: Mapping[tuple[int, str], int]) -> list[Cell]:
    """dot1qTpFdbTable."""
    rows = {(database, *octets(mac)): port for (database, mac), port in entries.items()}
    return [*integers((*BRIDGE, 7, 1, 2, 2, 1, 2), rows), *integers((*BRIDGE, 7, 1, 2, 2, 1, 3), dict.fromkeys(rows, 3))]


def interfaces(first: int = 1, count: int = 12, name: str = "Gi0/{}") -> list[Interface]:
    """Ethernet ports by ifIndex."""
    return [Interface(first + n, name.format(n + 1), type=6) for n in range(count)]


def asked(
    cells: Iterable[Cell],
    ports: list[Interface],
    *,
    credential: Community | User | None = None,
    contexts: Mapping[bytes, Iterable[Cell]] | None = None,
    neighbours: Sequence[Neighbour] = (),
    delay: float = 0.0,
) -> tuple[Survey, int]:
    """The survey of a device that has these objects, and how many requests it took."""
    trees = {name: Tree.of([(OID(oid), tag, value) for oid, tag, value in some]) for name, some in (contexts or {}).items()}
    named = credential or Community(b"public")

    async def work() -> tuple[Survey, int]:
        agent = responder(system(more=cells), [USER] if isinstance(named, User) else [], contexts=trees)
        for name in trees:
            agent._communities[b"public@" + name] = CommunityAccess(b"public@" + name, context=name)
        async with listening(agent.answer) as device:
            device.delay = delay
            client = Client()
            try:
                found = await survey(
                    client, Target(device.host, device.port, named, timeout=0.5, retries=1), "sw", ports, neighbours
                )
            finally:
                client.close()
            return found, device.requests()

    return run(work)


def test_a_bridge_port_is_no_ifindex() -> None:
    """Port 3 of the forwarding table is the interface that dot1dBasePortIfIndex says, whatever has ifIndex 3."""
    found, _ = asked([*base({3: 10003}), *plain({PC1: 3})], [*interfaces(), *interfaces(10001, name="Fa0/{}")])
    assert found.heard == (Heard(PC1, "Fa0/3"),)
    assert found.bridges
    assert not found.missed


def test_a_device_without_tables_costs_little_and_says_nothing() -> None:
    """What a device does not have costs one question; a router that forwards nothing is no bridge."""
    found, requests = asked([], interfaces())
    assert (found.bridges, found.heard, found.beside, found.missed) == (False, (), (), "")
    assert requests <= 4


@pytest.mark.parametrize(
    ("ports", "used", "expected"),
    [
        (interfaces(49153), {1, 12}, {1: "Gi0/1", 12: "Gi0/12"}),
        (interfaces(), {2, 3}, {2: "Gi0/2", 3: "Gi0/3"}),
        (interfaces(501), {505, 506}, {505: "Gi0/5", 506: "Gi0/6"}),
        (interfaces(3), {4, 5}, {}),
        (interfaces(49153), {1, 40}, {}),
        (interfaces(501), {501, 40}, {}),
    ],
    ids=["numbered from one", "ifIndex from one", "ifIndex", "either", "neither", "one of them"],
)
def test_ports_without_a_base_table_are_told_only_where_one_reading_fits(
    ports: list[Interface], used: set[int], expected: dict[int, str]
) -> None:
    """Agents without dot1dBasePortTable number from 1 or by ifIndex; where both would do, or neither, nothing is told."""
    macs = {f"3c:d9:2b:00:01:{port % 256:02x}": port for port in used}
    found, _ = asked(plain(macs), ports)
    assert {one.mac: one.port for one in found.heard} == {mac: expected[port] for mac, port in macs.items() if port in expected}
    assert bool(found.missed) is not bool(expected)


def test_a_base_table_of_ports_nobody_uses_is_none() -> None:
    """TP-Link's dot1dBasePortTable has ifIndices for bridge ports, and its forwarding table counts from 1: the nth port is meant,
    the VLAN's interface at ifIndex 1 is not."""
    ports = [Interface(1, "Vlan-interface1", type=6), *interfaces(49153)]
    same = {one.index: one.index for one in ports[1:]}
    found, _ = asked([*base(same), *by_database({(1, PC1): 1, (1, PC2): 12})], ports)
    assert [one.port for one in found.heard] == ["Gi0/1", "Gi0/12"]
    assert not found.missed


def test_huaweis_own_table_is_read() -> None:
    """Where the standard tables are empty, hwDynFdbPort tells interface and VLAN."""
    rows = {(*octets(PC1), 10, 1, 48): 10003, (*octets(GROUP), 10, 1, 48): 10003, (*octets(PC2), 20, 0): 7}
    found, _ = asked(integers((1, 3, 6, 1, 4, 1, 2011, 5, 25, 42, 2, 1, 3, 1, 4), rows), interfaces(10001))
    assert found.heard == (Heard(PC1, "Gi0/3", 10),)
    assert found.bridges


def test_neighbours_by_the_makers_own_tables_are_taken_from_the_facts() -> None:
    """MNDP, or LLDP's second MIB: what the facts have of ports that LLDP and CDP do not tell of, the address in one form."""
    facts = [
        Neighbour("Gi0/2", "core", "ether1", "3C-D9-2B-00-00-01", "mndp"), Neighbour("Gi0/1", "core", "", "", "mndp"),
        Neighbour("elsewhere", "core"),
    ]  # fmt: skip
    found, _ = asked(lldp([], 1), interfaces(), neighbours=facts)
    assert [(one.port, one.protocol, one.id, one.ports) for one in found.beside] == [
        ("Gi0/1", "lldp", OWN, ("Te1/1",)), ("Gi0/2", "mndp", PC1, ("ether1",))
    ]  # fmt: skip


def test_an_object_too_big_for_an_answer_is_no_end() -> None:
    """A list of ports longer than an answer may be: said, and everything else is read."""
    huge = texts((*BRIDGE, 7, 1, 4, 3, 1, 2), {(10,): bytes(1500)})
    found, _ = asked([*base({1: 1}), *plain({PC1: 1}), *huge], interfaces())
    assert found.heard == (Heard(PC1, "Gi0/1"),)
    assert "1.3.6.1.2.1.17.7.1.4.3.1.2" in found.missed


def test_a_filtering_database_is_no_vlan() -> None:
    """dot1qVlanFdbId says which VLAN a database is of; one that several VLANs share tells none."""
    current = integers((*BRIDGE, 7, 1, 4, 2, 1, 3), {(0, 10): 1, (0, 20): 2, (0, 30): 2})
    table = by_database({(1, PC1): 1, (2, PC2): 2})
    found, _ = asked([*base({1: 1, 2: 2}), *table, *current], interfaces())
    assert found.heard == (Heard(PC1, "Gi0/1", 10), Heard(PC2, "Gi0/2", None))


def test_databases_count_as_vlans_only_where_each_is_one() -> None:
    """An agent that does not say numbers databases like VLANs: believed when there is a VLAN for each, else not told."""
    names = texts((*BRIDGE, 7, 1, 4, 3, 1, 2), {(10,): b"\0", (20,): b"\0"})
    right, _ = asked([*base({1: 1}), *by_database({(10, PC1): 1, (20, PC2): 1}), *names], interfaces())
    assert [one.vlan for one in right.heard] == [10, 20]
    wrong, _ = asked([*base({1: 1}), *by_database({(10, PC1): 1, (3, PC2): 1}), *names], interfaces())
    assert [one.vlan for one in wrong.heard] == [None, None]


def test_an_index_without_a_database_is_read() -> None:
    """Some agents leave the database out of dot1qTpFdbPort's index: the address is right all the same, the VLAN not told."""
    rows = {octets(PC1): 4}
    found, _ = asked([*base({4: 4}), *integers((*BRIDGE, 7, 1, 2, 2, 1, 2), rows)], interfaces())
    assert found.heard == (Heard(PC1, "Gi0/4", None),)


def test_own_dying_and_group_addresses_are_nobody() -> None:
    """The switch's own addresses are known for its own; entries being removed, groups and port 0 are left out."""
    cells = [
        *base({1: 1}), *plain({OWN: 1}, state=4), *plain({PC1: 1}, state=2), *plain({GROUP: 1, "3c:d9:2b:00:00:09": 0}),
        *plain({PC2: 1}),
    ]  # fmt: skip
    found, _ = asked(cells, interfaces())
    assert found.heard == (Heard(PC2, "Gi0/1"),)
    assert OWN in found.macs


def test_trunks_are_told_from_access_ports() -> None:
    """A port that is in a VLAN's egress but not in its untagged ports carries tags; dot1qPvid is the VLAN of the others."""
    egress = texts((*BRIDGE, 7, 1, 4, 2, 1, 4), {(0, 10): b"\xe0", (0, 20): b"\x80"})
    untagged = texts((*BRIDGE, 7, 1, 4, 2, 1, 5), {(0, 10): b"\xe0", (0, 20): b"\0"})
    pvid = integers((*BRIDGE, 7, 1, 4, 5, 1, 1), {(1,): 10, (2,): 10, (3,): 10})
    found, _ = asked([*base({1: 1, 2: 2, 3: 3}), *plain({PC1: 2}), *egress, *untagged, *pvid], interfaces())
    assert found.trunks == {"Gi0/1"}
    assert found.vlans == {"Gi0/1": 10, "Gi0/2": 10, "Gi0/3": 10}
    assert members(VarBind(OID((1, 3)), ber.OCTET_STRING, b"\x80\x01")) == {1, 16}


VLANS = integers((*CISCO, 46, 1, 3, 1, 1, 2), {(1, 1): 1, (1, 10): 1, (1, 20): 1, (1, 30): 2, (1, 1002): 1})
MEMBERSHIP = integers((*CISCO, 68, 1, 2, 2, 1, 2), {(10001,): 10, (10002,): 20, (10003,): 20})
TRUNK = integers((*CISCO, 46, 1, 6, 1, 1, 14), {(10003,): 1, (10001,): 2})


@pytest.mark.parametrize("credential", [Community(b"public"), USER], ids=["community@10", "vlan-10"])
def test_a_catalyst_is_asked_vlan_by_vlan(credential: Community | User) -> None:
    """Each VLAN's table is a context of its own, port numbers included; VLANs that are down, or reserved, are not asked."""
    prefix = "vlan-" if isinstance(credential, User) else ""
    contexts = {
        f"{prefix}1".encode(): [*base({1: 10003})],
        f"{prefix}10".encode(): [*base({7: 10001}), *plain({PC1: 7})],
        f"{prefix}20".encode(): [*base({7: 10002}), *plain({PC2: 7})],
    }
    found, _ = asked([*VLANS, *MEMBERSHIP, *TRUNK], interfaces(10001, name="Fa0/{}"), credential=credential, contexts=contexts)
    assert found.heard == (Heard(PC1, "Fa0/1", 10), Heard(PC2, "Fa0/2", 20))
    assert found.bridges
    assert (found.trunks, found.vlans) == ({"Fa0/3"}, {"Fa0/1": 10, "Fa0/2": 20})
    assert not found.missed


def test_a_catalyst_that_knows_no_contexts_is_soon_left_alone() -> None:
    """No answer to the communities of three VLANs: that is said, the others are spared, what it says without one counts."""
    vlans = integers((*CISCO, 46, 1, 3, 1, 1, 2), {(1, vlan): 1 for vlan in range(1, 600)})
    found, requests = asked([*vlans, *base({1: 10001}), *plain({PC1: 1})], interfaces(10001, name="Fa0/{}"))
    assert found.heard == (Heard(PC1, "Fa0/1"),)
    assert found.missed.endswith("596 of 599 VLANs not asked for")
    assert requests < 60


def test_the_switchs_own_vlan_is_asked_for_among_the_first() -> None:
    """The VLAN of an interface called Vlan4000, in which switches have their addresses, is no less asked for than one with
    ports."""
    vlans = integers((*CISCO, 46, 1, 3, 1, 1, 2), {(1, vlan): 1 for vlan in (*range(1, 1001), 4000)})
    contexts = {str(vlan).encode(): base({}) for vlan in range(1, 1001)}
    contexts[b"4000"] = [*base({49: 10001}), *plain({PC1: 49})]
    ports = [*interfaces(10001, name="Gi0/{}"), Interface(4000, "Vlan4000", type=53)]
    found, requests = asked(vlans, ports, contexts=contexts)
    assert found.heard == (Heard(PC1, "Gi0/1", 4000),)
    assert found.missed == "745 of 1001 VLANs not asked for"
    assert requests < 400


def test_a_slow_catalyst_is_asked_for_vlans_for_a_while_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long each answer takes, the VLANs asked for in time are kept, and the rest are said."""
    monkeypatch.setattr(module, "VLANS_WITHIN", 0.04)
    vlans = integers((*CISCO, 46, 1, 3, 1, 1, 2), {(1, vlan): 1 for vlan in (10, 20)})
    contexts = {b"10": [*base({1: 10001}), *plain({PC1: 1})], b"20": [*base({1: 10001}), *plain({PC2: 1})]}
    found, _ = asked(vlans, interfaces(10001), contexts=contexts, delay=0.05)
    assert found.heard == (Heard(PC1, "Gi0/1", 10),)
    assert found.missed == "1 of 2 VLANs not asked for"


SNMPD = """
view all included .1
{communities}
group byvlan v2c byvlan
access byvlan vlan- any noauth prefix all none none
proxy -v 2c -c public {backend} .1.3.6.1.4.1.9
{contexts}
"""


@pytest.mark.parametrize("version", ["2c", "3"])
@pytest.mark.parametrize("known", [(10, 20), (20,), ()], ids=["all", "one of them", "none"])
def test_net_snmps_contexts_are_read(version: str, known: tuple[int, ...]) -> None:
    """A real snmpd with contexts of some VLANs is read as a Catalyst is; those that it does not have are said."""
    catalyst = Catalyst("sw1", {10: {"pc1": 3}, 20: {"pc2": 5}}, {3: 10, 5: 20})
    user = peers.User(USER.name.decode(), USER.auth, USER.auth_secret.decode(), USER.priv, USER.priv_secret.decode())
    with served(catalyst.answer) as port:
        backend = f"127.0.0.1:{port}"
        config = SNMPD.format(
            backend=backend,
            communities="\n".join(f"com2sec -Cn vlan-{vlan} byvlan default public@{vlan}" for vlan in known),
            contexts="\n".join(f"proxy -Cn vlan-{v} -v 2c -c public@{v} {backend} .1.3.6.1.2.1.17" for v in known),
        )
        with peers.snmpd(users=[user], config=config) as snmpd:

            async def work() -> Survey:
                client = Client()
                credential = Community(b"public") if version == "2c" else USER
                target = Target(snmpd.host, snmpd.port, credential, timeout=1.0, retries=2)
                names = {"FastEthernet": "Fa", "GigabitEthernet": "Gi"}
                ports = [Interface(index, re.sub("|".join(names), lambda m: names[m[0]], name), type=6)
                         for index, name in catalyst.ports.items()]  # fmt: skip
                try:
                    return await survey(client, target, "sw1", ports)
                finally:
                    client.close()

            found = asyncio.run(work())
    heard = {10: Heard(offices.mac("pc1"), "Fa0/3", 10), 20: Heard(offices.mac("pc2"), "Fa0/5", 20)}
    assert found.heard == tuple(heard[vlan] for vlan in known)
    assert [f"VLAN {vlan}: " in found.missed for vlan in (10, 20)] == [vlan not in known for vlan in (10, 20)]


def test_contexts_that_v3_refuses_are_said() -> None:
    """A user who may not see the VLANs' contexts: said, one line a VLAN, and the rest of the survey stands."""
    found, _ = asked([*VLANS, *base({1: 10001})], interfaces(10001), credential=USER)
    assert "VLAN 10" in found.missed
    assert not found.bridges


def lldp(local: Iterable[Cell], number: int, name: bytes = b"core", port: bytes = b"Te1/1") -> list[Cell]:
    at = (0, number, 1)
    return [
        *local,
        *integers((*LLDP, 4, 1, 1, 4), {at: 4}), *texts((*LLDP, 4, 1, 1, 5), {at: bytes(octets(OWN))}),
        *integers((*LLDP, 4, 1, 1, 6), {at: 5}), *texts((*LLDP, 4, 1, 1, 7), {at: port}), *texts((*LLDP, 4, 1, 1, 9), {at: name}),
        *texts((*LLDP, 4, 1, 1, 12), {at: b"\x28\x00"}),
        *integers((*LLDP, 4, 2, 1, 3), {(*at, 1, 4, 10, 0, 0, 1): 2}),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("local", "number", "expected"),
    [
        ([(5, b"Gi0/7")], 40, "Gi0/7"),
        ([(5, b"GigabitEthernet0/7")], 40, "Gi0/7"),
        ([(3, bytes(octets("00:1b:54:00:00:07")))], 40, "Gi0/7"),
        ([(7, b"7")], 40, "Gi0/7"),
        ([], 7, "Gi0/7"),
        ([(7, b"99")], 99, ""),
    ],
    ids=["name", "long name", "address", "local ifIndex", "ifIndex", "unknown"],
)
def test_a_local_port_number_of_lldp_is_no_ifindex(local: list[tuple[int, bytes]], number: int, expected: str) -> None:
    """The port is the one the device names by subtype; a number alone counts only where nothing names it."""
    ports = [Interface(n, f"Gi0/{n}", mac=f"00:1b:54:00:00:{n:02x}", type=6) for n in range(1, 13)]
    rows = [cell for subtype, id in local for cell in (
        *integers((*LLDP, 3, 7, 1, 2), {(number,): subtype}), *texts((*LLDP, 3, 7, 1, 3), {(number,): id}))]  # fmt: skip
    found, _ = asked(lldp(rows, number), ports)
    assert [one.port for one in found.beside] == ([expected] if expected else [])
    assert bool(found.missed) is not bool(expected)
    if expected:
        assert found.beside[0] == Beside(expected, "lldp", OWN, "core", ("Te1/1",), "10.0.0.1", "bridge")


def test_a_local_port_number_is_a_bridge_port_where_there_are_any() -> None:
    """With a base port table and no name, the number is a bridge port, never the interface of that index."""
    found, _ = asked([*base({7: 3}), *plain({PC1: 7}), *lldp([], 7)], interfaces())
    assert [one.port for one in found.beside] == ["Gi0/3"]


def test_cdp_is_read() -> None:
    """A neighbour by CDP with its address, port and what it is."""
    at, cdp = (10001, 5), (*CISCO, 23, 1, 2, 1, 1)
    cells = [
        *integers((*cdp, 3), {at: 1}), *texts((*cdp, 4), {at: b"\x0a\0\0\x02"}), *texts((*cdp, 6), {at: b"SEP001122334455"}),
        *texts((*cdp, 7), {at: b"Port 1"}), *texts((*cdp, 9), {at: b"\0\0\x04\x90"}),
    ]  # fmt: skip
    found, _ = asked(cells, interfaces(10001, name="Fa0/{}"))
    assert found.beside == (Beside("Fa0/1", "cdp", "", "SEP001122334455", ("Port 1",), "10.0.0.2", "phone"),)


def test_both_tables_of_resolved_addresses_are_read() -> None:
    """ARP's old table and the one of both families; what is no station's address, or invalid, is left out."""
    old, new = (1, 3, 6, 1, 2, 1, 4, 22, 1), (1, 3, 6, 1, 2, 1, 4, 35, 1)
    six = (0xFE, 0x80, *(0,) * 13, 9)
    cells = [
        *texts((*old, 2), {(2, 10, 0, 0, 5): bytes(octets(PC1)), (2, 10, 0, 0, 6): bytes(6)}),
        *texts((*old, 2), {(2, 10, 0, 0, 7): bytes(octets(PC2))}),
        *integers((*old, 4), {(2, 10, 0, 0, 7): 2}),
        *texts((*new, 4), {(2, 2, 16, *six): bytes(octets(PC2))}),
    ]  # fmt: skip
    found, _ = asked(cells, interfaces())
    assert found.resolved == {"10.0.0.5": (PC1, "Gi0/2"), "fe80::9": (PC2, "Gi0/2")}


def test_what_both_ends_of_a_cable_can_is_read() -> None:
    """MAU-MIB's capability bits and LLDP's say how fast a port and its neighbour can; modes nobody knows say nothing."""
    mau, dot3 = (1, 3, 6, 1, 2, 1, 26, 5, 1, 1), (*LLDP, 5, 4623, 1)
    cells = [
        *texts((*mau, 9), {(1, 1): b"\x6c\x03", (2, 1): b"\x80\0"}), *texts((*mau, 11), {(1, 1): b"\x6c\0"}),
        *texts((*dot3, 3, 1, 1, 3), {(0, 3, 1): b"\0\x01"}),
    ]  # fmt: skip
    found, _ = asked(cells, interfaces())
    assert found.able == {"Gi0/1": 10**9}
    assert found.offered == {"Gi0/1": 10**8, "Gi0/3": 10**9}


def test_a_device_that_does_not_answer_is_an_error() -> None:
    """Silence is the caller's to judge: nothing is made of it."""

    async def work() -> None:
        async with listening(silent) as device:
            client = Client()
            try:
                await survey(client, Target(device.host, device.port, Community(b"public"), timeout=0.2, retries=0), "sw", [])
            finally:
                client.close()

    with pytest.raises(Timeout):
        run(work)


def test_a_table_that_cannot_be_read_does_not_hold_up_the_rest() -> None:
    """A device that answers everything but one table: said, and the others are there."""
    refused = OID((*BRIDGE, 7, 1, 4, 5))

    async def work() -> Survey:
        pvid = integers((*BRIDGE, 7, 1, 4, 5, 1, 1), {(1,): 10, (2,): 10})
        agent = responder(system(more=[*base({1: 1}), *plain({PC1: 1}), *pvid]))

        def answer(data: bytes, source: Any) -> bytes | None:
            _, _, pdu = message.decode_community(data)
            names = [binding.oid for binding in message.decode_varbinds(pdu.body)]  # type: ignore[union-attr]
            if len(names) < 5 and any(refused.covers(name) for name in names):
                return None
            return agent.answer(data, source)

        async with listening(answer) as device:
            client = Client()
            try:
                return await survey(
                    client, Target(device.host, device.port, Community(b"public"), timeout=0.2, retries=0), "sw", interfaces()
                )
            finally:
                client.close()

    found = run(work)
    assert found.heard == (Heard(PC1, "Gi0/1"),)
    assert "1.3.6.1.2.1.17.7.1.4.5" in found.missed


def test_one_question_at_a_time() -> None:
    """A survey never has two requests under way: it takes its place on the line behind the polls."""
    under_way = [0]
    most = [0]

    async def work() -> None:
        agent = responder(system(more=[*base({1: 1}), *plain({PC1: 1}), *lldp([], 1)]))

        def answer(data: bytes, source: Any) -> bytes | None:
            under_way[0] += 1
            most[0] = max(most[0], under_way[0])
            asyncio.get_running_loop().call_later(0.01, lambda: under_way.__setitem__(0, under_way[0] - 1))
            return agent.answer(data, source)

        async with listening(answer) as device:
            device.delay = 0.05
            client = Client()
            try:
                await survey(client, Target(device.host, device.port, Community(b"public")), "sw", interfaces())
            finally:
                client.close()

    run(work)
    assert most[0] == 1
