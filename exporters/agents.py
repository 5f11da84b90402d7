"""Where workstations' agents ask over HTTP: to enrol, for what has changed for them, for a test of the line, for a new version.

Bodies and answers are JSON. An error's answer has the key ``error``, in words for the person at the machine; 401 means that the
agent is not known or was revoked, 403 that a code does not open, 429 and 503 that it should ask again later.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from collector.errors import AgentError, CollectorError
from collector.estate.access import AUTH, PRIV
from collector.estate.admission import Agent, Said
from collector.estate.agents import Agents, Grant
from config.agents import PORT
from config.settings import Settings

from .guard import credentials
from .line import Line

log = logging.getLogger(__name__)

LARGEST = 64 << 10
"""Octets of a question at most."""
ASKING = 20.0
"""Seconds in which a question must be there whole."""
FAILURES, FORGIVEN = 10, 6.0
"""Wrong codes that one address may try at once, and seconds after which one of them is forgiven."""
_ADDRESSES = 4096
_FRESH = {"Cache-Control": "no-store"}


class Offer(Protocol):
    """A version that an agent may take."""

    def document(self) -> dict[str, Any]:
        """What the agent is told of it."""


class Releases(Protocol):
    """The versions that there are for agents."""

    def offer(self, device: str, unit: str, platform: str, version: str) -> Offer | None:
        """The one for this agent, None when it has the right one."""

    def file(self, name: str) -> Path | None:
        """The file that an offer names."""

    def trusted(self) -> bytes | None:
        """The key that agents are to pin; raises CollectorError."""


class Failures:
    """How many wrong codes each address has tried lately. Those behind one NAT share theirs; right codes cost nothing."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._tried: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def _count(self, address: str) -> float:
        count, when = self._tried.get(address, (0.0, 0.0))
        return max(0.0, count - (self._clock() - when) / FORGIVEN)

    def many(self, address: str) -> bool:
        """Has it tried too many?"""
        return self._count(address) > FAILURES - 1

    def add(self, address: str) -> None:
        """It tried one more."""
        self._tried[address] = self._count(address) + 1, self._clock()
        self._tried.move_to_end(address)
        while len(self._tried) > _ADDRESSES:
            self._tried.popitem(last=False)


class _Question(NamedTuple):
    """A question, read: all texts are texts, and the machine's identity is lists of texts."""

    said: Said
    code: str
    platform: str
    copied: bool


