"""Agents: invited, enrolled, copied, rotated, revoked."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from collector.errors import AgentError
from collector.estate.access import Vault
from collector.estate.admission import RETURNS, Agent, Said
from collector.estate.agents import ANSWER_LOST, COPIES, Agents, Grant
from collector.estate.database import connect
from collector.estate.inventory import Inventory
from collector.model import Device, Facts, Interface, State

NOW = 1_800_000_000.0
DAY = 86400.0
PC = {"serial": ["7XK2LM3"], "uuid": ["4c4c4544-0031-3510-8052-b4c04f4a3332"], "mac": ["001b21010203"], "name": ["KETOAN-01"]}
OTHER = {"serial": ["9AB3CD4"], "uuid": ["4c4c4544-0031-3510-8052-b4c04f4a4444"], "mac": ["001b21998877"], "name": ["KETOAN-01"]}


@pytest.fixture
def agents(database_url: str) -> Iterator[Agents]:
    opened = Agents(connect(database_url), Vault(b"k" * 32))
    yield opened
    opened.close()


def said(machine: dict[str, list[str]] = PC, address: str = "10.1.2.3") -> Said:
    return Said(machine, "1.0", address)


def enrolled(agents: Agents, machine: dict[str, list[str]] = PC, when: float = NOW) -> Grant:
    code, _ = agents.invite("xa", 1, when + DAY, "An", when)
    return agents.enrol(code, said(machine), when)


def stands(database_url: str, key: str, when: float, state: State) -> None:
    """The collector finds the machine in this state."""
    inventory = Inventory.open(database_url)
    inventory.seen(Device(key, "10.1.2.3", 0, "", "xa"), when, state)
    assert inventory.flush()
    inventory.close()


def described(database_url: str, key: str, machine: dict[str, list[str]], when: float) -> None:
    """The collector takes a report of the machine into the inventory."""
    inventory = Inventory.open(database_url)
    device = Device(key, "10.1.2.3", 0, "", "xa")
    facts = Facts(
        kind="workstation", serial=machine["serial"][0], uuid=machine["uuid"][0], name=machine["name"][0],
        interfaces=(Interface(1, "eth0", type=6, mac=machine["mac"][0]),),
    )  # fmt: skip
    inventory.seen(device, when, State.UP)
    inventory.described(device, facts, when)
    assert inventory.flush()
    inventory.close()


def test_an_invited_machine_becomes_a_device(agents: Agents) -> None:
    """A code makes a machine an agent of its unit, called after its host, with secrets that open both ways in."""
    grant = enrolled(agents)
    assert (grant.agent.key, grant.agent.unit, grant.agent.host) == ("ketoan-01", "xa", "KETOAN-01")
    assert agents.authenticate(grant.secrets.user, grant.secrets.token) == grant.agent
    device, users = agents.reporting()["ketoan-01"]
    assert (device.unit, device.profile) == ("xa", "workstation")
    assert users == [grant.secrets.opened()]


def test_a_code_opens_as_often_as_it_says(agents: Agents) -> None:
    """A code for two machines enrols two; the third is told why not, and so is who has a wrong, expired or withdrawn one."""
    code, made = agents.invite("xa", 2, NOW + DAY, "An", NOW)
    third = {"mac": ["001b21aaaaab"], "name": ["MAY-3"]}
    keys = [agents.enrol(code, said(machine), NOW).agent.key for machine in (PC, OTHER)]
    assert keys == ["ketoan-01", "ketoan-01-2"]
    with pytest.raises(AgentError, match="used 2 times already"):
        agents.enrol(code, said(third), NOW)
    late, _ = agents.invite("xa", 1, NOW + DAY, "An", NOW)
    with pytest.raises(AgentError, match="has expired"):
        agents.enrol(late, said(third), NOW + DAY)
    gone, made = agents.invite("xa", 1, NOW + DAY, "An", NOW)
    agents.withdraw(made.id, NOW)
    with pytest.raises(AgentError, match="was withdrawn"):
        agents.enrol(gone, said(third), NOW)
    for wrong in ("0000-0000-0000", "", "x" * 5000):
        with pytest.raises(AgentError, match="no such code"):
            agents.enrol(wrong, said(third), NOW)
    assert [one.used for one in agents.invitations()] == [2, 0, 0]


def test_a_code_is_kept_nowhere(agents: Agents, database_url: str) -> None:
    """Who reads the database finds neither a code nor a secret in it."""
    code, _ = agents.invite("xa", 1, NOW + DAY, "An", NOW)
    grant = agents.enrol(code, said(), NOW)
    with connect(database_url).connect() as connection:
        rows = [
            str(value)
            for table in ("invitation", "agent")
            for row in connection.exec_driver_sql(f"SELECT * FROM {table}")
            for value in row
        ]
    hidden = (code, code.replace("-", ""), grant.secrets.auth_secret, grant.secrets.priv_secret, grant.secrets.token)
    assert rows and not any(secret in value for secret in hidden for value in rows)


def test_a_lost_answer_does_not_use_a_code_up(agents: Agents) -> None:
    """The machine that asks again because the answer was lost gets the same one; another machine does not."""
    code, _ = agents.invite("xa", 1, NOW + DAY, "An", NOW)
    first = agents.enrol(code, said(), NOW)
    assert agents.enrol(code, said(), NOW + 60) == first
    for machine, when in ((OTHER, NOW + 60), (PC, NOW + ANSWER_LOST + 1)):
        with pytest.raises(AgentError, match="used 1 times"):
            agents.enrol(code, said(machine), when)


def test_an_answer_that_was_used_is_not_given_again(agents: Agents) -> None:
    """Who knows a used code and what a machine says of itself does not get its keys once the machine has used them."""
    code, _ = agents.invite("xa", 1, NOW + DAY, "An", NOW)
    first = agents.enrol(code, said(), NOW)
    agents.asked(first.agent, first.secrets.user, said(), NOW + 5)
    with pytest.raises(AgentError, match="used 1 times"):
        agents.enrol(code, said(), NOW + 60)


def test_a_new_disk_brings_the_old_record(agents: Agents, database_url: str) -> None:
    """A machine that is set up anew and enrols again is the device it was, and its old keys open nothing."""
    before = enrolled(agents)
    described(database_url, before.agent.key, PC, NOW + 60)
    stands(database_url, before.agent.key, NOW + 7200, State.OFF)
    again = enrolled(agents, {**PC, "name": ["DESKTOP-X1"]}, NOW + DAY)
    assert again.agent.key == before.agent.key
    assert again.secrets.user != before.secrets.user
    with pytest.raises(AgentError, match="was revoked by its machine, which enrolled again"):
        agents.authenticate(before.secrets.user, before.secrets.token)
    assert [user.name for user in agents.reporting()["ketoan-01"][1]] == [again.secrets.user.encode()]


@pytest.mark.parametrize("machine", [PC, {**PC, "name": ["ANOTHER"]}, {"serial": PC["serial"], "mac": PC["mac"]}])
def test_a_machine_at_work_is_not_replaced(agents: Agents, database_url: str, machine: dict[str, list[str]]) -> None:
    """Who says it is a machine that reports just now becomes a device of its own, which says so; the real one loses nothing."""
    before = enrolled(agents)
    described(database_url, before.agent.key, PC, NOW + 60)
    claim = enrolled(agents, machine, NOW + 600)
    assert claim.agent.key != before.agent.key and claim.agent.note == "says it is ketoan-01, which is at work"
    assert agents.authenticate(before.secrets.user, before.secrets.token).revoked is None
    assert agents.reporting()["ketoan-01"][1] == [before.secrets.opened()]


def test_a_machine_that_asks_is_at_work(agents: Agents, database_url: str) -> None:
    """A machine whose reports do not come through, but which asked lately, is not replaced; after its farewell it is."""
    before = enrolled(agents)
    described(database_url, before.agent.key, PC, NOW + 60)
    stands(database_url, before.agent.key, NOW + 3000, State.SILENT)
    agents.asked(before.agent, before.secrets.user, said(), NOW + 3600)
    assert enrolled(agents, PC, NOW + 3700).agent.key == "ketoan-01-2"
    stands(database_url, before.agent.key, NOW + 3800, State.OFF)
    assert enrolled(agents, PC, NOW + 3900).agent.key == "ketoan-01"


def test_its_own_keys_prove_a_machine(agents: Agents, database_url: str) -> None:
    """A machine that enrols again and shows its keys is the device it was, also while it is at work and in another unit."""
    before = enrolled(agents)
    described(database_url, before.agent.key, PC, NOW + 60)
    code, _ = agents.invite("so", 1, NOW + DAY, "An", NOW)
    again = agents.enrol(code, said(), NOW + 100, own=before.agent)
    assert (again.agent.key, again.agent.unit) == ("ketoan-01", "so")
    assert again.agent.note == f"enrolled again; was {before.agent.name} of xa"
    with pytest.raises(AgentError, match="was revoked by its machine"):
        agents.authenticate(before.secrets.user, before.secrets.token, returning=True)


def test_who_was_replaced_by_night_is_back_in_the_morning(agents: Agents, database_url: str) -> None:
    """While a machine is off another one can take its place by claiming its identity; when the real one asks again it has its
    place, its keys and its record back, and the other is a device of its own, which says so."""
    before = enrolled(agents)
    described(database_url, before.agent.key, PC, NOW + 60)
    stands(database_url, before.agent.key, NOW + 7200, State.OFF)
    thief = enrolled(agents, PC, NOW + 9000)
    assert thief.agent.key == "ketoan-01"
    real = agents.authenticate(before.secrets.user, before.secrets.token, returning=True)
    back = agents.asked(real, before.secrets.user, said(), NOW + DAY)
    assert back.agent.key == "ketoan-01" and back.secrets == before.secrets
    reporting = agents.reporting()
    assert reporting["ketoan-01"][1] == [before.secrets.opened()]
    assert reporting["ketoan-01-2"][1] == [thief.secrets.opened()]
    notes = {agent.key: agent.note for agent in agents.all()}
    assert notes["ketoan-01-2"] == "said it was ketoan-01, which came back"
    assert "came back" in notes["ketoan-01"]


def test_who_was_replaced_does_not_come_back_for_ever(agents: Agents, database_url: str) -> None:
    """The keys of a disk that was replaced open nothing after some weeks, nor when a person revoked the device since."""
    for number, machine in enumerate((PC, OTHER)):
        before = enrolled(agents, machine)
        described(database_url, before.agent.key, machine, NOW + 60)
        stands(database_url, before.agent.key, NOW + 7200, State.OFF)
        after = enrolled(agents, machine, NOW + 9000)
        assert after.agent.key == before.agent.key
        real = agents.authenticate(before.secrets.user, before.secrets.token, returning=True)
        if number:
            agents.revoke(agents.find([after.agent.key]), "An", NOW + 9001)
        with pytest.raises(AgentError, match="was revoked by its machine"):
            agents.asked(real, before.secrets.user, said(machine), NOW + (9002 if number else RETURNS + 10_000))


def test_a_stolen_disk_replaces_nobody_elsewhere(agents: Agents, database_url: str) -> None:
    """Who holds the keys of one unit's agent cannot take the place of another unit's, which is off."""
    chief, _ = agents.invite("so", 1, NOW + DAY, "An", NOW)
    victim = agents.enrol(chief, said(OTHER), NOW)
    described(database_url, victim.agent.key, OTHER, NOW + 60)
    stands(database_url, victim.agent.key, NOW + 7200, State.OFF)
    stolen = enrolled(agents, PC)
    copy = agents.copied(stolen.agent, said(OTHER), NOW + 9000)
    assert copy.agent.key != victim.agent.key and "says it is ketoan-01, an agent of so" in copy.agent.note
    assert agents.authenticate(victim.secrets.user, victim.secrets.token).revoked is None


def test_a_classroom_set_up_from_one_image_finds_its_records(agents: Agents, database_url: str) -> None:
    """Machines of one unit that get a copy of one machine's disk, its keys included, are the devices they were."""
    before = enrolled(agents, OTHER)
    described(database_url, before.agent.key, OTHER, NOW + 60)
    stands(database_url, before.agent.key, NOW + 7200, State.OFF)
    master = enrolled(agents, PC)
    assert agents.copied(master.agent, said(OTHER), NOW + DAY).agent.key == before.agent.key


