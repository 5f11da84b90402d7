"""`haidang simulate`: run a synthetic province, order faults in a running one, write the settings that watch it."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import time
from pathlib import Path

from . import settings
from .control import send
from .devices import Devices
from .faults import ORDERS, Faults
from .network import Network
from .province import Province, build
from .running import READY
from .settings import Credentials

PORT = 1161


def port(text: str) -> int:
    """A port's number on the command line; 0 is a free one."""
    if not (text.isascii() and text.isdigit() and len(text) < 6 and int(text) < 65536):
        raise argparse.ArgumentTypeError(f"found {text!r}, expected a port from 0 to 65535")
    return int(text)


def declare(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.description = (
        "Offices with routers, switches, printers, UPS and workstations, each on its own loopback address of one UDP port, "
        "in v1, v2c and v3. The same numbers give the same province."
    )
    default = Credentials()
    parser.set_defaults(func=run)
    parser.add_argument("--units", type=int, default=12, metavar="N", help="offices (default: 12)")
    parser.add_argument("--devices", type=int, default=150, metavar="N", help="machines in all (default: 150)")
    parser.add_argument("--seed", type=int, default=708, metavar="N", help="another number, another province (default: 708)")
    parser.add_argument(
        "--port", type=port, default=PORT, help=f"UDP port to answer on, TCP port for orders; 0: a free one (default: {PORT})"
    )
    parser.add_argument("--community", default=default.community, help=f"for v1 and v2c (default: {default.community})")
    parser.add_argument("--user", default=default.user, help=f"for v3 (default: {default.user})")
    parser.add_argument(
        "--auth", default=default.auth, metavar="PROTOCOL", help=f"the user's authentication (default: {default.auth})"
    )
    parser.add_argument("--auth-secret", default=default.auth_secret, metavar="TEXT", help=f"(default: {default.auth_secret})")
    parser.add_argument("--priv", default=default.priv, metavar="PROTOCOL", help=f"the user's privacy (default: {default.priv})")
    parser.add_argument("--priv-secret", default=default.priv_secret, metavar="TEXT", help=f"(default: {default.priv_secret})")
    parser.add_argument("--write-settings", metavar="FILE", help="write the collector's settings (-: to standard output) and end")
    parser.add_argument(
        "--versions", choices=(settings.MIXED, settings.V2C, settings.V3), default=settings.MIXED,
        help="what the written settings ask in; mixed: workstations and routers in v3, the rest in v2c (default: mixed)",
    )  # fmt: skip
    parser.add_argument("--while-stdin-open", action="store_true", help="end when standard input is closed")
    commands = parser.add_subparsers(title="commands", metavar="")
    fault = commands.add_parser(
        "fault",
        help="let something go wrong in a running province",
        description="Let something go wrong, or set it right again, in the province running on PORT.",
        epilog=f"orders:\n{ORDERS}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    fault.add_argument("target", metavar="ADDRESS|NAME|UNIT", help="a machine's address or name, or an office's id")
    fault.add_argument("orders", nargs="+", metavar="ORDER")
    fault.add_argument("--port", type=port, default=argparse.SUPPRESS, help=f"(default: {PORT})")
    fault.set_defaults(func=order)


def run(args: argparse.Namespace) -> int:
    """Run a province until SIGTERM or Ctrl-C, or write its settings; 2 for arguments that do not go together."""
    credentials = Credentials(args.community, args.user, args.auth, args.auth_secret, args.priv, args.priv_secret)
    try:
        province = build(args.units, args.devices, args.seed)
        users = credentials.users()
    except ValueError as error:
        print(f"haidang simulate: {error}", file=sys.stderr)
        return 2
    if args.write_settings:
        return _write(args, province, credentials)
    faults = Faults(province)
    epoch = time.time() - time.monotonic()
    devices = Devices(province, credentials.communities(), users, time.monotonic, epoch, faults.powered)
    try:
        network = Network(devices, faults, args.port)
    except OSError as error:
        print(f"haidang simulate: port {args.port} (UDP for devices, TCP for orders): {error.strerror}", file=sys.stderr)
        return 1
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: network.stop())
    if args.while_stdin_open:
        threading.Thread(target=_wait_for_end_of_input, args=(network,), daemon=True).start()
    first, last = province.machines[0].address, province.machines[-1].address
    print(
        f"{len(province.offices) - 1} units, {len(province.machines)} devices, {first} to {last}; orders: haidang simulate fault"
    )
    print(f"{READY}{network.port}", flush=True)
    network.serve()
    return 0


def order(args: argparse.Namespace) -> int:
    """Order faults in a running province; 1 when it refuses or is not there."""
    try:
        send(args.port, [f"fault {args.target} {one}" for one in args.orders])
    except ValueError as error:
        print(f"haidang simulate fault: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(
            f"haidang simulate fault: no province answers on port {args.port} ({error.strerror}); --port says another",
            file=sys.stderr,
        )
        return 1
    return 0


def _write(args: argparse.Namespace, province: Province, credentials: Credentials) -> int:
    text = settings.text(province, args.port or PORT, credentials, args.versions)
    if args.write_settings == "-":
        sys.stdout.write(text)
        return 0
    path = Path(args.write_settings)
    try:
        if path.is_file() and path.stat().st_size and not path.read_bytes().startswith(settings.TITLE.encode()):
            print(f"haidang simulate: {path} exists and is not a simulated province's; name another file", file=sys.stderr)
            return 2
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        print(f"haidang simulate: {path}: {error.strerror}", file=sys.stderr)
        return 1
    print(f"{path}: {len(province.offices) - 1} units, {len(province.machines)} devices on port {args.port or PORT}")
    return 0


def _wait_for_end_of_input(network: Network) -> None:
    while os.read(0, 4096):
        pass
    network.stop()
