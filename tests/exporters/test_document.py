"""The probe's JSON form."""

from __future__ import annotations

import json

from collector.model import Facts, Interface, Sensor, Storage, Supply
from exporters.document import probe_document


def test_unreachable() -> None:
    """A device that did not answer has its target, the fact, and the reason."""
    assert probe_document("sw1", None, False, "no answer from 127.0.0.1:161") == {
        "target": "sw1",
        "reachable": False,
        "message": "no answer from 127.0.0.1:161",
    }


def test_facts() -> None:
    """What a device tells is there with units in the keys; what it does not tell is left out, and zero is told."""
    document = probe_document(
        "sw1",
        Facts(
            kind="switch",
            os_version="1.2",
            uptime_seconds=0.0,
            interfaces=(Interface(1, "ge1", speed_bps=0, oper="down"),),
            sensors=(Sensor("temperature", "CPU", 0.0),),
            supplies=(Supply("toner", "Black", None, "some"),),
            storage=(Storage("/", 100, 0),),
        ),
        True,
    )
    assert document == {
        "target": "sw1",
        "reachable": True,
        "kind": "switch",
        "os": {"version": "1.2"},
        "uptime_seconds": 0.0,
        "interfaces": [{"index": 1, "name": "ge1", "speed_bps": 0, "oper": "down"}],
        "sensors": [{"class": "temperature", "name": "CPU", "value": 0.0}],
        "supplies": [{"kind": "toner", "name": "Black", "level": "some"}],
        "storage": [{"name": "/", "size_bytes": 100, "used_bytes": 0}],
    }
    json.dumps(document)
