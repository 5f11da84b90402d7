"""Cells become facts and samples by profile, and device data never raises."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.model import Interface, Neighbour, Sensor, Storage, Supply
from collector.polling.cells import Cells
from collector.polling.translate import Sample, Translation, translate
from config.profiles import Profile, Profiles
from snmp import ber
from snmp.message import VarBind
from snmp.oid import OID

PROFILES = Profiles.load()
GENERIC = PROFILES["generic"]


def cells(*rows: tuple[str, int, ber.Value], profile: Profile = GENERIC) -> Cells:
    """Cells from (instance, tag, value), sorted under the columns that the profile asks."""
    found: dict[OID, dict[tuple[int, ...], VarBind]] = {}
    asked = [*profile.scalars, *(column for table in profile.tables for column in table.columns)]
    for instance, tag, value in rows:
        oid = OID.parse(instance)
        column = next(c for c in asked if c.covers(oid))
        found.setdefault(column, {})[tuple(oid[len(column) :])] = VarBind(oid, tag, value)
    return found


def sample(translation: Translation, metric: str, **labels: str) -> Sample:
    """The one sample of a metric with these labels."""
    (found,) = (s for s in translation.samples if s.metric == metric and labels.items() <= dict(s.labels).items())
    return found


IF = "1.3.6.1.2.1.2.2.1"
IFX = "1.3.6.1.2.1.31.1.1.1"


def port(index: int, *more: tuple[str, int, ber.Value], name: bytes = b"eth0") -> list[tuple[str, int, ber.Value]]:
    """The rows every port has."""
    return [
        (f"{IF}.2.{index}", ber.OCTET_STRING, name),
        (f"{IF}.7.{index}", ber.INTEGER, 1),
        (f"{IF}.8.{index}", ber.INTEGER, 1),
        *more,
    ]


@pytest.mark.parametrize(
    ("rows", "kind", "vendor", "model"),
    [
        ([("1.3.6.1.2.1.1.2.0", ber.OBJECT_IDENTIFIER, "1.3.6.1.4.1.65999.1")], "other", "", "GX-40"),
        ([("1.3.6.1.2.1.4.1.0", ber.INTEGER, 1)], "router", "", "GX-40"),
        (
            [("1.0.8802.1.1.2.1.3.6.0", ber.OCTET_STRING, b"\x28\x00"), ("1.3.6.1.2.1.4.1.0", ber.INTEGER, 1)],
            "switch",
            "",
            "GX-40",
        ),
        (
            [("1.3.6.1.2.1.1.2.0", ber.OBJECT_IDENTIFIER, "1.3.6.1.4.1.318.9"), ("1.3.6.1.2.1.4.1.0", ber.INTEGER, 1)],
            "ups",
            "APC",
            "GX-40",
        ),
        ([("1.3.6.1.2.1.33.1.1.2.0", ber.OCTET_STRING, b"Tower 3000")], "ups", "", "Tower 3000"),
    ],
)
def test_guesses(rows: list[tuple[str, int, ber.Value]], kind: str, vendor: str, model: str) -> None:
    """What a standard MIB says of the device comes first, then its enterprise number, and only then what sysDescr looks like."""
    whole = [(oid, tag, OID.parse(value) if isinstance(value, str) else value) for oid, tag, value in rows]
    facts = translate(GENERIC, cells(("1.3.6.1.2.1.1.1.0", ber.OCTET_STRING, b"Gateway GX-40"), *whole)).facts
    assert (facts.kind, facts.vendor, facts.model) == (kind, vendor, model)


@pytest.mark.parametrize(
    ("speed", "high", "expected"),
    [
        (1_000_000_000, 1000, 1_000_000_000),
        (4294967295, 10000, 10_000_000_000),
        (4294967294, 40000, 40_000_000_000),
        (4294967295, None, None),
        (100_000_000, None, 100_000_000),
        (100_000_000, 0, 100_000_000),
        (1_544_000, 2, 1_544_000),
        (1_410_065_408, 10000, 10_000_000_000),
        (None, 2500, 2_500_000_000),
        (0, 0, 0),
        (None, None, None),
    ],
)
def test_speed(speed: int | None, high: int | None, expected: int | None) -> None:
    """A port's speed is ifHighSpeed's where ifSpeed is saturated, wrapped or missing, and ifSpeed's where it is exact."""
    rows = port(3)
    if speed is not None:
        rows.append((f"{IF}.5.3", ber.GAUGE32, speed))
    if high is not None:
        rows.append((f"{IFX}.15.3", ber.GAUGE32, high))
    (interface,) = translate(GENERIC, cells(*rows)).facts.interfaces
    assert interface.speed_bps == expected


