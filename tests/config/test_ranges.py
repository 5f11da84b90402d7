from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.ranges import Ranges, Spans, number_of, parse, text_of

NUMBERS = st.integers(0, 300)


def listed(ranges: Ranges) -> list[str]:
    return [text_of(number) for number in ranges]


@given(st.lists(st.tuples(st.booleans(), NUMBERS, st.integers(0, 40))))
def test_spans_are_a_set(steps: list[tuple[bool, int, int]]) -> None:
    """Spans hold what was added and not removed since, in as few spans as possible, through dump and load."""
    spans, members = Spans(), set[int]()
    for adding, first, length in steps:
        numbers = range(first, first + length + 1)
        if adding:
            spans.add(first, first + length)
            members.update(numbers)
        else:
            spans.remove(first, first + length)
            members.difference_update(numbers)
    assert {number for number in range(-1, 400) if number in spans} == members
    assert len(spans) == sum(number - 1 not in members for number in members)
    assert list(Spans.load(spans.dump())) == list(spans)


def test_a_network_is_asked_without_its_own_addresses() -> None:
    """Network and broadcast addresses are left out, also those of the smaller networks a larger one may be cut into."""
    assert listed(Ranges(["10.1.2.0/30"])) == ["10.1.2.1", "10.1.2.2"]
    large = Ranges(["10.1.2.0/23"])
    assert large.count() == len(list(large)) == 508
    for address in ("10.1.2.0", "10.1.2.255", "10.1.3.0", "10.1.3.255"):
        assert address not in large
    assert listed(Ranges(["10.1.2.254-10.1.3.1"])) == ["10.1.2.254", "10.1.3.1"]
    assert listed(Ranges(["10.1.2.64/26"]))[::61] == ["10.1.2.65", "10.1.2.126"]
    assert listed(Ranges(["10.1.2.0/31"])) == ["10.1.2.0", "10.1.2.1"]
    assert listed(Ranges(["10.1.2.255"])) == ["10.1.2.255"]
    assert listed(Ranges(["fd00::/126"])) == ["fd00::1", "fd00::2", "fd00::3"]


def test_what_is_excluded_is_not_asked() -> None:
    """Exclusions are taken away whole; addresses of other families and forms are compared as addresses."""
    found = Ranges(["10.1.2.0/24", "fd00::10-fd00::1f"], ["10.1.2.64/26", "10.1.2.9", "fd00::18-fd00::ff"])
    assert found.count() == len(list(found)) == 254 - 64 - 1 + 8
    assert "10.1.2.64" not in found and "10.1.2.127" not in found and "10.1.2.9" not in found
    assert "fd00::18" not in found and "FD00:0::17" in found
    assert "::ffff:10.1.2.8" in found
    assert "not an address" not in found and "10.1.2.8:161" not in found and 7.5 not in found


@given(st.integers(0, 2**32 - 1), st.integers(8, 32))
def test_counting_is_listing(address: int, length: int) -> None:
    """`count` is the number of addresses listed, without listing them."""
    network = ipaddress.ip_network((address, max(length, 20)), strict=False)
    try:
        ranges = Ranges([str(network)])
    except ValueError:
        return
    assert ranges.count() == len(list(ranges))


def test_huge_ranges_are_counted_at_once() -> None:
    """A range that holds more than can ever be asked costs nothing to read, count and look into."""
    huge = Ranges(["10.0.0.0/8", "fd00::/16"], ["fd00:1::/32"])
    assert huge.count() == 2**24 - 2 * 2**16 + 2**112 - 1 - 2**96
    assert "fd00:2::1" in huge and "fd00:1::1" not in huge


def test_common_addresses_are_found() -> None:
    """Two sets that share an address name the first; an excluded or hushed one is not shared."""
    one = Ranges(["10.1.0.0/16"], ["10.1.2.0/24"])
    assert one.common(Ranges(["10.1.2.0/24"])) == ""
    assert one.common(Ranges(["10.1.2.0-10.1.3.255"])) == "10.1.3.1"
    assert one.common(Ranges(["10.1.3.255-10.1.4.0"])) == ""
    assert one.common(Ranges(["10.1.9.9"])) == "10.1.9.9"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("10.1.2.5/24", "found '10.1.2.5/24', expected the network's first address, as in 10.1.2.0/24"),
        ("10.1.2", "found '10.1.2', expected an address range, such as \"10.1.2.0/24\""),
        ("10.1.2.0/33", "found '10.1.2.0/33', expected an address range"),
        ("10.1.2.9-10.1.2.1", "expected the lower address first"),
        ("10.1.2.9-fd00::1", "expected the lower address first"),
        ("224.0.0.0/24", "expected addresses of machines: 224.0.0.0 is a multicast address"),
        ("0.0.0.0/0", "0.0.0.0 is reserved"),
        ("255.255.255.255", "255.255.255.255 is reserved"),
        ("10.0.0.1-255.255.255.255", "255.255.255.255 is reserved"),
        ("fe80::1%eth0", "fe80::1%eth0 is an address of one link only"),
        ("ff02::1", "ff02::1 is a multicast address"),
        ("switch.example", "found 'switch.example', expected an address range"),
    ],
)
def test_each_mistake_is_named(text: str, message: str) -> None:
    """What is no range of machines' addresses is refused with what was found and what is expected."""
    with pytest.raises(ValueError, match=r"^found ") as caught:
        parse(text)
    assert message in str(caught.value)


def test_addresses_are_numbers_and_back() -> None:
    """An address has one number whatever its spelling; what no machine can have has none."""
    for text in ("10.1.2.3", "fd00::1", "0.0.0.1", "::1"):
        number = number_of(text)
        assert (text_of(number) if number is not None else None) == (None if text == "0.0.0.1" else text)
    assert number_of("::ffff:10.1.2.3") == number_of("10.1.2.3")
    assert [number_of(text) for text in ("255.255.255.255", "224.0.0.1", "fe80::1%3", "", "::")] == [None] * 5
