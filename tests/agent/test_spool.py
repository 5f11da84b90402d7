from __future__ import annotations

import errno
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import StateError
from agent.spool import Spool, inherit

ROOT = Path(__file__).parents[2]


def make(directory: Path, limit: int = 1 << 20, segment: int = 1 << 12) -> tuple[Spool, list[str]]:
    said: list[str] = []
    return Spool(str(directory), limit, said.append, segment), said


def test_what_waits_is_there_after_a_restart(tmp_path: Path) -> None:
    """Payloads come back in the order of their names with what they held, but for those acknowledged."""
    spool, _ = make(tmp_path)
    for n in range(200):
        spool.put(n, bytes([n % 256]) * 50, high=n % 7 == 0)
    for n in range(0, 200, 3):
        spool.done(n)
    spool.close()
    again, said = make(tmp_path)
    assert list(again) == [n for n in range(200) if n % 3]
    assert all(again.get(n) == bytes([n % 256]) * 50 for n in again)
    assert again.oldest() == 1 and not said


def test_a_segment_that_cannot_be_read_costs_its_own_payloads_alone(tmp_path: Path) -> None:
    """On a disk with bad sectors the others are still there, new ones are kept, and it is said."""
    spool, _ = make(tmp_path)
    for n in range(200):
        spool.put(n, b"x" * 50)
    spool.close()
    *_, last = sorted(tmp_path.iterdir())
    last.unlink()
    last.mkdir()  # which no user, not even root, can read as a file
    again, said = make(tmp_path)
    assert 0 < len(again) < 200 and 0 in again
    assert len(said) == 1 and f"{last}: cannot be read" in said[0]
    again.put(500, b"new")
    assert again.get(500) == b"new"


def test_a_directory_that_cannot_be_used_is_said_and_tried_again(tmp_path: Path) -> None:
    """A disk that is full or worn out at the start keeps nothing; what is put there later finds room when there is some."""
    place = tmp_path / "spool"
    place.write_text("in the way")
    spool, said = make(place)
    assert len(said) == 1 and "reports cannot be kept there" in said[0]
    with pytest.raises(StateError, match="a report cannot be kept"):
        spool.put(1, b"lost")
    place.unlink()
    spool.put(2, b"kept")
    assert list(spool) == [2] and spool.get(2) == b"kept"


