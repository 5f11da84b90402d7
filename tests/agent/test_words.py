from __future__ import annotations

import pytest

from agent.inventory import words


@pytest.mark.parametrize(
    "filler",
    ["To be filled by O.E.M.", "To Be Filled By O.E.M.", "Default string", "Not Specified", "N/A", "None", "00000000", "0x0000",
     "FFFFFFFF", "........", "System Serial Number", "SerNum0", "PartNum01", "Manufacturer00", "xxxxxxx", "  ", "\x00\x01",
     "0123456789", "Chassis Serial Number", "AssetTagNum0", "<BAD INDEX>", "Not Applicable", "[Empty]", "BSN12345678901234567",
     "To be filled by O.E.M. 2", "SKU=NotProvided;ModelName=Office", "OEM Define 3"],
)  # fmt: skip
def test_filler_says_nothing(filler: str) -> None:
    """What makers write into fields they leave empty counts as absent."""
    assert words.clean(filler) == ""


@pytest.mark.parametrize(
    ("text", "clean"),
    [("  Office  300 ", "Office 300"), ("-[8480]-", "8480"), ("F.1C", "F.1C"), ("X5-2", "X5-2"), ("A\x00B", "A B")],
)
def test_words_stay(text: str, clean: str) -> None:
    """Real names survive, without blanks and control characters."""
    assert words.clean(text) == clean


def test_serials_that_two_share_tell_nothing() -> None:
    """A serial number that repeats within a kind of parts is none."""
    assert words.told_apart(["A1", "B2", "A1", ""]) == ["", "B2", "", ""]


@pytest.mark.parametrize(
    ("text", "uuid"),
    [("33221100-5544-7766-8899-AABBCCDDEEFF", "33221100-5544-7766-8899-aabbccddeeff"),
     ("33221100554477668899AABBCCDDEEFF", "33221100-5544-7766-8899-aabbccddeeff"),
     ("00000000-0000-0000-0000-ac1f6b7a1c02", "00000000-0000-0000-0000-ac1f6b7a1c02"),
     ("03000200-0400-0500-0006-000700080009", ""), ("FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF", ""),
     ("Not Settable", ""), (None, "")],
)  # fmt: skip
def test_a_uuid_that_boards_share_is_none(text: str | None, uuid: str) -> None:
    """Zeros, ones and the numbers of boards whose maker never set one identify nothing."""
    assert words.uuid(text) == uuid
