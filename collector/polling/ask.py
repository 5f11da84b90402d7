"""Asking one device, and the one place where what went wrong becomes an outcome."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, NamedTuple, TypeVar

from snmp import errors, message, session
from snmp.client import Client, Pending, Request, Target
from snmp.message import Pdu
from snmp.oid import OID
from snmp.security import Usm
from snmp.usm import User

from ..model import Outcome

WINDOW = 6
"""Requests under way to one device; the client's pacing spreads them over the line."""
WHO = Request(message.GET, message.encode_names([OID((1, 3, 6, 1, 2, 1, 1, 2, 0))]))
"""sysObjectID: the plainest question there is."""
NOBODY = User(b"")
"""Whom no device knows; but an SNMPv3 engine tells everybody its ID (RFC 3414 section 4)."""

T = TypeVar("T")


class Reading(NamedTuple):
    """One attempt to read a device. `bodies`: the varbinds of each request as received, None where nothing came;
    `duration` in seconds, None when no answer came at all; `spilt`: the part that had to be asked again of those requests
    that were sent together with the first one, right behind it."""

    bodies: Sequence[bytes | None]
    outcome: Outcome
    error: errors.SnmpError | None
    duration: float | None
    requests: int
    retries: int
    spilt: float = 0.0


def outcome(error: errors.SnmpError) -> Outcome:
    """What an error of the SNMP room says of the device."""
    if isinstance(error, errors.SecurityError):
        return Outcome.AUTH
    if isinstance(error, errors.PortClosed):
        return Outcome.CLOSED
    if isinstance(error, errors.Unreachable):
        return Outcome.UNREACHABLE
    if isinstance(error, errors.Timeout):
        return Outcome.TIMEOUT
    if isinstance(error, errors.StatusError):
        return Outcome.AUTH if error.status in (message.NO_ACCESS, message.AUTHORIZATION_ERROR) else Outcome.PARTIAL
    return Outcome.MALFORMED


async def attempt(work: Coroutine[Any, Any, T], doubt: tuple[Client, Target] | None = None) -> tuple[T | None, Outcome, str]:
    """Await something that speaks to a device: (its result, OK, "") or (None, what went wrong, in words).

    With `doubt` a silent device's silence is looked into (`why_silent`).
    """
    try:
        return await work, Outcome.OK, ""
    except errors.SnmpError as e:
        error = e
    if doubt is not None and isinstance(error, errors.Timeout):
        error = await why_silent(*doubt) or error
    return None, outcome(error), str(error)


async def why_silent(client: Client, target: Target) -> errors.SnmpError | None:
    """What keeps a device silent that may well be there; None when it answers, or does not answer anybody.

    A wrong community is met with silence, and by some agents (net-snmp's among them) so is a wrong privacy password. But an
    engine's discovery is answered to everybody, and a user is answered without privacy. Costs one packet when nobody is there.
    """
    where = f"{target.address} port {target.sockaddr[1]}"
    if not await _there(client, target):
        return None
    try:  # no loss after all?
        await session.ask(client, target, WHO)
        return None
    except (errors.Timeout, errors.DecodeError):
        pass
    except errors.SnmpError as e:
        return e
    user = target.credential
    if not isinstance(user, User):
        return errors.Ignored(f"{where} is there (it tells its SNMPv3 engine) but does not answer this community: another one, "
                              "or not allowed from this address")  # fmt: skip
    name = user.name.decode("utf-8", "replace")
    if user.priv:
        plain = _like(target, User(user.name, user.auth, user.auth_secret), target.retries)
        try:
            await session.ask(client, plain, WHO)
        except errors.UnsupportedSecurityLevel:
            pass
        except errors.SecurityError as e:
            return e
        except errors.SnmpError:
            return errors.Ignored(f"{where} is there but does not answer user {name!r}: unknown to it, or not allowed from here")
        finally:
            target.sent += plain.sent
        return errors.DecryptionError(
            f"{where} answers user {name!r} without privacy and not with {user.priv}: another privacy password or protocol"
        )
    return errors.Ignored(f"{where} is there but does not answer user {name!r}: unknown to it, or not allowed from here")


