"""The user-based security model (RFC 3414): users, their keys for an engine, signing and encrypting.

Authentication: RFC 3414 section 6 and 7, RFC 7860. Privacy: RFC 3414 section 8 (DES), RFC 3826 (AES-128). AES-192 and AES-256
were never standardised; two ways to stretch a short key are in use: draft-blumenthal-aes-usm-04, and
draft-reeder-snmpv3-usm-3desede, which Cisco uses (here with -C).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from functools import lru_cache
from hmac import compare_digest
from itertools import count
from typing import Any, NamedTuple

from .ciphers import AES, DES, Cipher, Factory, cipher_factory
from .engine import COUNTERS
from .engine import MAX_BOOTS as MAX_BOOTS
from .errors import (
    DecryptionError,
    EncodeError,
    NotInTimeWindow,
    SecurityError,
    SnmpError,
    UnknownContext,
    UnknownEngine,
    UnknownPduHandler,
    UnknownUser,
    UnsupportedSecurityLevel,
    WrongDigest,
)
from .oid import OID

AUTH_FLAG = 1
PRIV_FLAG = 2
"""Bits of msgFlags (RFC 3412 section 6.4), together the security level: 0 noAuthNoPriv, 1 authNoPriv, 3 authPriv."""

TIME_WINDOW = 150
"""Seconds an authoritative engine's clock may differ (RFC 3414 section 2.2.3)."""
MIN_SECRET = 8
"""Octets of a password at least (RFC 3414 section 11.2)."""
MAX_NAME = 32
"""Octets of a user name, and of an engine ID, at most (RFC 3411 section 5, RFC 3414 section 2.4)."""
EXPANDED = 1 << 20
"""Octets a password is repeated to before it is hashed (RFC 3414 section 2.6)."""

USM_STATS: dict[type[SecurityError], OID] = {
    error: COUNTERS[error.counter]
    for error in (UnsupportedSecurityLevel, NotInTimeWindow, UnknownUser, UnknownEngine, WrongDigest, DecryptionError)
}
"""The counter that rises, and goes out in a Report, for each refusal (RFC 3414 section 5, SNMP-USER-BASED-SM-MIB)."""

REPORTS: dict[OID, type[SnmpError]] = {
    **{name: error for error, name in USM_STATS.items()},
    COUNTERS[UnknownPduHandler.counter]: UnknownPduHandler,
    COUNTERS[UnknownContext.counter]: UnknownContext,
    OID((1, 3, 6, 1, 6, 3, 12, 1, 4, 0)): UnknownContext,
}
"""What the counter in a received Report means; besides USM's, snmpUnknownPDUHandlers (SNMP-MPD-MIB), snmpUnknownContexts and, the
last one, snmpUnavailableContexts (SNMP-TARGET-MIB)."""


class Auth(NamedTuple):
    """An authentication protocol: its hash, the hash's block size and the octets of the MAC that are sent."""

    hash: Callable[..., Any]
    block: int
    mac: int


class Priv(NamedTuple):
    """A privacy protocol: its cipher, the octets taken from the localised key, and how a shorter key is stretched."""

    cipher: str
    key: int
    reeder: bool = False


AUTH = {
    "MD5": Auth(hashlib.md5, 64, 12),
    "SHA-1": Auth(hashlib.sha1, 64, 12),
    "SHA-224": Auth(hashlib.sha224, 64, 16),
    "SHA-256": Auth(hashlib.sha256, 64, 24),
    "SHA-384": Auth(hashlib.sha384, 128, 32),
    "SHA-512": Auth(hashlib.sha512, 128, 48),
}
PRIV = {
    "DES": Priv(DES, 16),
    "AES-128": Priv(AES, 16),
    "AES-192": Priv(AES, 24),
    "AES-256": Priv(AES, 32),
    "AES-192-C": Priv(AES, 24, reeder=True),
    "AES-256-C": Priv(AES, 32, reeder=True),
}

_ALIASES = {"SHA": "SHA-1", "AES": "AES-128"}
"""The names that do not follow from the canonical ones by leaving out hyphens."""


def _canonical(name: str, allowed: dict[str, Any], what: str) -> str:
    plain = _ALIASES.get(name.upper(), name).upper().replace("-", "").replace("_", "")
    for canonical in allowed:
        if plain == canonical.replace("-", ""):
            return canonical
    raise ValueError(f"no {what} protocol {name!r}: allowed are {', '.join(allowed)}")


