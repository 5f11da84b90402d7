from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import installation
import pytest
from peers import end, free_port, missing, net_snmp, require, wait_until

from agent import versions
from deploy import release
from deploy.debian import build

BASE = release.version()
NEXT = "7.0.0"
SYS_DESCR = ".1.3.6.1.2.1.1.1.0"
CONFIG = "/etc/haidang-agent/haidang-agent.toml"
SETTINGS = '[agent]\nlisten = "127.0.0.1:{port}"\n[[community]]\nname = "office"\n'


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The package of this tree, and one of a later version whose sample settings are others."""
    out = tmp_path_factory.mktemp("packages")
    now = build.content(BASE, 1_700_000_000)
    later = {**now, build.CONFIG: now[build.CONFIG] + b"# A new word of explanation.\n"}
    later |= {f"{build.LIBRARY}/{name}": data for name, data in installation.files(NEXT).items()}
    return build.build(out, BASE, now, 1_700_000_000), build.build(out, NEXT, later, 1_700_000_000)


class Machine:
    """This machine's own system under a layer that takes what is written, in a mount namespace of its own."""

    def __init__(self, directory: Path) -> None:
        layer = directory / "layer"
        layer.mkdir()
        self.root = layer / "root"
        script = (
            f"umask 022 && mount -t tmpfs none {layer} && cd {layer} && mkdir up work root && "
            "mount -t overlay -o lowerdir=/,upperdir=up,workdir=work none root && "
            "mount -t proc none root/proc && mount --rbind /dev root/dev && echo ready && exec cat"
        )
        command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script]
        self._holder = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert self._holder.stdout is not None
        self.said = self._holder.stdout.readline().strip()

    def inside(self, *command: str) -> list[str]:
        """The command line that runs a command in this machine."""
        return ["nsenter", f"--mount=/proc/{self._holder.pid}/ns/mnt", "chroot", str(self.root), *command]

    def run(self, *command: str, status: int = 0) -> str:
        """What a command prints in this machine."""
        plain = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
        done = subprocess.run(
            self.inside(*command), capture_output=True, text=True, env=plain, stdin=subprocess.DEVNULL, check=False, timeout=100
        )
        assert done.returncode == status, f"{command}: status {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def write(self, path: str, text: str) -> None:
        """Replace a file's content, its owner and mode staying."""
        subprocess.run(self.inside("tee", path), input=text, text=True, check=True, stdout=subprocess.DEVNULL)

    def put(self, package: Path) -> None:
        """Install a package, as an upgrade does that asks nobody."""
        self.run("dpkg", "--force-unsafe-io", "--force-confdef", "--force-confold", "-i", str(package))

    def close(self) -> None:
        """The end of it; nothing stays."""
        end(self._holder)
        for pipe in (self._holder.stdin, self._holder.stdout):
            if pipe is not None:
                pipe.close()


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    if os.geteuid() != 0:
        pytest.skip("only root can install packages")
    for needed in ("psutil", "requests", "cryptography"):
        if not Path("/usr/lib/python3/dist-packages", needed).exists():
            missing(f"Debian's own {needed}", f"python3-{needed}")
    found = Machine(tmp_path)
    try:
        if found.said != "ready":
            pytest.skip(f"no layer can be put over this system: {found.said}")
        yield found
    finally:
        found.close()


def test_the_same_tree_gives_the_same_package(tmp_path: Path) -> None:
    """Whoever builds it again, whatever the umask, gets the same octets, of the agent's files and its own alone."""
    found = []
    for name, umask in (("one", 0o022), ("two", 0o077)):
        command = [sys.executable, "-m", "deploy.debian.build", "--out", str(tmp_path / name)]
        said = subprocess.run(command, capture_output=True, text=True, check=True, cwd=release.HOUSE, umask=umask).stdout
        found.append(Path(said.strip()).read_bytes())
    assert found[0] == found[1]
    package = tmp_path / "one" / f"haidang-agent_{BASE}_all.deb"
    listed = subprocess.run(["dpkg-deb", "-c", package], capture_output=True, text=True, check=True).stdout.splitlines()
    places = {line.split()[5].removeprefix("./") for line in listed if not line.endswith("/")}
    code = {place for place in places if place.startswith(build.LIBRARY)}
    assert code == {f"{build.LIBRARY}/{name}" for name in release.files()}
    assert all(line.split()[1] == "root/root" for line in listed)
    assert places - code == {
        build.CONFIG, "usr/bin/haidang-agent", "lib/systemd/system/haidang-agent.service",
        "usr/share/man/man8/haidang-agent.8.gz", f"{build.DOCUMENTS}/copyright", f"{build.DOCUMENTS}/agent.md",
        f"{build.DOCUMENTS}/changelog.gz",
    }  # fmt: skip


