from __future__ import annotations

import pytest
from hardware import WHOLE

from agent.inventory import rows
from agent.inventory.parts import Inventory
from collector.polling.plan import arrange
from collector.polling.translate import translate
from config import objects
from config.profiles import Profiles
from snmp import ber
from snmp.message import VarBind
from snmp.oid import OID
from snmp.tree import Tree


def values(inventory: Inventory) -> dict[OID, ber.Value]:
    return {name: value for name, _, value in rows.rows(inventory)}


def test_every_fact_is_served_by_the_object_of_the_table() -> None:
    """A fact that is known stands under its object with its value; nothing of the table is forgotten."""
    found = values(WHOLE)
    for group in objects.GROUPS:
        facts = getattr(WHOLE, group.fact)
        for n, fact in enumerate(facts, 1) if group.label else [(0, facts)]:
            for item in group.objects:
                value = getattr(fact, item.fact)
                oid = OID((*group.oid(item), getattr(fact, "number", n)))
                assert (oid in found) == (value not in (None, "")), group.object_name(item)


def test_every_attribute_of_the_parts_has_an_object() -> None:
    """What the readers find and the table does not name would be lost."""
    named = {(group.fact, item.fact) for group in objects.GROUPS for item in group.objects}
    for group in objects.GROUPS:
        facts = getattr(WHOLE, group.fact)
        for field in (facts[0] if group.label else facts)._fields:
            assert (group.fact, field) in named or field == "number", f"{group.fact}.{field}"


def test_what_is_not_known_is_absent() -> None:
    """An empty inventory serves no value of HAIDANG-MIB, rather than zeros."""
    root = objects.root()
    assert not [name for name in values(Inventory()) if root.covers(name)]


def test_texts_are_cut_between_letters() -> None:
    """A text is at most 255 octets of valid UTF-8."""
    cut = rows.text("Phòng Một cửa " * 30)
    assert 250 <= len(cut) <= 255
    cut.decode()


def test_entity_mib_holds_the_parts_with_their_serials() -> None:
    """Chassis, board, processor, module, disk, card, monitor and battery stand in ENTITY-MIB."""
    found = values(WHOLE)
    entry = OID((1, 3, 6, 1, 2, 1, 47, 1, 1, 1, 1))
    serials = {name[-1]: value for name, value in found.items() if name[:-1] == entry + (11,)}
    assert serials[1] == b"LK-0042" and serials[200] == b"1A2B" and serials[300] == b"S1" and serials[500] == b"CN0X1"
    classes = {name[-1]: value for name, value in found.items() if name[:-1] == entry + (5,)}
    assert {n: classes[n] for n in (1, 2, 100, 200, 300, 400, 600)} == {1: 3, 2: 9, 100: 12, 200: 9, 300: 15, 400: 10, 600: 14}
    assert found[entry + (19, 1)] == bytes.fromhex("33221100554477668899aabbccddeeff")


def test_rows_make_a_tree() -> None:
    """Every row can be encoded, and none stands twice."""
    assert len(Tree.of(rows.rows(WHOLE)).shape) == len(rows.rows(WHOLE))


def test_the_collector_reads_the_same_facts_back() -> None:
    """Through the workstation profile the agent's objects become facts and metrics in base units."""
    profile = Profiles.load()["workstation"]
    cells = arrange([VarBind(*row) for row in rows.rows(WHOLE)], sorted({one.oid for one in profile.objects.values()}))
    found = translate(profile, cells)
    facts = found.facts
    assert (facts.kind, facts.vendor, facts.model, facts.serial) == ("workstation", "Lake", "Office 300", "LK-0042")
    assert (facts.os_name, facts.os_version) == ("Debian GNU/Linux", "12 (6.1.0)")
    assert {(c.kind, c.name, c.serial) for c in facts.components} >= {("memory", "DIMM 1", "1A2B"), ("disk", "sda", "S1")}
    samples = {(s.metric, *told(s.labels)): s.value for s in found.samples}
    assert samples["haidang_disk_size_bytes", "sda"] == 240057 * 10**6
    assert samples["haidang_disk_health", "sda", "warning"] == 1 and samples["haidang_disk_health", "sda", "good"] == 0
    assert samples["haidang_disk_wear_ratio", "sda"] == pytest.approx(0.12)
    assert samples["haidang_interface_speed_limit_bytes_per_second", "eth0"] == 125_000_000
    assert samples["haidang_interface_signal_dbm", "wlan0"] == -61
    assert samples["haidang_os_restart_pending", ""] == 0 and samples["haidang_firewall_enabled", ""] == 1
    assert samples["haidang_memory_installed_bytes", ""] == 8 << 30


def test_every_metric_of_the_table_arrives() -> None:
    """Each object that names a metric becomes one on the collector's page; identity arrives as the labels of its series."""
    profile = Profiles.load()["workstation"]
    cells = arrange([VarBind(*row) for row in rows.rows(WHOLE)], sorted({one.oid for one in profile.objects.values()}))
    series: dict[str, list[dict[str, str]]] = {}
    for sample in translate(profile, cells).samples:
        series.setdefault(sample.metric, []).append(dict(sample.labels))
    for group in objects.GROUPS:
        facts = getattr(WHOLE, group.fact, None)
        for fact in () if facts is None else facts if group.label else (facts,):
            for item in group.objects:
                value = getattr(fact, item.fact)
                if not item.metric or value in (None, ""):
                    continue
                assert item.metric in series, group.object_name(item)
                label = group.label if group.label and item.fact == "name" else item.fact
                if item.metric.endswith("_info"):
                    assert str(value) in [labels.get(label) for labels in series[item.metric]], group.object_name(item)


def told(labels: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    known = dict(labels)
    return known.get("disk") or known.get("interface") or "", *(known[name] for name in ("health", "medium") if name in known)
