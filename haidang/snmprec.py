"""The snmprec format of recorded walks: a line ``oid|tag|value``, the tag in decimal, x behind it for hexadecimal values."""

from __future__ import annotations

import lzma
from pathlib import Path

from config.errors import ConfigError
from snmp import ber
from snmp.message import VarBind
from snmp.oid import OID


def line(binding: VarBind) -> str:
    """A varbind as a line, without its end."""
    value, tag = binding.value, str(binding.tag)
    if isinstance(value, bytes):
        if binding.tag == ber.IP_ADDRESS and len(value) == 4:
            return f"{binding.oid}|{tag}|{'.'.join(map(str, value))}"
        plain = value.isascii() and value.decode("ascii").isprintable() and b"|" not in value
        return f"{binding.oid}|{tag}|{value.decode()}" if plain else f"{binding.oid}|{tag}x|{value.hex()}"
    return f"{binding.oid}|{tag}|{'' if value is None else value}"


def read(path: Path) -> list[VarBind]:
    """A walk in its order of objects (``.xz`` too); raises ConfigError with file and line for what is none."""
    try:
        with lzma.open(path, "rb") if path.suffix == ".xz" else open(path, "rb") as f:
            raw = f.read()
    except (OSError, lzma.LZMAError) as e:
        raise ConfigError(f"{path}: cannot be read ({getattr(e, 'strerror', None) or e})") from e
    out = []
    for number, text in enumerate(raw.split(b"\n"), 1):
        text = text.rstrip(b"\r")
        if not text or text.startswith(b"#"):
            continue
        parts = text.split(b"|", 2)
        try:
            if len(parts) != 3:
                raise ValueError("no three parts")
            out.append(_binding(parts[0].decode(), parts[1].decode(), parts[2]))
        except ValueError as e:
            shown = text[:60].decode("utf-8", "replace")
            raise ConfigError(f"{path} line {number}: found {shown!r}, expected OID|TAG|VALUE ({e})") from e
    return sorted(out)


def _binding(oid: str, tag: str, value: bytes) -> VarBind:
    kind = int(tag.rstrip("xe"))
    content = bytes.fromhex(value.decode()) if tag.endswith("x") else value
    if kind in (ber.OCTET_STRING, ber.OPAQUE):
        return VarBind(OID.parse(oid), kind, content)
    if kind == ber.IP_ADDRESS:
        address = content if tag.endswith("x") else bytes(int(part) for part in content.split(b"."))
        return VarBind(OID.parse(oid), kind, address)
    if kind == ber.OBJECT_IDENTIFIER:
        return VarBind(OID.parse(oid), kind, OID.parse(content.decode()))
    if kind == ber.NULL or kind in ber.EXCEPTIONS:
        return VarBind(OID.parse(oid), kind, None)
    if kind == ber.INTEGER or kind in ber.UNSIGNED:
        return VarBind(OID.parse(oid), kind, int(content))
    raise ValueError(f"{tag} is no type")
