"""Alert rules, and the unit tests that go with them."""

from __future__ import annotations

import re
from pathlib import Path

import peers
import pytest
import yaml

from config.catalogue import CATALOGUE
from exporters.alerts import GROUPS, RULES, SCRAPE, TESTS, Rule, expressions, write_alerts
from exporters.errors import WriteError

ALL = [rule for rules in GROUPS.values() for rule in rules]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files as `haidang export alerts` writes them."""
    directory = tmp_path_factory.mktemp("alerts") / "new"
    assert [path.name for path in write_alerts(directory)] == [RULES, TESTS, SCRAPE]
    return directory


def test_promtool_accepts_the_rules(written: Path) -> None:
    """Every rule parses, and the configuration that uses them is valid."""
    for kind, name in (("rules", RULES), ("config", SCRAPE)):
        result = peers.promtool("check", kind, name, cwd=written)
        assert result.returncode == 0, result.stdout + result.stderr
        assert "SUCCESS" in result.stdout


def test_each_rule_fires_on_its_example_and_on_nothing_else(written: Path) -> None:
    """promtool's unit tests hold: texts and labels included, and values that linger after a device fell silent wake nobody."""
    result = peers.promtool("test", "rules", TESTS, cwd=written)
    assert result.returncode == 0, result.stdout + result.stderr
    tests = yaml.safe_load((written / TESTS).read_text())["tests"]
    fired = [test["alert_rule_test"][0]["alertname"] for test in tests if test["alert_rule_test"][0]["exp_alerts"]]
    assert fired == [rule.name for rule in ALL]
    assert len(tests) == len(ALL) + sum(rule.polled + bool(rule.told) for rule in ALL)


def test_a_rule_that_is_wrong_is_found_out(written: Path, tmp_path: Path) -> None:
    """The unit tests are able to fail."""
    for name in (RULES, TESTS):
        (tmp_path / name).write_text((written / name).read_text())
    rules = tmp_path / RULES
    rules.write_text(rules.read_text().replace("> 0.9", "> 0.99"))
    assert peers.promtool("test", "rules", TESTS, cwd=tmp_path).returncode != 0


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
    (left_out,) = re.findall(r'storage!~"([^"]+)"', expression)
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


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """The error says which directory and why."""
    (tmp_path / "file").write_text("")
    with pytest.raises(WriteError, match=r"file/alerts: Not a directory"):
        write_alerts(tmp_path / "file" / "alerts")
