"""Orders to a running simulator: lines over TCP on the loopback, one answer line each, ``error: ...`` when refused."""

from __future__ import annotations

import selectors
import socket
from collections.abc import Callable, Iterable
from typing import Any

HOST = "127.0.0.1"
_LONGEST = 4096
_TIMEOUT = 10.0


class Control:
    """The listening end; it lives in its owner's selector."""

    def __init__(self, port: int, order: Callable[[str], str]) -> None:
        """`order` carries out a line and returns the answer; a ValueError becomes ``error: ...``. Raises OSError."""
        self._order = order
        self._pending: dict[socket.socket, bytes] = {}
        self._listener = socket.create_server((HOST, port))
        self._listener.setblocking(False)

    def register(self, selector: selectors.BaseSelector) -> None:
        """Begin to listen."""
        selector.register(self._listener, selectors.EVENT_READ)

    def ready(self, ready: Any, selector: selectors.BaseSelector) -> None:
        """Serve a socket that the selector found readable."""
        if ready is self._listener:
            connection, _ = self._listener.accept()
            connection.settimeout(_TIMEOUT)
            self._pending[connection] = b""
            selector.register(connection, selectors.EVENT_READ)
            return
        try:
            data = ready.recv(_LONGEST)
            lines = (self._pending[ready] + data).split(b"\n")
            if not data or len(lines[-1]) > _LONGEST:
                raise ConnectionError
            self._pending[ready] = lines.pop()
            for line in lines:
                ready.sendall(self._answer(line.decode("utf-8", "replace").strip()).encode() + b"\n")
        except OSError:
            selector.unregister(ready)
            del self._pending[ready]
            ready.close()

    def _answer(self, line: str) -> str:
        try:
            return self._order(line)
        except ValueError as error:
            return f"error: {error}"

    def close(self, selector: selectors.BaseSelector) -> None:
        """Hang up."""
        for one in (self._listener, *self._pending):
            selector.unregister(one)
            one.close()


def send(port: int, lines: Iterable[str]) -> list[str]:
    """Give orders to the simulator on `port`: its answers. Raises OSError when there is none, ValueError when it refuses."""
    answers = []
    with (
        socket.create_connection((HOST, port), timeout=_TIMEOUT) as connection,
        connection.makefile("rw", encoding="utf-8") as stream,
    ):
        for line in lines:
            stream.write(f"{line}\n")
            stream.flush()
            answer = stream.readline().rstrip("\n")
            if answer.startswith("error: "):
                raise ValueError(answer.removeprefix("error: "))
            answers.append(answer)
    return answers
