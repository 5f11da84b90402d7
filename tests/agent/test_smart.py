from __future__ import annotations

from hardware import ata, nvme
from hypothesis import given
from hypothesis import strategies as st

from agent.inventory import smart


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
    assert smart.trouble(text) == "smartctl does not know the bridge on USB it sits behind"


@given(st.text(max_size=300))
def test_whatever_the_text_reading_ends_well(text: str) -> None:
    """Damaged pages raise nothing."""
    smart.disk(text)
    smart.disk(ata()[:400] + text)
