"""What one varbind says, as text or as a number. Devices send anything: odd values are absent, never an error and never zero."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Mapping

from snmp import ber
from snmp.message import VarBind
from snmp.oid import OID

Cells = Mapping[OID, Mapping[tuple[int, ...], VarBind]]
"""Column -> index -> varbind. Scalars stand as their object identifier without ``.0`` and the index ``(0,)``."""

_NUMBER = re.compile(r"\s*([-+]?\d+(?:[.,]\d+)?)")
_HIDDEN = re.compile("\0+")
LONGEST = 1024
"""Characters of a text, or octets of an identifier, at most: four times what MIBs allow (DisplayString, SnmpAdminString)."""
_FLOAT = b"\x9f\x78\x04"
"""net-snmp's Opaque float: the tag of a nested type, then an IEEE 754 single (draft-perkins-opaque-01)."""


def decode(octets: bytes) -> str:
    """Text of octets: UTF-8, else Windows' western code page, else Latin-1; cut at the first NUL that only padding follows.

    What cannot be seen (control characters, those that turn the direction of writing, lone surrogates) is a blank: it would
    speak to terminals, or make a text look like another.
    """
    octets = octets.rstrip(b"\0")
    try:
        text = octets.decode()
    except UnicodeDecodeError:
        try:
            text = octets.decode("cp1252")
        except UnicodeDecodeError:
            text = octets.decode("latin-1")
    if not text.isprintable():
        text = _HIDDEN.sub(" ", "".join(letter if letter.isprintable() else "\0" for letter in text))
    return text.strip()[:LONGEST]


_NOTHING = frozenset(
    (
        *("n/a", "na", "none", "null", "unknown", "undefined", "not available", "not specified", "not applicable", "not present"),
        *("not set", "default string", "system serial number", "system product name", "to be filled by o.e.m"),
    )
)
"""What makers write into fields they leave empty."""


def told(value: str) -> str:
    """The text, unless it is one of those that stand for nothing."""
    return "" if not value.strip(" .-*#?0") or value.lower().strip(" .()<>[]\"'") in _NOTHING else value


def text(cell: VarBind, form: str = "text") -> str:
    """A varbind as people read it; `form` is how its octets are meant (`config.expressions.FORMS`)."""
    value = cell.value
    if isinstance(value, int):
        return str(value)
    if isinstance(value, bytes):
        if form != "text":
            return _formed(value, form)
        if cell.tag == ber.IP_ADDRESS:
            return _formed(value, "ip")
        if cell.tag == ber.OPAQUE:
            number_ = number(cell)
            return "" if number_ is None else f"{number_:g}"
        return decode(value)
    return "" if value is None else str(value)


def _formed(value: bytes, form: str) -> str:
    if form == "mac":
        return value.hex(":") if len(value) == 6 and any(value) else decode(value) if len(value) > 8 else ""
    if form == "hex":
        return value[:LONGEST].hex()
    if form == "ip":
        return ".".join(map(str, value)) if len(value) == 4 else ""
    if form == "date":
        return _date(value)
    return decode(value)


def _date(value: bytes) -> str:
    """DateAndTime (RFC 2579) as ISO 8601; text that is none stays text."""
    if len(value) not in (8, 11):
        return decode(value)
    year, month, day, hour, minute, second = struct.unpack_from(">HBBBBB", value)
    if not (1 <= month <= 12 and 1 <= day <= 31 and hour < 24):
        return ""
    zone = f"{chr(value[8])}{value[9]:02}:{value[10]:02}" if len(value) == 11 and value[8] in b"+-" else ""
    return f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{zone}"


def number(cell: VarBind) -> int | float | None:
    """A varbind as a number: integers as they are, texts by the number they begin with ("23.5 C"), net-snmp's Opaque floats."""
    value = cell.value
    if isinstance(value, int):
        return value
    if isinstance(value, bytes):
        if cell.tag == ber.OPAQUE and value[:3] == _FLOAT and len(value) == 7:
            single: float = struct.unpack_from(">f", value, 3)[0]
            return single if math.isfinite(single) else None
        return parse(decode(value)) if len(value) < 64 else None
    return None


def parse(value: str) -> int | float | None:
    """The number a text begins with; a decimal comma is understood."""
    match = _NUMBER.match(value)
    if match is None:
        return None
    digits = match[1].replace(",", ".")
    return float(digits) if "." in digits else int(digits)
