"""A device that is no longer as it was learnt, and how that is noticed: its answers are held against their questions."""

from __future__ import annotations

from collections.abc import Sequence

from snmp import ber, message
from snmp.oid import decode as decode_oid
from snmp.shape import Element

from .questions import Question


class Changed(Exception):
    """The device no longer has the shape that was learnt: what was found. `misshapen`: its answers do not fit their
    questions, so it does not bear what it was asked."""

    def __init__(self, found: str, misshapen: bool = False) -> None:
        super().__init__(found)
        self.misshapen = misshapen


class Restarted(Changed):
    """sysUpTime went back: what was learnt may mean something else now."""


class TableChanged(Changed):
    """ifTableLastChange is another: ports came or went, perhaps under the same numbers (RFC 2863)."""


def check(question: Question, body: bytes, places: Sequence[Element]) -> None:
    """Every name must be the one expected, in its place; raises Changed."""
    names = question.names
    for i, (name, place) in enumerate(zip(names, places, strict=False)):
        found = body[place.name : place.name_end]
        if i in question.sentinels:
            if found.startswith(name) and len(found) > len(name) and place.tag not in ber.EXCEPTIONS:
                raise Changed(f"a new row: {_text(found)}", _muddled(question, body, places))
        elif found != name:
            raise Changed(f"{_text(found)} where {_text(name)} was expected", _muddled(question, body, places))
        elif place.tag in ber.EXCEPTIONS:
            raise Changed(f"{_text(name)} is gone")
    if not places and len(names) == 1:
        # v1's word for an object that does not exist (RFC 1157 section 4.1.3)
        if question.sentinels:
            return
        raise Changed(f"{_text(names[0])} is gone")
    if len(places) != len(names):
        raise Changed(f"{len(places)} objects where {len(names)} were expected", _muddled(question, body, places))


def _muddled(question: Question, body: bytes, places: Sequence[Element]) -> bool:
    """Is this more than rows that came or went: too few objects or too many, or one that does not follow what it should?"""
    if len(places) != len(question.names):
        # at the end of everything an agent may stop short (RFC 3416 section 4.2.3)
        return not any(place.tag == ber.END_OF_MIB_VIEW for place in places)
    try:
        before = list(map(decode_oid, question.asked))
        first = question.non_repeaters if question.kind == message.GET_BULK else len(before)
        for i, place in enumerate(places):
            column = i if i < first else first + (i - first) % (len(before) - first)
            found = decode_oid(body[place.name : place.name_end])
            if place.tag != ber.END_OF_MIB_VIEW and found <= before[column]:
                return True
            before[column] = found
    except ValueError:
        return True
    return False


def _text(name: bytes) -> str:
    try:
        return str(decode_oid(name))
    except ValueError:
        return f"a malformed name ({name[:20].hex()})"
