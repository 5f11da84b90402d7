from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import certificates
import peers
import pytest
from installation import Installation, files, pack, program
from test_enrolment import PATIENCE, Estate

from agent import enrolment
from agent.versions import Switch
from deploy import release as built

NEW, BROKEN = "7.0.0", "7.1.0"


@pytest.fixture
def estate(tmp_path: Path) -> Iterator[Estate]:
    with ExitStack() as stack:
        found = Estate(tmp_path, certificates.make(tmp_path), stack)
        found.collect()
        yield found


def publish(estate: Estate, version: str, content: dict[str, bytes]) -> bytes:
    """Sign a release and offer it to everybody, by the operator's commands; gives the archive."""
    archive = estate.directory / f"{version}.zip"
    data = pack(content, archive)
    command = [
        sys.executable,
        "-m",
        "haidang.cli",
        "agent",
        "release",
        "sign",
        str(archive),
        "--key",
        str(estate.directory / "key"),
    ]
    subprocess.run(command, check=True, capture_output=True)
    estate.haidang("release", "publish", str(archive), "--stage", "100%")
    return data


@pytest.mark.timeout(900)
def test_agents_take_a_release_from_their_collector_and_leave_a_broken_one(estate: Estate) -> None:
    """Enrolled with the key pinned, an agent fetches what is offered, reports with it and keeps it; from one that cannot start it
    goes back, and its collector hears why."""
    command = [sys.executable, "-m", "haidang.cli", "agent", "release", "key", str(estate.directory / "key")]
    public = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    estate.haidang("release", "trust", public)
    archive = publish(estate, NEW, files(NEW))
    (estate.directory / "machine").mkdir()
    installed = Installation(estate.directory / "machine")
    installed.settings.write_text(f'[agent]\nstate = "{installed.home}"\n')
    installed.versions.mkdir(mode=0o700)
    # the line broke in an earlier attempt: the rest alone is asked for
    (installed.versions / f"download-{hashlib.sha256(archive).hexdigest()}").write_bytes(archive[:-20_000])
    config = ("--config", str(installed.settings))
    enrolled = installed.run("enrol", estate.url, estate.invite(), "--pin", estate.pin, *config)
    assert enrolled.returncode == 0, enrolled.stderr
    known = enrolment.load(str(installed.home))
    assert known is not None and len(known.release_key) == 64

    process = installed.start()
    assert process.wait(PATIENCE) == 0, installed.text()
    assert f"makes way for {NEW}" in installed.text()
    process = installed.start(patience=PATIENCE)
    try:
        peers.wait_until(lambda: installed.switch() == Switch(built.version(), kept=NEW), "the new version is kept", PATIENCE)
        peers.wait_until(lambda: NEW in estate.haidang("list"), "its collector knows", PATIENCE)
    finally:
        peers.end(process)

    publish(estate, BROKEN, program(BROKEN, "raise SystemExit(3)\n"))
    process = installed.start()
    assert process.wait(PATIENCE) == 0, installed.text()
    process = installed.start()
    try:
        peers.wait_until(lambda: f"returned from {BROKEN} to {NEW}" in installed.text(), "it goes back", PATIENCE)
        returned = f"returned from {BROKEN}: it ended 5 times at its start"
        status = ("status", "--json", *config)
        peers.wait_until(lambda: returned in installed.run(*status).stdout, "the agent says why", PATIENCE, 0.2)
        peers.wait_until(lambda: returned in estate.page(), "its collector knows why", PATIENCE, 0.2)
        assert installed.switch().kept == NEW
    finally:
        peers.end(process)
