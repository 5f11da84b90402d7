from __future__ import annotations

import os
import struct
import subprocess
from pathlib import Path

import peers
import pytest
from hardware import BIOS, DUMP, END, SYSTEM, TABLE, UUID, array, battery, module, processor, structure
from hypothesis import given
from hypothesis import strategies as st

from agent.inventory import dmidecode, firmware, linux, smbios
from agent.inventory.source import Source
from agent.inventory.words import clean

LIVE = "/sys/firmware/dmi/tables/DMI"


def test_the_machine_is_read_and_filler_is_no_fact() -> None:
    """Names and serial numbers come through; "Default string" and zeros count as absent."""
    found = firmware.machine(smbios.records(TABLE))
    assert (found.maker, found.model, found.serial, found.sku) == ("Lake", "Office 300", "LK-0042", "300-A")
    assert (found.version, found.board_serial, found.chassis, found.asset_tag) == ("", "", "desktop", "PC-17")
    assert (found.board_maker, found.board_model) == ("Lake Boards", "B75")
    assert (found.bios_maker, found.bios_version, found.bios_date) == ("Lake Firmware", "1.07", "2019-07-22")


def test_the_uuid_has_the_byte_order_of_the_tables_version() -> None:
    """Since SMBIOS 2.6 the first three fields of the UUID are little-endian, before they are not."""
    assert firmware.machine(smbios.records(TABLE, (3, 0))).uuid == "33221100-5544-7766-8899-aabbccddeeff"
    assert firmware.machine(smbios.records(TABLE, (2, 4))).uuid == "00112233-4455-6677-8899-aabbccddeeff"


@pytest.mark.parametrize("filler", [b"\0", b"\xff"])
def test_an_empty_uuid_is_none(filler: bytes) -> None:
    """A UUID of zeros or ones is not set."""
    table = structure(1, 1, bytes((1, 2, 0, 0)) + filler * 16 + bytes(3), "Lake", "Office")
    assert firmware.machine(smbios.records(table + END)).uuid == ""


def test_processors_in_their_sockets() -> None:
    """A socket without a processor is none; clocks and counts are read."""
    (found,) = firmware.processors(smbios.records(processor() + processor(status=0) + END))
    assert found == ("LGA1151", "Intel(R) Core(TM) i3-9100F CPU @ 3.60GHz", "Intel", 4, 8, 3600, None)


def test_more_than_255_cores_are_counted_in_the_wide_field() -> None:
    """A count of 255 says that the number stands in two octets further behind."""
    body = bytearray(processor(cores=0xFF, threads=0xFF))
    struct.pack_into("<H", body, 0x2A, 288)
    struct.pack_into("<H", body, 0x2E, 576)
    (found,) = firmware.processors(smbios.records(bytes(body) + END))
    assert (found.cores, found.threads) == (288, 576)


def test_memory_modules_and_free_slots() -> None:
    """Modules have size, kind, speed and maker; four places with one module leave three free."""
    memory, (found,) = firmware.memory(smbios.records(TABLE))
    assert memory == (8192, 4, 3, 65536)
    assert found == ("BANK 0 DIMM 17", 8192, "DDR4", "DIMM", 2666, 2400, "Samsung", "M378A1K43CB2", "1A2B3C4D")


def test_sizes_in_kib_and_in_the_extended_field() -> None:
    """Small modules are told in KiB, those of 32 GiB and more in a field of their own, unknown ones not at all."""
    table = array() + module(17, 0x8000 | 16384) + module(18, 0x7FFF, 65536) + END
    assert [m.size_mib for m in firmware.memory(smbios.records(table))[1]] == [16, 65536]
    memory, modules = firmware.memory(smbios.records(array() + module(17, 0xFFFF) + END))
    assert memory.total_mib is None and modules[0].size_mib is None and memory.free_slots == 3


def test_serials_that_repeat_are_nobodys() -> None:
    """Two modules with one serial number have none."""
    table = array() + module(17, 4096) + module(18, 4096) + module(19, 4096, serial="77") + END
    assert [m.serial for m in firmware.memory(smbios.records(table))[1]] == ["", "", "77"]


@pytest.mark.parametrize(
    ("code", "maker"),
    [("80AD000080AD", "SK hynix"), ("0x2C00000000000000", "Micron"), ("7F98000000000000", "Kingston"), ("0198", "Kingston"),
     ("9801", "Kingston"), ("7F7FFE0000000000", "Elpida"), ("Samsung", "Samsung"), ("FACE", "FACE")],
)  # fmt: skip
def test_jedec_codes_are_named(code: str, maker: str) -> None:
    """A manufacturer's number is turned into its name, whatever way the board writes it."""
    assert firmware.maker(code) == maker


def test_windows_head_is_taken_off() -> None:
    """GetSystemFirmwareTable puts eight octets with the version before the table."""
    head = bytes((0, 2, 4, 0)) + struct.pack("<I", len(TABLE))
    assert firmware.machine(smbios.records(head + TABLE)).uuid.startswith("00112233")


