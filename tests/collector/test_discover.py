from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest.mock import patch

import devices
import pytest
import virtual
from office import Office, office

from collector.errors import DiscoveryError, InventoryError
from collector.estate.candidates import Candidate, Candidates, State
from collector.polling.cases import End, Known, Opener, Tally
from collector.polling.discover import Search
from collector.polling.line import Line
from config.discovery import Discovery
from config.profiles import Profiles
from config.ranges import Ranges, Spans, parse
from config.secrets import Secret
from config.settings import Credential, Unit
from snmp import ber
from snmp.client import Client, Target
from snmp.oid import OID
from snmp.security import Community
from snmp.usm import User

PROFILES = Profiles.load()
USER = User(b"warden", "SHA-1", b"authpass1234", "AES-128", b"privpass1234")
LAN = "127.77.5.0/24"
TOGETHER = 0.001
"""The client deals together with what is due within so many seconds."""


def opener(name: str) -> Credential:
    """A v2c credential whose community is its name; "warden" is the v3 user."""
    if name == "warden":
        secrets = Secret("authpass1234"), Secret("privpass1234")
        return Credential(name, "3", None, name, "SHA-1", secrets[0], "AES-128", secrets[1])
    return Credential(name, "2c", Secret(name))


def discovery(ranges: Sequence[str] = (LAN,), exclude: Sequence[str] = (), **changed: Any) -> Discovery:
    values: dict[str, Any] = {
        "unit": "office", "ranges": Ranges(ranges, exclude), "credentials": ("one", "two", "public"), "max_credentials": 3,
        "port": 161, "sweep": True, "neighbours": True, "leases": (), "every": None, "at": None, "accept": (),
    }  # fmt: skip
    return Discovery(**{**values, **changed})


def spans(text: str) -> Spans:
    return Spans([parse(text)])


def unit(packets_per_second: float = 100.0, timeout: float = 2.0) -> Unit:
    return Unit("office", "Office", "", "", 60.0, timeout, 2, packets_per_second, None)


class Ground:
    """A client, candidates in a file, and searches on them; what was found, in order."""

    def __init__(self, place: Office, path: Path) -> None:
        self.office = place
        self.client = Client()
        self.candidates = Candidates.open(f"sqlite:///{path}/inventory.db")
        self.found: list[Candidate] = []
        self.known: list[Known] = []
        self.skip: set[str] = set()

    def search(self, where: Discovery, of: Unit | None = None, credentials: Sequence[Credential] = ()) -> Search:
        of = of or unit()
        credentials = credentials or [opener(name) for name in where.credentials]
        numbers = self.candidates.tried.identify(credentials, time.time())
        openers = [Opener(one.name, numbers[one.name], _opened(one)) for one in credentials]
        values = {name: getattr(where, name) for name in where.__slots__}
        return Search(
            self.client, PROFILES, self.candidates, Discovery(**{**values, "port": self.office.port}), of,
            Line(of.packets_per_second, 0.0, self.client.loop.time), openers,
            known=self.known, skip=self.skip, found=self.found.append,
        )  # fmt: skip

    def close(self) -> None:
        self.client.close()
        self.candidates.close()


def _opened(one: Credential) -> Community | User:
    return USER if one.version == "3" else Community(one.name.encode() if one.community is None else one.community.encode())


def go(path: Path, work: Callable[[Ground], Any]) -> Any:
    """Run a coroutine function on an office of its own, in virtual time."""

    async def at_once(call: Callable[..., Any], *args: Any) -> Any:
        return call(*args)  # in a thread it would take virtual time for nothing

    async def whole() -> Any:
        with office() as place, closing(Ground(place, path)) as ground, patch("asyncio.to_thread", at_once):
            return await work(ground)

    return virtual.run(whole)


def put(ground: Ground, address: str, name: str, community: str = "public", more: Sequence[Any] = (), **options: Any) -> None:
    """A device at an address."""
    tree = devices.system(name.encode(), more)
    made = devices.responder(tree, community=community.encode(), engine=name.encode(), **options)
    ground.office.devices[address] = made.answer


