"""The simulated province: what exists, what its machines say, and what goes wrong on request."""

from __future__ import annotations

import argparse
import unicodedata
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import peers
import province as provinces
import pytest

from config import settings as reader
from haidang.simulate import command, hardware, settings
from haidang.simulate.cabling import lay
from haidang.simulate.devices import Devices
from haidang.simulate.faults import Faults
from haidang.simulate.province import KINDS, ROUTER, SWITCH, WORKSTATION, Machine, Province, build
from haidang.simulate.running import Running, SimulatorError
from snmp import ber, message
from snmp.message import VarBind
from snmp.oid import OID

NAME = "1.3.6.1.2.1.1.5.0"
UPTIME = "1.3.6.1.2.1.1.3.0"
IF_NUMBER = "1.3.6.1.2.1.2.1.0"
OPER_STATUS = OID.parse("1.3.6.1.2.1.2.2.1.8")
IN_OCTETS = OID.parse("1.3.6.1.2.1.31.1.1.1.6")
FORWARDING = OID.parse("1.3.6.1.2.1.17.4.3.1.2")
LLDP_NAMES = OID.parse("1.0.8802.1.1.2.1.4.1.1.9")
IF_HIGH_SPEED = OID.parse("1.3.6.1.2.1.31.1.1.1.15")
BASE_PORT_INDEX = OID.parse("1.3.6.1.2.1.17.1.4.1.2")


class World:
    """A province without sockets and with a clock that the test moves."""

    def __init__(self, units: int = 12, devices: int = 150, seed: int = 708) -> None:
        self.now = 1_000_000.0
        self.province = build(units, devices, seed)
        self.faults = Faults(self.province)
        self.devices = Devices(self.province, [], [], lambda: self.now, 1.7e9, self.faults.powered)

    def rows(self, machine: Machine) -> list[VarBind]:
        responder = self.devices.responder(machine.address)
        assert responder is not None
        return list(responder.tree.rows(self.now))

    def column(self, machine: Machine, column: OID) -> dict[tuple[int, ...], ber.Value]:
        return {row.oid[len(column) :]: row.value for row in self.rows(machine) if column.covers(row.oid)}

    def fault(self, target: str, *orders: str) -> None:
        for order in orders:
            self.faults.order(target, order, self.devices, self.now)


def of_kind(province: Province, kind: str) -> Machine:
    return next(machine for machine in province.machines if machine.kind == kind)


@pytest.fixture(scope="module")
def world() -> World:
    return World()


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with provinces.running() as found:
        yield found


def ask(running: Running, machine: Machine, *names: str, v3: bool = False, patience: float = 30.0) -> list[str]:
    """What snmpget says, a line a value; empty when there is no answer within so many seconds."""
    said = running.credentials
    how = ["-v2c", "-c", said.community]
    if v3:
        how = ["-v3", "-l", "authPriv", "-u", said.user, "-a", "SHA", "-A", said.auth_secret, "-x", "AES", "-X", said.priv_secret]
    how += ["-Oqvt", "-r0", f"-t{patience}"]
    done = peers.net_snmp("snmpget", *how, f"{machine.address}:{running.port}", *names, check=False)
    return done.stdout.splitlines() if done.returncode == 0 else []


def test_the_numbers_asked_for_exist() -> None:
    """So many units and devices as asked for, for one device in one unit as for thousands in hundreds."""
    for units, devices in ((1, 1), (1, 2), (1, 800), (12, 150), (620, 13_000)):
        found = build(units, devices)
        assert len(found.offices) == units + 1
        assert len(found.machines) == devices
        for what in (
            [machine.address for machine in found.machines],
            [machine.name for machine in found.machines],
            [office.id for office in found.offices],
            [office.name for office in found.offices],
        ):
            assert len(set(what)) == len(what)
        assert all(len(machine.name) <= 15 and machine.name.isascii() for machine in found.machines)
        assert all(unicodedata.is_normalized("NFC", office.name) for office in found.offices)


@pytest.mark.parametrize(("units", "devices"), [(0, 10), (10, 9), (1, 60_001), (1501, 60_000)])
def test_numbers_that_do_not_go_together_are_refused(units: int, devices: int) -> None:
    """What cannot exist is said to be wrong, with what would be right."""
    with pytest.raises(ValueError, match="expected"):
        build(units, devices)


def test_every_unit_has_a_network() -> None:
    """Each office has one router and a switch; all kinds of machines exist."""
    found = build(12, 150)
    for office in found.offices[1:]:
        kinds = Counter(machine.kind for machine in found.members(office.id))
        assert kinds[ROUTER] == 1
        assert kinds[SWITCH] >= 1
    assert {machine.kind for machine in found.machines} == set(KINDS)


