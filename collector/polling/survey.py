"""A survey: one device of the network asked what it forwards where, whom it resolves, and who stands beside it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from snmp import ber, session
from snmp.client import Client, Target
from snmp.errors import SecurityError, SnmpError, StatusError
from snmp.oid import OID
from snmp.table import Bearing, Missed, Rows, said, walk_columns
from snmp.usm import User

from ..estate.portnames import Ports
from ..model import Heard, Interface, Neighbour, Survey
from . import adjacency, bridge, negotiation
from .bridge import Entries

KINDS = frozenset(("switch", "router", "firewall", "wireless"))
"""Kinds of devices (`Facts.kind`) worth surveying; others forward and resolve nothing for anybody."""
MAX_VLANS = 256
"""VLANs one device is asked for one by one."""
VLANS_WITHIN = 120.0
"""Seconds after which it is asked for no further one."""
VLANS_IN_VAIN = 3
"""VLANs without an answer, one after another, after which no further one is asked for."""

_IP = OID((1, 3, 6, 1, 2, 1, 4))
OLD_ARP = (_IP + (22, 1, 2), _IP + (22, 1, 4))
"""ipNetToMediaPhysAddress and its type; the index is ifIndex and an IPv4 address (RFC 4293)."""
ARP = (_IP + (35, 1, 4), _IP + (35, 1, 6))
"""ipNetToPhysicalPhysAddress and its type; the index is ifIndex, the address' type, its length and the address."""
_INVALID = 2

_TABLES: tuple[tuple[OID, ...], ...] = (
    (bridge.BASE_PORT,),
    bridge.CURRENT,
    bridge.STATIC,
    (bridge.PVID,),
    (bridge.VLAN_STATE,),
    (bridge.MEMBERSHIP,),
    (bridge.TRUNKING,),
    (bridge.AGGREGATE,),
    OLD_ARP,
    ARP,
    negotiation.MAU,
    (negotiation.LLDP_LOCAL,),
    (negotiation.LLDP_REMOTE,),
    adjacency.LOCAL,
    adjacency.REMOTE,
    (adjacency.MANAGED,),
    adjacency.CDP,
)
_FORWARDING = (bridge.BY_VLAN, bridge.IEEE, bridge.PLAIN)
"""The richest first: where one tells something, the next is not asked."""


async def survey(
    client: Client,
    target: Target,
    device: str,
    interfaces: Sequence[Interface],
    neighbours: Sequence[Neighbour] = (),
    bearing: Bearing | None = None,
) -> Survey:
    """Ask one device, one request at a time; raises SnmpError when it does not answer at all.

    `interfaces` and `neighbours` are the ones of its facts. What it does not have costs no more than a question whether it does.
    """
    asking = _Asking(client, target, bearing or Bearing())
    scalars = await session.get(client, target, [bridge.BASE_ADDRESS, *adjacency.CHASSIS])
    tables = [*(table[0] for table in _TABLES), *(columns[0] for columns in _FORWARDING), bridge.HUAWEI]
    present = await asking.present(tables)
    rows: Rows = {}
    for table in _TABLES:
        if table[0] in present:
            rows.update(await asking.walk(table))
    names = {one.index: one.name for one in interfaces}
    ports = Ports(interfaces)
    entries, heard, base = await _forwarding(asking, present, rows, interfaces)
    beside, lost = adjacency.lldp(rows, ports, base)
    beside += adjacency.cdp(rows, names)
    beside += adjacency.also(neighbours, beside, ports)
    if lost:
        asking.missed.append(f"{lost} LLDP neighbours at ports that cannot be told")
    trunks, access = bridge.tagged(rows, base)
    cisco_trunks, cisco_access = bridge.cisco_ports(rows, names)
    able, offered = negotiation.limits(rows, names, lambda number: adjacency.local_port(number, rows, ports, base))
    own = {bridge.mac_of(b.value) for b in scalars if isinstance(b.value, bytes)}
    return Survey(
        device,
        time.time(),
        frozenset((own | bridge.own_addresses(entries)) - {""}),
        bridges=bool(heard) or any(one.learned or one.own for one in entries),
        heard=tuple(heard),
        beside=tuple(beside),
        resolved=resolved(rows, names),
        trunks=trunks | cisco_trunks,
        vlans={**access, **cisco_access},
        bundles=bridge.bundles(rows, names),
        able=able,
        offered=offered,
        missed="; ".join(asking.missed),
    )


class _Asking:
    """One device's survey under way: what could not be read is noted and goes on."""

    def __init__(self, client: Client, target: Target, bearing: Bearing) -> None:
        self.client = client
        self.target = target
        self.bearing = bearing
        self.missed: list[str] = []

    async def present(self, columns: Sequence[OID]) -> set[OID]:
        """Those of the columns whose tables have anything, or something that finds no room in an answer."""
        entries = {OID(column[:-1]): column for column in columns}
        answers = dict(zip(entries, await session.get_next(self.client, self.target, list(entries)), strict=True))
        ended = sorted(entry for entry, binding in answers.items() if binding.tag == ber.END_OF_MIB_VIEW)
        found = {entries[entry] for entry in entries if entry not in ended and entry.covers(answers[entry].oid)}
        for entry in ended:  # among others a value too big for an answer looks like the end
            try:
                await session.get_next(self.client, self.target, [entry])
                break  # it is the end, of all that follow, too
            except StatusError:
                found.add(entries[entry])
        return found

    async def walk(self, columns: Sequence[OID]) -> Rows:
        """The columns of one table; empty, and noted, when it cannot be read."""
        try:
            return await self.walk_in(self.target, columns)
        except SecurityError:
            raise
        except SnmpError as error:
            self.missed.append(f"{columns[0]}: {error}")
            return {}

    async def walk_in(self, target: Target, columns: Sequence[OID]) -> Rows:
        """The columns of one table in a context; raises SnmpError when it cannot be read."""
        missed: Missed = {}
        rows = await walk_columns(self.client, target, columns, self.bearing, missed)
        self.missed += said(missed)
        return rows


