"""Names of ports: what one device calls another's port is found among its interfaces, or not at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.estate.portnames import Ports, plain
from collector.model import Interface

CATALYST = Ports(
    [
        Interface(10101, "Gi0/1", description="GigabitEthernet0/1", alias="Uplink", mac="00:1b:54:00:00:01"),
        Interface(10102, "Gi0/2", description="GigabitEthernet0/2", alias="Spare", mac="00:1b:54:00:00:02"),
        Interface(10103, "Te1/1/1", description="TenGigabitEthernet1/1/1", alias="Spare"),
        Interface(10104, "Po1", description="Port-channel1"),
    ]
)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("Gi0/1", "Gi0/1"), ("GigabitEthernet0/1", "Gi0/1"), ("gigabitEthernet 0/1", "Gi0/1"), ("GE0/1", "Gi0/1"),
        ("Uplink", "Gi0/1"), ("00:1b:54:00:00:02", "Gi0/2"), ("XGigabitEthernet1/1/1", "Te1/1/1"), ("port-channel1", "Po1"),
        ("Spare", ""), ("Gi0/3", ""), ("", ""), ("10101", ""),
    ],
)  # fmt: skip
def test_a_port_is_found_by_whatever_it_is_called(said: str, meant: str) -> None:
    """Short or long, with blanks or without, by alias or address; what two ports are called means neither."""
    assert CATALYST.find(said) == meant


def test_the_first_name_that_means_a_port_counts() -> None:
    """LLDP gives an id and a description: the one that is understood is taken."""
    assert CATALYST.first(["1", "GigabitEthernet0/2"]) == "Gi0/2"
    assert CATALYST.first([]) == ""


@given(st.text(max_size=30))
def test_plain_names_stay_plain(text: str) -> None:
    """Bringing a name into its one form twice changes nothing more."""
    assert plain(plain(text)) == plain(text)
