"""What is known of a unit's topology, put together from what is kept: for the pages, and for people."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from ..model import Link, Series, State
from .directory import Directory, Node
from .links import Kept, Links
from .ports import Flaw, Flawed, Port, Standing, flaws
from .topology import Topology, parents

Sample = tuple[Series, float]
ANSWERING = (State.UP, State.PARTIAL)


@dataclass(frozen=True, slots=True)
class Picture:
    """A unit's topology as it is known: the links that stand, who hangs on whom, and what is wrong.

    `shared` are addresses that several devices have: where these sit cannot be told. `surveyed` is when the unit was
    last surveyed (Unix seconds), None before it was.
    """

    unit: str
    surveyed: float | None = None
    root: str = ""
    links: tuple[Kept, ...] = ()
    shared: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    parents: Mapping[str, str] = field(default_factory=dict)
    flaws: tuple[Flawed, ...] = ()


def picture(
    unit: str,
    now: float,
    topology: Topology,
    links: Links,
    nodes: Sequence[Node],
    ports: Mapping[Port, Standing],
    answering: Collection[str],
) -> Picture:
    """A unit's links as they are kept, and what follows from them; raises InventoryError."""
    home = {one.id for one in nodes if one.unit == unit}
    standing = links.standing(home)
    own = {port: found for port, found in ports.items() if port[0] in home}
    past = links.ports(home, "speed_bps")
    wrong = [one for one in flaws(standing, ports, past, answering, now) if (one.device, one.port) in own]
    hanging = parents(kept.link for kept in standing)
    surveyed = max((kept.last_seen for kept in standing), default=None)
    return Picture(unit, surveyed, topology.root, tuple(standing), topology.shared, hanging, tuple(wrong))


def remembered(unit: str, now: float, nodes: Sequence[Node], links: Links) -> Picture:
    """A unit's picture as the inventory has it, without asking anybody; raises InventoryError."""
    ids = [one.id for one in nodes]
    ports: dict[Port, Standing] = {}
    for word in ("speed_bps", "duplex"):
        for port, facts in links.ports(ids, word).items():
            if (now_ := facts[-1]).ended is None:
                before = ports.get(port, Standing())
                ports[port] = (
                    before._replace(speed=int(now_.value)) if word == "speed_bps" else before._replace(full=now_.value == "full")
                )
    answering = {id for id, state in links.states(ids).items() if state in ANSWERING}
    return picture(unit, now, Topology(shared=Directory(nodes, {}).shared), links, nodes, ports, answering)


def samples(drawn: Picture) -> list[Sample]:
    """A picture as metrics."""
    found: dict[Series, float] = {}
    if drawn.surveyed is not None:
        found[Series("haidang_unit_survey_timestamp_seconds", (("unit", drawn.unit),))] = drawn.surveyed
    count: dict[tuple[str, str], int] = {}
    for link, _, _, _ in drawn.links:
        if link.port:
            count[link.device, link.port] = count.get((link.device, link.port), 0) + 1
        if link.remote:
            found[_link_series(link)] = 1
    for (device, port), machines in count.items():
        found[Series("haidang_port_machines", (("device", device), ("interface", port)))] = machines
    for one in drawn.flaws:
        where = (("device", one.device), ("interface", one.port))
        found[Series("haidang_port_degraded", (*where, ("reason", one.flaw.value)))] = 1
        if one.flaw not in (Flaw.HALF, Flaw.MISMATCH):
            found[Series("haidang_port_expected_bytes_per_second", where)] = one.expected / 8
    return list(found.items())


def _link_series(link: Link) -> Series:
    return Series(
        "haidang_link_info",
        (
            ("device", link.device), ("interface", link.port), ("remote_device", link.remote),
            ("remote_interface", link.remote_port), ("protocol", link.how),
        ),
    )  # fmt: skip
