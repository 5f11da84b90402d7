"""The HTTP server: what is served where, to whom and how."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gzip
import json
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import certificates
import fleet
import httpx
import peers
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from starlette.applications import Starlette

from collector.model import Block, Layout, Series, Unit
from config.secrets import Password, Secret, hash_password
from exporters import connections
from exporters.errors import ListenError
from exporters.health import Health
from exporters.http import Server, accepts_gzip
from exporters.prometheus import Pages
from exporters.text import CONTENT_TYPE

PLAIN = {"accept-encoding": "identity"}


def polled() -> Pages:
    """Two units, one with a blank and Vietnamese in its id, a switch in each."""
    pages = Pages([fleet.unit(0), Unit("xã 1", "UBND <xã> 1")], [fleet.device(1), fleet.device(2)])
    pages.described(fleet.device(1), fleet.FACTS)
    pages.polled(fleet.device(1), fleet.UP, fleet.block())
    pages.polled(fleet.device(2), fleet.SILENT, None)
    pages.cycled("xa-0")
    return pages


def serving(ask: Callable[[httpx.AsyncClient], Awaitable[None]], pages: Pages | None = None, **options: Any) -> None:
    """Serve the pages on a free port while `ask` asks."""

    async def run() -> None:
        served = pages or polled()
        server = Server(served, Health(served.numbers), port=0, **options)
        await server.start()
        try:
            async with httpx.AsyncClient(base_url=server.url, verify=False) as client:
                await ask(client)
        finally:
            await server.stop()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("header", "allowed"),
    [
        ("gzip", True), ("deflate, gzip;q=0.5", True), ("GZIP", True), ("*", True), ("x-gzip", True), ("gzip; q=0.001", True),
        ("", False), ("identity", False), ("gzip;q=0", False), ("gzip;q=0.000, *", False), ("br;q=1", False), ("*;q=0", False),
    ],
)  # fmt: skip
def test_gzip_only_for_who_takes_it(header: str, allowed: bool) -> None:
    """Accept-Encoding is read with its qualities."""
    assert accepts_gzip(header) is allowed


def test_a_units_page_comes_plain_or_compressed() -> None:
    """The same text either way, with the format's content type, and only its head for HEAD."""

    async def ask(client: httpx.AsyncClient) -> None:
        plain = await client.get("/metrics/xa-0", headers=PLAIN)
        assert plain.status_code == 200
        assert plain.headers["content-type"] == CONTENT_TYPE
        assert "content-encoding" not in plain.headers
        assert 'haidang_interface_up{device="sw1",interface="eth0"} 1 1763884800000' in plain.text
        packed = await client.get("/metrics/xa-0", headers={"accept-encoding": "gzip"})
        assert packed.headers["content-encoding"] == "gzip"
        assert packed.text == plain.text
        head = await client.head("/metrics/xa-0")
        assert (head.status_code, head.content) == (200, b"")

    serving(ask)


def test_health_and_states_stand_on_the_collectors_own_page() -> None:
    """/metrics has the collector's health and every device's state, and no polled value."""

    async def ask(client: httpx.AsyncClient) -> None:
        for headers in (PLAIN, {"accept-encoding": "gzip"}):
            page = (await client.get("/metrics", headers=headers)).text
            assert 'haidang_device_state{device="sw1",unit="xa-0",state="up"} 1\n' in page
            assert 'haidang_device_state{device="sw2",unit="xa-0",state="silent"} 1\n' in page
            assert "haidang_collector_units 2.0" in page
            assert "process_cpu_seconds_total" in page
            assert "haidang_interface_up" not in page
            assert peers.metrics_errors(page) == []
        head = await client.head("/metrics")
        assert (head.status_code, head.content) == (200, b"")

    serving(ask)


def test_the_page_of_all_holds_health_and_all_units() -> None:
    """/metrics/all is everything in one valid page, as a single gzip member for who takes gzip."""

    async def ask(client: httpx.AsyncClient) -> None:
        plain = await client.get("/metrics/all", headers=PLAIN)
        assert peers.metrics_errors(plain.text) == []
        for text in ("haidang_collector_units", 'haidang_unit_info{unit="xã 1"', "haidang_interface_up{"):
            assert text in plain.text
        packed = await client.get("/metrics/all", headers={"accept-encoding": "gzip"})
        assert packed.headers["content-encoding"] == "gzip"
        assert packed.text.count("\n") == plain.text.count("\n")

    serving(ask)


