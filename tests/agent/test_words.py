from __future__ import annotations

import pytest

from agent.inventory import words


@pytest.mark.parametrize(
    "filler",
    ["To be filled by O.E.M.", "To Be Filled By O.E.M.", "Default string", "Not Specified", "N/A", "None", "00000000", "0x0000",
     "FFFFFFFF", "........", "System Serial Number", "SerNum0", "PartNum01", "Manufacturer00", "xxxxxxx", "  ", "\x00\x01",
     "0123456789", "Chassis Serial Number", "AssetTagNum0", "<BAD INDEX>", "Not Applicable", "[Empty]"],
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
