"""Which machine is it? Evidence weighed by written rules against the machines known. Pure: no database, no clock.

What agrees gives points, what contradicts takes them; the rules and their reasons are `AGREES` and `CONTRADICTS`.
Enough points: the same machine. Too few: a new one. Between, it is counted as a new one and a person is asked. A wrong
merge mixes two histories and hides a machine, so everything a disk image carries with it (UUID, machine id, engine ID,
name) never suffices by itself.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from .evidence import Evidence, Values

SAME = 8.0
"""From so many points on it is the same machine."""
ASK = 3.0
"""From so many points on a person is asked."""
LEAD = 3.0
"""The best machine must be this far ahead of the second, or a person is asked."""
TOGETHER = 900.0
"""Seconds within which two sightings at different addresses count as at the same time."""
CROWD = 50
"""A value that more machines have is not looked up."""
FORMER = 0.5
"""What a value counts that the machine had, but no longer says."""
FORMER_KEPT = 64
"""Values of one kind that are kept of a sighting after it no longer says them; the oldest go first."""


class Rule(NamedTuple):
    """Points for a kind of evidence, and why so many."""

    points: float
    why: str


AGREES: Mapping[str, Rule] = {
    "serial": Rule(10, "makers give a serial once"),
    "board": Rule(8, "board makers give a serial once; boards are rarely moved"),
    "disk": Rule(6, "a disk has a serial that no image copies, but disks are moved and replaced"),
    "mac": Rule(6, "an address is burnt in once, but cards, adapters and docks are moved"),
    "uuid": Rule(5, "unique by its making; copied by some firmware updates and cloning"),
    "machine": Rule(3, "made at installation; an image copies it"),
    "engine": Rule(2, "made by the agent; an image copies it"),
    "name": Rule(2, "names are given by people and by images"),
    "source": Rule(8, "the settings say that it is the same device"),
    "unit": Rule(1, "most machines stay in their office"),
    "address": Rule(1, "many keep their address"),
}
MORE_MACS = 1.0
"""For each further address in common, up to four: a whole row of ports moves with its switch only."""
IMAGE = ("uuid", "machine", "engine", "name")
IMAGE_LIMIT = 6.0
"""All that a disk image carries counts at most so much together: even in the same office less than `SAME`."""
CONTRADICTS: Mapping[str, Rule] = {
    "serial": Rule(-20, "one machine has one serial"),
    "board": Rule(-8, "another board is another machine, or a repair"),
    "model": Rule(-8, "a machine's model does not change"),
    "uuid": Rule(-6, "another UUID is another machine, a new board, or rewritten firmware"),
    "mac": Rule(-4, "another machine, or all its cards were changed"),
    "disk": Rule(-3, "another machine, or its disks were changed"),
    "machine": Rule(-2, "another installation"),
    "name": Rule(-2, "another machine, or renamed"),
}
TOGETHER_SAME_NAME = Rule(-4, "seen at the same time at another address, as machines with several addresses are")
TOGETHER_OTHER_NAME = Rule(-16, "seen at the same time at another address under another name")

MORE_TOGETHER = -1.0
"""For each further address: a router has some, what a hundred devices say was never one machine's."""


class Verdict(StrEnum):
    """What a match comes to. ASK: a machine of its own for now, and a question."""

    SAME = "same"
    NEW = "new"
    ASK = "ask"


class Reason(NamedTuple):
    """One rule that applied: its points, the kind of evidence, what was compared."""

    points: float
    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.points:+g} {self.kind}: {self.text}"


class Decision(NamedTuple):
    """A verdict, the machine it speaks of (None: nothing known comes near), its points and the reasons for them."""

    verdict: Verdict
    machine: int | None
    points: float
    reasons: tuple[Reason, ...]


@dataclass(slots=True)
class Sighting:
    """A device's answers for as long as they came from one machine. `said` is what they say now, `former` what they said,
    oldest first."""

    id: int
    machine: int
    source: str
    unit: str
    address: str
    last: float
    said: dict[str, tuple[str, ...]]
    former: dict[str, list[str]] = field(default_factory=dict)

    def says(self, evidence: Evidence) -> bool:
        """Does the evidence say nothing but what is known of the sighting?"""
        if self.unit != evidence.unit or self.address != evidence.address:
            return False
        return all(self.said.get(kind) == values for kind, values in pack(evidence.values).items())


def pack(values: Values) -> dict[str, tuple[str, ...]]:
    """Values as a sighting keeps them, in a quarter of the memory."""
    return {kind: tuple(sorted(some)) for kind, some in values.items()}


