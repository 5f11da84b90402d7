"""Rows of texts as columns for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .terminal import shown


def aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A line for each row, its columns below one another; what a terminal might obey is shown as ``?``."""
    cells = [list(map(shown, row)) for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
