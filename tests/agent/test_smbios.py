from __future__ import annotations

import struct
import subprocess
from pathlib import Path

import peers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.inventory import dmidecode, smbios


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


def test_the_machine_is_read_and_filler_is_no_fact() -> None:
    """Names and serial numbers come through; "Default string" and zeros count as absent."""
    found = smbios.machine(smbios.records(TABLE))
    assert (found.maker, found.model, found.serial, found.sku) == ("Lake", "Office 300", "LK-0042", "300-A")
    assert (found.version, found.board_serial, found.chassis, found.asset_tag) == ("", "", "desktop", "PC-17")
    assert (found.board_maker, found.board_model) == ("Lake Boards", "B75")
    assert (found.bios_maker, found.bios_version, found.bios_date) == ("Lake Firmware", "1.07", "2019-07-22")


def test_the_uuid_has_the_byte_order_of_the_tables_version() -> None:
    """Since SMBIOS 2.6 the first three fields of the UUID are little-endian, before they are not."""
    assert smbios.machine(smbios.records(TABLE, (3, 0))).uuid == "33221100-5544-7766-8899-aabbccddeeff"
    assert smbios.machine(smbios.records(TABLE, (2, 4))).uuid == "00112233-4455-6677-8899-aabbccddeeff"


@pytest.mark.parametrize("filler", [b"\0", b"\xff"])
def test_an_empty_uuid_is_none(filler: bytes) -> None:
    """A UUID of zeros or ones is not set."""
    table = structure(1, 1, bytes((1, 2, 0, 0)) + filler * 16 + bytes(3), "Lake", "Office")
    assert smbios.machine(smbios.records(table + END)).uuid == ""


def test_processors_in_their_sockets() -> None:
    """A socket without a processor is none; clocks and counts are read."""
    (found,) = smbios.processors(smbios.records(processor() + processor(status=0) + END))
    assert found == ("LGA1151", "Intel(R) Core(TM) i3-9100F CPU @ 3.60GHz", "Intel", 4, 8, 3600, None)


def test_more_than_255_cores_are_counted_in_the_wide_field() -> None:
    """A count of 255 says that the number stands in two octets further behind."""
    body = bytearray(processor(cores=0xFF, threads=0xFF))
    struct.pack_into("<H", body, 0x2A, 288)
    struct.pack_into("<H", body, 0x2E, 576)
    (found,) = smbios.processors(smbios.records(bytes(body) + END))
    assert (found.cores, found.threads) == (288, 576)


def test_memory_modules_and_free_slots() -> None:
    """Modules have size, kind, speed and maker; four places with one module leave three free."""
    memory, (found,) = smbios.memory(smbios.records(TABLE))
    assert memory == (8192, 4, 3, 65536)
    assert found == ("BANK 0 DIMM 17", 8192, "DDR4", "DIMM", 2666, 2400, "Samsung", "M378A1K43CB2", "1A2B3C4D")


def test_sizes_in_kib_and_in_the_extended_field() -> None:
    """Small modules are told in KiB, those of 32 GiB and more in a field of their own, unknown ones not at all."""
    table = array() + module(17, 0x8000 | 16384) + module(18, 0x7FFF, 65536) + END
    assert [m.size_mib for m in smbios.memory(smbios.records(table))[1]] == [16, 65536]
    memory, modules = smbios.memory(smbios.records(array() + module(17, 0xFFFF) + END))
    assert memory.total_mib is None and modules[0].size_mib is None and memory.free_slots == 3


def test_serials_that_repeat_are_nobodys() -> None:
    """Two modules with one serial number have none."""
    table = array() + module(17, 4096) + module(18, 4096) + module(19, 4096, serial="77") + END
    assert [m.serial for m in smbios.memory(smbios.records(table))[1]] == ["", "", "77"]


@pytest.mark.parametrize(
    ("code", "maker"),
    [("80AD000080AD", "SK hynix"), ("0x2C00000000000000", "Micron"), ("7F98000000000000", "Kingston"), ("0198", "Kingston"),
     ("9801", "Kingston"), ("7F7FFE0000000000", "Elpida"), ("Samsung", "Samsung"), ("FACE", "FACE")],
)  # fmt: skip
def test_jedec_codes_are_named(code: str, maker: str) -> None:
    """A manufacturer's number is turned into its name, whatever way the board writes it."""
    assert smbios.maker(code) == maker