def test_a_table_cut_off_gives_what_came_before() -> None:
    """Damage ends the reading; it raises nothing."""
    for size in range(len(TABLE)):
        firmware.machine(smbios.records(TABLE[:size]))
    assert firmware.machine(smbios.records(TABLE[: len(BIOS) + len(SYSTEM)])).model == "Office 300"


@pytest.mark.parametrize(
    ("entry", "version"),
    [(b"_SM3_\0\x18\3\2\0", (3, 2)), (b"_SM_\0\x1f\2\4", (2, 4)), (b"_DMI_" + bytes(9) + b"\x20", (2, 0)), (b"", (3, 0)),
     (b"_SM3_", (3, 0))],
)  # fmt: skip
def test_the_version_of_each_entry_point(entry: bytes, version: tuple[int, int]) -> None:
    """The three kinds of entry point tell the version in places of their own."""
    assert smbios.version(entry) == version


def test_a_misprinted_version_is_corrected() -> None:
    """2.51 stands for 2.6, and 2.33 for 2.3, whose UUIDs lie the other way round."""
    assert firmware.machine(smbios.records(TABLE, (2, 0x33))).uuid == "33221100-5544-7766-8899-aabbccddeeff"
    assert firmware.machine(smbios.records(TABLE, (2, 0x21))).uuid == "00112233-4455-6677-8899-aabbccddeeff"


def old_module(handle: int, size: int) -> bytes:
    return structure(6, handle, bytes((1, 0x01, 60)) + struct.pack("<H", 0x0500) + bytes((size, size, 0)), f"A{handle}")


OLD_ARRAY = structure(5, 5, bytes((4, 6, 3, 3, 9, 0, 0, 4, 0, 0, 3)) + struct.pack("<HHH", 6, 7, 8))


def test_memory_of_tables_before_2_1() -> None:
    """The first tables tell modules as powers of two: 7F is an empty place, the upper bit two banks, 7D an unknown size."""
    table = OLD_ARRAY + old_module(6, 0x88) + old_module(7, 0x7F) + old_module(8, 0x09) + END
    memory, modules = firmware.memory(smbios.records(table, (2, 0)))
    assert memory == (256 + 512, 3, 1, 3 * 512)
    assert [(m.name, m.size_mib, m.type, m.form) for m in modules] == [("A6", 256, "SDRAM", "DIMM"), ("A8", 512, "SDRAM", "DIMM")]
    memory, modules = firmware.memory(smbios.records(OLD_ARRAY + old_module(6, 0x7D) + END, (2, 0)))
    assert memory.total_mib is None and len(modules) == 1
    assert firmware.memory(smbios.records(TABLE + OLD_ARRAY + old_module(6, 0x88)))[0].total_mib == 8192


def test_sockets_that_do_not_say_whether_they_are_empty() -> None:
    """A socket without name, clock and cores holds no processor; fewer threads than cores are no count of threads."""
    empty = structure(4, 4, bytes((1, 3, 2, 0)) + bytes(0x14), "CPU socket #1")
    assert firmware.processors(smbios.records(empty + END)) == []
    (found,) = firmware.processors(smbios.records(processor(cores=4, threads=1) + END))
    assert (found.cores, found.threads) == (4, None)


def test_batteries_as_new() -> None:
    """Maker, model, serial and capacity; the chemistry's number or name in one word for all; an empty bay is none."""
    (found,) = firmware.batteries(smbios.records(battery() + END))
    assert found[:6] == ("Bay", "SMP", "DELL JHXPY53", "0A75", "Li-ion", 57530)
    (found,) = firmware.batteries(smbios.records(battery(kind=2) + END))
    assert found.chemistry == "Li-poly"
    assert firmware.batteries(smbios.records(battery(2, 0, 0, "Bay", "Not Specified", "Not Specified", "Unknown") + END)) == []


@given(st.binary(max_size=600), st.integers(0, len(TABLE) - 1))
def test_whatever_the_octets_reading_ends_well(data: bytes, at: int) -> None:
    """Random and damaged tables raise nothing."""
    for table in (data, TABLE[:at] + data + TABLE[at + len(data) :]):
        found = smbios.records(table)
        firmware.machine(found)
        firmware.processors(found)
        firmware.memory(found)
        firmware.batteries(found)


words = st.text(st.characters(min_codepoint=0x41, max_codepoint=0x1EF9, categories=["L"]), min_size=4, max_size=20).filter(
    lambda word: clean(word) == word
)
sizes = st.one_of(st.integers(1, 0x7FFE), st.integers(0x7FFF, 0x7FFFFFFF))


