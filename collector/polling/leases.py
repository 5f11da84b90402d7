"""The lease files of DHCP servers: which addresses are given to whom. Pure: text in, leases out."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import NamedTuple

LARGEST = 64 << 20
"""Octets of a lease file at most."""
_LONGEST = 10_000
"""Characters of a line at most; longer ones are nobody's lease."""


class Lease(NamedTuple):
    """An address and who has it. `valid`: given away now; without that, it was once."""

    address: str
    mac: str
    name: str
    valid: bool


def read(text: str, now: float) -> list[Lease]:
    """The leases of a file, the last word on each address; raises ValueError when it is no lease file we know.

    Clients of the server choose names in it: whatever they put there spoils their own line and no other.
    """
    lines = [line for line in text.replace("\r\n", "\n").replace("\r", " ").split("\n") if len(line) <= _LONGEST]
    first = next((line.strip() for line in lines if line.strip() and not line.strip().startswith(("#", ";"))), "")
    for form, reader in _FORMS:
        if form.search(first) or (reader in (_isc, _mikrotik) and any(map(form.search, lines))):
            return list({lease.address: lease for lease in reader(lines, now)}.values())
    if not first:
        return []
    raise ValueError(f"begins with {first[:60]!r}, expected leases of ISC dhcpd, dnsmasq, Kea, Windows (Export-Csv) or MikroTik")


_ISC = re.compile(r"^[ \t]*(lease|iaaddr)[ \t]+[\da-fA-F.:]+[ \t]*\{")
_SECTION = re.compile(r"^/ip dhcp-server lease\b")


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
        if len(words) >= 4 and (ends := _seconds(words[0])) is not None:
            yield Lease(words[2].strip("[]"), _mac(words[1]), words[3] if words[3] != "*" else "", not ends or ends > now)


def _csv(lines: list[str], now: float) -> Iterator[Lease]:
    """Kea's memfile, and what Windows' Get-DhcpServerv4Lease exports: columns by their names."""
    head, *rows = (line for line in lines if line.strip() and not line.startswith("#TYPE"))
    delimiter = ";" if head.count(";") > head.count(",") else ","
    keys = [key.strip().lower() for key in _cells(head, delimiter)]
    for row in rows:
        cells = dict(zip(keys, (cell.strip() for cell in _cells(row, delimiter)), strict=False))
        address = cells.get("address") or cells.get("ipaddress", "")
        mac = cells.get("hwaddr") or cells.get("clientid", "")
        if not address:
            continue
        if "ipaddress" in cells:
            valid = cells.get("addressstate", "").lower().startswith("active")
        else:
            expire = _seconds(cells.get("expire", ""))
            valid = cells.get("state", "0") == "0" and (expire is None or expire > now)
        yield Lease(address, _mac(mac), cells.get("hostname", ""), valid)


def _cells(line: str, delimiter: str) -> list[str]:
    """The cells of one line: a quotation mark that nobody closes ends with it."""
    return next(csv.reader([line], delimiter=delimiter), [])


def _mikrotik(lines: list[str], now: float) -> Iterator[Lease]:
    """The section ``/ip dhcp-server lease`` of an export: fixed leases, which bear no time."""
    inside = False
    for line in "\n".join(lines).replace("\\\n", "").split("\n"):
        if line.startswith("/"):
            inside = line.strip() == "/ip dhcp-server lease"
            line = line.removeprefix("/ip dhcp-server lease").strip() if _SECTION.match(line) else ""
            inside = inside or bool(line)
        if inside and line.startswith("add "):
            pairs = {key: quoted or plain for key, quoted, plain in _PAIR.findall(line)}
            if "address" in pairs:
                name = pairs.get("comment", "")
                yield Lease(pairs["address"], _mac(pairs.get("mac-address", "")), name, pairs.get("disabled") != "yes")


_PAIR = re.compile(r'(?<![\w-])([\w-]{1,40})=(?:"([^"]*)"|(\S+))')
_Reader = Callable[[list[str], float], Iterator[Lease]]
_FORMS: tuple[tuple[re.Pattern[str], _Reader], ...] = (
    (re.compile(r"^(\d+ [\da-fA-F:*-]+ \[?[\da-fA-F.:]+\]? |duid [\da-fA-F:]+$)"), _dnsmasq),
    (re.compile(r"^(#TYPE |address[,;]|\"?IPAddress\"?[,;]|.*[,;]\"?IPAddress\"?([,;]|$))", re.IGNORECASE), _csv),
    (_SECTION, _mikrotik),
    (_ISC, _isc),
)
"""How the first line of each form looks, or, of ISC's and MikroTik's, some line."""


def _seconds(text: str) -> int | None:
    """A time in Unix seconds; None for what is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None


def _mac(text: str) -> str:
    """Twelve hexadecimal digits; empty for what is no MAC address."""
    digits = re.sub(r"[^0-9a-f]", "", text.lower())
    return digits if len(digits) == 12 else ""
