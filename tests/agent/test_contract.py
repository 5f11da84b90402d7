"""One contract over both systems: the same functions, and values of the same types."""

from __future__ import annotations

import base64
import inspect
import os
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, cast

import psutil
import pytest
from hardware import CPU, DUMP, ata, block, disk, link, put, record, smart

from agent import facts, linux, windows
from agent.errors import Unreadable
from agent.inventory import linux as linux_inventory
from agent.inventory import linux_devices, parts
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


def office_pc(directory: Path) -> tuple[Source, Source]:
    """One machine of our own making, recorded under either system."""
    (directory / "RSMB").write_bytes(DUMP)
    put(directory, {"sys/firmware/dmi/tables/DMI": DUMP, "sys/class/dmi/id/sys_vendor": "Lake\n"})
    put(directory, {"sys/firmware/efi/x": "", linux_inventory._SECURE_BOOT[1:]: b"\6\0\0\0\1",
                    "sys/class/tpm/tpm0/tpm_version_major": "2\n", "etc/ufw/ufw.conf": "ENABLED=yes\n"})  # fmt: skip
    cpu = "Intel(R) Core(TM) i3-9100F CPU @ 3.60GHz"
    blocks = [CPU.format(n=n, core=n) for n in range(4)]
    put(directory, {"proc/cpuinfo": "\n".join(blocks), "proc/stat": "btime 1795000000\n"})
    at = disk(directory, "sda", "ata1", **{"device/model": "LAKE HD500", "device/rev": "1.01", "queue/rotational": "1"})
    link(directory, "sys/class/block/sda1", f"{at}/sda1")
    put(directory, {f"{at}/size": "976773168", f"{at}/sda1/partition": "1", "dev/sda1": ""})
    put(directory, {"proc/self/mounts": "/dev/sda1 / ext4 rw 0 0\n", "run/udev/data/b8:0": "E:ID_SERIAL_SHORT=LK5\n"})
    net = "sys/class/net/"
    put(directory, {net + "eth0/ifindex": "5", net + "wlan0/ifindex": "9", net + "wlan0/phy80211/name": "",
                    "proc/net/wireless": "a\nb\n wlan0: 0000   57.  -59.  -256\n"})  # fmt: skip
    for name, bus in (("eth0", "pci"), ("wlan0", "usb")):
        link(directory, f"{net}{name}/device/subsystem", f"sys/bus/{bus}")
        link(directory, f"{net}{name}/device/driver", f"sys/bus/{bus}/drivers/lake")
    put(directory, {net + "eth0/device/vendor": "0x1af4", net + "eth0/device/device": "0x0001",
                    "usr/share/misc/pci.ids": "1af4  Lake\n\t0001  GbE\n"})  # fmt: skip
    edid = block()
    put(directory, {"sys/class/drm/card0-HDMI-A-1/status": "connected\n", "sys/class/drm/card0-HDMI-A-1/edid": edid})
    power = "sys/class/power_supply/BAT0/"
    put(directory, {power + "type": "Battery", power + "energy_full_design": "57530000", power + "energy_full": "40000000",
                    power + "cycle_count": "312", power + "manufacturer": "SMP", power + "model_name": "DELL JHXPY53",
                    power + "serial_number": "0A75", power + "technology": "Li-ion"})  # fmt: skip
    put(directory, {"etc/os-release": 'NAME="Lake OS"\nVERSION_ID="12"\nID=debian\n', "proc/sys/kernel/osrelease": "6.1.0\n",
                    "boot/vmlinuz-6.1.0": "", "var/lib/dpkg/status": "", "lost+found/x": "", "opt/Bkav/x": ""})  # fmt: skip
    os.utime(directory / "boot/vmlinuz-6.1.0", (1, 1_600_000_000))
    now = int(time.time())
    runs = [(2, b"reboot", now - 9 * 86400), (2, b"reboot", now - 86400)]
    put(directory, {"var/log/wtmp": b"".join(record(*run) for run in runs)})

    def commands(command: list[str]) -> str:
        if command[0] == "smartctl":
            return ata(pending=8).replace("LK123", "LK5")
        if command[0] == "lpstat":
            return "device for LBP2900: usb://Canon/LBP2900?serial=A1\n" if command[1] == "-v" else "system default: LBP2900\n"
        return "nano\t7.2\tLake\t2024-01-02\n" if command[0] == "dpkg-query" else ""

    name = "SCSI\\DISK&VEN_LAKE\\4&1&0_0"
    when = [time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now - days * 86400)) for days in (9, 1)]
    answers: dict[str, list[Any]] = {
        "Win32_Processor": [{"Name": cpu, "Manufacturer": "GenuineIntel", "SocketDesignation": "LGA1151", "NumberOfCores": 4,
                             "NumberOfLogicalProcessors": 4, "MaxClockSpeed": 3600}],
        "Win32_DiskDrive": [{"Index": 0, "Model": "LAKE HD500 ATA Device", "PNPDeviceID": name[:-2], "MediaType": "Fixed"}],
        "MSFT_PhysicalDisk": [{"DeviceId": "0", "Model": "LAKE HD500", "SerialNumber": "LK5", "FirmwareVersion": "1.01",
                               "MediaType": 3, "BusType": 11, "Size": 500107862016, "SpindleSpeed": 7200, "HealthStatus": 0}],
        "MSStorageDriver_FailurePredictData": [{"InstanceName": name, "VendorSpecific": smart(
            (5, 100, 100, 0), (9, 70, 70, 26280), (12, 99, 99, 1500), (194, 36, 50, 36), (197, 100, 100, 8), (198, 100, 100, 0),
        )}],
        "Win32_LogicalDiskToPartition": [{"Antecedent": "Disk #0, Partition #1", "Dependent": "C:"}],
        "Win32_LogicalDisk": [{"DeviceID": "C:", "FileSystem": "NTFS", "DriveType": 3, "VolumeName": "System"}],
        "Win32_EncryptableVolume": [{"DriveLetter": "C:", "ProtectionStatus": 0}],
        "MSFT_NetAdapter": [
            {"Name": "eth0", "InterfaceIndex": 5, "InterfaceDescription": "Lake GbE", "PnPDeviceID": "PCI\\1",
             "DriverName": "lake"},
            {"Name": "wlan0", "InterfaceIndex": 9, "NdisPhysicalMedium": 9, "PnPDeviceID": "USB\\1", "DriverName": "lake"},
        ],
        "MSFT_NetAdapterAdvancedPropertySettingData": [
            {"Name": "eth0", "RegistryKeyword": "*SpeedDuplex",
             "ValidDisplayValues": ["100 Mbps Full Duplex", "1.0 Gbps Full Duplex"]},
        ],
        "Wireless": [{"Line": line} for line in ("    Name : wlan0", "    Signal : 82%", "")],
        "WmiMonitorID": [{"InstanceName": "DISPLAY\\A_0", "Active": True}],
        "Edid": [{"InstanceName": "DISPLAY\\A_0", "Data": base64.b64encode(edid).decode()}],
        "Win32_Printer": [{"Name": "LBP2900", "DriverName": "Canon LBP2900", "PortName": "USB001", "Default": True}],
        "BatteryStaticData": [{"InstanceName": "A", "DesignedCapacity": 57530, "ManufactureName": "SMP",
                               "DeviceName": "DELL JHXPY53", "SerialNumber": "0A75"}],
        "BatteryFullChargedCapacity": [{"InstanceName": "A", "FullChargedCapacity": 40000}],
        "BatteryCycleCount": [{"InstanceName": "A", "CycleCount": 312}],
        "Win32_Battery": [{"Chemistry": 6}],
        "Win32_OperatingSystem": [{"Caption": "Microsoft Windows 10 Pro", "BuildNumber": "19045", "OSArchitecture": "64-bit",
                                   "InstallDate": "/Date(1700000000000)/", "LastBootUpTime": "/Date(1795000000000)/"}],
        "Win32_QuickFixEngineering": [{"InstalledOn": {"value": "/Date(1790000000000)/", "DateTime": "x"}}],
        "Win32_ComputerSystem": [{"Domain": "xa.example"}],
        "SystemRegistry": [{"DisplayVersion": "22H2", "EditionID": "Professional", "UBR": 5011, "SecureBoot": 1,
                            "Firmware": "UEFI", "ServicingPending": False, "UpdatePending": False, "Admin": True}],
        "MSFT_NetFirewallProfile": [{"Name": "Public", "Enabled": 1}],
        "Win32_Tpm": [{"SpecVersion": "2.0, 0, 1.38"}],
        "AntivirusServices": [{"PathName": "C:\\Program Files\\BkavPro\\x.exe", "State": "Stopped"}],
        "Events": [{"Id": 6005, "Time": when[0]}, {"Id": 6005, "Time": when[1]}, {"Id": 41, "Time": when[1]}],
        "Software": [{"Name": "nano", "Version": "7.2", "Maker": "Lake", "Date": "20240102"}],
    }  # fmt: skip
    root = str(directory)
    return Source(root, commands, privileged=True), Source(root, commands, privileged=True, answers=answers)


