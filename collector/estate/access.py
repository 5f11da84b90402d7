"""What opens things to agents, all derived from one key of the collector's: their secrets, and what is kept of codes.

So the database holds no secret: who has read it can neither report nor enrol. Collectors that share agents share the key.
"""

from __future__ import annotations

import base64
import hmac
import os
import secrets
from pathlib import Path
from typing import NamedTuple

from snmp.usm import User

from ..errors import AgentError

KEY_FILE = "agents-key"
AUTH, PRIV = "SHA-256", "AES-128"
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's: no letter that is taken for a digit."""
_ALIKE = str.maketrans("OIL", "011")
_CODE = 12
"""Letters of a code: 60 bits, which no guessing over a line finds."""


class Secrets(NamedTuple):
    """What an agent knows in one generation of its keys: its SNMPv3 user, and the token it shows over HTTPS."""

    user: str
    auth_secret: str
    priv_secret: str
    token: str

    def __repr__(self) -> str:
        return f"Secrets(user={self.user!r})"

    def opened(self) -> User:
        """As SNMP's user."""
        return User(self.user.encode(), AUTH, self.auth_secret.encode(), PRIV, self.priv_secret.encode())


class Vault:
    """Derives secrets from the collector's key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    @classmethod
    def open(cls, directory: Path, key: bytes | None) -> Vault:
        """With the key of the settings, or the state directory's own, made when there is none; raises AgentError."""
        if key is not None:
            return cls(key)
        path = directory / KEY_FILE
        try:
            directory.mkdir(parents=True, exist_ok=True)
            draft = directory / f"{KEY_FILE}.{secrets.token_hex(8)}"
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                with open(descriptor, "w", encoding="ascii") as file:
                    file.write(secrets.token_hex(32) + "\n")
                    file.flush()
                    os.fsync(file.fileno())
                os.link(draft, path)  # of two that begin at once, one wins
            except FileExistsError:
                pass
            finally:
                draft.unlink()
            found = bytes.fromhex(path.read_text(encoding="ascii"))
        except (OSError, ValueError) as error:
            raise AgentError(f"{path}: the key of agents' secrets cannot be used: {error}") from error
        if len(found) < 32:
            raise AgentError(f"{path}: holds {len(found)} octets, expected 32; restore it, or all agents enrol again")
        return cls(found)

    def secrets(self, name: str, generation: int) -> Secrets:
        """Of an agent, by its name and the generation of its keys."""
        user = f"{name}.{generation}"
        return Secrets(user, *(self._derive(what, user) for what in ("auth", "priv", "token")))

    def digest(self, code: str) -> str:
        """What is kept of a code: it tells whether a code is this one, and nothing else."""
        return self._derive("code", code)

    def _derive(self, what: str, of: str) -> str:
        digest = hmac.digest(self._key, f"haidang\0{what}\0{of}".encode(), "sha256")
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def new_code() -> str:
    """A code for people to type, such as 7KQ2-M9XA-04TD."""
    letters = "".join(secrets.choice(_ALPHABET) for _ in range(_CODE))
    return "-".join(letters[at : at + 4] for at in range(0, _CODE, 4))


def typed_code(text: str) -> str:
    """A code as `new_code` wrote it, however it was typed; empty when it cannot be one."""
    letters = "".join(text.split()).replace("-", "").upper().translate(_ALIKE)
    if len(letters) != _CODE or not set(letters) <= set(_ALPHABET):
        return ""
    return "-".join(letters[at : at + 4] for at in range(0, _CODE, 4))


def new_name() -> str:
    """A name for an agent, which tells nothing of its machine."""
    return "hd-" + "".join(secrets.choice(_ALPHABET) for _ in range(10)).lower()


def split_user(user: str) -> tuple[str, int] | None:
    """(name, generation) of a user that `Vault.secrets` named."""
    name, dot, generation = user.rpartition(".")
    if not dot or not generation.isascii() or not generation.isdigit() or len(generation) > 9:
        return None
    return name, int(generation)
