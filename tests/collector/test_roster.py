"""The roster: what is put in comes out, by device, unit and address, and takes little room."""

from __future__ import annotations

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from collector.estate.directory import Node
from collector.estate.roster import FEW, Roster
from collector.model import Device, Facts, Interface, Neighbour, Survey

KINDS = ("switch", "router")


def device(id: str, unit: str = "xa-1") -> Device:
    return Device(id, f"10.0.0.{id[-1]}", 161, "v2c", unit)


def ports(count: int, start: int = 0) -> tuple[Interface, ...]:
    return tuple(
        Interface(
            n, f"Gi0/{n}", f"alias {n}", f"GigabitEthernet0/{n}", 6, (0x3CD92B000000 + start + n).to_bytes(6, "big").hex(":")
        )
        for n in range(1, count + 1)
    )


def switch(count: int = 4, start: int = 0) -> Facts:
    return Facts(kind="switch", name="Tủ mạng", interfaces=ports(count, start), neighbours=(Neighbour("Gi0/1", "core", "1/1"),))


def test_a_device_of_the_network_is_kept_whole() -> None:
    """Ports with all that they are called, and neighbours; of others only the ports with an address."""
    roster = Roster(KINDS)
    roster.add(device("sw1"), switch())
    roster.add(device("pc1"), Facts(kind="workstation", name="pc", interfaces=(*ports(1, 100), Interface(2, "lo"))))
    facts = switch()
    assert roster.node("sw1") == Node("sw1", "switch", "Tủ mạng", "10.0.0.1", "xa-1", facts.interfaces, facts.neighbours)
    assert [port.name for port in roster.node("pc1").interfaces] == ["Gi0/1"]
    assert (roster.of_network("sw1"), roster.of_network("pc1"), roster.network) == (True, False, 1)
    assert set(roster) == {"sw1", "pc1"}


def test_addresses_lead_to_their_devices() -> None:
    """Of a large switch only what it calls its own: its ports send hardly anything themselves."""
    roster = Roster(KINDS)
    roster.add(device("sw1"), switch(FEW + 1))
    roster.add(device("gw1"), switch(FEW, 50))
    assert roster.owners([one.mac for one in ports(3)]) == set()
    assert roster.owners([one.mac for one in ports(3, 50)]) == {"gw1"}
    roster.heard(Survey("sw1", 0.0, frozenset(["00:1b:54:00:00:01"])))
    assert roster.owners(["00:1b:54:00:00:01", "00:00:00:00:00:09"]) == {"sw1"}


def test_what_is_known_of_a_device_is_replaced_and_forgotten() -> None:
    """A device has one unit; one that is gone is nobody's, nor are its addresses."""
    roster = Roster(KINDS)
    roster.add(device("sw1"), switch())
    roster.add(device("sw1", "xa-2"), switch())
    assert (roster.unit("xa-1"), roster.unit("xa-2"), roster.network) == (set(), {"sw1"}, 1)
    roster.remove("sw1")
    roster.remove("sw1")
    assert "sw1" not in roster
    assert (roster.unit("xa-2"), roster.network, roster.owners([one.mac for one in ports(4)])) == (set(), 0, set())


@given(
    st.lists(st.tuples(st.sampled_from(["a1", "b2", "c3"]), st.sampled_from(["x", "y", ""]), st.sampled_from(["switch", "ups"])))
)
def test_units_and_counts_never_drift(orders: list[tuple[str, str, str]]) -> None:
    """Whatever comes and goes, each device stands in one unit, and those of the network are counted right."""
    roster = Roster(KINDS)
    expected: dict[str, tuple[str, str]] = {}
    for id, unit, kind in orders:
        if unit:
            roster.add(device(id, unit), Facts(kind=kind))
            expected[id] = unit, kind
        else:
            roster.remove(id)
            expected.pop(id, None)
    assert {id: (unit, roster.node(id).kind) for unit in "xy" for id in roster.unit(unit)} == expected
    assert roster.network == sum(kind == "switch" for _, kind in expected.values())


def test_a_switch_takes_little_room() -> None:
    """A switch of 52 ports stays below 3 KB."""
    roster = Roster(KINDS)
    facts = [switch(52, 64 * n) for n in range(200)]
    tracemalloc.start()
    for n, one in enumerate(facts):
        roster.add(device(f"sw{n}"), one)
    used = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert used / len(facts) < 3000
