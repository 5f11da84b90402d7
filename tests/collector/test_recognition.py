"""Is what is found a machine that is known already?"""

from __future__ import annotations

import random

import pytest
from sqlalchemy import insert

from collector.estate.database import connect, writing
from collector.estate.evidence import gather
from collector.estate.identity import CROWD, Verdict
from collector.estate.inventory import Inventory
from collector.estate.recognition import STRANGER, Likeness, Recognition, dump, recognise
from collector.estate.schema import CANDIDATE
from collector.model import Device, Facts, Interface, State

NOW = 1_800_000_000.0
RANDOM = random.Random(4)


def machine(number: int) -> dict[str, list[str]]:
    """What a machine says; some of it is said by others as well, and one UUID by a crowd."""
    return {
        "serial": [f"SERIAL{number:04d}"] if number % 3 else [],
        "mac": [f"001b21{number:06x}", f"00219b{number // 4:06x}"],
        "uuid": ["4c4c4544003135108052b4c04f4a3332" if number % 2 else f"{number:08x}003135108052b4c04f4a3332"],
        "name": [f"KETOAN-{number // 10}"],
    }


@pytest.fixture
def estate(database_url: str) -> str:
    """Machines that reported, and one candidate that was found and is not polled."""
    inventory = Inventory.open(database_url)
    for number in range(2 * CROWD + 20):
        said = machine(number)
        facts = Facts(
            kind="workstation", serial="".join(said["serial"]), uuid=said["uuid"][0], name=said["name"][0],
            interfaces=tuple(Interface(n, "eth0", type=6, mac=mac) for n, mac in enumerate(said["mac"])),
        )  # fmt: skip
        device = Device(f"d{number}", f"10.1.2.{number}", 0, "", f"xa-{number % 5}")
        inventory.seen(device, NOW, State.UP)
        inventory.described(device, facts, NOW)
    assert inventory.flush(30)
    found = gather("", NOW, "xa", "10.9.9.9", {"serial": ['ĐỒNG"1234%_'], "mac": ["001b22334455"]})
    row = {
        "address": "10.9.9.9", "port": 161, "unit": "xa", "state": "new", "evidence": dump(found.values), "first_seen": NOW,
        "last_seen": NOW, **dict.fromkeys(
            ("credential", "how", "kind", "vendor", "model", "serial", "name", "profile", "note", "same_as", "who"), ""),
    }  # fmt: skip
    with writing(inventory.engine) as connection:
        connection.execute(insert(CANDIDATE), row)
    inventory.close()
    return database_url


def test_reading_what_could_match_finds_what_reading_all_finds(estate: str) -> None:
    """Whatever a machine says, comparing it with the part of the inventory that shares something with it comes to the same as
    comparing it with all."""
    engine = connect(estate)
    verdicts = set()
    with engine.connect() as connection:
        for _ in range(150):
            one, other = machine(RANDOM.randrange(130)), machine(RANDOM.randrange(130))
            said = {kind: (one if RANDOM.random() < 0.7 else other)[kind] for kind in one if RANDOM.random() < 0.8}
            evidence = gather("", NOW + 10_000, f"xa-{RANDOM.randrange(5)}", "10.1.2.3", said)
            found, full = recognise(connection, evidence), Recognition().recognise(connection, evidence)
            assert found == full, said
            verdicts.add(found.verdict)
    engine.dispose()
    assert verdicts == set(Verdict)


def test_a_candidate_is_recognised(estate: str) -> None:
    """What discovery found is compared with as well, whatever letters it is written with."""
    engine = connect(estate)
    with engine.connect() as connection:
        said = {"serial": ['đồng"1234%_'], "mac": ["00:1b:22:33:44:55"]}
        found = recognise(connection, gather("", NOW + 10_000, "xa", "10.9.9.9", said))
        assert found._replace(points=0.0) == Likeness(Verdict.SAME, -1, "candidate 1", "10.9.9.9")
        assert recognise(connection, gather("", NOW, "xa", "", {"serial": ["ĐỒNG9999"]})) == STRANGER
    engine.dispose()
