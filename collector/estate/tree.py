"""The tree of an office's switches, from what each forwards where and who they say stands beside them. Pure.

Every switch hears the office's router, for each answer to us goes through it: the port it hears it at leads up. A switch
that hears another at a port that does not lead up stands above it; the lowest of those above is the one it hangs on. This
holds with tables that have lost most of their entries, since our own questions keep just these addresses fresh.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from ..model import Survey
from .directory import Directory

_ROUTERS = ("router", "firewall")
_TRUST = {"lldp": 0, "mndp": 1, "cdp": 2}


class Edge(NamedTuple):
    """What LLDP, CDP or MNDP say is one cable, ports by name, empty where not known."""

    one: str
    port: str
    other: str
    other_port: str
    how: str


class Above(NamedTuple):
    """What a switch hangs on: the device and its port, its own port, and how that is known. `shared`: others hang on the
    same port, so something stands between that cannot be asked."""

    device: str
    port: str
    own_port: str
    how: str
    shared: bool = False


@dataclass(slots=True)
class Tree:
    """`above` of each bridge that hangs on something; `up` is the port of a bridge that leads towards the root."""

    root: str = ""
    up: dict[str, str] = field(default_factory=dict)
    above: dict[str, Above] = field(default_factory=dict)
    down: dict[str, str] = field(default_factory=dict)
    """Bridge -> the port of the one above under which that forwards to it: an aggregate rather than its members."""
    seen: dict[str, dict[str, str]] = field(default_factory=dict)
    """Bridge -> device -> the port it is heard at."""
    edges: list[Edge] = field(default_factory=list)

    def chain(self, device: str) -> list[str]:
        """A device and all above it, up to the root."""
        found = [device]
        while (one := self.above.get(found[-1])) is not None and one.device not in found:
            found.append(one.device)
        return found

    def children(self, device: str, port: str) -> list[str]:
        """The bridges that hang on a port."""
        return [id for id, one in self.above.items() if one.device == device and self.down.get(id) == port]


def grow(directory: Directory, surveys: Mapping[str, Survey], home: frozenset[str]) -> Tree:
    """The tree of the bridges surveyed; `home` are the devices of the office itself, one of which is its root."""
    tree = Tree()
    bridges = sorted(id for id, survey in surveys.items() if survey.bridges)
    tree.seen = {id: _seen(directory, surveys[id]) for id in bridges}
    tree.edges = _edges(directory, surveys)
    tree.root = _root(directory, surveys, tree, home)
    for id in bridges:
        if id != tree.root and (port := tree.seen[id].get(tree.root)):
            tree.up[id] = port
    _learn_up(tree, surveys, bridges)
    placed = [id for id in bridges if id in tree.up]
    higher = {id: _higher(tree, id, [*placed, *([tree.root] if tree.root in tree.seen else [])]) for id in placed}
    for id in placed:
        tree.above[id] = _nearest(directory, tree, surveys, id, higher)
        tree.down[id] = tree.above[id].port
    _insert(directory, tree, surveys)
    _mark_shared(tree)
    return tree


def canonical(surveys: Mapping[str, Survey], device: str, port: str) -> str:
    """A port, or the aggregate it is a member of, under which forwarding tables have it."""
    survey = surveys.get(device)
    return port if survey is None else survey.bundles.get(port, port)


def _seen(directory: Directory, survey: Survey) -> dict[str, str]:
    """Device -> the port most of its addresses are heard at."""
    counts: dict[str, Counter[str]] = {}
    for mac, port, _ in survey.heard:
        id = directory.by_mac.get(mac)
        if id is not None and id != survey.device:
            counts.setdefault(id, Counter())[port] += 1
    return {id: min(count, key=lambda port: (-count[port], port)) for id, count in counts.items()}


def _edges(directory: Directory, surveys: Mapping[str, Survey]) -> list[Edge]:
    """Each cable once, with what either end says of it."""
    found: dict[tuple[str, str, str, str], Edge] = {}
    said: list[Edge] = []
    for survey in surveys.values():
        for beside in survey.beside:
            other = directory.who(beside)
            if other and other != survey.device:
                said.append(Edge(survey.device, beside.port, other, directory.port(other, beside), beside.protocol))
    said.sort(key=lambda edge: (_TRUST.get(edge.how, 9), not edge.other_port, edge))
    for edge in said:
        same = [known for known in found.values() if _same_cable(known, edge)]
        if same:
            key = _key(same[0])
            found[key] = _merged(found[key], edge)
        else:
            found[_key(edge)] = edge
    return list(found.values())


def _key(edge: Edge) -> tuple[str, str, str, str]:
    return edge.one, edge.port, edge.other, edge.other_port


def _same_cable(known: Edge, edge: Edge) -> bool:
    """Do two reports fit one cable? An end that one of them does not know fits any port."""
    if (known.one, known.other) == (edge.other, edge.one):
        edge = Edge(edge.other, edge.other_port, edge.one, edge.port, edge.how)
    elif (known.one, known.other) != (edge.one, edge.other):
        return False
    return all(a == b or not a or not b for a, b in ((known.port, edge.port), (known.other_port, edge.other_port)))


def _merged(known: Edge, edge: Edge) -> Edge:
    if known.one == edge.other:
        edge = Edge(edge.other, edge.other_port, edge.one, edge.port, edge.how)
    return known._replace(port=known.port or edge.port, other_port=known.other_port or edge.other_port)


def _root(directory: Directory, surveys: Mapping[str, Survey], tree: Tree, home: frozenset[str]) -> str:
    """The device most bridges hear, a router before others; without any, the one who resolves most addresses."""
    hearing: Counter[str] = Counter(id for seen in tree.seen.values() for id in seen if id in home)
    for edge in tree.edges:
        for one, other in ((edge.one, edge.other), (edge.other, edge.one)):
            if one in home and other in tree.seen and one not in tree.seen[other]:
                hearing[one] += 1

    def weight(id: str) -> tuple[int, bool, int, str]:
        survey = surveys.get(id)
        is_router = directory.nodes[id].kind in _ROUTERS
        return -hearing[id], not is_router, -len(survey.resolved) if survey else 0, id

    candidates = [id for id in home if directory.nodes[id].kind in _ROUTERS or id in surveys]
    return min(candidates, key=weight, default="")


def _learn_up(tree: Tree, surveys: Mapping[str, Survey], bridges: list[str]) -> None:
    """Bridges that have forgotten the root's address: those beside them, or a bridge that has not, tell where up is."""
    while True:
        known = {tree.root, *tree.up}
        lost = [id for id in bridges if id not in known]
        before = len(tree.up)
        for id in lost:
            for edge in tree.edges:
                ends = {edge.one: (edge.port, edge.other), edge.other: (edge.other_port, edge.one)}
                if id in ends and ends[id][1] in known and ends[id][0]:
                    tree.up[id] = canonical(surveys, id, ends[id][0])
                    break
        for id in lost:
            if id not in tree.up:
                # a bridge that hears it below itself, and that it hears
                above = [other for other in known if id in tree.seen.get(other, {}) and other in tree.seen[id]]
                above = [other for other in above if tree.seen[other][id] != tree.up.get(other)]
                if above:
                    tree.up[id] = tree.seen[id][min(above)]
        if len(tree.up) == before:
            return


