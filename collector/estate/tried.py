"""Which credentials an address has got to see: never more than allowed, in all runs together, until a person says so.

Whoever tries one password after another at a door is taken for a burglar, and some devices lock themselves. So it is
written down before a credential is sent, and counted for ever. A credential is what it consists of, not its name: one that
was changed in the settings is another one.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, Engine, delete, insert, select, text

from config.ranges import Spans, number_of
from config.settings import Credential

from .database import changing, reading
from .schema import CREDENTIAL, TRIED

_COST = 1 << 13
"""Of scrypt: some 25 ms a guess for whoever steals the database."""
_AT_ONCE = 500
"""Addresses in one query."""
_LOCK = 4_701_861_273_119_026_245
"""PostgreSQL advisory lock under which one process at a time counts."""


class Tried:
    """The memory of what was tried where. Blocking: for a thread of its own; raises InventoryError."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def identify(self, credentials: Iterable[Credential], when: float) -> dict[str, int]:
        """Our numbers of credentials, by their names: the number it had when it was used before, or a new one."""
        found = {}
        with changing(self._engine) as connection:
            _lock(connection)
            for one in credentials:
                rows = connection.execute(select(CREDENTIAL).where(CREDENTIAL.c.name == one.name))
                number = next((row.id for row in rows if hmac.compare_digest(_digest(one, row.salt), row.digest)), None)
                if number is None:
                    salt = os.urandom(16)
                    row = {"name": one.name, "salt": salt, "digest": _digest(one, salt), "first_used": when}
                    result = connection.execute(insert(CREDENTIAL), row)
                    assert result.inserted_primary_key is not None
                    number = int(result.inserted_primary_key[0])
                found[one.name] = number
        return found

    def seen(self, addresses: Sequence[str]) -> dict[str, set[int]]:
        """The credentials that these addresses have seen, at whatever port, by number."""
        with reading(self._engine) as connection:
            return _seen(connection, addresses)

    def reserve(self, wanted: Sequence[tuple[str, int]], port: int, limit: int, when: float) -> set[tuple[str, int]]:
        """Those of the (address, credential) that may be sent, now written down as seen; `limit` different ones an address."""
        granted = set()
        with changing(self._engine) as connection:
            _lock(connection)
            seen = _seen(connection, [address for address, _ in wanted])
            rows = []
            for address, credential in wanted:
                own = seen.setdefault(address, set())
                if credential not in own:
                    if len(own) >= limit:
                        continue
                    own.add(credential)
                    rows.append({"address": address, "port": port, "credential_id": credential, "first_used": when})
                granted.add((address, credential))
            if rows:
                connection.execute(insert(TRIED), rows)
        return granted

    def forget(self, spans: Spans) -> int:
        """Begin to count anew at these addresses; how many of them had seen anything."""
        with changing(self._engine) as connection:
            return forget(connection, spans)


def forget(connection: Connection, spans: Spans) -> int:
    """`Tried.forget` within a transaction."""
    known = connection.scalars(select(TRIED.c.address).distinct()).all()
    meant = [address for address in known if (number := number_of(address)) is not None and number in spans]
    for start in range(0, len(meant), _AT_ONCE):
        connection.execute(delete(TRIED).where(TRIED.c.address.in_(meant[start : start + _AT_ONCE])))
    return len(meant)


def _seen(connection: Connection, addresses: Sequence[str]) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {}
    for start in range(0, len(addresses), _AT_ONCE):
        some = addresses[start : start + _AT_ONCE]
        query = select(TRIED.c.address, TRIED.c.credential_id).where(TRIED.c.address.in_(some))
        for address, credential in connection.execute(query):
            found.setdefault(address, set()).add(credential)
    return found


def _digest(credential: Credential, salt: bytes) -> bytes:
    secrets = (credential.community, credential.auth_secret, credential.priv_secret)
    plain = (credential.version, credential.user, credential.auth, credential.priv, credential.context)
    parts = json.dumps([*plain, *(secret.reveal() if secret is not None else None for secret in secrets)])
    return hashlib.scrypt(parts.encode(), salt=salt, n=_COST, r=8, p=1, dklen=32)


def _lock(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
