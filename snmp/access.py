"""Who may ask: communities and USM users, each from everywhere or only from given networks. Everything is read-only."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .usm import User

Network = IPv4Network | IPv6Network
Source = str | tuple[Any, ...] | IPv4Address | IPv6Address
"""Where a datagram came from: an address, its text, or what `socket.recvfrom` gives."""

_REMEMBERED = 1024


def address_of(source: Source) -> str:
    """The text of a source's address as the socket layer gave it."""
    return str(source[0]) if isinstance(source, tuple) else str(source)


class Networks:
    """A set of networks; empty means everywhere. Remembers its latest verdicts, since the same few managers ask."""

    __slots__ = ("_verdicts", "networks")

    def __init__(self, networks: Iterable[str | Network] = ()) -> None:
        """Raises ValueError, naming it, for what is no network such as ``10.1.0.0/16`` (host bits zero) or address."""
        self.networks: tuple[Network, ...] = tuple(ip_network(network) for network in networks)
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
        try:
            address = ip_address(text.partition("%")[0])
        except ValueError:
            return False
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in self.networks)


class CommunityAccess:
    """A community that may read (v1 and v2c), and what it sees: `context` names one of the responder's trees."""

    __slots__ = ("context", "name", "networks")

    def __init__(self, name: bytes, networks: Iterable[str | Network] = (), context: bytes = b"") -> None:
        self.name = name
        self.networks = Networks(networks)
        self.context = context


class UserAccess:
    """A USM user who may read, at `level` or above (0 noAuthNoPriv, 1 authNoPriv, 3 authPriv; None: the user's own)."""

    __slots__ = ("level", "networks", "user")

    def __init__(self, user: User, networks: Iterable[str | Network] = (), level: int | None = None) -> None:
        self.user = user
        self.networks = Networks(networks)
        self.level = user.level if level is None else level
