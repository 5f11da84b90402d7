"""/metrics/all of 1,000,000 samples over HTTP, plain and gzip: CPU against prometheus_client's, and the longest stall."""

from __future__ import annotations

import statistics
import urllib.request
import zlib
from importlib.metadata import version
from typing import Any

from . import process, serving

PLAIN, GZIP, STALL = 25, 12, 0.050
_OWN = 11
"""Samples a page has of a device beside the polled ones, at least."""


def run(quick: bool) -> dict[str, Any]:
    """Interleaved rounds; medians of both ratios and of the rounds' longest stalls."""
    samples, rounds = (150_000, 3) if quick else (1_000_000, 5)
    process.stand_aside()
    ratios: dict[str, list[float]] = {"identity": [], "gzip": []}
    stalls = []
    with serving.serving(-(-samples // (serving.PER_DEVICE + _OWN))) as pages:
        text = _get(pages.address, "identity").decode()
        count = sum(not line.startswith("#") for line in text.splitlines())
        if count < samples:
            raise SystemExit(f"the page has {count} samples, expected {samples}")
        peer = serving.Peer(text)
        del text
        pages.watch()
        for _ in range(rounds):
            theirs = peer.seconds()
            said = [f"CPU s for {count} samples: prometheus_client {theirs:.2f}"]
            for encoding, found in ratios.items():
                before, *_ = pages.mark()
                body = _get(pages.address, encoding)
                after, stall, wall = pages.mark()
                found.append(theirs / (after - before))
                stalls.append(stall)
                stalled = f"stall {stall * 1e3:.1f} ms, {wall * 1e3:.1f} by the clock"
                said.append(f"ours {encoding} {after - before:.3f} ({len(body)} octets, {stalled})")
            print("; ".join(said), flush=True)
    if zlib.decompress(body, zlib.MAX_WBITS | 16).count(b"\n") < samples:
        raise SystemExit("the compressed page is not whole")
    plain, gzip = (round(statistics.median(found), 1) for found in ratios.values())
    stall = statistics.median(stalls)
    return {
        "value": plain,
        "unit": f"generate_latest's CPU / ours, plain; gzip {gzip} (bar {GZIP}); longest stall {stall * 1e3:.1f} ms (bar 50)",
        "bar": PLAIN,
        "ok": plain >= PLAIN and gzip >= GZIP and stall <= STALL,
        "peer": "prometheus_client",
        "versions": {name: version(name) for name in ("prometheus_client", "uvicorn", "starlette", "h11")},
    }


def _get(address: str, encoding: str) -> bytes:
    request = urllib.request.Request(f"http://{address}/metrics/all", headers={"Accept-Encoding": encoding})
    with urllib.request.urlopen(request, timeout=300) as answer:
        body: bytes = answer.read()
        return body
