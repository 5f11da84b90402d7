"""What flows: Device -> Reading -> (Facts, Block) -> pages, ledger, findings. Each thing is defined once, here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, Protocol


class Outcome(StrEnum):
    """How one attempt to read a device ended; worked out in `collector.polling.ask` alone."""

    OK = "ok"
    PARTIAL = "partial"
    TIMEOUT = "timeout"
    AUTH = "auth"
    MALFORMED = "malformed"
    CLOSED = "closed"
    UNREACHABLE = "unreachable"


class State(StrEnum):
    """A device as people see it. `UNREACHABLE`: its whole unit is silent, so nothing is known of the device itself. `OFF`: it
    said goodbye."""

    UNKNOWN = "unknown"
    UP = "up"
    PARTIAL = "partial"
    SILENT = "silent"
    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    GARBLED = "garbled"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Device:
    """One address that is polled. `credential` and `profile` are names; an empty profile is chosen from the answers."""

    id: str
    address: str
    port: int
    credential: str
    unit: str
    profile: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Unit:
    """An office: one line, one paced poll, one page. `parent` is a unit id or empty."""

    id: str
    name: str
    kind: str = ""
    parent: str = ""


@dataclass(frozen=True, slots=True)
class Interface:
    """A port. None: the device does not say. `speed_bps` 0: it says there is none (a port that is down)."""

    index: int
    name: str
    alias: str = ""
    description: str = ""
    type: int | None = None
    mac: str = ""
    speed_bps: int | None = None
    duplex: str | None = None
    oper: str | None = None
    admin: str | None = None


@dataclass(frozen=True, slots=True)
class Sensor:
    """A measured value in base units: `kind` names quantity and unit (`config.units.SENSOR_CLASSES`)."""

    kind: str
    name: str
    value: float


@dataclass(frozen=True, slots=True)
class Supply:
    """A printer's toner, drum, paper. `level_percent` is None when `level` is not "measured"."""

    kind: str
    name: str
    level_percent: float | None
    level: str = "measured"
    """measured, some (RFC 3805: -3, at least one unit left), unknown (-2), unlimited (-1)"""


@dataclass(frozen=True, slots=True)
class Storage:
    """A volume or a memory, sizes in bytes; None is unknown. `used_percent`: by devices that tell nothing in bytes."""

    name: str
    size_bytes: int | None
    used_bytes: int | None
    kind: str = ""
    used_percent: float | None = None


@dataclass(frozen=True, slots=True)
class Processor:
    """One processor (or the only figure the device gives for all), load in percent over the last minute or so."""

    name: str
    load_percent: float | None


@dataclass(frozen=True, slots=True)
class Component:
    """A physical part (ENTITY-MIB): `kind` is chassis, module, powerSupply, fan, disk, memory, ..."""

    name: str
    kind: str
    model: str = ""
    serial: str = ""
    vendor: str = ""
    version: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """What a device says stands at the other end of one of its ports."""

    local_port: str
    remote_name: str
    remote_port: str = ""
    remote_id: str = ""
    protocol: str = "lldp"


@dataclass(frozen=True, slots=True)
class Facts:
    """What a device is and how it stands. Empty text or None: the device does not say."""

    profile: str = ""
    kind: str = "other"
    vendor: str = ""
    model: str = ""
    serial: str = ""
    name: str = ""
    description: str = ""
    object_id: str = ""
    location: str = ""
    contact: str = ""
    os_name: str = ""
    os_version: str = ""
    uptime_seconds: float | None = None
    interfaces: tuple[Interface, ...] = ()
    sensors: tuple[Sensor, ...] = ()
    supplies: tuple[Supply, ...] = ()
    storage: tuple[Storage, ...] = ()
    memory: tuple[Storage, ...] = ()
    processors: tuple[Processor, ...] = ()
    components: tuple[Component, ...] = ()
    neighbours: tuple[Neighbour, ...] = ()
    uuid: str = ""
    board_serial: str = ""
    machine_id: str = ""
    engine_id: str = ""


class Heard(NamedTuple):
    """A MAC address whose frames came in at a port (its name), and in which VLAN; None: not told."""

    mac: str
    port: str
    vlan: int | None = None


