"""What is wrong on request: machines off, lines down, slow or lossy, garbage instead of answers."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from .devices import Devices
from .province import Province

ORDERS = """\
off            a machine is switched off (its switch port goes down); an office's line is down
on             everything is well again
silent         a machine is on but does not answer
slow=SECONDS   every answer comes so much later
lossy=SHARE    so great a share of the requests is lost, from 0 to 1
garbage        damaged messages instead of answers
reboot         counters begin at zero; with =SECONDS, silent for so long before; an office's machines all at once
grow=ROWS      the interface table has so many rows more
link=MBIT      a workstation's link manages only so many Mbit/s, as with a bad cable"""
"""What may be ordered, for people."""

_WORDS = tuple(line.split()[0].split("=")[0] for line in ORDERS.splitlines())


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a machine or an office's line. `slow` in seconds, `lossy` a share of 1."""

    off: bool = False
    silent: bool = False
    slow: float = 0.0
    lossy: float = 0.0
    garbage: bool = False

    def and_(self, other: Fault) -> Fault:
        """Both at once."""
        return Fault(
            self.off or other.off,
            self.silent or other.silent,
            self.slow + other.slow,
            1 - (1 - self.lossy) * (1 - other.lossy),
            self.garbage or other.garbage,
        )


WELL = Fault()


@dataclass(slots=True)
class Faults:
    """The faults now. `present` has the machines with a fault of their own or of their line, by address."""

    province: Province
    present: dict[str, Fault] = field(default_factory=dict)
    _own: dict[str, Fault] = field(default_factory=dict)
    _lines: dict[str, Fault] = field(default_factory=dict)

    def powered(self, address: str) -> bool:
        """Is the machine at this address switched on?"""
        fault = self._own.get(address)
        return fault is None or not fault.off

    def order(self, target: str, order: str, devices: Devices, now: float) -> None:
        """Let something happen to a machine (by address or name) or an office (by id).

        Raises ValueError that says what would be right.
        """
        word, _, argument = order.partition("=")
        if word not in _WORDS:
            raise ValueError(f"unknown fault {order!r}; expected one of {', '.join(_WORDS)}")
        members = self._members(target)
        if word == "reboot":
            pause = _number(order, argument or "0", 86400.0)
            for address in members:
                devices.life(address).reboot(now + pause)
                devices.rebuild(address)
        elif word == "grow":
            rows = int(_number(order, argument, 1000.0))
            for address in members:
                devices.life(address).grow(rows, now)
                devices.rebuild(address)
        elif word == "link":
            mbps = int(_number(order, argument, 1000.0))
            for address in members:
                devices.slow(address, mbps)
        else:
            self._set(target, members, word, order, argument)
            if word == "on":
                for address in members:
                    if devices.life(address).link:
                        devices.slow(address, 0)
                    if devices.life(address).grown:
                        devices.life(address).grow(0, now)
                        devices.rebuild(address)

    def _set(self, target: str, members: list[str], word: str, order: str, argument: str) -> None:
        line = target in self._offices()
        faults, key = (self._lines, target) if line else (self._own, members[0])
        before = faults.get(key, WELL)
        if word == "on":
            faults.pop(key, None)
            if line:
                for address in members:
                    self._own.pop(address, None)
        elif word in ("slow", "lossy"):
            value = _number(order, argument, 60.0 if word == "slow" else 1.0)
            faults[key] = replace(before, slow=value) if word == "slow" else replace(before, lossy=value)
        elif argument:
            raise ValueError(f"{word} takes no value, found {argument!r}")
        else:
            faults[key] = Fault(
                before.off or word == "off",
                before.silent or word == "silent",
                before.slow,
                before.lossy,
                before.garbage or word == "garbage",
            )
        for address in members:
            machine = self.province.machine(address)
            assert machine is not None
            both = self._own.get(address, WELL).and_(self._lines.get(machine.office, WELL))
            if both == WELL:
                self.present.pop(address, None)
            else:
                self.present[address] = both

    def _offices(self) -> set[str]:
        return {office.id for office in self.province.offices[1:]}

    def _members(self, target: str) -> list[str]:
        """The addresses of the machines meant."""
        if target in self._offices():
            return [machine.address for machine in self.province.members(target)]
        for machine in self.province.machines:
            if target in (machine.address, machine.name, machine.name.lower()):
                return [machine.address]
        raise ValueError(
            f"no machine and no office is called {target!r}; expected an address, a machine's name or an office's id"
        )


def _number(order: str, text: str, most: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= most:
        raise ValueError(f"{order!r}: expected a number from 0 to {most:g} after '='")
    return value
