"""A real agent in an office behind address translation, a collector at the centre, and the line between them cut and restored."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from networks import CENTRE, OUTER, Networks, inside, office_behind_nat
from peers import require
from reporting import SECRETS, Pages, receive

from collector.model import State
from collector.polling.journal import JOURNAL

ROOT = Path(__file__).parents[1]
PATIENCE = 120.0
pytestmark = pytest.mark.timeout(600)


@asynccontextmanager
async def an_agent(networks: Networks, directory: Path, port: int) -> AsyncIterator[asyncio.subprocess.Process]:
    """Our agent in the office, reporting every two seconds."""
    path = directory / "agent.toml"
    path.write_text(
        f'[agent]\nstate = "state"\n[[push]]\nto = "{CENTRE}:{port}"\nuser = "pc-1"\nauth = "SHA-256"\n'
        f'auth_secret = "{SECRETS[0].decode()}"\npriv = "AES"\npriv_secret = "{SECRETS[1].decode()}"\ninterval_seconds = 2\n'
    )
    command = [require("ip"), "netns", "exec", networks.office, sys.executable, "-m", "agent", "run", "--config", str(path)]
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stderr=asyncio.subprocess.PIPE)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def sequences(directory: Path) -> list[int]:
    with sqlite3.connect(directory / JOURNAL) as db:
        return [sequence for (sequence,) in db.execute("SELECT sequence FROM report ORDER BY sequence")]


def late(directory: Path) -> int:
    """Reports that no page has shown for long."""
    with sqlite3.connect(directory / JOURNAL) as db:
        count: int = db.execute("SELECT count(*) FROM report WHERE late = 1").fetchone()[0]
        return count


def gaps(found: list[int]) -> bool:
    return found[-1] - found[0] >= len(found)


def spooled(directory: Path) -> int:
    """Octets of reports that the agent keeps."""
    return sum(path.stat().st_size for path in (directory / "state" / "spool").rglob("*.spool"))


def test_reports_get_through_nat_and_a_line_that_was_cut(tmp_path: Path) -> None:
    """The office's machine is known by its router's address, silent while the line is cut, up again when it is back, though the
    router has other ports for it; nothing it found meanwhile is missing or there twice; and it says goodbye."""

    async def run(networks: Networks) -> None:
        pages = Pages()
        with inside(networks.centre):
            made = receive(tmp_path / "collector", pages, host=CENTRE)
        made.keep_late()  # so that nothing is tidied away before it was counted
        async with an_agent(networks, tmp_path, made.address[1]) as agent:
            await pages.until(lambda: "pc-1" in pages.status and pages.status["pc-1"].state is State.UP, PATIENCE)
            assert made.reporters["pc-1"].device.address == OUTER
            networks.cut()
            await pages.until(lambda: pages.status["pc-1"].state is State.SILENT, PATIENCE)
            kept = spooled(tmp_path)
            while spooled(tmp_path) < kept + 600:  # a few reports that nobody hears
                await asyncio.sleep(0.1)
            networks.restore("30000-30999")
            await pages.until(lambda: pages.status["pc-1"].state is State.UP, PATIENCE)
            async with asyncio.timeout(PATIENCE):
                while not late(tmp_path / "collector") or gaps(found := sequences(tmp_path / "collector")):
                    await asyncio.sleep(0.1)
            assert len(found) == len(set(found)) and len(found) > 6
            agent.send_signal(signal.SIGTERM)
            await pages.until(lambda: pages.status["pc-1"].state is State.OFF, PATIENCE)
            assert await agent.wait() == 0
        await made.stop()

    with office_behind_nat() as networks:
        asyncio.run(run(networks))
