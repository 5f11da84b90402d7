"""Object identifiers (X.690 section 8.19, RFC 2578 section 3.5)."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

MAX_ARCS = 128
"""RFC 2578 section 3.5: at most 128 sub-identifiers, each at most 2^32-1."""
MAX_ARC = 0xFFFFFFFF
MAX_OCTETS = 5 * MAX_ARCS
"""The longest encoding of that many arcs."""
CACHED = 16384
"""Names kept in each direction: about 9 MB as devices send them, 110 MB were every one of the longest."""


class OID(tuple[int, ...]):
    """An object identifier as a tuple of its arcs; compares in lexicographic (MIB) order."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> OID:
        """Read ``1.3.6.1`` or ``.1.3.6.1``; raises ValueError that says what was found."""
        parts = text.strip().removeprefix(".").split(".")
        if not text.isascii() or not all(map(str.isdigit, parts)):
            raise ValueError(f"not an object identifier: {text!r} (expected numbers and dots, such as 1.3.6.1.2.1.1.3.0)")
        oid = cls(map(int, parts))
        if len(oid) > MAX_ARCS or max(oid) > MAX_ARC:
            raise ValueError(f"not an object identifier: {text!r} (at most {MAX_ARCS} arcs, each at most {MAX_ARC})")
        return oid

    def __str__(self) -> str:
        return ".".join(map(str, self))

    def __repr__(self) -> str:
        return f"OID({str(self)!r})"

    def __add__(self, arcs: Iterable[int]) -> OID:  # type: ignore[override]
        return OID((*self, *arcs))

    def covers(self, other: tuple[int, ...]) -> bool:
        """Is `other` this object or below it?"""
        return other[: len(self)] == self

    def encode(self) -> bytes:
        """The BER content octets; raises ValueError for arcs no encoding exists for."""
        return encode(self)


@lru_cache(maxsize=CACHED)
def encode(oid: tuple[int, ...]) -> bytes:
    """BER content octets of an OID, tag and length not included."""
    if not 1 <= len(oid) <= MAX_ARCS:
        raise ValueError(f"an object identifier has 1 to {MAX_ARCS} arcs, found {len(oid)}")
    if min(oid) < 0 or max(oid) > MAX_ARC:
        raise ValueError(f"arcs lie between 0 and {MAX_ARC}, found {'.'.join(map(str, oid))}")
    second = oid[1] if len(oid) > 1 else 0
    if oid[0] > 2 or (oid[0] < 2 and second > 39):
        raise ValueError(f"no object identifier begins with {oid[0]}.{second}")
    out = bytearray()
    for arc in (oid[0] * 40 + second, *oid[2:]):
        if arc < 128:
            out.append(arc)
            continue
        groups = [arc & 0x7F]
        arc >>= 7
        while arc:
            groups.append(arc & 0x7F | 0x80)
            arc >>= 7
        out += bytes(reversed(groups))
    return bytes(out)


@lru_cache(maxsize=CACHED)
def decode(content: bytes) -> OID:
    """The OID of BER content octets; raises ValueError for what is empty, cut off or too long.

    An empty content, which some agents send for 0.0, reads as 0.0.
    """
    if not content:
        return OID((0, 0))
    if content[-1] & 0x80:
        raise ValueError("object identifier ends inside an arc")
    if len(content) > MAX_OCTETS:  # padding would pass all other checks, and fill the cache
        raise ValueError(f"object identifier of {len(content)} octets (at most {MAX_OCTETS})")
    arcs: list[int] = []
    value = 0
    for octet in content:
        value = value << 7 | octet & 0x7F
        if octet < 0x80:
            arcs.append(value)
            value = 0
        elif value > MAX_ARC:
            raise ValueError(f"object identifier has an arc over {MAX_ARC}")
    first = min(arcs[0] // 40, 2)
    arcs[0:1] = [first, arcs[0] - 40 * first]
    if len(arcs) > MAX_ARCS or max(arcs) > MAX_ARC:
        raise ValueError(f"object identifier has {len(arcs)} arcs or one over {MAX_ARC} (at most {MAX_ARCS})")
    return OID(arcs)
