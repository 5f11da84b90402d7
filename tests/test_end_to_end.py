"""The whole way: agent and province, a collector process, a real Prometheus that discovers the pages and answers PromQL."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import urllib.error
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import peers
import province
import pytest

from collector.estate.inventory import Inventory
from exporters import alerts, grafana
from exporters.sd import scrape_config
from haidang.simulate.running import Running
from haidang.version import version

HOUSE = Path(__file__).parents[1]
INTERVAL = 2
HEAD = """
[collector]
interval = "{interval}s"
timeout = "1s"
retries = 2
state_directory = "{directory}/state"

[web]
listen = "127.0.0.1:{port}"

[[credential]]
name = "agent"
version = "2c"
community = "here"

[[unit]]
id = "may-nay"
name = "Máy này"

[[device]]
id = "agent"
address = "{agent}"
unit = "may-nay"
credential = "agent"
"""


class Estate:
    """What runs, and where."""

    def __init__(self, province: Running, directory: Path, agent: str, port: int) -> None:
        self.province = province
        self.directory = directory
        self.agent = agent
        self.port = port
        self.settings = directory / "haidang.toml"
        self.collector: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def health(self) -> dict[str, int]:
        """Devices by state."""
        found: dict[str, int] = json.loads(peers.fetch(f"{self.url}/health"))["devices"]
        return found

    def states(self) -> dict[str, str]:
        """The state of each device, as /metrics has it."""
        page = peers.fetch(f"{self.url}/metrics").decode()
        return dict(re.findall(r'^haidang_device_state\{device="([^"]+)",unit="[^"]*",state="([a-z]+)"\} 1$', page, re.M))

    def log(self) -> str:
        """All that collectors said."""
        return (self.directory / "log").read_text()

    def collect(self) -> subprocess.Popen[bytes]:
        """Start a collector on the settings; its log goes to a file."""
        with open(self.directory / "log", "ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "haidang.cli", "collector", "run", "--config", str(self.settings)],
                cwd=HOUSE,
                stdout=log,
                stderr=log,
            )
        peers.wait_until(lambda: process.poll() is not None or peers.answers_http(f"{self.url}/health"), "the collector serves")
        assert process.poll() is None, self.log()
        return process


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    """A province of 30 devices in 3 offices, our agent on this machine, and the collector that polls them."""
    directory = tmp_path_factory.mktemp("estate")
    with ExitStack() as stack:
        of = stack.enter_context(province.running(3, 30))
        agent_port = peers.free_port("udp")
        agent = directory / "agent.toml"
        listen = f"127.0.0.1:{agent_port}"
        agent.write_text(f'[agent]\nlisten = "{listen}"\nstate = "{directory}/agent"\n[[community]]\nname = "here"\n')
        process = subprocess.Popen([sys.executable, "-m", "agent", "run", "--config", str(agent)], cwd=HOUSE)
        stack.callback(peers.end, process)
        found = Estate(of, directory, listen, peers.free_port("tcp"))
        head = HEAD.format(interval=INTERVAL, directory=directory, port=found.port, agent=found.agent)
        found.settings.write_text(province.settings_text(of, head))
        found.collector = found.collect()
        stack.callback(lambda: peers.end(found.collector))
        peers.wait_until(lambda: found.health()["up"] == 31, "all 31 devices are up")
        yield found


@pytest.fixture(scope="module")
def prometheus(estate: Estate) -> Iterator[peers.Prometheus]:
    """A real Prometheus with the scrape configuration that `haidang export alerts` writes."""
    with peers.prometheus(scrape_config(f"127.0.0.1:{estate.port}", interval=1)) as running:
        yield running


def test_prometheus_discovers_and_finds_everything(prometheus: peers.Prometheus) -> None:
    """Prometheus finds the pages through /sd/prometheus and has every device of every office, and this machine."""
    prometheus.wait_for('count(haidang_device_state{state="up"} == 1) == 31')
    prometheus.wait_for('count(count by (unit) (haidang_device_state{state="up"} == 1)) == 4')


def test_the_collector_tells_its_version(prometheus: peers.Prometheus) -> None:
    """The health page names the version that runs, so that several collectors can be compared."""
    ((labels, value),) = prometheus.wait_for("haidang_collector_info")
    assert (labels["version"], value) == (version(), 1)


def test_the_agents_interfaces_are_found(prometheus: peers.Prometheus) -> None:
    """PromQL gives speed, traffic and state of this machine's own interfaces, as the agent tells them."""
    speeds = prometheus.wait_for('haidang_interface_speed_bytes_per_second{device="agent"}')
    assert all(labels["interface"] for labels, _ in speeds)
    prometheus.wait_for('haidang_interface_up{device="agent",interface="lo"}')
    prometheus.wait_for('haidang_interface_receive_bytes_total{device="agent",interface="lo"} > 0')


