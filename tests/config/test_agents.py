"""`[agents]` of the settings."""

from __future__ import annotations

from datetime import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.agents import PORT, Agents, Hours
from config.errors import ConfigError
from config.settings import read


def agents(directory: Path, text: str) -> Agents:
    path = directory / "haidang.toml"
    path.write_text(f"[agents]\n{text}\n", encoding="utf-8")
    return read(path).agents


def test_without_a_word_none_are_received(tmp_path: Path) -> None:
    """Agents are received where somebody says so; the rest has defaults that suit an office."""
    found = agents(tmp_path, "")
    assert found.listen is None and found.key is None and found.url == "" and found.collectors == ()
    assert (found.interval, found.check_in, found.line_test_every) == (600, 3600, 86400)
    assert (found.line_test_hours, found.line_test_rate) == (None, None)
    assert (found.line_test_seconds, found.line_test_bytes) == (4, 5_000_000)


def test_everything_is_read(tmp_path: Path) -> None:
    """Each key arrives in its form and unit."""
    (tmp_path / "key").write_text("k" * 32 + "\n")
    found = agents(
        tmp_path,
        """
        listen = "[::]"
        url = "https://collector.example.vn:9715/"
        collectors = ["10.1.2.3", "[2001:db8::1]:9200"]
        key_file = "key"
        interval = "5m"
        check_in = "2h"
        line_test_every = "12h"
        line_test_hours = "22:30-05:00"
        line_test_seconds = "10s"
        line_test_bytes = 1000000
        line_test_rate = "20 Mbit/s"
        """,
    )
    assert found.listen is not None and (found.listen.host, found.listen.port) == ("::", PORT)
    assert found.url == "https://collector.example.vn:9715"
    assert list(map(str, found.collectors)) == ["10.1.2.3:9162", "[2001:db8::1]:9200"]
    assert found.key is not None and found.key.encode() == b"k" * 32 and "kkk" not in repr(found)
    assert (found.interval, found.check_in, found.line_test_every, found.line_test_seconds) == (300, 7200, 43200, 10)
    assert found.line_test_hours == Hours(time(22, 30), time(5))
    assert (found.line_test_bytes, found.line_test_rate) == (1_000_000, 20_000_000)
    assert agents(tmp_path, "line_test_every = 0").line_test_every == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('url = "collector.example.vn"', "expected where agents find the web server"),
        ('url = "https://collector.example.vn/pages"', "expected where agents find the web server"),
        ('url = "http://collector.example.vn"', "expected https: keys go to agents this way"),
        ('url = "https://[::1"', "expected where agents find the web server"),
        ('url = "https://collector.example.vn:port"', "expected where agents find the web server"),
        ('url = "https://an:secret@collector.example.vn"', "expected where agents find the web server"),
        ('collectors = []', "expected a list of addresses as the offices see them"),
        ('collectors = "10.1.2.3"', "expected a list of addresses as the offices see them"),
        ('collectors = ["collector.example.vn"]', "expected an IP address: an office's name service may be away"),
        ('collectors = ["10.1.2.3", "10.1.2.3:9162"]', "names a collector twice"),
        ('collectors = ["0.0.0.0:9162"]', "expected an address that offices can send to"),
        ('key = "short"', "has 5 octets, expected at least 32"),
        ('interval = "1s"', "expected a duration from 10 s to 86400 s"),
        ('check_in = "8d"', "expected a duration from 60 s"),
        ('line_test_every = "5m"', "expected a duration from 600 s"),
        ("line_test_every = false", "expected a duration"),
        ('line_test_hours = "7-17"', 'expected hours of the day, such as "07:00-17:00"'),
        ('line_test_hours = "07:00-24:00"', "expected hours of the day"),
        ('line_test_hours = "07:00-07:00"', "for no tests line_test_every = 0"),
        ("line_test_bytes = 1000", "from 10000"),
        ("nonsense = 1", "nonsense"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(tmp_path: Path, text: str, message: str) -> None:
    """A wrong value is refused with its key, what was found and what would be right."""
    with pytest.raises(ConfigError) as refused:
        agents(tmp_path, text)
    assert "agents" in str(refused.value) and text.partition(" ")[0] in str(refused.value)
    assert message in str(refused.value), refused.value


@given(st.times(), st.times(), st.times())
def test_hours_hold_by_day_and_over_midnight(start: time, end: time, now: time) -> None:
    """Every time of day is either within hours or within those that they leave, never both."""
    if start != end:
        assert Hours(start, end).holds(now) is not Hours(end, start).holds(now)
    assert Hours(start, end).holds(start) or start == end
    assert not Hours(start, end).holds(end)


def test_office_hours() -> None:
    """Hours begin with their first minute and end before their last; those whose end is earlier go over midnight."""
    day, night = Hours(time(7), time(17)), Hours(time(22, 30), time(5))
    assert [day.holds(time(*at)) for at in ((6, 59), (7, 0), (16, 59), (17, 0))] == [False, True, True, False]
    assert [night.holds(time(*at)) for at in ((22, 29), (22, 30), (0, 0), (4, 59), (5, 0))] == [False, True, True, True, False]
