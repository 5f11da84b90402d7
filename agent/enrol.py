"""Enrolling with a collector, and asking it from time to time what has changed: keys, settings, the time, versions.

Runs in short-lived processes. What the resident one needs to know stands in the state directory afterwards.
"""

from __future__ import annotations

import ipaddress
import json
import os
import platform
import shutil
import socket
import sys
import time
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urlsplit

from snmp.engine import steady

from . import __version__, identity, line, state, update
from .enrolment import FILE, Enrolment, load, save
from .errors import AgentError, PortalError, SettingsError, StateError
from .inventory.parts import Standing
from .inventory.rows import standing_rows
from .portal import Portal
from .service import OTHER_MACHINE, UNANSWERED, source
from .settings import SPOOL, place, pushes

_LEAST, _MOST = 60, 7 * 86400
"""Seconds between two check-ins."""
_LONGEST_KEY = 64
"""Hexadecimal digits of an Ed25519 key."""


def enrol(directory: str, url: str, code: str, pin: str, ca: str) -> tuple[Enrolment, str]:
    """Enrol this machine; also what the collector remarks on it. Raises AgentError."""
    state.prepare(directory)
    machine = identity.said(source().interfaces())
    before = _readable(directory)
    copied = before is not None and identity.other(before.machine, machine)
    keys = ("", "")
    if before is not None and before.url == Portal(url).url and not copied:
        keys = before.user, before.token  # which show that it is the device it was
    portal = Portal(url, pin, os.path.abspath(ca) if ca else "", *keys)
    answer = portal.ask("/agents/enrol", {"code": code, **_question(machine)})
    made = _enrolment(answer, portal.url, pin, os.path.abspath(ca) if ca else "", machine, directory)
    if copied:
        _become_another(directory)
    save(directory, made)
    _keep(directory, _timed(Standing(), answer, time.time()), 0)
    return made, _told(answer, "note")


def _told(answer: Mapping[str, Any], what: str) -> str:
    """A remark of the collector's, fit to be shown."""
    text = answer.get(what)
    return "".join(letter for letter in text[:300] if letter.isprintable()) if isinstance(text, str) else ""


def _readable(directory: str) -> Enrolment | None:
    """The enrolment here, which a new one replaces; None for a damaged one as well."""
    try:
        return load(directory)
    except StateError:
        return None


def check(directory: str) -> int:
    """Is this the machine the keys here were made for? `OTHER_MACHINE` when it is another one."""
    known = load(directory)
    found = identity.said(source().interfaces())
    return OTHER_MACHINE if known is not None and identity.other(known.machine, found) else 0


def check_in(directory: str, enterprise: int) -> int:
    """Ask the collector, and keep what it says; a machine that came by these keys with a copied disk gets keys of its own.

    Gives 0, or `UNANSWERED` when it could not be asked, or not now. Raises AgentError for what is wrong here; what is wrong with
    the collector, or on the way, is kept as the agent's trouble.
    """
    known = load(directory)
    if known is None:
        raise AgentError("this agent is not enrolled: haidang-agent enrol URL CODE; `haidang agent invite` makes a code")
    standing = standing_of(directory)
    machine = identity.said(source().interfaces())
    copied = identity.other(known.machine, machine)
    try:
        portal = Portal(known.url, known.pin, known.ca, known.user, known.token)
        answer = portal.ask("/agents/check-in", {**_question(machine), "copied": copied})
        used = {push.to[0] for push in known.pushes}
        found = machine if copied else _learnt(known, machine)
        made = _enrolment(answer, known.url, known.pin, known.ca, found, directory, used)
        made = made._replace(release_key=known.release_key or made.release_key)
    except (PortalError, SettingsError) as error:
        # What the clock was when the collector last told the time may be true no longer.
        _keep(directory, standing._replace(trouble=str(error), clock_milliseconds=None), enterprise)
        return 0 if isinstance(error, PortalError) and not error.passing else UNANSWERED
    if copied:
        _become_another(directory)
    standing = _timed(Standing() if copied else standing, answer, time.time())
    # Kept before the line is tested: the test takes a while.
    _keep(directory, standing, enterprise)
    save(directory, made)
    if isinstance(answer.get("line_test"), dict):
        portal = Portal(made.url, made.pin, made.ca, made.user, made.token)
        standing = _tested(standing, portal, made, answer["line_test"])
        _keep(directory, standing, enterprise)
    portal = Portal(made.url, made.pin, made.ca, made.user, made.token)
    _keep(directory, standing._replace(update=update.news(answer.get("update"), made.release_key, portal)), enterprise)
    return 0


def standing_of(directory: str) -> Standing:
    """How the agent stood when it last asked; what is damaged in the file is left out, and replaced with the next answer."""
    try:
        found = json.loads(state.read(os.path.join(directory, state.STANDING)) or b"{}")
    except (ValueError, RecursionError, StateError):
        return Standing()
    if not isinstance(found, dict):
        return Standing()
    texts = {name for name, value in Standing._field_defaults.items() if value == ""}
    kinds: dict[str, type] = {name: str if name in texts else int for name in Standing._fields}
    known: dict[str, Any] = {key: value for key, value in found.items() if type(value) is kinds.get(key)}
    return Standing(**known)


def _question(machine: identity.Identity) -> dict[str, Any]:
    return {"machine": machine, "version": __version__, "platform": f"{sys.platform}-{platform.machine()}".lower()}


