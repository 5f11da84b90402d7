"""The pages as a sink: what stands on them, when it comes and when it goes."""

from __future__ import annotations

import asyncio
import dataclasses
import logging

import fleet
import peers
import pytest
from prometheus_client.parser import text_string_to_metric_families

import exporters.prometheus
from collector.model import Block, Layout, Series, State, Status, Unit
from exporters.page import gzip_of, text_of
from exporters.prometheus import Pages

Key = tuple[str, frozenset[tuple[str, str]]]


def samples(text: bytes) -> dict[Key, tuple[float, float | None]]:
    """(name, labels) -> (value, time) of a page, none of which stands twice."""
    found: dict[Key, tuple[float, float | None]] = {}
    for family in text_string_to_metric_families(text.decode()):
        for one in family.samples:
            key = one.name, frozenset(one.labels.items())
            assert key not in found
            found[key] = one.value, None if one.timestamp is None else float(one.timestamp)
    return found


def of(pages: Pages, unit: str = "xa-0") -> dict[Key, tuple[float, float | None]]:
    """The samples of a unit's page."""
    page = pages.page(unit)
    assert page is not None
    return samples(page.plain())


def key(metric: str, /, **labels: str) -> Key:
    """As `samples` names them."""
    return f"haidang_{metric}", frozenset(labels.items())


def state(pages: Pages, name: str, unit: str = "xa-0") -> str:
    """The one state of a device that is 1."""
    found = [
        dict(labels)["state"]
        for (metric, labels), (value, _) in of(pages, unit).items()
        if metric == "haidang_device_state" and ("device", name) in labels and value == 1
    ]
    assert len(found) == 1
    return found[0]


@pytest.fixture
def pages() -> Pages:
    """One unit with two switches, one polled, one never."""
    made = Pages([fleet.unit(0)], [fleet.device(1), fleet.device(2)])
    made.polled(fleet.device(1), fleet.UP, fleet.block())
    made.cycled("xa-0")
    return made


def test_polled_values_bear_their_polls_time_and_nothing_else_does(pages: Pages) -> None:
    """Values carry the time of their poll; state, answer time, counts and identity carry none."""
    pages.described(fleet.device(1), fleet.FACTS)
    pages.cycled("xa-0")
    found = of(pages)
    assert found[key("interface_up", device="sw1", interface="eth1")] == (0, fleet.NOW)
    assert found[key("device_uptime_seconds", device="sw1")] == (3600, fleet.NOW)
    timed = {name for (name, _), (_, time) in found.items() if time is not None}
    assert timed == {"haidang_device_uptime_seconds", "haidang_interface_up", "haidang_interface_receive_bytes_total"}
    assert found[key("device_answer_seconds", device="sw1", unit="xa-0")] == (0.125, None)
    assert found[key("device_requests_total", device="sw1", unit="xa-0")] == (4, None)
    assert found[key("device_retries_total", device="sw1", unit="xa-0")] == (1, None)


def test_what_is_remembered_holds_until_a_device_is_described() -> None:
    """A device that has been silent since the start is what it was before, so that rules know a machine from a switch."""
    made = Pages([fleet.unit(0)], [fleet.device(1), fleet.device(2)], remembered={"sw1": fleet.FACTS})
    made.cycled("xa-0")
    info = {dict(labels)["device"]: dict(labels) for name, labels in of(made) if name == "haidang_device_info"}
    assert info["sw1"]["kind"] == fleet.FACTS.kind and "kind" not in info["sw2"]
    made.described(fleet.device(1), dataclasses.replace(fleet.FACTS, model="another"))
    made.cycled("xa-0")
    assert {dict(labels).get("model") for name, labels in of(made) if name == "haidang_device_info"} == {"another", None}


def test_times_can_be_left_out() -> None:
    """With the setting off no sample bears a time."""
    pages = Pages([fleet.unit(0)], timestamps=False)
    pages.polled(fleet.device(1), fleet.UP, fleet.block())
    pages.cycled("xa-0")
    assert of(pages)[key("interface_up", device="sw1", interface="eth0")] == (1, None)


def test_times_can_be_left_out_for_a_unit_that_is_polled_seldom() -> None:
    """Prometheus shows no timestamped value older than five minutes, so each unit may be told apart."""
    pages = Pages([fleet.unit(0), fleet.unit(1)], timestamps=lambda device: device.unit == "xa-0")
    for number in (0, 1):
        pages.polled(fleet.device(number, number), fleet.UP, fleet.block())
        pages.cycled(f"xa-{number}")
    assert of(pages)[key("device_uptime_seconds", device="sw0")] == (3600, fleet.NOW)
    assert of(pages, "xa-1")[key("device_uptime_seconds", device="sw1")] == (3600, None)


