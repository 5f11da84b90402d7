"""`haidang device`: the inventory; which machine a device is and why; answer the questions of identity, take answers back."""

from __future__ import annotations

import argparse
import getpass
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

from collector.errors import CollectorError
from collector.estate.identity import Verdict
from collector.estate.inventory import Inventory, Record
from collector.estate.machines import Act, Doubt, Held, Machine, Machines, Sighting, Why
from config import settings
from exporters.device import make

from . import changes
from .columns import aligned
from .moment import minute
from .options import add_config, check_unit

NAME = "a device's id in the settings, or a machine's number"


def declare(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, func: Callable[[Machines, argparse.Namespace], Iterable[str]], help: str) -> Any:
        command = commands.add_parser(name, help=help, description=help[0].upper() + help[1:] + ".")
        add_config(command)
        command.set_defaults(func=lambda args: run(func, args))
        return command

    listed = "the inventory: every device, what it is, how it stands and when it answered last"
    command = commands.add_parser("list", help=listed, description=listed[0].upper() + listed[1:] + ".")
    add_config(command)
    command.add_argument("--unit", metavar="U", help="only of this unit")
    command.add_argument("--json", action="store_true", help="one JSON object a line")
    command.set_defaults(func=run_list)
    changes.add_parsers(commands)
    add("why", why, "what is known of a machine's identity, and the points that decided").add_argument(
        "name", metavar="ID", help=NAME
    )
    add("doubts", doubts, "the open questions: are these two machines one?")
    for name, func, help in (
        ("merge", merge, "ID and OTHER are one machine, which keeps ID's number"),
        ("apart", apart, "ID and OTHER are two machines; nobody is asked again"),
    ):
        pair = add(name, func, help)
        pair.add_argument("one", metavar="ID", help=NAME)
        pair.add_argument("other", metavar="OTHER", help=NAME)
    add("split", split, "these devices, now one machine with others, are a machine of their own").add_argument(
        "devices", metavar="DEVICE", nargs="+", help="a device's id in the settings"
    )
    add("undo", undo, "take back a merge, split or apart").add_argument(
        "act", metavar="ACT", nargs="?", type=int, help="the act's number, as `why` shows it; the last one unless named"
    )


def run(func: Callable[[Machines, argparse.Namespace], Iterable[str]], args: argparse.Namespace) -> int:
    """Carry out a command on the inventory that the settings name; 1 when it cannot be done."""
    url = settings.read(args.config).collector.database.reveal()
    try:
        with closing(Machines.open(url)) as machines:
            for line in func(machines, args):
                print(line)
    except CollectorError as error:
        print(f"haidang: {error}", file=sys.stderr)
        return 1
    return 0


_PATHS = ("unit", "address", "kind", "vendor", "model", "serial", "name", "os.name", "os.version", "location")


def run_list(args: argparse.Namespace) -> int:
    """The inventory as it was last written."""
    found = settings.read(args.config)
    if args.unit is not None:
        check_unit(found, args.unit, args.config)
    try:
        with closing(Inventory.open(found.collector.database.reveal())) as inventory:
            records, said = inventory.devices(), inventory.said(_PATHS)
    except CollectorError as error:
        print(f"haidang: {error}", file=sys.stderr)
        return 1
    known = [
        (key, said.get(key, {}), record)
        for key, record in records.items()
        if record.forgotten is None and args.unit in (None, said.get(key, {}).get("unit"))
    ]
    known.sort(key=lambda one: (one[1].get("unit", ""), one[0]))
    if not known:
        print("haidang device: the inventory has no such device yet; the collector writes it", file=sys.stderr)
        return 1
    if args.json:
        for key, facts, record in known:
            times = {name: getattr(record, name) for name in ("first_seen", "last_seen", "since")}
            print(json.dumps({"id": key, "state": record.state, **times, **facts}, ensure_ascii=False))
        return 0
    heads = ("DEVICE", "UNIT", "ADDRESS", "STATE", "KIND", "MAKE", "SERIAL", "SYSTEM", "LAST ANSWER")
    print("\n".join(aligned([heads, *(_row(*one) for one in known)])))
    return 0


