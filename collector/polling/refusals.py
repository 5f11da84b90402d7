"""Who sends reports that cannot be believed, and why not: named in the log, once an hour each."""

from __future__ import annotations

import logging
from typing import NamedTuple

from snmp import v3
from snmp.engine import Statistics
from snmp.errors import DecodeError

log = logging.getLogger(__name__)

_REASONS = {
    "usmStatsUnknownUserNames": "there is no such user (never enrolled, or revoked)",
    "usmStatsWrongDigests": "wrong authentication key",
    "usmStatsDecryptionErrors": "wrong privacy key",
    "usmStatsUnsupportedSecLevels": "the user has other security levels",
}
"""Unknown engines and wrong times are no refusals: they begin every conversation."""
_AGAIN, _NAMED = 3600.0, 1000
"""Seconds until a user is named again, and how many may be in that time: names cost a forger nothing."""


class Refusal(NamedTuple):
    """Whose name somebody used, and what was wrong."""

    user: bytes
    reason: str


class Refusals:
    """Follows the counters of the receiving end."""

    def __init__(self, statistics: Statistics) -> None:
        self._statistics = statistics
        self._before = dict.fromkeys(_REASONS, 0)
        self._named: dict[bytes, float] = {}

    def note(self, data: bytes, host: str, now: float) -> Refusal | None:
        """What a datagram was refused for, to which a Report was the answer; None when it only began a conversation."""
        counts = {name: self._statistics[name] for name in _REASONS}
        before, self._before = self._before, counts
        reason = next((text for name, text in _REASONS.items() if counts[name] != before[name]), None)
        if reason is None:
            return None
        try:
            user = v3.decode(data).user
        except DecodeError:
            return None
        if now - self._named.get(user, float("-inf")) > _AGAIN:
            if len(self._named) >= _NAMED:
                self._named = {name: at for name, at in self._named.items() if now - at <= _AGAIN}
            if len(self._named) < _NAMED:
                self._named[user] = now
                log.warning("reports refused from=%s user=%r reason=%r", host, user.decode("utf-8", "replace"), reason)
        return Refusal(user, reason)

    def __len__(self) -> int:
        """How many there were."""
        return sum(self._statistics[name] for name in _REASONS)
