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


class PortalError(AgentError):
    """A collector that cannot be asked over HTTPS, or says no. `status` is HTTP's, 0 when there was no answer."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status

    @property
    def passing(self) -> bool:
        """May the same question be answered a little later?"""
        return self.status in (0, 408, 429) or self.status >= 500
