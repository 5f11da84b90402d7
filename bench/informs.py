"""Reports of many agents, made beforehand and sent as fast as a receiver acknowledges them; and the receivers.

    python -m bench.informs ours|pysnmp --port P --users N --directory DIR

runs a receiver that knows the users of `user`: ours with all that stands behind it (journal, translation, pages). It prints
"ready", and what it counted when it is ended.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from agent import linux
from agent.report import INTERVAL, START, Memory, Part, bodies, notification
from agent.tree import IFX_ENTRY, Machine
from collector.model import Device, Unit
from collector.polling.receive import Receive
from config import objects
from config.profiles import Profiles
from exporters.prometheus import Pages
from snmp import ber, message, v3
from snmp.engine import engine_id, steady
from snmp.errors import SnmpError
from snmp.message import Pdu, VarBind
from snmp.notify import SNMP_TRAP_OID, SYS_UP_TIME, InformSession, Notification
from snmp.tree import LiveTree
from snmp.usm import Keys, User

from . import process

HOUSE = Path(__file__).resolve().parent.parent
WINDOW = 64
IN_A_UNIT = 18
_REPEAT = 1.0
_CHECKED = 100
"""Of so many acknowledgements one is opened and read whole."""


def user(n: int) -> User:
    """The n-th agent's own user, with keys of its own."""
    return User(b"agent-%04d" % n, "SHA-256", b"authentication %04d" % n, "AES-128", b"privacy %04d" % n)


def disk(directory: Path) -> str:
    """The file system a directory lies on; ends the run for one in memory, where nothing is ever safe."""
    said = subprocess.run(["stat", "-f", "-c", "%T", str(directory)], capture_output=True, text=True, check=True).stdout.strip()
    if said in ("tmpfs", "ramfs"):
        sys.exit(f"{directory} lies in memory ({said}): set TMPDIR to a directory on a disk")
    return said


def told(users: int, rounds: int) -> Iterator[tuple[int, Notification]]:
    """(user, inform): every agent's full report of this machine, part by part, then `rounds` reports of what its interfaces and
    processors did since."""
    tree = LiveTree(Machine(linux, objects.ENTERPRISE).groups())
    rows = [VarBind(*row) for row in tree.rows(steady())]
    memory = Memory()
    wholes = bodies(memory.full(rows))
    now, first = int(time.time()), 1 << 32 | 1

    def part(n: int, parts: int, sequence: int, reason: int, body: bytes) -> Notification:
        made = Part(first, n, parts, now, 4711, 600, reason, 0, 0, body)
        # nothing is ever done with, so that all of it is there to be counted
        return notification(made, sequence, first, objects.ENTERPRISE, 0)

    for n, body in enumerate(wholes):
        yield from ((one, part(n + 1, len(wholes), first + n, START, body)) for one in range(users))
    for n in range(rounds):
        moved = [
            row._replace(value=row.value + 1000 * n + 7) if isinstance(row.value, int) and _moves(row) else row for row in rows
        ]
        encoded = memory.changed(moved)
        assert encoded is not None
        (body,) = bodies(encoded)
        yield from ((one, part(1, 1, first + len(wholes) + n, INTERVAL, body)) for one in range(users))


def _moves(row: VarBind) -> bool:
    return row.tag == ber.COUNTER64 and row.oid[: len(IFX_ENTRY)] == IFX_ENTRY


class Sent(NamedTuple):
    """What a run of `send` saw: acknowledgements a second, how many, how often one was sent again, octets of an inform."""

    rate: float
    acknowledged: int
    repeated: int
    octets: float


