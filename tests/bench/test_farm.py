"""The benchmarks' device farm: the work's 94 values, dead devices, loss, delay, and the trace."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import peers

from bench import farm, work
from snmp.oid import OID


@contextmanager
def farm_of(directory: Path, table: str, *, dead: int = 0, delay_ms: float = 0, trace: Path | None = None) -> Iterator[int]:
    """A farm, where there is a compiler."""
    peers.require("gcc")
    with farm.v2c(directory, table, dead=dead, delay_ms=delay_ms, trace=trace) as port:
        yield port


def read(command: str, port: int, *oids: str, host: str = "127.1.2.3", patience: float = 30.0) -> list[str]:
    """The lines one of net-snmp's commands prints."""
    words = ["-v2c", "-c", work.COMMUNITY, "-On", "-t", str(patience), "-r", "0", f"{host}:{port}", *oids]
    return peers.net_snmp(command, *words, check=patience > 1).stdout.splitlines()


def test_the_work_is_94_values(tmp_path: Path) -> None:
    """Scalars and columns of the work give 94 values on the workstation's table, from whichever address is asked."""
    with farm_of(tmp_path, work.workstation()) as port:
        columns = [line for column in work.COLUMNS for line in read("snmpbulkwalk", port, column, host="127.77.0.9")]
        assert len(read("snmpget", port, *work.SCALARS)) + len(columns) == 94


def test_a_walk_is_the_table_in_order(tmp_path: Path) -> None:
    """A walk of everything gives each row of the table once, in order, and ends."""
    table = work.switch(7)
    with farm_of(tmp_path, table) as port:
        walked = [line.split(" ")[0][1:] for line in read("snmpbulkwalk", port, ".1") if "No more variables" not in line]
        assert walked == [line.split("|")[0] for line in table.splitlines()]
        assert "No Such" in read("snmpget", port, "1.3.6.1.9.9.0")[0]


def test_dead_addresses_are_those_the_python_side_names(tmp_path: Path) -> None:
    """is_dead agrees with the farm, and about the share asked for is dead."""
    addresses = [work.address(i) for i in range(1, 400)]
    dead = {address for address in addresses if farm.is_dead(address, 100)}
    assert 20 <= len(dead) <= 60
    trace = tmp_path / "trace"
    request = bytes.fromhex("302602010104067075626c6963a019020101020100020100300e300c06082b060102010103000500")
    with (
        farm_of(tmp_path, work.workstation(), dead=100, trace=trace) as port,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock,
    ):
        sock.settimeout(60)
        for address in addresses:
            sock.sendto(request, (address, port))
            if address not in dead:
                assert sock.recvfrom(2048)[1] == (address, port)
    exchanges = farm.exchanges(trace)
    assert [one.address for one in exchanges] == addresses
    assert {one.address for one in exchanges if not one.answered} == dead
    assert {(one.asked, one.first) for one in exchanges} == {(len(request), OID.parse("1.3.6.1.2.1.1.3.0").encode())}


def test_the_line_delays_every_answer(tmp_path: Path) -> None:
    """With a delay longer than the patience nothing is heard in time; with a shorter one everything is."""
    with farm_of(tmp_path, work.workstation(), delay_ms=150) as port:
        assert len(read("snmpget", port, *work.SCALARS)) == len(work.SCALARS)
    with farm_of(tmp_path, work.workstation(), delay_ms=3000) as port:
        assert read("snmpget", port, *work.SCALARS, patience=1.0) == []
