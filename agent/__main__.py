"""`haidang-agent`: run, show, inventory. The arguments are read by hand, since argparse would stay in memory."""

from __future__ import annotations

import os
import sys

from . import __version__
from .errors import AgentError, SettingsError

USAGE = """\
usage: haidang-agent run --config FILE          answer SNMP until told to end
       haidang-agent show [--json] [--software] [--users]
                                                print what is known of this machine
       haidang-agent check --config FILE        check the settings, say what is wrong
       haidang-agent inventory --state DIR      read the hardware once, for `run`
       haidang-agent --version | --help
"""
_OPTIONS: dict[str, dict[str, bool]] = {
    "run": {"--config": True},
    "check": {"--config": True},
    "show": {"--json": False, "--software": False, "--users": False},
    "inventory": {"--state": True, "--enterprise": True, "--software": False, "--users": False},
}
"""Command -> its options and whether each takes a value."""


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 when it went well, 1 when it did not, 2 when settings or arguments are wrong."""
    words = sys.argv[1:] if arguments is None else arguments
    if not words or words[0] in ("-h", "--help", "help"):
        print(USAGE, end="")
        return 0 if words else 2
    if words[0] in ("-V", "--version"):
        print(f"haidang-agent {__version__}")
        return 0
    try:
        options = _options(words[0], words[1:])
        return _COMMANDS[words[0]](options)
    except SettingsError as error:
        for problem in error.problems:
            print(f"haidang-agent: {problem}", file=sys.stderr)
        return 2
    except AgentError as error:
        print(f"haidang-agent: {error}", file=sys.stderr)
        return 2


def _options(command: str, words: list[str]) -> dict[str, str]:
    known = _OPTIONS.get(command)
    if known is None:
        raise SettingsError(f"no command {command!r}; known: {', '.join(_OPTIONS)}")
    found: dict[str, str] = {}
    rest = iter(words)
    for word in rest:
        name, equals, value = word.partition("=")
        if name not in known:
            raise SettingsError(f"{command}: unknown argument {word!r}; known: {', '.join(known)}")
        if known[name] and not equals:
            value = next(rest, "")
        if known[name] != bool(value):
            raise SettingsError(f"{command}: {name} takes {'a value' if known[name] else 'no value'}")
        found[name] = value
    return found


def _required(options: dict[str, str], name: str, command: str) -> str:
    if name not in options:
        raise SettingsError(f"{command}: {name} is missing; haidang-agent --help shows how")
    return options[name]


def _run(options: dict[str, str]) -> int:
    from snmp.errors import SnmpError

    from .service import Service
    from .settings import load

    settings = load(_required(options, "--config", "run"))
    try:
        service = Service(settings)
    except SnmpError as error:
        raise AgentError(str(error)) from None
    service.run()
    return 0


def _check(options: dict[str, str]) -> int:
    from .settings import load

    path = _required(options, "--config", "check")
    load(path)
    print(f"{path}: in order")
    return 0


def _show(options: dict[str, str]) -> int:
    from .show import show

    show(as_json="--json" in options, software="--software" in options, users="--users" in options)
    return 0


def _inventory(options: dict[str, str]) -> int:
    from .inventory.collect import keep

    enterprise = options.get("--enterprise", "32473")
    if not enterprise.isdigit():
        raise SettingsError(f"inventory: --enterprise takes a number, found {enterprise!r}")
    if os.name == "posix":
        os.nice(10)
    keep(_required(options, "--state", "inventory"), int(enterprise), "--software" in options, "--users" in options)
    return 0


_COMMANDS = {"run": _run, "check": _check, "show": _show, "inventory": _inventory}

if __name__ == "__main__":
    sys.exit(main())