async def _forwarding(
    asking: _Asking, present: set[OID], rows: Rows, interfaces: Sequence[Interface]
) -> tuple[list[Entries], list[Heard], Mapping[int, str]]:
    """The forwarding tables, the entries with ports by name, and bridge port -> name."""
    base = _base(rows)
    tried: list[Entries] = []
    for columns in _FORWARDING:
        if columns[0] not in present:
            continue
        entries = bridge.forwarding(await asking.walk(columns), columns)
        used = [port for _, port, _ in entries.learned]
        ports = bridge.bridge_ports(base, used, interfaces)
        databases = {database for _, _, database in entries.learned if database is not None}
        heard = bridge.heard(entries.learned, ports, bridge.vlan_of_database(rows, databases))
        tried.append(entries)
        if heard and columns is not bridge.PLAIN:
            _note_lost(asking, used, ports)
            return tried, heard, ports
    if bridge.HUAWEI in present and (
        own := bridge.huawei(await asking.walk([bridge.HUAWEI]), {one.index: one.name for one in interfaces})
    ):
        return tried, own, bridge.bridge_ports(base, (), interfaces)
    vlans = bridge.cisco_vlans(rows, (one.name for one in interfaces))
    if vlans and not asking.target.context:
        found, by_vlan, ports = await _each_vlan(asking, vlans, base, interfaces)
        if by_vlan:
            return [*tried, *found], by_vlan, ports
    if not tried:
        return [], [], bridge.bridge_ports(base, (), interfaces)
    _note_lost(asking, used, ports)
    return tried, heard, ports


def _note_lost(asking: _Asking, used: Sequence[int], ports: Mapping[int, str]) -> None:
    if lost := len({port for port in used if port not in ports}):
        asking.missed.append(f"{lost} bridge ports that stand for no interface")


async def _each_vlan(
    asking: _Asking, vlans: Sequence[int], base: Mapping[int, int], interfaces: Sequence[Interface]
) -> tuple[list[Entries], list[Heard], dict[int, str]]:
    """A Catalyst's table of each VLAN: a context of its own, ``community@10`` or in v3 ``vlan-10``, port numbers included."""
    prefix = "vlan-" if isinstance(asking.target.credential, User) else ""
    tried: list[Entries] = []
    heard: dict[Heard, None] = {}
    every: dict[int, int] = dict(base)
    ends = asking.client.loop.time() + VLANS_WITHIN
    asked = vain = 0
    for vlan in vlans[:MAX_VLANS]:
        if vain == VLANS_IN_VAIN or asking.client.loop.time() > ends:
            break
        asked += 1
        try:
            rows = await _one_vlan(asking, f"{prefix}{vlan}".encode())
        except SnmpError as error:  # v2c: silence; v3: unknownContext, authorizationError
            asking.missed.append(f"VLAN {vlan}: {error}")
            vain += 1
            continue
        vain = 0
        entries = bridge.forwarding(rows, bridge.PLAIN)
        tried.append(entries)
        own = _base(rows)
        every.update(own)
        ports = bridge.bridge_ports(own, [port for _, port, _ in entries.learned], interfaces)
        heard.update(dict.fromkeys(one._replace(vlan=vlan) for one in bridge.heard(entries.learned, ports, {})))
    if asked < len(vlans):
        asking.missed.append(f"{len(vlans) - asked} of {len(vlans)} VLANs not asked for")
    return tried, list(heard), bridge.bridge_ports(every, (), interfaces)


async def _one_vlan(asking: _Asking, context: bytes) -> Rows:
    """The forwarding table and the port numbers of one VLAN; empty costs one question. Raises SnmpError."""
    target = asking.target.within(context)
    target.retries = min(target.retries, 1)
    (first,) = await session.get_next(asking.client, target, [bridge.PLAIN[0]])
    if not bridge.PLAIN[0].covers(first.oid) or first.tag in ber.EXCEPTIONS:
        return {}
    return await asking.walk_in(target, bridge.PLAIN) | await asking.walk_in(target, (bridge.BASE_PORT,))


def _base(rows: Rows) -> dict[int, int]:
    """Bridge port -> ifIndex."""
    found = {}
    for index, binding in rows.get(bridge.BASE_PORT, {}).items():
        if len(index) == 1 and (number := bridge.integer(binding)) is not None:
            found[index[0]] = number
    return found


def resolved(rows: Rows, names: Mapping[int, str]) -> dict[str, tuple[str, str]]:
    """IP address -> MAC address and port, from both tables that may hold it."""
    found: dict[str, tuple[str, str]] = {}
    for columns, skip in ((ARP, 3), (OLD_ARP, 1)):
        kinds = rows.get(columns[1], {})
        for index, binding in rows.get(columns[0], {}).items():
            address = bridge.ip_of(index[skip:])
            mac = bridge.mac_of(binding.value) if isinstance(binding.value, bytes) else ""
            if address and mac and bridge.integer(kinds.get(index)) != _INVALID:
                found[address] = mac, names.get(index[0], "")
    return found
