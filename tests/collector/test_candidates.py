from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from collector.errors import DiscoveryError
from collector.estate.candidates import Candidate, Candidates, Find, State
from collector.estate.inventory import Inventory
from collector.estate.runs import LATE, STALE
from collector.model import Device, Facts, Interface
from collector.model import State as DeviceState
from config.ranges import Spans, parse
from config.secrets import Secret
from config.settings import Credential

NOW = time.time()
DAY = 86400.0
PORT = Interface(1, "Gi0/1", mac="00:1b:21:01:02:03", type=6)
SWITCH = Facts(kind="switch", vendor="Cisco", model="C2960", serial="FOC1234X0AB", name="SW-Hall.example", interfaces=(PORT,))
PC = Facts(kind="workstation", vendor="Dell", model="OptiPlex", serial="7XK2LM3", name="ketoan-01")


@pytest.fixture
def candidates(database_url: str) -> Iterator[Candidates]:
    opened = Candidates.open(database_url)
    yield opened
    opened.close()


@pytest.fixture
def inventory(database_url: str) -> Iterator[Inventory]:
    opened = Inventory.open(database_url)
    yield opened
    opened.close()


def find(address: str, facts: Facts | None = SWITCH, when: float = NOW, **more: Any) -> Find:
    values = {"credential": "public" if facts is not None else "", **more}
    return Find(address, 161, "office", "sweep", when, facts=facts, **values)


def polled(inventory: Inventory, key: str, address: str, facts: Facts, when: float) -> None:
    """The collector polls a device, which answers."""
    device = Device(key, address, 161, "public", "office")
    inventory.seen(device, when, DeviceState.UP)
    inventory.described(device, facts, when)
    assert inventory.flush()


def stands(candidates: Candidates) -> dict[str, State]:
    return {one.address: one.state for one in candidates.all()}


def test_a_find_is_kept(candidates: Candidates) -> None:
    """A find is a new candidate with all that is known of it; found again it keeps its number and first time."""
    first = candidates.found(find("10.0.0.9"))
    again = candidates.found(find("10.0.0.9", replace(SWITCH, model="C2960-X"), NOW + DAY))
    assert (first.id, first.state, first.kind, first.name, first.credential) == (1, State.NEW, "switch", SWITCH.name, "public")
    assert again == replace(first, model="C2960-X", last_seen=NOW + DAY)
    assert candidates.all() == [again]
    assert candidates.all("elsewhere") == []


def test_accept_and_reject(candidates: Candidates) -> None:
    """Who accepts or rejects is kept; what is accepted is polled by an id after its own name, or by the one given."""
    for last, facts in ((1, SWITCH), (2, PC), (3, Facts(kind="ups", name="localhost")), (4, replace(PC, serial="X99Y88Z7"))):
        candidates.found(find(f"10.0.0.{last}", facts))
    assert candidates.accept(1, "lan", NOW, taken={"sw-hall"}).key == "sw-hall-1"
    assert candidates.accept(2, "lan", NOW, "pc-cashier").key == "pc-cashier"
    assert candidates.accept(3, "lan", NOW).key == "ups-3"
    rejected = candidates.reject(4, "minh", NOW + 1)
    assert (rejected.state, rejected.who, rejected.decided) == (State.REJECTED, "minh", NOW + 1)
    assert [(one.id, one.address, one.unit, one.credential) for one in candidates.accepted()] == [
        ("sw-hall-1", "10.0.0.1", "office", "public"),
        ("pc-cashier", "10.0.0.2", "office", "public"),
        ("ups-3", "10.0.0.3", "office", "public"),
    ]
    candidates.reject(3, "minh", NOW + 2)
    assert len(candidates.accepted()) == 2
    candidates.found(find("10.0.0.4", replace(PC, serial="X99Y88Z7"), NOW + DAY))
    assert stands(candidates)["10.0.0.4"] is State.REJECTED


