"""`haidang device`: which machine a device is and why; answer the questions of identity, and take answers back."""

from __future__ import annotations

import argparse
import getpass
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

from collector.errors import CollectorError
from collector.estate.identity import Verdict
from collector.estate.machines import Act, Doubt, Held, Machine, Machines, Sighting, Why
from config import settings

NAME = "a device's id in the settings, or a machine's number"


def add_parser(subparsers: Any) -> None:
    """Declare the command."""
    parser = subparsers.add_parser("device", help="which machine a device is and why; merge, split, undo", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, func: Callable[[Machines, argparse.Namespace], Iterable[str]], help: str) -> Any:
        command = commands.add_parser(name, help=help, description=help[0].upper() + help[1:] + ".")
        command.add_argument("--config", type=Path, required=True, metavar="FILE")
        command.set_defaults(func=lambda args: run(func, args))
        return command

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


def why(machines: Machines, args: argparse.Namespace) -> Iterator[str]:
    """What is known of one machine."""
    found = machines.describe(machines.find(args.name))
    yield f"machine {found.id}, known since {_when(found.created)}"
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
    until = "" if sighting.ended is None else f", until {_when(sighting.ended)}"
    yield f"  device {sighting.device} at {sighting.address}, unit {sighting.unit}, since {_when(sighting.first_seen)}{until}"
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
        first = _when(min(one.first_seen for one in said))
        until = "" if now else f" until {_when(max(one.ended or 0.0 for one in said))}"
        yield f"    {kind:8} {value}, since {first}{until}, by {', '.join(dict.fromkeys(one.device for one in said))}"


def _doubt(doubt: Doubt) -> Iterator[str]:
    yield f"  question of {_when(doubt.asked)}: are machines {doubt.machine} and {doubt.other} one?"
    yield from _why(doubt.why, "    ")
    pair = f"{doubt.other} {doubt.machine}"
    yield f"    answer with `haidang device merge {pair}` or `haidang device apart {pair}`"


def _act(act: Act) -> str:
    words = {
        "merge": f"machine {act.other} merged into {act.one}",
        "split": f"machine {act.other} split from {act.one}",
        "apart": f"machines {act.one} and {act.other} set apart",
    }
    undone = "" if act.undone is None else f", undone {_when(act.undone)}"
    return f"act {act.id}: {words[act.what]} by {act.who}, {_when(act.made)}{undone}"


def _when(time: float) -> str:
    return datetime.fromtimestamp(time).astimezone().strftime("%Y-%m-%d %H:%M")
