"""Evidence of which machine answered: what it says of itself, normalised; placeholders count as not said.

Kinds: ``serial`` (of the machine or of a stack's members), ``board`` (serial of the main board), ``disk`` (serials),
``mac`` (burnt-in addresses), ``uuid`` (SMBIOS), ``machine`` (the system's own id), ``engine`` (SNMP engine ID), ``name``
(host name), ``model``; and where it stood: ``source`` (the device's id in the settings), ``unit``, ``address``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from ..model import Device, Facts

Values = Mapping[str, frozenset[str]]
"""Kind -> what was said of it; a kind of which nothing was said is missing."""

MACS = 64
"""Addresses kept of one machine; a large switch has hundreds in a row."""

_PLACEHOLDERS = """
tobefilledbyoem oem defaultstring default systemserialnumber serialnumber chassisserialnumber baseboardserialnumber
boardserialnumber productserialnumber systemproductname systemmodel notspecified notapplicable notavailable notpresent notset
notprovided nosn noserial noserialnumber none null na nil unknown undefined unspecified invalid empty blank bad tbd test sample
serial sn number string standard xxx baseboard mb1234567890 123456 1234567 12345678 123456789 1234567890 0123456789
123456789abcdef 0123456789abcdef asset oemstring
"""
PLACEHOLDERS = frozenset(_PLACEHOLDERS.split())
"""What makers write where a serial should be, in lower case without blanks and punctuation."""
_NAMELESS = """
localhost localhost6 none unknown default host hostname computer pc desktop laptop notebook workstation server switch router
firewall gateway printer ups user admin administrator win windows debian ubuntu linux raspberrypi openwrt mikrotik routeros ubnt
draytek vigor edgeos cisco catalyst huawei hp aruba h3c ruijie zte tp-link d-link user-pc admin-pc pc-pc office camera nas
synology qnap esxi snmp device test
"""
NAMELESS = frozenset(_NAMELESS.split())
"""Host names that tell no machine from another."""
_EXAMPLES = """
03000200040005000006000700080009 00020003000400050006000700080009 12345678123456789012345678901234
123456781234567890abcddeefaabbcc 1234567890abcdef1234567890abcdef 0123456789abcdef0123456789abcdef
"""
_REPEATED_UUIDS = frozenset(_EXAMPLES.split())
"""Examples of firmware makers that many boards still carry."""
BORROWED_MACS = (
    "00005e0001", "00005e0002",  # VRRP (RFC 5798): moves between routers
    "00000c07ac", "00000c9ff0", "0007b400",  # HSRP, GLBP
    "005056c000",  # VMware's adapters on the host: the same on every host
    "00ff", "205345", "204153594e", "3341485a",  # TAP and WAN miniport adapters of Windows
    "00059a3c",  # Cisco's VPN client
)  # fmt: skip
_PORTS = (None, 6, 7, 62, 69, 71, 117)
"""ifTypes whose address is burnt into hardware: the Ethernets, and 802.11 (IANAifType-MIB)."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one reading of one device says of the machine behind it. `time` is Unix seconds."""

    source: str
    time: float
    unit: str
    address: str
    values: Values

    @property
    def telling(self) -> bool:
        """Does it hold anything that could tell this machine from others?"""
        return any(kind != "model" for kind in self.values)


def gather(source: str, time: float, unit: str, address: str, said: Mapping[str, Iterable[str]]) -> Evidence:
    """The evidence of what was said, by kind: normalised, placeholders left out."""
    values = {}
    for kind, texts in said.items():
        clean = _NORMAL[kind]
        if kept := sorted({value for text in texts if (value := clean(text))}):
            values[kind] = frozenset(kept[:MACS])
    return Evidence(source, time, unit, address, values)


def evidence(device: Device, facts: Facts, when: float) -> Evidence:
    """What a device's facts say of the machine behind it."""
    members = [part.serial for part in facts.components if part.kind in ("chassis", "stack")]
    said = {
        "serial": [facts.serial, *members],
        "board": [facts.board_serial],
        "disk": [part.serial for part in facts.components if part.kind == "disk"],
        "mac": [port.mac for port in facts.interfaces if port.type in _PORTS],
        "uuid": [facts.uuid],
        "machine": [facts.machine_id],
        "engine": [facts.engine_id],
        "name": [facts.name],
        "model": [facts.model],
    }
    return gather(device.id, when, device.unit, device.address, said)


def serial(text: str) -> str:
    """A serial number in upper case without blanks; empty for a placeholder."""
    value = "".join(text.split()).upper()
    bare = re.sub(r"[\W_]", "", value).lower()
    if len(bare) < 4 or bare in PLACEHOLDERS or len(set(bare)) < 3 or "filledby" in bare or "defaultstring" in bare:
        return ""
    return value


def uuid(text: str) -> str:
    """A UUID as 32 hexadecimal digits; empty for a placeholder.

    Some firmware and tools swap the octets of its first three fields (SMBIOS 2.6 section 7.2.1): both forms give one value.
    """
    digits = re.sub(r"[^0-9a-f]", "", text.lower())
    if len(digits) != 32:
        return ""
    octets = bytes.fromhex(digits)
    swapped = octets[3::-1] + octets[5:3:-1] + octets[7:5:-1] + octets[8:]
    forms = {octets.hex(), swapped.hex()}
    if len(set(octets)) < 5 or forms & _REPEATED_UUIDS:
        return ""
    return min(forms)


def mac(text: str) -> str:
    """A burnt-in address as 12 hexadecimal digits; empty for one that is made up, borrowed or no address."""
    digits = re.sub(r"[^0-9a-f]", "", text.lower())
    if len(digits) != 12 or len(set(digits)) < 3 or int(digits[:2], 16) & 3 or digits.startswith(BORROWED_MACS):
        return ""
    return digits


def name(text: str) -> str:
    """A host name without its domain, folded; empty for one that many machines have."""
    value = unicodedata.normalize("NFC", text).strip().rstrip(".").casefold()
    if not re.fullmatch(r"[\d.]+", value):
        value = value.partition(".")[0]
    return "" if value in NAMELESS or len(value) < 2 else value


def model(text: str) -> str:
    """A model in capitals; empty for a placeholder."""
    value = " ".join(text.split()).upper()
    return "" if re.sub(r"[\W_]", "", value).lower() in PLACEHOLDERS else value


def identifier(text: str) -> str:
    """A machine id or engine ID as hexadecimal digits; empty for one that is too short or too even to be one."""
    digits = re.sub(r"[^0-9a-f]", "", text.lower().removeprefix("0x"))
    return digits if len(digits) >= 10 and len(set(digits)) >= 4 and digits != "8000000001020304" else ""


_NORMAL: Mapping[str, Callable[[str], str]] = {
    "serial": serial, "board": serial, "disk": serial, "mac": mac, "uuid": uuid, "machine": identifier,
    "engine": identifier, "name": name, "model": model,
}  # fmt: skip
