"""`haidang agent release`: sign a new version of the agent, offer it to a growing share of the agents, take it back.

The private key is used by `sign` alone, on a machine of its own if you like: the collector holds the public one.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import tomllib
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from collector.errors import CollectorError, ReleaseError
from collector.estate.releases import DIRECTORY, Release, Releases, read_key, write_key
from config import release, settings
from config.errors import ConfigError
from config.settings import Settings

from .columns import aligned
from .options import add_config, check_unit
from .sentence import counted

COLUMNS = ("VERSION", "PLATFORM", "OFFERED TO", "UNITS", "SIZE", "REPLACES")


def add_parser(subparsers: Any) -> None:
    """Declare the command."""
    about = "sign versions of the agent, offer them in stages, take them back"
    commands = subparsers.add_parser("release", help=about, description=__doc__).add_subparsers(required=True, metavar="COMMAND")

    def alone(name: str, func: Callable[[argparse.Namespace], Iterator[str]], help: str) -> Any:
        command = commands.add_parser(name, help=help, description=help[0].upper() + help[1:] + ".")
        command.set_defaults(func=lambda args: _say(func, args))
        return command

    def here(name: str, func: Callable[[Releases, Settings, argparse.Namespace], Iterator[str]], help: str) -> Any:
        def carry_out(args: argparse.Namespace) -> Iterator[str]:
            found = settings.read(args.config)
            return func(Releases(directory(found)), found, args)

        command = alone(name, carry_out, help)
        add_config(command)
        return command

    alone("key", key, "make a key pair: the private key goes into FILE, the public one is printed").add_argument(
        "file", type=Path, metavar="FILE"
    )
    signing = alone("sign", sign, "write FILE.sig beside a release that was built")
    signing.add_argument("file", type=Path, metavar="FILE")
    signing.add_argument("--key", type=Path, required=True, metavar="FILE", help="the private key")
    signing.add_argument("--replaces", default="", metavar="VERSION", help="a newer version that agents may leave for this one")
    trusting = here("trust", trust, "have agents that enrol pin this public key")
    trusting.add_argument("key", metavar="KEY")
    trusting.add_argument("--instead", action="store_true", help="although another one is trusted")
    publishing = here("publish", publish, "offer a release that was signed")
    publishing.add_argument("file", type=Path, metavar="FILE")
    here("list", show, "show the releases and to how many agents they are offered")
    staging = here("stage", stage, "offer a release to another share of the agents")
    here("withdraw", withdraw, "offer a release to nobody any more; agents that have it keep it").add_argument(
        "release", metavar="VERSION-PLATFORM"
    )
    staging.add_argument("release", metavar="VERSION-PLATFORM", help='such as "1.4.0-linux"')
    for command in (publishing, staging):
        command.add_argument("--stage", required=True, metavar="PERCENT", help='the share of the agents, such as "5%%"')
        command.add_argument(
            "--unit", action="append", default=[], metavar="U", help="only agents of this unit and those below; may be repeated"
        )


def directory(found: Settings) -> Path:
    """Where a collector keeps releases."""
    return found.collector.state_directory / DIRECTORY


def _say(func: Callable[[argparse.Namespace], Iterator[str]], args: argparse.Namespace) -> int:
    """Carry out a command; 1 when it cannot be done."""
    try:
        for line in func(args):
            print(line)
    except CollectorError as error:
        print(f"haidang: {error}", file=sys.stderr)
        return 1
    return 0


def key(args: argparse.Namespace) -> Iterator[str]:
    """A new key pair."""
    made = Ed25519PrivateKey.generate()
    pem = made.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    try:
        descriptor = os.open(args.file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise ReleaseError(f"{args.file}: cannot be written: {error.strerror}; a key is never replaced") from error
    with open(descriptor, "wb") as file:
        file.write(pem)
    public = made.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    yield write_key(public)


def sign(args: argparse.Namespace) -> Iterator[str]:
    """The signature of a release, as a file beside it."""
    private = _private(args.key)
    data = _read(args.file)
    label = _label(args.file)
    raw = {**label, "size": len(data), "sha256": hashlib.sha256(data).hexdigest(), "replaces": args.replaces}
    manifest = release.read(raw)
    if args.replaces and release.order(args.replaces) < release.order(manifest.version):
        raise ReleaseError(f"--replaces {args.replaces}: {manifest.version} is newer and follows it anyway")
    out = args.file.with_name(args.file.name + ".sig")
    try:
        out.write_text(json.dumps({**manifest._asdict(), "signature": private.sign(manifest.signed()).hex()}, indent=1) + "\n")
    except OSError as error:
        raise ReleaseError(f"{out}: cannot be written: {error.strerror}") from error
    yield f"{out}: {manifest.version} for {manifest.platform}, {manifest.size} octets"


def _private(path: Path) -> Ed25519PrivateKey:
    try:
        found = serialization.load_pem_private_key(_read(path), None)
    except (ValueError, TypeError) as error:
        raise ReleaseError(f"{path}: is no private key without a password in PEM: {error}") from error
    if not isinstance(found, Ed25519PrivateKey):
        raise ReleaseError(f"{path}: holds a key of another kind, expected Ed25519; haidang agent release key makes one")
    return found


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ReleaseError(f"{path}: cannot be read: {error.strerror}") from error


def _label(path: Path) -> dict[str, Any]:
    """What a release says it is."""
    try:
        with zipfile.ZipFile(path) as archive:
            return tomllib.loads(archive.read(release.LABEL).decode("utf-8"))
    except (OSError, zipfile.BadZipFile, KeyError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ReleaseError(f"{path}: expected an archive with {release.LABEL}, as `make release` builds it: {error}") from error


def trust(releases: Releases, found: Settings, args: argparse.Namespace) -> Iterator[str]:
    """Keep the public key."""
    releases.trust(read_key(args.key), args.instead)
    yield "agents that enrol from now on take releases signed by this key"


def publish(releases: Releases, found: Settings, args: argparse.Namespace) -> Iterator[str]:
    """Take a release and offer it."""
    beside = args.file.with_name(args.file.name + ".sig")
    try:
        signed = json.loads(_read(beside))
    except ValueError as error:
        raise ReleaseError(f"{beside}: is not what haidang agent release sign writes: {error}") from error
    if not isinstance(signed, dict):
        raise ReleaseError(f"{beside}: is not what haidang agent release sign writes")
    yield _offered(releases.publish(args.file, signed, _percent(args.stage), _units(found, args.unit, args.config)))


def stage(releases: Releases, found: Settings, args: argparse.Namespace) -> Iterator[str]:
    """Offer a release to others, too."""
    version, platform = _named(args.release)
    units = _units(found, args.unit, args.config) if args.unit else None
    yield _offered(releases.stage(platform, version, _percent(args.stage), units))


def withdraw(releases: Releases, found: Settings, args: argparse.Namespace) -> Iterator[str]:
    """Take a release back."""
    version, platform = _named(args.release)
    releases.withdraw(platform, version)
    yield f"{version} for {platform} is offered to nobody any more; agents that have it keep it"


def show(releases: Releases, found: Settings, args: argparse.Namespace) -> Iterator[str]:
    """The releases, one a line."""
    trusted = releases.trusted()
    yield f"trusted key: {write_key(trusted)}" if trusted else "no key is trusted; haidang agent release trust KEY"
    rows = [
        (
            one.manifest.version,
            one.manifest.platform,
            "withdrawn" if one.withdrawn else f"{one.stage:g} %",
            ", ".join(one.units) or "all",
            f"{one.manifest.size / 1024:.0f} KiB",
            one.manifest.replaces or "-",
        )
        for one in releases.all()
    ]
    yield from aligned([COLUMNS, *rows]) if rows else ["no release was published"]


def _offered(one: Release) -> str:
    units = f" of {counted(len(one.units), 'unit')}" if one.units else ""
    return f"{one.manifest.version} for {one.manifest.platform} is offered to {one.stage:g} % of the agents{units}"


def _named(word: str) -> tuple[str, str]:
    version, _, platform = word.partition("-")
    return version, platform


def _percent(word: str) -> float:
    try:
        return float(word.removesuffix("%").replace(",", "."))
    except ValueError:
        raise ConfigError(f'--stage: found {word!r}, expected a share such as "5%"') from None


def _units(found: Settings, named: list[str], path: Path) -> list[str]:
    """These units and all below them; `path` is the settings' file."""
    for unit in named:
        check_unit(found, unit, path)
    chosen = set(named)
    while below := {unit.id for unit in found.units.values() if unit.parent in chosen} - chosen:
        chosen |= below
    return sorted(chosen)
