"""Where agents' reports arrive: the SNMP engine they are sent to, and one UDP socket, which answers from the address it was
asked at."""

from __future__ import annotations

import ipaddress
import logging
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from config import objects
from snmp.engine import Engine, engine_id, steady, write_state
from snmp.errors import StateError
from snmp.sockets import ANCILLARY, Ancillary, from_asked, note_asked, widen

from ..errors import ReceiveError

log = logging.getLogger(__name__)

ENGINE_ID, BOOTS = "receive-engine-id", "receive-boots"
_LARGEST = 65535


def open_engine(directory: Path) -> Engine:
    """The collector's own engine, its ID made once and kept, its boots counted; raises ReceiveError."""
    path = directory / ENGINE_ID
    try:
        directory.mkdir(parents=True, exist_ok=True)
        try:
            known = bytes.fromhex(path.read_text(encoding="ascii"))
        except FileNotFoundError:
            known = engine_id(objects.ENTERPRISE, os.urandom(12))
            write_state(path, known.hex() + "\n")
        return Engine.start(directory / BOOTS, known, steady())
    except (OSError, StateError, ValueError) as error:
        raise ReceiveError(f"{path}: the engine that agents send to cannot be opened: {error}") from error


class Origin(NamedTuple):
    """Where a datagram came from, and to which of our addresses."""

    address: tuple[Any, ...]
    ours: Ancillary

    @property
    def host(self) -> str:
        return str(self.address[0])


class Inbox:
    """The socket, bound; raises ReceiveError."""

    def __init__(self, listen: tuple[str, int]) -> None:
        host, port = listen
        try:
            family = socket.AF_INET6 if ipaddress.ip_address(host).version == 6 else socket.AF_INET
            self.sock = socket.socket(family, socket.SOCK_DGRAM)
            try:
                widen(self.sock)
                self._everywhere = note_asked(self.sock, host)
                self.sock.setblocking(False)
                self.sock.bind((host, port))
            except OSError:
                self.sock.close()
                raise
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            raise ReceiveError(f"cannot take reports at {host}:{port}: {why}") from error

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        host, port = self.sock.getsockname()[:2]
        return host, port

    def read(self, most: int) -> Iterator[tuple[bytes, Origin]]:
        """What has arrived, so many datagrams at most."""
        ours: Ancillary = []
        for _ in range(most):
            try:
                if self._everywhere:
                    data, ancillary, _, address = self.sock.recvmsg(_LARGEST, ANCILLARY)
                    ours = from_asked(ancillary)
                else:
                    data, address = self.sock.recvfrom(_LARGEST)
            except OSError:
                return  # nothing more, or an ICMP error for something sent
            yield data, Origin(address, ours)

    def send(self, data: bytes, to: Origin) -> None:
        """Send a datagram back; one the network will not take is lost, and asked for again."""
        try:
            if to.ours:
                self.sock.sendmsg([data], to.ours, 0, to.address)
            else:
                self.sock.sendto(data, to.address)
        except OSError as error:
            log.debug("not sent to=%s reason=%r", to.host, error.strerror)

    def close(self) -> None:
        """Let go of the port."""
        self.sock.close()
