"""One device as a page of text, for people at a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from collector.model import Facts, Interface, Storage
from config.units import SENSOR_CLASSES

ROWS = 60
"""Ports shown at most; the JSON form has them all."""


def device_page(name: str, facts: Facts | None, message: str = "") -> str:
    """What a device is and how it stands; `message` says what could not be read."""
    if facts is None:
        return f"{name}\n  not read: {message}\n"
    return "\n".join((name, *_page(facts), *([f"  not read: {message}"] if message else []))) + "\n"


def make(vendor: str, model: str) -> str:
    """Vendor and model as one says them; empty when neither is known."""
    named = model.casefold().startswith(vendor.casefold())  # SMBIOS repeats the make in the model
    return " ".join(filter(None, ("" if named else vendor, model)))


def _page(facts: Facts) -> Iterator[str]:
    serial = f", serial {facts.serial}" if facts.serial else ""
    yield f"  {facts.kind}: {make(facts.vendor, facts.model) or 'unknown make'}{serial}"
    system = " ".join(filter(None, (facts.os_name, facts.os_version)))
    for label, value in (
        ("name", facts.name), ("system", system), ("up", duration(facts.uptime_seconds)), ("location", facts.location),
        ("contact", facts.contact), ("says", facts.description[:100]), ("profile", facts.profile),
    ):  # fmt: skip
        if value:
            yield f"  {label:10}{value}"
    if facts.processors:
        loads = [f"{p.load_percent:g} %" for p in facts.processors if p.load_percent is not None]
        yield f"  processor {len(facts.processors)}" + (f", load {', '.join(loads[:16])}" if loads else "")
    for label, rows in (("memory", facts.memory), ("storage", facts.storage)):
        yield from _table(label, [[row.name, _used(row)] for row in rows])
    yield from _table("sensor", [[s.name, f"{s.value:g} {SENSOR_CLASSES[s.kind].unit}"] for s in facts.sensors])
    levels = ((s.name, s.level if s.level_percent is None else f"{s.level_percent:g} %") for s in facts.supplies)
    yield from _table("supply", [*levels])
    yield from _table("part", [[c.name, c.kind, c.model, c.serial] for c in facts.components if c.model or c.serial])
    yield from _table("port", [_port(port) for port in facts.interfaces[:ROWS]])
    if len(facts.interfaces) > ROWS:
        yield f"            and {len(facts.interfaces) - ROWS} more"
    yield from _table("beside", [[n.local_port, n.remote_name, n.remote_port] for n in facts.neighbours])


def _table(label: str, rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Rows in aligned columns, the label before the first one."""
    if not rows:
        return
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for i, row in enumerate(rows):
        cells = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield f"  {label if i == 0 else '':10}{cells}".rstrip()


def _port(port: Interface) -> list[str]:
    state = port.oper or "?"
    if port.admin == "down":
        state = "disabled"
    speed = bits(port.speed_bps) if port.speed_bps and state == "up" else ""
    duplex = f"{port.duplex} duplex" if port.duplex and state == "up" else ""
    return [port.name or str(port.index), state, speed, duplex, port.mac, port.alias]


def _used(row: Storage) -> str:
    if row.used_percent is not None:
        return f"{row.used_percent:.0f} % (size unknown)"
    if row.size_bytes is None:
        return "size unknown"
    if row.used_bytes is None or not row.size_bytes:
        return size(row.size_bytes)
    return f"{size(row.used_bytes)} of {size(row.size_bytes)} ({100 * row.used_bytes / row.size_bytes:.0f} %)"


def size(octets: float) -> str:
    """Bytes with a binary prefix."""
    return _scaled(octets, 1024, ("B", "KiB", "MiB", "GiB", "TiB", "PiB"))


def bits(rate: float) -> str:
    """Bits a second with a decimal prefix."""
    return _scaled(rate, 1000, ("bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"))


def _scaled(number: float, step: int, names: Iterable[str]) -> str:
    *smaller, largest = names
    for name in smaller:
        if number < step:
            return f"{number:.3g} {name}" if number < 1000 else f"{number:.0f} {name}"
        number /= step
    return f"{number:.3g} {largest}"


def duration(seconds: float | None) -> str:
    """A span of time as people say it; empty for None."""
    if seconds is None:
        return ""
    minutes = int(seconds) // 60
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    if days:
        return f"{days} days {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
