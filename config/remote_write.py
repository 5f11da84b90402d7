"""Where values go that no page has shown in their time: `[remote_write]`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .secrets import Secret
from .tables import Key, Table, as_given, expected, text

_LABEL = re.compile(r"(?!__)[a-zA-Z_][a-zA-Z0-9_]*\Z")
_OURS = ("device", "unit", "unit_name")


@dataclass(frozen=True, slots=True)
class RemoteWrite:
    """Without `url` nothing is written. `user` and `password`, or `token`, open it; `ca` vouches for its certificate.

    `labels` are those that Prometheus gives what it scrapes from our pages: with them the values belong to the same series.
    """

    url: str
    user: str
    password: Secret | None
    token: Secret | None
    ca: Path | None
    labels: Mapping[str, str]


def _url(found: Any) -> str:
    parts = urlsplit(found) if isinstance(found, str) else None
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname or not parts.path.strip("/"):
        raise expected(found, 'where values are taken, such as "http://127.0.0.1:9090/api/v1/write"')
    if parts.username or parts.password:
        raise ValueError("holds a user or password; write them as user and password_file")
    assert isinstance(found, str)
    return found


def _labels(found: Any) -> Mapping[str, str]:
    what = 'labels and their values, such as {job = "haidang", instance = "10.1.2.3:9715"}'
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise expected(found, what)
    for name in found:
        if not _LABEL.match(name) or name in _OURS:
            raise ValueError(f"found the label {name!r}, expected {what}; {', '.join(_OURS)} are set already")
    return dict(found)


KEYS: Mapping[str, Key] = {
    "url": Key(_url, ""),
    "user": Key(text, "haidang"),
    "password": Key(as_given, secret=True),
    "token": Key(as_given, secret=True),
    "ca": Key(text, path=True),
    "labels": Key(_labels, {}),
}


def read(table: Table) -> RemoteWrite:
    """The settings of the table."""
    found = RemoteWrite(**table.take(KEYS))
    if found.password is not None and found.token is not None:
        table.wrong("token", "is given beside a password; keep one")
    if found.ca is not None and not found.ca.is_file():
        table.wrong("ca", f"{found.ca} is no file; expected certificates in PEM form")
    return found
