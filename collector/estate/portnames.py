"""One port, many names: which of a device's interfaces is meant by what another device or MIB calls it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..model import Interface

_LONG = re.compile(r"([a-z][a-z-]*) *([\d/.:]+)(?: : (?:copper|fiber))?")
_KINDS = {
    "fa": "fastethernet", "fe": "fastethernet", "gi": "gigabitethernet", "ge": "gigabitethernet", "gig": "gigabitethernet",
    "te": "tengigabitethernet", "xge": "tengigabitethernet", "xgigabitethernet": "tengigabitethernet",
    "ten": "tengigabitethernet", "tengige": "tengigabitethernet", "ten-gigabitethernet": "tengigabitethernet",
    "tw": "twogigabitethernet",
    "fo": "fortygigabitethernet", "hu": "hundredgige", "hundredgigabitethernet": "hundredgige", "twe": "twentyfivegige",
    "twentyfivegigabitethernet": "twentyfivegige", "po": "port-channel", "eth": "ethernet", "et": "ethernet",
    "ae": "aggregate", "lag": "aggregate",
}  # fmt: skip
"""Short form -> long form, in lower case, as several makers write them."""


def plain(name: str) -> str:
    """A port's name in one form: lower case, without blanks, long."""
    text = name.strip().lower()
    match = _LONG.fullmatch(text)
    if match is None:
        return text
    return f"{_KINDS.get(match[1], match[1])}{match[2]}"


class Ports:
    """A device's interfaces by all that they are called."""

    def __init__(self, interfaces: Sequence[Interface]) -> None:
        self.by_index: dict[int, str] = {}
        self._exact: list[dict[str, str | None]] = [{}, {}, {}, {}]
        for one in interfaces:
            if one.index:
                self.by_index[one.index] = one.name
            for table, text in zip(self._exact, (one.name, one.description, one.mac, one.alias), strict=True):
                _put(table, text, one.name)
        self._plain: dict[str, str | None] = {}
        for one in interfaces:
            for text in {plain(one.name), plain(one.description)}:
                _put(self._plain, text, one.name)

    def find(self, said: str) -> str:
        """The interface called so by name, description, MAC address or alias; empty when none is, or more than one."""
        if not said:
            return ""
        for table in self._exact:
            if found := table.get(said):
                return found
        return self._plain.get(plain(said)) or ""

    def first(self, said: Sequence[str]) -> str:
        """The interface meant by the first name that means one."""
        return next((found for text in said if (found := self.find(text))), "")


def _put(table: dict[str, str | None], text: str, name: str) -> None:
    """Note a name; one that two ports have means neither."""
    if text:
        table[text] = name if table.get(text, name) == name else None