def test_mistakes(candidates: Candidates) -> None:
    """What cannot be accepted says why, and what to do."""
    candidates.found(find("10.0.0.1"))
    candidates.found(find("10.0.0.2", None, note="does not know user 'x'"))
    candidates.accept(1, "lan", NOW)
    for number, key, message in (
        (7, "", "there is no candidate 7; `haidang discover list` shows all"),
        (1, "", r"candidate 1 \(10\.0\.0\.1\) is accepted already, as device sw-hall"),
        (2, "", r"candidate 2 \(10\.0\.0\.2\) cannot be polled: no credential opens it"),
    ):
        with pytest.raises(DiscoveryError, match=message):
            candidates.accept(number, "lan", NOW, key)
    candidates.found(find("10.0.0.3", PC))
    with pytest.raises(DiscoveryError, match=r"a device is called 'sw-hall' already"):
        candidates.accept(3, "lan", NOW, "sw-hall")
    with pytest.raises(DiscoveryError, match="there is no candidate 9"):
        candidates.reject(9, "lan", NOW)
    with pytest.raises(DiscoveryError, match="there is no candidate 9"):
        candidates.forget(9)


def test_a_locked_device_opens(candidates: Candidates) -> None:
    """A device that nothing opened is kept, and becomes a candidate of the same number once something does."""
    locked = candidates.found(find("10.0.0.1", None, note="Cisco: refuses"))
    assert (locked.state, locked.note) == (State.LOCKED, "Cisco: refuses")
    opened = candidates.found(find("10.0.0.1", SWITCH, NOW + DAY))
    assert (opened.id, opened.state, opened.note) == (locked.id, State.NEW, "")
    assert candidates.found(find("10.0.0.1", None, NOW + 2 * DAY)).state is State.LOCKED


def test_rules_accept_at_once(candidates: Candidates) -> None:
    """What a rule accepts is polled from then on, but not what is doubtful, known, rejected or locked."""
    assert candidates.found(find("10.0.0.1"), accept=True).key == "sw-hall"
    assert candidates.found(find("10.0.0.2", PC), accept=True, taken={"ketoan-01"}).key == "ketoan-01-2"
    assert candidates.found(find("10.0.0.3", None), accept=True).state is State.LOCKED
    assert candidates.found(find("10.0.0.4"), accept=True).state is State.KNOWN
    assert len(candidates.accepted()) == 2


def test_the_same_machine_at_two_addresses(candidates: Candidates) -> None:
    """A router with several addresses is one candidate; the others are known as it."""
    candidates.found(find("10.0.0.1"))
    for last in (2, 3):
        other = candidates.found(find(f"10.0.0.{last}", when=NOW + last))
        assert (other.state, other.same_as) == (State.KNOWN, "candidate 1")
        assert other.note == "known as candidate 1, which also answers at 10.0.0.1"
    with pytest.raises(DiscoveryError, match=r"is known as candidate 1: accept that instead"):
        candidates.accept(2, "lan", NOW)
    assert candidates.accept(2, "lan", NOW, "sw-other").key == "sw-other"


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 2, 1), (2, 3, 1)])
@pytest.mark.parametrize("fresh", [True, False], ids=["another process", "same process"])
def test_addresses_of_one_machine_found_again(candidates: Candidates, order: tuple[int, ...], fresh: bool) -> None:
    """Each day the addresses of one router are found in any order: one of them waits for a person all the time, the others are
    known as it."""
    for day, turn in enumerate([(1, 2, 3), order, order]):
        for second, last in enumerate(turn):
            if fresh:
                candidates._recognition.forget()
            candidates.found(find(f"10.0.0.{last}", when=NOW + day * DAY + second))
        (waiting,) = candidates.all(states=[State.NEW])
        others = candidates.all(states=[State.KNOWN])
        assert [one.same_as for one in others] == [f"candidate {waiting.id}"] * 2, day


def test_a_candidate_that_moved(candidates: Candidates) -> None:
    """A machine found at another address a day later is the same candidate, which moved."""
    candidates.found(find("10.0.0.1"))
    moved = candidates.found(find("10.0.0.7", when=NOW + DAY))
    assert (moved.id, moved.address, moved.state, moved.note) == (1, "10.0.0.7", State.NEW, "moved here from 10.0.0.1")
    assert len(candidates.all()) == 1


