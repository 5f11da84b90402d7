"""The text format: escaping, stamps, and the template a layout becomes."""

from __future__ import annotations

import enum
import gc
import logging
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from collector.model import Layout, Series
from config.catalogue import CATALOGUE
from exporters.text import LONGEST, ORDER, Template, Templates, escape, header, line, pairs, stamp

UP = "haidang_interface_up"
BYTES = "haidang_interface_receive_bytes_total"
TEXTS = st.text(max_size=LONGEST).filter(lambda text: "\0" not in text)


def render(layout: Layout, values: list[float], device: str = "d1", end: bytes = b"\n") -> str:
    """A block as text, without headers."""
    return b"".join(Template(layout).render(pairs((("device", device),)), values, end)).decode()


def parsed(text: str) -> list[tuple[str, dict[str, str], float]]:
    """Samples as prometheus_client reads them."""
    return [(one.name, one.labels, one.value) for family in text_string_to_metric_families(text) for one in family.samples]


@given(TEXTS, TEXTS)
def test_any_label_comes_back_as_it_was(device: str, interface: str) -> None:
    """Whatever a device calls its port, a parser reads the same text, percent signs and Vietnamese included."""
    page = render(Layout([Series(UP, (("interface", interface),))]), [1], device)
    assert page.count("\n") == 1
    assert parsed(page) == [(UP, {"device": device, "interface": interface}, 1.0)]


def test_what_no_page_can_carry_is_replaced() -> None:
    """NUL and lone surrogates become marks, and a label of any length is cut."""
    assert escape("a\0b") == "a\ufffdb".encode()
    assert escape("a\ud800b") == b"a?b"
    assert escape("x" * 10_000) == b"x" * LONGEST


def test_help_is_escaped_by_its_own_rules() -> None:
    """A header has HELP and TYPE, each on a line."""
    assert header(CATALOGUE[UP]) == (
        b"# HELP haidang_interface_up Whether the interface is operationally up.\n# TYPE haidang_interface_up gauge\n"
    )


@given(st.lists(st.one_of(st.integers(0, 2**64 - 1), st.floats(allow_nan=False)), min_size=1, max_size=20))
def test_values_keep_every_digit(values: list[float]) -> None:
    """64-bit counters and floats stand on the page with all their digits."""
    layout = Layout([Series(BYTES, (("interface", str(i)),)) for i in range(len(values))])
    texts = [one.rsplit(" ", 1)[1] for one in render(layout, values).splitlines()]
    assert [type(value)(text) for value, text in zip(values, texts, strict=True)] == values


def test_nan_and_infinities_are_legal() -> None:
    """What is no number is written so that parsers read it."""
    layout = Layout([Series("haidang_sensor_volts", (("sensor", str(i)),)) for i in range(3)])
    values = [value for _, _, value in parsed(render(layout, [math.nan, math.inf, -math.inf]))]
    assert math.isnan(values[0])
    assert values[1:] == [math.inf, -math.inf]


def test_time_stands_in_milliseconds_behind_the_value() -> None:
    """A poll's time is rounded to the millisecond."""
    assert render(Layout([Series("haidang_device_uptime_seconds")]), [5], end=stamp(1763884800.1234)) == (
        'haidang_device_uptime_seconds{device="d1"} 5 1763884800123\n'
    )


def test_families_come_in_page_order_whatever_the_layout() -> None:
    """A layout whose metrics are mixed still gives one segment a family, each value with its own series."""
    series = [Series(m, (("interface", i),)) for i in ("a", "b") for m in (BYTES, UP)]
    template = Template(Layout(series))
    assert template.families == (ORDER[UP], ORDER[BYTES])
    assert template.render(b'device="d"', [10, 1, 20, 0], b"\n") == [
        b'haidang_interface_up{device="d",interface="a"} 1\nhaidang_interface_up{device="d",interface="b"} 0\n',
        b'haidang_interface_receive_bytes_total{device="d",interface="a"} 10\n'
        b'haidang_interface_receive_bytes_total{device="d",interface="b"} 20\n',
    ]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (Series(UP, (("interface", "a"),)), "twice"),
        (Series("haidang_no_such_metric"), "not in the catalogue"),
        (Series(BYTES, (("device", "x"),)), "device"),
        (Series(BYTES, (("a", "x"), ("a", "y"))), "once"),
        (Series(BYTES, (("a-b", "x"),)), "labels"),
        (Series(BYTES, (("__name__", "x"),)), "labels"),
    ],
)
def test_series_that_would_break_the_page_are_left_out_and_named(
    bad: Series, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A series that is there twice, unknown, or badly labelled goes with a word in the log; the others keep their values."""
    layout = Layout([Series(UP, (("interface", "a"),)), bad, Series(UP, (("interface", "b"),))])
    with caplog.at_level(logging.WARNING):
        page = render(layout, [1, 99, 0])
    assert parsed(page) == [(UP, {"device": "d1", "interface": "a"}, 1.0), (UP, {"device": "d1", "interface": "b"}, 0.0)]
    assert reason in caplog.text


def test_identity_is_left_to_the_facts(caplog: pytest.LogCaptureFixture) -> None:
    """Series of metrics that bear no time are passed over in silence: the pages make them from the facts."""
    info = Series("haidang_interface_info", (("interface", "a"), ("alias", ""), ("mac", ""), ("type", "6")))
    assert parsed(render(Layout([info, Series(UP, (("interface", "a"),))]), [1, 0])) == [
        (UP, {"device": "d1", "interface": "a"}, 0.0)
    ]
    assert render(Layout([info]), [1]) == ""
    assert caplog.text == ""


class Level(enum.IntEnum):
    HIGH = 3


def test_missing_values_leave_their_sample_out() -> None:
    """None is absent, a bool or an enumeration's member is its number, text is no sample."""
    layout = Layout([Series(UP, (("interface", name),)) for name in "abcd"] + [Series(BYTES, (("interface", "100%"),))])
    values = [True, None, Level.HIGH, "x", 7]
    assert [(labels["interface"], value) for _, labels, value in parsed(render(layout, values, "50%"))] == [  # type: ignore[arg-type]
        ("a", 1.0), ("c", 3.0), ("100%", 7.0),
    ]  # fmt: skip


def test_values_that_do_not_fit_the_layout_are_refused() -> None:
    """Too few or too many values are an error, never another row's."""
    layout = Layout([Series(UP, (("interface", "a"),))])
    for values in ([], [1, 2]):
        with pytest.raises(ValueError, match="layout of 1 series"):
            render(layout, list(values))


def test_layouts_of_the_same_text_share_one_template_that_goes_with_them() -> None:
    """Thousands of switches of a model cost one template, and none when they are gone."""
    templates = Templates()
    layouts = [Layout([Series(UP, (("interface", "a"),))]) for _ in range(3)]
    first = templates.of(layouts[0])
    assert all(templates.of(layout) is first for layout in layouts)
    assert templates.of(Layout([Series(UP, (("interface", "b"),))])) is not first
    del first
    layouts.clear()
    gc.collect()
    assert len(templates._same) == 0


def test_a_sample_of_our_own_is_one_line() -> None:
    """Samples without a time are written the same way."""
    assert line(UP, (("interface", 'a"b'),), 1) == b'haidang_interface_up{interface="a\\"b"} 1\n'
