"""One contract over both systems: the same functions, and values of the same types."""

from __future__ import annotations

import inspect
from types import ModuleType, SimpleNamespace
from typing import Any

import psutil
import pytest

from agent import facts, linux, windows
from agent.inventory import linux as linux_inventory
from agent.inventory import parts
from agent.inventory import windows as windows_inventory
from agent.inventory.collect import as_json, collect
from agent.inventory.rows import rows
from agent.inventory.source import Source
from snmp.tree import Tree

LIVE = ("host", "boot_time", "interfaces", "traffic", "memory", "volumes", "processor_times", "processor_names", "users",
        "processes", "sensors")  # fmt: skip
BOTH = pytest.mark.parametrize("module", [linux, windows], ids=["linux", "windows"])
READERS = pytest.mark.parametrize("module", [linux_inventory, windows_inventory], ids=["linux", "windows"])


def public(module: ModuleType) -> set[str]:
    return {name for name, one in vars(module).items() if inspect.isfunction(one) and one.__module__ == module.__name__}


def test_the_same_live_functions() -> None:
    """What the resident process calls is there on both systems, and can be called without arguments."""
    for module in (linux, windows):
        assert set(LIVE) <= public(module)
        for name in LIVE:
            parameters = inspect.signature(getattr(module, name)).parameters.values()
            assert all(parameter.default is not parameter.empty for parameter in parameters), f"{module.__name__}.{name}"


def test_the_same_functions_of_the_inventory() -> None:
    """The inventory of both systems is made of the same parts."""
    assert linux_inventory.__all__ == windows_inventory.__all__


@BOTH
def test_live_values_have_their_types(module: ModuleType) -> None:
    """Facts of this very machine, read by either module (psutil stands below Windows' too), are what `facts` says."""
    host = module.host()
    assert isinstance(host, facts.Host) and host.name and host.boot_time > 1e9
    assert abs(module.boot_time() - psutil.boot_time()) < 5
    for one in module.memory():
        assert isinstance(one, facts.Space) and one.size_bytes >= one.used_bytes >= 0
    for one in module.processor_times():
        assert isinstance(one, facts.Times) and one.busy >= 0 and one.idle >= 0
    assert len(module.processor_names()) == psutil.cpu_count() and all(module.processor_names())
    for name, one in module.traffic().items():
        assert isinstance(name, str) and isinstance(one, facts.Traffic) and one.receive_bytes >= 0
    assert isinstance(module.users(), int) and module.processes() > 1
    assert all(isinstance(one, facts.Sensor) for one in module.sensors())


def recorded_windows() -> Any:
    """psutil's answers on a Windows machine."""
    stats = SimpleNamespace(isup=True, duplex=psutil.NIC_DUPLEX_FULL, speed=100, mtu=1500)
    down = SimpleNamespace(isup=False, duplex=psutil.NIC_DUPLEX_UNKNOWN, speed=0, mtu=1500)
    link = SimpleNamespace(family=psutil.AF_LINK, address="02-00-00-00-00-07")
    count = SimpleNamespace(bytes_recv=1, packets_recv=2, errin=3, dropin=4, bytes_sent=5, packets_sent=6, errout=7, dropout=8)
    part = SimpleNamespace(device="C:\\", mountpoint="C:\\", fstype="NTFS", opts="rw,fixed")
    return SimpleNamespace(
        net_if_stats=lambda: {"Ethernet": stats, "Wi-Fi": down, "Loopback Pseudo-Interface 1": stats},
        net_if_addrs=lambda: {"Ethernet": [link]},
        net_io_counters=lambda pernic, nowrap: {"Ethernet": count},
        disk_partitions=lambda all: [part, SimpleNamespace(device="D:\\", mountpoint="D:\\", fstype="", opts="cdrom")],
        disk_usage=lambda mount: SimpleNamespace(total=1000, used=400),
    )


def test_interfaces_of_either_system() -> None:
    """MAC, state, speed and duplex are told alike: None where the system does not know, 0 where there is no link."""
    numbers = {"Ethernet": 5, "Wi-Fi": 9, "Loopback Pseudo-Interface 1": 1}
    ours = {one.name: one for one in linux.interfaces()}
    theirs = {one.name: one for one in windows.interfaces(recorded_windows(), numbers.__getitem__)}
    assert set(ours) == set(psutil.net_if_stats())
    for one in (*ours.values(), *theirs.values()):
        assert isinstance(one, facts.Interface) and len(one.mac) in (0, 6)
        assert one.oper in ("up", "down", "dormant", "testing", "notPresent", "lowerLayerDown")
        assert one.oper == "up" or one.speed_bps == 0
    wired = theirs["Ethernet"]
    assert (wired.number, wired.type, wired.mac.hex(), wired.speed_bps, wired.full_duplex) == (
        5,
        6,
        "020000000007",
        100_000_000,
        True,
    )
    assert (theirs["Wi-Fi"].type, theirs["Wi-Fi"].full_duplex, theirs["Loopback Pseudo-Interface 1"].type) == (71, None, 24)
    assert windows.traffic(recorded_windows())["Ethernet"] == (1, 2, 3, 4, 5, 6, 7, 8, None)
    assert [(one.name, one.kind, one.size_bytes) for one in windows.volumes(recorded_windows())] == [("C:\\", "fixed", 1000)]


@READERS
def test_an_empty_machine_gives_an_empty_inventory(module: ModuleType, tmp_path: Any) -> None:
    """A reader that finds nothing says what it could not see, and raises nothing."""

    def nothing(command: list[str]) -> str:
        from agent.errors import Unreadable

        raise Unreadable(f"{command[0]} is not installed")

    found = collect(True, False, Source(str(tmp_path), nothing, privileged=False, answers={}), module)
    assert isinstance(found, parts.Inventory)
    assert not found.disks and not found.modules and found.machine.serial == ""
    assert found.limits and all(limit.name and limit.reason for limit in found.limits)
    assert not [limit for limit in found.limits if "Error" in limit.reason]
    Tree.of(rows(found))


def test_this_machines_inventory_is_served_and_written() -> None:
    """What is found here has the types of its parts, fits the objects and is JSON."""
    import json

    found = collect(software=True, users=True)
    for name in found._fields:
        one = getattr(found, name)
        kind = type(getattr(parts.Inventory(), name))
        assert isinstance(one, kind), name
    assert found.system.name and found.processors and found.agent.inventory_milliseconds is not None
    Tree.of(rows(found))
    assert json.loads(json.dumps(as_json(found)))["format"] == 1


def test_a_part_that_breaks_is_named_and_spoils_no_other(tmp_path: Any) -> None:
    """An error nobody thought of takes one part away, and is told among the limits."""

    def broken(source: Source) -> Any:
        raise ZeroDivisionError("lake")

    reader = SimpleNamespace(**{name: getattr(linux_inventory, name) for name in linux_inventory.__all__} | {"disks": broken})
    found = collect(source=Source(str(tmp_path), privileged=False), reader=reader)  # type: ignore[arg-type]
    assert ("disks", "ZeroDivisionError: lake") in found.limits and found.system.build == ""
