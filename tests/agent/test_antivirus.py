from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agent.inventory import antivirus

NOW = 1_700_000_000.0


def test_bitdefender() -> None:
    """Version, whether it guards, and the date of its signatures."""
    page = ("Product version: 7.0.3\nNew security content available: no\n"
            "Last security content update: 2023-08-24 at 11:44:37 GMT+2\nFeatures:\n  - Antimalware status: On\n")  # fmt: skip
    found = antivirus.bitdefender(page, NOW)
    assert found == ("Bitdefender Endpoint Security Tools", "7.0.3", True, True, 1692870277)


def test_sentinelone_and_cortex() -> None:
    """Products that tell less are read as far as they do."""
    found = antivirus.sentinelone("Agent version: 30.1\nAgent state      Enabled\n", NOW)
    assert found is not None and (found.version, found.enabled, found.current) == ("30.1", True, None)
    found = antivirus.cortex("  Name  PID  User  Status  Command\n  pmd  1092  root  Running  /opt/traps/bin/pmd\n", NOW)
    assert found is not None and found.enabled is True
    found = antivirus.cortex("Content Version: 1270-1\n", NOW)
    assert found is not None and (found.version, found.enabled) == ("1270-1", None)


def test_defender_on_linux() -> None:
    """Its health as JSON, in the older and the newer form."""
    found = antivirus.defender(
        '{"realTimeProtectionEnabled": {"value": true}, "appVersion": "101.2", "definitionsStatus": "up_to_date"}', NOW
    )
    assert found == ("Microsoft Defender", "101.2", True, True, None)
    assert antivirus.defender("mdatp: error", NOW) is None


def test_kaspersky() -> None:
    """Old databases are out of date."""
    page = "Name: Kaspersky Endpoint Security 11 for Linux\nVersion: 11.2\nLast release date of databases: 2023-10-01 10:00:00\n"
    page += "File Threat Protection: Available and running\n"
    found = antivirus.kaspersky(page, NOW)
    assert found is not None and (found.enabled, found.current) == (True, False)


def test_a_page_of_another_kind_is_no_product() -> None:
    """What is not the expected page names no product."""
    for read in (antivirus.bitdefender, antivirus.cortex, antivirus.sentinelone, antivirus.defender, antivirus.kaspersky):
        assert read("", NOW) is None and read("1\n", NOW) is None


@given(st.text(max_size=200))
def test_whatever_the_text_reading_ends_well(text: str) -> None:
    """Any text is read without an error."""
    for read in (antivirus.bitdefender, antivirus.cortex, antivirus.sentinelone, antivirus.defender, antivirus.kaspersky):
        read(text, NOW)
        read(f"Product version: 1\nAgent version: 2\nName: Kaspersky\nContent Version: x\n{text}", NOW)
