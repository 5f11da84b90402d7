"""Secrets, which never print, and the passwords of the web's users (scrypt, RFC 7914)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os

_COST, _BLOCK, _LANES = 1 << 14, 8, 1
_MEMORY = 64 << 20


class Secret:
    """A text that appears in no repr, log or message; `reveal()` gives it to the one who needs it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself."""
        return self._text

    def encode(self) -> bytes:
        """The text in UTF-8, as it goes on the wire."""
        return self._text.encode()

    def accepts(self, secret: str) -> bool:
        """Is this the secret? Takes the same time whether or not."""
        return hmac.compare_digest(self.encode(), secret.encode())

    def __len__(self) -> int:
        """Octets in UTF-8."""
        return len(self._text.encode())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self.encode(), other.encode())

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __repr__(self) -> str:
        return "Secret(********)"

    __str__ = __repr__

    def __reduce__(self) -> str:
        raise TypeError("a Secret is not pickled: it would stand readable in the result")


class Password:
    """What is kept of a password: `scrypt:N:r:p:salt:hash`, the last two in base64."""

    __slots__ = ("_accepted", "_digest", "_key", "_parameters", "_salt")

    def __init__(self, text: str) -> None:
        """Raises ValueError for anything but the form above."""
        try:
            scheme, cost, block, lanes, salt, digest = text.split(":")
            self._parameters = int(cost), int(block), int(lanes)
            self._salt = base64.b64decode(salt, validate=True)
            self._digest = base64.b64decode(digest, validate=True)
        except (ValueError, binascii.Error):
            scheme = ""
        if scheme != "scrypt" or len(self._digest) < 16 or not _affordable(*self._parameters):
            raise ValueError("found something else, expected scrypt:N:r:p:salt:hash as `haidang password` prints it")
        self._key = os.urandom(16)
        self._accepted = b""

    def accepts(self, secret: str) -> bool:
        """Is this the password? About 50 ms the first time, then microseconds: scrapers repeat it every minute."""
        short = hmac.digest(self._key, secret.encode(), "sha256")
        if self._accepted and hmac.compare_digest(short, self._accepted):
            return True
        cost, block, lanes = self._parameters
        digest = hashlib.scrypt(
            secret.encode(), salt=self._salt, n=cost, r=block, p=lanes, maxmem=_MEMORY, dklen=len(self._digest)
        )
        if not hmac.compare_digest(digest, self._digest):
            return False
        self._accepted = short
        return True

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Password) and (self._salt, self._digest) == (other._salt, other._digest)

    def __hash__(self) -> int:
        return hash((self._salt, self._digest))

    def __repr__(self) -> str:
        return "Password(********)"


def hash_password(secret: str) -> str:
    """The line for `password_hash` in the settings."""
    salt = os.urandom(16)
    digest = hashlib.scrypt(secret.encode(), salt=salt, n=_COST, r=_BLOCK, p=_LANES, maxmem=_MEMORY, dklen=32)
    return ":".join(
        ("scrypt", str(_COST), str(_BLOCK), str(_LANES), base64.b64encode(salt).decode(), base64.b64encode(digest).decode())
    )


def _affordable(cost: int, block: int, lanes: int) -> bool:
    power = cost > 1 and cost & (cost - 1) == 0
    return power and block > 0 and lanes == 1 and 128 * block * (cost + 2) <= _MEMORY
