"""Disks and volumes of a Linux machine: /sys/block, udev's database, smartctl, the table of mounts."""

from __future__ import annotations

import os
import re

from ..errors import Unreadable
from ..linux import unescaped
from . import smart
from .parts import Disk, Volume, completed
from .source import Source
from .words import clean, serial

_NO_DISKS = ("loop", "ram", "zram", "dm-", "md", "sr", "fd", "nbd", "zd")
_VIRTUAL = ("vmware", "qemu", "vbox", "virtual", "msft", "xen", "bochs")
_BUSES = {"usb": "usb", "ata": "sata", "virtio": "virtio", "xen": "xen", "vmbus": "vmbus", "VMBUS": "vmbus"}
_BETTER = ("model", "serial", "firmware", "medium")
_ROOT = "/"
_RAID = re.compile(r"\b(?:PERC|MegaRAID|MR\d{4}|ServeRAID|LOGICAL VOLUME|RAID\d*|Smart Array|AVAGO|Areca|ARC-\d+|3ware)\b", re.I)
"""How RAID controllers call the volumes they make of disks."""


def disks(source: Source) -> list[Disk]:
    """All disks, with what SMART says where it may be asked."""
    system = _disks_below(source, _system_device(source))
    names = [name for name in source.names("/sys/block") if not name.startswith(_NO_DISKS)]
    found = [_disk(source, name) for name in names if (source.number(f"/sys/block/{name}/size") or 0) > 0]
    return _with_health(source, [disk._replace(system=disk.name in system if system else None) for disk in found])


def _disk(source: Source, name: str) -> Disk:
    at = f"/sys/block/{name}/"
    udev = _udev(source, source.text(at + "dev"))
    bus = _bus(source, name)
    vendor = clean(source.text(at + "device/vendor"))
    model = clean(source.text(at + "device/model") or source.text(at + "device/name"))
    # The kernel cuts an ATA model after 16 letters; udev knows it whole.
    whole = clean(udev.get("ID_MODEL", "").replace("_", " "))
    model = whole if len(whole) > len(model) else model
    if vendor and not vendor.startswith(("ATA", "0x")) and not model.startswith(vendor):
        model = f"{vendor} {model}".strip()
    rpm = udev.get("ID_ATA_ROTATION_RATE_RPM", "")
    controller = _RAID.search(f"{vendor} {model}") is not None
    return Disk(
        name=name,
        model=model,
        serial=serial(source.text(at + "device/serial") or source.text(at + "serial") or udev.get("ID_SERIAL_SHORT")),
        firmware=clean(source.text(at + "device/firmware_rev") or source.text(at + "device/rev") or udev.get("ID_REVISION")),
        size_mb=(source.number(at + "size") or 0) * 512 // 1_000_000,
        medium=_medium(source, name, bus, model, rpm, controller),
        bus="raid" if controller and bus == "scsi" else bus,
        rpm=int(rpm) if rpm.isdecimal() and int(rpm) > 1 else None,
        removable=source.text(at + "removable") == "1",
        celsius=_celsius(source, at),
    )


def _udev(source: Source, device: str) -> dict[str, str]:
    lines = source.text(f"/run/udev/data/b{device}").splitlines()
    return {key: value for key, _, value in (line[2:].partition("=") for line in lines if line.startswith("E:"))}


def _bus(source: Source, name: str) -> str:
    path = source.target(f"/sys/block/{name}")
    if name.startswith("nvme"):
        return "nvme"
    if name.startswith("mmcblk"):
        return "mmc"
    for part in _BUSES:
        if f"/{part}" in path:
            return _BUSES[part]
    return "virtio" if name.startswith("vd") else "xen" if name.startswith("xvd") else "scsi"


def _medium(source: Source, name: str, bus: str, model: str, rpm: str, controller: bool) -> str:
    if bus in ("virtio", "xen", "vmbus") or model.lower().startswith(_VIRTUAL):
        return "virtual"
    if bus == "mmc":
        return "card" if source.text(f"/sys/block/{name}/device/type") == "SD" else "ssd"
    if bus == "usb" and source.text(f"/sys/block/{name}/removable") == "1":
        return "card"
    # What the disk itself told udev, which asks through bridges on USB as well.
    if rpm.isdecimal():
        return "hdd" if int(rpm) > 1 else "ssd"
    rotates = source.text(f"/sys/block/{name}/queue/rotational")
    # Bridges on USB and RAID controllers say that everything rotates.
    return "ssd" if bus == "nvme" or rotates == "0" else "hdd" if rotates == "1" and bus != "usb" and not controller else ""


def _celsius(source: Source, at: str) -> int | None:
    for base in (at + "device/hwmon", at + "device"):
        for chip in source.names(base):
            value = source.number(f"{base}/{chip}/temp1_input") if chip.startswith("hwmon") else None
            if value:
                return round(value / 1000)
    return None


