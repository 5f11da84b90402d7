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
from exporters.grafana import ROWS, expressions, write_dashboards


def test_the_overview_is_written_in_both_languages(tmp_path: Path) -> None:
    """Two files that differ in their texts alone, with every panel, a unit to choose, and unique ids."""
    paths = write_dashboards(tmp_path / "dashboards")
    found = {path.name: json.loads(path.read_text()) for path in paths}
    vietnamese, english = found["haidang-province-vi.json"], found["haidang-province-en.json"]
    for dashboard in (vietnamese, english):
        ids = [panel["id"] for panel in dashboard["panels"]]
        assert len(ids) == len(set(ids)) == len(ROWS) + sum(len(row.panels) for row in ROWS)
        assert [variable["name"] for variable in dashboard["templating"]["list"]] == ["source", "unit"]
    assert [_queries(panel) for panel in vietnamese["panels"]] == [_queries(panel) for panel in english["panels"]]
    assert vietnamese["uid"] != english["uid"]
    assert all(panel["title"].isascii() for panel in english["panels"])


def _queries(panel: dict[str, object]) -> list[str]:
    targets = panel.get("targets") or []
    assert isinstance(targets, list)
    return [target["expr"] for target in targets]


def test_panels_do_not_overlap(tmp_path: Path) -> None:
    """Every panel has its own place on the 24 columns."""
    dashboard = json.loads(write_dashboards(tmp_path)[0].read_text())
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        assert not taken & cells
        assert place["x"] + place["w"] <= 24
        taken |= cells


def test_every_expression_is_promql_over_the_catalogue(tmp_path: Path) -> None:
    """Names are the catalogue's, no variable of Grafana's is left, and promtool reads each."""
    found = expressions()
    assert len(found) == sum(len(row.panels) for row in ROWS)
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
