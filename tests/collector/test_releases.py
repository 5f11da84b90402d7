from __future__ import annotations

import hashlib
import json
import threading
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from collector.errors import ReleaseError
from collector.estate.releases import Releases, read_key, write_key
from config import release

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw()


@pytest.fixture
def releases(tmp_path: Path) -> Releases:
    found = Releases(tmp_path / "releases")
    found.trust(PUBLIC)
    return found


def made(
    directory: Path,
    version: str,
    *,
    replaces: str = "",
    platform: str = "linux",
    key: Ed25519PrivateKey = KEY,
    content: bytes = b"",
) -> tuple[Path, dict[str, Any]]:
    """An archive and what `haidang agent release sign` writes of it."""
    path = directory / f"{version}-{platform}.zip"
    path.write_bytes(content or f"the archive of {version}".encode())
    data = path.read_bytes()
    manifest = release.Manifest(version, platform, len(data), hashlib.sha256(data).hexdigest(), replaces)
    return path, {**manifest._asdict(), "signature": key.sign(manifest.signed()).hex()}


def offered(releases: Releases, version: str, devices: int = 400, unit: str = "xa", platform: str = "linux-x86_64") -> set[int]:
    """Which of so many agents of a version are offered something."""
    return {n for n in range(devices) if releases.offer(f"device-{n}", unit, platform, version) is not None}


def test_a_stage_holds_its_share_and_grows_without_leaving_anybody(releases: Releases, tmp_path: Path) -> None:
    """5 % are about 5 %, always the same ones, and all of them are among the 25 % and the 100 % that follow."""
    releases.publish(*made(tmp_path, "1.1.0"), 5)
    first = offered(releases, "1.0.0", 2000)
    assert 60 <= len(first) <= 140
    assert offered(Releases(tmp_path / "releases"), "1.0.0", 2000) == first
    releases.stage("linux", "1.1.0", 25)
    second = offered(releases, "1.0.0", 2000)
    assert first < second and 420 <= len(second) <= 580
    releases.stage("linux", "1.1.0", 100)
    assert len(offered(releases, "1.0.0", 2000)) == 2000
    releases.stage("linux", "1.1.0", 0)
    assert not offered(releases, "1.0.0", 2000)


def test_each_release_begins_with_other_machines(releases: Releases, tmp_path: Path) -> None:
    """No office is the first to try every version."""
    releases.publish(*made(tmp_path, "1.1.0"), 10)
    one = offered(releases, "1.0.0", 1000)
    releases.publish(*made(tmp_path, "1.2.0"), 10)
    releases.withdraw("linux", "1.1.0")
    assert len(one & offered(releases, "1.0.0", 1000)) < 30


def test_an_offer_is_for_the_units_the_platform_and_the_version_it_may_follow(releases: Releases, tmp_path: Path) -> None:
    """Other units, other systems and agents that have it already are offered nothing; strange words neither."""
    releases.publish(*made(tmp_path, "1.1.0"), 100, ["xa-an-lam"])
    assert releases.offer("d", "xa-an-lam", "linux", "1.0.9") is not None
    for asked in (
        ("d", "xa-khac", "linux", "1.0.9"),
        ("d", "xa-an-lam", "win32-amd64", "1.0.9"),
        ("d", "xa-an-lam", "darwin-arm64", "1.0.9"),
        ("d", "xa-an-lam", "linux", "1.1.0"),
        ("d", "xa-an-lam", "linux", "1.2.0"),
        ("d", "xa-an-lam", "linux", "one"),
        ("d", "xa-an-lam", "../linux", "1.0.9"),
    ):
        assert releases.offer(*asked) is None
    releases.stage("linux", "1.1.0", 100, [])
    assert releases.offer("d", "xa-khac", "linux", "1.0.9") is not None


def test_the_newest_release_that_an_agent_is_in_is_offered(releases: Releases, tmp_path: Path) -> None:
    """While a newer one is tried by few the others get the one before it; 1.10 is newer than 1.9."""
    releases.publish(*made(tmp_path, "1.9.0"), 100)
    releases.publish(*made(tmp_path, "1.10.0"), 50)
    found = [releases.offer(f"device-{n}", "xa", "linux", "1.0.0") for n in range(100)]
    assert {one.manifest.version for one in found if one is not None} == {"1.9.0", "1.10.0"}
    assert None not in found
    assert [one.manifest.version for one in releases.all()] == ["1.9.0", "1.10.0"]


def test_a_signed_way_back_is_offered_to_the_version_it_replaces_only(releases: Releases, tmp_path: Path) -> None:
    """1.1.0, signed to replace 1.2.0, goes to those that run 1.2.0 and to older ones, not to 1.3.0."""
    releases.publish(*made(tmp_path, "1.1.0", replaces="1.2.0"), 100)
    assert [releases.offer("d", "xa", "linux", version) is not None for version in ("1.0.0", "1.1.0", "1.2.0", "1.3.0")] == [
        True, False, True, False,
    ]  # fmt: skip


