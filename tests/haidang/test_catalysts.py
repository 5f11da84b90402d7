"""`haidang topology` and the collector's surveyor on Catalysts that answer: forwarding tables by VLAN, neighbours by CDP."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest
from catalysts import Catalyst, office

from collector.estate.inventory import Inventory
from collector.estate.links import Links
from collector.polling import surveyor
from collector.service import Service
from config import settings
from config.profiles import Profiles
from haidang.cli import main

PCS = ("pc1", "pc2", "pc3")


def switches(**deaf: Collection[int]) -> list[Catalyst]:
    """A switch, another one behind its Gi0/1; machines in two VLANs, the switches' own addresses in VLAN 99."""
    first = Catalyst(
        "sw1",
        {1: {}, 10: {"pc1": 3, "pc3": 49}, 20: {"pc2": 5}, 30: {}, 99: {"sw2 99": 49}},
        members={3: 10, 5: 20},
        beside={10101: ("sw2.example", "GigabitEthernet0/1")},
        deaf=deaf.get("sw1", ()),
    )
    second = Catalyst(
        "sw2",
        {1: {}, 10: {"pc3": 4, "pc1": 49}, 99: {"sw1 99": 49}},
        members={4: 10},
        beside={10101: ("sw1.example", "GigabitEthernet0/1")},
        deaf=deaf.get("sw2", ()),
    )
    return [first, second]


def survey(config: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, tuple[Any, ...]]:
    """Machine or switch -> what it hangs on, the port, VLAN and how that is known, by the command."""
    assert main(["topology", "--config", str(config), "--survey", "now", "--json"]) == 0
    (unit,) = json.loads(capsys.readouterr().out)["units"]
    return {one["remote"]: (one["device"], one["port"], one["vlan"], one["how"]) for one in unit["links"]}


def written(directory: Path, text: str) -> Path:
    path = directory / "haidang.toml"
    path.write_text(text)
    return path


PLACES = {
    "pc1": ("sw1", "Fa0/3", 10, "forwarding"),
    "pc2": ("sw1", "Fa0/5", 20, "forwarding"),
    "pc3": ("sw2", "Fa0/4", 10, "forwarding"),
    "sw2": ("sw1", "Gi0/1", None, "cdp"),
}


@pytest.mark.parametrize("credential", ["v2c", "v3"])
def test_machines_behind_catalysts_are_placed(tmp_path: Path, capsys: pytest.CaptureFixture[str], credential: str) -> None:
    """By community@vlan and by SNMPv3 contexts each machine is found at its port in its VLAN; CDP names the cable between."""
    with office(switches(), PCS, credential) as text:
        assert survey(written(tmp_path, text), capsys) == PLACES


@pytest.mark.parametrize("credential", ["v2c", "v3"])
def test_a_vlan_that_is_not_told_leaves_the_rest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, credential: str
) -> None:
    """The first VLAN asked for times out, or is refused as a context: said, the machines of the other VLANs are placed."""
    caplog.set_level(logging.INFO)
    with office(switches(sw1=[10]), PCS, credential) as text:
        found = survey(written(tmp_path, text), capsys)
    assert {id: place for id, place in found.items() if id != "pc1"} == {id: PLACES[id] for id in ("pc2", "pc3", "sw2")}
    (said,) = [record.getMessage() for record in caplog.records if "survey incomplete" in record.getMessage()]
    assert "device=sw1" in said
    assert "VLAN 10: " in said


@pytest.mark.parametrize("credential", ["v2c", "v3"])
def test_a_switch_that_tells_no_vlan_is_still_linked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, credential: str
) -> None:
    """No VLAN's table may be read: three are tried, that is said, CDP links the switches, the other one places its machines."""
    caplog.set_level(logging.INFO)
    with office(switches(sw1=[1, 10, 20, 30, 99]), PCS, credential) as text:
        found = survey(written(tmp_path, text), capsys)
    assert found["pc3"] == PLACES["pc3"]
    assert found["sw2"] == PLACES["sw2"]
    (said,) = [record.getMessage() for record in caplog.records if "survey incomplete" in record.getMessage()]
    assert [f"VLAN {vlan}: " in said for vlan in (10, 20, 99, 1, 30)] == [True, True, True, False, False]
    assert "2 of 5 VLANs not asked for" in said


def test_a_thousand_vlans_are_bounded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of 1,000 VLANs those with ports and with the switch's own address come first: all is placed, in a bounded survey."""
    first, second = switches()
    first.vlans = {**{vlan: {} for vlan in range(1, 1001)}, 940: {"pc1": 3}, 950: {"pc2": 5}, **{99: first.vlans[99]}}
    first.members = {3: 940, 5: 950}
    with office([first, second], PCS, "v3") as text:
        found = survey(written(tmp_path, text), capsys)
    assert found == {**PLACES, "pc1": ("sw1", "Fa0/3", 940, "forwarding"), "pc2": ("sw1", "Fa0/5", 950, "forwarding")}
    assert len(first.asked) < 450


@pytest.mark.parametrize("credential", ["v2c", "v3"])
def test_the_collector_surveys_catalysts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, credential: str) -> None:
    """The running collector finds the same by itself after its first cycle."""
    monkeypatch.setattr(surveyor, "SOON", 0.0)
    monkeypatch.setattr(surveyor, "SPREAD", 0.0)

    async def watched(config: Path) -> dict[str, tuple[Any, ...]]:
        own = settings.read(config)
        inventory = Inventory.open(own.collector.database.reveal())
        links = Links(inventory.engine)
        service = Service(own, Profiles.load([]), inventory, [])
        service.surveyor._every = 2.0  # the first survey may come before the inventory has the devices
        found: dict[str, tuple[Any, ...]] = {}
        try:
            async with asyncio.timeout(200):
                while found != PLACES:
                    await service.cycled(60)
                    found = {
                        link.remote: (link.device, link.port, link.vlan, link.how)
                        for link, *_ in await asyncio.to_thread(links.standing)
                    }
            return found
        finally:
            service.stop()
            await asyncio.to_thread(inventory.close)

    with office(switches(), PCS, credential) as text:
        assert asyncio.run(watched(written(tmp_path, text))) == PLACES
