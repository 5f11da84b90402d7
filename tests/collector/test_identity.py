from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from collector.estate.evidence import Evidence, gather
from collector.estate.identity import AGREES, CONTRADICTS, Decision, Known, Sighting, Verdict, match, pack, weigh

HOUR = 3600.0
DAY = 24 * HOUR
UUID = "4c4c4544-0031-3510-8052-b4c04f4a3332"
OTHER_UUID = "9a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9"
PC = {
    "serial": "5CG0123ABC", "board": "PFKJD0A1B2C3", "disk": "S3Z8NB0K712345", "mac": "00:1b:21:01:02:03", "uuid": UUID,
    "machine": "0a1b2c3d4e5f60718293a4b5c6d7e8f9", "engine": "80001f8880e2f1a7b3c45d6e", "name": "ketoan-01",
    "model": "OptiPlex 3080",
}  # fmt: skip
BARE = {**PC, "serial": "To be filled by O.E.M.", "board": "Default string", "disk": ""}
SECOND = {
    "serial": "5CG0999XYZ", "board": "PFKJD0Z9Y8X7", "disk": "S3Z8NB0K799999", "mac": "00:1b:21:0a:0b:0c", "uuid": OTHER_UUID,
    "machine": "ffeeddccbbaa00112233445566778899", "engine": "80001f8880aabbccddeeff01", "name": "ketoan-02",
    "model": "OptiPlex 3080",
}  # fmt: skip


def seen(
    said: dict[str, str], time: float = DAY, source: str = "d2", unit: str = "office", address: str = "10.0.0.9"
) -> Evidence:
    return gather(source, time, unit, address, {kind: text.split(",") for kind, text in said.items()})


def known(*machines: dict[str, str], time: float = 0.0, unit: str = "office") -> Known:
    """Machines 1, 2, ... seen from devices d1, d2, ... at 10.0.0.1, 10.0.0.2, ..."""
    found = Known()
    for number, said in enumerate(machines, 1):
        values = pack(seen(said).values)
        found.add(Sighting(number, number, f"m{number}", unit, f"10.0.0.{number}", time, values))
    return found


def verdict(said: dict[str, str], *machines: dict[str, str], **where: str | float) -> Verdict:
    return match(seen(said, **where), known(*machines)).verdict  # type: ignore[arg-type]


def without(said: dict[str, str], *kinds: str) -> dict[str, str]:
    return {kind: text for kind, text in said.items() if kind not in kinds}


def test_the_same_machine_elsewhere() -> None:
    """A machine that moved to another office, address and name is the same, with a serial or without."""
    for said in (PC, BARE):
        assert verdict({**said, "name": "mot-cua-07"}, said, unit="annex", address="10.9.9.9") is Verdict.SAME
    assert verdict(SECOND, PC) is Verdict.NEW


def test_changed_cards() -> None:
    """All network cards changed: the serial, the board's or the disk's decides; without any of them a person is asked."""
    cards = "00:1b:21:77:88:99"
    assert verdict({**PC, "mac": cards}, PC) is Verdict.SAME
    assert verdict({**BARE, "mac": cards, "disk": PC["disk"]}, {**BARE, "disk": PC["disk"]}) is Verdict.SAME
    assert verdict({**BARE, "mac": cards}, BARE) is Verdict.ASK


def test_cloned_disks() -> None:
    """A machine whose disk is a copy, UUID and name included, is never merged; without serials a person is asked."""
    image = {kind: PC[kind] for kind in ("uuid", "machine", "engine", "name")}
    assert verdict({**SECOND, **image}, PC) is Verdict.NEW
    bare = {**without(SECOND, "serial", "board", "disk"), **image}
    assert verdict(bare, without(PC, "serial", "board", "disk")) is Verdict.ASK
    found = known(PC, {**SECOND, **image})
    third = {**without(SECOND, "serial", "board", "disk"), **image, "mac": "00:1b:21:33:33:33", "name": "ketoan-03"}
    assert match(seen(third), found).verdict is Verdict.NEW


def test_placeholders_join_nobody() -> None:
    """Machines with the same "To be filled by O.E.M." and the same example UUID are not the same."""
    oem = {"serial": "To be filled by O.E.M.", "uuid": "03000200-0400-0500-0006-000700080009", "model": "System Product Name"}
    assert verdict({**oem, "mac": SECOND["mac"], "name": "a-1"}, {**oem, "mac": PC["mac"], "name": "a-2"}) is Verdict.NEW


def test_docking_stations() -> None:
    """A dock's address makes no two notebooks one, and once two had it, it counts for nothing."""
    dock = "00:50:b6:12:34:56"
    one, two = (
        {**BARE, "mac": f"{PC['mac']},{dock}"},
        {**SECOND, "serial": "", "board": "", "disk": "", "mac": f"{SECOND['mac']},{dock}"},
    )
    assert verdict(two, one) is Verdict.NEW
    third = {"mac": dock, "name": "ketoan-05"}
    assert match(seen(third), known(one, two)).verdict is Verdict.NEW


