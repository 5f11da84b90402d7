from __future__ import annotations

import json
import os
import sqlite3
import tempfile
import time
from pathlib import Path

import pytest
from hardware import CPU, disk, link, put, record
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.errors import Unreadable
from agent.inventory import linux, linux_devices, linux_storage
from agent.inventory.collect import collect
from agent.inventory.rows import rows
from agent.inventory.source import Source, natural
from snmp.tree import Tree


def nothing(command: list[str]) -> str:
    raise Unreadable(f"{command[0]} is not installed")


def limits(source: Source) -> dict[str, str]:
    return {limit.name: limit.reason for limit in source.limits}


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(str(tmp_path), nothing, privileged=False)


def test_an_ssd_with_its_partitions(tmp_path: Path, source: Source) -> None:
    """Model and serial come from /sys and udev, the system disk from the table of mounts."""
    at = disk(tmp_path, "sda", "ata1", **{"device/vendor": "ATA", "device/model": "LAKE SSD 240 GB ", "device/rev": "2.01"})
    link(tmp_path, "sys/class/block/sda1", f"{at}/sda1")
    put(tmp_path, {f"{at}/sda1/partition": "1", "proc/self/mounts": "/dev/sda1 / ext4 rw 0 0\n", "dev/sda1": "",
                   "run/udev/data/b8:0": "E:ID_SERIAL_SHORT=LK77\nE:ID_MODEL=LAKE_SSD_240_GB_EVO\n"})  # fmt: skip
    (found,) = linux_storage.disks(source)
    assert (found.name, found.model, found.serial, found.firmware) == ("sda", "LAKE SSD 240 GB EVO", "LK77", "2.01")
    assert (found.medium, found.bus, found.system, found.size_mb) == ("ssd", "sata", True, 240057)
    assert "only root may ask" in limits(source)["disk health"]
    (volume,) = linux_storage.volumes(source)
    assert (volume.name, volume.disk, volume.encrypted, volume.system) == ("/", "sda", False, True)


def test_an_encrypted_volume_on_a_mapping(tmp_path: Path, source: Source) -> None:
    """A volume is encrypted when what it lies on is, through logical volumes and partitions."""
    at = disk(tmp_path, "nvme0n1", "nvme0")
    link(tmp_path, "sys/class/block/nvme0n1p2", f"{at}/nvme0n1p2")
    put(tmp_path, {f"{at}/nvme0n1p2/partition": "2"})
    link(tmp_path, "sys/class/block/dm-0", "sys/devices/virtual/block/dm-0")
    put(tmp_path, {"sys/devices/virtual/block/dm-0/dm/uuid": "CRYPT-LUKS2-1234-root\n"})
    link(tmp_path, "sys/devices/virtual/block/dm-0/slaves/nvme0n1p2", f"{at}/nvme0n1p2")
    link(tmp_path, "sys/class/block/dm-1", "sys/devices/virtual/block/dm-1")
    put(tmp_path, {"sys/devices/virtual/block/dm-1/dm/uuid": "LVM-5678\n", "dev/dm-1": "",
                   "proc/self/mounts": "/dev/mapper/vg-root / ext4 rw 0 0\n"})  # fmt: skip
    link(tmp_path, "sys/devices/virtual/block/dm-1/slaves/dm-0", "sys/devices/virtual/block/dm-0")
    (tmp_path / "dev/mapper").mkdir()
    (tmp_path / "dev/mapper/vg-root").symlink_to("../dm-1")
    (volume,) = linux_storage.volumes(source)
    assert (volume.encrypted, volume.disk, volume.system) == (True, "nvme0n1", True)
    assert linux_storage.disks(source)[0].system is True


