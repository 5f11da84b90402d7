"""Made-up offices for tests of topology: a tree of switches, machines on their ports, and the tables each switch would have."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from collector.estate.directory import Node
from collector.model import Beside, Heard, Interface, Survey

NOW = 1763884800.0
Keep = Callable[[str, str], bool]
"""May a switch (first) have forgotten what it heard of a device (second)? True: it has not."""


@dataclass
class Switch:
    """A switch on port `at` of the one above it, None for the office's router; its own port 1 leads up."""

    id: str
    above: str
    at: int
    machines: dict[int, list[str]] = field(default_factory=dict)
    """Port -> machines there; several share a switch that cannot be asked."""


@dataclass
class Office:
    """Switches in any order, those above first."""

    switches: list[Switch] = field(default_factory=list)
    router: str = "gw"

    def add(self, above: str = "", at: int = 2, **machines: Collection[str]) -> Switch:
        """One more switch; `p7=["pc1"]` says what is on its port 7."""
        found = Switch(f"sw{len(self.switches)}", above or self.router, at)
        found.machines = {int(port[1:]): list(some) for port, some in machines.items()}
        self.switches.append(found)
        return found

    @property
    def machines(self) -> list[str]:
        return [machine for switch in self.switches for some in switch.machines.values() for machine in some]

    def below(self, switch: Switch) -> dict[int, list[str]]:
        """Port -> everything whose frames come in there, without port 1."""
        found = {port: list(some) for port, some in switch.machines.items()}
        for other in self.switches:
            if other.above == switch.id:
                deeper = [id for some in self.below(other).values() for id in some]
                found.setdefault(other.at, []).extend([other.id, *deeper])
        return found

    def tables(self, keep: Keep = lambda switch, device: True) -> dict[str, dict[str, int]]:
        """Switch -> device -> port it is heard at."""
        every = [self.router, *(switch.id for switch in self.switches), *self.machines]
        found = {}
        for switch in self.switches:
            below = {id: port for port, some in self.below(switch).items() for id in some}
            heard = {id: below.get(id, 1) for id in every if id != switch.id}
            found[switch.id] = {id: port for id, port in heard.items() if keep(switch.id, id)}
        return found

    def surveys(self, keep: Keep = lambda switch, device: True, told: Collection[tuple[str, str]] = ()) -> list[Survey]:
        """What the switches say; `told` are pairs (switch, the one above it) that speak LLDP with each other."""
        found = []
        for id, table in self.tables(keep).items():
            beside = []
            for switch in self.switches:
                if (switch.id, switch.above) in told and id == switch.id:
                    beside.append(Beside("p1", "lldp", mac(switch.above), switch.above, (f"p{switch.at}",), role="bridge"))
                elif (switch.id, switch.above) in told and id == switch.above:
                    beside.append(Beside(f"p{switch.at}", "lldp", mac(switch.id), switch.id, ("p1",), role="bridge"))
            heard = tuple(Heard(mac(device), f"p{port}", 10) for device, port in table.items())
            found.append(Survey(id, NOW, frozenset((mac(id),)), bridges=True, heard=heard, beside=tuple(beside)))
        return found

    def nodes(self) -> list[Node]:
        """All devices."""
        found = [node(self.router, "router")]
        found += [node(switch.id, "switch", 24) for switch in self.switches]
        return found + [node(machine) for machine in self.machines]

    def cabling(self) -> dict[str, tuple[str, str, bool]]:
        """Device -> what it hangs on, the port, whether it shares it."""
        found = {}
        for switch in self.switches:
            alone = sum((other.above, other.at) == (switch.above, switch.at) for other in self.switches) == 1
            others = next((one.machines.get(switch.at, []) for one in self.switches if one.id == switch.above), [])
            found[switch.id] = (switch.above, f"p{switch.at}" if switch.above != self.router else "", not alone or bool(others))
            for port, some in switch.machines.items():
                shared = len(some) > 1 or any(other.above == switch.id and other.at == port for other in self.switches)
                found.update((machine, (switch.id, f"p{port}", shared)) for machine in some)
        return found


def mac(id: str) -> str:
    """The address of a device."""
    number = sum(ord(c) * 131**i for i, c in enumerate(id)) % (1 << 24)
    return (0x001B54 << 24 | number).to_bytes(6, "big").hex(":")


def node(id: str, kind: str = "workstation", ports: int = 1, unit: str = "", address: str = "") -> Node:
    """A device as topology sees it."""
    own = Interface(1, "eth0", mac=mac(id), type=6)
    interfaces = (own,) if ports == 1 else tuple(Interface(i, f"p{i}", type=6) for i in range(1, ports + 1))
    if ports > 1:
        interfaces += (Interface(1001, "vlan1", mac=mac(id), type=136),)
    return Node(id, kind, id, address, unit, interfaces)
