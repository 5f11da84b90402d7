"""The simulated province's cabling, recovered by asking it; and `haidang topology` as a user types it."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import province
import pytest

from collector.estate.inventory import Inventory
from collector.estate.topology import UNMANAGED
from collector.model import State
from collector.service import Service
from config import settings
from config.profiles import Profiles
from haidang.cli import main
from haidang.simulate.cabling import Cabling, hardware_address, lay, pick
from haidang.simulate.links import half_duplex, link_speed
from haidang.simulate.province import Machine
from haidang.simulate.running import Running
from haidang.simulate.settings import device_id

HEAD = '[collector]\ninterval = "1s"\ntimeout = "2s"\nretries = 1\npackets_per_second = 5000\nstate_directory = "{}"\n'
Place = tuple[str, str, str]
"""What a device hangs on, the port, what is between."""


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    """Four offices, one of which has two switches, one an unmanaged one, one a copied disk."""
    with province.running(4, 90) as found:
        yield found


@pytest.fixture(scope="module")
def config(running: Running, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its settings, in a directory of their own."""
    directory = tmp_path_factory.mktemp("topology")
    path = directory / "haidang.toml"
    path.write_text(province.settings_text(running, HEAD.format(directory / "state")))
    return path


@pytest.fixture(scope="module")
def surveyed(config: Path) -> Path:
    """The same after a survey on command."""
    assert main(["topology", "--config", str(config), "--survey", "now", "--json"]) == 0
    return config


def cablings(running: Running) -> dict[str, Cabling]:
    return {office.id: lay(running.province.members(office.id)) for office in running.province.offices[1:]}


def expected(cabling: Cabling) -> dict[str, Place]:
    """How an office is cabled, but for machines with somebody else's address."""
    found = {}
    sharing: dict[tuple[str, int], int] = {}
    for plant, port in cabling.attachments.values():
        at = (plant.machine.address, port)
        sharing[at] = sharing.get(at, 0) + 1
    owners: dict[bytes, list[str]] = {}
    for machine in cabling.members:
        plant_ = cabling.plants.get(machine.address)
        oui = plant_.model.oui if plant_ is not None else pick(machine).oui
        owners.setdefault(hardware_address(machine, oui), []).append(machine.address)
    alone = {some[0] for some in owners.values() if len(some) == 1}
    by_address = {machine.address: machine for machine in cabling.members}
    for address, (plant, port) in cabling.attachments.items():
        if address in alone:
            between = UNMANAGED if sharing[plant.machine.address, port] > 1 else ""
            found[device_id(by_address[address])] = (device_id(plant.machine), plant.model.port_label(port), between)
    for plant in cabling.plants.values():
        above = cabling.router if plant.parent is None else plant.parent.machine
        port_label = "" if plant.parent is None else plant.parent.model.port_label(plant.parent_port)
        found[device_id(plant.machine)] = (device_id(above), port_label, "")
    return found


def copied(cabling: Cabling) -> list[str]:
    """The machines with somebody else's address."""
    placed = expected(cabling)
    switches = {plant.machine.address for plant in cabling.plants.values()}
    machines = [one for one in cabling.members if one.address in cabling.attachments and one.address not in switches]
    return sorted(device_id(one) for one in machines if device_id(one) not in placed)


def told(unit: dict[str, Any], routers: set[str]) -> dict[str, Place]:
    """What the command says, in the same form; which port of its router leads to an office the cabling does not say."""
    return {
        link["remote"]: (link["device"], "" if link["device"] in routers else link["port"], link["via"])
        for link in unit["links"]
        if link["remote"]
    }


