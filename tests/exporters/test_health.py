"""The collector's own health."""

from __future__ import annotations

import peers
from prometheus_client.parser import text_string_to_metric_families

from exporters.health import Health


def test_sources_are_put_together() -> None:
    """Counts of several sources stand on one page, with the catalogue's help and type, and the process beside them."""
    health = Health(
        lambda: {"haidang_collector_packets_sent_total": 7, "haidang_collector_errors_total": {"timeout": 3}},
        lambda: {"haidang_collector_errors_total": {"auth": 1}, "haidang_collector_cycle_seconds": 1.5},
    )
    page = health.text().decode()
    assert peers.metrics_errors(page) == []
    families = {family.name: family for family in text_string_to_metric_families(page)}
    found = {(one.name, *one.labels.values()): one.value for family in families.values() for one in family.samples}
    assert found["haidang_collector_packets_sent_total",] == 7
    assert found["haidang_collector_errors_total", "timeout"] == 3
    assert found["haidang_collector_errors_total", "auth"] == 1
    assert found["haidang_collector_cycle_seconds",] == 1.5
    assert families["haidang_collector_cycle_seconds"].type == "gauge"
    assert found["process_resident_memory_bytes",] > 0


def test_sources_are_asked_when_the_page_is() -> None:
    """A page shows the counts of its own moment."""
    count = {"haidang_collector_cycles_total": 0}
    health = Health()
    health.sources.append(lambda: count)
    for expected in (0, 5):
        count["haidang_collector_cycles_total"] = expected
        assert f"haidang_collector_cycles_total {float(expected)}" in health.text().decode()
