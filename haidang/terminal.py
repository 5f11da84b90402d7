"""Output for terminals that cannot show all of it: letters without their marks instead of an error."""

from __future__ import annotations

import codecs
import io
import sys
import unicodedata

ERASE = "\x1b[K"
"""Erases the rest of a line."""
_PLAIN = {"đ": "d", "Đ": "D", "├": "|", "└": "`", "│": "|", "─": "-"}
_FOLDED = "haidang.folded"


def shown(text: str) -> str:
    """A text fit for a terminal: what that might obey is shown as ``?``."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _folded(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    found = error.object[error.start : error.end]
    letters = (_PLAIN.get(letter) or unicodedata.normalize("NFD", letter)[0] for letter in found)
    return "".join(letter if letter.isascii() else "?" for letter in letters), error.end


def prepare() -> None:
    """Have standard output and error fold what their encoding lacks."""
    codecs.register_error(_FOLDED, _folded)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_FOLDED)
