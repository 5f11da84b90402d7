"""The wheel of a clean checkout, installed apart from it, is whole and runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import peers
import pytest

HOUSE = Path(__file__).resolve().parent.parent
ROOMS = ("agent", "collector", "config", "exporters", "haidang", "snmp")
LISTS = ("setup", "test", "bench")


def tracked() -> list[str]:
    """The files of a clean clone, by their paths from the top; without git, everything that is not left over from a build."""
    git = shutil.which("git")
    if git is not None and (HOUSE / ".git").exists():
        asked = [git, "-c", f"safe.directory={HOUSE}", "-C", str(HOUSE), "ls-files", "-z"]
        listed = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.split("\0")
        return [name for name in listed if name and (HOUSE / name).is_file()]
    left = {"__pycache__", "build", "dist"}
    every = (path.relative_to(HOUSE) for path in HOUSE.rglob("*") if path.is_file())
    return [str(path) for path in every if not left & set(path.parts) and not path.parts[0].startswith(".")]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel built from a copy that holds what a clean clone holds."""
    clone = tmp_path_factory.mktemp("clone")
    for name in tracked():
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(HOUSE / name, clone / name)
    out = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(out), str(clone)]
    made = subprocess.run(build, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    (found,) = out.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin directory of an empty environment with the wheel in it; its dependencies are those of this environment."""
    home = tmp_path_factory.mktemp("home")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home)], check=True)
    install = [sys.executable, "-m", "pip", "--python", str(home / "bin" / "python"), "install", "-q", "--no-deps", "--no-index"]
    made = subprocess.run([*install, str(wheel)], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    (site,) = home.glob("lib/python3*/site-packages")
    # a directory named in a .pth is searched, but its own .pth files, our editable install among them, are not read
    (site / "dependencies.pth").write_text(str(Path(pytest.__file__).parent.parent) + "\n")
    return home / "bin"


def run(command: list[str | Path], cwd: Path) -> str:
    """What a command prints; fails with its words when it fails."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=env, stdin=subprocess.DEVNULL, check=False)
    assert done.returncode == 0, f"{command}: status {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_the_wheel_holds_every_file_of_the_rooms_and_nothing_else(wheel: Path) -> None:
    """Modules, profiles, MIB, migrations and samples are in it; tests, bench and documents are not."""
    wanted = {name for name in tracked() if name.split("/")[0] in ROOMS}
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
        assert held == wanted
        assert any(name.endswith("LICENSE") for name in archive.namelist())


def test_an_installed_wheel_runs_its_commands(installed: Path, tmp_path: Path) -> None:
    """Both commands explain themselves, and their code is the installed one, not the checkout's."""
    assert "usage" in run([installed / "haidang", "--help"], tmp_path).lower()
    assert "usage" in run([installed / "haidang-agent", "--help"], tmp_path).lower()
    where = run(
        [installed / "python", "-c", "import config, haidang.cli; print(config.__file__, haidang.cli.__file__)"], tmp_path
    )
    assert all(word.startswith(str(installed.parent)) for word in where.split())


def test_an_installed_wheel_finds_its_sample_and_accepts_it(installed: Path, tmp_path: Path) -> None:
    """``haidang check`` takes the sample settings that came with the wheel."""
    find = "import importlib.resources; print(importlib.resources.files('config') / 'sample.toml')"
    sample = run([installed / "python", "-c", find], tmp_path).strip()
    assert Path(sample).is_relative_to(installed.parent)
    run([installed / "haidang", "check", "--config", sample], tmp_path)


def test_an_installed_wheel_exports_its_mib(installed: Path, tmp_path: Path) -> None:
    """``haidang export mib`` gives the text that came with the wheel."""
    said = run([installed / "haidang", "export", "mib"], tmp_path)
    assert said == (HOUSE / "config" / "mibs" / "HAIDANG-MIB.txt").read_text(encoding="utf-8")


def test_the_package_lists_hold_every_peer_the_tests_ask_for() -> None:
    """Each Debian package that peers.py names, but those only benchmarks use, is one ``make test`` installs."""
    named = {
        name: {
            words[0]
            for line in (HOUSE / "deploy" / f"{name}-packages.txt").read_text().splitlines()
            if (words := line.split("#")[0].split())
        }
        for name in LISTS
    }
    asked = set()
    for path in (HOUSE / "tests").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        asked |= {package for command, package in peers.PACKAGES.items() if f'require("{command}")' in text}
    assert asked - named["test"] - {"no-such-peer"} == set()
