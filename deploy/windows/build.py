"""Build the agent for Windows: the folder with PyInstaller, the installer with NSIS, the release for self-update.

    python -m deploy.windows.build [--out dist]               all of it, on Windows
    python -m deploy.windows.build --payload DIR              pack a folder that was built before, on any system

On Windows it needs Python 3.11 or later (64 bits), `pip install pyinstaller pywin32 psutil requests cryptography`, and NSIS 3.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

from .. import release

HERE = Path(__file__).resolve().parent
SAMPLE = release.HOUSE / "deploy" / "haidang-agent.toml"
NEEDED = ("haidang-agent.exe", "haidang-agent-service.exe")


def freeze(work: Path) -> Path:
    """Have PyInstaller make the folder."""
    command = [sys.executable, "-m", "PyInstaller", "--noconfirm", "--distpath", str(work), "--workpath", str(work / "build")]
    subprocess.run([*command, str(HERE / "haidang-agent.spec")], check=True, cwd=release.HOUSE)
    return work / "haidang-agent"


def installer(payload: Path, out: Path, version: str, dated: int) -> Path:
    """Pack a folder as an installer; raises SystemExit for one that lacks a program."""
    missing = [name for name in NEEDED if not (payload / name).is_file()]
    if missing:
        raise SystemExit(f"{payload}: lacks {' and '.join(missing)}; expected what PyInstaller makes of haidang-agent.spec")
    makensis = shutil.which("makensis") or shutil.which("makensis", path=r"C:\Program Files (x86)\NSIS")
    if makensis is None:
        raise SystemExit("makensis was not found; install NSIS 3 (Debian: apt-get install nsis)")
    out.mkdir(parents=True, exist_ok=True)
    made = out / f"haidang-agent-{version}-setup.exe"
    values = {"VERSION": version, "PAYLOAD": payload.resolve(), "SAMPLE": SAMPLE, "OUT": made.resolve()}
    command = [makensis, "-V2", "-WX", *(f"-D{name}={value}" for name, value in values.items()), str(HERE / "installer.nsi")]
    subprocess.run(command, check=True, env={**os.environ, "SOURCE_DATE_EPOCH": str(dated)})
    return made


def update(payload: Path, out: Path, version: str, dated: int) -> Path:
    """Pack a folder as a release for agents on Windows."""
    files: dict[str, bytes | Path] = {
        path.relative_to(payload).as_posix(): path for path in sorted(payload.rglob("*")) if path.is_file()
    }
    files[release.LABEL] = release.label(version, "windows")
    made = out / f"haidang-agent-{version}-windows.zip"
    release.pack(files, made, dated)
    return made


def main() -> int:
    """Build what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=release.HOUSE / "dist")
    parser.add_argument("--payload", type=Path, help="a folder that PyInstaller made before")
    args = parser.parse_args()
    if args.payload is None and os.name != "nt":
        raise SystemExit("PyInstaller makes programs for the system it runs on: run this on Windows, or give --payload")
    payload = args.payload or freeze(release.HOUSE / "build" / "windows")
    version, dated = release.version(), release.epoch()
    print(installer(payload, args.out, version, dated))
    print(update(payload, args.out, version, dated))
    return 0


if __name__ == "__main__":
    sys.exit(main())