def test_port() -> None:
    """A port has name, alias, MAC, type, states and duplex, and state samples that no single cell gives."""
    found = translate(
        GENERIC,
        cells(
            *port(7, name=b"GigabitEthernet0/7"),
            (f"{IF}.3.7", ber.INTEGER, 6),
            (f"{IF}.6.7", ber.OCTET_STRING, bytes.fromhex("0011aabbccdd")),
            (f"{IFX}.1.7", ber.OCTET_STRING, b"Gi0/7"),
            (f"{IFX}.18.7", ber.OCTET_STRING, "Phòng Nội vụ".encode()),
            ("1.3.6.1.2.1.10.7.2.1.19.7", ber.INTEGER, 2),
        ),
    )
    assert found.facts.interfaces == (
        Interface(7, "Gi0/7", "Phòng Nội vụ", "GigabitEthernet0/7", 6, "00:11:aa:bb:cc:dd", None, "half", "up", "up"),
    )
    assert sample(found, "haidang_interface_up", interface="Gi0/7") == Sample(
        "haidang_interface_up", (("interface", "Gi0/7"),), 1
    )
    assert sample(found, "haidang_interface_full_duplex", interface="Gi0/7").value == 0


def test_counters() -> None:
    """64-bit counters are taken raw where a device has them, and the 32-bit cells beside them do not matter."""
    rows = [
        *port(1, name=b"a"),
        *port(2, name=b"b"),
        (f"{IF}.10.1", ber.COUNTER32, 1),
        (f"{IF}.10.2", ber.COUNTER32, 2),
        (f"{IFX}.6.1", ber.COUNTER64, 2**63 + 1),
    ]
    found = translate(GENERIC, cells(*rows))
    first = sample(found, "haidang_interface_receive_bytes_total", interface="a")
    second = sample(found, "haidang_interface_receive_bytes_total", interface="b")
    assert first == (
        "haidang_interface_receive_bytes_total",
        (("interface", "a"),),
        2**63 + 1,
        OID.parse(f"{IFX}.6.1"),
        1,
        0,
        None,
        None,
    )
    assert (second.value, second.cell) == (2, OID.parse(f"{IF}.10.2"))
    assert found.ignored == {OID.parse(f"{IF}.10.1")}


def test_equal_names() -> None:
    """Ports of one name are told apart by their index, each of them, so that a label stays with its port."""
    found = translate(GENERIC, cells(*port(1, name=b"Port"), *port(2, name=b"Port"), *port(3, name=b"Uplink")))
    assert [i.name for i in found.facts.interfaces] == ["Port 1", "Port 2", "Uplink"]


def test_uptime_and_storage_are_linear() -> None:
    """Uptime and used storage follow from one cell; sizes and units are pinned."""
    hr = "1.3.6.1.2.1.25.2.3.1"
    found = translate(
        GENERIC,
        cells(
            ("1.3.6.1.2.1.1.3.0", ber.TIME_TICKS, 12345),
            (f"{hr}.2.1", ber.OBJECT_IDENTIFIER, OID.parse("1.3.6.1.2.1.25.2.1.4")),
            (f"{hr}.3.1", ber.OCTET_STRING, b"/"),
            (f"{hr}.4.1", ber.INTEGER, 4096),
            (f"{hr}.5.1", ber.INTEGER, 1000),
            (f"{hr}.6.1", ber.INTEGER, 600),
        ),
    )
    uptime = sample(found, "haidang_device_uptime_seconds")
    assert (uptime.value, uptime.cell, uptime.scale) == (123.45, OID.parse("1.3.6.1.2.1.1.3.0"), 0.01)
    assert found.facts.storage == (Storage("/", 4096000, 2457600, "fixedDisk"),)
    used = sample(found, "haidang_storage_used_bytes", storage="/")
    assert (used.value, used.cell, used.scale, used.low) == (2457600, OID.parse(f"{hr}.6.1"), 4096, 0)
    assert sample(found, "haidang_storage_size_bytes").cell is None


