"""The simulated devices and the line to them: `farm.c` for v2c, Debian's snmpd for v3. Both answer on all of 127.0.0.0/8."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from . import process, work

HERE = Path(__file__).resolve().parent
_RECORD = struct.Struct("=dIHH8s")
_DISCOVERY = bytes.fromhex(
    "303a020103300f02022b67020300ffe30401040201030410300e0400020100020100040004000400301204000400a00c02022b670201000201003000"
)


class Exchange(NamedTuple):
    """One request to the farm: CLOCK_MONOTONIC seconds, the address asked, payload bytes there and back (0: no answer left), and
    the first eight octets of the first name it asks."""

    time: float
    address: str
    asked: int
    answered: int
    first: bytes


def build(directory: Path) -> Path:
    """Compile farm.c."""
    program = directory / "farm"
    subprocess.run([process.command("gcc", "gcc"), "-O2", "-o", str(program), str(HERE / "farm.c")], check=True)
    return program


@contextmanager
def v2c(
    directory: Path, table: str, *, dead: int = 0, loss: int = 0, delay_ms: float = 0, trace: Path | None = None
) -> Iterator[int]:
    """A farm of devices with this table on the second core; gives its port. `dead` and `loss` in thousandths."""
    source = directory / "table.snmprec"
    source.write_text(table, encoding="utf-8")
    port = process.free_port(socket.SOCK_DGRAM)
    words = [str(build(directory)), str(source), str(port), f"--dead={dead}", f"--loss={loss}", f"--delay={delay_ms}"]
    if trace is not None:
        words.append(f"--trace={trace}")
    running = subprocess.Popen(process.pinned(process.cores()[1], words), stdout=subprocess.PIPE, text=True)
    try:
        assert running.stdout is not None
        if running.stdout.readline() != "ready\n":
            sys.exit("the farm did not start")
        yield port
    finally:
        print("farm:", process.end(running).strip(), flush=True)


@contextmanager
def v3(directory: Path) -> Iterator[int]:
    """Debian's snmpd with this machine's own tables and one authPriv user, on the second core; gives its port."""
    port = process.free_port(socket.SOCK_DGRAM)
    settings = directory / "snmpd-settings.conf"
    settings.write_text(
        f'agentAddress udp:0.0.0.0:{port}\ncreateUser {work.USER} SHA "{work.AUTH_SECRET}" AES "{work.PRIV_SECRET}"\n'
        f"rouser {work.USER} priv\nsysLocation machine room\nsysContact admin@example.org\nsysName peer\n"
    )
    kept = directory / "snmpd"
    kept.mkdir(exist_ok=True)
    words = [process.command("snmpd", "snmpd"), "-f", "-Ln", "-C", "-c", str(settings)]
    env = {**os.environ, "SNMPCONFPATH": str(kept), "SNMP_PERSISTENT_DIR": str(kept), "MIBS": ""}
    running = subprocess.Popen(process.pinned(process.cores()[1], words), env=env, text=True)
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(0.2)
            for _ in range(50):
                try:
                    sock.sendto(_DISCOVERY, ("127.0.0.1", port))
                    sock.recv(65535)
                    break
                except OSError:
                    time.sleep(0.05)
            else:
                sys.exit("snmpd did not start")
        yield port
    finally:
        process.end(running)


def exchanges(trace: Path) -> list[Exchange]:
    """What a farm wrote to its trace; complete once the farm has ended."""
    return [
        Exchange(when, socket.inet_ntoa(address.to_bytes(4, "big")), asked, answered, first)
        for when, address, asked, answered, first in _RECORD.iter_unpack(trace.read_bytes())
    ]


def is_dead(address: str, permille: int) -> bool:
    """Does this address never answer, on a farm with that many dead in a thousand? The rule of farm.c."""
    number = int.from_bytes(socket.inet_aton(address), "big")
    return (number * 2654435761 % 2**32 >> 16) % 1000 < permille
