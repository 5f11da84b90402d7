from __future__ import annotations

import os
import struct
import time
from pathlib import Path

import pytest

from agent.errors import Unreadable
from agent.inventory import linux, linux_devices, linux_storage
from agent.inventory.source import Source, natural

CPU = """processor\t: {n}
vendor_id\t: GenuineIntel
model name\t: Intel(R) Core(TM) i3-9100F CPU @ 3.60GHz
physical id\t: 0
core id\t: {core}
flags\t: fpu vme
"""


def nothing(command: list[str]) -> str:
    raise Unreadable(f"{command[0]} is not installed")


def put(root: Path, files: dict[str, str | bytes]) -> None:
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content.encode() if isinstance(content, str) else content)


def link(root: Path, path: str, target: str) -> None:
    """A link within the recording, relative as in /sys."""
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / target).mkdir(parents=True, exist_ok=True)
    (root / path).symlink_to(os.path.relpath(root / target, (root / path).parent))


def disk(root: Path, name: str, bus: str, **files: str) -> str:
    at = f"sys/devices/pci0000:00/{bus}/{name}"
    link(root, f"sys/block/{name}", at)
    link(root, f"sys/class/block/{name}", at)
    values = {"size": "468862128", "removable": "0", "queue/rotational": "0", "dev": "8:0"} | files
    put(root, {f"{at}/{path}": content + "\n" for path, content in values.items()})
    return at


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


def test_processors_are_counted_by_the_kernel(tmp_path: Path, source: Source) -> None:
    """Cores and threads of a package, clock and year from its name."""
    blocks = [CPU.format(n=n, core=n % 2) for n in range(4)]
    put(tmp_path, {"proc/cpuinfo": "\n".join(blocks)})
    (found,) = linux.processor_packages(source)
    assert (found.cores, found.threads, found.clock_mhz, found.year, found.maker) == (2, 4, 3600, 2018, "Intel")


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


def record(kind: int, user: bytes, when: float) -> bytes:
    """One entry of wtmp (utmp(5), x86-64)."""
    data = bytearray(384)
    struct.pack_into("<h", data, 0, kind)
    data[44 : 44 + len(user)] = user
    struct.pack_into("<i", data, 340, int(when))
    return bytes(data)


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
    assert (wlan.medium, wlan.signal_dbm, wlan.signal_percent, wlan.limit_mbps) == ("wireless", -61, 50, None)


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