class Desk:
    """The pages for agents, as an ASGI application. `settings` gives those in force; `changed` is called after an agent came."""

    def __init__(
        self,
        agents: Agents,
        settings: Callable[[], Settings],
        changed: Callable[[], None],
        releases: Releases | None = None,
    ) -> None:
        self._agents = agents
        self._settings = settings
        self._changed = changed
        self._releases = releases
        self._failures = Failures()
        self._line = Line(agents, settings)
        self.app = Starlette(
            routes=[
                Route("/agents/enrol", self._answered(self._enrol), methods=["POST"]),
                Route("/agents/check-in", self._answered(self._check_in), methods=["POST"]),
                Route("/agents/line", self._answered(self._send_line), methods=["GET"]),
                Route("/agents/line", self._answered(self._take_line), methods=["POST"]),
                Route("/agents/releases/{name}", self._answered(self._release), methods=["GET"]),
            ]
        )

    def _answered(self, handler: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        """Errors become answers."""

        async def answer(request: Request) -> Response:
            try:
                return await handler(request)
            except HTTPException as error:
                return _error(error.status_code, str(error.detail), error.headers)
            except ClientDisconnect:
                return _error(400, "the question did not arrive whole")
            except CollectorError as error:
                log.error("agent not answered reason=%r", str(error))
                return _error(503, "the collector's database is away; ask again later")

        return answer

    async def _enrol(self, request: Request) -> Response:
        address = _address(request)
        if self._failures.many(address):
            raise HTTPException(429, "too many wrong codes came from this address; try again in a minute", {"Retry-After": "60"})
        asked = await _read(request)
        own = await self._before(request)
        try:
            grant = await asyncio.to_thread(self._agents.enrol, asked.code, asked.said, time.time(), self._polled(), own)
        except AgentError as error:
            self._failures.add(address)
            log.warning("enrolment refused address=%s reason=%r", address, str(error))
            raise HTTPException(403, str(error)) from error
        log.info("agent enrolled device=%s unit=%s address=%s", grant.agent.key, grant.agent.unit, address)
        self._changed()
        return JSONResponse(self._told(request, grant), headers=_FRESH)

    async def _before(self, request: Request) -> Agent | None:
        """The agent that the machine is already, or was before it was revoked, when it shows its keys."""
        if "authorization" not in request.headers:
            return None
        try:
            return (await self._who(request, revoked=True))[1]
        except HTTPException:
            return None  # its keys are void: it is what a machine without keys is

    def _polled(self) -> set[str]:
        return {device.id for device in self._settings().devices}

    async def _check_in(self, request: Request) -> Response:
        user, agent = await self._who(request, returning=True)
        asked = await _read(request)
        now = time.time()
        try:
            if not asked.copied:
                grant = await asyncio.to_thread(self._agents.asked, agent, user, asked.said, now, self._polled())
            elif agent.revoked is None:
                grant = await asyncio.to_thread(self._agents.copied, agent, asked.said, now, self._polled())
                log.warning("agent was copied device=%s of=%s address=%s", grant.agent.key, agent.key, asked.said.address)
            else:
                raise AgentError(f"{agent.key} enrolled again since its disk was copied; enrol this machine with a code")
        except AgentError as error:
            raise HTTPException(403, str(error)) from error
        if asked.copied or grant.agent.taken != agent.taken or grant.secrets.user != user or agent.revoked is not None:
            self._changed()
        told = self._told(request, grant)
        if (test := await self._line.leave(grant.agent, now)) is not None:
            told["line_test"] = test
        if self._releases is not None:
            mine = (agent.key, agent.unit, asked.platform, asked.said.version)
            offer = await asyncio.to_thread(self._releases.offer, *mine)
            if offer is not None:
                told["update"] = offer.document()
        return JSONResponse(told, headers=_FRESH)

    def _told(self, request: Request, grant: Grant) -> dict[str, Any]:
        settings = self._settings()
        unit = settings.units.get(grant.agent.unit)
        told = settings.agents
        collectors = [str(place) for place in told.collectors]
        if not collectors and (host := request.url.hostname):
            port = told.listen.port if told.listen is not None else PORT
            collectors = [f"[{host}]:{port}" if ":" in host else f"{host}:{port}"]
        secrets = grant.secrets
        trouble = "" if unit is not None else f"the collector's settings have no unit {grant.agent.unit}: it takes no reports"
        return {
            "device": grant.agent.key,
            "unit": grant.agent.unit,
            "unit_name": unit.name if unit is not None else grant.agent.unit,
            "user": secrets.user,
            "auth": AUTH,
            "auth_secret": secrets.auth_secret,
            "priv": PRIV,
            "priv_secret": secrets.priv_secret,
            "token": secrets.token,
            "collectors": collectors,
            "family": _family(told.listen.host if told.listen is not None else ""),
            "interval": int(told.interval),
            "check_in": int(told.check_in),
            "note": grant.agent.note,
            "trouble": trouble,
            "release_key": self._release_key(),
            "time": time.time(),
        }

    def _release_key(self) -> str:
        try:
            key = self._releases.trusted() if self._releases is not None else None
        except CollectorError as error:
            log.error("no key for releases reason=%r", str(error))
            key = None
        return key.hex() if key is not None else ""

    async def _send_line(self, request: Request) -> Response:
        return await self._line.send((await self._who(request))[1])

    async def _take_line(self, request: Request) -> Response:
        return await self._line.take((await self._who(request))[1], request)

    async def _release(self, request: Request) -> Response:
        await self._who(request)
        name = request.path_params["name"]
        path = await asyncio.to_thread(self._releases.file, name) if self._releases is not None else None
        if path is None:
            raise HTTPException(404, "there is no such release")
        return FileResponse(path, media_type="application/octet-stream", headers=_FRESH)

    async def _who(self, request: Request, returning: bool = False, revoked: bool = False) -> tuple[str, Agent]:
        """The agent by its basic authentication (RFC 7617)."""
        user, token = credentials(request.headers.get("authorization", "")) or ("", "")
        if not user or not user.isprintable():
            raise HTTPException(401, "this agent is not known here; enrol it again")
        try:
            return user, await asyncio.to_thread(self._agents.authenticate, user, token, returning, revoked)
        except AgentError as error:
            log.info("agent refused user=%s address=%s reason=%r", user[:64], _address(request), str(error))
            raise HTTPException(401, str(error)) from error


async def _read(request: Request) -> _Question:
    """The question of an agent; raises HTTPException for what is none."""
    data = bytearray()
    try:
        async with asyncio.timeout(ASKING):
            async for piece in request.stream():
                data += piece
                if len(data) > LARGEST:
                    raise HTTPException(413, f"the question has more than {LARGEST} octets")
    except TimeoutError:
        raise HTTPException(408, f"the question did not arrive within {ASKING:g} s") from None
    try:
        found = json.loads(bytes(data))
    except (ValueError, RecursionError):
        raise HTTPException(400, "the question is not JSON") from None
    if not isinstance(found, dict):
        raise HTTPException(400, "the question is no JSON object")
    texts = {key: found.get(key, "") for key in ("code", "version", "platform")}
    if (wrong := [key for key, value in texts.items() if not isinstance(value, str) or len(value) > 100]):
        raise HTTPException(400, f"{wrong[0]} is no short text")
    machine = found.get("machine", {})
    if not isinstance(machine, dict):
        raise HTTPException(400, "machine is no JSON object")
    for kind, values in machine.items():
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise HTTPException(400, f"machine: {kind[:40]} is no list of texts")
    said = Said(machine, texts["version"], _address(request))
    return _Question(said, texts["code"], texts["platform"], found.get("copied") is True)


def _family(host: str) -> int:
    """The one version of IP in which reports come in, which a name may have addresses of both; 0: both will do."""
    return 0 if host == "::" else 6 if ":" in host else 4


def _address(request: Request) -> str:
    # A socket for both versions of IP shows those of version 4 as mapped ones (RFC 4291 section 2.5.5.2).
    return request.client.host.removeprefix("::ffff:") if request.client is not None else ""


def _error(status: int, text: str, headers: Any = None) -> JSONResponse:
    return JSONResponse({"error": text}, status, {**_FRESH, **(headers or {})})
