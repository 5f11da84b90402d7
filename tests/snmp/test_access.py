"""Networks that may ask."""

from __future__ import annotations

import re

import pytest

from snmp.access import CommunityAccess, Networks, UserAccess
from snmp.usm import User


def test_no_networks_means_everywhere() -> None:
    """An empty list restricts nobody."""
    assert "203.0.113.9" in Networks()
    assert ("2001:db8::1", 161, 0, 0) in Networks([])


def test_a_network_holds_its_addresses() -> None:
    """Text and socket addresses of both families are judged, mapped IPv4 as IPv4, scopes left aside."""
    networks = Networks(["10.1.0.0/16", "192.0.2.7", "fe80::/10"])
    for inside in ("10.1.9.9", ("192.0.2.7", 5), "10.1.0.1", "::ffff:10.1.2.3", ("fe80::1%eth0", 161, 0, 2)):
        assert inside in networks
        assert inside in networks, "the remembered verdict is the same"
    for outside in ("10.2.0.1", ("192.0.2.8", 5), "fd00::1", "localhost", ""):
        assert outside not in networks


@pytest.mark.parametrize("text", ["10.1.2.3/16", "10.1.0.0/33", "10.1.0.0/-1", "10.1.0.0/", "fd00::1/8", "office", ""])
def test_what_is_no_network_is_named(text: str) -> None:
    """A mistyped network is refused with its text."""
    with pytest.raises(ValueError, match=re.escape(text) or "''"):
        CommunityAccess(b"public", [text])


def test_verdicts_remembered_are_bounded() -> None:
    """Forged sources without end do not fill the memory."""
    networks = Networks(["10.0.0.0/8"])
    for i in range(5000):
        assert (f"10.0.{i >> 8}.{i & 255}" in networks) and (f"11.0.{i >> 8}.{i & 255}" not in networks)
    assert len(networks._verdicts) <= 1024


def test_a_users_level_is_its_own_unless_told() -> None:
    """Without a level given a user must use all the secrets it has."""
    user = User(b"sealed", "SHA-1", b"authpass1234", "AES-128", b"privpass1234")
    assert [UserAccess(user).level, UserAccess(user, level=1).level, UserAccess(User(b"open")).level] == [3, 1, 0]
