"""Devices named on the command line: an address, and how to speak to it."""

from __future__ import annotations

import argparse
import os
import socket
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from collector.credential import open_credential
from collector.errors import CollectorError
from config import settings
from config.errors import ConfigError
from snmp import message
from snmp.client import Client, Credential, Target
from snmp.security import Community
from snmp.usm import User

PORT = 161
LONGEST = 600.0
"""Seconds that may be waited for an answer."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that say how a device is spoken to."""
    how = parser.add_argument_group("how to speak to it (the default is v2c with community public)")
    how.add_argument("-c", "--community", help="community of v1 or v2c")
    how.add_argument("-v", "--version", choices=("1", "2c", "3"), default=None, help="SNMP version")
    how.add_argument("-u", "--user", help="user of v3")
    how.add_argument("-a", "--auth", default="", help="authentication protocol: MD5, SHA-1, SHA-224, ..., SHA-512")
    how.add_argument("-A", "--auth-secret-env", metavar="VAR", default="", help="environment variable with the password")
    how.add_argument("-x", "--priv", default="", help="privacy protocol: DES, AES-128, AES-192, AES-256, AES-192-C, AES-256-C")
    how.add_argument("-X", "--priv-secret-env", metavar="VAR", default="", help="environment variable with the password")
    how.add_argument("-n", "--context", default="", help="context (v3), or what follows community@")
    how.add_argument("--config", metavar="FILE", type=Path, help="settings file, for --credential or a device's id as ADDRESS")
    how.add_argument("--credential", metavar="NAME", help="a credential of the settings file")
    how.add_argument("--timeout", type=_seconds, default=2.0, metavar="SECONDS", help="seconds for a first answer (%(default)s)")
    how.add_argument("--retries", type=_times, default=2, metavar="TIMES", help="tries after the first (%(default)s)")


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= LONGEST:
        raise argparse.ArgumentTypeError(f"found {text!r}, expected seconds above 0, up to {LONGEST:g}")
    return seconds


def _times(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 4):
        raise argparse.ArgumentTypeError(f"found {text!r}, expected a whole number from 0 to 999")
    return int(text)


def split(address: str, usual: int = PORT, lowest: int = 1) -> tuple[str, int]:
    """(host, port) of ``host``, ``host:port``, ``[v6]:port`` or a bare IPv6 address, with the usual port; raises ConfigError."""
    host, port = address, ""
    if address.startswith("["):
        host, _, port = address[1:].partition("]")
        port = port.removeprefix(":")
    elif address.count(":") == 1:
        host, _, port = address.partition(":")
    if not host or (port and not (port.isascii() and port.isdigit() and lowest <= int(port) < 65536)):
        raise ConfigError(f"not an address: {address!r} (expected HOST, HOST:PORT or [IPV6]:PORT)")
    return host, int(port) if port else usual


def credential(args: argparse.Namespace) -> tuple[Credential, str]:
    """(credential, context) that the options name; raises ConfigError."""
    if args.credential:
        if args.config is None:
            raise ConfigError("--credential names a credential of a settings file: give that with --config FILE")
        known = settings.read(args.config).credentials
        if args.credential not in known:
            raise ConfigError(f"{args.config}: no credential {args.credential!r}: expected one of {', '.join(sorted(known))}")
        return open_credential(known[args.credential]), args.context or known[args.credential].context
    if args.user or args.version == "3":
        if not args.user:
            raise ConfigError("version 3 needs a user: give --user NAME")
        try:
            auth, priv = (_secret(name, getattr(args, name), getattr(args, f"{name}_secret_env")) for name in ("auth", "priv"))
            return User(args.user.encode(), args.auth, auth, args.priv, priv), args.context
        except ValueError as e:
            raise ConfigError(str(e)) from e
    version = message.V1 if args.version == "1" else message.V2C
    return Community((args.community or "public").encode(), version), args.context


def _secret(name: str, protocol: str, variable: str) -> bytes:
    if not protocol:
        return b""
    if not variable or variable not in os.environ:
        found = f"{variable!r} is not set" if variable else "none was named"
        raise ConfigError(f"--{name} {protocol} needs a password in an environment variable (--{name}-secret-env VAR): {found}")
    return os.environ[variable].encode()


def _devices(known: settings.Settings, address: str) -> Iterable[settings.Device]:
    """Those of the settings; the inventory, which has the ones that discovery found, is opened when these do not have it."""
    yield from known.devices
    from collector.discovery import enlarged
    from collector.estate.candidates import Candidates

    try:
        with closing(Candidates.open(known.collector.database.reveal())) as candidates:
            yield from enlarged(known, candidates.accepted()).devices
    except CollectorError as e:
        raise ConfigError(f"{address!r} is no device of the settings, and the inventory tells of no other: {e}") from e


def target(args: argparse.Namespace, address: str) -> Target:
    """The device at an address, or one that is polled by its id; raises ConfigError."""
    if args.config is not None and not args.credential:
        known = settings.read(args.config)
        for device in _devices(known, address):
            if address in (device.id, device.address):
                found = known.credentials[device.credential]
                return Target(device.address, device.port, open_credential(found), context=found.context.encode(),
                              timeout=args.timeout, retries=args.retries)  # fmt: skip
        raise ConfigError(f"{args.config}: no device has the id or address {address!r}")
    host, port = split(address)
    how, context = credential(args)
    return Target(host, port, how, context=context.encode(), timeout=args.timeout, retries=args.retries)


async def locate(client: Client, device: Target) -> None:
    """Look up a host name; one that cannot be found is asked in vain and says so."""
    try:
        found = await client.loop.getaddrinfo(device.address, device.sockaddr[1], type=socket.SOCK_DGRAM)
        device.locate(str(found[0][4][0]), device.sockaddr[1])
    except (OSError, UnicodeError):  # a part of a name has 63 letters at most
        pass
