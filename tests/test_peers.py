"""The peers themselves: each starts, answers and is gone afterwards."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import peers
import pytest

USERS = [
    peers.User("watcher", "SHA-1", "authpass1234", "AES-128", "privpass1234"),
    peers.User("strong", "SHA-512", "authpass1234", "AES-256", "privpass1234"),
]


def gone(pid: int) -> bool:
    """Has this process ended?"""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_snmpd_answers_communities_and_users_and_ends() -> None:
    """A community and every configured user read sysName, and the process is gone after the block."""
    with peers.snmpd(users=USERS) as snmpd:
        for options in (["-v1", "-c", "public"], ["-v2c", "-c", "public"], *(user.options() for user in USERS)):
            read = peers.net_snmp("snmpget", *options, "-Oqv", snmpd.address, "1.3.6.1.2.1.1.5.0")
            assert read.stdout.strip().strip('"') == "peer"
    assert gone(snmpd.pid)


def test_snmpd_restarted_in_its_directory_keeps_its_engine_and_counts_boots(tmp_path: Path) -> None:
    """Two blocks over one directory are one agent that rebooted: the same engine ID and users, one boot more."""
    port = peers.free_port("udp")
    seen = []
    for _ in range(2):
        with peers.snmpd(users=USERS, directory=tmp_path, port=port) as snmpd:
            words = ["-Oqv", snmpd.address, "1.3.6.1.6.3.10.2.1.1.0", "1.3.6.1.6.3.10.2.1.2.0"]
            seen.append(peers.net_snmp("snmpget", *USERS[0].options(), *words).stdout.splitlines())
    assert seen[0][:-1] == seen[1][:-1]
    assert int(seen[1][-1]) == int(seen[0][-1]) + 1


def test_snmptrapd_prints_what_it_takes() -> None:
    """A v2c trap and an acknowledged v3 inform each come out as a line."""
    with peers.snmptrapd(users=USERS) as trapd:
        for options in (["-v2c", "-c", "public"], [*USERS[0].options(), "-Ci"]):
            text = f"said with {options[0]}"
            peers.net_snmp("snmptrap", *options, trapd.address, "", "1.3.6.1.6.3.1.1.5.3", "1.3.6.1.2.1.1.6.0", "s", text)
            assert ".1.3.6.1.6.3.1.1.5.3" in trapd.wait_for(text)


def test_prometheus_answers_queries() -> None:
    """A query gives labels and values, and a rule file beside the configuration is read."""
    rules = "groups: [{name: a, rules: [{record: one, expr: vector(1)}]}]"
    with peers.prometheus("{global: {evaluation_interval: 100ms}, rule_files: [rules.yml]}", {"rules.yml": rules}) as prometheus:
        assert prometheus.query("vector(3)") == [({}, 3.0)]
        assert prometheus.wait_for("one") == [({"__name__": "one"}, 1.0)]


def test_promtool_finds_faults_on_a_page() -> None:
    """A valid page has no errors; a sample under a wrong type has."""
    assert peers.metrics_errors("# HELP a_seconds A.\n# TYPE a_seconds gauge\na_seconds 1\n") == []
    assert peers.metrics_errors("# TYPE a counter\na 1\nb{ 2\n")


def test_postgresql_takes_connections() -> None:
    """A fresh server answers SQL over TCP."""
    with peers.postgresql() as server:
        asked = [peers.require("psql"), "-h", server.host, "-p", str(server.port), "-U", server.user, "-Atc", "select 41 + 1"]
        found = subprocess.run([*asked, server.database], capture_output=True, text=True, check=True)
        assert found.stdout.strip() == "42"


def test_a_missing_peer_skips_or_fails_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not installed skips the test naming the package, and fails it where peers are required."""
    monkeypatch.setitem(peers.PACKAGES, "no-such-peer", "its-package")
    monkeypatch.delenv("HAIDANG_REQUIRE_PEERS", raising=False)
    with pytest.raises(pytest.skip.Exception, match="apt-get install its-package"):
        peers.require("no-such-peer")
    monkeypatch.setenv("HAIDANG_REQUIRE_PEERS", "1")
    with pytest.raises(pytest.fail.Exception, match="apt-get install its-package"):
        peers.require("no-such-peer")