def test_replaced_board() -> None:
    """A new board brings serial, UUID and addresses of its own; disk, installation and name still make a person asked."""
    repaired = {**SECOND, "disk": PC["disk"], "machine": PC["machine"], "engine": PC["engine"], "name": PC["name"]}
    assert verdict(repaired, PC) is Verdict.ASK
    assert "repair" in [reason.kind for reason in match(seen(repaired), known(PC)).reasons]


def test_stacks() -> None:
    """A stack whose master changed is the same; a member that became a switch of its own beside it is not."""
    macs = [f"00:1b:21:00:{member:02x}:{port:02x}" for member in (1, 2) for port in range(1, 25)]
    stack = {"serial": "FOC1111A111,FOC2222B222", "mac": ",".join(macs), "name": "sw-core", "model": "C9200"}
    assert verdict({**stack, "serial": "FOC2222B222,FOC3333C333"}, stack) is Verdict.SAME
    member = {"serial": "FOC2222B222", "mac": ",".join(macs[24:]), "name": "sw-annex", "model": "C9200"}
    found = known(stack)
    found.renew(found.sightings(1)[0], replace(seen({**stack, "serial": "FOC1111A111", "mac": ",".join(macs[:24])}), source="m1"))
    assert match(seen(member, time=DAY + 60, address="10.0.0.50"), found).verdict is Verdict.NEW


def test_two_addresses_of_one_router() -> None:
    """A router asked under two addresses at the same time is one machine."""
    router = {"serial": "FOC4444D444", "mac": "00:1b:21:05:00:01,00:1b:21:05:00:02", "name": "rtr-1"}
    assert match(seen(router, time=30.0), known(router)).verdict is Verdict.SAME


def test_what_a_crowd_says() -> None:
    """When dozens of addresses give the same serial at the same time, it is no machine's serial: they are not all joined."""
    found = Known()
    machines: dict[int, int] = {}
    for number in range(100):
        said = {"serial": "SN0000TEST99", "mac": PC["mac"], "model": "GS108"}
        evidence = seen(said, time=float(number), source=f"d{number}", address=f"10.0.0.{number}")
        decision = match(evidence, found)
        machine = decision.machine if decision.verdict is Verdict.SAME and decision.machine else number + 1
        found.add(Sighting(number, machine, evidence.source, "office", evidence.address, evidence.time, pack(evidence.values)))
        machines[machine] = machines.get(machine, 0) + 1
    assert max(machines.values()) < 20
    assert len(machines) > 50


def test_a_claimed_serial_steals_nothing() -> None:
    """A device that claims another machine's serial is not taken for it: not while that one answers elsewhere, whatever name the
    claim bears, and not by the serial alone when it is off; and the machine itself is recognised as before."""
    claim = {"serial": PC["serial"], "mac": SECOND["mac"], "model": PC["model"]}
    for name in (PC["name"], SECOND["name"]):
        assert match(seen({**claim, "name": name}, time=60.0), known(PC)).verdict is not Verdict.SAME
    assert verdict({**claim, "name": SECOND["name"]}, PC) is Verdict.ASK
    found = known(PC)
    for number in range(20):
        liar = seen({**claim, "name": f"liar-{number}"}, source=f"l{number}", address=f"10.0.1.{number}", time=60.0)
        found.add(Sighting(100 + number, 100 + number, liar.source, "office", liar.address, 60.0, pack(liar.values)))
    moved = match(seen({**PC, "name": "mot-cua-07"}, unit="annex", address="10.9.9.9"), found)
    assert (moved.verdict, moved.machine) == (Verdict.SAME, 1)


def test_the_rules_are_written_for_people() -> None:
    """docs/identity.md has every rule with its points and reasons."""
    text = (Path(__file__).parents[2] / "docs" / "identity.md").read_text(encoding="utf-8")
    for kind in {**AGREES, **CONTRADICTS}:
        agrees, differs = (
            "" if kind not in rules else f"{rules[kind].points:+g} | {rules[kind].why}" for rules in (AGREES, CONTRADICTS)
        )
        assert f"| `{kind}` | {agrees or '|'} | {differs or '|'} |" in text


def test_a_device_replaced_in_its_place() -> None:
    """Another printer at the same address of the settings is another machine; the same printer renamed is not."""
    printer = {"serial": "VNB3K12345", "mac": "3c:52:82:11:22:33", "name": "npi112233", "model": "LaserJet 404"}
    fresh = {"serial": "VNB3K99999", "mac": "3c:52:82:44:55:66", "name": "npi445566", "model": "LaserJet 404"}
    assert verdict(fresh, printer, source="m1", address="10.0.0.1") is Verdict.NEW
    assert verdict({**printer, "name": "phong-mot-cua"}, printer, source="m1", address="10.0.0.1") is Verdict.SAME


