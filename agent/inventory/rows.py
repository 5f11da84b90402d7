"""An inventory as objects: HAIDANG-MIB by the table of `config.objects`, and the standard modules that have a place for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from config import objects
from snmp import ber
from snmp.oid import OID
from snmp.tree import Row

from ..tree import HOST, PHYSICAL_ENTRY, ZERO, at
from .parts import Disk, Inventory, Standing

_TAGS = {
    objects.TEXT: ber.OCTET_STRING,
    objects.NUMBER: ber.GAUGE32,
    objects.INTEGER: ber.INTEGER,
    objects.TIME: ber.GAUGE32,
    objects.TRUTH: ber.INTEGER,
    objects.CHOICE: ber.INTEGER,
}
_CHASSIS, _BOARD, _PROCESSORS, _MODULES, _DISKS, _NETWORKS, _MONITORS, _BATTERIES = 1, 2, 100, 200, 300, 400, 500, 600
"""Where the parts of a kind begin in entPhysicalTable."""
_OTHER_CLASS, _CHASSIS_CLASS, _MODULE_CLASS, _PORT_CLASS, _CPU_CLASS, _BATTERY_CLASS, _DRIVE_CLASS = 1, 3, 9, 10, 12, 14, 15
"""IANAPhysicalClass."""
_DEVICE_DISKS, _DEVICE_PRINTERS, _DEVICE_NETWORKS = 1000, 2000, 3000
"""Where the devices of a kind begin in hrDeviceTable; the processors, which are live, begin at 1."""
_STATUS = {"good": 2, "warning": 3, "failing": 3}
_GAUGE_LIMIT = 0xFFFFFFFF


def rows(inventory: Inventory, enterprise: int = objects.ENTERPRISE) -> list[Row]:
    """All objects of an inventory, in order."""
    found = [*_haidang(inventory, enterprise), *_entity(inventory), *_devices(inventory)]
    return sorted(found, key=lambda row: row[0])


def standing_rows(standing: Standing, enterprise: int = objects.ENTERPRISE) -> list[Row]:
    """The objects of how the agent stands, which change between two inventories."""
    return sorted(_haidang(Inventory(standing=standing), enterprise), key=lambda row: row[0])


def _haidang(inventory: Inventory, enterprise: int) -> Iterator[Row]:
    for group in objects.GROUPS:
        facts = getattr(inventory, group.fact)
        # Rows have the number of their part where it has one, else their place.
        numbered: Iterable[tuple[int, Any]] = (
            [(getattr(fact, "number", n), fact) for n, fact in enumerate(facts, 1)] if group.label else [(0, facts)]
        )
        for n, fact in numbered:
            for item in group.objects:
                value = getattr(fact, item.fact)
                if value is not None and value != "":
                    yield at(group.oid(item, enterprise), n), _TAGS[item.syntax], _value(item, value)


def _value(item: objects.Object, value: Any) -> ber.Value:
    if item.syntax == objects.TEXT:
        return text(value)
    if item.syntax == objects.TRUTH:
        return 1 if value else 2
    if item.syntax == objects.CHOICE:
        return item.choices.index(value) + 1
    least, most = (0, _GAUGE_LIMIT) if _TAGS[item.syntax] == ber.GAUGE32 else (-1 << 31, (1 << 31) - 1)
    return min(max(int(value), least), most)


def text(value: str) -> bytes:
    """UTF-8 of at most 255 octets, cut between letters."""
    data = value.encode("utf-8", "replace")
    return data if len(data) <= 255 else data[:255].decode("utf-8", "ignore").encode()


def _entity(inventory: Inventory) -> Iterator[Row]:
    """ENTITY-MIB's entPhysicalTable (RFC 6933)."""
    machine = inventory.machine
    yield from _part(
        _CHASSIS, 0, 0, _CHASSIS_CLASS, machine.chassis or "chassis", "Chassis", maker=machine.maker, model=machine.model,
        serial=machine.serial, hardware=machine.version, asset=machine.asset_tag,
    )  # fmt: skip
    if machine.uuid:
        yield at(PHYSICAL_ENTRY, 19, _CHASSIS), ber.OCTET_STRING, bytes.fromhex(machine.uuid.replace("-", ""))
    yield from _part(
        _BOARD, _CHASSIS, 1, _MODULE_CLASS, "Main board", "Board", maker=machine.board_maker, model=machine.board_model,
        serial=machine.board_serial, firmware=machine.bios_version,
    )  # fmt: skip
    for n, processor in enumerate(inventory.processors):
        yield from _part(
            _PROCESSORS + n, _BOARD, n + 1, _CPU_CLASS, "Processor", processor.name, maker=processor.maker, model=processor.model
        )
    for n, module in enumerate(inventory.modules):
        description = " ".join(filter(None, ("Memory module", f"{module.size_mib} MiB" if module.size_mib else "", module.type)))
        yield from _part(
            _MODULES + n, _BOARD, len(inventory.processors) + n + 1, _MODULE_CLASS, description, module.name,
            maker=module.maker, model=module.model, serial=module.serial,
        )  # fmt: skip
    for n, disk in enumerate(inventory.disks):
        description = " ".join(filter(None, ("Disk", disk.medium, disk.bus)))
        yield from _part(
            _DISKS + n, _CHASSIS, n + 2, _DRIVE_CLASS, description, disk.name, model=disk.model, serial=disk.serial,
            firmware=disk.firmware,
        )  # fmt: skip
    for n, network in enumerate(inventory.networks):
        description = f"Network card {network.medium}".strip()
        yield from _part(_NETWORKS + n, _BOARD, 50 + n, _PORT_CLASS, description, network.name, model=network.model)
    for n, monitor in enumerate(inventory.monitors):
        yield from _part(
            _MONITORS + n, 0, n + 1, _OTHER_CLASS, "Monitor", monitor.name, maker=monitor.maker, model=monitor.model,
            serial=monitor.serial,
        )  # fmt: skip
    for n, battery in enumerate(inventory.batteries):
        yield from _part(
            _BATTERIES + n, _CHASSIS, 50 + n, _BATTERY_CLASS, "Battery", battery.name, maker=battery.maker, model=battery.model,
            serial=battery.serial,
        )  # fmt: skip


