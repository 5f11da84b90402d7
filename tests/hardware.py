"""The hardware of machines of our own making: SMBIOS tables, EDIDs, SMART tables and pages, recorded trees of files, and one
whole inventory.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

from agent.inventory.parts import (
    Agent,
    Antivirus,
    Battery,
    Disk,
    Inventory,
    Limit,
    Machine,
    Memory,
    Module,
    Monitor,
    Network,
    Printer,
    Processor,
    Security,
    Software,
    Stability,
    System,
    User,
    Volume,
)


def structure(kind: int, handle: int, body: bytes, *strings: str) -> bytes:
    """One structure as firmware lays it out: header, formatted area, strings, two zeros."""
    texts = b"".join(text.encode() + b"\0" for text in strings) or b"\0"
    return bytes((kind, len(body) + 4)) + struct.pack("<H", handle) + body + texts + b"\0"


UUID = bytes.fromhex("00112233445566778899aabbccddeeff")
BIOS = structure(0, 0, bytes((1, 2, 0, 0, 3)) + bytes(9), "Lake Firmware", "1.07", "07/22/2019")
SYSTEM = structure(1, 1, bytes((1, 2, 3, 4)) + UUID + bytes((6, 5, 0)), "Lake", "Office 300", "Default string", "LK-0042",
                   "300-A")  # fmt: skip
BOARD = structure(2, 2, bytes((1, 2, 0, 3, 0)), "Lake Boards", "B75", "To be filled by O.E.M.")
CHASSIS = structure(3, 3, bytes((1, 0x83, 0, 2, 3)), "Lake", "00000000", "PC-17")


def processor(status: int = 0x41, cores: int = 4, threads: int = 8) -> bytes:
    body = bytearray(0x30 - 4)
    body[0], body[1], body[3], body[0x10 - 4] = 1, 3, 2, 3
    struct.pack_into("<HH", body, 0x14 - 4, 4800, 3600)
    body[0x18 - 4], body[0x23 - 4], body[0x25 - 4] = status, cores, threads
    return structure(4, 4, bytes(body), "LGA1151", "Intel(R) Corporation", "Intel(R) Core(TM) i3-9100F CPU @ 3.60GHz")


def array(slots: int = 4, kib: int = 64 << 20) -> bytes:
    return structure(16, 16, bytes((3, 3, 3)) + struct.pack("<IHH", kib, 0xFFFE, slots))


def module(handle: int, size: int, wide: int = 0, serial: str = "1A2B3C4D", maker: str = "80CE000080CE") -> bytes:
    body = bytearray(0x5C - 4)
    struct.pack_into("<H", body, 0, 16)
    struct.pack_into("<H", body, 0x0C - 4, size)
    body[0x0E - 4], body[0x10 - 4], body[0x11 - 4], body[0x12 - 4] = 9, 1, 2, 26
    struct.pack_into("<H", body, 0x15 - 4, 2666)
    body[0x17 - 4], body[0x18 - 4], body[0x1A - 4] = 3, 4, 5
    struct.pack_into("<I", body, 0x1C - 4, wide)
    struct.pack_into("<H", body, 0x20 - 4, 2400)
    return structure(17, handle, bytes(body), f"DIMM {handle}", "BANK 0", maker, serial, "M378A1K43CB2")


END = structure(127, 127, b"")
TABLE = BIOS + SYSTEM + BOARD + CHASSIS + processor() + array() + module(17, 8192) + module(18, 0) + END


def battery(kind: int = 6, design: int = 5753, number: int = 0x0A75, *strings: str) -> bytes:
    body = bytes((1, 2, 0, 0, 3, kind)) + struct.pack("<HHBBHHBBI", design, 7600, 0, 0, number, 0, 4, 10, 0)
    return structure(22, 22, body, *(strings or ("Bay", "SMP", "DELL JHXPY53", "LiP")))


DUMP = TABLE[: -len(END)] + battery() + END
"""TABLE with a battery."""


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


HEAD = """\
smartctl 7.3 2022-02-28 r5338 [x86_64-linux-6.1.0] (local build)

=== START OF INFORMATION SECTION ===
Device Model:     LAKE HD500
Serial Number:    LK123
Firmware Version: 1.01
User Capacity:    500,107,862,016 bytes [500 GB]
Rotation Rate:    7200 rpm
SATA Version is:  SATA 3.0, 6.0 Gb/s (current: 3.0 Gb/s)

=== START OF READ SMART DATA SECTION ===
SMART overall-health self-assessment test result: {verdict}

ID# ATTRIBUTE_NAME          FLAG     VALUE WORST THRESH TYPE      UPDATED  WHEN_FAILED RAW_VALUE
  5 Reallocated_Sector_Ct   0x0033   {five}   010    Pre-fail  Always       {failed}       {reallocated}
  9 Power_On_Hours          0x0032   070   070   000    Old_age   Always       -       26280 (12 34 5)
 12 Power_Cycle_Count       0x0032   099   099   020    Old_age   Always       -       1500
