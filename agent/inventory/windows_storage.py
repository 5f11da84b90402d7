"""Disks and volumes of a Windows machine."""

from __future__ import annotations

import os
import re

from . import smart
from .cim import Instance, disk_serial, first, instances, number, numbers, text, truth
from .parts import Disk, Volume
from .smart import Attribute
from .source import Source

_MEDIA = {3: "hdd", 4: "ssd", 5: "ssd"}
_BUSES = {
    1: "scsi", 2: "atapi", 3: "ata", 4: "ieee1394", 6: "fibre channel", 7: "usb", 8: "raid", 9: "iscsi", 10: "sas", 11: "sata",
    12: "sd", 13: "mmc", 14: "virtual", 15: "virtual", 17: "nvme",
}  # fmt: skip
_HEALTH = {0: "good", 1: "warning", 2: "failing"}
_VIRTUAL = ("vmware", "vbox", "virtual", "qemu", "msft virtual", "xen")
_FIXED, _REMOVABLE = 3, 2


def disks(source: Source) -> list[Disk]:
    """All disks: Win32_DiskDrive, better known where MSFT_PhysicalDisk (Windows 8 and later) and SMART say more."""
    drives = {number(drive, "Index"): drive for drive in instances(source, "Win32_DiskDrive")}
    physical = {number(disk, "DeviceId"): disk for disk in instances(source, "MSFT_PhysicalDisk")}
    counters = {number(counter, "DeviceId"): counter for counter in instances(source, "MSFT_StorageReliabilityCounter")}
    system = _system_disk(source)
    found = []
    for n in sorted({n for n in (*drives, *physical) if n is not None}):
        drive, disk = drives.get(n, {}), physical.get(n, {})
        model = text(disk, "Model") or text(disk, "FriendlyName") or text(drive, "Model")
        bus = _bus(drive, disk)
        size = number(disk, "Size") or number(drive, "Size")
        rpm = number(disk, "SpindleSpeed")
        known = Disk(
            name=f"PhysicalDrive{n}",
            model=re.sub(r" (?:ATA|SCSI|USB|IEEE 1394 SBP2) (?:Disk )?Device$", "", model),
            serial=disk_serial(text(disk, "AdapterSerialNumber")) or disk_serial(_raw(disk) or _raw(drive)),
            firmware=text(disk, "FirmwareVersion") or text(drive, "FirmwareRevision"),
            size_mb=size // 1_000_000 if size else None,
            medium=_medium(drive, disk, model, bus),
            bus=bus,
            rpm=rpm if rpm and 3000 <= rpm <= 20000 else None,
            removable="removable" in text(drive, "MediaType").lower() if drive else None,
            system=n == system if system is not None else None,
        )
        found.append(_with_health(source, known, drive, disk, counters.get(n, {})))
    return found


def _raw(instance: Instance) -> str:
    value = instance.get("SerialNumber")
    return value.strip() if isinstance(value, str) else ""


def _bus(drive: Instance, disk: Instance) -> str:
    told = _BUSES.get(number(disk, "BusType") or 0, "")
    if told:
        return told
    path, interface = text(drive, "PNPDeviceID").upper(), text(drive, "InterfaceType").lower()
    if "NVME" in path or "NVME" in text(drive, "Model").upper():
        return "nvme"
    return {"ide": "ata", "hdc": "ata", "1394": "ieee1394"}.get(interface, interface)


def _medium(drive: Instance, disk: Instance, model: str, bus: str) -> str:
    if bus == "virtual" or model.lower().startswith(_VIRTUAL):
        return "virtual"
    told = _MEDIA.get(number(disk, "MediaType") or 0, "")
    if told:
        return told
    if bus == "nvme" or re.search(r"\bSSD\b|NVMe", model, re.IGNORECASE):
        return "ssd"
    if bus in ("sd", "mmc") or "removable" in text(drive, "MediaType").lower():
        return "card"
    return "hdd" if 3000 <= (number(disk, "SpindleSpeed") or 0) <= 20000 else ""


def _system_disk(source: Source) -> int | None:
    """The disk under the system's drive letter: "Disk #0, Partition #1" -> "C:"."""
    for link in instances(source, "Win32_LogicalDiskToPartition"):
        match = re.search(r"Disk #(\d+)", str(link.get("Antecedent", "")))
        if match and _system_drive(source) in str(link.get("Dependent", "")).upper():
            return int(match[1])
    return None


def _system_drive(source: Source) -> str:
    return "C:" if source.recorded else os.environ.get("SYSTEMDRIVE", "C:").upper()


