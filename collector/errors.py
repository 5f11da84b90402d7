"""The error tree of the collector's room."""

from __future__ import annotations


class CollectorError(Exception):
    """Root of every error raised by `collector`."""


class InventoryError(CollectorError):
    """The inventory's database cannot be opened, migrated or read."""


class IdentityError(CollectorError):
    """A machine that is not known, or a merge, split or undo that cannot be done."""


class DiscoveryError(CollectorError):
    """A discovery that is under way already, or a candidate that cannot be accepted, rejected or forgotten."""


class ReceiveError(CollectorError):
    """Reports of agents that cannot be taken or kept."""


class AgentError(CollectorError):
    """An agent that may not enrol or ask, or a command about agents that cannot be carried out."""


class ReleaseError(CollectorError):
    """A release of the agent, or a key to sign it with, that cannot be used."""