def test_rates_come_out(prometheus: peers.Prometheus) -> None:
    """Counters of the province move, and rates over their own times are there."""
    assert prometheus.wait_for('count(rate(haidang_interface_receive_bytes_total{device!="agent"}[20s]) > 0)')


@pytest.mark.parametrize("expression", sorted({*alerts.expressions().values(), *grafana.expressions().values()}))
def test_every_expression_runs(prometheus: peers.Prometheus, expression: str) -> None:
    """Each expression of the alert rules and the dashboards is accepted by Prometheus."""
    filled = re.sub(r"\$__\w+|\$\w+", lambda m: {"$__rate_interval": "1m", "$__interval": "1m"}.get(m[0], ".*"), expression)
    prometheus.query(filled)


def test_a_device_switched_off_and_on(estate: Estate) -> None:
    """A device that goes off is silent, its neighbours stay up, and it comes back by itself."""
    machine = next(m for m in estate.province.province.machines if m.kind == "workstation")
    estate.province.fault(machine.name, "off")
    peers.wait_until(lambda: estate.states()[machine.name.lower()] == "silent", "the device is silent")
    peers.wait_until(lambda: estate.health()["up"] == 30, "the others are up")
    estate.province.fault(machine.name, "on")
    peers.wait_until(lambda: estate.health()["up"] == 31, "it is back")


def test_a_dead_line_is_not_dead_devices(estate: Estate) -> None:
    """When a whole office falls silent its devices are unreachable, not silent; all are asked at once when it returns."""
    office = estate.province.province.offices[-1]
    members = {m.name.lower() for m in estate.province.province.members(office.id)}
    estate.province.fault(office.id, "off")

    def cut_off() -> bool:
        states = estate.states()
        return all(states[name] == "unreachable" for name in members)

    peers.wait_until(cut_off, "the office is unreachable")
    estate.province.fault(office.id, "on")
    peers.wait_until(lambda: estate.health()["up"] == 31, "it is back")


def test_reading_again_stopping_and_starting(estate: Estate) -> None:
    """SIGHUP takes a new device, names what needs a restart, loses nothing; SIGTERM ends in order; a new start knows plans."""
    new = '[[device]]\nid = "closed"\naddress = "127.0.0.1:1"\nunit = "may-nay"\ncredential = "agent"\n'
    before = estate.settings.read_text()
    estate.settings.write_text(before + "\nnonsense = 1\n")
    estate.collector.send_signal(signal.SIGHUP)
    peers.wait_until(lambda: "settings refused" in estate.log(), "wrong settings are refused")
    peers.wait_until(lambda: list(estate.states().values()).count("up") == 31, "the ones before stay")
    with pytest.raises(urllib.error.HTTPError) as unwell:
        peers.fetch(f"{estate.url}/health")
    assert unwell.value.code == 503 and "haidang.toml was refused" in unwell.value.read().decode()
    estate.settings.write_text(before + '[agents]\nlisten = "127.0.0.1:1"\n')
    estate.collector.send_signal(signal.SIGHUP)
    needed = "settings need a restart keys='agents.listen'"
    peers.wait_until(lambda: needed in estate.log(), "what is taken at the start only is named")
    peers.wait_until(lambda: estate.health()["up"] == 31, "health has no reason any more")
    estate.settings.write_text(before + new)
    estate.collector.send_signal(signal.SIGHUP)
    peers.wait_until(lambda: estate.states().get("closed") == "refused", "the new device is asked")
    peers.wait_until(lambda: estate.health()["up"] == 31, "the others are as they were")
    estate.collector.terminate()
    assert estate.collector.wait(peers.DEADLINE) == 0
    with closing(Inventory.open(f"sqlite:///{estate.directory}/state/haidang.db")) as inventory:
        assert set(inventory.plans()) >= {"agent", *(machine.name.lower() for machine in estate.province.province.machines)}
        agent = inventory.device("agent")
        assert agent is not None
        first = agent.first_seen
        assert inventory.facts("agent")["name"].value == socket.gethostname()
    estate.collector = estate.collect()
    peers.wait_until(lambda: estate.health()["up"] == 31, "everything is polled again")
    assert "learn" not in estate.log().lower()
    with closing(Inventory.open(f"sqlite:///{estate.directory}/state/haidang.db")) as inventory:
        agent = inventory.device("agent")
        assert agent is not None
        assert agent.first_seen == first
