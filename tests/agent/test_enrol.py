"""Asking a collector: what comes back may be anything, late, or nothing. And when it is asked again."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path

import peers
import pytest

from agent import child, enrol, enrolment, settings
from agent.enrolment import Enrolment
from agent.service import OTHER_MACHINE, RETRY, UNANSWERED, Service, Stop
from snmp.engine import steady

GRANTED = {
    "device": "pc-1", "unit": "xa", "unit_name": "Xã An Lâm", "user": "hd-1.1", "auth": "SHA-256", "auth_secret": "a" * 20,
    "priv": "AES-128", "priv_secret": "p" * 20, "token": "t" * 20, "collectors": ["127.0.0.1:9162"], "interval": 600,
    "check_in": 3600, "time": 1_800_000_000.5,
}  # fmt: skip


@contextmanager
def answering(answer: bytes, status: int = 200) -> Iterator[str]:
    """Somebody at an address who says this to every question."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *words: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


def enrolled(directory: Path, url: str) -> Enrolment:
    made = enrol._enrolment(GRANTED, url, "", "", enrol.identity.said(enrol.source().interfaces()), str(directory))
    enrolment.save(str(directory), made)
    return made


@pytest.mark.parametrize(
    ("odd", "words"),
    [
        (b"<html>Cong thong tin</html>", "not as a collector of"),
        (b"[" * 100_000, "not as a collector of"),
        (b'{"device": "pc-1"}', "its answer lacks unit, unit_name"),
        ({"collectors": ["10.1.2.3"]}, "names '10.1.2.3' as the place for reports"),
        ({"collectors": ["10.1.2.3:http"]}, "as the place for reports"),
        ({"collectors": ["10.1.2.3:99999"]}, "expected a collector's address and port"),
        ({"collectors": ["10.1.2.3:9162"] * 2}, "is given 2 times"),
        ({"interval": 0}, "expected a whole number from 1"),
        ({"auth": "ROT-13"}, "expected an authentication protocol"),
        ({"user": "x" * 40}, "expected at most 32"),
    ],
)
def test_an_odd_answer_is_the_agents_trouble_and_changes_nothing(tmp_path: Path, odd: object, words: str) -> None:
    """Whatever answers instead of a collector, the agent keeps its keys, says what it found, and asks again."""
    answer = odd if isinstance(odd, bytes) else json.dumps({**GRANTED, **odd}).encode()  # type: ignore[dict-item]
    with answering(answer) as url:
        before = enrolled(tmp_path, url)
        status = enrol.check_in(str(tmp_path), 32473)
    assert enrolment.load(str(tmp_path)) == before and words in enrol.standing_of(str(tmp_path)).trouble
    assert status == UNANSWERED


@pytest.mark.parametrize(("asked", "kept"), [(0, 60), (-5, 60), (10**400, 7 * 86400)])
def test_a_check_in_is_never_too_soon_nor_too_late(tmp_path: Path, asked: int, kept: int) -> None:
    """Whatever number of seconds a collector names, the agent asks at most once a minute and at least once a week."""
    with answering(json.dumps({**GRANTED, "check_in": asked, "time": float("nan")}).encode()) as url:
        enrolled(tmp_path, url)
        assert enrol.check_in(str(tmp_path), 32473) == 0
    known = enrolment.load(str(tmp_path))
    assert known is not None and known.check_in_seconds == kept


@pytest.mark.parametrize(("status", "exits"), [(401, 0), (403, 0), (404, 0), (429, UNANSWERED), (503, UNANSWERED)])
def test_a_refusal_is_an_answer_and_being_busy_is_none(tmp_path: Path, status: int, exits: int) -> None:
    """Who is told that it was revoked need not ask again soon; who is told to come later does."""
    with answering(b'{"error": "said in words"}', status) as url:
        enrolled(tmp_path, url)
        assert enrol.check_in(str(tmp_path), 32473) == exits
    assert "said in words" in enrol.standing_of(str(tmp_path)).trouble