VALUES = st.one_of(
    st.tuples(st.just(ber.INTEGER), st.integers(-(2**31), 2**31 - 1)),
    st.tuples(st.just(ber.COUNTER64), st.integers(0, 2**64 - 1)),
    st.tuples(st.sampled_from((ber.OCTET_STRING, ber.OPAQUE)), st.binary(max_size=16)),
    st.tuples(st.just(ber.OBJECT_IDENTIFIER), st.lists(st.integers(0, 99), max_size=5).map(OID)),
    st.tuples(st.just(ber.NULL), st.none()),
)
COLUMNS = [column for table in GENERIC.tables for column in table.columns]


@given(
    st.dictionaries(
        st.sampled_from(COLUMNS),
        st.dictionaries(st.lists(st.integers(0, 3), max_size=4).map(tuple), VALUES, max_size=4),
        max_size=len(COLUMNS),
    )
)
def test_never_raises(table: dict[OID, dict[tuple[int, ...], tuple[int, ber.Value]]]) -> None:
    """Whatever types and rows a device answers with, translation ends, and each series stands once."""
    given_cells = {
        column: {index: VarBind(column + index, *value) for index, value in rows.items()} for column, rows in table.items()
    }
    found = translate(GENERIC, given_cells)
    series = [(s.metric, s.labels) for s in found.samples]
    assert len(series) == len(set(series))
    for s in found.samples:
        if s.cell is not None:
            raw = next(v.value for rows in given_cells.values() for v in rows.values() if v.oid == s.cell)
            assert isinstance(raw, int)
            assert s.value == pytest.approx(raw * s.scale + s.offset, rel=1e-9, abs=1e-9)
            assert (s.low is None or s.low <= raw) and (s.high is None or raw <= s.high)


LAKE = """
description: test
extends: [system, entity]
objects:
  name: 1.3.6.1.4.1.32473.1.1.1
  tenths: 1.3.6.1.4.1.32473.1.1.2
  state: {oid: 1.3.6.1.4.1.32473.1.1.3, values: {ok: 1, missing: 2}}
  kind: {oid: 1.3.6.1.4.1.32473.1.1.4, values: {heat: 1, volts: 2, other: 3}}
  entity: 1.3.6.1.4.1.32473.1.1.5
  pointer: 1.3.6.1.4.1.32473.1.1.6
  total: {oid: 1.3.6.1.4.1.32473.2.1.0, hourly: true}
  free: 1.3.6.1.4.1.32473.2.2.0
  share: 1.3.6.1.4.1.32473.2.3.0
  fahrenheit: 1.3.6.1.4.1.32473.2.4.0
  said: 1.3.6.1.4.1.32473.2.5.0
  one: 1.3.6.1.4.1.32473.2.6.0
  two: 1.3.6.1.4.1.32473.2.7.0
"""


def made(directory: Path, rules: str) -> Profile:
    """A profile with these rules on Lake's objects."""
    (directory / "lake.yaml").write_text(LAKE + rules, encoding="utf-8")
    return Profiles.load([directory])["lake"]


LAKE_ROW = "1.3.6.1.4.1.32473.1.1"
LAKE_SCALAR = "1.3.6.1.4.1.32473.2"


def test_absent_values_bound_the_sample(tmp_path: Path) -> None:
    """Raw numbers that mean "no reading" give no sensor, and close the range in which a sample may follow its cell."""
    profile = made(
        tmp_path, "sensors: [{class: temperature, name: '{name}', value: tenths, unit: 0.1 C, absent: [-999, 0, 9999]}]"
    )
    found = translate(
        profile,
        cells(
            (f"{LAKE_ROW}.1.1", ber.OCTET_STRING, b"In"),
            (f"{LAKE_ROW}.2.1", ber.INTEGER, 235),
            (f"{LAKE_ROW}.2.2", ber.INTEGER, -999),
            (f"{LAKE_ROW}.2.3", ber.INTEGER, 2147483647),
            (f"{LAKE_ROW}.2.4", ber.INTEGER, -50),
            profile=profile,
        ),
    )
    assert found.facts.sensors == (Sensor("temperature", "In", 23.5), Sensor("temperature", "temperature", -5.0))
    assert sample(found, "haidang_sensor_celsius", sensor="In")[3:] == (OID.parse(f"{LAKE_ROW}.2.1"), 0.1, 0, 1, 9998)
    assert sample(found, "haidang_sensor_celsius", sensor="temperature")[6:] == (-998, -1)
    assert not found.ignored  # the cells without a reading are pinned: a reading may come back


