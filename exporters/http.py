"""The HTTP server, which runs inside the collector's event loop and hands out pages that lie ready."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import socket
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from ssl import PROTOCOL_TLS_SERVER, SSLContext, SSLError

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from config.keys import PORT
from config.pin import pin_in

from . import overview, sd
from .connections import Connection, end_late
from .errors import ListenError
from .guard import Guard, User
from .health import Health
from .page import gzip_of, text_of
from .prometheus import Pages
from .text import CONTENT_TYPE

log = logging.getLogger(__name__)

_HEADERS = {"Vary": "Accept-Encoding", "X-Content-Type-Options": "nosniff"}
_GZIP = {**_HEADERS, "Content-Encoding": "gzip"}
_FRESH = {"Cache-Control": "no-store"}
_PAGES, _ALL = "/metrics/", "/metrics/all"
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}(:\d{1,5})?\Z|\[[0-9A-Fa-f:.]{2,45}\](:\d{1,5})?\Z")
_RAW, _RAW_GZIP = (
    [(b"content-type", CONTENT_TYPE.encode()), *((name.lower().encode(), value.encode()) for name, value in headers.items())]
    for headers in (_HEADERS, _GZIP)
)
AGENTS = "/agents/"
_KEEP_ALIVE = 90
"""Seconds a connection stays open for the next scrape: longer than the usual interval."""


@lru_cache(maxsize=64)
def accepts_gzip(header: str) -> bool:
    """Whether an Accept-Encoding header allows gzip (RFC 9110 section 12.5.3)."""
    allowed = {}
    for part in header.lower().split(","):
        name, *parameters = (text.strip() for text in part.split(";"))
        quality = next((text[2:] for text in parameters if text.startswith("q=")), "1")
        allowed[name] = quality.strip("0.") != ""
    return allowed.get("gzip", allowed.get("x-gzip", allowed.get("*", False)))


class Site:
    """The pages by address, as an ASGI application. `ailments` gives what is wrong with the collector now, in words.

    Units' pages, nearly all that is ever asked for, are sent without Starlette's routing: a third of a request's cost.
    """

    def __init__(
        self, pages: Pages, health: Health, *, address: str, scheme: str = "http", ailments: Callable[[], Sequence[str]] = tuple
    ) -> None:
        self._pages = pages
        self._health = health
        self._address = address
        self._scheme = scheme
        self._ailments = ailments
        self._others = Starlette(
            routes=[
                Route(_ALL, self._everything),
                Route(_PAGES + "{unit}", self._no_page),
                Route("/metrics", self._metrics),
                Route("/sd/prometheus", self._discovery),
                Route("/health", self._state_of_health),
                Route("/", self._overview),
            ]
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        page = None
        if path.startswith(_PAGES) and path != _ALL and scope["method"] in ("GET", "HEAD"):
            page = self._pages.page(path[len(_PAGES) :])
        if page is None:
            await self._others(scope, receive, send)
            return
        accepted = next((value for name, value in scope["headers"] if name == b"accept-encoding"), b"")
        if accepts_gzip(accepted.decode("latin-1")):
            headers, body = _RAW_GZIP, page.gzip
        else:
            headers, body = _RAW, page.plain()
        headers = [*headers, (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _no_page(self, request: Request) -> Response:
        unit = request.path_params["unit"]
        if unit in self._pages.offices:
            return PlainTextResponse(f"{unit}: the page is being put together; try again in a second\n", 503)
        return _no_such_unit(unit)

    async def _metrics(self, request: Request) -> Response:
        return _stream(request, self._pages.states(self._health.text()))

    async def _everything(self, request: Request) -> Response:
        return _stream(request, self._pages.everything(self._health.text()))

    async def _discovery(self, request: Request) -> Response:
        host = request.headers.get("host", "")
        target = host if _HOST.match(host) else self._address
        units = [office.unit for office in self._pages.offices.values()]
        return JSONResponse(sd.groups(units, target, self._scheme), headers=_FRESH)

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
            _FRESH,
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
        policy = {"Content-Security-Policy": _POLICY, "Referrer-Policy": "no-referrer"}
        return HTMLResponse(html, headers={**_HEADERS, **_FRESH, **policy})


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


class _Doors:
    """People and scrapers through the one door, agents through the other."""

    def __init__(self, people: ASGIApp, agents: ASGIApp) -> None:
        self._people = people
        self._agents = agents

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        door = self._agents if scope["type"] == "http" and scope["path"].startswith(AGENTS) else self._people
        await door(scope, receive, send)


class _Server(uvicorn.Server):
    async def on_tick(self, counter: int) -> bool:
        """Ten times a second, of which one is enough to look at the connections."""
        if counter % 10 == 0:
            end_late(self.server_state.connections)
        return await super().on_tick(counter)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the collector's own business."""
        yield