def test_a_twin_makes_a_machine_doubtful_until_it_is_revoked(agents: Agents) -> None:
    """While two agents say the same of themselves a third one is neither of them, and its remark says so; when one of them is
    revoked, the machine that enrols again is the other."""
    first = enrolled(agents)
    agents.asked(first.agent, first.secrets.user, said(), NOW + 5)
    twin = enrolled(agents, PC, NOW + 60)
    third = enrolled(agents, PC, NOW + 2 * DAY)
    assert third.agent.key not in (first.agent.key, twin.agent.key)
    assert third.agent.note.startswith("perhaps the machine of device ketoan-01")
    agents.revoke([twin.agent, third.agent], "An", NOW + 2 * DAY)
    assert enrolled(agents, PC, NOW + 3 * DAY).agent.key == "ketoan-01"


def test_a_machine_whose_reports_never_came_is_known_again(agents: Agents) -> None:
    """A machine that enrols twice before its first report came in is one device, not two."""
    first = enrolled(agents)
    again = enrolled(agents, {**PC, "name": ["DESKTOP-X1"]}, NOW + 2 * ANSWER_LOST)
    assert again.agent.key == first.agent.key
    assert len(agents.all()) == 1


def test_a_revoked_machine_comes_back_as_itself(agents: Agents, database_url: str) -> None:
    """What was revoked and is invited again has its old device id."""
    before = enrolled(agents)
    described(database_url, before.agent.key, PC, NOW + 60)
    agents.revoke([before.agent], "An", NOW + 100)
    assert enrolled(agents, PC, NOW + DAY).agent.key == before.agent.key