@pytest.mark.parametrize(
    ("name", "bus", "files", "medium", "told"),
    [
        ("sda", "ata1", {"queue/rotational": "1"}, "hdd", "sata"),
        ("vda", "virtio1", {}, "virtual", "virtio"),
        ("sda", "ata1", {"device/vendor": "VBOX", "device/model": "HARDDISK"}, "virtual", "sata"),
        ("sdb", "usb1", {"removable": "1", "queue/rotational": "1"}, "card", "usb"),
        ("sdb", "usb1", {"queue/rotational": "1"}, "", "usb"),
        ("mmcblk0", "mmc0", {"device/type": "SD"}, "card", "mmc"),
        ("mmcblk0", "mmc0", {"device/type": "MMC"}, "ssd", "mmc"),
    ],
)  # fmt: skip
def test_what_a_disk_stores_on(
    tmp_path: Path, source: Source, name: str, bus: str, files: dict[str, str], medium: str, told: str
) -> None:
    """SSD, hard disk, card and virtual disk are told apart; behind a bridge on USB it is not known."""
    disk(tmp_path, name, bus, **files)
    (found,) = linux_storage.disks(source)
    assert (found.medium, found.bus) == (medium, told)


def test_smart_is_asked_where_it_may_be(tmp_path: Path) -> None:
    """As root smartctl completes the disk; one that sleeps is left asleep and said to be."""
    disk(tmp_path, "sda", "ata1", **{"device/model": "LAKE HD"})
    disk(tmp_path, "sdb", "ata2", **{"device/model": "LAKE HD"})
    asked = []

    def smartctl(command: list[str]) -> str:
        asked.append(command)
        if command[-1] == "/dev/sdb":
            return "Device is in STANDBY mode, exit(2)\n"
        return "Serial Number: LK5\nSMART overall-health self-assessment test result: PASSED\nRotation Rate: 5400 rpm\n"

    source = Source(str(tmp_path), smartctl, privileged=True)
    one, other = linux_storage.disks(source)
    assert (one.serial, one.health, one.rpm) == ("LK5", "good", 5400)
    assert other.health == "" and limits(source)["health of sdb"] == "the disk was asleep and was left so"
    assert asked[0][:5] == ["smartctl", "-i", "-H", "-A", "-n"]


@pytest.mark.parametrize(("rpm", "medium"), [("0", "ssd"), ("5400", "hdd"), ("", "")])
def test_what_a_disk_behind_a_bridge_told_udev(tmp_path: Path, source: Source, rpm: str, medium: str) -> None:
    """udev asks disks on USB for their rotation rate, so that nobody need be root to tell an SSD."""
    disk(tmp_path, "sdb", "usb1", **{"queue/rotational": "1"})
    put(tmp_path, {"run/udev/data/b8:0": f"E:ID_ATA_ROTATION_RATE_RPM={rpm}\n" if rpm else ""})
    (found,) = linux_storage.disks(source)
    assert (found.medium, found.bus) == (medium, "usb")


def test_disks_behind_a_raid_controller(tmp_path: Path) -> None:
    """The controller's volume says nothing of what it lies on; the disks behind it are asked one by one and listed."""
    disk(tmp_path, "sda", "host0", **{"device/vendor": "DELL", "device/model": "PERC H330", "queue/rotational": "1"})
    asked = []

    def smartctl(command: list[str]) -> str:
        asked.append(command)
        if command == ["smartctl", "--scan"]:
            return "/dev/sda -d scsi # /dev/sda, SCSI device\n" + "".join(
                f"/dev/bus/0 -d megaraid,{n} # /dev/bus/0 [megaraid_disk_0{n}], SCSI device\n" for n in (0, 1)
            )
        if command[-1] == "/dev/sda":
            return "Smartctl open device: /dev/sda failed: DELL or MegaRaid controller, please try adding '-d megaraid,N'\n"
        serial = f"LK{command[-2][-1]}"
        return f"Device Model: LAKE SSD\nSerial Number: {serial}\nRotation Rate: Solid State Device\nSMART Health Status: OK\n"

    source = Source(str(tmp_path), smartctl, privileged=True)
    volume, *behind = linux_storage.disks(source)
    assert (volume.name, volume.bus, volume.medium, volume.health) == ("sda", "raid", "ssd", "")
    assert [(one.name, one.serial, one.medium, one.health) for one in behind] == [
        ("0 megaraid,0", "LK0", "ssd", "good"), ("0 megaraid,1", "LK1", "ssd", "good"),
    ]  # fmt: skip
    assert "volume of a RAID controller" in limits(source)["health of sda"]
    assert linux_storage.disks(Source(str(tmp_path), smartctl, privileged=False))[0].medium == ""


