"""The lease files of DHCP servers: which addresses are given to whom. Pure: text in, leases out."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import NamedTuple

LARGEST = 64 << 20
"""Octets of a lease file at most."""


class Lease(NamedTuple):
    """An address and who has it. `valid`: given away now; without that, it was once."""

    address: str
    mac: str
    name: str
    valid: bool


def read(text: str, now: float) -> list[Lease]:
    """The leases of a file, the last word on each address; raises ValueError when it is no lease file we know."""
    lines = text.splitlines()
    first = next((line.strip() for line in lines if line.strip() and not line.strip().startswith(("#", ";"))), "")
    for form, reader in _FORMS:
        if form.search(first) or (reader is _isc and _ISC.search(text)) or (reader is _mikrotik and _SECTION.search(text)):
            try:
                return list({lease.address: lease for lease in reader(lines, now)}.values())
            except csv.Error as error:
                raise ValueError(f"is damaged: {error}") from None
    if not first:
        return []
    raise ValueError(f"begins with {first[:60]!r}, expected leases of ISC dhcpd, dnsmasq, Kea, Windows (Export-Csv) or MikroTik")


_ISC = re.compile(r"^\s*(lease|iaaddr)\s+[\da-fA-F.:]+\s*\{", re.MULTILINE)
_SECTION = re.compile(r"^/ip dhcp-server lease\b", re.MULTILINE)


def _isc(lines: list[str], now: float) -> Iterator[Lease]:
    """dhcpd.leases(5): later declarations of an address replace earlier ones."""
    address = mac = name = state = ""
    ends = float("inf")
    for line in lines:
        words = line.split("#")[0].strip().rstrip(";").split()
        if len(words) >= 2 and words[0] in ("lease", "iaaddr") and words[-1] == "{":
            address, mac, name, state, ends = words[1], "", "", "active", float("inf")
        elif words[:2] == ["hardware", "ethernet"] and len(words) > 2:
            mac = words[2]
        elif words[:1] == ["client-hostname"] and len(words) > 1:
            name = line.split('"')[1] if line.count('"') > 1 else words[1]
        elif words[:2] == ["binding", "state"] and len(words) > 2:
            state = words[2]
        elif words[:1] == ["ends"]:
            ends = _isc_time(words[1:])
        elif words == ["}"] and address:
            yield Lease(address, _mac(mac), name, state == "active" and ends > now)
            address = ""


def _isc_time(words: list[str]) -> float:
    """``never``, ``epoch 1700000000`` or ``4 2026/01/01 12:00:00`` in UTC."""
    try:
        if words[:1] == ["epoch"]:
            return float(words[1])
        if len(words) >= 3:
            return datetime.strptime(f"{words[1]} {words[2]}", "%Y/%m/%d %H:%M:%S").replace(tzinfo=UTC).timestamp()
    except ValueError:
        pass
    return float("inf")


def _dnsmasq(lines: list[str], now: float) -> Iterator[Lease]:
    """A line each: expiry (0: never), MAC (in IPv6 an identifier), address, name or ``*``, client id."""
    for line in lines:
        words = line.split()
        if len(words) >= 4 and words[0].isdigit():
            ends = int(words[0])
            yield Lease(words[2].strip("[]"), _mac(words[1]), words[3] if words[3] != "*" else "", not ends or ends > now)


def _csv(lines: list[str], now: float) -> Iterator[Lease]:
    """Kea's memfile, and what Windows' Get-DhcpServerv4Lease exports: columns by their names."""
    if lines[0].startswith("#TYPE"):
        lines = lines[1:]
    delimiter = ";" if lines[0].count(";") > lines[0].count(",") else ","
    for row in csv.DictReader(lines, delimiter=delimiter):
        cells = {str(key).strip().lower(): value.strip() for key, value in row.items() if isinstance(value, str)}
        address = cells.get("address") or cells.get("ipaddress", "")
        mac = cells.get("hwaddr") or cells.get("clientid", "")
        if not address:
            continue
        if "ipaddress" in cells:
            valid = cells.get("addressstate", "").lower().startswith("active")
        else:
            expire = cells.get("expire", "")
            valid = cells.get("state", "0") == "0" and (not expire.isdigit() or int(expire) > now)
        yield Lease(address, _mac(mac), cells.get("hostname", ""), valid)


def _mikrotik(lines: list[str], now: float) -> Iterator[Lease]:
    """The section ``/ip dhcp-server lease`` of an export: fixed leases, which bear no time."""
    inside = False
    for line in "\n".join(lines).replace("\\\n", "").splitlines():
        if line.startswith("/"):
            inside = line.strip() == "/ip dhcp-server lease"
            line = line.removeprefix("/ip dhcp-server lease").strip() if _SECTION.match(line) else ""
            inside = inside or bool(line)
        if inside and line.startswith("add "):
            pairs = {key: quoted or plain for key, quoted, plain in _PAIR.findall(line)}
            if "address" in pairs:
                name = pairs.get("comment", "")
                yield Lease(pairs["address"], _mac(pairs.get("mac-address", "")), name, pairs.get("disabled") != "yes")


_PAIR = re.compile(r'([\w-]+)=(?:"([^"]*)"|(\S+))')
_Reader = Callable[[list[str], float], Iterator[Lease]]
_FORMS: tuple[tuple[re.Pattern[str], _Reader], ...] = (
    (re.compile(r"^(\d+ [\da-fA-F:*-]+ \[?[\da-fA-F.:]+\]? |duid [\da-fA-F:]+$)"), _dnsmasq),
    (re.compile(r"^(#TYPE |address[,;]|\"?IPAddress\"?[,;]|.*[,;]\"?IPAddress\"?([,;]|$))", re.IGNORECASE), _csv),
    (_SECTION, _mikrotik),
    (_ISC, _isc),
)
"""How the first line of each form looks, or, of ISC's and MikroTik's, some line."""


def _mac(text: str) -> str:
    """Twelve hexadecimal digits; empty for what is no MAC address."""
    digits = re.sub(r"[^0-9a-f]", "", text.lower())
    return digits if len(digits) == 12 else ""
