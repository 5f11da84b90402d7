from __future__ import annotations

import os
import sys
from pathlib import Path

import psutil
import pytest

from agent import linux
from agent.facts import Interface, Space

NET = "sys/class/net"


def put(root: Path, files: dict[str, str]) -> str:
    """A recorded tree: path -> content."""
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(content)
    return str(root)


def card(name: str, **values: str) -> dict[str, str]:
    files = {"ifindex": "2", "type": "1", "flags": "0x1003", "operstate": "up", "mtu": "1500", "address": "02:00:00:00:00:02",
             "carrier_changes": "3", "uevent": f"INTERFACE={name}", "ifalias": "", "speed": "100", "duplex": "full"}  # fmt: skip
    return {f"{NET}/{name}/{file}": f"{value}\n" for file, value in (files | values).items()}


def only(root: Path, files: dict[str, str]) -> Interface:
    (found,) = linux.interfaces(put(root, files))
    return found


def test_a_network_card(tmp_path: Path) -> None:
    """Number, name, MAC, state, speed and duplex are read from /sys."""
    (tmp_path / NET / "eth0" / "device").mkdir(parents=True)
    found = only(tmp_path, card("eth0", ifalias="to the switch"))
    assert (found.number, found.name, found.type, found.mac.hex()) == (2, "eth0", 6, "020000000002")
    assert (found.admin, found.oper, found.speed_bps, found.full_duplex) == (True, "up", 100_000_000, True)
    assert (found.alias, found.physical, found.changes) == ("to the switch", True, 3)


def test_a_card_without_a_link_has_no_speed(tmp_path: Path) -> None:
    """Down is told from unknown: speed 0 and no duplex, whatever the driver still shows."""
    found = only(tmp_path, card("eth0", operstate="down", speed="1000"))
    assert (found.oper, found.speed_bps, found.full_duplex) == ("down", 0, None)


@pytest.mark.parametrize("speed", ["-1", "4294967295", ""])
def test_a_driver_that_does_not_know_the_speed(tmp_path: Path, speed: str) -> None:
    """Unknown is None, not zero."""
    assert only(tmp_path, card("eth0", speed=speed, duplex="unknown")).speed_bps is None


@pytest.mark.parametrize(
    ("values", "type"),
    [({"uevent": "DEVTYPE=wlan"}, 71), ({"uevent": "DEVTYPE=bridge"}, 209), ({"uevent": "DEVTYPE=vlan"}, 135),
     ({"type": "772"}, 24), ({"type": "65534"}, 131), ({}, 53), ({"type": "12345"}, 1)],
)  # fmt: skip
def test_kinds_of_interfaces(tmp_path: Path, values: dict[str, str], type: int) -> None:
    """Wireless, bridges, VLANs, loopback, tunnels and virtual cards have their IANAifType."""
    assert only(tmp_path, card("x0", **values)).type == type


def test_a_new_card_of_an_old_name_is_seen(tmp_path: Path) -> None:
    """A card that is pulled and replaced by another of the same name is read anew, and one that is gone is gone."""
    root = put(tmp_path, card("eth0"))
    assert linux.interfaces(root)[0].mac.hex().endswith("02")
    for file in (tmp_path / NET / "eth0").iterdir():
        file.unlink()
    linux._watched.clear()
    put(tmp_path, card("eth0", ifindex="9", address="02:00:00:00:00:09"))
    assert (linux.interfaces(root)[0].number, linux.interfaces(root)[0].mac.hex()[-2:]) == (9, "09")


def test_a_link_that_changed_is_asked_again(tmp_path: Path) -> None:
    """Speed and duplex are kept while the link stays up, and read again when it went down and up."""
    root = put(tmp_path, card("eth0"))
    assert linux.interfaces(root)[0].speed_bps == 100_000_000
    put(tmp_path, card("eth0", speed="10", duplex="half", carrier_changes="5"))
    found = linux.interfaces(root)[0]
    assert (found.speed_bps, found.full_duplex) == (10_000_000, False)


def test_traffic(tmp_path: Path) -> None:
    """The kernel's counters by name; FIFO overruns count as discards."""
    head = "Inter-|   Receive |  Transmit\n face |bytes ...\n"
    root = put(
        tmp_path,
        {"proc/net/dev": head + "  eth0: 1000 10 1 2 3 0 0 4 2000 20 5 6 0 0 0 0\neth0.7:1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n"},
    )
    found = linux.traffic(root)
    assert found["eth0"] == (1000, 10, 1, 5, 2000, 20, 5, 6, 4)
    assert found["eth0.7"].receive_bytes == 1


