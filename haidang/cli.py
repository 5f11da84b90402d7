"""The `haidang` command."""

from __future__ import annotations

import argparse
import sys

from config.errors import ConfigError

from . import check, collector, export, probe, walk

COMMANDS = (collector, probe, walk, check, export)


def parser() -> argparse.ArgumentParser:
    """All commands and their options."""
    top = argparse.ArgumentParser(prog="haidang", description="Monitoring and inventory for a province's machines.")
    top.add_argument("--version", action="version", version=version())
    subparsers = top.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add_parser(subparsers)
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
    args = parser().parse_args(argv)
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
