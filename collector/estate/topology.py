"""What hangs on what: surveys and facts become links between devices, and the switch port each machine sits on. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ..model import Beside, Heard, Link, Survey
from .directory import Directory, Node, virtual
from .tree import Above, Tree, canonical, grow

UNMANAGED = "unmanaged"
"""`Link.via` of what hangs on a switch that nobody can ask."""
CARRIERS = frozenset(("switch", "wireless", "router", "firewall"))
"""Kinds that have others behind them, whether or not they can be asked whom."""
STRANGERS = 64
"""Unknown addresses kept of one port; a port with more leads to another network."""
_CROWD = 3
"""Burnt-in addresses at one port that no single machine has: a desk's telephone and computer are two."""


@dataclass(frozen=True, slots=True)
class Topology:
    """A unit's cabling. `root` is its router (or what takes its place), empty when nothing is known.

    `shared` are addresses that several devices have (cloned disks): where these sit cannot be told.
    """

    root: str = ""
    links: tuple[Link, ...] = ()
    shared: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def recover(nodes: Iterable[Node], surveys: Iterable[Survey], unit: str = "") -> Topology:
    """The cabling behind one line. `nodes` may hold devices of other units (all count as the unit's when it is empty):
    they are placed where they are seen below one of its switches, and never guessed."""
    taken = {survey.device: survey for survey in surveys}
    directory = Directory(nodes, taken)
    home = frozenset(one.id for one in directory.nodes.values() if not unit or one.unit == unit)
    tree = grow(directory, {id: taken[id] for id in taken if id in directory.nodes}, home)
    work = _Work(directory, taken, tree, home)
    links = work.machines()  # first: they tell of what stands between switches
    links += work.between_bridges()
    return Topology(tree.root, tuple(sorted(links, key=_order)), directory.shared)


def parents(links: Iterable[Link]) -> dict[str, str]:
    """Device -> the one it hangs on, as far as both are polled; never in a circle."""
    found: dict[str, str] = {}
    for link in links:
        if link.remote and link.remote not in found and not _hangs_on(found, link.device, link.remote):
            found[link.remote] = link.device
    return found


def _hangs_on(found: Mapping[str, str], device: str, other: str) -> bool:
    """Is a device the other one, or does it hang on it?"""
    while device != other:
        if device not in found:
            return False
        device = found[device]
    return True


def _order(link: Link) -> tuple[str, str, str, str]:
    return link.device, link.port, link.remote, link.name


