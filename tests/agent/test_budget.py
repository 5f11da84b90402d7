from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = {"argparse", "asyncio", "dataclasses", "inspect", "json", "logging", "multiprocessing", "urllib.request", "requests",
         "sqlite3", "yaml", "config.catalogue", "agent.inventory.collect", "agent.inventory.smbios", "agent.show", "subprocess",
         "threading", "psutil", "pathlib", "ipaddress"}  # fmt: skip
"""What the resident process never loads."""
USERS_ONLY = {"hashlib", "_hashlib", "hmac", "snmp.usm", "snmp.authority", "ctypes"}
"""Hashes and ciphers, which weigh half as much as all the rest, come with the first user."""
WALK = """
import sys
from agent import service, settings
read = settings.read({tables!r}, {path!r})
running = service.Service(read, service.Stop())
rows = sum(1 for _ in running._responder.tree.rows(0.0))
for push in running._pushes:
    push.report(1, 0.0)
running.close()
print(rows)
print(*sorted(sys.modules))
for line in open("/proc/self/smaps_rollup"):
    if line.startswith(("Rss:", "Private_Dirty:")):
        print(*line.split()[:2])
"""


def look(directory: Path, tables: dict[str, object]) -> tuple[int, set[str], dict[str, int]]:
    """Objects served, modules loaded, and memory in KiB of a process that has read everything once."""
    tables = {"agent": {"listen": "127.0.0.1:0", "state": str(directory / "state")}, **tables}
    code = WALK.format(tables=tables, path=str(directory / "agent.toml"))
    # Without site: an editable installation loads finders of its own.
    paths = [str(ROOT), *(path for path in sys.path if path.endswith("site-packages"))]
    head = f"import sys; sys.path[:0] = {paths!r}\n"
    run = subprocess.run([sys.executable, "-S", "-c", head + code], capture_output=True, text=True, check=True, timeout=60)
    rows, modules, *memory = run.stdout.splitlines()
    return int(rows), set(modules.split()), {line.split()[0].rstrip(":"): int(line.split()[1]) for line in memory}


COMMUNITY = {"community": [{"name": "public"}]}
KEYS = {"auth": "SHA-256", "auth_secret": "12345678", "priv": "AES", "priv_secret": "12345678"}
USER = {"user": [{"name": "u", **KEYS}]}
PUSH = {**COMMUNITY, "push": [{"to": "127.0.0.1:9162", "user": "u", **KEYS}]}


def test_what_the_resident_process_loads(tmp_path: Path) -> None:
    """Imports are the agent's memory: nothing heavy is loaded, and hashes only where there are users or collectors."""
    rows, modules, _ = look(tmp_path, COMMUNITY)
    assert rows > 60
    assert not HEAVY & modules, HEAVY & modules
    assert not USERS_ONLY & modules, USERS_ONLY & modules
    for tables in (USER, PUSH):
        _, modules, _ = look(tmp_path, tables)
        assert not HEAVY & modules, HEAVY & modules
        assert "snmp.usm" in modules and "cryptography" not in modules


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="the kernel does not sum up a process's memory")
@pytest.mark.parametrize(
    ("tables", "resident", "private"), [(COMMUNITY, 15.5, 9), (USER, 21, 10.5), (PUSH, 22, 11)], ids=["v2c", "v3", "push"]
)
def test_memory_stays_within_the_bars(tmp_path: Path, tables: dict[str, object], resident: float, private: float) -> None:
    """After every object has been read once, and reported where there is a collector: MiB resident and MiB private and dirty."""
    _, _, memory = look(tmp_path, tables)
    assert memory["Rss"] <= resident * 1024, memory
    assert memory["Private_Dirty"] <= private * 1024, memory


def test_an_inventory_is_short_and_small(tmp_path: Path) -> None:
    """A whole look at the hardware with its commands takes at most 2 s of processor and 60 MiB at its peak."""
    code = (
        "import resource, sys\n"
        f"sys.path[:0] = {[str(ROOT), *(path for path in sys.path if path.endswith('site-packages'))]!r}\n"
        "from agent.__main__ import main\n"
        f"assert main(['inventory', '--state', {str(tmp_path)!r}, '--software', '--users']) == 0\n"
        "for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):\n"
        "    used = resource.getrusage(who)\n"
        "    print(used.ru_utime + used.ru_stime, used.ru_maxrss)\n"
        # ru_maxrss of the process itself counts what it was before exec: this test's own size
        "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))\n"
    )
    run = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True, timeout=60)
    (own, _), (others, largest), (peak,) = (map(float, line.split()) for line in run.stdout.splitlines())
    assert own + others <= 2.0 and max(peak, largest) <= 60 * 1024, run.stdout
    assert (tmp_path / "inventory.json").stat().st_size > 1000