def test_the_offer_names_its_file_and_no_other_name_leads_to_one(releases: Releases, tmp_path: Path) -> None:
    """The archive is found by its hash while the release is on offer, whatever else is asked for."""
    path, signed = made(tmp_path, "1.1.0")
    releases.publish(path, signed, 100)
    offer = releases.offer("d", "xa", "linux", "1.0.0")
    assert offer is not None
    told = offer.document()
    assert told == {**signed, "path": f"/agents/releases/{signed['sha256']}"}
    found = releases.file(told["path"].rpartition("/")[2])
    assert found is not None and found.read_bytes() == path.read_bytes()
    for name in ("", "..", "linux/1.1.0/archive.zip", "0" * 64):
        assert releases.file(name) is None
    releases.withdraw("linux", "1.1.0")
    assert releases.file(signed["sha256"]) is None and releases.offer("d", "xa", "linux", "1.0.0") is None


def test_only_what_the_trusted_key_signed_is_published(releases: Releases, tmp_path: Path) -> None:
    """Another key, other content, another manifest: refused, and nothing is on offer."""
    path, signed = made(tmp_path, "1.1.0", key=Ed25519PrivateKey.generate())
    with pytest.raises(ReleaseError, match="was not made by the trusted key"):
        releases.publish(path, signed, 100)
    path, signed = made(tmp_path, "1.1.0")
    with pytest.raises(ReleaseError, match="was not made by the trusted key"):
        releases.publish(path, {**signed, "replaces": "9.0.0"}, 100)
    with pytest.raises(ReleaseError, match="the signature cannot be read"):
        releases.publish(path, {**signed, "signature": "zz"}, 100)
    path.write_bytes(b"something else")
    with pytest.raises(ReleaseError, match="expected what was signed"):
        releases.publish(path, signed, 100)
    with pytest.raises(ReleaseError, match="no key is trusted yet"):
        Releases(tmp_path / "other").publish(path, signed, 100)
    assert releases.all() == []


def test_a_version_is_published_with_one_content(releases: Releases, tmp_path: Path) -> None:
    """Agents know releases by their numbers: other content needs another one; the same may be published again."""
    releases.publish(*made(tmp_path, "1.1.0"), 5)
    releases.publish(*made(tmp_path, "1.1.0"), 50)
    with pytest.raises(ReleaseError, match="give what you changed a new version"):
        releases.publish(*made(tmp_path, "1.1.0", content=b"changed"), 50)
    assert [one.stage for one in releases.all()] == [50.0]


def test_words_that_are_wrong_are_answered_with_what_is_known(releases: Releases, tmp_path: Path) -> None:
    """An unknown release, a share over 100 %, a withdrawn one that is staged."""
    releases.publish(*made(tmp_path, "1.1.0"), 5)
    for platform, version in (("linux", "1.1.1"), ("linux", "../1.1.0"), ("plan9", "1.1.0")):
        with pytest.raises(ReleaseError, match=r"known: 1\.1\.0 for linux"):
            releases.stage(platform, version, 10)
    for share in (-1, 100.5, float("nan")):
        with pytest.raises(ReleaseError, match="expected 0 to 100 percent"):
            releases.stage("linux", "1.1.0", share)
    releases.withdraw("linux", "1.1.0")
    with pytest.raises(ReleaseError, match="was withdrawn"):
        releases.stage("linux", "1.1.0", 10)


def test_the_trusted_key_is_not_replaced_by_mistake(releases: Releases, tmp_path: Path) -> None:
    """Agents that pinned the first would take nothing any more: another key needs a word of its own."""
    other = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    releases.trust(PUBLIC)
    with pytest.raises(ReleaseError, match="another key is trusted already"):
        releases.trust(other)
    releases.trust(other, instead=True)
    assert releases.trusted() == other == read_key(write_key(other) + "\n")
    for wrong in ("", "short", "é" * 44, write_key(other + b"x")):
        with pytest.raises(ReleaseError, match="expected the 44 letters"):
            read_key(wrong)
    (tmp_path / "releases" / "trusted").write_text("damaged")
    with pytest.raises(ReleaseError, match="expected the 44 letters"):
        releases.trusted()


def test_a_damaged_record_hides_no_other_release(releases: Releases, tmp_path: Path) -> None:
    """Agents still get the others; people are told which record it is."""
    releases.publish(*made(tmp_path, "1.1.0"), 100)
    releases.publish(*made(tmp_path, "1.2.0"), 100)
    record = tmp_path / "releases" / "linux" / "1.2.0" / "release.json"
    for damage in ("", "[]", "{}", json.dumps({**json.loads(record.read_text()), "stage": "all"})):
        record.write_text(damage)
        offer = releases.offer("d", "xa", "linux", "1.0.0")
        assert offer is not None and offer.manifest.version == "1.1.0"
        with pytest.raises(ReleaseError, match="is damaged"):
            releases.all()


def test_a_collector_sees_whole_records_while_people_change_them(releases: Releases, tmp_path: Path) -> None:
    """Offers go on while the stage is written over and over."""
    releases.publish(*made(tmp_path, "1.1.0"), 100)
    ended = threading.Event()

    def write() -> None:
        while not ended.is_set():
            releases.stage("linux", "1.1.0", 100)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert all(releases.offer("d", "xa", "linux", "1.0.0") is not None for _ in range(300))
    finally:
        ended.set()
        writer.join()
