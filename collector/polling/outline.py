"""An answer held against its question: what moves in it, what must stay as it is, and what is of no interest."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import NamedTuple

from snmp import ber
from snmp.shape import Element, Shape

from .questions import Question


class Outline(NamedTuple):
    """The shape of an answer, and a digest of all its values that do not move and of the types of those that do."""

    shape: Shape
    key: int


def outline(question: Question, body: bytes, places: Sequence[Element], moving: Set[bytes], free: Set[bytes]) -> Outline:
    """Of an answer that has the names its question expects; `moving` and `free` are encoded names, of what moves and of what is
    of no interest. Raises snmp.errors.DecodeError for a number of a width that cannot be."""
    spans: list[tuple[int, int]] = []
    loose: list[tuple[int, int]] = []
    pinned: list[bytes | int] = []
    sentinels = question.sentinels
    for i, (start, name_end, tag, value, end) in enumerate(places):
        name = body[start:name_end]
        if i in sentinels or name in free:
            loose.append((value, end))
        elif name in moving:
            ber.decode_value(tag, body[value:end])
            spans.append((_first(tag, value, end), end))
            pinned.append(tag)
        else:
            pinned.append(body[name_end:end])
    return Outline(Shape(body, spans, loose), hash(tuple(pinned)))


def _first(tag: int, value: int, end: int) -> int:
    """Where the part of a moving value begins that counts: agents pad 32-bit numbers beyond four octets (see
    `ber.decode_value`), and what lies before them must not move."""
    if tag == ber.COUNTER64:
        return max(value, end - 8)
    if tag in ber.UNSIGNED:
        return max(value, end - 4)
    return value