def test_a_page_that_cannot_be_made_harms_no_other(caplog: pytest.LogCaptureFixture) -> None:
    """An error in one unit's numbers is logged with its place; polls go on, and so do the other pages."""

    def numbers(unit: str) -> dict[str, float]:
        if unit == "xa-0":
            raise RuntimeError("no such cycle")
        return {}

    pages = Pages([fleet.unit(0), fleet.unit(1)], [fleet.device(1), fleet.device(2, 1)], unit_numbers=numbers)
    pages.cycled("xa-0")
    pages.cycled("xa-1")
    assert "no such cycle" in caplog.text
    assert pages.page("xa-0") is None
    assert state(pages, "sw2", "xa-1") == "unknown"


def test_counters_keep_every_digit(pages: Pages) -> None:
    """64-bit counters stand on the page as the device counts."""
    page = pages.page("xa-0")
    assert page is not None
    assert f'_receive_bytes_total{{device="sw1",interface="eth0"}} {2**60 + 1} '.encode() in page.plain()


def test_promtool_accepts_a_units_page(pages: Pages) -> None:
    """A unit's page with facts and values is valid and well named."""
    pages.described(fleet.device(1), fleet.FACTS)
    pages.cycled("xa-0")
    page = pages.page("xa-0")
    assert page is not None
    assert peers.metrics_errors(page.plain().decode()) == []


def test_a_device_that_stops_answering_keeps_its_state_and_loses_its_values(pages: Pages) -> None:
    """With the next cycle's page its polled values are gone, its state says silent, and its counts go on."""
    pages.polled(fleet.device(1), fleet.SILENT, None)
    pages.cycled("xa-0")
    found = of(pages)
    assert state(pages, "sw1") == "silent"
    assert not any(name.startswith("haidang_interface") for name, _ in found)
    assert key("device_answer_seconds", device="sw1", unit="xa-0") not in found
    assert found[key("device_retries_total", device="sw1", unit="xa-0")] == (3, None)


def test_every_state_stands_on_the_page_as_zero_or_one(pages: Pages) -> None:
    """Each device has all states; one that was never asked is unknown from the first page on."""
    found = of(pages)
    for name, now in (("sw1", "up"), ("sw2", "unknown")):
        assert state(pages, name) == now
        for one in State:
            assert found[key("device_state", device=name, unit="xa-0", state=one)][0] == (one == now)


def test_facts_become_info(pages: Pages) -> None:
    """What a device is and what its ports are called stand in info metrics of value 1."""
    pages.described(fleet.device(1), fleet.FACTS)
    pages.cycled("xa-0")
    found = of(pages)
    info = key(
        "device_info", device="sw1", unit="xa-0", name="sw-hoa-loc", address="10.0.0.1", kind="switch", vendor="Cisco",
        model="WS-C2960", serial="FOC1", os="IOS", os_version="15.2", profile="generic",
    )  # fmt: skip
    assert found[info] == (1, None)
    port = key("interface_info", device="sw1", interface="eth0", alias='Phòng "một cửa"', mac="00:00:5e:00:53:01", type="6")
    assert found[port] == (1, None)
    assert found[key("device_info", device="sw2", unit="xa-0", name="", address="10.0.0.2")] == (1, None)


def test_the_settings_name_goes_before_the_devices_own(pages: Pages) -> None:
    """People's name for a device is the one on the page."""
    named = dataclasses.replace(fleet.device(1), name="Tủ mạng tầng 2")
    pages.described(named, fleet.FACTS)
    pages.cycled("xa-0")
    assert any(("name", "Tủ mạng tầng 2") in labels for name, labels in of(pages) if name == "haidang_device_info")


def test_a_unit_is_reachable_when_anything_in_it_answers(pages: Pages) -> None:
    """1 with an answer of any kind, 0 when all that is known is silence, absent while nothing is known."""
    reachable = key("unit_reachable", unit="xa-0")
    assert of(pages)[reachable] == (1, None)
    for status in (fleet.SILENT, Status(State.UNREACHABLE)):
        pages.polled(fleet.device(1), status, None)
        pages.cycled("xa-0")
        assert of(pages)[reachable] == (0, None)
    pages.polled(fleet.device(2), Status(State.REFUSED), None)
    pages.cycled("xa-0")
    assert of(pages)[reachable] == (1, None)
    assert reachable not in of(Pages([fleet.unit(0)], [fleet.device(1)]))


