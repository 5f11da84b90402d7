"""Profiles are read from YAML, every key checked, and chosen by what a device says it is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from config.catalogue import CATALOGUE
from config.documents import read
from config.enterprises import VENDORS, vendor
from config.errors import ConfigError
from config.grammar import used
from config.profiles import BUNDLED, Cadence, Profiles
from config.rules import KINDS
from config.units import SENSOR_CLASSES, conversion
from snmp.oid import OID

LAKE = OID.parse("1.3.6.1.4.1.32473.7.1")
HEAD = "description: test\n"


def load(directory: Path, **files: str) -> Profiles:
    """The bundled profiles and these."""
    for name, content in files.items():
        (directory / f"{name}.yaml").write_text(
            content if re.search("^description", content, re.MULTILINE) else HEAD + content, encoding="utf-8"
        )
    return Profiles.load([directory])


def refused(directory: Path, content: str) -> str:
    """What reading says of a profile."""
    with pytest.raises(ConfigError) as caught:
        load(directory, wrong=content)
    (problem,) = caught.value.problems
    assert problem.startswith(f"{directory / 'wrong.yaml'}: ")
    return problem.removeprefix(f"{directory / 'wrong.yaml'}: ")


def test_bundled() -> None:
    """The bundled profiles are read without a problem, and there is one for devices nothing matches."""
    profiles = Profiles.load()
    assert set(profiles) == {path.stem for path in BUNDLED.glob("*.yaml")}
    assert profiles.choose(OID.parse("1.3.6.1.4.1.32473.99"), "").name == "generic"
    assert profiles.choose(OID(), "").name == "generic"


def test_one_is_read_without_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """A profile that is asked for is read with those it extends and no others; it is the one that loading all gives."""
    asked: list[str] = []
    monkeypatch.setattr("config.profiles.read", lambda path: asked.append(path.stem) or read(path))
    one = Profiles()["workstation"]
    assert {"workstation", *one.extends} <= set(asked)
    assert len(asked) == len(set(asked)) < 20
    every = Profiles.load()["workstation"]
    assert (one.tables, one.scalars, one.hourly, one.moving) == (every.tables, every.scalars, every.hourly, every.moving)


def test_choosing_reads_what_is_chosen() -> None:
    """What a device's profile is does not depend on whether all were read before, also where its objects begin elsewhere."""
    some, every = Profiles(), Profiles.load()
    for name in every:
        for match in every.head(name).matches:
            chosen = every.choose(match.object_id, "", every.asks(match.object_id, ""))
            assert some.choose(match.object_id, "", some.asks(match.object_id, "")).name == chosen.name


def test_bundled_without_libyaml() -> None:
    """PyYAML's own parser, which reads them where libyaml is missing, takes the bundled profiles, too."""
    for path in BUNDLED.glob("*.yaml"):
        yaml.load(path.read_bytes(), yaml.SafeLoader)


def test_measured_values_are_only_measured() -> None:
    """No bundled profile tests or shows a cell that it measures: that would translate the device anew at every poll."""
    profiles = Profiles.load()
    for profile in map(profiles.__getitem__, profiles):
        texts = (*profile.facts.values(), *profile.guesses.values())
        use = used([rule for rules in profile.rules.values() for rule in rules], texts, profile.uptime)
        steady = {o.oid: o.name for o in use.states | use.seldom}
        assert not [steady[o.oid] for o in use.moving if o.oid in steady and o.hourly is not True], profile.name


def test_being_there_is_no_reading(tmp_path: Path) -> None:
    """A condition that asks only whether a measurement exists leaves it measured: its value does not matter."""
    text = """
objects: {level: 1.3.6.1.4.1.32473.7.1, other: 1.3.6.1.4.1.32473.7.2}
facts: {kind: {from: sensor, %s}}
sensors: [{class: charge, value: level}, {class: charge, value: other, unless: {level: any}}]
"""
    profiles = load(tmp_path, asked=text % 'where: {"level[1]": any}', tested=text % 'where: {"level[1]": "> 5"}')
    level = OID.parse("1.3.6.1.4.1.32473.7.1")
    assert level in profiles["asked"].moving
    assert level not in profiles["tested"].moving


