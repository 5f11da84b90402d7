"""What a disk says of its own health: smartctl's text, of ATA, SAS and NVMe disks, in every version of it since 5.38."""

from __future__ import annotations

import re
from typing import NamedTuple

from .parts import Disk, completed
from .words import clean, serial

_ATTRIBUTE = re.compile(
    r"^\s*(\d+)\s+([\w-]+)\s+0x[0-9a-f]{4}\s+(\d+)\s+(\d+)\s+(---|\d+)\s+\S+\s+\S+\s+(\S+)\s+(\d+)", re.MULTILINE
)
_LINE = re.compile(r"^([A-Z][^:\n]{1,60}?)\s*:[ \t]*(.*)$", re.MULTILINE)
_OLD_DEVICE = re.compile(r"^Device: (\S+)\s+(.*?)\s+Version:\s*(\S*)", re.MULTILINE)

NAMES = {
    1: "Raw_Read_Error_Rate", 3: "Spin_Up_Time", 4: "Start_Stop_Count", 5: "Reallocated_Sector_Ct", 7: "Seek_Error_Rate",
    9: "Power_On_Hours", 10: "Spin_Retry_Count", 12: "Power_Cycle_Count", 169: "Remaining_Lifetime_Perc",
    173: "Wear_Leveling_Count", 177: "Wear_Leveling_Count", 184: "End-to-End_Error", 187: "Reported_Uncorrect",
    188: "Command_Timeout",
    190: "Airflow_Temperature_Cel", 194: "Temperature_Celsius", 196: "Reallocated_Event_Count", 197: "Current_Pending_Sector",
    198: "Offline_Uncorrectable", 199: "UDMA_CRC_Error_Count", 202: "Percent_Lifetime_Remain", 231: "SSD_Life_Left",
    232: "Available_Reservd_Space", 233: "Media_Wearout_Indicator", 241: "Total_LBAs_Written", 242: "Total_LBAs_Read",
}  # fmt: skip
"""As smartctl calls them; Windows gives numbers only."""
_WEAR_LEFT = (169, 173, 177, 202, 230, 231, 232, 233)
"""Attributes whose normalised value is the percentage of an SSD's life that is left, the most telling last."""
_LBAS_WRITTEN = (241, 246)
_TEMPERATURES = (194, 190)


_TROUBLES = {
    "Permission denied": "smartctl: permission denied",
    "Unknown USB bridge": "smartctl does not know the bridge on USB it sits behind",
    "MegaRaid controller": "it is a volume of a RAID controller; the disks behind it are listed by themselves",
    "NO MEDIUM": "there is no medium in it",
    "does not support SMART": "the device does not support SMART",
    "device lacks SMART capability": "the device does not support SMART",
    "SMART support is: Disabled": "SMART is switched off on the disk; smartctl -s on would switch it on",
    "Unable to detect device type": "smartctl does not know this kind of device",
}  # fmt: skip


class Attribute(NamedTuple):
    """One line of an ATA disk's table. `failed`: FAILING_NOW, In_the_past or a hyphen."""

    number: int
    name: str
    value: int
    worst: int
    threshold: int | None
    failed: str
    raw: int


def disk(text: str) -> Disk:
    """All that smartctl's output (-i -H -A or -a) tells, without the disk's name."""
    lines = {key.strip().lower(): value.strip() for key, value in reversed(_LINE.findall(text))}
    attributes = {a.number: a for a in attributes_of(text)}
    old = _OLD_DEVICE.search(text)
    rotation = lines.get("rotation rate", "").lower()
    nvme = "nvme version" in lines or "percentage used" in lines or "nvme" in lines.get("transport protocol", "").lower()
    size = _number(lines.get("user capacity") or lines.get("total nvm capacity") or lines.get("namespace 1 size/capacity"))
    found = Disk(
        model=clean(
            lines.get("device model")
            or lines.get("model number")
            or f"{lines.get('vendor', '')} {lines.get('product', '')}".strip()
            or (f"{old[1]} {old[2]}" if old else "")
        ),
        serial=serial(lines.get("serial number")),
        firmware=clean(lines.get("firmware version") or lines.get("revision") or (old[3] if old else "")),
        size_mb=size // 1_000_000 if size and size < 1 << 60 else None,
        medium=_medium(lines, rotation, nvme),
        bus=_bus(lines, nvme),
        rpm=_number(rotation) if "rpm" in rotation else None,
        celsius=_temperature(lines),
        hours=_number(lines.get("power on hours") or lines.get("accumulated power on time, hours:minutes")),
        cycles=_number(lines.get("power cycles")),
        reallocated=_number(lines.get("elements in grown defect list")),
        uncorrectable=_number(lines.get("media and data integrity errors")),
        written_gb=_units(lines),
        wear_percent=_number(lines.get("percentage used") or lines.get("percentage used endurance indicator")),
    )
    found = completed(found, of_attributes(attributes, "rpm" in rotation))
    health, reason = verdict(lines, attributes, found)
    return found._replace(health=health, health_reason=reason)


def attributes_of(text: str) -> list[Attribute]:
    """The attribute table of an ATA disk."""
    return [
        Attribute(int(m[1]), m[2], int(m[3]), int(m[4]), int(m[5]) if m[5].isdigit() else None, m[6], int(m[7]))
        for m in _ATTRIBUTE.finditer(text)
    ]


