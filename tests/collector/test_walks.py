"""Every device family has a walk, and its page is the expected one: a family is one profile, one walk, one page.

The walks are written by hand from the vendors' MIBs, with invented values. `HAIDANG_UPDATE=1` writes the pages anew.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

import pytest

from collector.polling.cells import decode
from collector.polling.learn import columns
from collector.polling.plan import arrange
from collector.polling.translate import Translation, translate
from config.profiles import Profile, Profiles
from exporters.document import probe_document
from haidang import snmprec
from snmp.oid import OID

WALKS = Path(__file__).parents[1] / "walks"
NAMES = sorted(path.stem for path in WALKS.glob("*.snmprec"))
PROFILES = Profiles.load()
SYS_DESCR, SYS_OBJECT_ID = OID.parse("1.3.6.1.2.1.1.1.0"), OID.parse("1.3.6.1.2.1.1.2.0")


def read(name: str) -> tuple[Profile, Translation]:
    """The walk's device by the profile that is chosen for it."""
    rows = snmprec.read(WALKS / f"{name}.snmprec")
    found = {row.oid: row.value for row in rows}
    object_id, described = found.get(SYS_OBJECT_ID), found.get(SYS_DESCR)
    oid = object_id if isinstance(object_id, OID) else OID()
    text = decode(described) if isinstance(described, bytes) else ""
    profile = PROFILES.choose(oid, text, [one for one in PROFILES.asks(oid, text) if one in found])
    return profile, translate(profile, arrange(rows, columns(profile)))


@pytest.mark.parametrize("name", NAMES)
def test_page(name: str) -> None:
    """The family's profile is chosen for the walk, and what it makes of it is what stands beside it."""
    profile, translation = read(name)
    page = probe_document(name, translation.facts, True)
    file = WALKS / f"{name}.json"
    if os.environ.get("HAIDANG_UPDATE"):
        file.write_text(json.dumps(page, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    assert file.exists(), f"no page {file.name}: HAIDANG_UPDATE=1 writes it; read it against the MIB before you keep it"
    family = profile.name.partition("@")[0]
    assert name == family or name.startswith(f"{family}.")
    assert json.loads(file.read_text(encoding="utf-8")) == json.loads(json.dumps(page))


@pytest.mark.parametrize("name", NAMES)
def test_page_tells_what_the_device_is(name: str) -> None:
    """Of every family the vendor and the model are known, or of a host that has no object for them its system; and no metric is
    given twice."""
    _, translation = read(name)
    facts = translation.facts
    assert (facts.vendor and facts.model) or facts.os_name
    series = [(sample.metric, sample.labels) for sample in translation.samples]
    assert len(series) == len(set(series))


def test_every_family_has_a_walk() -> None:
    """Whoever adds a profile that recognises devices adds a walk of one."""
    families = {name.partition("@")[0] for name in PROFILES if PROFILES.head(name).matches}
    assert families <= {name.split(".")[0] for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_values_tell_sensors_apart(name: str) -> None:
    """No three sensors of a class have the same reading in a walk, but for 0: a walk of equal numbers would pass whichever object
    each of them reads."""
    _, translation = read(name)
    readings = Counter((one.kind, one.value) for one in translation.facts.sensors if one.value and one.kind != "frequency")
    assert [reading for reading, count in readings.items() if count > 2] == []
