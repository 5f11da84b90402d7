"""A small simulated province in a process of its own, for tests that need devices which really answer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from haidang.simulate import settings
from haidang.simulate.running import Running


@contextmanager
def running(units: int = 3, devices: int = 30, seed: int = 708) -> Iterator[Running]:
    """A province that answers on a free port until the block ends.

    `.province` says what exists, `.port` where, `.credentials` how to ask; `.fault(TARGET, *ORDERS)` lets things go wrong.
    """
    with Running(units, devices, seed) as province:
        yield province


def settings_text(of: Running, head: str = "", versions: str = settings.MIXED) -> str:
    """The `haidang.toml` that watches a running province; `head` holds [collector] and [web]."""
    return settings.text(of.province, of.port, of.credentials, versions, head=head, lines=False)
