"""`haidang agent`: invite workstations' agents, see how they stand, give them new keys, shut them out."""

from __future__ import annotations

import argparse
import getpass
import json
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict
from typing import Any

from collector.errors import CollectorError
from collector.estate.admission import Agent
from collector.estate.agents import Agents, Invitation
from config import settings
from config.agents import LOOPBACK
from config.errors import ConfigError
from config.pin import pin_in
from config.settings import Settings
from config.tables import duration
from snmp.errors import DecodeError
from snmp.message import decode_varbinds

from . import release, snmprec
from .columns import aligned
from .moment import minute
from .options import add_config, check_unit
from .sentence import counted

MOST = 10_000
"""Machines one invitation may be for."""
_EXPIRES = duration(60, 90 * 86400)
_WILD = ("0.0.0.0", "::")
COLUMNS = ("DEVICE", "UNIT", "HOST", "VERSION", "ENROLLED", "LAST ASKED", "FROM", "STATE", "REMARK")


def declare(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, func: Callable[[Agents, Settings, argparse.Namespace], Iterator[str]], help: str) -> Any:
        command = commands.add_parser(name, help=help, description=help[0].upper() + help[1:] + ".")
        add_config(command)
        command.set_defaults(func=lambda args: run(func, args))
        return command

    made = add("invite", invite, "print a code with which machines of a unit enrol")
    made.add_argument("--unit", required=True, metavar="U")
    made.add_argument("--count", type=int, default=1, metavar="N", help="so many machines may use it (%(default)s)")
    made.add_argument("--expires", default="7d", metavar="TIME", help='how long it opens, such as "2h" or "7d" (%(default)s)')
    add("invitations", invitations, "show the invitations that are open").add_argument(
        "--all", action="store_true", help="also those that are used up, expired or withdrawn"
    )
    add("withdraw", withdraw, "let nobody enrol with an invitation any more").add_argument("number", type=int, metavar="N")
    listed = add("list", show, "show the agents and how they stand")
    listed.add_argument("--unit", default="", metavar="U", help="only of this unit")
    listed.add_argument("--all", action="store_true", help="also those that were revoked")
    listed.add_argument("--json", action="store_true", help="for programs")
    noticed = add("notices", notices, "show what else was reported with agents' keys: notifications that are no reports of ours")
    noticed.add_argument("--unit", default="", metavar="U", help="only of this unit")
    noticed.add_argument("--last", type=int, default=50, metavar="N", help="so many at most, the newest (%(default)s)")
    for name, change, help in (
        ("revoke", revoke, "take nothing more from these agents"),
        ("rotate", rotate, "give these agents new keys when they ask next"),
    ):
        chosen = add(name, change, help)
        chosen.add_argument("names", nargs="*", metavar="DEVICE", help="a device's id, as `list` shows it")
        chosen.add_argument("--unit", default="", metavar="U", help="all agents of this unit")
        chosen.add_argument("--dry-run", action="store_true", help="say which, and change nothing")
    release.add_parser(commands)


def run(func: Callable[[Agents, Settings, argparse.Namespace], Iterator[str]], args: argparse.Namespace) -> int:
    """Carry out a command; 1 when it cannot be done."""
    found = settings.read(args.config)
    try:
        with closing(Agents.open(found)) as agents:
            for line in func(agents, found, args):
                print(line)
    except CollectorError as error:
        print(f"haidang: {error}", file=sys.stderr)
        return 1
    return 0


def invite(agents: Agents, found: Settings, args: argparse.Namespace) -> Iterator[str]:
    """A new code, and the command that uses it."""
    check_unit(found, args.unit, args.config)
    if not 1 <= args.count <= MOST:
        raise ConfigError(f"--count: found {args.count}, expected a number from 1 to {MOST}")
    try:
        seconds = _EXPIRES(args.expires)
    except ValueError as error:
        raise ConfigError(f"--expires: {error}") from error
    if found.agents.listen is None:
        raise ConfigError(f'{args.config}: [agents]: listen is missing, so no reports come in; write listen = "0.0.0.0:9162"')
    where = f"{address(found)} {{}}{_pin(found)}"
    now = time.time()
    code, made = agents.invite(args.unit, args.count, now + seconds, getpass.getuser(), now)
    unit = found.units[args.unit]
    yield f"invitation {made.id}: {counted(made.count, 'machine')} of {unit.name} ({unit.id}) until {minute(made.expires)}"
    yield f"on {'the machine' if made.count == 1 else 'each machine'}, as administrator:"
    yield f"  haidang-agent enrol {where.format(code)}"


def address(found: Settings) -> str:
    """Where agents enrol."""
    if found.agents.url:
        return found.agents.url
    web = found.web
    host = socket.getfqdn() if web.listen.host in _WILD else web.listen.host
    scheme = "https" if web.tls_certificate is not None else "http"
    if scheme == "http" and host not in LOOPBACK:
        raise ConfigError(
            f"agents cannot enrol at http://{host}:{web.listen.port}, for they get their keys there: write tls_certificate and "
            "tls_key in [web], or in [agents] the url of the HTTPS server in front"
        )
    return f"{scheme}://[{host}]:{web.listen.port}" if ":" in host else f"{scheme}://{host}:{web.listen.port}"


