from __future__ import annotations

import base64
import http.server
import struct
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import cramjam
import pytest
from hypothesis import given
from hypothesis import strategies as st
from peers import Prometheus, fetch, free_port, prometheus, victoria_metrics

from collector.model import Block, Layout, Series
from config.remote_write import RemoteWrite
from config.secrets import Secret
from exporters.remote_write import Samples, Writer, encode, gather

OPTIONS = RemoteWrite("", "haidang", None, None, None, {})


def read(data: bytes) -> list[tuple[int, object]]:
    """A protobuf message's fields (wire types 0, 1 and 2), written apart from the encoder."""
    found: list[tuple[int, object]] = []
    at = 0

    def number() -> int:
        nonlocal at
        value = shift = 0
        while True:
            octet = data[at]
            at += 1
            value |= (octet & 0x7F) << shift
            shift += 7
            if octet < 0x80:
                return value

    while at < len(data):
        key = number()
        if key & 7 == 0:
            found.append((key >> 3, number()))
        elif key & 7 == 1:
            found.append((key >> 3, struct.unpack_from("<d", data, at)[0]))
            at += 8
        else:
            size = number()
            found.append((key >> 3, data[at : at + size]))
            at += size
    return found


def decode(data: bytes) -> Samples:
    """A WriteRequest as Prometheus' remote.proto has it."""
    samples: Samples = {}
    for _, series in read(data):
        assert isinstance(series, bytes)
        fields = read(series)
        labels = tuple(
            (dict(read(text))[1], dict(read(text))[2])  # type: ignore[arg-type]
            for field, text in fields if field == 1
        )  # fmt: skip
        points = [dict(read(point)) for field, point in fields if field == 2]  # type: ignore[arg-type]
        samples[labels] = {point[2]: point[1] for point in points}  # type: ignore[misc]
    return samples


LABEL = st.tuples(st.binary(min_size=1, max_size=20), st.binary(min_size=1, max_size=300))
TIMES = st.dictionaries(st.integers(0, 2**53), st.floats(allow_nan=False), min_size=1, max_size=5)


@given(st.dictionaries(st.lists(LABEL, max_size=5).map(lambda one: tuple(sorted(one))), TIMES, max_size=5))
def test_what_is_encoded_is_what_a_reader_finds(samples: Samples) -> None:
    """Labels, values and times survive, and each series' samples stand in the order of their times."""
    assert decode(encode(samples)) == samples
    assert all(list(points) == sorted(points) for points in decode(encode(samples)).values())


def block(*values: float | None, time: float = 1_800_000_000.25) -> Block:
    series = (
        Series("haidang_device_uptime_seconds"),
        Series("haidang_storage_used_bytes", (("storage", "Dữ\0 liệu"),)),
        Series("haidang_interface_receive_bytes_total", (("interface", "eth0"), ("alias", ""))),
        Series("haidang_no_such_metric"),
    )
    return Block(Layout(series[: len(values)]), values, time)  # type: ignore[arg-type]


def test_series_are_those_of_the_pages() -> None:
    """Names and labels as Prometheus has them after a scrape: sorted, the page's before the target's, empty ones left out, the
    same cuts and replacements; values that are missing or no metric are left out too."""
    found: Samples = {}
    gather(block(5, None, 2.5, 1), {"unit": "xa-1", "job": "haidang", "device": "pc-1", "interface": "of the target"}, found)
    both = ((b"device", b"pc-1"), (b"interface", b"eth0"), (b"job", b"haidang"), (b"unit", b"xa-1"))
    uptime = (b"__name__", b"haidang_device_uptime_seconds")
    assert found[((b"__name__", b"haidang_interface_receive_bytes_total"), *both)] == {1_800_000_000_250: 2.5}
    assert found[(uptime, both[0], (b"interface", b"of the target"), *both[2:])] == {1_800_000_000_250: 5.0} and len(found) == 2
    gather(block(6, 1, time=1_800_000_060), {"device": "pc-1"}, found)
    (text,) = [text for labels in found for name, text in labels if name == b"storage"]
    assert text == "Dữ\ufffd liệu".encode()


def test_counters_wrap_as_on_the_pages() -> None:
    """Where the settings ask for it, counters begin anew at 2^53."""
    found: Samples = {}
    gather(block(1, 1, 2**53 + 5), {}, found, wrap_counters=True)
    assert [list(points.values()) for labels, points in found.items() if b"total" in labels[0][1]] == [[5.0]]