def auth_protocol(name: str) -> str:
    """The canonical name of an authentication protocol ("sha", "SHA256" will do); raises ValueError that lists the allowed."""
    return _canonical(name, AUTH, "authentication")


def priv_protocol(name: str) -> str:
    """The canonical name of a privacy protocol ("aes", "AES192C" will do); raises ValueError that lists the allowed."""
    return _canonical(name, PRIV, "privacy")


class _UserFields(NamedTuple):
    name: bytes
    auth: str
    auth_secret: bytes
    priv: str
    priv_secret: bytes


class User(_UserFields):
    """A user and its passwords; raises ValueError for an unknown protocol, a short secret, privacy without authentication."""

    __slots__ = ()

    def __new__(cls, name: bytes, auth: str = "", auth_secret: bytes = b"", priv: str = "", priv_secret: bytes = b"") -> User:
        auth = auth and auth_protocol(auth)
        priv = priv and priv_protocol(priv)
        who = name.decode("utf-8", "backslashreplace")
        if len(name) > MAX_NAME:
            raise ValueError(f"user name {who!r} has {len(name)} octets: expected at most {MAX_NAME}")
        if priv and not auth:
            raise ValueError(f"user {who!r} has privacy {priv} without authentication: expected one of {', '.join(AUTH)}")
        for protocol, secret, what in ((auth, auth_secret, "authentication"), (priv, priv_secret, "privacy")):
            if protocol and len(secret) < MIN_SECRET:
                raise ValueError(f"user {who!r}: the {what} secret has {len(secret)} octets, expected {MIN_SECRET} at least")
            if secret and not protocol:
                raise ValueError(f"user {who!r} has a secret for {what} but no protocol for it")
        return super().__new__(cls, name, auth, auth_secret, priv, priv_secret)

    def __repr__(self) -> str:
        return f"User(name={self.name!r}, auth={self.auth!r}, priv={self.priv!r})"

    @property
    def level(self) -> int:
        """The flags of the highest security level this user can have: 0, 1 or 3."""
        return (AUTH_FLAG if self.auth else 0) | (PRIV_FLAG if self.priv else 0)

    def localise(self, engine_id: bytes, ciphers: Factory | None = None) -> Keys:
        """The keys for one authoritative engine, kept; the first time for a secret hashes a megabyte (about 1 ms)."""
        return _localised(self, engine_id, ciphers or cipher_factory())


@lru_cache(maxsize=32768)
def _localised(user: User, engine_id: bytes, ciphers: Factory) -> Keys:
    auth_key = priv_key = b""
    if user.auth:
        auth_key = localised_key(user.auth, _master_key(user.auth, user.auth_secret), engine_id)
    if user.priv:
        priv_key = localised_key(user.auth, _master_key(user.auth, user.priv_secret), engine_id)
        priv_key = stretched_key(user.auth, priv_key, engine_id, user.priv)
    return Keys(engine_id, user.auth, auth_key, user.priv, priv_key, ciphers)


