"""The benchmarks' command."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HOUSE = Path(__file__).resolve().parent.parent.parent


def bench(*words: str) -> subprocess.CompletedProcess[str]:
    """Run ``python -m bench``."""
    return subprocess.run([sys.executable, "-m", "bench", *words], capture_output=True, text=True, cwd=HOUSE, check=False)


def test_rows_are_listed_with_what_they_measure() -> None:
    """Every module with a run function is a row, each with a line of its own."""
    said = bench()
    assert said.returncode == 0, said.stderr
    names = [line.split()[0] for line in said.stdout.splitlines()]
    assert {
        "poll-v2c",
        "poll-v3",
        "fleet-cpu",
        "fleet-memory",
        "fleet-faults",
        "weak-line-time",
        "weak-line-bytes",
        "learn",
        "agent-memory",
        "agent-private",
        "agent-cpu",
        "agent-idle",
        "agent-start",
        "agent-inventory",
    } <= set(names)
    assert "farm" not in names
    assert all(len(line.split()) > 3 for line in said.stdout.splitlines())


def test_an_unknown_row_is_refused_with_those_there_are() -> None:
    """A wrong name ends with status 2 and the names that would be right."""
    said = bench("no-such-row")
    assert said.returncode == 2
    assert "expected one of" in said.stderr
    assert "poll-v2c" in said.stderr