class Known:
    """The machines known, and who holds which value."""

    __slots__ = ("_apart", "_holders", "_machines", "_sources")

    def __init__(self) -> None:
        self._machines: dict[int, dict[int, Sighting]] = {}
        self._holders: dict[tuple[str, str], int | dict[int, int]] = {}  # a machine, or of each how many sightings
        self._sources: dict[str, Sighting] = {}
        self._apart: set[tuple[int, int]] = set()

    def __len__(self) -> int:
        return len(self._machines)

    def machines(self) -> Iterable[int]:
        """The ids of all machines that have a sighting."""
        return self._machines.keys()

    def sightings(self, machine: int) -> list[Sighting]:
        """All sightings of a machine."""
        return list(self._machines.get(machine, {}).values())

    def current(self, source: str) -> Sighting | None:
        """The sighting that a device's answers belong to at present."""
        return self._sources.get(source)

    def add(self, sighting: Sighting, current: bool = True) -> None:
        """Take a sighting in; `current`: the device's answers belong to it from now on."""
        self._machines.setdefault(sighting.machine, {})[sighting.id] = sighting
        if current:
            self._sources[sighting.source] = sighting
        for key in _keys(sighting):
            holders = self._holders.get(key)
            if holders is None:
                self._holders[key] = sighting.machine
                continue
            if isinstance(holders, int):
                holders = self._holders[key] = {holders: 1}
            holders[sighting.machine] = holders.get(sighting.machine, 0) + 1

    def add_current(self, sighting: Sighting) -> None:
        """The device's answers belong to a sighting it had before."""
        self._sources[sighting.source] = sighting

    def remove(self, sighting: Sighting) -> None:
        """Take a sighting out, and its machine with the last one."""
        own = self._machines[sighting.machine]
        del own[sighting.id]
        if not own:
            del self._machines[sighting.machine]
        if self._sources.get(sighting.source) is sighting:
            del self._sources[sighting.source]
        for key in _keys(sighting):
            holders = self._holders[key]
            if not isinstance(holders, int):
                holders[sighting.machine] -= 1
                if not holders[sighting.machine]:
                    del holders[sighting.machine]
            if isinstance(holders, int) or not holders:
                del self._holders[key]

    def renew(self, sighting: Sighting, evidence: Evidence) -> list[tuple[str, str]]:
        """The device said this, and it is the same machine: other values of the same kind become former ones. Gives the former
        values that are no longer kept."""
        current = self._sources.get(sighting.source) is sighting
        self.remove(sighting)
        dropped = []
        for kind, values in evidence.values.items():
            every = [*sighting.former.get(kind, ()), *sighting.said.get(kind, ())]
            former = [value for value in every if value not in values]
            dropped += [(kind, value) for value in former[:-FORMER_KEPT]]
            if former:
                sighting.former[kind] = former[-FORMER_KEPT:]
            else:
                sighting.former.pop(kind, None)
        sighting.said = {**sighting.said, **pack(evidence.values)}
        sighting.unit, sighting.address, sighting.last = evidence.unit, evidence.address, evidence.time
        self.add(sighting, current)
        return dropped

    def set_apart(self, one: int, other: int) -> None:
        """A person said that these are two machines."""
        self._apart.add((min(one, other), max(one, other)))

    def apart(self, one: int, other: int) -> bool:
        """Did a person say that these are two machines?"""
        return (min(one, other), max(one, other)) in self._apart

    def holders(self, kind: str, value: str) -> Collection[int]:
        """The machines that say, or said, this value."""
        holders = self._holders.get((kind, value), ())
        return (holders,) if isinstance(holders, int) else holders

    def share(self, kind: str, value: str, machine: int) -> float:
        """What agreeing in a value is worth, 0 to 1: what other machines hold as well tells little or nothing."""
        others = sum(1 for holder in self.holders(kind, value) if holder != machine)
        if not others or kind == "name":
            return 1.0
        return 0.5 if kind == "serial" and others == 1 else 0.0


def match(evidence: Evidence, known: Known) -> Decision:
    """Which machine the evidence speaks of, and why."""
    own = known.current(evidence.source)
    found: dict[int, None] = {own.machine: None} if own is not None else {}
    for kind, values in evidence.values.items():
        if kind == "model":
            continue
        for value in values:
            holders = known.holders(kind, value)
            if len(holders) <= CROWD:
                found.update(dict.fromkeys(holders))
    best = second = Decision(Verdict.NEW, None, 0.0, ())
    for machine in found:
        if own is not None and own.machine != machine and known.apart(own.machine, machine):
            continue
        decision = weigh(evidence, machine, known)
        if best.machine is None or decision.points > best.points:
            best, second = decision, best
        elif second.machine is None or decision.points > second.points:
            second = decision
    if best.verdict is Verdict.SAME and second.verdict is Verdict.SAME and best.points - second.points < LEAD:
        return best._replace(
            verdict=Verdict.ASK,
            reasons=(*best.reasons, Reason(0, "second", f"machine {second.machine} comes as near ({second.points:g} points)")),
        )
    return best