def master_key(auth: str, secret: bytes) -> bytes:
    """Ku: the password made a key (RFC 3414 section 2.6)."""
    state, piece = AUTH[auth].hash(), secret * 512
    for _ in range(EXPANDED // len(piece)):
        state.update(piece)
    state.update(piece[: EXPANDED % len(piece)])
    digest: bytes = state.digest()
    return digest


_master_key = lru_cache(maxsize=32768)(master_key)


def localised_key(auth: str, master: bytes, engine_id: bytes) -> bytes:
    """Kul: a master key made one engine's own (RFC 3414 section 2.6)."""
    digest: bytes = AUTH[auth].hash(master + engine_id + master).digest()
    return digest


def stretched_key(auth: str, key: bytes, engine_id: bytes, priv: str) -> bytes:
    """A localised key cut, or stretched, to what the privacy protocol takes.

    Blumenthal appends the hash of what is there; Reeder takes the key for a password, which hashes another megabyte.
    """
    protocol = PRIV[priv]
    while len(key) < protocol.key:
        if protocol.reeder:
            key += localised_key(auth, master_key(auth, key), engine_id)
        else:
            key += AUTH[auth].hash(key).digest()
    return key[: protocol.key]


_INNER = bytes(octet ^ 0x36 for octet in range(256))
_OUTER = bytes(octet ^ 0x5C for octet in range(256))


class Keys:
    """What one user signs and encrypts with at one engine: HMAC states prepared, cipher keyed.

    `level` is the flags of the highest security level, `mac_length` the octets a MAC takes in a message, `aes`: what it encrypts
    is as long as what it is given.
    """

    __slots__ = ("_cipher", "_inner", "_outer", "_pre_iv", "_zeros", "aes", "engine_id", "level", "mac_length")

    def __init__(self, engine_id: bytes, auth: str, auth_key: bytes, priv: str, priv_key: bytes, ciphers: Factory) -> None:
        """Of keys localised, and stretched, already; see `User.localise`."""
        self.engine_id = engine_id
        self.level = (AUTH_FLAG if auth else 0) | (PRIV_FLAG if priv else 0)
        self.mac_length = 0
        self.aes = False
        self._cipher: Cipher | None = None
        if auth:
            protocol = AUTH[auth]
            padded = auth_key.ljust(protocol.block, b"\0")
            self.mac_length = protocol.mac
            self._zeros = bytes(protocol.mac)
            self._inner = protocol.hash(padded.translate(_INNER))
            self._outer = protocol.hash(padded.translate(_OUTER))
        if priv:
            self.aes = PRIV[priv].cipher == AES
            self._cipher = ciphers(AES, priv_key) if self.aes else ciphers(DES, priv_key[:8])
            self._pre_iv = int.from_bytes(priv_key[8:16], "big")

    def mac(self, message: bytes) -> bytes:
        """The HMAC as it is sent: cut to `mac_length` octets (RFC 3414 section 6.3.1 and 7.3.1, RFC 7860 section 4.2.1)."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(message)
        outer.update(inner.digest())
        digest: bytes = outer.digest()
        return digest[: self.mac_length]

    def sign(self, message: bytes, offset: int) -> bytes:
        """The message with its MAC at `offset`, where it holds `mac_length` zeros."""
        return message[:offset] + self.mac(message) + message[offset + self.mac_length :]

    def verify(self, message: bytes, offset: int, length: int) -> bool:
        """Is the MAC of `length` octets at `offset` ours? Takes the same time whatever differs."""
        end = offset + length
        if not length or length != self.mac_length:
            return False
        return compare_digest(self.mac(message[:offset] + self._zeros + message[end:]), message[offset:end])

    def encrypt(self, plain: bytes, boots: int, time: int) -> tuple[bytes, bytes]:
        """(ciphertext, privacy parameters) at the authoritative engine's boots and time; raises EncodeError without privacy."""
        if self._cipher is None:
            raise EncodeError("a user without privacy cannot encrypt")
        salt = next(_salts) & 0xFFFFFFFFFFFFFFFF
        if self.aes:
            # RFC 3826 section 3.1.2.1
            params = salt.to_bytes(8, "big")
            return self._cipher.encrypt((boots << 32 | time).to_bytes(8, "big") + params, plain), params
        # RFC 3414 section 8.1.1.1
        salt = boots << 32 | salt & 0xFFFFFFFF
        padded = plain + bytes(-len(plain) % 8)
        return self._cipher.encrypt((salt ^ self._pre_iv).to_bytes(8, "big"), padded), salt.to_bytes(8, "big")

    def decrypt(self, cipher: bytes, boots: int, time: int, params: bytes) -> bytes:
        """The plaintext, after DES perhaps with padding behind it; a wrong key gives garbage, not an error.

        Raises DecryptionError for parameters or lengths that cannot be, UnsupportedSecurityLevel without privacy.
        """
        if self._cipher is None:
            raise UnsupportedSecurityLevel("an encrypted message for a user without privacy")
        if len(params) != 8:
            raise DecryptionError(f"privacy parameters of {len(params)} octets, expected 8")
        if self.aes:
            return self._cipher.decrypt((boots << 32 | time).to_bytes(8, "big") + params, cipher)
        if len(cipher) % 8:
            raise DecryptionError(f"DES ciphertext of {len(cipher)} octets, expected a multiple of 8")
        return self._cipher.decrypt((int.from_bytes(params, "big") ^ self._pre_iv).to_bytes(8, "big"), cipher)


_salts = count(int.from_bytes(os.urandom(8), "big"))


def _new_salts() -> None:
    global _salts
    _salts = count(int.from_bytes(os.urandom(8), "big"))


if hasattr(os, "register_at_fork"):
    # Two processes that count on from the same salt under the same key would give CFB's secret away.
    os.register_at_fork(after_in_child=_new_salts)
