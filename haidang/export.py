"""`haidang export`: write what other systems read: alert rules, dashboards, the MIB."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from config import mib, objects, settings
from exporters.errors import ExportError


def declare(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    commands = parser.add_subparsers(required=True, metavar="WHAT")
    alerts = commands.add_parser("alerts", help="Prometheus alert rules, their unit tests, and a scrape configuration")
    alerts.add_argument("directory", type=Path, metavar="DIR")
    alerts.add_argument("--config", type=Path, metavar="FILE", help="the collector's settings, which say where its pages are")
    alerts.set_defaults(func=run_alerts)
    dashboards = commands.add_parser("dashboards", help="Grafana dashboards")
    dashboards.add_argument("directory", type=Path, metavar="DIR")
    dashboards.set_defaults(func=run_dashboards)
    text = commands.add_parser("mib", help="HAIDANG-MIB, for other managers")
    text.add_argument("-o", "--output", type=Path, metavar="FILE", help="file to write; without it, to standard output")
    text.add_argument("--enterprise", type=_enterprise, default=objects.ENTERPRISE, help="enterprise number (%(default)s)")
    text.set_defaults(func=run_mib)


def _enterprise(text: str) -> int:
    """As the agent's setting takes it; raises ArgumentTypeError."""
    if not (text.isascii() and text.isdigit() and 0 < int(text[:11]) < 1 << 31):
        raise argparse.ArgumentTypeError(f"found {text!r}, expected a number from 1 to {(1 << 31) - 1}")
    return int(text)


def run_alerts(args: argparse.Namespace) -> int:
    """Write the rules."""
    from exporters.rules import write_alerts

    if args.config is None:
        return _written(lambda: write_alerts(args.directory))
    web = settings.read(args.config).web
    host = f"[{web.listen.host}]" if ":" in web.listen.host else web.listen.host
    scheme = "https" if web.tls_certificate else "http"
    return _written(lambda: write_alerts(args.directory, f"{host}:{web.listen.port}", scheme))


def run_dashboards(args: argparse.Namespace) -> int:
    """Write the dashboards."""
    from exporters.grafana import write_dashboards

    return _written(lambda: write_dashboards(args.directory))


def run_mib(args: argparse.Namespace) -> int:
    """Write or print the MIB."""
    text = mib.text(args.enterprise)
    if args.output is None:
        sys.stdout.write(text)
        return 0

    def write() -> list[Path]:
        args.output.write_text(text, encoding="utf-8")
        return [args.output]

    return _written(write)


def _written(write: Any) -> int:
    try:
        for path in write():
            print(path)
    except (ExportError, OSError) as e:
        print(f"haidang export: {e}", file=sys.stderr)
        return 1
    return 0
