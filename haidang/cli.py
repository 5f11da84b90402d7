"""The `haidang` command."""

from __future__ import annotations

import argparse
import importlib
import sys

from config.errors import ConfigError

from . import terminal

COMMANDS = {
    "demo": ("demo", "watch this machine and a simulated province"),
    "collector": ("collector", "poll, and serve the pages"),
    "probe": ("probe", "ask devices what they are and how they are"),
    "walk": ("walk", "record all that a device answers"),
    "check": ("check", "validate the settings"),
    "password": ("password", "make a password_hash for the settings"),
    "device": ("device", "list the inventory; what changed; which machine a device is and why; merge, split, undo"),
    "topology": ("topology", "what hangs on what, and on which switch port each machine sits"),
    "discover": ("discover", "look for machines, decide which are polled"),
    "agent": ("agent", "invite workstations' agents, list, rotate, revoke them"),
    "profile": ("profile", "list, check, show and draft device profiles"),
    "mib": ("mib", "learn the names of a vendor's objects from its MIB modules"),
    "export": ("export", "write alert rules, dashboards or the MIB"),
    "simulate": ("simulate.command", "a synthetic province that answers real SNMP on loopback addresses"),
}
"""Command -> (module, what it does). A module has `declare(parser)`, and is imported when its command is asked for."""


def parser(named: str) -> argparse.ArgumentParser:
    """The command line: what the named command takes, and of the others that they are there."""
    top = argparse.ArgumentParser(prog="haidang", description="Monitoring and inventory for a province's machines.")
    top.add_argument("--version", dest="tell_version", action="store_true", help="print the version and end")
    subparsers = top.add_subparsers(metavar="COMMAND")
    for name, (where, does) in COMMANDS.items():
        command = subparsers.add_parser(name, help=does)
        if name == named:
            module = importlib.import_module(f".{where}", __package__)
            command.description = module.__doc__
            module.declare(command)
    return top


def main(argv: list[str] | None = None) -> int:
    """Run a command: 0 done, 1 it did not work out, 2 the command line or the settings are wrong."""
    terminal.prepare()
    words = sys.argv[1:] if argv is None else argv
    top = parser(next((word for word in words if not word.startswith("-")), ""))
    args = top.parse_args(words)
    if args.tell_version:
        from .version import version  # imports importlib.metadata, which no other command needs at its start

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