def _pin(certificate: Path | None) -> str:
    try:
        return pin_in(certificate.read_bytes()) if certificate is not None else ""
    except (OSError, ValueError):
        return ""


class Server:
    """Serves the pages between `start` and `stop`. Port 0 takes a free one; `address` then says which."""

    def __init__(
        self,
        pages: Pages,
        health: Health,
        *,
        host: str = "127.0.0.1",
        port: int = PORT,
        certificate: Path | None = None,
        key: Path | None = None,
        users: Iterable[User] = (),
        ailments: Callable[[], Sequence[str]] = tuple,
        agents: ASGIApp | None = None,
    ) -> None:
        """`agents` answers what lies below /agents/, and knows itself who may ask there."""
        self._parts = pages, health, ailments
        self._agents = agents
        self._host, self._port = host, port
        self._certificate, self._key = certificate, key
        self._pin = ""
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

    def renew(self) -> None:
        """Show new connections the certificate as its files hold it now; one that cannot be used is refused, in the log."""
        loaded = self._server.config.ssl if self._server is not None else None
        if loaded is None or self._certificate is None:
            return
        try:
            for context in (SSLContext(PROTOCOL_TLS_SERVER), loaded):  # half of one that does not fit would stay in the first
                context.load_cert_chain(self._certificate, self._key, "-")
        except (OSError, SSLError) as error:
            told = "certificate refused file=%s key=%s reason=%r kept='the one before'"
            log.error(told, self._certificate, self._key, str(error))
            return
        before, self._pin = self._pin, _pin(self._certificate)
        if before != self._pin and self._agents is not None:
            told = "the certificate has another key file=%s: agents that pin the one before cannot ask until they enrol again"
            log.warning(told, self._certificate)

    async def start(self) -> None:
        """Listen. Raises ListenError."""
        pages, health, ailments = self._parts
        listening = self._listen()
        host, port = listening.getsockname()[:2]
        self.address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        site = Site(pages, health, address=self.address, scheme=self._scheme, ailments=ailments)
        self._guard = Guard(site, self._users)
        config = uvicorn.Config(
            _Doors(self._guard, self._agents) if self._agents is not None else self._guard,
            lifespan="off",
            ws="none",
            log_config=None,
            log_level="error",  # what strangers send is no news, and would fill the log
            access_log=False,
            server_header=False,
            proxy_headers=False,
            ssl_certfile=self._certificate,
            ssl_keyfile=self._key,
            ssl_keyfile_password="-",  # with none, OpenSSL would ask the terminal for an encrypted key's
            timeout_keep_alive=_KEEP_ALIVE,
            timeout_graceful_shutdown=2,
            http=Connection,
        )
        try:
            config.load()
        except (OSError, SSLError) as error:
            listening.close()
            text = f"certificate {self._certificate} with key {self._key} cannot be used: {error}; expected PEM files that fit"
            raise ListenError(text) from error
        self._pin = _pin(self._certificate)
        self._server = _Server(config)
        self._task = asyncio.create_task(self._server.serve(sockets=[listening]), name="http")
        while not self._server.started and not self._task.done():
            await asyncio.sleep(0)

    def _listen(self) -> socket.socket:
        try:
            found = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
            family, _, _, _, where = found[0]
            # asyncio switches Nagle's algorithm off only on sockets that name their protocol; with it on, a page's body waits
            # 40 ms for the reader's delayed acknowledgement of its head.
            listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
            try:
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listening.bind(where)
                listening.listen(1024)
            except OSError:
                listening.close()
                raise
        except OSError as error:
            raise ListenError(f"cannot listen on {self._host} port {self._port}: {error.strerror or error}") from error
        return listening

    async def stop(self) -> None:
        """Close the doors; answers under way have two seconds."""
        if self._server is not None and self._task is not None:
            self._server.should_exit = True
            await self._task
            self._server = self._task = None