def test_windows_head_is_taken_off() -> None:
    """GetSystemFirmwareTable puts eight octets with the version before the table."""
    head = bytes((0, 2, 4, 0)) + struct.pack("<I", len(TABLE))
    assert smbios.machine(smbios.records(head + TABLE)).uuid.startswith("00112233")


def test_a_table_cut_off_gives_what_came_before() -> None:
    """Damage ends the reading; it raises nothing."""
    for size in range(len(TABLE)):
        smbios.machine(smbios.records(TABLE[:size]))
    assert smbios.machine(smbios.records(TABLE[: len(BIOS) + len(SYSTEM)])).model == "Office 300"


@given(st.binary(max_size=600), st.integers(0, len(TABLE) - 1))
def test_whatever_the_octets_reading_ends_well(data: bytes, at: int) -> None:
    """Random and damaged tables raise nothing."""
    for table in (data, TABLE[:at] + data + TABLE[at + len(data) :]):
        found = smbios.records(table)
        smbios.machine(found)
        smbios.processors(found)
        smbios.memory(found)


TEXT = """\
# dmidecode 3.3
SMBIOS 3.2 present.

Handle 0x0001, DMI type 1, 27 bytes
System Information
\tManufacturer: Lake
\tProduct Name: Office 300
\tSerial Number: LK-0042
\tUUID: 33221100-5544-7766-8899-AABBCCDDEEFF

Handle 0x0010, DMI type 16, 23 bytes
Physical Memory Array
\tUse: System Memory
\tMaximum Capacity: 64 GB
\tNumber Of Devices: 2

Handle 0x0011, DMI type 17, 40 bytes
Memory Device
\tArray Handle: 0x0010
\tSize: 8 GB
\tForm Factor: DIMM
\tLocator: DIMM 1
\tType: DDR4
\tType Detail: Synchronous
\tSpeed: 2666 MT/s
\tManufacturer: Samsung
\tSerial Number: 1A2B3C4D

Handle 0x0012, DMI type 17, 40 bytes
Memory Device
\tArray Handle: 0x0010
\tSize: No Module Installed
\tLocator: DIMM 2
"""
OLD = """\
Handle 0x0100
\tDMI type 1, 25 bytes.
\tSystem Information Block
\t\tVendor: Lake
\t\tProduct: Office 7
\t\tSerial Number: LK-0007
"""


def test_dmidecodes_text_says_the_same() -> None:
    """A recorded dmidecode page is read into the same facts as the raw table."""
    found = dmidecode.records(TEXT)
    machine = smbios.machine(found)
    assert (machine.maker, machine.model, machine.serial) == ("Lake", "Office 300", "LK-0042")
    memory, (only,) = smbios.memory(found)
    assert memory == (8192, 2, 1, 65536)
    assert (only.name, only.size_mib, only.speed_mts, only.serial) == ("DIMM 1", 8192, 2666, "1A2B3C4D")


def test_dmidecodes_text_of_2002() -> None:
    """The first dmidecode indented deeper and named fields otherwise."""
    machine = smbios.machine(dmidecode.records(OLD))
    assert (machine.maker, machine.model, machine.serial) == ("Lake", "Office 7", "LK-0007")


@given(st.text(max_size=400))
def test_whatever_the_text_reading_ends_well(text: str) -> None:
    """Text that is no dmidecode page raises nothing."""
    found = dmidecode.records(TEXT[:200] + text)
    smbios.machine(found)
    smbios.memory(found)
    smbios.processors(found)


def test_dmidecode_reads_the_same_table(tmp_path: Path) -> None:
    """The real dmidecode, given this table as a dump, comes to the same facts."""
    command = peers.require("dmidecode")
    entry = bytearray(b"_SM3_\0\x18\3\2\0\1\0" + struct.pack("<IQ", len(TABLE), 0x20))
    entry[5] = -sum(entry) & 0xFF
    (tmp_path / "dump").write_bytes(bytes(entry).ljust(0x20, b"\0") + TABLE)
    run = subprocess.run([command, "--from-dump", str(tmp_path / "dump")], capture_output=True, text=True, check=True, timeout=20)
    theirs, ours = dmidecode.records(run.stdout), smbios.records(TABLE, (3, 2))
    assert smbios.machine(theirs) == smbios.machine(ours)
    assert smbios.memory(theirs) == smbios.memory(ours)
    assert smbios.processors(theirs) == smbios.processors(ours)
