"""Prometheus remote write 1.0: samples with their own times, as Prometheus and VictoriaMetrics take them.

(Prometheus' "Remote-Write 1.0" specification: a protobuf WriteRequest, snappy's block format, POST.)
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Mapping
from typing import NamedTuple

import cramjam
import requests

from collector.model import Block
from config.remote_write import RemoteWrite

from .prometheus import wrapped
from .text import plain, usable

Labels = tuple[tuple[bytes, bytes], ...]
"""All labels of a series, its name as __name__ among them, sorted by name."""
Samples = dict[Labels, dict[int, float]]
"""Series -> time in milliseconds since 1970 -> value."""

_HEADERS = {
    "Content-Encoding": "snappy",
    "Content-Type": "application/x-protobuf",
    "X-Prometheus-Remote-Write-Version": "0.1.0",
    "User-Agent": "haidang",
}
_TIMEOUTS = 5.0, 30.0
_SHOWN = 200
_DATA_REFUSED = (400, 413, 422)
_TOO_OLD = "too old sample"
"""Statuses, and words of a Prometheus before 2.44 under status 500, that speak of the samples: they would be refused for ever.
Others speak of us or of the storage, and pass."""


def gather(block: Block, common: Mapping[str, str], into: Samples, wrap_counters: bool = False) -> None:
    """Add a block's values. `common` are the labels of all its series, which a series' own go before (honor_labels)."""
    base = {name.encode(): plain(value) for name, value in common.items()}
    values = wrapped(block) if wrap_counters else block.values
    time = round(block.time * 1000)
    for position in usable(block.layout.series):
        value, series = values[position], block.layout.series[position]
        if value is None:
            continue
        own = {name.encode(): plain(text) for name, text in series.labels}
        found = {**base, **own, b"__name__": series.metric.encode()}
        labels = tuple(sorted((name, text) for name, text in found.items() if text))
        into.setdefault(labels, {})[time] = float(value)


def encode(samples: Samples) -> bytes:
    """A WriteRequest, not yet compressed; each series' samples by rising time."""
    return b"".join(_field(1, _series(labels, points)) for labels, points in samples.items())


def _series(labels: Labels, points: Mapping[int, float]) -> bytes:
    head = b"".join(_field(1, _field(1, name) + _field(2, text)) for name, text in labels)
    return head + b"".join(_field(2, b"\x09" + struct.pack("<d", points[at]) + b"\x10" + _varint(at)) for at in sorted(points))


def _field(number: int, content: bytes) -> bytes:
    return bytes((number << 3 | 2,)) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    number &= 0xFFFFFFFFFFFFFFFF
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


class Answer(NamedTuple):
    """What became of samples: written; or refused for good, which their number or values are to blame for; or neither, then
    `trouble` says why, and after how many seconds one should ask again (0: as one likes)."""

    written: bool
    refused: bool = False
    trouble: str = ""
    after: float = 0.0


class Writer:
    """Sends samples to one storage. For one thread."""

    def __init__(self, options: RemoteWrite) -> None:
        self._url = options.url
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers.update(_HEADERS)
        self._verify: bool | str = str(options.ca) if options.ca is not None else True
        if options.token is not None:
            self._session.headers["Authorization"] = f"Bearer {options.token.reveal()}"
        elif options.password is not None:
            pair = options.user.encode() + b":" + options.password.encode()
            self._session.headers["Authorization"] = "Basic " + base64.b64encode(pair).decode()

    def write(self, samples: Samples) -> Answer:
        """Send them; never raises for what the network or the storage does."""
        body = bytes(cramjam.snappy.compress_raw(encode(samples)))
        try:
            answer = self._session.post(self._url, data=body, timeout=_TIMEOUTS, verify=self._verify, allow_redirects=False)
        except (requests.RequestException, OSError) as error:
            return Answer(False, trouble=f"{self._url}: {_reason(error)}")
        if 200 <= answer.status_code < 300:
            return Answer(True)
        said = " ".join(answer.text[:_SHOWN].split())
        trouble = f"{self._url} answers {answer.status_code} {answer.reason}: {said}"
        wait = answer.headers.get("Retry-After", "")
        after = float(wait) if wait.isascii() and wait.isdigit() else 0.0
        return Answer(False, answer.status_code in _DATA_REFUSED or _TOO_OLD in said, trouble, after)

    def close(self) -> None:
        """Let go of the connection."""
        self._session.close()


def _reason(error: BaseException) -> str:
    """The innermost of the errors that HTTP libraries wrap in each other."""
    while error.__context__ is not None:
        error = error.__context__
    return str(getattr(error, "strerror", None) or error)[:_SHOWN]
