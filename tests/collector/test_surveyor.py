"""The surveyor: whom it asks and when, what it draws from it, and what stands when somebody does not answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from offices import NOW, Office, mac
from sqlalchemy.exc import OperationalError

from collector.estate.inventory import Inventory
from collector.estate.links import Links
from collector.estate.picture import Picture, remembered, samples
from collector.estate.ports import Flaw, Flawed
from collector.model import Block, Device, Facts, Heard, Interface, Layout, Series, State, Status, Survey
from collector.polling import surveyor as module
from collector.polling.surveyor import Surveyor
from collector.polling.watch import Watch
from config.catalogue import CATALOGUE
from snmp.client import Client, Target
from snmp.errors import Timeout
from snmp.security import Community

UNIT = "xa-1"
SPEEDS = Layout(
    [Series(metric, (("interface", "eth0"),)) for metric in ("haidang_interface_up", "haidang_interface_speed_bytes_per_second")]
)


class World:
    """An office whose devices were polled, and a surveyor whose questions are answered from it."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.office = Office()
        self.office.add("", 2, p10=["pc1"], p11=["pc2"])
        self.office.add("sw0", 3, p7=["pc3"])
        self.surveys = {one.device: one for one in self.office.surveys()}
        self.surveys["gw"] = Survey("gw", NOW, resolved={"10.0.0.9": (mac("sw0"), "eth0")})
        self.asked: list[str] = []
        self.broken: dict[str, Exception] = {}
        self.drawn: list[Picture] = []
        self.inventory = Inventory.open(f"sqlite:///{directory}/inventory.db")
        self.links = Links(self.inventory.engine)
        self.now = NOW
        monkeypatch.setattr(module, "survey", self._survey)
        monkeypatch.setattr(module.time, "time", lambda: self.now)

    async def _survey(self, client: Client, target: Target, device: str, *_: Any) -> Survey:
        self.asked.append(device)
        if device in self.broken:
            raise self.broken[device]
        return replace(self.surveys[device], time=self.now)

    def device(self, id: str) -> Device:
        return Device(id, f"10.0.0.{id}", 161, "v2c", UNIT)

    def surveyor(self, every: float = 3600.0) -> Surveyor:
        """A new one that knows nobody yet."""
        watch = Watch(self.device("any"), Target("127.0.0.1", 1, Community(b"public")))
        return Surveyor(Client(), lambda id: watch, self.links, self.drawn.append, every)

    def poll(self, to: Surveyor, *silent: str, speed: int = 125_000_000) -> None:
        """All devices are asked once."""
        for one in self.office.nodes():
            device = self.device(one.id)
            facts = Facts(kind=one.kind, name=one.name, interfaces=one.interfaces)
            self.inventory.described(device, facts, self.now)
            to.described(device, facts)
            quiet = one.id in silent
            to.polled(device, Status(State.SILENT if quiet else State.UP), None if quiet else Block(SPEEDS, [1, speed], self.now))
        assert self.inventory.flush()


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    found = World(tmp_path, monkeypatch)
    yield found
    found.inventory.close()


def on_loop(work: Callable[[], Awaitable[None]]) -> None:
    async def whole() -> None:
        await work()

    asyncio.run(whole())


def hanging(picture: Picture) -> dict[str, str]:
    return dict(picture.parents)


TREE = {"sw0": "gw", "pc1": "sw0", "pc2": "sw0", "sw1": "sw0", "pc3": "sw1"}


def test_those_of_the_network_are_asked_and_the_rest_follows(world: World) -> None:
    """Switches and routers are surveyed, workstations are not; the picture has the links, and who hangs on whom."""

    async def work() -> None:
        surveyor = world.surveyor()
        world.poll(surveyor)
        picture = await surveyor.survey(UNIT)
        assert world.asked == ["gw", "sw0", "sw1"]
        assert (picture.root, hanging(picture), picture.surveyed) == ("gw", TREE, NOW)
        assert world.drawn == [picture]
        assert await surveyor.survey("another") == Picture("another")

    on_loop(work)


