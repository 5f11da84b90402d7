"""Who may ask: communities and USM users, each from everywhere or only from given networks. Everything is read-only."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from .usm import User

Source = str | tuple[Any, ...]
"""Where a datagram came from: the text of an address, or what `socket.recvfrom` gives."""

_REMEMBERED = 1024
_FAMILIES = ((socket.AF_INET, 32), (socket.AF_INET6, 128))
_MAPPED = 0xFFFF


def address_of(source: Source) -> str:
    """The text of a source's address as the socket layer gave it."""
    return str(source[0]) if isinstance(source, tuple) else source


class Network(NamedTuple):
    """An address and how many of its `bits` (32 or 128) are the network's."""

    bits: int
    number: int
    length: int

    @classmethod
    def parse(cls, text: str) -> Network:
        """Read ``10.1.0.0/16`` or a single address; raises ValueError that says what would be right."""
        plain, slash, length = text.partition("/")
        for family, bits in _FAMILIES:
            try:
                number = int.from_bytes(socket.inet_pton(family, plain), "big")
            except OSError:
                continue
            if not slash:
                return cls(bits, number, bits)
            if not (length.isascii() and length.isdigit() and int(length) <= bits):
                break
            rest = number & (1 << bits - int(length)) - 1
            if rest:
                right = socket.inet_ntop(family, (number - rest).to_bytes(bits // 8, "big"))
                raise ValueError(f'found {text!r}, whose last bits are not zero; expected "{right}/{length}"')
            return cls(bits, number, int(length))
        raise ValueError(f'found {text!r}, expected a network, such as "10.1.0.0/16" or "fd00::/8"')

    def holds(self, bits: int, number: int) -> bool:
        """Is this address, of so many bits, within?"""
        return bits == self.bits and not (number ^ self.number) >> bits - self.length


class Networks:
    """A set of networks; empty means everywhere. Remembers its latest verdicts, since the same few managers ask."""

    __slots__ = ("_verdicts", "networks")

    def __init__(self, networks: Iterable[str] = ()) -> None:
        """Raises ValueError, naming it, for what is no network such as ``10.1.0.0/16`` (host bits zero) or address."""
        self.networks: tuple[Network, ...] = tuple(Network.parse(network) for network in networks)
        self._verdicts: dict[str, bool] = {}

    def __contains__(self, source: Source) -> bool:
        if not self.networks:
            return True
        text = address_of(source)
        verdict = self._verdicts.get(text)
        if verdict is None:
            if len(self._verdicts) >= _REMEMBERED:
                self._verdicts.clear()
            verdict = self._verdicts[text] = self._holds(text)
        return verdict

    def _holds(self, text: str) -> bool:
        for family, bits in _FAMILIES:
            try:
                number = int.from_bytes(socket.inet_pton(family, text.partition("%")[0]), "big")
            except OSError:
                continue
            if bits == 128 and number >> 32 == _MAPPED:
                bits, number = 32, number & 0xFFFFFFFF
            return any(network.holds(bits, number) for network in self.networks)
        return False


class CommunityAccess:
    """A community that may read (v1 and v2c), and what it sees: `context` names one of the responder's trees."""

    __slots__ = ("context", "name", "networks")

    def __init__(self, name: bytes, networks: Iterable[str] = (), context: bytes = b"") -> None:
        self.name = name
        self.networks = Networks(networks)
        self.context = context


class UserAccess:
    """A USM user who may read, at `level` or above (0 noAuthNoPriv, 1 authNoPriv, 3 authPriv; None: the user's own)."""

    __slots__ = ("level", "networks", "user")

    def __init__(self, user: User, networks: Iterable[str] = (), level: int | None = None) -> None:
        self.user = user
        self.networks = Networks(networks)
        self.level = user.level if level is None else level

    def admits(self, level: int) -> bool:
        """Is a message at this security level as well protected as it must be?"""
        return level & self.level == self.level