def test_a_device_that_says_nothing() -> None:
    """What gives no evidence is the machine the settings say it is, and matches nobody else."""
    assert verdict({}, {}, source="m1") is Verdict.SAME
    assert verdict({}, {}, PC) is Verdict.NEW


def test_as_near_to_two() -> None:
    """When two machines come equally near, a person is asked."""
    one = {"serial": "5CG0123ABC", "name": "a-1"}
    two = {"mac": PC["mac"], "uuid": UUID, "name": "a-1"}
    decision = match(seen({"serial": "5CG0123ABC", "mac": PC["mac"], "uuid": UUID, "name": "a-1"}), known(one, two))
    assert decision.verdict is Verdict.ASK
    assert decision.reasons[-1].kind == "second"


def test_former_values_count_less() -> None:
    """What a machine no longer says still speaks for it, but less than what it says."""
    found = known({"mac": PC["mac"], "uuid": UUID})
    before = weigh(seen({"mac": PC["mac"]}), 1, found)
    found.renew(found.sightings(1)[0], replace(seen({"mac": SECOND["mac"]}), source="m1"))
    after = weigh(seen({"mac": PC["mac"]}), 1, found)
    assert 0 < after.points < before.points
    assert found.sightings(1)[0].said["uuid"]  # it was not asked for this time: still said


def test_set_apart() -> None:
    """Machines a person set apart are not joined, whatever speaks for it."""
    found = known(PC, {**PC, "serial": ""})
    evidence = replace(seen(PC), source="m2", address="10.0.0.2")
    assert match(evidence, found).machine == 1
    found.set_apart(2, 1)
    assert match(evidence, found).machine == 2


def test_reasons_add_up() -> None:
    """A decision's points are the sum of its reasons, each readable."""
    decision = match(seen({**PC, "mac": SECOND["mac"]}), known(PC))
    assert decision.points == sum(reason.points for reason in decision.reasons)
    assert str(decision.reasons[0]) == "+10 serial: 5CG0123ABC"
    assert "-4 mac: 001b210a0b0c is not 001b21010203" in map(str, decision.reasons)


TEXTS = {
    "serial": st.sampled_from(["", "5CG0123ABC", "5CG0999XYZ"]),
    "mac": st.sampled_from(["", PC["mac"], SECOND["mac"]]),
    "uuid": st.sampled_from(["", UUID, OTHER_UUID]),
    "machine": st.sampled_from(["", PC["machine"], SECOND["machine"]]),
    "engine": st.sampled_from(["", PC["engine"]]),
    "name": st.sampled_from(["", "ketoan-01", "ketoan-02"]),
}
SAID = st.fixed_dictionaries(TEXTS)
MACHINES = st.lists(SAID, max_size=5)


@given(SAID, MACHINES)
def test_real_serials_that_differ_are_never_joined(said: dict[str, str], machines: list[dict[str, str]]) -> None:
    """Whatever else agrees, a machine with another real serial is not the same (without the settings saying so)."""
    decision = match(seen(said), known(*machines))
    if decision.verdict is Verdict.SAME and said["serial"] and decision.machine is not None:
        assert machines[decision.machine - 1]["serial"] in ("", said["serial"])


@given(SAID, MACHINES)
def test_an_image_alone_is_never_enough(said: dict[str, str], machines: list[dict[str, str]]) -> None:
    """Without a common serial or address no two sightings become one machine."""
    decision = match(seen(said), known(*machines))
    if decision.verdict is Verdict.SAME and decision.machine is not None:
        machine = machines[decision.machine - 1]
        assert any(said[kind] and said[kind] == machine[kind] for kind in ("serial", "mac"))


@given(SAID, MACHINES, st.randoms())
def test_order_does_not_matter(said: dict[str, str], machines: list[dict[str, str]], random: object) -> None:
    """The verdict does not depend on the order in which machines became known."""
    numbered = list(enumerate(machines, 1))
    random.shuffle(numbered)  # type: ignore[attr-defined]
    shuffled = Known()
    for number, one in numbered:
        shuffled.add(Sighting(number, number, f"m{number}", "office", f"10.0.0.{number}", 0.0, pack(seen(one).values)))
    first, second = match(seen(said), known(*machines)), match(seen(said), shuffled)
    assert (first.verdict, first.points) == (second.verdict, second.points)


@given(MACHINES.filter(len), SAID)
def test_taking_out_leaves_nothing(machines: list[dict[str, str]], said: dict[str, str]) -> None:
    """A sighting that was changed and taken out leaves no trace in what matching looks up."""
    found = known(*machines)
    sightings: Iterable[Sighting] = [one for machine in list(found.machines()) for one in found.sightings(machine)]
    for one in sightings:
        found.renew(one, replace(seen(said), source=one.source))
    for one in sightings:
        found.remove(one)
    assert len(found) == 0
    assert all(not found.holders(kind, value) for kind, values in seen(said).values.items() for value in values)
    assert match(seen(said), found) == Decision(Verdict.NEW, None, 0.0, ())