def test_documented_example(tmp_path: Path) -> None:
    """The example in the documentation is a profile that works."""
    text = (Path(__file__).parents[2] / "docs" / "profiles.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    profiles = load(tmp_path, lake=example)
    assert profiles.choose(LAKE, "LakeCard 3, firmware 1.2 build 77").name == "lake"
    assert profiles.choose(LAKE, "Another").name == "generic"


def test_most_specific_wins(tmp_path: Path) -> None:
    """The longest sysObjectID prefix wins, then what must exist, then a description, then the plain match."""
    profiles = load(
        tmp_path,
        maker="match: [{object_id: 1.3.6.1.4.1.32473}]",
        family="match: [{object_id: 1.3.6.1.4.1.32473.7}]",
        described="match: [{object_id: 1.3.6.1.4.1.32473.7, description: Lake}]",
        existing="match: [{object_id: 1.3.6.1.4.1.32473.7, has: 1.3.6.1.4.1.32473.5.1.0}]",
        anyone="match: [{description: ^Strange}]",
    )
    probe = OID.parse("1.3.6.1.4.1.32473.5.1.0")
    assert profiles.choose(OID.parse("1.3.6.1.4.1.32473.8"), "Lake").name == "maker"
    assert profiles.choose(LAKE, "").name == "family"
    assert profiles.choose(LAKE, "a Lake 7").name == "described"
    assert profiles.asks(LAKE, "a Lake 7") == (probe,)
    assert profiles.choose(LAKE, "a Lake 7", {probe}).name == "existing"
    assert profiles.choose(OID(), "Strange box").name == "anyone"
    assert profiles.asks(OID.parse("1.3.6.1.4.1.32473.8"), "") == ()


def test_root(tmp_path: Path) -> None:
    """A family whose products each have a subtree is read under the root that follows from sysObjectID, also by name."""
    profiles = load(
        tmp_path,
        rooted="""
match: [{object_id: 1.3.6.1.4.1.32473.10, root: 1.3.6.1.4.1.32473.11.*.1000}]
objects: {load: root.5.1.0}
processors: [{load: load}]
""",
    )
    found = profiles.choose(OID.parse("1.3.6.1.4.1.32473.10.165.1.1"), "")
    assert found.name == "rooted@1.3.6.1.4.1.32473.11.165.1000"
    assert found.scalars == (OID.parse("1.3.6.1.4.1.32473.11.165.1000.5.1"),)
    assert profiles[found.name] is found
    assert found.name in profiles and "rooted" in list(profiles) and found.name not in list(profiles)


def test_root_missing(tmp_path: Path) -> None:
    """An object under a root needs a match that says where it is; a root is an OID with arcs left open."""
    assert "'root.5' needs a root" in refused(tmp_path, "objects: {load: root.5}")
    assert "expected an OID, with *" in refused(tmp_path, "match: [{object_id: 1.3.6.1.4.1.32473.10, root: there}]")


def test_tie(tmp_path: Path) -> None:
    """Two profiles with the same match are refused, naming both places."""
    with pytest.raises(ConfigError, match=r"two\.yaml: match\[0\]: the same match stands in .*one\.yaml: match\[0\]"):
        load(
            tmp_path,
            one="match: [{object_id: 1.3.6.1.4.1.32473.7}]",
            two="match: [{object_id: [1.3.6.1.4.1.32473.8, 1.3.6.1.4.1.32473.7]}]",
        )


def test_inheritance(tmp_path: Path) -> None:
    """A child's facts, guesses and rules come before its parents'; `instead` leaves the parents' rules of a section out."""
    profiles = load(
        tmp_path,
        parent="""
objects: {a: 1.3.6.1.4.1.32473.1.0, b: 1.3.6.1.4.1.32473.2.1}
facts: {model: "{a}"}
guesses: {model: Something}
sensors: [{class: power, value: a}]
processors: [{load: b}]
""",
        child="""
extends: [parent, system]
instead: [processors]
facts: {model: Child}
guesses: {model: Anything}
sensors: [{class: voltage, value: b}]
processors: [{load: a}]
""",
    )
    child, parent = profiles["child"], profiles["parent"]
    assert len(child.facts["model"]) == len(child.guesses["model"]) == 2
    assert child.guesses["model"][1] is parent.guesses["model"][0]
    assert child.rules["sensors"][1] is parent.rules["sensors"][0]
    assert len(child.rules["processors"]) == 1
    assert child.extends == ("parent", "system")


def test_questions(tmp_path: Path) -> None:
    """Measured values are asked at every poll and the rest hourly; columns of one table stand together."""
    profile = load(
        tmp_path,
        asked="""
objects:
  value: 1.3.6.1.4.1.32473.1.1.2
  name: 1.3.6.1.4.1.32473.1.1.1
  state: 1.3.6.1.4.1.32473.1.1.3
  factor: {oid: 1.3.6.1.4.1.32473.1.1.4, hourly: true}
  other: 1.3.6.1.4.1.32473.1.1.5
  serial: 1.3.6.1.4.1.32473.2.0
  load: 1.3.6.1.4.1.32473.3.0
  unused: 1.3.6.1.4.1.32473.4.0
facts: {serial: "{serial}"}
sensors: [{class: power, name: "{name}", value: value * factor + other, unless: {state: 2}}]
processors: [{load: load}]
""",
    )["asked"]

    def column(arc: int) -> OID:
        return OID.parse(f"1.3.6.1.4.1.32473.1.1.{arc}")

    assert [(t.columns, t.cadence) for t in profile.tables] == [
        ((column(1), column(3), column(4)), Cadence.INVENTORY),
        ((column(2), column(5)), Cadence.POLL),
    ]
    assert profile.scalars == (OID.parse("1.3.6.1.4.1.32473.2"), OID.parse("1.3.6.1.4.1.32473.3"))
    assert profile.hourly == {OID.parse("1.3.6.1.4.1.32473.2")}
    assert profile.moving == {column(2), column(5), OID.parse("1.3.6.1.4.1.32473.3")}


OBJECTS = "objects: {a: 1.3.6.1.4.1.32473.1.0, e: {oid: 1.3.6.1.4.1.32473.2, values: {up: 1, down: 2}}}\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("sensor: []", 'sensor: unknown key .allowed: description, extends, .*; did you mean "sensors"'),
        ("facts: {kindd: x}", 'facts.kindd: unknown key .*; did you mean "kind"'),
        ("facts: {kind: toaster}", "facts.kind: found 'toaster', expected one of switch, router"),
        ("facts: {model: '{x}'}", "facts.model: unknown object 'x' in 'x' .expected one under objects"),
        ("facts: {model: '{x'}", "facts.model: a brace without its partner"),
        ("facts: {model: {from: '{a}', regex: '('}}", "facts.model.regex: found '.', expected a regular expression"),
        ("facts: {model: {from: '{a}', regex: 'x', as: '{1}'}}", "facts.model.as: .1. names no group of the regex .known: 0"),
        ("facts: {model: {from: '{e}', map: {left: x}}}", "facts.model.map.left: 'left' is no value of it .allowed: up, down"),
        ("objects: {b: 1.3.x}", "objects.b: not an object identifier: '1.3.x'"),
        ("objects: {b: {oid: 1.3.6, as: xml}}", "objects.b.as: found 'xml', expected one of text, mac"),
        ("objects: {index: 1.3.6}", "objects.index: 'index' is no object name"),
        ("extends: nobody", "extends: found 'nobody', expected the name of a profile; known: "),
        ("extends: wrong", "extends: 'wrong' cannot be extended"),
        ("extends: system\nobjects: {sysDescr: 1.3.6.0}", "objects.sysDescr: sysDescr is 1.3.6.1.2.1.1.1 in what is extended"),
        ("instead: [fans]", r"instead\[0\]: found 'fans', expected one of interfaces"),
        ("match: [{}]", r"match\[0\]: found {}, expected object_id, description or has"),
        ("sensors: [{class: heat, value: a}]", r"sensors\[0\].class: found 'heat', expected one of temperature"),
        ("sensors: [{class: power}]", r"sensors\[0\]: value is missing"),
        ("sensors: [{class: power, value: a, unit: 0.1 V}]", r"sensors\[0\].unit: not a unit for W: '0.1 V'"),
        ("sensors: [{class: power, value: a +}]", r"sensors\[0\].value: not an expression: 'a \+'"),
        ("sensors: [{class: power, value: 'f(a)'}]", r"sensors\[0\].value: 'f\(a\)' in 'f\(a\)': expected object names"),
        ("sensors: [{class: power, value: 'a[1]'}]", r"sensors\[0\].value: a in 'a\[1\]' is a scalar"),
        (
            "sensors: [{class: power, value: 'e[index[x]]'}]",
            r"sensors\[0\].value: index in 'e\[index\[x\]\]' takes whole numbers",
        ),
        (
            "sensors: [{class: power, value: a, range: [5, 1]}]",
            r"sensors\[0\].range: found \[5, 1\], expected \[lowest, highest\]",
        ),
        (
            "sensors: [{class: power, value: a, where: {e: left}}]",
            r"sensors\[0\].where.e: found 'left', expected a number or one",
        ),
        ("sensors: [{class: power, value: a, name: 'x {index}'}]", r"sensors\[0\]: the sensors rule uses index"),
        (
            "metrics: [{metric: haidang_x, value: a}]",
            r"metrics\[0\].metric: found 'haidang_x', expected the name of a polled metric",
        ),
        (
            "metrics: [{metric: haidang_sensor_volts, value: a}]",
            r"metrics\[0\]: haidang_sensor_volts has the labels sensor, found none",
        ),
        ("description: a\ndescription: b", "not YAML: the key 'description' "),
        ("facts: [", "not YAML: "),
    ],
)
def test_refused(tmp_path: Path, content: str, message: str) -> None:
    """What is wrong is refused with file, path of the key, what was found and what is allowed."""
    extra = OBJECTS if "objects:" not in content and "facts: [" not in content else ""
    assert re.match(message, refused(tmp_path, extra + content))


