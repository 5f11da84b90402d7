"""The ledger of facts: what a device is made of, as paths and texts, and what changed between two readings. Pure.

A path is a word (``serial``, ``os.version``) or a thing, its name and a word (``interface[Gi0/1].speed_bps``). Moving values
(load, free space, sensors, whether a port is up) are metrics and stand in no ledger.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple, TypeVar

from ..model import Component, Device, Facts, Interface, Storage, Supply

Said = Mapping[str, str | None]
"""Path -> value. None: the device has the thing but does not say this just now, so what is known of it holds on."""

T = TypeVar("T", Interface, Component, Storage, Supply)


class Fact(NamedTuple):
    """A value and the time it held: `ended` is when something else was found, None while it still holds."""

    path: str
    value: str
    first_seen: float
    last_seen: float
    ended: float | None = None


class Change(NamedTuple):
    """What became different. `old` None: it appeared; `new` None: it went. `path` "device": the device itself."""

    device: str
    path: str
    old: str | None
    new: str | None
    when: float


class Difference(NamedTuple):
    """What a reading does to the open facts: paths that end, and (path, value) that begin."""

    ended: list[str]
    begun: list[tuple[str, str]]


def place(device: Device) -> dict[str, str]:
    """What the settings say of a device and the ledger dates: address and unit. A machine that only reports has port 0."""
    host = f"[{device.address}]" if ":" in device.address else device.address
    return {"address": device.address if device.port in (0, 161) else f"{host}:{device.port}", "unit": device.unit}


def flatten(facts: Facts) -> dict[str, str | None]:
    """The lasting facts of a reading. What the device does not say at all is not in it."""
    return {clean(path): value if value is None else clean(value) for path, value in _flatten(facts).items()}


def clean(text: str) -> str:
    """The text as every database takes it: PostgreSQL knows no NUL, and UTF-8 no lone surrogates."""
    return text if text.isprintable() else text.replace("\0", "").encode(errors="replace").decode()


def _flatten(facts: Facts) -> dict[str, str | None]:
    said: dict[str, str | None] = {
        "profile": facts.profile, "kind": facts.kind, "vendor": facts.vendor, "model": facts.model, "serial": facts.serial,
        "name": facts.name, "description": facts.description, "object_id": facts.object_id, "location": facts.location,
        "contact": facts.contact, "uuid": facts.uuid, "board_serial": facts.board_serial,
        "os.name": facts.os_name, "os.version": facts.os_version,
    }  # fmt: skip
    said = {path: value for path, value in said.items() if value and (path, value) != ("kind", "other")}
    if facts.processors:
        said["processor.count"] = str(len(facts.processors))
    for label, interface in _labelled(facts.interfaces):
        said.update(_interface(f"interface[{label}]", interface))
    for label, component in _labelled(facts.components):
        thing = f"component[{label}]"
        said[f"{thing}.kind"] = component.kind
        for word in ("model", "serial", "vendor", "version", "description"):
            if value := getattr(component, word):
                said[f"{thing}.{word}"] = value
    for kind, things in (("storage", facts.storage), ("memory", facts.memory)):
        for label, storage in _labelled(things):
            said[f"{kind}[{label}].size_bytes"] = _size(storage)
            if storage.kind:
                said[f"{kind}[{label}].kind"] = storage.kind
    for label, supply in _labelled(facts.supplies):
        said[f"supply[{label}].kind"] = supply.kind
    return said


def _interface(thing: str, interface: Interface) -> Iterator[tuple[str, str | None]]:
    # a port that is down says speed 0 and no duplex, which is no news of the port
    yield f"{thing}.speed_bps", str(interface.speed_bps) if interface.speed_bps else None
    yield f"{thing}.duplex", interface.duplex if interface.duplex in ("full", "half") else None
    for word in ("alias", "description", "mac", "admin"):
        value = getattr(interface, word)
        if value and value != interface.name:
            yield f"{thing}.{word}", value
    if interface.type is not None:
        yield f"{thing}.type", str(interface.type)


def _size(storage: Storage) -> str | None:
    # caches and buffers (net-snmp's) are as large as what is in them: a moving value
    if storage.size_bytes is None or storage.size_bytes == storage.used_bytes:
        return None
    return str(storage.size_bytes)


def _labelled(things: Iterable[T]) -> Iterator[tuple[str, T]]:
    """Things by name; those that share one get its ordinal, those without a name their index or ordinal."""
    seen: dict[str, int] = {}
    for thing in things:
        name = thing.name or (f"#{thing.index}" if isinstance(thing, Interface) else "")
        count = seen[name] = seen.get(name, 0) + 1
        yield (name if count == 1 and name else f"{name}#{count}"), thing


def compare(known: Mapping[str, str], said: Said, complete: bool = True) -> Difference:
    """What to end and what to begin so that the open facts `known` become what was `said`.

    A reading that is not `complete` ends nothing for not being mentioned.
    """
    ended = []
    begun = []
    for path, value in said.items():
        old = known.get(path)
        if value is None or value == old:
            continue
        if old is not None:
            ended.append(path)
        begun.append((path, value))
    if complete:
        ended += [path for path in known if path not in said]
    return Difference(ended, begun)
