"""The house's arrows, read from the imports themselves."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

HOUSE = Path(__file__).resolve().parent.parent
MAY_IMPORT = {
    "snmp": set(),
    "config": {"snmp.oid"},
    "agent": {"snmp", "config"},
    "collector": {"snmp", "config"},
    "exporters": {"collector", "config"},
    "haidang": {"snmp", "config", "agent", "collector", "exporters"},
    "haidang.simulate": {"snmp", "config"},
}
TOP = {
    ".ci", "agent", "bench", "collector", "config", "deploy", "docs", "exporters", "haidang", "snmp", "tests",
    ".gitattributes", ".gitignore", "CHANGELOG.md", "LICENSE", "Makefile", "MANIFEST.in", "README.md", "pyproject.toml",
    "ruff.toml", "setup.cfg",
}  # fmt: skip
SAYS_NOTHING = {"utils", "util", "helpers", "helper", "base", "manager", "managers", "common", "misc", "core", "lib", "tools"}
MAX_LINES = 400
AGENT_DOES_WITHOUT = ["asyncio", "requests", "prometheus_client", "apscheduler", "sqlalchemy", "pysnmp", "multiprocessing"]


class Import(NamedTuple):
    """One imported module or name: `target` is absolute and dotted, `relative` tells how it was written, `typing` that it
    stands under TYPE_CHECKING."""

    line: int
    target: str
    relative: bool
    typing: bool


class Module(NamedTuple):
    """One of our source files."""

    name: str
    path: Path
    imports: tuple[Import, ...]

    @property
    def room(self) -> str:
        return self.name.split(".")[0]


def imports_of(name: str, path: Path) -> Iterator[Import]:
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    guarded = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(node.lineno, alias.name, False, node in guarded)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*start, *([node.module] if node.module else [])])
            for alias in node.names:
                yield Import(node.lineno, f"{origin}.{alias.name}", bool(node.level), node in guarded)


@cache
def modules() -> dict[str, Module]:
    """Every module of the rooms and of bench by its dotted name."""
    found = {}
    for room in (*(name for name in MAY_IMPORT if "." not in name), "bench"):
        for path in sorted((HOUSE / room).rglob("*.py")):
            parts = path.relative_to(HOUSE).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found[name] = Module(name, path, tuple(imports_of(name, path)))
    return found


def module_of(target: str) -> str | None:
    """Our module that an import reaches: the target itself, or the module a name is taken from; None for others' code."""
    while target:
        if target in modules():
            return target
        target = target.rpartition(".")[0]
    return None


def within(target: str, room: str) -> bool:
    return target == room or target.startswith(room + ".")


def complain(faults: list[str]) -> None:
    assert not faults, "\n" + "\n".join(faults)


def test_imports_follow_the_arrows() -> None:
    """No room imports a room that house rules do not let it see; config sees snmp.oid alone."""
    faults = []
    for module in modules().values():
        if module.room == "bench":
            continue
        owner = "haidang.simulate" if within(module.name, "haidang.simulate") else module.room
        for line, target, _, _ in module.imports:
            if module_of(target) is None or within(target, owner):
                continue
            allowed = MAY_IMPORT[owner] if owner != "haidang" else MAY_IMPORT[owner] | {"haidang.simulate"}
            if not any(within(target, room) for room in allowed):
                faults.append(f"{module.path}:{line}: {owner} may import {sorted(allowed) or 'nothing of ours'}, found {target}")
    complain(faults)


def test_imports_inside_a_room_are_relative_and_across_rooms_absolute() -> None:
    """How an import is written shows whether it leaves the room."""
    faults = []
    for module in modules().values():
        for line, target, relative, _ in module.imports:
            same = within(target, module.room)
            if module_of(target) is not None and same != relative:
                faults.append(f"{module.path}:{line}: {target} is {'of this' if same else 'of another'} room")
    complain(faults)


def test_no_module_imports_itself_through_others() -> None:
    """The modules form no circle, imports inside functions included; only names for the type checker may point back."""
    edges = {
        name: {
            found for one in module.imports if not one.typing and (found := module_of(one.target)) is not None and found != name
        }
        for name, module in modules().items()
    }
    done: set[str] = set()

    def follow(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, "circle: " + " -> ".join((*path[path.index(name) :], name))
        if name not in done:
            for target in sorted(edges[name]):
                follow(target, (*path, name))
            done.add(name)

    for name in edges:
        follow(name, ())


def test_modules_are_short_and_named_for_what_they_hold() -> None:
    """No module passes 400 lines, none has a name that says nothing, each begins with what it is."""
    faults = []
    for module in modules().values():
        text = module.path.read_text(encoding="utf-8")
        if (lines := text.count("\n")) > MAX_LINES:
            faults.append(f"{module.path}: {lines} lines, at most {MAX_LINES}")
        if module.path.stem in SAYS_NOTHING:
            faults.append(f"{module.path}: the name {module.path.stem} says nothing")
        if not ast.get_docstring(ast.parse(text)):
            faults.append(f"{module.path}: has no docstring")
    complain(faults)


def test_every_test_states_its_promise() -> None:
    """Each test function has a docstring."""
    faults = []
    for path in sorted((HOUSE / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            named = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
            if named and not ast.get_docstring(node):
                faults.append(f"{path}:{node.lineno}: {node.name} has no docstring")
    complain(faults)


def test_nothing_else_stands_at_the_top() -> None:
    """The top of the tree holds the rooms and what the house names beside them."""
    listed = subprocess.run(["git", "-C", str(HOUSE), "ls-files"], capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    found = {line.split("/")[0] for line in listed.stdout.splitlines()}
    assert found <= TOP, f"not of the house: {sorted(found - TOP)}"


def test_the_agent_stays_small() -> None:
    """What the resident agent imports holds none of the heavy libraries."""
    program = (
        f"import sys, agent.__main__, agent.service\nprint(*(name for name in {AGENT_DOES_WITHOUT!r} if name in sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=HOUSE, check=False)
    assert found.returncode == 0, found.stderr
    assert found.stdout.split() == []