class Beside(NamedTuple):
    """What a protocol (lldp, cdp, mndp) says stands at the other end of a port.

    `id` is a MAC address where it gives one; `ports` are all the names it gives for the port over there; `role` is bridge,
    wireless, router, phone, or empty where it does not say.
    """

    port: str
    protocol: str
    id: str
    name: str
    ports: tuple[str, ...] = ()
    address: str = ""
    role: str = ""


@dataclass(frozen=True, slots=True)
class Survey:
    """What a switch, router or access point knows of its neighbourhood. Ports are names of its interfaces; addresses are
    written as in `Interface.mac`. `missed` says what could not be read or understood."""

    device: str
    time: float
    macs: frozenset[str] = frozenset()
    """Addresses of its own, beside those of its interfaces."""
    bridges: bool = False
    """Does it tell what it forwards?"""
    heard: tuple[Heard, ...] = ()
    beside: tuple[Beside, ...] = ()
    resolved: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """IP address -> MAC address and port (ARP and IPv6's neighbour discovery)."""
    trunks: frozenset[str] = frozenset()
    """Ports that carry tagged VLANs."""
    vlans: Mapping[str, int] = field(default_factory=dict)
    """Port -> the VLAN of its untagged frames."""
    bundles: Mapping[str, str] = field(default_factory=dict)
    """Port -> the aggregate it is a member of."""
    able: Mapping[str, int] = field(default_factory=dict)
    """Port -> bits a second it can at most."""
    offered: Mapping[str, int] = field(default_factory=dict)
    """Port -> bits a second that the other end of its cable says it can at most."""
    missed: str = ""


@dataclass(frozen=True, slots=True)
class Link:
    """A cable, as far as it can be told: `device` is the end nearer to the office's router.

    `remote` is a device's id, or empty for a stranger, who is called `name`. `how` is lldp, cdp, mndp, forwarding or arp.
    `via` is what stands between: "unmanaged" for a switch nobody can ask, or the name of a stranger (a phone, say). A port
    is empty where it is not known.
    """

    device: str
    port: str
    remote: str
    remote_port: str = ""
    name: str = ""
    how: str = "forwarding"
    via: str = ""
    vlan: int | None = None


class Series(NamedTuple):
    """One time series of a device: a metric of the catalogue and its labels (the device label is added on the page)."""

    metric: str
    labels: tuple[tuple[str, str], ...] = ()


class Layout:
    """The series of a poll, in page order: those of one metric stand together. Shared by all polls of the same shape.

    Compared by identity; whoever renders keeps what it derives from a layout in a WeakKeyDictionary.
    """

    __slots__ = ("__weakref__", "series")

    def __init__(self, series: Sequence[Series]) -> None:
        self.series = tuple(series)


class Block(NamedTuple):
    """The numbers of one poll, in the layout's order, and when the poll ended (Unix seconds)."""

    layout: Layout
    values: Sequence[int | float]
    time: float


@dataclass(frozen=True, slots=True)
class Status:
    """A device's state after a poll. Times are Unix seconds; None: never."""

    state: State
    outcome: Outcome | None = None
    since: float | None = None
    answered: float | None = None
    answer_seconds: float | None = None
    requests: int = 0
    retries: int = 0
    message: str = ""


class Sink(Protocol):
    """Where polls go: the pages, the inventory, the surveyor. Called on the event loop; must not block."""

    def polled(self, device: Device, status: Status, block: Block | None) -> None:
        """A poll ended. Without a block (the device did not answer) its polled values vanish."""

    def described(self, device: Device, facts: Facts) -> None:
        """The device's facts were read anew and differ from the last ones."""

    def cycled(self, unit: str) -> None:
        """All devices of a unit were asked once: its page may be put together."""

    def forgotten(self, device: Device) -> None:
        """The device was taken out of the settings."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with a device, against the rule of this name. `verdict` is failed: what is met is no finding."""

    rule: str
    device: str
    verdict: str
    expected: str
    observed: str
    fix: str = ""
    evidence: tuple[str, ...] = ()
