"""The HTTP server, which runs inside the collector's event loop and hands out pages that lie ready."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from pathlib import Path
from ssl import SSLError

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from . import overview, sd
from .errors import ListenError
from .guard import Guard, User
from .health import Health
from .page import gzip_of, text_of
from .prometheus import Pages
from .text import CONTENT_TYPE

_HEADERS = {"Cache-Control": "no-store", "Vary": "Accept-Encoding", "X-Content-Type-Options": "nosniff"}
_GZIP = {**_HEADERS, "Content-Encoding": "gzip"}
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}(:\d{1,5})?\Z|\[[0-9A-Fa-f:.]{2,45}\](:\d{1,5})?\Z")
_KEEP_ALIVE = 90
"""Seconds a connection stays open for the next scrape: longer than the usual interval."""


def accepts_gzip(header: str) -> bool:
    """Whether an Accept-Encoding header allows gzip (RFC 9110 section 12.5.3)."""
    allowed = {}
    for part in header.lower().split(","):
        name, *parameters = (text.strip() for text in part.split(";"))
        quality = next((text[2:] for text in parameters if text.startswith("q=")), "1")
        allowed[name] = quality.strip("0.") != ""
    return allowed.get("gzip", allowed.get("x-gzip", allowed.get("*", False)))


class Site:
    """The pages by address, as an ASGI application (`app`). `ailments` gives what is wrong with the collector now, in words."""

    def __init__(
        self, pages: Pages, health: Health, *, address: str, scheme: str = "http", ailments: Callable[[], Sequence[str]] = tuple
    ) -> None:
        self._pages = pages
        self._health = health
        self._address = address
        self._scheme = scheme
        self._ailments = ailments
        self.app = Starlette(
            routes=[
                Route("/metrics/all", self._everything),
                Route("/metrics/{unit}", self._unit),
                Route("/metrics", self._metrics),
                Route("/sd/prometheus", self._discovery),
                Route("/health", self._state_of_health),
                Route("/", self._overview),
            ]
        )

    async def _unit(self, request: Request) -> Response:
        unit = request.path_params["unit"]
        page = self._pages.page(unit)
        if page is None:
            if unit in self._pages.offices:
                return PlainTextResponse(f"{unit}: the page is being put together; try again in a second\n", 503)
            return _no_such_unit(unit)
        if accepts_gzip(request.headers.get("accept-encoding", "")):
            return Response(page.gzip, headers=_GZIP, media_type=CONTENT_TYPE)
        return Response(page.plain(), headers=_HEADERS, media_type=CONTENT_TYPE)

    async def _metrics(self, request: Request) -> Response:
        return _stream(request, self._pages.states(self._health.text()))

    async def _everything(self, request: Request) -> Response:
        return _stream(request, self._pages.everything(self._health.text()))

    async def _discovery(self, request: Request) -> Response:
        host = request.headers.get("host", "")
        target = host if _HOST.match(host) else self._address
        units = [office.unit for office in self._pages.offices.values()]
        return JSONResponse(sd.groups(units, target, self._scheme), headers={"Cache-Control": "no-store"})

    async def _state_of_health(self, request: Request) -> Response:
        ailments = list(self._ailments())
        numbers = self._pages.numbers()
        return JSONResponse(
            {
                "status": "failing" if ailments else "ok",
                "reasons": ailments,
                "units": numbers["haidang_collector_units"],
                "values": numbers["haidang_collector_values"],
                "devices": numbers["haidang_collector_devices"],
            },
            503 if ailments else 200,
            {"Cache-Control": "no-store"},
        )

    async def _overview(self, request: Request) -> Response:
        language = "en" if request.query_params.get("lang") == "en" else "vi"
        unit = request.query_params.get("unit")
        if unit is None:
            html = overview.province(self._pages.offices.values(), language)
        elif (office := self._pages.offices.get(unit)) is not None:
            html = overview.office(office, language)
        else:
            return _no_such_unit(unit)
        return HTMLResponse(html, headers={**_HEADERS, "Content-Security-Policy": _POLICY, "Referrer-Policy": "no-referrer"})


def _no_such_unit(unit: str) -> Response:
    return PlainTextResponse(f"{unit[:120]}: the settings have no such unit; / lists them\n", 404)


def _stream(request: Request, stream: Iterator[bytes]) -> Response:
    gzip = accepts_gzip(request.headers.get("accept-encoding", ""))
    if request.method == "HEAD":
        return Response(headers=_GZIP if gzip else _HEADERS, media_type=CONTENT_TYPE)
    body = _in_turns(gzip_of(stream) if gzip else text_of(stream))
    return StreamingResponse(body, headers=_GZIP if gzip else _HEADERS, media_type=CONTENT_TYPE)


async def _in_turns(pieces: Iterable[bytes]) -> AsyncIterator[bytes]:
    """The pieces one by one, with everything else on the event loop having its turn in between."""
    for piece in pieces:
        if piece:
            yield piece
        await asyncio.sleep(0)


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the collector's own business."""
        yield


class Server:
    """Serves the pages between `start` and `stop`. Port 0 takes a free one; `address` then says which."""

    def __init__(
        self,
        pages: Pages,
        health: Health,
        *,
        host: str = "127.0.0.1",
        port: int = 9715,
        certificate: Path | None = None,
        key: Path | None = None,
        users: Iterable[User] = (),
        ailments: Callable[[], Sequence[str]] = tuple,
    ) -> None:
        self._parts = pages, health, ailments
        self._host, self._port = host, port
        self._certificate, self._key = certificate, key
        self._users = users
        self._scheme = "https" if certificate else "http"
        self._guard: Guard | None = None
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None
        self.address = ""

    @property
    def url(self) -> str:
        """Where the overview is."""
        return f"{self._scheme}://{self.address}/"

    def admit(self, users: Iterable[User]) -> None:
        """Take the users of settings that were read again."""
        self._users = users
        if self._guard is not None:
            self._guard.admit(users)

    async def start(self) -> None:
        """Listen. Raises ListenError."""
        pages, health, ailments = self._parts
        listening = self._listen()
        host, port = listening.getsockname()[:2]
        self.address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        site = Site(pages, health, address=self.address, scheme=self._scheme, ailments=ailments)
        self._guard = Guard(site.app, self._users)
        config = uvicorn.Config(
            self._guard,
            lifespan="off",
            ws="none",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            ssl_certfile=self._certificate,
            ssl_keyfile=self._key,
            ssl_keyfile_password="-",  # with none, OpenSSL would ask the terminal for an encrypted key's
            timeout_keep_alive=_KEEP_ALIVE,
            timeout_graceful_shutdown=2,
            limit_concurrency=1024,
        )
        try:
            config.load()
        except (OSError, SSLError) as error:
            listening.close()
            text = f"certificate {self._certificate} with key {self._key} cannot be used: {error}; expected PEM files that fit"
            raise ListenError(text) from error
        self._server = _Server(config)
        self._task = asyncio.create_task(self._server.serve(sockets=[listening]), name="http")
        while not self._server.started and not self._task.done():
            await asyncio.sleep(0)

    def _listen(self) -> socket.socket:
        try:
            found = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
            family, _, _, _, where = found[0]
            return socket.create_server(where[:2], family=family, backlog=1024)
        except OSError as error:
            raise ListenError(f"cannot listen on {self._host} port {self._port}: {error.strerror or error}") from error

    async def stop(self) -> None:
        """Close the doors; answers under way have two seconds."""
        if self._server is not None and self._task is not None:
            self._server.should_exit = True
            await self._task
            self._server = self._task = None
