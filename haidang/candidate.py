"""What was found, in words for a terminal."""

from __future__ import annotations

from collector.estate.candidates import Candidate


def what_is(one: Candidate) -> str:
    """What a find is, in a few words."""
    maker = "" if one.model.casefold().startswith(one.vendor.casefold()) else one.vendor
    return plain(" ".join(filter(None, (one.kind, maker, one.model, one.serial))))


def plain(text: str) -> str:
    """What a device says of itself, fit for a terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)[:120]


def count_addresses(number: int) -> str:
    """So many addresses, in words."""
    return f"{number} address{'' if number == 1 else 'es'}"
