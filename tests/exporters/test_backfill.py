from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from peers import prometheus
from reporting import Agent, machine_rows, receive, user

from collector.model import Device, Unit
from config.remote_write import RemoteWrite
from exporters import backfill, sd
from exporters.backfill import Backfill
from exporters.health import Health
from exporters.http import Server
from exporters.prometheus import Pages
from exporters.remote_write import Answer, Samples, Writer
from snmp.message import VarBind

ROWS = machine_rows()
TRAFFIC = next(row for row in ROWS if row.oid[:11] == (1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 6))
UPTIME = "haidang_device_uptime_seconds"
UNIT = Unit("xa-1", "UBND xã Hòa Lộc", "commune")


def rows(octets: int) -> list[VarBind]:
    return [TRAFFIC._replace(value=10**12 + octets) if row is TRAFFIC else row for row in ROWS]


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for late reports, and ask storages again, more often than anybody need wait for in earnest."""
    monkeypatch.setattr(backfill, "LOOK_EVERY", 0.1)
    monkeypatch.setattr(backfill, "SHORTEST", 0.05)
    monkeypatch.setattr(backfill, "LONGEST", 0.2)


async def until(holds: Callable[[], object], patience: float = 60.0) -> None:
    async with asyncio.timeout(patience):
        while not holds():
            await asyncio.sleep(0.02)


async def outage(agent: Agent, ages: list[float], interval: int) -> None:
    """What an agent sends when its line returns: a full report of the beginning, the present, then the past in its order."""
    start = agent.report(rows(0), full=True, ago=ages[0], interval=interval)
    past = [agent.report(rows(n), ago=age, interval=interval) for n, age in enumerate(ages[1:], 1)]
    present = agent.report(rows(len(ages)), interval=interval, oldest=past[0][0][0])
    await agent.send(start)
    await agent.send(present)
    for parts in past:
        await agent.send(parts)
    await agent.send(agent.report(rows(len(ages) + 1), interval=interval))


@pytest.mark.parametrize(("interval", "hours"), [(60, 1), (600, 6)])
def test_an_outage_leaves_no_hole(tmp_path: Path, interval: int, hours: int) -> None:
    """Hours without a line, then it returns: in a real Prometheus that scrapes the pages the series goes on throughout, with the
    values of the time, and it is one series."""

    async def run() -> None:
        pages = Pages([UNIT], [])
        made = receive(tmp_path, pages)  # type: ignore[arg-type]
        server = Server(pages, Health(pages.numbers), port=0)
        await server.start()
        target = server.url.partition("//")[2].strip("/")
        config = sd.scrape_config(target).replace("interval: 60s", "interval: 1s")
        with prometheus(config, None, "--web.enable-remote-write-receiver") as peer:
            options = RemoteWrite(f"{peer.url}/api/v1/write", "haidang", None, None, None, {})

            def labels(device: Device) -> dict[str, str]:
                return {"job": sd.JOB, "instance": target, **sd.unit_labels(UNIT.id, UNIT.name)}

            filling = Backfill(made, Writer(options), labels)
            filling.start()
            agent = Agent(made.address)
            now = time.time()
            ages = [float(age) for age in range(hours * 3600, 0, -interval)]
            await outage(agent, ages, interval)
            await until(lambda: filling.counts["written"] >= len(ages) - 1)
            traffic = f'haidang_interface_receive_bytes_total{{device="pc-1"}} >= {10**12}'
            await until(lambda: peer.query(traffic))
            await asyncio.sleep(2.5)  # a scrape or two beside what was written
            query = {"query": traffic, "start": str(now - hours * 3600 + 1), "end": str(now - 1), "step": "60"}
            (series,) = (await asyncio.to_thread(peer.api, "query_range", **query))["result"]
            names = {"device", "interface", "unit", "unit_name", "job", "instance", "__name__"}
            assert set(series["metric"]) == names and series["metric"]["unit_name"] == UNIT.name
            assert len(series["values"]) == hours * 60
            for at, value in series["values"]:
                expected = 10**12 + int((float(at) - (now - hours * 3600)) // interval)
                assert abs(float(value) - expected) <= 1
            resets = peer.query(f'sum(resets(haidang_interface_receive_bytes_total{{device="pc-1"}}[{hours}h]))')
            assert resets[0][1] == 0
            scraped = peer.query(f'count(count by (instance, job, unit) ({UPTIME}))')
            assert scraped[0][1] == 1
            assert filling.counts["refused"] == filling.counts["incomplete"] == 0
            await filling.stop()
        await server.stop()
        await made.stop()

    asyncio.run(run())


class Shelf:
    """A storage as the test wants it: `refuses` says which samples it never takes, `away` whether it is there at all."""

    def __init__(self) -> None:
        self.taken: list[Samples] = []
        self.away = False
        self.asked = 0
        self.refuses: Callable[[Samples], bool] = lambda samples: False
        self._lock = threading.Lock()

    def write(self, samples: Samples) -> Answer:
        with self._lock:
            self.asked += 1
            if self.away:
                return Answer(False, trouble="away")
            if self.refuses(samples):
                return Answer(False, True, "out of bounds")
            self.taken.append(samples)
            return Answer(True)

    def close(self) -> None:
        pass

    def octets(self) -> list[int]:
        """Of all that was taken, the counter's values."""
        return [
            int(value) - 10**12
            for samples in self.taken
            for labels, points in samples.items()
            if dict(labels)[b"__name__"] == b"haidang_interface_receive_bytes_total"
            for value in points.values()
            if value >= 10**12
        ]


