from __future__ import annotations

from config import objects, workstation
from config.catalogue import CATALOGUE
from config.profiles import BUNDLED, Profiles
from snmp.oid import OID


def test_the_profile_in_the_tree_is_what_the_table_gives() -> None:
    """The workstation profile that is shipped is the one the table makes."""
    assert (BUNDLED / "workstation.yaml").read_text(encoding="utf-8") == workstation.text()


def test_both_agents_are_read_by_it() -> None:
    """The sysObjectIDs of the agent on Linux and on Windows lead to this profile."""
    profiles = Profiles.load()
    for product in (1, 2):
        agent = OID((*objects.root(), objects.PRODUCTS, product))
        assert profiles.choose(agent, "").name == "workstation"


def test_every_metric_of_the_table_is_given() -> None:
    """Each object with a metric has a rule, and its metric stands in the catalogue."""
    wanted = {item.metric for group in objects.GROUPS for item in group.objects if item.metric}
    given = {rule.metric for rule in Profiles.load()["workstation"].rules["metrics"]}
    assert wanted <= given
    assert wanted <= set(CATALOGUE)


def test_units_that_are_no_base_units_have_a_factor() -> None:
    """An object in MiB, percent or hours becomes a metric in bytes, ratio or seconds."""
    ends = {
        "_bytes": ("MiB", "MB", "GB"), "_ratio": ("percent", "permille"), "_hertz": ("MHz",),
        "_bytes_per_second": ("Mbit/s", "kbit/s"),
    }  # fmt: skip
    for group in objects.GROUPS:
        for item in group.objects:
            end = next((end for end in sorted(ends, key=len, reverse=True) if item.metric.endswith(end)), "")
            if end:
                assert item.unit in ends[end] and item.unit in workstation.FACTORS, group.object_name(item)
