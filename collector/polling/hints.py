"""Who is there, as others tell: neighbours' tables and lease files. Hints only: what may be asked is decided elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from snmp import ber, session
from snmp.client import Client, Target
from snmp.message import VarBind
from snmp.oid import OID
from snmp.table import Missed, Rows, walk_columns

from . import adjacency, bridge, leases, survey

_IP_PROTOCOL = 1
"""Of CiscoNetworkProtocol."""


class Hint(NamedTuple):
    """Something has this address: who says so, and its MAC address where that is told. Not `sure`: it had once."""

    address: str
    how: str
    mac: str = ""
    sure: bool = True


async def neighbours(client: Client, target: Target, name: str) -> list[Hint]:
    """Whom a device called `name` resolves or has beside it, asked one request at a time; raises SnmpError.

    A table that it does not have costs nothing but its part in one question, one that it cannot answer is left out.
    """
    rows = await _walk(client, target, (survey.OLD_ARP, survey.ARP, (adjacency.MANAGED,), adjacency.CDP[:2]))
    resolved = survey.resolved(rows, {})
    hints = [Hint(address, f"ARP table of {name}", mac.replace(":", "")) for address, (mac, _) in resolved.items()]
    hints += [Hint(address, f"LLDP neighbour of {name}") for address in _managed(rows.get(adjacency.MANAGED, {}))]
    hints += [Hint(address, f"CDP neighbour of {name}") for address in _cdp(rows)]
    return hints


async def forwarded(client: Client, target: Target) -> set[str]:
    """The MAC addresses whose frames a device forwards, as twelve hexadecimal digits; raises SnmpError."""
    rows = await _walk(client, target, (bridge.BY_VLAN[:1], bridge.PLAIN[:1]))
    indexes = [index for column in rows.values() for index in column]
    return {bytes(index[-6:]).hex() for index in indexes if len(index) in (6, 7) and max(index[-6:]) < 256}


def leased(files: Iterable[Path]) -> tuple[list[Hint], list[str]]:
    """What lease files tell, and what is wrong with them. Blocking."""
    hints: list[Hint] = []
    problems: list[str] = []
    for file in files:
        try:
            if not file.is_file() and file.exists():
                raise ValueError("is no regular file, expected one with leases")
            if (size := file.stat().st_size) > leases.LARGEST:
                raise ValueError(f"has {size} octets, expected {leases.LARGEST} at most")
            found = leases.read(_decode(file.read_bytes()), time.time())
        except OSError as error:
            problems.append(f"lease file {file}: cannot be read ({error.strerror})")
        except ValueError as error:
            problems.append(f"lease file {file}: {error}")
        else:
            hints += [Hint(one.address, f"lease in {file.name}", one.mac, one.valid) for one in found]
    return hints, problems


def confirm(hints: Iterable[Hint], alive: set[str]) -> list[Hint]:
    """The hints that are sure, and those whose MAC address is alive."""
    return [hint for hint in hints if hint.sure or (hint.mac and hint.mac in alive)]


async def _walk(client: Client, target: Target, tables: Sequence[tuple[OID, ...]]) -> Rows:
    """Those of the tables that the device has."""
    entries = [OID(columns[0][:-1]) for columns in tables]
    rows: Rows = {}
    missed: Missed = {}
    for columns, entry, first in zip(tables, entries, await session.get_next(client, target, entries), strict=True):
        if first.tag not in ber.EXCEPTIONS and entry.covers(first.oid):
            rows.update(await walk_columns(client, target, columns, missed=missed))
    return rows


def _managed(column: Mapping[tuple[int, ...], VarBind]) -> list[str]:
    found = [bridge.ip_of(index[5:]) for index in column if len(index) > 5 and index[4] == len(index) - 5]
    return [address for address in dict.fromkeys(found) if address]


def _cdp(rows: Rows) -> list[str]:
    kinds, addresses = (rows.get(column, {}) for column in adjacency.CDP[:2])
    found = []
    for index, binding in addresses.items():
        kind = kinds.get(index)
        if kind is not None and kind.value == _IP_PROTOCOL and isinstance(binding.value, bytes) and len(binding.value) == 4:
            found.append(bridge.ip_of(binding.value))
    return [address for address in dict.fromkeys(found) if address]


def _decode(data: bytes) -> str:
    """A text file's content; Windows writes UTF-16 or a mark before UTF-8."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    return data.decode("utf-8-sig", "replace")