def verdict(lines: dict[str, str], attributes: dict[int, Attribute], found: Disk) -> tuple[str, str]:
    """(good, warning, failing or nothing, why). The disk's own verdict comes first, then what foretells a failure."""
    own = (lines.get("smart overall-health self-assessment test result") or lines.get("smart health status") or "").upper()
    warning = re.match(r"0x[0-9A-Fa-f]{1,4}", lines.get("critical warning", ""))
    critical = int(warning[0], 16) if warning else 0
    failing = [
        f"{a.name} is {a.value}, at or below its limit {a.threshold}" for a in attributes.values() if a.failed == "FAILING_NOW"
    ]
    if own.startswith("FAIL") or "FAILURE" in own or critical & 0b11101:
        return "failing", "; ".join(failing) or f"the disk itself says {own or f'critical warning {critical:#04x}'}"
    if failing:
        return "failing", "; ".join(failing)
    signs = _signs(attributes, found)
    if critical:
        signs.append("it is or was too hot")
    if signs:
        return "warning", "; ".join(signs)
    return ("good", "") if own.startswith(("PASS", "OK")) or attributes or "percentage used" in lines else ("", "")


def _signs(attributes: dict[int, Attribute], found: Disk) -> list[str]:
    signs = []
    if found.pending:
        signs.append(f"{found.pending} sectors cannot be read")
    if found.uncorrectable:
        signs.append(f"{found.uncorrectable} errors it could not correct")
    if found.reallocated and found.reallocated >= 10:
        signs.append(f"{found.reallocated} sectors were replaced")
    if found.wear_percent is not None and found.wear_percent >= 90:
        signs.append(f"{found.wear_percent} % of its writes are used up")
    past = [a for a in attributes.values() if a.failed == "In_the_past" and a.number not in _TEMPERATURES]
    return [*signs, *(f"{a.name} was once below its limit" for a in past)]


def _medium(lines: dict[str, str], rotation: str, nvme: bool) -> str:
    kind = lines.get("device type", "").lower()
    if "cd/dvd" in kind:
        return "optical"
    if "solid state" in rotation or nvme:
        return "ssd"
    if "rpm" in rotation:
        return "hdd"
    return "ssd" if re.search(r"\bSSD\b", lines.get("device model", "") + lines.get("model family", "")) else ""


def _bus(lines: dict[str, str], nvme: bool) -> str:
    transport = lines.get("transport protocol", "").lower()
    if nvme:
        return "nvme"
    if transport:
        return "sas" if transport.startswith("sas") else transport.split()[0]
    return "sata" if "sata version" in lines or "sata version is" in lines else "ata" if "ata version is" in lines else ""


def of_attributes(attributes: dict[int, Attribute], rotates: bool) -> Disk:
    """What an ATA disk's table says in words that all disks share."""
    # Minimum and maximum temperature may stand in the higher octets.
    celsius = next((attributes[n].raw & 0xFF for n in _TEMPERATURES if n in attributes), None)
    hours = _raw(attributes, 9)
    if hours is not None and "Minutes" in attributes[9].name:
        hours //= 60
    found = [attributes[n] for n in _WEAR_LEFT if n in attributes and not rotates]
    left = [a.value for a in found if re.search("Wear|Life|Remain|Endur", a.name)]
    written = next((attributes[n] for n in _LBAS_WRITTEN if n in attributes), None)
    return Disk(
        celsius=celsius if celsius and celsius < 120 else None,
        hours=hours,
        cycles=_raw(attributes, 12),
        reallocated=_raw(attributes, 5),
        pending=_raw(attributes, 197),
        uncorrectable=_raw(attributes, 198),
        wear_percent=100 - left[-1] if left and left[-1] <= 100 else None,
        written_gb=_gigabytes(written) if written else None,
    )


def _gigabytes(written: Attribute) -> int:
    unit = 1 << 30 if "GiB" in written.name else 32 << 20 if "32MiB" in written.name else 512
    return written.raw * unit // 1_000_000_000


def _temperature(lines: dict[str, str]) -> int | None:
    found = _number(lines.get("temperature") or lines.get("current drive temperature"))
    return found if found and found < 120 else None


def _units(lines: dict[str, str]) -> int | None:
    units = _number(lines.get("data units written"))
    return units * 512_000 // 1_000_000_000 if units is not None else None


def _raw(attributes: dict[int, Attribute], number: int) -> int | None:
    # Some vendors pack several counters; the count itself is in the lower 32 bits.
    return attributes[number].raw & 0xFFFFFFFF if number in attributes else None


def _number(text: str | None) -> int | None:
    """The first number of a text, thousands grouped by commas, dots, apostrophes or blanks."""
    match = re.match(r"\s*(\d{1,3}(?:[ ,.'\u00a0\u202f’]\d{3})+|\d+)", text or "")
    return int(re.sub(r"\D", "", match[1])) if match else None


def trouble(text: str) -> str:
    """Why smartctl said nothing; empty when it did."""
    return next((reason for sign, reason in _TROUBLES.items() if sign in text), "")
