"""What we know of a device as JSON: the form `haidang probe --json` prints, one object a device."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from collector.model import Facts, Storage


def probe_document(target: str, facts: Facts | None, reachable: bool, message: str = "") -> dict[str, Any]:
    """One probed device. What it does not tell is left out; `message` says why there are no facts."""
    document: dict[str, Any] = {"target": target, "reachable": reachable}
    if message:
        document["message"] = message
    if facts is not None:
        document.update(facts_document(facts))
    return document


def facts_document(facts: Facts) -> dict[str, Any]:
    """Facts with units in their keys; sensors in the base unit of their class (`config.units`)."""
    return _told(
        {
            "profile": facts.profile,
            "kind": facts.kind,
            "vendor": facts.vendor,
            "model": facts.model,
            "serial": facts.serial,
            "name": facts.name,
            "description": facts.description,
            "object_id": facts.object_id,
            "location": facts.location,
            "contact": facts.contact,
            "os": _told({"name": facts.os_name, "version": facts.os_version}),
            "uptime_seconds": facts.uptime_seconds,
            "interfaces": [
                _told(
                    {
                        "index": port.index,
                        "name": port.name,
                        "alias": port.alias,
                        "description": port.description,
                        "type": port.type,
                        "mac": port.mac,
                        "speed_bps": port.speed_bps,
                        "duplex": port.duplex,
                        "oper": port.oper,
                        "admin": port.admin,
                    }
                )
                for port in facts.interfaces
            ],
            "sensors": [{"class": s.kind, "name": s.name, "value": s.value} for s in facts.sensors],
            "supplies": [
                _told({"kind": s.kind, "name": s.name, "level_percent": s.level_percent, "level": s.level})
                for s in facts.supplies
            ],
            "storage": _volumes(facts.storage),
            "memory": _volumes(facts.memory),
            "processors": [_told({"name": p.name, "load_percent": p.load_percent}) for p in facts.processors],
            "components": [
                _told(
                    {
                        "name": part.name,
                        "class": part.kind,
                        "model": part.model,
                        "serial": part.serial,
                        "vendor": part.vendor,
                        "version": part.version,
                        "description": part.description,
                    }
                )
                for part in facts.components
            ],
            "neighbours": [
                _told(
                    {
                        "local_port": n.local_port,
                        "remote_name": n.remote_name,
                        "remote_port": n.remote_port,
                        "remote_id": n.remote_id,
                        "protocol": n.protocol,
                    }
                )
                for n in facts.neighbours
            ],
        }
    )


def _volumes(volumes: Iterable[Storage]) -> list[dict[str, Any]]:
    return [
        _told(
            {
                "name": v.name,
                "kind": v.kind,
                "size_bytes": v.size_bytes,
                "used_bytes": v.used_bytes,
                "used_percent": v.used_percent,
            }
        )
        for v in volumes
    ]


def _told(document: Mapping[str, Any]) -> dict[str, Any]:
    """Without what the device does not say: empty texts and lists, None."""
    return {key: value for key, value in document.items() if value is not None and value not in ("", [], {})}