def test_nobody_there_is_no_answer(tmp_path: Path) -> None:
    """A machine without its network yet asks again, and says meanwhile what it lacks."""
    enrolled(tmp_path, f"http://127.0.0.1:{peers.free_port()}")
    assert enrol.check_in(str(tmp_path), 32473) == UNANSWERED
    assert "no collector answers there" in enrol.standing_of(str(tmp_path)).trouble


def test_of_a_name_with_several_addresses_the_one_in_use_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name service that turns addresses round at every question does not make the agent begin anew every hour."""
    order = ["10.1.2.3", "10.1.2.4"]
    monkeypatch.setattr(enrol.socket, "getaddrinfo", lambda *words: [(0, 0, 0, "", (one, 0)) for one in order])
    named = {**GRANTED, "collectors": ["collector.example.vn:9162"]}
    monkeypatch.setattr(enrol.Portal, "ask", lambda *words: named)
    enrol.enrol(str(tmp_path), "https://collector.example.vn", "0000-0000-0000", "", "")
    before = enrolment.load(str(tmp_path))
    assert before is not None and before.pushes[0].to == ("10.1.2.3", 9162)
    order.reverse()
    assert enrol.check_in(str(tmp_path), 32473) == 0 and enrolment.load(str(tmp_path)) == before
    order.remove("10.1.2.3")
    enrol.check_in(str(tmp_path), 32473)
    after = enrolment.load(str(tmp_path))
    assert after is not None and after.pushes[0].to == ("10.1.2.4", 9162)


class Ended:
    """A child that has ended."""

    def __init__(self, status: int) -> None:
        self.status = status

    def poll(self) -> int | None:
        return self.status

    def kill(self) -> None:
        pass

    def wait(self) -> int:
        return self.status


@pytest.fixture
def check_ins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[float, int], list[float]]]:
    """An agent's check-ins for so many seconds, which all end with a status: the seconds between them."""
    enrolled(tmp_path, "http://127.0.0.1:1")
    started: list[str] = []
    ends = [0]

    def start(arguments: list[str]) -> Ended:
        started.append(arguments[0])
        return Ended({"check-in": ends[0], "identity": OTHER_MACHINE}.get(arguments[0], 0))

    monkeypatch.setattr(child, "start", start)
    service = Service(settings.read({"agent": {"state": str(tmp_path)}}, "agent.toml"), Stop())
    clock = [steady()]
    monkeypatch.setattr("agent.service.steady", lambda: clock[0])

    def run(seconds: float, status: int) -> list[float]:
        ends[0], began, found = status, clock[0], []
        while clock[0] < began + seconds:
            count = started.count("check-in")
            service._tick(clock[0])
            if started.count("check-in") > count:
                found.append(clock[0])
            clock[0] += 5.0
        return [after - before for before, after in pairwise(found)]

    yield run
    service.close()


def test_a_collector_that_does_not_answer_is_asked_again_soon(check_ins: Callable[[float, int], list[float]]) -> None:
    """Half a minute after the first time, ever more seldom, at last as seldom as ever; after an answer all is as usual."""
    between = check_ins(8 * 3600, UNANSWERED)
    assert between[0] <= 1.5 * RETRY + 5 and between[1] <= 3 * RETRY + 5
    assert len([one for one in between if one < 3000]) <= 8 and max(between) <= 3600 * 1.1 + 5
    assert min(check_ins(8 * 3600, 0)[1:]) >= 3600 * 0.9
    assert check_ins(3 * 3600, UNANSWERED)[0] <= 1.5 * RETRY + 5


def test_a_signal_while_the_agent_begins_again_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """New keys make the service begin anew; SIGTERM in just that moment is not lost."""
    enrolled(tmp_path, "http://127.0.0.1:1")
    monkeypatch.setattr(child, "start", lambda arguments: Ended(OTHER_MACHINE if arguments[0] == "identity" else 0))
    told = settings.read({"agent": {"state": str(tmp_path)}}, "agent.toml")
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        stop = Stop()
        service = Service(told, stop)
        service._again = service._ending = True  # as when the enrolment is found to be another one
        assert service.run()
        os.kill(os.getpid(), signal.SIGTERM)
        assert not Service(told, stop).run()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
