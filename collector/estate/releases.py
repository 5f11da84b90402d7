"""Releases of the agent: kept as files under the collector's state directory, and offered to a growing share of the agents.

DIRECTORY/trusted holds the public key that agents are to pin; DIRECTORY/PLATFORM/VERSION/ one release, its archive and
`release.json`, which is always replaced whole, so that people and a running collector may use the directory at once.
The private key is never needed here.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from config import release
from config.errors import ConfigError

from ..errors import ReleaseError

DIRECTORY = "releases"
"""Where they are kept, below the collector's state directory."""
TRUSTED = "trusted"
_RECORD = "release.json"
_ARCHIVE = "archive.zip"
_KEY_OCTETS = 32


@dataclass(frozen=True, slots=True)
class Release:
    """A published release: offered to `stage` percent of the agents of these units (none: of all), unless withdrawn."""

    manifest: release.Manifest
    signature: bytes
    stage: float
    units: tuple[str, ...] = ()
    withdrawn: bool = False

    def includes(self, device: str, unit: str) -> bool:
        """Is this agent in the stage? One that was stays in it while the stage grows; each release begins with others."""
        if self.withdrawn or (self.units and unit not in self.units):
            return False
        drawn = hashlib.sha256(f"{self.manifest.platform} {self.manifest.version} {device}".encode()).digest()
        return int.from_bytes(drawn[:8], "big") / 2**64 * 100 < self.stage


@dataclass(frozen=True, slots=True)
class Offer:
    """A release that an agent may take."""

    manifest: release.Manifest
    signature: bytes

    def document(self) -> dict[str, Any]:
        """What the agent is told of it when it checks in; it asks for the file by its hash."""
        return {**self.manifest._asdict(), "signature": self.signature.hex(), "path": f"/agents/releases/{self.manifest.sha256}"}