def test_a_device_of_the_settings_that_moved(candidates: Candidates, inventory: Inventory) -> None:
    """A polled machine found elsewhere is no second one: it is known, with where it was, and the settings are to be changed."""
    polled(inventory, "sw-1", "10.0.0.1", SWITCH, NOW - DAY)
    moved = candidates.found(find("10.0.0.7"), accept=True)
    assert (moved.state, moved.same_as, moved.note) == (State.KNOWN, "sw-1", "known as sw-1, moved from 10.0.0.1")
    with pytest.raises(DiscoveryError, match=r"is known as sw-1: change its address in the settings"):
        candidates.accept(moved.id, "lan", NOW)


def silent(inventory: Inventory, key: str, address: str, when: float, state: DeviceState = DeviceState.SILENT) -> None:
    """The collector polls a device, which does not answer."""
    inventory.seen(Device(key, address, 161, "public", "office"), when, state)
    assert inventory.flush()


def test_an_accepted_device_that_moved(candidates: Candidates, inventory: Inventory) -> None:
    """An accepted device that no longer answers waits at its new address, and moves there with its id when a person accepts it,
    or at once when a rule does and it has been silent for a day."""
    candidates.found(find("10.0.0.1", when=NOW - 3 * DAY))
    candidates.accept(1, "lan", NOW - 3 * DAY)
    polled(inventory, "sw-hall", "10.0.0.1", SWITCH, NOW - DAY)
    moved = candidates.found(find("10.0.0.7"))
    assert (moved.id, moved.state, moved.note) == (2, State.NEW, "known as sw-hall, moved from 10.0.0.1")
    one = candidates.accept(2, "lan", NOW)
    assert (one.id, one.key, one.address, one.note) == (1, "sw-hall", "10.0.0.7", "moved here from 10.0.0.1")
    assert stands(candidates) == {"10.0.0.7": State.ACCEPTED}
    silent(inventory, "sw-hall", "10.0.0.7", NOW)
    candidates.found(find("10.0.0.8", when=NOW + DAY))
    assert candidates.found(find("10.0.0.8", when=NOW + 2 * DAY), accept=True).key == "sw-hall"
    assert [(one.id, one.address) for one in candidates.accepted()] == [("sw-hall", "10.0.0.8")]


def copied(candidates: Candidates, inventory: Inventory) -> None:
    """An accepted machine is polled, and then off for more than a day."""
    candidates.found(find("10.0.0.1", when=NOW - 3 * DAY), accept=True)
    polled(inventory, "sw-hall", "10.0.0.1", SWITCH, NOW - 2 * DAY)


@pytest.mark.parametrize(
    ("state", "since", "unit"),
    [
        (DeviceState.SILENT, DAY - 60, "office"),
        (DeviceState.SILENT, 2 * DAY, "another"),
        (DeviceState.UP, 2 * DAY, "office"),
        (DeviceState.UNREACHABLE, 2 * DAY, "office"),
        (DeviceState.REFUSED, 2 * DAY, "office"),
    ],
    ids=["silent for hours", "in another unit", "not polled any more", "line dead", "refuses"],
)
def test_a_copy_found_while_the_machine_is_off_asks(
    candidates: Candidates, inventory: Inventory, state: DeviceState, since: float, unit: str
) -> None:
    """A rule gives no find a known machine's id and place unless the machine was asked, and silent, for a day, in the same unit:
    a person is asked, and until then the machine stays where it is."""
    copied(candidates, inventory)
    silent(inventory, "sw-hall", "10.0.0.1", NOW - 60, state)
    place = replace(find("10.0.0.7", when=NOW - 2 * DAY + since), unit=unit)
    found = candidates.found(place, accept=True)
    assert (found.state, found.same_as, found.note) == (State.NEW, "sw-hall", "known as sw-hall, moved from 10.0.0.1")
    assert candidates.found(place, accept=True).state is State.NEW
    assert [(one.id, one.address, one.unit) for one in candidates.accepted()] == [("sw-hall", "10.0.0.1", "office")]


