"""What one look at the hardware and the system gives. None or an empty text: not known; zero is a finding.

The attributes are served as `config.objects` says, and by the standard modules where these have a place for them.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeVar

_Part = TypeVar("_Part", bound=tuple[Any, ...])


def completed(known: _Part, other: _Part) -> _Part:
    """A part with its gaps filled from what another source says of it."""
    make: Any = type(known)
    whole: _Part = make(*(one if one not in (None, "") else more for one, more in zip(known, other, strict=True)))
    return whole


class Machine(NamedTuple):
    maker: str = ""
    model: str = ""
    version: str = ""
    serial: str = ""
    uuid: str = ""
    sku: str = ""
    asset_tag: str = ""
    chassis: str = ""
    board_maker: str = ""
    board_model: str = ""
    board_serial: str = ""
    bios_maker: str = ""
    bios_version: str = ""
    bios_date: str = ""
    virtual: str = ""


class Processor(NamedTuple):
    name: str = ""
    model: str = ""
    maker: str = ""
    cores: int | None = None
    threads: int | None = None
    clock_mhz: int | None = None
    year: int | None = None


class Memory(NamedTuple):
    total_mib: int | None = None
    slots: int | None = None
    free_slots: int | None = None
    limit_mib: int | None = None


class Module(NamedTuple):
    name: str = ""
    size_mib: int | None = None
    type: str = ""
    form: str = ""
    speed_mts: int | None = None
    set_speed_mts: int | None = None
    maker: str = ""
    model: str = ""
    serial: str = ""


class Disk(NamedTuple):
    name: str = ""
    model: str = ""
    serial: str = ""
    firmware: str = ""
    size_mb: int | None = None
    medium: str = ""
    bus: str = ""
    rpm: int | None = None
    removable: bool | None = None
    system: bool | None = None
    health: str = ""
    health_reason: str = ""
    wear_percent: int | None = None
    celsius: int | None = None
    hours: int | None = None
    cycles: int | None = None
    reallocated: int | None = None
    pending: int | None = None
    uncorrectable: int | None = None
    written_gb: int | None = None


class Volume(NamedTuple):
    name: str = ""
    label: str = ""
    filesystem: str = ""
    disk: str = ""
    encrypted: bool | None = None
    system: bool | None = None


class Network(NamedTuple):
    number: int
    name: str = ""
    medium: str = ""
    model: str = ""
    driver: str = ""
    limit_mbps: int | None = None
    partner_limit_mbps: int | None = None
    signal_dbm: int | None = None
    signal_percent: int | None = None
    bus: str = ""


class Monitor(NamedTuple):
    name: str = ""
    maker: str = ""
    model: str = ""
    serial: str = ""
    year: int | None = None
    width_px: int | None = None
    height_px: int | None = None
    width_mm: int | None = None
    height_mm: int | None = None


class Printer(NamedTuple):
    name: str = ""
    model: str = ""
    connection: str = ""
    port: str = ""
    default: bool | None = None
    serial: str = ""


class Battery(NamedTuple):
    name: str = ""
    maker: str = ""
    model: str = ""
    serial: str = ""
    chemistry: str = ""
    design_mwh: int | None = None
    full_mwh: int | None = None
    health_percent: int | None = None
    cycles: int | None = None


class System(NamedTuple):
    name: str = ""
    version: str = ""
    build: str = ""
    architecture: str = ""
    installed: int | None = None
    support_end: int | None = None
    restart_pending: bool | None = None
    restart_reason: str = ""
    updated: int | None = None
    domain: str = ""


class Security(NamedTuple):
    firewall: bool | None = None
    firewall_name: str = ""
    encrypted: bool | None = None
    secure_boot: bool | None = None
    tpm: bool | None = None
    tpm_version: str = ""
    uefi: bool | None = None


class Antivirus(NamedTuple):
    name: str = ""
    version: str = ""
    enabled: bool | None = None
    current: bool | None = None
    updated: int | None = None


class Stability(NamedTuple):
    boot_time: int | None = None
    unexpected: int | None = None
    last_unexpected: int | None = None
    last_reason: str = ""
    starts: int | None = None


class Limit(NamedTuple):
    """Something that could not be seen, and why."""

    name: str
    reason: str


class Software(NamedTuple):
    name: str
    version: str = ""
    maker: str = ""
    installed: str = ""


class User(NamedTuple):
    name: str
    since: int | None = None


class Agent(NamedTuple):
    version: str = ""
    inventory_time: int | None = None
    inventory_milliseconds: int | None = None
    privileged: bool | None = None


class Standing(NamedTuple):
    """How the agent stands with the collector it enrolled with, and the line there. Times are Unix seconds."""

    checked: int | None = None
    clock_milliseconds: int | None = None
    trouble: str = ""
    tested: int | None = None
    round_trip_microseconds: int | None = None
    jitter_microseconds: int | None = None
    loss_permille: int | None = None
    receive_kbits: int | None = None
    transmit_kbits: int | None = None
    update: str = ""


class Inventory(NamedTuple):
    """All that one look at the hardware and the system gives."""

    agent: Agent = Agent()
    machine: Machine = Machine()
    processors: tuple[Processor, ...] = ()
    memory: Memory = Memory()
    modules: tuple[Module, ...] = ()
    disks: tuple[Disk, ...] = ()
    volumes: tuple[Volume, ...] = ()
    networks: tuple[Network, ...] = ()
    monitors: tuple[Monitor, ...] = ()
    printers: tuple[Printer, ...] = ()
    batteries: tuple[Battery, ...] = ()
    system: System = System()
    security: Security = Security()
    antivirus: tuple[Antivirus, ...] = ()
    stability: Stability = Stability()
    limits: tuple[Limit, ...] = ()
    software: tuple[Software, ...] = ()
    users: tuple[User, ...] = ()
    standing: Standing = Standing()
