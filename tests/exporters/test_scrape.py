"""A real Prometheus finds the pages, reads them, and answers PromQL over them."""

from __future__ import annotations

import asyncio
import dataclasses
import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future

import fleet
import peers
import pytest

from collector.model import Block, Facts, Layout, Series, State, Status
from exporters import alerts, grafana
from exporters.health import Health, Numbers
from exporters.http import Server
from exporters.prometheus import Pages
from exporters.sd import scrape_config

PORT = (("interface", "eth0"),)
SERIES = {
    Series("haidang_device_uptime_seconds"): 3600,
    Series("haidang_interface_up", PORT): 1,
    Series("haidang_interface_up", (("interface", "eth1"),)): 1,
    Series("haidang_interface_speed_bytes_per_second", PORT): 12_500_000,
    Series("haidang_interface_speed_limit_bytes_per_second", PORT): 125_000_000,
    Series("haidang_interface_full_duplex", PORT): 0,
    Series("haidang_interface_receive_bytes_total", PORT): 2**53 - 1,
    Series("haidang_interface_transmit_bytes_total", PORT): 5,
    Series("haidang_processor_load_ratio", (("processor", "0"),)): 0.25,
    Series("haidang_memory_size_bytes", (("memory", "RAM"),)): 8e9,
    Series("haidang_memory_used_bytes", (("memory", "RAM"),)): 4e9,
    Series("haidang_storage_size_bytes", (("storage", "C:\\"),)): 1e11,
    Series("haidang_storage_used_bytes", (("storage", "C:\\"),)): 95e9,
    Series("haidang_sensor_charge_ratio", (("sensor", "Ắc quy"),)): 0.25,
    Series("haidang_supply_level_ratio", (("supply", 'Mực "đen"'), ("kind", "toner"))): 0.05,
    Series("haidang_disk_health", (("disk", "sda"), ("health", "failing"))): 1,
}
LAYOUT = Layout(list(SERIES))


class Collector:
    """Pages served on an event loop of their own, fed as a collector would."""

    def __init__(self) -> None:
        self.polls = 0
        self.loop = asyncio.new_event_loop()
        self.pages = Pages([fleet.unit(0), fleet.unit(1)], [fleet.device(1), fleet.device(2), fleet.device(3, 1)])
        numbers: Numbers = {
            "haidang_collector_cycle_seconds": 1.5,
            "haidang_collector_cycle_overruns_total": 0,
            "haidang_collector_packets_sent_total": 100,
            "haidang_collector_socket_dropped_total": 0,
            "haidang_collector_errors_total": {"timeout": 1},
        }
        self.server = Server(self.pages, Health(self.pages.numbers, lambda: numbers), port=0)
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self.server.start(), self.loop).result(peers.DEADLINE)

    def poll(self, silent: bool = False) -> float:
        """A cycle of both units now: unit 0's first switch answers unless it is silent, its second refuses, unit 1 is cut off."""
        now = time.time()
        done: Future[None] = Future()
        self.polls += 1

        def cycle() -> None:
            first = fleet.device(1)
            if silent:
                self.pages.polled(first, fleet.SILENT, None)
            else:
                status = dataclasses.replace(fleet.UP, requests=4 * self.polls, retries=self.polls)
                self.pages.polled(first, status, Block(LAYOUT, tuple(SERIES.values()), now))
                self.pages.described(first, fleet.FACTS)
            self.pages.polled(fleet.device(2), Status(State.REFUSED), None)
            self.pages.described(fleet.device(2), dataclasses.replace(fleet.FACTS, name="hai"))
            self.pages.polled(fleet.device(3, 1), Status(State.UNREACHABLE), None)
            self.pages.described(fleet.device(3, 1), Facts(name="ba"))
            for unit in ("xa-0", "xa-1"):
                self.pages.cycled(unit)
            done.set_result(None)

        self.loop.call_soon_threadsafe(cycle)
        done.result(peers.DEADLINE)
        return now

    def end(self) -> None:
        asyncio.run_coroutine_threadsafe(self.server.stop(), self.loop).result(peers.DEADLINE)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(60)
        self.loop.close()


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    """A collector that has polled."""
    made = Collector()
    made.poll()
    yield made
    made.end()


@pytest.fixture(scope="module")
def prometheus(collector: Collector) -> Iterator[peers.Prometheus]:
    """Debian's Prometheus with the scrape configuration we hand out, asking every second."""
    config = scrape_config(collector.server.address).replace("60s", "1s")
    with peers.prometheus(config, None, "--storage.tsdb.retention.time=1h") as running:
        yield running


