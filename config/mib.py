"""The text of HAIDANG-MIB (SMIv2: RFC 2578, 2579, 2580), written from the table in `objects`."""

from __future__ import annotations

from textwrap import wrap

from . import objects
from .objects import CHOICE, GROUPS, REPORT, Group, Object

MODULE = "HAIDANG-MIB"
UPDATED = "202611230000Z"

_NOTIFICATION_GROUP = 1000
"""Its arc below haidangGroups, where the groups of objects have those of their tables."""
_SYNTAX = {
    objects.TEXT: "HdText",
    objects.NUMBER: "Gauge32",
    objects.INTEGER: "Integer32",
    objects.TIME: "HdTime",
    objects.TRUTH: "TruthValue",
    objects.SERIAL: "Counter64",
}

_HEAD = """\
{module} DEFINITIONS ::= BEGIN

IMPORTS
    MODULE-IDENTITY, OBJECT-TYPE, OBJECT-IDENTITY, NOTIFICATION-TYPE, Counter64, Gauge32, Integer32, Unsigned32,
    enterprises
        FROM SNMPv2-SMI
    TEXTUAL-CONVENTION, TruthValue
        FROM SNMPv2-TC
    MODULE-COMPLIANCE, OBJECT-GROUP, NOTIFICATION-GROUP
        FROM SNMPv2-CONF;

haidang MODULE-IDENTITY
    LAST-UPDATED "{updated}"
    ORGANIZATION "Hai Dang"
    CONTACT-INFO
        "The operator of the machine that carries this agent."
    DESCRIPTION
        "What an office machine knows of itself beyond the standard
        modules: its hardware, its operating system, its protection and
        how steadily it runs. An object that is absent is not known;
        hdLimitTable says what could not be seen and why."
    REVISION "{updated}"
    DESCRIPTION
        "First version."
    ::= {{ enterprises {enterprise} 1 }}

haidangNotifications OBJECT IDENTIFIER ::= {{ haidang {notifications} }}
haidangObjects OBJECT IDENTIFIER ::= {{ haidang {objects} }}
haidangConformance OBJECT IDENTIFIER ::= {{ haidang {conformance} }}
haidangProducts OBJECT IDENTIFIER ::= {{ haidang {products} }}

HdText ::= TEXTUAL-CONVENTION
    DISPLAY-HINT "255t"
    STATUS current
    DESCRIPTION
        "A text in UTF-8."
    SYNTAX OCTET STRING (SIZE (0..255))

HdTime ::= TEXTUAL-CONVENTION
    DISPLAY-HINT "d"
    STATUS current
    DESCRIPTION
        "Seconds since 1970-01-01 00:00:00 UTC."
    SYNTAX Unsigned32

haidangLinuxAgent OBJECT-IDENTITY
    STATUS current
    DESCRIPTION
        "The sysObjectID of the agent on Linux."
    ::= {{ haidangProducts 1 }}

haidangWindowsAgent OBJECT-IDENTITY
    STATUS current
    DESCRIPTION
        "The sysObjectID of the agent on Windows."
    ::= {{ haidangProducts 2 }}
"""


def text(enterprise: int = objects.ENTERPRISE) -> str:
    """The whole module."""
    head = _HEAD.format(
        module=MODULE, updated=UPDATED, enterprise=enterprise,
        notifications=objects.NOTIFICATIONS, objects=objects.OBJECTS, conformance=objects.CONFORMANCE, products=objects.PRODUCTS,
    )  # fmt: skip
    return "\n".join([head, *(_group(group) for group in GROUPS), _report(), _conformance(), "END\n"])


def _report() -> str:
    parent = f"{REPORT.name}Objects"
    parts = [f"{parent} OBJECT IDENTIFIER ::= {{ haidangObjects {REPORT.arc} }}\n"]
    parts += [_object(REPORT, item, parent, "accessible-for-notify") for item in REPORT.objects]
    named = ",\n".join(f"        {REPORT.object_name(item)}" for item in REPORT.objects)
    parts.append(
        f"hdReportSent NOTIFICATION-TYPE\n    OBJECTS {{\n{named}\n    }}\n    STATUS current\n    DESCRIPTION\n"
        + _quoted("A report that the agent sends of itself; the objects that changed follow those named here.")
        + f"\n    ::= {{ haidangNotifications {objects.REPORT_ARC} }}\n"
    )
    return "\n".join(parts)


