"""The firmware's own description of the machine: raw SMBIOS tables (DMTF DSP0134, version 3.7) and what they say.

`records` reads the table's bytes, `agent.inventory.dmidecode` reads the same from dmidecode's text; the rest works on either.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from .parts import Machine, Memory, Module, Processor
from .words import clean, serial, told_apart

BIOS, SYSTEM, BOARD, CHASSIS, PROCESSOR, ARRAY, MODULE, BATTERY, END = 0, 1, 2, 3, 4, 16, 17, 22, 127

_MAX_STRUCTURES = 4096

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
_NOT_MAIN = ("Flash", "ROM", "VRAM", "SRAM")
"""Kinds of memory a board may list though no program runs in it."""
_JEDEC = {
    (1, 0x2C): "Micron", (1, 0xAD): "SK hynix", (1, 0xC1): "Infineon", (1, 0xCE): "Samsung", (2, 0x4F): "Transcend",
    (2, 0x7A): "Apacer", (2, 0x94): "Smart Modular", (2, 0x98): "Kingston", (3, 0x9E): "Corsair", (3, 0xFE): "Elpida",
    (4, 0x0B): "Nanya", (4, 0x25): "Kingmax", (5, 0x43): "Ramaxel", (5, 0xCB): "A-DATA", (5, 0xCD): "G.Skill",
    (5, 0xEF): "Team Group", (6, 0x02): "Patriot", (6, 0x51): "Qimonda", (6, 0x9B): "Crucial",
}  # fmt: skip
"""JEP106 (bank, code) -> who: many boards print these numbers instead of a name."""
_HYPERVISORS = (
    ("vmware", "VMware"), ("virtualbox", "VirtualBox"), ("innotek", "VirtualBox"), ("kvm", "KVM"), ("qemu", "KVM"),
    ("xen", "Xen"), ("bochs", "KVM"), ("parallels", "Parallels"), ("bhyve", "bhyve"), ("nutanix", "Nutanix"),
    ("amazon ec2", "Amazon"), ("google compute", "Google"),
)  # fmt: skip
_HEX = re.compile(r"(?:0x)?((?:[0-9A-Fa-f]{2}){2,})")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SHORT_NAMES = {
    "intel(r) corporation": "Intel", "intel corporation": "Intel", "intel(r)": "Intel", "genuineintel": "Intel",
    "hynix": "SK hynix", "hyundai": "SK hynix", "advanced micro devices, inc.": "AMD", "advanced micro devices": "AMD",
    "authenticamd": "AMD",
}  # fmt: skip


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


def records(table: bytes, version: tuple[int, int] = (3, 0)) -> list[Record]:
    """The structures of a raw table that say something here; damage ends the reading, it never raises.

    Windows puts eight octets before the table (RawSMBIOSData), which hold the version.
    """
    if len(table) > 8 and table[0] in (0, 1) and 1 < table[1] < 4 and int.from_bytes(table[4:8], "little") == len(table) - 8:
        version, table = (table[1], table[2]), table[8:]
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
    chemistry = (
        "", "", "", "Lead Acid", "Nickel Cadmium", "Nickel Metal Hydride", "Lithium Ion", "Zinc Air", "Lithium Polymer",
    )  # fmt: skip
    kind = s.number(9, 1) or 0
    scale = s.number(0x15, 1) or 1
    return {
        "location": s.text(4), "manufacturer": s.text(5), "serial number": s.text(7), "name": s.text(8),
        "chemistry": chemistry[kind] if kind < len(chemistry) else s.text(0x14),
        "design capacity": (s.number(0x0A, 2) or 0) * scale,
    }  # fmt: skip


_READERS = {
    BIOS: _bios, SYSTEM: _system, BOARD: _board, CHASSIS: _chassis, PROCESSOR: _processor, ARRAY: _array, MODULE: _module,
    BATTERY: _battery,
}  # fmt: skip


def machine(found: Iterable[Record]) -> Machine:
    """Maker, model, serial numbers, firmware, chassis."""
    by_type: dict[int, Record] = {}
    for record in found:
        by_type.setdefault(record.type, record)
    nothing = Record(-1, 0, {})
    bios, system, board, chassis = (by_type.get(kind, nothing) for kind in (BIOS, SYSTEM, BOARD, CHASSIS))
    uuid = system.text("uuid").lower()
    return Machine(
        maker=system.text("manufacturer") or board.text("manufacturer") or chassis.text("manufacturer"),
        model=system.text("product name") or board.text("product name"),
        version=system.text("version"),
        serial=_serial(system) or _serial(chassis),
        uuid=uuid if _UUID.fullmatch(uuid) else "",
        sku=system.text("sku number"),
        asset_tag=chassis.text("asset tag") or board.text("asset tag"),
        chassis=chassis.text("type").lower(),
        board_maker=board.text("manufacturer"),
        board_model=board.text("product name"),
        board_serial=_serial(board),
        bios_maker=bios.text("vendor"),
        bios_version=bios.text("version"),
        bios_date=iso_date(bios.text("release date")),
    )


def hypervisor(told: Machine) -> str:
    """The hypervisor a virtual machine's firmware names; empty on real hardware."""
    if told.maker == "Microsoft Corporation" and told.model == "Virtual Machine":
        return "Hyper-V"
    shown = f"{told.maker} {told.model} {told.bios_maker}".lower()
    return next((name for word, name in _HYPERVISORS if word in shown), "")