def _enrolment(
    answer: Mapping[str, Any], url: str, pin: str, ca: str, machine: identity.Identity, directory: str,
    used: Collection[str] = (),
) -> Enrolment:  # fmt: skip
    """What the collector granted; raises PortalError for an answer that is none. `used` are the addresses told until now."""
    texts = ("device", "unit", "unit_name", "user", "auth", "auth_secret", "priv", "priv_secret", "token")
    wrong = [key for key in texts if not isinstance(answer.get(key), str)]
    wrong += [key for key in ("interval", "check_in") if not isinstance(answer.get(key), int)]
    collectors = answer.get("collectors")
    if not isinstance(collectors, list) or not collectors or not all(isinstance(one, str) for one in collectors):
        wrong.append("collectors")
    if wrong or not isinstance(collectors, list):
        raise PortalError(f"{url}: its answer lacks {', '.join(wrong)}; is it a collector of this release?")
    family = {4: socket.AF_INET, 6: socket.AF_INET6}.get(answer["family"], 0) if isinstance(answer.get("family"), int) else 0
    tables = [
        {
            "to": _place(to, urlsplit(url).hostname or "", family, used), "user": answer["user"], "auth": answer["auth"],
            "auth_secret": answer["auth_secret"], "priv": answer["priv"], "priv_secret": answer["priv_secret"],
            "interval_seconds": answer["interval"], "spool_megabytes": SPOOL,
        }
        for to in collectors
    ]  # fmt: skip
    found = pushes(tables, os.path.join(directory, FILE))
    named = {key: answer[key] for key in ("device", "unit", "unit_name", "user", "token")}
    seconds = min(max(_LEAST, answer["check_in"]), _MOST)
    key = answer.get("release_key", "")
    named["release_key"] = key if isinstance(key, str) and len(key) <= _LONGEST_KEY else ""
    return Enrolment(url=url, pin=pin, ca=ca, check_in_seconds=seconds, machine=machine, pushes=found, **named)


def _place(to: str, otherwise: str, family: int, used: Collection[str]) -> str:
    """A collector's address and port, as numbers: the name service may be away when reports are to be sent. Of a name with
    several addresses the one in use stays, whichever comes first today."""
    host, _, port = to.rpartition(":")
    host = host.strip("[]") or otherwise
    if not (port.isascii() and port.isdigit() and len(port) <= 5):
        raise PortalError(f"the collector names {to[:80]!r} as the place for reports, expected an address and a port")
    try:
        ipaddress.ip_address(host)
    except ValueError:
        try:
            found = [str(one[4][0]) for one in socket.getaddrinfo(host, None, family, socket.SOCK_DGRAM)]
        except OSError as error:
            raise PortalError(f"the collector's name {host} is not known here: {error.strerror}") from None
        host = next((one for one in found if one in used), found[0])
    return place(host, int(port))


def _learnt(known: Enrolment, machine: identity.Identity) -> identity.Identity:
    """What is known of the machine now; a kind that cannot be read at the moment stays as it was."""
    return {**known.machine, **machine}


def _become_another(directory: str) -> None:
    """Forget what was the other machine's: its engine, its hardware, its reports, how it stood."""
    for name in (
        state.ENGINE_ID, state.ENGINE_BOOTS, state.INVENTORY, state.ROWS, state.REPORTS, state.STANDING, state.STANDING_ROWS,
    ):  # fmt: skip
        try:
            os.unlink(os.path.join(directory, name))
        except FileNotFoundError:
            pass
        except OSError as error:
            raise StateError(f"{os.path.join(directory, name)}: cannot be removed: {error.strerror}") from None
    shutil.rmtree(os.path.join(directory, state.SPOOLS), ignore_errors=True)


def _timed(standing: Standing, answer: Mapping[str, Any], now: float) -> Standing:
    """With the time that the collector told; half the way's time is lost in a clock's usual error."""
    told = answer.get("time")
    ahead = round((now - told) * 1000) if isinstance(told, int | float) and abs(told) < 1e11 else None
    return standing._replace(checked=int(now), clock_milliseconds=ahead, trouble=_told(answer, "trouble"))


def _tested(standing: Standing, portal: Portal, made: Enrolment, leave: Mapping[str, Any]) -> Standing:
    """With the line tested, as far as it could be."""
    found = line.packets(made.pushes[0].to)
    seconds, most, rate = leave.get("seconds"), leave.get("bytes"), leave.get("rate")
    transmit = receive = None
    trouble = standing.trouble
    try:
        if isinstance(seconds, int | float) and seconds > 0 and isinstance(most, int):
            receive = line.download(portal, min(seconds, 60.0))
            transmit = line.upload(portal, min(seconds, 60.0), most, rate if isinstance(rate, int | float) else None)
    except PortalError as error:
        trouble = f"the line could not be tested: {error}"
    return standing._replace(
        tested=int(time.time()), trouble=trouble, round_trip_microseconds=_scaled(found.round_trip, 1e6),
        jitter_microseconds=_scaled(found.jitter, 1e6), loss_permille=round(found.loss * 1000),
        receive_kbits=_scaled(receive, 1e-3), transmit_kbits=_scaled(transmit, 1e-3),
    )  # fmt: skip


def _scaled(value: float | None, factor: float) -> int | None:
    return None if value is None else round(value * factor)


def _keep(directory: str, standing: Standing, enterprise: int) -> None:
    known = {key: value for key, value in standing._asdict().items() if value not in (None, "")}
    state.write(os.path.join(directory, state.STANDING), json.dumps({**known, "steady": steady()}).encode())
    if enterprise:
        state.write_rows(directory, standing_rows(standing, enterprise), state.STANDING_ROWS)
