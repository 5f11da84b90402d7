"""Terminals that cannot show Vietnamese."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

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
