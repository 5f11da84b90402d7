"""Build the agent's Debian package from the tree, the same octets each time.

python3 -m deploy.debian.build [--out dist]     makes dist/haidang-agent_VERSION_all.deb
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import os
import subprocess
import sys
import tempfile
import time
from email.utils import formatdate
from pathlib import Path

from .. import release

HERE = Path(__file__).resolve().parent
SCRIPTS = ("postinst", "prerm", "postrm")
CONFIG = "etc/haidang-agent/haidang-agent.toml"
LIBRARY = "usr/lib/haidang-agent"
DOCUMENTS = "usr/share/doc/haidang-agent"


def content(version: str, dated: int) -> dict[str, bytes]:
    """What the package installs, by the names below the root."""
    found = {f"{LIBRARY}/{name}": data for name, data in release.files().items()}
    found["usr/bin/haidang-agent"] = (HERE / "haidang-agent").read_bytes()
    found["lib/systemd/system/haidang-agent.service"] = (HERE / "haidang-agent.service").read_bytes()
    found[CONFIG] = (release.HOUSE / "deploy" / "haidang-agent.toml").read_bytes()
    found[f"{DOCUMENTS}/copyright"] = (HERE / "copyright").read_bytes()
    found[f"{DOCUMENTS}/agent.md"] = (release.HOUSE / "docs" / "agent.md").read_bytes()
    found[f"{DOCUMENTS}/changelog.gz"] = _packed(_changelog(version, dated))
    found["usr/share/man/man8/haidang-agent.8.gz"] = _packed((HERE / "haidang-agent.8").read_bytes())
    return found


def _packed(text: bytes) -> bytes:
    return gzip.compress(text, 9, mtime=0)


def _changelog(version: str, dated: int) -> bytes:
    return (
        f"haidang-agent ({version}) stable; urgency=medium\n\n  * See CHANGELOG.md of the source.\n\n"
        f" -- Hai Dang maintainers <maintainers@haidang.example>  {formatdate(dated)}\n"
    ).encode()


def build(out: Path, version: str, files: dict[str, bytes], dated: int) -> Path:
    """Write the package of these files."""
    out.mkdir(parents=True, exist_ok=True)
    package = out / f"haidang-agent_{version}_all.deb"
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary) / "root"
        root.mkdir()
        for name, data in files.items():
            _put(root / name, data, 0o755 if name.startswith("usr/bin/") else 0o644)
        size = sum((len(data) + 1023) // 1024 for data in files.values())
        control = (HERE / "control").read_text(encoding="utf-8").replace("@VERSION@", version).replace("@SIZE@", str(size))
        _put(root / "DEBIAN" / "control", control.encode(), 0o644)
        _put(root / "DEBIAN" / "conffiles", f"/{CONFIG}\n".encode(), 0o644)
        sums = [f"{hashlib.md5(data).hexdigest()}  {name}\n" for name, data in sorted(files.items()) if name != CONFIG]
        _put(root / "DEBIAN" / "md5sums", "".join(sums).encode(), 0o644)
        for script in SCRIPTS:
            _put(root / "DEBIAN" / script, (HERE / script).read_bytes(), 0o755)
        for place in (root, *root.rglob("*")):
            if place.is_dir():
                place.chmod(0o755)  # whatever the umask
        environment = {**os.environ, "SOURCE_DATE_EPOCH": str(dated), "LC_ALL": "C.UTF-8"}
        command = ["dpkg-deb", "--root-owner-group", "-Zxz", "--threads-max=1", "--build", str(root), str(package)]
        subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    return package


def _put(path: Path, data: bytes, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.chmod(mode)


def main() -> int:
    """Build what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=release.HOUSE / "dist")
    version, dated = release.version(), min(release.epoch(), int(time.time()))
    print(build(parser.parse_args().out, version, content(version, dated), dated))
    return 0


if __name__ == "__main__":
    sys.exit(main())
