"""Agents that answer wrongly to more than they bear, each in its own way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from devices import Answer, question, reply

from snmp import message
from snmp.message import VarBind

GARBAGE, SILENCE = -1, -2
Crook = Callable[["Asked", list[VarBind]], "list[VarBind] | int"]
"""From what was asked and the right answer to what is answered: objects, an error-status, GARBAGE or SILENCE."""


class Asked(NamedTuple):
    """The shape of a request."""

    kind: int
    names: int
    fixed: int
    repetitions: int

    @property
    def objects(self) -> int:
        """How many objects may come back."""
        return self.fixed + (self.names - self.fixed) * self.repetitions if self.kind == message.GET_BULK else self.names


def crooked(agent: Answer, crook: Crook) -> Answer:
    """An agent that answers as `crook` says."""

    def answer(data: bytes, source: Any) -> bytes | None:
        pdu, names = question(data)
        made = agent(data, source)
        if not isinstance(made, bytes):
            return None
        told, bindings = question(made)
        if told.error_status:
            return made
        bulk = pdu.type == message.GET_BULK
        asked = Asked(pdu.type, len(names), pdu.error_status if bulk else 0, pdu.error_index if bulk else 0)
        found = crook(asked, bindings)
        if isinstance(found, list):
            return reply(data, found)
        if found == SILENCE:
            return None
        return reply(data, bindings)[:-3] if found == GARBAGE else reply(data, status=found)

    return answer


@dataclass(frozen=True)
class Limit:
    """What an agent bears: names in a request, repetitions, objects in an answer, and whether objects beside columns."""

    names: int = 1000
    repetitions: int = 1000
    objects: int = 1000
    mixed: bool = True

    def exceeded(self, asked: Asked) -> bool:
        return (
            asked.names > self.names
            or asked.repetitions > self.repetitions
            or asked.objects > self.objects
            or (not self.mixed and 0 < asked.fixed < asked.names)
        )


def refuses(limit: Limit, how: int) -> Crook:
    """Beyond the limit an error-status, GARBAGE or SILENCE."""
    return lambda asked, right: how if limit.exceeded(asked) else right


def beyond(limit: Limit, spoil: Callable[[Asked, list[VarBind]], list[VarBind]]) -> Crook:
    """Beyond the limit the right answer spoilt."""
    return lambda asked, right: spoil(asked, right) if limit.exceeded(asked) else right


def cut(objects: int) -> Crook:
    """Never more than so many objects."""
    return lambda asked, right: right[:objects]


def short(octets: int) -> Crook:
    """Never more than so many octets of objects."""

    def crook(asked: Asked, right: list[VarBind]) -> list[VarBind]:
        out: list[VarBind] = []
        for binding in right:
            octets_so_far = len(message.encode_varbinds([*out, binding]))
            if octets_so_far > octets:
                break
            out.append(binding)
        return out

    return crook


def _rows(asked: Asked, right: Sequence[VarBind]) -> tuple[list[VarBind], list[list[VarBind]]]:
    fixed = asked.fixed if asked.kind == message.GET_BULK else 0
    width = max(1, asked.names - fixed)
    rest = right[fixed:]
    return list(right[:fixed]), [list(rest[i : i + width]) for i in range(0, len(rest), width)]


def reordered(asked: Asked, right: list[VarBind]) -> list[VarBind]:
    """Columns in the wrong order."""
    fixed, rows = _rows(asked, right)
    return [*fixed, *(binding for row in rows for binding in reversed(row))]


def sorted_by_name(asked: Asked, right: list[VarBind]) -> list[VarBind]:
    """All objects sorted: column by column instead of row by row."""
    return sorted(right)


def columns_lost(asked: Asked, right: list[VarBind]) -> list[VarBind]:
    """The last columns of each row missing."""
    fixed, rows = _rows(asked, right)
    return [*fixed, *(binding for row in rows for binding in row[: max(1, len(row) // 2)])]


def first_column_lost(asked: Asked, right: list[VarBind]) -> list[VarBind]:
    """The first column of each row missing."""
    fixed, rows = _rows(asked, right)
    return [*fixed, *(binding for row in rows for binding in (row[1:] or row))]


def repeated(asked: Asked, right: list[VarBind]) -> list[VarBind]:
    """The first row again and again."""
    fixed, rows = _rows(asked, right)
    return [*fixed, *(binding for _ in rows for binding in rows[0])]


def doubled(asked: Asked, right: list[VarBind]) -> list[VarBind]:
    """Every object twice."""
    return [binding for binding in right for _ in range(2)]


def rows_skipped(asked: Asked, right: list[VarBind]) -> list[VarBind]:
    """Every second row missing."""
    fixed, rows = _rows(asked, right)
    return [*fixed, *(binding for row in rows[::2] for binding in row)]


def backwards(asked: Asked, right: list[VarBind]) -> list[VarBind]:
    """Rows in the wrong order."""
    fixed, rows = _rows(asked, right)
    return [*fixed, *(binding for row in reversed(rows) for binding in row)]


SPOILERS = (reordered, sorted_by_name, columns_lost, first_column_lost, repeated, doubled, backwards)