def arp(*addresses: str) -> list[tuple[OID, int, ber.Value]]:
    """ipNetToMediaPhysAddress and type of some addresses."""
    entry = OID((1, 3, 6, 1, 2, 1, 4, 22, 1))
    rows: list[tuple[OID, int, ber.Value]] = []
    for address in addresses:
        index = (1, *map(int, address.split(".")))
        rows.append((entry + (2, *index), ber.OCTET_STRING, bytes.fromhex("001b2101") + bytes(index[-2:])))
        rows.append((entry + (4, *index), ber.INTEGER, 3))
    return rows


def test_a_network_in_half_a_minute(tmp_path: Path) -> None:
    """Twenty devices among 254 addresses, the others silent, three credentials, a hundred packets a second: all are found
    within 30 s, each by the credential that opens it, and the pace is kept."""

    async def work(ground: Ground) -> None:
        for number in range(1, 21):
            community, users = (("one", []), ("public", []), ("x", [USER]))[number % 3]
            put(ground, f"127.77.5.{number * 12}", f"pc-{number}", community, users=users)
        began = virtual.clock().time()
        tally = await ground.search(discovery(credentials=("one", "warden", "public"))).run()
        assert virtual.clock().time() - began < 30
        assert (tally.done, tally.ends[End.OPENED], tally.ends[End.SILENT], tally.complete) == (254, 20, 234, True)
        names = {f"pc-{number}": ("one", "public", "warden")[number % 3] for number in range(1, 21)}
        assert {one.name: one.credential for one in ground.found} == names
        times = [one.when for one in ground.office.asked]
        assert max(sum(start <= when < start + 1 for when in times) for start in times[::50]) <= 126  # a quarter second's burst

    go(tmp_path, work)


def test_nothing_outside_the_ranges_is_asked(tmp_path: Path) -> None:
    """Whatever ARP, LLDP, CDP and leases tell: what lies outside the ranges, is excluded or is a network's own address gets
    no packet, and a known device outside them is not asked for its neighbours either."""

    async def work(ground: Ground) -> None:
        lldp = OID((1, 0, 8802, 1, 1, 2, 1, 4, 2, 1))
        cdp = OID((1, 3, 6, 1, 4, 1, 9, 9, 23, 1, 2, 1, 1))
        gate = [
            (OID((1, 3, 6, 1, 2, 1, 17, 1, 2, 0)), ber.INTEGER, 24),
            *arp("127.77.5.7", "127.77.5.200", "127.77.5.255", "127.77.5.0", "127.77.6.1", "127.0.0.1", "10.9.9.9"),
            (lldp + (3, 0, 1, 1, 1, 4, 127, 77, 5, 8), ber.INTEGER, 2),
            (lldp + (3, 0, 1, 2, 1, 4, 127, 77, 9, 9), ber.INTEGER, 2),
            (lldp + (3, 0, 1, 3, 1, 4, 224, 0, 0, 5), ber.INTEGER, 2),
            (cdp + (3, 1, 1), ber.INTEGER, 1),
            (cdp + (4, 1, 1), ber.OCTET_STRING, bytes((127, 77, 5, 9))),
            (cdp + (3, 1, 2), ber.INTEGER, 1),
            (cdp + (4, 1, 2), ber.OCTET_STRING, bytes((127, 77, 8, 9))),
        ]
        put(ground, "127.77.5.1", "gate", more=gate)
        put(ground, "127.77.6.2", "outside", more=arp("127.77.5.20"))
        leases = tmp_path / "leases"
        leases.write_text("0 aa:bb:cc:dd:ee:01 127.77.5.10 * *\n0 aa:bb:cc:dd:ee:02 127.77.7.10 * *\n")
        community = Community(b"public")
        for address in ("127.77.5.1", "127.77.6.2"):
            ground.known.append(Known(address, Target(address, ground.office.port, community)))
        ground.skip.add("127.77.5.1")
        where = discovery(["127.77.0.0/16"], ["127.77.5.200", "127.77.6.0-127.77.255.255"], sweep=False, leases=(leases,))
        tally = await ground.search(where).run()
        assert ground.office.addresses() == {"127.77.5.1", *(f"127.77.5.{last}" for last in (7, 8, 9, 10))}
        assert tally.done == 4
        ground.office.asked.clear()
        swept = discovery(["127.77.5.0/26", "127.77.5.128-127.77.5.140"], ["127.77.5.32/27"], leases=(leases,))
        await ground.search(swept).run()
        lasts = {int(address.rsplit(".", 1)[1]) for address in ground.office.addresses()}
        assert all(address.startswith("127.77.5.") for address in ground.office.addresses())
        assert lasts == {*range(1, 32), *range(128, 141)}

    go(tmp_path, work)