def weigh(evidence: Evidence, machine: int, known: Known) -> Decision:
    """How much speaks for this machine."""
    sightings = known.sightings(machine)
    reasons: list[Reason] = []
    image = 0.0
    agreed: set[str] = set()
    contradicted: set[str] = set()
    for kind, values in evidence.values.items():
        current: set[str] = set().union(*(sighting.said.get(kind, ()) for sighting in sightings))
        common = values & current
        held = common or values & set().union(*(sighting.former.get(kind, ()) for sighting in sightings))
        if not held:
            if current and kind in CONTRADICTS:
                contradicted.add(kind)
                reasons.append(Reason(CONTRADICTS[kind].points, kind, f"{_some(values)} is not {_some(current)}"))
            continue
        if kind not in AGREES:
            continue
        shares = {value: known.share(kind, value, machine) for value in held}
        value, share = max(shares.items(), key=lambda item: item[1])
        points = AGREES[kind].points * share * (1.0 if common else FORMER)
        text = value
        if not share:
            text += " is held by other machines, too"
        elif not common:
            text += " was this machine's before"
        if kind == "mac" and (more := min(sum(1 for other in shares.values() if other == 1.0) - 1, 4)) > 0:
            points += MORE_MACS * more * (1.0 if common else FORMER)
            text += f" and {more} more"
        if points:
            agreed.add(kind)
        if kind in IMAGE:
            points = min(points, IMAGE_LIMIT - image)
            image += points
        reasons.append(Reason(points, kind, text))
    reasons += _place(evidence, sightings, "name" in agreed or "name" not in contradicted)
    points = sum(reason.points for reason in reasons)
    verdict = Verdict.SAME if points >= SAME else Verdict.ASK if points >= ASK else Verdict.NEW
    if verdict is Verdict.NEW and _repaired(agreed, contradicted, reasons):
        verdict = Verdict.ASK
        reasons.append(Reason(0, "repair", "all but the hardware agrees: a replaced board, or another machine in its place"))
    return Decision(verdict, machine, points, tuple(sorted(reasons, key=lambda reason: -abs(reason.points))))


def _place(evidence: Evidence, sightings: Iterable[Sighting], same_name: bool) -> list[Reason]:
    """What speaks for and against a machine by where and when it was seen."""
    reasons = []
    sightings = list(sightings)
    if any(sighting.source == evidence.source for sighting in sightings):
        reasons.append(Reason(AGREES["source"].points, "source", evidence.source))
    else:
        others = {one.address for one in sightings if abs(one.last - evidence.time) < TOGETHER} - {evidence.address}
        if others:
            rule = TOGETHER_SAME_NAME if same_name else TOGETHER_OTHER_NAME
            points = rule.points + MORE_TOGETHER * (len(others) - 1)
            reasons.append(Reason(points, "together", f"at {_some(others)} at the same time"))
    if any(sighting.unit == evidence.unit for sighting in sightings):
        reasons.append(Reason(AGREES["unit"].points, "unit", evidence.unit))
        if any(sighting.unit == evidence.unit and sighting.address == evidence.address for sighting in sightings):
            reasons.append(Reason(AGREES["address"].points, "address", evidence.address))
    return reasons


def _repaired(agreed: set[str], contradicted: set[str], reasons: Iterable[Reason]) -> bool:
    """Does it look as if the board was replaced: the same installation under the same name, on the disk or in the place?"""
    stands = {reason.kind for reason in reasons if reason.points > 0}
    installed = "name" in agreed and ("machine" in agreed or "engine" in agreed)
    return installed and bool(contradicted & {"serial", "board", "uuid"}) and ("disk" in agreed or "address" in stands)


def _keys(sighting: Sighting) -> list[tuple[str, str]]:
    keys = {(kind, value) for kind, values in sighting.said.items() if kind != "model" for value in values}
    keys |= {(kind, value) for kind, values in sighting.former.items() if kind != "model" for value in values}
    return list(keys)


def _some(values: Iterable[str]) -> str:
    ordered = sorted(values)
    return ", ".join(ordered[:2]) + (f" and {len(ordered) - 2} more" if len(ordered) > 2 else "")
