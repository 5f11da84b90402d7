"""Who is who on the wire: from MAC addresses, names and IP addresses to devices, and never to two of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..model import Beside, Interface, Neighbour, Survey
from .evidence import BORROWED_MACS, name
from .portnames import Ports

_VIRTUAL = ("005056", "000c29", "000569", "00155d", "080027", "00163e", "bc2411")
"""VMware, Hyper-V, VirtualBox, Xen, Proxmox: machines inside another one; KVM and Docker make their addresses up."""
_LOOPBACK = 24


@dataclass(frozen=True, slots=True)
class Node:
    """A device as topology sees it. Of a device that forwards nothing `interfaces` may be only those with an address."""

    id: str
    kind: str = "other"
    name: str = ""
    address: str = ""
    unit: str = ""
    interfaces: tuple[Interface, ...] = ()
    neighbours: tuple[Neighbour, ...] = ()


def plain(mac: str) -> str:
    """An address as 12 hexadecimal digits."""
    return mac.replace(":", "").replace("-", "").lower()


def virtual(mac: str) -> bool:
    """Is it the address of a machine inside another one, or made up?"""
    digits = plain(mac)
    return digits.startswith(_VIRTUAL) or bool(int(digits[:2] or "0", 16) & 2)


class Directory:
    """The devices by what others call them. What two devices have in common names neither; `shared` says whose it is."""

    def __init__(self, nodes: Iterable[Node], surveys: Mapping[str, Survey]) -> None:
        self.nodes = {one.id: one for one in nodes}
        self.ports = {id: Ports(one.interfaces) for id, one in self.nodes.items()}
        self._surveys = surveys
        owners: dict[str, set[str]] = {}
        for one in self.nodes.values():
            own = {port.mac for port in one.interfaces if port.mac and port.type != _LOOPBACK}
            if one.id in surveys:
                own |= surveys[one.id].macs
            for mac in own:
                owners.setdefault(mac, set()).add(one.id)
        self._names = _single((name(one.name), one.id) for one in self.nodes.values())
        self._addresses = _single((one.address, one.id) for one in self.nodes.values())
        self._resolve(owners, surveys.values())
        self.by_mac = {mac: min(ids) for mac, ids in owners.items() if len(ids) == 1 and not _borrowed(mac)}
        self.shared = {mac: tuple(sorted(ids)) for mac, ids in owners.items() if len(ids) > 1 and not _borrowed(mac)}
        self.macs: dict[str, set[str]] = {id: set() for id in self.nodes}
        for mac, id in self.by_mac.items():
            self.macs[id].add(mac)

    def _resolve(self, owners: dict[str, set[str]], surveys: Iterable[Survey]) -> None:
        """Learn from ARP tables the addresses of devices that do not say theirs. One that stands for many is a proxy's."""
        self.addresses: dict[str, str] = {}
        said: dict[str, set[str]] = {}
        for survey in surveys:
            for address, (mac, _) in survey.resolved.items():
                said.setdefault(mac, set()).add(address)
                self.addresses.setdefault(mac, address)
        for mac, addresses in said.items():
            ids = {self._addresses[address] for address in addresses if address in self._addresses}
            if len(ids) == 1 and mac not in owners:
                owners[mac] = ids

    def at(self, address: str) -> str:
        """The device polled at an IP address; empty for none."""
        return self._addresses.get(address, "")

    def who(self, beside: Beside) -> str:
        """The device a neighbour is; empty for a stranger."""
        if beside.id and (found := self.by_mac.get(beside.id)):
            return found
        if beside.address and (found := self._addresses.get(beside.address)):
            return found
        for said in (beside.name, beside.id):
            # CDP's device id is a name with a domain, or a name and a serial number: SW1.local, SW1(FOC1234)
            if (bare := name(said.partition("(")[0])) and (found := self._names.get(bare)):
                return found
        return ""

    def port(self, device: str, beside: Beside) -> str:
        """The port of a device that its neighbour names; empty where it cannot be told."""
        return self.ports[device].first(beside.ports)

    def port_of_mac(self, mac: str) -> str:
        """The interface whose address it is."""
        return self.ports[self.by_mac[mac]].find(mac) if mac in self.by_mac else ""


def _borrowed(mac: str) -> bool:
    return plain(mac).startswith(BORROWED_MACS)


def _single(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Key -> the one that has it alone."""
    found: dict[str, str | None] = {}
    for key, value in pairs:
        if key:
            found[key] = value if found.get(key, value) == value else None
    return {key: value for key, value in found.items() if value is not None}
