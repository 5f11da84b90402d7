"""Device profiles: what is asked of a device family and what its answers mean, read from YAML (docs/profiles.md)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from snmp.oid import OID

from .documents import Node, read
from .errors import ConfigError
from .expressions import Object
from .grammar import Use, read_facts, read_guesses, read_object, read_rule, used
from .rules import SECTIONS, Rule, Text, Value
from .tables import suggest

BUNDLED = Path(__file__).parent / "profiles"
GENERIC = "generic"
"""The profile of devices that no other matches: every standard MIB we know."""


class Cadence(StrEnum):
    """How often a column or scalar is asked: at every poll, or about hourly (names, serials, sizes, neighbours)."""

    POLL = "poll"
    INVENTORY = "inventory"


class Table(NamedTuple):
    """Columns of one conceptual row that are asked together, ascending, without index."""

    columns: tuple[OID, ...]
    cadence: Cadence


class Match(NamedTuple):
    """One way to recognise a family. An empty `object_id` matches all; `has` is an instance that must exist.

    `root`: where the family's objects begin, an OID whose ``*`` are the arcs that follow `object_id` in the device's sysObjectID.
    """

    object_id: OID
    description: re.Pattern[str] | None
    has: OID | None
    profile: str
    place: str
    root: str = ""

    def rooted(self, object_id: OID) -> OID:
        """The root for a device."""
        arcs = iter(object_id[len(self.object_id) :])
        return OID(next(arcs, 0) if part == "*" else int(part) for part in self.root.split("."))


class Head(NamedTuple):
    """What a profile is for, and how its devices are recognised."""

    description: str
    matches: tuple[Match, ...]


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Profile:
    """A device family.

    `guesses` are tried for what neither `facts` nor the enterprise number tells. `scalars` stand without the instance ``.0`` that
    is asked; those in `hourly` are asked about once an hour. `moving` are the columns and scalars that are read as measured
    values and for nothing else.
    """

    name: str
    description: str
    file: str
    extends: tuple[str, ...]
    objects: Mapping[str, Object]
    facts: Mapping[str, Text]
    guesses: Mapping[str, Text]
    uptime: Value
    rules: Mapping[str, tuple[Rule, ...]]
    scalars: tuple[OID, ...] = ()
    hourly: frozenset[OID] = frozenset()
    tables: tuple[Table, ...] = ()
    moving: frozenset[OID] = frozenset()


class Profiles:
    """The profiles there are: those bundled, and those of further directories. Each is read when it is asked for."""

    def __init__(self, directories: Iterable[Path] = ()) -> None:
        """Of `directories`, a file of the same name replaces a bundled one. Raises ConfigError for what is no directory."""
        files: dict[str, Path] = {}
        for directory in (BUNDLED, *directories):
            if not directory.is_dir():
                raise ConfigError(f"{directory} is no directory: expected one with profiles (*.yaml)")
            files.update((path.stem, path) for path in sorted(directory.glob("*.yaml")))
        self._files = files
        self._loading = _Loading(files)
        self._rooted: dict[str, Profile] = {}

    @classmethod
    def load(cls, directories: Iterable[Path] = ()) -> Profiles:
        """The same, all of them read and checked; raises ConfigError with every problem found."""
        profiles = cls(directories)
        profiles._loading.all()
        return profiles

    def __getitem__(self, name: str) -> Profile:
        """A profile by its name; ``name@root`` is the one whose objects begin at that OID. Raises ConfigError for a wrong one."""
        base, _, root = name.partition("@")
        profile = self._loading.one(base)
        if not root:
            return profile
        if name not in self._rooted:
            self._rooted[name] = self._loading.rooted(base, OID.parse(root))
        return self._rooted[name]

    def head(self, name: str) -> Head:
        """What a profile is for and matches, without reading what it asks; raises ConfigError."""
        return self._loading.head(name)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.partition("@")[0] in self._files

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)

    def choose(self, object_id: OID, descr: str, has: Collection[OID] = ()) -> Profile:
        """The profile of a device by its sysObjectID and sysDescr; the longest prefix wins, then the one that asks more.

        `has`: which of `asks(object_id, descr)` the device answered.
        """
        for match in self._candidates(object_id, descr):
            if match.has is None or match.has in has:
                return self[f"{match.profile}@{match.rooted(object_id)}" if match.root else match.profile]
        return self[GENERIC]

    def asks(self, object_id: OID, descr: str) -> tuple[OID, ...]:
        """Instances whose existence decides between families that share a sysObjectID (as all of net-snmp do)."""
        found = []
        for match in self._candidates(object_id, descr):
            if match.has is None:
                break
            found.append(match.has)
        return tuple(dict.fromkeys(found))

    def _candidates(self, object_id: OID, descr: str) -> Iterator[Match]:
        for n in range(len(object_id), -1, -1):
            for match in self._loading.by_prefix.get(OID(object_id[:n]), ()):
                if match.description is None or match.description.search(descr):
                    yield match


def _rank(match: Match) -> tuple[bool, bool, int, str]:
    pattern = match.description.pattern if match.description else ""
    return match.has is None, match.description is None, -len(pattern), match.profile


def _refuse_ties(matches: Iterable[Match]) -> None:
    seen: dict[tuple[str | None, OID | None], Match] = {}
    for match in matches:
        key = (match.description.pattern if match.description else None, match.has)
        if key in seen:
            raise ConfigError(
                f"{match.place}: the same match stands in {seen[key].place} (add a longer object_id, a description or has)"
            )
        seen[key] = match


_KEYS = ("description", "extends", "instead", "match", "objects", "facts", "guesses", *SECTIONS)


class _Loading:
    """Profiles on their way from files: each is read once, after those it extends."""

    def __init__(self, files: Mapping[str, Path]) -> None:
        self._files = files
        self._done: dict[str, Profile | None] = {}
        self._documents: dict[str, Node] = {}
        self._heads: dict[str, Head] = {}
        self._problems: list[str] = []

    def all(self) -> None:
        """Read every profile; raises ConfigError with every problem found."""
        for name in self._files:
            self._profile(name)
        if self._problems:
            raise ConfigError(*self._problems)
        if GENERIC not in self._done:
            raise ConfigError(f"no profile {GENERIC}.yaml: expected one for devices that no other matches")
        for matches in self.by_prefix.values():
            _refuse_ties(matches)

    def one(self, name: str) -> Profile:
        """A profile; raises KeyError when there is none of this name, and ConfigError with what is wrong with it."""
        if name not in self._files:
            raise KeyError(name)
        profile = self._profile(name)
        if profile is None or self._problems:
            raise ConfigError(*self._problems)
        return profile

    @cached_property
    def by_prefix(self) -> Mapping[OID, Sequence[Match]]:
        """What each profile matches, by the beginning of sysObjectID, best first; raises ConfigError."""
        found: dict[OID, list[Match]] = {}
        for name in self._files:
            for match in self.head(name).matches:
                found.setdefault(match.object_id, []).append(match)
        for matches in found.values():
            matches.sort(key=_rank)
        return found

    def head(self, name: str) -> Head:
        """What a profile's file begins with; raises ConfigError."""
        if name not in self._heads:
            document = read(self._files[name])
            keys = document.keys(_KEYS, ("description",))
            matches = tuple(_matches(name, keys["match"])) if "match" in keys else ()
            self._heads[name] = Head(keys["description"].text(), matches)
            self._documents[name] = document
        return self._heads[name]

    def _profile(self, name: str) -> Profile | None:
        if name not in self._done:
            self._done[name] = None
            try:
                rooted = any(match.root for match in self.head(name).matches)
                document = self._documents[name] if rooted else self._documents.pop(name)
                self._done[name] = self._build(name, document)
            except ConfigError as e:
                self._problems += e.problems
        return self._done[name]

    def rooted(self, name: str, root: OID) -> Profile:
        """A profile whose objects begin at `root`."""
        if name not in self._documents:
            raise KeyError(f"{name}@{root}")
        return self._build(name, self._documents[name], root)

    def _build(self, name: str, document: Node, root: OID | None = None) -> Profile:
        keys = document.keys(_KEYS, ("description",))
        head = self._heads[name]
        roots = [match.rooted(OID()) for match in head.matches if match.root]
        parents = self._parents(name, keys["extends"], root or next(iter(roots), None)) if "extends" in keys else []
        objects = {key: o for parent in parents for key, o in parent.objects.items()}
        if "objects" in keys:
            objects.update(self._objects(keys["objects"], objects, root or next(iter(roots), None)))
        facts, uptime = read_facts(keys["facts"], objects) if "facts" in keys else ({}, ())
        guesses = read_guesses(keys["guesses"], objects) if "guesses" in keys else {}
        for parent in parents:
            uptime = uptime or parent.uptime
            _inherit(facts, parent.facts)
            _inherit(guesses, parent.guesses)
        rules = self._rules(keys, parents, objects)
        use = used([rule for section in rules.values() for rule in section], (*facts.values(), *guesses.values()), uptime)
        scalars, hourly, tables = _questions(use)
        return Profile(
            name=f"{name}@{root}" if root else name,
            description=head.description,
            file=document.file,
            extends=tuple(parent.name for parent in parents),
            objects=objects,
            facts=facts,
            guesses=guesses,
            uptime=uptime,
            rules=rules,
            scalars=scalars,
            hourly=hourly,
            tables=tables,
            moving=_oids(o for o in use.moving if o.hourly is not True) - _oids(use.states | use.seldom),
        )

    def _parents(self, name: str, node: Node, root: OID | None) -> list[Profile]:
        parents = []
        for one in node.list():
            wanted = one.text()
            if wanted not in self._files:
                others = (other for other in sorted(self._files) if other != name)
                raise one.found(f"the name of a profile{suggest(wanted, others)}")
            if wanted == name or (wanted in self._done and self._done[wanted] is None):
                raise one.error(f"{wanted!r} cannot be extended: it has an error of its own, or extends {name} itself")
            parent = self._profile(wanted)
            if parent is None:
                raise one.error(f"{wanted!r} cannot be extended: it has an error of its own, or extends {name} itself")
            parents.append(self.rooted(wanted, root) if root and wanted in self._documents else parent)
        return parents

    def _objects(self, node: Node, known: Mapping[str, Object], root: OID | None) -> dict[str, Object]:
        objects = {}
        for key, one in node.items("object names with their OIDs"):
            found = read_object(key, one, root)
            if key in known and (known[key].oid, known[key].scalar) != (found.oid, found.scalar):
                raise one.error(f"{key} is {known[key].oid} in what is extended: give one of the two another name")
            objects[key] = found
        return objects

    def _rules(
        self, keys: Mapping[str, Node], parents: list[Profile], objects: Mapping[str, Object]
    ) -> dict[str, tuple[Rule, ...]]:
        instead = set()
        for one in keys["instead"].list() if "instead" in keys else ():
            if one.text() not in SECTIONS:
                raise one.found(f"one of {', '.join(SECTIONS)}")
            instead.add(one.text())
        rules: dict[str, tuple[Rule, ...]] = {}
        for section in SECTIONS:
            found: list[Rule] = []
            for one in keys[section].list() if section in keys else ():
                try:
                    found.append(read_rule(section, one, objects))
                except ConfigError as e:
                    self._problems += e.problems
            if section not in instead:
                for parent in parents:
                    found += (rule for rule in parent.rules.get(section, ()) if not any(rule is other for other in found))
            if found:
                rules[section] = tuple(found)
        return rules


