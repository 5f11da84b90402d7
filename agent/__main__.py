"""`haidang-agent`: run, show, inventory. The arguments are read by hand, since argparse would stay in memory."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from . import __version__
from .errors import AgentError, SettingsError

if TYPE_CHECKING:
    from .settings import Push

USAGE = """\
usage: haidang-agent run --config FILE          answer SNMP until told to end
       haidang-agent enrol URL CODE [--pin SHA256 | --ca FILE] [--config FILE]
                                                report to the collector that gave the code
       haidang-agent status [--config FILE] [--json]
                                                how it stands with its collectors
       haidang-agent show [--json] [--software] [--users]
                                                print what is known of this machine
       haidang-agent check --config FILE        check the settings, say what is wrong
       haidang-agent inventory | identity | check-in --state DIR
                                                what `run` does in children
       haidang-agent --version | --help
"""
_OPTIONS: dict[str, dict[str, bool]] = {
    "run": {"--config": True},
    "check": {"--config": True},
    "show": {"--json": False, "--software": False, "--users": False},
    "inventory": {"--state": True, "--enterprise": True, "--software": False, "--users": False},
    "enrol": {"--config": True, "--pin": True, "--ca": True},
    "status": {"--config": True, "--json": False},
    "identity": {"--state": True},
    "check-in": {"--state": True, "--enterprise": True},
}
"""Command -> its options and whether each takes a value."""
_WORDS = {"enrol": ("URL", "CODE")}
"""Command -> what it takes beside options."""


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 when it went well, 1 when it did not, 2 when settings or arguments are wrong."""
    words = sys.argv[1:] if arguments is None else arguments
    if not words or words[0] == "help" or {"-h", "--help"} & set(words):
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
    wanted = [*_WORDS.get(command, ())]
    rest = iter(words)
    for word in rest:
        if wanted and not word.startswith("-"):
            found[wanted.pop(0)] = word
            continue
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

    from .service import Service, Stop
    from .settings import load

    settings = load(_required(options, "--config", "run"))
    stop = Stop()
    again = True
    while again:
        try:
            service = Service(settings, stop)
        except SnmpError as error:
            raise AgentError(str(error)) from None
        again = service.run()
    return 0


def _enrol(options: dict[str, str]) -> int:
    from .enrol import enrol
    from .settings import load

    directory = load(_config(options)).state
    url, code = (_required(options, word, "enrol") for word in _WORDS["enrol"])
    made, note = enrol(directory, url, code, options.get("--pin", ""), options.get("--ca", ""))
    print(f"enrolled as {made.device} of {made.unit_name} ({made.unit}); reports go to {_places(made.pushes)}")
    if note:
        print(f"the collector remarks: {note}")
    return 0


def _status(options: dict[str, str]) -> int:
    from .settings import load
    from .status import status

    for line in status(load(_config(options)), as_json="--json" in options):
        print(line)
    return 0


def _identity(options: dict[str, str]) -> int:
    from .enrol import check

    return check(_required(options, "--state", "identity"))


def _check_in(options: dict[str, str]) -> int:
    from .enrol import check_in

    if os.name == "posix":
        os.nice(10)
    return check_in(_required(options, "--state", "check-in"), _enterprise(options, "check-in"))


def _places(pushes: tuple[Push, ...]) -> str:
    return ", ".join(push.place for push in pushes)


def _config(options: dict[str, str]) -> str:
    from .settings import CONFIG

    return options.get("--config", CONFIG)


def _enterprise(options: dict[str, str], command: str) -> int:
    number = options.get("--enterprise", "32473")
    if not number.isdigit():
        raise SettingsError(f"{command}: --enterprise takes a number, found {number!r}")
    return int(number)


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

    if os.name == "posix":
        os.nice(10)
    enterprise = _enterprise(options, "inventory")
    keep(_required(options, "--state", "inventory"), enterprise, "--software" in options, "--users" in options)
    return 0


_COMMANDS = {
    "run": _run, "check": _check, "show": _show, "enrol": _enrol, "status": _status, "inventory": _inventory,
    "identity": _identity, "check-in": _check_in,
}  # fmt: skip

if __name__ == "__main__":
    sys.exit(main())
