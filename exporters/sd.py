"""Prometheus' HTTP service discovery: one target group a unit, and the scrape configuration that uses it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypedDict
from urllib.parse import quote

from collector.model import Unit

from .text import LONGEST

JOB = "haidang"
"""The job of the units' pages in the scrape configuration."""


class Group(TypedDict):
    """One entry of the discovery's answer (Prometheus documentation, "HTTP SD requests")."""

    targets: list[str]
    labels: dict[str, str]


def unit_path(unit: str) -> str:
    """Where a unit's page is served."""
    return "/metrics/" + quote(unit, safe="")


def unit_labels(unit: str, name: str) -> dict[str, str]:
    """What every series of a unit's page is given beside its own labels."""
    return {"unit": unit, "unit_name": name[:LONGEST]}


def groups(units: Iterable[Unit], target: str, scheme: str = "http") -> list[Group]:
    """One group a unit. `target` is the host and port under which Prometheus reaches the pages."""
    return [
        {
            "targets": [target],
            "labels": {
                "__scheme__": scheme,
                "__metrics_path__": unit_path(unit.id),
                **unit_labels(unit.id, unit.name),
            },
        }
        for unit in units
    ]


def scrape_config(target: str, scheme: str = "http", interval: int = 60) -> str:
    """The part of prometheus.yml that scrapes a collector's health and discovers its units' pages.

    `honor_labels`: a page names each device's unit itself. The states on /metrics are for people and small scripts; Prometheus
    reads them from the units' pages, and would have them twice.
    """
    return f"""\
scrape_configs:
  - job_name: {JOB}
    scheme: {scheme}
    scrape_interval: {interval}s
    honor_labels: true
    honor_timestamps: true
    # Prometheus 2.48 and later; then values of a device that stopped answering vanish at once, not after five minutes.
    # track_timestamps_staleness: true
    # basic_auth: {{username: prometheus, password_file: haidang.password}}
    http_sd_configs:
      - url: {scheme}://{target}/sd/prometheus
        refresh_interval: {interval}s
        # basic_auth: {{username: prometheus, password_file: haidang.password}}
  - job_name: haidang-collector
    scheme: {scheme}
    scrape_interval: {interval}s
    # basic_auth: {{username: prometheus, password_file: haidang.password}}
    static_configs:
      - targets: ["{target}"]
    metric_relabel_configs:
      - source_labels: [__name__]
        regex: haidang_device_state
        action: drop
# What agents report after an outage, written back with its own times by the collector's [remote_write]; needs Prometheus 2.39 and
# --web.enable-remote-write-receiver.
storage:
  tsdb:
    out_of_order_time_window: 8d
"""
