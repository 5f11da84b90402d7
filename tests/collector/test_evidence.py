from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.estate import evidence as module
from collector.estate.evidence import evidence, gather, identifier, mac, model, name, serial, uuid
from collector.model import Component, Device, Facts, Interface

PC = Device("pc-1", "10.0.0.2", 161, "public", "office")


@pytest.mark.parametrize(
    "text",
    ["To be filled by O.E.M.", "To Be Filled By O.E.M", "Default string", "System Serial Number", "0000000000", "00 00",
     "xxxxxxx", "123456789", "0123456789", "N/A", "None", "Not Specified", "", "  ", "A1", "......", "0", "Serial Number"],
)  # fmt: skip
def test_placeholder_serials_are_absent(text: str) -> None:
    """What makers leave where a serial should be tells no machine from another."""
    assert serial(text) == ""


def test_real_serials() -> None:
    """Serials are compared without blanks and in capitals."""
    assert serial(" foc1 234x9yz ") == serial("FOC1234X9YZ") == "FOC1234X9YZ"
    assert serial("5CG0123ABC") == "5CG0123ABC"


def test_uuid_forms() -> None:
    """A UUID is the same with either octet order of its first fields, with or without hyphens and braces."""
    assert uuid("{33221100-5544-7766-8899-AABBCCDDEEFF}") == uuid("00112233445566778899aabbccddeeff") != ""


@pytest.mark.parametrize(
    "text",
    ["00000000-0000-0000-0000-000000000000", "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF", "03000200-0400-0500-0006-000700080009",
     "00020003-0004-0005-0006-000700080009", "12345678-1234-5678-90ab-cddeefaabbcc", "Not Settable", "", "abc"],
)  # fmt: skip
def test_placeholder_uuids_are_absent(text: str) -> None:
    """Zeros, ones and firmware makers' examples are no UUIDs."""
    assert uuid(text) == ""


@pytest.mark.parametrize(
    "text",
    ["00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff", "02:42:ac:11:00:02", "01:00:5e:00:00:01", "00:00:5e:00:01:0a",
     "00:00:0c:07:ac:01", "00:50:56:c0:00:08", "00:11:22", ""],
)  # fmt: skip
def test_addresses_not_burnt_in_are_absent(text: str) -> None:
    """Made-up, group and shared addresses belong to no card."""
    assert mac(text) == ""


def test_names() -> None:
    """Host names lose domain and case, composed or not; names everybody has are absent."""
    assert name("PC-01.commune.example.vn.") == name("pc-01") == "pc-01"
    assert name("Hòa-01") == name("Hòa-01")
    assert [name(text) for text in ("localhost", "Switch", "localhost.localdomain", "")] == ["", "", "", ""]
    assert name("10.0.0.1") == "10.0.0.1"


def test_evidence_of_facts() -> None:
    """Facts give serials (a stack's members too), disks, burnt-in addresses of real ports, and the ids."""
    facts = Facts(
        model="C2960",
        serial="FOC1",
        name="sw-1.example",
        engine_id="0x80001f8880e2f1a7b3c45d6e",
        interfaces=(
            Interface(1, "Gi1", type=6, mac="00:1b:21:01:02:03"),
            Interface(2, "Vlan1", type=53, mac="00:1b:21:01:02:04"),
            Interface(3, "lo", type=24),
        ),
        components=(Component("1", "chassis", serial="FOC1"), Component("2", "chassis", serial="FOC2"),
                    Component("ssd", "disk", serial="S3Z8NB0K"), Component("psu", "powerSupply", serial="LIT1234")),
    )  # fmt: skip
    found = evidence(PC, facts, 1.0)
    assert (found.source, found.unit, found.address, found.time) == ("pc-1", "office", "10.0.0.2", 1.0)
    assert found.values == {
        "serial": {"FOC1", "FOC2"}, "disk": {"S3Z8NB0K"}, "mac": {"001b21010203"}, "name": {"sw-1"}, "model": {"C2960"},
        "engine": {"80001f8880e2f1a7b3c45d6e"},
    }  # fmt: skip
    assert evidence(PC, Facts(), 1.0).values == {}


def test_evidence_is_bounded() -> None:
    """A device that claims thousands of addresses gives no more than is kept of one machine."""
    macs = [f"00:1b:21:{number >> 8:02x}:{number & 255:02x}:01" for number in range(5000)]
    assert len(gather("a", 1.0, "u", "x", {"mac": macs}).values["mac"]) == module.MACS


@given(st.sampled_from((serial, uuid, mac, name, model, identifier)), st.text(max_size=60))
def test_any_text_normalises_once(normal: object, text: str) -> None:
    """Whatever a device says, normalising does not fail, and what comes out is already normal."""
    assert callable(normal)
    once = normal(text)
    assert normal(once) == once
