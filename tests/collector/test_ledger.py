from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from collector.estate.ledger import compare, flatten, place
from collector.model import Component, Device, Facts, Interface, Processor, Sensor, Storage, Supply

PORT = Interface(3, "Gi0/3", alias="room 12", type=6, speed_bps=10**9, duplex="full", oper="up", admin="up")


def test_paths() -> None:
    """Facts become paths that name the thing; what the device does not say has none."""
    facts = Facts(
        kind="switch",
        serial="FOC1",
        os_name="IOS",
        interfaces=(PORT,),
        components=(Component("Power 1", "powerSupply", serial="P1"),),
        storage=(Storage("C", 100, 50, "fixedDisk"),),
        processors=(Processor("1", 5.0), Processor("2", 6.0)),
        supplies=(Supply("toner", "Black", 40.0),),
    )
    assert flatten(facts) == {
        "kind": "switch",
        "serial": "FOC1",
        "os.name": "IOS",
        "processor.count": "2",
        "interface[Gi0/3].speed_bps": "1000000000",
        "interface[Gi0/3].duplex": "full",
        "interface[Gi0/3].alias": "room 12",
        "interface[Gi0/3].admin": "up",
        "interface[Gi0/3].type": "6",
        "component[Power 1].kind": "powerSupply",
        "component[Power 1].serial": "P1",
        "storage[C].size_bytes": "100",
        "storage[C].kind": "fixedDisk",
        "supply[Black].kind": "toner",
    }


def test_moving_values_are_no_facts() -> None:
    """Load, free space, toner, temperature, uptime and a port's up and down do not change the ledger."""
    one = Facts(
        uptime_seconds=1.0, interfaces=(PORT,), processors=(Processor("1", 5.0),), storage=(Storage("C", 100, 50),),
        sensors=(Sensor("celsius", "inlet", 20.0),), supplies=(Supply("toner", "Black", 40.0),),
        memory=(Storage("cached", 77, 77),),
    )  # fmt: skip
    two = replace(
        one, uptime_seconds=2.0, interfaces=(replace(PORT, oper="down"),), processors=(Processor("1", 9.0),),
        storage=(Storage("C", 100, 60),), sensors=(Sensor("celsius", "inlet", 21.0),),
        supplies=(Supply("toner", "Black", 39.0),), memory=(Storage("cached", 99, 99),),
    )  # fmt: skip
    assert flatten(one) == flatten(two)


def test_a_port_that_is_down_keeps_its_speed() -> None:
    """A port without link says nothing of speed and duplex: what was known holds; a slower link is a change."""
    known = {path: value for path, value in flatten(Facts(interfaces=(PORT,))).items() if value}
    down = replace(PORT, speed_bps=0, duplex="unknown")
    assert compare(known, flatten(Facts(interfaces=(down,)))) == ([], [])
    slow = compare(known, flatten(Facts(interfaces=(replace(PORT, speed_bps=10**8),))))
    assert slow == (["interface[Gi0/3].speed_bps"], [("interface[Gi0/3].speed_bps", "100000000")])
    assert len(compare(known, flatten(Facts())).ended) == 5


def test_names_that_repeat() -> None:
    """Things of the same name, or of none, are told apart."""
    facts = Facts(
        interfaces=(Interface(7, "", mac="a"), Interface(8, "lan", mac="b"), Interface(9, "lan", mac="c")),
        components=(Component("", "fan"), Component("", "disk")),
    )
    paths = [path for path, value in flatten(facts).items() if value]
    assert paths == [
        "interface[#7].mac",
        "interface[lan].mac",
        "interface[lan#2].mac",
        "component[#1].kind",
        "component[#2].kind",
    ]


def test_place() -> None:
    """The ledger dates a device's address, with its port when it is not SNMP's, and its unit."""
    assert place(Device("a", "10.0.0.1", 161, "c", "u")) == {"address": "10.0.0.1", "unit": "u"}
    assert place(Device("a", "fd00::1", 1161, "c", "u"))["address"] == "[fd00::1]:1161"


VALUES = st.text("ab", max_size=1)
PATHS = st.sampled_from("pqrst")


@given(st.dictionaries(PATHS, VALUES), st.dictionaries(PATHS, st.none() | VALUES), st.booleans())
def test_compare_leads_to_what_was_said(known: dict[str, str], said: dict[str, str | None], complete: bool) -> None:
    """Applying a difference to what was known gives what was said, and a second reading of the same changes nothing."""
    ended, begun = compare(known, said, complete)
    after = {path: value for path, value in known.items() if path not in ended} | dict(begun)
    assert len(set(ended)) == len(ended)
    assert all(path not in known or path in ended for path, _ in begun)
    for path, value in said.items():
        assert after.get(path) == (known.get(path) if value is None else value)
    if complete:
        assert after.keys() <= said.keys()
    else:
        assert known.keys() <= after.keys()
    assert compare(after, said, complete) == ([], [])
