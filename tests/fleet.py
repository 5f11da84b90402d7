"""A made-up fleet for the exporters' tests: units, devices, and blocks with the shape of small switches."""

from __future__ import annotations

from collector.model import Block, Device, Facts, Interface, Layout, Outcome, Series, State, Status, Unit

NOW = 1763884800.0

UP = Status(State.UP, Outcome.OK, since=NOW, answered=NOW, answer_seconds=0.125, requests=4, retries=1)
SILENT = Status(State.SILENT, Outcome.TIMEOUT, since=NOW, requests=7, retries=3, message="no answer to 3 requests within 2 s")

PORTS = ("eth0", "eth1")
LAYOUT = Layout(
    [
        Series("haidang_device_uptime_seconds"),
        *(Series("haidang_interface_up", (("interface", port),)) for port in PORTS),
        *(Series("haidang_interface_receive_bytes_total", (("interface", port),)) for port in PORTS),
    ]
)


def unit(number: int) -> Unit:
    """An office."""
    return Unit(f"xa-{number}", f"UBND xã {number}", "commune", "tinh")


def device(number: int, unit: int = 0) -> Device:
    """A switch of that office."""
    return Device(f"sw{number}", f"10.0.0.{number}", 161, "read-only", f"xa-{unit}")


def block(time: float = NOW, received: int = 2**60 + 1, layout: Layout = LAYOUT) -> Block:
    """What one poll of a switch gives."""
    return Block(layout, (3600, 1, 0, received, received + 2), time)


FACTS = Facts(
    profile="generic",
    kind="switch",
    vendor="Cisco",
    model="WS-C2960",
    serial="FOC1",
    name="sw-hoa-loc",
    os_name="IOS",
    os_version="15.2",
    interfaces=(Interface(1, "eth0", alias='Phòng "một cửa"', mac="00:00:5e:00:53:01", type=6), Interface(2, "eth1")),
)