ONE_SIDED = {
    ("networks", "partner_limit_mbps"), ("printers", "serial"), ("volumes", "label"), ("system", "domain"),
    ("disks", "removable"), ("antivirus", "version"), ("antivirus", "current"), ("antivirus", "updated"),
    ("stability", "last_reason"), ("system", "restart_reason"), ("disks", "wear_percent"), ("disks", "written_gb"),
    ("batteries", "name"),
}  # fmt: skip
"""What one system alone tells here, or what this machine has not."""
OWN_WORDS = {
    ("system", name) for name in ("name", "version", "build", "architecture", "installed", "support_end", "updated")
} | {("volumes", "name"), ("volumes", "filesystem"), ("volumes", "disk"), ("disks", "name"), ("monitors", "name"),
     ("batteries", "name"), ("printers", "port"), ("security", "firewall_name")}  # fmt: skip
"""What each system names in its own way."""


def test_either_system_tells_the_same_of_one_machine(tmp_path: Path) -> None:
    """Linux and Windows on the same hardware give the same facts under the same names, and the same values."""
    one, other = office_pc(tmp_path)
    kernel = SimpleNamespace(**{name: getattr(linux_inventory, name) for name in linux_inventory.__all__})
    kernel.networks = lambda source: linux_devices.networks(source, lambda name: (0b101111, 0))
    ours, theirs = collect(True, False, one, cast(ModuleType, kernel)), collect(True, False, other, windows_inventory)
    for group in parts.Inventory._fields:
        if group in ("agent", "limits", "users"):
            continue
        here, there = getattr(ours, group), getattr(theirs, group)
        pairs = [(here, there)] if hasattr(here, "_fields") else list(zip(here, there, strict=True))
        assert pairs, group
        for mine, yours in pairs:
            for field in mine._fields:
                left, right = getattr(mine, field), getattr(yours, field)
                if (group, field) in ONE_SIDED:
                    continue
                assert (left in (None, "")) == (right in (None, "")), f"{group}.{field}: {left!r}, {right!r}"
                assert (group, field) in OWN_WORDS or left == right, f"{group}.{field}: {left!r}, {right!r}"
    told = {limit.name for limit in (*ours.limits, *theirs.limits)}
    assert not told, (ours.limits, theirs.limits)


