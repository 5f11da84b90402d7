"""The layout of an answer, learnt once: later answers of the same layout give their numbers without being decoded.

A shape marks which octets of a variable-bindings list may differ (the contents of the moving values) and holds all
others. An answer fits when it has the same length and, the moving octets masked out, the same octets; so names, types,
lengths and every value that was not declared moving are known to be what they were. Comparing is three operations on
big integers, whatever the number of varbinds.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import lru_cache
from struct import Struct
from typing import NamedTuple

from . import ber
from .errors import DecodeError


class Element(NamedTuple):
    """Where one varbind stands in a body: its name's content, its value's tag and content."""

    name: int
    name_end: int
    tag: int
    value: int
    end: int


def elements(body: bytes) -> list[Element]:
    """The varbinds of a variable-bindings content, by position; raises DecodeError."""
    out = []
    pos, end = 0, len(body)
    header = ber.header
    while pos < end:
        # Short as nearly all are, it is read in place; what does not look so, and what is wrong, element by element.
        if pos + 6 <= end and body[pos] == ber.SEQUENCE and body[pos + 2] == ber.OBJECT_IDENTIFIER:
            stop, name_end = pos + 2 + body[pos + 1], pos + 4 + body[pos + 3]
            if name_end + 2 <= stop <= end and stop - pos < 0x82 and name_end + 2 + body[name_end + 1] == stop:
                out.append(Element(pos + 4, name_end, body[name_end], name_end + 2, stop))
                pos = stop
                continue
        tag, start, pos = header(body, pos, end)
        if tag != ber.SEQUENCE:
            raise DecodeError(f"type 0x{tag:02x} in the variable bindings, expected 0x30")
        tag, name, name_end = header(body, start, pos)
        if tag != ber.OBJECT_IDENTIFIER:
            raise DecodeError(f"a variable binding begins with type 0x{tag:02x}, expected 0x06")
        tag, value, value_end = header(body, name_end, pos)
        if value_end != pos:
            raise DecodeError(f"{pos - value_end} bytes too many after a value")
        out.append(Element(name, name_end, tag, value, value_end))
    return out


@lru_cache(maxsize=4096)
def _reader(
    spans: tuple[tuple[int, int], ...], free: tuple[tuple[int, int], ...], length: int
) -> tuple[int, Callable[[bytes], tuple[bytes, ...]]]:
    """(mask of the octets that must not differ, a function that cuts out the moving ones), shared by equal layouts."""
    mask = bytearray(b"\xff" * length)
    form, pos = [], 0
    for start, end in free:
        mask[start:end] = bytes(end - start)
    for start, end in spans:
        mask[start:end] = bytes(end - start)
        form.append(f"{start - pos}x{end - start}s")
        pos = end
    return int.from_bytes(mask, "big"), Struct("".join(form) + f"{length - pos}x").unpack


class Shape:
    """See the module. `cut(body)` gives the contents of the moving values in order, or None when the layout differs."""

    __slots__ = ("_fixed", "_length", "_mask", "_unpack")

    def __init__(self, body: bytes, moving: Collection[tuple[int, int]], free: Collection[tuple[int, int]] = ()) -> None:
        """`moving`: (start, end) of the contents to cut out, ascending; `free`: what may differ and is of no interest."""
        self._length = len(body)
        self._mask, self._unpack = _reader(tuple(moving), tuple(free), len(body))
        self._fixed = int.from_bytes(body, "big") & self._mask

    def cut(self, body: bytes) -> tuple[bytes, ...] | None:
        if len(body) != self._length or int.from_bytes(body, "big") & self._mask != self._fixed:
            return None
        return self._unpack(body)