def test_the_same_seed_gives_the_same_answers_and_another_does_not(world: World) -> None:
    """Two provinces of one seed say the same at the same time, whatever was asked first; another seed gives another province."""
    again, other = World(), World(seed=709)
    machines = [of_kind(world.province, kind) for kind in KINDS]
    first = [world.rows(machine) for machine in machines]
    assert first == [again.rows(machine) for machine in reversed(machines)][::-1]
    assert [office.name for office in world.province.offices[1:]] != [office.name for office in other.province.offices[1:]]


def test_all_machines_have_trees_in_order(world: World) -> None:
    """Every machine of every kind can be built, and its objects stand in MIB order."""
    for machine in world.province.machines:
        names = [row.oid for row in world.rows(machine)]
        assert names == sorted(set(names))
        assert len(names) > 80


def test_counters_rise_and_never_fall(world: World) -> None:
    """Interface counters go up with the clock, to the end of a wave and beyond."""
    fresh = World()
    router = of_kind(fresh.province, ROUTER)
    last = fresh.column(router, IN_OCTETS)
    moved: set[tuple[int, ...]] = set()
    for _ in range(200):
        fresh.now += 37
        now = fresh.column(router, IN_OCTETS)
        assert all(int(str(now[index])) >= int(str(last[index])) for index in now)
        moved |= {index for index in now if now[index] != last[index]}
        last = now
    assert len(moved) >= 2


def test_topology_can_be_found(world: World) -> None:
    """The forwarding tables name every machine at a port that exists, LLDP the next switch and router."""
    for office in world.province.offices[1:]:
        members = world.province.members(office.id)
        switches = [machine for machine in members if machine.kind == SWITCH]
        for switch in switches:
            places = world.column(switch, FORWARDING)
            copies = sum(machine.copied for machine in members)
            assert len(places) == len(members) - 1 - copies
            assert {(port,) for port in places.values()} <= set(world.column(switch, BASE_PORT_INDEX))
        seen = {
            str(name, "ascii")
            for switch in switches
            for name in world.column(switch, LLDP_NAMES).values()
            if isinstance(name, bytes)
        }
        assert len(switches) == 1 or {switch.name for switch in switches} <= seen


def test_surveys_shares_are_met() -> None:
    """The workstations are as underpowered as the communes' survey says, within a few percent."""
    drawn = [hardware.draw(machine) for machine in build(300, 6000).machines if machine.kind == WORKSTATION]

    def share(count: int) -> float:
        return count / len(drawn)

    assert share(sum(one.memory <= 4 << 30 for one in drawn)) == pytest.approx(0.31, abs=0.05)
    assert share(sum(not one.solid for one in drawn)) == pytest.approx(0.35, abs=0.05)
    assert share(sum(one.system == hardware.WINDOWS_7 for one in drawn)) == pytest.approx(0.05, abs=0.02)
    assert share(sum(one.system == hardware.WINDOWS_11 for one in drawn)) == pytest.approx(0.27, abs=0.05)
    assert share(sum(bool(one.antivirus) for one in drawn)) == pytest.approx(0.81, abs=0.03)


def test_a_machine_that_is_off_takes_its_switch_port_down() -> None:
    """The port of a machine switched off goes down, and comes up with it."""
    fresh = World()
    switch = of_kind(fresh.province, SWITCH)
    before = fresh.column(switch, OPER_STATUS)
    for machine in fresh.province.members(switch.office):
        if machine.kind == WORKSTATION:
            fresh.fault(machine.address, "off")
    during = fresh.column(switch, OPER_STATUS)
    assert list(during.values()).count(1) < list(before.values()).count(1)
    fresh.fault(switch.office, "on")
    assert fresh.column(switch, OPER_STATUS) == before


def test_a_reboot_starts_counters_and_engine_anew() -> None:
    """After a reboot the uptime begins at zero, the counters too, and the engine has booted once more."""
    fresh = World()
    router = of_kind(fresh.province, ROUTER)
    engine = fresh.devices.life(router.address).engine
    boots, before = engine.boots, max(int(str(count)) for count in fresh.column(router, IN_OCTETS).values())
    fresh.fault(router.address, "reboot")
    fresh.now += 10
    assert engine.boots == boots + 1
    assert engine.time(fresh.now) == 10
    assert max(int(str(count)) for count in fresh.column(router, IN_OCTETS).values()) < before
    assert fresh.column(router, OID.parse(UPTIME)) == {(): 1000}


