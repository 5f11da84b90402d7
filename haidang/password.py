"""`haidang password`: make the hash of a password for the settings' [[web.user]]."""

from __future__ import annotations

import argparse
import getpass
import sys

from config.errors import ConfigError
from config.secrets import hash_password


def declare(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Ask twice at a terminal, read one line otherwise; print the hash."""
    if sys.stdin.isatty():
        secret = getpass.getpass("Password: ")
        if secret != getpass.getpass("Again: "):
            raise ConfigError("the two passwords differ")
    else:
        secret = sys.stdin.readline().rstrip("\n")
    if not secret:
        raise ConfigError("an empty password: expected at least one character")
    print(hash_password(secret))
    return 0
