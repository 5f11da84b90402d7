"""Which machine hangs on which switch port: a tree of switches below the router, in some offices an unmanaged one at its end."""

from __future__ import annotations

from dataclasses import dataclass, field

from .models import (
    PRINTERS,
    ROUTERS,
    SWITCHES,
    UPSES,
    WORKSTATIONS,
    PrinterModel,
    RouterModel,
    SwitchModel,
    UpsModel,
    WorkstationModel,
)
from .province import PRINTER, ROUTER, SWITCH, UPS, Machine

_BRANCHES = 4
"""Switches below a switch."""
ROUTER_PORT = 2
"""The router's port, counted from 1, that leads to the first switch."""


@dataclass(slots=True)
class Plant:
    """A switch in its place: `ports` says which machines are behind each port, `uplink` is the port towards the router."""

    machine: Machine
    model: SwitchModel
    uplink: int
    parent: Plant | None = None
    parent_port: int = 0
    children: dict[int, Plant] = field(default_factory=dict)
    access: dict[int, list[Machine]] = field(default_factory=dict)

    def behind(self, port: int) -> list[Machine]:
        """The machines whose frames come in at a port other than the uplink."""
        if port in self.children:
            child = self.children[port]
            return [child.machine, *(machine for number in child.model_ports() for machine in child.behind(number))]
        return self.access.get(port, [])

    def model_ports(self) -> range:
        """All port numbers."""
        return range(1, self.model.size + 1)


@dataclass(slots=True)
class Cabling:
    """An office's network."""

    router: Machine
    members: tuple[Machine, ...]
    plants: dict[str, Plant]
    """By address of the switch."""
    attachments: dict[str, tuple[Plant, int]]
    """Address of a machine that is no switch -> the switch and port it hangs on."""


def pick(machine: Machine) -> WorkstationModel | RouterModel | PrinterModel | UpsModel:
    """The product a machine is; a switch's depends on its cabling (`lay`)."""
    random = machine.random("model")
    if machine.kind == ROUTER:
        return random.choice(ROUTERS)
    if machine.kind == PRINTER:
        return random.choice(PRINTERS)
    if machine.kind == UPS:
        return random.choice(UPSES)
    return random.choice(WORKSTATIONS)


def hardware_address(machine: Machine, oui: bytes) -> bytes:
    """The machine's MAC address."""
    return oui + (machine.identity & 0xFFFFFF).to_bytes(3, "big")


def lay(members: tuple[Machine, ...]) -> Cabling:
    """Cable an office: `members` are its machines, the router first."""
    router = members[0]
    random = router.random("cabling")
    switches = [machine for machine in members if machine.kind == SWITCH]
    others = [machine for machine in members[1:] if machine.kind != SWITCH]
    if not switches:
        return Cabling(router, members, {}, {})
    groups = _groups(others, random.random() < 0.25)
    shares: list[list[list[Machine]]] = [groups[i :: len(switches)] for i in range(len(switches))]
    plants: list[Plant] = []
    for i, (machine, share) in enumerate(zip(switches, shares, strict=True)):
        below = len(range(_BRANCHES * i + 1, min(_BRANCHES * i + _BRANCHES + 1, len(switches))))
        needed = len(share) + below + 1
        fitting = [model for model in SWITCHES if model.size >= needed] or [SWITCHES[-1]]
        model = machine.random("model").choice(fitting[:3])
        plant = Plant(machine, model, model.size)
        if i:
            plant.parent = plants[(i - 1) // _BRANCHES]
            plant.parent_port = plant.parent.model.size - 1 - (i - 1) % _BRANCHES
            plant.parent.children[plant.parent_port] = plant
        free = list(range(1, model.size - below))
        if len(share) > len(free):
            share[len(free) - 1 :] = [[machine for group in share[len(free) - 1 :] for machine in group]]
        chosen = sorted(free[: max(len(share), len(free) * 3 // 4)])
        places = sorted(machine.random("places").sample(chosen, len(share)))
        plant.access = dict(zip(places, share, strict=True))
        plants.append(plant)
    attachments = {
        machine.address: (plant, port) for plant in plants for port, group in plant.access.items() for machine in group
    }
    return Cabling(router, members, {plant.machine.address: plant for plant in plants}, attachments)


def _groups(machines: list[Machine], unmanaged: bool) -> list[list[Machine]]:
    """One machine a port, but the last three together when they share an unmanaged switch."""
    if unmanaged and len(machines) >= 6:
        return [*([machine] for machine in machines[:-3]), machines[-3:]]
    return [[machine] for machine in machines]
