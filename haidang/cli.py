"""The `haidang` command."""

from __future__ import annotations

import argparse
import importlib
import sys

from config.errors import ConfigError

from . import terminal

COMMANDS = {
    "demo": "demo",
    "collector": "collector",
    "probe": "probe",
    "walk": "walk",
    "check": "check",
    "password": "password",
    "device": "device",
    "topology": "topology",
    "discover": "discover",
    "agent": "agent",
    "profile": "profile",
    "mib": "mib",
    "export": "export",
    "simulate": "simulate.command",
}
"""Command -> module. A module has `add_parser(subparsers)`, and is imported when its command (or help) is asked for."""


def parser(only: str = "") -> argparse.ArgumentParser:
    """The command line: of all commands, or of the one that was named."""
    top = argparse.ArgumentParser(prog="haidang", description="Monitoring and inventory for a province's machines.")
    top.add_argument("--version", dest="tell_version", action="store_true", help="print the version and end")
    subparsers = top.add_subparsers(metavar="COMMAND")
    for name in [only] if only in COMMANDS else COMMANDS:
        importlib.import_module(f".{COMMANDS[name]}", __package__).add_parser(subparsers)
    return top


def version() -> str:
    """The installed version, or "unknown" when it runs from a tree that was never installed."""
    from importlib import metadata

    try:
        return metadata.version("haidang")
    except metadata.PackageNotFoundError:
        return "unknown"


def main(argv: list[str] | None = None) -> int:
    """Run a command: 0 done, 1 it did not work out, 2 the command line or the settings are wrong."""
    terminal.prepare()
    words = sys.argv[1:] if argv is None else argv
    top = parser(words[0] if words else "")
    args = top.parse_args(words)
    if args.tell_version:
        print(f"haidang {version()}")
        return 0
    if "func" not in args:
        top.print_help(sys.stderr)
        return 2
    try:
        code: int = args.func(args)
        return code
    except ConfigError as e:
        print(f"haidang: {e}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our output has gone
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
