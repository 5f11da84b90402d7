"""What was found, in words for a terminal."""

from __future__ import annotations

from collector.estate.candidates import Candidate
from exporters.device import make

from .terminal import shown


def what_is(one: Candidate) -> str:
    """What a find is, in a few words."""
    return plain(" ".join(filter(None, (one.kind, make(one.vendor, one.model), one.serial))))


def plain(text: str) -> str:
    """What a device says of itself, fit for a terminal."""
    return shown(text)[:120]
