"""Where agents ask over HTTP: what they get, and what strangers get."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import time as clock
from pathlib import Path
from typing import Any

import httpx
import pytest

from collector.estate.agents import Agents
from config import settings
from config.agents import Hours
from config.settings import Settings
from exporters.agents import FAILURES, FORGIVEN, LARGEST, Desk, Failures
from exporters.health import Health
from exporters.http import Server
from exporters.prometheus import Pages

TEXT = """
[agents]
listen = "127.0.0.1:9162"
collectors = ["10.1.2.3:9162", "10.1.2.4:9162"]
interval = "5m"
line_test_bytes = 40000
line_test_seconds = "30s"
[[unit]]
id = "xa"
name = "Xã An Lâm"
bandwidth = "8 Mbit/s"
"""
MACHINE = {"serial": ["7XK2LM3"], "mac": ["001b21010203"], "name": ["KETOAN-01"]}
Ask = Callable[[httpx.AsyncClient], Awaitable[None]]


class Office:
    """A collector's web server with the pages for agents."""

    def __init__(self, found: Settings, agents: Agents) -> None:
        self.settings = found
        self.agents = agents
        self.changes = 0

    def changed(self) -> None:
        self.changes += 1

    def serve(self, ask: Ask) -> None:
        """Serve while `ask` asks."""

        async def run() -> None:
            pages = Pages()
            desk = Desk(self.agents, lambda: self.settings, self.changed)
            server = Server(pages, Health(pages.numbers), port=0, agents=desk.app)
            await server.start()
            try:
                async with httpx.AsyncClient(base_url=server.url) as client:
                    await ask(client)
            finally:
                await server.stop()

        asyncio.run(run())

    def code(self, count: int = 1) -> str:
        """A code of the unit xa."""
        return self.agents.invite("xa", count, time.time() + 60, "An", time.time())[0]


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    path = tmp_path / "haidang.toml"
    path.write_text(TEXT)
    found = settings.read(path)
    agents = Agents.open(found)
    yield Office(found, agents)
    agents.close()


async def enrolled(client: httpx.AsyncClient, code: str, **more: Any) -> dict[str, Any]:
    answer = await client.post("/agents/enrol", json={"code": code, "machine": MACHINE, "version": "1.0", **more})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def checked_in(client: httpx.AsyncClient, grant: dict[str, Any], **more: Any) -> httpx.Response:
    question = {"machine": MACHINE, "version": "1.0", "platform": "linux-x86_64", **more}
    return await client.post("/agents/check-in", json=question, auth=(grant["user"], grant["token"]))


async def dripped(client: httpx.AsyncClient, path: str, authorization: str) -> bytes:
    """The answer to a body that comes octet by octet and never ends."""
    reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {authorization}\r\nContent-Length: 1000\r\n\r\n"
    writer.write(head.encode())

    async def drip() -> None:
        while True:
            writer.write(b" ")
            await asyncio.sleep(0.01)

    dripping = asyncio.create_task(drip())
    try:
        return await asyncio.wait_for(reader.readuntil(b"}"), 60)
    finally:
        dripping.cancel()
        writer.close()


def test_enrolling_and_asking(office: Office) -> None:
    """A code gets an agent its place, its secrets and what the settings say; asking later gets the same, and the time."""

    async def ask(client: httpx.AsyncClient) -> None:
        grant = await enrolled(client, office.code())
        told = (grant["device"], grant["unit"], grant["unit_name"], grant["interval"], grant["collectors"])
        assert told == ("ketoan-01", "xa", "Xã An Lâm", 300, ["10.1.2.3:9162", "10.1.2.4:9162"])
        assert abs(grant["time"] - time.time()) < 60
        assert office.changes == 1
        again = (await checked_in(client, grant)).json()
        assert {key: again[key] for key in grant if key != "time"} == {key: grant[key] for key in grant if key != "time"}
        assert office.changes == 1

    office.serve(ask)


def test_new_keys_come_with_the_next_question(office: Office) -> None:
    """After a rotation an agent gets new secrets when it asks; used once they are the only ones that open."""

    async def ask(client: httpx.AsyncClient) -> None:
        old = await enrolled(client, office.code())
        office.agents.rotate(office.agents.find(["ketoan-01"]))
        new = (await checked_in(client, old)).json()
        assert new["user"] != old["user"] and new["auth_secret"] != old["auth_secret"]
        assert office.changes == 2, "whoever receives learns of the new keys before they are used"
        assert (await checked_in(client, new)).status_code == 200
        assert office.changes == 3
        refused = await checked_in(client, old)
        assert refused.status_code == 401 and "replaced by newer ones" in refused.json()["error"]

    office.serve(ask)


