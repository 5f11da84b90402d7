"""A release of the agent as it is signed: the same words on the operator's machine, the collector and the agent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from .errors import ConfigError

PLATFORMS = ("linux", "windows")
LABEL = "release.toml"
"""The file at the top of a release's archive that names its version and platform."""
MAX_SIZE = 128 << 20
"""Octets of an archive."""
_VERSION = re.compile(r"(0|[1-9]\d{0,5})(\.(0|[1-9]\d{0,5})){2}", re.ASCII)
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)


class Manifest(NamedTuple):
    """What is signed: `size` in octets, `sha256` in hexadecimal, `replaces` the newer version this one may follow, or nothing."""

    version: str
    platform: str
    size: int
    sha256: str
    replaces: str = ""

    def signed(self) -> bytes:
        """The octets under the Ed25519 signature (RFC 8032)."""
        words = [f"{name} {value}".rstrip() for name, value in self._asdict().items()]
        return "\n".join(["haidang-agent release 1", *words, ""]).encode("ascii")


def read(raw: Mapping[str, Any]) -> Manifest:
    """Check what came from a file or the network; raises ConfigError with every problem. Other keys are left alone."""
    problems: list[str] = []

    def take(key: str, right: bool, expected: str) -> None:
        if not right:
            problems.append(f"release: {key}: found {str(raw.get(key))[:80]!r}, expected {expected}")

    version, platform, size, digest = (raw.get(key) for key in ("version", "platform", "size", "sha256"))
    replaces = raw.get("replaces", "")
    take("version", is_version(version), 'three numbers, such as "1.4.0"')
    take("platform", platform in PLATFORMS, " or ".join(PLATFORMS))
    take("size", type(size) is int and 0 < size <= MAX_SIZE, f"1 to {MAX_SIZE} octets")
    take("sha256", isinstance(digest, str) and _DIGEST.fullmatch(digest) is not None, "64 hexadecimal digits in small letters")
    take("replaces", replaces == "" or is_version(replaces), "the version that may be left for this one, or nothing")
    if problems:
        raise ConfigError(*problems)
    return Manifest(str(version), str(platform), int(str(size)), str(digest), str(replaces))


def platform_of(told: str) -> str:
    """The platform of releases for an agent that tells its system, such as "linux-x86_64" or "win32-amd64"; "" for another."""
    return {"linux": "linux", "win32": "windows"}.get(told.partition("-")[0], "")


def is_version(found: object) -> bool:
    """Is it a version as releases bear them? Only then is it safe as a directory's name."""
    return isinstance(found, str) and _VERSION.fullmatch(found) is not None


def order(version: str) -> tuple[int, ...]:
    """What versions are compared by."""
    return tuple(map(int, version.split(".")))


def follows(manifest: Manifest, version: str) -> bool:
    """May this release take the place of that version: it is newer, or signed as one that goes back from it."""
    return order(manifest.version) > order(version) or manifest.replaces == version != manifest.version