def test_units_have_info_counts_and_further_numbers() -> None:
    """Name, kind, parent, devices by state, and whatever the collector adds for a unit."""
    pages = Pages([fleet.unit(0)], [fleet.device(1)], unit_numbers=lambda unit: {"haidang_unit_cycle_seconds": len(unit)})
    found = of(pages)
    assert found[key("unit_info", unit="xa-0", name="UBND xã 0", kind="commune", parent="tinh")] == (1, None)
    assert found[key("unit_devices", unit="xa-0", state="unknown")] == (1, None)
    assert found[key("unit_devices", unit="xa-0", state="up")] == (0, None)
    assert found[key("unit_cycle_seconds", unit="xa-0")] == (4, None)


def test_what_a_unit_is_told_stays_until_told_anew(pages: Pages) -> None:
    """Links and whatever else is worked out for a unit stand on its page at once, without times, over its cycles."""
    link = (("device", "sw1"), ("interface", "eth0"), ("remote_device", 'pc"1'), ("remote_interface", ""), ("protocol", "lldp"))
    found = key("link_info", device="sw1", interface="eth0", remote_device='pc"1', remote_interface="", protocol="lldp")
    pages.tell("xa-0", [(Series("haidang_link_info", link), 1), (Series("haidang_port_machines", link[:2]), 3)])
    assert of(pages)[found] == (1, None)
    pages.cycled("xa-0")
    assert of(pages)[key("port_machines", device="sw1", interface="eth0")] == (3, None)
    pages.tell("xa-0", [])
    assert found not in of(pages)
    pages.tell("nowhere", [(Series("haidang_link_info", link), 1)])
    assert pages.page("nowhere") is None


def test_time_never_goes_backwards_within_a_series(pages: Pages) -> None:
    """After the clock was set back values stand without a time, and with one again when it has caught up."""
    uptime = key("device_uptime_seconds", device="sw1")
    seen = []
    for time in (fleet.NOW + 60, fleet.NOW - 3600, fleet.NOW + 59, fleet.NOW + 61):
        pages.polled(fleet.device(1), fleet.UP, fleet.block(time))
        pages.cycled("xa-0")
        seen.append(of(pages)[uptime][1])
    assert seen == [fleet.NOW + 60, None, None, fleet.NOW + 61]


def test_a_poll_that_is_older_than_its_cycle_stays_on_the_page(pages: Pages) -> None:
    """Who was not asked again keeps the values and the time of the last answer."""
    pages.cycled("xa-0")
    assert of(pages)[key("device_uptime_seconds", device="sw1")] == (3600, fleet.NOW)


def test_a_broken_block_harms_only_its_device(pages: Pages, caplog: pytest.LogCaptureFixture) -> None:
    """Values that do not fit their layout are named in the log; the rest of the page stands."""
    pages.polled(fleet.device(2), fleet.UP, Block(fleet.LAYOUT, (1, 2), fleet.NOW))
    pages.cycled("xa-0")
    assert "sw2" in caplog.text
    assert state(pages, "sw2") == "up"
    assert key("interface_up", device="sw1", interface="eth0") in of(pages)


def test_devices_the_settings_forget_are_gone_at_once(pages: Pages) -> None:
    """A forgotten device leaves its unit's page, the page of all and the counts."""
    pages.forgotten(fleet.device(1))
    pages.forgotten(fleet.device(1))
    assert not any(("device", "sw1") in labels for _, labels in of(pages))
    assert pages.numbers()["haidang_collector_values"] == 0


def test_new_settings_keep_what_is_known(pages: Pages) -> None:
    """A unit renamed, a device moved, one gone and one new: polled values stay with the device, pages follow the settings."""
    moved = dataclasses.replace(fleet.device(1), unit="xa-1")
    pages.arrange([dataclasses.replace(fleet.unit(0), name="Xã mới"), fleet.unit(1)], [moved, fleet.device(3)])
    assert of(pages)[key("unit_info", unit="xa-0", name="Xã mới", kind="commune", parent="tinh")] == (1, None)
    assert {dict(labels).get("device") for _, labels in of(pages)} == {None, "sw3"}
    assert of(pages, "xa-1")[key("interface_up", device="sw1", interface="eth0")] == (1, fleet.NOW)
    assert state(pages, "sw1", "xa-1") == "up"
    pages.arrange([fleet.unit(1)], [moved])
    assert pages.page("xa-0") is None


