from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from installation import PUBLIC, Download, offer
from peers import require

from agent import launch, update, versions
from deploy import release
from deploy.windows import build

BASE = release.version()
PAYLOAD = {
    "haidang-agent.exe": b"MZ the agent",
    "haidang-agent-service.exe": b"MZ the service",
    "_internal/base_library.zip": b"PK",
    "_internal/psutil/_psutil_windows.pyd": b"MZ",
    "_internal/config/standards/lifecycle.toml": b"",
}


@pytest.fixture
def payload(tmp_path: Path) -> Path:
    """A folder as PyInstaller makes it, with something in the place of its programs."""
    for name, data in PAYLOAD.items():
        path = tmp_path / "payload" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return tmp_path / "payload"


def test_nsis_makes_an_installer_that_holds_the_folder(payload: Path, tmp_path: Path) -> None:
    """makensis takes the script without a warning; 7z finds every file whole in what it makes, a program of 64 bits."""
    require("makensis")
    made = build.installer(payload, tmp_path / "out", BASE, 1_700_000_000)
    assert made.read_bytes()[:2] == b"MZ"
    told = subprocess.run([require("7z"), "l", str(made)], capture_output=True, text=True, check=True).stdout
    assert "SubType = NSIS-3 Unicode 64-bit" in told
    subprocess.run([require("7z"), "x", "-bso0", f"-o{tmp_path / 'x'}", str(made)], check=True)
    held = {path.relative_to(tmp_path / "x").as_posix(): path for path in (tmp_path / "x").rglob("*") if path.is_file()}
    assert {name: held[name].read_bytes() for name in PAYLOAD} == PAYLOAD
    assert held["haidang-agent.sample.toml"].read_bytes() == build.SAMPLE.read_bytes()
    assert set(held) - set(PAYLOAD) - {"haidang-agent.sample.toml", "uninstall.exe"} == {"$PLUGINSDIR/nsExec.dll"}


def test_an_installer_is_not_made_of_a_folder_that_lacks_a_program(payload: Path, tmp_path: Path) -> None:
    """What would install and then not start is refused by name."""
    (payload / "haidang-agent-service.exe").unlink()
    with pytest.raises(SystemExit, match=r"lacks haidang-agent-service\.exe"):
        build.installer(payload, tmp_path / "out", BASE, 0)


def test_a_release_for_windows_is_laid_as_it_was_packed(payload: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The archive is the same for the same folder, and an agent on Windows takes it and would start its program."""
    one, two = (build.update(payload, tmp_path / name, "7.0.0", 1_700_000_000).read_bytes() for name in ("one", "two"))
    assert one == two
    monkeypatch.setattr(update, "PLATFORM", "windows")
    directory = tmp_path / "versions"
    update.apply(offer(one, "7.0.0", platform="windows"), [PUBLIC], Download(one), str(directory), BASE, pace=float("inf"))
    laid = directory / "7.0.0"
    assert {path.relative_to(laid).as_posix() for path in laid.rglob("*") if path.is_file()} == {*PAYLOAD, "release.toml"}
    monkeypatch.setattr(launch.os, "name", "nt")
    (program,) = launch.command(versions.path_of(str(directory), "7.0.0"), False)
    monkeypatch.undo()
    assert Path(program).read_bytes() == PAYLOAD["haidang-agent.exe"]


def test_the_build_says_where_it_can_run(tmp_path: Path) -> None:
    """Without a payload it needs Windows, and says so."""
    command = [sys.executable, "-m", "deploy.windows.build", "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=release.HOUSE)
    assert done.returncode == 1 and "run this on Windows, or give --payload" in done.stderr


def test_the_frozen_agent_gets_every_module_and_the_data_it_names(tmp_path: Path) -> None:
    """What the spec hands to PyInstaller is what an agent imports: each module loads, and the dates of support are there."""
    out = tmp_path / "agent.zip"
    release.pack(release.files(), out, 0)
    with zipfile.ZipFile(out) as packed:
        packed.extractall(tmp_path / "agent")
    modules = [
        ".".join(path.with_suffix("").parts).removesuffix(".__init__")
        for path in release.sources()
        if path.suffix == ".py" and path.stem not in ("windows", "__main__")
    ]
    program = f"""
import importlib, sys
from importlib import resources
sys.path.insert(0, {str(tmp_path / "agent")!r})
for name in {modules!r}:
    importlib.import_module(name)
print(len(resources.files("config").joinpath("standards/lifecycle.toml").read_bytes()))
print(sys.modules["agent"].__file__)
"""
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=False, cwd="/")
    assert done.returncode == 0, done.stderr
    size, where = done.stdout.split()
    assert int(size) > 1000 and where.startswith(str(tmp_path))