def test_an_address_gets_one_packet_at_a_time(tmp_path: Path) -> None:
    """No address is asked again before it answered or the time for its answer is over, not even while it is read in full."""

    async def work(ground: Ground) -> None:
        ground.office.delay = 0.2
        rows: list[Any] = [(OID((1, 3, 6, 1, 2, 1, 17, 1, 2, 0)), ber.INTEGER, 24), *arp("127.77.5.3")]
        for column, tag, value in ((2, ber.OCTET_STRING, b"port"), (3, ber.INTEGER, 6), (8, ber.INTEGER, 1)):
            rows += [(OID((1, 3, 6, 1, 2, 1, 2, 2, 1, column, port)), tag, value) for port in range(1, 25)]
        for last in range(1, 13):
            put(ground, f"127.77.5.{last}", f"sw-{last}", more=rows)
        tally = await ground.search(discovery(["127.77.5.1-127.77.5.30"])).run()
        assert tally.ends[End.OPENED] == 12
        assert ground.office.crowded == []
        for last in range(13, 31):
            times = [one.when for one in ground.office.asked if one.address == f"127.77.5.{last}"]
            assert len(times) == 6
            assert all(later - earlier >= 2.0 - TOGETHER for earlier, later in pairwise(times))

    go(tmp_path, work)


def test_no_more_credentials_than_allowed_in_all_runs(tmp_path: Path) -> None:
    """An address sees three credentials and no other, in later runs, by other names, and when a secret was changed: until a
    person says forget."""

    async def work(ground: Ground) -> None:
        few = ["127.77.5.1-127.77.5.4"]
        put(ground, "127.77.5.2", "stern", "sesame")
        names = ("one", "two", "three", "four", "sesame")
        tally = await ground.search(discovery(few, credentials=names)).run()
        assert ground.office.shown("127.77.5.1") == ground.office.shown("127.77.5.2") == {b"one", b"two", b"three"}
        assert tally.ends[End.SILENT] == 4
        assert (await ground.search(discovery(few, credentials=("one", "four", "sesame", "two"))).run()).ends[End.SILENT] == 4
        changed = [Credential("one", "2c", Secret("another secret")), Credential("five", "2c", Secret("one"))]
        tally = await ground.search(discovery(few, credentials=("one", "five")), credentials=changed).run()
        assert tally.ends[End.WITHHELD] == 4
        for last in (1, 2, 3, 4):
            assert ground.office.shown(f"127.77.5.{last}") == {b"one", b"two", b"three"}
        ground.candidates.forget_at(spans("127.77.5.2"))
        await ground.search(discovery(few, credentials=("sesame", "four", "five"))).run()
        assert ground.office.shown("127.77.5.1") == {b"one", b"two", b"three"}
        assert [(one.address, one.credential) for one in ground.found] == [("127.77.5.2", "sesame")]
        tally = await ground.search(discovery(few, credentials=names, max_credentials=5)).run()
        assert ground.office.shown("127.77.5.4") == {b"one", b"two", b"three", b"four", b"sesame"}

    go(tmp_path, work)


