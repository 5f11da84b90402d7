"""Service discovery and the scrape configuration that uses it."""

from __future__ import annotations

from pathlib import Path

import peers
import yaml

from collector.model import Unit
from exporters.sd import groups, scrape_config, unit_path


def test_one_group_a_unit_with_bounded_labels() -> None:
    """Each group has the page's address and scheme, and the unit's id and name as the only labels, cut when they are long."""
    found = groups([Unit("xa-1", "Xã 1", "commune", "tinh"), Unit("xa-2", "y" * 10_000)], "192.0.2.1:9715", "https")
    assert [group["targets"] for group in found] == [["192.0.2.1:9715"]] * 2
    assert found[0]["labels"] == {
        "__scheme__": "https",
        "__metrics_path__": "/metrics/xa-1",
        "unit": "xa-1",
        "unit_name": "Xã 1",
    }
    assert len(found[1]["labels"]["unit_name"]) == 256


def test_any_unit_id_makes_a_path() -> None:
    """Blanks, percent signs and Vietnamese letters are quoted."""
    assert unit_path("xã 1?%") == "/metrics/x%C3%A3%201%3F%25"


def test_the_scrape_configuration_is_valid(tmp_path: Path) -> None:
    """promtool accepts it; it keeps the page's own labels and times."""
    path = tmp_path / "prometheus.yml"
    path.write_text(scrape_config("127.0.0.1:9715"))
    result = peers.promtool("check", "config", str(path))
    assert result.returncode == 0, result.stdout + result.stderr
    job = yaml.safe_load(path.read_text())["scrape_configs"][0]
    assert job["honor_labels"] is True
    assert job["honor_timestamps"] is True
    assert job["http_sd_configs"][0]["url"] == "http://127.0.0.1:9715/sd/prometheus"
