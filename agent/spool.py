"""What waits for its acknowledgement, on disk: append-only segments of records with checksums, bounded, and whole after a
power cut up to the last `put` that returned.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from .errors import StateError

SEGMENT = 1 << 16
"""Bytes after which another file is begun; a file goes when nothing in it is waited for."""
_MAGIC = b"hdR1"
_HEAD = struct.Struct(">4sIIBQ")
"""Magic, CRC-32 of the rest, octets of the payload, kind, name."""
_CHECKED = 8
_DONE, _LOW, _HIGH = range(3)
_SUFFIX = ".spool"


def inherit(directory: str, names: Sequence[str], say: Callable[[str], None]) -> None:
    """Let spools that are new at this start go on from those that are none any more: the collector has another address."""
    try:
        before = sorted(os.listdir(directory))
        new = [name for name in names if name not in before]
        for old, name in zip([one for one in before if one not in names], new, strict=False):
            os.rename(os.path.join(directory, old), os.path.join(directory, name))
    except FileNotFoundError:
        return
    except OSError as error:
        say(f"{directory}: what waited there for another address is left: {error.strerror}")


class Place(NamedTuple):
    """Where a record stands: in which segment, the payload's offset and size."""

    segment: int
    at: int
    size: int
    high: bool


class Spool:
    """Payloads by name (a whole number below 2^64), in the order of their names. `say` takes a line for the journal.

    At most `limit` bytes of files: when they are full the oldest low-value payloads go first, and the oldest of all only when
    nothing else is left. What cannot be read is left out and said.
    """

    def __init__(self, directory: str, limit: int, say: Callable[[str], None], segment: int = SEGMENT) -> None:
        self._directory = directory
        self._limit = max(limit, 4 * segment)
        self._segment = segment
        self._say = say
        self._places: dict[int, Place] = {}
        self._sizes: dict[int, int] = {}
        self._live: dict[int, int] = {}
        self._file = -1
        self._sorted = False
        self.dropped = 0
        """Payloads that were given up for want of room since the start."""
        names: list[str] = []
        try:
            os.makedirs(directory, mode=0o700, exist_ok=True)
            names = sorted(name for name in os.listdir(directory) if name.endswith(_SUFFIX) and name[:-6].isdigit())
        except OSError as error:
            say(f"{directory}: reports cannot be kept there: {error.strerror}")
        for name in names:
            try:
                self._read(int(name[:-6]))
            except OSError as error:
                say(f"{os.path.join(directory, name)}: cannot be read, its reports are left out: {error.strerror}")
        self._number = max((int(name[:-6]) for name in names), default=0)
        self._sweep()

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[int]:
        """The names that wait, oldest first."""
        if not self._sorted:
            self._places = dict(sorted(self._places.items()))
            self._sorted = True
        return iter(self._places)

    def __contains__(self, name: int) -> bool:
        return name in self._places

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(self._sizes.values())

    def oldest(self) -> int | None:
        """The smallest name that waits."""
        return next(iter(self), None)

    def put(self, name: int, payload: bytes, high: bool = False) -> None:
        """Keep a payload; when this returns it survives a power cut. Raises StateError, and then it is not kept."""
        kind = _HIGH if high else _LOW
        self._sorted = self._sorted and name > next(reversed(self._places), -1)
        try:
            self._make_room(len(payload) + _HEAD.size)
            self._places[name] = self._append(kind, name, payload)
            os.fsync(self._file)
        except OSError as error:
            self._forget(name)
            raise StateError(f"{self._directory}: a report cannot be kept: {error.strerror}") from None

    def get(self, name: int) -> bytes:
        """A payload that waits; raises StateError when it cannot be read, and KeyError for a name that does not wait."""
        place = self._places[name]
        try:
            with open(self._path(place.segment), "rb") as file:
                file.seek(place.at)
                payload = file.read(place.size)
        except OSError as error:
            raise StateError(f"{self._path(place.segment)}: cannot be read: {error.strerror}") from None
        if len(payload) != place.size:
            raise StateError(f"{self._path(place.segment)}: has lost a report")
        return payload

    def done(self, name: int) -> None:
        """Wait no longer for a payload. If this gets lost in a power cut the payload waits again."""
        if name not in self._places:
            return
        try:
            self._append(_DONE, name, b"")
        except OSError as error:
            self._say(f"{self._directory}: an acknowledgement cannot be kept: {error.strerror}")
        self._forget(name)
        self._sweep()

    def close(self) -> None:
        """Let go of the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    # -- files

    def _path(self, number: int) -> str:
        return os.path.join(self._directory, f"{number:010}{_SUFFIX}")

    def _forget(self, name: int) -> None:
        place = self._places.pop(name, None)
        if place is not None:
            self._live[place.segment] -= place.size + _HEAD.size

    def _read(self, number: int) -> None:
        """Take over a segment; what is damaged in it is left out."""
        with open(self._path(number), "rb") as file:
            data = file.read()
        self._sizes[number], self._live[number] = len(data), 0
        at = damaged = 0
        while at < len(data):
            found = self._record(data, at)
            if found is None:
                after = data.find(_MAGIC, at + 1)
                damaged += (after if after >= 0 else len(data)) - at
                at = after if after >= 0 else len(data)
                continue
            kind, name, size = found
            start = at + _HEAD.size
            self._forget(name)
            if kind != _DONE:
                self._places[name] = Place(number, start, size, kind == _HIGH)
                self._live[number] += size + _HEAD.size
            at = start + size
        if damaged:
            self._say(f"{self._path(number)}: {damaged} damaged octets are left out")

    @staticmethod
    def _record(data: bytes, at: int) -> tuple[int, int, int] | None:
        """(kind, name, size) of the record at an offset, None where there is no whole one."""
        if len(data) - at < _HEAD.size:
            return None
        magic, crc, size, kind, name = _HEAD.unpack_from(data, at)
        end = at + _HEAD.size + size
        if magic != _MAGIC or kind > _HIGH or end > len(data) or zlib.crc32(data[at + _CHECKED : end]) != crc:
            return None
        return kind, name, size

    def _append(self, kind: int, name: int, payload: bytes) -> Place:
        if self._file < 0 or self._sizes[self._number] >= self._segment:
            self._begin()
        rest = _HEAD.pack(_MAGIC, 0, len(payload), kind, name)[_CHECKED:] + payload
        record = _MAGIC + zlib.crc32(rest).to_bytes(4, "big") + rest
        written = 0
        try:
            while written < len(record):
                written += os.write(self._file, record[written:])
        except OSError:
            # half a record: the next one begins behind it, and readers find it by its magic
            self._sizes[self._number] += written
            raise
        at = self._sizes[self._number] + _HEAD.size
        self._sizes[self._number] += len(record)
        if kind != _DONE:
            self._live[self._number] += len(record)
        return Place(self._number, at, len(payload), kind == _HIGH)

    def _begin(self) -> None:
        self.close()
        os.makedirs(self._directory, mode=0o700, exist_ok=True)
        number = self._number + 1
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | getattr(os, "O_BINARY", 0)
        self._file = os.open(self._path(number), flags, 0o600)
        self._number = number
        self._sizes[number] = self._live[number] = 0
        if os.name != "nt":
            directory = os.open(self._directory, os.O_RDONLY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)

    # -- room

    def _sweep(self) -> None:
        """Remove the oldest segments while nothing in them waits. In order, for an acknowledgement must not go before what it
        acknowledges."""
        for number in sorted(self._sizes):
            if self._live[number] or (number == self._number and self._file >= 0):
                return
            self._remove(number)

    def _remove(self, number: int) -> None:
        if number == self._number:
            self.close()
        try:
            os.unlink(self._path(number))
        except OSError as error:
            self._say(f"{self._path(number)}: cannot be removed: {error.strerror}")
        del self._sizes[number], self._live[number]

    def _make_room(self, size: int) -> None:
        before, rounds = self.dropped, len(self._sizes)
        while self._sizes and self.size + size > self._limit:
            self._reclaim(min(self._sizes), sum(self._live.values()) > self._limit // 4 * 3, rounds <= 0)
            rounds -= 1
        if self.dropped > before:
            self._say(f"{self._directory}: full; {self.dropped - before} of the oldest reports are given up")

    def _reclaim(self, number: int, full: bool, desperate: bool) -> None:
        """Free the oldest segment: what waits in it moves on, or is given up when all is `full` of what waits."""
        if number == self._number:
            self._begin()
        for name in [name for name, place in self._places.items() if place.segment == number]:
            place = self._places[name]
            if full and (desperate or not place.high):
                self.dropped += 1
                self._forget(name)
                continue
            try:
                payload = self.get(name)
            except StateError as error:
                self._say(str(error))
                self.dropped += 1
                self._forget(name)
                continue
            moved = self._append(_HIGH if place.high else _LOW, name, payload)
            self._forget(name)
            self._places[name] = moved
            self._sorted = False
        if self._file >= 0:
            os.fsync(self._file)
        self._remove(number)
