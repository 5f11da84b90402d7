"""What waits to be written to the inventory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

from ..model import Device, Facts, State

BACKLOG = 8
"""Readings kept of one device while the database cannot be written; the oldest go first."""


class Seen(NamedTuple):
    """How a device stands. `first` and `last` are answers within the time this stands for, None without one."""

    device: Device
    state: State
    since: float
    first: float | None
    last: float | None


class Described(NamedTuple):
    """Facts read from a device at a time. `facts` None: only what the settings say of it."""

    device: Device
    facts: Facts | None
    when: float
    complete: bool


@dataclass(slots=True)
class Batch:
    """Work to write, by device key; later work on the same thing replaces earlier."""

    seen: dict[str, Seen] = field(default_factory=dict)
    described: dict[str, list[Described]] = field(default_factory=dict)
    plans: dict[str, bytes] = field(default_factory=dict)
    forgotten: dict[str, float] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.seen or self.described or self.plans or self.forgotten)

    def keys(self) -> dict[str, None]:
        """The devices it is about, once each."""
        return dict.fromkeys((*self.seen, *self.described, *self.plans, *self.forgotten))

    def add_seen(self, new: Seen) -> None:
        """Note how a device stands; answers noted before are kept."""
        key = new.device.id
        self.forgotten.pop(key, None)
        old = self.seen.get(key)
        if old is not None:
            first = new.first if old.first is None else old.first
            last = old.last if new.last is None else new.last
            new = new._replace(first=first, last=last)
        self.seen[key] = new

    def add_described(self, new: Described) -> None:
        """Note a reading, after those that wait: each may hold a change."""
        waiting = self.described.setdefault(new.device.id, [])
        waiting.append(new)
        del waiting[:-BACKLOG]

    def split(self, size: int) -> Iterator[Batch]:
        """The same work in batches of at most `size` devices."""
        for keys in _chunks(self.keys(), size):
            yield Batch(
                {key: self.seen[key] for key in keys if key in self.seen},
                {key: self.described[key] for key in keys if key in self.described},
                {key: self.plans[key] for key in keys if key in self.plans},
                {key: self.forgotten[key] for key in keys if key in self.forgotten},
            )

    def add_older(self, older: Batch) -> None:
        """Take back work that could not be written, under what came since."""
        newer_seen, newer_described = self.seen, self.described
        self.seen, self.described = dict(older.seen), {key: list(waiting) for key, waiting in older.described.items()}
        for seen in newer_seen.values():
            self.add_seen(seen)
        for waiting in newer_described.values():
            for described in waiting:
                self.add_described(described)
        self.plans = {**older.plans, **self.plans}
        self.forgotten = {**{key: when for key, when in older.forgotten.items() if key not in newer_seen}, **self.forgotten}


def _chunks(things: Iterable[str], size: int) -> Iterator[list[str]]:
    rest = iter(things)
    while chunk := list(islice(rest, size)):
        yield chunk
