"""The service: settings in, polls out; every kind of trouble beside health; new settings and restarts lose nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from devices import Device as Peer
from devices import listening, question, reply, silent, text
from rows import IFX
from switches import PROFILES, Switch, many, series
from virtual import clock, run

from collector import service as services
from collector.credential import open_credential
from collector.estate.inventory import Inventory
from collector.model import Block, Device, Facts, Outcome, State, Status
from collector.service import Service
from config import settings as configuration
from config.catalogue import CATALOGUE
from config.settings import Settings
from snmp import ber, message
from snmp.errors import DecodeError
from snmp.security import Community
from snmp.usm import User

SEALED = User(b"sealed", "SHA-1", b"authpass1234", "AES-128", b"privpass1234")
CREDENTIALS = """
[[credential]]
name = "public"
version = "2c"
community = "public"
[[credential]]
name = "wrong"
version = "2c"
community = "wrong"
[[credential]]
name = "v1"
version = "1"
community = "public"
[[credential]]
name = "v3"
version = "3"
user = "sealed"
auth = "SHA-1"
auth_secret = "authpass1234"
priv = "AES-128"
priv_secret = "privpass1234"
[[credential]]
name = "v3-wrong"
version = "3"
user = "sealed"
auth = "SHA-1"
auth_secret = "another one"
priv = "AES-128"
priv_secret = "privpass1234"
"""


class Sheet:
    """A sink that keeps the last word on each device."""

    def __init__(self) -> None:
        self.status: dict[str, Status] = {}
        self.blocks: dict[str, Block | None] = {}
        self.facts: dict[str, Facts] = {}
        self.polls: dict[str, list[float]] = {}
        self.gone: list[str] = []
        self.cycles: list[str] = []

    def polled(self, device: Device, status: Status, block: Block | None) -> None:
        self.status[device.id] = status
        self.blocks[device.id] = block
        if block is not None:
            self.polls.setdefault(device.id, []).append(clock().time())

    def described(self, device: Device, facts: Facts) -> None:
        self.facts[device.id] = facts

    def cycled(self, unit: str) -> None:
        self.cycles.append(unit)

    def forgotten(self, device: Device) -> None:
        self.gone.append(device.id)


class Office:
    """Devices by id, and the settings that name them."""

    def __init__(self, directory: Path, stack: AsyncExitStack) -> None:
        self.directory = directory
        self.stack = stack
        self.switches: dict[str, Switch] = {}
        self.peers: dict[str, Peer] = {}
        self.sheet = Sheet()
        self.rows: dict[str, dict[str, str]] = {}
        self.units: dict[str, str] = {"xa-1": ""}

    async def add(self, id: str, answer: Any = None, credential: str = "public", unit: str = "xa-1", **more: str) -> Peer:
        """One more device: a switch of plain rows, or what answers so."""
        if answer is None:
            switch = self.switches[id] = Switch(many(6), [SEALED])
            answer = switch.answer

        def spoken_to(data: bytes, source: Any) -> Any:
            try:
                return answer(data, source)
            except DecodeError:
                return None  # a script for v2c, asked in v3

        peer = self.peers[id] = await self.stack.enter_async_context(listening(spoken_to))
        if id in self.switches:
            self.switches[id].peer = peer
        self.rows[id] = {"address": f"127.0.0.1:{peer.port}", "credential": credential, "unit": unit, **more}
        return peer

    def settings(self, head: str = "") -> Settings:
        """The settings as they stand."""
        lines = ["[collector]", 'interval = "60s"', f'state_directory = "{self.directory}"', head, CREDENTIALS]
        for unit, more in self.units.items():
            lines += ["[[unit]]", f'id = "{unit}"', more]
        for id, row in self.rows.items():
            lines += ["[[device]]", f'id = "{id}"', *(f'{key} = "{value}"' for key, value in row.items())]
        path = self.directory / "haidang.toml"
        path.write_text("\n".join(lines))
        return configuration.read(path)

    @asynccontextmanager
    async def service(self) -> AsyncIterator[Service]:
        """Running on what the settings say now, on the same inventory each time."""
        inventory = Inventory.open(f"sqlite:///{self.directory / 'haidang.db'}")
        service = Service(self.settings(), PROFILES, inventory, [self.sheet])
        try:
            yield service
        finally:
            service.stop()
            assert await asyncio.to_thread(inventory.close)

    def right(self, id: str) -> bool:
        """Does the sheet hold what a walk of this switch gives?"""
        return series(self.sheet.blocks.get(id)) == self.switches[id].truth()


@pytest.fixture
def office(tmp_path: Path) -> Any:
    """Run a coroutine function with an office."""

    def runs(work: Any) -> None:
        async def whole() -> None:
            async with AsyncExitStack() as stack:
                await work(Office(tmp_path, stack))

        run(whole)

    return runs


def test_everything_is_polled_and_kept(office: Any) -> None:
    """v1, v2c and v3 devices are learnt and polled; states, facts and plans are in the inventory."""

    async def work(own: Office) -> None:
        for id, credential in (("one", "public"), ("two", "v3"), ("three", "v1")):
            await own.add(id, credential=credential)
        async with own.service() as service:
            assert await service.cycled(60)
            await asyncio.sleep(180)
            assert own.right("one")
            assert own.right("two")
            assert {status.state for status in own.sheet.status.values()} == {State.UP}
            assert set(own.sheet.facts) == {"one", "two", "three"}
            assert service.inventory.flush()
            assert {key: record.state for key, record in service.inventory.devices().items()} == dict.fromkeys(own.rows, State.UP)
            assert set(service.inventory.plans()) == set(own.rows)

    office(work)


def test_every_number_is_in_the_catalogue(office: Any) -> None:
    """The collector's and the units' figures have declared names, and say what happened."""

    async def work(own: Office) -> None:
        await own.add("one")
        await own.add("dead", silent)
        async with own.service() as service:
            await asyncio.sleep(300)
            whole = service.numbers()
            of_unit = service.unit_numbers("xa-1")
            assert set(whole) | set(of_unit) <= set(CATALOGUE)
            assert all(CATALOGUE[name].labels == ("unit",) for name in of_unit)
            assert 0 < of_unit["haidang_unit_answer_seconds"] < 1 or of_unit["haidang_unit_answer_seconds"] >= 0
            assert of_unit["haidang_unit_loss_ratio"] == 0
            assert of_unit["haidang_unit_requests_total"] > of_unit["haidang_unit_retries_total"] > 0
            assert of_unit["haidang_unit_sent_bytes_total"] > 0
            assert of_unit["haidang_unit_received_bytes_total"] > of_unit["haidang_unit_sent_bytes_total"] / 2
            failures = whole["haidang_collector_errors_total"]
            assert isinstance(failures, Mapping)
            assert failures[Outcome.TIMEOUT] > 0
            assert service.unit_numbers("nowhere") == {}
            assert service.ailments() == []

    office(work)


def loss(share: int, answer: Any) -> Any:
    """Every so-manieth packet is lost."""
    count = 0

    def lossy(data: bytes, source: Any) -> Any:
        nonlocal count
        count += 1
        return None if count % share == 0 else answer(data, source)

    return lossy


def test_loss_is_a_number(office: Any) -> None:
    """A unit whose line loses every fourth packet shows it, and is polled all the same."""

    async def work(own: Office) -> None:
        peer = await own.add("one")
        await own.add("two")
        peer.answer = loss(4, own.switches["one"].answer)
        async with own.service() as service:
            await asyncio.sleep(600)
            assert own.right("one")
            assert service.unit_numbers("xa-1")["haidang_unit_retries_total"] > 3
            assert own.sheet.status["one"].retries > 3
            assert own.sheet.status["two"].retries == 0

    office(work)


def one_of_two(data: bytes, _: Any) -> bytes:
    """Knows its sysDescr and nothing else."""
    pdu, asked = question(data)
    known = [b.oid for b in asked if b.oid == (1, 3, 6, 1, 2, 1, 1, 1, 0)]
    return reply(data, [text(oid, b"only this") for oid in known]) if pdu.type == message.GET else reply(data, [])


def test_each_trouble_has_its_state_and_words_and_delays_nobody(office: Any) -> None:
    """A dozen kinds of trouble beside two healthy devices in one unit: each is told apart, the healthy are polled on time."""

    async def work(own: Office) -> None:
        await own.add("good")
        await own.add("good-v3", credential="v3")
        await own.add("dead", silent)
        await own.add("closed")
        await own.add("garbage", lambda data, _: b"\x30\x82noise")
        await own.add("wrong-community", credential="wrong")
        await own.add("wrong-password", credential="v3-wrong")
        await own.add("one-of-two", one_of_two)
        other = await own.stack.enter_async_context(listening(silent, "127.0.0.7"))

        def elsewhere(data: bytes, source: Any) -> None:
            other.send(reply(data, [text()]), source)

        await own.add("elsewhere", elsewhere)
        await own.add("wrong-id", lambda data, _: reply(data, [text()], request_id=77))
        await own.add("refuses", lambda data, _: reply(data, status=message.AUTHORIZATION_ERROR))
        await own.add("slow")
        own.peers["slow"].delay = 1.2
        own.peers["closed"].transport.close()
        own.rows["nameless"] = {"address": "no-such-host.invalid", "credential": "public", "unit": "xa-1"}
        async with own.service():
            await asyncio.sleep(600)
            told = {id: (status.state, status.message) for id, status in own.sheet.status.items()}
            assert told["good"] == told["good-v3"] == (State.UP, "")
            assert told["slow"] == (State.UP, "")
            assert own.right("good")
            assert own.right("good-v3")
            assert own.right("slow")
            for id in ("good", "good-v3"):
                gaps = [b - a for a, b in pairwise(own.sheet.polls[id][1:])]
                assert all(gap == pytest.approx(60, abs=0.2) for gap in gaps)
            for id, state, says in (
                ("dead", State.SILENT, f"no answer from 127.0.0.1 port {own.peers['dead'].port}"),
                ("closed", State.REFUSED, "Connection refused: the machine is there"),
                ("garbage", State.GARBLED, "answers with what is no SNMP message"),
                ("wrong-community", State.REFUSED, "does not answer this community"),
                ("wrong-password", State.REFUSED, "refuses the authentication of user 'sealed'"),
                ("elsewhere", State.SILENT, f"an answer came from 127.0.0.7 port {other.port}"),
                ("wrong-id", State.SILENT, "the id of no request under way"),
                ("refuses", State.REFUSED, "authorizationError"),
                ("nameless", State.SILENT, "no address is known for this name"),
            ):
                assert told[id][0] is state, (id, told[id])
                assert says in told[id][1], (id, told[id])
            assert told["one-of-two"][0] in (State.UP, State.PARTIAL)
            assert len({said for _, said in told.values()}) >= 10

    office(work)


def test_a_dead_device_costs_little(office: Any) -> None:
    """Three packets in the cycle in which it is asked, and that ever more rarely."""

    async def work(own: Office) -> None:
        await own.add("good")
        dead = await own.add("dead", silent)
        async with own.service():
            await asyncio.sleep(3600)
            when = [moment for moment, _ in dead.asked]
            in_cycle = [sum(begin <= moment < begin + 60 for moment in when) for begin in range(1000, 4600, 60)]
            assert max(in_cycle) <= 3
            assert len(when) < 30

    office(work)


# restarts


def test_a_restart_polls_everything_within_an_interval_by_the_plans_it_kept(office: Any) -> None:
    """The second run walks nothing: each device's first turn is its plan, within one interval of the start."""

    async def work(own: Office) -> None:
        for i in range(12):
            await own.add(f"sw{i}", credential="v3" if i % 3 == 0 else "public")
        async with own.service() as service:
            assert await service.cycled(60)
            await asyncio.sleep(60)
            plans = {id: len(watch.plan.requests) for id, watch in service.watches.items() if watch.plan is not None}
            assert len(plans) == 12
        own.sheet = Sheet()
        asked = {id: peer.requests() for id, peer in own.peers.items()}
        async with own.service() as service:
            service.surveyor.stop()
            began = clock().time()
            assert await service.cycled(60)
            assert clock().time() - began < 60
            assert all(own.right(id) for id in own.rows)
            discovery = {id: 2 if own.rows[id]["credential"] == "v3" else 0 for id in own.rows}
            assert all(own.peers[id].requests() - asked[id] <= plans[id] * 2 + discovery[id] for id in own.rows)

    office(work)


