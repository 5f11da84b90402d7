from __future__ import annotations

from datetime import time
from pathlib import Path

import pytest

from config.discovery import Accept
from config.errors import ConfigError
from config.settings import Settings, read

BASE = """
[[credential]]
name = "public"
version = "2c"
community = "public"

[[unit]]
id = "office"
[[unit]]
id = "school"
"""
DISCOVERY = """
[[discovery]]
unit = "office"
ranges = ["10.1.2.0/24"]
credentials = ["public"]
"""


def settings(directory: Path, text: str) -> Settings:
    path = directory / "haidang.toml"
    path.write_text(BASE + text, encoding="utf-8")
    return read(path)


def test_defaults(tmp_path: Path) -> None:
    """Unit, ranges and credentials are enough: then it sweeps, reads neighbours, and runs by hand only."""
    found = settings(tmp_path, DISCOVERY).discoveries["office"]
    assert found.ranges.count() == 254
    assert (found.credentials, found.max_credentials, found.port) == (("public",), 3, 161)
    assert (found.sweep, found.neighbours, found.leases, found.accept) == (True, True, (), ())
    assert (found.every, found.at) == (None, None)


def test_everything_is_read(tmp_path: Path) -> None:
    """Each key arrives in its form; lease files are relative to the file that names them."""
    (tmp_path / "units").mkdir()
    (tmp_path / "units" / "one.toml").write_text(DISCOVERY + 'exclude = ["10.1.2.9"]\nleases = ["a", "/b"]\nat = "02:30"\n')
    text = DISCOVERY.replace("office", "school").replace("10.1.2", "10.1.3") + 'every = "1d"\naccept = [{kind = "*"}]\n'
    found = settings(tmp_path, text).discoveries
    assert found["school"].every == 86400
    assert found["school"].accepts("other", "", "", "generic")
    (tmp_path / "haidang.toml").write_text('include = ["units/*.toml"]\n' + BASE)
    one = read(tmp_path / "haidang.toml").discoveries["office"]
    assert one.ranges.count() == 253
    assert one.leases == (tmp_path / "units" / "a", Path("/b"))
    assert one.at == time(2, 30)


def test_rules_fit_as_a_person_reads_them() -> None:
    """All that a rule says must fit, one of each list is enough, in upper or lower case, with * and ?."""
    rule = Accept(kind=("switch", "router"), vendor=("cisco",), model=("WS-C2960*",))
    assert rule.fits("switch", "Cisco", "ws-c2960-48TT-L", "ios")
    assert not rule.fits("printer", "Cisco", "WS-C2960-48TT-L", "ios")
    assert not rule.fits("switch", "Cisco", "WS-C3750", "ios")
    assert not rule.fits("switch", "", "WS-C2960", "ios")
    assert Accept(profile=("apc-*",)).fits("ups", "APC", "", "apc-ups")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (DISCOVERY.replace('"office"', '"ofice"'), 'unit: no [[unit]] has the id "ofice"; did you mean "office"?'),
        (DISCOVERY.replace('["public"]', '["publik"]'), 'credentials: no [[credential]] has the name "publik"; did you mean'),
        (DISCOVERY.replace('["public"]', '["public", "public"]'), "credentials: 'public' is given twice"),
        (DISCOVERY.replace('["public"]', "[]"), "credentials: found a list, expected a list of names that is not empty"),
        (DISCOVERY.replace('["10.1.2.0/24"]', '"10.1.2.0/24"'), "ranges: found '10.1.2.0/24', expected a list of texts"),
        (DISCOVERY.replace("2.0/24", "2.7/24"), "ranges: found '10.1.2.7/24', expected the network's first address, as in"),
        (DISCOVERY.replace("10.1.2.0/24", "10.0.0.0/8"), "ranges: hold 16646144 addresses, at most 65536 are asked one by one"),
        (DISCOVERY.replace("10.1.2.0/24", "fd00::/64"), "ranges: hold 18446744073709551615 addresses, at most 65536"),
        (DISCOVERY + 'exclude = ["10.1.0.0/16"]', "ranges: no address is left to ask"),
        (DISCOVERY + "port = 0", "port: found 0, expected a whole number from 1 to 65535"),
        (DISCOVERY + "max_credentials = 0", "max_credentials: found 0, expected a whole number from 1 to 20"),
        (DISCOVERY + "sweep = false\nneighbours = false", "sweep: is false, and there are neither neighbours nor leases"),
        (DISCOVERY + 'at = "25:00"', "at: found '25:00', expected a time of day, such as \"02:30\""),
        (DISCOVERY + 'every = "5s"', "every: found '5s', expected a duration from 600 s"),
        (DISCOVERY + 'every = "1d"\nat = "02:30"', "at: is given beside every; keep one of them"),
        (DISCOVERY + "accept = [{}]", "accept: found a rule that says nothing"),
        (DISCOVERY + 'accept = [{kindd = "ups"}]', "accept: unknown key 'kindd' in a rule; did you mean \"kind\"?"),
        (DISCOVERY + 'accept = [{kind = "swich"}]', "accept: found kind 'swich' in a rule, expected one of switch, router"),
        (DISCOVERY + 'accept = ["all"]', "accept: found a list, expected a list of rules"),
        (DISCOVERY + DISCOVERY, 'unit: "office" is given twice; write all ranges of a unit in one [[discovery]]'),
        (DISCOVERY + "range = 5", 'range: unknown key; did you mean "ranges"?'),
    ],
)
def test_each_mistake_is_named(tmp_path: Path, text: str, message: str) -> None:
    """A mistake gives a message with the file, the discovery, the key, what was found and what would be right."""
    with pytest.raises(ConfigError) as caught:
        settings(tmp_path, text)
    problems = caught.value.problems
    assert any(problem.startswith(f"{tmp_path}/haidang.toml: [[discovery]] number ") for problem in problems)
    assert any(message in problem for problem in problems), problems


def test_an_address_belongs_to_one_unit(tmp_path: Path) -> None:
    """Ranges of two units that overlap are refused with the first address they share; large ones may stand unswept."""
    other = DISCOVERY.replace("office", "school").replace("10.1.2.0/24", "10.1.0.0/22")
    with pytest.raises(ConfigError, match=r'10\.1\.2\.1 is in the ranges of unit "office" too'):
        settings(tmp_path, DISCOVERY + other)
    found = settings(tmp_path, DISCOVERY + other + 'exclude = ["10.1.2.0/24"]')
    assert found.discoveries["school"].ranges.count() == 3 * 254
    assert settings(tmp_path, DISCOVERY.replace("10.1.2.0/24", "fd00::/48") + "sweep = false").discoveries
