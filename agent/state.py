"""What the agent keeps on disk: its engine and the objects of the last inventory."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterable

from snmp import ber, message
from snmp.engine import Engine, steady
from snmp.errors import SnmpError
from snmp.tree import Row

from .errors import StateError

ENGINE_ID = "engine-id"
ENGINE_BOOTS = "engine-boots"
INVENTORY = "inventory.json"
ROWS = "inventory.ber"
STANDING = "standing.json"
STANDING_ROWS = "standing.ber"
SPOOLS = "spool"
REPORTS = "reports.json"

_CHUNK = 1000
"""Objects in one sequence of the file; a reader takes at most `message.MAX_VARBINDS`."""
_OCTETS = 12
"""Octets of an engine ID of our own behind its format."""
_SINCE = 1_577_836_800
"""2020-01-01, from which a spare engine's boots are counted in seconds: they rise until 2088."""
_LIMIT = 16 << 20
_MACHINE_ID = "/etc/machine-id"


def prepare(directory: str) -> None:
    """Make the directory, for the agent's eyes only; raises StateError."""
    try:
        os.makedirs(directory, mode=0o700, exist_ok=True)
        if not os.access(directory, os.W_OK):
            raise PermissionError(13, "Permission denied")
    except OSError as error:
        raise StateError(
            f"{directory}: the state directory cannot be used: {error.strerror}; name another one: [agent] state = ..."
        ) from None


def engine_id(directory: str, enterprise: int) -> bytes:
    """This agent's snmpEngineID (RFC 3411 section 5, format 5), made once and kept; raises StateError."""
    path = os.path.join(directory, ENGINE_ID)
    found = read(path)
    if found is None:
        made = _formed(enterprise, os.urandom(_OCTETS))
        write(path, made.hex().encode() + b"\n")
        return made
    try:
        kept = bytes.fromhex(found.decode("ascii").strip())
    except ValueError:
        kept = b""
    if not 5 <= len(kept) <= 32:
        raise StateError(f"{path}: expected an engine ID in hexadecimal, found {found[:60]!r}; remove the file to get a new one")
    return kept


def engine(directory: str, enterprise: int) -> Engine:
    """This agent's engine, one more boot of it counted; raises StateError."""
    try:
        return Engine.start(os.path.join(directory, ENGINE_BOOTS), engine_id(directory, enterprise), steady())
    except SnmpError as error:
        raise StateError(str(error)) from None


def spare_engine(enterprise: int, whose: str) -> Engine:
    """An engine for who cannot keep one: its ID is the same at every start, its boots rise with the calendar."""
    import hashlib  # which only those who report have loaded

    try:
        machine = read(_MACHINE_ID) or b""
    except StateError:
        machine = b""
    digest = hashlib.sha256(f"haidang-agent engine {whose} {socket.gethostname()} ".encode() + machine).digest()
    return Engine(_formed(enterprise, digest[:_OCTETS]), max(1, int(time.time()) - _SINCE), steady())


def _formed(enterprise: int, octets: bytes) -> bytes:
    return (enterprise | 1 << 31).to_bytes(4, "big") + b"\x05" + octets


def read(path: str) -> bytes | None:
    """A file's content, None when there is none; raises StateError."""
    try:
        with open(path, "rb") as file:
            return file.read(_LIMIT)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StateError(f"{path}: cannot be read: {error.strerror}") from None


def write(path: str, content: bytes, lasting: bool = True) -> None:
    """Replace a file so that after a power cut either the old or the new content is there (not `lasting`: or none of them);
    raises StateError."""
    draft = path + ".new"
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o600)
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            if os.name == "posix" and os.geteuid() == 0:
                # an administrator enrols, and the agent's own user has to read it
                owner = os.stat(os.path.dirname(path))
                os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
            if lasting:
                os.fsync(file.fileno())
        os.replace(draft, path)
    except OSError as error:
        raise StateError(f"{path}: cannot be written: {error.strerror}") from None


def write_rows(directory: str, rows: Iterable[Row], name: str = ROWS) -> None:
    """Keep objects for the resident process; raises StateError, or EncodeError for what no message can carry."""
    bindings = [message.encode_varbind(*row) for row in sorted(rows, key=lambda row: row[0])]
    chunks = [ber.tlv(ber.SEQUENCE, b"".join(bindings[n : n + _CHUNK])) for n in range(0, len(bindings), _CHUNK)]
    write(os.path.join(directory, name), b"".join(chunks))


def read_rows(directory: str, name: str = ROWS) -> list[Row]:
    """The objects that were kept, none when there are none; raises StateError when the file is damaged."""
    path = os.path.join(directory, name)
    data = read(path) or b""
    rows: list[Row] = []
    at = 0
    try:
        while at < len(data):
            start, at = ber.expect(data, at, len(data), ber.SEQUENCE)
            rows += message.decode_varbinds(data[start:at])
    except SnmpError as error:
        raise StateError(f"{path}: is damaged: {error}") from None
    return rows