def test_discovery_leads_to_every_units_page() -> None:
    """Each group's target and path give that unit's page; the target is the host Prometheus asked."""

    async def ask(client: httpx.AsyncClient) -> None:
        answer = await client.get("/sd/prometheus")
        assert answer.headers["content-type"] == "application/json"
        groups = answer.json()
        assert [group["labels"]["unit"] for group in groups] == ["xa-0", "xã 1"]
        for group in groups:
            labels = group["labels"]
            page = await client.get(f"{labels['__scheme__']}://{group['targets'][0]}{labels['__metrics_path__']}")
            assert f'haidang_unit_info{{unit="{labels["unit"]}"' in page.text
        other = await client.get("/sd/prometheus", headers={"host": "collector.tinh.example:9715"})
        assert other.json()[0]["targets"] == ["collector.tinh.example:9715"]
        odd = await client.get("/sd/prometheus", headers={"host": 'x"><script>'})
        assert odd.json()[0]["targets"] == groups[0]["targets"]

    serving(ask)


def test_an_unknown_unit_is_a_clear_404() -> None:
    """The answer names the unit and says where the units are listed; other addresses and methods are refused."""

    async def ask(client: httpx.AsyncClient) -> None:
        for path in ("/metrics/nowhere", "/?unit=nowhere"):
            answer = await client.get(path)
            assert answer.status_code == 404
            assert answer.text == "nowhere: the settings have no such unit; / lists them\n"
        assert (await client.get("/metrics/xa-0/more")).status_code == 404
        assert (await client.get("/other")).status_code == 404
        assert (await client.post("/metrics/xa-0")).status_code == 405
        assert (await client.delete("/")).status_code == 405

    serving(ask)


def test_health_tells_what_ails() -> None:
    """/health is 200 with counts, and 503 with the reasons when the collector is not well."""
    ailments: list[str] = []

    async def ask(client: httpx.AsyncClient) -> None:
        answer = await client.get("/health")
        assert answer.status_code == 200
        found = answer.json()
        assert (found["status"], found["units"], found["values"], found["devices"]["up"]) == ("ok", 2, 5, 1)
        ailments.append("no cycle ended for 10 minutes")
        answer = await client.get("/health")
        assert answer.status_code == 503
        assert answer.json()["reasons"] == ["no cycle ended for 10 minutes"]

    serving(ask, ailments=lambda: ailments)


def test_the_overview_speaks_vietnamese_and_english() -> None:
    """Units and devices with what they are, their states and reasons, text escaped, nothing from elsewhere."""

    async def ask(client: httpx.AsyncClient) -> None:
        vietnamese = await client.get("/")
        assert '<html lang="vi">' in vietnamese.text
        assert "Không trả lời" in vietnamese.text
        assert "UBND &lt;xã&gt; 1" in vietnamese.text
        assert "default-src 'none'" in vietnamese.headers["content-security-policy"]
        english = await client.get("/", params={"lang": "en", "unit": "xa-0"})
        assert "no answer to 3 requests within 2 s" in english.text
        assert "Silent" in english.text
        assert "125.0 ms" in english.text
        assert "<td>switch</td><td>Cisco WS-C2960</td>" in english.text
        unit = await client.get("/", params={"unit": "xa-0"})
        assert "<td>Bộ chuyển mạch</td><td>Cisco WS-C2960</td>" in unit.text and "125,0 ms" in unit.text
        assert "23/11/2025 15:00:00" in english.text  # 08:00 UTC
        assert 'Không nhận được trả lời<br><small lang="en">no answer to 3 requests' in unit.text
        assert "http://" not in vietnamese.text + english.text

    serving(ask)


@dataclass
class Reader:
    """A user as the settings give one."""

    name: str
    password: Secret | Password


USERS = (Reader("prometheus", Password(hash_password("Mật khẩu"))), Reader("admin", Secret("plain:text")))


