"""PromQL that the alert rules and the dashboards share."""

from __future__ import annotations


def by_device(metric: str, *labels: str) -> str:
    """A metric by device and these labels alone: without the others of a scrape, so that it can be joined one to one."""
    return f"max by ({', '.join(('device', *labels))}) ({metric})"


def used_share(thing: str, matchers: str = "") -> str:
    """The used part, 0 to 1, of each memory or storage, whether the device tells it in bytes or only as a ratio.

    `matchers` choose some of them, such as ``{device="sw1"}``.
    """
    used, size, ratio = (f"haidang_{thing}_{what}{matchers}" for what in ("used_bytes", "size_bytes", "used_ratio"))
    return f"{by_device(used, thing)} / ({by_device(size, thing)} > 0) or {by_device(ratio, thing)}"


SPEED = by_device("haidang_interface_speed_bytes_per_second", "interface")
CARD = by_device("haidang_interface_speed_limit_bytes_per_second", "interface")
"""What the port's own card can, bytes a second."""
PORT_UP = f"and on (device, interface) ({by_device('haidang_interface_up', 'interface')} == 1)"
SLOWER_THAN_CARD = f"8 * {SPEED} > 0 < 8 * {CARD} {PORT_UP}"
"""The ports that run slower than their cards can, with their speed in bits a second."""
