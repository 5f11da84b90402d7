"""The work of one poll, the same for every poller, and the devices it is done on."""

from __future__ import annotations

from collections.abc import Iterator

SCALARS = (
    "1.3.6.1.2.1.1.1.0",  # sysDescr
    "1.3.6.1.2.1.1.3.0",  # sysUpTime
    "1.3.6.1.2.1.1.5.0",  # sysName
    "1.3.6.1.2.1.1.6.0",  # sysLocation
    "1.3.6.1.2.1.25.1.1.0",  # hrSystemUptime
)
INTERFACE_COLUMNS = (
    "1.3.6.1.2.1.2.2.1.8",  # ifOperStatus
    "1.3.6.1.2.1.2.2.1.13",  # ifInDiscards
    "1.3.6.1.2.1.2.2.1.14",  # ifInErrors
    "1.3.6.1.2.1.2.2.1.19",  # ifOutDiscards
    "1.3.6.1.2.1.2.2.1.20",  # ifOutErrors
    "1.3.6.1.2.1.31.1.1.1.1",  # ifName
    "1.3.6.1.2.1.31.1.1.1.6",  # ifHCInOctets
    "1.3.6.1.2.1.31.1.1.1.10",  # ifHCOutOctets
    "1.3.6.1.2.1.31.1.1.1.15",  # ifHighSpeed
)
STORAGE_COLUMNS = (
    "1.3.6.1.2.1.25.2.3.1.3",  # hrStorageDescr
    "1.3.6.1.2.1.25.2.3.1.4",  # hrStorageAllocationUnits
    "1.3.6.1.2.1.25.2.3.1.5",  # hrStorageSize
    "1.3.6.1.2.1.25.2.3.1.6",  # hrStorageUsed
)
DEVICE_COLUMNS = (
    "1.3.6.1.2.1.25.3.2.1.3",  # hrDeviceDescr
    "1.3.6.1.2.1.25.3.3.1.2",  # hrProcessorLoad
)
COLUMNS = INTERFACE_COLUMNS + STORAGE_COLUMNS + DEVICE_COLUMNS
COMMUNITY = "public"
USER, AUTH_SECRET, PRIV_SECRET = "polluser", "authpass1234", "privpass1234"
"""The v3 user: SHA-1 and AES-128."""


def address(i: int) -> str:
    """The loopback address of device `i`, from 0; none ends in 0."""
    if i & 255:
        return f"127.{1 + (i >> 16)}.{i >> 8 & 255}.{i & 255}"
    return f"127.{100 + (i >> 16)}.{i >> 8 & 255}.254"


Line = tuple[str, str, str | int]
"""OID, snmprec tag, value."""


def _system(description: str, object_id: str, name: str) -> Iterator[Line]:
    yield "1.3.6.1.2.1.1.1.0", "4", description
    yield "1.3.6.1.2.1.1.2.0", "6", object_id
    yield "1.3.6.1.2.1.1.3.0", "67", 8640000
    yield "1.3.6.1.2.1.1.4.0", "4", "admin@example.org"
    yield "1.3.6.1.2.1.1.5.0", "4", name
    yield "1.3.6.1.2.1.1.6.0", "4", "machine room"
    yield "1.3.6.1.2.1.1.7.0", "2", 72


def _interfaces(names: list[str], type_: int, mbit: int) -> Iterator[Line]:
    yield "1.3.6.1.2.1.2.1.0", "2", len(names)
    yield "1.3.6.1.2.1.31.1.5.0", "67", 0
    for i, name in enumerate(names, 1):
        loop, up = name == "lo", i % 5 != 4
        table: dict[int, tuple[str, str | int]] = {
            1: ("2", i),
            2: ("4", name),
            3: ("2", 24 if loop else type_),
            4: ("2", 65536 if loop else 1500),
            5: ("66", min(mbit * 10**6, 2**32 - 1) if up else 0),
            6: ("4x", "" if loop else f"02005e10{i:04x}"),
            7: ("2", 1),
            8: ("2", 1 if up else 2),
            9: ("67", 0),
            10: ("65", 3 * 10**8 + i if up else 0),
            11: ("65", 2 * 10**6 + i if up else 0),
            13: ("65", i % 3),
            14: ("65", 0),
            15: ("65", 0),
            16: ("65", 2 * 10**8 + i if up else 0),
            17: ("65", 10**6 + i if up else 0),
            19: ("65", 0),
            20: ("65", i % 2),
        }
        extended: dict[int, tuple[str, str | int]] = {
            1: ("4", name),
            2: ("65", 1000 + i),
            3: ("65", 2000 + i),
            4: ("65", 1000 + i),
            5: ("65", 2000 + i),
            6: ("70", 3 * 10**10 + i if up else 0),
            7: ("70", 2 * 10**7 + i if up else 0),
            8: ("70", 1000 + i),
            9: ("70", 2000 + i),
            10: ("70", 2 * 10**10 + i if up else 0),
            11: ("70", 10**7 + i if up else 0),
            12: ("70", 1000 + i),
            13: ("70", 2000 + i),
            14: ("2", 1),
            15: ("66", mbit if up else 0),
            16: ("2", 2),
            17: ("2", 1),
            18: ("4", ""),
            19: ("67", 0),
        }
        for column, (tag, value) in table.items():
            yield f"1.3.6.1.2.1.2.2.1.{column}.{i}", tag, value
        for column, (tag, value) in extended.items():
            yield f"1.3.6.1.2.1.31.1.1.1.{column}.{i}", tag, value
        if not loop:
            yield f"1.3.6.1.2.1.10.7.2.1.19.{i}", "2", 3 if up else 1