class _Work:
    """One recovery under way."""

    def __init__(self, directory: Directory, surveys: Mapping[str, Survey], tree: Tree, home: frozenset[str]) -> None:
        self.directory = directory
        self.surveys = surveys
        self.tree = tree
        self.home = home
        self.segments: set[tuple[str, str]] = set()
        """Ports of bridges with machines between them and the bridges below."""
        self.crowds = {id: Counter(port for _, port, _ in _distinct(surveys[id].heard)) for id in tree.seen}

    # -- switches

    def between_bridges(self) -> list[Link]:
        """A link for each bridge to the one it hangs on, and for each further cable that LLDP tells of."""
        links = [
            Link(one.device, one.port, id, one.own_port, how=one.how, via=UNMANAGED if one.shared or at in self.segments else "")
            for id, one in self.tree.above.items()
            if (at := (one.device, self.tree.down[id]))[0]
        ]
        told = {frozenset((link.device, link.remote)) for link in links}
        ends = {
            (end, port) for link in links for end, port in ((link.device, link.port), (link.remote, link.remote_port)) if port
        }
        for edge in self.tree.edges:
            one, other = (edge.one, edge.port), (edge.other, edge.other_port)
            depth = len(self.tree.chain(edge.one)), len(self.tree.chain(edge.other))
            if edge.one not in self.home or not (self._is_carrier(edge.one) and self._is_carrier(edge.other)):
                continue
            if one in ends or other in ends or self._both_up(edge.one, edge.port, edge.other, edge.other_port):
                continue  # the same cable, or a neighbour heard through a switch that lets LLDP or CDP pass
            if edge.how == "cdp" and frozenset((edge.one, edge.other)) not in told:
                continue  # CDP passes through other makers' switches: what forwarding does not bear out is no cable
            if edge.other == self.tree.root or depth[0] > depth[1]:
                one, other = other, one
            if self.tree.root or edge.how == "lldp":
                links.append(Link(*one, *other, how=edge.how))
                ends |= {end for end in (one, other) if end[1]}
        return links

    def _is_carrier(self, id: str) -> bool:
        return id in self.tree.seen or self.directory.nodes[id].kind in CARRIERS

    def _both_up(self, one: str, port: str, other: str, other_port: str) -> bool:
        up = self.tree.up
        return bool(port and other_port) and (up.get(one), up.get(other)) == (
            canonical(self.surveys, one, port),
            canonical(self.surveys, other, other_port),
        )

    # -- machines

    def machines(self) -> list[Link]:
        """Where every device that forwards nothing sits, and the strangers beside them."""
        placed: dict[tuple[str, str], list[tuple[str, Above]]] = {}
        links: list[Link] = []
        for id, one in self.directory.nodes.items():
            if id in self.tree.above or id == self.tree.root:
                continue
            place = self._place({port: seen[id] for port, seen in self.tree.seen.items() if id in seen}, id)
            if place is None and id in self.home:
                place = self._beside(id) or self._by_address(one)
            if place is not None:
                placed.setdefault((place.device, place.port), []).append((id, place))
        strangers = self._strangers()
        for at in placed.keys() | strangers.keys():
            links += self._at_port(at, placed.get(at, []), strangers.get(at, []))
        return links

    def _place(self, heard: Mapping[str, str], id: str = "") -> Above | None:
        """Where something sits that each of these bridges hears at the port given: below the lowest that hears it below."""
        tree = self.tree
        below = {bridge: port for bridge, port in heard.items() if port != tree.up.get(bridge) and self._has_place(bridge)}
        if below:
            lowest = min(below, key=lambda bridge: self._nearness(bridge, below))
            port = below[lowest]
            children = tree.children(lowest, port)
            if not children:
                return Above(lowest, port, "", "forwarding")
            if any(heard.get(child) == tree.up[child] for child in children if child in tree.up) or len(children) > 1:
                self.segments.add((lowest, port))
                return Above(lowest, port, "", "forwarding", shared=True)
            return Above(children[0], "", "", "forwarding")  # its switch has forgotten at which port
        tops = [bridge for bridge in heard if (above := tree.above.get(bridge)) is not None and above.device == tree.root]
        if tops and id in self.home and tree.root not in tree.seen:
            above = tree.above[min(tops)]
            port = self._resolved_port(id) or above.port
            return Above(tree.root, port, "", "forwarding", shared=port == above.port)
        return None

    def _has_place(self, bridge: str) -> bool:
        return bridge == self.tree.root or bridge in self.tree.up

    def _nearness(self, bridge: str, below: Mapping[str, str]) -> tuple[bool, int, bool, int, str]:
        """Smallest for the bridge nearest to what is heard at these ports: nobody below it hears it below itself, as few
        as possible others at the port, which is no trunk."""
        port = below[bridge]
        children = set(self.tree.children(bridge, port))
        deeper = any(other != bridge and children & set(self.tree.chain(other)) for other in below)
        trunk = port in self.surveys[bridge].trunks
        depth = len(self.tree.chain(bridge))
        return deeper, self.crowds[bridge][port], trunk, -depth, bridge

    def _beside(self, id: str) -> Above | None:
        """By LLDP or CDP alone, where nobody hears it: at a bridge's or the root's port."""
        for edge in self.tree.edges:
            for one, port, other, other_port in ((edge.one, edge.port, edge.other, edge.other_port),
                                                 (edge.other, edge.other_port, edge.one, edge.port)):  # fmt: skip
                if other == id and (one in self.surveys) and one in (self.tree.root, *self.tree.above):
                    return Above(one, canonical(self.surveys, one, port), other_port, edge.how)
        return None

    def _by_address(self, one: Node) -> Above | None:
        """On the root's port where its address is resolved: somewhere in the network behind it."""
        port = self._resolved_port(one.id)
        return Above(self.tree.root, port, "", "arp") if port else None

    def _resolved_port(self, id: str) -> str:
        root = self.surveys.get(self.tree.root)
        if root is None or root.device == id:
            return ""
        own = self.directory.macs[id]
        return next((port for mac, port in root.resolved.values() if mac in own), "")

    def _strangers(self) -> dict[tuple[str, str], list[str]]:
        """Unknown addresses by the port they sit at: those that no bridge forwards anything of ours through."""
        known = self.directory.by_mac.keys() | self.directory.shared.keys()
        heard: dict[str, dict[str, str]] = {}
        for bridge in self.tree.seen:
            for mac, port, _ in self.surveys[bridge].heard:
                if mac not in known:
                    heard.setdefault(mac, {})[bridge] = port
        found: dict[tuple[str, str], list[str]] = {}
        for mac, ports in heard.items():
            place = self._place(ports)
            if place is not None and place.port:
                found.setdefault((place.device, place.port), []).append(mac)
        return {at: sorted(macs) for at, macs in found.items()}

    # -- what stands between

    def _at_port(self, at: tuple[str, str], machines: list[tuple[str, Above]], strangers: list[str]) -> list[Link]:
        """The links of one port: straight to the only machine there, or through what all of them hang on."""
        device, port = at
        ids = [id for id, _ in machines]
        between = self._between(at, ids, strangers)
        links = []
        for id, place in machines:
            shared = place.shared or bool(between)
            own, how = place.own_port, place.how
            if not own:
                own, how = self._told_end(device, port, id, how, alone=len(ids) == 1)
            vlan = self._vlan(device, port, self.directory.macs[id])
            name = self.directory.nodes[id].name
            if between in self.directory.nodes and between != id:
                links.append(Link(between, "", id, own, name, how, vlan=vlan))
            else:
                via = "" if between == id or how == "arp" or not shared or not port else between or UNMANAGED
                links.append(Link(device, port, id, own, name, how, via, vlan))
        if len(strangers) <= STRANGERS:
            mine = between if between in self.directory.nodes else ""
            for mac in strangers:
                vlan = self._vlan(device, port, {mac})
                via = "" if mine or between == mac or not between else between
                links.append(Link(mine or device, "" if mine else port, "", name=mac, via=via, vlan=vlan))
        return links

    def _between(self, at: tuple[str, str], ids: list[str], strangers: list[str]) -> str:
        """What the others at a port hang on: one of the devices there, a stranger by name, or a switch nobody can ask."""
        device, port = at
        if not port:
            return ""
        carriers = [id for id in ids if self.directory.nodes[id].kind in CARRIERS]
        if len(carriers) == 1:
            return carriers[0]
        beside = self._stranger_beside(device, port)
        if beside is not None:
            return beside.name or beside.id
        real = [id for id in ids if not all(map(virtual, self.directory.macs[id]))]
        crowd = len(real) + sum(not virtual(mac) for mac in strangers)
        if len(real) == 1 and len(ids) > 1 and not strangers:
            return real[0]  # the rest are machines inside it
        return UNMANAGED if len(real) > 1 or (crowd >= _CROWD and port) else ""

    def _stranger_beside(self, device: str, port: str) -> Beside | None:
        """Somebody unknown who says that he stands at a port and passes others' frames on."""
        survey = self.surveys.get(device)
        if survey is None:
            return None
        found = [
            beside
            for beside in survey.beside
            if canonical(self.surveys, device, beside.port) == port and beside.role and not self.directory.who(beside)
        ]
        return found[0] if len(found) == 1 else None

    def _told_end(self, device: str, port: str, id: str, how: str, alone: bool) -> tuple[str, str]:
        """The machine's own port: as LLDP has it, else the interface whose address is heard."""
        for edge in self.tree.edges if alone else ():
            for one, near, other, far in ((edge.one, edge.port, edge.other, edge.other_port),
                                          (edge.other, edge.other_port, edge.one, edge.port)):  # fmt: skip
                if (one, other) == (device, id) and canonical(self.surveys, device, near) == port:
                    return far, edge.how
        survey = self.surveys.get(device)
        heard = {mac for mac, at, _ in survey.heard if at == port} if survey is not None else set()
        own = {self.directory.port_of_mac(mac) for mac in self.directory.macs[id] & heard} - {""}
        return (own.pop() if len(own) == 1 else ""), how

    def _vlan(self, device: str, port: str, macs: set[str]) -> int | None:
        """The VLAN the addresses are heard in, else the port's own; None where they are heard in several."""
        survey = self.surveys.get(device)
        if survey is None or not port:
            return None
        vlans = {vlan for mac, at, vlan in survey.heard if at == port and mac in macs and vlan is not None}
        if len(vlans) > 1:
            return None
        return vlans.pop() if vlans else survey.vlans.get(port) if port not in survey.trunks else None


def _distinct(heard: Iterable[Heard]) -> set[Heard]:
    """Each address at a port once, whatever the VLANs."""
    return {one._replace(vlan=None) for one in heard}