def _serial(record: Record) -> str:
    return serial(record.text("serial number"))


def iso_date(text: str) -> str:
    """MM/DD/YYYY (two digits of the year in old firmware) as YYYY-MM-DD; empty when it is no date."""
    parts = text.replace("-", "/").split("/")
    if len(parts) != 3 or not all(part.isdigit() for part in parts):
        return ""
    month, day, year = map(int, parts)
    if len(parts[0]) == 4:
        year, month, day = month, day, year
    year += 0 if year > 99 else 1900 if year >= 80 else 2000
    return f"{year:04}-{month:02}-{day:02}" if 1 <= month <= 12 and 1 <= day <= 31 and 1980 <= year <= 2100 else ""


def processors(found: Iterable[Record]) -> list[Processor]:
    """Processor packages in their sockets; the year is for others to say."""
    return [
        Processor(
            name=record.text("socket designation"),
            model=record.text("version"),
            maker=maker(record.text("manufacturer")),
            cores=record.number("core count"),
            threads=record.number("thread count"),
            # The maximum is often what the socket could take.
            clock_mhz=record.number("current speed") or record.number("max speed"),
        )
        for record in found
        if record.type == PROCESSOR and record.values.get("central", 1) and record.values.get("populated", 1)
    ]


def maker(text: str) -> str:
    """A manufacturer as people call it: JEDEC's codes named, long names cut."""
    code = _HEX.fullmatch(text)
    return (_jedec(bytes.fromhex(code[1])) if code else "") or _SHORT_NAMES.get(text.lower(), text)


def _jedec(code: bytes) -> str:
    """The bank is told by 7F octets before the code, by its number with a parity bit, or not at all; some swap the two."""
    bank, rest = 1, code
    while rest[:1] == b"\x7f":
        bank, rest = bank + 1, rest[1:]
    if bank > 1 or not any(code[1:]):
        return _JEDEC.get((bank, rest[0]), "") if rest else ""
    first, second = code[0], code[1]
    return _JEDEC.get(((first & 0x7F) + 1, second), "") or _JEDEC.get(((second & 0x7F) + 1, first), "")


def _part_number(text: str) -> str:
    """Some firmware prints the module's octets instead of the letters they are."""
    octets = _HEX.fullmatch(text) if text.startswith("0x") and len(text) > 18 else None
    return clean(bytes.fromhex(octets[1]).decode("ascii", "replace")) if octets else text


def memory(found: Iterable[Record]) -> tuple[Memory, list[Module]]:
    """What is built in, and the modules. The total is None when a module does not tell its size."""
    found = list(found)
    arrays = [record for record in found if record.type == ARRAY and record.values.get("system memory", 1)]
    handles = {record.handle for record in arrays}
    places = [
        record
        for record in found
        if record.type == MODULE
        and (not handles or record.values.get("array handle", 0) in handles)
        and record.text("type") not in _NOT_MAIN
    ]
    # A size of -1 is a module that does not tell; 0 an empty place.
    modules = [_of_module(record) for record in places if record.values.get("size")]
    serials = told_apart(module.serial for module in modules)
    modules = [module._replace(serial=number) for module, number in zip(modules, serials, strict=True)]
    sizes = [module.size_mib for module in modules]
    slots = max(sum(record.number("number of devices") or 0 for record in arrays), len(places))
    return Memory(
        total_mib=sum(size or 0 for size in sizes) if sizes and None not in sizes else None,
        slots=slots or None,
        free_slots=slots - len(modules) if places else None,
        limit_mib=sum(record.number("maximum capacity") or 0 for record in arrays) or None,
    ), modules


def _of_module(record: Record) -> Module:
    bank = record.text("bank locator")
    name = record.text("locator")
    return Module(
        name=f"{bank} {name}" if bank and name and bank.lower() not in name.lower() else name or bank,
        size_mib=record.number("size"),
        type=record.text("type"),
        form=record.text("form factor"),
        speed_mts=record.number("speed"),
        set_speed_mts=record.number("configured memory speed"),
        maker=maker(record.text("manufacturer")),
        model=_part_number(record.text("part number")).rstrip("-"),
        serial=_serial(record).removeprefix("0x"),
    )
