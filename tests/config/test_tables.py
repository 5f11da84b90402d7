from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.errors import ConfigError
from config.keys import KEYS
from config.settings import read
from config.tables import Address, address, bandwidth, duration, suggest

VALUES = (
    "1", "-1", "0", "true", "1.5", "nan", "inf", '""', '"x"', '"30s"', '"10.0.0.1"', '"/"', '"../x"', '"a\\u0000b"', "[]", "[1]",
    '["x"]', '["/"]', '["a\\u0000"]', '["**/x[", "***"]', "[[1]]", "{}", "{a = 1}", "[{}]", "[{name = 1}]", "07:32:00",
    "1979-05-27T07:32:00Z", "0x7fffffffffffffff", f'"{"9" * 400}"',
)  # fmt: skip
SPELLINGS = [spelling for keys in KEYS.values() for name, key in keys.items() for spelling in key.spellings(name)]
NAMES = st.sampled_from([*SPELLINGS, "include", "user", "unknown", '"" ', '"a.b"'])
HEADERS = st.sampled_from(
    ["", "[collector]", "[web]", "[agents]", "[[web.user]]", "[[credential]]", "[[unit]]", "[[device]]", "[device]", "[x]"]
)
LINES = st.lists(st.tuples(NAMES, st.sampled_from(VALUES)), max_size=6, unique_by=lambda line: line[0])


def problems(path: Path) -> tuple[str, ...]:
    try:
        read(path)
    except ConfigError as error:
        return error.problems
    return ()


@pytest.mark.parametrize("value", VALUES)
def test_any_value_at_any_key(tmp_path: Path, value: str) -> None:
    """Whatever stands at a key, the file is read or refused with messages."""
    path = tmp_path / "any.toml"
    for table, keys in KEYS.items():
        header = f"[{table}]" if table in ("collector", "web", "agents") else f"[[{table}]]"
        for spelling in (spelling for name, key in keys.items() for spelling in key.spellings(name)):
            path.write_text(f"{header}\n{spelling} = {value}\n", encoding="utf-8")
            problems(path)
    path.write_text(f"include = {value}\n", encoding="utf-8")
    problems(path)


@settings(max_examples=100)
@given(st.lists(st.tuples(HEADERS, LINES), max_size=5))
def test_any_file_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, tables: list[tuple[str, list[tuple[str, str]]]]
) -> None:
    """Whatever values stand at whatever keys, a file is read or refused with messages; nothing else comes out."""
    text = "\n".join("\n".join((header, *(f"{name} = {value}" for name, value in lines))) for header, lines in tables)
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_text(text, encoding="utf-8")
    for problem in problems(path):
        assert problem.startswith(str(path)) and "\n" not in problem


@pytest.mark.parametrize(
    ("found", "seconds"),
    [("500ms", 0.5), ("30s", 30), ("5m", 300), ("1.5 min", 90), ("1h", 3600), ("1d", 86400), (7, 7), (0.25, 0.25)],
)
def test_durations(found: object, seconds: float) -> None:
    """Durations are texts with a unit or numbers of seconds."""
    assert duration(0, 86400)(found) == pytest.approx(seconds)


@pytest.mark.parametrize("found", ["5", "5 parsecs", "-5s", "", True, None, float("nan"), 86401, "25h", [5]])
def test_no_durations(found: object) -> None:
    """What has no unit, another unit or lies outside the bounds is no duration."""
    with pytest.raises(ValueError, match="expected a duration from 0 s to 86400 s"):
        duration(0, 86400)(found)


@pytest.mark.parametrize(
    ("found", "bits"),
    [("6 Mbit/s", 6_000_000), ("512kbit/s", 512_000), ("1.5 Gbit/s", 1_500_000_000), ("9600 bps", 9600), (64, 64)],
)
def test_bandwidths(found: object, bits: int) -> None:
    """Bandwidths are bits a second, with decimal prefixes as lines are sold."""
    assert bandwidth(found) == bits


@pytest.mark.parametrize("found", ["6", "6 MB/s", 0, -1, True, "0 kbit/s", 1.5, None])
def test_no_bandwidths(found: object) -> None:
    """A bandwidth without a unit or in bytes is refused rather than guessed."""
    with pytest.raises(ValueError, match="expected a bandwidth"):
        bandwidth(found)


@given(st.text(max_size=30) | st.integers() | st.none())
def test_addresses_come_back(found: object) -> None:
    """What is accepted as an address is the same address when it is written out and read again."""
    try:
        first = address(161)(found)
    except ValueError:
        return
    assert isinstance(first, Address)
    assert address(161)(str(first)) == first


def test_suggestions() -> None:
    """A near miss is offered; without one the possibilities are listed, but not hundreds of them."""
    assert suggest("intervall", ["interval", "timeout"]) == '; did you mean "interval"?'
    assert suggest("x", ["interval", "timeout"]) == "; known: interval, timeout"
    assert suggest("x", [f"unit-{number}" for number in range(700)]).endswith(" and 680 more")
    assert suggest("x", []) == ""


def test_a_secret_file_lies_beside_its_settings(tmp_path: Path) -> None:
    """Paths in an included file are relative to that file."""
    (tmp_path / "units").mkdir()
    (tmp_path / "units" / "secret").write_text("hunter2\n")
    (tmp_path / "units" / "a.toml").write_text('[[credential]]\nname = "a"\nversion = "1"\ncommunity_file = "secret"\n')
    (tmp_path / "haidang.toml").write_text('include = ["units/a.toml"]\n')
    community = read(tmp_path / "haidang.toml").credentials["a"].community
    assert community is not None
    assert community.reveal() == "hunter2"