class Releases:
    """The releases in a directory, which need not exist yet."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    # -- the key

    def trusted(self) -> bytes | None:
        """The public key that agents are to pin, 32 octets; None when there is none yet. Raises ReleaseError."""
        path = self._directory / TRUSTED
        try:
            return read_key(path.read_text(encoding="ascii", errors="replace"))
        except FileNotFoundError:
            return None
        except (OSError, ReleaseError) as error:
            raise ReleaseError(f"{path}: {error}") from None

    def trust(self, key: bytes, instead: bool = False) -> None:
        """Have agents that enrol from now on pin this key; raises ReleaseError when another one is trusted, unless `instead`."""
        found = self.trusted()
        if found not in (None, key) and not instead:
            known = write_key(found or b"")
            raise ReleaseError(f"another key is trusted already ({known}); agents that pinned it refuse what this one signs")
        self._directory.mkdir(parents=True, exist_ok=True)
        _replace(self._directory / TRUSTED, write_key(key).encode() + b"\n")

    # -- what people do

    def publish(self, archive: Path, signed: Mapping[str, Any], stage: float, units: Collection[str] = ()) -> Release:
        """Take an archive with what `sign` gave for it; raises ReleaseError."""
        key = self.trusted()
        if key is None:
            raise ReleaseError("no key is trusted yet: haidang agent release trust KEY tells the collector the public one")
        manifest, signature = _signed(signed)
        check(archive, manifest)
        try:
            Ed25519PublicKey.from_public_bytes(key).verify(signature, manifest.signed())
        except InvalidSignature:
            raise ReleaseError(f"{archive}: the signature was not made by the trusted key {write_key(key)}") from None
        found = self._find(manifest.platform, manifest.version)
        if found is not None and found.manifest != manifest:
            named = f"{manifest.version} for {manifest.platform}"
            raise ReleaseError(f"{named} was published with other content; give what you changed a new version")
        made = Release(manifest, signature, _percent(stage), tuple(sorted(set(units))))
        place = self._place(manifest.platform, manifest.version)
        place.mkdir(parents=True, exist_ok=True)
        draft = place / f"{_ARCHIVE}.new"
        with archive.open("rb") as source, draft.open("wb") as target:
            shutil.copyfileobj(source, target)
            target.flush()
            os.fsync(target.fileno())
        draft.replace(place / _ARCHIVE)
        self._keep(made)
        return made

    def stage(self, platform: str, version: str, percent: float, units: Collection[str] | None = None) -> Release:
        """Offer a release to another share, and to other units when they are given; raises ReleaseError."""
        found = self._known(platform, version)
        if found.withdrawn:
            raise ReleaseError(f"{version} for {platform} was withdrawn; publish it again, or a newer one")
        chosen = found.units if units is None else tuple(sorted(set(units)))
        return self._keep(replace(found, stage=_percent(percent), units=chosen))

    def withdraw(self, platform: str, version: str) -> Release:
        """Offer a release to nobody any more. Agents that have it keep it. Raises ReleaseError."""
        return self._keep(replace(self._known(platform, version), withdrawn=True))

    def all(self) -> list[Release]:
        """Every release, oldest version first by platform; raises ReleaseError for a damaged record."""
        found = [
            record
            for platform in release.PLATFORMS
            for place in (self._directory / platform).glob("*")
            if (record := self._find(platform, place.name)) is not None
        ]
        return sorted(found, key=lambda one: (one.manifest.platform, release.order(one.manifest.version)))

    # -- what the check-in asks

    def offer(self, device: str, unit: str, platform: str, version: str) -> Offer | None:
        """What to offer an agent that runs `version`: the newest release whose stage it is in and that may follow; else None.

        `device` is the agent's lasting id, `platform` what it tells of its system. A damaged record is passed over.
        """
        kind = release.platform_of(platform)
        if not kind or not release.is_version(version):
            return None
        best: Release | None = None
        for place in (self._directory / kind).glob("*"):
            try:
                found = self._find(kind, place.name)
            except ReleaseError:
                continue
            if found is None or not found.includes(device, unit) or not release.follows(found.manifest, version):
                continue
            if best is None or release.order(found.manifest.version) > release.order(best.manifest.version):
                best = found
        return Offer(best.manifest, best.signature) if best is not None else None

    def file(self, name: str) -> Path | None:
        """The archive that an offer names by its hash; None for any other word, and once it is withdrawn."""
        for platform in release.PLATFORMS:
            for place in (self._directory / platform).glob("*"):
                try:
                    found = self._find(platform, place.name)
                except ReleaseError:
                    continue
                if found is not None and not found.withdrawn and found.manifest.sha256 == name:
                    return place / _ARCHIVE
        return None

    # -- files

    def _place(self, platform: str, version: str) -> Path:
        return self._directory / platform / version

    def _known(self, platform: str, version: str) -> Release:
        found = self._find(platform, version) if platform in release.PLATFORMS and release.is_version(version) else None
        if found is None:
            listed = [f"{one.manifest.version} for {one.manifest.platform}" for one in self.all()]
            raise ReleaseError(f"there is no release {version} for {platform}; known: {', '.join(listed) or 'none'}")
        return found

    def _find(self, platform: str, version: str) -> Release | None:
        path = self._place(platform, version) / _RECORD
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
            manifest, signature = _signed(raw)
            return Release(manifest, signature, _percent(raw["stage"]), tuple(map(str, raw["units"])), bool(raw["withdrawn"]))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError, ReleaseError) as error:
            raise ReleaseError(f"{path}: is damaged: {error}; publish the release again") from None

    def _keep(self, made: Release) -> Release:
        raw = {**made.manifest._asdict(), "signature": made.signature.hex(), "stage": made.stage}
        raw |= {"units": made.units, "withdrawn": made.withdrawn}
        _replace(self._place(made.manifest.platform, made.manifest.version) / _RECORD, json.dumps(raw, indent=1).encode())
        return made


def check(archive: Path, manifest: release.Manifest) -> None:
    """Is this file what the manifest says? Raises ReleaseError."""
    try:
        with archive.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            size = file.tell()
    except OSError as error:
        raise ReleaseError(f"{archive}: cannot be read: {error.strerror}") from None
    if (size, digest) != (manifest.size, manifest.sha256):
        signed = f"{manifest.size} octets with sha256 {manifest.sha256}"
        raise ReleaseError(f"{archive}: has {size} octets with sha256 {digest}; expected what was signed, {signed}")


def read_key(text: str) -> bytes:
    """A public key as `write_key` wrote it; raises ReleaseError."""
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except ValueError:
        key = b""
    if len(key) != _KEY_OCTETS:
        raise ReleaseError(f"found {text.strip()[:60]!r}, expected the 44 letters that haidang agent release key prints")
    return key


def write_key(key: bytes) -> str:
    """A public key as one word."""
    return base64.b64encode(key).decode()


def _signed(raw: Mapping[str, Any]) -> tuple[release.Manifest, bytes]:
    try:
        manifest, signature = release.read(raw), bytes.fromhex(raw["signature"])
    except (ConfigError, KeyError, TypeError, ValueError) as error:
        raise ReleaseError(f"the signature cannot be read: {error}") from None
    return manifest, signature


def _percent(found: object) -> float:
    if isinstance(found, bool) or not isinstance(found, int | float) or not 0 <= found <= 100:
        raise ReleaseError(f"stage: found {found!r}, expected 0 to 100 percent")
    return float(found)


def _replace(path: Path, content: bytes) -> None:
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