def test_users_are_shown_to_those_alone_that_speak_v3(tmp_path: Path) -> None:
    """A user goes only to an address that told its engine; one that refuses every credential is found locked, with its maker."""

    async def work(ground: Ground) -> None:
        put(ground, "127.77.5.1", "open", "x", users=[USER])
        put(ground, "127.77.5.2", "shut", "x", users=[User(b"other", "SHA-1", b"authpass1234")])
        put(ground, "127.77.5.3", "wrong", "x", users=[User(b"warden", "SHA-1", b"another password", "AES-128", b"privpass1234")])
        tally = await ground.search(discovery(["127.77.5.1-127.77.5.6"], credentials=("one", "warden"))).run()
        assert ground.office.shown("127.77.5.1") == {b"one", b"warden"}
        assert ground.office.shown("127.77.5.5") == {b"one"}
        assert tally.ends == {End.OPENED: 1, End.LOCKED: 2, End.SILENT: 3}
        locked = ground.candidates.all(states=[State.LOCKED])
        assert [one.address for one in locked] == ["127.77.5.2", "127.77.5.3"]
        assert "does not know user 'warden'" in locked[0].note
        assert "refuses the authentication of user 'warden'" in locked[1].note

    go(tmp_path, work)


def test_a_closed_port_is_left_alone(tmp_path: Path) -> None:
    """A machine that says there is no SNMP at its port is asked once, and shown one credential."""

    async def work(ground: Ground) -> None:
        async with devices.listening(devices.silent) as gone:
            ground.office.port = gone.port
        tally = await ground.search(discovery(["127.0.0.1"])).run()
        assert (tally.ends, tally.questions) == ({End.CLOSED: 1}, 1)

    go(tmp_path, work)


def test_a_search_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    """What was done with before the stop is not asked again; the run after the end begins anew; `afresh` does at once."""

    async def work(ground: Ground) -> None:
        for last in range(10, 250, 10):
            put(ground, f"127.77.5.{last}", f"pc-{last}", "one")
        search = ground.search(discovery(credentials=("one",)), unit(20.0))
        virtual.clock().call_later(20, search.stop)
        first = await search.run()
        assert not first.complete
        assert 60 < first.done < 250
        before = set(ground.office.addresses())
        ground.office.asked.clear()
        second = await ground.search(discovery(credentials=("one",))).run()
        assert second.complete
        assert (second.resumed, second.done) == (first.done, 254 - first.done)
        assert len(before | ground.office.addresses()) == 254
        ground.office.asked.clear()
        assert (await ground.search(discovery(credentials=("one",))).run()).done == 254
        search = ground.search(discovery(credentials=("one",)), unit(20.0))
        virtual.clock().call_later(20, search.stop)
        await search.run()
        assert (await ground.search(discovery(credentials=("one",))).run(afresh=True)).done == 254
        assert len({one.id for one in ground.found}) == 24

    go(tmp_path, work)


@pytest.mark.parametrize("after", [3.0, 6.0, 9.0])
@pytest.mark.parametrize("credentials", [("one", "two"), ("one", "warden", "public")], ids=["communities", "with a user"])
def test_no_question_is_put_again_after_a_stop(tmp_path: Path, credentials: tuple[str, ...], after: float) -> None:
    """In a network of silent addresses, which all end almost together, a search stopped midway has asked what it has asked: the
    next one puts the questions that are left, but for those that were on their way, and says how many seconds that takes."""

    async def work(ground: Ground) -> None:
        put(ground, "127.77.5.40", "pc-40", "one")
        began = virtual.clock().time()
        whole = await ground.search(discovery(credentials=credentials)).run()
        took, questions = virtual.clock().time() - began, whole.questions
        search = ground.search(discovery(credentials=credentials))
        virtual.clock().call_later(after, search.stop)
        first = await search.run()
        assert first.done < 20
        second = ground.search(discovery(credentials=credentials))
        began = virtual.clock().time()
        tally = await second.run()
        assert tally.complete
        assert questions <= first.questions + tally.questions <= questions + 225  # two seconds' worth were on their way
        assert virtual.clock().time() - began < took - after + 5.0
        asked = Counter(one.address for one in ground.office.asked)
        assert len(asked) == 254

    go(tmp_path, work)