@pytest.mark.parametrize("change", ["address", "version", "nothing"])
def test_a_plan_is_taken_for_the_device_it_is_of(office: Any, caplog: pytest.LogCaptureFixture, change: str) -> None:
    """Settings that changed while the collector was down: what was learnt of another device, or for another version, is learnt
    anew, and the log says why."""

    async def work(own: Office) -> None:
        await own.add("one")
        async with own.service() as service:
            assert await service.cycled(60)
            await asyncio.sleep(30)
        if change == "address":
            await own.add("two")
            own.switches["one"] = own.switches.pop("two")
            own.switches["one"].rows[IFX + (1, 1)] = (ber.OCTET_STRING, b"another")
            own.rows["one"]["address"] = own.rows.pop("two")["address"]
        elif change == "version":
            own.rows["one"]["credential"] = "v1"
        own.sheet = Sheet()
        async with own.service() as service:
            assert (service.watches["one"].plan is not None) is (change == "nothing")
            assert await service.cycled(60)
            assert own.right("one") or change == "version"

    with caplog.at_level(logging.INFO):
        office(work)
    said = sum(
        "plan not taken over device=one" in r.getMessage() and ", expected 127.0.0.1" in r.getMessage() for r in caplog.records
    )
    assert said == (change != "nothing")


