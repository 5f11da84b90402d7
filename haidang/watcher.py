"""What the collector's pages say, in a few numbers and sentences for the demonstration's terminal."""

from __future__ import annotations

import http.client
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from prometheus_client.parser import text_string_to_metric_families

from collector.model import State

_TIMEOUT = 10.0
_SHOWN = 5
"""Devices named in one sentence."""

_SPEED = "haidang_interface_speed_bytes_per_second"
_SPEED_LIMIT = "haidang_interface_speed_limit_bytes_per_second"
_UP = "haidang_interface_up"
_SIZE, _USED = "haidang_storage_size_bytes", "haidang_storage_used_bytes"
_SUPPLY = "haidang_supply_level_ratio"
_HEALTH = "haidang_disk_health"
_JUDGED = (_SPEED, _SPEED_LIMIT, _UP, _SIZE, _USED, _SUPPLY, _HEALTH)

FULL, LOW = 0.9, 0.1
"""A disk is nearly full, a supply nearly used up."""

Labels = tuple[tuple[str, str], ...]


@dataclass(slots=True)
class Picture:
    """The estate at one moment: device -> state, unit -> devices by state, and the collector's own numbers."""

    states: dict[str, State] = field(default_factory=dict)
    units: dict[str, Counter[State]] = field(default_factory=dict)
    numbers: dict[str, float] = field(default_factory=dict)

    def count(self) -> Counter[State]:
        """Devices by state."""
        return Counter(self.states.values())

    def asked(self) -> bool:
        """Has every device been asked at least once?"""
        return bool(self.states) and State.UNKNOWN not in self.states.values()


def fetch(url: str) -> str:
    """The text of a page; raises OSError for all that can go wrong."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=_TIMEOUT)
    try:
        connection.request("GET", parts.path or "/")
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != http.client.OK:
            raise OSError(f"{url}: status {answer.status}: {body[:200]!r}")
        return body.decode()
    except http.client.HTTPException as error:
        raise OSError(f"{url}: {error!r}") from error
    finally:
        connection.close()


def look(base: str) -> Picture:
    """Read `/metrics`; raises OSError."""
    picture = Picture()
    for name, labels, value in samples(fetch(f"{base}/metrics"), ("haidang_device_state", "haidang_collector_")):
        if name == "haidang_device_state":
            if value == 1:
                found = dict(labels)
                state = State(found["state"])
                picture.states[found["device"]] = state
                picture.units.setdefault(found["unit"], Counter())[state] += 1
        elif not labels:
            picture.numbers[name.removeprefix("haidang_collector_")] = value
    return picture


def samples(page: str, beginnings: tuple[str, ...]) -> Iterator[tuple[str, Labels, float]]:
    """The samples of a page whose names begin so: (name, labels, value)."""
    wanted = "\n".join(line for line in page.splitlines() if line.startswith(beginnings))
    for family in text_string_to_metric_families(f"{wanted}\n"):
        for sample in family.samples:
            yield sample.name, tuple(sample.labels.items()), sample.value


def troubles(picture: Picture) -> list[str]:
    """A sentence for every state that is not well."""
    told = []
    for state in State:
        devices = sorted(device for device, found in picture.states.items() if found == state)
        if state is State.UNREACHABLE:
            lost = sorted(unit for unit, states in picture.units.items() if states[state])
            told += [f"unit unreachable: {named(lost)}"] if lost else []
        elif state not in (State.UP, State.UNKNOWN) and devices:
            told.append(f"{state.value}: {named(devices)}")
    return told


def judge(page: str) -> list[str]:
    """What the polled values say is wrong, a sentence a kind: slow ports, full disks, failing disks, empty supplies."""
    values: dict[str, dict[Labels, float]] = {name: {} for name in _JUDGED}
    for name, labels, value in samples(page, _JUDGED):
        if name in values:
            values[name][labels] = value
    slow = [
        _place(labels)
        for labels, limit in values[_SPEED_LIMIT].items()
        if values[_UP].get(labels) == 1 and 0 < values[_SPEED].get(labels, 0) < limit
    ]
    full = [_place(labels) for labels, size in values[_SIZE].items() if size and values[_USED].get(labels, 0) >= FULL * size]
    failing = [_place(labels) for labels, value in values[_HEALTH].items() if value and ("health", "failing") in labels]
    empty = [_place(labels) for labels, value in values[_SUPPLY].items() if value <= LOW]
    sentences = (
        ("port slower than its card allows", slow),
        ("disk nearly full", full),
        ("disk failing", failing),
        ("supply nearly used up", empty),
    )
    return [f"{what}: {named(sorted(where))}" for what, where in sentences if where]


def _place(labels: Labels) -> str:
    found = dict(labels)
    thing = next((found[key] for key in ("interface", "storage", "disk", "supply") if key in found), "")
    return f"{found['device']} {thing}".strip()


def named(things: Iterable[str]) -> str:
    """The first few by name, the rest by number."""
    found = list(things)
    shown = ", ".join(found[:_SHOWN])
    return shown if len(found) <= _SHOWN else f"{shown} and {len(found) - _SHOWN} more"