def test_otherwise(tmp_path: Path) -> None:
    """A rule that stands in for others gives only what they did not; its cells do not matter then."""
    profile = made(
        tmp_path,
        """
sensors:
  - {class: {from: "{kind}", map: {heat: temperature, volts: voltage}}, value: tenths}
  - {class: temperature, name: spare, value: one, otherwise: true}
  - {class: current, name: spare, value: two, otherwise: true}
""",
    )
    found = translate(
        profile,
        cells(
            (f"{LAKE_ROW}.2.1", ber.INTEGER, 20),
            (f"{LAKE_ROW}.2.2", ber.INTEGER, 5),
            (f"{LAKE_ROW}.4.1", ber.INTEGER, 1),
            (f"{LAKE_ROW}.4.2", ber.INTEGER, 3),
            (f"{LAKE_SCALAR}.6.0", ber.INTEGER, 21),
            (f"{LAKE_SCALAR}.7.0", ber.INTEGER, 3),
            profile=profile,
        ),
    )
    assert found.facts.sensors == (Sensor("temperature", "temperature", 20), Sensor("current", "spare", 3))
    assert found.ignored == {OID.parse(f"{LAKE_ROW}.2.2"), OID.parse(f"{LAKE_SCALAR}.6.0")}


def test_lookups(tmp_path: Path) -> None:
    """A name may come from another table: by a cell that holds its index, by part of the own index, by a row pointer."""
    profile = made(
        tmp_path,
        """
components:
  - rows: name
    name: "{entPhysicalName[entity]}"
    model: "{entPhysicalName[index[0]]}"
    serial: "{entPhysicalName[pointer]}"
    version: "{index[-1]}/{index}"
""",
    )
    entity = "1.3.6.1.2.1.47.1.1.1.1.7"
    found = translate(
        profile,
        cells(
            (f"{LAKE_ROW}.1.4.9", ber.OCTET_STRING, b"x"),
            (f"{LAKE_ROW}.5.4.9", ber.INTEGER, 3),
            (f"{LAKE_ROW}.6.4.9", ber.OBJECT_IDENTIFIER, OID.parse("1.3.6.1.2.1.47.1.1.1.1.2.5")),
            (f"{entity}.3", ber.OCTET_STRING, b"by cell"),
            (f"{entity}.4", ber.OCTET_STRING, b"by index"),
            (f"{entity}.5", ber.OCTET_STRING, b"by pointer"),
            profile=profile,
        ),
    )
    (part,) = found.facts.components
    assert (part.name, part.model, part.serial, part.version) == ("by cell", "by index", "by pointer", "9/4.9")


def test_memory(tmp_path: Path) -> None:
    """Used memory follows from the free one; a cell that another value rests on in another way moves no sample."""
    rules = "memory: [{name: RAM, size: total, free: free, unit: KiB}]"
    rows = ((f"{LAKE_SCALAR}.1.0", ber.INTEGER, 1000), (f"{LAKE_SCALAR}.2.0", ber.INTEGER, 300))
    profile = made(tmp_path, rules)
    found = translate(profile, cells(*rows, profile=profile))
    assert found.facts.memory == (Storage("RAM", 1024000, 716800),)
    assert sample(found, "haidang_memory_used_bytes")[2:6] == (716800, OID.parse(f"{LAKE_SCALAR}.2.0"), -1024, 1024000)
    profile = made(tmp_path, rules + "\nsensors: [{class: power, value: free + one}]")
    found = translate(profile, cells(*rows, (f"{LAKE_SCALAR}.6.0", ber.INTEGER, 4), profile=profile))
    assert sample(found, "haidang_sensor_watts").cell is None
    assert sample(found, "haidang_memory_used_bytes").cell is None
    assert not found.ignored


