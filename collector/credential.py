"""Credentials of the settings, opened for the client."""

from __future__ import annotations

from config.settings import Credential
from snmp import message
from snmp.security import Community
from snmp.usm import User


def open_credential(credential: Credential) -> Community | User:
    """What the client needs of a credential of the settings."""
    if credential.version == "3":
        secrets = [s.reveal().encode() if s is not None else b"" for s in (credential.auth_secret, credential.priv_secret)]
        return User(credential.user.encode(), credential.auth, secrets[0], credential.priv, secrets[1])
    assert credential.community is not None
    version = message.V1 if credential.version == "1" else message.V2C
    return Community(credential.community.reveal().encode(), version)