def test_a_revoked_machine_that_tells_little_comes_back_by_its_keys(agents: Agents) -> None:
    """A no-name machine without a serial number shows by its old keys which device it was, but takes no other machine's place."""
    plain = {"mac": ["001b21010203"], "name": ["PC"]}
    before = enrolled(agents, plain)
    agents.revoke([before.agent], "An", NOW + 100)
    with pytest.raises(AgentError, match="revoked by An"):
        agents.authenticate(before.secrets.user, before.secrets.token)
    own = agents.authenticate(before.secrets.user, before.secrets.token, revoked=True)
    code, _ = agents.invite("xa", 2, NOW + 9 * DAY, "An", NOW)
    again = agents.enrol(code, said(plain), NOW + DAY, own=own)
    assert again.agent.key == before.agent.key and again.agent.name != before.agent.name
    late = agents.enrol(code, said({"mac": ["001b21998877"], "name": ["PC"]}), NOW + 3 * DAY, own=own)
    assert late.agent.key != before.agent.key
    assert agents.authenticate(again.secrets.user, again.secrets.token).revoked is None


def test_keys_outlive_a_database_that_was_restored(agents: Agents) -> None:
    """An agent whose keys were changed after the backup was made asks with the new ones, and is taken at its word: who else could
    have them?"""
    grant = enrolled(agents)
    newer = agents._vault.secrets(grant.agent.name, 3)
    agent = agents.authenticate(newer.user, newer.token)
    assert agents.asked(agent, newer.user, said(), NOW + 60).secrets == newer
    assert agents.reporting()["ketoan-01"][1] == [newer.opened()]
    with pytest.raises(AgentError, match="replaced by newer ones"):
        agents.authenticate(grant.secrets.user, grant.secrets.token)


