"""The error tree of the agent's room."""

from __future__ import annotations


class AgentError(Exception):
    """Root of every error raised by `agent`."""


class SettingsError(AgentError):
    """Settings that cannot be used; `problems` holds one message for each thing wrong."""

    def __init__(self, *problems: str) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class StateError(AgentError):
    """A file of the state directory that cannot be read or written."""


class Unreadable(AgentError):
    """A part of the machine that cannot be seen; the message says why and what would help."""