def test_a_machine_that_is_back_where_it_moved_from_asks(candidates: Candidates, inventory: Inventory) -> None:
    """What was taken for the machine was a copy, perhaps: the machine's own address is not passed over for a second one."""
    copied(candidates, inventory)
    silent(inventory, "sw-hall", "10.0.0.1", NOW - 60)
    assert candidates.found(find("10.0.0.7"), accept=True).key == "sw-hall"
    polled(inventory, "sw-hall", "10.0.0.7", SWITCH, NOW + 60)
    back = candidates.found(find("10.0.0.1", when=NOW + 120), accept=True)
    assert (back.state, back.same_as) == (State.NEW, "sw-hall")
    assert back.note == "known as sw-hall, which also answers at 10.0.0.7"
    assert candidates.found(find("10.0.0.9", when=NOW + 120), accept=True).state is State.KNOWN
    assert candidates.accept(back.id, "lan", NOW + 180, "sw-first").address == "10.0.0.1"


def test_an_accepted_device_that_still_answers(candidates: Candidates, inventory: Inventory) -> None:
    """A second address of an accepted device that answers at the first is left alone, whatever rules say."""
    candidates.found(find("10.0.0.1"), accept=True)
    polled(inventory, "sw-hall", "10.0.0.1", SWITCH, NOW)
    other = candidates.found(find("10.0.0.7", when=NOW + 60), accept=True)
    assert (other.state, other.note) == (State.KNOWN, "known as sw-hall, which also answers at 10.0.0.1")
    with pytest.raises(DiscoveryError, match=r"is known as sw-hall, which also answers at 10\.0\.0\.1; .* --as NAME"):
        candidates.accept(other.id, "lan", NOW)


def test_a_doubtful_find_asks(candidates: Candidates, inventory: Inventory) -> None:
    """What may be a known machine says so and waits, even where rules accept."""
    polled(inventory, "pc-1", "10.0.0.1", replace(PC, serial="", uuid="4c4c4544-0031-3510-8052-b4c04f4a3332"), NOW - DAY)
    found = candidates.found(find("10.0.0.2", replace(PC, serial="", uuid="4c4c4544-0031-3510-8052-b4c04f4a3332")), accept=True)
    assert found.state is State.NEW
    assert found.note.startswith("perhaps pc-1 at 10.0.0.1 (")


def test_another_machine_at_the_address(candidates: Candidates) -> None:
    """An address given to another machine is that machine now."""
    candidates.found(find("10.0.0.1"))
    other = candidates.found(find("10.0.0.1", PC, NOW + DAY))
    assert (other.id, other.serial, other.state) == (1, PC.serial, State.NEW)
    assert candidates.found(find("10.0.0.2", SWITCH, NOW + DAY)).state is State.NEW


def test_what_devices_say_of_themselves(candidates: Candidates) -> None:
    """Texts no database takes are cleaned."""
    found = candidates.found(find("10.0.0.1", replace(SWITCH, name="a\0b\ud800", serial="S\0N12345")))
    assert (found.name, found.serial) == ("ab?", "SN12345")


def test_forget(candidates: Candidates) -> None:
    """Forgotten, an address is as if it had never been asked: no candidate, no credential counted."""
    (number,) = candidates.tried.identify([Credential("one", "2c", Secret("x"))], NOW).values()
    addresses = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.1.4"]
    granted = candidates.tried.reserve([(address, number) for address in addresses], 161, 3, NOW)
    assert len(granted) == 4
    for address, facts in zip(addresses, (SWITCH, PC, None, Facts()), strict=True):
        candidates.found(find(address, facts))
    candidates.accept(2, "lan", NOW)
    assert candidates.forget(1).address == "10.0.0.1"
    gone, count = candidates.forget_at(Spans([parse("10.0.0.0/24")]))
    assert ([one.address for one in gone], count) == (["10.0.0.3"], 2)
    assert stands(candidates) == {"10.0.0.2": State.ACCEPTED, "10.0.1.4": State.NEW}
    assert set(candidates.tried.seen(addresses)) == {"10.0.1.4"}


def test_credentials_are_known_by_what_they_are(candidates: Candidates, database_url: str) -> None:
    """A credential keeps its number; a changed secret, protocol or version under the same name is another; none can be read."""
    one = Credential("one", "3", None, "user", "SHA-1", Secret("authpass1234"), "AES-128", Secret("privpass1234"))
    first = candidates.tried.identify([one], NOW)["one"]
    again = Candidates.open(database_url)
    assert again.tried.identify([one], NOW)["one"] == first
    again.close()
    others = (
        replace(one, auth="SHA-256"), replace(one, auth_secret=Secret("authpass12345")), replace(one, user="User"),
        replace(one, priv_secret=Secret("privpass12345")), replace(one, context="vlan-1"),
        Credential("one", "2c", Secret("user")), Credential("one", "1", Secret("user")),
    )  # fmt: skip
    numbers = [candidates.tried.identify([other], NOW)["one"] for other in others]
    assert len({first, *numbers}) == 8