def test_a_device_that_moves_while_polled_changes_its_page(pages: Pages) -> None:
    """The unit of the newest poll is the one it stands under."""
    moved = dataclasses.replace(fleet.device(1), unit="xa-9")
    pages.polled(moved, fleet.UP, fleet.block(fleet.NOW + 60))
    pages.cycled("xa-9")
    assert state(pages, "sw1", "xa-9") == "up"
    assert not any(("device", "sw1") in labels for _, labels in of(pages))
    assert pages.offices["xa-9"].unit == Unit("xa-9", "xa-9")


def test_the_page_of_all_holds_every_page_once() -> None:
    """Its samples are those of all units' pages, each family in one group, behind the preface."""
    pages = Pages([fleet.unit(i) for i in range(3)], [fleet.device(i, i % 3) for i in range(9)])
    for i in range(9):
        pages.polled(fleet.device(i, i % 3), fleet.UP, fleet.block(fleet.NOW + i, i))
    for i in range(3):
        pages.cycled(f"xa-{i}")
    everything = b"".join(text_of(pages.everything(b"# preface\n")))
    assert everything.startswith(b"# preface\n# HELP")
    union: dict[Key, tuple[float, float | None]] = {}
    for i in range(3):
        union |= of(pages, f"xa-{i}")
    assert samples(everything) == union
    assert peers.metrics_errors(everything.decode()) == []
    headers = [row for row in everything.splitlines() if row.startswith(b"# TYPE")]
    assert len(headers) == len(set(headers))


def test_states_of_all_devices_come_without_their_values(monkeypatch: pytest.MonkeyPatch, pages: Pages) -> None:
    """The states of a province; where that would be too many samples, only the state each device is in."""
    text = b"".join(text_of(pages.states(b"")))
    assert len(samples(text)) == 2 * len(State)
    monkeypatch.setattr(exporters.prometheus, "LARGEST", 15)
    text = b"".join(text_of(pages.states(b"")))
    assert samples(text) == {
        key("device_state", device="sw1", unit="xa-0", state="up"): (1, None),
        key("device_state", device="sw2", unit="xa-0", state="unknown"): (1, None),
    }
    assert len(b"".join(gzip_of(pages.states(b"")))) > 0


def test_counts_for_the_collectors_health(pages: Pages) -> None:
    """Units, devices by state, and values."""
    numbers = pages.numbers()
    assert numbers["haidang_collector_units"] == 1
    assert numbers["haidang_collector_values"] == 5
    states = numbers["haidang_collector_devices"]
    assert isinstance(states, dict)
    assert states == {**{one.value: 0 for one in State}, "up": 1, "unknown": 1}


def test_a_large_unit_is_rendered_in_slices(caplog: pytest.LogCaptureFixture) -> None:
    """On an event loop others have their turn while a large page is put together; too large a page is named, once."""
    layout = Layout([Series("haidang_interface_up", (("interface", str(i)),)) for i in range(200)])
    values = tuple(range(200))

    async def poll() -> tuple[int, Pages]:
        turns = 0
        pages = Pages([fleet.unit(0)])
        before = pages.page("xa-0")
        with caplog.at_level(logging.WARNING):
            for _ in range(2):
                for i in range(600):
                    pages.polled(fleet.device(i), fleet.UP, Block(layout, values, fleet.NOW))
                pages.cycled("xa-0")
                pages.cycled("xa-0")
                while pages.page("xa-0") is before or pages.busy:
                    turns += 1
                    await asyncio.sleep(0)
                before = pages.page("xa-0")
        return turns, pages

    turns, pages = asyncio.run(poll())
    assert turns > 4
    page = pages.page("xa-0")
    assert page is not None
    assert page.plain().count(b"\nhaidang_interface_up{") == 120_000
    assert caplog.text.count("unit xa-0 has") == 1


def test_counters_may_wrap_where_prometheus_loses_digits() -> None:
    """Every digit of a 64-bit counter is on the page; with `wrap_counters` it begins anew at 2^53, and gauges do not."""
    received = Series("haidang_interface_receive_bytes_total", (("interface", "a"),))
    layout = Layout([received, Series("haidang_storage_size_bytes", (("storage", "a"),))])
    for wrap, counter in ((False, 2**64 - 1), (True, (2**64 - 1) % 2**53)):
        pages = Pages([fleet.unit(0)], [fleet.device(1)], wrap_counters=wrap)
        pages.polled(fleet.device(1), fleet.UP, Block(layout, (2**64 - 1, 2**60), fleet.NOW))
        pages.cycled("xa-0")
        page = pages.page("xa-0")
        assert page is not None
        text = page.plain().decode()
        assert f'interface="a"}} {counter} ' in text
        assert f'storage="a"}} {2**60} ' in text
