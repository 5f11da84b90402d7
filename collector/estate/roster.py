"""Every polled device as topology needs it, in little memory: tens of thousands are kept while a collector runs."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator
from sys import intern

from ..model import Device, Facts, Interface, Neighbour, Survey
from .directory import Node

FEW = 16
"""Ports of a device all of whose addresses are remembered: a switch's ports send hardly anything themselves."""
_ETHERNET = 6


class Roster:
    """Devices by id and unit, and whose address is whose. Those of `kinds` are kept with all their ports, the others with the
    addresses alone."""

    def __init__(self, kinds: Iterable[str]) -> None:
        self._kinds = frozenset(kinds)
        self._kept: dict[str, Node | bytes] = {}
        self._kind: dict[str, str] = {}
        self._unit: dict[str, str] = {}
        self._units: dict[str, set[str]] = {}
        self._owners: dict[str, str] = {}
        self.network = 0
        """How many are of these kinds."""

    def __contains__(self, id: str) -> bool:
        return id in self._kept

    def __iter__(self) -> Iterator[str]:
        return iter(self._kept)

    def add(self, device: Device, facts: Facts) -> None:
        """Take a device, in place of what was known of it."""
        self.remove(device.id)
        id, unit, kind = device.id, intern(device.unit), intern(facts.kind)
        if kind in self._kinds:
            self.network += 1
            self._kept[id] = _packed(facts, device.address)
            own = facts.interfaces
            if len(own) > FEW:
                own = tuple(port for port in own if port.type != _ETHERNET)
        else:
            own = tuple(
                Interface(port.index, intern(port.name), mac=port.mac, type=port.type) for port in facts.interfaces if port.mac
            )
            self._kept[id] = Node(id, kind, facts.name, device.address, unit, own)
        self._kind[id], self._unit[id] = kind, unit
        self._units.setdefault(unit, set()).add(id)
        self._owners.update((port.mac, id) for port in own if port.mac)

    def heard(self, survey: Survey) -> None:
        """Take the addresses a switch calls its own."""
        self._owners.update(dict.fromkeys(survey.macs, survey.device))

    def remove(self, id: str) -> None:
        """Forget a device."""
        if self._kept.pop(id, None) is not None:
            kind, unit = self._kind.pop(id), self._unit.pop(id)
            self.network -= kind in self._kinds
            self._units[unit].discard(id)

    def unit(self, unit: str) -> set[str]:
        """The devices of a unit."""
        return self._units.get(unit, set())

    def of_network(self, id: str) -> bool:
        """Is it a device of these kinds?"""
        return self._kind.get(id) in self._kinds

    def node(self, id: str) -> Node:
        """A device; raises KeyError."""
        kept = self._kept[id]
        return kept if isinstance(kept, Node) else _unpacked(id, self._kind[id], self._unit[id], kept)

    def owners(self, macs: Iterable[str]) -> set[str]:
        """The devices these addresses are of, as far as known."""
        return {id for mac in macs if (id := self._owners.get(mac, "")) in self._kept}


def _packed(facts: Facts, address: str) -> bytes:
    ports = [[port.index, port.name, port.alias, port.description, port.type, port.mac] for port in facts.interfaces]
    beside = [[one.local_port, one.remote_name, one.remote_port, one.remote_id, one.protocol] for one in facts.neighbours]
    return zlib.compress(json.dumps([facts.name, address, ports, beside], separators=(",", ":")).encode(), 1)


def _unpacked(id: str, kind: str, unit: str, kept: bytes) -> Node:
    name, address, ports, beside = json.loads(zlib.decompress(kept))
    interfaces = tuple(Interface(index, port, alias, text, sort, mac) for index, port, alias, text, sort, mac in ports)
    return Node(id, kind, name, address, unit, interfaces, tuple(Neighbour(*one) for one in beside))