class Sender:
    """All agents behind one socket. Informs are signed and encrypted before the clock runs, so that the receiver is what is
    measured; the receiver's engine is asked for first."""

    def __init__(self, port: int, users: int) -> None:
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self._sock.connect(("127.0.0.1", port))
        self._sock.settimeout(5)
        session = InformSession(user(0))
        self._sock.send(session.request(1, Notification(SYS_UP_TIME, 0), steady()))
        found = v3.decode(self._sock.recv(65535))
        self._engine, self._boots, self._time, self._asked = found.engine_id, found.boots, found.time, steady()
        self._keys: list[Keys] = [user(n).localise(self._engine) for n in range(users)]

    def make(self, informs: Sequence[tuple[int, Notification]]) -> list[bytes]:
        """The datagrams; their message ids count from 1."""
        made = []
        for number, (one, what) in enumerate(informs, 1):
            first = (
                VarBind(SYS_UP_TIME, ber.TIME_TICKS, what.uptime), VarBind(SNMP_TRAP_OID, ber.OBJECT_IDENTIFIER, what.trap),
            )  # fmt: skip
            body = message.encode_varbinds((*first, *what.varbinds)) + what.rest
            pdu = message.encode_pdu(Pdu(message.INFORM, number, 0, 0, body))
            scoped = v3.encode_scoped(engine_id(objects.ENTERPRISE, b"agent-%04d" % one), b"", pdu)
            clock = self._time + int(steady() - self._asked)
            name = user_name(one)
            made.append(
                v3.encode(number, v3.REPORTABLE | 3, self._engine, self._boots, clock, name, scoped, self._keys[one])
            )
        return made

    def send(self, informs: Sequence[tuple[int, Notification]], window: int = WINDOW) -> Sent:
        """Send them, so many under way at a time, until every one is acknowledged; ends the run when that does not happen."""
        datagrams = self.make(informs)
        sock = self._sock
        sock.setblocking(False)
        poll = select.poll()
        poll.register(sock, select.POLLIN)
        flight: dict[int, float] = {}
        order: deque[int] = deque()
        kept: list[bytes] = []
        following, acknowledged, repeated = 1, 0, 0
        began = last = time.perf_counter()
        while acknowledged < len(datagrams):
            while len(flight) < window and following <= len(datagrams):
                flight[following] = time.perf_counter()
                order.append(following)
                sock.send(datagrams[following - 1])
                following += 1
            poll.poll(100)
            try:
                while True:
                    data = sock.recv(65535)
                    number = message.peek_id(data)
                    if flight.pop(number, None) is not None:
                        acknowledged += 1
                        last = time.perf_counter()
                        if number % _CHECKED == 0:
                            kept.append(data)
            except BlockingIOError:
                pass
            now = time.perf_counter()
            while order and (order[0] not in flight or now - flight[order[0]] > _REPEAT):
                number = order.popleft()
                if number in flight:
                    flight[number] = now
                    order.append(number)
                    sock.send(datagrams[number - 1])
                    repeated += 1
            if now - last > 30:
                sys.exit(f"{acknowledged} of {len(datagrams)} informs acknowledged, then none for 30 s")
        for data in kept:
            self._check(data, informs)
        return Sent(acknowledged / (last - began), acknowledged, repeated, sum(map(len, datagrams)) / len(datagrams))

    def _check(self, data: bytes, informs: Sequence[tuple[int, Notification]]) -> None:
        opened = v3.decode(data)
        try:
            plain = v3.open_(opened, data, self._keys[informs[opened.msg_id - 1][0]])
            pdu = v3.decode_scoped(plain)[2]
        except SnmpError as error:
            sys.exit(f"acknowledgement {opened.msg_id} is none: {error}")
        if pdu.type != message.RESPONSE or pdu.error_status or pdu.request_id != opened.msg_id:
            sys.exit(f"inform {opened.msg_id} is answered with {pdu}")


def user_name(n: int) -> bytes:
    """The name of `user(n)`."""
    return b"agent-%04d" % n


