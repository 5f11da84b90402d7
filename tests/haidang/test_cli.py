"""The commands, as a user types them."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import subprocess
import sys
from pathlib import Path

import peers
import province
import pytest
from crooked import SILENCE, Crook, crooked
from devices import Answer, responder, system
from hypothesis import given
from hypothesis import strategies as st
from loopback import served

from config.errors import ConfigError
from config.profiles import Profiles
from haidang import snmprec
from haidang.cli import COMMANDS, main
from haidang.mib import leaves, names
from haidang.simulate.running import Running
from haidang.target import split
from snmp import ber, message
from snmp.message import VarBind
from snmp.oid import OID
from snmp.tree import Tree

LAKE = OID((1, 3, 6, 1, 4, 1, 32473, 7, 1))


@pytest.fixture(scope="module")
def devices() -> Running:
    """A province of one office."""
    with province.running(1, 8) as running:
        yield running


def of_kind(devices: Running, kind: str) -> str:
    """The address and port of a device of this kind."""
    return f"{next(m for m in devices.province.machines if m.kind == kind).address}:{devices.port}"


def test_every_command_has_help(capsys: pytest.CaptureFixture[str]) -> None:
    """`haidang COMMAND --help` says what it is for, for every command."""
    for command in COMMANDS:
        with pytest.raises(SystemExit) as ended:
            main([command, "--help"])
        assert ended.value.code == 0
        assert len(capsys.readouterr().out) > 100


def test_each_command_is_listed_with_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    """`haidang --help` lists every command with its line, also when one of them is named behind it."""
    for words in (["--help"], ["--help", "probe"]):
        with pytest.raises(SystemExit) as ended:
            main(words)
        assert ended.value.code == 0
        listed = " ".join(capsys.readouterr().out.split())
        assert all(f" {command} {does}" in listed for command, (_, does) in COMMANDS.items())


@pytest.mark.parametrize(
    ("words", "code", "heavy"),
    [
        (["--help"], 0, "yaml asyncio sqlalchemy apscheduler"),
        (["profile", "show", "generic"], 0, "sqlalchemy apscheduler"),
        (["probe", "--timeout", "0.1", "--retries", "0", "127.0.0.1:1"], 1, "sqlalchemy apscheduler"),
        (["walk", "--timeout", "0.1", "--retries", "0", "127.0.0.1:1"], 1, "sqlalchemy apscheduler yaml"),
    ],
)
def test_a_command_loads_what_it_needs(words: list[str], code: int, heavy: str) -> None:
    """A short command does not wait for libraries that others need."""
    script = f"""
import sys
from haidang.cli import main
try:
    code = main({words!r})
except SystemExit as ended:
    code = ended.code
print(*sorted(sys.modules.keys() & {heavy.split()!r}), file=sys.stderr)
sys.exit(code)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code, done.stderr
    assert not done.stderr.splitlines()[-1].strip()


def test_without_a_command_it_lists_them(capsys: pytest.CaptureFixture[str]) -> None:
    """`haidang` alone lists the commands and is an error of the command line."""
    assert main([]) == 2
    assert all(command in capsys.readouterr().err for command in COMMANDS if command == "probe")


def test_probe_prints_a_page(devices: Running, capsys: pytest.CaptureFixture[str]) -> None:
    """`haidang probe ADDRESS` prints what the device is and how it is, for people."""
    assert main(["probe", of_kind(devices, "switch")]) == 0
    page = capsys.readouterr().out
    assert "  switch: " in page
    assert re.search(r"up +\S+ [MG]bit/s +full duplex", page)