def test_users_have_to_say_who_they_are() -> None:
    """With users every page asks for name and password, right ones open it, and wrong ones learn nothing."""

    async def ask(client: httpx.AsyncClient) -> None:
        for path in ("/", "/metrics", "/metrics/xa-0", "/metrics/all", "/sd/prometheus", "/health", "/other"):
            answer = await client.get(path)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"].startswith("Basic ")
        for name, secret in (("prometheus", "Mật khẩu"), ("admin", "plain:text"), ("prometheus", "Mật khẩu")):
            answer = await client.get("/metrics/xa-0", headers={"authorization": _basic(name, secret)})
            assert answer.status_code == 200
        for name, secret in (("prometheus", "mật khẩu"), ("admin", "Mật khẩu"), ("nobody", "Mật khẩu"), ("", "")):
            assert (await client.get("/health", headers={"authorization": _basic(name, secret)})).status_code == 401
        for header in ("Basic", "Basic !!!", "Basic YQ==", b"Basic \xff\xfe", "Bearer YTpi", "Basic " + "A" * 4000):
            assert (await client.get("/health", headers={"authorization": header})).status_code == 401

    serving(ask, users=USERS)


def test_guessers_wait_in_a_short_queue_and_nobody_else_does() -> None:
    """While many passwords are checked, who was let in before is served at once, and too many guesses are sent away."""

    async def ask(client: httpx.AsyncClient) -> None:
        known = {"authorization": _basic("prometheus", "Mật khẩu")}
        assert (await client.get("/health", headers=known)).status_code == 200
        guesses = [
            asyncio.create_task(client.get("/health", headers={"authorization": _basic("prometheus", f"guess {i}")}))
            for i in range(30)
        ]
        assert (await client.get("/health", headers=known)).status_code == 200
        codes = [answer.status_code for answer in await asyncio.gather(*guesses)]
        assert set(codes) == {401, 503}

    serving(ask, users=USERS)


def test_users_of_settings_read_again_count_at_once() -> None:
    """Who was let in before is asked again."""

    async def run() -> None:
        pages = polled()
        server = Server(pages, Health(), port=0, users=USERS)
        await server.start()
        async with httpx.AsyncClient(base_url=server.url) as client:
            header = {"authorization": _basic("admin", "plain:text")}
            assert (await client.get("/health", headers=header)).status_code == 200
            server.admit([USERS[0]])
            assert (await client.get("/health", headers=header)).status_code == 401
            server.admit([])
            assert (await client.get("/health")).status_code == 200
        await server.stop()

    asyncio.run(run())


