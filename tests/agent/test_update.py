from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from installation import PUBLIC, Download, Installation, document, offer, pack, program

from agent import __version__ as BASE
from agent import update, versions
from agent.errors import StateError
from agent.update import UpdateError
from agent.versions import Refused, Switch
from config import release

NEW = "7.0.0"
SAYS = "import os\nprint('this is', os.environ['HAIDANG_VERSION'] or 'base')\n"


def take(made: update.Offer, download: Callable[[str, int], object], directory: Path, running: str = BASE) -> None:
    update.apply(made, [PUBLIC], download, str(directory), running, pace=float("inf"))  # type: ignore[arg-type]


@pytest.fixture
def archive(tmp_path: Path) -> bytes:
    return pack(program(NEW, SAYS), tmp_path / "release.zip")


@pytest.fixture
def installed(tmp_path: Path) -> Installation:
    return Installation(tmp_path)


def left(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()} if directory.exists() else set()


def test_a_release_is_laid_beside_the_version_at_work_and_tried_next(tmp_path: Path, archive: bytes) -> None:
    """Its files are there with their bytecode, nothing else is left, and the switch names it."""
    directory = tmp_path / "versions"
    take(offer(archive, NEW), Download(archive), directory)
    assert left(directory) == {NEW, versions.SWITCH}
    assert versions.read(str(directory)) == Switch(BASE, tried=NEW)
    assert (directory / NEW / "__main__.py").read_text() == SAYS
    assert list((directory / NEW / "__pycache__").glob("*.pyc"))
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_a_collectors_document_is_the_offer(archive: bytes) -> None:
    """What is written as JSON is read as the same offer, signature included."""
    made = offer(archive, NEW)
    assert update.read(document(made)) == made
    update.verify(made, [bytes(32), PUBLIC])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"version": "../7"}, "version: found '../7'"),
        ({"version": "7.0"}, "version"),
        ({"platform": "beos"}, "platform: found 'beos', expected linux or windows"),
        ({"size": True}, "size"),
        ({"size": 1 << 40}, "size"),
        ({"sha256": "A" * 64}, "sha256"),
        ({"signature": "00"}, "signature: expected 64 octets"),
        ({"signature": None}, "signature"),
        ({"path": "http://elsewhere/"}, "path"),
        ({"path": 7}, "path"),
        ({"replaces": ["7.0.0"]}, "replaces"),
    ],
)
def test_an_offer_that_is_none_is_refused_with_what_is_wrong(archive: bytes, change: dict[str, object], told: str) -> None:
    """Each part is checked before anything is done with it."""
    with pytest.raises(UpdateError, match="the offer is not understood") as error:
        update.read({**document(offer(archive, NEW)), **change})
    assert told in str(error.value)


WORD = st.none() | st.booleans() | st.integers() | st.text(max_size=8)
JSON = WORD | st.lists(WORD, max_size=2) | st.dictionaries(WORD, WORD, max_size=2)


@given(st.dictionaries(st.sampled_from(["version", "platform", "size", "sha256", "replaces", "signature", "path"]), JSON))
def test_any_offer_from_the_network_is_read_or_refused(raw: dict[str, object]) -> None:
    """Nothing but UpdateError comes of an offer that is wrong."""
    with pytest.raises(UpdateError):
        update.read(raw)


def test_only_who_has_the_key_can_sign(tmp_path: Path, archive: bytes) -> None:
    """Another key, another word in the manifest or a bit of the signature: nothing is fetched."""
    made = offer(archive, NEW)
    bent = bytes([made.signature[0] ^ 1]) + made.signature[1:]
    for wrong in (
        offer(archive, NEW, Ed25519PrivateKey.generate()),
        made._replace(manifest=made.manifest._replace(version="7.0.1")),
        made._replace(manifest=made.manifest._replace(replaces=BASE)),
        made._replace(signature=bent),
    ):
        download = Download(archive)
        with pytest.raises(UpdateError, match="is not signed by the key this agent trusts"):
            take(wrong, download, tmp_path / "versions")
        assert not download.offsets
    with pytest.raises(UpdateError, match="not signed"):
        update.verify(made, [])
    assert left(tmp_path / "versions") == set()


