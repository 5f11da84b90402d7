"""One look at everything, and its result on disk: JSON for people and reports, ready objects for the resident process."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from types import ModuleType
from typing import Any

from .. import __version__, state
from ..errors import Unreadable
from .parts import Agent, Inventory, Memory, Module
from .rows import rows
from .source import Source
from .words import told_apart

FORMAT = 1


def collect(
    software: bool = False, users: bool = False, source: Source | None = None, reader: ModuleType | None = None
) -> Inventory:
    """Look at this machine, or at a recording; a part that cannot be read is left out and named among the limits."""
    started = time.monotonic()
    source = source or Source()
    reader = reader or _reader()

    def part(name: str, read: Callable[[Source], Any], nothing: Any) -> Any:
        try:
            return read(source)
        except Unreadable as error:
            source.missing(name, str(error))
        except Exception as error:  # the machine's state is hostile input: one odd part must not hide the others
            source.missing(name, f"{type(error).__name__}: {error}")
        return nothing

    none = Inventory()
    built: tuple[Memory, list[Module]] = part("memory modules", reader.memory, (none.memory, []))
    found = Inventory(
        machine=part("machine", reader.machine, none.machine),
        processors=tuple(part("processors", reader.processor_packages, ())),
        memory=built[0],
        modules=tuple(built[1]),
        disks=tuple(part("disks", reader.disks, ())),
        volumes=tuple(part("volumes", reader.volumes, ())),
        networks=tuple(part("network cards", reader.networks, ())),
        monitors=tuple(part("monitors", reader.monitors, ())),
        printers=tuple(part("printers", reader.printers, ())),
        batteries=tuple(part("batteries", reader.batteries, ())),
        system=part("operating system", reader.system, none.system),
        security=part("protection", reader.security, none.security),
        antivirus=tuple(part("antivirus", reader.antivirus, ())),
        stability=part("restarts", reader.stability, none.stability),
        software=tuple(part("software", reader.software, ())) if software else (),
        users=tuple(part("users", reader.users, ())) if users else (),
    )
    agent = Agent(
        version=__version__,
        inventory_time=int(time.time()),
        inventory_milliseconds=round((time.monotonic() - started) * 1000),
        privileged=source.privileged,
    )
    found = _own_serials(found)
    for name, reason in _unseen(found):
        source.missing(name, reason)
    return found._replace(agent=agent, limits=tuple(source.limits))


def _own_serials(found: Inventory) -> Inventory:
    """Serial numbers that several parts of a kind share tell none of them apart, so they count as absent."""

    def cleared(parts: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(
            part._replace(serial=own) for part, own in zip(parts, told_apart(part.serial for part in parts), strict=True)
        )

    return found._replace(
        modules=cleared(found.modules), disks=cleared(found.disks), monitors=cleared(found.monitors),
        batteries=cleared(found.batteries),
    )  # fmt: skip


def _unseen(found: Inventory) -> Iterator[tuple[str, str]]:
    """What every machine has and this look did not find; a reader that knew why has said so already."""
    machine, memory, system, security = found.machine, found.memory, found.system, found.security
    if not (machine.maker or machine.model):
        yield "machine", "neither system nor firmware names maker and model"
    if not machine.serial:
        yield "serial numbers", "the firmware holds none that is the machine's own"
    if not found.processors:
        yield "processors", "neither system nor firmware names one"
    for processor in found.processors:
        if processor.year is None:
            yield "year of the processor", f"its name belongs to no generation the agent knows: {processor.model or 'no name'}"
    if not found.modules:
        yield "memory modules", "the firmware describes none"
    elif memory.free_slots is None:
        yield "memory slots", "the firmware does not count them"
    if not found.disks:
        yield "disks", "the system shows none"
    for disk in found.disks:
        if not disk.medium:
            yield f"kind of {disk.name}", "neither the system nor the disk says whether it is an SSD or a hard disk"
    if not found.antivirus:
        yield "antivirus", "none that the agent knows is installed"
    unknown = {
        "last update": system.updated, "pending restart": system.restart_pending, "firewall": security.firewall,
        "encryption of the system volume": security.encrypted, "secure boot": security.secure_boot, "TPM": security.tpm,
    }  # fmt: skip
    yield from ((name, "the system does not say") for name, value in unknown.items() if value is None)


def _reader() -> ModuleType:
    return import_module(".windows" if os.name == "nt" else ".linux", __package__)


def as_json(inventory: Inventory) -> dict[str, Any]:
    """The inventory as JSON's types; what is not known is left out."""

    def plain(value: Any) -> Any:
        if isinstance(value, tuple) and hasattr(value, "_asdict"):
            return {name: plain(item) for name, item in value._asdict().items() if item not in (None, "")}
        return [plain(item) for item in value] if isinstance(value, list | tuple) else value

    found: dict[str, Any] = plain(inventory)
    return {"format": FORMAT, **found}


def keep(directory: str, enterprise: int, software: bool, users: bool) -> Inventory:
    """Look, and put the result into the state directory; raises StateError."""
    inventory = collect(software, users)
    state.prepare(directory)
    state.write(os.path.join(directory, state.INVENTORY), json.dumps(as_json(inventory), ensure_ascii=False, indent=1).encode())
    state.write_rows(directory, rows(inventory, enterprise))
    return inventory
