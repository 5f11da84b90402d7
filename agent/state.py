"""What the agent keeps on disk: its engine ID and the objects of the last inventory."""

from __future__ import annotations

import os
from collections.abc import Iterable

from snmp import ber, message
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
_RANDOM_OCTETS = 12
_LIMIT = 16 << 20


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
        made = (enterprise | 1 << 31).to_bytes(4, "big") + b"\x05" + os.urandom(_RANDOM_OCTETS)
        write(path, made.hex().encode() + b"\n")
        return made
    try:
        kept = bytes.fromhex(found.decode("ascii").strip())
    except ValueError:
        kept = b""
    if not 5 <= len(kept) <= 32:
        raise StateError(f"{path}: expected an engine ID in hexadecimal, found {found[:60]!r}; remove the file to get a new one")
    return kept


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