def test_a_device_of_the_settings_is_not_taken_over(agents: Agents) -> None:
    """An agent never gets the id of a device that is polled."""
    code, _ = agents.invite("xa", 1, NOW + DAY, "An", NOW)
    assert agents.enrol(code, said(), NOW, {"ketoan-01", "ketoan-01-2"}).agent.key == "ketoan-01-3"


def test_a_copied_disk_makes_another_device(agents: Agents, database_url: str) -> None:
    """A machine with another one's disk gets an id and secrets of its own; the other one stays as it was."""
    before = enrolled(agents)
    described(database_url, before.agent.key, PC, NOW + 60)
    copy = agents.copied(before.agent, said(OTHER), NOW + DAY)
    assert copy.agent.key == "ketoan-01-2" and copy.agent.unit == "xa"
    assert agents.copied(before.agent, said(OTHER), NOW + DAY + 60) == copy, "the answer was lost, or could not be kept"
    assert copy.agent.note.startswith("its disk is a copy of that of ketoan-01")
    assert agents.authenticate(before.secrets.user, before.secrets.token).revoked is None
    assert set(agents.reporting()) == {"ketoan-01", "ketoan-01-2"}


def test_copies_are_bounded(agents: Agents) -> None:
    """Who has stolen one agent's keys cannot make agents without end."""
    before = enrolled(agents)
    for number in range(COPIES):
        agents.copied(before.agent, said({"mac": [f"001b2199{number:04x}"]}), NOW)
    with pytest.raises(AgentError, match="enrol this machine with a code"):
        agents.copied(before.agent, said(OTHER), NOW)
    copy = agents.find(["agent"])[0]
    with pytest.raises(AgentError, match="enrol this machine with a code"):
        agents.copied(copy, said(OTHER), NOW)
    assert agents.copied(before.agent, said(OTHER), NOW + 2 * DAY).agent.unit == "xa"


