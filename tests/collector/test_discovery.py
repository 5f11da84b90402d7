"""Discovery in the collector: when searches are due, that they run beside polling, and what is polled because of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import time as clock
from pathlib import Path
from typing import Any

import devices
import pytest
from office import Office, office

from collector import discovery
from collector.discovery import Discoveries, due_at, enlarged
from collector.estate.candidates import Candidates, State
from collector.polling.line import Line
from config import settings
from config.profiles import Profiles
from config.settings import Device, Settings
from snmp.client import Client

PROFILES = Profiles.load()
NOW = 1_800_000_000.0
TEXT = """
[collector]
timeout = "200ms"
[[credential]]
name = "read"
version = "2c"
community = "public"
[[unit]]
id = "office"
packets_per_second = 1000
[[device]]
id = "polled"
address = "127.78.5.9"
unit = "office"
credential = "read"
[[discovery]]
unit = "office"
ranges = ["127.78.5.0/28"]
credentials = ["read"]
port = {port}
{more}
"""


def read(directory: Path, port: int = 161, more: str = "") -> Settings:
    path = directory / "haidang.toml"
    path.write_text(TEXT.format(port=port, more=more))
    return settings.read(path)


def test_accepted_devices_stand_behind_the_settings(tmp_path: Path) -> None:
    """What the settings call an address, or a device, wins; a device whose unit or credential is gone is left out."""
    found = read(tmp_path)
    new = Device("new", "127.78.5.3", 161, "office", "read", "", "")
    others = [
        replace(new, id="elsewhere", unit="gone"), replace(new, id="locked", credential="gone"),
        replace(new, id="polled", address="127.78.5.4"), replace(new, id="second", address="127.78.5.9"),
    ]  # fmt: skip
    assert [one.id for one in enlarged(found, [*others, new]).devices] == ["polled", "new"]


def test_when_a_search_is_due(tmp_path: Path) -> None:
    """At once when it is overdue or was stopped, else an interval after the last began; at a time of day when that comes."""
    every = read(tmp_path, more='every = "1d"').discoveries["office"]
    at = replace(every, every=None, at=clock(2, 30))

    def due(one: Any, last: tuple[float, float | None] | None) -> float | None:
        when = due_at(one, last, NOW)
        return None if when is None else when.timestamp() - NOW

    assert due(every, None) == 60
    assert due(every, (NOW - 3600, NOW - 3000)) == 86400 - 3600
    assert due(every, (NOW - 200_000, NOW - 190_000)) == 60
    assert due(every, (NOW - 100, None)) == due(at, (NOW - 100, None)) == 60
    assert due(at, (NOW - 3600, NOW - 3000)) is None
    assert due(at, None) is None
    assert due(every, (NOW + 1e9, NOW + 1e9)) == 86400, "a clock that was ahead puts nothing off for longer than an interval"


Ground = Callable[[Callable[[Office, Discoveries, Candidates, list[list[Device]]], Awaitable[None]]], None]


@pytest.fixture
def ground(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Ground:
    """Runs work with an office, the collector's discovery on both kinds of database, and what it had polled."""
    monkeypatch.setattr(discovery, "SOON", 0.05)
    monkeypatch.setattr(discovery, "LOOK_EVERY", 0.2)

    def go(work: Callable[[Office, Discoveries, Candidates, list[list[Device]]], Awaitable[None]]) -> None:
        async def whole() -> None:
            arranged: list[list[Device]] = []
            candidates = Candidates.open(database_url)
            with office() as place:
                client = Client()
                lines = Line(1000.0, 0.0, client.loop.time)
                found = Discoveries(client, PROFILES, candidates, lambda _: lines, arranged.append)
                try:
                    await work(place, found, candidates, arranged)
                finally:
                    await found.stop()
                    client.close()
                    candidates.close()

        asyncio.run(whole())

    return go


def put(place: Office, last: int, name: str) -> None:
    tree = devices.system(name.encode())
    place.devices[f"127.78.5.{last}"] = devices.responder(tree, engine=name.encode()).answer


async def until(there: Callable[[], object]) -> None:
    """Wait for something to be so."""
    async with asyncio.timeout(60):
        while not there():
            await asyncio.sleep(0.02)


def test_the_schedule_searches_and_rules_accept(ground: Ground, tmp_path: Path) -> None:
    """What never ran is looked for soon after the start; finds that a rule fits are polled without anybody being asked, what is
    polled already is not asked, and the same run does not begin twice."""

    async def work(place: Office, found: Discoveries, candidates: Candidates, arranged: list[list[Device]]) -> None:
        put(place, 3, "printer-one")
        put(place, 9, "polled")
        found.start(read(tmp_path, place.port, 'every = "1d"\naccept = [{kind = "*"}]'), [])
        await until(lambda: arranged)
        await until(lambda: candidates.runs.all()["office"].ended)
        assert [(one.id, one.address, one.port) for one in arranged[-1]] == [("printer-one", "127.78.5.3", place.port)]
        assert place.addresses() == {f"127.78.5.{last}" for last in (*range(1, 9), *range(10, 15))}
        asked = len(place.asked)
        await asyncio.sleep(0.3)
        assert len(place.asked) == asked

    ground(work)


def test_what_people_decide_reaches_the_collector(ground: Ground, tmp_path: Path) -> None:
    """A candidate that another process accepts is polled, and one that it rejects is not any more."""

    async def work(place: Office, found: Discoveries, candidates: Candidates, arranged: list[list[Device]]) -> None:
        put(place, 3, "one")
        found.start(read(tmp_path, place.port, 'every = "1d"'), [])
        await until(lambda: candidates.all(states=[State.NEW]))
        (one,) = candidates.all()
        await asyncio.to_thread(candidates.accept, one.id, "somebody", NOW)
        await until(lambda: arranged)
        assert [device.id for device in arranged[-1]] == ["one"]
        await asyncio.to_thread(candidates.reject, one.id, "somebody", NOW)
        await until(lambda: arranged[-1] == [])

    ground(work)


def test_new_settings_change_the_schedule(ground: Ground, tmp_path: Path) -> None:
    """By hand only, nothing is asked; once the settings say how often, it is."""

    async def work(place: Office, found: Discoveries, candidates: Candidates, arranged: list[list[Device]]) -> None:
        put(place, 3, "one")
        found.start(read(tmp_path, place.port), [])
        await asyncio.sleep(0.4)
        assert place.asked == []
        found.settle(read(tmp_path, place.port, 'every = "10m"'))
        await until(candidates.all)

    ground(work)


def test_a_search_that_was_stopped_goes_on(ground: Ground, tmp_path: Path) -> None:
    """The collector ends while it searches, however long answers may take; its next start goes on where it was, whatever the
    schedule says."""

    async def work(place: Office, found: Discoveries, candidates: Candidates, arranged: list[list[Device]]) -> None:
        put(place, 3, "one")
        slow = read(tmp_path, place.port, 'at = "02:30"')
        slow = replace(slow, units={"office": replace(slow.units["office"], timeout=3600.0)})
        candidates.runs.begin("office", NOW)
        candidates.runs.end("office", candidates.runs.all()["office"].done, {}, NOW, False)
        found.start(slow, [])
        await until(lambda: place.asked)
        async with asyncio.timeout(60):
            await found.stop()
        assert candidates.runs.all()["office"].ended is None

    ground(work)
