"""Agents: invited, enrolled, copied, rotated, revoked."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from collector.errors import AgentError
from collector.estate.access import Vault
from collector.estate.agents import ANSWER_LOST, COPIES, Agents, Grant, Said
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


def test_a_new_disk_brings_the_old_record(agents: Agents, database_url: str) -> None:
    """A machine that is set up anew and enrols again is the device it was, and its old keys open nothing."""
    before = enrolled(agents)
    described(database_url, before.agent.key, PC, NOW + 60)
    again = enrolled(agents, {**PC, "name": ["DESKTOP-X1"]}, NOW + DAY)
    assert again.agent.key == before.agent.key
    assert again.secrets.user != before.secrets.user
    with pytest.raises(AgentError, match="was revoked by its machine, which enrolled again"):
        agents.authenticate(before.secrets.user, before.secrets.token)
    assert [user.name for user in agents.reporting()["ketoan-01"][1]] == [again.secrets.user.encode()]


def test_a_revoked_machine_comes_back_as_itself(agents: Agents, database_url: str) -> None:
    """What was revoked and is invited again has its old device id."""
    before = enrolled(agents)
    described(database_url, before.agent.key, PC, NOW + 60)
    agents.revoke([before.agent], "An", NOW + 100)
    assert enrolled(agents, PC, NOW + DAY).agent.key == before.agent.key


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
    assert agents.copied(before.agent, said(OTHER), NOW + 2 * DAY).agent.unit == "xa"


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