def test_memory_without_size(tmp_path: Path) -> None:
    """Where a device tells what is used and what is free, its size is the sum; the sample keeps following its cell."""
    profile = made(tmp_path, "memory: [{name: RAM, used: one, free: free, unit: KiB}]")
    rows = ((f"{LAKE_SCALAR}.6.0", ber.INTEGER, 700), (f"{LAKE_SCALAR}.2.0", ber.INTEGER, 300))
    found = translate(profile, cells(*rows, profile=profile))
    assert found.facts.memory == (Storage("RAM", 1024000, 716800),)
    assert sample(found, "haidang_memory_used_bytes").cell == OID.parse(f"{LAKE_SCALAR}.6.0")
    found = translate(profile, cells(rows[0], profile=profile))
    assert found.facts.memory == (Storage("RAM", None, 716800),)


def test_used_percent_and_units(tmp_path: Path) -> None:
    """A share of a size, degrees Fahrenheit and readings in texts become base units."""
    profile = made(
        tmp_path,
        """
storage: [{name: Flash, size: total, used_percent: share, unit: MB}]
sensors:
  - {class: temperature, name: F, value: fahrenheit, unit: F}
  - {class: voltage, name: said, value: {from: "{said}", regex: 'U=([\\d.]+)mV'}, unit: mV}
""",
    )
    found = translate(
        profile,
        cells(
            (f"{LAKE_SCALAR}.1.0", ber.INTEGER, 32),
            (f"{LAKE_SCALAR}.3.0", ber.GAUGE32, 25),
            (f"{LAKE_SCALAR}.4.0", ber.INTEGER, 77),
            (f"{LAKE_SCALAR}.5.0", ber.OCTET_STRING, b"U=3300mV"),
            profile=profile,
        ),
    )
    assert found.facts.storage == (Storage("Flash", 32_000_000, 8_000_000),)
    assert found.facts.sensors == (Sensor("temperature", "F", 25.0), Sensor("voltage", "said", 3.3))
    assert sample(found, "haidang_sensor_volts").cell is None


def test_entity_sensor() -> None:
    """ENTITY-SENSOR's scale and precision become base units; a sensor that is out of order is left out, its value ignored."""
    entity = "1.3.6.1.2.1.99.1.1.1"

    def row(index: int, *values: int) -> list[tuple[str, int, ber.Value]]:
        return [(f"{entity}.{column}.{index}", ber.INTEGER, value) for column, value in enumerate(values, 1)]

    found = translate(
        GENERIC, cells(*row(1, 8, 9, 1, 421, 1), *row(2, 4, 8, 0, 3300, 1), *row(3, 8, 9, 0, 5, 2), *row(4, 1, 9, 0, 5, 1))
    )
    assert found.facts.sensors == (Sensor("temperature", "temperature", 42.1), Sensor("voltage", "voltage", 3.3))
    assert sample(found, "haidang_sensor_volts").scale == pytest.approx(0.001)
    assert {str(oid) for oid in found.ignored} == {f"{entity}.4.3", f"{entity}.4.4"}


def test_supplies() -> None:
    """A printer's "some left", unknown, unlimited and measured levels are four things."""
    printer = "1.3.6.1.2.1.43.11.1.1"
    levels = (-3, -2, -1, 30, 80)
    rows: list[tuple[str, int, ber.Value]] = []
    for index, (level, capacity) in enumerate(zip(levels, (100, 100, -1, 120, -2), strict=True), 1):
        rows += [
            (f"{printer}.5.1.{index}", ber.INTEGER, 3),
            (f"{printer}.6.1.{index}", ber.OCTET_STRING, f"Toner {index}".encode()),
            (f"{printer}.8.1.{index}", ber.INTEGER, capacity),
            (f"{printer}.9.1.{index}", ber.INTEGER, level),
        ]
    found = translate(GENERIC, cells(*rows))
    assert found.facts.kind == "printer"
    assert found.facts.supplies == (
        Supply("toner", "Toner 1", None, "some"),
        Supply("toner", "Toner 2", None, "unknown"),
        Supply("toner", "Toner 3", None, "unlimited"),
        Supply("toner", "Toner 4", 25.0),
        Supply("toner", "Toner 5", 80.0),
    )
    measured = sample(found, "haidang_supply_level_ratio", supply="Toner 4")
    assert (measured.value, measured.cell, measured.low, measured.high) == (0.25, OID.parse(f"{printer}.9.1.4"), 0, 120)
    assert sample(found, "haidang_supply_state", supply="Toner 1", state="some").value == 1


