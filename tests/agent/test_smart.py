from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agent.inventory import smart

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


def test_a_hard_disk_in_good_health() -> None:
    """Identity and the counters that decide are read."""
    disk = smart.disk(ata())
    assert (disk.model, disk.serial, disk.firmware, disk.size_mb) == ("LAKE HD500", "LK123", "1.01", 500107)
    assert (disk.medium, disk.bus, disk.rpm) == ("hdd", "sata", 7200)
    assert (disk.hours, disk.cycles, disk.celsius, disk.health, disk.health_reason) == (26280, 1500, 36, "good", "")


def test_pending_sectors_are_a_warning_though_the_disk_says_passed() -> None:
    """What foretells a failure is told, with the number, before the disk gives itself up."""
    disk = smart.disk(ata(pending=8))
    assert disk.health == "warning" and "8 sectors cannot be read" in disk.health_reason
    assert smart.disk(ata(reallocated=3)).health == "good"
    assert smart.disk(ata(reallocated=40)).health == "warning"


def test_a_disk_that_fails_says_which_attribute() -> None:
    """The disk's own verdict wins, and the attribute below its limit is named."""
    disk = smart.disk(ata(verdict="FAILED!", five="005   005", failed="FAILING_NOW", reallocated=2000))
    assert disk.health == "failing" and disk.health_reason == "Reallocated_Sector_Ct is 5, at or below its limit 10"


def test_nvme_wear_temperature_and_verdict() -> None:
    """An NVMe disk tells wear, written bytes and its critical warnings."""
    disk = smart.disk(nvme())
    assert (disk.medium, disk.bus, disk.size_mb, disk.wear_percent, disk.celsius) == ("ssd", "nvme", 256060, 3, 41)
    assert (disk.written_gb, disk.hours, disk.cycles, disk.health) == (10240, 1234, 900, "good")
    assert smart.disk(nvme(used=95)).health == "warning"
    assert smart.disk(nvme(warning="0x04")).health == "failing"
    assert smart.disk(nvme(warning="0x02")).health_reason == "it is or was too hot"


def test_a_disk_that_tells_nothing_has_no_verdict() -> None:
    """Unknown is not good."""
    text = "smartctl 7.3\n/dev/sda: Unknown USB bridge [0x0000:0x0001]\n"
    assert smart.disk(text).health == ""
    assert smart.trouble(text) == "Unknown USB bridge"


@given(st.text(max_size=300))
def test_whatever_the_text_reading_ends_well(text: str) -> None:
    """Damaged pages raise nothing."""
    smart.disk(text)
    smart.disk(ata()[:400] + text)