def test_revoked_agents_are_told_so(office: Office) -> None:
    """A revoked agent gets 401 and hears by whom; so does one that was never known."""

    async def ask(client: httpx.AsyncClient) -> None:
        grant = await enrolled(client, office.code())
        office.agents.revoke(office.agents.find(["ketoan-01"]), "An", time.time())
        answer = await checked_in(client, grant)
        assert answer.status_code == 401 and "revoked by An" in answer.json()["error"]
        for auth in (None, ("x", "y"), ("hd-x.1", "y")):
            answer = await client.post("/agents/check-in", json={}, auth=auth)
            assert answer.status_code == 401 and "not known here" in answer.json()["error"]

    office.serve(ask)


def test_a_copy_gets_keys_of_its_own(office: Office) -> None:
    """A machine that says its disk is a copy becomes a device of its own, with the origin's keys untouched."""

    async def ask(client: httpx.AsyncClient) -> None:
        grant = await enrolled(client, office.code())
        other = {"serial": ["OTHER12"], "mac": ["001b21998877"], "name": ["KETOAN-01"]}
        copy = (await checked_in(client, grant, copied=True, machine=other)).json()
        assert copy["device"] == "ketoan-01-2" and copy["user"] != grant["user"]
        assert office.changes == 2
        assert (await checked_in(client, grant)).json()["device"] == "ketoan-01"

    office.serve(ask)


def test_a_machine_shows_the_keys_it_has(office: Office) -> None:
    """A machine that enrols again with its keys stays the device it was; with void ones it is taken for what it says it is; and
    keys whose place another one took open the check-in that gives it back, but neither the line nor a copy."""

    async def ask(client: httpx.AsyncClient) -> None:
        old = await enrolled(client, office.code())
        await checked_in(client, old)
        auth = old["user"], old["token"]
        again = await client.post("/agents/enrol", json={"code": office.code(), "machine": MACHINE}, auth=auth)
        assert again.json()["device"] == "ketoan-01" and "enrolled again" in again.json()["note"]
        void = await client.post("/agents/enrol", json={"code": office.code(), "machine": {}}, auth=auth)
        assert void.json()["device"] == "agent"
        taken = await enrolled(client, office.code(), machine=MACHINE)
        assert taken["device"] == "ketoan-01", "nothing shows that the one before is at work"
        kept = again.json()
        assert (await client.get("/agents/line", auth=(kept["user"], kept["token"]))).status_code == 401
        copy = await checked_in(client, kept, copied=True)
        assert copy.status_code == 403 and "enrolled again since" in copy.json()["error"]
        changes = office.changes
        assert (await checked_in(client, kept)).json()["device"] == "ketoan-01"
        assert office.changes == changes + 1
        assert (await checked_in(client, taken)).json()["device"] == "ketoan-01-2"

    office.serve(ask)


def test_guessing_codes_is_slow(office: Office) -> None:
    """After some wrong codes an address must wait, even with a right one; the answer says so."""

    async def ask(client: httpx.AsyncClient) -> None:
        for _ in range(int(FAILURES)):
            answer = await client.post("/agents/enrol", json={"code": "0000-0000-0000"})
            assert answer.status_code == 403 and "no such code" in answer.json()["error"]
        answer = await client.post("/agents/enrol", json={"code": office.code()})
        assert answer.status_code == 429 and answer.headers["retry-after"]

    office.serve(ask)