def test_neighbours() -> None:
    """LLDP neighbours have the local port's name, and MAC addresses where the other side names itself by one."""
    remote = "1.0.8802.1.1.2.1.4.1.1"
    found = translate(
        GENERIC,
        cells(
            *port(12, name=b"ge12"),
            (f"{remote}.4.900.12.1", ber.INTEGER, 4),
            (f"{remote}.5.900.12.1", ber.OCTET_STRING, bytes.fromhex("0011aabbccdd")),
            (f"{remote}.6.900.12.1", ber.INTEGER, 3),
            (f"{remote}.7.900.12.1", ber.OCTET_STRING, bytes.fromhex("0011aabbccde")),
            (f"{remote}.9.900.12.1", ber.OCTET_STRING, b"sw-tang2"),
            (f"{IFX}.1.12", ber.OCTET_STRING, b"Gi12"),
        ),
    )
    (neighbour,) = found.facts.neighbours
    assert neighbour == Neighbour("Gi12", "sw-tang2", "00:11:aa:bb:cc:de", "00:11:aa:bb:cc:dd", "lldp")


def test_placeholders() -> None:
    """What makers write into empty fields is no serial number."""
    entity = "1.3.6.1.2.1.47.1.1.1.1"
    found = translate(
        GENERIC,
        cells(
            (f"{entity}.5.1", ber.INTEGER, 3),
            (f"{entity}.5.2", ber.INTEGER, 3),
            (f"{entity}.11.1", ber.OCTET_STRING, b"To be filled by O.E.M."),
            (f"{entity}.11.2", ber.OCTET_STRING, b"VN0123"),
        ),
    )
    assert found.facts.serial == "VN0123"


def test_fact_of_scalars_beside_a_table(tmp_path: Path) -> None:
    """A fact that names scalars and a column is told by the scalars where the table is empty."""
    (tmp_path / "mixed.yaml").write_text(
        "description: Mixed\nextends: system\nobjects:\n  one: 1.3.6.1.4.1.32473.7.1.0\n  many: 1.3.6.1.4.1.32473.7.2.1.1\n"
        'facts:\n  kind: {from: "{one}{many}", as: pdu}\n'
    )
    profile = Profiles.load([tmp_path])["mixed"]
    scalar, row = "1.3.6.1.4.1.32473.7.1.0", "1.3.6.1.4.1.32473.7.2.1.1.3"
    assert translate(profile, cells((scalar, ber.OCTET_STRING, b"A"), profile=profile)).facts.kind == "pdu"
    assert translate(profile, cells((row, ber.OCTET_STRING, b"B"), profile=profile)).facts.kind == "pdu"
    assert translate(profile, cells(profile=profile)).facts.kind != "pdu"


def test_memory_in_percent_alone(tmp_path: Path) -> None:
    """A rule that knows no size gives the used share and follows its cell; one whose size is missing gives nothing."""
    rows = ((f"{LAKE_SCALAR}.6.0", ber.INTEGER, 37),)
    profile = made(tmp_path, "memory: [{name: RAM, used_percent: one}]")
    found = translate(profile, cells(*rows, profile=profile))
    assert found.facts.memory == (Storage("RAM", None, None, "", 37),)
    ratio = sample(found, "haidang_memory_used_ratio")
    assert (ratio.value, ratio.cell, ratio.scale) == (0.37, OID.parse(f"{LAKE_SCALAR}.6.0"), 0.01)
    profile = made(tmp_path, "memory: [{name: RAM, size: total, used_percent: one}]")
    assert not translate(profile, cells(*rows, profile=profile)).facts.memory
