"""What terminals show: how far a long command is, and names whose letters they lack."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import province
import pytest

from haidang.simulate import settings as simulated

UNIT = '[[unit]]\nid = "xã-an-lâm-đông"\n'


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [("utf-8", "xã-an-lâm-đông"), ("ascii", "xa-an-lam-dong"), ("latin-1", "xã-an-lâm-dông")],
)
def test_what_a_terminal_lacks_is_folded(tmp_path: Path, encoding: str, shown: str) -> None:
    """Vietnamese names lose the marks that the terminal's encoding lacks, and the command ends as it would anywhere."""
    (tmp_path / "haidang.toml").write_text(UNIT, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "haidang.cli", "check", "--config", "haidang.toml"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert f"without devices: {shown}" in done.stdout.decode(encoding)


def on_a_terminal(*words: str) -> str:
    """All that a command writes to a terminal."""
    ours, theirs = os.openpty()
    shown = bytearray()
    with subprocess.Popen([sys.executable, "-m", "haidang.cli", *words], stdout=theirs, stderr=theirs):
        os.close(theirs)
        while True:
            try:
                shown += os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
    os.close(ours)
    return shown.decode()


def test_progress_is_erased_before_anything_else_is_written(tmp_path: Path) -> None:
    """A survey and a probe of many say how far they are, and what they find begins on a line of its own."""
    with province.running(1, 6) as running:
        config, targets = tmp_path / "haidang.toml", tmp_path / "targets"
        config.write_text(simulated.text(running.province, running.port, running.credentials), encoding="utf-8")
        machines = running.province.machines
        targets.write_text("".join(f"{one.name} {one.address}:{running.port}\n" for one in machines))
        probed = on_a_terminal("probe", "--targets", str(targets))
        surveyed = on_a_terminal("topology", "--config", str(config), "--survey", "now")
    assert f"{len(machines)} of {len(machines)} asked, 0 silent" in probed
    assert not re.search(r"silent[^\r\n]", probed)
    assert re.search(r"\r\d+ of \d+ devices asked, \d+ of \d+ units surveyed", surveyed)
    assert surveyed.splitlines()[-2].strip() and "surveyed " in surveyed.rsplit("\x1b[K", 1)[1]
