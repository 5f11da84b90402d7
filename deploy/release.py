"""The agent's own files, and nothing else of the tree: what its packages hold and its releases carry.

python3 -m deploy.release [--out dist]      makes dist/haidang-agent-VERSION-linux.zip, to be signed and published
"""

from __future__ import annotations

import argparse
import ast
import os
import re
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

HOUSE = Path(__file__).resolve().parent.parent
LABEL = "release.toml"
ROOMS = ("agent", "snmp", "config")
MAIN = '''"""The agent, started by its directory's name."""

import sys

from agent.__main__ import main

sys.exit(main())
'''
_PATH = re.compile(r"[\w-]+(/[\w-]+)*\.\w+")
_EARLIEST = 315532800
"""1980-01-01, before which no ZIP archive can date a file."""


def version() -> str:
    """The agent's version as its code has it."""
    text = (HOUSE / "agent" / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "([^"]+)"$', text, re.MULTILINE)
    if found is None:
        raise SystemExit("agent/__init__.py: found no __version__")
    return found[1]


def epoch() -> int:
    """The time that built files bear: SOURCE_DATE_EPOCH, else that of the last commit."""
    given = os.environ.get("SOURCE_DATE_EPOCH", "")
    if not given:
        asked = ["git", "-c", f"safe.directory={HOUSE}", "-C", str(HOUSE), "log", "-1", "--format=%ct"]
        try:
            given = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
        except FileNotFoundError:
            given = ""
    return max(int(given or _EARLIEST), _EARLIEST)


def sources() -> list[Path]:
    """The modules of the agent's room, those of others that it imports, however indirectly, and the data that these name.

    By their paths from the top; data is a file whose path below its room stands in the code.
    """
    known = {_name(path): path for room in ROOMS for path in sorted((HOUSE / room).rglob("*.py"))}
    left = [name for name in known if name.split(".")[0] == "agent"]
    found: set[str] = set()
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += [target for target in _imports(name, known[name]) if target in known]
    modules = {known[name].relative_to(HOUSE) for name in found}
    return sorted(modules | {path for module in modules for path in _data(module)})


def _data(module: Path) -> Iterator[Path]:
    for node in ast.walk(ast.parse((HOUSE / module).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _PATH.fullmatch(node.value):
            yield from (Path(room, node.value) for room in ROOMS if (HOUSE / room / node.value).is_file())


def _name(path: Path) -> str:
    parts = path.relative_to(HOUSE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imports(name: str, path: Path) -> Iterator[str]:
    """Every module that a file may mean by its imports, and the packages they stand in."""
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        targets = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*start, *([node.module] if node.module else [])])
            targets = [origin, *(f"{origin}.{alias.name}" for alias in node.names)]
        for target in targets:
            words = target.split(".")
            yield from (".".join(words[:n]) for n in range(1, len(words) + 1))


def files(platform: str = "linux") -> dict[str, bytes]:
    """What a directory of the agent holds, by the names in it."""
    found = {str(path): (HOUSE / path).read_bytes() for path in sources()}
    found["__main__.py"] = MAIN.encode()
    found[LABEL] = label(version(), platform)
    return found


def label(version: str, platform: str) -> bytes:
    """The file at the top of an archive that says what it is."""
    return f'version = "{version}"\nplatform = "{platform}"\n'.encode()


def pack(content: Mapping[str, bytes | Path], out: Path, dated: int) -> None:
    """Write an archive; the same content gives the same octets."""
    out.parent.mkdir(parents=True, exist_ok=True)
    moment = time.gmtime(max(dated, _EARLIEST))[:6]
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(content):
            data = content[name]
            info = zipfile.ZipInfo(name, moment)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.create_system = 3
            info.external_attr = 0o100644 << 16
            archive.writestr(info, data if isinstance(data, bytes) else data.read_bytes())


def main() -> int:
    """Make the release for Linux; the one for Windows is made by deploy/windows/build.py."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=HOUSE / "dist")
    out = parser.parse_args().out / f"haidang-agent-{version()}-linux.zip"
    pack(files(), out, epoch())
    print(out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
