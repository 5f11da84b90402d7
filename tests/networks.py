"""Networks of our own for tests: an office behind a router that translates addresses (nft), and a centre beyond its line; and a
machine alone."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from peers import require

_CLONE_NEWNET = 0x40000000

OFFICE, INNER = "10.77.1.2", "10.77.1.1"
OUTER, CENTRE = "10.77.2.1", "10.77.2.2"


@dataclass(frozen=True)
class Networks:
    """Names of the namespaces. The router has the interfaces `inner` and `outer`; the centre knows no way into the office."""

    office: str
    router: str
    centre: str

    def run(self, where: str, *words: str) -> None:
        """Run a command in one of them."""
        subprocess.run([require("ip"), "netns", "exec", where, *words], check=True, capture_output=True)

    def cut(self) -> None:
        """The office's line is dead."""
        self.run(self.router, "ip", "link", "set", "outer", "down")

    def restore(self, ports: str) -> None:
        """It is back, and the router gives the office's conversations other ports than before, as after its restart."""
        self.translate(ports)
        self.run(self.router, "ip", "link", "set", "outer", "up")

    def translate(self, ports: str) -> None:
        """Have the router hide the office behind its outer address and these ports."""
        rules = f"""
            table ip office {{}}
            delete table ip office
            table ip office {{
                chain out {{
                    type nat hook postrouting priority srcnat;
                    oifname "outer" meta l4proto udp masquerade to :{ports}
                }}
            }}"""
        subprocess.run(
            [require("ip"), "netns", "exec", self.router, require("nft"), "-f", "-"], input=rules, text=True, check=True
        )


@contextmanager
def inside(namespace: str) -> Iterator[None]:
    """Sockets that this thread makes within the block belong to the namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    try:
        if libc.setns(there, _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"cannot enter {namespace}")
        yield
    finally:
        libc.setns(home, _CLONE_NEWNET)
        os.close(home)
        os.close(there)


@contextmanager
def office_behind_nat() -> Iterator[Networks]:
    """The three of them, gone after the block; skips the test where nobody may make any."""
    ip = require("ip")
    require("nft")
    made = Networks(*(f"hd-{name}-{os.getpid()}" for name in ("office", "router", "centre")))
    if os.geteuid() or subprocess.run([ip, "netns", "add", made.office], capture_output=True, check=False).returncode:
        pytest.skip("network namespaces need root and CAP_SYS_ADMIN: sudo -E .venv/bin/pytest tests/test_nat.py")
    try:
        for namespace in (made.router, made.centre):
            subprocess.run([ip, "netns", "add", namespace], check=True)
        for name, end, namespace, address, other in (
            ("inner", "lan", made.office, OFFICE, INNER), ("outer", "wan", made.centre, CENTRE, OUTER),
        ):  # fmt: skip
            made.run(made.router, "ip", "link", "add", name, "type", "veth", "peer", "name", end, "netns", namespace)
            made.run(made.router, "ip", "address", "add", f"{other}/24", "dev", name)
            made.run(namespace, "ip", "address", "add", f"{address}/24", "dev", end)
            for where, what in ((made.router, name), (namespace, end), (namespace, "lo")):
                made.run(where, "ip", "link", "set", what, "up")
        made.run(made.office, "ip", "route", "add", "default", "via", INNER)
        made.run(made.router, "sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
        made.translate("20000-20999")
        yield made
    finally:
        for namespace in (made.office, made.router, made.centre):
            subprocess.run([ip, "netns", "delete", namespace], check=False, capture_output=True)


@dataclass(frozen=True)
class Alone:
    """A namespace with nothing but a loopback."""

    name: str

    def darken(self, port: int) -> None:
        """From now on no packet from or to a TCP port arrives, and nobody is told."""
        self._filter(
            f"""
            table inet dark {{
                chain arriving {{
                    type filter hook input priority 0;
                    tcp dport {port} drop
                    tcp sport {port} drop
                }}
            }}"""
        )

    def lighten(self) -> None:
        """Everything arrives again."""
        self._filter("delete table inet dark")

    def _filter(self, rules: str) -> None:
        command = [require("ip"), "netns", "exec", self.name, require("nft"), "-f", "-"]
        subprocess.run(command, input=rules, text=True, check=True)


@contextmanager
def machine_alone() -> Iterator[Alone]:
    """A namespace for this thread and what it starts, until the block ends; skips the test where nobody may make any."""
    ip = require("ip")
    require("nft")
    made = Alone(f"hd-alone-{os.getpid()}")
    if os.geteuid() or subprocess.run([ip, "netns", "add", made.name], capture_output=True, check=False).returncode:
        pytest.skip("network namespaces need root and CAP_SYS_ADMIN: sudo -E .venv/bin/pytest tests")
    try:
        subprocess.run([ip, "-n", made.name, "link", "set", "lo", "up"], check=True)
        with inside(made.name):
            yield made
    finally:
        subprocess.run([ip, "netns", "delete", made.name], check=False, capture_output=True)