def test_counting_holds_between_processes(candidates: Candidates, database_url: str) -> None:
    """Two processes that reserve at once for the same addresses never grant more than the limit together."""
    names = [Credential(f"c{n}", "2c", Secret(f"x{n}")) for n in range(6)]
    numbers = list(candidates.tried.identify(names, NOW).values())
    other = Candidates.open(database_url)
    addresses = [f"10.0.0.{last}" for last in range(1, 60)]
    granted: list[set[tuple[str, int]]] = []

    def reserve(which: Candidates, own: list[int]) -> None:
        wanted = [[(address, number) for address in addresses] for number in own]
        granted.extend(which.tried.reserve(pairs, 161, 3, NOW) for pairs in wanted)

    threads = [threading.Thread(target=reserve, args=(candidates, numbers[:4])),
               threading.Thread(target=reserve, args=(other, numbers[2:]))]  # fmt: skip
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    together = set().union(*granted)
    for address in addresses:
        assert len({number for place, number in together if place == address}) == 3
    assert {address: len(seen) for address, seen in other.tried.seen(addresses).items()} == dict.fromkeys(addresses, 3)
    assert other.tried.reserve([(addresses[0], 99)], 1161, 3, NOW) == set()  # another port is the same door
    other.close()


def test_runs(candidates: Candidates) -> None:
    """A run that was stopped goes on; after its end, a day or `afresh` another begins; one under way elsewhere is refused."""
    runs, done = candidates.runs, Spans([parse("10.0.0.1-10.0.0.9")])
    assert runs.begin("office", NOW).done.dump() == ""
    runs.save("office", done, {1: 2, 2: 2, 9: 1}, NOW + 5)
    runs.end("office", done, {1: 2, 2: 2, 9: 1}, NOW + 6, complete=False)
    resumed = runs.begin("office", NOW + 600)
    assert (resumed.started, list(resumed.done), resumed.vain) == (NOW, list(done), {1: 2, 2: 2, 9: 1})
    assert runs.begin("office", NOW + 700, afresh=True).started == NOW + 700
    runs.end("office", done, {1: 2, 2: 2, 9: 1}, NOW + 800, complete=False)
    assert runs.begin("office", NOW + 700 + STALE).started == NOW + 700 + STALE
    runs.end("office", done, {1: 2, 2: 2, 9: 1}, NOW + STALE + 900, complete=True)
    assert runs.all()["office"].ended == NOW + STALE + 900
    later = NOW + STALE + 1000
    assert list(runs.begin("office", later).done) == []
    own, runs._runner = runs._runner, "process 1 on elsewhere"
    with pytest.raises(DiscoveryError, match="discovery of unit office is under way already, by process"):
        runs.begin("office", later + LATE - 1)
    runs.save("office", done, {}, later + 10)
    assert list(runs.all()["office"].done) == []  # another's run is left alone
    assert runs.begin("office", later + LATE + 1).started == later
    runs._runner = own
    with pytest.raises(DiscoveryError, match="by process 1 on elsewhere"):
        runs.begin("office", later + LATE + 2)


def test_a_dead_process_holds_no_run(candidates: Candidates) -> None:
    """A run whose process on this machine has died can be gone on with at once."""
    runs = candidates.runs
    own = runs._runner
    runs._runner = own.replace(own.split()[1], "4194304", 1)
    runs.begin("office", NOW)
    runs._runner = own
    assert runs.begin("office", NOW + 1).started == NOW


def test_candidates_are_listed_by_address(candidates: Candidates) -> None:
    """In the order people read addresses, not that of letters."""
    for address in ("10.0.0.10", "10.0.0.9", "fd00::1", "9.0.0.1"):
        candidates.found(find(address, Facts()))
    found: list[Candidate] = candidates.all(states=[State.NEW])
    assert [one.address for one in found] == ["9.0.0.1", "10.0.0.9", "10.0.0.10", "fd00::1"]