def test_a_plan_that_cannot_be_read_is_learnt_again(office: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Damage on disk costs one lesson, and a line in the log."""

    async def work(own: Office) -> None:
        await own.add("one")
        async with own.service() as service:
            assert await service.cycled(60)
            await asyncio.sleep(30)
            service.inventory.save_plan("one", b"damaged")
        own.sheet = Sheet()
        async with own.service() as service:
            assert await service.cycled(60)
            assert own.right("one")

    with caplog.at_level(logging.INFO):
        office(work)
    assert sum("plan not taken over device=one" in record.getMessage() for record in caplog.records) == 1


def test_nothing_becomes_silent_by_stopping(office: Any) -> None:
    """Requests under way at the end are no states: the inventory says that the device was up."""

    async def work(own: Office) -> None:
        peer = await own.add("one")
        async with own.service() as service:
            assert await service.cycled(60)
            peer.answer = silent
            while not service.watches["one"].busy:
                await asyncio.sleep(0.1)
        inventory = Inventory.open(f"sqlite:///{own.directory / 'haidang.db'}")
        assert inventory.devices()["one"].state is State.UP
        inventory.close()
        assert own.sheet.status["one"].state is State.UP

    office(work)


def test_a_device_that_is_silent_since_the_start_did_answer_once(office: Any) -> None:
    """When a device answered last is known after a restart, too, though it has been silent since."""

    async def work(own: Office) -> None:
        peer = await own.add("one")
        async with own.service() as service:
            assert await service.cycled(60)
            answered = own.sheet.status["one"].answered
        peer.answer = silent
        async with own.service() as service:
            assert await service.cycled(60)
            status = own.sheet.status["one"]
            assert status.state is State.SILENT
            assert answered is not None and status.answered == pytest.approx(answered, abs=1.0)

    office(work)


# new settings


def test_the_same_settings_change_nothing(office: Any) -> None:
    """Read again as they were: the same watches, plans and rhythm, and not a packet more."""

    async def work(own: Office) -> None:
        await own.add("one")
        await own.add("two", credential="v3")
        async with own.service() as service:
            assert await service.cycled(60)
            before = dict(service.watches)
            plans = {id: watch.plan for id, watch in before.items()}
            for _ in range(5):
                await asyncio.sleep(47)
                service.arrange(own.settings())
            await asyncio.sleep(60)
            assert service.watches == before
            assert {id: watch.plan for id, watch in service.watches.items()} == plans
            polls = own.sheet.polls["one"]
            assert all(b - a == pytest.approx(60, abs=0.2) for a, b in pairwise(polls[1:]))
            assert own.sheet.gone == []

    office(work)


def test_what_moved_or_was_renamed_keeps_its_plan(office: Any) -> None:
    """Another name, another unit, another community: state and plan stay; another address is another device."""

    async def work(own: Office) -> None:
        own.units["xa-2"] = ""
        for id in ("renamed", "moved", "rekeyed", "readdressed"):
            await own.add(id)
        async with own.service() as service:
            assert await service.cycled(60)
            await asyncio.sleep(60)
            plans = {id: watch.plan for id, watch in service.watches.items()}
            since = {id: status.since for id, status in own.sheet.status.items()}
            own.rows["renamed"]["name"] = "Máy chủ"
            own.rows["moved"]["unit"] = "xa-2"
            own.rows["rekeyed"]["credential"] = "wrong"
            own.switches["rekeyed"].agent = type(own.switches["rekeyed"].agent)(
                own.switches["rekeyed"].agent.tree, [services_access(b"wrong")], clock=clock().time
            )
            fresh = await own.add("elsewhere")
            own.rows.pop("elsewhere")
            own.rows["readdressed"]["address"] = f"127.0.0.1:{fresh.port}"
            service.arrange(own.settings())
            now = {id: watch.plan for id, watch in service.watches.items()}
            assert {id: now[id] is plans[id] for id in now} == {
                "renamed": True, "moved": True, "rekeyed": True, "readdressed": False,
            }  # fmt: skip
            await asyncio.sleep(150)
            assert {status.state for status in own.sheet.status.values()} == {State.UP}
            assert {id: status.since for id, status in own.sheet.status.items()} == since
            assert own.right("moved")
            assert own.right("rekeyed")
            assert [watch.device.id for watch in service.cycles["xa-2"].watches] == ["moved"]
            assert own.sheet.gone == []

    office(work)


def services_access(name: bytes) -> Any:
    from snmp.access import CommunityAccess

    return CommunityAccess(name)


def test_what_was_taken_out_is_forgotten_for_good(office: Any) -> None:
    """Even when it answers a moment later: the sinks hear `forgotten` last."""

    async def work(own: Office) -> None:
        await own.add("stays")
        peer = await own.add("goes")
        async with own.service() as service:
            assert await service.cycled(60)
            peer.delay = 1.0
            while not service.watches["goes"].busy:
                await asyncio.sleep(0.1)
            own.rows.pop("goes")
            own.sheet.status.clear()
            service.arrange(own.settings())
            await asyncio.sleep(300)
            assert own.sheet.gone == ["goes"]
            assert set(own.sheet.status) == {"stays"}
            assert set(service.watches) == {"stays"}
            assert service.client.waiting == 0

    office(work)


def test_units_come_and_go(office: Any) -> None:
    """A unit that is taken out is asked nothing more; its device goes on in another one, facts included."""

    async def work(own: Office) -> None:
        own.units["xa-2"] = ""
        peer = await own.add("one", unit="xa-2")
        async with own.service() as service:
            assert await service.cycled(60)
            peer.delay = 0.5
            while not service.watches["one"].busy:
                await asyncio.sleep(0.1)
            del own.units["xa-2"]
            own.units["xa-3"] = 'interval = "30s"'
            own.rows["one"]["unit"] = "xa-3"
            own.sheet.facts.clear()
            service.arrange(own.settings())
            assert set(service.cycles) == {"xa-1", "xa-3"}
            began = clock().time()
            await asyncio.sleep(300)
            assert own.right("one")
            assert own.sheet.facts["one"].interfaces
            assert len([when for when in own.sheet.polls["one"] if when > began]) >= 9

    office(work)


def test_settings_read_again_and_again_leave_nothing_behind(office: Any) -> None:
    """A hundred changes of budgets and intervals: as many lines, cycles and tasks as units."""

    async def work(own: Office) -> None:
        own.units["xa-2"] = ""
        await own.add("one")
        await own.add("two", unit="xa-2")
        async with own.service() as service:
            assert await service.cycled(60)
            line = service.line("xa-1")
            tasks = len(asyncio.all_tasks())
            for i in range(100):
                own.units["xa-1"] = f"packets_per_second = {10 + i}\nbandwidth = {1_000_000 + i}"
                own.units["xa-2"] = f'interval = "{60 + i}s"'
                service.arrange(own.settings())
                await asyncio.sleep(1)
            assert service.line("xa-1") is line
            assert service.watches["one"].target.line is line
            assert len(service._lines) == len(service.cycles) == 2
            assert len(asyncio.all_tasks()) <= tasks
            await asyncio.sleep(400)
            assert own.right("one")
            assert own.right("two")

    office(work)


def test_new_timeouts_and_retries_hold_at_once(office: Any) -> None:
    """They are the unit's, and reach the devices it has already."""

    async def work(own: Office) -> None:
        await own.add("one")
        async with own.service() as service:
            assert await service.cycled(60)
            own.units["xa-1"] = 'timeout = "5s"\nretries = 4'
            service.arrange(own.settings())
            watch = service.watches["one"]
            assert (watch.target.timeout, watch.tries) == (5.0, 5)

    office(work)


# names


def test_names_are_looked_up_and_looked_up_again(
    office: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A name that is not found is said once and tried again; found, its device is polled; an address that changes is followed."""

    async def work(own: Office) -> None:
        first, second = await own.add("first"), await own.add("second")
        own.rows = {"named": {"address": f"switch.example:{first.port}", "credential": "public", "unit": "xa-1"}}
        known: dict[str, str] = {}

        async def look_up(name: str, *_: Any, **__: Any) -> Sequence[Any]:
            if name not in known:
                raise OSError("Name or service not known")
            return [(2, 2, 17, "", (known[name], 0))]

        monkeypatch.setattr(clock(), "getaddrinfo", look_up)
        async with own.service() as service:
            await asyncio.sleep(200)
            assert own.sheet.status["named"].state is State.SILENT
            assert service.client.counters.sent == 0
            known["switch.example"] = "127.0.0.1"
            await asyncio.sleep(services.MISSING_AGAIN + 61)
            assert own.sheet.status["named"].state is State.UP
            assert service.watches["named"].target.address == "127.0.0.1"
            known["switch.example"] = "127.0.0.9"
            await own.stack.enter_async_context(listening(own.switches["second"].answer, "127.0.0.9", first.port))
            await asyncio.sleep(services.NAMES_AGAIN + 61)
            assert service.watches["named"].target.address == "127.0.0.9"
            assert own.sheet.status["named"].state is State.UP
            assert second.requests() == 0

    with caplog.at_level(logging.WARNING):
        office(work)
    assert sum("address not found name=switch.example" in record.getMessage() for record in caplog.records) == 1


def test_waiting_for_a_cycle_has_an_end(office: Any) -> None:
    """A device that takes longer than one is willing to wait: False."""

    async def work(own: Office) -> None:
        await own.add("dead", silent)
        async with own.service() as service:
            assert not await service.cycled(3)
            assert await service.cycled(60)

    office(work)


def test_credentials_are_opened(office: Any) -> None:
    """What the settings say becomes what the client needs."""

    async def work(own: Office) -> None:
        known = own.settings().credentials
        assert open_credential(known["public"]) == Community(b"public", message.V2C)
        assert open_credential(known["v1"]) == Community(b"public", message.V1)
        assert open_credential(known["v3"]) == SEALED

    office(work)
