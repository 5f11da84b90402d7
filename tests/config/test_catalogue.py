"""The metric catalogue."""

from __future__ import annotations

import peers
import pytest

from config.catalogue import CATALOGUE, Metric
from config.objects import CHOICE, GROUPS


def test_promtool_finds_nothing_to_say_of_any_name() -> None:
    """A page with one sample of every metric passes promtool's linter."""
    page = ""
    for metric in CATALOGUE.values():
        labels = ",".join(f'{label}="x"' for label in metric.labels)
        page += f"# HELP {metric.name} {metric.help}\n# TYPE {metric.name} {metric.type}\n{metric.name}{{{labels}}} 1\n"
    assert peers.metrics_errors(page) == []


@pytest.mark.parametrize("metric", CATALOGUE.values(), ids=lambda metric: metric.name)
def test_type_unit_and_help_fit_the_name(metric: Metric) -> None:
    """Counters and only they end in _total, the unit stands in the name, and the help is a sentence."""
    assert metric.name.startswith("haidang_")
    assert (metric.type == "counter") is metric.name.endswith("_total")
    assert not metric.unit or metric.name.removesuffix("_total").endswith("_" + metric.unit)
    assert metric.help[0].isupper() and metric.help.endswith(".")
    assert len(set(metric.labels)) == len(metric.labels)
    assert not metric.polled or metric.labels[0] == "device"


def test_series_labels_leave_out_what_the_page_adds() -> None:
    """A series carries its own labels without `device`."""
    assert CATALOGUE["haidang_interface_up"].series_labels == ("interface",)
    assert CATALOGUE["haidang_supply_state"].series_labels == ("supply", "kind", "state")


def test_every_object_of_the_mib_that_names_a_metric_is_there() -> None:
    """The agent's own objects appear with their table's label, words of a choice and texts of an _info as labels."""
    for group in GROUPS:
        for item in group.objects:
            if item.metric:
                metric = CATALOGUE[item.metric]
                assert metric.polled
                assert not group.label or group.label in metric.labels
                assert item.syntax != CHOICE or item.fact in metric.labels
    assert CATALOGUE["haidang_disk_info"].labels == ("device", "disk", "model", "serial", "firmware", "bus")


def test_no_two_metrics_have_the_same_help_where_labels_alone_tell_them_apart() -> None:
    """An info metric's help says which facts of its group it carries."""
    helps = [metric.help for name, metric in CATALOGUE.items() if name.endswith("_info")]
    assert len(helps) == len(set(helps))
    assert CATALOGUE["haidang_disk_info"].help == "Disks: model, serial, firmware, bus."
    assert CATALOGUE["haidang_disk_health_info"].help == "Disks: The attributes that decided the verdict."


def test_the_catalogue_cannot_be_changed() -> None:
    """Nobody adds a metric behind the catalogue's back."""
    with pytest.raises(TypeError):
        CATALOGUE["haidang_other"] = CATALOGUE["haidang_interface_up"]  # type: ignore[index]