async def _there(client: Client, target: Target) -> bool:
    """Does an SNMPv3 engine answer at the device's address?"""
    stranger = _like(target, NOBODY, 0)
    try:
        await session.ask(client, stranger, WHO)
    except errors.Timeout:
        assert isinstance(stranger.security, Usm)
        return bool(stranger.security.engine_id)
    except errors.Unreachable:
        return False
    except errors.SnmpError:
        return True
    finally:
        target.sent += stranger.sent
    return True


def _like(target: Target, user: User, retries: int) -> Target:
    other = Target(target.address, target.sockaddr[1], user, timeout=target.timeout, retries=retries, line=target.line)
    other.srtt, other.rttvar = target.srtt, target.rttvar
    return other


class Poll:
    """One round of requests to one device. `done(reading)` is called once, when all were answered or given up."""

    __slots__ = ("_bodies", "_client", "_done", "_error", "_heard", "_left", "_next", "_requests", "_retries", "_spilt",
                 "_started", "_target", "_window")  # fmt: skip

    def __init__(
        self, client: Client, target: Target, requests: Sequence[Request], done: Callable[[Reading], None], window: int = WINDOW
    ) -> None:
        self._client = client
        self._target = target
        self._requests = requests
        self._done = done
        self._window = window
        self._bodies: list[bytes | None] = [None] * len(requests)
        self._error: errors.SnmpError | None = None
        self._heard = False
        self._left = len(requests)
        self._next = 0
        self._retries = self._spilt = 0
        self._started = client.loop.time()
        if not requests:
            client.loop.call_soon(self._finish)
        for _ in range(min(window, len(requests))):
            self._send()

    def _send(self) -> None:
        at = self._next
        self._next = at + 1
        self._client.submit(self._target, self._requests[at], self._answered, at)

    def _answered(self, answer: Pdu | errors.SnmpError, pending: Pending) -> None:
        self._left -= 1
        if pending.tries > 1:
            self._retries += pending.tries - 1
            self._spilt += 0 < pending.mark < self._window
        if type(answer) is Pdu:
            self._heard = True
            if not answer.error_status:
                self._bodies[pending.mark] = answer.body
            elif _ended(answer):
                self._bodies[pending.mark] = b""
            else:
                self._failed(errors.StatusError(answer.error_status, answer.error_index))
        else:
            assert isinstance(answer, errors.SnmpError)
            self._failed(answer)
            if not isinstance(answer, errors.DecodeError) and not self._heard:
                self._left -= len(self._requests) - self._next  # it answers nothing: spare it the rest
                self._next = len(self._requests)
        if not self._left:
            self._finish()
            return
        while self._next < len(self._requests) and self._left - (len(self._requests) - self._next) < self._window:
            self._send()

    def _failed(self, error: errors.SnmpError) -> None:
        """Keep the first error, but rather one that tells of the device than a loss."""
        if self._error is None or isinstance(self._error, errors.Timeout):
            self._error = error

    def _finish(self) -> None:
        error = self._error
        result = Outcome.OK
        if error is not None:
            result = outcome(error)
            if any(body is not None for body in self._bodies) and result is not Outcome.MALFORMED:
                result = Outcome.PARTIAL
        self._done(
            Reading(
                self._bodies,
                result,
                error,
                self._client.loop.time() - self._started if self._heard else None,
                self._next + self._retries,
                self._retries,
                self._spilt / max(1, min(self._window, len(self._requests)) - 1),
            )
        )


def _ended(answer: Pdu) -> bool:
    """Is it v1's word that there is no such object, or none behind it, to a request for that alone? No other came to harm."""
    if answer.error_status != message.NO_SUCH_NAME:
        return False
    try:
        return len(message.decode_varbinds(answer.body)) <= 1
    except errors.DecodeError:
        return False
