"""How fast, how well and how busy the link of a machine is."""

from __future__ import annotations

from .cabling import Plant
from .province import Machine


def link_speed(plant: Plant, port: int, machine: Machine, slowed: int = 0) -> int:
    """Mbit/s between a switch port and the machine on it: some cables and cards do not manage a gigabit; `slowed`: a fault lets
    this one manage so many."""
    most = plant.model.speed if port <= plant.model.ports else 1000
    if slowed:
        return min(most, slowed)
    return min(most, 100) if machine.kind in ("printer", "ups") or machine.random("cable").random() < 0.12 else most


def half_duplex(machine: Machine) -> bool:
    """A few links have fallen back to half duplex."""
    return machine.random("duplex").random() < 0.02


def traffic(machine: Machine) -> tuple[float, float]:
    """Octets a second a machine receives and sends on average."""
    random = machine.random("traffic")
    busy = {"workstation": 40_000.0, "printer": 900.0, "ups": 60.0, "switch": 200.0, "router": 900_000.0}[machine.kind]
    receives = busy * random.uniform(0.2, 2.0)
    return receives, receives * random.uniform(0.1, 0.6)
