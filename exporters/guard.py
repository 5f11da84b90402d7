"""Basic authentication (RFC 7617) in front of every page."""

from __future__ import annotations

import asyncio
import base64
import hmac
import os
from collections.abc import Iterable
from typing import Protocol

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_WAITING = 8
"""Passwords that may wait to be checked; each check is made to be slow."""
_REMEMBERED = 64
_LONGEST = 1024


class Checkable(Protocol):
    """What is kept of a password."""

    def accepts(self, secret: str) -> bool:
        """Is this the password? May be slow; takes the same time whatever is wrong with it."""


class User(Protocol):
    """Who may read the pages."""

    @property
    def name(self) -> str:
        """What stands before the colon."""

    @property
    def password(self) -> Checkable:
        """What stands behind it, in the form it is kept."""


class Guard:
    """ASGI middleware. Without users everybody may read.

    A header that was accepted is remembered (as a keyed digest), so that the slow check runs once a scraper; the check runs
    in a thread, one at a time, so that guessing passwords delays guessers alone.
    """

    def __init__(self, app: ASGIApp, users: Iterable[User] = ()) -> None:
        self._app = app
        self._key = os.urandom(32)
        self._turn = asyncio.Semaphore(1)
        self._waiting = 0
        self.admit(users)

    def admit(self, users: Iterable[User]) -> None:
        """From now on these users and no others."""
        self._passwords = {user.name: user.password for user in users}
        self._accepted: list[bytes] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        answer = None
        if self._passwords:
            header = Headers(scope=scope).get("authorization", "")
            digest = hmac.digest(self._key, header.encode(), "sha256")
            if not any(hmac.compare_digest(digest, one) for one in self._accepted):
                answer = await self._check(header, digest)
        await (answer or self._app)(scope, receive, send)

    async def _check(self, header: str, digest: bytes) -> PlainTextResponse | None:
        """None when the header opens the door, else what is answered instead."""
        found = credentials(header)
        if found is not None:
            if self._waiting >= _WAITING:
                text = "too many passwords are being checked; try again in a second\n"
                return PlainTextResponse(text, 503, {"Retry-After": "1"})
            passwords, (name, secret) = self._passwords, found
            kept = passwords.get(name) or next(iter(passwords.values()))  # an unknown name takes as long as a wrong password
            self._waiting += 1
            try:
                async with self._turn:
                    right = await asyncio.to_thread(kept.accepts, secret)
            finally:
                self._waiting -= 1
            if right and name in passwords and passwords is self._passwords:
                self._accepted = [*self._accepted[1 - _REMEMBERED :], digest]
                return None
        challenge = {"WWW-Authenticate": 'Basic realm="haidang", charset="UTF-8"'}
        return PlainTextResponse("name and password of a [[web.user]] of the settings are needed\n", 401, challenge)


def credentials(header: str) -> tuple[str, str] | None:
    """Name and secret of an Authorization header; None for what is none of basic authentication."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic" or len(header) > _LONGEST:
        return None
    try:
        name, colon, secret = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except ValueError:
        return None
    return (name, secret) if colon else None
