from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from installation import Download, files, offer, pack

from agent import update, versions
from collector.estate.releases import Releases, read_key
from deploy import release as built
from haidang import cli

SETTINGS = """
[[credential]]
name = "read"
version = "2c"
community = "public"

[[unit]]
id = "huyen"
name = "Huyện"
kind = "district"

[[unit]]
id = "xa-an-lam"
name = "UBND xã An Lâm"
kind = "commune"
parent = "huyen"

[[unit]]
id = "xa-khac"
name = "UBND xã Khác"
kind = "commune"
"""


class Command:
    """`haidang agent release` in a directory."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *words: str, status: int = 0) -> str:
        """What it prints; its errors when it was to fail."""
        done = cli.main(["agent", "release", *words])
        said = self._capsys.readouterr()
        assert done == status, said.out + said.err
        return said.err if status else said.out


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(capsys)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "haidang.toml").write_text(SETTINGS)
    return tmp_path


def test_a_release_goes_from_the_build_to_an_agent(desk: Path, call: Command) -> None:
    """Key, signature, publication in a stage of a district, offer, and the agent that takes it: every step by its command."""
    public = call("key", "release.key").strip()
    assert stat.S_IMODE((desk / "release.key").stat().st_mode) == 0o600
    archive = pack(files("7.0.0"), desk / "haidang-agent-7.0.0-linux.zip")
    assert "7.0.0 for linux" in call("sign", "haidang-agent-7.0.0-linux.zip", "--key", "release.key")
    call("trust", public, "--config", "haidang.toml")
    publish = ("publish", "haidang-agent-7.0.0-linux.zip", "--config", "haidang.toml", "--stage", "100%", "--unit", "huyen")
    assert call(*publish) == "7.0.0 for linux is offered to 100 % of the agents of 2 units\n"
    listed = call("list", "--config", "haidang.toml")
    assert f"trusted key: {public}" in listed and "7.0.0" in listed and "huyen, xa-an-lam" in listed

    (place,) = desk.rglob("releases/trusted")
    releases = Releases(place.parent)
    assert releases.offer("device", "xa-khac", "linux", built.version()) is None
    found = releases.offer("device", "xa-an-lam", "linux", built.version())
    assert found is not None
    told = update.read(json.loads(json.dumps(found.document())))
    file = releases.file(told.manifest.sha256)
    assert file is not None
    home = desk / "versions"
    update.apply(told, [read_key(public)], Download(file.read_bytes()), str(home), pace=float("inf"))
    assert versions.read(str(home)).tried == "7.0.0" and archive == file.read_bytes()

    assert "7.0.0 for linux is offered to 25 %" in call("stage", "7.0.0-linux", "--stage", "25", "--config", "haidang.toml")
    call("withdraw", "7.0.0-linux", "--config", "haidang.toml")
    assert "withdrawn" in call("list", "--config", "haidang.toml")


def test_commands_say_what_is_wrong(desk: Path, call: Command) -> None:
    """A key that is there, a file that is no release, a share and a unit that are none, an unsigned file."""
    call("key", "release.key")
    assert "a key is never replaced" in call("key", "release.key", status=1)
    (desk / "x.zip").write_bytes(b"no archive")
    assert "as `make release` builds it" in call("sign", "x.zip", "--key", "release.key", status=1)
    pack(files("7.0.0"), desk / "x.zip")
    assert "is no private key" in call("sign", "x.zip", "--key", "haidang.toml", status=1)
    assert "follows it anyway" in call("sign", "x.zip", "--key", "release.key", "--replaces", "6.0.0", status=1)
    config = ("--config", "haidang.toml")
    assert "x.zip.sig: cannot be read" in call("publish", "x.zip", "--stage", "5%", *config, status=1)
    call("sign", "x.zip", "--key", "release.key", "--replaces", "7.1.0")
    assert "no key is trusted yet" in call("publish", "x.zip", "--stage", "5%", *config, status=1)
    assert "--stage: found 'half'" in call("publish", "x.zip", "--stage", "half", *config, status=2)
    assert 'no [[unit]] has the id "huyenn"' in call("publish", "x.zip", "--stage", "5", "--unit", "huyenn", *config, status=2)
    assert "there is no release 7.0.0 for linux; known: none" in call("withdraw", "7.0.0-linux", *config, status=1)
    assert "expected the 44 letters" in call("trust", "abc", *config, status=1)


def test_the_same_tree_gives_the_same_release(tmp_path: Path) -> None:
    """Who builds a release again can compare its hash; and it holds the agent, and what that imports, alone."""
    found = []
    for name in ("one", "two"):
        command = [sys.executable, "-m", "deploy.release", "--out", str(tmp_path / name)]
        said = subprocess.run(command, capture_output=True, text=True, check=True, cwd=built.HOUSE).stdout
        found.append(Path(said.strip()).read_bytes())
    assert found[0] == found[1]
    assert {name.split("/")[0] for name in built.files()} == {"agent", "config", "snmp", "__main__.py", "release.toml"}
    assert "config/profiles.py" not in built.files() and "snmp/client.py" not in built.files()
    assert offer(found[0], built.version()).manifest.size == len(found[0]) < 400_000
