"""Reading the rules of a profile from YAML: every key checked, every expression parsed against the profile's objects."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import NamedTuple

from snmp.oid import OID

from .catalogue import CATALOGUE
from .documents import Node
from .expressions import FORMS, Binary, Expr, Index, Object, Ref, Template, own_refs, parse, parse_template
from .rules import FACTS, KINDS, SECTIONS, Condition, Rule, Section, Source, Test, Text, Value, conditions
from .units import SENSOR_CLASSES, conversion

Objects = Mapping[str, Object]

_COMPARISON = re.compile(r"(>=|<=|>|<) *(-?\d+(?:\.\d+)?)")
_SOURCE = ("from", "regex", "as", "map", "where", "unless")
_COMMON = ("rows", "where", "unless", "otherwise")
_NOT_MEASURED = frozenset((2147483647, -2147483648, 4294967295))
"""What agents put where they have no reading: the largest and least INTEGER, and -1 in an unsigned type."""


def read_object(name: str, node: Node, root: OID | None = None) -> Object:
    """One entry of ``objects``: an OID (``root.1.2``: under `root`), or a mapping with oid, values, as and hourly."""
    if not name.isidentifier() or name == "index":
        raise node.error(f"{name!r} is no object name (expected letters, digits and _, as ifInOctets; index is the row's)")
    keys = node.keys(("oid", "values", "as", "hourly"), ("oid",)) if isinstance(node.value, dict) else {"oid": node}
    text = keys["oid"].text()
    if text.startswith("root."):
        if root is None:
            raise keys["oid"].error(f"{text!r} needs a root (expected one in a match of this profile)")
        text = f"{root}{text.removeprefix('root')}"
    try:
        oid = OID.parse(text)
    except ValueError as e:
        raise keys["oid"].error(str(e)) from None
    scalar = oid[-1] == 0
    form = keys["as"].text() if "as" in keys else "text"
    if form not in FORMS:
        raise keys["as"].found(f"one of {', '.join(FORMS)}")
    labels: dict[int | OID, str] = {}
    if "values" in keys:
        for label, value in keys["values"].items("labels with their numbers (up: 1)"):
            try:
                number = value.value if isinstance(value.value, int) else OID.parse(value.text())
            except ValueError as e:
                raise value.error(str(e)) from None
            labels[number] = label
    hourly = keys["hourly"].boolean() if "hourly" in keys else None
    return Object(name, OID(oid[:-1]) if scalar else oid, scalar, hourly, form, labels)


def read_expr(node: Node, objects: Objects) -> Expr:
    """A number or an expression."""
    try:
        return parse(node.text(), objects)
    except ValueError as e:
        raise node.error(str(e)) from None


def read_template(node: Node, objects: Objects) -> Template:
    """Text with expressions in braces."""
    try:
        return parse_template(node.text(), objects)
    except ValueError as e:
        raise node.error(str(e)) from None


def read_conditions(node: Node, objects: Objects) -> tuple[Condition, ...]:
    """``{object: value or [values]}``; values are numbers, labels, texts, ``any``, ``~ regex`` or ``> number``."""
    found = []
    for key, wanted in node.items("objects with the values they must have"):
        expr = read_expr(Node(key, node.file, f"{node.path}.{key}"), objects)
        labels = expr.object.labels if isinstance(expr, Ref) else {}
        found.append(Condition(expr, tuple(_test(one, labels) for one in wanted.list())))
    return tuple(found)


def _test(node: Node, labels: Mapping[int | OID, str]) -> Test:
    if isinstance(node.value, (int, float)) and not isinstance(node.value, bool):
        return Test("=", node.value)
    text = node.text()
    if text == "any":
        return Test("any")
    for value, label in labels.items():
        if label == text:
            return Test("=", value)
    if text.startswith("~"):
        return Test("~", Node(text[1:].strip(), node.file, node.path).pattern())
    if match := _COMPARISON.fullmatch(text):
        return Test(match[1], float(match[2]))
    if labels:
        raise node.found(f"a number or one of {', '.join(labels.values())}")
    return Test("=", text)


def read_text(node: Node, objects: Objects, allowed: tuple[str, ...] = ()) -> Text:
    """A template, a source, or a list of them; `allowed` are the texts that may come out."""
    return tuple(_source(one, objects, allowed) for one in node.list())


def _source(node: Node, objects: Objects, allowed: tuple[str, ...]) -> Source:
    if not isinstance(node.value, dict):
        template = read_template(node, objects)
        if allowed and len(template.parts) == 1 and isinstance(template.parts[0], str):
            _check_allowed(node, allowed)
        return Source(template)
    keys = node.keys(_SOURCE, ("from",))
    regex = keys["regex"].pattern() if "regex" in keys else None
    out = _output(keys["as"], regex) if "as" in keys else None
    if out and allowed and all(isinstance(part, str) for part in out):
        _check_allowed(keys["as"], allowed)
    template = read_template(keys["from"], objects)
    mapping = None
    if "map" in keys:
        labels = _labels(template)
        mapping = {}
        for key, value in keys["map"].items("values with what they mean"):
            if (
                labels
                and key not in labels.values()
                and key != "other"
                and not (key.lstrip("-").isdigit() and int(key) in labels)
            ):
                raise value.error(f"{key!r} is no value of it (allowed: {', '.join(labels.values())}, other)")
            mapping[labels.get(int(key), key) if key.lstrip("-").isdigit() else key] = value.text()
            if allowed:
                _check_allowed(value, allowed)
    where = read_conditions(keys["where"], objects) if "where" in keys else ()
    unless = read_conditions(keys["unless"], objects) if "unless" in keys else ()
    return Source(template, regex, out, mapping, where, unless)


def _check_allowed(node: Node, allowed: tuple[str, ...]) -> None:
    if node.text() not in ("", *allowed):
        raise node.found(f"one of {', '.join(allowed)}")


def _labels(template: Template) -> Mapping[int | OID, str]:
    if len(template.parts) == 1 and isinstance(template.parts[0], Ref):
        return template.parts[0].object.labels
    return {}


def _output(node: Node, regex: re.Pattern[str] | None) -> tuple[str | tuple[str], ...]:
    parts: list[str | tuple[str]] = []
    for piece in re.split(r"(\{\w+\})", node.text()):
        if re.fullmatch(r"\{\w+\}", piece):
            group = piece[1:-1]
            known = {str(n) for n in range(regex.groups + 1)} | set(regex.groupindex) if regex else {"0"}
            if group not in known:
                raise node.error(f"{piece} names no group of the regex (known: {', '.join(sorted(known))})")
            parts.append((group,))
        elif piece:
            parts.append(piece)
    return tuple(parts)


def read_value(node: Node, objects: Objects) -> Value:
    """An expression, a source whose text is read as a number, or a list of them."""
    return tuple(_source(one, objects, ()) if isinstance(one.value, dict) else read_expr(one, objects) for one in node.list())


def read_facts(node: Node, objects: Objects) -> tuple[dict[str, Text], Value]:
    """The ``facts`` of a profile: (texts, uptime in seconds)."""
    keys = node.keys((*FACTS, "uptime_seconds"))
    uptime = keys.pop("uptime_seconds", None)
    return _fact_texts(keys, objects), read_value(uptime, objects) if uptime else ()


def read_guesses(node: Node, objects: Objects) -> dict[str, Text]:
    """The ``guesses`` of a profile: texts of facts that nothing else tells."""
    return _fact_texts(node.keys(FACTS), objects)


def _fact_texts(keys: Mapping[str, Node], objects: Objects) -> dict[str, Text]:
    return {name: read_text(node, objects, KINDS if name == "kind" else ()) for name, node in keys.items()}


def read_rule(section: str, node: Node, objects: Objects) -> Rule:
    """One rule of a section."""
    kind = SECTIONS[section]
    keys = node.keys((*dict.fromkeys((*kind.texts, *kind.live, *kind.hourly, *kind.options, *_COMMON)),), kind.required)
    classes = tuple(SENSOR_CLASSES) if section == "sensors" else ()
    texts = {name: read_text(keys[name], objects, classes if name == "class" else ()) for name in kind.texts if name in keys}
    values = {name: read_value(keys[name], objects) for name in (*kind.live, *kind.hourly) if name in keys}
    labels = {}
    if "labels" in keys:
        labels = {name: read_text(n, objects) for name, n in keys["labels"].items("label names with texts")}
    metric = _metric(keys["metric"], node, tuple(labels)) if "metric" in keys else ""
    absent = frozenset(one.integer() for one in keys["absent"].list()) if "absent" in keys else frozenset()
    return Rule(
        section=section,
        path=node.path,
        rows=_rows(keys.get("rows"), node, texts, values, objects, section),
        where=read_conditions(keys["where"], objects) if "where" in keys else (),
        unless=read_conditions(keys["unless"], objects) if "unless" in keys else (),
        otherwise=keys["otherwise"].boolean() if "otherwise" in keys else False,
        texts=texts,
        values=values,
        labels=labels,
        metric=metric,
        scale=read_value(keys["scale"], objects) if "scale" in keys else (),
        unit=_unit(keys.get("unit"), kind, keys.get("class")),
        absent=absent | _NOT_MEASURED if section == "sensors" else absent,
        range=_range(keys.get("range")),
    )


def _metric(node: Node, rule: Node, labels: tuple[str, ...]) -> str:
    metric = CATALOGUE.get(node.text())
    if metric is None or not metric.polled:
        close = get_close_matches(node.text(), CATALOGUE, 3, 0.5)
        raise node.found("the name of a polled metric of the catalogue" + (f", as {', '.join(close)}" if close else ""))
    if sorted(labels) != sorted(metric.series_labels):
        raise rule.error(
            f"{metric.name} has the labels {', '.join(metric.series_labels) or 'none'}, found {', '.join(labels) or 'none'}"
        )
    return metric.name


def _unit(node: Node | None, kind: Section, class_node: Node | None) -> tuple[float, float]:
    if node is None:
        return 1, 0
    if kind.unit:
        base = kind.unit
    else:
        found = class_node.value if class_node is not None else None
        if found not in SENSOR_CLASSES:
            raise node.error("a unit needs a fixed class; where the class comes from the device use scale")
        base = SENSOR_CLASSES[found].unit
    try:
        return conversion(node.text(), base)
    except ValueError as e:
        raise node.error(str(e)) from None


def _range(node: Node | None) -> tuple[float, float] | None:
    if node is None:
        return None
    bounds = [one.number() for one in node.list()]
    if len(bounds) != 2 or bounds[0] > bounds[1]:
        raise node.found("[lowest, highest] in base units")
    return bounds[0], bounds[1]


def _rows(
    node: Node | None, rule: Node, texts: Mapping[str, Text], values: Mapping[str, Value], objects: Objects, section: str
) -> tuple[Object, ...]:
    """The columns whose rows a rule goes through; none: it reads scalars, and is applied once."""
    if node is not None:
        found = []
        for one in node.list():
            expr = read_expr(one, objects)
            if not isinstance(expr, Ref) or expr.at or expr.object.scalar:
                raise one.found("a column's name, or a list of them")
            found.append(expr.object)
        return tuple(found)
    columns: dict[Object, None] = {}
    for alternatives in values.values() or texts.values():
        for choice in alternatives:
            for part in choice.template.parts if isinstance(choice, Source) else (choice,):
                if not isinstance(part, str):
                    columns.update((ref.object, None) for ref in own_refs(part))
        if columns:
            break
    if not columns and any(isinstance(p, Index) for text in texts.values() for s in text for p in s.template.parts):
        raise rule.error(f"the {section} rule uses index, but names no column: add rows")
    return tuple(columns)


class Use(NamedTuple):
    """What is read: values that move, texts asked at every poll (a port's state), what is asked hourly, what must only be there.

    Of the last the rows matter, not the values: a cell that comes or goes translates anew anyway.
    """

    moving: set[Object]
    states: set[Object]
    seldom: set[Object]
    there: set[Object]


def used(rules: Iterable[Rule], facts: Iterable[Text], uptime: Value) -> Use:
    """All objects that the rules and facts of a profile read, by how they are used; one may be used in several ways."""
    use = Use(set(), set(), set(), set())
    for one in uptime:
        _use(one, use.moving, use)
    for text in facts:
        _use_text(text, use.seldom, use)
    for rule in rules:
        section = SECTIONS[rule.section]
        for name, value in rule.values.items():
            for one in value:
                _use(one, use.moving if name in section.live else use.seldom, use)
        for name, text in rule.texts.items():
            _use_text(text, use.states if name in section.live_texts else use.seldom, use)
        for text in rule.labels.values():
            _use_text(text, use.seldom, use)
        for one in rule.scale:
            _use(one, use.seldom, use)
        _use_conditions(rule, use)
        use.there.update(rule.rows)
    use.seldom.update(use.there - use.moving)
    return use


def _use_text(text: Text, own: set[Object], use: Use) -> None:
    for source in text:
        _use(source, own, use)


def _use_conditions(of: Rule | Source, use: Use) -> None:
    for condition in conditions(of):
        _use(condition.expr, use.there if all(test.op == "any" for test in condition.tests) else use.seldom, use)


def _use(one: Expr | Source, own: set[Object], use: Use) -> None:
    if isinstance(one, Source):
        for part in one.template.parts:
            if not isinstance(part, str):
                _use(part, own, use)
        _use_conditions(one, use)
    elif isinstance(one, Binary):
        _use(one.left, own, use)
        _use(one.right, own, use)
    elif isinstance(one, Ref):
        own.add(one.object)
        for part in one.at:
            _use(part, use.seldom, use)
