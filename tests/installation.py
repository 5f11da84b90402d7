"""An installation of the agent as its package lays it out, releases made for it, and its launcher as a process."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent import update, versions
from config import release
from deploy import release as built

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw()
LAUNCH = """
import sys
sys.path.insert(0, sys.argv[1])
from agent import launch
base, home, patience, pause = sys.argv[1:5]
launch.PATIENCE = float(patience)
launch.PAUSE = float(pause)
sys.exit(launch.main(base, home, sys.argv[5:]))
"""
"""What /usr/bin/haidang-agent does, in less time."""


@cache
def _files() -> Mapping[str, bytes]:
    return built.files()


def files(version: str, changes: Mapping[str, tuple[str, str]] | None = None) -> dict[str, bytes]:
    """The agent's files as those of another version; `changes` are replacements in the text of one."""
    found = dict(_files())
    found["release.toml"] = built.label(version, "linux")
    changes = {"agent/__init__.py": (f'"{built.version()}"', f'"{version}"'), **(changes or {})}
    for name, (old, new) in changes.items():
        text = found[name].decode()
        assert old in text, f"{name} holds no {old!r}"
        found[name] = text.replace(old, new).encode()
    return found


def program(version: str, text: str) -> dict[str, bytes]:
    """A release that is one small program."""
    return {"release.toml": built.label(version, "linux"), "__main__.py": text.encode()}


def pack(content: Mapping[str, bytes], path: Path) -> bytes:
    """The archive of a release."""
    built.pack(dict(content), path, 0)
    return path.read_bytes()


def offer(
    archive: bytes, version: str, key: Ed25519PrivateKey = KEY, replaces: str = "", platform: str = "linux"
) -> update.Offer:
    """The offer of an archive, signed."""
    manifest = release.Manifest(version, platform, len(archive), hashlib.sha256(archive).hexdigest(), replaces)
    return update.Offer(manifest, key.sign(manifest.signed()), "/agents/releases/x")


class Download:
    """A collector that gives an archive in pieces, from an offset on; it breaks off after `until` octets."""

    def __init__(self, archive: bytes, until: int | None = None, piece: int = 4096) -> None:
        self.archive = archive
        self.until = until
        self.piece = piece
        self.offsets: list[int] = []

    def __call__(self, path: str, offset: int) -> Iterator[bytes]:
        self.offsets.append(offset)
        end = len(self.archive) if self.until is None else self.until
        for at in range(offset, end, self.piece):
            yield self.archive[at : min(at + self.piece, end)]
        if self.until is not None:
            raise OSError("the line broke")


class Installation:
    """An installed agent in a directory of its own."""

    def __init__(self, directory: Path) -> None:
        self.base = directory / "lib"
        self.home = directory / "home"
        self.versions = self.home / "versions"
        self.settings = directory / "haidang-agent.toml"
        self.said = directory / "said"
        self.home.mkdir(mode=0o700)
        lay(_files(), self.base)

    def update(self, content: Mapping[str, bytes], version: str, running: str = built.version()) -> None:
        """Take a release, as the child that checks in does."""
        archive = pack(content, self.home.parent / "release.zip")
        update.apply(offer(archive, version), [PUBLIC], Download(archive), str(self.versions), running, pace=float("inf"))

    def switch(self) -> versions.Switch:
        """What was decided last."""
        return versions.read(str(self.versions))

    def start(self, *words: str, patience: float = 100.0, pause: float = 0.02) -> subprocess.Popen[bytes]:
        """The launcher, with what it and the agent say in `said`."""
        words = words or ("run", "--config", str(self.settings))
        command = [sys.executable, "-c", LAUNCH, str(self.base), str(self.home), str(patience), str(pause), *words]
        with self.said.open("ab") as output:
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/")

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A command of the version that is due, to its end."""
        command = [sys.executable, "-c", LAUNCH, str(self.base), str(self.home), "30", "0.02", *words]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=100, cwd="/")

    def text(self) -> str:
        """All that was said."""
        return self.said.read_text(errors="replace") if self.said.exists() else ""


def lay(content: Mapping[str, bytes], directory: Path) -> None:
    """Write files below a directory."""
    for name, data in content.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def document(made: update.Offer) -> dict[str, object]:
    """An offer as a collector writes it."""
    return {**made.manifest._asdict(), "signature": made.signature.hex(), "path": made.path}
