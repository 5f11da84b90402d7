"""The firmware's own description of the machine: the structures of raw SMBIOS tables (DMTF DSP0134, version 3.7).

`dmidecode` reads the same from text; `firmware` says what the structures mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .words import clean

BIOS, SYSTEM, BOARD, CHASSIS, PROCESSOR, OLD_ARRAY, OLD_MODULE, ARRAY, MODULE, BATTERY, END = 0, 1, 2, 3, 4, 5, 6, 16, 17, 22, 127
"""Types 5 and 6 stand for 16 and 17 in tables before 2.1; later ones may have both."""

_MAX_STRUCTURES = 4096
_MISPRINTS = {(2, 0x1F): (2, 3), (2, 0x21): (2, 3), (2, 0x33): (2, 6)}

CHASSIS_FORMS = (
    "", "", "", "desktop", "low-profile desktop", "pizza box", "mini tower", "tower", "portable", "laptop", "notebook",
    "hand-held", "docking station", "all in one", "sub notebook", "space-saving", "lunch box", "server", "expansion chassis",
    "sub chassis", "bus expansion chassis", "peripheral chassis", "raid chassis", "server", "sealed-case", "multi-system",
    "compact pci", "advanced tca", "blade", "blade enclosure", "tablet", "convertible", "detachable", "iot gateway",
    "embedded", "mini pc", "stick pc",
)  # fmt: skip
"""By the number of section 7.4.1."""
_FORMS = (
    "", "", "", "SIMM", "SIP", "Chip", "DIP", "ZIP", "Proprietary Card", "DIMM", "TSOP", "Row Of Chips", "RIMM", "SODIMM",
    "SRIMM", "FB-DIMM", "Die", "CAMM",
)  # fmt: skip
TYPES = {
    3: "DRAM", 4: "EDRAM", 5: "VRAM", 6: "SRAM", 7: "RAM", 8: "ROM", 9: "Flash", 15: "SDRAM", 17: "RDRAM", 18: "DDR", 19: "DDR2",
    20: "DDR2 FB-DIMM", 24: "DDR3", 25: "FBD2", 26: "DDR4", 27: "LPDDR", 28: "LPDDR2", 29: "LPDDR3", 30: "LPDDR4", 31: "NVDIMM",
    32: "HBM", 33: "HBM2", 34: "DDR5", 35: "LPDDR5", 36: "HBM3",
}  # fmt: skip
CHEMISTRIES = ("", "", "", "Lead acid", "NiCd", "NiMH", "Li-ion", "Zinc air", "Li-poly")
"""By the number of section 7.23.1, as the Linux kernel writes them; Win32_Battery counts the same way."""


class Record(NamedTuple):
    """One structure, by the names dmidecode gives its fields, in lower case. Sizes are in MiB, clocks in MHz or MT/s."""

    type: int
    handle: int
    values: dict[str, str | int]

    def text(self, key: str) -> str:
        """A text, cleaned."""
        value = self.values.get(key)
        return clean(value) if isinstance(value, str) else ""

    def number(self, key: str) -> int | None:
        """A number that says something: not zero."""
        value = self.values.get(key)
        return value if isinstance(value, int) and value > 0 else None


class _Structure:
    """The bytes of one structure and the strings after it; what lies past its end reads as None."""

    __slots__ = ("_data", "_strings")

    def __init__(self, data: bytes, strings: Sequence[str]) -> None:
        self._data = data
        self._strings = strings

    def number(self, offset: int, octets: int) -> int | None:
        if offset + octets > len(self._data):
            return None
        return int.from_bytes(self._data[offset : offset + octets], "little")

    def text(self, offset: int) -> str:
        n = self.number(offset, 1) or 0
        return self._strings[n - 1] if 0 < n <= len(self._strings) else ""

    def octets(self, offset: int, count: int) -> bytes:
        return self._data[offset : offset + count]


def version(entry: bytes) -> tuple[int, int]:
    """The version an entry point names: of 64 bits, of 32, or the one before SMBIOS (sections 5.2.1 and 5.2.2)."""
    if entry[:5] == b"_SM3_" and len(entry) > 8:
        return entry[7], entry[8]
    if entry[:4] == b"_SM_" and len(entry) > 7:
        return entry[6], entry[7]
    if entry[:5] == b"_DMI_" and len(entry) > 14:
        return entry[14] >> 4, entry[14] & 0x0F
    return 3, 0


def records(table: bytes, version: tuple[int, int] = (3, 0)) -> list[Record]:
    """The structures of a raw table that say something here; damage ends the reading, it never raises.

    Windows puts eight octets before the table (RawSMBIOSData), which hold the version.
    """
    if len(table) > 8 and table[0] in (0, 1) and 1 < table[1] < 4 and int.from_bytes(table[4:8], "little") == len(table) - 8:
        version, table = (table[1], table[2]), table[8:]
    # Versions some firmware writes in hexadecimal or misprints, as dmidecode corrects them.
    version = _MISPRINTS.get(version, version)
    found: list[Record] = []
    at = 0
    while at + 4 <= len(table) and len(found) < _MAX_STRUCTURES:
        kind, size = table[at], table[at + 1]
        if size < 4 or at + size > len(table):
            break
        handle = int.from_bytes(table[at + 2 : at + 4], "little")
        end = table.find(b"\0\0", at + size)
        end = len(table) if end < 0 else end
        # A structure without strings ends in two zeros as well.
        strings = [_decoded(part) for part in table[at + size : end].split(b"\0")] if end > at + size else []
        reader = _READERS.get(kind)
        if reader is not None:
            found.append(Record(kind, handle, reader(_Structure(table[at : at + size], strings), version)))
        if kind == END:
            break
        at = end + 2
    return found


def _decoded(part: bytes) -> str:
    try:
        return part.decode("utf-8")
    except UnicodeDecodeError:
        return part.decode("latin-1")


Values = dict[str, str | int]


def _bios(s: _Structure, version: tuple[int, int]) -> Values:
    return {"vendor": s.text(4), "version": s.text(5), "release date": s.text(8)}


def _system(s: _Structure, version: tuple[int, int]) -> Values:
    values: Values = {"manufacturer": s.text(4), "product name": s.text(5), "version": s.text(6), "serial number": s.text(7)}
    raw = s.octets(8, 16)
    if len(raw) == 16 and any(raw) and raw != b"\xff" * 16:
        # Little-endian in its first three fields since 2.6 (section 7.2.1).
        fields = raw if version < (2, 6) else raw[3::-1] + raw[5:3:-1] + raw[7:5:-1] + raw[8:]
        h = fields.hex()
        values["uuid"] = f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"
    return {**values, "sku number": s.text(0x19), "family": s.text(0x1A)}


def _board(s: _Structure, version: tuple[int, int]) -> Values:
    return {
        "manufacturer": s.text(4), "product name": s.text(5), "version": s.text(6), "serial number": s.text(7),
        "asset tag": s.text(8),
    }  # fmt: skip


def _chassis(s: _Structure, version: tuple[int, int]) -> Values:
    kind = (s.number(5, 1) or 0) & 0x7F
    return {
        "manufacturer": s.text(4), "type": CHASSIS_FORMS[kind] if kind < len(CHASSIS_FORMS) else "",
        "version": s.text(6), "serial number": s.text(7), "asset tag": s.text(8),
    }  # fmt: skip


def _processor(s: _Structure, version: tuple[int, int]) -> Values:
    def count(short: int, wide: int) -> int:
        n = s.number(short, 1) or 0
        return (s.number(wide, 2) or n) if n == 0xFF else n

    status = s.number(0x18, 1)
    return {
        "socket designation": s.text(4), "manufacturer": s.text(7), "version": s.text(0x10),
        "central": int((s.number(5, 1) or 3) == 3), "populated": int(status is None or bool(status & 0x40)),
        "max speed": s.number(0x14, 2) or 0, "current speed": s.number(0x16, 2) or 0,
        "core count": count(0x23, 0x2A), "thread count": count(0x25, 0x2E),
    }  # fmt: skip


def _old_array(s: _Structure, version: tuple[int, int]) -> Values:
    exponent, slots = s.number(8, 1) or 0, s.number(0x0E, 1) or 0
    return {"maximum total memory size": slots << exponent if exponent < 32 else 0, "number of devices": slots}


def _old_module(s: _Structure, version: tuple[int, int]) -> Values:
    kinds = s.number(7, 2) or 0
    # The upper bit tells two banks from one; 7D to 7F say that no size is known, that it is switched off or not there.
    size = (s.number(9, 1) or 0x7F) & 0x7F
    return {
        "locator": s.text(4), "form factor": "DIMM" if kinds & 0x100 else "SIMM" if kinds & 0x80 else "",
        "type": "SDRAM" if kinds & 0x400 else "EDO" if kinds & 0x210 else "FPM" if kinds & 8 else "",
        "size": {0x7D: -1, 0x7E: -1, 0x7F: 0}.get(size, 1 << size if size < 32 else 0),
    }  # fmt: skip


def _array(s: _Structure, version: tuple[int, int]) -> Values:
    kib = s.number(7, 4) or 0
    limit = (s.number(0x0F, 8) or 0) >> 20 if kib == 0x80000000 else kib >> 10
    return {"system memory": int(s.number(5, 1) == 3), "maximum capacity": limit, "number of devices": s.number(0x0D, 2) or 0}


def _module(s: _Structure, version: tuple[int, int]) -> Values:
    def speed(word: int, wide: int) -> int:
        n = s.number(word, 2) or 0
        return (s.number(wide, 4) or 0) & 0x7FFFFFFF if n == 0xFFFF else n

    size = s.number(0x0C, 2) or 0
    if size == 0x7FFF:
        size = (s.number(0x1C, 4) or 0) & 0x7FFFFFFF
    elif size == 0xFFFF:
        size = -1
    elif size & 0x8000:
        size = (size & 0x7FFF) >> 10
    form = s.number(0x0E, 1) or 0
    return {
        "array handle": s.number(4, 2) or 0, "size": size, "form factor": _FORMS[form] if form < len(_FORMS) else "",
        "locator": s.text(0x10), "bank locator": s.text(0x11), "type": TYPES.get(s.number(0x12, 1) or 0, ""),
        "speed": speed(0x15, 0x54), "configured memory speed": speed(0x20, 0x58),
        "manufacturer": s.text(0x17), "serial number": s.text(0x18), "asset tag": s.text(0x19), "part number": s.text(0x1A),
    }  # fmt: skip


def _battery(s: _Structure, version: tuple[int, int]) -> Values:
    kind, number = s.number(9, 1) or 0, s.number(0x10, 2)
    return {
        "location": s.text(4), "manufacturer": s.text(5), "name": s.text(8),
        "serial number": s.text(7) or (f"{number:04X}" if number else ""),
        "chemistry": (CHEMISTRIES[kind] if kind < len(CHEMISTRIES) else "") or s.text(0x14),
        "design capacity": (s.number(0x0A, 2) or 0) * (s.number(0x15, 1) or 1),
    }  # fmt: skip


_READERS = {
    BIOS: _bios, SYSTEM: _system, BOARD: _board, CHASSIS: _chassis, PROCESSOR: _processor, OLD_ARRAY: _old_array,
    OLD_MODULE: _old_module, ARRAY: _array, MODULE: _module, BATTERY: _battery,
}  # fmt: skip
