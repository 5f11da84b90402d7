from __future__ import annotations

import re
import time
import tomllib
from pathlib import Path

import pytest

from config.errors import ConfigError
from config.keys import AUTH, KEYS, PRIV
from config.settings import Settings, read

SAMPLE = Path(__file__).parents[2] / "config" / "sample.toml"

BASE = """
[[credential]]
name = "public"
version = "2c"
community = "public"

[[unit]]
id = "office"
"""

DEVICE = """
[[device]]
address = "10.0.0.1"
unit = "office"
credential = "public"
"""


def settings(directory: Path, text: str) -> Settings:
    path = directory / "haidang.toml"
    path.write_text(text, encoding="utf-8")
    return read(path)


def problems(directory: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        settings(directory, text)
    return [problem.removeprefix(f"{directory}/") for problem in caught.value.problems]


def test_sample_reads() -> None:
    """The sample is a settings file that works as it stands."""
    found = read(SAMPLE)
    assert [device.id for device in found.devices] == ["hoa-loc-switch", "hoa-loc-pc-01"]
    assert found.units["xa-hoa-loc"].parent == "tinh"
    assert found.units["xa-hoa-loc"].packets_per_second == 25.0
    assert found.credentials["secure"].priv == "AES-128"


def test_sample_shows_every_key() -> None:
    """Every key the reader knows, in each of its spellings, stands in its table in the sample, and nothing else does."""
    shown: dict[str, set[str]] = {table: set() for table in KEYS}
    table = ""
    for line in SAMPLE.read_text(encoding="utf-8").splitlines():
        if header := re.fullmatch(r"#?\[+([a-z._]+)\]+", line):
            table = header[1]
        elif key := re.match(r"#?([a-z_]+) = ", line):
            shown.setdefault(table, set()).add(key[1])
    assert shown.pop("") == {"include"}
    known = {table: {spelling for name, key in keys.items() for spelling in key.spellings(name)} for table, keys in KEYS.items()}
    assert shown == known


def test_sample_comments_are_true(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each line that is commented out in the sample works when its comment sign is taken away."""
    lines = SAMPLE.read_text(encoding="utf-8").splitlines()
    for directory in ("secrets", "tls", "units", "profiles"):
        (tmp_path / directory).mkdir()
    for name in ("prometheus", "community", "auth", "priv", "agents", "remote-write", "remote-write-token"):
        (tmp_path / "secrets" / name).write_text("a long secret, of 32 octets at least\n")
    for name in ("tls/certificate.pem", "tls/key.pem", "tls/ca.pem", "units/one.toml"):
        (tmp_path / name).touch()
    secrets = ("WEB_PASSWORD", "AGENTS_KEY", "REMOTE_WRITE_PASSWORD", "REMOTE_WRITE_TOKEN")
    for name in ("COMMUNITY", "AUTH", "PRIV", *secrets):
        monkeypatch.setenv(f"HAIDANG_{name}", "a long secret, of 32 octets at least")
    (tmp_path / "secrets" / "database").write_text("postgresql://haidang:a-secret@10.1.2.3/haidang\n")
    monkeypatch.setenv("HAIDANG_DATABASE", "postgresql://haidang:a-secret@10.1.2.3/haidang")
    tried = 0
    for at, line in enumerate(lines):
        if not re.match(r"#[a-z_]+ = ", line):
            continue
        trial = list(lines)
        trial[at] = line[1:]
        key = line[1:].split(" =")[0]
        written = re.sub("_(file|env)$", "", key)
        if key.startswith("tls_"):
            trial = [other.removeprefix("#") if other.startswith("#tls_") else other for other in trial]
        start = max(index for index in range(at) if re.match(r"#?\[", lines[index])) if key != "include" else 0
        if "web.user" in lines[start]:
            trial[start] = lines[start][1:]
            trial[start + 1] = lines[start + 1][1:]
            if key == "name":
                trial[start + 2] = lines[start + 2][1:]
        for other in range(start, at):
            if key != written and lines[other].startswith(f"{written} ="):
                trial[other] = ""
        settings(tmp_path, "\n".join(trial))
        tried += 1
    assert tried > 25


def test_defaults(tmp_path: Path) -> None:
    """Nothing has to be written but credential, unit and address; the rest has a default a reader can see."""
    found = settings(tmp_path, BASE + DEVICE)
    assert found.collector.interval == 60
    assert found.collector.database.reveal() == f"sqlite:///{tmp_path}/state/haidang.db"
    assert found.web.listen == ("127.0.0.1", 9715)
    assert found.units["office"].name == "office"
    assert found.units["office"].interval == 60
    (device,) = found.devices
    assert (device.id, device.address, device.port, device.profile) == ("10.0.0.1", "10.0.0.1", 161, "")


def test_paths_begin_where_the_file_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative paths, those of SQLite URLs included, begin at the settings file, wherever one works."""
    (tmp_path / "etc").mkdir()
    monkeypatch.chdir(tmp_path)
    file = Path("etc", "haidang.toml")
    for written, state, database in (
        ("", "etc/state", "sqlite:///etc/state/haidang.db"),
        ('state_directory = "kept"', "etc/kept", "sqlite:///etc/kept/haidang.db"),
        ('database = "sqlite:///other.db"', "etc/state", "sqlite:///etc/other.db"),
        ('database = "sqlite+pysqlite:///a/b.db"', "etc/state", "sqlite+pysqlite:///etc/a/b.db"),
        ('database = "sqlite:////var/a.db"', "etc/state", "sqlite:////var/a.db"),
        ('database = "sqlite:///:memory:"', "etc/state", "sqlite:///:memory:"),
        ('database = "postgresql://u@h/d"', "etc/state", "postgresql://u@h/d"),
    ):
        file.write_text(f"[collector]\n{written}\n", encoding="utf-8")
        found = read(file).collector
        assert (found.state_directory, found.database.reveal()) == (Path(state), database)


def test_units_follow_the_collector(tmp_path: Path) -> None:
    """A unit's own pace wins, then the narrower of its line's share and the collector's pace."""
    text = (
        BASE
        + 'packets_per_second = 7\n[[unit]]\nid = "b"\nbandwidth = "512 kbit/s"\n[[unit]]\nid = "c"\nbandwidth = "1 Gbit/s"\n'
    )
    found = settings(tmp_path, text + '[collector]\ninterval = "5m"\npackets_per_second = 50\n')
    assert [unit.packets_per_second for unit in found.units.values()] == [7, pytest.approx(2.13, abs=0.01), 50]
    assert {unit.interval for unit in found.units.values()} == {300}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[collector]\ninterva = 5", '[collector]: interva: unknown key; did you mean "interval"?'),
        ("[colector]", 'colector: unknown key; did you mean "collector"?'),
        ("collector = 3", "collector: found 3, expected a table [collector]"),
        (
            '[collector]\ninterval = "fast"',
            '[collector]: interval: found \'fast\', expected a duration from 1 s to 86400 s, such as "30s", "5m" or "1h"',
        ),
        ("[collector]\nretries = true", "[collector]: retries: found True, expected a whole number from 0 to 10"),
        ("[collector]\nretries = 99", "[collector]: retries: found 99, expected a whole number from 0 to 10"),
        ("[web]\ntimestamps = 1", "[web]: timestamps: found 1, expected true or false"),
        ("[web]\nlisten = 'a:b:c:80'", "[web]: listen: found 'a:b:c:80', expected an address"),
        ("[web]\ntls_certificate = 'missing.pem'", "[web]: tls_key: is missing, and tls_certificate is given; TLS needs both"),
        ("[[web.user]]\nname = 'a'", "[[web.user]] number 1 (a): password: write one of password_hash"),
        ("[[web.user]]\nname = 'a'\npassword_hash = 'b'", "[[web.user]] number 1 (a): password_hash: found something else"),
        ("[device]\nid = 'a'", "device: found a table, expected repeated tables [[device]]"),
        (
            BASE + DEVICE.replace('"public"', '"publik"'),
            '[[device]] number 1 (10.0.0.1): credential: no [[credential]] has the name "publik"; did you mean "public"?',
        ),
        (
            BASE + DEVICE.replace('"office"', '"ofice"'),
            '[[device]] number 1 (10.0.0.1): unit: no [[unit]] has the id "ofice"; did you mean "office"?',
        ),
        (BASE + DEVICE.replace("10.0.0.1", "10.0.0.300"), "[[device]] number 1 (10.0.0.300): address: found '10.0.0.300'"),
        (BASE + "[[device]]\nunit='office'\ncredential='public'", "[[device]] number 1: address: is missing"),
        (BASE + DEVICE + DEVICE, '[[device]] number 2 (10.0.0.1): id: "10.0.0.1" is given twice'),
        (BASE + DEVICE + DEVICE + "id='b'", '[[device]] number 2 (b): address: 10.0.0.1:161 is already the device "10.0.0.1"'),
        (BASE + BASE, '[[credential]] number 2 (public): name: "public" is given twice'),
        (BASE + BASE, '[[unit]] number 2 (office): id: "office" is given twice'),
        ("[[unit]]\nid = 'all'", '[[unit]] number 1 (all): id: "all" is no name for a unit: /metrics/all is another page'),
        (BASE + "parent = 'tinh'", '[[unit]] number 1 (office): parent: no [[unit]] has the id "tinh"; known: office'),
        (BASE + "parent = 'office'", "[[unit]] number 1 (office): parent: goes in a circle: office -> office"),
        ("[[credential]]\nname='a'\nversion='2'", '[[credential]] number 1 (a): version: found \'2\', expected one of "1", "2c"'),
        ("[[credential]]\nname='a'\nversion='2c'", '[[credential]] number 1 (a): community: is missing; version "2c" needs it'),
        (
            "[[credential]]\nname='a'\nversion='2c'\ncommunity='a'\nuser='b'",
            '[[credential]] number 1 (a): user: has no meaning in version "2c"; write community',
        ),
        (
            "[[credential]]\nname='a'\nversion='3'\ncommunity='a'\nuser='b'",
            '[[credential]] number 1 (a): community: has no meaning in version "3"; write user',
        ),
        (
            "[[credential]]\nname='a'\nversion='3'\nuser='b'\nauth='SHA3'",
            "[[credential]] number 1 (a): auth: found 'SHA3', expected an authentication protocol: MD5, SHA-1, SHA-224",
        ),
        (
            "[[credential]]\nname='a'\nversion='3'\nuser='b'\nauth='SHA'",
            "[[credential]] number 1 (a): auth_secret: is missing, and auth is given",
        ),
        (
            "[[credential]]\nname='a'\nversion='3'\nuser='b'\npriv='aes'\npriv_secret='12345678'",
            "[[credential]] number 1 (a): auth: is missing; privacy needs authentication",
        ),
        (
            "[[credential]]\nname='a'\nversion='3'\nuser='b'\nauth='sha'\nauth_secret='hunter2'",
            "[[credential]] number 1 (a): auth_secret: has 7 octets, expected at least 8",
        ),
        (
            "[[credential]]\nname='a'\nversion='2c'\ncommunity_env='HAIDANG_NOT_SET'",
            "[[credential]] number 1 (a): community_env: the environment has no variable HAIDANG_NOT_SET",
        ),
        (
            "[[credential]]\nname='a'\nversion='2c'\ncommunity='b'\ncommunity_file='c'",
            "[[credential]] number 1 (a): community: is given 2 times (community, community_file); keep one",
        ),
        ("include = ['units/*.toml']", "include: 'units/*.toml' matches no file"),
        ("include = 'units'", "include: found 'units', expected a list of file names or patterns"),
        ("[collector", "not valid TOML: "),
        ("[collector]\ndatabase = 'haidang'", "[collector]: database: is no SQLAlchemy URL; expected sqlite:///PATH"),
    ],
)
def test_each_mistake_is_named(tmp_path: Path, text: str, message: str) -> None:
    """A mistake gives one message with the file, the key's place, what was found and what would be right."""
    found = problems(tmp_path, text)
    assert any(problem.startswith(f"haidang.toml: {message}") for problem in found), found


