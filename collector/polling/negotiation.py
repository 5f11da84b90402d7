"""What the ends of a cable can: autonegotiation as the port has it (MAU-MIB RFC 4836), or as LLDP tells (LLDP-EXT-DOT3-MIB)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from snmp.message import VarBind
from snmp.oid import OID
from snmp.table import Rows

MAU = tuple(OID((1, 3, 6, 1, 2, 1, 26, 5, 1, 1, column)) for column in (9, 11))
"""ifMauAutoNegCapabilityBits, ifMauAutoNegCapReceivedBits; the index is ifIndex and the MAU."""
LLDP_LOCAL = OID((1, 0, 8802, 1, 1, 2, 1, 5, 4623, 1, 2, 1, 1, 3))
"""lldpXdot3LocPortAutoNegAdvertisedCap by local port number."""
LLDP_REMOTE = OID((1, 0, 8802, 1, 1, 2, 1, 5, 4623, 1, 3, 1, 1, 3))
"""lldpXdot3RemPortAutoNegAdvertisedCap; the index is that of lldpRemTable."""

_MEGABIT = 1_000_000
_SPEEDS = ((range(12, 16), 1000), (range(3, 8), 100), (range(1, 3), 10))
"""Bits of IANAifMauAutoNegCapBits -> Mbit/s, the fastest first."""


def limits(rows: Rows, names: Mapping[int, str], local: Callable[[int], str]) -> tuple[dict[str, int], dict[str, int]]:
    """Port -> bits a second it can, and what its other end says it can. `local` names the port behind an LLDP port number."""
    able: dict[str, int] = {}
    offered: dict[str, int] = {}
    for found, mau, lldp, at in ((able, MAU[0], LLDP_LOCAL, 0), (offered, MAU[1], LLDP_REMOTE, 1)):
        for index, binding in rows.get(lldp, {}).items():
            if len(index) > at and (speed := fastest(binding)) and (port := local(index[at])):
                found[port] = max(speed, found.get(port, 0))
        for index, binding in rows.get(mau, {}).items():
            if index[0] in names and (speed := fastest(binding)):
                found[names[index[0]]] = speed
    return able, offered


def fastest(binding: VarBind) -> int:
    """Bits a second of the fastest mode in IANAifMauAutoNegCapBits; 0 for none that it can tell.

    Modes above 1 Gbit/s have no bit: whoever has them is not judged by this.
    """
    octets = binding.value if isinstance(binding.value, bytes) else b""
    bits = {8 * i + bit for i, octet in enumerate(octets) for bit in range(8) if octet & 0x80 >> bit}
    return next((speed * _MEGABIT for modes, speed in _SPEEDS if bits & set(modes)), 0)