def _higher(tree: Tree, id: str, bridges: list[str]) -> set[str]:
    """The bridges that hear it at a port that does not lead up."""
    return {other for other in bridges if other != id and id in tree.seen[other] and tree.seen[other][id] != tree.up.get(other)}


def _nearest(directory: Directory, tree: Tree, surveys: Mapping[str, Survey], id: str, higher: Mapping[str, set[str]]) -> Above:
    """The lowest of the bridges above one: it has most of the others above itself."""
    above = higher[id]
    if not above:
        return _below_root(directory, tree, surveys, id)
    lowest = min(above, key=lambda one: (-len(higher.get(one, set()) & above), one))
    return Above(lowest, tree.seen[lowest][id], tree.up[id], "forwarding")


def _below_root(directory: Directory, tree: Tree, surveys: Mapping[str, Survey], id: str) -> Above:
    """A bridge with none above it hangs on the root: at the port where that resolves its address, or whose address it hears."""
    port = ""
    root = surveys.get(tree.root)
    if root is not None:
        own = directory.macs[id]
        port = next((port for mac, port in root.resolved.values() if mac in own and port), "")
        if not port:
            ports = Counter(port for _, port in root.resolved.values() if port)
            port = next(iter(ports)) if len(ports) == 1 else ""
    if not port:
        heard = {directory.port_of_mac(mac) for mac, _, _ in surveys[id].heard if directory.by_mac.get(mac) == tree.root}
        port = heard.pop() if len(heard) == 1 else ""
    return Above(tree.root, port, tree.up[id], "forwarding")


def _insert(directory: Directory, tree: Tree, surveys: Mapping[str, Survey]) -> None:
    """Let those beside a bridge name its ports, and put in between those that forward but cannot be asked what."""
    for edge in tree.edges:
        for one, port, other, other_port in ((edge.one, edge.port, edge.other, edge.other_port),
                                             (edge.other, edge.other_port, edge.one, edge.port)):  # fmt: skip
            above = tree.above.get(one)
            if above is None or (port and canonical(surveys, one, port) != tree.up[one]):
                continue
            if above.device == other:
                tree.above[one] = Above(other, other_port or above.port, port or above.own_port, edge.how)
            elif other not in tree.seen and other not in tree.above and edge.how != "cdp" and _between(tree, above, other):
                # it stands between: the one above hears it at the same port
                tree.above[other] = Above(above.device, above.port, "", "forwarding")
                tree.above[one] = Above(other, other_port, port or above.own_port, edge.how)
                tree.down[other], tree.down[one] = above.port, other_port


def _between(tree: Tree, above: Above, other: str) -> bool:
    return tree.seen.get(above.device, {}).get(other) == above.port


def _mark_shared(tree: Tree) -> None:
    """Two bridges at one port of a third: a switch nobody can ask is between."""
    count = Counter((one.device, tree.down[id]) for id, one in tree.above.items() if tree.down[id])
    for id, one in tree.above.items():
        if count[one.device, tree.down[id]] > 1:
            tree.above[id] = one._replace(shared=True)