def test_all_problems_at_once(tmp_path: Path) -> None:
    """Every wrong rule and file is told, not only the first."""
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, a=OBJECTS + "sensors: [{class: heat, value: a}, {class: power}]", b="nothing: 1")
    assert len(caught.value.problems) == 3


def test_circle(tmp_path: Path) -> None:
    """Profiles that extend each other are refused."""
    with pytest.raises(ConfigError, match="cannot be extended"):
        load(tmp_path, a="extends: b", b="extends: a")


def test_yaml_types(tmp_path: Path) -> None:
    """on, off and numbers with colons stay texts, as YAML 1.2 has it."""
    profile = load(tmp_path, a='objects: {a: {oid: 1.3.6.1.4.1.32473.1.0, values: {on: 1, off: 2}}}\nfacts: {model: "{a}"}')["a"]
    assert profile.objects["a"].labels == {1: "on", 2: "off"}


def test_units() -> None:
    """A device's unit becomes scale and offset to the base unit; what is none says which are."""
    assert conversion("0.1 C", "C") == (0.1, 0)
    assert conversion("mV", "V") == (0.001, 0)
    assert conversion("min", "s") == (60, 0)
    scale, offset = conversion("0.1 F", "C")
    assert 770 * scale + offset == pytest.approx(25)
    with pytest.raises(ValueError, match=r"not a unit for A: '5 V' \(expected A, mA, uA"):
        conversion("5 V", "A")


def test_sensor_metrics() -> None:
    """Each sensor class has a metric of the catalogue, in its base unit."""
    for quantity in SENSOR_CLASSES.values():
        assert CATALOGUE[quantity.metric].series_labels == ("sensor",)


def test_vendor() -> None:
    """The enterprise number names the vendor and what it mostly makes; net-snmp's names nobody."""
    assert vendor("1.3.6.1.4.1.9.1.516") == ("Cisco", "switch")
    assert vendor("1.3.6.1.4.1.8072.3.2.10") == ("", "server")
    assert vendor("") == vendor("0.0") == ("", "")
    assert {maker.kind for maker in VENDORS.values()} <= {"", *KINDS}
