"""``python -m bench`` lists the rows; ``python -m bench NAME [--quick]`` runs one, ``python -m bench all`` every one.

A row is a module of this package with ``run(quick: bool) -> dict``; its name has hyphens for the underscores. What it hands
back (value, unit, bar, ok, peer, versions) is printed last, as one JSON line. In full form the output is kept in bench/results/.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import json
import platform
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"


def rows() -> dict[str, str]:
    """Every row's name and the first line of what it says of itself."""
    found = {}
    for path in sorted(HERE.glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if any(isinstance(node, ast.FunctionDef) and node.name == "run" for node in tree.body):
            found[path.stem.replace("_", "-")] = (ast.get_docstring(tree) or "").splitlines()[0]
    return found


def run_one(name: str, quick: bool) -> bool:
    """Run a row in this process and print its line; True when the bar is held."""
    result = importlib.import_module(f"bench.{name.replace('-', '_')}").run(quick)
    keys = ("value", "unit", "bar", "ok", "peer")
    versions = {"python": platform.python_version(), **result.get("versions", {})}
    print(json.dumps({"name": name, **{key: result[key] for key in keys}, "versions": versions}), flush=True)
    return bool(result["ok"])


def run_kept(name: str, quick: bool) -> bool:
    """Run a row in a process of its own; the full form's output goes to bench/results/ as well."""
    command = [sys.executable, "-m", "bench", name, *(["--quick"] if quick else [])]
    output = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=HERE.parent) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            output.append(line)
    if not quick and output and output[-1].startswith("{"):
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"{name}.txt").write_text("".join(output), encoding="utf-8")
    return process.returncode == 0


def main() -> int:
    """0 when every bar is held, 1 when one is not, 2 for a name that is none."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Benchmarks beside their peers.")
    parser.add_argument("name", nargs="?", help="a row, or all; without it the rows are listed")
    parser.add_argument("--quick", action="store_true", help="a smaller form that stays under a minute")
    arguments = parser.parse_args()
    known = rows()
    if arguments.name is None:
        for name, meaning in known.items():
            print(f"{name:20} {meaning}")
        return 0
    if arguments.name == "all":
        held = [run_kept(name, arguments.quick) for name in known]
        return 0 if all(held) else 1
    if arguments.name not in known:
        print(f"no row {arguments.name}: expected one of {', '.join(known)}, or all", file=sys.stderr)
        return 2
    return 0 if run_one(arguments.name, arguments.quick) else 1


if __name__ == "__main__":
    sys.exit(main())
