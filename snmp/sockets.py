"""UDP sockets for many peers: opened with room for bursts, and their errors and losses read back."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterable, Iterator
from typing import NamedTuple

RECEIVE_BUFFER = 8 << 20
_IP_RECVERR, _IPV6_RECVERR = 11, 25
_MSG_ERRQUEUE = 0x2000
_SO_RCVBUFFORCE = 33
"""Beyond net.core.rmem_max; needs CAP_NET_ADMIN."""
_IP_PKTINFO = 8
"""linux/in.h; Python names it from 3.14 on."""

Ancillary = list[tuple[int, int, bytes]]
ANCILLARY = 256
"""Octets of room for it."""


def open_socket(family: int) -> socket.socket:
    """A non-blocking socket on a free port of every address; ICMP errors are queued where the system can; raises OSError."""
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.setblocking(False)
    widen(sock)
    if sys.platform == "linux":
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)
        else:
            sock.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
    sock.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", 0))
    return sock


def widen(sock: socket.socket) -> None:
    """Room for bursts of datagrams, as much as the system allows."""
    for option in (_SO_RCVBUFFORCE, socket.SO_RCVBUF) if sys.platform == "linux" else (socket.SO_RCVBUF,):
        try:
            sock.setsockopt(socket.SOL_SOCKET, option, RECEIVE_BUFFER)
            break
        except OSError:
            continue


def note_asked(sock: socket.socket, host: str) -> bool:
    """Have `recvmsg` tell which of our addresses a datagram came to, where the socket is for all of them; False: no need, or no
    way. Who has asked one address takes no answer from another."""
    if sys.platform != "linux" or host not in ("0.0.0.0", "::"):
        return False
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
    return True


def from_asked(ancillary: Iterable[tuple[int, int, bytes]]) -> Ancillary:
    """What `sendmsg` takes to answer from the address that was asked."""
    ours: Ancillary = []
    for level, kind, info in ancillary:
        if level == socket.IPPROTO_IP and kind == _IP_PKTINFO and len(info) >= 12:
            # struct in_pktinfo: leave the way to the routing table, keep the address
            ours.append((level, kind, bytes(4) + info[4:8] + bytes(4)))
        elif level == socket.IPPROTO_IPV6 and kind == socket.IPV6_PKTINFO and len(info) >= 20:
            ours.append((level, kind, info[:20]))
    return ours


class QueuedError(NamedTuple):
    """An ICMP error that came in: `data` is as much of the datagram that caused it as came back, `destination` where that was
    sent; `own`: sent by the destination itself, not by a router on the way or by this machine."""

    errno: int
    data: bytes
    destination: tuple[str, int]
    own: bool


def queued_errors(sock: socket.socket) -> Iterator[QueuedError]:
    """The ICMP errors that came in."""
    while sys.platform == "linux":
        try:
            data, ancillary, _, destination = sock.recvmsg(65535, 512, _MSG_ERRQUEUE)
        except OSError:
            return
        told = next((a[2] for a in ancillary if a[1] in (_IP_RECVERR, _IPV6_RECVERR)), b"")
        host, port = (destination or ("", 0))[:2]
        yield QueuedError(int.from_bytes(told[:4], sys.byteorder), data, (host, port), host != "" and host == _offender(told))


def _offender(told: bytes) -> str:
    """Who sent an ICMP error: behind linux/errqueue.h's sock_extended_err stands a sockaddr_in or sockaddr_in6; else nobody."""
    family = int.from_bytes(told[16:18], sys.byteorder)
    if family == socket.AF_INET and len(told) >= 24:
        return socket.inet_ntop(family, told[20:24])
    if family == socket.AF_INET6 and len(told) >= 40:
        return socket.inet_ntop(family, told[24:40])
    return ""


def dropped(sockets: Iterable[socket.socket]) -> int:
    """Datagrams the kernel dropped because a receive buffer was full (Linux: /proc/net/udp; elsewhere 0)."""
    total = 0
    for sock in sockets:
        inode = str(os.fstat(sock.fileno()).st_ino)
        path = "/proc/net/udp6" if sock.family == socket.AF_INET6 else "/proc/net/udp"
        try:
            with open(path) as f:
                total += next((int(row[-1]) for row in map(str.split, f) if len(row) > 12 and row[9] == inode), 0)
        except OSError:
            pass
    return total
