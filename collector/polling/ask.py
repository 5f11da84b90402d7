"""Asking one device, and the one place where what went wrong becomes an outcome."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, NamedTuple, TypeVar

from snmp import errors, message
from snmp.client import Client, Pending, Request, Target
from snmp.message import Pdu

from ..model import Outcome

WINDOW = 4
"""Requests under way to one device; the client's pacing spreads them over the line."""

T = TypeVar("T")


class Reading(NamedTuple):
    """One attempt to read a device. `bodies`: the varbinds of each request as received, None where nothing came;
    `duration` in seconds, None when no answer came at all."""

    bodies: Sequence[bytes | None]
    outcome: Outcome
    error: errors.SnmpError | None
    duration: float | None
    requests: int
    retries: int


def outcome(error: errors.SnmpError) -> Outcome:
    """What an error of the SNMP room says of the device."""
    if isinstance(error, errors.SecurityError):
        return Outcome.AUTH
    if isinstance(error, errors.Unreachable):
        return Outcome.UNREACHABLE
    if isinstance(error, errors.Timeout):
        return Outcome.TIMEOUT
    if isinstance(error, errors.StatusError):
        return Outcome.AUTH if error.status in (message.NO_ACCESS, message.AUTHORIZATION_ERROR) else Outcome.PARTIAL
    return Outcome.MALFORMED


async def attempt(work: Coroutine[Any, Any, T]) -> tuple[T | None, Outcome, str]:
    """Await something that speaks to a device: (its result, OK, "") or (None, what went wrong, in words)."""
    try:
        return await work, Outcome.OK, ""
    except errors.SnmpError as e:
        return None, outcome(e), str(e)


class Poll:
    """One round of a plan's requests to one device. `done(reading)` is called once, when all were answered or given up.

    A device that has not answered lately is sent one request first, and the others when that was answered: a dead one
    costs its tries once, not once a request.
    """

    __slots__ = ("_bodies", "_client", "_done", "_error", "_left", "_next", "_requests", "_retries", "_started", "_target",
                 "_window")  # fmt: skip

    def __init__(
        self,
        client: Client,
        target: Target,
        requests: Sequence[Request],
        done: Callable[[Reading], None],
        *,
        window: int = WINDOW,
        cautious: bool = False,
    ) -> None:
        self._client = client
        self._target = target
        self._requests = requests
        self._done = done
        self._window = window
        self._bodies: list[bytes | None] = [None] * len(requests)
        self._error: errors.SnmpError | None = None
        self._left = len(requests)
        self._next = 0
        self._retries = 0
        self._started = client.loop.time()
        for _ in range(1 if cautious else min(window, len(requests))):
            self._send()

    def _send(self) -> None:
        at = self._next
        self._next = at + 1
        self._client.submit(self._target, self._requests[at], self._answered, at)

    def _answered(self, answer: Pdu | errors.SnmpError, pending: Pending) -> None:
        self._left -= 1
        if pending.tries > 1:
            self._retries += pending.tries - 1
        if type(answer) is Pdu:
            if answer.error_status:
                self._error = errors.StatusError(answer.error_status, answer.error_index)
            else:
                self._bodies[pending.mark] = answer.body
        else:
            assert isinstance(answer, errors.SnmpError)
            self._error = answer
            if not isinstance(answer, errors.DecodeError) and not any(self._bodies):
                self._left -= len(self._requests) - self._next  # it answers nothing: spare it the rest
                self._next = len(self._requests)
        if not self._left:
            self._finish()
            return
        while self._next < len(self._requests) and self._left - (len(self._requests) - self._next) < self._window:
            self._send()

    def _finish(self) -> None:
        error = self._error
        heard = any(body is not None for body in self._bodies)
        result = Outcome.OK
        if error is not None:
            result = outcome(error)
            if heard and result is not Outcome.MALFORMED:
                result = Outcome.PARTIAL
        self._done(
            Reading(
                self._bodies,
                result,
                error,
                self._client.loop.time() - self._started if heard else None,
                self._next + self._retries,
                self._retries,
            )
        )
