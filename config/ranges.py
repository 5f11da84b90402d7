"""Address ranges: where a discovery may ask, and nowhere else."""

from __future__ import annotations

import ipaddress
from bisect import bisect_right
from collections.abc import Iterable, Iterator

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

_V6 = 1 << 128
"""IPv6 addresses are kept as numbers behind all IPv4 ones."""
_FORMS = '"10.1.2.0/24", "10.1.2.10-10.1.2.99", "10.1.2.3" or "fd00::/120"'


class Spans:
    """A set of addresses as sorted spans that do not touch: small for what is mostly contiguous, whatever its size."""

    __slots__ = ("_firsts", "_lasts")

    def __init__(self, spans: Iterable[tuple[int, int]] = ()) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        for first, last in spans:
            self.add(first, last)

    def add(self, first: int, last: int | None = None) -> None:
        """Take in the addresses from `first` to `last`, both included, as numbers (`number_of`)."""
        last = first if last is None else last
        low = bisect_right(self._lasts, first - 2)
        high = bisect_right(self._firsts, last + 1)
        if low < high:
            first, last = min(first, self._firsts[low]), max(last, self._lasts[high - 1])
        self._firsts[low:high] = [first]
        self._lasts[low:high] = [last]

    def remove(self, first: int, last: int) -> None:
        """Take out the addresses from `first` to `last`, both included."""
        kept = []
        for start, end in self:
            kept += [(start, min(end, first - 1))] if start < first else []
            kept += [(max(start, last + 1), end)] if end > last else []
        self._firsts = [start for start, _ in kept]
        self._lasts = [end for _, end in kept]

    def __contains__(self, number: int) -> bool:
        at = bisect_right(self._firsts, number) - 1
        return at >= 0 and number <= self._lasts[at]

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(list(zip(self._firsts, self._lasts, strict=True)))

    def __len__(self) -> int:
        """How many spans, not addresses."""
        return len(self._firsts)

    def dump(self) -> str:
        """The set as a text for `load`."""
        return " ".join(f"{first:x}" if first == last else f"{first:x}-{last:x}" for first, last in self)

    @classmethod
    def load(cls, text: str) -> Spans:
        """The set of a text that `dump` made; raises ValueError."""
        ends = [part.partition("-") for part in text.split()]
        return cls((int(first, 16), int(last or first, 16)) for first, _, last in ends)


class Ranges:
    """The addresses an operator allows, and those of them that are left out.

    Of an IPv4 network the first and last address are not asked, nor any that ends in .0 or .255 unless it is named alone:
    in networks cut into smaller ones they speak to all machines at once. Of an IPv6 network the first, the routers' anycast
    address, is not asked.
    """

    __slots__ = ("_alone", "_spans")

    def __init__(self, allowed: Iterable[str], excluded: Iterable[str] = ()) -> None:
        """Raises ValueError("found X, expected Y") for the first text that is no range, or one no machine can have."""
        self._spans = Spans()
        self._alone: set[int] = set()
        for text in allowed:
            first, last = parse(text)
            if last - first <= int("/" in text):  # RFC 3021: both addresses of a /31 are hosts
                self._alone.update((first, last))
            elif "/" in text:
                first, last = _hosts(ipaddress.ip_network(text))
            self._spans.add(first, last)
        for text in excluded:
            self._spans.remove(*parse(text))

    def __contains__(self, address: object) -> bool:
        """Is it an address (text or number) that may be asked?"""
        number = number_of(address) if isinstance(address, str) else address
        return isinstance(number, int) and number in self._spans and not self._hushed(number)

    def __iter__(self) -> Iterator[int]:
        """The addresses that may be asked, ascending, as numbers."""
        for first, last in self._spans:
            for number in range(first, last + 1):
                if not self._hushed(number):
                    yield number

    def count(self) -> int:
        """How many addresses may be asked."""
        total = 0
        for first, last in self._spans:
            total += last - first + 1
            if first < _V6:
                hushed = _multiples(first, last, 0) + _multiples(first, last, 255)
                total -= hushed - sum(1 for number in self._alone if first <= number <= last and number % 256 in (0, 255))
        return total

    def common(self, other: Ranges) -> str:
        """The first address that may be asked by both; empty when there is none."""
        for first, last in self._spans:
            for start, end in other._spans:
                for number in range(max(first, start), min(last, end, max(first, start) + 2) + 1):
                    if number in self and number in other:
                        return text_of(number)
        return ""

    def _hushed(self, number: int) -> bool:
        return number < _V6 and number % 256 in (0, 255) and number not in self._alone


def parse(text: str) -> tuple[int, int]:
    """The first and last address of a range, as numbers; raises ValueError("found X, expected Y")."""
    start, dash, end = text.partition("-")
    try:
        if "/" in text:
            network = ipaddress.ip_network(text, strict=False)
            if str(network.network_address) != str(ipaddress.ip_address(text.partition("/")[0])):
                raise ValueError(f"found {text!r}, expected the network's first address, as in {network}")
            first, last = network.network_address, network.broadcast_address
        else:
            first = ipaddress.ip_address(start.strip())
            last = ipaddress.ip_address(end.strip()) if dash else first
    except ValueError as error:
        if str(error).startswith("found "):
            raise
        raise ValueError(f"found {text!r}, expected an address range, such as {_FORMS}") from None
    if first.version != last.version or int(first) > int(last):
        raise ValueError(f"found {text!r}, expected the lower address first, then the higher one")
    for address in (first, last):
        if problem := _impossible(address):
            raise ValueError(f"found {text!r}, expected addresses of machines: {address} is {problem}")
    return _number(first), _number(last)


def number_of(address: str) -> int | None:
    """An address as a number that tells IPv4 and IPv6 apart; None for what is no address of one machine."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return None if _impossible(found) else _number(found)


def text_of(number: int) -> str:
    """The address that a number stands for, in its usual form."""
    return str(ipaddress.IPv4Address(number) if number < _V6 else ipaddress.IPv6Address(number - _V6))


def _number(address: IPAddress) -> int:
    return int(address) + (_V6 if address.version == 6 else 0)


def _hosts(network: IPNetwork) -> tuple[int, int]:
    first, last = _number(network.network_address), _number(network.broadcast_address)
    return first + 1, last - (network.version == 4)


def _multiples(first: int, last: int, rest: int) -> int:
    """How many numbers from first to last leave this rest when divided by 256."""
    return (last - rest) // 256 - (first - 1 - rest) // 256


def _impossible(address: IPAddress) -> str:
    """Why no machine can be asked at this address; empty when one can."""
    if address.version == 6 and "%" in str(address):
        return "an address of one link only"
    if address.is_multicast:
        return "a multicast address"
    if address.is_unspecified or (address.version == 4 and int(address) >> 24 in (0, *range(240, 256))):
        return "reserved"
    return ""