def test_a_tampered_archive_is_thrown_away(tmp_path: Path, archive: bytes) -> None:
    """Octets that are not those that were signed, or more of them, are refused and not kept."""
    for wrong in (archive[:-1] + bytes([archive[-1] ^ 1]), archive + b"x"):
        with pytest.raises(UpdateError, match="is not what was signed"):
            take(offer(archive, NEW), Download(wrong), tmp_path / "versions")
        assert left(tmp_path / "versions") == set()


def test_a_download_goes_on_where_the_line_broke(tmp_path: Path) -> None:
    """What came is kept, and only the rest is asked for."""
    content = {**program(NEW, SAYS), "ballast": os.urandom(50_000)}
    archive = pack(content, tmp_path / "release.zip")
    with pytest.raises(UpdateError, match="the line broke"):
        take(offer(archive, NEW), Download(archive, until=20_000), tmp_path / "versions")
    short = Download(archive[:30_000])
    with pytest.raises(UpdateError, match=rf"30000 of {len(archive)} octets came; the rest is asked for the next time"):
        take(offer(archive, NEW), short, tmp_path / "versions")
    rest = Download(archive)
    take(offer(archive, NEW), rest, tmp_path / "versions")
    assert (short.offsets, rest.offsets) == ([20_000], [30_000])
    assert versions.read(str(tmp_path / "versions")).tried == NEW


