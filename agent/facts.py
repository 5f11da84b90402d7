"""What the agent reads of its machine whenever somebody asks. None or an empty text: not known; zero is a finding."""

from __future__ import annotations

from typing import NamedTuple


class Host(NamedTuple):
    """The machine as a system that runs."""

    name: str
    description: str
    boot_time: float
    """Unix seconds."""


class Interface(NamedTuple):
    """A network interface now. `type` as in IANAifType, `speed_bps` 0: no speed, None: not known."""

    number: int
    """The ifIndex."""
    name: str
    type: int
    mtu: int
    mac: bytes
    admin: bool
    oper: str
    speed_bps: int | None
    full_duplex: bool | None
    alias: str = ""
    description: str = ""
    physical: bool = False
    promiscuous: bool = False
    changes: int = 0
    """How often the link went up or down."""


class Traffic(NamedTuple):
    """Counters of an interface since it came up; None: the system does not count it."""

    receive_bytes: int
    receive_packets: int
    receive_errors: int
    receive_discards: int
    transmit_bytes: int
    transmit_packets: int
    transmit_errors: int
    transmit_discards: int
    receive_multicast: int | None = None


class Space(NamedTuple):
    """A memory or a mounted volume. `kind`: ram, virtual, swap, fixed, removable, network, flash."""

    name: str
    kind: str
    size_bytes: int
    used_bytes: int
    block_bytes: int = 1024
    filesystem: str = ""
    read_only: bool = False


class Times(NamedTuple):
    """Seconds one logical processor was busy and idle since the system started."""

    busy: float
    idle: float


class Sensor(NamedTuple):
    """A temperature now."""

    name: str
    celsius: float