def test_failures_are_forgiven_and_forgotten() -> None:
    """Each failure is forgiven after a while, and no number of addresses fills the memory."""
    now = 0.0
    failures = Failures(lambda: now)
    for _ in range(FAILURES):
        failures.add("10.0.0.1")
    assert failures.many("10.0.0.1") and not failures.many("10.0.0.2")
    now = FORGIVEN
    assert not failures.many("10.0.0.1")
    for number in range(10_000):
        failures.add(f"10.1.{number >> 8}.{number & 255}")
    assert len(failures._tried) < 5000


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b"", 400, "not JSON"), (b"[]", 400, "no JSON object"), (b"\xff\xfe", 400, "not JSON"), (b"[" * 30_000, 400, "not JSON"),
        (b'{"code": 7}', 400, "code is no short text"), (b'{"machine": []}', 400, "machine is no JSON object"),
        (b'{"machine": {"mac": "x"}}', 400, "mac is no list"), (b'{"machine": {"mac": [1]}}', 400, "mac is no list"),
        (b" " * (LARGEST + 1), 413, "more than"),
    ],
)  # fmt: skip
def test_what_is_no_question_is_refused(office: Office, body: bytes, status: int, message: str) -> None:
    """A body that is too long, no JSON or of the wrong form is refused in words, and costs the code nothing."""

    async def ask(client: httpx.AsyncClient) -> None:
        answer = await client.post("/agents/enrol", content=body)
        assert answer.status_code == status and message in answer.json()["error"]
        assert (await client.get("/agents/enrol")).status_code == 405
        assert (await client.get("/agents/nothing")).status_code == 404

    office.serve(ask)


def test_the_line_is_tested_with_leave_only(office: Office) -> None:
    """A check-in gives leave when a test is due; then the line can be measured both ways, within the settings' bounds."""

    async def ask(client: httpx.AsyncClient) -> None:
        grant = await enrolled(client, office.code())
        auth = (grant["user"], grant["token"])
        answer = await client.get("/agents/line", auth=auth)
        assert answer.status_code == 403 and "no test of the line is due" in answer.json()["error"]
        leave = (await checked_in(client, grant)).json()["line_test"]
        assert leave == {"seconds": 30.0, "bytes": 20_000, "rate": 8_000_000}
        assert "line_test" not in (await checked_in(client, grant)).json()
        assert len((await client.get("/agents/line", auth=auth)).content) == 20_000

        async def pieces() -> Any:
            for _ in range(4):
                yield b"x" * 5000
                await asyncio.sleep(0.01)

        told = (await client.post("/agents/line", content=pieces(), auth=auth)).json()
        assert 0 < told["bytes"] < 20_000 and told["seconds"] > 0
        for method in ("GET", "POST"):
            answer = await client.request(method, "/agents/line", content=b"x" * 100, auth=auth)
            assert answer.status_code == 403 and "tested this way already" in answer.json()["error"]
        assert (await client.get("/agents/line")).status_code == 401

    office.serve(ask)