def test_it_finds_every_unit_by_discovery(prometheus: peers.Prometheus) -> None:
    """Both units and the collector are targets that are up, told apart by the unit's labels."""
    prometheus.wait_for('count(up{job="haidang"} == 1) == 2')
    prometheus.wait_for('up{job="haidang-collector"} == 1')
    found = {labels["unit"]: labels["unit_name"] for labels, _ in prometheus.query('up{job="haidang"}')}
    assert found == {"xa-0": "UBND xã 0", "xa-1": "UBND xã 1"}
    assert all(target["lastError"] == "" for target in prometheus.api("targets")["activeTargets"])


def test_values_come_with_their_time_and_digits(collector: Collector, prometheus: peers.Prometheus) -> None:
    """A polled value stands in Prometheus at its poll's millisecond, exact to 53 bits, under the labels of page and target."""
    now = collector.poll()
    expression = 'haidang_interface_receive_bytes_total{device="sw1",interface="eth0",unit="xa-0"}'
    prometheus.wait_for(f"timestamp({expression}) >= {now:.3f}")
    ((labels, value),) = prometheus.query(expression)
    assert value == 2**53 - 1
    assert "exported_unit" not in labels
    ((_, at),) = prometheus.query(f"timestamp({expression})")
    assert at == round(now, 3)


def test_states_come_once(prometheus: peers.Prometheus) -> None:
    """Every device's states are there once, though two pages hold them."""
    prometheus.wait_for("haidang_collector_devices")
    prometheus.wait_for('haidang_device_state{device="sw3"}')
    found = [(labels["device"], labels["state"]) for labels, value in prometheus.query("haidang_device_state == 1")]
    assert sorted(found) == [("sw1", "up"), ("sw2", "refused"), ("sw3", "unreachable")]
    assert len(prometheus.query("haidang_device_state")) == 3 * len(State)


def test_vietnamese_and_quotes_survive(prometheus: peers.Prometheus) -> None:
    """Label values come back as the device gave them."""
    prometheus.wait_for("haidang_supply_level_ratio")
    ((labels, _),) = prometheus.query("haidang_supply_level_ratio")
    assert labels["supply"] == 'Mực "đen"'
    ((labels, _),) = prometheus.query("haidang_storage_size_bytes")
    assert labels["storage"] == "C:\\"
    assert prometheus.query('haidang_interface_info{alias="Phòng \\"một cửa\\""}')


def test_every_expression_gives_what_it_should(collector: Collector, prometheus: peers.Prometheus) -> None:
    """All expressions of alerts and dashboards run; those that match this fleet's faults give data, the others none."""
    prometheus.wait_for("haidang_device_requests_total > 0")
    collector.poll()
    prometheus.wait_for("increase(haidang_device_requests_total[5m]) > 0")
    prometheus.wait_for("haidang_disk_health")
    prometheus.wait_for("count_over_time(haidang_collector_packets_sent_total[1m]) > 2")
    prometheus.wait_for("count_over_time(haidang_interface_receive_bytes_total[1m]) > 1")
    found = {name: bool(prometheus.query(one)) for name, one in alerts.expressions().items()}
    assert {name for name, data in found.items() if data} == {
        "HaidangDeviceRefused", "HaidangUnitUnreachable", "HaidangSwitchSlowerThanCards", "HaidangPortHalfDuplex",
        "HaidangStorageNearlyFull", "HaidangDiskFailing", "HaidangBatteryLow", "HaidangSupplyLow",
    }  # fmt: skip
    empty = {name for name, one in grafana.expressions().items() if not prometheus.query(one)}
    served = {labels["__name__"] for labels, _ in prometheus.query('{__name__=~"haidang_.+"}')}
    lacking = {name for name, one in grafana.expressions().items() if not set(re.findall(r"haidang_[a-z_]+", one)) <= served}
    assert empty - lacking == {"Province: Silent devices"}
    assert lacking & empty == {
        "Ports: Errors and discards received a second", "Ports: Errors and discards sent a second", "Ports: What hangs on them",
        "Health: Temperatures", "Health: Time left on battery", "Health: Voltages", "Health: Power",
    }  # fmt: skip


def test_a_device_that_falls_silent_loses_its_alerts_and_keeps_its_state(
    collector: Collector, prometheus: peers.Prometheus
) -> None:
    """With the next scrape the state is silent, rules on its lingering values give nothing, and it comes back with its answer."""
    prometheus.wait_for('haidang_device_state{device="sw1",state="up"} == 1')
    collector.poll(silent=True)
    prometheus.wait_for('haidang_device_state{device="sw1",state="silent"} == 1')
    assert prometheus.query('haidang_storage_used_bytes{device="sw1"}') != []  # it lingers: it bore a time
    rules = alerts.expressions()
    assert prometheus.query(rules["HaidangStorageNearlyFull"]) == []
    assert len(prometheus.query(rules["HaidangDeviceSilent"])) == 1
    now = collector.poll()
    prometheus.wait_for('haidang_device_state{device="sw1",state="up"} == 1')
    prometheus.wait_for(f'timestamp(haidang_device_uptime_seconds{{device="sw1"}}) >= {now:.3f}')
