"""Workstations as the agent answers for them: IF-MIB, EtherLike-MIB, HOST-RESOURCES-MIB (RFC 2790) and HAIDANG-MIB."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from uuid import UUID

from config import objects
from snmp import ber
from snmp.oid import OID
from snmp.tree import Source

from . import interfaces
from .cabling import hardware_address
from .hardware import LINUX, SUPPORT_ENDS, WINDOWS_7, Hardware, draw
from .interfaces import FULL, HALF, LOOPBACK, Port
from .life import level
from .links import half_duplex, link_speed, traffic
from .sheet import Cell, Sheet, counter, gauge, identifier, integer, text, under
from .site import Site, put_system

_HOST = OID((1, 3, 6, 1, 2, 1, 25))
_STORAGE, _DEVICE = under(_HOST, 2, 3, 1), under(_HOST, 3, 2, 1)
_RAM, _VIRTUAL, _FIXED = (under(_HOST, 2, 1, kind) for kind in (2, 3, 4))
_PROCESSOR, _NETWORK, _DISK = (under(_HOST, 3, 1, kind) for kind in (3, 4, 6))
_NOWHERE = OID((0, 0))
_HANOI = datetime.timezone(datetime.timedelta(hours=7))
_BLOCK = 4096
_DAY = 86400
_FIRST_CORE, _FIRST_CARD, _FIRST_DISK = 1, 1001, 2001
"""hrDeviceIndex of the first device of a kind."""

Known = bool | int | str | None


def put(sheet: Sheet, site: Site) -> None:
    """Add all of a workstation's objects."""
    hardware = draw(site.machine)
    product = under(objects.root(), objects.PRODUCTS, 2 if hardware.windows else 1)
    put_system(sheet, site, hardware.description, product, 72)
    card = _card(site, hardware)
    loop = Port(1, "lo", "Loopback", type=LOOPBACK, speed=0, mtu=65536, duplex=0)
    if hardware.windows:
        loop.name, loop.description = "Loopback Pseudo-Interface 1", "Software Loopback Interface 1"
    interfaces.put(sheet, site.life, [loop, card])
    _put_system(sheet, site, hardware)
    _put_storage(sheet, site, hardware)
    _put_devices(sheet, site, hardware)
    _put_haidang(sheet, site, hardware, card)


def _card(site: Site, hardware: Hardware) -> Port:
    machine = site.machine
    receives, sends = traffic(machine)
    speed = 1000
    if machine.address in site.cabling.attachments:
        speed = link_speed(*site.cabling.attachments[machine.address], machine, site.life.link)
    return Port(
        2,
        "Ethernet" if hardware.windows else "enp2s0",
        hardware.model.card,
        hardware_address(machine, hardware.model.oui),
        speed=speed,
        duplex=HALF if half_duplex(machine) else FULL,
        receives=receives,
        sends=sends,
    )


def _put_system(sheet: Sheet, site: Site, hardware: Hardware) -> None:
    skew = site.epoch + hardware.clock_skew

    def date(now: float) -> bytes:
        at = datetime.datetime.fromtimestamp(now + skew, _HANOI)
        return (
            b"\x04\x0b" + at.year.to_bytes(2, "big") + bytes((at.month, at.day, at.hour, at.minute, at.second, 0)) + b"+\x07\x00"
        )

    sheet.scalars(
        under(_HOST, 1),
        {1: site.life.ticks, 2: date, 5: gauge(1), 6: level(site.life, 95, 190, ber.GAUGE32), 7: integer(0)},
    )


