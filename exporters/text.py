"""Prometheus' text exposition format 0.0.4: lines, headers, escaping, and the template a layout becomes."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b
from operator import itemgetter
from typing import Any
from weakref import WeakKeyDictionary, WeakValueDictionary

from collector.model import Layout, Series
from config.catalogue import CATALOGUE, Metric

log = logging.getLogger(__name__)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

LONGEST = 256
"""Characters of a label value that reach a page; what a device says may be of any length."""

ORDER = {name: position for position, name in enumerate(CATALOGUE)}
"""Metric name -> its place on every page."""

# Octets that UTF-8 never contains mark the places a template leaves open.
_DEVICE, _STAMP, _NEXT, _VALUE = b"\xff", b"\xfe", b"\xfd", b"\xfc"
_LABEL_NAME = re.compile(r"(?!__)[a-zA-Z_][a-zA-Z0-9_]*\Z")
_FORMS: dict[type, bytes] = {int: b"%d", float: b"%a"}
"""How numbers are written; what is of another type (a missing value, a bool) is written one by one."""
_VARIANTS = 64
"""Forms kept of one template at most: which of its values are whole numbers hardly ever changes."""


def plain(value: str) -> bytes:
    """A label value in UTF-8. NUL, which ends the page for some parsers, and surrogates are replaced."""
    return value[:LONGEST].replace("\0", "\ufffd").encode("utf-8", "replace")


def escape(value: str) -> bytes:
    """A label value between its quotes."""
    return plain(value).replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n")


def pairs(labels: Iterable[tuple[str, str]]) -> bytes:
    """Labels without their braces."""
    return b",".join(b'%b="%b"' % (name.encode(), escape(value)) for name, value in labels)


def line(metric: str, labels: Iterable[tuple[str, str]], value: float) -> bytes:
    """One sample without a time."""
    return b"%b{%b} %a\n" % (metric.encode(), pairs(labels), value)


def header(metric: Metric) -> bytes:
    """The HELP and TYPE lines of a family."""
    text = metric.help.replace("\\", "\\\\").replace("\n", "\\n")
    return f"# HELP {metric.name} {text}\n# TYPE {metric.name} {metric.type}\n".encode()


def stamp(time: float) -> bytes:
    """The end of a line whose value is of this time (Unix seconds; milliseconds on the page)."""
    return b" %d\n" % round(time * 1000)


class Template:
    """A layout as text in which only device, values and time are open. `families` are the metrics' places, in page order;
    templates of the same text have the same `key`."""

    __slots__ = ("__weakref__", "_forms", "_pick", "_size", "_text", "families", "key")

    def __init__(self, layout: Layout) -> None:
        chosen = usable(layout.series)
        order = sorted(chosen, key=lambda position: ORDER[layout.series[position].metric])
        families: list[int] = []
        parts: list[bytes] = []
        for position in order:
            series = layout.series[position]
            family = ORDER[series.metric]
            if not families or families[-1] != family:
                if families:
                    parts.append(_NEXT)
                families.append(family)
            own = pairs(series.labels).replace(b"%", b"%%")
            parts.append(b"%b{%b%b%b} %b%b" % (series.metric.encode(), _DEVICE, b"," if own else b"", own, _VALUE, _STAMP))
        self.families = tuple(families)
        self._text = b"".join(parts)
        self._forms: dict[tuple[type, ...], bytes] = {}
        self._size = len(layout.series)
        self._pick = None if order == list(range(self._size)) else _picker(order)
        self.key = blake2b(b"%a %b" % (order, self._text), digest_size=16).digest()

    def render(self, device: bytes, values: Sequence[float], end: bytes) -> list[bytes]:
        """The samples of each family. `device` is the device label, `end` what `stamp` gives or a line feed.

        A None among the values leaves its sample out. Raises ValueError when the values do not fit the layout.
        """
        if len(values) != self._size:
            raise ValueError(f"{len(values)} values for a layout of {self._size} series")
        fitting = values if self._pick is None else self._pick(values)
        kinds = tuple(map(type, fitting))
        form = self._forms.get(kinds)
        if form is None:
            if not _FORMS.keys() >= set(kinds):
                return self._render_some(device, fitting, end)
            form = self._form(kinds)
        text: bytes = form % tuple(fitting)
        return text.replace(_DEVICE, device).replace(_STAMP, end).split(_NEXT) if self.families else []

    def _form(self, kinds: tuple[type, ...]) -> bytes:
        """The text for values of these types: numbers are written a quarter quicker when whole ones are known to be such."""
        if len(self._forms) >= _VARIANTS:
            self._forms.clear()
        between = self._text.split(_VALUE)
        text = b"".join(map(bytes.__add__, between, (_FORMS[kind] for kind in kinds))) + between[-1]
        return self._forms.setdefault(kinds, text)

    def _render_some(self, device: bytes, values: Sequence[Any], end: bytes) -> list[bytes]:
        """As `render`, where some values are missing or of a subclass (a bool, an enumeration's member)."""
        left = iter(values)
        segments = []
        for segment in self._text.split(_NEXT):
            lines = []
            for text, value in zip(segment.split(_STAMP)[:-1], left, strict=False):
                if isinstance(value, int | float):
                    plain = int(value) if isinstance(value, int) else float(value)
                    lines.append((text.replace(_VALUE, b"%a") % plain).replace(_DEVICE, device) + end)
            segments.append(b"".join(lines))
        return segments


class Templates:
    """The templates of all layouts in use. Layouts of the same text share one, and it goes when they go."""

    def __init__(self) -> None:
        self._of: WeakKeyDictionary[Layout, Template] = WeakKeyDictionary()
        self._same: WeakValueDictionary[bytes, Template] = WeakValueDictionary()

    def of(self, layout: Layout) -> Template:
        """The template of a layout, made when it is first seen."""
        template = self._of.get(layout)
        if template is None:
            template = Template(layout)
            template = self._of[layout] = self._same.setdefault(template.key, template)
        return template


def _picker(order: list[int]) -> Callable[[Sequence[Any]], Sequence[Any]]:
    if len(order) > 1:
        return itemgetter(*order)
    return lambda values: [values[position] for position in order]


def usable(series: Sequence[Series]) -> list[int]:
    """The positions of the series that may stand on a page: known metric, good labels, no series twice."""
    seen = set()
    chosen = []
    refused = []
    for position, one in enumerate(series):
        names = [name for name, _ in one.labels]
        key = one.metric, frozenset((name, value[:LONGEST]) for name, value in one.labels if value)
        if one.metric not in CATALOGUE:
            refused.append(f"{one.metric} is not in the catalogue")
        elif not CATALOGUE[one.metric].polled:
            continue  # identity, which the pages make from the facts and which bears no time
        elif "device" in names or len(set(names)) < len(names) or not all(map(_LABEL_NAME.match, names)):
            refused.append(f"{one.metric} has labels {names}: each may stand once, device is set by the page")
        elif key in seen:
            refused.append(f"{one.metric} with {dict(one.labels)} is there twice; the first one counts")
        else:
            seen.add(key)
            chosen.append(position)
    if refused:
        log.warning("%d of a layout's %d series are left out: %s", len(refused), len(series), "; ".join(refused[:3]))
    return chosen