def test_a_crash_loses_no_count(tmp_path: Path) -> None:
    """What an address was shown is written down before it is sent: whenever the process dies, nothing was sent uncounted."""

    async def work(ground: Ground) -> None:
        seen_first = []
        real = ground.office.readable

        def readable() -> None:
            real()
            for one in ground.office.asked[len(seen_first) :]:
                seen_first.append(one.address)
                assert ground.candidates.tried.seen([one.address]).get(one.address)

        loop = asyncio.get_running_loop()
        loop.remove_reader(ground.office._sock)
        loop.add_reader(ground.office._sock, readable)
        task = asyncio.ensure_future(ground.search(discovery(["127.77.5.1-127.77.5.40"])).run())
        while len(seen_first) < 30:
            await asyncio.sleep(0.1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    go(tmp_path, work)


def test_two_searches_of_a_unit_are_not_made_at_once(tmp_path: Path) -> None:
    """While another process searches a unit it is refused, with who it is; a dead process holds nothing."""

    async def work(ground: Ground) -> None:
        other = Candidates.open(f"sqlite:///{tmp_path}/inventory.db")
        with closing(other):
            other.runs._runner = "process 77 on another-machine"
            other.runs.begin("office", time.time())
            with pytest.raises(DiscoveryError, match=r"unit office is under way already, by process 77 on another-machine"):
                await ground.search(discovery(["127.77.5.1"])).run()
            assert ground.office.asked == []
            other.runs.begin("office", time.time() - 60)
            other.runs.save("office", other.runs.all()["office"].done, {}, time.time() - 60)
            assert (await ground.search(discovery(["127.77.5.1"])).run()).complete

    go(tmp_path, work)


def test_known_addresses_are_skipped(tmp_path: Path) -> None:
    """What is polled already, was accepted or rejected gets no packet."""

    async def work(ground: Ground) -> None:
        for last in (1, 2, 3):
            put(ground, f"127.77.5.{last}", f"pc-{last}")
        ground.skip |= {"127.77.5.1", "not-an-address"}
        tally = await ground.search(discovery(["127.77.5.1-127.77.5.3"])).run()
        assert (tally.skipped, tally.done) == (1, 2)
        assert ground.office.addresses() == {"127.77.5.2", "127.77.5.3"}

    go(tmp_path, work)


def test_neighbours_lead_on(tmp_path: Path) -> None:
    """Without a sweep one known device leads to its neighbours, a router among them to those it resolves, and so on."""

    async def work(ground: Ground) -> None:
        bridge = (OID((1, 3, 6, 1, 2, 1, 17, 1, 2, 0)), ber.INTEGER, 24)
        put(ground, "127.77.5.1", "first", more=arp("127.77.5.2", "127.77.5.9"))
        put(ground, "127.77.5.2", "second", more=[bridge, *arp("127.88.1.1", "127.77.5.1")])
        put(ground, "127.88.1.1", "third")
        ground.known.append(Known("first", Target("127.77.5.1", ground.office.port, Community(b"public"))))
        ground.skip.add("127.77.5.1")
        tally = await ground.search(discovery(["127.0.0.0/8"], sweep=False)).run()
        assert {one.address: one.how for one in ground.found} == {
            "127.77.5.2": "ARP table of first",
            "127.88.1.1": "ARP table of second",
        }
        assert tally.ends == {End.OPENED: 2, End.SILENT: 1}
        assert ground.office.addresses() == {"127.77.5.1", "127.77.5.2", "127.77.5.9", "127.88.1.1"}

    go(tmp_path, work)


def test_an_old_lease_counts_while_its_machine_is_heard(tmp_path: Path) -> None:
    """An address from a lease that has run out is asked when a forwarding table still holds the machine's MAC address."""

    async def work(ground: Ground) -> None:
        leases = tmp_path / "leases"
        leases.write_text("1 00:1b:21:00:00:05 127.77.5.5 * *\n1 00:1b:21:00:00:06 127.77.5.6 * *\n")
        mac = (0, 0x1B, 0x21, 0, 0, 5)
        put(ground, "127.77.5.1", "switch", more=[(OID((1, 3, 6, 1, 2, 1, 17, 4, 3, 1, 2, *mac)), ber.INTEGER, 3)])
        ground.known.append(Known("switch", Target("127.77.5.1", ground.office.port, Community(b"public"))))
        ground.skip.add("127.77.5.1")
        await ground.search(discovery(sweep=False, leases=(leases, tmp_path / "missing"))).run()
        assert ground.office.addresses() == {"127.77.5.1", "127.77.5.5"}

    go(tmp_path, work)


def test_garbage_and_slowness_stop_nothing(tmp_path: Path) -> None:
    """Devices that answer noise, errors, endless tables or from elsewhere are noted or left; the others are found."""

    async def work(ground: Ground) -> None:
        put(ground, "127.77.5.1", "well")
        ground.office.devices["127.77.5.2"] = lambda data, source: b"\x30\x82\xff\xffnoise"
        ground.office.devices["127.77.5.3"] = lambda data, source: devices.reply(data, status=5, index=1)
        ground.office.devices["127.77.5.4"] = lambda data, source: devices.reply(data, status=16)
        ground.office.devices["127.77.5.5"] = lambda data, source: devices.reply(data, [devices.text(value=b"\xff\0\x1b[31m")])
        ground.office.devices["127.77.5.6"] = lambda data, source: devices.reply(data, [devices.text()], request_id=1)
        tally = await ground.search(discovery(["127.77.5.1-127.77.5.7"])).run()
        assert tally.complete
        states = {one.address: one.state for one in ground.candidates.all()}
        assert states["127.77.5.1"] is State.NEW
        assert states["127.77.5.2"] is states["127.77.5.4"] is State.LOCKED
        assert states["127.77.5.3"] is states["127.77.5.5"] is State.NEW
        assert "127.77.5.7" not in states

    go(tmp_path, work)


def test_packets_get_lost(tmp_path: Path) -> None:
    """A device whose first answer is lost is found all the same."""

    async def work(ground: Ground) -> None:
        put(ground, "127.77.5.1", "far")
        real, lost = ground.office.devices["127.77.5.1"], []

        def lossy(data: bytes, source: object) -> bytes | None:
            lost.append(data)
            return None if len(lost) <= 3 else real(data, source)

        ground.office.devices["127.77.5.1"] = lossy
        assert (await ground.search(discovery(["127.77.5.1"])).run()).ends[End.OPENED] == 1

    go(tmp_path, work)


def test_a_database_that_fails_ends_the_search(tmp_path: Path) -> None:
    """Without the memory of what was tried nothing more is sent."""

    async def work(ground: Ground) -> None:
        def fail(*_: Any) -> Any:
            raise InventoryError("cannot write the inventory: disk is full")

        search = ground.search(discovery(["127.77.5.1-127.77.5.9"]))
        ground.candidates.tried.reserve = fail  # type: ignore[method-assign]
        with pytest.raises(InventoryError, match=r"disk is full"):
            await search.run()
        assert ground.office.asked == []

    go(tmp_path, work)


def test_time_left_is_told(tmp_path: Path) -> None:
    """While it goes on a search says how many addresses it has asked and about how long it will still take."""

    async def work(ground: Ground) -> None:
        search = ground.search(discovery())
        seen: list[tuple[float, float]] = []

        async def look() -> None:
            while True:
                await asyncio.sleep(1.0)
                seen.append((virtual.clock().time(), search.seconds_left()))

        watcher = asyncio.ensure_future(look())
        tally: Tally = await search.run()
        end = virtual.clock().time()
        watcher.cancel()
        assert tally.total == tally.begun == 254
        for when, left in seen[1:]:
            assert abs(when + left - end) < 4.0

    go(tmp_path, work)
