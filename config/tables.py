"""Checked reading of TOML tables: every key is declared, and every problem is told with its file and place."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from .secrets import Secret

Reader = Callable[[Any], Any]
"""Turns a TOML value into ours; raises ValueError("found X, expected Y")."""

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_RATES = {"": 1, "k": 1000, "M": 1000_000, "G": 1000_000_000}
_NAMES = {bool: "true or false", int: "a whole number", float: "a number", str: "a text", list: "a list", dict: "a table"}


@dataclass(frozen=True, slots=True)
class Key:
    """A key an operator may write; a `secret` one also as KEY_file or KEY_env. A `path` is relative to the file it stands in."""

    read: Reader
    default: Any = None
    required: bool = False
    secret: bool = False
    path: bool = False

    def spellings(self, name: str) -> tuple[str, ...]:
        """The names under which the key may stand in a file."""
        return (name, f"{name}_file", f"{name}_env") if self.secret else (name,)


class Address(NamedTuple):
    """A host (name, IPv4 or IPv6 without brackets) and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Table:
    """One table of a file on its way into a dataclass. Reading never stops at a problem; it adds it to `problems`."""

    __slots__ = ("_file", "_label", "_problems", "_raw")

    def __init__(self, raw: Mapping[str, Any], file: Path, label: str, problems: list[str]) -> None:
        self._raw = raw
        self._file = file
        self._label = label
        self._problems = problems

    @property
    def directory(self) -> Path:
        """Where the file stands: the paths written in it begin there."""
        return self._file.parent

    def wrong(self, key: str, message: str) -> None:
        """Note a problem with a key of this table (an empty key: with the table itself)."""
        self._problems.append(": ".join(filter(None, (str(self._file), self._label, key, message))))

    def has(self, key: str) -> bool:
        """Is the key written, in any of its spellings?"""
        return any(name in self._raw for name in (key, f"{key}_file", f"{key}_env"))

    def take(self, keys: Mapping[str, Key]) -> dict[str, Any]:
        """The values of all declared keys, defaults filled in; what is not declared or not readable is a problem."""
        raw = self._raw
        values: dict[str, Any] = {}
        seen = 0
        for name, key in keys.items():
            if key.secret:
                values[name], count = self._secret(name, key)
                seen += count
            elif name in raw:
                seen += 1
                values[name] = self._value(name, key, raw[name])
            else:
                values[name] = self._default(key)
                if key.required:
                    self.wrong(name, "is missing")
        if seen < len(raw):
            self._unknown(keys)
        return values

    def _value(self, name: str, key: Key, found: Any) -> Any:
        try:
            value = key.read(found)
        except ValueError as error:
            self.wrong(name, str(error))
            return self._default(key)
        return self._file.parent / value if key.path else value

    def _default(self, key: Key) -> Any:
        return self._file.parent / key.default if key.path and key.default is not None else key.default

    def _secret(self, name: str, key: Key) -> tuple[Any, int]:
        written = [spelling for spelling in key.spellings(name) if spelling in self._raw]
        if not written:
            if key.required:
                self.wrong(name, f"is missing; write {name}_file, {name}_env or {name}")
            return key.default, 0
        if len(written) > 1:
            self.wrong(name, f"is given {len(written)} times ({', '.join(written)}); keep one")
            return key.default, len(written)
        spelling = written[0]
        try:
            return key.read(Secret(self._secret_text(name, spelling))), 1
        except ValueError as error:
            self.wrong(spelling, str(error))
        return key.default, 1

    def _secret_text(self, name: str, spelling: str) -> str:
        given = text(self._raw[spelling], show=spelling != name)
        if spelling == name:
            return given
        if spelling.endswith("_env"):
            if not os.environ.get(given):
                raise ValueError(f"the environment has no variable {given}, or it is empty; set it before starting")
            return os.environ[given]
        path = self._file.parent / given
        try:
            content = path.read_text(encoding="utf-8-sig").strip("\r\n")
        except UnicodeDecodeError:
            raise ValueError(f"{path} is not UTF-8 text; expected one line with the secret") from None
        except OSError as error:
            raise ValueError(f"cannot read {path} ({error.strerror}); expected a file with the secret in one line") from None
        if not content or "\n" in content:
            raise ValueError(f"{path} is {'empty' if not content else 'several lines'}; expected one line with the secret")
        return content

    def _unknown(self, keys: Mapping[str, Key]) -> None:
        known = [spelling for name, key in keys.items() for spelling in key.spellings(name)]
        for name in self._raw:
            if name not in known:
                self.wrong(name, f"unknown key{suggest(name, known)}")


def suggest(name: str, known: Iterable[str]) -> str:
    """What was probably meant, as the end of a message."""
    return _suggest(name, tuple(dict.fromkeys(known)))


@lru_cache(maxsize=64)
def _suggest(name: str, known: tuple[str, ...]) -> str:
    close = get_close_matches(name, known, 1, 0.6)
    if close:
        return f'; did you mean "{close[0]}"?'
    if not known:
        return ""
    return f"; known: {', '.join(known[:20])}" + (f" and {len(known) - 20} more" if len(known) > 20 else "")