def call(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main(["topology", *map(str, words)])
    out, err = capsys.readouterr()
    return code, out, err


def test_the_provinces_cabling_is_recovered(surveyed: Path, running: Running, capsys: pytest.CaptureFixture[str]) -> None:
    """Every switch and machine of every office hangs where it was cabled, by all that its devices say over SNMP; machines with
    one address for two are said to be so."""
    code, out, _ = call(capsys, "--config", surveyed, "--json")
    assert code == 0
    units = {unit["id"]: unit for unit in json.loads(out)["units"]}
    laid = cablings(running)
    assert units.keys() == laid.keys()
    routers = {device_id(cabling.router) for cabling in laid.values()}
    for id, cabling in laid.items():
        assert told(units[id], routers) == expected(cabling), id
        assert sorted(one for some in units[id]["shared"].values() for one in some) == copied(cabling)
    assert any(place[2] for cabling in laid.values() for place in expected(cabling).values()), "no unmanaged switch to find"
    assert any(len(cabling.plants) > 1 for cabling in laid.values()), "no second switch to find"


def test_the_page_is_a_tree_from_the_router_down(surveyed: Path, running: Running, capsys: pytest.CaptureFixture[str]) -> None:
    """Names are as they are, each machine stands below its switch and port, copied disks are named, and so are bad ports."""
    office = max(running.province.offices[1:], key=lambda one: len(running.province.members(one.id)))
    code, out, _ = call(capsys, "--config", surveyed, "--unit", office.id)
    assert code == 0
    lines = out.splitlines()
    cabling = lay(running.province.members(office.id))
    assert lines[0].startswith(f"{office.name} ({office.id}), {len(cabling.members)} devices, surveyed ")
    assert lines[1].split() == [device_id(cabling.router), "router"]
    for id, (above, port, between) in expected(cabling).items():
        (line,) = [one for one in lines if f" {id}  " in one and "wrong:" not in one and "not placed" not in one]
        if port and not between:
            assert f" {port} - " in line
        if above != device_id(cabling.router):
            (upper,) = [one for one in lines if f" {above}  " in one and "wrong:" not in one]
            assert lines.index(upper) < lines.index(line)
    half = [line for line in lines if "half duplex" in line]
    assert all("expected full duplex" in line for line in half)


def test_a_unit_that_does_not_exist_is_refused(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit status 2, and which units there are."""
    code, _, err = call(capsys, "--config", config, "--unit", "nowhere")
    assert code == 2
    assert 'no [[unit]] has the id "nowhere"; ' in err


def test_without_a_survey_nothing_is_known(running: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A new inventory: exit status 1, and what to do."""
    config = tmp_path / "haidang.toml"
    config.write_text(province.settings_text(running, HEAD.format(tmp_path / "state")))
    code, out, err = call(capsys, "--config", config)
    assert (code, out) == (1, "")
    assert "--survey now" in err


def test_a_database_that_cannot_be_opened_is_said(running: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit status 1 and one line."""
    config = tmp_path / "haidang.toml"
    (tmp_path / "file").touch()
    config.write_text(province.settings_text(running, HEAD.format(tmp_path / "file" / "state")))
    code, _, err = call(capsys, "--config", config)
    assert code == 1
    assert err.startswith("haidang topology: ")


def test_what_hangs_on_a_dead_switch_is_unreachable(surveyed: Path, running: Running) -> None:
    """A switch and all behind it fall silent: it is silent, of them nothing is known; the rest of the office is up. They come
    back together."""
    laid = cablings(running)
    plant = next(plant for cabling in laid.values() for plant in cabling.plants.values() if plant.parent is not None)
    behind = [machine for some in plant.access.values() for machine in some]
    states = asyncio.run(_watch_a_failure(surveyed, running, plant.machine, behind))
    placed = expected(next(cabling for cabling in laid.values() if plant.machine in cabling.members))
    # where a machine with somebody else's address hangs nobody knows: it is only silent
    unreachable = {id: State.UNREACHABLE if id in placed else State.SILENT for id in map(device_id, behind)}
    assert states == {device_id(plant.machine): State.SILENT, **unreachable}


async def _watch_a_failure(config: Path, running: Running, switch: Machine, behind: list[Machine]) -> dict[str, State]:
    """The states of those that are not up, once they are settled."""
    found = settings.read(config)
    office = next(one for one in found.devices if one.id == device_id(switch)).unit
    own = replace(
        found,
        devices=tuple(one for one in found.devices if one.unit == office),
        units={office: replace(found.units[office], timeout=1.0)},
    )
    inventory = Inventory.open(own.collector.database.reveal())
    service = Service(own, Profiles.load([]), inventory, [])

    def standing() -> dict[str, State]:
        return {id: watch.status.state for id, watch in service.watches.items() if watch.status.state is not State.UP}

    try:
        async with asyncio.timeout(200):
            while standing() or not service.cycles[office].parents:
                await service.cycled(60)
            for machine in (switch, *behind):
                running.fault(machine.address, "silent")
            while State.UP in (service.watches[device_id(one)].status.state for one in (switch, *behind)):
                await service.cycled(60)
            await service.cycled(60)
            states = standing()
            for machine in (switch, *behind):
                running.fault(machine.address, "on")
            while standing():
                await service.cycled(60)
    finally:
        service.stop()
        await asyncio.to_thread(inventory.close)
    return states


def test_a_damaged_cable_is_found_by_its_past(surveyed: Path, running: Running, capsys: pytest.CaptureFixture[str]) -> None:
    """A machine whose link was at a gigabit for two hours and is now at 100 Mbit/s: a survey on command says so, since when, and
    that it is likely the cable."""
    gigabit = {
        (one.address, plant.machine.office): port
        for cabling in cablings(running).values()
        for one in cabling.members
        if one.kind == "workstation" and device_id(one) in expected(cabling)
        for plant, port in [cabling.attachments[one.address]]
        if link_speed(plant, port, one) == 1000 and not half_duplex(one) and not expected(cabling)[device_id(one)][2]
    }
    (address, office), *_ = gigabit
    machine = running.province.machine(address)
    assert machine is not None
    database = settings.read(surveyed).collector.database.reveal().removeprefix("sqlite:///")
    with closing(sqlite3.connect(database)) as connection:
        for table in ("fact", "link"):
            connection.execute(f"UPDATE {table} SET first_seen = first_seen - 7200")
        connection.commit()
    running.fault(address, "link=100")
    try:
        code, out, _ = call(capsys, "--config", surveyed, "--unit", office, "--survey", "now")
    finally:
        running.fault(address, "on")
    assert code == 0
    lines = out.splitlines()
    (at,) = [number for number, line in enumerate(lines) if line.startswith(f"  wrong: {device_id(machine)} ")]
    assert ": 100 Mbit/s since " in lines[at]
    assert ", expected 1 Gbit/s, as before (other end " in lines[at]
    assert "likely the cable" in lines[at + 1]


def test_names_are_shown_as_they_are(surveyed: Path, running: Running, capsys: pytest.CaptureFixture[str]) -> None:
    """Vietnamese names come out whole, also in JSON."""
    office = running.province.offices[1]
    for words in ([], ["--json"]):
        _, out, _ = call(capsys, "--config", surveyed, "--unit", office.id, *words)
        assert office.name in out
        assert not office.name.isascii()
