"""A release that a collector offers: checked, fetched at a pace, laid beside the version at work, and switched to.

Runs in a short-lived child, since it loads cryptography. Whatever happens in between, killed or without power, the version at
work stays the one that starts until the new one is complete.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import time
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from config import release
from config.errors import ConfigError

from . import __version__, versions
from .errors import AgentError, PortalError, StateError
from .portal import Portal

PLATFORM = "windows" if os.name == "nt" else "linux"
PACE = 32_000.0
"""Octets a second, so that a release leaves a weak line to others."""
MAX_FILES = 5000
MAX_UNPACKED = 512 << 20
_PART = "download-"
_CHUNK = 1 << 16
_NEVER = set('\\:*?"<>|')
"""What no part of a file's name holds on some system."""


class UpdateError(AgentError):
    """A release that was not taken; the version at work goes on."""


class Offer(NamedTuple):
    """A release as a collector offers it: `path` on the collector, `signature` over the manifest."""

    manifest: release.Manifest
    signature: bytes
    path: str


class State(NamedTuple):
    """What a collector is told: the version at work, the one on probation, those that were returned from."""

    version: str
    tried: str
    refused: tuple[versions.Refused, ...]


def read(raw: Mapping[str, Any]) -> Offer:
    """Check the form of an offer: the manifest's keys, `path`, and `signature` in hexadecimal; raises UpdateError."""
    try:
        manifest = release.read(raw)
    except ConfigError as error:
        raise UpdateError(f"the offer is not understood: {error}") from None
    path, signature = raw.get("path"), raw.get("signature")
    if not isinstance(path, str) or not path.startswith("/") or not path.isascii() or not path.isprintable():
        raise UpdateError(f"the offer is not understood: path: found {str(path)[:80]!r}, expected a path on the collector")
    try:
        octets = bytes.fromhex(signature) if isinstance(signature, str) else b""
    except ValueError:
        octets = b""
    if len(octets) != 64:
        raise UpdateError("the offer is not understood: signature: expected 64 octets in hexadecimal")
    return Offer(manifest, octets, path)


def place() -> str:
    """Where later versions lie; raises UpdateError where the launcher did not start this agent."""
    found = os.environ.get(versions.VERSIONS, "")
    if not found:
        raise UpdateError("this agent was not started by its package's launcher; update it the way it was installed")
    return found


def known(directory: str) -> State:
    """What to tell a collector; a damaged file tells nothing."""
    try:
        switch = versions.read(directory)
    except StateError:
        switch = versions.Switch()
    return State(__version__, switch.tried, switch.refused)


def news(raw: object, key: str, portal: Portal) -> str:
    """Take what a collector offers, when it is wanted; what became of the last new version, in words.

    `raw` is the offer, None when there was none; `key` the one that is pinned, in hexadecimal.
    """
    directory = os.environ.get(versions.VERSIONS, "")
    if raw is not None:
        try:
            offer = read(raw if isinstance(raw, Mapping) else {})
            if wanted(offer, place()):
                apply(offer, [bytes.fromhex(key)] if key else [], _from(portal), directory)
                return f"{offer.manifest.version} was fetched and is tried next"
        except (UpdateError, ValueError) as error:
            return str(error)
    state = known(directory) if directory else State(__version__, "", ())
    if state.tried:
        return f"{state.tried} is being tried"
    return f"returned from {state.refused[-1].version}: it {state.refused[-1].reason}" if state.refused else ""


def _from(portal: Portal) -> Callable[[str, int], Iterator[bytes]]:
    def download(path: str, offset: int) -> Iterator[bytes]:
        with portal.download(path, offset=offset) as pieces:
            yield from pieces

    return download


def wanted(offer: Offer, directory: str, running: str = __version__) -> bool:
    """Is this a release to take: newer, not on probation, and not one that was returned from?"""
    state = known(directory)
    tried_before = offer.manifest.version in (state.tried, *(refused.version for refused in state.refused))
    return not tried_before and release.follows(offer.manifest, running)


def apply(
    offer: Offer,
    keys: Sequence[bytes],
    download: Callable[[str, int], Iterable[bytes]],
    directory: str,
    running: str = __version__,
    pace: float = PACE,
) -> None:
    """Take a release that is wanted: on return the next start tries it. Raises UpdateError.

    `keys` are Ed25519 public keys of 32 octets, one of which must have signed it. `download` gives the octets of a path from an
    offset on, or raises OSError: what came before a line broke is kept for the next time.
    """
    if not wanted(offer, directory, running):
        raise UpdateError(f"{offer.manifest.version} does not follow {running}, or it was tried before")
    if offer.manifest.platform != PLATFORM:
        raise UpdateError(f"the release is for {offer.manifest.platform}, this is {PLATFORM}")
    verify(offer, keys)
    try:
        os.makedirs(directory, mode=0o700, exist_ok=True)
        switch = _switch(directory)
        if switch.tried:
            raise UpdateError(f"{switch.tried} is on probation; one release at a time")
        _tidy(directory, switch, offer.manifest)
        archive = os.path.join(directory, _PART + offer.manifest.sha256)
        _fetch(offer, archive, download, pace)
        _lay(archive, offer.manifest, directory)
        base = switch.base if os.environ.get(versions.VERSION) else running
        versions.write(directory, switch._replace(base=base, tried=offer.manifest.version, starts=0))
        os.unlink(archive)
    except (StateError, PortalError, OSError) as error:
        raise UpdateError(f"{offer.manifest.version}: {error}") from None


