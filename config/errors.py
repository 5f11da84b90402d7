"""The error tree of the configuration room: what an operator wrote and what would be right."""

from __future__ import annotations


class ConfigError(Exception):
    """Root of every error raised by `config`.

    `problems` holds one message for each thing wrong, so that all are told at once.
    """

    def __init__(self, *problems: str) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))