def test_processors_are_counted_by_the_kernel(tmp_path: Path, source: Source) -> None:
    """Cores and threads of a package, clock and year from its name."""
    blocks = [CPU.format(n=n, core=n % 2) for n in range(4)]
    put(tmp_path, {"proc/cpuinfo": "\n".join(blocks)})
    (found,) = linux.processor_packages(source)
    assert (found.cores, found.threads, found.clock_mhz, found.year, found.maker) == (2, 4, 3600, 2018, "Intel")


ARM = "processor\t: {n}\nCPU implementer\t: {maker}\nCPU part\t: {part}\n"


def test_arm_processors_have_numbers_for_names(tmp_path: Path, source: Source) -> None:
    """Core and maker come from the numbers of the core, packages and clock from /sys; the board's own lines are no processor."""
    blocks = [ARM.format(n=n, maker="0x41", part="0xd08") for n in range(4)]
    put(tmp_path, {"proc/cpuinfo": "\n".join(blocks) + "\nHardware\t: BCM2711\nModel\t\t: Lake Board 4\n",
                   "sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq": "1500000\n"})  # fmt: skip
    (found,) = linux.processor_packages(source)
    assert (found.model, found.maker, found.cores, found.threads, found.clock_mhz, found.year) == (
        "Arm Cortex-A72", "Arm", 4, 4, 1500, 2015,
    )  # fmt: skip
    for n in (2, 3):
        put(tmp_path, {f"sys/devices/system/cpu/cpu{n}/topology/physical_package_id": "1\n"})
    assert [package.cores for package in linux.processor_packages(source)] == [2, 2]


def test_loongsons_are_named_by_the_kernel(tmp_path: Path, source: Source) -> None:
    """Keys that are written otherwise than on x86 are read as well."""
    block = "processor\t\t: {n}\npackage\t\t\t: 0\ncore\t\t\t: {n}\nModel Name\t\t: Loongson-3A5000\n"
    put(tmp_path, {"proc/cpuinfo": "system type\t\t: generic\n\n" + "\n".join(block.format(n=n) for n in range(4))})
    (found,) = linux.processor_packages(source)
    assert (found.model, found.cores, found.year) == ("Loongson-3A5000", 4, 2021)


def test_a_board_with_a_device_tree(tmp_path: Path, source: Source) -> None:
    """Without SMBIOS maker, model and serial come from the device tree."""
    at = "proc/device-tree/"
    put(tmp_path, {at + "model": "Lake Board 4 Model B\0", at + "compatible": "lake,4-b\0lake,soc\0",
                   at + "serial-number": "10000000abcd\0"})  # fmt: skip
    found = linux.machine(source)
    assert (found.maker, found.model, found.serial) == ("lake", "Lake Board 4 Model B", "10000000abcd")
    assert "machine" not in limits(source)


def test_old_kernels_leave_the_tables_to_dmidecode(tmp_path: Path) -> None:
    """Where /sys holds no tables, root has dmidecode read them; without it the reason is told."""
    put(tmp_path, {"sys/class/dmi/id/sys_vendor": "Lake\n"})
    page = "Handle 0x0001, DMI type 1, 27 bytes\nSystem Information\n\tProduct Name: Office 7\n\tSerial Number: LK-0007\n"
    assert linux.machine(Source(str(tmp_path), lambda command: page, privileged=True)).serial == "LK-0007"
    source = Source(str(tmp_path), nothing, privileged=True)
    assert linux.machine(source).maker == "Lake" and "dmidecode" in limits(source)["serial numbers"]


