"""What profiles write about objects: arithmetic (``total - free``), lookups (``ifName[index[1]]``), texts (``Fan {index}``)."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from snmp.oid import OID

FORMS = ("text", "mac", "hex", "ip", "date", "oid")


@dataclass(frozen=True, slots=True, eq=False)
class Object:
    """A MIB object: `oid` is a column, or a scalar without its ``.0``. `labels` are an enumeration's names by number or OID."""

    name: str
    oid: OID
    scalar: bool = False
    hourly: bool | None = None
    """None: worked out from its use (only measured values are asked at every poll)."""
    form: str = "text"
    labels: Mapping[int | OID, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Number:
    """A constant."""

    value: int | float


@dataclass(frozen=True, slots=True)
class Index:
    """The row's index, or the arcs from `start` to `stop` of it; `single` is one arc, as a number."""

    start: int | None = None
    stop: int | None = None
    single: bool = False


@dataclass(frozen=True, slots=True)
class Ref:
    """An object's cell: in the same row, or in the row whose index the parts of `at` make up."""

    object: Object
    at: tuple[Expr, ...] = ()


@dataclass(frozen=True, slots=True)
class Binary:
    """Arithmetic: ``+ - * / **``."""

    op: str
    left: Expr
    right: Expr


Expr = Number | Index | Ref | Binary


@dataclass(frozen=True, slots=True)
class Template:
    """Text with expressions in it."""

    parts: tuple[str | Expr, ...]


_ALLOWED = "object names, index, numbers, + - * / ** and parentheses"
_OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**"}


def refs(expr: Expr) -> Iterator[Ref]:
    """Every reference in an expression, those used to look others up included."""
    if isinstance(expr, Ref):
        yield expr
        for part in expr.at:
            yield from refs(part)
    elif isinstance(expr, Binary):
        yield from refs(expr.left)
        yield from refs(expr.right)


def own_refs(expr: Expr) -> Iterator[Ref]:
    """The references of an expression that stand in the row itself: no scalars, nothing looked up."""
    if isinstance(expr, Binary):
        yield from own_refs(expr.left)
        yield from own_refs(expr.right)
    elif isinstance(expr, Ref) and not expr.at and not expr.object.scalar:
        yield expr


def parse(text: str, objects: Mapping[str, Object]) -> Expr:
    """Read an expression; raises ValueError that names what is wrong and what is known."""
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ValueError(f"not an expression: {text!r} (expected {_ALLOWED})") from None
    return _convert(tree, text, objects)


def _convert(node: ast.expr, text: str, objects: Mapping[str, Object]) -> Expr:
    match node:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            return Number(value)
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return Number(-value)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return Binary("-", Number(0), _convert(operand, text, objects))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return Binary(_OPERATORS[type(op)], _convert(left, text, objects), _convert(right, text, objects))
        case ast.Name(id="index"):
            return Index()
        case ast.Name(id=name):
            return Ref(_known(name, text, objects))
        case ast.Subscript(value=ast.Name(id="index"), slice=part):
            return _index(part, text)
        case ast.Subscript(value=ast.Name(id=name), slice=part):
            found = _known(name, text, objects)
            if found.scalar:
                raise ValueError(f"{name} in {text!r} is a scalar: it has no rows to look up")
            parts = part.elts if isinstance(part, ast.Tuple) else [part]
            return Ref(found, tuple(_convert(p, text, objects) for p in parts))
    raise ValueError(f"{ast.unparse(node)!r} in {text!r}: expected {_ALLOWED}")


def _index(part: ast.expr, text: str) -> Index:
    def bound(node: ast.expr | None) -> int | None:
        if node is None:
            return None
        value = ast.literal_eval(node)
        if not isinstance(value, int):
            raise ValueError
        return value

    try:
        if isinstance(part, ast.Slice):
            if part.step is not None:
                raise ValueError
            return Index(bound(part.lower), bound(part.upper))
        start = bound(part)
        return Index(start, None, single=True)
    except ValueError:
        raise ValueError(f"index in {text!r} takes whole numbers: index, index[0], index[-1], index[1:], index[0:2]") from None


def _known(name: str, text: str, objects: Mapping[str, Object]) -> Object:
    if name not in objects:
        close = [o for o in objects if o.lower().startswith(name.lower()[:6])][:5]
        hint = f"; like it: {', '.join(close)}" if close else ""
        raise ValueError(f"unknown object {name!r} in {text!r} (expected one under objects, here or in what is extended{hint})")
    return objects[name]


def parse_template(text: str, objects: Mapping[str, Object]) -> Template:
    """Read text with expressions in braces; ``{{`` and ``}}`` stand for braces."""
    parts: list[str | Expr] = []
    for piece in re.split(r"(\{\{|\}\}|\{[^{}]*\})", text):
        if piece in ("{{", "}}"):
            parts.append(piece[0])
        elif piece.startswith("{") and piece.endswith("}") and len(piece) > 1:
            parts.append(parse(piece[1:-1], objects))
        elif "{" in piece or "}" in piece:
            raise ValueError(f"a brace without its partner in {text!r} (write {{{{ or }}}} for a brace itself)")
        elif piece:
            parts.append(piece)
    return Template(tuple(parts))