def _group(group: Group) -> str:
    if not group.label:
        parent = f"{group.name}Objects"
        parts = [f"{parent} OBJECT IDENTIFIER ::= {{ haidangObjects {group.arc} }}\n"]
        parts += [_object(group, item, parent) for item in group.objects]
        return "\n".join(parts)
    row = f"{group.name[0].upper()}{group.name[1:]}Entry"
    fields = [(f"{group.name}Index", "Unsigned32")]
    fields += [(group.object_name(item), "INTEGER" if item.syntax == CHOICE else _SYNTAX[item.syntax]) for item in group.objects]
    sequence = ",\n".join(f"    {name} {syntax}" for name, syntax in fields)
    parts = [
        _clause(f"{group.name}Table", f"SEQUENCE OF {row}", "not-accessible", group.help, f"haidangObjects {group.arc}"),
        _clause(f"{group.name}Entry", row, "not-accessible", "A row.", f"{group.name}Table 1", f"{{ {group.name}Index }}"),
        f"{row} ::= SEQUENCE {{\n{sequence}\n}}\n",
        _clause(
            f"{group.name}Index", "Unsigned32 (1..4294967295)", "not-accessible",
            "Tells the rows apart; of a part that stays, it stays.", f"{group.name}Entry 1",
        ),
    ]  # fmt: skip
    parts += [_object(group, item, f"{group.name}Entry") for item in group.objects]
    return "\n".join(parts)


def _object(group: Group, item: Object, parent: str, access: str = "read-only") -> str:
    syntax = _SYNTAX.get(item.syntax, "")
    if item.syntax == CHOICE:
        syntax = "INTEGER { " + ", ".join(f"{word}({n})" for n, word in enumerate(item.choices, 1)) + " }"
    return _clause(group.object_name(item), syntax, access, item.help, f"{parent} {item.arc}", unit=item.unit)


def _clause(name: str, syntax: str, access: str, help: str, place: str, index: str = "", unit: str = "") -> str:
    lines = [f"{name} OBJECT-TYPE", f"    SYNTAX {syntax}"]
    if unit and not unit.startswith("seconds"):
        lines.append(f'    UNITS "{unit}"')
    lines += [f"    MAX-ACCESS {access}", "    STATUS current", "    DESCRIPTION", _quoted(help)]
    if index:
        lines.append(f"    INDEX {index}")
    return "\n".join([*lines, f"    ::= {{ {place} }}", ""])


def _quoted(help: str) -> str:
    return "\n".join(f"        {line}" for line in wrap(f'"{help}"', 64))


def _conformance() -> str:
    names = [f"{group.name}Group" for group in GROUPS]
    parts = [
        "haidangCompliances OBJECT IDENTIFIER ::= { haidangConformance 1 }",
        "haidangGroups OBJECT IDENTIFIER ::= { haidangConformance 2 }\n",
        "haidangCompliance MODULE-COMPLIANCE",
        "    STATUS current",
        "    DESCRIPTION",
        '        "Groups whose facts the machine has are served; none is required."',
        "    MODULE -- this module",
    ]
    for name in names:
        parts += [f"        GROUP {name}", "        DESCRIPTION", '            "Where the machine has such parts."']
    for name in (f"{REPORT.name}Group", f"{REPORT.name}Notifications"):
        parts += [f"        GROUP {name}", "        DESCRIPTION", '            "Where the agent sends reports."']
    parts.append("    ::= { haidangCompliances 1 }\n")
    for group, name in zip((*GROUPS, REPORT), (*names, f"{REPORT.name}Group"), strict=True):
        members = ",\n".join(f"        {group.object_name(item)}" for item in group.objects)
        parts += [
            f"{name} OBJECT-GROUP",
            f"    OBJECTS {{\n{members}\n    }}",
            "    STATUS current",
            "    DESCRIPTION",
            _quoted(group.help),
            f"    ::= {{ haidangGroups {group.arc} }}\n",
        ]
    parts += [
        f"{REPORT.name}Notifications NOTIFICATION-GROUP",
        "    NOTIFICATIONS { hdReportSent }",
        "    STATUS current",
        "    DESCRIPTION",
        '        "Reports that agents send of themselves."',
        f"    ::= {{ haidangGroups {_NOTIFICATION_GROUP} }}\n",
    ]
    return "\n".join(parts)


if __name__ == "__main__":
    print(text(), end="")