def test_without_root_the_machine_is_read_from_single_files(tmp_path: Path, source: Source) -> None:
    """The readable part of DMI is used, and what is missing is named with what would help."""
    at = "sys/class/dmi/id/"
    put(tmp_path, {at + "sys_vendor": "Lake\n", at + "product_name": "Office 300\n", at + "chassis_type": "3\n",
                   at + "bios_date": "07/22/2019\n", at + "product_version": "Default string\n"})  # fmt: skip
    put(tmp_path, {"sys/firmware/dmi/tables/smbios_entry_point": b""})
    (tmp_path / "sys/firmware/dmi/tables/DMI").mkdir()
    found = linux.machine(source)
    assert (found.maker, found.model, found.version, found.chassis, found.bios_date) == (
        "Lake", "Office 300", "", "desktop", "2019-07-22",
    )  # fmt: skip
    assert "only root may read the firmware's tables" in limits(source)["serial numbers"]
    linux.memory(source)
    assert "memory modules" in limits(source)


def test_a_virtual_machine_says_so(tmp_path: Path, source: Source) -> None:
    """The hypervisor is named by the firmware, or at least noticed by the processor's flag."""
    put(tmp_path, {"sys/class/dmi/id/sys_vendor": "QEMU\n"})
    assert linux.machine(source).virtual == "KVM"
    put(tmp_path, {"sys/class/dmi/id/sys_vendor": "Lake\n", "proc/cpuinfo": "flags\t\t: fpu hypervisor lahf_lm\n"})
    assert linux.machine(source).virtual == "unnamed hypervisor"


def test_the_operating_system_and_its_end(tmp_path: Path, source: Source) -> None:
    """Name, version, kernel and the end of security updates."""
    put(
        tmp_path,
        {"etc/os-release": 'NAME="Debian GNU/Linux"\nVERSION_ID="11"\nID=debian\n', "proc/sys/kernel/osrelease": "5.10.0\n"},
    )
    found = linux.system(source)
    assert (found.name, found.version, found.build) == ("Debian GNU/Linux", "11", "5.10.0")
    assert found.support_end is not None and time.gmtime(found.support_end)[:3] == (2026, 8, 31)
    assert found.restart_pending is None


def test_a_restart_that_an_update_waits_for(tmp_path: Path, source: Source) -> None:
    """Debian's mark counts, and a kernel newer than the start."""
    put(tmp_path, {"proc/stat": f"btime {int(time.time()) - 3600}\n", "boot/vmlinuz-6.1.0-9": ""})
    os.utime(tmp_path / "boot/vmlinuz-6.1.0-9", (1, time.time() - 7200))
    assert linux.system(source).restart_pending is False
    os.utime(tmp_path / "boot/vmlinuz-6.1.0-9")
    assert linux.system(source)[6:8] == (True, "kernel 6.1.0-9")
    put(tmp_path, {"run/reboot-required": "", "run/reboot-required.pkgs": "libc6\nlinux-image\nlibc6\n"})
    assert linux.system(source)[6:8] == (True, "libc6, linux-image")


def test_secure_boot_tpm_and_firewall(tmp_path: Path, source: Source) -> None:
    """Protection is read where the kernel shows it; what needs root is unknown, not off."""
    put(tmp_path, {linux._SECURE_BOOT[1:]: b"\x06\0\0\0\x01", "sys/class/tpm/tpm0/tpm_version_major": "2\n"})
    found = linux.security(source)
    assert (found.secure_boot, found.uefi, found.tpm, found.tpm_version) == (True, True, True, "2.0")
    assert found.firewall is None and "CAP_NET_ADMIN" in limits(source)["firewall"]
    put(tmp_path, {"etc/ufw/ufw.conf": "# ufw\nENABLED=yes\n"})
    assert linux.security(source)[:2] == (True, "ufw")


@pytest.mark.parametrize(
    ("rules", "guarded"),
    [("table inet filter {\n chain input {\n type filter hook input priority 0; policy drop;\n }\n}", True), ("", False),
     ("table inet filter {\n chain input {\n type filter hook input priority 0; policy accept;\n }\n}", False)],
)  # fmt: skip
def test_the_kernels_rules_are_a_firewall_when_they_refuse(tmp_path: Path, rules: str, guarded: bool) -> None:
    """An empty ruleset, or one that accepts everything, guards nothing."""
    assert linux.security(Source(str(tmp_path), lambda command: rules, privileged=True)).firewall is guarded


