"""`haidang topology`: what hangs on what, from the router down to the machines, and which ports run worse than they should."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict
from datetime import datetime
from typing import Any

from collector.errors import CollectorError
from collector.estate.directory import Node
from collector.estate.links import Kept, Links
from collector.estate.picture import Picture, remembered
from collector.estate.ports import Flawed, finding
from collector.estate.topology import UNMANAGED
from collector.model import Finding, State
from config import settings
from config.settings import Settings

from .moment import exact, minute
from .options import add_config, check_unit
from .sentence import counted

UNSEEN = 2 * 3600.0
"""Seconds that something has not been seen, before the unit's last survey, after which this is said."""
STRANGERS = 3
"""Strangers shown at one port; the rest are counted, and JSON has them all."""


def declare(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    add_config(parser)
    parser.add_argument("--unit", metavar="U", help="one unit by its id; all unless named")
    parser.add_argument("--json", action="store_true", help="all that is known, for programs")
    parser.add_argument(
        "--survey", choices=("now",), help="ask the unit's devices now; without it, what the collector found within the last hour"
    )
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Print it; 1 when the inventory cannot be read."""
    found = settings.read(args.config)
    if args.unit is not None:
        check_unit(found, args.unit, args.config)
    units = [args.unit] if args.unit is not None else list(found.units)
    url = found.collector.database.reveal()
    try:
        if args.survey:
            from .survey import survey  # brings all that polls

            survey(found, units, url)
        with closing(Links.open(url)) as links:
            nodes: dict[str, list[Node]] = defaultdict(list)
            for one in links.nodes(None if args.unit is None else units):
                nodes[one.unit].append(one)
            drawn = [remembered(unit, time.time(), nodes[unit], links) for unit in units if nodes[unit]]
            names = {one.id: one for some in nodes.values() for one in some}
            ends = {end for each in drawn for kept in each.links for end in (kept.link.device, kept.link.remote) if end}
            names |= {one.id: one for one in links.named(ends - names.keys())}
            states = links.states(names)
            if args.json:
                print(json.dumps({"units": [as_json(one, found) for one in drawn]}, ensure_ascii=False, indent=1))
            else:
                for each in drawn:
                    print("\n".join(page(each, found, nodes[each.unit], names, states)))
    except CollectorError as error:
        print(f"haidang topology: {error}", file=sys.stderr)
        return 1
    if not drawn:
        print("haidang topology: nothing is known yet; run the collector, or ask with --survey now", file=sys.stderr)
        return 1
    return 0


# -- for programs


def as_json(drawn: Picture, found: Settings) -> dict[str, Any]:
    """One unit, times in ISO 8601."""
    zone = datetime.now().astimezone().tzinfo
    return {
        "id": drawn.unit,
        "name": found.units[drawn.unit].name,
        "surveyed": _exact(drawn.surveyed),
        "links": [
            {**asdict(kept.link), "first_seen": _exact(kept.first_seen), "last_seen": _exact(kept.last_seen)}
            for kept in drawn.links
        ],
        "parents": dict(drawn.parents),
        "shared": {mac: list(ids) for mac, ids in drawn.shared.items()},
        "findings": [asdict(finding(one, zone)) for one in drawn.flaws] if zone is not None else [],
    }


def _exact(when: float | None) -> str | None:
    return None if when is None else exact(when)


# -- for people


def page(
    drawn: Picture, found: Settings, members: Sequence[Node], names: Mapping[str, Node], states: Mapping[str, State]
) -> Iterator[str]:
    """One unit as a tree, what could not be placed, and what is wrong."""
    unit = found.units[drawn.unit]
    when = "never surveyed" if drawn.surveyed is None else f"surveyed {minute(drawn.surveyed)}"
    yield f"{unit.name} ({unit.id}), {counted(len(members), 'device')}, {when}"
    tree = _Tree(drawn, names, states)
    yield from tree.lines({one.id for one in members})
    zone = datetime.now().astimezone().tzinfo
    for one in drawn.flaws:
        assert zone is not None
        yield from _finding(one, finding(one, zone))
    yield ""


class _Tree:
    """The lines of one unit's tree."""

    def __init__(self, drawn: Picture, names: Mapping[str, Node], states: Mapping[str, State]) -> None:
        self.below: dict[str, list[Kept]] = defaultdict(list)
        self.further: list[Kept] = []
        self.names = names
        self.states = states
        self.surveyed = drawn.surveyed or 0.0
        self.shared = drawn.shared
        for kept in drawn.links:
            link = kept.link
            if link.remote and drawn.parents.get(link.remote) != link.device:
                self.further.append(kept)
            else:
                self.below[link.device].append(kept)

    def lines(self, members: Collection[str]) -> Iterator[str]:
        """From each device that hangs on nothing, downwards; then those that are not placed."""
        hanging = {kept.link.remote for some in self.below.values() for kept in some}
        tops = sorted(id for id in members | self.below.keys() if id not in hanging)
        for id in tops:
            if self.below.get(id):
                yield f"  {self.title(id)}"
                yield from self._below(id, "  ")
        lost = {id for id in tops if id in members and not self.below.get(id)}
        for mac, ids in sorted(self.shared.items()):
            if lost & set(ids):
                yield f"  not placed: {', '.join(ids)}, which have the same address {mac} (a copied disk?)"
                lost -= set(ids)
        if lost:
            yield f"  not placed: {'; '.join(self.title(id) for id in sorted(lost))}"
        for kept in self.further:
            link = kept.link
            yield f"  besides: {link.device} {link.port} - {link.remote_port} {link.remote}".rstrip()

    def title(self, id: str) -> str:
        """A device by its id, its own name where that differs, what it is and how it stands."""
        one = self.names.get(id)
        if one is None:
            return id
        called = f" ({one.name})" if one.name and one.name.casefold() != id.casefold() else ""
        state = self.states.get(id, State.UNKNOWN)
        stands = f", {state}" if state not in (State.UP, State.UNKNOWN) else ""
        return f"{id}{called}  {one.kind}{stands}"

    def _below(self, id: str, indent: str) -> Iterator[str]:
        """What hangs on a device, by port; what shares a port stands below what it shares."""
        ports: dict[tuple[str, str], list[Kept]] = defaultdict(list)
        for kept in self.below[id]:
            ports[kept.link.port, kept.link.via].append(kept)
        groups = sorted(ports.items(), key=lambda item: _natural(item[0][0]))
        for number, ((port, via), some) in enumerate(groups):
            last = number == len(groups) - 1
            mark, deeper = ("└ ", "  ") if last else ("├ ", "│ ")
            if via or len(some) > 1:
                between = "unmanaged switch" if via == UNMANAGED else via or "behind it"
                yield f"{indent}{mark}{port} - {between}" if port else f"{indent}{mark}{between}"
                yield from self._group(some, indent + deeper)
            else:
                yield f"{indent}{mark}{port} - {self._end(some[0])}" if port else f"{indent}{mark}{self._end(some[0])}"
                yield from self._below(some[0].link.remote, indent + deeper) if some[0].link.remote else ()

    def _group(self, some: Sequence[Kept], indent: str) -> Iterator[str]:
        known = sorted((kept for kept in some if kept.link.remote), key=lambda kept: _natural(kept.link.remote))
        strangers = [kept for kept in some if not kept.link.remote]
        rows: list[Kept | str] = [*known, *strangers[:STRANGERS]]
        if len(strangers) > STRANGERS:
            rows.append(f"and {counted(len(strangers) - STRANGERS, 'stranger')} more")
        for number, row in enumerate(rows):
            mark, deeper = ("└ ", "  ") if number == len(rows) - 1 else ("├ ", "│ ")
            if isinstance(row, str):
                yield f"{indent}{mark}{row}"
            else:
                yield f"{indent}{mark}{self._end(row)}"
                yield from self._below(row.link.remote, indent + deeper) if row.link.remote else ()

    def _end(self, kept: Kept) -> str:
        link = kept.link
        who = self.title(link.remote) if link.remote else f"stranger {link.name}"
        vlan = f"  VLAN {link.vlan}" if link.vlan is not None else ""
        unseen = f"  not seen since {minute(kept.last_seen)}" if self.surveyed - kept.last_seen > UNSEEN else ""
        how = "  by ARP" if link.how == "arp" else ""
        return f"{link.remote_port} {who}".strip() + vlan + how + unseen


def _finding(flawed: Flawed, one: Finding) -> Iterator[str]:
    other = f" (other end {flawed.remote} {flawed.remote_port})".replace(" )", ")") if flawed.remote else ""
    yield f"  wrong: {one.device} {one.observed}, expected {one.expected}{other}"
    yield f"         {one.fix}"


def _natural(text: str) -> tuple[tuple[int, str], ...]:
    """Sort key by which port 2 stands before port 10."""
    parts: Iterable[str] = "".join(c if c.isdecimal() else f" {c} " for c in text).split()
    return tuple((int(part), "") if part.isdecimal() else (-1, part) for part in parts)
