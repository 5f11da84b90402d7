"""Moments as all commands write them: ISO 8601, in this machine's zone (or that of the variable TZ)."""

from __future__ import annotations

from datetime import datetime


def minute(when: float) -> str:
    """Unix seconds for people, such as 2026-11-18 11:06."""
    return datetime.fromtimestamp(when).strftime("%Y-%m-%d %H:%M")


def exact(when: float) -> str:
    """Unix seconds for programs, such as 2026-11-18T11:06:31+07:00."""
    return datetime.fromtimestamp(when).astimezone().isoformat(timespec="seconds")