def test_files_as_windows_editors_save_them(tmp_path: Path) -> None:
    """A byte order mark is no part of the settings or of a secret; text that is not UTF-8 is told with its line."""
    (tmp_path / "secret").write_bytes(b"\xef\xbb\xbfs3cret\r\n")
    path = tmp_path / "haidang.toml"
    path.write_bytes(b"\xef\xbb\xbf[[credential]]\r\nname='a'\r\nversion='2c'\r\ncommunity_file='secret'\r\n")
    community = read(path).credentials["a"].community
    assert community is not None and community.reveal() == "s3cret"
    path.write_bytes(b"[[unit]]\nid = 'a'\nname = 'x\xe3'\n")
    with pytest.raises(ConfigError, match=r"haidang.toml: line 3 is not UTF-8 text \(0xe3\); save the file as UTF-8"):
        read(path)


def test_unreadable_secret(tmp_path: Path) -> None:
    """A secret's file that is missing, empty or of several lines is named, and its content never shown."""
    for content, message in ((None, "cannot read"), ("", "is empty"), ("hunter2\nhunter3\n", "is several lines")):
        if content is not None:
            (tmp_path / "secret").write_text(content)
        (problem,) = problems(tmp_path, "[[credential]]\nname='a'\nversion='2c'\ncommunity_file='secret'")
        assert message in problem
        assert str(tmp_path / "secret") in problem
        assert "hunter2" not in problem


