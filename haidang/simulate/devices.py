"""The machines of a province as responders, each built when it is first asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from snmp.access import CommunityAccess, UserAccess
from snmp.engine import Statistics
from snmp.responder import Responder
from snmp.tree import Tree

from . import printer, router, switch, ups, workstation
from .cabling import Cabling, lay
from .life import Life
from .province import PRINTER, ROUTER, SWITCH, UPS, WORKSTATION, Machine, Province
from .sheet import Shapes, Sheet
from .site import Site

_WRITERS: dict[str, Callable[[Sheet, Site], None]] = {
    ROUTER: router.put,
    SWITCH: switch.put,
    PRINTER: printer.put,
    UPS: ups.put,
    WORKSTATION: workstation.put,
}


class Devices:
    """The province's machines in operation. `clock` gives seconds, `epoch` the Unix time at its zero."""

    def __init__(
        self,
        province: Province,
        communities: Iterable[CommunityAccess],
        users: Iterable[UserAccess],
        clock: Callable[[], float],
        epoch: float,
        powered: Callable[[str], bool] = lambda address: True,
    ) -> None:
        self.province = province
        self.statistics = Statistics()
        self._communities = tuple(communities)
        self._users = tuple(users)
        self._clock = clock
        self._begun = clock()
        self._epoch = epoch
        self._powered = powered
        self._offices = {office.id: office for office in province.offices}
        self._shapes = Shapes()
        self._cablings: dict[str, Cabling] = {}
        self._lives: dict[str, Life] = {}
        self._responders: dict[str, Responder] = {}

    def life(self, address: str) -> Life:
        """The machine's time; raises KeyError where there is no machine."""
        life = self._lives.get(address)
        if life is None:
            machine = self.province.machine(address)
            if machine is None:
                raise KeyError(address)
            life = self._lives[address] = Life(machine, self._begun)
        return life

    def responder(self, address: str) -> Responder | None:
        """What answers at an address; None where there is no machine."""
        responder = self._responders.get(address)
        if responder is None and self.province.machine(address) is not None:
            life = self.life(address)
            responder = self._responders[address] = Responder(
                self._tree(life), self._communities, self._users, life.engine, clock=self._clock, stats=self.statistics
            )
        return responder

    def rebuild(self, address: str) -> None:
        """Make the machine's objects anew, because its time or its tables were changed."""
        responder = self._responders.get(address)
        if responder is not None:
            responder.tree = self._tree(self.life(address))

    def slow(self, address: str, mbps: int) -> None:
        """Let a machine's link manage only so many Mbit/s, 0: what it does by itself; its switch says so, too."""
        life = self.life(address)
        life.link = mbps
        self.rebuild(address)
        attached = self._site(life.machine, life).cabling.attachments.get(address)
        if attached is not None:
            self.rebuild(attached[0].machine.address)

    def _tree(self, life: Life) -> Tree:
        sheet = Sheet()
        _WRITERS[life.machine.kind](sheet, self._site(life.machine, life))
        return sheet.tree(self._shapes)

    def _site(self, machine: Machine, life: Life) -> Site:
        cabling = self._cablings.get(machine.office)
        if cabling is None:
            cabling = self._cablings[machine.office] = lay(self.province.members(machine.office))
        return Site(
            machine, self._offices[machine.office], cabling, life, self._epoch, self._powered, lambda at: self.life(at).link
        )
