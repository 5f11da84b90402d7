"""What the agent knows of its machine, for people."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from config import objects

from . import service
from .inventory.collect import as_json, collect
from .inventory.parts import Inventory
from .load import Load

_BYTES = ("B", "KiB", "MiB", "GiB", "TiB")
_LOOK = 0.2
"""Seconds between the two looks that tell how busy the processors are."""


def show(as_json: bool, software: bool, users: bool) -> None:
    """Print all facts: a page, or JSON."""
    inventory, now = collect(software, users), live()
    if as_json:
        json.dump({**_plain(inventory), "now": now}, sys.stdout, ensure_ascii=False, indent=2)
        print()
    else:
        print("\n".join(page(inventory, now)))


def _plain(inventory: Inventory) -> dict[str, Any]:
    return as_json(inventory)


def live() -> dict[str, Any]:
    """What is read at the moment somebody asks, as JSON's types."""
    source = service.source()
    load = Load()
    load.sample(0.0, source.processor_times())
    traffic = source.traffic()
    host = source.host()
    interfaces = source.interfaces()
    spaces = [*source.memory(), *source.volumes()]
    time.sleep(_LOOK)
    return {
        "name": host.name,
        "description": host.description,
        "uptime_seconds": round(time.time() - host.boot_time),
        "users": source.users(),
        "processes": source.processes(),
        "processor_load_percent": load.sample(_LOOK, source.processor_times()),
        "storage": [space._asdict() for space in spaces],
        "interfaces": [
            {
                **interface._asdict(),
                "mac": interface.mac.hex(":"),
                **(traffic[interface.name]._asdict() if interface.name in traffic else {}),
            }
            for interface in interfaces
        ],
        "sensors": [sensor._asdict() for sensor in source.sensors()],
    }


def page(inventory: Inventory, now: dict[str, Any]) -> list[str]:
    """The lines of the page."""
    lines = [f"{now['name']}: {now['description']}", ""]
    up = now["uptime_seconds"]
    lines += _block("Now", [
        ("uptime", f"{up // 86400} d {up // 3600 % 24} h {up // 60 % 60} min"),
        ("processor load", ", ".join(f"{load} %" for load in now["processor_load_percent"])),
        ("processes", str(now["processes"])),
        ("users logged in", str(now["users"])),
        *((sensor["name"], f"{sensor['celsius']:.1f} °C") for sensor in now["sensors"]),
    ])  # fmt: skip
    lines += _table("Memory and volumes", ("name", "kind", "size", "used", "file system"), [
        (s["name"], s["kind"], _bytes(s["size_bytes"]), _share(s["used_bytes"], s["size_bytes"]), s["filesystem"])
        for s in now["storage"]
    ])  # fmt: skip
    lines += _table("Interfaces", ("name", "state", "speed", "duplex", "MAC", "received", "sent", "errors"), [
        (
            i["name"], i["oper"], _speed(i["speed_bps"]), {True: "full", False: "half"}.get(i["full_duplex"], "-"),
            i["mac"] or "-", _bytes(i.get("receive_bytes", 0)), _bytes(i.get("transmit_bytes", 0)),
            str(i.get("receive_errors", 0) + i.get("transmit_errors", 0)),
        )
        for i in now["interfaces"]
    ])  # fmt: skip
    for group in objects.GROUPS:
        facts = getattr(inventory, group.fact)
        title = group.help.rstrip(".")
        if not group.label:
            lines += _block(title, _pairs(group, facts))
        elif group.fact == "limits":
            lines += _block("Not seen", [(limit.name, limit.reason) for limit in facts])
        else:
            for fact in facts:
                lines += _block(f"{group.name[2:]} {fact.name}".rstrip(), [p for p in _pairs(group, fact) if p[0] != "name"])
    return lines


def _pairs(group: objects.Group, fact: Any) -> list[tuple[str, str]]:
    pairs = []
    for item in group.objects:
        value = getattr(fact, item.fact)
        if value is not None and value != "":
            pairs.append((_label(item), _value(item, value)))
    return pairs


def _label(item: objects.Object) -> str:
    words = item.fact.split("_")
    return " ".join(words[:-1] if len(words) > 1 and words[-1] in _UNIT_WORDS else words)


_UNIT_WORDS = frozenset(("mib", "mb", "mhz", "mts", "mbps", "dbm", "percent", "px", "mm", "mwh", "gb", "milliseconds"))


def _value(item: objects.Object, value: Any) -> str:
    if item.syntax == objects.TRUTH:
        return "yes" if value else "no"
    if item.syntax == objects.TIME:
        return time.strftime("%Y-%m-%d %H:%M", time.localtime(value))
    units = {"percent": "%", "degrees Celsius": "°C", "milliseconds": "ms", "pixels": "px", "millimeters": "mm"}
    unit = units.get(item.unit, item.unit)
    return f"{value} {unit}" if unit and unit not in ("cores", "threads", "sectors", "errors") else str(value)


def _block(title: str, pairs: list[tuple[str, str]]) -> list[str]:
    if not pairs:
        return []
    width = max(len(label) for label, _ in pairs)
    return [title, *(f"  {label:<{width}}  {value}" for label, value in pairs), ""]


def _table(title: str, heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    if not rows:
        return []
    widths = [max(len(row[n]) for row in (heads, *rows)) for n in range(len(heads))]
    lines = ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)) for row in (heads, *rows)]
    return [title, *(f"  {line}".rstrip() for line in lines), ""]


def _bytes(n: float) -> str:
    unit = 0
    while n >= 1024 and unit < len(_BYTES) - 1:
        n, unit = n / 1024, unit + 1
    return f"{n:.0f} {_BYTES[unit]}" if unit == 0 or n >= 100 else f"{n:.1f} {_BYTES[unit]}"


def _share(used: int, size: int) -> str:
    return f"{_bytes(used)} ({100 * used // size} %)" if size else _bytes(used)


def _speed(bps: int | None) -> str:
    if not bps:
        return "-"
    return f"{bps / 1e9:g} Gbit/s" if bps >= 1e9 else f"{bps / 1e6:g} Mbit/s"
