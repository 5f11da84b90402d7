from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.polling.hints import leased
from collector.polling.leases import Lease, read

NOW = 1_800_000_000.0

ISC = """# The format of this file is documented in the dhcpd.leases(5) manual page.
authoring-byte-order little-endian;

lease 10.1.2.3 {
  starts 4 2026/01/01 12:00:00;
  ends 4 2026/01/01 13:00:00;
  binding state active;
  hardware ethernet 00:1b:21:01:02:03;
  client-hostname "pc one";
}
lease 10.1.2.4 {
  ends 5 2099/01/01 13:00:00;
  binding state active;
  next binding state free;
  hardware ethernet 00:1b:21:01:02:04;
}
lease 10.1.2.5 {
  ends epoch 4000000000; # a day far away
  binding state free;
}
lease 10.1.2.3 {
  ends never;
  binding state active;
  hardware ethernet 00:1b:21:01:02:99;
}
ia-na "x" {
  iaaddr fd00::5 {
    binding state active;
    ends never;
  }
}
"""


def test_isc_dhcpd() -> None:
    """The last declaration of an address counts; active ones that have not run out are valid."""
    found = {lease.address: lease for lease in read(ISC, NOW)}
    assert found["10.1.2.3"] == Lease("10.1.2.3", "001b21010299", "", True)
    assert found["10.1.2.4"].valid
    assert not found["10.1.2.5"].valid
    assert found["fd00::5"].valid
    assert not {one.address: one for one in read(ISC.split("lease 10.1.2.4")[0], NOW)}["10.1.2.3"].valid


def test_dnsmasq() -> None:
    """Expiry, MAC, address, name; 0 never ends; IPv6 leases have an identifier in the MAC's place."""
    text = (
        "1900000000 00:1b:21:01:02:03 10.1.2.3 pc-one 01:00:1b:21:01:02:03\n"
        "0 00:1b:21:01:02:04 10.1.2.4 * *\n"
        "1700000000 00:1b:21:01:02:05 10.1.2.5 old *\n"
        "duid 00:01:00:01:2a\n"
        "1900000000 33620227 fd00::5 pc-one 00:01:00:01\n"
    )
    assert read(text, NOW) == [
        Lease("10.1.2.3", "001b21010203", "pc-one", True),
        Lease("10.1.2.4", "001b21010204", "", True),
        Lease("10.1.2.5", "001b21010205", "old", False),
        Lease("fd00::5", "", "pc-one", True),
    ]


def test_tables_with_named_columns() -> None:
    """Kea's memfile and what Windows exports, with commas or semicolons and a type line."""
    kea = (
        "address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context\n"
        "10.1.2.3,00:1b:21:01:02:03,,3600,1900000000,1,0,0,pc-one,0,\n"
        "10.1.2.4,00:1b:21:01:02:04,,3600,1900000000,1,0,0,declined,1,\n"
        "10.1.2.5,00:1b:21:01:02:05,,3600,1700000000,1,0,0,late,0,\n"
    )
    assert [(lease.address, lease.valid) for lease in read(kea, NOW)] == [
        ("10.1.2.3", True), ("10.1.2.4", False), ("10.1.2.5", False),
    ]  # fmt: skip
    for mark in ",;":
        windows = (
            "#TYPE Microsoft.Management.Infrastructure.CimInstance\n"
            '"IPAddress","ScopeId","AddressState","ClientId","HostName"\n'
            '"10.1.2.3","10.1.2.0","Active","00-1b-21-01-02-03","pc-one.example"\n'
            '"10.1.2.4","10.1.2.0","ActiveReservation","00-1b-21-01-02-04",""\n'
            '"10.1.2.5","10.1.2.0","Expired","00-1b-21-01-02-05",""\n'
        ).replace(",", mark)
        assert [(lease.mac, lease.valid) for lease in read(windows, NOW)] == [
            ("001b21010203", True), ("001b21010204", True), ("001b21010205", False),
        ]  # fmt: skip


def test_routeros_export() -> None:
    """The section of leases in an export, whole or alone, with lines that go on and quoted comments."""
    text = (
        "# jan/02/2026 10:00:00 by RouterOS 6.49\n"
        "/ip dhcp-server lease\n"
        "add address=10.1.2.3 client-id=1:0:1b mac-address=00:1B:21:01:02:03 \\\n"
        '    server=dhcp1 comment="printer, hall"\n'
        "add address=10.1.2.4 disabled=yes mac-address=00:1B:21:01:02:04\n"
        "/ip dns static\n"
        "add address=10.9.9.9 name=router\n"
    )
    assert read(text, NOW) == [
        Lease("10.1.2.3", "001b21010203", "printer, hall", True),
        Lease("10.1.2.4", "001b21010204", "", False),
    ]


BEGINNINGS = [
    "",
    "address,expire\n",
    '"IPAddress"\n',
    "/ip dhcp-server lease\nadd address=",
    "lease 10.0.0.1 {\n ends ",
    "1 aa:bb 10.0.0.1 ",
]