def _put_storage(sheet: Sheet, site: Site, hardware: Hardware) -> None:
    pages = hardware.memory // _BLOCK
    sheet.put(under(_HOST, 2, 2, 0), integer(hardware.memory // 1024))
    rows: list[tuple[OID, str, int, Cell]] = [
        (_RAM, "Physical memory", pages, level(site.life, pages * 0.45, pages * 0.85)),
        (_VIRTUAL, "Swap space", pages * 2, level(site.life, pages * 0.5, pages * 1.1)),
    ]
    rows += [(_FIXED, name, size // _BLOCK, integer(used // _BLOCK)) for name, size, used in hardware.volumes]
    for index, (kind, name, size, used) in zip((1, 2, 31, 32), rows, strict=False):
        sheet.row(
            _STORAGE,
            (index,),
            {1: integer(index), 2: identifier(kind), 3: text(name), 4: integer(_BLOCK), 5: integer(size), 6: used, 7: counter(0)},
        )


def _put_devices(sheet: Sheet, site: Site, hardware: Hardware) -> None:
    model = hardware.model
    devices = [(_FIRST_CORE + core, _PROCESSOR, model.processor) for core in range(model.cores)]
    devices += [(_FIRST_CARD + 2, _NETWORK, model.card), (_FIRST_DISK, _DISK, hardware.disk)]
    for index, kind, name in devices:
        sheet.row(
            _DEVICE,
            (index,),
            {1: integer(index), 2: identifier(kind), 3: text(name), 4: identifier(_NOWHERE), 5: integer(2), 6: counter(0)},
        )
    for core in range(model.cores):
        load: Source = level(site.life, core, 35 + 3 * core)
        sheet.row(under(_HOST, 3, 3, 1), (_FIRST_CORE + core,), {1: identifier(_NOWHERE), 2: load})


def _put_haidang(sheet: Sheet, site: Site, hardware: Hardware, card: Port) -> None:
    """HAIDANG-MIB: what is known of the machine beyond the standard modules."""
    machine, model, windows = site.machine, hardware.model, hardware.windows
    random = machine.random("haidang")
    started = int(site.epoch + site.life.engine.started)
    version, build = hardware.version
    memory, uuid = hardware.memory >> 20, UUID(int=random_identity(machine.identity))
    copied = f"{machine.identity % 36**7:07X}"
    _scalars(
        sheet, "agent", {"version": "0.1.0", "inventory_time": started + 60, "inventory_milliseconds": 840, "privileged": True}
    )
    _scalars(
        sheet,
        "machine",
        {
            "maker": model.vendor, "model": model.name, "serial": copied, "uuid": str(uuid), "chassis": "desktop",
            "board_maker": model.vendor, "board_model": model.name, "bios_version": "1.14.0",
            "bios_date": f"{hardware.year}-06-15",
        },
    )  # fmt: skip
    _table(
        sheet, "processors",
        [{"name": "CPU0", "model": model.processor, "maker": "Intel", "cores": max(2, model.cores // 2), "threads": model.cores,
          "clock_mhz": model.frequency, "year": model.first_year}],
    )  # fmt: skip
    _scalars(sheet, "memory", {"total_mib": memory, "slots": hardware.slots, "free_slots": hardware.slots - hardware.modules,
                               "limit_mib": hardware.slots * 8192})  # fmt: skip
    kind = "DDR3" if hardware.year < 2016 else "DDR4"
    _table(
        sheet, "modules",
        [{"name": f"DIMM{n + 1}", "size_mib": memory // hardware.modules, "type": kind, "form": "DIMM",
          "speed_mts": 1600 if kind == "DDR3" else 2666, "maker": "Kingston"} for n in range(hardware.modules)],
    )  # fmt: skip
    age = max(1, 2026 - hardware.year)
    bad = {"good": 0, "warning": 3, "failing": 214}[hardware.health]
    _table(
        sheet, "disks",
        [{"name": "0" if windows else "sda", "model": hardware.disk, "serial": f"S{machine.seed % 36**9:09X}",
          "size_mb": hardware.disk_bytes // 1_000_000, "medium": "ssd" if hardware.solid else "hdd", "bus": "sata",
          "removable": False,
          "system": True, "health": hardware.health, "wear_percent": min(99, age * 7) if hardware.solid else None,
          "celsius": random.randint(28, 46), "hours": age * random.randint(1500, 2400), "cycles": age * 240, "reallocated": bad,
          "pending": bad // 4, "uncorrectable": 0}],
    )  # fmt: skip
    _table(
        sheet, "volumes",
        [{"name": name, "filesystem": "NTFS" if windows else "ext4", "disk": "0" if windows else "sda",
          "encrypted": hardware.encrypted, "system": first == 0} for first, (name, _, _) in enumerate(hardware.volumes)],
    )  # fmt: skip
    _table(
        sheet,
        "networks",
        [{"name": card.name, "medium": "wired", "model": model.card, "limit_mbps": 1000, "bus": "pci"}],
        (card.index,),
    )
    _table(sheet, "monitors", [{"name": "1", "maker": "Dell", "model": "E2016H", "serial": f"CN0{machine.seed % 36**6:06X}",
                                "year": hardware.year, "width_px": 1600, "height_px": 900}])  # fmt: skip
    if hardware.printer:
        _table(sheet, "printers", [{"name": hardware.printer, "model": hardware.printer, "connection": "usb", "port": "USB001",
                                    "default": True}])  # fmt: skip
    _scalars(
        sheet, "system",
        {"name": hardware.system, "version": version, "build": build, "architecture": "x86_64",
         "installed": started - age * 200 * _DAY,
         "support_end": SUPPORT_ENDS[hardware.system], "restart_pending": random.random() < 0.1,
         "updated": started - random.randint(1, 400) * _DAY, "domain": "WORKGROUP"},
    )  # fmt: skip
    modern = hardware.system not in (WINDOWS_7, LINUX)
    _scalars(sheet, "security", {"firewall": hardware.firewall, "firewall_name": "Windows Firewall" if windows else "nftables",
                                 "encrypted": hardware.encrypted, "secure_boot": modern and hardware.year >= 2019,
                                 "tpm": hardware.year >= 2018, "uefi": hardware.year >= 2013})  # fmt: skip
    if hardware.antivirus:
        updated = started - (1 if hardware.current else 90) * _DAY
        _table(sheet, "antivirus", [{"name": hardware.antivirus, "version": "12.1", "enabled": True, "current": hardware.current,
                                     "updated": updated}])  # fmt: skip
    _scalars(sheet, "stability", {"boot_time": started, "unexpected": hardware.unexpected, "starts": 22 + hardware.unexpected})


def random_identity(identity: int) -> int:
    """128 bits of a version 4 UUID from a machine's identity."""
    value = identity << 64 | identity * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF
    return value & ~(0xF000 << 64) & ~(0xC000 << 48) | 0x4000 << 64 | 0x8000 << 48


_GROUPS = {group.fact: (group, {item.fact: item for item in group.objects}) for group in objects.GROUPS}


def _scalars(sheet: Sheet, fact: str, values: Mapping[str, Known]) -> None:
    """A group without rows: the object's fact -> value; None is left out."""
    group, items = _GROUPS[fact]
    for name, value in values.items():
        if value is not None:
            sheet.put(under(group.oid(items[name]), 0), _cell(items[name], value))


def _table(sheet: Sheet, fact: str, rows: list[dict[str, Known]], indices: tuple[int, ...] = ()) -> None:
    """A group's rows, numbered from 1 unless `indices` say otherwise."""
    group, items = _GROUPS[fact]
    for index, row in zip(indices or range(1, len(rows) + 1), rows, strict=True):
        for name, value in row.items():
            if value is not None:
                sheet.put(under(group.oid(items[name]), index), _cell(items[name], value))


def _cell(item: objects.Object, value: Known) -> Cell:
    if item.syntax == objects.CHOICE:
        return integer(item.choices.index(str(value)) + 1)
    if isinstance(value, bool):
        return integer(1 if value else 2)
    if isinstance(value, str):
        return text(value)
    assert value is not None
    return integer(value) if item.syntax == objects.INTEGER else gauge(max(0, value))
