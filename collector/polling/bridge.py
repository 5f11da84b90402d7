"""Forwarding tables understood: bridge ports, filtering databases and VLANs told apart (RFC 4188, 4363; Cisco's own).

Four numbers look alike and are not: a bridge port, an ifIndex, a filtering database and a VLAN. What cannot be told for
certain is left out and said.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from ipaddress import ip_address
from sys import intern
from typing import NamedTuple

from snmp import ber
from snmp.message import VarBind
from snmp.oid import OID
from snmp.table import Rows

from ..model import Heard, Interface

BRIDGE = OID((1, 3, 6, 1, 2, 1, 17))
BASE_ADDRESS = BRIDGE + (1, 1, 0)
BASE_PORT = BRIDGE + (1, 4, 1, 2)
"""dot1dBasePortIfIndex."""
PLAIN = (BRIDGE + (4, 3, 1, 2), BRIDGE + (4, 3, 1, 3))
"""dot1dTpFdbPort, dot1dTpFdbStatus; the index is the address."""
BY_VLAN = (BRIDGE + (7, 1, 2, 2, 1, 2), BRIDGE + (7, 1, 2, 2, 1, 3))
"""dot1qTpFdbPort, dot1qTpFdbStatus; the index is the filtering database and the address."""
IEEE = (OID((1, 3, 111, 2, 802, 1, 1, 4, 1, 2, 2, 1, 3)), OID((1, 3, 111, 2, 802, 1, 1, 4, 1, 2, 2, 1, 4)))
"""ieee8021QBridgeTpFdbPort and its status; the index is component, filtering database and address."""
HUAWEI = OID((1, 3, 6, 1, 4, 1, 2011, 5, 25, 42, 2, 1, 3, 1, 4))
"""hwDynFdbPort (HUAWEI-L2MAM-MIB): an ifIndex; the index is the address, the VLAN, and the name of a virtual switch."""
CURRENT = tuple(BRIDGE + (7, 1, 4, 2, 1, column) for column in (3, 4, 5))
"""dot1qVlanFdbId, dot1qVlanCurrentEgressPorts, dot1qVlanCurrentUntaggedPorts; the index is a time mark and the VLAN."""
STATIC = tuple(BRIDGE + (7, 1, 4, 3, 1, column) for column in (2, 4))
"""dot1qVlanStaticEgressPorts, dot1qVlanStaticUntaggedPorts."""
PVID = BRIDGE + (7, 1, 4, 5, 1, 1)

_CISCO = OID((1, 3, 6, 1, 4, 1, 9, 9))
VLAN_STATE = _CISCO + (46, 1, 3, 1, 1, 2)
"""vtpVlanState; the index is the management domain and the VLAN."""
TRUNKING = _CISCO + (46, 1, 6, 1, 1, 14)
"""vlanTrunkPortDynamicStatus by ifIndex."""
MEMBERSHIP = _CISCO + (68, 1, 2, 2, 1, 2)
"""vmVlan by ifIndex."""
AGGREGATE = OID((1, 2, 840, 10006, 300, 43, 1, 2, 1, 1, 13))
"""dot3adAggPortAttachedAggID by ifIndex (IEEE8023-LAG-MIB)."""

_INVALID, _SELF = 2, 4
"""Of dot1dTpFdbStatus: an entry being removed, and an address of the switch's own."""
_PHYSICAL = (6, 62, 69, 117)
"""ifTypes of ports a bridge numbers: the Ethernets."""
_RESERVED = range(1002, 1006)
"""VLANs that Cisco keeps for Token Ring and FDDI."""


class Entries(NamedTuple):
    """A forwarding table: (address, bridge port, filtering database or None), and the switch's own addresses."""

    learned: list[tuple[str, int, int | None]]
    own: set[str]


def forwarding(rows: Rows, columns: tuple[OID, OID]) -> Entries:
    """The unicast entries of one table. Some agents leave the filtering database out of the index: then it is not told."""
    ports, states = rows.get(columns[0], {}), rows.get(columns[1], {})
    found = Entries([], set())
    for index, binding in ports.items():
        address = mac_of(index[-6:])
        port = integer(binding)
        if not address or port is None or len(index) > 8:
            continue
        state = integer(states.get(index))
        if state == _SELF:
            found.own.add(address)
        elif state != _INVALID and port > 0:
            found.learned.append((address, port, index[-7] if len(index) > 6 else None))
    return found


def huawei(rows: Rows, names: Mapping[int, str]) -> list[Heard]:
    """The entries of Huawei's own table, which names interfaces and VLANs without detours."""
    return [
        Heard(address, names[port], index[6])
        for index, binding in rows.get(HUAWEI, {}).items()
        if len(index) > 6 and (address := mac_of(index[:6])) and (port := integer(binding)) in names and port is not None
    ]


def own_addresses(entries: Iterable[Entries]) -> frozenset[str]:
    """What a switch calls its own."""
    return frozenset(address for one in entries for address in one.own)


def bridge_ports(base: Mapping[int, int], used: Iterable[int], interfaces: Iterable[Interface]) -> dict[int, str]:
    """Bridge port -> name of the interface; `used` are the ports that the forwarding table names.

    Agents without dot1dBasePortTable, or with one that has none of these ports (TP-Link's has ifIndices for both), number their
    Ethernet ports by ifIndex or from 1; where both could be meant, or neither fits all ports in use, nothing is told rather
    than the wrong port.
    """
    names = {one.index: one.name for one in interfaces if one.index}
    wanted = set(used)
    if base and (not wanted or wanted & base.keys()):
        return {port: names[index] for port, index in base.items() if index in names}
    physical = base.values() if base else (one.index for one in interfaces if one.type in _PHYSICAL or one.type is None)
    indices = names.keys() & physical
    if not indices or not wanted:
        return {}
    shift = min(indices) - 1
    same, shifted = wanted <= indices, {port + shift for port in wanted} <= indices
    if same is shifted and shift:
        return {}
    return {port: names[port if same else port + shift] for port in wanted} if same or shifted else {}


