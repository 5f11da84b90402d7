"""Antivirus products that have no register to stand in (on Windows the security centre keeps one): what their tools print."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

from ..errors import Unreadable
from .parts import Antivirus
from .source import Source

FRESH = 7 * 86400
"""Seconds after which signatures count as out of date."""


def on_linux(source: Source, now: float | None = None) -> list[Antivirus]:
    """The products whose tool is installed."""
    now = time.time() if now is None else now
    found = []
    for path, arguments, reader in _TOOLS:
        if source.exists(path):
            try:
                product = reader(source.run([path, *arguments]), now)
            except Unreadable as error:
                source.missing(f"antivirus {path}", str(error))
                continue
            if product is not None:
                found.append(product)
    clam = _clamav(source, now)
    return [*found, *([clam] if clam else []), *_below_opt(source)]


def _fields(text: str) -> dict[str, str]:
    pairs = (re.split(r":\s+|\s{2,}", line.strip().lstrip("- "), maxsplit=1) for line in text.splitlines())
    return {pair[0].rstrip(":").lower(): pair[1].strip() for pair in pairs if len(pair) == 2}


def bitdefender(text: str, now: float) -> Antivirus | None:
    """`bduitool get ps`."""
    found = _fields(text)
    if "product version" not in found:
        return None
    updated = _date(found.get("last security content update", ""))
    newer = found.get("new security content available", "").lower()
    return Antivirus(
        name="Bitdefender Endpoint Security Tools",
        version=found["product version"],
        enabled=_on(found.get("antimalware status")),
        current=newer == "no" if newer in ("yes", "no") else None,
        updated=updated,
    )


def cortex(text: str, now: float) -> Antivirus | None:
    """`cytool info query` and `cytool runtime query`, either or both."""
    found = _fields(text)
    states = re.findall(r"^\s*(\w+)\s+\d*\s+\S*\s+(Running|Stopped)", text, re.MULTILINE)
    if "content version" not in found and not states:
        return None
    return Antivirus(
        name="Palo Alto Cortex XDR",
        version=found.get("content version", ""),
        enabled=any(name == "pmd" and state == "Running" for name, state in states) if states else None,
    )


def sentinelone(text: str, now: float) -> Antivirus | None:
    """`sentinelctl version`, `engines status`, `control status`, any of them."""
    found = _fields(text)
    if "agent version" not in found and "agent state" not in found:
        return None
    return Antivirus(name="SentinelOne", version=found.get("agent version", ""), enabled=_on(found.get("agent state")))


def defender(text: str, now: float) -> Antivirus | None:
    """`mdatp health --output json`."""
    try:
        found = json.loads(text)
        value = found["realTimeProtectionEnabled"]
        enabled = value["value"] if isinstance(value, dict) else value
        status = found.get("definitionsStatus", {})
        state = status.get("$type", status) if isinstance(status, dict) else status
        return Antivirus(
            name="Microsoft Defender",
            version=str(found.get("appVersion", "")),
            enabled=bool(enabled),
            current=str(state).lower().replace("_", "") == "uptodate" if state else None,
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def kaspersky(text: str, now: float) -> Antivirus | None:
    """`kesl-control --app-info`."""
    found = _fields(text)
    if not found.get("name", found.get("product name", "")).startswith("Kaspersky"):
        return None
    updated = _date(found.get("last release date of databases", found.get("databases issue date", "")))
    return Antivirus(
        name=found.get("name", found.get("product name", "")),
        version=found.get("version", ""),
        enabled=_on(found.get("file threat protection", found.get("file monitoring"))),
        current=now - updated < FRESH if updated else None,
        updated=updated,
    )


_TOOLS: tuple[tuple[str, tuple[str, ...], Callable[[str, float], Antivirus | None]], ...] = (
    ("/opt/bitdefender-security-tools/bin/bduitool", ("get", "ps"), bitdefender),
    ("/opt/traps/bin/cytool", ("runtime", "query"), cortex),
    ("/opt/sentinelone/bin/sentinelctl", ("control", "status"), sentinelone),
    ("/usr/bin/mdatp", ("health", "--output", "json"), defender),
    ("/opt/kaspersky/kesl/bin/kesl-control", ("--app-info",), kaspersky),
)


_BELOW_OPT = {
    "bkav": "Bkav", "cmc": "CMC", "eset": "ESET", "sophos-spl": "Sophos", "sophos-av": "Sophos", "ds_agent": "Trend Micro",
    "crowdstrike": "CrowdStrike", "symantec": "Symantec", "mcafee": "McAfee", "trellix": "Trellix", "drweb.com": "Dr.Web",
    "f-secure": "F-Secure", "withsecure": "WithSecure",
}  # fmt: skip
"""Where products live whose tools the agent does not ask -> who makes them."""


def _below_opt(source: Source) -> list[Antivirus]:
    """Those guard the machine while one of their programs runs; how old their signatures are is not known."""
    homes = [name for name in source.names("/opt") if name.lower() in _BELOW_OPT]
    if not homes:
        return []
    programs = [source.text(f"/proc/{name}/cmdline") for name in source.names("/proc") if name.isdigit()]
    return [
        Antivirus(name=_BELOW_OPT[home.lower()], enabled=any(program.startswith(f"/opt/{home}/") for program in programs))
        for home in homes
    ]


def _clamav(source: Source, now: float) -> Antivirus | None:
    """ClamAV guards a machine only where clamd runs; the scanner alone waits to be called."""
    bases = [source.changed(f"/var/lib/clamav/daily.{ending}") for ending in ("cld", "cvd", "inc")]
    updated = max((base for base in bases if base), default=None)
    if updated is None and not source.exists("/usr/sbin/clamd"):
        return None
    running = any(source.text(f"/proc/{name}/comm") == "clamd" for name in source.names("/proc") if name.isdigit())
    return Antivirus(
        name="ClamAV", enabled=running, current=now - updated < FRESH if updated is not None else None, updated=updated
    )


def _on(word: str | None) -> bool | None:
    known = {"on": True, "enabled": True, "available and running": True, "off": False, "disabled": False}
    known |= {"available and stopped": False, "unavailable": False}
    return known.get((word or "").lower())


def _date(text: str) -> int | None:
    """2023-08-24 at 11:44:37 GMT+2, 2023-08-24 11:44:37, 2023-08-24."""
    match = re.search(r"(\d{4})-(\d\d)-(\d\d)(?:\D{1,5}(\d\d):(\d\d):(\d\d))?(?:\s*(?:GMT|UTC)([+-]\d{1,2}))?", text)
    if match is None:
        return None
    zone = timezone(timedelta(hours=int(match[7]))) if match[7] and abs(int(match[7])) < 15 else UTC
    try:
        return int(datetime(*(int(match[n] or 0) for n in range(1, 7)), tzinfo=zone).timestamp())  # type: ignore[arg-type,misc]
    except ValueError:
        return None