def _part(
    n: int, within: int, place: int, kind: int, description: str, name: str, maker: str = "", model: str = "", serial: str = "",
    hardware: str = "", firmware: str = "", asset: str = "",
) -> Iterator[Row]:  # fmt: skip
    texts = {2: description, 7: name, 8: hardware, 9: firmware, 10: "", 11: serial, 12: maker, 13: model, 14: "", 15: asset}
    for column, value in texts.items():
        yield at(PHYSICAL_ENTRY, column, n), ber.OCTET_STRING, text(value)
    yield at(PHYSICAL_ENTRY, 3, n), ber.OBJECT_IDENTIFIER, ZERO
    replaceable = 1 if kind in (_MODULE_CLASS, _DRIVE_CLASS) and n != _BOARD else 2
    for column, number in ((4, within), (5, kind), (6, place), (16, replaceable)):
        yield at(PHYSICAL_ENTRY, column, n), ber.INTEGER, number


def _devices(inventory: Inventory) -> Iterator[Row]:
    """HOST-RESOURCES-MIB's hrDeviceTable beside the processors, and its tables for disks and network cards."""
    for n, disk in enumerate(inventory.disks, _DEVICE_DISKS):
        yield from _device(n, 6, disk.model or disk.name, _STATUS.get(disk.health, 1))
        yield from _disk_storage(n, disk)
    for n, printer in enumerate(inventory.printers, _DEVICE_PRINTERS):
        yield from _device(n, 5, " ".join(filter(None, (printer.name, printer.model))), 1)
    for n, network in enumerate(inventory.networks, _DEVICE_NETWORKS):
        yield from _device(n, 4, network.model or network.name, 2)
        yield at(HOST, 3, 4, 1, 1, n), ber.INTEGER, network.number


def _device(n: int, kind: int, description: str, status: int) -> Iterator[Row]:
    entry: OID = at(HOST, 3, 2, 1)
    yield at(entry, 1, n), ber.INTEGER, n
    yield at(entry, 2, n), ber.OBJECT_IDENTIFIER, at(HOST, 3, 1, kind)
    yield at(entry, 3, n), ber.OCTET_STRING, text(description)[:64].decode("utf-8", "ignore").encode()
    yield at(entry, 4, n), ber.OBJECT_IDENTIFIER, ZERO
    yield at(entry, 5, n), ber.INTEGER, status
    yield at(entry, 6, n), ber.COUNTER32, 0


def _disk_storage(n: int, disk: Disk) -> Iterator[Row]:
    entry = at(HOST, 3, 6, 1)
    yield at(entry, 1, n), ber.INTEGER, 1
    yield at(entry, 2, n), ber.INTEGER, 3 if disk.medium == "hdd" else 1 if disk.medium else 2
    yield at(entry, 3, n), ber.INTEGER, 1 if disk.removable else 2
    yield at(entry, 4, n), ber.INTEGER, min((disk.size_mb or 0) * 1000_000 // 1024, 0x7FFFFFFF)