def _row(key: str, facts: Mapping[str, str], record: Record) -> Sequence[str]:
    unit, address, kind, serial = (facts.get(path, "") for path in ("unit", "address", "kind", "serial"))
    what = make(facts.get("vendor", ""), facts.get("model", ""))
    system = " ".join(filter(None, (facts.get("os.name"), facts.get("os.version"))))
    return key, unit, address, record.state, kind, what, serial, system, minute(record.last_seen) if record.last_seen else "never"


def why(machines: Machines, args: argparse.Namespace) -> Iterator[str]:
    """What is known of one machine."""
    found = machines.describe(machines.find(args.name))
    yield f"machine {found.id}, known since {minute(found.created)}"
    for sighting in found.sightings:
        yield from _sighting(sighting)
    yield from _evidence(found)
    for doubt in found.doubts:
        yield from _doubt(doubt)
    for act in found.acts:
        yield _act(act)


def doubts(machines: Machines, args: argparse.Namespace) -> Iterator[str]:
    """The open questions."""
    found = machines.doubts()
    if not found:
        yield "no open question"
    for doubt in found:
        yield from _doubt(doubt)


def merge(machines: Machines, args: argparse.Namespace) -> Iterator[str]:
    """Two are one."""
    yield _act(machines.merge(args.one, args.other, getpass.getuser(), time.time()))


def apart(machines: Machines, args: argparse.Namespace) -> Iterator[str]:
    """Two are two."""
    yield _act(machines.apart(args.one, args.other, getpass.getuser(), time.time()))


def split(machines: Machines, args: argparse.Namespace) -> Iterator[str]:
    """One is two."""
    yield _act(machines.split(args.devices, getpass.getuser(), time.time()))


def undo(machines: Machines, args: argparse.Namespace) -> Iterator[str]:
    """As if it had not been said."""
    act = machines.undo(args.act, time.time())
    yield f"undone: {_act(act)}"


def _sighting(sighting: Sighting) -> Iterator[str]:
    until = "" if sighting.ended is None else f", until {minute(sighting.ended)}"
    yield f"  device {sighting.device} at {sighting.address}, unit {sighting.unit}, since {minute(sighting.first_seen)}{until}"
    yield from _why(sighting.why, "    ")


def _why(found: Why, indent: str) -> Iterator[str]:
    if found.machine is None:
        yield f"{indent}a new machine: nothing known came near"
        return
    words = {
        Verdict.SAME: f"taken for machine {found.machine}",
        Verdict.NEW: f"not taken for machine {found.machine}, which came nearest",
        Verdict.ASK: f"perhaps machine {found.machine}: a person is asked",
    }
    yield f"{indent}{words[found.verdict]} with {found.points:g} points"
    for reason in found.reasons:
        yield f"{indent}  {reason}"


def _evidence(machine: Machine) -> Iterator[str]:
    held: dict[tuple[str, str], list[Held]] = {}
    for one in machine.evidence:
        held.setdefault((one.kind, one.value), []).append(one)
    if held:
        yield "  evidence"
    for (kind, value), said in held.items():
        now = any(one.ended is None for one in said)
        first = minute(min(one.first_seen for one in said))
        until = "" if now else f" until {minute(max(one.ended or 0.0 for one in said))}"
        yield f"    {kind:8} {value}, since {first}{until}, by {', '.join(dict.fromkeys(one.device for one in said))}"


def _doubt(doubt: Doubt) -> Iterator[str]:
    yield f"  question of {minute(doubt.asked)}: are machines {doubt.machine} and {doubt.other} one?"
    yield from _why(doubt.why, "    ")
    pair = f"{doubt.other} {doubt.machine}"
    yield f"    answer with `haidang device merge {pair}` or `haidang device apart {pair}`"


def _act(act: Act) -> str:
    words = {
        "merge": f"machine {act.other} merged into {act.one}",
        "split": f"machine {act.other} split from {act.one}",
        "apart": f"machines {act.one} and {act.other} set apart",
    }
    undone = "" if act.undone is None else f", undone {minute(act.undone)}"
    return f"act {act.id}: {words[act.what]} by {act.who}, {minute(act.made)}{undone}"
