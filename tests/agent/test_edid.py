from __future__ import annotations

import pytest
from hardware import block
from hypothesis import given
from hypothesis import strategies as st

from agent.inventory import edid
from agent.inventory.words import clean


def test_a_monitor_is_known_by_maker_model_serial_and_year() -> None:
    """The base block tells what stands on the label, and the size of picture and screen."""
    assert edid.monitor(block(), "HDMI-A-1") == ("HDMI-A-1", "Dell", "LAKE 24", "CN0X1", 2018, 1920, 1080, 527, 296)


def test_an_unknown_maker_keeps_its_letters() -> None:
    """A PNP identifier that is not in the table stands as it is."""
    found = edid.monitor(block(maker="QQQ"))
    assert found is not None and found.maker == "QQQ"


@pytest.mark.parametrize(("serial", "number", "expected"), [("", 4711, "4711"), ("0000000000000", 0, ""), ("", 0x01010101, "")])
def test_the_number_stands_in_where_there_is_no_printed_serial(serial: str, number: int, expected: str) -> None:
    """Without a text the number is the serial, unless it is one every monitor has."""
    found = edid.monitor(block(serial=serial, number=number))
    assert found is not None and found.serial == expected


def test_acers_label_is_put_together() -> None:
    """Acer prints text, number in hexadecimal, text; the EDID holds the two apart."""
    found = edid.monitor(block(maker="ACR", serial="LAKE12344321", number=0xAB12))
    assert found is not None and found.serial == "LAKE12340000AB124321"


def test_a_size_that_contradicts_the_centimetres_is_not_believed() -> None:
    """Some panels cut the upper bits of their size in millimetres."""
    data = bytearray(block())
    data[68] &= 0x0F
    found = edid.monitor(bytes(data))
    assert found is not None and found.width_mm == 530


letters = st.text(st.characters(min_codepoint=0x41, max_codepoint=0x5A), min_size=3, max_size=3)
printed = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=4, max_size=12).filter(
    lambda text: clean(text) == text
)


@given(letters, printed, printed, st.integers(1991, 2245), st.integers(320, 4095), st.integers(200, 4095), st.integers(100, 2540))
def test_what_is_built_is_read_back(
    maker: str, name: str, serial: str, year: int, width: int, height: int, size: int
) -> None:  # fmt: skip
    """Whatever a monitor writes into its EDID comes out as it went in."""
    found = edid.monitor(block(maker, 1, 0, year, name, serial, width, height, size, size), "DP-1")
    assert found == ("DP-1", edid.MAKERS.get(maker, maker), name, serial, year, width, height, size, size)


def test_what_is_no_edid_is_no_monitor() -> None:
    """Empty, short and foreign data give nothing."""
    assert edid.monitor(b"") is None
    assert edid.monitor(block()[:127]) is None
    assert edid.monitor(bytes(128)) is None


@given(st.binary(min_size=120, max_size=120))
def test_whatever_the_octets_reading_ends_well(body: bytes) -> None:
    """Any block behind a right header is read without an error."""
    assert edid.monitor(block()[:8] + body) is not None