def test_a_package_is_installed_upgraded_removed_and_purged(machine: Machine, packages: tuple[Path, Path]) -> None:
    """dpkg itself does it: the settings an administrator wrote stay over the upgrade, a purge leaves nothing behind."""
    machine.put(packages[0])
    assert machine.run("stat", "-c", "%U:%G %a", CONFIG).strip() == "root:haidang-agent 640"
    assert machine.run("stat", "-c", "%U:%G %a", "/var/lib/haidang-agent").strip() == "haidang-agent:haidang-agent 700"
    assert machine.run("haidang-agent", "--version") == f"haidang-agent {BASE}\n"
    machine.run("haidang-agent", "check", "--config", CONFIG)
    assert machine.run("sh", "-c", "ls /usr/lib/haidang-agent/agent/__pycache__ | wc -l").strip() != "0"

    port = free_port("udp")
    machine.write(CONFIG, SETTINGS.format(port=port))
    machine.put(packages[1])
    assert machine.run("cat", CONFIG) == SETTINGS.format(port=port)
    assert machine.run("stat", "-c", "%U:%G %a", CONFIG).strip() == "root:haidang-agent 640"
    assert "A new word" in machine.run("cat", f"{CONFIG}.dpkg-dist")
    assert machine.run("haidang-agent", "--version") == f"haidang-agent {NEXT}\n"

    asked = _answer(machine, port)
    assert f"haidang-agent {NEXT}" in asked

    machine.run("dpkg", "-r", "haidang-agent")
    assert machine.run("cat", CONFIG) == SETTINGS.format(port=port)
    machine.run("test", "-e", "/var/lib/haidang-agent/inventory.json")
    machine.run("dpkg", "-P", "haidang-agent")
    for place in ("/usr/lib/haidang-agent", "/usr/bin/haidang-agent", "/var/lib/haidang-agent", "/etc/haidang-agent"):
        machine.run("test", "-e", place, status=1)


def _service(*words: str) -> list[str]:
    """A command as systemd runs it: its user, its capabilities."""
    capabilities = "+dac_read_search,+net_admin,+sys_rawio,+net_bind_service"
    user = ["--reuid=haidang-agent", "--regid=haidang-agent", "--init-groups"]
    return ["env", "STATE_DIRECTORY=/var/lib/haidang-agent", "setpriv", *user,
            f"--inh-caps={capabilities}", f"--ambient-caps={capabilities}", *words]  # fmt: skip


def _answer(machine: Machine, port: int) -> str:
    """Run the installed agent and ask it, until it has looked at the hardware."""
    command = machine.inside(*_service("haidang-agent", "run", "--config", CONFIG))
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None

    def ask() -> str:
        asked = net_snmp("snmpget", "-v2c", "-c", "office", "-t", "5", "-r", "0", f"127.0.0.1:{port}", SYS_DESCR, check=False)
        return asked.stdout if asked.returncode == 0 else ""

    try:
        answer = str(wait_until(ask, "the installed agent answers"))
        wait_until(lambda: machine.run("ls", "/var/lib/haidang-agent").count("inventory."), "the inventory was taken")
        kept = machine.run("cat", "/var/lib/haidang-agent/inventory.json")
        assert '"privileged": true' in kept
        assert "Error" not in kept  # a part that the package lacks would be among the limits
        return answer
    finally:
        process.terminate()
        assert process.wait(60) == 0, process.stderr.read()
        process.stderr.close()


def test_the_installed_launcher_runs_a_later_version_for_its_user_alone(machine: Machine, packages: tuple[Path, Path]) -> None:
    """/usr/bin/haidang-agent takes what lies in the state directory for the service's user, never for root."""
    machine.put(packages[0])
    directory = "/var/lib/haidang-agent/versions"
    for name, data in installation.program(NEXT, "print('the later one')\n").items():
        machine.run("mkdir", "-p", f"{directory}/{NEXT}")
        machine.write(f"{directory}/{NEXT}/{name}", data.decode())
    machine.write(f"{directory}/{versions.SWITCH}", f'base = "{BASE}"\nkept = "{NEXT}"\ntried = ""\nstarts = 0\nrefused = []\n')
    machine.run("chown", "-R", "haidang-agent:haidang-agent", directory)
    assert machine.run(*_service("haidang-agent", "--version")) == "the later one\n"
    assert machine.run("haidang-agent", "--version") == f"haidang-agent {BASE}\n"


def test_the_unit_is_valid_and_its_exposure_low(packages: tuple[Path, Path], machine: Machine) -> None:
    """systemd finds no fault in the unit, and rates what is left open at 3.0 of 10 at most."""
    analyze = require("systemd-analyze")
    machine.put(packages[0])
    unit = "/lib/systemd/system/haidang-agent.service"
    assert machine.run(analyze, "verify", "--man=no", unit) == ""
    rated = machine.run(analyze, "security", "--offline=true", "--threshold=30", "--no-pager", unit)
    assert "Overall exposure level for haidang-agent.service" in rated


def test_the_files_of_the_package_are_for_everybody_to_read() -> None:
    """The scripts are the shell's own, executable, and end at the first failure."""
    for name in build.SCRIPTS:
        path = build.HERE / name
        assert path.read_text().startswith("#!/bin/sh\nset -e\n")
        subprocess.run(["sh", "-n", path], check=True)
    assert stat.S_IMODE((build.HERE / "haidang-agent").stat().st_mode) & 0o111