def test_serials_that_parts_share_are_nobodys(tmp_path: Path) -> None:
    """Two monitors with one serial number have none; a third keeps its own."""
    at = "sys/class/drm/card0-"
    for n, serial in enumerate(("X1", "X1", "X2")):
        put(tmp_path, {f"{at}DP-{n}/status": "connected", f"{at}DP-{n}/edid": block(serial=serial)})
    found = collect(source=Source(str(tmp_path), privileged=False), reader=linux_inventory)
    assert [monitor.serial for monitor in found.monitors] == ["", "", "X2"]


@READERS
def test_whatever_is_absent_is_named_with_a_reason(module: ModuleType, tmp_path: Any) -> None:
    """Each fact that an empty machine lacks stands among what could not be seen."""

    def nothing(command: list[str]) -> str:
        raise Unreadable(f"{command[0]} is not installed")

    found = collect(False, False, Source(str(tmp_path), nothing, privileged=False, answers={}), module)
    named = {limit.name for limit in found.limits}
    assert named >= {"serial numbers", "machine", "processors", "memory modules", "disks", "end of support", "last update",
                     "pending restart", "firewall", "encryption of the system volume", "secure boot", "TPM", "antivirus",
                     "unexpected restarts"}, named  # fmt: skip
    assert all(limit.reason for limit in found.limits)


def test_a_part_that_breaks_is_named_and_spoils_no_other(tmp_path: Any) -> None:
    """An error nobody thought of takes one part away, and is told among the limits."""

    def broken(source: Source) -> Any:
        raise ZeroDivisionError("lake")

    reader = SimpleNamespace(**{name: getattr(linux_inventory, name) for name in linux_inventory.__all__} | {"disks": broken})
    found = collect(source=Source(str(tmp_path), privileged=False), reader=reader)  # type: ignore[arg-type]
    assert ("disks", "ZeroDivisionError: lake") in found.limits and found.system.build == ""
