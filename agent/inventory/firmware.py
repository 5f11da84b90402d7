"""What the firmware's structures say, whether they were read by `smbios` or by `dmidecode`."""

from __future__ import annotations

import re
from collections.abc import Iterable

from .parts import Battery, Machine, Memory, Module, Processor
from .smbios import (
    ARRAY,
    BATTERY,
    BIOS,
    BOARD,
    CHASSIS,
    MODULE,
    OLD_ARRAY,
    OLD_MODULE,
    PROCESSOR,
    SYSTEM,
    Record,
)  # fmt: skip
from .words import clean, serial, told_apart, uuid

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
_FASTEST_MHZ = 10_000
_CHEMISTRIES = (
    ("lead", "Lead acid"), ("pb", "Lead acid"), ("nicd", "NiCd"), ("nickel cadmium", "NiCd"), ("nimh", "NiMH"),
    ("nickel metal", "NiMH"), ("zinc", "Zinc air"), ("lip", "Li-poly"), ("li-p", "Li-poly"), ("lithium p", "Li-poly"),
    ("lif", "LiFe"), ("li", "Li-ion"),
)  # fmt: skip
"""How firmware begins the names of chemistries -> how the Linux kernel writes them."""
_HEX = re.compile(r"(?:0x)?((?:[0-9A-Fa-f]{2}){2,})")
_SHORT_NAMES = {
    "intel(r) corporation": "Intel", "intel corporation": "Intel", "intel(r)": "Intel", "genuineintel": "Intel",
    "hynix": "SK hynix", "hyundai": "SK hynix", "advanced micro devices, inc.": "AMD", "advanced micro devices": "AMD",
    "authenticamd": "AMD",
}  # fmt: skip


def machine(found: Iterable[Record]) -> Machine:
    """Maker, model, serial numbers, firmware, chassis."""
    by_type: dict[int, Record] = {}
    for record in found:
        by_type.setdefault(record.type, record)
    nothing = Record(-1, 0, {})
    bios, system, board, chassis = (by_type.get(kind, nothing) for kind in (BIOS, SYSTEM, BOARD, CHASSIS))
    return Machine(
        maker=system.text("manufacturer") or board.text("manufacturer") or chassis.text("manufacturer"),
        model=system.text("product name") or board.text("product name"),
        version=system.text("version"),
        serial=_serial(system) or _serial(chassis),
        uuid=uuid(system.text("uuid")),
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
    if len(parts) != 3 or not all(part.isdecimal() for part in parts):
        return ""
    month, day, year = map(int, parts)
    if len(parts[0]) == 4:
        year, month, day = month, day, year
    year += 0 if year > 99 else 1900 if year >= 80 else 2000
    return f"{year:04}-{month:02}-{day:02}" if 1 <= month <= 12 and 1 <= day <= 31 and 1980 <= year <= 2100 else ""


def processors(found: Iterable[Record]) -> list[Processor]:
    """Processor packages in their sockets; the year is for others to say."""
    return [
        _of_processor(record)
        for record in found
        if record.type == PROCESSOR and record.values.get("central", 1) and record.values.get("populated", 1) and _told(record)
    ]


def _told(record: Record) -> bool:
    """Old tables do not say whether a socket is empty: then it has neither name nor clock nor cores."""
    texts = (record.text("version"), maker(record.text("manufacturer")))
    return any(texts) or any(record.number(key) for key in ("current speed", "core count"))


def _of_processor(record: Record) -> Processor:
    cores, threads = record.number("core count"), record.number("thread count")
    # The maximum is often what the socket could take.
    clocks = (record.number("current speed"), record.number("max speed"))
    return Processor(
        name=record.text("socket designation"),
        model=record.text("version") or record.text("family"),
        maker=maker(record.text("manufacturer")),
        cores=cores,
        threads=threads if threads and threads >= (cores or 1) else None,
        clock_mhz=next((clock for clock in clocks if clock and clock < _FASTEST_MHZ), None),
    )


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
    places = [record for record in found if record.type == MODULE]
    old = [record for record in found if record.type == OLD_MODULE]
    if any("size" in record.values for record in places) or not old:
        arrays = [record for record in found if record.type == ARRAY and record.values.get("system memory", 1)]
        handles = {record.handle for record in arrays}
        places = [
            record
            for record in places
            if (not handles or record.values.get("array handle", 0) in handles) and record.text("type") not in _NOT_MAIN
        ]
    else:
        places = old
        arrays = [record for record in found if record.type == OLD_ARRAY]
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
        limit_mib=sum(_limit(record) for record in arrays) or None,
    ), modules


def _limit(record: Record) -> int:
    return record.number("maximum capacity") or record.number("maximum total memory size") or 0


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


def batteries(found: Iterable[Record]) -> list[Battery]:
    """Batteries as new; an empty bay is described as well, but names nothing."""
    listed = [
        Battery(
            name=record.text("location"),
            maker=record.text("manufacturer"),
            model=record.text("name"),
            serial=_serial(record),
            chemistry=chemistry(record.text("chemistry")),
            design_mwh=record.number("design capacity"),
        )
        for record in found
        if record.type == BATTERY
    ]
    return [battery for battery in listed if battery.maker or battery.model or battery.serial or battery.design_mwh]


def chemistry(text: str) -> str:
    """A battery's chemistry in the words of the Linux kernel; one that is not listed as it is written."""
    lower = text.lower()
    return next((name for start, name in _CHEMISTRIES if lower.startswith(start)), text)