def filled(directory: Path, shelf: Shelf, whole: int, twice: bool = False) -> Backfill:
    """Run an outage of `whole` reports against a shelf, over a restart when `twice`; gives the last Backfill."""

    async def run() -> Backfill:
        made = receive(directory, Pages([UNIT], []))  # type: ignore[arg-type]
        filling = Backfill(made, shelf, lambda device: {})
        filling.start()
        agent = Agent(made.address)
        await outage(agent, [60.0 * n for n in range(whole + 100, 100, -1)], 60)
        if twice:
            await until(lambda: shelf.asked)
            await filling.stop()
            await made.stop()
            shelf.away = False
            made = receive(directory, Pages([UNIT], []))  # type: ignore[arg-type]
            filling = Backfill(made, shelf, lambda device: {})
            filling.start()
        await until(lambda: sum(filling.counts.values()) and not made.late(0, 100)[2])
        await filling.stop()
        await made.stop()
        return filling

    return asyncio.run(run())


def test_each_is_written_once_over_a_restart_and_a_storage_that_was_away(tmp_path: Path) -> None:
    """While the storage is away nothing is lost; a restart in between neither loses nor doubles."""
    shelf = Shelf()
    shelf.away = True
    filling = filled(tmp_path, shelf, 30, twice=True)
    octets = shelf.octets()
    assert sorted(octets) == sorted(set(octets)) and set(range(1, 30)) <= set(octets)
    assert filling.counts["refused"] == 0 and filling.trouble == ""


def test_a_storage_that_is_away_is_said_and_counted(tmp_path: Path) -> None:
    """The trouble has words while it lasts, attempts are counted, and asking goes on ever more seldom."""
    shelf = Shelf()
    shelf.away = True

    async def run() -> None:
        made = receive(tmp_path, Pages([UNIT], []))  # type: ignore[arg-type]
        filling = Backfill(made, shelf, lambda device: {})
        filling.start()
        await outage(Agent(made.address), [7200.0, 7140.0, 7080.0], 60)
        await until(lambda: filling.trouble == "away" and shelf.asked > 2)
        numbers = filling.numbers()
        assert numbers["haidang_collector_late_failures_total"] >= 2  # type: ignore[operator]
        assert numbers["haidang_collector_late_reports_waiting"] >= 2  # type: ignore[operator]
        await filling.stop()
        await made.stop()

    asyncio.run(run())


def test_a_report_that_is_refused_costs_no_other(tmp_path: Path) -> None:
    """One report the storage never takes (too old, say) is found among the others, given up and counted; the others are taken."""
    shelf = Shelf()
    shelf.refuses = lambda samples: any(value == 10**12 + 7 for points in samples.values() for value in points.values())
    filling = filled(tmp_path, shelf, 20)
    assert set(range(1, 20)) - {7} <= set(shelf.octets()) and 7 not in shelf.octets()
    assert filling.counts["refused"] == 1


def test_a_report_whose_parts_never_came_is_ticked_off(tmp_path: Path) -> None:
    """What the agent had to give up for want of room holds up nothing."""
    shelf = Shelf()

    async def run() -> None:
        made = receive(tmp_path, Pages([UNIT], []))  # type: ignore[arg-type]
        filling = Backfill(made, shelf, lambda device: {})
        filling.start()
        agent = Agent(made.address)
        lost = agent.report(rows(0), full=True, ago=7200.0, interval=60)
        orphan = agent.report(rows(1), ago=7140.0, interval=60)
        await agent.send(agent.report(rows(2), full=True, interval=60, oldest=lost[0][0]))
        await agent.send([*lost[1:], *orphan])
        await agent.send(agent.report(rows(3), interval=60))
        await until(lambda: filling.counts["incomplete"] >= 1 and not made.late(0, 100)[2])
        await filling.stop()
        await made.stop()

    asyncio.run(run())
    assert 1 not in shelf.octets()


def test_a_revoked_agents_reports_wait(tmp_path: Path) -> None:
    """Nobody knows any more what its reports belong to; they wait for its return, and hold up nobody."""
    shelf = Shelf()

    async def run() -> None:
        made = receive(tmp_path, Pages([UNIT], []), {"pc-1": user(), "pc-2": user("pc-2")})  # type: ignore[arg-type]
        first, second = Agent(made.address), Agent(made.address, user("pc-2"), b"other")
        made.keep_late()
        await outage(first, [7200.0, 7140.0, 7080.0], 60)
        device = made.reporters["pc-1"].device
        made.arrange({"pc-2": (replace(device, id="pc-2"), [user("pc-2")])})
        filling = Backfill(made, shelf, lambda device: {})
        filling.start()
        await outage(second, [7200.0, 7140.0, 7080.0], 60)
        await until(lambda: filling.counts["written"] >= 2)
        devices = {dict(labels)[b"device"] for samples in shelf.taken for labels in samples}
        assert devices == {b"pc-2"} and made.late(0, 100)[2] >= 2
        made.arrange({"pc-1": (device, [user()])})
        await until(lambda: not made.late(0, 100)[2] or filling.counts["written"] >= 4)
        await filling.stop()
        await made.stop()

    asyncio.run(run())


def test_stopping_does_not_wait_for_a_storage_that_is_away(tmp_path: Path) -> None:
    """Told to stop, it ends between two attempts, however long the pause would be."""
    shelf = Shelf()
    shelf.away = True
    backfill.LONGEST = backfill.SHORTEST = 3600.0

    async def run() -> None:
        made = receive(tmp_path, Pages([UNIT], []))  # type: ignore[arg-type]
        filling = Backfill(made, shelf, lambda device: {})
        filling.start()
        await outage(Agent(made.address), [7200.0, 7140.0, 7080.0], 60)
        await until(lambda: shelf.asked)
        async with asyncio.timeout(60):
            await filling.stop()
        await made.stop()

    asyncio.run(run())