def _with_health(source: Source, disk: Disk, drive: Instance, physical: Instance, counter: Instance) -> Disk:
    path = text(drive, "PNPDeviceID").upper()
    attributes = _attributes(source, path)
    predicted = next((truth(s, "PredictFailure") for s in _of(source, "MSStorageDriver_FailurePredictStatus", path)), None)
    wear, hours, celsius = (number(counter, key) for key in ("Wear", "PowerOnHours", "Temperature"))
    by_number = {a.number: a for a in attributes}
    told = smart.of_attributes(by_number, disk.medium == "hdd")
    disk = disk._replace(
        wear_percent=told.wear_percent if told.wear_percent is not None else wear if disk.medium == "ssd" else None,
        celsius=celsius if celsius and 0 < celsius < 120 else told.celsius,
        hours=hours or told.hours,
        cycles=told.cycles,
        reallocated=told.reallocated,
        pending=told.pending,
        uncorrectable=told.uncorrectable if told.uncorrectable is not None else number(counter, "ReadErrorsUncorrected"),
        written_gb=told.written_gb,
    )
    if disk.medium == "virtual":
        return disk
    status = number(physical, "HealthStatus")
    own = "FAILED" if predicted or status == 2 else ""
    health, reason = smart.verdict({"smart health status": own} if own else {}, by_number, disk)
    if not health or (health == "good" and status == 1):
        health = _HEALTH.get(status, "") if status is not None else "good" if predicted is False else ""
        reason = "Windows itself calls the disk's health a warning" if health == "warning" else ""
    if not health:
        source.missing(f"health of {disk.name}", "Windows shows SMART to administrators, and not through every controller")
    return disk._replace(health=health, health_reason=reason)


def _of(source: Source, name: str, path: str) -> list[Instance]:
    """The instances of a driver's class that belong to a device; their names end in _0 and the like."""
    return [i for i in instances(source, name) if path and re.sub(r"_\d+$", "", text(i, "InstanceName")).upper() == path]


def _attributes(source: Source, path: str) -> list[Attribute]:
    """The SMART table as the disk sends it: 30 entries of 12 octets behind a version (ATA-5, vendor specific)."""
    limits: dict[int, int] = {}
    for instance in _of(source, "MSStorageDriver_FailurePredictThresholds", path)[:1]:
        data = bytes(n & 0xFF for n in numbers(instance, "VendorSpecific"))
        limits = {data[at]: data[at + 1] for at in range(2, min(len(data) - 11, 362), 12) if data[at]}
    found = []
    for instance in _of(source, "MSStorageDriver_FailurePredictData", path)[:1]:
        data = bytes(n & 0xFF for n in numbers(instance, "VendorSpecific"))
        for at in range(2, min(len(data) - 11, 362), 12):
            n, value, worst = data[at], data[at + 3], data[at + 4]
            if n:
                limit = limits.get(n)
                failed = "FAILING_NOW" if limit and value <= limit else "In_the_past" if limit and worst <= limit else "-"
                raw = int.from_bytes(data[at + 5 : at + 11], "little")
                found.append(Attribute(n, smart.NAMES.get(n, f"attribute {n}"), value, worst, limit, failed, raw))
    return found


def volumes(source: Source) -> list[Volume]:
    """Fixed and removable drives with a medium in them."""
    encrypted = {text(v, "DriveLetter").upper(): _encrypted(v) for v in instances(source, "Win32_EncryptableVolume")}
    disks_of: dict[str, set[str]] = {}
    for link in instances(source, "Win32_LogicalDiskToPartition"):
        disk = re.search(r"Disk #(\d+)", str(link.get("Antecedent", "")))
        letter = re.search(r"[A-Z]:", str(link.get("Dependent", "")).upper())
        if disk and letter:
            disks_of.setdefault(letter[0], set()).add(f"PhysicalDrive{disk[1]}")
    found = []
    for drive in instances(source, "Win32_LogicalDisk"):
        name = text(drive, "DeviceID").upper()
        if number(drive, "DriveType") not in (_FIXED, _REMOVABLE) or not text(drive, "FileSystem"):
            continue
        found.append(
            Volume(
                name=f"{name}\\",
                label=text(drive, "VolumeName"),
                filesystem=text(drive, "FileSystem"),
                disk=", ".join(sorted(disks_of.get(name, ()))),
                encrypted=encrypted.get(name),
                system=name == _system_drive(source),
            )
        )
    if not encrypted and first(source, "SystemRegistry") and not truth(first(source, "SystemRegistry"), "Admin"):
        source.missing("encryption of volumes", "Windows shows BitLocker's state to administrators only")
    return found


def _encrypted(volume: Instance) -> bool | None:
    """Protected counts; a volume that is encrypted while its protection is suspended lies open."""
    protection = number(volume, "ProtectionStatus")
    return {0: False, 1: True}.get(protection) if protection is not None else None
