"""What the README and docs/ show is run and read here.

A ``console`` block is a session: each line ``$ haidang ...`` (or ``haidang-agent``) runs in the document's own directory, and
what it prints is compared with the lines below it. There ``...`` stands for anything, on a line of its own for any lines; every
number matches every other, and the width of spaces does not count. A command with nothing below it must only succeed.

A block whose info string names a file (``toml haidang.toml``) is written to that file first, so that commands can use it, and
is read by its reader: ``haidang*.toml`` by the collector's settings, ``profile*.yaml`` by the device profiles.
Other blocks are read by people only; a ``make`` target in a ``sh`` block must exist.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

HOUSE = Path(__file__).resolve().parent.parent
DOCUMENTS = [HOUSE / "README.md", *sorted((HOUSE / "docs").rglob("*.md"))]
COMMANDS = ("haidang", "haidang-agent")
NUMBER = r"[+-]?\d[\d.,:]*"


class Block(NamedTuple):
    """A fenced block: where its content begins, its language, the file it names or nothing, its text."""

    line: int
    language: str
    file: str
    text: str


def blocks_of(text: str) -> list[Block]:
    """The fenced blocks of a Markdown text, in order."""
    found: list[Block] = []
    opened: tuple[int, str] | None = None
    body: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        if opened is None and line.startswith("```"):
            opened, body = (number + 1, line[3:].strip()), []
        elif opened is not None and line.rstrip() == "```":
            words = [*opened[1].split(), "", ""]
            found.append(Block(opened[0], words[0], words[1], "\n".join(body) + "\n"))
            opened = None
        elif opened is not None:
            body.append(line)
    assert opened is None, f"line {opened[0]}: the block does not end" if opened else ""
    return found


def pattern_of(expected: str) -> re.Pattern[str]:
    """The loose pattern an output has to match in full."""
    lines = []
    for line in expected.strip("\n").splitlines():
        if line.strip() == "...":
            lines.append(r"(?:.*\n)*?")
            continue
        pieces = []
        for word in re.split(rf"(\.\.\.|{NUMBER}|\s+)", line.strip()):
            if word == "...":
                pieces.append(r".*")
            elif re.fullmatch(NUMBER, word):
                pieces.append(NUMBER)
            elif word.isspace():
                pieces.append(r"\s+")
            else:
                pieces.append(re.escape(word))
        lines.append(r"\s*" + "".join(pieces) + r"[ \t]*\n")
    return re.compile("".join(lines))


def sessions_of(block: Block) -> list[tuple[int, str, str]]:
    """The commands of a console block: (line, command, expected output)."""
    found: list[tuple[int, str, list[str]]] = []
    for number, line in enumerate(block.text.splitlines(), block.line):
        if line.startswith("$ "):
            found.append((number, line[2:], []))
        else:
            assert found, f"line {number}: a console block begins with a command after '$ '"
            found[-1][2].append(line)
    return [(number, command, "\n".join(lines)) for number, command, lines in found]


def execute(command: str, directory: Path) -> str:
    """What one of our commands prints; fails when it fails."""
    words = shlex.split(command)
    assert words[0] in COMMANDS, f"{words[0]}: a console block runs {' and '.join(COMMANDS)} only; show others as sh or text"
    words[0] = str(Path(sys.executable).parent / words[0])
    done = subprocess.run(
        words, capture_output=True, text=True, cwd=directory, stdin=subprocess.DEVNULL, timeout=100, check=False
    )
    assert done.returncode == 0, f"$ {command}: status {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


def read(block: Block, directory: Path) -> None:
    """Have a named block's reader accept it."""
    path = directory / block.file
    if block.file.endswith(".toml") and block.file.startswith("haidang"):
        execute(f"haidang check --config {shlex.quote(str(path))}", directory)
    elif block.file.endswith(".yaml") and block.file.startswith("profile"):
        from config import profiles

        profiles.read(path)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(HOUSE)))
def test_what_a_document_shows_is_so(document: Path, tmp_path: Path) -> None:
    """Every session gives what is shown, every named file is accepted by its reader, every make target exists."""
    blocks = blocks_of(document.read_text(encoding="utf-8"))
    targets = re.findall(r"^([a-z]+):", (HOUSE / "Makefile").read_text(), re.MULTILINE)
    for block in blocks:
        if block.file:
            (tmp_path / block.file).write_text(block.text, encoding="utf-8")
    for block in blocks:
        if block.file:
            read(block, tmp_path)
        if block.language == "sh":
            assert set(re.findall(r"^make (\w+)", block.text, re.MULTILINE)) <= set(targets), f"line {block.line}"
        if block.language == "console":
            for number, command, expected in sessions_of(block):
                said = execute(command, tmp_path)
                if expected.strip():
                    assert pattern_of(expected).fullmatch(said.strip("\n") + "\n"), f"line {number}: $ {command} prints\n{said}"


def test_files_a_document_links_to_exist() -> None:
    """A relative link, or a path of ours in backquotes, points to something that is there."""
    faults = []
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        links = re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", text)
        paths = re.findall(r"`((?:agent|bench|collector|config|deploy|docs|exporters|haidang|snmp|tests)/[\w./-]*)`", text)
        places = [*(document.parent / link for link in links), *(HOUSE / path for path in paths)]
        faults += [f"{document.name}: {place}" for place in places if not place.exists()]
    assert faults == []


def test_expected_output_is_compared_loosely_but_not_blindly() -> None:
    """Numbers, spaces and what ``...`` covers may differ; words may not."""
    shown = "switch-1   up   12.5 ms\n...\n3 devices, ... silent\n"
    assert pattern_of(shown).fullmatch("switch-204 up 3 ms\nanother line\n17 devices, none silent\n")
    assert pattern_of(shown).fullmatch("switch-204 up 3 ms\n17 devices, 2 silent\n")
    assert not pattern_of(shown).fullmatch("switch-204 down 3 ms\n17 devices, 2 silent\n")
    assert not pattern_of(shown).fullmatch("switch-204 up 3 ms\n17 devices, 2 silent\nmore\n")


def test_every_command_is_in_the_readme_or_docs() -> None:
    """Each subcommand that ``haidang --help`` lists is named somewhere in the documents."""
    helped = execute("haidang --help", HOUSE)
    listed = re.findall(r"^    ([a-z-]+)(?:  |$)", helped, re.MULTILINE)
    assert listed, helped
    text = "\n".join(path.read_text(encoding="utf-8") for path in DOCUMENTS)
    assert [name for name in listed if f"haidang {name}" not in text] == []
