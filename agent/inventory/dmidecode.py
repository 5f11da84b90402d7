"""dmidecode's text read into the records that `smbios` reads from the raw table, in all its formats since 2002."""

from __future__ import annotations

import re

from .smbios import Record

_HANDLE = re.compile(r"\s*Handle (0x[0-9A-Fa-f]+)(?:,? ?DMI type (\d+))?")
_TYPE = re.compile(r"\s*DMI type (\d+)")
_NUMBER = re.compile(r"(\d+)\s*(bytes?|kB|KB|Kbyte|MB|Mbyte|GB|TB|MHz|MT/s|mWh|mAh)?\b")
_MIB = {"kb": 1 / 1024, "kbyte": 1 / 1024, "mb": 1, "mbyte": 1, "gb": 1024, "tb": 1024 * 1024}
_RENAMED = {
    "product": "product name", "release": "release date", "chassis type": "type", "processor manufacturer": "manufacturer",
    "processor version": "version", "processor type": "type", "configured clock speed": "configured memory speed",
    "sbds serial number": "serial number", "sbds chemistry": "chemistry", "associated memory slots": "number of devices",
    "socket": "locator", "installed size": "size",
}  # fmt: skip
_FORMS = {
    "low profile desktop": "low-profile desktop", "hand held": "hand-held", "main server chassis": "server",
    "rack mount chassis": "server", "sealed-case pc": "sealed-case", "compactpci": "compact pci", "advancedtca": "advanced tca",
    "blade enclosing": "blade enclosure", "embedded pc": "embedded",
}  # fmt: skip
"""Chassis that dmidecode names otherwise than `smbios`."""
_NUMBERS = frozenset((
    "max speed", "current speed", "core count", "thread count", "maximum capacity", "number of devices", "size", "speed",
    "configured memory speed", "design capacity", "array handle", "maximum total memory size",
))  # fmt: skip


def records(text: str) -> list[Record]:
    """The structures of dmidecode's output; what is not one is passed over."""
    found: list[Record] = []
    record: Record | None = None
    depth = title = 0
    for line in text.splitlines():
        handle = _HANDLE.match(line)
        if handle:
            record = Record(int(handle[2] or -1), int(handle[1], 16), {})
            title = 0
            found.append(record)
            continue
        if record is None or not line.strip():
            continue
        kind = _TYPE.match(line)
        if kind and record.type < 0:
            record = record._replace(type=int(kind[1]))
            found[-1] = record
            continue
        indent = len(line.expandtabs(8)) - len(line.expandtabs(8).lstrip())
        key, colon, value = line.strip().partition(":")
        if not title or not colon:
            title, depth = title or 1, depth if title else 0
            continue
        # Deeper lines are the items of the list above them.
        depth = depth or indent
        if indent <= depth:
            _keep(record, key.strip().lower(), value.strip())
    return found


def _keep(record: Record, key: str, value: str) -> None:
    if key == "vendor" and record.type in (1, 2, 3):
        key = "manufacturer"
    if record.type == 6:
        key = {"socket designation": "locator", "type": "kinds"}.get(key, key)
    key = _RENAMED.get(key, key)
    values = record.values
    if key in values:
        return
    if key == "use":
        values["system memory"] = int(value.lower() == "system memory")
    elif key == "status" and record.type == 4:
        values["populated"] = int(value.lower().startswith("populated"))
    elif key == "type" and record.type == 4:
        values["central"] = int(value.lower().startswith("central"))
    elif key == "type" and record.type == 3:
        values[key] = _FORMS.get(value.lower(), value)
    elif key == "kinds":
        values["form factor"] = next((form for form in ("DIMM", "SIMM") if form in value), "")
        values["type"] = next((kind for kind in ("SDRAM", "EDO", "FPM") if kind in value), "")
    elif key == "array handle":
        values[key] = int(value, 16) if re.fullmatch(r"0x[0-9A-Fa-f]+", value) else 0
    elif key in _NUMBERS and record.type != 9:
        values[key] = _number(value)
    else:
        values[key] = value


def _number(value: str) -> int:
    """MiB for sizes, MHz or MT/s for speeds; 0 for an empty place, -1 for what is not known."""
    match = _NUMBER.match(value)
    if not match:
        return -1 if value.lower().startswith("unknown") else 0
    number, unit = int(match[1]), (match[2] or "").lower()
    return int(number * _MIB[unit]) if unit in _MIB else number >> 20 if unit.startswith("byte") else number
