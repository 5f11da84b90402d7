"""Checked reading of YAML: each value knows the file and the path of keys it stands at, and says so when it is refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from .errors import ConfigError


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML 1.2's core types: ``on``, ``no`` and ``12:30`` are texts; a key given twice is refused."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        """A mapping; raises ConstructorError for a repeated key."""
        pairs = [(self.construct_object(key, deep=True), key) for key, _ in node.value]
        seen: set[Any] = set()
        for key, where in pairs:
            if not isinstance(key, (str, int, float)) or key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} is there twice or no text", where.start_mark
                )
            seen.add(key)
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        return mapping


_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(?:null|~|)$"), ["n", "~", ""])
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), ["t", "f"])
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^[-+]?(?:0|[1-9][0-9]*)$"), list("-+0123456789"))
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:[0-9]+\.[0-9]*(?:e[-+]?[0-9]+)?|[0-9]+e[-+]?[0-9]+|\.[0-9]+)$"),
    list("-+.0123456789"),
)


class Node:
    """A value of a document, and where it stands."""

    __slots__ = ("file", "path", "value")

    def __init__(self, value: Any, file: str, path: str = "") -> None:
        self.value = value
        self.file = file
        self.path = path

    def error(self, message: str) -> ConfigError:
        """What is wrong with this value, with its file and path."""
        return ConfigError(f"{self.file}: {self.path}: {message}" if self.path else f"{self.file}: {message}")

    def found(self, expected: str) -> ConfigError:
        """The usual message: what was found, what would be right."""
        return self.error(f"found {self.value!r:.100}, expected {expected}")

    def items(self, what: str = "keys with values") -> Iterator[tuple[str, Node]]:
        """The entries of a mapping; keys as text."""
        if not isinstance(self.value, dict):
            raise self.found(what)
        for key, value in self.value.items():
            yield str(key), Node(value, self.file, f"{self.path}.{key}" if self.path else str(key))

    def keys(self, allowed: tuple[str, ...], required: tuple[str, ...] = ()) -> dict[str, Node]:
        """The entries of a mapping whose keys are all allowed and which has the required ones."""
        entries = dict(self.items(f"keys out of {', '.join(allowed)}"))
        for key, node in entries.items():
            if key not in allowed:
                close = get_close_matches(key, allowed, 1, 0.6)
                meant = f'; did you mean "{close[0]}"?' if close else ""
                raise node.error(f"unknown key (allowed: {', '.join(allowed)}){meant}")
        for key in required:
            if key not in entries:
                raise self.error(f"{key} is missing")
        return entries

    def list(self) -> list[Node]:
        """The elements of a list; a single value is a list of one."""
        if isinstance(self.value, list):
            return [Node(v, self.file, f"{self.path}[{i}]") for i, v in enumerate(self.value)]
        return [self]

    def text(self) -> str:
        """A text; numbers are taken as written."""
        if isinstance(self.value, bool) or not isinstance(self.value, (str, int, float)):
            raise self.found("a text")
        return str(self.value)

    def number(self) -> int | float:
        """A number."""
        if isinstance(self.value, bool) or not isinstance(self.value, (int, float)):
            raise self.found("a number")
        return self.value

    def integer(self) -> int:
        """A whole number."""
        if isinstance(self.value, bool) or not isinstance(self.value, int):
            raise self.found("a whole number")
        return self.value

    def boolean(self) -> bool:
        """True or false."""
        if not isinstance(self.value, bool):
            raise self.found("true or false")
        return self.value

    def pattern(self) -> re.Pattern[str]:
        """A regular expression."""
        try:
            return re.compile(self.text())
        except re.error as e:
            raise self.found(f"a regular expression ({e})") from None


def read(path: Path) -> Node:
    """Read one YAML file; raises ConfigError for what is no YAML or cannot be read."""
    try:
        return Node(yaml.load(path.read_bytes(), Loader=_Loader), str(path))
    except OSError as e:
        raise ConfigError(f"cannot read {path} ({e.strerror})") from None
    except (yaml.YAMLError, ValueError, RecursionError) as e:
        raise ConfigError(f"{path}: not YAML: {' '.join(str(e).split())}") from None
