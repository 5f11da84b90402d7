"""`haidang profile`: the device profiles that are there, whether they are right, and what a walk holds that none reads."""

from __future__ import annotations

import argparse
import re
from collections import defaultdict
from pathlib import Path

from collector.polling.learn import SYS_DESCR, SYS_OBJECT_ID, columns
from collector.polling.plan import arrange
from collector.polling.translate import translate
from config.errors import ConfigError
from config.profiles import Cadence, Profile, Profiles
from config.units import SENSOR_CLASSES
from exporters.device import device_page
from snmp.message import VarBind
from snmp.oid import OID

from . import snmprec
from .check import profiles_with
from .sentence import counted

ENTERPRISES = OID((1, 3, 6, 1, 4, 1))
EXAMPLES = 2


def declare(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, run, text in (
        ("list", run_list, "all profiles and what they match"),
        ("check", run_check, "read all profiles and say what is wrong with them"),
        ("show", run_show, "what one profile asks, and how often"),
        ("draft", run_draft, "read a walk: which profile it gets, what that says, and what no profile reads"),
    ):
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("--profiles", type=Path, metavar="DIR", help="a directory with further profiles")
        command.set_defaults(func=run)
        if name == "show":
            command.add_argument("name")
        if name == "draft":
            command.add_argument("walk", type=Path, metavar="WALK.snmprec")
            command.add_argument("--profile", default="", help="read it by this profile instead of the one that matches")


def run_list(args: argparse.Namespace) -> int:
    """One line a profile."""
    profiles = profiles_with(args.profiles)
    width = max(map(len, profiles))
    for name in sorted(profiles):
        head = profiles.head(name)
        matches = ", ".join(sorted({str(match.object_id) or "any" for match in head.matches}))
        print(f"{name:{width}}  {head.description}" + (f" [{matches}]" if matches else ""))
    return 0


def run_check(args: argparse.Namespace) -> int:
    """Reading raises ConfigError with all that is wrong."""
    profiles = Profiles.load([args.profiles] if args.profiles else [])
    own = sum(Path(profiles[name].file).parent == args.profiles for name in profiles) if args.profiles else 0
    of_these = f", {own or 'none'} of them from {args.profiles}" if args.profiles else ""
    print(f"{counted(len(profiles), 'profile')}{of_these}: all right")
    return 0


def run_show(args: argparse.Namespace) -> int:
    """What a profile asks."""
    profiles = profiles_with(args.profiles)
    if args.name not in profiles:
        raise ConfigError(f"no profile {args.name!r}: `haidang profile list` shows all")
    profile = profiles[args.name]
    names = {found.oid: name for name, found in profile.objects.items()}
    print(f"{profile.name}: {profile.description}\nfile {profile.file}")
    if profile.extends:
        print(f"extends {', '.join(profile.extends)}")
    for title, oids in (
        ("asked at every poll", [*_scalars(profile, Cadence.POLL), *_columns(profile, Cadence.POLL)]),
        ("asked about hourly", [*_scalars(profile, Cadence.INVENTORY), *_columns(profile, Cadence.INVENTORY)]),
    ):
        print(f"{title}:")
        for oid in sorted(set(oids)):
            print(f"  {oid}  {names.get(oid, '')}".rstrip())
    return 0


def _scalars(profile: Profile, cadence: Cadence) -> list[OID]:
    return [OID(oid) for oid in profile.scalars if (oid in profile.hourly) is (cadence is Cadence.INVENTORY)]


def _columns(profile: Profile, cadence: Cadence) -> list[OID]:
    return [OID(column) for table in profile.tables if table.cadence is cadence for column in table.columns]


def run_draft(args: argparse.Namespace) -> int:
    """Print the page of a recorded device, then what is in the walk that its profile does not read."""
    profiles = profiles_with(args.profiles)
    rows = snmprec.read(args.walk)
    if not rows:
        raise ConfigError(f"{args.walk}: holds no object, expected lines OID|TAG|VALUE (`haidang walk -o FILE` writes them)")
    found = {row.oid: row for row in rows}
    profile = _choose(profiles, found, args.profile)
    print(device_page(str(args.walk), translate(profile, arrange(rows, columns(profile))).facts))
    asked = columns(profile)
    unread: dict[OID, list[VarBind]] = defaultdict(list)
    for row in rows:
        if not any(column.covers(row.oid) for column in asked):
            unread[_object(row.oid)].append(row)
    print(f"# read by profile {profile.name}; {counted(len(unread), 'object')} that it does not read:")
    for object_id, some in sorted(unread.items(), key=lambda item: (not ENTERPRISES.covers(item[0]), item[0])):
        values = ", ".join(_value(row) for row in some[:EXAMPLES])
        more = f" and {len(some) - EXAMPLES} more" if len(some) > EXAMPLES else ""
        print(f"#   {object_id}  {name_of(object_id)}  {values}{more}".replace("  " * 2, "  "))
    print(_skeleton(found, profile, unread))
    return 0


def _choose(profiles: Profiles, found: dict[OID, VarBind], wanted: str) -> Profile:
    if wanted:
        if wanted not in profiles:
            raise ConfigError(f"no profile {wanted!r}: `haidang profile list` shows all")
        return profiles[wanted]
    object_id, descr = (found.get(name) for name in (SYS_OBJECT_ID, SYS_DESCR))
    oid = object_id.value if object_id is not None and isinstance(object_id.value, OID) else OID()
    text = descr.value.decode("utf-8", "replace") if descr is not None and isinstance(descr.value, bytes) else ""
    return profiles.choose(oid, text, [name for name in profiles.asks(oid, text) if name in found])


def _object(instance: OID) -> OID:
    """The object of an instance: the one that the MIBs name, else all but the last arc."""
    from .mib import leaves

    known = leaves()
    return next((oid for n in range(len(instance) - 1, 0, -1) if (oid := OID(instance[:n])) in known), OID(instance[:-1]))


def name_of(oid: OID) -> str:
    """A name for an object from the MIBs that were added, or nothing."""
    from .mib import names

    return names().get(oid, "")


def _value(row: VarBind) -> str:
    value = row.value
    return repr(value.decode("utf-8", "replace")[:40]) if isinstance(value, bytes) else str(value)


def _skeleton(found: dict[OID, VarBind], profile: Profile, unread: dict[OID, list[VarBind]]) -> str:
    row = found.get(SYS_OBJECT_ID)
    object_id = row.value if row is not None and isinstance(row.value, OID) else "ITS sysObjectID"
    named = {
        re.sub(r"-(\w?)", lambda found: found[1].upper(), name): f"{oid}{'.0' * (some[0].oid == oid + [0])}"
        for oid, some in sorted(unread.items())
        if ENTERPRISES.covers(oid) and (name := name_of(oid))
    }
    objects = [f"  {name}: {oid}" for name, oid in named.items()]
    if profile.name != "generic":
        return "\n".join((f"# What profile {profile.name} could read as well:", "objects:", *objects)) if objects else ""
    return "\n".join(
        (
            "# A profile to begin with (docs/profiles.md says what can stand in it); take out the objects that tell nothing:",
            "description: SAY WHAT IT IS",
            f"extends: [{profile.name}]",
            "match:",
            f"  - object_id: {object_id}",
            *(["objects:", *objects] if objects else ["# objects:   # `haidang mib add` the vendor's MIB, and they stand here"]),
            "# sensors:",
            f"#   - class: temperature   # one of {', '.join(SENSOR_CLASSES)}",
            '#     name: "{someName}"',
            "#     value: someTemperature",
            "#     unit: 0.1 C",
        )
    )