def _inherit(texts: dict[str, Text], parent: Mapping[str, Text]) -> None:
    for key, text in parent.items():
        own = texts.get(key, ())
        texts[key] = (*own, *(source for source in text if not any(source is other for other in own)))


def _matches(name: str, node: Node) -> Iterator[Match]:
    for one in node.list():
        keys = one.keys(("object_id", "description", "has", "root"))
        if not keys:
            raise one.found("object_id, description or has")
        description = keys["description"].pattern() if "description" in keys else None
        root = keys["root"].text() if "root" in keys else ""
        if root and not re.fullmatch(r"\d+(\.(\d+|\*))*", root):
            raise keys["root"].found("an OID, with * for the arcs that follow object_id in sysObjectID")
        for prefix in keys["object_id"].list() if "object_id" in keys else [None]:
            has = _oid(keys["has"]) if "has" in keys else None
            yield Match(_oid(prefix) if prefix else OID(), description, has, name, _place(one), root)


def _place(node: Node) -> str:
    return f"{node.file}: {node.path}"


def _oid(node: Node) -> OID:
    try:
        return OID.parse(node.text())
    except ValueError as e:
        raise node.error(str(e)) from None


def _oids(objects: Iterable[Object]) -> frozenset[OID]:
    return frozenset(one.oid for one in objects)


def _questions(use: Use) -> tuple[tuple[OID, ...], frozenset[OID], tuple[Table, ...]]:
    """What must be asked for all that is read: scalars, those of them that are hourly, tables."""
    seldom_asked: dict[tuple[OID, bool], bool] = {}
    for one in use.moving | use.states | use.seldom:
        key = one.oid, one.scalar
        seldom = (one not in use.moving and one not in use.states) if one.hourly is None else one.hourly
        seldom_asked[key] = seldom_asked.get(key, True) and seldom
    scalars = {oid: seldom for (oid, scalar), seldom in seldom_asked.items() if scalar}
    columns: dict[tuple[OID, Cadence], list[OID]] = {}
    for (oid, scalar), seldom in seldom_asked.items():
        if not scalar:
            columns.setdefault((OID(oid[:-1]), Cadence.INVENTORY if seldom else Cadence.POLL), []).append(oid)
    tables = tuple(Table(tuple(sorted(columns[table])), table[1]) for table in sorted(columns))
    return tuple(sorted(scalars)), frozenset(oid for oid, seldom in scalars.items() if seldom), tables
