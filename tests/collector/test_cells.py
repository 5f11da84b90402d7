"""What one varbind says, as text or as a number."""

from __future__ import annotations

from collector.polling.cells import LONGEST, decode, number, text, told
from snmp import ber
from snmp.message import VarBind
from snmp.oid import OID


def test_decode() -> None:
    """Text is UTF-8, else the western code page; padding and control characters go."""
    assert decode("Hải Đăng".encode()) == "Hải Đăng"
    assert decode(b"caf\xe9 \x96\0\0") == "café –"
    assert decode(b" a\r\nb\x07 ") == "a b"
    assert decode(b"\x81\xff") == "ÿ"


def test_a_text_cannot_hide_anything() -> None:
    """Escape sequences, marks that turn the direction of writing, invisible letters and line ends become a blank; letters of all
    scripts stay; no text is longer than any terminal, page or label bears."""
    assert decode("pc\x1b]0;owned\x07\u202etxt.exe\u2066\u200b\u2028\ufeff1".encode()) == "pc ]0;owned txt.exe 1"
    assert decode("Trần Ωβ 漢字".encode()) == "Trần Ωβ 漢字"
    assert decode("ạ".encode() * 20_000) == "ạ" * LONGEST


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


def test_told() -> None:
    """What makers write into fields they leave empty tells nothing."""
    assert [told(one) for one in ("N/A", "(none)", "To be filled by O.E.M.", "0000-00", " ", "Unknown")] == [""] * 6
    assert told("VN-0") == "VN-0"