def test_all_problems_at_once(tmp_path: Path) -> None:
    """One reading tells everything that is wrong, each once."""
    found = problems(tmp_path, "[collector]\nretries = -1\nfoo = 1\n" + BASE + DEVICE.replace("office", "x") + "speed = 1")
    assert len(found) == len(set(found)) == 4


def test_missing_file(tmp_path: Path) -> None:
    """A settings file that is not there is a ConfigError that names it."""
    with pytest.raises(ConfigError, match=re.escape(f"{tmp_path / 'no.toml'}: cannot be read")):
        read(tmp_path / "no.toml")


def test_include(tmp_path: Path) -> None:
    """Included files bring units, devices and credentials, and a problem in one names that file."""
    (tmp_path / "units").mkdir()
    office = tmp_path / "units" / "office.toml"
    (tmp_path / "units" / "a.toml").write_text("[[unit]]\nid = 'a'\n")
    office.write_text(BASE + DEVICE)
    found = settings(tmp_path, 'include = ["units/*.toml"]\n')
    assert list(found.units) == ["a", "office"]
    assert found.files == (tmp_path / "haidang.toml", tmp_path / "units" / "a.toml", office)
    office.write_text(BASE + DEVICE + "nam = 1\n[web]\n")
    assert problems(tmp_path, 'include = ["units/*.toml"]\n') == [
        "units/office.toml: web: belongs in the main file only",
        'units/office.toml: [[device]] number 1 (10.0.0.1): nam: unknown key; did you mean "name"?',
    ]


