from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from agent.facts import Host, Interface, Sensor, Space, Times, Traffic
from agent.tree import IF_ENTRY, IF_TABLE_LAST_CHANGE, IFX_ENTRY, MIB2, SENSOR_ENTRY, Machine, at, date_and_time
from snmp.message import VarBind
from snmp.oid import OID
from snmp.tree import LiveTree

ETH = Interface(2, "eth0", 6, 1500, b"\x02\0\0\0\0\2", True, "up", 100_000_000, True, physical=True, changes=1)
HOST = at(MIB2, 25)


def source(**changes: Any) -> Any:
    """A machine of our own making."""
    values = {
        "host": Host("pc-17", "Lake OS 1", 1_700_000_000.0),
        "boot_time": 1_700_000_000.0,
        "interfaces": [ETH],
        "traffic": {"eth0": Traffic(2**32 + 5, 10, 1, 2, 2**40, 20, 3, 4, 6)},
        "memory": [Space("Physical memory", "ram", 8 << 30, 2 << 30)],
        "volumes": [Space("/", "fixed", 40 << 40, 10 << 40, 4096, "ext4")],
        "processor_times": [Times(50.0, 50.0)],
        "processor_names": ["Lake 9000"],
        "users": 1,
        "processes": 99,
        "sensors": [Sensor("coretemp", 51.5)],
    } | changes
    return SimpleNamespace(**{name: (lambda value=value: value) for name, value in values.items()})


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def served(machine: Machine, now: float) -> dict[OID, VarBind]:
    return {row.oid: row for row in LiveTree(machine.groups()).rows(now)}


def test_a_machine_in_the_standard_modules() -> None:
    """System, interface, storage, processor and sensor stand where any manager looks for them."""
    rows = served(Machine(source(), 32473, "it@xa.example", "Phòng 1"), 1000.0)

    def value(*arcs: int) -> Any:
        return rows[at(MIB2, *arcs)].value

    assert value(1, 5, 0) == b"pc-17" and value(1, 6, 0) == "Phòng 1".encode() and value(1, 4, 0) == b"it@xa.example"
    assert str(value(1, 2, 0)).startswith("1.3.6.1.4.1.32473.1.3.")
    assert value(1, 1, 0).startswith(b"Lake OS 1; haidang-agent ")
    assert (value(2, 1, 0), value(2, 2, 1, 5, 2), value(2, 2, 1, 6, 2), value(2, 2, 1, 8, 2)) == (1, 100_000_000, ETH.mac, 1)
    assert (value(31, 1, 1, 1, 15, 2), value(10, 7, 2, 1, 19, 2)) == (100, 3)
    assert (value(2, 2, 1, 10, 2), value(31, 1, 1, 1, 6, 2), value(31, 1, 1, 1, 10, 2)) == (5, 2**32 + 5, 2**40)
    assert (value(2, 2, 1, 11, 2), value(31, 1, 1, 1, 8, 2)) == (4, 6)
    assert (value(25, 3, 2, 1, 3, 1), value(25, 3, 3, 1, 2, 1)) == (b"Lake 9000", 50)
    assert value(25, 2, 2, 0) == 8 << 20
    assert rows[at(SENSOR_ENTRY, 4, 10_000)].value == 515


def test_a_size_beyond_31_bits_is_told_in_larger_units() -> None:
    """hrStorageSize is a signed 32-bit number: 40 TiB need units of 32 KiB."""
    rows = served(Machine(source(), 32473), 0.0)
    unit, size, used = (rows[at(HOST, 2, 3, 1, column, 31)].value for column in (4, 5, 6))
    assert isinstance(unit, int) and isinstance(size, int) and isinstance(used, int)
    assert size < 2**31 and size * unit == 40 << 40 and used * unit == 10 << 40


def test_last_changes_follow_the_links() -> None:
    """What was there before the agent counts as unchanged; a link that fell and a card that came have their times."""
    clock, machine_source = Clock(), source()
    machine = Machine(machine_source, 32473, clock=clock)
    tree = LiveTree(machine.groups())

    def look(interfaces: list[Interface]) -> dict[OID, Any]:
        clock.now += 10
        machine_source.interfaces = lambda: interfaces
        return {row.oid: row.value for row in tree.rows(clock.now)}

    rows = look([ETH])
    assert (rows[at(IF_ENTRY, 9, 2)], rows[IF_TABLE_LAST_CHANGE]) == (0, 0)
    rows = look([ETH._replace(oper="down", speed_bps=0)])
    assert (rows[at(IF_ENTRY, 8, 2)], rows[at(IF_ENTRY, 9, 2)], rows[IF_TABLE_LAST_CHANGE]) == (2, 2000, 0)
    rows = look([ETH, ETH._replace(number=7, name="usb0")])
    assert (rows[at(IF_ENTRY, 9, 7)], rows[IF_TABLE_LAST_CHANGE]) == (3000, 3000)
    rows = look([ETH])
    assert at(IFX_ENTRY, 1, 7) not in rows and rows[IF_TABLE_LAST_CHANGE] == 4000


def test_a_reader_that_fails_takes_only_its_group_away() -> None:
    """The other objects are served while one part of the machine cannot be read."""

    def broken() -> Any:
        raise OSError("no disks today")

    machine_source = source()
    machine_source.volumes = broken
    rows = served(Machine(machine_source, 32473), 0.0)
    assert at(HOST, 2, 3, 1, 3, 1) not in rows and at(MIB2, 1, 5, 0) in rows


def test_date_and_time() -> None:
    """SNMPv2-TC's DateAndTime has eleven octets, with the offset from UTC."""
    data = date_and_time(1_700_000_000.25)
    assert len(data) == 11 and data[7] == 2 and data[8:9] in b"+-"