def test_memory_agrees_with_psutil() -> None:
    """The size is psutil's to the byte, what is used within what moves meanwhile."""
    main, expected = linux.memory()[0], psutil.virtual_memory()
    assert main.size_bytes == expected.total
    assert abs(main.used_bytes - (expected.total - expected.available)) < expected.total // 10


def test_processors_and_processes_agree_with_psutil() -> None:
    """Busy and idle seconds of each processor and the number of processes are psutil's, within what moves meanwhile."""
    expected = psutil.cpu_times(percpu=True)
    found = linux.processor_times()
    assert len(found) == len(expected)
    for times, one in zip(found, expected, strict=True):
        assert abs(times.idle - one.idle - one.iowait) < 5
        assert abs(times.busy - (one.user + one.nice + one.system + one.irq + one.softirq + one.steal)) < 5
    assert abs(linux.processes() - len(psutil.pids())) < 50


def test_sessions_of_users(tmp_path: Path) -> None:
    """systemd's sessions of class user count while they are open; without systemd the records of utmp that are a user's."""
    assert linux.users(str(tmp_path)) == 0
    for size in (384, 400):
        records = [int(kind).to_bytes(2, sys.byteorder).ljust(size, b"\1") for kind in (2, 7, 8, 7)]
        (tmp_path / "run").mkdir(exist_ok=True)
        (tmp_path / "run" / "utmp").write_bytes(b"".join(records))
        assert linux.users(str(tmp_path)) == 2
    sessions = ("UID=1000\nCLASS=user\nSTATE=active\n", "CLASS=greeter\nSTATE=online\n", "CLASS=user\nSTATE=closing\n")
    put(tmp_path, {f"run/systemd/sessions/c{n}": content for n, content in enumerate(sessions)})
    assert linux.users(str(tmp_path)) == 1


def test_a_watched_file_is_read_to_its_end(tmp_path: Path) -> None:
    """A file longer than what one read gives comes whole, the first time and again."""
    text = "\n".join(f"line {n}" for n in range(10_000))
    path = put(tmp_path, {"long": text}) + "/long"
    assert linux.watch(path) == text and linux.watch(path) == text


def test_swap_that_is_not_there_is_no_row(tmp_path: Path) -> None:
    """A machine without swap has one memory, an old kernel's available memory is worked out."""
    root = put(
        tmp_path, {"proc/meminfo": "MemTotal: 1000 kB\nMemFree: 300 kB\nBuffers: 50 kB\nCached: 150 kB\nSwapTotal: 0 kB\n"}
    )
    assert linux.memory(root) == [Space("Physical memory", "ram", 1000 << 10, 500 << 10)]


def test_volumes_are_those_on_disks_once_each(tmp_path: Path) -> None:
    """Images, pseudo file systems and second mounts of a device are left out; blanks in names come back."""
    (tmp_path / "media" / "u sb").mkdir(parents=True)
    root = put(tmp_path, {"proc/self/mounts": (
        "proc /proc proc rw 0 0\n/dev/sda1 / ext4 rw,relatime 0 0\n/dev/sda1 /var/lib/x ext4 rw 0 0\n"
        "/dev/loop3 /snap/x squashfs ro 0 0\n/dev/sdb1 /media/u\\040sb vfat ro,nosuid 0 0\ntmpfs /tmp tmpfs rw 0 0\n"
    )})  # fmt: skip
    size = os.statvfs_result((4096, 4096, 1000, 400, 300, 0, 0, 0, 0, 255))
    found = linux.volumes(root, lambda mount: size)
    assert [(s.name, s.kind, s.size_bytes, s.used_bytes, s.read_only) for s in found] == [
        ("/", "fixed", 4096000, 2457600, False), ("/media/u sb", "removable", 4096000, 2457600, True),
    ]  # fmt: skip


def test_sensors(tmp_path: Path) -> None:
    """Temperatures of the monitoring chips, else of the thermal zones; readings no sensor gives are left out."""
    zone = {"sys/class/thermal/thermal_zone0/type": "x86_pkg_temp\n", "sys/class/thermal/thermal_zone0/temp": "41000\n"}
    root = put(tmp_path, zone)
    assert linux.sensors(root) == [("x86_pkg_temp", 41.0)]
    chip = {"name": "coretemp\n", "temp1_input": "52500\n", "temp1_label": "Package id 0\n", "temp2_input": "-128000\n"}
    put(tmp_path, {f"sys/class/hwmon/hwmon0/{name}": content for name, content in chip.items()})
    assert linux.sensors(root) == [("coretemp Package id 0", 52.5)]


def test_a_file_that_is_not_there_reads_empty() -> None:
    """Missing files are no errors, watched or not."""
    assert linux.read("/no/such/file") == "" and linux.watch("/no/such/file") == ""
    assert linux.interfaces("/no/such/root") == [] and linux.traffic("/no/such/root") == {}
