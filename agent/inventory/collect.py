"""One look at everything, and its result on disk: JSON for people and reports, ready objects for the resident process."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any

from .. import __version__, state
from ..errors import Unreadable
from .parts import Agent, Inventory, Limit, Memory, Module
from .rows import rows
from .source import Source

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
    return found._replace(agent=agent, limits=tuple(Limit(*limit) for limit in source.limits))


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
