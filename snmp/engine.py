"""The state of one SNMP engine: its ID, boots and time (RFC 3411 section 5, RFC 3414 section 2.2), and what it counted."""

from __future__ import annotations

import contextlib
import os
import time

from . import ber
from .errors import StateError
from .oid import OID

MAX_BOOTS = 2**31 - 1
"""snmpEngineBoots stays here for ever, and every message is then outside the window (RFC 3414 section 2.2.2)."""

COUNTERS = {
    "snmpInPkts": OID((1, 3, 6, 1, 2, 1, 11, 1, 0)),
    "snmpInBadVersions": OID((1, 3, 6, 1, 2, 1, 11, 3, 0)),
    "snmpInBadCommunityNames": OID((1, 3, 6, 1, 2, 1, 11, 4, 0)),
    "snmpInBadCommunityUses": OID((1, 3, 6, 1, 2, 1, 11, 5, 0)),
    "snmpInASNParseErrs": OID((1, 3, 6, 1, 2, 1, 11, 6, 0)),
    "snmpUnknownPDUHandlers": OID((1, 3, 6, 1, 6, 3, 11, 2, 1, 3, 0)),
    "snmpUnknownContexts": OID((1, 3, 6, 1, 6, 3, 12, 1, 5, 0)),
    "usmStatsUnsupportedSecLevels": OID((1, 3, 6, 1, 6, 3, 15, 1, 1, 1, 0)),
    "usmStatsNotInTimeWindows": OID((1, 3, 6, 1, 6, 3, 15, 1, 1, 2, 0)),
    "usmStatsUnknownUserNames": OID((1, 3, 6, 1, 6, 3, 15, 1, 1, 3, 0)),
    "usmStatsUnknownEngineIDs": OID((1, 3, 6, 1, 6, 3, 15, 1, 1, 4, 0)),
    "usmStatsWrongDigests": OID((1, 3, 6, 1, 6, 3, 15, 1, 1, 5, 0)),
    "usmStatsDecryptionErrors": OID((1, 3, 6, 1, 6, 3, 15, 1, 1, 6, 0)),
}
"""RFC 3418, 3412, 3413 and 3414's counters of what came in."""

_CLOCK = getattr(time, "CLOCK_BOOTTIME", None)


def steady() -> float:
    """Seconds of a clock that nobody sets and that goes on while the machine sleeps.

    An engine time that stood still during a laptop's sleep would fall out of every manager's time window for good.
    """
    return time.monotonic() if _CLOCK is None else time.clock_gettime(_CLOCK)


_ENGINE = OID((1, 3, 6, 1, 6, 3, 10, 2, 1))
_AUTHEN_TRAPS = OID((1, 3, 6, 1, 2, 1, 11, 30, 0))


def engine_id(enterprise: int, octets: bytes) -> bytes:
    """An snmpEngineID of RFC 3411's format 5 (octets chosen by the administrator, 1 to 27) under an enterprise number."""
    if not 0 < enterprise < 2**31 or not 1 <= len(octets) <= 27:
        raise ValueError(f"an engine ID takes an enterprise number and 1 to 27 octets, found {enterprise} and {len(octets)}")
    return (enterprise | 1 << 31).to_bytes(4, "big") + b"\x05" + octets


class Engine:
    """An authoritative engine. `started` is the clock's value in seconds at which its time was 0."""

    __slots__ = ("boots", "id", "started")

    def __init__(self, id: bytes, boots: int, started: float) -> None:
        if not 5 <= len(id) <= 32 or not any(id) or all(octet == 0xFF for octet in id):
            raise ValueError(f"an engine ID has 5 to 32 octets, not all 00 or ff (RFC 3411), found {id.hex() or 'none'}")
        if not 0 <= boots <= MAX_BOOTS:
            raise ValueError(f"engine boots lie between 0 and {MAX_BOOTS}, found {boots}")
        self.id = id
        self.boots = boots
        self.started = started

    def time(self, now: float) -> int:
        """snmpEngineTime: whole seconds since the last boot."""
        return min(max(int(now - self.started), 0), MAX_BOOTS)

    @classmethod
    def start(cls, path: str | os.PathLike[str], engine_id: bytes, now: float) -> Engine:
        """One more boot of this engine, counted in the file at `path` and safely on disk before this returns.

        A missing file begins at 1; the count goes on when the ID changes. Raises StateError for a damaged file: boots that
        restart under the same ID would let old messages in again.
        """
        boots = min(_read_boots(path) + 1, MAX_BOOTS)
        write_state(path, f"{boots}\n")
        return cls(engine_id, boots, now)


def _read_boots(path: str | os.PathLike[str]) -> int:
    try:
        with open(path, "rb") as f:
            content = f.read(4096)
    except FileNotFoundError:
        return 0
    except OSError as e:
        raise StateError(f"{path}: the engine's boots cannot be read: {e.strerror}") from e
    word = content.strip()
    if not word.isdigit() or len(word) > 10 or int(word) > MAX_BOOTS:
        raise StateError(
            f"{path}: expected the number of the engine's boots, found {content[:60]!r}; write a number higher than ever "
            f"used, or remove the file together with a change of the engine ID or of all passwords (RFC 3414 section 2.2.2)"
        )
    return int(word)


def write_state(path: str | os.PathLike[str], text: str) -> None:
    """Replace a file so that after a power cut either the old or the new content is there; raises StateError."""
    draft = os.fspath(path) + ".new"
    try:
        with open(draft, "w") as f:
            f.write(text)
            f.flush()
            os.fsync(f.fileno())
        os.replace(draft, path)
        with contextlib.suppress(OSError):  # Windows cannot open a directory
            directory = os.open(os.path.dirname(path) or ".", os.O_RDONLY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)
    except OSError as e:
        raise StateError(f"{path}: the engine's state cannot be written: {e.strerror}") from e


class Statistics:
    """What came in and was refused; `stats["usmStatsWrongDigests"]` and the other names of `COUNTERS`. May be shared."""

    __slots__ = ("counts",)

    def __init__(self) -> None:
        self.counts = dict.fromkeys(COUNTERS, 0)

    def __getitem__(self, name: str) -> int:
        return self.counts[name]

    def count(self, name: str) -> int:
        """One more; the new number, wrapped as a Counter32."""
        number = self.counts[name] = self.counts[name] + 1 & 0xFFFFFFFF
        return number

    def rows(self) -> list[tuple[OID, int, ber.Value]]:
        """The counters as objects for a tree."""
        rows: list[tuple[OID, int, ber.Value]] = [(COUNTERS[name], ber.COUNTER32, n) for name, n in self.counts.items()]
        return [*rows, (_AUTHEN_TRAPS, ber.INTEGER, 2)]


def engine_rows(engine: Engine, max_size: int, now: float) -> list[tuple[OID, int, ber.Value]]:
    """The snmpEngine group (RFC 3411 section 5) as objects for a tree."""
    return [
        (OID((*_ENGINE, 1, 0)), ber.OCTET_STRING, engine.id),
        (OID((*_ENGINE, 2, 0)), ber.INTEGER, engine.boots),
        (OID((*_ENGINE, 3, 0)), ber.INTEGER, engine.time(now)),
        (OID((*_ENGINE, 4, 0)), ber.INTEGER, max_size),
    ]
