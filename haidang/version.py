"""Which version this is."""

from __future__ import annotations

from importlib import metadata


def version() -> str:
    """The installed one, or "unknown" when it runs from a tree that was never installed."""
    try:
        return metadata.version("haidang")
    except metadata.PackageNotFoundError:
        return "unknown"