def _pin(found: Settings) -> str:
    """The option that holds an agent to our certificate's key, which is of use where no authority vouches for it."""
    if found.web.tls_certificate is None:
        return ""
    try:
        return f" --pin {pin_in(found.web.tls_certificate.read_bytes())}"
    except (OSError, ValueError) as error:
        raise ConfigError(f"{found.web.tls_certificate}: no certificate can be read from it: {error}") from error


def invitations(agents: Agents, found: Settings, args: argparse.Namespace) -> Iterator[str]:
    """The invitations, one a line."""
    now = time.time()
    every = [one for one in agents.invitations() if args.all or one.open(now)]
    if not every:
        yield "no invitation is open"
        return
    rows = [
        (str(one.id), one.unit, f"{one.used} of {one.count}", minute(one.expires), one.who, _standing(one, now)) for one in every
    ]
    yield from aligned([("ID", "UNIT", "USED", "EXPIRES", "BY", "STATE"), *rows])


def withdraw(agents: Agents, found: Settings, args: argparse.Namespace) -> Iterator[str]:
    """Close an invitation."""
    one = agents.withdraw(args.number, time.time())
    yield f"invitation {one.id} of {one.unit} is withdrawn; {one.used} of {one.count} used it"


def show(agents: Agents, found: Settings, args: argparse.Namespace) -> Iterator[str]:
    """The agents, one a line."""
    every = [one for one in agents.all(revoked=args.all) if not args.unit or one.unit == args.unit]
    if args.json:
        yield json.dumps([asdict(one) for one in every], indent=1, ensure_ascii=False)
        return
    if not every:
        yield "no agent is enrolled" + (f" in {args.unit}" if args.unit else "") + "; `haidang agent invite` makes a code"
        return
    rows = [
        (one.key, one.unit, one.host, one.version, minute(one.enrolled), minute(one.seen), one.address, _state(one), one.note)
        for one in every
    ]
    yield from aligned([COLUMNS, *rows])


def notices(agents: Agents, found: Settings, args: argparse.Namespace) -> Iterator[str]:
    """The notifications of other kinds that are kept, one a line, the newest last."""
    from collector.polling import journal

    path = found.collector.state_directory / journal.JOURNAL
    every = journal.notices(path) if path.exists() else []
    units = {one.key: one.unit for one in agents.all(revoked=True)}
    some = [one for one in every if not args.unit or units.get(one.device) == args.unit][-max(args.last, 1) :]
    if not some:
        yield "no notification of another kind is kept"
        return
    rows = [(minute(one.received), one.device, one.address, str(one.trap), _objects(one.body)) for one in some]
    yield from aligned([("WHEN", "DEVICE", "FROM", "NOTIFICATION", "OBJECTS"), *rows])


def _objects(body: bytes) -> str:
    try:
        return "  ".join(map(snmprec.line, decode_varbinds(body)))
    except DecodeError as error:
        return f"unreadable: {error}"


def revoke(agents: Agents, found: Settings, args: argparse.Namespace) -> Iterator[str]:
    """Shut agents out."""
    chosen = _chosen(agents, args)
    if not args.dry_run:
        agents.revoke(chosen, getpass.getuser(), time.time())
    done = "would be revoked" if args.dry_run else "is revoked: nothing it sends is taken any more"
    for agent in chosen:
        yield f"{agent.key} ({agent.unit}) {done}"


def rotate(agents: Agents, found: Settings, args: argparse.Namespace) -> Iterator[str]:
    """Give agents new keys."""
    chosen = _chosen(agents, args)
    if not args.dry_run:
        agents.rotate(chosen)
    for agent in chosen:
        done = "would get new keys" if args.dry_run else "gets new keys when it asks next"
        already = "" if agent.generation == agent.taken else " (it has not fetched those of the last time yet)"
        yield f"{agent.key} ({agent.unit}) {done}, within {found.agents.check_in / 60:.0f} minutes when it is on{already}"


def _chosen(agents: Agents, args: argparse.Namespace) -> list[Agent]:
    if not args.names and not args.unit:
        raise ConfigError("name the agents: DEVICE ..., or --unit U; `haidang agent list` shows all")
    return agents.find(args.names, args.unit)


def _state(agent: Agent) -> str:
    if agent.revoked is not None:
        return f"revoked {minute(agent.revoked)} by {agent.who}"
    return "enrolled" if agent.generation == agent.taken else "new keys wait"


def _standing(one: Invitation, now: float) -> str:
    if one.withdrawn is not None:
        return "withdrawn"
    if one.used >= one.count:
        return "used up"
    return "open" if one.open(now) else "expired"