def test_restarts_nobody_asked_for(tmp_path: Path, source: Source) -> None:
    """A start without a shutdown before it is unexpected; those older than 30 days do not count."""
    now, day = time.time(), 86400
    entries = [(2, b"reboot", now - 50 * day), (2, b"reboot", now - 40 * day), (1, b"shutdown", now - 21 * day),
               (2, b"reboot", now - 20 * day), (2, b"reboot", now - 3 * day), (7, b"lan", now - 2 * day)]  # fmt: skip
    put(tmp_path, {"var/log/wtmp": b"".join(record(*entry) for entry in entries), "proc/stat": f"btime {int(now - 3 * day)}\n"})
    found = linux.stability(source)
    assert (found.starts, found.unexpected, found.last_unexpected) == (2, 1, int(now - 3 * day))


def test_without_a_record_restarts_are_unknown(tmp_path: Path, source: Source) -> None:
    """No wtmp: unknown, and said to be."""
    assert linux.stability(source).unexpected is None and "unexpected restarts" in limits(source)


def test_restarts_in_the_database_that_follows_wtmp(tmp_path: Path, source: Source) -> None:
    """Where wtmp is no more, a run of the system without its end in wtmpdb was cut off."""
    now, day = int(time.time()), 86400
    path = tmp_path / "var/lib/wtmpdb/wtmp.db"
    path.parent.mkdir(parents=True)
    with sqlite3.connect(path) as database:
        database.execute("create table wtmp (ID integer primary key, Type integer, User text, Login integer, Logout integer)")
        for kind, login, logout in ((1, now - 9 * day, now - 8 * day), (1, now - 8 * day, None), (3, now - 5 * day, None),
                                    (1, now - 2 * day, None)):  # fmt: skip
            row = (kind, "reboot", login * 1_000_000, logout and logout * 1_000_000)
            database.execute("insert into wtmp (Type, User, Login, Logout) values (?, ?, ?, ?)", row)
    found = linux.stability(source)
    assert (found.starts, found.unexpected, found.last_unexpected) == (3, 1, now - 2 * day)


def test_restarts_in_the_journal(tmp_path: Path) -> None:
    """Where there is only the journal, a run that never reached shutdown.target was cut off."""
    now, day = int(time.time()), 86400

    def entry(boot: str, when: int, unit: str = "") -> str:
        return json.dumps({"_BOOT_ID": boot, "__REALTIME_TIMESTAMP": f"{when}000000"} | ({"UNIT": unit} if unit else {}))

    lines = [entry("a", now - 6 * day), entry("a", now - 5 * day), entry("a", now - 4 * day, "shutdown.target"),
             entry("b", now - 3 * day), "not JSON", entry("c", now - day)]  # fmt: skip
    (tmp_path / "var/log/journal").mkdir(parents=True)
    put(tmp_path, {"sys/fs/pstore/dmesg-efi-1": "panic"})
    os.utime(tmp_path / "sys/fs/pstore/dmesg-efi-1", (1, now - day + 30))
    found = linux.stability(Source(str(tmp_path), lambda command: "\n".join(lines)))
    assert (found.starts, found.unexpected, found.last_unexpected) == (3, 1, now - day)
    assert "kernel crashed" in found.last_reason


def test_a_rotated_wtmp_is_read_on(tmp_path: Path, source: Source) -> None:
    """The first start of a fresh file is judged by the end of the file before it."""
    now, day = time.time(), 86400
    put(tmp_path, {"var/log/wtmp.1": record(2, b"reboot", now - 5 * day), "var/log/wtmp": record(2, b"reboot", now - day)})
    assert linux.stability(source).unexpected == 1


