"""A simulator as a process of its own, started and ended by another program: the demonstration, a test."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Iterable
from types import TracebackType

from .control import send
from .province import Province, build
from .settings import Credentials

READY = "ready on port "
"""What the process prints when it answers, followed by the port."""


class SimulatorError(RuntimeError):
    """The simulator did not start; the message is what it said."""


class Running:
    """A simulated province in a process. It ends with `stop`, with the block it is used in, or with this process."""

    def __init__(
        self,
        units: int = 12,
        devices: int = 150,
        seed: int = 708,
        port: int = 0,
        credentials: Credentials | None = None,
        deadline: float = 30.0,
    ) -> None:
        """Starts it and waits at most `deadline` seconds until it answers; raises SimulatorError."""
        self.province: Province = build(units, devices, seed)
        self.credentials = credentials or Credentials()
        said = self.credentials
        command = [
            sys.executable,
            "-m",
            "haidang.simulate",
            "--units",
            str(units),
            "--devices",
            str(devices),
            "--seed",
            str(seed),
        ]
        command += ["--port", str(port), "--while-stdin-open", "--community", said.community, "--user", said.user]
        command += [
            "--auth",
            said.auth,
            "--auth-secret",
            said.auth_secret,
            "--priv",
            said.priv,
            "--priv-secret",
            said.priv_secret,
        ]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            self.port = self._wait(deadline)
        except BaseException:
            self.stop()
            raise

    def _wait(self, deadline: float) -> int:
        output = self._process.stdout
        assert output is not None
        said = ""
        ends = time.monotonic() + deadline
        while select.select([output], [], [], max(0.0, ends - time.monotonic()))[0] and (data := os.read(output.fileno(), 4096)):
            said += data.decode()
            for line in said.splitlines(keepends=True):
                if line.startswith(READY) and line.endswith("\n"):
                    return int(line.removeprefix(READY))
        raise SimulatorError("the simulator did not start: " + (said.strip() or f"no answer within {deadline:g} s"))

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def alive(self) -> bool:
        """Does it still run?"""
        return self._process.poll() is None

    def fault(self, target: str, *orders: str) -> None:
        """Order faults (`faults.ORDERS`) for a machine (address or name) or an office (id); raises ValueError, OSError."""
        send(self.port, [f"fault {target} {order}" for order in orders])

    def faulty(self) -> list[str]:
        """The addresses of the machines with a fault of their own or of their line."""
        return [address for address in send(self.port, ["faults"])[0].split() if address != "none"]

    def ask(self, lines: Iterable[str]) -> list[str]:
        """Give the control's lines as they are."""
        return send(self.port, lines)

    def stop(self) -> None:
        """End the process."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Running:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()
