"""The files of the alert rules: for Prometheus, for promtool's unit tests, and the scrape configuration they expect."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from config.keys import PORT

from .alerts import GROUPS, Rule
from .files import write_files
from .sd import scrape_config


def rules_file() -> dict[str, Any]:
    """What Prometheus reads as a rule file."""
    return {
        "groups": [
            {
                "name": f"haidang-{group}",
                "rules": [
                    {
                        "alert": rule.name,
                        "expr": rule.expression,
                        "for": rule.wait,
                        "labels": {"severity": rule.severity},
                        "annotations": rule.annotations(),
                    }
                    for rule in rules
                ],
            }
            for group, rules in GROUPS.items()
        ]
    }


RULES = "haidang.rules.yml"
TESTS = "haidang.rules.test.yml"
SCRAPE = "prometheus.yml"


def tests_file() -> dict[str, Any]:
    """What ``promtool test rules`` reads: each rule fires on its example, not on the values of a silent device, nor where
    another alert tells it."""
    tests = []
    for rules in GROUPS.values():
        for rule in rules:
            tests.append(_test(rule, rule.example, "fires"))
            if rule.polled:
                silent = tuple((series.replace('state="up"', 'state="silent"'), values) for series, values in rule.example)
                tests.append(_test(rule, silent, "is quiet for a silent device"))
            if rule.told:
                tests.append(_test(rule, rule.example + rule.told, "is quiet where another tells it"))
    return {"rule_files": [RULES], "evaluation_interval": "10m", "tests": tests}


def _test(rule: Rule, example: tuple[tuple[str, str], ...], how: str) -> dict[str, Any]:
    expected = {"exp_labels": {"severity": rule.severity, **dict(rule.labels)}, "exp_annotations": _expanded(rule)}
    return {
        "name": f"{rule.name} {how}",
        "interval": "10m",
        "input_series": [{"series": series, "values": values} for series, values in example],
        "alert_rule_test": [{"eval_time": rule.at, "alertname": rule.name, "exp_alerts": [expected] if how == "fires" else []}],
    }


def _expanded(rule: Rule) -> dict[str, str]:
    """The annotations as Prometheus expands them for the rule's example."""
    labels = dict(rule.labels)

    def expand(text: str) -> str:
        text = re.sub(r"{{ \$labels\.(\w+) }}", lambda found: labels[found[1]], text)
        return re.sub(r"{{ \$value[^}]*}}", rule.shown, text)

    return {name: expand(text) for name, text in rule.annotations().items()}


def write_alerts(directory: Path, target: str = f"127.0.0.1:{PORT}", scheme: str = "http") -> list[Path]:
    """Write the rules, their tests and a prometheus.yml that uses them; gives the files. Raises WriteError."""
    files = {
        RULES: yaml.safe_dump(rules_file(), allow_unicode=True, sort_keys=False, width=120),
        TESTS: yaml.safe_dump(tests_file(), allow_unicode=True, sort_keys=False, width=120),
        SCRAPE: f"rule_files: [{RULES}]\n{scrape_config(target, scheme)}",
    }
    return write_files(directory, files)
