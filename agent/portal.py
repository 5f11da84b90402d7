"""Asking a collector over HTTPS, from a short-lived process: its certificate is checked, or must be the one that is pinned."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPSConnectionPool
from urllib3.exceptions import SSLError

from config.pin import pin_of

from . import __version__
from .errors import PortalError, SettingsError

CONNECT, READ = 10.0, 30.0
"""Seconds to wait for a connection, and for the next octets."""
_LONGEST = 1 << 20
_UNSENT = 16 << 10
_DATES = (9, 10)
"""OpenSSL's X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED: the certificate's fault, or a clock's."""
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class _Pinned(HTTPSConnection):
    """Takes certificates of one key and no others, whoever signed them, whatever their dates are."""

    pin = ""

    def connect(self) -> None:
        super().connect()
        try:
            found = pin_of(self.sock.getpeercert(binary_form=True) or b"")  # type: ignore[union-attr]
        except ValueError as error:
            raise SSLError(f"the certificate cannot be read: {error}") from None
        if found != self.pin:
            raise SSLError(f"the SHA-256 of its key is {found}, expected {self.pin}")
        self.is_verified = True


class _Adapter(HTTPAdapter):
    """With a pin every connection is `_Pinned`, those through a proxy, too."""

    def __init__(self, pin: str = "") -> None:
        connection = type("_Pinned", (_Pinned,), {"pin": pin})
        self._pool = type("_Pool", (HTTPSConnectionPool,), {"ConnectionCls": connection}) if pin else HTTPSConnectionPool
        super().__init__()

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        made = super().proxy_manager_for(*args, **kwargs)
        made.pool_classes_by_scheme = {**made.pool_classes_by_scheme, "https": self._pool}
        return made

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> Any:
        options = list(HTTPConnection.default_socket_options)
        if hasattr(socket, "TCP_NOTSENT_LOWAT"):
            # What is sent shall be on its way, not wait in the system for a slow line: a test of the line has an end.
            options.append((socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT))
        super().init_poolmanager(*args, **kwargs, socket_options=options)
        manager = self.poolmanager
        manager.pool_classes_by_scheme = {**manager.pool_classes_by_scheme, "https": self._pool}


class Portal:
    """A collector's pages for agents. Raises SettingsError for an address, pin or file that cannot be used."""

    def __init__(self, url: str, pin: str = "", ca: str = "", user: str = "", token: str = "") -> None:
        try:
            parts = urlsplit(url)
            usable = parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc and (parts.port or 1)
        except ValueError:
            usable = False
        if not usable:
            raise SettingsError(f"{url!r} is no address of a collector: expected one such as https://collector.example.vn:9715")
        if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
            raise SettingsError(f"{url}: keys are not sent in the clear; expected https://")
        self.url = f"{parts.scheme}://{parts.netloc}"
        self._session = requests.Session()
        self._session.headers["User-Agent"] = f"haidang-agent/{__version__}"
        # Told with each request: a session's own setting gives way to the environment's REQUESTS_CA_BUNDLE.
        self._verify: bool | str = True
        if user:
            self._session.auth = (user, token)
        if pin:
            digits = pin.replace(":", "").lower().removeprefix("sha256")
            if len(digits) != 64 or set(digits) - set("0123456789abcdef"):
                raise SettingsError(f"--pin: found {pin[:80]!r}, expected the SHA-256 of the certificate's key in hexadecimal")
            self._verify = False
            self._session.mount("https://", _Adapter(digits))
            return
        self._session.mount("https://", _Adapter())
        if ca:
            try:
                with open(ca, "rb"):
                    pass
            except OSError as error:
                raise SettingsError(f"{ca}: cannot be read: {error.strerror}; expected authorities' certificates (PEM)") from None
            self._verify = ca

    def ask(self, path: str, question: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to a question; raises PortalError."""
        with self._request("POST", path, json=question) as response:
            return _document(response)

    @contextmanager
    def download(self, path: str, size: int = 1 << 16, offset: int = 0) -> Iterator[Iterator[bytes]]:
        """What lies at a path, from an offset on, in pieces of this size at most; raises PortalError."""
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        with self._request("GET", path, headers=headers) as response:
            if offset and response.status_code != requests.codes.partial:
                raise PortalError(f"{self.url}: gives {path} from its beginning only", response.status_code)
            yield self._pieces(response, size)

    def _pieces(self, response: requests.Response, size: int) -> Iterator[bytes]:
        try:
            yield from response.iter_content(size)
        except requests.RequestException as error:
            raise PortalError(f"{self.url}: {_reason(error)}") from None

    def upload(self, path: str, pieces: Iterable[bytes]) -> dict[str, Any]:
        """The answer to a stream of octets; raises PortalError."""
        with self._request("POST", path, data=pieces) as response:
            return _document(response)

    @contextmanager
    def _request(self, method: str, path: str, **options: Any) -> Iterator[requests.Response]:
        try:
            response = self._session.request(
                method, self.url + path, timeout=(CONNECT, READ), allow_redirects=False, stream=True,
                verify=self._verify, **options
            )
        except requests.exceptions.SSLError as error:
            inner = _innermost(error)
            broken = isinstance(inner, ssl.SSLError) and not isinstance(inner, ssl.SSLCertVerificationError)
            wrong = "no secure connection comes about" if broken else "its certificate is not the one expected"
            dated = isinstance(inner, ssl.SSLCertVerificationError) and inner.verify_code in _DATES
            clock = f"; this machine's clock says {time.strftime('%Y-%m-%d %H:%M')}" if dated else ""
            raise PortalError(f"{self.url}: {wrong}: {_reason(error)}{clock}") from None
        except requests.RequestException as error:
            raise PortalError(f"{self.url}: no collector answers there: {_reason(error)}") from None
        with response:
            if response.status_code not in (requests.codes.ok, requests.codes.partial):
                said = _said(response)
                raise PortalError(f"{self.url}: {said or f'answered with status {response.status_code}'}", response.status_code)
            yield response


def _read(response: requests.Response) -> bytes:
    data = bytearray()
    for piece in response.iter_content(1 << 14):
        data += piece
        if len(data) > _LONGEST:
            raise PortalError(f"{response.url}: answers with more than {_LONGEST} octets")
    return bytes(data)


def _document(response: requests.Response) -> dict[str, Any]:
    import json

    try:
        found = json.loads(_read(response))
    except (ValueError, RecursionError):
        found = None
    except requests.RequestException as error:
        raise PortalError(f"{response.url}: {_reason(error)}") from None
    if not isinstance(found, dict):
        raise PortalError(f"{response.url}: answers, but not as a collector of Hải Đăng does")
    return found


def _said(response: requests.Response) -> str:
    """What the collector says is wrong."""
    try:
        text = _document(response).get("error", "")
    except PortalError:
        return ""
    return "".join(letter for letter in text[:300] if letter.isprintable()) if isinstance(text, str) else ""


def _innermost(error: BaseException) -> BaseException:
    """The innermost of nested errors says what happened."""
    while True:
        inner = getattr(error, "reason", None) or error.__cause__ or error.__context__
        arguments = [one for one in error.args if isinstance(one, BaseException)]
        inner = inner if isinstance(inner, BaseException) else arguments[0] if arguments else None
        if inner is None or inner is error:
            return error
        error = inner


def _reason(error: BaseException) -> str:
    inner = _innermost(error)
    text = getattr(inner, "strerror", None) or str(inner) or type(inner).__name__
    return " ".join(str(text).split())[:300]
