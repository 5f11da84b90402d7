"""Files for other systems to read, all those of one kind in a directory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from .errors import WriteError


def write_files(directory: Path, files: Mapping[str, str]) -> list[Path]:
    """Write texts by file name, in a directory that is made where there is none; gives the files. Raises WriteError."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (directory / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise WriteError(f"cannot write into {directory}: {error.strerror or error}") from error
    return [directory / name for name in files]