def test_circle_of_units(tmp_path: Path) -> None:
    """Parents that go in a circle are told once, with the way round."""
    text = "".join(f"[[unit]]\nid = '{a}'\nparent = '{b}'\n" for a, b in ("ab", "bc", "cb", "da"))
    (problem,) = problems(tmp_path, text)
    assert problem == "haidang.toml: [[unit]] number 2 (b): parent: goes in a circle: b -> c -> b; one must have no parent"


@pytest.mark.parametrize(
    ("written", "host", "port"),
    [
        ("10.0.0.1", "10.0.0.1", 161),
        ("10.0.0.1:1161", "10.0.0.1", 1161),
        ("fd00::1", "fd00::1", 161),
        ("[fd00::1]:162", "fd00::1", 162),
        ("[fd00::1]", "fd00::1", 161),
        ("switch.example:99", "switch.example", 99),
    ],
)
def test_addresses(tmp_path: Path, written: str, host: str, port: int) -> None:
    """A device's address is IPv4, IPv6 or a name, with or without a port."""
    (device,) = settings(tmp_path, BASE + DEVICE.replace("10.0.0.1", written)).devices
    assert (device.address, device.port) == (host, port)


@pytest.mark.parametrize(
    "written", ["", "10.0.0", "10.0.0.1:0", "10.0.0.1:99999", "[10.0.0.1]:1", "a b", "[fd00::1", "::g", "-a"]
)
def test_bad_addresses(tmp_path: Path, written: str) -> None:
    """What is no address is refused."""
    (problem,) = problems(tmp_path, BASE + DEVICE.replace("10.0.0.1", written))
    assert "address: found" in problem