class Storage(http.server.BaseHTTPRequestHandler):
    """Answers what the test says, and remembers what came."""

    status, body = 204, b""
    seen: ClassVar[list[tuple[Mapping[str, str], bytes]]]

    def do_POST(self) -> None:
        type(self).seen.append((dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(self.status)
        self.send_header("Retry-After", "7")
        self.send_header("Location", "http://127.0.0.1:1/")
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture
def storage() -> Iterator[tuple[type[Storage], str]]:
    handler = type("Handler", (Storage,), {"seen": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield handler, f"http://127.0.0.1:{server.server_address[1]}/api/v1/write"
    server.shutdown()
    server.server_close()
    thread.join()


SAMPLES: Samples = {((b"__name__", b"up"),): {1: 1.0}}


def test_the_protocols_headers_and_the_secrets(storage: tuple[type[Storage], str]) -> None:
    """Remote write 1.0's headers, snappy's block format, and what opens the storage: a token, or a user and password."""
    handler, url = storage
    for options, expected in (
        (replace(OPTIONS, url=url), None),
        (replace(OPTIONS, url=url, token=Secret("abc")), "Bearer abc"),
        (replace(OPTIONS, url=url, password=Secret("khẩu")), "Basic " + base64.b64encode("haidang:khẩu".encode()).decode()),
    ):
        writer = Writer(options)
        assert writer.write(SAMPLES).written
        writer.close()
        headers, body = handler.seen.pop()
        assert headers.get("Authorization") == expected
        assert headers["Content-Encoding"] == "snappy" and headers["Content-Type"] == "application/x-protobuf"
        assert headers["X-Prometheus-Remote-Write-Version"] == "0.1.0"
        assert decode(bytes(cramjam.snappy.decompress_raw(body))) == SAMPLES


@pytest.mark.parametrize(
    ("status", "refused"),
    [(400, True), (422, True), (413, True), (401, False), (404, False), (429, False), (500, False), (302, False)],
)
def test_what_an_answer_means(storage: tuple[type[Storage], str], status: int, refused: bool) -> None:
    """Refused are samples only by what speaks of samples: a wrong password or address must cost none."""
    handler, url = storage
    handler.status, handler.body = status, b"out of\nbounds"
    writer = Writer(replace(OPTIONS, url=url))
    answer = writer.write(SAMPLES)
    writer.close()
    assert (answer.written, answer.refused, answer.after) == (False, refused, 7.0)
    assert f"answers {status}" in answer.trouble and "out of bounds" in answer.trouble


def test_a_storage_that_is_not_there_is_named(tmp_path: Path) -> None:
    """A closed port and a certificate nobody vouches for are troubles with the address, and no error leaves the writer."""
    writer = Writer(replace(OPTIONS, url=f"http://127.0.0.1:{free_port('tcp')}/api/v1/write", ca=tmp_path / "none"))
    answer = writer.write(SAMPLES)
    writer.close()
    assert not answer.written and not answer.refused and "127.0.0.1" in answer.trouble and "refused" in answer.trouble


CONFIG = "storage: {tsdb: {out_of_order_time_window: 8d}}\n"


def write(peer: Prometheus, samples: Samples) -> tuple[bool, bool]:
    writer = Writer(replace(OPTIONS, url=f"{peer.url}/api/v1/write"))
    answer = writer.write(samples)
    writer.close()
    return answer.written, answer.refused


def test_prometheus_takes_them_in_any_order() -> None:
    """The real Prometheus takes samples a week old beside present ones, twice as once, and refuses older ones for good."""
    now = round(time.time()) * 1000
    labels = ((b"__name__", b"haidang_device_uptime_seconds"), (b"device", b"pc-1"))
    week = 7 * 86400 * 1000
    with prometheus(CONFIG, None, "--web.enable-remote-write-receiver") as peer:
        assert write(peer, {labels: {now: 3.0}}) == (True, False)
        assert write(peer, {labels: {now - week: 1.0, now - 60_000: 2.0}}) == (True, False)
        assert write(peer, {labels: {now - week: 1.0, now - 60_000: 2.0}}) == (True, False)
        assert write(peer, {labels: {now - 2 * week: 0.0}}) == (False, True)
        found = peer.api("query", query='haidang_device_uptime_seconds{device="pc-1"}[8d]', time=str(now / 1000 + 1))
    values = found["result"][0]["values"]
    assert [(round(at * 1000), float(value)) for at, value in values] == [(now - week, 1.0), (now - 60_000, 2.0), (now, 3.0)]


def test_victoria_metrics_takes_them_too() -> None:
    """The real VictoriaMetrics, which needs no window for what comes late, gives back each value with its time."""
    now = round(time.time()) * 1000
    week = 7 * 86400 * 1000
    labels = ((b"__name__", b"haidang_device_uptime_seconds"), (b"device", "Máy \"một\"".encode()))
    with victoria_metrics() as peer:
        assert write(peer, {labels: {now: 3.0}}) == (True, False)
        assert write(peer, {labels: {now - week: 1.0, now - 60_000: 2.0}}) == (True, False)
        fetch(f"{peer.url}/internal/force_flush")
        found = peer.api("query", query="haidang_device_uptime_seconds[8d]", time=str(now / 1000 + 1))
    (series,) = found["result"]
    assert series["metric"]["device"] == 'Máy "một"'
    values = [(round(at * 1000), float(value)) for at, value in series["values"]]
    assert values == [(now - week, 1.0), (now - 60_000, 2.0), (now, 3.0)]