@given(
    st.lists(words, min_size=9, max_size=9),
    st.lists(st.tuples(sizes, words), min_size=1, max_size=8, unique_by=lambda one: one[1]),
)
def test_what_is_built_is_read_back(names: list[str], modules: list[tuple[int, str]]) -> None:
    """Whatever names, serials and sizes firmware holds come out as they went in."""
    table = structure(0, 0, bytes((1, 2, 0, 0, 0)) + bytes(9), *names[:2])
    table += structure(1, 1, bytes((1, 2, 0, 3)) + UUID + bytes((6, 4, 0)), *names[2:6])
    table += structure(2, 2, bytes((1, 2, 0, 3, 0)), *names[6:9]) + array(slots=len(modules) + 2)
    for n, (size, serial) in enumerate(modules):
        table += module(100 + n, min(size, 0x7FFF), size, serial)
    found = smbios.records(table + END)
    told = firmware.machine(found)
    assert [told.bios_maker, told.bios_version, told.maker, told.model, told.serial, told.sku] == names[:6]
    assert [told.board_maker, told.board_model, told.board_serial] == names[6:9]
    memory, read = firmware.memory(found)
    assert [(one.size_mib, one.serial) for one in read] == modules
    assert memory.free_slots == 2 and memory.total_mib == sum(size for size, _ in modules)


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
    machine = firmware.machine(found)
    assert (machine.maker, machine.model, machine.serial) == ("Lake", "Office 300", "LK-0042")
    memory, (only,) = firmware.memory(found)
    assert memory == (8192, 2, 1, 65536)
    assert (only.name, only.size_mib, only.speed_mts, only.serial) == ("DIMM 1", 8192, 2666, "1A2B3C4D")


def test_dmidecodes_text_of_2002() -> None:
    """The first dmidecode indented deeper and named fields otherwise."""
    machine = firmware.machine(dmidecode.records(OLD))
    assert (machine.maker, machine.model, machine.serial) == ("Lake", "Office 7", "LK-0007")


@given(st.text(max_size=400))
def test_whatever_the_text_reading_ends_well(text: str) -> None:
    """Text that is no dmidecode page raises nothing."""
    found = dmidecode.records(TEXT[:200] + text)
    firmware.machine(found)
    firmware.memory(found)
    firmware.processors(found)


def theirs_of(table: bytes, directory: Path) -> list[smbios.Record]:
    """What the real dmidecode makes of a table given as a dump."""
    command = peers.require("dmidecode")
    entry = bytearray(b"_SM3_\0\x18\3\2\0\1\0" + struct.pack("<IQ", len(table), 0x20))
    entry[5] = -sum(entry) & 0xFF
    dump = directory / "dump"
    dump.write_bytes(bytes(entry).ljust(0x20, b"\0") + table)
    run = subprocess.run([command, "--from-dump", str(dump)], capture_output=True, text=True, check=True, timeout=60)
    return dmidecode.records(run.stdout)


def test_dmidecode_reads_the_same_table(tmp_path: Path) -> None:
    """The real dmidecode, given this table as a dump, comes to the same facts."""
    theirs, ours = theirs_of(DUMP, tmp_path), smbios.records(DUMP, (3, 2))
    assert firmware.machine(theirs) == firmware.machine(ours)
    assert firmware.memory(theirs) == firmware.memory(ours)
    assert firmware.processors(theirs) == firmware.processors(ours)
    assert firmware.batteries(theirs) == firmware.batteries(ours) != []


@pytest.mark.parametrize("kind", range(1, 37))
def test_dmidecode_names_every_chassis_alike(tmp_path: Path, kind: int) -> None:
    """The real dmidecode's name of each chassis is read as the raw table's number is."""
    table = structure(3, 3, bytes((1, kind, 0, 0, 0)), "Lake") + END
    assert firmware.machine(theirs_of(table, tmp_path)).chassis == firmware.machine(smbios.records(table)).chassis


def test_dmidecode_says_the_same_of_the_old_memory(tmp_path: Path) -> None:
    """Memory of types 5 and 6 comes out alike from the raw table and from dmidecode's text."""
    table = OLD_ARRAY + old_module(6, 0x88) + old_module(7, 0x7F) + old_module(8, 0x09) + END
    assert firmware.memory(theirs_of(table, tmp_path)) == firmware.memory(smbios.records(table))


@pytest.mark.skipif(not os.access(LIVE, os.R_OK), reason="this machine shows no SMBIOS tables")
def test_dmidecode_agrees_on_this_machine() -> None:
    """What the real dmidecode says of the machine the test runs on, the reader of the raw table says."""
    command = peers.require("dmidecode")
    run = subprocess.run([command], capture_output=True, text=True, check=True, timeout=60)
    theirs, ours = dmidecode.records(run.stdout), linux.records(Source())
    assert firmware.machine(theirs) == firmware.machine(ours)
    assert firmware.memory(theirs) == firmware.memory(ours)
    assert firmware.processors(theirs) == firmware.processors(ours)