def test_a_switch_that_is_silent_is_spared_and_its_last_survey_stands_for_a_while(world: World) -> None:
    """Who does not answer polls is not asked; what it told within the last hours still counts, later no more."""

    async def work() -> None:
        surveyor = world.surveyor()
        world.poll(surveyor)
        await surveyor.survey(UNIT)
        world.poll(surveyor, "sw1")
        world.asked.clear()
        assert hanging(await surveyor.survey(UNIT)) == TREE
        assert world.asked == ["gw", "sw0"]
        world.now += 4 * 3600
        assert hanging(await surveyor.survey(UNIT)) == TREE, "links stay when nothing contradicts them"

    on_loop(work)


def test_one_device_that_cannot_be_surveyed_does_not_hold_up_the_others(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """An error is said once, not every hour, and the others' surveys still make a picture."""
    caplog.set_level(logging.INFO)
    world.broken["gw"] = Timeout("no answer to 3 requests")

    async def work() -> None:
        surveyor = world.surveyor()
        world.poll(surveyor)
        for _ in range(2):
            assert hanging(await surveyor.survey(UNIT))["pc3"] == "sw1"

    on_loop(work)
    said = [record.getMessage() for record in caplog.records if "survey incomplete" in record.getMessage()]
    assert len(said) == 1
    assert "device=gw outcome=timeout" in said[0]


def test_surveys_begin_after_the_first_cycle_and_go_on(world: World) -> None:
    """Nothing is asked before a unit was polled; then soon, and again and again."""

    async def work() -> None:
        surveyor = world.surveyor(every=0.2)
        surveyor.cycled(UNIT)
        assert not surveyor._timers
        world.poll(surveyor)
        surveyor.cycled(UNIT)
        surveyor.cycled(UNIT)
        async with asyncio.timeout(60):
            while len([one for one in world.drawn if one.root == "gw"]) < 2:
                await asyncio.sleep(0.01)
        surveyor.stop()

    on_loop(work)


def test_a_new_collector_knows_what_the_last_one_found(world: World) -> None:
    """What is kept is drawn before anybody is asked: after a restart a dead switch is known for one at once."""

    async def work() -> None:
        before = world.surveyor()
        world.poll(before)
        await before.survey(UNIT)
        world.asked.clear()
        world.drawn.clear()
        after = world.surveyor()
        world.poll(after)
        after.cycled(UNIT)
        async with asyncio.timeout(60):
            while not world.drawn:
                await asyncio.sleep(0.01)
        after.stop()
        assert hanging(world.drawn[0]) == TREE
        assert world.asked == []

    on_loop(work)


def test_what_was_taken_out_of_the_settings_is_not_asked(world: World) -> None:
    """A forgotten device is neither asked nor drawn, and a unit without devices is left alone."""

    async def work() -> None:
        surveyor = world.surveyor(every=0.01)
        world.poll(surveyor)
        for one in world.office.nodes():
            surveyor.forgotten(world.device(one.id))
        await surveyor.survey(UNIT)
        assert world.asked == []
        surveyor.cycled(UNIT)
        assert not surveyor._timers

    on_loop(work)


def test_a_database_that_fails_costs_one_picture(world: World, caplog: pytest.LogCaptureFixture, monkeypatch: Any) -> None:
    """What cannot be kept is said, nothing is drawn, and the next survey works again."""

    async def work() -> None:
        surveyor = world.surveyor()
        world.poll(surveyor)
        with monkeypatch.context() as patch:
            patch.setattr(world.links._engine, "begin", _fails)
            patch.setattr(world.links._engine, "execution_options", _fails)
            await surveyor.survey(UNIT)
        assert not world.drawn
        assert hanging(await surveyor.survey(UNIT)) == TREE

    on_loop(work)
    assert "topology not kept unit=xa-1" in caplog.text


def _fails(*_: Any, **__: Any) -> Any:
    raise OperationalError("SELECT 1", {}, Exception("disk I/O error"))


def test_a_slower_port_is_found_with_the_day(world: World) -> None:
    """The ledger has a gigabit until a day, polls say 100 Mbit/s: the picture says which machine, and since when."""

    async def work() -> None:
        surveyor = world.surveyor()
        world.poll(surveyor)
        await surveyor.survey(UNIT)
        device = world.device("pc1")
        port = Interface(1, "eth0", mac=mac("pc1"), type=6)
        for speed, when in ((10**9, NOW), (10**8, NOW + 86400)):
            world.inventory.described(device, Facts(name="pc1", interfaces=(replace(port, speed_bps=speed),)), when)
        assert world.inventory.flush()
        world.now = NOW + 2 * 86400
        world.poll(surveyor)
        surveyor.polled(device, Status(State.UP), Block(SPEEDS, [1, 12_500_000], world.now))
        picture = await surveyor.survey(UNIT)
        assert picture.flaws == (Flawed("pc1", "eth0", Flaw.PAST, 10**9, 10**8, NOW + 86400, "sw0", "p10"),)

    on_loop(work)


def test_the_picture_is_remembered_without_asking(world: World) -> None:
    """What the inventory has makes the same links, and says whose addresses are the same."""

    async def work() -> None:
        surveyor = world.surveyor()
        world.poll(surveyor)
        drawn = await surveyor.survey(UNIT)
        found = remembered(UNIT, world.now, world.links.nodes([UNIT]), world.links)
        assert (found.links, found.parents) == (drawn.links, drawn.parents)
        assert found.shared == {}

    on_loop(work)


def test_a_picture_as_metrics(world: World) -> None:
    """Every series is one of the catalogue with all its labels, each once; strangers are counted, not named."""

    async def work() -> None:
        surveyor = world.surveyor()
        told = world.surveys["sw0"]
        world.surveys["sw0"] = replace(told, heard=(*told.heard, Heard("3c:d9:2b:00:00:01", "p12")))
        world.poll(surveyor)
        picture = await surveyor.survey(UNIT)
        picture = replace(picture, flaws=(Flawed("pc1", "eth0", Flaw.PAST, 10**9, 10**8), Flawed("pc2", "eth0", Flaw.HALF)))
        found = samples(picture)
        for series, _ in found:
            assert tuple(name for name, _ in series.labels) == CATALOGUE[series.metric].labels
            assert not CATALOGUE[series.metric].polled
        assert len({series for series, _ in found}) == len(found)
        values = {(series.metric, tuple(value for _, value in series.labels)): value for series, value in found}
        assert values["haidang_link_info", ("sw0", "p10", "pc1", "eth0", "forwarding")] == 1
        assert values["haidang_port_machines", ("sw0", "p10")] == 1
        assert values["haidang_port_machines", ("sw0", "p12")] == 1
        assert not any(labels[:2] == ("sw0", "p12") for metric, labels in values if metric == "haidang_link_info")
        assert values["haidang_port_degraded", ("pc1", "eth0", "past")] == 1
        assert values["haidang_port_expected_bytes_per_second", ("pc1", "eth0")] == 125_000_000
        assert ("haidang_port_expected_bytes_per_second", ("pc2", "eth0")) not in values
        assert values["haidang_unit_survey_timestamp_seconds", (UNIT,)] == NOW
        assert samples(Picture("xa-2")) == []

    on_loop(work)


def test_a_device_that_changed_its_unit_is_surveyed_there(world: World) -> None:
    """New settings move a switch: it is asked with its new unit, and no more with the old one."""

    async def work() -> None:
        surveyor = world.surveyor()
        world.poll(surveyor)
        moved = replace(world.device("sw1"), unit="xa-2")
        surveyor.described(moved, Facts(kind="switch", name="sw1", interfaces=world.office.nodes()[2].interfaces))
        await surveyor.survey(UNIT)
        assert world.asked == ["gw", "sw0"]
        world.asked.clear()
        await surveyor.survey("xa-2")
        assert world.asked == ["sw1"]

    on_loop(work)