@given(st.sampled_from(BEGINNINGS), st.text())
def test_anything_else_is_refused_or_read(beginning: str, text: str) -> None:
    """No text does more than give leases or a ValueError that says what was expected."""
    said = "expected leases of ISC dhcpd"
    try:
        read(beginning + text, NOW)
    except ValueError as error:
        said = str(error)
    assert "expected leases of ISC dhcpd" in said


KEA = "address,expire,hostname,state\n10.1.2.3,1900000000,{},0\n10.1.2.4,1900000000,b,0\n"
WINDOWS = '"IPAddress","HostName","AddressState"\n"10.1.2.3","{}","Active"\n"10.1.2.4","b","Active"\n'
DNSMASQ = "1900000000 00:1b:21:01:02:03 10.1.2.3 {} *\n1900000000 00:1b:21:01:02:04 10.1.2.4 b *\n"
DHCPD = 'lease 10.1.2.3 {{\n  client-hostname "{}";\n}}\nlease 10.1.2.4 {{\n  client-hostname "b";\n}}\n'
ROUTEROS = '/ip dhcp-server lease\nadd address=10.1.2.3 comment="{}"\nadd address=10.1.2.4 comment=b\n'
HOSTILE = st.text(st.characters(blacklist_characters='"\\\n', blacklist_categories=["Cs"])) | st.sampled_from(
    ["'", "}", "lease 10.1.2.4 {", "10.1.2.4", "a,b;c", "\u2028", "\x85", "\r", "#", "=", " add address=10.1.2.4", "a" * 200_000]
)


@given(st.sampled_from([KEA, WINDOWS, DNSMASQ, DHCPD, ROUTEROS]), HOSTILE)
def test_a_name_spoils_its_own_line_only(form: str, name: str) -> None:
    """Whatever a client calls itself, the lease after its own is read as ever, and no other lease appears."""
    found = {lease.address: lease for lease in read(form.format(name), NOW)}
    assert found["10.1.2.4"].name == "b"
    assert found["10.1.2.4"].valid
    assert found.keys() <= {"10.1.2.3", "10.1.2.4"}


def test_a_quotation_mark_that_is_not_closed() -> None:
    """It ends with its line: a client whose name begins with one hides no other."""
    for form in (KEA, WINDOWS.replace('"{}"', "{}")):
        assert [lease.address for lease in read(form.format('"'), NOW)] == ["10.1.2.3", "10.1.2.4"]


def test_numbers_nobody_has() -> None:
    """Times that are none, or too long, are that line's trouble."""
    text = "1900000000 00:1b:21:01:02:03 10.1.2.3 a *\n²² 00:1b:21:01:02:05 10.1.2.5 a *\n" + "9" * 5000 + " x 10.1.2.6 a *\n"
    assert [lease.address for lease in read(text, NOW)] == ["10.1.2.3"]


@pytest.mark.parametrize(
    "text",
    [
        "# leases\n" + "\n" * 1_000_000 + "x",
        ("lease " + " " * 2000 + "\n") * 500,
        "/ip dhcp-server lease\nadd " + "a" * 2_000_000,
        "/ip dhcp-server lease\nadd " + "a-" * 4_000 + "\n",
        'address,x\n"' + "1," * 1_000_000,
    ],
    ids=["blank lines", "spaces", "one long line", "no pairs", "cells"],
)
def test_large_nonsense_takes_no_time(text: str) -> None:
    """Reading takes time in proportion to the text, whatever is in it."""
    began = time.process_time()
    with contextlib.suppress(ValueError):
        read(text, NOW)
    assert time.process_time() - began < 5


def test_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows' encodings are read; a file that is missing, too large or no lease file is said, and the others count."""
    (tmp_path / "one").write_text('"IPAddress","AddressState"\n"10.1.2.3","Active"\n', encoding="utf-16")
    (tmp_path / "two").write_text("address,expire\n10.1.2.4,\n", encoding="utf-8-sig")
    (tmp_path / "three").write_text("hello\n")
    files = [tmp_path / name for name in ("one", "two", "three", "four")]
    hints, problems = leased(files)
    assert [(hint.address, hint.how) for hint in hints] == [("10.1.2.3", "lease in one"), ("10.1.2.4", "lease in two")]
    assert problems == [
        f"lease file {tmp_path}/three: begins with 'hello', expected leases of ISC dhcpd, dnsmasq, Kea, "
        "Windows (Export-Csv) or MikroTik",
        f"lease file {tmp_path}/four: cannot be read (No such file or directory)",
    ]
    os.mkfifo(tmp_path / "pipe")
    assert leased([tmp_path / "pipe", tmp_path])[1] == [
        f"lease file {tmp_path}/pipe: is no regular file, expected one with leases",
        f"lease file {tmp_path}: is no regular file, expected one with leases",
    ]
    monkeypatch.setattr("collector.polling.leases.LARGEST", 3)
    assert "has 6 octets, expected 3 at most" in leased(files)[1][2]
