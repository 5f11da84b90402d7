"""When an operating system's free security updates end; the dates are in `config/standards/lifecycle.toml`."""

from __future__ import annotations

import tomllib
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from importlib import resources
from typing import Any


@cache
def _dates() -> dict[str, Any]:
    with resources.files("config").joinpath("standards/lifecycle.toml").open("rb") as file:
        return tomllib.load(file)


def support_end(system: str, version: str, edition: str = "") -> int | None:
    """Unix seconds of the end of the last supported day, None when no date is known.

    `system` is os-release's ID or "windows" or "windows-server"; `version` is VERSION_ID or Windows' build. The longest
    listed beginning of the version counts (rocky 9.4 is found as 9), and the last listed kind that stands in the edition's name.
    """
    versions = _dates().get(system.lower(), {})
    words = version.split(".")
    while words:
        found = versions.get(".".join(words))
        if isinstance(found, dict):
            kinds = [kind for kind in found if kind != "general" and kind in edition.lower()]
            found = found[kinds[-1]] if kinds else found.get("general")
        if isinstance(found, date):
            return int((datetime.combine(found, time(), UTC) + timedelta(days=1)).timestamp()) - 1
        words.pop()
    return None