def test_many_at_once_get_what_is_theirs(agents: Agents) -> None:
    """Machines of one name that enrol at the same moment get ids of their own, a code for five opens five times, and one of a
    unit's agents is told to test the line."""
    code, _ = agents.invite("xa", 5, NOW + DAY, "An", NOW)
    wall = threading.Barrier(8)

    def enrol(number: int) -> Agent | None:
        wall.wait()
        try:
            return agents.enrol(code, said({"mac": [f"001b2177{number:04x}"], "name": ["DESKTOP-1"]}), NOW).agent
        except AgentError:
            return None

    def test(agent: Agent) -> bool:
        return agents.may_test(agent, DAY, NOW)

    with ThreadPoolExecutor(8) as pool:
        made = [agent for agent in pool.map(enrol, range(8)) if agent is not None]
        assert sorted(agent.key for agent in made) == ["desktop-1", *(f"desktop-1-{n}" for n in range(2, 6))]
        assert sum(pool.map(test, made)) == 1


def test_rotated_keys_are_taken_without_a_gap(agents: Agents) -> None:
    """From a rotation until the agent is seen with its new keys both generations open; then only the new one does."""
    first = enrolled(agents)
    agents.rotate([first.agent])
    assert len(agents.reporting()["ketoan-01"][1]) == 2
    fetched = agents.asked(agents.authenticate(first.secrets.user, first.secrets.token), first.secrets.user, said(), NOW + 1)
    assert fetched.secrets.user == first.secrets.user.replace(".1", ".2")
    assert agents.authenticate(first.secrets.user, first.secrets.token), "it may not have got the answer"
    agents.asked(agents.authenticate(fetched.secrets.user, fetched.secrets.token), fetched.secrets.user, said(), NOW + 2)
    with pytest.raises(AgentError, match="replaced by newer ones"):
        agents.authenticate(first.secrets.user, first.secrets.token)
    assert agents.reporting()["ketoan-01"][1] == [fetched.secrets.opened()]


def test_rotating_twice_waits_for_the_first(agents: Agents) -> None:
    """A second rotation before the keys of the first were fetched changes nothing: the agent would be shut out."""
    first = enrolled(agents)
    agents.rotate(agents.find(["ketoan-01"]))
    agents.rotate(agents.find(["ketoan-01"]))
    (agent,) = agents.find(["ketoan-01"])
    assert (agent.taken, agent.generation) == (1, 2)
    assert agents.authenticate(first.secrets.user, first.secrets.token)


@pytest.mark.parametrize(
    ("user", "token"), [("", ""), ("hd-x.1", "t"), ("{user}", "wrong"), ("{user}9", "{token}"), ("{user}", "")]
)
def test_a_stranger_is_refused(agents: Agents, user: str, token: str) -> None:
    """Nobody gets in by a name, a wrong token, or another generation's user."""
    secrets = enrolled(agents).secrets
    with pytest.raises(AgentError, match="not known here"):
        agents.authenticate(user.format(user=secrets.user), token.format(token=secrets.token))


def test_a_unit_tests_its_line_one_at_a_time(agents: Agents) -> None:
    """Of a unit's agents one at a time may test the line, and none before the interval is over."""
    one, other = enrolled(agents).agent, enrolled(agents, OTHER).agent
    assert agents.may_test(one, DAY, NOW)
    assert not agents.may_test(one, DAY, NOW + 1) and not agents.may_test(other, DAY, NOW + DAY - 1)
    assert agents.may_test(other, DAY, NOW + DAY)


def test_hostile_identity_is_bounded(agents: Agents) -> None:
    """What a machine says of itself may be long, odd or empty: it is cut, cleaned or left out, and never breaks enrolment."""
    machine = {"serial": ["\0" * 9, "X" * 10**5], "mac": ["zz"] * 1000, "name": ["\ud800<b>\n"], "nonsense": ["x"], "uuid": []}
    grant = enrolled(agents, machine)
    assert grant.agent.key and grant.agent.key.isprintable()
    assert enrolled(agents, {}).agent.key == "agent"


def test_unknown_names_are_said(agents: Agents) -> None:
    """A command about an agent, unit or invitation that is not there names it and changes nothing."""
    enrolled(agents)
    for names, unit in ((["nobody"], ""), ([], "nowhere")):
        with pytest.raises(AgentError, match=r"nobody|nowhere"):
            agents.find(names, unit)
    with pytest.raises(AgentError, match="no invitation 99"):
        agents.withdraw(99, NOW)