def test_a_release_is_fetched_at_a_pace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """256 kbit/s, so that the line stays usable: a second for 32,000 octets."""
    archive = pack({**program(NEW, SAYS), "ballast": os.urandom(96_000)}, tmp_path / "release.zip")
    clock = [0.0]
    monkeypatch.setattr(update.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(update.time, "sleep", lambda seconds: clock.__setitem__(0, clock[0] + seconds))
    update.apply(offer(archive, NEW), [PUBLIC], Download(archive), str(tmp_path / "versions"), BASE)
    assert clock[0] == pytest.approx(len(archive) / 32_000)


def test_older_versions_come_only_signed_as_such(tmp_path: Path) -> None:
    """A release that is not newer is refused, unless it was signed to replace the very version at work."""
    archive = pack(program("0.0.5", SAYS), tmp_path / "release.zip")
    for replaces in ("", "0.2.0"):
        with pytest.raises(UpdateError, match=f"0.0.5 does not follow {BASE}"):
            take(offer(archive, "0.0.5", replaces=replaces), Download(archive), tmp_path / "versions")
    take(offer(archive, "0.0.5", replaces=BASE), Download(archive), tmp_path / "versions")
    assert versions.read(str(tmp_path / "versions")).tried == "0.0.5"


def test_a_version_that_was_returned_from_is_not_tried_again_and_told(tmp_path: Path, archive: bytes) -> None:
    """Its number stays refused with the reason, for the collector to hear; a newer one is taken."""
    directory = tmp_path / "versions"
    take(offer(archive, NEW), Download(archive), directory)
    versions.give_up(str(directory), versions.read(str(directory)), "ended 5 times at its start")
    assert not update.wanted(offer(archive, NEW), str(directory))
    with pytest.raises(UpdateError, match="or it was tried before"):
        take(offer(archive, NEW), Download(archive), directory)
    assert update.known(str(directory)) == update.State(BASE, "", (Refused(NEW, "ended 5 times at its start"),))
    newer = pack(program("7.0.1", SAYS), tmp_path / "newer.zip")
    take(offer(newer, "7.0.1"), Download(newer), directory)
    assert left(directory) == {"7.0.1", versions.SWITCH}


def test_one_release_is_tried_at_a_time(tmp_path: Path, archive: bytes) -> None:
    """While one is on probation the next has to wait."""
    take(offer(archive, NEW), Download(archive), tmp_path / "versions")
    newer = pack(program("7.0.1", SAYS), tmp_path / "newer.zip")
    with pytest.raises(UpdateError, match=f"{NEW} is on probation"):
        take(offer(newer, "7.0.1"), Download(newer), tmp_path / "versions")


def test_a_release_for_another_system_or_with_another_number_inside_is_refused(tmp_path: Path, archive: bytes) -> None:
    """The manifest, the archive and the machine have to agree."""
    with pytest.raises(UpdateError, match="the release is for windows, this is linux"):
        take(offer(archive, NEW, platform="windows"), Download(archive), tmp_path / "versions")
    with pytest.raises(UpdateError, match=r"7\.0\.1 for linux: the archive says it is 7.0.0 for linux"):
        take(offer(archive, "7.0.1"), Download(archive), tmp_path / "versions")
    bare = pack({"__main__.py": b""}, tmp_path / "bare.zip")
    with pytest.raises(UpdateError, match=r"release.toml in the archive cannot be read"):
        take(offer(bare, NEW), Download(bare), tmp_path / "versions")
    noise = os.urandom(500)
    with pytest.raises(UpdateError, match="the archive is damaged"):
        take(offer(noise, NEW), Download(noise), tmp_path / "versions")
    assert versions.read(str(tmp_path / "versions")) == Switch()


@pytest.mark.parametrize(
    "name",
    ["../outside", "/etc/outside", "a/../../outside", "C:outside", "a\\..\\outside", "a//b", "a/./b", "end.", "a/ ", "new\nline"],
)
def test_an_archive_writes_nowhere_but_below_its_place(tmp_path: Path, name: str) -> None:
    """Even signed, an archive whose names lead out of it is refused before a file is written."""
    crooked = tmp_path / "crooked.zip"
    with zipfile.ZipFile(crooked, "w") as packed:
        packed.writestr("release.toml", f'version = "{NEW}"\nplatform = "linux"\n')
        packed.writestr(zipfile.ZipInfo(name), b"outside")
    data = crooked.read_bytes()
    with pytest.raises(UpdateError, match="leads out of it"):
        take(offer(data, NEW), Download(data), tmp_path / "versions")
    assert not list(tmp_path.rglob("*outside*"))


def test_links_doubles_and_floods_in_an_archive_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A symbolic link, two names that differ in case only, too many files and too much in them."""

    def refused(told: str, *entries: tuple[zipfile.ZipInfo, bytes]) -> None:
        crooked = tmp_path / "crooked.zip"
        with zipfile.ZipFile(crooked, "w", zipfile.ZIP_DEFLATED) as packed:
            for info, content in entries:
                packed.writestr(info, content, zipfile.ZIP_DEFLATED)
        data = crooked.read_bytes()
        with pytest.raises(UpdateError, match=told):
            take(offer(data, NEW), Download(data), tmp_path / "versions")

    link = zipfile.ZipInfo("passwd")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    refused("is no ordinary file", (link, b"/etc/passwd"))
    refused("twice", (zipfile.ZipInfo("a/B"), b""), (zipfile.ZipInfo("A/b"), b""))
    monkeypatch.setattr(update, "MAX_FILES", 3)
    refused("more than 3 files", *((zipfile.ZipInfo(str(n)), b"") for n in range(4)))
    monkeypatch.setattr(update, "MAX_UNPACKED", 1000)
    refused("or 1000 octets", (zipfile.ZipInfo("zeros"), bytes(1001)))


def test_a_full_disk_is_said_and_harms_nothing(tmp_path: Path, archive: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a release has no room it is not begun."""
    usage = type("Usage", (), {"free": 100})
    monkeypatch.setattr(update.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(UpdateError, match="100 octets are free, the release needs"):
        take(offer(archive, NEW), Download(archive), tmp_path / "versions")


def test_an_agent_that_no_launcher_started_is_not_updated(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that runs from a tree or a wheel says how it is updated instead."""
    monkeypatch.delenv(versions.VERSIONS, raising=False)
    with pytest.raises(UpdateError, match="was not started by its package's launcher"):
        update.place()
    monkeypatch.setenv(versions.VERSIONS, "/somewhere")
    assert update.place() == "/somewhere"


# kill -9


EVENTS = ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.listdir", "os.scandir", "shutil.rmtree", "time.sleep")


def killed_at(number: int, work: Callable[[], None]) -> bool:
    """Do the work in a process of its own that is killed at its n-th touch of a file; False when it came to its end."""
    child = os.fork()
    if child == 0:
        count = 0

        def watch(event: str, arguments: object) -> None:
            nonlocal count
            if event in EVENTS:
                count += 1
                if count == number:
                    os.kill(os.getpid(), signal.SIGKILL)

        status = 1
        try:
            sys.addaudithook(watch)
            work()
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return True
    assert os.WEXITSTATUS(status) == 0
    return False


def started(installed: Installation) -> str:
    """What the launcher would start now, as far as its files run."""
    version, _ = versions.start(str(installed.versions), BASE)
    if not version:
        return "base"
    path = versions.path_of(str(installed.versions), version)
    environment = {"HAIDANG_VERSION": version}
    done = subprocess.run([sys.executable, "-I", "-S", path], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"this is {version}\n"
    return version


def test_an_update_killed_at_any_moment_leaves_a_version_that_starts(installed: Installation, archive: bytes) -> None:
    """At every touch of a file: the version at work, or the new one whole; and the next attempt succeeds."""
    made = offer(archive, NEW)
    found = []
    for number in range(1, 500):
        for path in sorted(installed.versions.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        going_on = killed_at(number, lambda: take(made, Download(archive, piece=200), installed.versions))
        found.append(started(installed))
        if found[-1] == "base" and number % 4 == 0:
            take(made, Download(archive), installed.versions)
            assert started(installed) == NEW
        if not going_on:
            break
    assert number > 30
    assert found[0] == "base" and found[-1] == NEW
    assert found == sorted(found, key=lambda version: version == NEW), "once it is switched it stays so"


def test_a_decision_killed_at_any_moment_is_the_old_or_the_new_one(installed: Installation, archive: bytes) -> None:
    """Counting a start, keeping a version and returning from one are each done or not done."""
    directory = str(installed.versions)
    take(offer(archive, NEW), Download(archive), installed.versions)
    trial = versions.read(directory)
    counted = trial._replace(starts=1)
    steps: list[tuple[Switch, Callable[[], object], Switch]] = [
        (trial, lambda: versions.start(directory, BASE), counted),
        (counted, lambda: versions.settle(directory, NEW), Switch(BASE, kept=NEW)),
        (counted, lambda: versions.give_up(directory, counted, "x"), Switch(BASE, refused=(Refused(NEW, "x"),))),
        (trial, lambda: versions.start(directory, "0.9.9"), Switch("0.9.9")),
    ]
    for before, step, after in steps:
        found = set()
        for number in range(1, 50):
            versions.write(directory, before)
            going_on = killed_at(number, lambda step=step: step() and None)  # type: ignore[misc]
            found.add(versions.read(directory))
            if not going_on:
                break
        assert found == {before, after}


@given(st.binary(max_size=200))
def test_any_switch_file_is_read_or_refused(content: bytes) -> None:
    """Whatever a disk gives back: a decision, or StateError."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, versions.SWITCH).write_bytes(content)
        try:
            switch = versions.read(directory)
        except StateError:
            switch = Switch()
    assert all(word == "" or word.replace(".", "").isdecimal() for word in (switch.kept, switch.tried))


@given(st.text(max_size=60), st.text(max_size=60))
def test_reasons_come_back_as_they_can_be_shown(version: str, reason: str) -> None:
    """What was refused is read again whatever its text, control characters as spaces."""
    with tempfile.TemporaryDirectory() as directory:
        versions.write(directory, Switch("1.0.0", refused=(Refused(version, reason),)))
        (found,) = versions.read(directory).refused
    assert len(found.reason) == len(reason) and all(
        a == b or not a.isprintable() for a, b in zip(reason, found.reason, strict=True)
    )


def test_the_signed_octets_are_these() -> None:
    """The manifest's form is fixed for ever: agents in the field check it."""
    manifest = release.Manifest("1.2.3", "linux", 1234, "ab" * 32)
    assert manifest.signed() == (
        b"haidang-agent release 1\nversion 1.2.3\nplatform linux\nsize 1234\nsha256 " + b"ab" * 32 + b"\nreplaces\n"
    )


def test_versions_are_compared_as_numbers() -> None:
    """1.10.0 follows 1.9.0, and no version follows itself, not even signed to."""
    one = release.Manifest("1.10.0", "linux", 1, "ab" * 32)
    assert release.follows(one, "1.9.0") and not release.follows(one, "1.10.0") and not release.follows(one, "2.0.0")
    assert release.follows(one._replace(replaces="2.0.0"), "2.0.0")
    assert not release.follows(one._replace(replaces="1.10.0"), "1.10.0")
