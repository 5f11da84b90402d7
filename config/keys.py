"""The keys of `haidang.toml`: table by table, how each is read and what holds when it is not written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import agents, discovery, remote_write
from .secrets import Password, Secret
from .tables import Address, Key, address, alias, as_given, bandwidth, boolean, duration, name, number, one_of, text, whole

PORT = 9715
"""Where the pages are unless told otherwise (TCP)."""
AUTH = {
    "MD5": "MD5", "SHA": "SHA-1", "SHA1": "SHA-1", "SHA-1": "SHA-1", "SHA224": "SHA-224", "SHA-224": "SHA-224",
    "SHA256": "SHA-256", "SHA-256": "SHA-256", "SHA384": "SHA-384", "SHA-384": "SHA-384", "SHA512": "SHA-512",
    "SHA-512": "SHA-512",
}  # fmt: skip
"""Accepted spelling -> canonical name of an authentication protocol (RFC 3414, 7860)."""
PRIV = {
    "DES": "DES", "AES": "AES-128", "AES128": "AES-128", "AES-128": "AES-128", "AES192": "AES-192", "AES-192": "AES-192",
    "AES256": "AES-256", "AES-256": "AES-256", "AES192C": "AES-192-C", "AES-192-C": "AES-192-C", "AES256C": "AES-256-C",
    "AES-256-C": "AES-256-C",
}  # fmt: skip
"""Accepted spelling -> canonical name of a privacy protocol (RFC 3414, 3826; -C: Reeder's key extension, as Cisco's)."""

_MINIMUM_SECRET = 8


def _minimum_secret(found: Secret) -> Secret:
    if len(found) < _MINIMUM_SECRET:
        raise ValueError(f"has {len(found)} octets, expected at least {_MINIMUM_SECRET} (RFC 3414 section 11.2)")
    return found


def _password_hash(found: Any) -> Password:
    return Password(text(found, show=False))


_AUTH, _PRIV = alias("an authentication protocol", AUTH), alias("a privacy protocol", PRIV)
_PACE = number(0.1, 100_000)


def _database(found: Secret) -> Secret:
    if not re.match(r"(sqlite|postgresql)(\+\w+)?://", found.reveal()):
        raise ValueError("is no SQLAlchemy URL; expected sqlite:///PATH or postgresql://USER@HOST/DATABASE")
    return found


KEYS: Mapping[str, Mapping[str, Key]] = {
    "collector": {
        "interval": Key(duration(1, 86400), 60.0),
        "timeout": Key(duration(0.1, 60), 2.0),
        "retries": Key(whole(0, 10), 2),
        "packets_per_second": Key(_PACE, 100.0),
        "state_directory": Key(text, Path("state"), path=True),
        "database": Key(_database, None, secret=True),
        "profiles": Key(text, None, path=True),
        "log_level": Key(one_of("debug", "info", "warning", "error"), "info"),
    },
    "web": {
        "listen": Key(address(PORT), Address("127.0.0.1", PORT)),
        "tls_certificate": Key(text, None, path=True),
        "tls_key": Key(text, None, path=True),
        "timestamps": Key(boolean, True),
        "wrap_counters": Key(boolean, False),
    },
    "web.user": {
        "name": Key(name, "", required=True),
        "password_hash": Key(_password_hash),
        "password": Key(as_given, secret=True),
    },
    "credential": {
        "name": Key(name, "", required=True),
        "version": Key(one_of("1", "2c", "3"), "", required=True),
        "community": Key(as_given, secret=True),
        "user": Key(text, ""),
        "auth": Key(_AUTH, ""),
        "auth_secret": Key(_minimum_secret, secret=True),
        "priv": Key(_PRIV, ""),
        "priv_secret": Key(_minimum_secret, secret=True),
        "context": Key(text, ""),
    },
    "unit": {
        "id": Key(name, "", required=True),
        "name": Key(text, ""),
        "kind": Key(name, ""),
        "parent": Key(name, ""),
        "interval": Key(duration(1, 86400)),
        "timeout": Key(duration(0.1, 60)),
        "retries": Key(whole(0, 10)),
        "packets_per_second": Key(_PACE),
        "bandwidth": Key(bandwidth),
        "committed": Key(bandwidth),
    },
    "device": {
        "id": Key(name, ""),
        "address": Key(address(161), None, required=True),
        "unit": Key(name, "", required=True),
        "credential": Key(name, "", required=True),
        "profile": Key(name, ""),
        "name": Key(text, ""),
    },
    "discovery": discovery.KEYS,
    "agents": agents.KEYS,
    "remote_write": remote_write.KEYS,
}
"""Table -> key -> how it is read. `sample.toml` shows each of them."""
