"""`haidang password`: make the hash of a password for the settings' [[web.user]]."""

from __future__ import annotations

import argparse
import getpass
import sys
from typing import Any

from config.errors import ConfigError
from config.secrets import hash_password


def add_parser(subparsers: Any) -> None:
    """Declare the command."""
    parser = subparsers.add_parser("password", help="make a password_hash for the settings", description=__doc__)
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
