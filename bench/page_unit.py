"""A unit's page from cache over HTTP, gzip: requests per CPU-second against prometheus_client's generate_latest.

Sixteen readers ask at once over connections kept open, so that the server, not the waking of two processes, is measured.
"""

from __future__ import annotations

import http.client
import statistics
from importlib.metadata import version
from typing import Any
from urllib.parse import quote

from . import process, serving

BAR = 50
_READERS = 16
_PATH = "/metrics/" + quote("unit-0")


def run(quick: bool) -> dict[str, Any]:
    """Interleaved rounds; the row of the median ratio."""
    rounds, turns, renderings = (5, 40, 5) if quick else (15, 100, 20)
    process.stand_aside()
    ratios = []
    with serving.serving(serving.IN_A_UNIT) as pages:
        readers = [http.client.HTTPConnection(pages.address) for _ in range(_READERS)]
        peer = serving.Peer(_get(readers[:1], "identity").decode())
        for _ in range(rounds):
            theirs = sum(peer.seconds() for _ in range(renderings)) / renderings
            before, *_ = pages.mark()
            for _ in range(turns):
                body = _get(readers, "gzip")
            after, *_ = pages.mark()
            ours = (after - before) / turns / _READERS
            ratios.append(theirs / ours)
            print(
                f"CPU ms per page ({len(body)} octets): prometheus_client {theirs * 1e3:.2f}, ours {ours * 1e3:.3f}, "
                f"ratio {ratios[-1]:.1f}",
                flush=True,
            )
    value = round(statistics.median(ratios), 1)
    return {
        "value": value,
        "unit": "generate_latest's CPU per page / ours",
        "bar": BAR,
        "ok": value >= BAR,
        "peer": "prometheus_client",
        "versions": {name: version(name) for name in ("prometheus_client", "uvicorn", "starlette", "h11")},
    }


def _get(readers: list[http.client.HTTPConnection], encoding: str) -> bytes:
    """The page as the last of the readers gets it, all of whom ask before the first one reads."""
    for reader in readers:
        reader.request("GET", _PATH, headers={"Accept-Encoding": encoding})
    body = b""
    for reader in readers:
        answer = reader.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise SystemExit(f"{_PATH} answers {answer.status}: {body[:200]!r}")
    return body