@pytest.mark.parametrize(
    "order", ["nonsense", "slow", "slow=-1", "slow=x", "lossy=2", "off=3", "grow", "reboot=-1", "link", "link=-1"]
)
def test_orders_that_make_no_sense_are_refused(world: World, order: str) -> None:
    """A wrong order changes nothing and says what would be right."""
    with pytest.raises(ValueError, match=r"expected|takes no"):
        world.fault(world.province.machines[0].address, order)
    assert not world.faults.present


def test_an_unknown_target_is_refused(world: World) -> None:
    """A fault of what does not exist names what can be meant."""
    with pytest.raises(ValueError, match="address, a machine's name or an office's id"):
        world.fault("127.99.0.1", "off")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("v3", [False, True])
def test_net_snmp_walks_every_kind_of_machine(running: Running, kind: str, v3: bool) -> None:
    """snmpbulkwalk of .1 ends, strictly ordered (it says so when it is not), and shows the machine's whole tree."""
    machine = of_kind(running.province, kind)
    said = running.credentials
    how = ["-v2c", "-c", said.community]
    if v3:
        how = ["-v3", "-l", "authPriv", "-u", said.user, "-a", "SHA", "-A", said.auth_secret, "-x", "AES", "-X", said.priv_secret]
    done = peers.net_snmp("snmpbulkwalk", *how, "-Onq", "-Cr25", f"{machine.address}:{running.port}", ".1")
    world = World(3, 30)
    lines = [line for line in done.stdout.splitlines() if line.startswith(".1")]
    names = [OID.parse(line.split(" ", 1)[0]) for line in lines if "No more variables" not in line]
    assert names == [row.oid for row in world.rows(machine)]
    assert ask(running, machine, NAME, v3=v3) == [f'"{machine.name}"']


def test_a_stranger_gets_no_answer(running: Running) -> None:
    """A wrong community, and an address where no machine is, are met with silence."""
    machine = running.province.machines[0]
    where = f"{machine.address}:{running.port}"
    wrong = peers.net_snmp("snmpget", "-v2c", "-c", "wrong", "-r0", "-t0.3", where, NAME, check=False)
    nobody = peers.net_snmp("snmpget", "-v2c", "-c", "public", "-r0", "-t0.3", f"127.200.0.1:{running.port}", NAME, check=False)
    assert "Timeout" in wrong.stderr
    assert "Timeout" in nobody.stderr


@pytest.mark.parametrize("order", ["off", "silent", "lossy=1", "slow=5", "garbage", "reboot=60"])
def test_a_fault_stops_the_answers_until_all_is_well(running: Running, order: str) -> None:
    """Under each fault nothing usable comes within half a second; other machines answer, and this one does when it is over."""
    machine, other = (
        one for one in running.province.machines if one.kind == WORKSTATION and one.number <= 2 and one.office == OFFICE
    )
    running.fault(machine.address, order)
    if order == "garbage":
        assert any(not ask(running, machine, NAME, patience=0.5) for _ in range(4))
    else:
        assert not ask(running, machine, NAME, patience=0.5)
    assert ask(running, other, NAME)
    running.fault(machine.address, "on", "reboot")
    assert ask(running, machine, NAME)
    assert running.faulty() == []


OFFICE = build(3, 30).offices[1].id


def test_a_line_that_is_down_silences_its_whole_unit(running: Running) -> None:
    """With the line of one office down none of its machines answers, and those of the others do."""
    running.fault(OFFICE, "off")
    assert not any(ask(running, machine, NAME, patience=0.5) for machine in running.province.members(OFFICE)[:2])
    assert set(running.faulty()) == {machine.address for machine in running.province.members(OFFICE)}
    assert ask(running, running.province.machines[-1], NAME)
    running.fault(OFFICE, "on")
    assert ask(running, running.province.members(OFFICE)[0], NAME)


def test_a_damaged_cable_shows_at_both_ends() -> None:
    """A link that a fault slows is slow at the machine and at its switch port, also when both are asked for the first time, and
    as fast as before when all is well."""
    world = World(3, 60)
    pcs = [one for one in world.province.machines if one.kind == "workstation"]
    fast = [one for one in pcs if 1000 in world.column(one, IF_HIGH_SPEED).values()]
    plant, port = lay(world.province.members(fast[0].office)).attachments[fast[0].address]

    def speeds() -> tuple[ber.Value, ber.Value]:
        own, far = world.column(fast[0], IF_HIGH_SPEED), world.column(plant.machine, IF_HIGH_SPEED)
        return own[(2,)], far[(plant.model.index(port),)]

    assert speeds() == (1000, 1000)
    world.fault(fast[0].address, "link=100")
    assert speeds() == (100, 100)
    world.fault(fast[0].address, "on")
    assert speeds() == (1000, 1000)