def test_network_cards(tmp_path: Path, source: Source) -> None:
    """The card's limit and what the switch offers come from the driver, the name from the list of PCI devices."""
    put(tmp_path, {
        "sys/class/net/eth0/ifindex": "2", "sys/class/net/lo/ifindex": "1", "sys/class/net/wlan0/ifindex": "3",
        "sys/class/net/eth0/device/vendor": "0x8086", "sys/class/net/eth0/device/device": "0x15b7",
        "sys/class/net/wlan0/device/vendor": "0xffff", "sys/class/net/wlan0/phy80211/name": "phy0",
        "proc/net/wireless": "Inter-| sta-|\n face |\n wlan0: 0000   35.  -61.  -256  0 0 0 0 0 0\n",
        "usr/share/misc/pci.ids": "# x\n1000  Other\n\t15b7  Wrong\n8086  Intel Corporation\n"
        "\t15b7  Ethernet I219-LM\n\t\t0001 sub\n",
    })  # fmt: skip
    link(tmp_path, "sys/class/net/eth0/device/subsystem", "sys/bus/pci")
    link(tmp_path, "sys/class/net/eth0/device/driver", "sys/bus/pci/drivers/e1000e")
    eth, wlan = linux_devices.networks(source, lambda name: (0b101111, 0b1111))
    assert (eth.model, eth.driver, eth.bus, eth.medium) == ("Intel Corporation Ethernet I219-LM", "e1000e", "pci", "wired")
    assert (eth.limit_mbps, eth.partner_limit_mbps) == (1000, 100)
    assert (wlan.medium, wlan.signal_dbm, wlan.signal_percent, wlan.limit_mbps) == ("wireless", -61, 78, None)


def test_the_signal_of_drivers_that_fill_no_table(tmp_path: Path) -> None:
    """Where /proc/net/wireless is empty, iw is asked about the interface that is up; without iw the reason is told."""
    at = "sys/class/net/wlan0/"
    put(tmp_path, {at + "ifindex": "3", at + "device/x": "", at + "phy80211/name": "", at + "operstate": "up\n"})
    (found,) = linux_devices.networks(Source(str(tmp_path), lambda command: "Connected to x\n\tsignal: -61 dBm\n"))
    assert (found.signal_dbm, found.signal_percent) == (-61, 78)
    source = Source(str(tmp_path), nothing)
    assert linux_devices.networks(source)[0].signal_dbm is None and "iw is not installed" in limits(source)["signal of wlan0"]


def test_a_monitor_that_says_nothing_is_told(tmp_path: Path, source: Source) -> None:
    """A monitor that is plugged in but sends no EDID stands among what could not be seen."""
    put(tmp_path, {"sys/class/drm/card0-VGA-1/status": "connected\n", "sys/class/drm/card0-VGA-1/edid": b""})
    assert linux_devices.monitors(source) == [] and "no EDID" in limits(source)["monitor VGA-1"]


@pytest.mark.parametrize(
    ("uri", "connection", "port"),
    [("hp:/net/HP_LaserJet?ip=10.1.1.5", "network", "10.1.1.5"), ("hp:/usb/HP_LaserJet?serial=X1", "usb", "hp"),
     ("lpd://office@10.1.1.6/queue", "network", "10.1.1.6"), ("smb://lake/q", "shared", "lake"),
     ("dnssd://Lake%20Laser._ipp._tcp.local/?uuid=1", "network", "Lake Laser._ipp._tcp.local"), ("http://[x", "network", "[x"),
     ("implicitclass://office/", "network", "office"), ("///dev/null", "virtual", "///dev/null")],
)  # fmt: skip
def test_how_queues_are_attached(tmp_path: Path, uri: str, connection: str, port: str) -> None:
    """CUPS' address of a queue tells how and where it prints; its model comes from the options."""

    def cups(command: list[str]) -> str:
        page = {"-v": f"device for q: {uri}\n", "-d": "no system default destination\n"}
        return page.get(command[1], "copies=1 printer-make-and-model='Lake Laser 7' sides=one-sided\n")

    (found,) = linux_devices.printers(Source(str(tmp_path), cups))
    assert (found.connection, found.port, found.model) == (connection, port, "Lake Laser 7")