def _basic(name: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()


@pytest.fixture
def identity(tmp_path: Path) -> tuple[Path, Path]:
    """A self-signed certificate for loopback and its key."""
    certificates.make(tmp_path)
    return tmp_path / "certificate.pem", tmp_path / "key.pem"


def test_pages_over_tls(identity: tuple[Path, Path]) -> None:
    """With a certificate the pages are served over TLS, and discovery says so."""
    certificate, key = identity

    async def run() -> None:
        pages = polled()
        server = Server(pages, Health(), port=0, certificate=certificate, key=key)
        await server.start()
        assert server.url.startswith("https://127.0.0.1:")
        trusted = ssl.create_default_context(cafile=str(certificate))
        async with httpx.AsyncClient(base_url=server.url, verify=trusted) as client:
            assert (await client.get("/sd/prometheus")).json()[0]["labels"]["__scheme__"] == "https"
        await server.stop()

    asyncio.run(run())


def test_a_certificate_is_renewed_without_a_restart(
    identity: tuple[Path, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A certificate that was replaced is shown to new connections when settings are read again; one that does not fit its key is
    named in the log, and the one before stays; one with another key is said to be another one for agents that pin."""
    certificate, key = identity

    async def shown(port: int) -> str:
        pem = await asyncio.to_thread(ssl.get_server_certificate, ("127.0.0.1", port))
        return ssl.PEM_cert_to_DER_cert(pem).hex()

    async def run() -> None:
        pages = polled()
        server = Server(pages, Health(), port=0, certificate=certificate, key=key, agents=Starlette())
        await server.start()
        port = int(server.url.rstrip("/").rpartition(":")[2])
        before = await shown(port)
        certificates.make(tmp_path, renewed=True)
        server.renew()
        first = await shown(port)
        assert first != before and not caplog.records
        own = key.read_bytes()
        certificates.make(tmp_path)
        fresh = key.read_bytes()
        key.write_bytes(own)
        server.renew()
        assert await shown(port) == first and "certificate refused" in caplog.text
        assert "another key" not in caplog.text
        key.write_bytes(fresh)
        server.renew()
        assert await shown(port) != first and "agents that pin the one before cannot ask" in caplog.text
        await server.stop()

    asyncio.run(run())


@pytest.mark.parametrize("broken", ["missing", "not PEM", "another key", "encrypted"])
def test_a_certificate_that_cannot_be_used_is_named(identity: tuple[Path, Path], broken: str) -> None:
    """One error that names the files; nothing listens afterwards, and no terminal is asked for a password."""
    certificate, key = identity
    if broken == "missing":
        key.unlink()
    elif broken == "not PEM":
        certificate.write_text("certificate")
    else:
        other = ec.generate_private_key(ec.SECP256R1())
        encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
        if broken == "encrypted":
            encryption = serialization.BestAvailableEncryption(b"secret")
        key.write_bytes(other.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption))
    port = peers.free_port()

    async def run() -> None:
        with pytest.raises(ListenError, match=r"key\.pem"):
            await Server(polled(), Health(), port=port, certificate=certificate, key=key).start()
        socket.create_server(("127.0.0.1", port)).close()

    asyncio.run(run())


def test_an_address_that_cannot_be_had_is_named() -> None:
    """A taken port and a foreign address give an error with host, port and reason."""

    async def run() -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            with pytest.raises(ListenError, match=r"port .*in use"):
                await Server(polled(), Health(), port=taken.getsockname()[1]).start()
            with pytest.raises(ListenError, match=r"192\.0\.2\.1"):
                await Server(polled(), Health(), host="192.0.2.1", port=0).start()

    asyncio.run(run())


def test_loopback_over_ipv6() -> None:
    """An IPv6 address works and stands in brackets."""
    peers.require_ipv6()

    async def run() -> None:
        server = Server(polled(), Health(), host="::1", port=0)
        await server.start()
        assert server.url.startswith("http://[::1]:")
        async with httpx.AsyncClient(base_url=server.url) as client:
            assert (await client.get("/sd/prometheus")).json()[0]["targets"] == [server.address]
        await server.stop()

    asyncio.run(run())


def test_a_large_page_of_all_lets_others_work() -> None:
    """While 250,000 samples are handed out, the event loop is never kept for long."""
    series = [Series("haidang_interface_up", (("interface", str(i)),)) for i in range(500)]
    layout = Layout(series)
    values = tuple(range(500))

    async def run() -> None:
        pages = Pages([fleet.unit(i) for i in range(50)])
        for i in range(500):
            pages.polled(fleet.device(i, i % 50), fleet.UP, Block(layout, values, fleet.NOW))
        for i in range(50):
            pages.cycled(f"xa-{i}")
        while pages.busy:
            await asyncio.sleep(0)
        server = Server(pages, Health(), port=0)
        await server.start()
        longest = 0.0  # of this thread's own seconds, whatever else the machine does
        bodies: list[bytes] = []

        def fetch(encoding: str) -> None:
            request = urllib.request.Request(f"{server.url}metrics/all", headers={"Accept-Encoding": encoding})
            with urllib.request.urlopen(request, timeout=60) as answer:
                bodies.append(answer.read())

        for encoding in ("identity", "gzip"):
            asking = asyncio.create_task(asyncio.to_thread(fetch, encoding))
            last = time.thread_time()
            while not asking.done():
                await asyncio.sleep(0)
                longest, last = max(longest, time.thread_time() - last), time.thread_time()
            await asking
        await server.stop()
        assert bodies[0].count(b"\n") > 250_000
        assert gzip.decompress(bodies[1]).count(b"haidang_interface_up{") == 250_000
        assert longest < 0.5  # 50 ms is the bar of the bench

    asyncio.run(run())


def test_stopping_does_not_wait_for_a_slow_reader() -> None:
    """A connection kept open delays the end by no more than the seconds it has; else it would never come."""

    async def run() -> None:
        pages = polled()
        server = Server(pages, Health(), port=0)
        await server.start()
        host, port = server.address.split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert json.loads((await reader.readuntil(b"}}")).partition(b"\r\n\r\n")[2])["status"] == "ok"
        async with asyncio.timeout(60):
            await server.stop()
        writer.close()

    asyncio.run(run())


def test_an_endless_header_is_refused() -> None:
    """A client that sends headers without end is answered with an error and cut off."""

    async def ask(client: httpx.AsyncClient) -> None:
        try:
            answer = await client.get("/health", headers={"x": "y" * 200_000})
        except httpx.TransportError:  # cut off before it had read the answer
            pass
        else:
            assert answer.status_code == 400
        assert (await client.get("/health")).status_code == 200

    serving(ask)


def test_who_takes_connections_and_asks_nothing_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a request is waited for seconds, not for ever; idle connections and whole requests are left alone."""
    monkeypatch.setattr(connections, "ASKING", 1.0)

    async def ask(client: httpx.AsyncClient) -> None:
        host, port = client.base_url.host, client.base_url.port
        assert (await client.get("/health")).status_code == 200
        opened = [await asyncio.open_connection(host, port) for _ in range(20)]
        for i, (_, writer) in enumerate(opened):
            writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-A: " if i % 2 else b"")
        cut = await asyncio.wait_for(asyncio.gather(*(reader.read() for reader, _ in opened), return_exceptions=True), 60)
        assert all(found == b"" or isinstance(found, ConnectionError) for found in cut)
        before = await _idle_then(client)
        assert before.status_code == 200

    async def _idle_then(client: httpx.AsyncClient) -> httpx.Response:
        reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
        for _ in range(2):  # the second one after more than a request may take
            writer.write(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60)
            assert head.startswith(b"HTTP/1.1 200")
            await reader.readexactly(int(next(line for line in head.lower().split(b"\r\n") if b"content-length" in line)[15:]))
            await asyncio.sleep(1.5)
        writer.close()
        return await client.get("/health")

    serving(ask)


def test_who_does_not_take_the_answer_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that stops in the middle of a large page does not hold it for ever."""
    monkeypatch.setattr(connections, "READING", 0.5)
    pages = Pages([fleet.unit(0)], [fleet.device(1)])
    series = tuple(Series("haidang_interface_up", (("interface", f"port {i} " + "x" * 200),)) for i in range(60_000))
    pages.polled(fleet.device(1), fleet.UP, Block(Layout(series), [1] * len(series), 1.0))

    async def ask(client: httpx.AsyncClient) -> None:
        pages.cycled("xa-0")
        while pages.busy:
            await asyncio.sleep(0)
        reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port, limit=1024)
        writer.write(b"GET /metrics/all HTTP/1.1\r\nHost: x\r\n\r\n")
        assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
        await asyncio.sleep(2.5)
        got = b""
        with contextlib.suppress(ConnectionError):
            while piece := await asyncio.wait_for(reader.read(1 << 20), 60):
                got += piece
        assert not got.endswith(b"0\r\n\r\n")
        writer.close()

    serving(ask, pages)


def test_one_address_cannot_take_all_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond its share an address is turned away at once, and the others are served."""
    monkeypatch.setattr(connections, "MOST_FROM_ONE", 10)

    async def ask(client: httpx.AsyncClient) -> None:
        host, port = client.base_url.host, client.base_url.port
        opened = [await asyncio.open_connection(host, port) for _ in range(10)]
        reader, _ = await asyncio.open_connection(host, port)
        with contextlib.suppress(ConnectionError):
            assert await asyncio.wait_for(reader.read(), 60) == b""
        elsewhere = await asyncio.open_connection(host, port, local_addr=("127.0.0.2", 0))
        elsewhere[1].write(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert await asyncio.wait_for(elsewhere[0].readline(), 60) == b"HTTP/1.1 200 OK\r\n"
        opened[0][1].write(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert await asyncio.wait_for(opened[0][0].readline(), 60) == b"HTTP/1.1 200 OK\r\n"
        for _, writer in (*opened, elsewhere):
            writer.close()

    serving(ask)