def vlan_of_database(rows: Rows, used: Iterable[int]) -> dict[int, int]:
    """Filtering database -> the VLAN that has it alone (dot1qVlanFdbId); one that several share tells none.

    Agents that do not say number databases like VLANs; believed when there is a VLAN for each one.
    """
    sharing: dict[int, list[int]] = {}
    for index, binding in rows.get(CURRENT[0], {}).items():
        database = integer(binding)
        if database is not None:
            sharing.setdefault(database, []).append(index[-1])
    if sharing:
        return {database: set(vlans).pop() for database, vlans in sharing.items() if len(set(vlans)) == 1}
    vlans = {index[-1] for index in (*rows.get(STATIC[0], {}), *rows.get(CURRENT[1], {}))}
    wanted = set(used)
    return {database: database for database in wanted} if wanted and wanted <= vlans else {}


def heard(learned: Iterable[tuple[str, int, int | None]], ports: Mapping[int, str], vlans: Mapping[int, int]) -> list[Heard]:
    """The entries with ports by name; those at ports that cannot be told are left out."""
    found = [
        Heard(address, ports[port], None if database is None else vlans.get(database))
        for address, port, database in learned
        if port in ports
    ]
    return list(dict.fromkeys(found))


def tagged(rows: Rows, ports: Mapping[int, str]) -> tuple[frozenset[str], dict[str, int]]:
    """Ports that carry tagged VLANs, and the VLAN of the untagged frames of a port."""
    trunks: set[str] = set()
    for egress, untagged in ((CURRENT[1], CURRENT[2]), STATIC):
        plain = rows.get(untagged, {})
        for index, binding in rows.get(egress, {}).items():
            if (bare := plain.get(index)) is not None:
                trunks.update(ports[port] for port in members(binding) - members(bare) if port in ports)
    access = {
        ports[index[-1]]: vlan
        for index, binding in rows.get(PVID, {}).items()
        if index[-1] in ports and (vlan := integer(binding)) is not None and 0 < vlan < 4095
    }
    return frozenset(trunks), access


def members(binding: VarBind) -> set[int]:
    """The bridge ports in a PortList (RFC 4363): the first bit of the first octet is port 1."""
    if not isinstance(binding.value, bytes):
        return set()
    octets = binding.value
    return {8 * i + bit + 1 for i, octet in enumerate(octets) if octet for bit in range(8) if octet & 0x80 >> bit}


def cisco_vlans(rows: Rows, names: Iterable[str]) -> list[int]:
    """The VLANs to ask a Catalyst for, one by one: first those with ports of their own, or in which the switch itself, and so
    probably its neighbours, has an address (an interface called Vlan99)."""
    there = {index[-1] for index, binding in rows.get(VLAN_STATE, {}).items() if integer(binding) == 1}
    used = {integer(binding) for binding in rows.get(MEMBERSHIP, {}).values()}
    used |= {int(found[1]) for name in names if (found := re.fullmatch(r"Vl(?:an)?(\d{1,4})", name, re.ASCII))}
    wanted = [vlan for vlan in there if 0 < vlan < 4095 and vlan not in _RESERVED]
    return sorted(wanted, key=lambda vlan: (vlan not in used, vlan))


def cisco_ports(rows: Rows, names: Mapping[int, str]) -> tuple[frozenset[str], dict[str, int]]:
    """Trunks and access VLANs as CISCO-VTP-MIB and CISCO-VLAN-MEMBERSHIP-MIB have them, by ifIndex."""
    trunks = {names[i[-1]] for i, state in rows.get(TRUNKING, {}).items() if integer(state) == 1 and i[-1] in names}
    access = {
        names[i[-1]]: vlan for i, one in rows.get(MEMBERSHIP, {}).items() if i[-1] in names and (vlan := integer(one)) is not None
    }
    return frozenset(trunks), {port: vlan for port, vlan in access.items() if port not in trunks}


def bundles(rows: Rows, names: Mapping[int, str]) -> dict[str, str]:
    """Member port -> aggregate."""
    return {
        names[i[-1]]: names[aggregate]
        for i, binding in rows.get(AGGREGATE, {}).items()
        if (aggregate := integer(binding)) is not None and i[-1] in names and aggregate in names and aggregate != i[-1]
    }


def mac_in(text: str) -> str:
    """An address written as text in any of the usual ways, as `Interface.mac` has it; empty for other texts."""
    digits = re.sub(r"[:.\- ]", "", text)
    return mac_of(bytes.fromhex(digits)) if re.fullmatch(r"[0-9A-Fa-f]{12}", digits) and len(text) <= 17 else ""


def mac_of(octets: Iterable[int]) -> str:
    """An address as `Interface.mac` has it; empty for what is no station's: a group's, all zeros, another length."""
    some = tuple(octets)
    if len(some) != 6 or max(some) > 255 or min(some) < 0 or some[0] & 1 or not any(some):
        return ""
    return intern(bytes(some).hex(":"))  # an office's switches all hear the same addresses


def ip_of(octets: Sequence[int]) -> str:
    """Four or sixteen octets as an IP address; empty for what is none."""
    return str(ip_address(bytes(octets))) if len(octets) in (4, 16) and max(octets) < 256 else ""


def integer(binding: VarBind | None) -> int | None:
    """A varbind's integer."""
    return binding.value if binding is not None and isinstance(binding.value, int) and binding.tag not in ber.EXCEPTIONS else None
