"""`haidang-agent status`: who this machine is to its collectors, and how its reports fare."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from typing import Any

from . import state
from .enrol import standing_of
from .enrolment import load
from .settings import Settings

BUDGET = 1_000_000
"""Octets that reports may take a day in ordinary use."""


def status(settings: Settings, as_json: bool = False) -> Iterator[str]:
    """The lines to print; raises StateError."""
    enrolment, standing = load(settings.state), standing_of(settings.state)
    reports = reported(settings.state)
    if as_json:
        named = {key: getattr(enrolment, key) for key in ("url", "device", "unit", "unit_name", "user")} if enrolment else None
        known = {key: value for key, value in standing._asdict().items() if value not in (None, "")}
        found = {"enrolment": named, "standing": known, "reports": reports, "budget": BUDGET}
        yield json.dumps(found, ensure_ascii=False, indent=1)
        return
    if enrolment is None:
        yield "not enrolled: haidang-agent enrol URL CODE"
    else:
        yield f"enrolled   as {enrolment.device} of {enrolment.unit_name} ({enrolment.unit}) at {enrolment.url}"
        yield f"asked      {_when(standing.checked)}" + (f"; {standing.trouble}" if standing.trouble else "")
        if standing.clock_milliseconds is not None:
            yield f"clock      {_clock(standing.clock_milliseconds / 1000)}"
        if standing.tested is not None:
            yield f"line       tested {_when(standing.tested)}: {_line(standing._asdict())}"
        if standing.update:
            yield f"version    {standing.update}"
    for one in reports:
        waits = f"{one['waiting']} parts wait ({one['spool_octets'] / 1e6:.2f} MB)" if one["waiting"] else "nothing waits"
        yield f"reports to {one['to']}: acknowledged {_when(one['acknowledged'])}; {waits}"
        days = (one[key] / 1e3 for key in ("octets_today", "octets_yesterday"))
        yield "           {:.0f} kB today, {:.0f} kB yesterday, of {:.0f}".format(*days, BUDGET / 1e3)
        if one["trouble"]:
            yield f"           {one['trouble']}"
    if not reports and (enrolment is not None or settings.pushes):
        yield "reports    none yet; is haidang-agent run at work?"


def reported(directory: str) -> list[dict[str, Any]]:
    """What the resident process last noted of its reports; raises StateError."""
    data = state.read(os.path.join(directory, state.REPORTS))
    try:
        found = json.loads(data or b"[]")
    except (ValueError, RecursionError):
        return []
    return [one for one in found if _whole(one)] if isinstance(found, list) else []


def _whole(one: Any) -> bool:
    """Is it what `Push.standing` writes, and not what a power cut left?"""
    numbers = ("acknowledged", "waiting", "spool_octets", "octets_today", "octets_yesterday")
    return (
        isinstance(one, dict)
        and all(isinstance(one.get(key), int) for key in numbers)
        and all(isinstance(one.get(key), str) for key in ("to", "trouble"))
    )


def _when(moment: int | float | None) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment)) if moment else "never"


def _clock(ahead: float) -> str:
    if abs(ahead) < 2:
        return "as the collector's"
    return f"{abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} the collector's"


def _line(standing: dict[str, Any]) -> str:
    said = []
    for key, text in (
        ("round_trip_microseconds", "round trip {:.1f} ms"), ("jitter_microseconds", "jitter {:.1f} ms"),
        ("loss_permille", "loss {:.1f} %"), ("receive_kbits", "{:.2f} Mbit/s from it"), ("transmit_kbits", "{:.2f} Mbit/s to it"),
    ):  # fmt: skip
        if standing[key] is not None:
            said.append(text.format(standing[key] / (10 if key == "loss_permille" else 1000)))
    return ", ".join(said)
