"""Cells become facts and samples by profile, and device data never raises."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.model import Interface, Storage
from collector.polling.cells import Cells, decode, number, text
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


def test_decode() -> None:
    """Text is UTF-8, else the western code page; padding and control characters go."""
    assert decode("Hải Đăng".encode()) == "Hải Đăng"
    assert decode(b"caf\xe9 \x96\0\0") == "café –"
    assert decode(b" a\r\nb\x07 ") == "a b"
    assert decode(b"\x81\xff") == "ÿ"


def test_forms() -> None:
    """MAC addresses, dates and addresses are shown as people write them; what is none of them stays out."""

    def octets(value: bytes, form: str) -> str:
        return text(VarBind(OID((1, 3)), ber.OCTET_STRING, value), form)

    assert octets(bytes.fromhex("0011aabbccdd"), "mac") == "00:11:aa:bb:cc:dd"
    assert octets(bytes(6), "mac") == ""
    assert octets(b"\x07\xe9\x07\x01\x08\x1e\x00\x00+\x07\x00", "date") == "2025-07-01T08:30:00+07:00"
    assert octets(b"\x07\xe9\xff\x01\x08\x1e\x00\x00", "date") == ""
    assert octets(bytes((10, 0, 0, 1)), "ip") == "10.0.0.1"


def test_numbers() -> None:
    """Numbers come from integers, texts and net-snmp's Opaque floats; anything else is no number."""

    def value(tag: int, content: ber.Value) -> int | float | None:
        return number(VarBind(OID((1, 3)), tag, content))

    assert value(ber.OCTET_STRING, b"23.5 C") == 23.5
    assert value(ber.OCTET_STRING, b"-7,5") == -7.5
    assert value(ber.OPAQUE, bytes.fromhex("9f78043f800000")) == 1.0
    assert value(ber.OPAQUE, bytes.fromhex("9f78047fc00000")) is None
    assert value(ber.OCTET_STRING, b"N/A") is None
    assert value(ber.NULL, None) is None


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