194 Temperature_Celsius     0x0022   064   045   000    Old_age   Always       -       36 (Min/Max 15/55)
197 Current_Pending_Sector  0x0012   100   100   000    Old_age   Always       -       {pending}
198 Offline_Uncorrectable   0x0010   100   100   000    Old_age   Offline      -       0
"""
NVME = """\
=== START OF INFORMATION SECTION ===
Model Number:                       LAKE NV256
Serial Number:                      LK-NV-9
Firmware Version:                   2B0
Total NVM Capacity:                 256,060,514,304 [256 GB]
NVMe Version:                       1.3

=== START OF SMART DATA SECTION ===
SMART overall-health self-assessment test result: {verdict}
Critical Warning:                   {warning}
Temperature:                        41 Celsius
Available Spare:                    100%
Percentage Used:                    {used}%
Data Units Written:                 20,000,000 [10.2 TB]
Power Cycles:                       900
Power On Hours:                     1,234
Media and Data Integrity Errors:    0
"""


def ata(verdict: str = "PASSED", five: str = "100   100", failed: str = "-", reallocated: int = 0, pending: int = 0) -> str:
    return HEAD.format(verdict=verdict, five=five, failed=failed, reallocated=reallocated, pending=pending)


def nvme(verdict: str = "PASSED", warning: str = "0x00", used: int = 3) -> str:
    return NVME.format(verdict=verdict, warning=warning, used=used)


def smart(*entries: tuple[int, int, int, int]) -> list[int]:
    """The disk's table: (attribute, value, worst, raw)."""
    data = bytearray(512)
    for n, (attribute, value, worst, raw) in enumerate(entries):
        at = 2 + 12 * n
        data[at], data[at + 3], data[at + 4] = attribute, value, worst
        data[at + 5 : at + 11] = raw.to_bytes(6, "little")
    return list(data)


CPU = """processor\t: {n}
vendor_id\t: GenuineIntel
model name\t: Intel(R) Core(TM) i3-9100F CPU @ 3.60GHz
physical id\t: 0
core id\t: {core}
flags\t: fpu vme
"""


def put(root: Path, files: dict[str, str | bytes]) -> None:
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content.encode() if isinstance(content, str) else content)


def link(root: Path, path: str, target: str) -> None:
    """A link within the recording, relative as in /sys."""
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / target).mkdir(parents=True, exist_ok=True)
    (root / path).symlink_to(os.path.relpath(root / target, (root / path).parent))


def disk(root: Path, name: str, bus: str, **files: str) -> str:
    at = f"sys/devices/pci0000:00/{bus}/{name}"
    link(root, f"sys/block/{name}", at)
    link(root, f"sys/class/block/{name}", at)
    values = {"size": "468862128", "removable": "0", "queue/rotational": "0", "dev": "8:0"} | files
    put(root, {f"{at}/{path}": content + "\n" for path, content in values.items()})
    return at


def record(kind: int, user: bytes, when: float) -> bytes:
    """One entry of wtmp (utmp(5), x86-64)."""
    data = bytearray(384)
    struct.pack_into("<h", data, 0, kind)
    data[44 : 44 + len(user)] = user
    struct.pack_into("<i", data, 340, int(when))
    return bytes(data)


WHOLE = Inventory(
    Agent("0.1.0", 1_795_000_000, 250, True),
    Machine("Lake", "Office 300", "", "LK-0042", "33221100-5544-7766-8899-aabbccddeeff", chassis="desktop", board_maker="Lake"),
    (Processor("LGA1151", "Intel(R) Core(TM) i3-9100F CPU @ 3.60GHz", "Intel", 4, 4, 3600, 2018),),
    Memory(8192, 2, 1, 32768),
    (Module("DIMM 1", 8192, "DDR4", "DIMM", 2666, 2400, "Samsung", "M378", "1A2B"),),
    (
        Disk(
            "sda",
            "LAKE SSD",
            "S1",
            "2",
            240057,
            "ssd",
            "sata",
            5400,
            False,
            True,
            "warning",
            "8 sectors",
            12,
            35,
            900,
            30,
            4,
            8,
            0,
            99,
        ),
    ),
    (Volume("/", "root", "ext4", "sda", True, True),),
    (Network(2, "eth0", "wired", "Lake GbE", "e1000e", 1000, 100, bus="pci"), Network(7, "wlan0", "wireless", signal_dbm=-61)),
    (Monitor("HDMI-1", "Dell", "Màn hình 24", "CN0X1", 2018, 1920, 1080, 527, 296),),
    (Printer("LBP2900", "Canon LBP2900", "usb", "usb", True, "P1"),),
    (Battery("BAT0", "Lake", "B1", "77", "Li-ion", 50000, 40000, 80, 312),),
    System("Debian GNU/Linux", "12", "6.1.0", "x86_64", 1_700_000_000, 1_846_000_000, False, "", 1_790_000_000, ""),
    Security(True, "ufw", True, False, True, "2.0", True),
    (Antivirus("ClamAV", "1.0", False, True, 1_794_000_000),),
    Stability(1_794_900_000, 2, 1_794_800_000, "power", 9),
    (Limit("monitors", "no graphics card"),),
    (Software("nano", "7.2", "Lake", "2024-01-02"),),
    (User("lan", 1_794_990_000),),
)
"""An inventory in which every fact is known of something."""