def expected(found: Any, what: str) -> ValueError:
    """The error for a value of the wrong type or form."""
    shown = repr(found) if isinstance(found, str | int | float) and len(repr(found)) <= 60 else ""
    kind = _NAMES.get(type(found), type(found).__name__)
    return ValueError(f"found {shown or kind}, expected {what}")


def text(found: Any, show: bool = True) -> str:
    """A text that is not empty."""
    if not isinstance(found, str):
        raise expected(found, "a text") if show else ValueError("found no text, expected one in quotes")
    if not found:
        raise ValueError("is empty, expected a text")
    if "\0" in found:
        raise ValueError("found a text with the character NUL, expected one without")
    return found


def as_given(found: Secret) -> Secret:
    """A secret of which nothing is asked."""
    return found


def name(found: Any) -> str:
    """A name others refer to: no blanks at its ends, no control characters, no slash (it stands in page addresses)."""
    value = text(found)
    if value != value.strip() or not value.isprintable() or "/" in value or len(value) > 120:
        raise expected(found, "a name of at most 120 characters without slashes, control characters or blanks at its ends")
    return value


def boolean(found: Any) -> bool:
    """true or false."""
    if not isinstance(found, bool):
        raise expected(found, "true or false")
    return found


def whole(least: int, most: int) -> Reader:
    """A reader of whole numbers between two bounds."""

    def read(found: Any) -> int:
        if not isinstance(found, int) or isinstance(found, bool) or not least <= found <= most:
            raise expected(found, f"a whole number from {least} to {most}")
        return found

    return read


def number(least: float, most: float) -> Reader:
    """A reader of numbers between two bounds."""

    def read(found: Any) -> float:
        if not isinstance(found, int | float) or isinstance(found, bool) or not least <= found <= most:
            raise expected(found, f"a number from {least:g} to {most:g}")
        return float(found)

    return read


def duration(least: float, most: float) -> Reader:
    """A reader of durations, such as "90s", "5m", "1h" or a number of seconds, into seconds."""

    def read(found: Any) -> float:
        what = f'a duration from {least:g} s to {most:.10g} s, such as "30s", "5m" or "1h"'
        seconds: float
        if isinstance(found, str):
            match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|s|m|min|h|d)", found)
            if not match:
                raise expected(found, what)
            seconds = float(match[1]) * _UNITS[match[2]]
        elif isinstance(found, int | float) and not isinstance(found, bool):
            seconds = float(found)
        else:
            raise expected(found, what)
        if not least <= seconds <= most:
            raise expected(found, what)
        return seconds

    return read


def bandwidth(found: Any) -> int:
    """Bits per second: a number, or "6 Mbit/s", "512 kbit/s", "1 Gbit/s"."""
    what = 'a bandwidth, such as "6 Mbit/s", "1 Gbit/s" or a number of bits per second'
    if isinstance(found, int) and not isinstance(found, bool) and found > 0:
        return found
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kMG]?)(?:bit/s|bps)", found) if isinstance(found, str) else None
    if not match or not (bits := round(float(match[1]) * _RATES[match[2]])):
        raise expected(found, what)
    return bits


def one_of(*allowed: str) -> Reader:
    """A reader of one of a few words."""

    def read(found: Any) -> str:
        if found not in allowed:
            words = ", ".join(f'"{word}"' for word in allowed)
            raise expected(found, words if len(allowed) == 1 else f"one of {words}")
        return str(found)

    return read


def alias(what: str, names: Mapping[str, str]) -> Reader:
    """A reader of names that have several spellings; upper and lower case are the same."""

    def read(found: Any) -> str:
        if not isinstance(found, str) or found.upper() not in names:
            raise expected(found, f"{what}: {', '.join(dict.fromkeys(names.values()))}")
        return names[found.upper()]

    return read


def address(port: int) -> Reader:
    """A reader of "host", "host:port", "IPv6" and "[IPv6]:port", with the port to take when none is written."""

    def read(found: Any) -> Address:
        what = 'an address, such as "10.1.2.3", "10.1.2.3:161", "[fd00::1]:161" or "switch.example"'
        if not isinstance(found, str):
            raise expected(found, what)
        host, at = found, str(port)
        if found.startswith("["):
            inside, bracket, rest = found[1:].partition("]")
            host, at = inside, rest[1:] if rest.startswith(":") else at
            if not bracket or ":" not in host or (rest and not rest.startswith(":")):
                raise expected(found, what)
        elif found.count(":") == 1:
            host, _, at = found.partition(":")
        if not (at.isascii() and at.isdigit() and 0 < int(at) < 65536 and _host(host)):
            raise expected(found, what)
        return Address(host, int(at))

    return read


_HOST = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*\.?")
_DIGITS = frozenset("0123456789.")


def _host(host: str) -> bool:
    if ":" not in host and not _DIGITS.issuperset(host):
        return len(host) < 254 and _HOST.fullmatch(host) is not None
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