def test_the_line_tests_budget_holds(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """An agent that sends more than it has leave for, or does not end, is cut off, and the line is free for others again."""
    async def ask(client: httpx.AsyncClient) -> None:
        every = replace(office.settings.agents, line_test_every=0.001)
        office.settings = replace(office.settings, agents=every)
        grant = await enrolled(client, office.code())
        auth = grant["user"], grant["token"]
        assert (await checked_in(client, grant)).json()["line_test"]
        answer = await client.post("/agents/line", content=b"x" * 100_000, auth=auth)
        assert answer.status_code == 413 and "larger than was allowed" in answer.json()["error"]
        assert (await checked_in(client, grant)).json()["line_test"]
        monkeypatch.setattr("exporters.line._LATE", 0.01)
        header = "Basic " + base64.b64encode(":".join(auth).encode()).decode()
        assert b"took longer than was allowed" in await dripped(client, "/agents/line", header)
        assert (await checked_in(client, grant)).json()["line_test"]
        assert len((await client.get("/agents/line", auth=auth)).content) == 20_000

    office.serve(ask)


def test_leave_that_is_not_used_goes_to_another(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """An agent that takes leave to test the line and does not test it keeps its unit without a figure for a quarter of an hour
    only, and gets no leave again before the others had theirs."""

    async def ask(client: httpx.AsyncClient) -> None:
        lazy, able = [await enrolled(client, office.code(), machine={"mac": [f"001b2101000{n}"]}) for n in (1, 2)]
        assert (await checked_in(client, lazy)).json()["line_test"]
        assert "line_test" not in (await checked_in(client, able)).json()
        monkeypatch.setattr("exporters.line.GRANTED", -1.0)
        assert "line_test" not in (await checked_in(client, lazy)).json()
        assert (await checked_in(client, able)).json()["line_test"]
        assert "line_test" not in (await checked_in(client, lazy)).json()

    office.serve(ask)


def test_a_unit_that_is_gone_is_said(office: Office) -> None:
    """The agent of a unit that the settings no longer have hears that its reports are not taken, and tests no line."""

    async def ask(client: httpx.AsyncClient) -> None:
        grant = await enrolled(client, office.code())
        office.settings = replace(office.settings, units={})
        told = (await checked_in(client, grant)).json()
        assert told["trouble"] == "the collector's settings have no unit xa: it takes no reports" and "line_test" not in told

    office.serve(ask)


def test_a_slow_question_ends(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who sends a question octet by octet is told to stop after a while."""
    monkeypatch.setattr("exporters.agents.ASKING", 0.2)

    async def ask(client: httpx.AsyncClient) -> None:
        assert b"did not arrive within" in await dripped(client, "/agents/enrol", "")

    office.serve(ask)


@pytest.mark.parametrize(
    "request_",
    [
        b"POST /agents/enrol HTTP/1.1\r\nHost: [::\r\nContent-Length: 2\r\n\r\n{}",
        b"POST /agents/enrol HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST /agents/enrol HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /agents/enrol HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        b"GET /agents/releases/../../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /agents/releases/%2e%2e%2f%2e%2e%2fetc%2fpasswd HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /agents/../metrics HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /agents//line HTTP/1.1\r\nHost: x\r\nAuthorization: Basic " + b"A" * 3000 + b"\r\n\r\n",
        b"DELETE /agents/line HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /agents/check-in HTTP/1.1\r\nHost: x\r\nAuthorization: Basic \xff\xfe\r\nContent-Length: 2\r\n\r\n{}",
    ],
)  # fmt: skip
def test_garbage_is_refused(office: Office, request_: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """Broken chunks, lengths, hosts, paths that climb and wrong methods are answered with a 400 or its like; nothing breaks."""

    async def ask(client: httpx.AsyncClient) -> None:
        reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
        writer.write(request_)
        head = await asyncio.wait_for(reader.readline(), 60)
        assert head.startswith(b"HTTP/1.1 4"), head
        writer.close()
        assert (await enrolled(client, office.code()))["device"]

    office.serve(ask)
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_an_odd_host_is_no_collectors_address(office: Office) -> None:
    """Without collectors in the settings an agent sends to the host it asked; to the server's address when it asked for none."""
    office.settings = replace(office.settings, agents=replace(office.settings.agents, collectors=()))

    async def ask(client: httpx.AsyncClient) -> None:
        here = "127.0.0.1:9162"
        for host, collectors in (("[::", here), ("a b", here), ("[2001:db8::1]:9715", "[2001:db8::1]:9162")):
            question = {"code": office.code(), "machine": MACHINE}
            answer = await client.post("/agents/enrol", json=question, headers={"host": host})
            assert (answer.status_code, answer.json()["collectors"], answer.json()["family"]) == (200, [collectors], 4)

    office.serve(ask)



def test_the_line_is_left_alone_outside_its_hours(office: Office) -> None:
    """Outside the hours of the settings, or with tests switched off, no check-in gives leave."""
    now = time.localtime()
    start = (now.tm_hour + 2) % 24
    hours = Hours(clock(start), clock((start + 1) % 24))

    async def ask(client: httpx.AsyncClient) -> None:
        grant = await enrolled(client, office.code())
        for change in ({"line_test_hours": hours}, {"line_test_every": 0.0}):
            office.settings = replace(office.settings, agents=replace(office.settings.agents, **change))
            assert "line_test" not in (await checked_in(client, grant)).json()

    office.serve(ask)


def test_an_agents_collector_is_where_it_enrolled(office: Office) -> None:
    """Without collectors in the settings agents send to the host they enrolled at, at the port reports come in."""
    office.settings = replace(office.settings, agents=replace(office.settings.agents, collectors=()))

    async def ask(client: httpx.AsyncClient) -> None:
        assert (await enrolled(client, office.code()))["collectors"] == ["127.0.0.1:9162"]

    office.serve(ask)


def test_a_database_that_is_away_is_said(office: Office) -> None:
    """When the inventory cannot be read an agent hears that it should ask later, not that it is unknown."""

    async def ask(client: httpx.AsyncClient) -> None:
        grant = await enrolled(client, office.code())
        database = Path(office.settings.collector.state_directory) / "haidang.db"
        office.agents.close()
        database.rename(database.with_suffix(".away"))
        database.mkdir()
        answer = await checked_in(client, grant)
        assert answer.status_code == 503 and "ask again later" in answer.json()["error"]

    office.serve(ask)