def _host(processors: int) -> Iterator[Line]:
    yield "1.3.6.1.2.1.25.1.1.0", "67", 8650000
    yield "1.3.6.1.2.1.25.1.5.0", "66", 1
    yield "1.3.6.1.2.1.25.1.6.0", "66", 60
    yield "1.3.6.1.2.1.25.2.2.0", "2", 8388608
    memory, disk = "1.3.6.1.2.1.25.2.1.2", "1.3.6.1.2.1.25.2.1.4"
    storages = [
        (1, memory, "Physical memory", 1024, 8388608, 5242880),
        (3, "1.3.6.1.2.1.25.2.1.3", "Virtual memory", 1024, 10485760, 5242880),
        (6, "1.3.6.1.2.1.25.2.1.1", "Memory buffers", 1024, 8388608, 131072),
        (7, "1.3.6.1.2.1.25.2.1.1", "Cached memory", 1024, 1048576, 1048576),
        (8, "1.3.6.1.2.1.25.2.1.1", "Shared memory", 1024, 65536, 65536),
        (10, "1.3.6.1.2.1.25.2.1.3", "Swap space", 1024, 2097152, 0),
        (35, disk, "/", 4096, 61865984, 31457280),
        (36, disk, "/boot", 4096, 249856, 81920),
        (37, disk, "/run", 4096, 209715, 512),
        (38, disk, "/home", 4096, 117440512, 99614720),
        (39, disk, "/var", 4096, 1048576, 2048),
    ]
    for i, kind, name, unit, size, used in storages:
        row: list[tuple[str, str | int]] = [("2", i), ("6", kind), ("4", name), ("2", unit), ("2", size), ("2", used)]
        for column, (tag, value) in enumerate(row, 1):
            yield f"1.3.6.1.2.1.25.2.3.1.{column}.{i}", tag, value
    devices = [(196608 + i, "3", "GenuineIntel: Intel(R) Core(TM) i3-10100 CPU @ 3.60GHz") for i in range(processors)]
    devices += [(262145 + i, "4", f"network interface {name}") for i, name in enumerate(("lo", "eth0", "eth1", "eth2"))]
    devices += [(393232, "6", "SCSI disk (/dev/sda)")]
    for i, kind, name in devices:
        row = [("2", i), ("6", f"1.3.6.1.2.1.25.3.1.{kind}"), ("4", name), ("6", "0.0"), ("2", 2)]
        for column, (tag, value) in enumerate(row, 1):
            yield f"1.3.6.1.2.1.25.3.2.1.{column}.{i}", tag, value
    for i in range(processors):
        yield f"1.3.6.1.2.1.25.3.3.1.1.{196608 + i}", "6", "0.0"
        yield f"1.3.6.1.2.1.25.3.3.1.2.{196608 + i}", "2", 7 + i
    for i in range(1, 61):
        yield f"1.3.6.1.2.1.25.4.2.1.2.{i * 17}", "4", f"process-{i}"


def _snmprec(lines: Iterator[Line]) -> str:
    ordered = sorted(lines, key=lambda line: tuple(map(int, line[0].split("."))))
    return "".join(f"{oid}|{tag}|{value}\n" for oid, tag, value in ordered)


def workstation() -> str:
    """The table of a device on which the work is 94 values: 5 scalars, 9 x 4 interfaces, 4 x 11 storages, 7 devices, 2 loads."""

    def lines() -> Iterator[Line]:
        yield from _system("Linux workstation 6.1.0-18-amd64 #1 SMP Debian x86_64", "1.3.6.1.4.1.8072.3.2.10", "workstation")
        yield from _interfaces(["lo", "eth0", "eth1", "eth2"], 6, 1000)
        yield from _host(2)

    return _snmprec(lines())


def switch(ports: int = 52) -> str:
    """The table of a switch with this many interfaces."""

    def lines() -> Iterator[Line]:
        description = "Cisco IOS Software, C2960X Software (C2960X-UNIVERSALK9-M), Version 15.2(7)E3, RELEASE SOFTWARE (fc3)"
        yield from _system(description, "1.3.6.1.4.1.9.1.1208", "switch")
        yield from _interfaces([f"Gi1/0/{i}" for i in range(1, ports + 1)], 6, 1000)

    return _snmprec(lines())
