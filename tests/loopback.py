"""A blocking UDP server around a pure `answer(data, source)`, for tests with real peers."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def served(answer: Callable[[bytes, Any], bytes | None], host: str = "127.0.0.1") -> Iterator[int]:
    """Serve on a free port until the block ends: gives the port; what `answer` raises is raised when it ends."""
    failures: list[BaseException] = []
    stop = threading.Event()
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.bind((host, 0))
        port: int = sock.getsockname()[1]

        def serve() -> None:
            while True:
                data, source = sock.recvfrom(65535)
                if stop.is_set():
                    return
                try:
                    reply = answer(data, source)
                except BaseException as e:
                    failures.append(e)
                    return
                if reply is not None:
                    sock.sendto(reply, source)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield port
        finally:
            stop.set()
            with socket.socket(family, socket.SOCK_DGRAM) as waker:
                waker.sendto(b"", (host, port))
            thread.join(60)
    if failures:
        raise failures[0]
