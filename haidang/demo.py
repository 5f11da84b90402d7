"""`haidang demo`: watch this machine and a simulated province; Ctrl-C ends everything it started."""

from __future__ import annotations

import argparse
import contextlib
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import NamedTuple, NoReturn

from collector.model import State
from config.keys import PORT

from . import cast as casts
from . import watcher
from .cast import Cast, CastError, Stranger
from .sentence import counted
from .simulate import settings as simulated
from .simulate.command import port
from .simulate.running import Running, SimulatorError
from .watcher import Picture

INTERVAL = 10
FIRST_CYCLE = 120.0
"""Seconds after which every device must have been asked once."""
_HERE = "may-nay"
_TOGETHER = f'[[unit]]\nid = "{_HERE}"\nname = "Máy này"\nkind = "machine"\n'

_BOLD, _DIM, _GOOD, _BAD, _PLAIN = "\x1b[1m", "\x1b[2m", "\x1b[32m", "\x1b[31m", "\x1b[0m"
_ENTER, _LEAVE, _HOME, _REST_OF_LINE, _REST = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l", "\x1b[H", "\x1b[K\n", "\x1b[J"
_MARGIN = 18
"""Lines of the screen that are not units."""


class Stage(NamedTuple):
    """What has been started and is watched."""

    province: Running
    cast: Cast
    pages: str
    devices: int
    here: tuple[str, ...]
    """The devices that are this machine."""
    notes: tuple[str, ...]


def declare(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("--once", action="store_true", help="end after one cycle: 0 when every device answers")
    parser.add_argument("--units", type=int, default=12, metavar="N", help="offices of the province (default: 12)")
    parser.add_argument("--devices", type=int, default=150, metavar="N", help="machines in them (default: 150)")
    parser.add_argument(
        "--interval", type=int, default=INTERVAL, metavar="S", help=f"seconds from poll to poll (default: {INTERVAL})"
    )
    parser.add_argument("--port", type=port, default=0, help=f"of the pages (default: {PORT}, or a free one when it is taken)")
    parser.add_argument(
        "--directory", type=Path, metavar="DIR", help="keep settings, logs and inventory there (default: a temporary one)"
    )
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Play until Ctrl-C; 1 when something cannot be started or, with --once, does not answer."""
    if args.port and not casts.free(args.port):
        print(
            f"haidang demo: port {args.port} of {casts.HOST} is taken; give another, or none to have a free one chosen",
            file=sys.stderr,
        )
        return 2
    interrupt = _Interrupt()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    try:
        with _directory(args.directory) as directory, _set(args, directory) as stage:
            return _once(stage) if args.once else _watch(stage, args.interval, interrupt)
    except KeyboardInterrupt:
        return 0 if not args.once else 130
    except (CastError, SimulatorError, ValueError, OSError) as error:
        print(f"haidang demo: {error}", file=sys.stderr)
        return 1


class _Interrupt:
    """What signals do: raise KeyboardInterrupt, and remember it, for one that is raised within a finaliser is lost."""

    def __init__(self) -> None:
        self.asked = False

    def __call__(self, number: int, frame: FrameType | None) -> NoReturn:
        self.asked = True
        raise KeyboardInterrupt


@contextlib.contextmanager
def _directory(wanted: Path | None) -> Iterator[Path]:
    if wanted is not None:
        wanted.mkdir(parents=True, exist_ok=True)
        yield wanted.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="haidang-demo-") as found:
        yield Path(found)


@contextlib.contextmanager
def _set(args: argparse.Namespace, directory: Path) -> Iterator[Stage]:
    """Start the province, the agents and the collector; end them with the block."""
    print("starting a simulated province, an agent on this machine and the collector", flush=True)
    with Running(args.units, args.devices) as province, casts.gathered(directory) as cast:
        notes = []
        strangers: list[Stranger] = []
        try:
            found = casts.start_snmpd(cast, _HERE)
            strangers += [found] if found else []
        except CastError as error:
            notes.append(str(error))
        config = _write_settings(args, directory, province, strangers)
        port = args.port or (PORT if casts.free(PORT) else 0)
        pages = casts.start_collector(cast, config, port)
        if not args.port and port != PORT:
            notes.append(f"port {PORT} is taken, the pages are on {pages.rsplit(':', 1)[1]}")
        here = (casts.start_agent(cast, pages, config, _HERE), *(stranger.id for stranger in strangers))
        yield Stage(province, cast, pages, args.devices + len(here), here, tuple(notes))


def _write_settings(args: argparse.Namespace, directory: Path, province: Running, strangers: list[Stranger]) -> Path:
    timeout = min(1000, 50 * args.interval)  # all tries for a device that is cut off end within the interval
    head = (
        f'[collector]\ninterval = "{args.interval}s"\ntimeout = "{timeout}ms"\npackets_per_second = 2000\n'
        'state_directory = "collector"\n'
        f'[agents]\nlisten = "{casts.HOST}:{casts.free_port()}"\ninterval = "{max(args.interval, 10)}s"\n'
        "line_test_bytes = 2000000\n"
    )
    tail = "\n".join([_TOGETHER, *(stranger.settings for stranger in strangers)])
    text = simulated.text(province.province, province.port, province.credentials, head=head, tail=tail, lines=False)
    path = directory / "haidang.toml"
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")
    return path


def _once(stage: Stage) -> int:
    """Wait until every device was asked, and say how it went."""
    ends = time.monotonic() + FIRST_CYCLE
    while True:
        picture = _look(stage)
        if picture.asked() and len(picture.states) == stage.devices:
            break
        if time.monotonic() > ends:
            waiting = sorted(device for device, state in picture.states.items() if state is State.UNKNOWN)
            print(f"haidang demo: not asked within {FIRST_CYCLE:g} s: {watcher.named(waiting) or 'any device'}", file=sys.stderr)
            return 1
        time.sleep(0.2)
    print(_line(picture))
    up = picture.count()[State.UP]
    if up < stage.devices:
        for trouble in watcher.troubles(picture):
            print(f"haidang demo: {trouble}", file=sys.stderr)
        return 1
    return 0


def _look(stage: Stage) -> Picture:
    """The picture now; raises CastError when a process has ended."""
    fallen = stage.cast.fallen()
    if fallen or not stage.province.alive():
        raise CastError(fallen or "the simulated province ended")
    return watcher.look(stage.pages)


def _watch(stage: Stage, interval: int, interrupt: _Interrupt) -> int:
    """Show what happens until Ctrl-C."""
    shown = sys.stdout.isatty()
    if not shown:
        print("\n".join(_addresses(stage)), flush=True)
    judged, wrong = 0.0, [""]
    printed = time.monotonic()
    with _screen() if shown else contextlib.nullcontext():
        while not interrupt.asked:
            picture = _look(stage)
            now = time.monotonic()
            if now - judged >= interval and picture.asked():
                judged, wrong = now, watcher.judge(watcher.fetch(f"{stage.pages}/metrics/all"))
            if shown:
                _draw(_screenful(stage, picture, [*watcher.troubles(picture), *filter(None, wrong)]))
            elif now - printed >= interval:
                printed = now
                print("; ".join([_line(picture), *watcher.troubles(picture)]), flush=True)
            time.sleep(1.0)
    return 0


@contextlib.contextmanager
def _screen() -> Iterator[None]:
    sys.stdout.write(_ENTER)
    try:
        yield
    finally:
        sys.stdout.write(_LEAVE)
        sys.stdout.flush()


def _draw(lines: list[str]) -> None:
    columns, rows = shutil.get_terminal_size()
    sys.stdout.write(_HOME + _REST_OF_LINE.join(_cut(line, columns) for line in lines[: rows - 1]) + _REST_OF_LINE + _REST)
    sys.stdout.flush()


def _cut(line: str, columns: int) -> str:
    """A line of at most so many columns; what sets colours takes none, and the colour ends with the line."""
    out, width, rest = [], 0, line
    while rest:
        if rest.startswith("\x1b["):
            end = rest.index("m") + 1
            out.append(rest[:end])
            rest = rest[end:]
            continue
        if width < columns:
            out.append(rest[0])
        width += 1
        rest = rest[1:]
    return "".join(out) + _PLAIN


def _line(picture: Picture) -> str:
    numbers = picture.numbers
    states = ", ".join(f"{count} {state.value}" for state, count in sorted(picture.count().items()))
    return (
        f"{time.strftime('%H:%M:%S')} {counted(len(picture.states), 'device')} in {counted(len(picture.units), 'unit')}: "
        f"{states}; "
        f"{numbers.get('packets_sent_total', 0):.0f} packets sent, {numbers.get('retries_total', 0):.0f} repeated"
    )


def _addresses(stage: Stage) -> list[str]:
    unit = stage.province.province.offices[1].id
    machine = stage.province.province.machines[-1].name.lower()
    pages = {
        "/": "overview",
        "/metrics": "every device's state, the collector's health",
        f"/metrics/{unit}": "one unit in full",
        "/metrics/all": "everything",
        "/sd/prometheus": "what Prometheus is to scrape",
    }
    width = max(map(len, pages)) + 1
    return [
        *(f"  {stage.pages}{path:<{width}} {what}" for path, what in pages.items()),
        "  let something go wrong (on: well again):",
        f"    {_command()} simulate fault {machine} off --port {stage.province.port}",
        f"  settings and logs: {stage.cast.directory}",
        *(f"  note: {note}" for note in stage.notes),
    ]


def _command() -> str:
    """How `haidang` is called from the shell that called us."""
    called = Path(sys.argv[0])
    if called.name != "haidang":
        return "python -m haidang.cli"
    if shutil.which("haidang"):
        return "haidang"
    return str(called.relative_to(Path.cwd())) if called.is_relative_to(Path.cwd()) else str(called)


def _screenful(stage: Stage, picture: Picture, wrong: list[str]) -> list[str]:
    numbers = picture.numbers
    count = picture.count()
    states = "  ".join(
        f"{_GOOD if state is State.UP else _DIM if state is State.UNKNOWN else _BAD}{count[state]} {state.value}{_PLAIN}"
        for state in State
        if count[state]
    )
    kinds = Counter(machine.kind for machine in stage.province.province.machines)
    names = {office.id: office.name for office in stage.province.province.offices} | {_HERE: "Máy này (this machine)"}
    rows = shutil.get_terminal_size().lines - _MARGIN - len(stage.notes) - min(len(wrong), 8)
    units = [
        f"  {names.get(unit, unit):<48} {sum(found.values()):>4} devices  {_summary(found)}"
        for unit, found in picture.units.items()
    ]
    shown = units if len(units) <= max(rows, 3) else [*units[: max(rows, 3)], f"  ... {len(units) - max(rows, 3)} more"]
    return [
        f"{_BOLD}Hải Đăng{_PLAIN}  {time.strftime('%H:%M:%S')}  {counted(len(picture.states), 'device')}  {states}",
        f"{_DIM}simulated: {', '.join(f'{count} {kind}' for kind, count in kinds.items())}; on this machine: "
        f"{', '.join(stage.here)}{_PLAIN}",
        f"{_DIM}a cycle took {numbers.get('cycle_seconds', 0):.1f} s; {numbers.get('packets_sent_total', 0):.0f} packets sent, "
        f"{numbers.get('retries_total', 0):.0f} repeated; {numbers.get('values', 0):.0f} values{_PLAIN}",
        "",
        *shown,
        "",
        f"{_BOLD}Wrong{_PLAIN}" + ("" if wrong else f"  {_GOOD}nothing{_PLAIN}" if picture.asked() else "  (still asking)"),
        *(f"  {_BAD}{one}{_PLAIN}" for one in wrong[:8]),
        "",
        f"{_BOLD}Open{_PLAIN}",
        *_addresses(stage),
        f"{_DIM}Ctrl-C ends everything{_PLAIN}",
    ]


def _summary(states: Counter[State]) -> str:
    if set(states) == {State.UNKNOWN}:
        return f"{_DIM}not asked yet{_PLAIN}"
    bad = [f"{count} {state.value}" for state, count in sorted(states.items()) if state is not State.UP]
    return f"{_GOOD}all up{_PLAIN}" if not bad else f"{states[State.UP]} up, {_BAD}{', '.join(bad)}{_PLAIN}"