def _with_health(source: Source, found: list[Disk]) -> list[Disk]:
    if all(disk.medium == "virtual" for disk in found):
        return found
    if not source.privileged:
        source.missing("disk health", "only root may ask disks for SMART; run the agent as root or give it CAP_SYS_RAWIO")
        return found
    try:
        behind = _behind_controllers(source) if any(disk.bus == "raid" for disk in found) else []
        media = {disk.medium for disk in behind}
        if len(media) == 1:
            found = [disk._replace(medium=disk.medium or min(media)) if disk.bus == "raid" else disk for disk in found]
        return [_asked(source, disk, [f"/dev/{disk.name}"]) if disk.medium != "virtual" else disk for disk in found] + behind
    except Unreadable as error:
        source.missing("disk health", f"{error}; install smartmontools")
        return found


def _asked(source: Source, disk: Disk, device: list[str]) -> Disk:
    """A disk with what it tells of itself; raises Unreadable when there is no smartctl."""
    # A sleeping disk is left asleep.
    text = source.run(["smartctl", "-i", "-H", "-A", "-n", "standby", *device])
    if "STANDBY mode" in text or "SLEEP mode" in text:
        source.missing(f"health of {disk.name}", "the disk was asleep and was left so")
        return disk
    told = smart.disk(text)
    if not told.health:
        source.missing(f"health of {disk.name}", smart.trouble(text) or "smartctl tells nothing of it")
    return _merged(disk, told)


def _behind_controllers(source: Source) -> list[Disk]:
    """The disks behind RAID controllers, which the kernel does not see: "/dev/bus/0 -d megaraid,8 # comment"."""
    found = []
    for line in source.run(["smartctl", "--scan"]).splitlines():
        device, _, kind = line.partition("#")[0].partition(" -d ")
        if "," in kind:
            place = kind.strip()
            disk = Disk(name=f"{os.path.basename(device.strip())} {place}", removable=False)
            disk = _asked(source, disk, ["-d", place, device.strip()])
            if disk.model or disk.serial:
                found.append(disk)
    return found


def _merged(disk: Disk, told: Disk) -> Disk:
    """What the kernel says, completed by what the disk itself says; a bridge on USB tells the kernel its own name."""
    if disk.bus == "usb":
        disk = disk._replace(**{field: value for field in _BETTER if (value := getattr(told, field))})
    return completed(disk, told)


def volumes(source: Source) -> list[Volume]:
    """Mounted volumes that lie on disks."""
    labels = {source.target(f"/dev/disk/by-label/{name}"): name for name in source.names("/dev/disk/by-label")}
    found: dict[str, Volume] = {}
    for mount, filesystem, device in _mounts(source):
        at = source.target(device) or device
        name = os.path.basename(at)
        if name.startswith("loop") or at in found or filesystem in ("squashfs", "iso9660", "udf", "erofs"):
            continue
        if not source.exists(f"/sys/class/block/{name}") and filesystem not in ("btrfs", "zfs"):
            continue
        found[at] = Volume(
            name=mount,
            label=clean(labels.get(at, "").replace("\\x20", " ")),
            filesystem=filesystem,
            disk=", ".join(sorted(_disks_below(source, name))),
            encrypted=_encrypted(source, name),
            system=mount == _ROOT,
        )
    return list(found.values())


def _mounts(source: Source) -> list[tuple[str, str, str]]:
    """(mount point, file system, device) of every mount of a device."""
    found = []
    for line in source.text("/proc/self/mounts").splitlines():
        words = line.split()
        if len(words) >= 3 and words[0].startswith("/dev/"):
            found.append((unescaped(words[1]), words[2], words[0]))
    return found


def _system_device(source: Source) -> str:
    device = next((device for mount, _, device in _mounts(source) if mount == _ROOT), "")
    return os.path.basename(source.target(device) or device)


def _disks_below(source: Source, name: str) -> set[str]:
    """The disks a device lies on: itself, the disk of a partition, or those under a mapping."""
    if not name or not source.exists(f"/sys/class/block/{name}"):
        return set()
    below = source.names(f"/sys/class/block/{name}/slaves")
    if below:
        return {disk for part in below for disk in _disks_below(source, part)}
    if source.exists(f"/sys/class/block/{name}/partition"):
        return {os.path.basename(os.path.dirname(source.target(f"/sys/class/block/{name}")))}
    return {name}


def _encrypted(source: Source, name: str) -> bool | None:
    at = f"/sys/class/block/{name}"
    if not source.exists(at):
        return None
    if source.text(f"{at}/dm/uuid").startswith("CRYPT-"):
        return True
    below = source.names(f"{at}/slaves")
    return bool(below) and all(_encrypted(source, part) for part in below)