@contextmanager
def receiving(kind: str, directory: Path, users: int) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A receiver on the first core, ready; gives it and its port. Kinds: ours, pysnmp, snmptrapd."""
    port = process.free_port(socket.SOCK_DGRAM)
    env = dict(os.environ)
    if kind == "snmptrapd":
        lines = ["disableAuthorization no", "doNotLogTraps no"]
        for n in range(users):
            name, _, auth, _, priv = (field.decode() if isinstance(field, bytes) else field for field in user(n))
            lines += [f'createUser {name} SHA-256 "{auth}" AES "{priv}"', f"authUser log {name} priv"]
        settings = directory / "snmptrapd-settings.conf"
        settings.write_text("\n".join(lines) + "\n")
        kept = directory / "snmptrapd"
        kept.mkdir(exist_ok=True)
        words = [process.command("snmptrapd", "snmptrapd"), "-f", "-n", "-t", "-C", "-c", str(settings)]
        words += ["-Lf", str(directory / "snmptrapd.log"), f"udp:127.0.0.1:{port}"]
        env |= {"SNMPCONFPATH": str(kept), "SNMP_PERSISTENT_DIR": str(kept), "MIBS": ""}
    else:
        words = [sys.executable, "-m", "bench.informs", kind, "--port", str(port), "--users", str(users)]
        words += ["--directory", str(directory)]
    command = process.pinned(process.cores()[0], words)
    running = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=HOUSE, env=env)
    try:
        if kind == "snmptrapd":
            _wait_for_engine(port)
        elif running.stdout is None or running.stdout.readline() != "ready\n":
            sys.exit(f"{kind} did not start")
        yield running, port
    finally:
        process.end(running)


def _wait_for_engine(port: int) -> None:
    end = time.monotonic() + 60
    asking = InformSession(user(0)).request(1, Notification(SYS_UP_TIME, 0), steady())
    while time.monotonic() < end:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(0.5)
            sock.connect(("127.0.0.1", port))
            try:
                sock.send(asking)
                sock.recv(65535)
                return
            except OSError:
                time.sleep(0.1)
    sys.exit("snmptrapd did not start")


async def ours(port: int, users: int, directory: Path) -> None:
    """The collector's receiving side and its pages."""
    devices = [Device(f"agent-{n:04}", "", 0, "agents", f"unit-{n // IN_A_UNIT}", "workstation") for n in range(users)]
    pages = Pages([Unit(name, name) for name in sorted({device.unit for device in devices})], devices)
    receive = Receive(("127.0.0.1", port), directory, Profiles.load(), [pages])
    receive.arrange({device.id: (device, [user(n)]) for n, device in enumerate(devices)})
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    for n in range(users):
        user(n).localise(receive.engine.id)  # as after the agents' first reports
    print("ready", flush=True)
    await ended.wait()
    while receive.busy:
        await asyncio.sleep(0.01)
    await receive.stop()
    print(json.dumps({**receive.counts, "values": pages.numbers()["haidang_collector_values"]}))


async def pysnmp(port: int, users: int) -> None:
    """pysnmp's notification receiver, which keeps nothing."""
    from pysnmp.carrier.asyncio.dgram import udp
    from pysnmp.entity import config, engine
    from pysnmp.entity.rfc3413 import ntfrcv

    snmp_engine = engine.SnmpEngine()
    transport = udp.UdpAsyncioTransport().open_server_mode(("127.0.0.1", port))
    config.add_transport(snmp_engine, udp.DOMAIN_NAME, transport)
    for n in range(users):
        name, _, auth, _, priv = user(n)
        config.add_v3_user(
            snmp_engine, name.decode(), config.USM_AUTH_HMAC192_SHA256, auth.decode(), config.USM_PRIV_CFB128_AES, priv.decode()
        )
    ntfrcv.NotificationReceiver(snmp_engine, lambda *told: None)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    print("ready", flush=True)
    await ended.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=("ours", "pysnmp"))
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--users", type=int, required=True)
    parser.add_argument("--directory", type=Path, required=True)
    arguments = parser.parse_args()
    if arguments.kind == "ours":
        asyncio.run(ours(arguments.port, arguments.users, arguments.directory))
    else:
        asyncio.run(pysnmp(arguments.port, arguments.users))


if __name__ == "__main__":
    main()
