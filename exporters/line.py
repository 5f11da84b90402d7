"""Tests of the units' lines: one agent at a time gets leave for a short transfer each way, within hours, rate and budget."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from collector.estate.admission import Agent
from collector.estate.agents import Agents
from config.settings import Settings

GRANTED = 900.0
"""Seconds for which leave to test the line holds."""
_LATE = 3.0
"""An agent's octets count for at most so many times the seconds of a test: a slow line holds some that were sent in time."""
_PIECE = 8 << 10
"""Octets sent at once: they fit a TLS record, which arrives whole, and are what the agent reads at once."""
_FRESH = {"Cache-Control": "no-store"}


@dataclass(slots=True)
class _Leave:
    """An agent may test its unit's line, each way once. `since` is Unix seconds, as the database has it."""

    agent: int
    since: float
    used: set[str] = field(default_factory=set)


class Line:
    """The pages with which agents test their lines. `settings` gives those in force."""

    def __init__(self, agents: Agents, settings: Callable[[], Settings]) -> None:
        self._agents = agents
        self._settings = settings
        self._leaves: dict[str, _Leave] = {}
        self._testing: set[str] = set()

    async def leave(self, agent: Agent, now: float) -> Mapping[str, Any] | None:
        """What this agent is told when it shall test its unit's line now; None when it shall not."""
        settings = self._settings()
        told = settings.agents
        allowed = told.line_test_hours is None or told.line_test_hours.holds(datetime.now().time())
        if not told.line_test_every or not allowed or agent.unit not in settings.units:
            return None
        every = told.line_test_every
        last = self._leaves.get(agent.unit)
        if last is not None and not last.used and now - last.since > GRANTED:
            # Whoever had leave made no use of it: another one's turn, once each.
            own = agent.tested is not None and now - agent.tested < every
            every = every if own else GRANTED
        if not await asyncio.to_thread(self._agents.may_test, agent, every, now):
            return None
        self._leaves[agent.unit] = _Leave(agent.id, now)
        rate = self._rate(agent.unit)
        leave = {"seconds": told.line_test_seconds, "bytes": told.line_test_bytes // 2}
        return {**leave, "rate": rate * 8} if rate else leave

    def _rate(self, unit: str) -> float:
        """Bytes a second at most, 0 for no limit: what the settings say, or what the line should bear."""
        settings = self._settings()
        known = settings.units.get(unit)
        bits = settings.agents.line_test_rate or (known.bandwidth if known is not None else 0)
        return bits / 8 if bits else 0.0

    def _use(self, agent: Agent, way: str) -> None:
        """The agent begins to test one way; raises HTTPException when it may not."""
        if agent.tested is None or not 0 <= time.time() - agent.tested <= GRANTED:
            raise HTTPException(403, "no test of the line is due; a check-in says when one is")
        leave = self._leaves.get(agent.unit)
        if leave is None or (leave.agent, leave.since) != (agent.id, agent.tested):
            # Another collector gave leave, or this one before it was restarted.
            leave = self._leaves[agent.unit] = _Leave(agent.id, agent.tested)
        if agent.unit in self._testing:
            raise HTTPException(429, "the line is being tested already", {"Retry-After": "60"})
        if way in leave.used:
            raise HTTPException(403, "the line was tested this way already; a check-in says when it is due again")
        leave.used.add(way)

    async def send(self, agent: Agent) -> Response:
        """Octets for the agent to measure how fast they come."""
        self._use(agent, "send")
        told = self._settings().agents
        size, seconds, rate = told.line_test_bytes // 2, told.line_test_seconds, self._rate(agent.unit)

        async def body() -> AsyncIterator[bytes]:
            self._testing.add(agent.unit)
            began, sent = time.monotonic(), 0
            try:
                while sent < size and time.monotonic() - began < seconds:
                    piece = os.urandom(min(_PIECE, size - sent))  # nothing on the way can compress it
                    yield piece
                    sent += len(piece)
                    if rate and (ahead := sent / rate - (time.monotonic() - began)) > 0:
                        await asyncio.sleep(ahead)
            finally:
                self._testing.discard(agent.unit)

        return StreamingResponse(body(), media_type="application/octet-stream", headers=_FRESH)

    async def take(self, agent: Agent, request: Request) -> Response:
        """Octets of the agent's; it is told how many came in how long."""
        self._use(agent, "take")
        told = self._settings().agents
        first = last = 0.0
        count = size = 0
        self._testing.add(agent.unit)
        try:
            async with asyncio.timeout(_LATE * told.line_test_seconds):
                async for piece in request.stream():
                    if not piece:
                        continue
                    last = time.monotonic()
                    first = first or last
                    size += len(piece)
                    count += len(piece) if last != first else 0  # what came first tells nothing of how long it took
                    if size > told.line_test_bytes // 2:
                        raise HTTPException(413, "the test is larger than was allowed")
        except TimeoutError:
            raise HTTPException(408, "the test took longer than was allowed") from None
        finally:
            self._testing.discard(agent.unit)
        return JSONResponse({"bytes": count, "seconds": last - first}, headers=_FRESH)
