"""What makers write when they mean nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable

_NOTHING = frozenset(
    re.split(
        r"\|\s*",
        """to be filled by o.e.m.|to be filled by o.e.m|to be filled by oem|
    to be filled|filled by oem|default string|default|not specified|not available|not applicable|not defined|
    not provided|not present|not installed|no module installed|no dimm|none|null|unknown|unknow|undefined|undefine|
    invalid|invalid entry|empty|[empty]|blank|n/a|na|nil|oem|o.e.m.|other|<out of spec>|<bad index>|bad index|
    system manufacturer|system name|system product name|system version|system serial number|system sku|system uuid|
    system family|chassis manufacture|chassis manufacturer|chassis version|chassis serial number|chassis asset tag|
    base board manufacturer|base board product name|base board version|base board serial number|base board asset tag|
    board serial number|mb serial number|type2 - board serial number|type2 - board asset tag|type1 - family|
    type1productconfigid|type1family|serial number|serial no|asset tag|asset-1234567890|assettagnum|no asset tag|
    no asset information|noasset|no enclosure|sku|sku number|part number|oem_define|oem default string|product name|
    mother board|standard|standard disk drives|(standard disk drives)|generic|123456789|1234567890|0123456789|12345678|
    01234567|123456|0123456789abcdef|not settable|removed|eval|empty string|uninitialized|no serial|no serial number|
    noserial|n.a.|*|?|-|--|---|.|9876543210|bsn12345678901234567|mb-1234567890|oem define|oem-define""",
    )
)
_NUMBERED = re.compile(
    r"(sernum|partnum|manufacturer|modulemanufacturer|modulepartnumber|assettagnum|bank\d+_|dimm\d+_|array\d+_)\w*\d*"
    r"|to be filled by.*|sku=notprovided.*|oem define \d+"
)
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NO_UUIDS = frozenset((
    "03000200-0400-0500-0006-000700080009", "00020003-0004-0005-0006-000700080009", "12345678-1234-5678-90ab-cddeefaabbcc",
    "78563412-3412-7856-90ab-cddeefaabbcc", "11111111-2222-3333-4444-555555555555", "01234567-8910-1112-1314-151617181920",
))  # fmt: skip
"""What boards carry whose maker never set one."""
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\ufffd]+")


def clean(text: str | None) -> str:
    """The text without blanks around it and control characters, empty when it says nothing."""
    found = " ".join(_CONTROLS.sub(" ", text or "").split())
    if found.startswith("-[") and found.endswith("]-"):
        found = found[2:-2]
    bare = found.lower().strip('"')
    if bare in _NOTHING or re.sub(r"^0x", "", bare).strip("0fx.-_* ?") == "" or (len(bare) > 3 and len(set(bare)) == 1):
        return ""
    return "" if _NUMBERED.fullmatch(bare) else found


def serial(text: str | None) -> str:
    """A serial number, empty when it can be nobody's own."""
    found = clean(text)
    return found if len(found) > 1 else ""


def uuid(text: str | None) -> str:
    """A UUID in lower case, empty when it is none or can be nobody's own."""
    found = (text or "").strip().lower()
    if len(found) == 32:
        found = f"{found[:8]}-{found[8:12]}-{found[12:16]}-{found[16:20]}-{found[20:]}"
    return "" if not _UUID.fullmatch(found) or found in _NO_UUIDS or len(set(found)) < 5 else found


def told_apart(serials: Iterable[str]) -> list[str]:
    """Serial numbers of parts of one kind, emptied where two share one: such a number tells nothing."""
    found = list(serials)
    return [one if found.count(one) == 1 else "" for one in found]
