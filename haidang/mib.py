"""`haidang mib`: vendors' MIB modules, read for the names of their objects, so that walks and profiles speak in names."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from config.errors import ConfigError
from snmp.oid import OID

from .sentence import counted

ROOTS = {
    "iso": "1", "org": "1.3", "dod": "1.3.6", "internet": "1.3.6.1", "directory": "1.3.6.1.1", "mgmt": "1.3.6.1.2",
    "mib-2": "1.3.6.1.2.1", "transmission": "1.3.6.1.2.1.10", "experimental": "1.3.6.1.3", "private": "1.3.6.1.4",
    "enterprises": "1.3.6.1.4.1", "security": "1.3.6.1.5", "snmpV2": "1.3.6.1.6", "snmpDomains": "1.3.6.1.6.1",
    "snmpProxys": "1.3.6.1.6.2", "snmpModules": "1.3.6.1.6.3", "zeroDotZero": "0.0",
}  # fmt: skip
"""The object identifiers every module may begin from (RFC 2578 section 2 and RFC 1155)."""


def declare(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add = commands.add_parser("add", help="read modules; what was read before is kept")
    add.add_argument("files", nargs="+", type=Path, metavar="FILE", help="MIB modules as text, in any order")
    add.set_defaults(func=run_add)
    show = commands.add_parser("name", help="print the name of an object, or the object of a name")
    show.add_argument("what", metavar="OID|NAME")
    show.set_defaults(func=run_name)


def store() -> Path:
    """Where the names are kept: $HAIDANG_MIBS, else the user's data directory."""
    home = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(os.environ.get("HAIDANG_MIBS") or Path(home) / "haidang" / "mib-names.json")


@lru_cache(maxsize=1)
def names() -> dict[OID, str]:
    """Object -> name: what the profiles call their objects, then what was added from modules."""
    from config.profiles import Profiles

    profiles = Profiles()
    found = {o.oid: name for profile in profiles for name, o in profiles[profile].objects.items()}
    found.update((OID.parse(oid), name) for name, oid in _kept().items())
    return found


@lru_cache(maxsize=1)
def leaves() -> frozenset[OID]:
    """The named objects below which nothing else is named: columns and scalars."""
    known = sorted(names())
    return frozenset(oid for oid, following in zip(known, [*known[1:], OID()], strict=True) if not oid.covers(following))


def _kept() -> dict[str, str]:
    path = store()
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        return {str(name): str(oid) for name, oid in kept.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError) as e:
        raise ConfigError(f"{path}: cannot be read as names of objects ({e}); delete it and add the modules again") from e


def run_add(args: argparse.Namespace) -> int:
    """Read modules and keep their names; a module that cannot be read is said and the others go on."""
    known = {name: OID.parse(oid) for name, oid in {**ROOTS, **_kept()}.items()}
    waiting: dict[str, tuple[str, list[Any], Path]] = {}
    wrong = 0
    for path in args.files:
        try:
            for name, parts in _declared(path):
                waiting[name] = (name, parts, path)
        except ConfigError as e:
            print(f"haidang mib: {e}", file=sys.stderr)
            wrong += 1
    before = len(known)
    moved = True
    while moved:
        moved = False
        for name, parts, _ in list(waiting.values()):
            oid = _resolve(parts, known)
            if oid is not None:
                known[name] = oid
                del waiting[name]
                moved = True
    path = store()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({name: str(oid) for name, oid in sorted(known.items()) if name not in ROOTS}, indent=0)
        path.write_text(text, encoding="utf-8")
    except OSError as e:
        raise ConfigError(f"{path}: cannot be written ({e.strerror})") from e
    print(f"{counted(len(known) - before, 'name')} added, {counted(len(known) - len(ROOTS), 'name')} known ({path})")
    missing = sorted({str(parts[0]) for _, parts, _ in waiting.values()} - waiting.keys())
    if missing:
        need = ", ".join(missing[:8])
        left = counted(len(waiting), "name")
        print(f"haidang mib: {left} left out: add the module that defines {need} as well", file=sys.stderr)
    return 1 if wrong or missing else 0


def run_name(args: argparse.Namespace) -> int:
    """Look up one object or name."""
    if args.what[:1].isdigit() or args.what.startswith("."):
        oid = found(args.what)
        for n in range(len(oid), 0, -1):
            if (name := names().get(OID(oid[:n]))) is not None:
                print(".".join((name, *map(str, oid[n:]))))
                return 0
        print(f"haidang mib: nothing known of {oid}", file=sys.stderr)
        return 1
    print(found(args.what))
    return 0


def found(what: str) -> OID:
    """The object identifier that is written so: in numbers, or a known name and what follows it; raises ConfigError."""
    if what[:1].isdigit() or what.startswith("."):
        try:
            return OID.parse(what)
        except ValueError as e:
            raise ConfigError(str(e)) from e
    name, dot, rest = what.partition(".")
    for oid, known in names().items():
        if known == name:
            return found(f"{oid}{dot}{rest}")
    raise ConfigError(f"no object {name!r} is known: add its module with `haidang mib add FILE`")


def _declared(path: Path) -> Iterator[tuple[str, list[Any]]]:
    """(name, parent and arcs) of everything a module file declares; raises ConfigError."""
    from pysmi.error import PySmiError
    from pysmi.parser import SmiV1CompatParser

    try:
        modules = SmiV1CompatParser().parse(path.read_text(encoding="utf-8", errors="replace"))
    except OSError as e:
        raise ConfigError(f"{path}: cannot be read ({e.strerror})") from e
    except PySmiError as e:
        raise ConfigError(f"{path}: not a MIB module: {e}") from e
    for module in modules:
        for clause in module[3] or ():
            for part in clause:
                if isinstance(part, tuple) and part and part[0] == "objectIdentifier":
                    yield str(clause[1]), list(part[1])


def _resolve(parts: list[Any], known: dict[str, OID]) -> OID | None:
    """The object identifier of ``{ parent arc ... }``; an arc may be a number or a (name, number)."""
    first, *arcs = parts
    start = OID((first,)) if isinstance(first, int) else known.get(str(first[0] if isinstance(first, tuple) else first))
    if start is None:
        return None
    return start + [int(arc[1] if isinstance(arc, tuple) else arc) for arc in arcs]
