"""The settings of discovery, `[[discovery]]`: where to look, with what, how often, and what is accepted without asking."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import time
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from .ranges import Ranges, parse
from .rules import KINDS
from .tables import Key, Table, boolean, duration, expected, name, suggest, text, whole

SWEPT = 65_536
"""Addresses at most that one discovery asks one by one."""


@dataclass(frozen=True, slots=True)
class Accept:
    """A rule: what a find must be so that it is polled without anybody being asked. Each is a list of patterns (``*``, ``?``),
    upper and lower case alike, one of which must fit; an empty list is fitted by all."""

    kind: tuple[str, ...] = ()
    vendor: tuple[str, ...] = ()
    model: tuple[str, ...] = ()
    profile: tuple[str, ...] = ()

    def fits(self, kind: str, vendor: str, model: str, profile: str) -> bool:
        """Does the rule accept it?"""
        pairs = ((self.kind, kind), (self.vendor, vendor), (self.model, model), (self.profile, profile))
        return all(
            not patterns or any(fnmatchcase(value.casefold(), pattern.casefold()) for pattern in patterns)
            for patterns, value in pairs
        )


@dataclass(frozen=True, slots=True)
class Discovery:
    """Where and how one unit's machines are looked for. `every` is seconds, `at` the time of day; both None: by hand only.

    `credentials` are names in the order they are tried; `sweep`: each address is asked, not only those that leases and
    neighbours tell of.
    """

    unit: str
    ranges: Ranges
    credentials: tuple[str, ...]
    max_credentials: int
    port: int
    sweep: bool
    neighbours: bool
    leases: tuple[Path, ...]
    every: float | None
    at: time | None
    accept: tuple[Accept, ...]

    def accepts(self, kind: str, vendor: str, model: str, profile: str) -> bool:
        """Is such a find polled without anybody being asked?"""
        return any(rule.fits(kind, vendor, model, profile) for rule in self.accept)


def _texts(found: Any) -> tuple[str, ...]:
    if not isinstance(found, list) or not found:
        raise expected(found, "a list of texts that is not empty")
    return tuple(text(one) for one in found)


def _names(found: Any) -> tuple[str, ...]:
    if not isinstance(found, list) or not found:
        raise expected(found, "a list of names that is not empty")
    names = tuple(name(one) for one in found)
    for at, one in enumerate(names):
        if one in names[:at]:
            raise ValueError(f"{one!r} is given twice")
    return names


def _ranges(found: Any) -> tuple[str, ...]:
    texts = _texts(found)
    for one in texts:
        parse(one)
    return texts


def _time(found: Any) -> time:
    match = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)", found) if isinstance(found, str) else None
    if match:
        return time(int(match[1]), int(match[2]))
    if isinstance(found, time) and not found.second and not found.microsecond:
        return found
    raise expected(found, 'a time of day, such as "02:30"')


def _rules(found: Any) -> tuple[Accept, ...]:
    words = tuple(field.name for field in fields(Accept))
    what = 'a list of rules, such as [{kind = "printer"}, {kind = ["switch", "router"], vendor = "Cisco"}]'
    if not isinstance(found, list) or not all(isinstance(rule, dict) for rule in found):
        raise expected(found, what)
    rules = []
    for rule in found:
        if not rule:
            raise ValueError(f'found a rule that says nothing, expected {what}; {{kind = "*"}} accepts everything')
        for key in rule:
            if key not in words:
                raise ValueError(f"unknown key {key!r} in a rule{suggest(key, words)}")
        patterns = {key: _texts([value] if isinstance(value, str) else value) for key, value in rule.items()}
        for kind in patterns.get("kind", ()):
            if not any(fnmatchcase(known, kind.casefold()) for known in KINDS):
                raise ValueError(f"found kind {kind!r} in a rule, expected one of {', '.join(KINDS)}")
        rules.append(Accept(**patterns))
    return tuple(rules)


KEYS: Mapping[str, Key] = {
    "unit": Key(name, "", required=True),
    "ranges": Key(_ranges, (), required=True),
    "exclude": Key(_ranges, ()),
    "port": Key(whole(1, 65535), 161),
    "credentials": Key(_names, (), required=True),
    "max_credentials": Key(whole(1, 20), 3),
    "sweep": Key(boolean, True),
    "neighbours": Key(boolean, True),
    "leases": Key(_texts, ()),
    "every": Key(duration(600, 31 * 86400)),
    "at": Key(_time),
    "accept": Key(_rules, ()),
}
"""Key -> how it is read, of a table `[[discovery]]`."""


def read(tables: Iterable[Table], units: Mapping[str, object], credentials: Mapping[str, object]) -> dict[str, Discovery]:
    """The discoveries by unit, from their tables, in which problems are noted."""
    found: dict[str, Discovery] = {}
    for table in tables:
        values = table.take(KEYS)
        allowed = values["ranges"]
        ranges = values["ranges"] = Ranges(allowed, values.pop("exclude"))
        values["leases"] = tuple(table.directory / file for file in values["leases"])
        one = Discovery(**values)
        _check(table, one, units, credentials)
        if not (count := ranges.count()) and allowed:
            table.wrong("ranges", "no address is left to ask; expected some that exclude does not take away")
        elif one.sweep and count > SWEPT:
            right = "give smaller ranges, or sweep = false to ask only those that leases and neighbours tell of"
            table.wrong("ranges", f"hold {count} addresses, at most {SWEPT} are asked one by one; {right}")
        for other in found.values():
            if common := ranges.common(other.ranges):
                table.wrong("ranges", f'{common} is in the ranges of unit "{other.unit}" too; an address belongs to one unit')
        if one.unit in found:
            table.wrong("unit", f'"{one.unit}" is given twice; write all ranges of a unit in one [[discovery]]')
        found[one.unit] = one
    return found


def _check(table: Table, one: Discovery, units: Mapping[str, object], credentials: Mapping[str, object]) -> None:
    """What goes together, and what exists."""
    if one.unit and one.unit not in units:
        table.wrong("unit", f'no [[unit]] has the id "{one.unit}"{suggest(one.unit, units)}')
    for credential in one.credentials:
        if credential not in credentials:
            table.wrong("credentials", f'no [[credential]] has the name "{credential}"{suggest(credential, credentials)}')
    if one.every is not None and one.at is not None:
        table.wrong("at", "is given beside every; keep one of them")
    if not one.sweep and not one.neighbours and not one.leases:
        table.wrong("sweep", "is false, and there are neither neighbours nor leases: nothing would be asked")
