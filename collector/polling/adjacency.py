"""What LLDP and CDP say stands at the other ends (LLDP-MIB IEEE 802.1AB-2005, CISCO-CDP-MIB), at ports by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from snmp.message import VarBind
from snmp.oid import OID
from snmp.table import Rows

from ..estate.portnames import Ports
from ..model import Beside, Neighbour
from .bridge import integer, ip_of, mac_in, mac_of
from .cells import decode

_LLDP = OID((1, 0, 8802, 1, 1, 2, 1))
CHASSIS = (_LLDP + (3, 1, 0), _LLDP + (3, 2, 0))
"""lldpLocChassisIdSubtype, lldpLocChassisId."""
LOCAL = tuple(_LLDP + (3, 7, 1, column) for column in (2, 3, 4))
"""lldpLocPortIdSubtype, lldpLocPortId, lldpLocPortDesc."""
REMOTE = tuple(_LLDP + (4, 1, 1, column) for column in (4, 5, 6, 7, 8, 9, 12))
"""lldpRemChassisIdSubtype, ChassisId, PortIdSubtype, PortId, PortDesc, SysName, SysCapEnabled."""
MANAGED = _LLDP + (4, 2, 1, 3)
"""lldpRemManAddrIfSubtype: asked for its index, which holds the address."""
CDP = tuple(OID((1, 3, 6, 1, 4, 1, 9, 9, 23, 1, 2, 1, 1, column)) for column in (3, 4, 6, 7, 9))
"""cdpCacheAddressType, Address, DeviceId, DevicePort, Capabilities."""

_ALIAS, _PORT_MAC, _CHASSIS_MAC, _NAME, _LOCAL = 1, 3, 4, 5, 7
"""Of LldpPortIdSubtype (1 interfaceAlias, 3 macAddress, 5 interfaceName, 7 local) and LldpChassisIdSubtype (4 macAddress)."""
_LLDP_ROLES = ((0x04, "phone"), (0x10, "wireless"), (0x20, "bridge"), (0x08, "router"))
"""Bits of LldpSystemCapabilitiesMap, what matters most first: a phone is a bridge, too."""
_CDP_ROLES = ((0x80, "phone"), (0x0A, "bridge"), (0x01, "router"))
"""Bits of cdpCacheCapabilities: phone; switch and transparent bridge; router."""


def lldp(rows: Rows, ports: Ports, base: Mapping[int, str]) -> tuple[list[Beside], int]:
    """The neighbours by LLDP, and how many stand at ports that cannot be told. `base`: bridge port -> name."""
    subtype, chassis, port_subtype, port_id, port_text, name, capabilities = (rows.get(column, {}) for column in REMOTE)
    addresses = _managed(rows)
    found: list[Beside] = []
    lost = 0
    for index in dict.fromkeys((*chassis, *name)):
        if len(index) != 3:
            continue
        port = local_port(index[1], rows, ports, base)
        if not port:
            lost += 1
            continue
        over_there = [_id(port_id.get(index), integer(port_subtype.get(index)), _PORT_MAC), _text(port_text.get(index))]
        found.append(
            Beside(
                port,
                "lldp",
                _id(chassis.get(index), integer(subtype.get(index)), _CHASSIS_MAC),
                _text(name.get(index)),
                tuple(dict.fromkeys(filter(None, over_there))),
                addresses.get(index, ""),
                _role(capabilities.get(index), 0, _LLDP_ROLES),
            )
        )
    return found, lost


def local_port(number: int, rows: Rows, ports: Ports, base: Mapping[int, str]) -> str:
    """The interface behind a local port number, which is no ifIndex: by what the device calls it, else as a bridge port.

    As an ifIndex it counts only where no bridge port is anything else than that.
    """
    subtypes, ids, texts = (rows.get(column, {}) for column in LOCAL)
    at = (number,)
    subtype = integer(subtypes.get(at))
    said = _id(ids.get(at), subtype, _PORT_MAC)
    if subtype in (None, _ALIAS, _PORT_MAC, _NAME, _LOCAL) and not said.isdecimal() and (found := ports.find(said)):
        return found
    if found := ports.find(_text(texts.get(at))) or (ports.find(said) if subtype == _NAME else ""):
        return found
    if number in base:
        return base[number]
    if said.isdecimal() and subtype == _LOCAL and int(said) in ports.by_index:
        return ports.by_index[int(said)]
    same = all(ports.by_index.get(port) == name for port, name in base.items())
    return ports.by_index.get(number, "") if same else ""


def _managed(rows: Rows) -> dict[tuple[int, ...], str]:
    """Row of lldpRemTable -> a management address: the index is the row, the family, a length and the address."""
    found: dict[tuple[int, ...], str] = {}
    for index in rows.get(MANAGED, {}):
        octets = index[5:]
        if octets and len(octets) == index[4] and (address := ip_of(octets)):
            found.setdefault(index[:3], address)
    return found


def cdp(rows: Rows, names: Mapping[int, str]) -> list[Beside]:
    """The neighbours by CDP."""
    kinds, addresses, ids, ports, capabilities = (rows.get(column, {}) for column in CDP)
    found = []
    for index, binding in ids.items():
        if len(index) != 2 or index[0] not in names:
            continue
        name = _text(binding)
        address = addresses.get(index)
        raw = address.value if address is not None and isinstance(address.value, bytes) else b""
        ip = ip_of(raw) if integer(kinds.get(index)) == 1 and len(raw) == 4 else ""
        port = _text(ports.get(index))
        role = _role(capabilities.get(index), 3, _CDP_ROLES)
        found.append(Beside(names[index[0]], "cdp", "", name, (port,) if port else (), ip, role))
    return found


def _role(binding: VarBind | None, octet: int, roles: tuple[tuple[int, str], ...]) -> str:
    raw = binding.value if binding is not None and isinstance(binding.value, bytes) else b""
    bits = raw[octet] if len(raw) > octet else 0
    return next((role for bit, role in roles if bits & bit), "")


def also(neighbours: Iterable[Neighbour], found: Iterable[Beside], ports: Ports) -> list[Beside]:
    """What the facts have of ports that neither LLDP nor CDP told of: by the makers' own tables, and LLDP's second MIB."""
    told = {one.port for one in found}
    return [
        Beside(
            port, one.protocol, mac_in(one.remote_id) or one.remote_id, one.remote_name, tuple(filter(None, (one.remote_port,)))
        )
        for one in neighbours
        if (port := ports.find(one.local_port)) and port not in told
    ]


def _text(binding: VarBind | None) -> str:
    return decode(binding.value) if binding is not None and isinstance(binding.value, bytes) else ""


def _id(binding: VarBind | None, subtype: int | None, mac_subtype: int) -> str:
    """A chassis' or port's id: an address where the subtype says so, or where six octets can hardly be text; else text."""
    if binding is None or not isinstance(binding.value, bytes):
        return ""
    raw = binding.value
    if len(raw) == 6 and (subtype == mac_subtype or (subtype is None and not raw.isascii())):
        return mac_of(raw)
    text = decode(raw)
    return mac_in(text) or ("" if not text.strip("0:- ") and len(text) > 11 else text)
