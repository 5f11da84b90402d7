"""The files of the alert rules, and the unit tests that go with them."""

from __future__ import annotations

from pathlib import Path

import peers
import pytest
import yaml

from exporters.alerts import GROUPS
from exporters.errors import WriteError
from exporters.rules import RULES, SCRAPE, TESTS, write_alerts

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


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """The error says which directory and why."""
    (tmp_path / "file").write_text("")
    with pytest.raises(WriteError, match=r"file/alerts: Not a directory"):
        write_alerts(tmp_path / "file" / "alerts")
