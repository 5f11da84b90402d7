"""Alert rules."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from config.catalogue import CATALOGUE
from exporters.alerts import GROUPS, Rule, expressions

ALL = [rule for rules in GROUPS.values() for rule in rules]


@pytest.mark.parametrize("rule", ALL, ids=lambda rule: rule.name)
def test_rules_use_the_catalogue_and_join_the_state(rule: Rule) -> None:
    """Every metric named is in the catalogue, and a rule that looks at a polled one joins the state of its device."""
    names = re.findall(r"haidang_[a-z_]+", rule.expression)
    assert names
    assert all(name in CATALOGUE for name in names)
    assert any(CATALOGUE[name].polled for name in names) is rule.polled
    assert re.fullmatch(r"Haidang[A-Za-z]+", rule.name)
    assert rule.severity in ("critical", "warning", "info")


@pytest.mark.parametrize("rule", ALL, ids=lambda rule: rule.name)
def test_the_cause_is_said_in_both_languages(rule: Rule) -> None:
    """Summary and cause in Vietnamese and English, using labels the rule has."""
    for text in (*rule.vietnamese, *rule.english):
        assert set(re.findall(r"\$labels\.(\w+)", text)) <= dict(rule.labels).keys()
    assert not all(text.isascii() for text in rule.vietnamese)
    assert all(text.isascii() for text in rule.english)
    assert rule.vietnamese[1].endswith(".") and rule.english[1].endswith(".")


def test_snap_packages_fill_no_volume() -> None:
    """The images of snap packages, which are always full, are no volumes to clean up; all others are."""
    expression = expressions()["HaidangStorageNearlyFull"]
    (left_out,) = set(re.findall(r'storage!~"([^"]+)"', expression))
    assert all(re.fullmatch(left_out, name) for name in ("/snap/core20/2015", "/var/lib/snapd/snap/lxd/1", "/sys/fs/cgroup"))
    assert not any(re.fullmatch(left_out, name) for name in ("/", "C:", "/home/snap", "/var/lib/snapd", "/proc"))


def test_the_documentation_lists_every_alert() -> None:
    """docs/prometheus.md names each rule with its severity, and no other."""
    text = (Path(__file__).parents[2] / "docs" / "prometheus.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(Haidang\w+)` \| (\w+) \|", text, re.MULTILINE)
    assert sorted(rows) == sorted((rule.name, rule.severity) for rule in ALL)


def test_expressions_are_those_of_the_rules() -> None:
    """Whoever runs every expression against a real Prometheus gets them by alert name."""
    assert expressions() == {rule.name: rule.expression for rule in ALL}