def verify(offer: Offer, keys: Sequence[bytes]) -> None:
    """Raises UpdateError unless one of the keys signed the manifest."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    for key in keys:
        try:
            Ed25519PublicKey.from_public_bytes(key).verify(offer.signature, offer.manifest.signed())
        except (InvalidSignature, ValueError):
            continue
        return
    raise UpdateError(f"{offer.manifest.version} is not signed by {'the' if len(keys) == 1 else 'a'} key this agent trusts")


def _switch(directory: str) -> versions.Switch:
    try:
        return versions.read(directory)
    except StateError:
        return versions.Switch()


def _tidy(directory: str, switch: versions.Switch, manifest: release.Manifest) -> None:
    """Remove what earlier updates left, but for the archive that is on its way."""
    running = os.environ.get(versions.VERSION, "")
    for name in os.listdir(directory):
        if name not in (versions.SWITCH, switch.kept, running, _PART + manifest.sha256):
            path = os.path.join(directory, name)
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path, ignore_errors=True)
            else:
                os.unlink(path)


def _fetch(offer: Offer, archive: str, download: Callable[[str, int], Iterable[bytes]], pace: float) -> None:
    """Have the whole archive on disk, its hash checked; what is wrong is thrown away."""
    manifest = offer.manifest
    have = os.path.getsize(archive) if os.path.exists(archive) else 0
    if have > manifest.size:
        os.unlink(archive)
        have = 0
    if have < manifest.size:
        free = shutil.disk_usage(os.path.dirname(archive)).free
        if free < 4 * manifest.size:
            raise UpdateError(f"{os.path.dirname(archive)}: {free} octets are free, the release needs {4 * manifest.size}")
        with open(archive, "ab") as file:
            for piece in _paced(download(offer.path, have), pace):
                have += len(piece)
                if have > manifest.size:
                    break
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
    if have < manifest.size:
        raise UpdateError(f"{manifest.version}: {have} of {manifest.size} octets came; the rest is asked for the next time")
    with open(archive, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if have > manifest.size or digest != manifest.sha256:
        os.unlink(archive)
        raise UpdateError(f"{manifest.version}: what came is not what was signed: found sha256 {digest} of {have} octets or more")


def _paced(pieces: Iterable[bytes], pace: float) -> Iterator[bytes]:
    began, count = time.monotonic(), 0
    for piece in pieces:
        yield piece
        count += len(piece)
        ahead = began + count / pace - time.monotonic()
        if ahead > 0:
            time.sleep(ahead)


def _lay(archive: str, manifest: release.Manifest, directory: str) -> None:
    """Unpack beside the others, and give it its name when it is complete and safe on disk."""
    draft = os.path.join(directory, f"new-{manifest.version}")
    target = versions.path_of(directory, manifest.version)
    try:
        with zipfile.ZipFile(archive) as packed:
            for info in _checked(packed, manifest):
                _unpack(packed, info, os.path.join(draft, *info.filename.split("/")))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error) as error:
        raise UpdateError(f"{manifest.version}: the archive is damaged: {error}") from None
    _labelled(draft, manifest)
    if PLATFORM == "linux":
        import compileall

        compileall.compile_dir(draft, quiet=2, force=True, stripdir=draft, prependdir=target)
    for parent, _, names in os.walk(draft, topdown=False):
        for name in names:
            with open(os.path.join(parent, name), "rb+") as file:
                os.fsync(file.fileno())
        versions.sync(parent)
    os.rename(draft, target)
    versions.sync(directory)


def _checked(packed: zipfile.ZipFile, manifest: release.Manifest) -> list[zipfile.ZipInfo]:
    """The files of an archive; raises UpdateError for a name that leads elsewhere, a link, or more than fits."""
    found = [info for info in packed.infolist() if not info.is_dir()]
    if len(found) > MAX_FILES or sum(info.file_size for info in found) > MAX_UNPACKED:
        raise UpdateError(f"{manifest.version}: the archive holds more than {MAX_FILES} files or {MAX_UNPACKED} octets")
    seen: set[str] = set()
    for info in found:
        parts = info.filename.split("/")
        kind = stat.S_IFMT(info.external_attr >> 16)
        if not all(part.isprintable() and part[-1:] not in ("", ".", " ") and not set(part) & _NEVER for part in parts):
            raise UpdateError(f"{manifest.version}: the name {info.filename[:80]!r} in the archive leads out of it")
        if kind not in (0, stat.S_IFREG):
            raise UpdateError(f"{manifest.version}: the archive's {info.filename[:80]!r} is no ordinary file")
        if info.filename.lower() in seen:
            raise UpdateError(f"{manifest.version}: the archive holds {info.filename[:80]!r} twice")
        seen.add(info.filename.lower())
    return found


def _unpack(packed: zipfile.ZipFile, info: zipfile.ZipInfo, path: str) -> None:
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    left = info.file_size
    with packed.open(info) as source, open(path, "xb") as file:
        while piece := source.read(_CHUNK):
            left -= len(piece)
            if left < 0:
                raise UpdateError(f"{info.filename[:80]!r} is larger than the archive says")
            file.write(piece)


def _labelled(draft: str, manifest: release.Manifest) -> None:
    """The number an archive bears inside is the one that was signed."""
    import tomllib

    path = os.path.join(draft, release.LABEL)
    try:
        with open(path, "rb") as file:
            label = tomllib.load(file)
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UpdateError(f"{manifest.version}: {release.LABEL} in the archive cannot be read: {error}") from None
    found = (label.get("version"), label.get("platform"))
    if found != (manifest.version, manifest.platform):
        raise UpdateError(f"{manifest.version} for {manifest.platform}: the archive says it is {found[0]} for {found[1]}")