def test_a_table_grows_and_shrinks(running: Running) -> None:
    """The interface table gets as many rows as ordered, and loses them again."""
    machine = running.province.members(OFFICE)[-1]
    before = int(ask(running, machine, IF_NUMBER)[0])
    running.fault(machine.name, "grow=3")
    assert ask(running, machine, IF_NUMBER) == [str(before + 3)]
    running.fault(machine.name, "on")
    assert ask(running, machine, IF_NUMBER) == [str(before)]


def test_a_reboot_is_seen_from_outside(running: Running) -> None:
    """After a reboot sysUpTime is small, also for a v3 manager that has to learn the engine's boots anew."""
    machine = running.province.members(OFFICE)[0]
    assert int(ask(running, machine, UPTIME, v3=True)[0]) > 60_000
    running.fault(machine.address, "reboot")
    assert int(ask(running, machine, UPTIME, v3=True)[0]) < 3_000


def test_the_control_refuses_in_words(running: Running) -> None:
    """A refused order comes back as an error, and the simulator goes on."""
    with pytest.raises(ValueError, match="unknown fault"):
        running.fault(OFFICE, "explode")
    with pytest.raises(ValueError, match="unknown order"):
        running.ask(["hello"])
    assert running.alive()


def test_a_taken_port_is_told(running: Running) -> None:
    """A second province on the same port does not start, and says which port."""
    with pytest.raises(SimulatorError, match=f"port {running.port}"):
        Running(1, 5, port=running.port)


@pytest.mark.parametrize("versions", [settings.MIXED, settings.V2C, settings.V3])
def test_the_written_settings_are_the_collectors(tmp_path: Path, versions: str) -> None:
    """`--write-settings` gives a file that the collector accepts and that names every unit and device."""
    path = tmp_path / "haidang.toml"
    parser = argparse.ArgumentParser()
    command.declare(parser)
    args = parser.parse_args(
        ["--units", "5", "--devices", "40", "--port", "2161", "--versions", versions, "--write-settings", str(path)]
    )
    assert args.func(args) == 0
    found = reader.read(path)
    assert {(device.address, device.port) for device in found.devices} == {(m.address, 2161) for m in build(5, 40).machines}
    assert len(found.units) == 6
    assert {found.credentials[device.credential].version for device in found.devices} == {
        settings.MIXED: {"2c", "3"}, settings.V2C: {"2c"}, settings.V3: {"3"}
    }[versions]  # fmt: skip
    assert path.stat().st_mode & 0o077 == 0


def test_written_settings_replace_their_like_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--write-settings` writes over what it wrote before, and never over settings that a person wrote."""
    parser = argparse.ArgumentParser()
    command.declare(parser)
    path = tmp_path / "haidang.toml"
    for units in ("5", "6"):
        args = parser.parse_args(["--units", units, "--devices", "40", "--write-settings", str(path)])
        assert args.func(args) == 0
    assert len(reader.read(path).units) == 7
    path.write_text("# ours\n")
    assert args.func(args) == 2
    assert path.read_text() == "# ours\n"
    assert f"{path} exists" in capsys.readouterr().err


def test_arguments_that_do_not_go_together_end_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    """More units than devices, or a protocol that USM does not know: a message and exit code 2."""
    parser = argparse.ArgumentParser()
    command.declare(parser)
    for words in (["--units", "5", "--devices", "4"], ["--auth", "ROT13"]):
        args = parser.parse_args(words)
        assert args.func(args) == 2
        assert "haidang simulate: " in capsys.readouterr().err


def test_the_message_size_is_kept(running: Running) -> None:
    """A GETBULK for more than fits is answered with as much as fits into one Ethernet frame."""
    import socket

    machine = of_kind(running.province, SWITCH)
    names = message.encode_names([OID.parse("1.3.6.1.2.1.2.2.1.2"), OID.parse("1.3.6.1.2.1.31.1.1.1.6")])
    request = message.encode_community(
        message.V2C, b"public", message.encode_pdu(message.Pdu(message.GET_BULK, 7, 0, 200, names))
    )
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(60)
        sock.sendto(request, (machine.address, running.port))
        data, source = sock.recvfrom(65535)
    assert source == (machine.address, running.port)
    assert 1000 < len(data) <= 1472