def test_printers_of_cups_and_of_usb(tmp_path: Path) -> None:
    """Queues say how they are attached; a printer on USB without a queue is found as well."""

    def lpstat(command: list[str]) -> str:
        if command == ["lpstat", "-d"]:
            return "system default destination: office\n"
        return (
            "device for office: ipp://10.1.1.9/ipp/print\n"
            "device for lbp: usb://Canon/LBP2900?serial=A1\ndevice for pdf: cups-pdf:/\n"
        )

    at = "sys/bus/usb/devices/"
    put(
        tmp_path,
        {
            at + "1-2:1.0/bInterfaceClass": "07",
            at + "1-2/manufacturer": "Lake",
            at + "1-2/product": "Laser 7",
            at + "1-2/serial": "LZ9",
            at + "1-3:1.0/bInterfaceClass": "07",
            at + "1-3/product": "LBP2900",
            at + "1-3/serial": "A1",
        },
    )
    found = {printer.name: printer for printer in linux_devices.printers(Source(str(tmp_path), lpstat))}
    assert (found["office"].connection, found["office"].port, found["office"].default) == ("network", "10.1.1.9", True)
    assert (found["lbp"].connection, found["lbp"].model, found["lbp"].serial) == ("usb", "Canon LBP2900", "A1")
    assert found["pdf"].connection == "virtual"
    assert (found["Laser 7"].model, found["Laser 7"].serial) == ("Lake Laser 7", "LZ9") and len(found) == 4


def test_batteries(tmp_path: Path, source: Source) -> None:
    """Capacity now against that when new, from energy or from charge and voltage; a mouse's battery is not the machine's."""
    at = "sys/class/power_supply/"
    put(tmp_path, {
        at + "BAT0/type": "Battery", at + "BAT0/energy_full_design": "50000000", at + "BAT0/energy_full": "40000000",
        at + "BAT0/cycle_count": "312", at + "BAT1/type": "Battery", at + "BAT1/charge_full_design": "4000000",
        at + "BAT1/charge_full": "3000000", at + "BAT1/voltage_min_design": "11400000", at + "AC/type": "Mains",
        at + "hid/type": "Battery", at + "hid/scope": "Device",
    })  # fmt: skip
    one, other = linux_devices.batteries(source)
    assert (one.design_mwh, one.full_mwh, one.health_percent, one.cycles) == (50000, 40000, 80, 312)
    assert (other.design_mwh, other.full_mwh, other.health_percent) == (45600, 34200, 75)


def test_batteries_the_kernel_does_not_show_are_the_firmwares(tmp_path: Path) -> None:
    """A battery that only the firmware describes is told as it was when new."""
    page = "Handle 0x0029, DMI type 22, 26 bytes\nPortable Battery\n\tLocation: Bay\n\tManufacturer: SMP\n\tName: B1\n"
    page += "\tChemistry: Lithium Ion\n\tDesign Capacity: 54000 mWh\n"
    put(tmp_path, {"sys/class/dmi/id/sys_vendor": "Lake\n"})
    (found,) = linux.batteries(Source(str(tmp_path), lambda command: page, privileged=True))
    assert (found.name, found.maker, found.chemistry, found.design_mwh) == ("Bay", "SMP", "Li-ion", 54000)


def test_antivirus_that_has_no_tool(tmp_path: Path, source: Source) -> None:
    """A product below /opt guards the machine while one of its programs runs."""
    (tmp_path / "opt/Bkav").mkdir(parents=True)
    put(tmp_path, {"proc/77/cmdline": "/opt/Bkav/bin/guard\0-d\0", "proc/78/comm": "sh", "opt/CMC/readme": ""})
    assert {found.name: found.enabled for found in linux.antivirus(source)} == {"Bkav": True, "CMC": False}


def test_centos_stream_ends_with_its_own_date(tmp_path: Path, source: Source) -> None:
    """The name tells a stream release from the one that came before it."""
    put(tmp_path, {"etc/os-release": 'NAME="CentOS Stream"\nVERSION_ID="8"\nID=centos\n'})
    end = linux.system(source).support_end
    assert end is not None and time.gmtime(end)[:3] == (2024, 5, 31)


def test_software_of_dpkg_and_of_rpm(tmp_path: Path) -> None:
    """The packages of whichever of the two is there."""
    assert linux.software(Source(str(tmp_path), lambda command: "nano\t7.2-1\tLake <lake@example>\t\n"))[0][:2] == (
        "nano",
        "7.2-1",
    )

    def rpm(command: list[str]) -> str:
        return nothing(command) if command[0] == "dpkg-query" else "bash\t5.1-2\tLake\tMon 01 Jan 2024\n"

    assert linux.software(Source(str(tmp_path), rpm))[0].version == "5.1-2"


