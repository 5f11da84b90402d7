"""The dashboards."""

from __future__ import annotations

import json
import re
from pathlib import Path

import peers
import pytest
import yaml

from config.catalogue import CATALOGUE
from exporters.errors import WriteError
from exporters.grafana import BOARDS, expressions, write_dashboards


@pytest.mark.parametrize(("name", "variables"), [("province", ["source", "unit"]), ("device", ["source", "unit", "device"])])
def test_each_dashboard_is_written_in_both_languages(tmp_path: Path, name: str, variables: list[str]) -> None:
    """Two files that differ in their texts alone, with every panel, what is shown to choose, and unique ids."""
    paths = write_dashboards(tmp_path / "dashboards")
    found = {path.name: json.loads(path.read_text()) for path in paths}
    vietnamese, english = found[f"haidang-{name}-vi.json"], found[f"haidang-{name}-en.json"]
    rows = BOARDS[name].rows
    for dashboard in (vietnamese, english):
        ids = [panel["id"] for panel in dashboard["panels"]]
        assert len(ids) == len(set(ids)) == len(rows) + sum(len(row.panels) for row in rows)
        assert [variable["name"] for variable in dashboard["templating"]["list"]] == variables
        used = set(re.findall(r"\$(\w+)", json.dumps(dashboard["panels"]) + json.dumps(dashboard["templating"]))) - {
            "__rate_interval"
        }
        assert used <= set(variables)
    assert [_queries(panel) for panel in vietnamese["panels"]] == [_queries(panel) for panel in english["panels"]]
    assert vietnamese["uid"] != english["uid"]
    assert all(panel["title"].isascii() for panel in english["panels"])


def _queries(panel: dict[str, object]) -> list[str]:
    targets = panel.get("targets") or []
    assert isinstance(targets, list)
    return [target["expr"] for target in targets]


def test_panels_do_not_overlap(tmp_path: Path) -> None:
    """Every panel has its own place on the 24 columns."""
    for path in write_dashboards(tmp_path):
        taken: set[tuple[int, int]] = set()
        for panel in json.loads(path.read_text())["panels"]:
            place = panel["gridPos"]
            cells = {
                (x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])
            }
            assert not taken & cells
            assert place["x"] + place["w"] <= 24
            taken |= cells


def test_every_expression_is_promql_over_the_catalogue(tmp_path: Path) -> None:
    """Names are the catalogue's, no variable of Grafana's is left, and promtool reads each."""
    found = expressions()
    assert len(found) == sum(len(row.panels) for board in BOARDS.values() for row in board.rows)
    for expression in found.values():
        names = re.findall(r"haidang_[a-z_]+", expression)
        assert names
        assert all(name in CATALOGUE for name in names)
        assert "$" not in expression
    rules = [{"record": f"panel:{number}", "expr": one} for number, one in enumerate(found.values())]
    path = tmp_path / "rules.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    result = peers.promtool("check", "rules", str(path))
    assert result.returncode == 0, result.stdout + result.stderr


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """The error says which directory and why."""
    (tmp_path / "file").write_text("")
    with pytest.raises(WriteError, match=r"file/dashboards: Not a directory"):
        write_dashboards(tmp_path / "file" / "dashboards")