def test_protocol_spellings(tmp_path: Path) -> None:
    """Protocols may be written as the field writes them, in either case, and come out under one name."""
    for auth, priv in zip([*AUTH, "sha", "Sha256", "md5"], [*PRIV, "aes", "Aes256", "des"], strict=False):
        text = f"[[credential]]\nname='a'\nversion='3'\nuser='u'\nauth='{auth}'\nauth_secret='12345678'\n"
        found = settings(tmp_path, text + f"priv='{priv}'\npriv_secret='12345678'").credentials["a"]
        assert (found.auth, found.priv) == (AUTH[auth.upper()], PRIV[priv.upper()])


def test_secrets_do_not_print(tmp_path: Path) -> None:
    """No secret shows in the repr of the settings, however it was given."""
    (tmp_path / "key").write_text("hunter2\n")
    text = (
        BASE.replace('community = "public"', 'community_file = "key"') + "[collector]\ndatabase = 'postgresql://u:hunter2@h/d'\n"
    )
    found = settings(tmp_path, text + "[[web.user]]\nname = 'a'\npassword = 'hunter2'\n")
    assert "hunter2" not in repr(found)
    community = found.credentials["public"].community
    assert community is not None
    assert community.reveal() == "hunter2"
    assert found.web.users[0].password.accepts("hunter2")
    assert not found.web.users[0].password.accepts("hunter3")


def test_same_settings_are_equal(tmp_path: Path) -> None:
    """Two readings of the same file are equal, so a reload can tell what changed."""
    assert settings(tmp_path, BASE + DEVICE) == settings(tmp_path, BASE + DEVICE)


def test_a_large_province_reads_fast(tmp_path: Path) -> None:
    """13,000 devices in 708 included files are read in a few times what parsing their TOML alone takes."""
    (tmp_path / "units").mkdir()
    for unit in range(708):
        text = [f'[[unit]]\nid = "u{unit}"\nname = "Unit {unit}"\nbandwidth = "6 Mbit/s"\n']
        text += [
            f'[[device]]\nid = "u{unit}-{i}"\naddress = "10.{unit >> 8}.{unit & 255}.{i}"\n'
            f'unit = "u{unit}"\ncredential = "public"\n'
            for i in range(1, 20)
        ]
        (tmp_path / "units" / f"{unit}.toml").write_text("".join(text))
    before = time.process_time()
    for path in (tmp_path / "units").iterdir():
        tomllib.loads(path.read_text())
    parsed = time.process_time() - before
    before = time.process_time()
    found = settings(tmp_path, 'include = ["units/*.toml"]\n' + BASE)
    took = time.process_time() - before
    assert len(found.devices) == 708 * 19
    assert took < 6 * parsed, (took, parsed)
