"""What a workstation is built of and how it is kept, drawn with the shares that surveys of communes found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeVar

from .cabling import pick
from .models import WorkstationModel
from .province import Machine

WINDOWS_7, WINDOWS_10, WINDOWS_11, LINUX = "Windows 7 Professional", "Windows 10 Pro", "Windows 11 Pro", "Debian GNU/Linux"

_VERSIONS = {
    WINDOWS_7: ("6.1", "7601"),
    WINDOWS_10: ("22H2", "19045.5011"),
    WINDOWS_11: ("23H2", "22631.4460"),
    LINUX: ("12", "6.1.0-26-amd64"),
}
_KERNELS = {WINDOWS_7: "6.1.7601", WINDOWS_10: "10.0.19045", WINDOWS_11: "10.0.22631", LINUX: "6.1.0-26-amd64"}
SUPPORT_ENDS = {WINDOWS_7: 1578960000, WINDOWS_10: 1760400000, WINDOWS_11: 1762819200, LINUX: 1845158400}
"""Unix seconds of the last free security update: 14/01/2020, 14/10/2025, 11/11/2025 (23H2), 30/06/2028."""

_Choice = TypeVar("_Choice")

_OLD, _MIDDLE, _NEW = range(3)
_MEMORY = (((2, 10), (4, 55), (8, 35)), ((4, 40), (8, 57), (16, 3)), ((4, 8), (8, 62), (16, 30)))
_SOLID = (0.40, 0.55, 0.90)
_SYSTEMS = (
    ((WINDOWS_7, 15), (WINDOWS_10, 83), (LINUX, 2)),
    ((WINDOWS_7, 3), (WINDOWS_10, 95), (LINUX, 2)),
    ((WINDOWS_10, 36), (WINDOWS_11, 62), (LINUX, 2)),
)
_ANTIVIRUS = ("BkavPro", "Kaspersky Endpoint Security", "Microsoft Defender Antivirus", "CMC Endpoint Security")
_USB_PRINTERS = ("Canon LBP2900", "Canon LBP6030/6040/6018L", "HP LaserJet Professional P1102")


@dataclass(frozen=True, slots=True)
class Hardware:
    """A workstation's parts. Sizes in bytes; `volumes` are (name, size, used); an empty text: there is none."""

    model: WorkstationModel
    year: int
    memory: int
    slots: int
    modules: int
    disk: str
    solid: bool
    disk_bytes: int
    volumes: tuple[tuple[str, int, int], ...]
    health: str
    system: str
    antivirus: str
    current: bool
    firewall: bool
    encrypted: bool
    printer: str
    unexpected: int
    clock_skew: float

    @property
    def windows(self) -> bool:
        """Does it run Windows?"""
        return self.system != LINUX

    @property
    def version(self) -> tuple[str, str]:
        """Version and build of its system."""
        return _VERSIONS[self.system]

    @property
    def description(self) -> str:
        """sysDescr in the agent's manner: host system and processor architecture."""
        return f"{self.system} {_KERNELS[self.system]} x86_64; haidang-agent 0.1.0"


def draw(machine: Machine) -> Hardware:
    """The hardware of a workstation."""
    model = pick(machine)
    assert isinstance(model, WorkstationModel)
    random = machine.random("hardware")
    year = random.randint(model.first_year, model.last_year)
    age = _OLD if model.last_year <= 2015 else _MIDDLE if model.last_year <= 2019 else _NEW
    memory = _drawn(random, _MEMORY[age])
    solid = random.random() < _SOLID[age]
    system = _drawn(random, _SYSTEMS[age])
    size = random.choice((120, 240, 256, 480)) if solid else random.choice((500, 500, 1000))
    volumes = []
    left = size * 1_000_000_000 - 700_000_000
    names = ["/"] if system == LINUX else ["C:"] if size <= 256 else ["C:", "D:"]
    for name in names:
        own = left if name == names[-1] else min(left // 2, 160_000_000_000)
        left -= own
        volumes.append((name, own, int(own * (1 - random.betavariate(2.2, 2.6)))))
    faulty = random.random()
    printer = random.choice(_USB_PRINTERS) if random.random() < 0.25 else ""
    return Hardware(
        model=model,
        year=year,
        memory=memory << 30,
        slots=random.choice((2, 2, 4)),
        modules=1 if memory <= 8 else 2,
        disk=random.choice(("Samsung SSD 870 EVO", "KINGSTON SA400S37", "WDC WDS240G2G0A")) if solid
        else random.choice(("ST500DM002-1BD142", "WDC WD5000AAKX-08U6AA0", "TOSHIBA DT01ACA050")),
        solid=solid,
        disk_bytes=size * 1_000_000_000,
        volumes=tuple(volumes),
        health="failing" if faulty < 0.01 else "warning" if faulty < 0.05 else "good",
        system=system,
        antivirus=random.choice(_ANTIVIRUS) if random.random() < 0.81 else "",
        current=random.random() < 0.85,
        firewall=random.random() < 0.88,
        encrypted=random.random() < 0.05,
        printer=printer,
        unexpected=_drawn(random, ((0, 80), (1, 12), (2, 5), (5, 3))),
        clock_skew=random.uniform(-5400.0, 5400.0) if random.random() < 0.08 else 0.0,
    )  # fmt: skip


def _drawn(random: Random, shares: Sequence[tuple[_Choice, int]]) -> _Choice:
    """One of the choices; the second of each pair is its share."""
    return random.choices([choice for choice, _ in shares], [share for _, share in shares])[0]
