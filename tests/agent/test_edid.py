from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.inventory import edid


def block(
    maker: str = "DEL", product: int = 0x4066, number: int = 0, year: int = 2018, name: str = "LAKE 24", serial: str = "CN0X1",
    width: int = 1920, height: int = 1080, width_mm: int = 527, height_mm: int = 296,
) -> bytes:  # fmt: skip
    """An EDID as a monitor of our own making would send it."""
    data = bytearray(128)
    data[:8] = b"\x00\xff\xff\xff\xff\xff\xff\x00"
    word = sum((ord(letter) - 64) << shift for letter, shift in zip(maker, (10, 5, 0), strict=True))
    data[8:10] = word.to_bytes(2, "big")
    data[10:12] = product.to_bytes(2, "little")
    data[12:16] = number.to_bytes(4, "little")
    data[16], data[17] = 12, year - 1990
    data[21], data[22] = round(width_mm / 10), round(height_mm / 10)
    data[54:56] = b"\x02\x3a"
    data[56], data[58] = width & 0xFF, width >> 4 & 0xF0
    data[59], data[61] = height & 0xFF, height >> 4 & 0xF0
    data[66], data[67], data[68] = width_mm & 0xFF, height_mm & 0xFF, width_mm >> 4 & 0xF0 | height_mm >> 8
    data[72:90] = b"\0\0\0\xfc\0" + (name + "\n").encode().ljust(13)
    data[90:108] = b"\0\0\0\xff\0" + (serial + "\n").encode().ljust(13)[:13]
    return bytes(data)


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


def test_what_is_no_edid_is_no_monitor() -> None:
    """Empty, short and foreign data give nothing."""
    assert edid.monitor(b"") is None
    assert edid.monitor(block()[:127]) is None
    assert edid.monitor(bytes(128)) is None


@given(st.binary(min_size=120, max_size=120))
def test_whatever_the_octets_reading_ends_well(body: bytes) -> None:
    """Any block behind a right header is read without an error."""
    assert edid.monitor(block()[:8] + body) is not None