def test_probe_prints_json(devices: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`haidang probe --json --targets FILE` gives one object a line, also for a device that does not answer."""
    targets = tmp_path / "targets"
    closed = peers.free_port("udp")
    targets.write_text(f"# name address community\nups {of_kind(devices, 'ups')} public\nnobody 127.0.0.1:{closed} public\n")
    assert main(["probe", "--json", "--targets", str(targets)]) == 1
    found = {document["target"]: document for document in map(json.loads, capsys.readouterr().out.splitlines())}
    assert found["ups"]["reachable"] is True
    assert found["ups"]["kind"] == "ups"
    assert {sensor["class"] for sensor in found["ups"]["sensors"]} >= {"voltage", "charge", "runtime"}
    assert found["nobody"]["reachable"] is False
    assert "refused" in found["nobody"]["message"]


def test_probe_speaks_v3(devices: Running, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Secrets come from the environment, never from the command line; a wrong one is said as such."""
    how = devices.credentials
    monkeypatch.setenv("AUTH", how.auth_secret)
    monkeypatch.setenv("PRIV", how.priv_secret)
    options = ["-u", how.user, "-a", how.auth, "-A", "AUTH", "-x", how.priv, "-X", "PRIV"]
    assert main(["probe", of_kind(devices, "printer"), *options]) == 0
    assert "  printer: " in capsys.readouterr().out
    monkeypatch.setenv("AUTH", "another password")
    assert main(["probe", of_kind(devices, "printer"), *options]) == 1
    assert "authentication" in capsys.readouterr().out


@pytest.mark.parametrize("engine", ["haidang", "pysnmp"])
def test_walk_records_a_device(devices: Running, tmp_path: Path, engine: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`haidang walk` writes all that a device answers, in order, with our engine and with pysnmp's alike."""
    path = tmp_path / "walk.snmprec"
    assert main(["walk", of_kind(devices, "ups"), "1.3.6.1.2.1.33", "-o", str(path), "--engine", engine]) == 0
    rows = snmprec.read(path)
    assert len(rows) > 20
    assert [row.oid for row in rows] == sorted(row.oid for row in rows)
    assert f"{len(rows)} objects" in capsys.readouterr().err


def test_both_engines_walk_everything_alike(devices: Running, tmp_path: Path) -> None:
    """Without an OID, with a version: both engines record the same objects, from the first to the last."""
    walks = []
    for engine in ("haidang", "pysnmp"):
        path = tmp_path / engine
        assert main(["walk", of_kind(devices, "ups"), "-v", "1", "-o", str(path), "--engine", engine]) == 0
        walks.append([row.oid for row in snmprec.read(path)])
    assert walks[0] == walks[1]
    assert len(walks[0]) > 50


@pytest.mark.parametrize("engine", ["haidang", "pysnmp"])
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["127.0.0.1:1", "--timeout", "0.1", "--retries", "0"], "refused|before timeout"),
        (["[::1]:1", "--timeout", "0.1", "--retries", "0"], "refused|before timeout|unreachable|assign"),
        (["nowhere.invalid"], "no address is known|not known|name resolution"),
        (["a" * 70 + ".invalid"], "no address is known for this name"),
        (["{ups}", "2.999"], "nothing at or below 2.999"),
    ],
)
def test_a_walk_that_gives_nothing_says_why(
    devices: Running, engine: str, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Status 1 and one line with the reason, never a traceback, whichever engine walks."""
    words = [of_kind(devices, "ups") if word == "{ups}" else word for word in words]
    assert main(["walk", "--engine", engine, *words]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("haidang walk: ")
    assert re.search(said, line)


ODD: dict[str, tuple[Crook, int, str]] = {
    "no bulk": (lambda asked, right: 5 if asked.kind == message.GET_BULK else right, 24, ""),
    "silent to bulk": (lambda asked, right: SILENCE if asked.kind == message.GET_BULK else right, 24, ""),
    "in a circle": (
        lambda asked, right: [b._replace(oid=LAKE + [1, 1]) if b.oid > LAKE + [1, 6] else b for b in right],
        10,
        "its objects are out of order; the 10 objects before that are kept",
    ),
}


@pytest.mark.parametrize("engine", ["haidang", "pysnmp"])
@pytest.mark.parametrize("how", ODD)
def test_a_walk_of_a_device_that_answers_oddly(how: str, engine: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Either engine goes on by single questions where GETBULK fails, and ends where the objects go in a circle."""
    crook, count, said = ODD[how]
    tree = system(more=[(LAKE + [column, row], ber.INTEGER, row) for column in (1, 2) for row in range(1, 11)])
    agent = asyncio.run(_agent(tree))
    with served(crooked(agent, crook)) as port:
        words = [f"127.0.0.1:{port}", "--engine", engine, "--timeout", "0.2", "--retries", "0"]
        assert main(["walk", *words]) == (1 if said else 0)
    told = capsys.readouterr()
    assert len(told.out.splitlines()) == count
    assert said in told.err


async def _agent(tree: Tree) -> Answer:
    return responder(tree).answer


@pytest.mark.parametrize(("option", "value"), [("--timeout", "-1"), ("--timeout", "nan"), ("--retries", "-1")])
def test_waiting_times_that_make_no_sense(option: str, value: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Refused with what was found and what would be right."""
    with pytest.raises(SystemExit) as ended:
        main(["probe", "127.0.0.1", option, value])
    assert ended.value.code == 2
    assert f"found {value!r}, expected " in capsys.readouterr().err


def test_a_version_is_spoken_not_printed(devices: Running, capsys: pytest.CaptureFixture[str]) -> None:
    """`-v 2c` chooses SNMP's version; `haidang --version` prints ours."""
    assert main(["probe", of_kind(devices, "ups"), "-v", "2c"]) == 0
    assert "  ups: " in capsys.readouterr().out
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("haidang ")


def test_walk_says_when_nobody_answers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A walk of a closed port is an error with the reason, and leaves the last walk's file as it was."""
    path = tmp_path / "walk"
    path.write_text("kept")
    assert main(["walk", f"127.0.0.1:{peers.free_port('udp')}", "-o", str(path)]) == 1
    assert "refused" in capsys.readouterr().err
    assert path.read_text() == "kept"


def test_walks_begin_at_names(devices: Running, capsys: pytest.CaptureFixture[str]) -> None:
    """A known name stands for its object, and with an index for that one value; an unknown one says how it becomes known."""
    assert main(["walk", of_kind(devices, "ups"), "sysName"]) == 0
    below = capsys.readouterr().out
    assert below.startswith("1.3.6.1.2.1.1.5.0|")
    for engine in ("haidang", "pysnmp"):
        assert main(["walk", of_kind(devices, "ups"), "sysName.0", "--engine", engine]) == 0
        assert capsys.readouterr().out == below
    assert main(["walk", of_kind(devices, "ups"), "noSuchName"]) == 2
    assert "no object 'noSuchName' is known: add its module with `haidang mib add FILE`" in capsys.readouterr().err


@pytest.mark.parametrize("engine", ["haidang", "pysnmp"])
def test_hosts_are_walked_and_probed_by_name(engine: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A host's name stands for its address, for `walk` with either engine and for `probe`."""
    with served(asyncio.run(_agent(system())), "::1" if _resolved("localhost") == "::1" else "127.0.0.1") as port:
        assert main(["walk", f"localhost:{port}", "sysName", "--engine", engine]) == 0
        assert main(["probe", f"localhost:{port}"]) == 0
    assert capsys.readouterr().out.startswith("1.3.6.1.2.1.1.5.0|")


def _resolved(name: str) -> str:
    return str(socket.getaddrinfo(name, 0, type=socket.SOCK_DGRAM)[0][4][0])


def test_profile_check_counts_ones_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`haidang profile check --profiles DIR` says how many it found there, so that a wrong directory shows."""
    assert main(["profile", "check", "--profiles", str(tmp_path)]) == 0
    assert f"none of them from {tmp_path}: all right" in capsys.readouterr().out
    own = tmp_path / "lake.yaml"
    own.write_text("description: Lake\nextends: system\nmatch: [{object_id: 1.3.6.1.4.1.32473.99}]\n")
    assert main(["profile", "check", "--profiles", str(tmp_path)]) == 0
    assert f", 1 of them from {tmp_path}: all right" in capsys.readouterr().out
    own.write_text("description: Lake\nextends: sistem\n")
    assert main(["profile", "check", "--profiles", str(tmp_path)]) == 2
    assert "extends: found 'sistem', expected the name of a profile; did you mean \"system\"?" in capsys.readouterr().err


def test_a_walk_becomes_a_draft(devices: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`haidang profile draft` reads a walk, and lists by name what no profile reads."""
    path = tmp_path / "walk.snmprec"
    main(["walk", of_kind(devices, "switch"), "-o", str(path)])
    with path.open("a") as walk:
        walk.write("1.3.6.1.4.1.2021.13.16.2.1.3.7|66|41000\n")
    capsys.readouterr()
    assert main(["profile", "draft", str(path)]) == 0
    said = capsys.readouterr().out
    assert "  switch: " in said
    assert re.search(r"^#   1\.3\.6\.1\.4\.1\.2021\.13\.16\.2\.1\.3 .* 41000$", said, re.M)
    assert "  lmTempSensorsValue: 1.3.6.1.4.1.2021.13.16.2.1.3\n" in said


def test_a_draft_begins_with_the_makers_objects(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The draft of a device that no profile knows is a profile that reads, with the MIB's objects in it by name."""
    monkeypatch.setenv("HAIDANG_MIBS", str(tmp_path / "names.json"))
    (tmp_path / "names.json").write_text(
        '{"lakeTable": "1.3.6.1.4.1.32473.7.1", "lake-Value": "1.3.6.1.4.1.32473.7.1.1.3", "lakeModel": "1.3.6.1.4.1.32473.7.2"}'
    )
    names.cache_clear()
    leaves.cache_clear()
    (tmp_path / "walk.snmprec").write_text(
        "1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.32473.7\n1.3.6.1.2.1.11.1.0|65|4\n1.3.6.1.4.1.32473.7.2.0|4|Lake 7\n"
        "1.3.6.1.4.1.32473.7.1.1.3.1.1|2|236\n1.3.6.1.4.1.32473.7.1.1.3.2.1|2|241\n"
    )
    assert main(["profile", "draft", str(tmp_path / "walk.snmprec")]) == 0
    said = capsys.readouterr().out
    assert said.index("#   1.3.6.1.4.1.32473.7.1.1.3  lake-Value  236, 241") < said.index("#   1.3.6.1.2.1.11.1  4")
    (tmp_path / "lake.yaml").write_text(said[said.index("description:") :])
    objects = Profiles.load([tmp_path])["lake"].objects
    assert (objects["lakeValue"].oid, objects["lakeValue"].scalar) == (OID.parse("1.3.6.1.4.1.32473.7.1.1.3"), False)
    assert (objects["lakeModel"].oid, objects["lakeModel"].scalar) == (OID.parse("1.3.6.1.4.1.32473.7.2"), True)
    names.cache_clear()
    leaves.cache_clear()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read"),
        (b"", "holds no object"),
        (b"# only a remark\n", "holds no object"),
        (b"garbage\n\0\xff", "line 1: found 'garbage', expected OID|TAG|VALUE"),
        (b"1.3.6.1.2.1.1.3.0|67|abc", "line 1: found "),
        (b"\x1b]0;x\x07|4|x", r"found '\\x1b]0;x\\x07|4|x'"),
    ],
)
def test_what_is_no_walk(tmp_path: Path, content: bytes | None, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that is absent, empty or something else is refused with file and line, and harmless to the terminal."""
    path = tmp_path / "walk.snmprec"
    if content is not None:
        path.write_bytes(content)
    assert main(["profile", "draft", str(path)]) == 2
    error = capsys.readouterr().err
    assert str(path) in error
    assert said.replace("\\\\", "\\") in error


MODULE = """{name}-MIB DEFINITIONS ::= BEGIN
IMPORTS {parent} FROM {source};
{object} OBJECT IDENTIFIER ::= {{ {parent} {arc} }}
END
"""


def test_mib_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """`haidang mib add` reads modules in any order, keeps their names, and says which module is missing."""
    from haidang import mib

    monkeypatch.setenv("HAIDANG_MIBS", str(tmp_path / "names.json"))
    mib.names.cache_clear()
    root = tmp_path / "LAKE-MIB.txt"
    root.write_text(MODULE.format(name="LAKE", object="lake", parent="enterprises", source="SNMPv2-SMI", arc=32473))
    child = tmp_path / "SHORE-MIB.txt"
    child.write_text(MODULE.format(name="SHORE", object="shore", parent="lake", source="LAKE-MIB", arc=7))
    assert main(["mib", "add", str(child)]) == 1
    assert "defines lake" in capsys.readouterr().err
    assert main(["mib", "add", str(child), str(root)]) == 0
    mib.names.cache_clear()
    assert main(["mib", "name", "1.3.6.1.4.1.32473.7.1"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "shore.1"
    broken = tmp_path / "broken.txt"
    broken.write_text("this is no module")
    assert main(["mib", "add", str(broken)]) == 1
    assert "not a MIB module" in capsys.readouterr().err
    mib.names.cache_clear()


def test_check_tells_what_may_be_a_slip(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Units without devices, and devices at one address by different credentials (contexts, say), are told and are no errors."""
    path = tmp_path / "haidang.toml"
    device = '[[device]]\nid = "{}"\naddress = "10.0.0.{}"\nunit = "a"\ncredential = "{}"\n'
    credential = '[[credential]]\nname = "{}"\nversion = "2c"\ncommunity = "public"\n'
    path.write_text(
        credential.format("c")
        + credential.format("d")
        + '[[unit]]\nid = "a"\n[[unit]]\nid = "b"\n'
        + "".join(device.format(*one) for one in (("x", 1, "c"), ("y", 1, "d"), ("z", 2, "c")))
    )
    assert main(["check", "--config", str(path)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[1:] == ["  without devices: b", "  at one address: x and y (10.0.0.1 port 161)"]


def test_check_names_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`haidang check` ends with 2 and one message for each thing wrong, naming its key."""
    path = tmp_path / "haidang.toml"
    path.write_text('[collector]\nintervall = "60s"\n[[device]]\naddress = "10.0.0.1"\nunit = "x"\ncredential = "y"\n')
    assert main(["check", "--config", str(path)]) == 2
    said = capsys.readouterr().err
    assert "intervall" in said
    assert "interval" in said
    assert "credential" in said
    assert main(["check", "--config", str(tmp_path / "nothing.toml")]) == 2


def test_collector_run_starts_nothing_on_wrong_settings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A collector with wrong settings ends with 2 before it opens or writes anything."""
    path = tmp_path / "haidang.toml"
    path.write_text('[collector]\nstate_directory = "state"\nnonsense = 1\n')
    assert main(["collector", "run", "--config", str(path)]) == 2
    assert "nonsense" in capsys.readouterr().err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["haidang.toml"]


def test_exports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`haidang export` writes rules, dashboards and the MIB, and prints the names of the files."""
    assert main(["export", "alerts", str(tmp_path / "alerts")]) == 0
    assert main(["export", "dashboards", str(tmp_path / "dashboards")]) == 0
    assert main(["export", "mib", "-o", str(tmp_path / "HAIDANG-MIB.txt")]) == 0
    files = capsys.readouterr().out.split()
    assert all(Path(name).stat().st_size > 100 for name in files)
    assert any(name.endswith("rules.yml") for name in files)
    assert main(["export", "mib", "-o", str(tmp_path / "no" / "file")]) == 1


@pytest.mark.parametrize("wrong", ["0", "-1", "2147483648", "99999999999999999999", "1e5", ""])
def test_an_enterprise_number_that_is_none(wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A MIB is not written under a number that no OID can have, or that the agent's settings refuse."""
    with pytest.raises(SystemExit, match="2"):
        main(["export", "mib", f"--enterprise={wrong}"])
    assert f"found {wrong!r}, expected a number from 1 to 2147483647" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", ["", ":161", "host:", "host:port", "host:0", "host:70000", "[::1"])
def test_addresses_that_are_none(wrong: str) -> None:
    """What is no address is refused with what would be right."""
    if wrong in ("host:", "[::1"):
        assert split(wrong)[1] == 161
    else:
        with pytest.raises(ConfigError, match="HOST:PORT"):
            split(wrong)


def test_addresses() -> None:
    """Names, IPv4, IPv6 with and without port."""
    assert split("10.0.0.1") == ("10.0.0.1", 161)
    assert split("switch.local:1161") == ("switch.local", 1161)
    assert split("[fe80::1]:1161") == ("fe80::1", 1161)
    assert split("fe80::1") == ("fe80::1", 161)
    assert split("0.0.0.0", 9715, lowest=0) == ("0.0.0.0", 9715)
    assert split("127.0.0.1:0", lowest=0) == ("127.0.0.1", 0)


VALUES = st.one_of(
    st.tuples(st.just(ber.OCTET_STRING), st.binary(max_size=40)),
    st.tuples(st.just(ber.IP_ADDRESS), st.binary(min_size=4, max_size=4)),
    st.tuples(st.just(ber.INTEGER), st.integers(-(2**31), 2**31 - 1)),
    st.tuples(st.just(ber.COUNTER64), st.integers(0, 2**64 - 1)),
    st.tuples(st.just(ber.OBJECT_IDENTIFIER), st.just(OID((1, 3, 6, 1)))),
    st.tuples(st.just(ber.NULL), st.none()),
)


@given(st.dictionaries(st.tuples(st.just(1), st.just(3), st.integers(0, 2**32 - 1)), VALUES, max_size=8))
def test_walks_are_written_and_read(
    tmp_path_factory: pytest.TempPathFactory, rows: dict[tuple[int, ...], tuple[int, ber.Value]]
) -> None:
    """What is written as snmprec is read back the same, whatever the octets."""
    bindings = sorted(VarBind(OID(name), tag, value) for name, (tag, value) in rows.items())
    path = tmp_path_factory.mktemp("walk") / "walk.snmprec"
    path.write_text("".join(snmprec.line(binding) + "\n" for binding in bindings))
    assert snmprec.read(path) == bindings


@pytest.mark.parametrize("line", ["1.3.6|4", "x|4|y", "1.3.6|99|y", "1.3.6|2|y", "1.3.6|4x|zz"])
def test_lines_that_are_none(tmp_path: Path, line: str) -> None:
    """A line that is no varbind is refused with file, line and what was expected."""
    path = tmp_path / "walk.snmprec"
    path.write_text(f"1.3.6.1|2|5\n{line}\n")
    with pytest.raises(ConfigError, match=r"line 2: .*OID\|TAG\|VALUE"):
        snmprec.read(path)
