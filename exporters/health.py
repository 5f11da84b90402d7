"""The collector's own health as prometheus_client metrics, read from whoever counts when the page is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from prometheus_client import GC_COLLECTOR, PLATFORM_COLLECTOR, PROCESS_COLLECTOR, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from config.catalogue import CATALOGUE

from .text import ORDER

Numbers = Mapping[str, float | Mapping[str, float]]
"""Catalogue metric -> its value, or for a metric with one label: label value -> value."""


class Health(Collector):
    """Collects from callables that give `Numbers`; what two of them give of the same metric is put together.

    A name that is not in the catalogue raises KeyError when the page is asked for.
    """

    def __init__(self, *sources: Callable[[], Numbers]) -> None:
        self.sources = [*sources]
        self._registry = CollectorRegistry(auto_describe=False)
        for collector in (self, PROCESS_COLLECTOR, PLATFORM_COLLECTOR, GC_COLLECTOR):
            self._registry.register(collector)

    def describe(self) -> list[Metric]:
        """Nothing beforehand: registering must not ask the sources."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The families, in the catalogue's order."""
        values: dict[str, dict[str, float]] = {}
        for source in self.sources:
            for name, value in source().items():
                one = {key: float(number) for key, number in value.items()} if isinstance(value, Mapping) else {"": float(value)}
                values.setdefault(name, {}).update(one)
        for name in sorted(values, key=ORDER.__getitem__):
            metric = CATALOGUE[name]
            kind = CounterMetricFamily if metric.type == "counter" else GaugeMetricFamily
            family = kind(name, metric.help, labels=metric.labels)
            for key, number in values[name].items():
                family.add_metric((key,) if metric.labels else (), number)
            yield family

    def text(self) -> bytes:
        """The page's part on health, processes and the interpreter included."""
        return generate_latest(self._registry)
