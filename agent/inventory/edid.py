"""Monitors from their EDID (VESA E-EDID 1.4): maker, model, serial, year, size."""

from __future__ import annotations

from .parts import Monitor
from .words import clean, serial

_HEADER = b"\x00\xff\xff\xff\xff\xff\xff\x00"
_NAME, _SERIAL, _TEXT = 0xFC, 0xFF, 0xFE

MAKERS = {
    "AAC": "AcerView", "ACI": "Asus", "ACR": "Acer", "AOC": "AOC", "API": "Acer", "APP": "Apple", "ASU": "Asus",
    "AUO": "AU Optronics", "AUS": "Asus", "BNQ": "BenQ", "BOE": "BOE", "CMN": "Chimei Innolux", "CMO": "Chi Mei",
    "CPL": "Compal", "CPQ": "Compaq", "DEL": "Dell", "EIZ": "Eizo", "ELO": "Elo Touch", "ENC": "Eizo", "EPI": "Envision",
    "FUS": "Fujitsu Siemens", "GBT": "Gigabyte", "GSM": "LG", "HEI": "Hyundai", "HIT": "Hitachi", "HKC": "HKC", "HPN": "HP",
    "HSD": "HannStar", "HWP": "HP", "HYC": "Hyundai", "INL": "InnoLux", "INN": "InnoLux", "IVM": "Iiyama",
    "IVO": "InfoVision", "JDI": "Japan Display", "KDS": "KDS", "LEN": "Lenovo", "LGD": "LG Display", "LPL": "LG Philips",
    "MAG": "MAG", "MEI": "Panasonic", "MEL": "Mitsubishi", "MSI": "MSI", "NEC": "NEC", "NOK": "Nokia", "OPT": "Optoma",
    "PHL": "Philips", "QDS": "Quanta", "SAM": "Samsung", "SDC": "Samsung Display", "SEC": "Samsung", "SHP": "Sharp",
    "SNY": "Sony", "SPT": "Sceptre", "TOS": "Toshiba", "TSB": "Toshiba", "VIT": "Visitech", "VSC": "ViewSonic",
    "WAC": "Wacom", "XMI": "Xiaomi",
}  # fmt: skip
"""PNP identifiers (uefi.org/PNP_ID_List); one that is not here stands as it is."""


def monitor(data: bytes, name: str = "") -> Monitor | None:
    """The monitor an EDID describes; None for what is no EDID. Extension blocks are not needed; a wrong checksum is borne."""
    if len(data) < 128 or data[:8] != _HEADER:
        return None
    word = int.from_bytes(data[8:10], "big")
    letters = "".join(chr(64 + (word >> shift & 31)) for shift in (10, 5, 0))
    texts = _texts(data)
    width_px, height_px, width_mm, height_mm = _timing(data)
    return Monitor(
        name=name,
        maker=MAKERS.get(letters, letters if letters.isalpha() else ""),
        model=clean(texts.get(_NAME)) or clean(texts.get(_TEXT)) or f"{letters}{int.from_bytes(data[10:12], 'little'):04X}",
        serial=_serial(letters, texts.get(_SERIAL, ""), int.from_bytes(data[12:16], "little")),
        # 1990 itself is what an empty field reads as; week 255 says that the year is the model's.
        year=data[17] + 1990 if data[17] else None,
        width_px=width_px,
        height_px=height_px,
        width_mm=_size(width_mm, data[21] * 10),
        height_mm=_size(height_mm, data[22] * 10),
    )


def _texts(data: bytes) -> dict[int, str]:
    """The display descriptors that hold text (section 3.10.3), the first of each kind; texts of one kind are joined."""
    found: dict[int, str] = {}
    for at in (54, 72, 90, 108):
        block = data[at : at + 18]
        if block[:3] == b"\0\0\0" and block[3] in (_NAME, _SERIAL, _TEXT):
            text = block[5:18].split(b"\n")[0].decode("cp437", "replace")
            found[block[3]] = f"{found[block[3]]} {text}" if block[3] in found else text
    return found


def _serial(letters: str, text: str, number: int) -> str:
    printed = serial(text)
    known = number not in (0, 0x01010101, 0xFFFFFFFF)
    if letters == "ACR" and known and len(printed) == 12:
        # The label on an Acer holds the number in hexadecimal within the text.
        return f"{printed[:8]}{number:08X}{printed[8:]}"
    return printed or (serial(str(number)) if known else "")


def _size(exact: int | None, rounded: int) -> int | None:
    """Millimetres; the exact ones unless they contradict the whole centimetres beside them."""
    if exact and (not rounded or abs(exact - rounded) <= 30):
        return exact
    return rounded or None


def _timing(data: bytes) -> tuple[int | None, int | None, int | None, int | None]:
    """Picture and size of the first detailed timing, which is the preferred one: pixels and millimetres."""
    block = data[54:72]
    if block[:2] == b"\0\0":
        return None, None, None, None
    width = block[2] | (block[4] & 0xF0) << 4
    height = block[5] | (block[7] & 0xF0) << 4
    width_mm = block[12] | (block[14] & 0xF0) << 4
    height_mm = block[13] | (block[14] & 0x0F) << 8
    if width < 320 or height < 200:
        return None, None, None, None
    return width, height, width_mm or None, height_mm or None