def test_nothing_stays_when_all_is_acknowledged(tmp_path: Path) -> None:
    """Files go when nothing in them is waited for: an idle spool is at most the file being written."""
    spool, _ = make(tmp_path)
    for n in range(500):
        spool.put(n, b"x" * 100)
        spool.done(n)
    assert len(list(tmp_path.iterdir())) <= 2
    spool.close()
    make(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_full_spool_gives_up_the_oldest_low_value_payloads(tmp_path: Path) -> None:
    """It stays within its limit, keeps what is of high value and, of the rest, the newest; and says so."""
    limit = 1 << 16
    spool, said = make(tmp_path, limit)
    for n in range(1000):
        spool.put(n, b"y" * 200, high=n % 100 == 0)
        assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= limit + 300
    kept = list(spool)
    assert {n for n in range(1000) if n % 100 == 0} <= set(kept)
    low = [n for n in kept if n % 100]
    assert low[-1] == 999 and low == [n for n in range(low[0], 1000) if n % 100]
    assert spool.dropped == 1000 - len(kept) and said
    spool.close()
    assert list(make(tmp_path, limit)[0]) == kept


def test_a_spool_full_of_high_value_gives_up_its_oldest(tmp_path: Path) -> None:
    """Even then it stays within its limit, and the newest is kept."""
    spool, _ = make(tmp_path, 1 << 15)
    for n in range(1000):
        spool.put(n, b"z" * 200, high=True)
    assert spool.size <= 1 << 15 and list(spool)[-1] == 999


def test_acknowledged_room_is_used_before_anything_is_given_up(tmp_path: Path) -> None:
    """One old payload that nobody acknowledges does not cost others their place."""
    spool, _ = make(tmp_path, 1 << 15)
    spool.put(0, b"old" * 50)
    for n in range(1, 2000):
        spool.put(n, b"new" * 50)
        spool.done(n)
    assert list(spool) == [0] and spool.get(0) == b"old" * 50 and not spool.dropped


@given(st.data())
def test_damage_costs_only_what_it_hits(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Wherever octets are overwritten or cut off, every record that was not hit is read, and the loss is said."""
    directory = tmp_path_factory.mktemp("spool")
    spool, _ = make(directory, segment=1 << 20)
    for n in range(20):
        spool.put(n, bytes([n]) * 40)
    spool.close()
    path = next(directory.iterdir())
    whole = path.read_bytes()
    record = len(whole) // 20
    at = data.draw(st.integers(0, len(whole) - 1))
    if data.draw(st.booleans()):
        path.write_bytes(whole[:at])
        lost = set(range(at // record, 20))
        said_it = at % record > 0
    else:
        junk = data.draw(st.binary(min_size=1, max_size=60))
        path.write_bytes(whole[:at] + junk + whole[at + len(junk) :])
        lost = set(range(at // record, min(20, (at + len(junk) - 1) // record + 1)))
        said_it = True
    again, said = make(directory)
    kept = set(again)
    assert kept >= set(range(20)) - lost
    assert all(again.get(n) == bytes([n]) * 40 for n in kept - lost)
    assert said or not said_it or kept == set(range(20))


def test_a_full_disk_is_an_error_that_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that fails keeps nothing of its payload, and the next one that goes through is kept."""
    spool, _ = make(tmp_path)
    spool.put(1, b"one")
    written = os.write

    def half(file: int, data: bytes) -> int:
        if len(data) > 10:
            return written(file, data[:10])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", half)
    with pytest.raises(StateError, match="No space left"):
        spool.put(2, b"two")
    monkeypatch.undo()
    spool.put(3, b"three")
    assert list(spool) == [1, 3] and spool.get(3) == b"three"
    spool.close()
    assert list(make(tmp_path)[0]) == [1, 3]


WRITER = """
import sys
from agent.spool import Spool, inherit
spool = Spool(sys.argv[1], 1 << 20, lambda line: None, 1 << 12)
first = int(sys.argv[2])
for n in range(first, first + 1000000):
    spool.put(n, n.to_bytes(8, "big") * 20)
    print("put", n, flush=True)
    if n % 3:
        spool.done(n)
        print("done", n, flush=True)
"""


def test_killed_at_any_moment(tmp_path: Path) -> None:
    """What `put` returned for is there after kill -9, whole; nothing else but the one being written."""
    waiting: set[int] = set()
    first = 0
    for _ in range(8):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path / "spool"), str(first)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(random.randint(5, 120))]
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.read().splitlines()
        process.wait()
        process.stdout.close()
        names = [(line.split()[0], int(line.split()[1])) for line in lines if len(line.split()) == 2]
        last = max(n for _, n in names)
        for word, n in names:
            waiting.add(n) if word == "put" else waiting.discard(n)
        again, said = make(tmp_path / "spool")
        found = set(again)
        assert waiting - found <= {last} and found - waiting <= {last + 1} and not said
        assert all(again.get(n) == n.to_bytes(8, "big") * 20 for n in found)
        waiting = found
        again.close()
        first = last + 2


def test_what_waits_goes_with_the_collector_to_its_new_address(tmp_path: Path) -> None:
    """A spool whose name is gone is that of a name that is new; others stay where they are, and nothing is thrown away."""
    said: list[str] = []
    inherit(str(tmp_path / "nowhere"), ["c"], said.append)
    for name in ("a", "b"):
        spool, _ = make(tmp_path / name)
        spool.put(1, name.encode())
        spool.close()
    inherit(str(tmp_path), ["a", "c"], said.append)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "c"]
    assert make(tmp_path / "c")[0].get(1) == b"b" and make(tmp_path / "a")[0].get(1) == b"a"
    inherit(str(tmp_path), ["c"], said.append)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "c"] and not said
