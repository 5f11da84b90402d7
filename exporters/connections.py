"""Connections to the pages, kept from those who take them and make no use of them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

MOST = 512
"""Connections at once: as many files a process may open leave room for the collector's own."""
MOST_FROM_ONE = 256
"""Of them from one address: Prometheus needs one for each page it scrapes at the same moment."""
ASKING = 15.0
"""Seconds in which a request must be there whole."""
READING = 300.0
"""Seconds in which its answer must be taken: a large page on a weak line takes its time."""


class Connection(H11Protocol):
    """One connection; uvicorn itself would wait for the rest of a request for ever."""

    began: float | None = None
    """When what is under way began, by the loop's clock; None between two requests, which uvicorn bounds."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.began = self.loop.time()
        if len(self.connections) > MOST or self._from_here() > MOST_FROM_ONE:
            transport.abort()

    def _from_here(self) -> int:
        host = self.client and self.client[0]
        others = (other for other in self.connections if isinstance(other, Connection))
        return sum(other.client is not None and other.client[0] == host for other in others)

    def data_received(self, data: bytes) -> None:
        if self.began is None:
            self.began = self.loop.time()
        super().data_received(data)

    def on_response_complete(self) -> None:
        self.began = self.loop.time() if self.conn.trailing_data[0] else None
        super().on_response_complete()

    def is_late(self) -> bool:
        """Does it take longer than anybody needs?"""
        if self.began is None:
            return False
        asking = self.cycle is None or self.cycle.response_complete
        return self.loop.time() - self.began > (ASKING if asking else READING)


def end_late(connections: Iterable[Any]) -> None:
    """Cut off who takes too long."""
    for one in tuple(connections):
        if isinstance(one, Connection) and one.is_late():
            one.transport.abort()