def test_numbers_within_names_sort_as_numbers() -> None:
    """sda10 stands behind sda2."""
    assert sorted(["sda10", "sda2", "sdb", "sda"], key=natural) == ["sda", "sda2", "sda10", "sdb"]


def test_this_machines_cards_answer_ethtool() -> None:
    """The kernel is asked without privilege; a driver that does not know gives nothing, an unknown card neither."""
    assert linux_devices.link_modes("lo") == (0, 0) and linux_devices.link_modes("nosuch0") == (0, 0)
    assert linux_devices.fastest(0) is None and linux_devices.fastest(1 << 48) == 5000


_FILES = (
    "proc/cpuinfo", "proc/self/mounts", "proc/stat", "proc/net/wireless", "etc/os-release", "var/log/wtmp", "run/udev/data/b8:0",
    "sys/firmware/dmi/tables/DMI", "sys/firmware/dmi/tables/smbios_entry_point", "sys/class/dmi/id/chassis_type",
    "sys/class/dmi/id/product_serial", "sys/class/drm/card0-DP-1/edid", "sys/class/power_supply/BAT0/energy_full",
    "sys/class/power_supply/BAT0/energy_full_design", "sys/class/power_supply/BAT0/cycle_count", "var/lib/wtmpdb/wtmp.db",
    "sys/class/net/eth0/ifindex", "sys/class/net/eth0/uevent", "sys/class/tpm/tpm0/tpm_version_major", linux._SECURE_BOOT[1:],
    "sys/bus/usb/devices/1-1:1.0/bInterfaceClass", "usr/share/misc/pci.ids", "etc/ufw/ufw.conf", "proc/device-tree/model",
    "run/reboot-required.pkgs",
)  # fmt: skip


_LINES = (
    "processor\t: 0", "physical id\t: x", "CPU implementer : 0x41", "core id : -1", "/dev/sda / ext4", "/dev/sda", "btime ",
    "wlan0: 0000 nan. inf.", "wlan0: 1 99999. -3.", "8086  Lake", "\t15b7", "E:ID_ATA_ROTATION_RATE_RPM=²", "ID=debian",
    "VERSION_ID=9.9.9", "DEVTYPE=wwan", "device for x: usb://", "signal: -999 dBm", "a\tb", "/dev/sda -d megaraid,1 #",
    "Temperature: 99999999999 C", "SMART overall-health self-assessment test result: FAILED!", "Critical Warning: x",
)  # fmt: skip
_contents = st.one_of(
    st.binary(max_size=400),
    st.integers(-(2**70), 2**70).map(lambda n: str(n).encode()),
    st.lists(st.sampled_from(_LINES), max_size=6).map(lambda lines: "\n".join(lines).encode()),
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(_FILES), _contents, max_size=12), _contents)
def test_whatever_the_files_and_commands_the_look_ends_well(files: dict[str, bytes], output: bytes) -> None:
    """Files and commands of any content spoil at most their own fact, never the inventory."""
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        disk(root, "sda", "ata1")
        put(root, {"sys/class/drm/card0-DP-1/status": "connected", "sys/class/power_supply/BAT0/type": "Battery"})
        put(root, {"sys/class/net/wlan0/ifindex": "3", "sys/class/net/wlan0/device/x": "", "sys/class/net/wlan0/wireless/x": ""})
        put(root, {"sys/class/net/wlan0/operstate": "up", "sys/class/net/eth0/device/vendor": "0x8086", "boot/vmlinuz-1": ""})
        put(root, dict(files))
        (root / "var/log/journal").mkdir(parents=True, exist_ok=True)
        source = Source(directory, lambda command: output.decode("utf-8", "replace"), privileged=True)
        found = collect(software=True, source=source, reader=linux)
    assert not [limit for limit in found.limits if "Error" in limit.reason], found.limits
    Tree.of(rows(found))
