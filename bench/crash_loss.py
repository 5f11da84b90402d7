"""Agent and collector killed (kill -9) at random moments of writing and sending: what was acknowledged is there, each once.

    python -m bench.crash_loss agent|collector --port P --directory DIR

runs one of the two; the agent reports as fast as it can and prints `put NAME CRC` and `acknowledged NAME`.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import random
import select
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path
from typing import Any

from agent import push as pushing
from agent import settings, state
from agent.report import INTERVAL, Part
from agent.tree import HOST, at
from collector.model import Device
from collector.polling.journal import JOURNAL
from collector.polling.receive import Receive
from config import objects
from config.profiles import Profiles
from exporters.prometheus import Pages
from snmp import ber
from snmp.engine import Engine, steady
from snmp.message import VarBind

from . import informs, process

KILLS = 200
_EVERY = 0.005
_BUSIEST = 400
"""Parts that may wait before the agent makes no more."""
_PATIENCE = 120.0


def run(quick: bool) -> dict[str, Any]:
    """So many kills, of agent and collector in turn by chance, then peace until all has arrived."""
    kills = 20 if quick else KILLS
    chance = random.Random(kills)
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        kind = informs.disk(directory)
        port = process.free_port(socket.SOCK_DGRAM)
        log = directory / "agent.log"
        running = {who: _start(who, port, directory, log) for who in ("collector", "agent")}
        killed = dict.fromkeys(running, 0)
        try:
            for _ in range(kills):
                _at_work(running, log)
                time.sleep(chance.uniform(0.0, 0.3))
                who = chance.choice(("agent", "collector"))
                running[who].kill()
                running[who].wait()
                killed[who] += 1
                running[who] = _start(who, port, directory, log, again=True)
            _at_work(running, log)
            _drain(running["agent"], log)
        finally:
            for one in running.values():
                one.kill()
                one.wait()
        put, acknowledged = _told(log)
        found: dict[int, int] = {}
        rows = 0
        with sqlite3.connect(directory / "collector" / JOURNAL) as db:
            for sequence, body in db.execute("SELECT sequence, body FROM report"):
                rows += 1
                found[sequence] = zlib.crc32(body)
    lost = acknowledged - found.keys()
    missing = put.keys() - found.keys()
    wrong = [one for one, crc in put.items() if found.get(one, crc) != crc]
    doubled = rows - len(found)
    print(
        f"{killed['agent']} agents and {killed['collector']} collectors killed on {kind}: {len(put)} parts put, "
        f"{len(acknowledged)} acknowledged, {rows} in the store; {len(lost)} acknowledged ones lost, {len(missing)} others lost, "
        f"{doubled} doubled, {len(wrong)} damaged",
        flush=True,
    )
    bad = len(lost) + len(missing) + doubled + len(wrong)
    return {"value": bad, "unit": f"parts lost, doubled or damaged in {kills} kills", "bar": 0, "ok": bad == 0, "peer": ""}


def _start(who: str, port: int, directory: Path, log: Path, again: bool = False) -> subprocess.Popen[str]:
    (directory / who).mkdir(exist_ok=True)
    words = [sys.executable, "-m", "bench.crash_loss", who, "--port", str(port), "--directory", str(directory / who)]
    with log.open("a") as file:
        output = file if who == "agent" else subprocess.DEVNULL
        return subprocess.Popen(words, stdout=output, text=True, cwd=informs.HOUSE)


def _at_work(running: dict[str, subprocess.Popen[str]], log: Path) -> None:
    """Return when the agent writes and the collector acknowledges."""
    size, end = log.stat().st_size, time.monotonic() + _PATIENCE
    while True:
        with log.open() as file:
            file.seek(size)
            said = file.read()
        if "put" in said and "acknowledged" in said:
            return
        if time.monotonic() > end or any(one.poll() is not None for one in running.values()):
            sys.exit(f"agent and collector do not work together; the agent said: {said[-300:]}")
        time.sleep(0.02)


def _told(log: Path) -> tuple[dict[int, int], set[int]]:
    """(name -> CRC of what was safely put, names that were acknowledged)."""
    put: dict[int, int] = {}
    acknowledged = set()
    for line in log.read_text().splitlines():
        match line.split():
            case ["put", name, crc]:
                put[int(name)] = int(crc)
            case ["acknowledged", name]:
                acknowledged.add(int(name))
    return put, acknowledged


def _drain(agent: subprocess.Popen[str], log: Path) -> None:
    """Have the agent make no more, and wait until nothing waits."""
    agent.send_signal(signal.SIGUSR1)
    end = time.monotonic() + _PATIENCE
    while "\nempty\n" not in log.read_text():
        if agent.poll() is not None or time.monotonic() > end:
            sys.exit(f"the agent did not get rid of its reports; it said: {log.read_text()[-300:]}")
        time.sleep(0.2)


def agent(port: int, directory: Path) -> None:
    """Reports without pause, and with less patience than an agent has in earnest."""
    pushing.TIMEOUT, pushing.LONGEST, pushing.PATIENCE, pushing.PROBE, pushing.PACE = 0.1, 0.4, 0.5, 0.1, 10e6
    more = True

    def enough(*_: object) -> None:
        nonlocal more
        more = False

    signal.signal(signal.SIGUSR1, enough)
    numbers = itertools.count(int(time.time() * 1000) % 10**9)
    still = [VarBind(at(HOST, 9, n), ber.OCTET_STRING, b"x" * 90) for n in range(20)]
    engine = Engine.start(directory / state.ENGINE_BOOTS, state.engine_id(str(directory), objects.ENTERPRISE), steady())
    one = informs.user(0)
    user = settings.User(one.name.decode(), one.auth, one.auth_secret.decode(), one.priv, one.priv_secret.decode(), ())
    push = pushing.Push(
        settings.Push(("127.0.0.1", port), user, 600, settings.SPOOL), str(directory), engine.id, engine.boots,
        objects.ENTERPRISE, lambda: [*still, VarBind(at(HOST, 1, 6, 0), ber.GAUGE32, next(numbers))], lambda: 0,
        lambda line: None,
    )  # fmt: skip
    put, done = push.spool.put, push.spool.done

    def say(line: str) -> None:
        os.write(1, f"{line}\n".encode())

    def noted_put(name: int, payload: bytes, high: bool = False) -> None:
        put(name, payload, high)
        say(f"put {name} {zlib.crc32(Part.unpack(payload).body)}")

    def noted_done(name: int) -> None:
        say(f"acknowledged {name}")
        done(name)

    push.spool.put, push.spool.done = noted_put, noted_done  # type: ignore[method-assign]
    push.work(steady())
    while more or len(push.spool):
        now = steady()
        if more and len(push.spool) < _BUSIEST:
            push.report(INTERVAL, now)
        push.work(now)
        if select.select([push.sock], (), (), _EVERY)[0]:
            push.serve()
    say("empty")
    signal.pause()


async def collector(port: int, directory: Path) -> None:
    """The receiving side and its pages; nothing is tidied away, so that all of it can be counted."""
    device = Device("agent-0000", "", 0, "agents", "unit-0", "workstation")
    receive = Receive(("127.0.0.1", port), directory, Profiles.load(), [Pages([], [device])])
    receive._settle_at = float("inf")
    receive.arrange({device.id: (device, [informs.user(0)])})
    await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("who", choices=("agent", "collector"))
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--directory", type=Path, required=True)
    arguments = parser.parse_args()
    if arguments.who == "agent":
        agent(arguments.port, arguments.directory)
    else:
        asyncio.run(collector(arguments.port, arguments.directory))


if __name__ == "__main__":
    main()
