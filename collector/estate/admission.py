"""Which device a machine becomes whose agent enrols: the one it was, or one of its own. And who gives way to whom.

What a machine says of itself can be a lie. So it takes the place of an agent only while that one is not at work, or when it shows
that one's keys; and an agent whose place was taken has it back as soon as it asks again, which none does whose disk is new.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, insert, or_, select, update

from ..errors import AgentError
from ..model import State
from .access import new_name
from .evidence import Evidence, gather, name
from .identity import Known, Sighting, Verdict, match, pack
from .ledger import clean
from .recognition import STRANGER, Likeness, dump, recognise, said_alike, undump
from .schema import AGENT, CANDIDATE, DEVICE

log = logging.getLogger(__name__)

HEARD = 900.0
"""Seconds within which an agent that asked counts as at work, unless its machine said goodbye since."""
STANDS = 86400.0
"""Seconds within which a device that is up must have reported; longer, and its collector has been away."""
RETURNS = 30 * 86400.0
"""Seconds within which an agent whose place was taken may come back: the longest holidays, and some more."""
SAID = ("serial", "board", "disk", "mac", "uuid", "machine", "name", "model")
"""What an agent may say of its machine's identity (`evidence` explains the kinds)."""
MOST_SAID, LONGEST = 64, 200
"""Values of a kind, and characters of each, that are looked at."""
REPLACED = "its machine, which enrolled again"
_AT_WORK = (State.UP, State.PARTIAL, State.GARBLED)


@dataclass(frozen=True, slots=True)
class Agent:
    """An enrolled agent. `key` is the device's id, `name` that of its user without the generation; times are Unix seconds.

    `generation` is that of its keys, `taken` the one it is known to have: while they differ it has not fetched the newest.
    """

    id: int
    key: str
    name: str
    unit: str
    generation: int
    taken: int
    invitation_id: int | None
    origin_id: int | None
    enrolled: float
    seen: float
    address: str
    host: str
    version: str
    note: str
    tested: float | None
    revoked: float | None
    replaced: float | None
    who: str


class Said(NamedTuple):
    """What an agent says of itself when it enrols or asks: its machine's identity by kind, its version, where it asks from."""

    machine: Mapping[str, Any]
    version: str
    address: str

    @property
    def host(self) -> str:
        """The machine's name."""
        return clean(next(iter(self.machine.get("name", ())), "")[:LONGEST])

    def evidence(self, source: str, unit: str, now: float) -> Evidence:
        """What it comes to."""
        texts = {kind: [clean(text[:LONGEST]) for text in self.machine.get(kind, ())[:MOST_SAID]] for kind in SAID}
        return gather(source, now, unit, self.address, texts)


def admit(
    connection: Connection,
    unit: str,
    said: Said,
    now: float,
    taken: Collection[str],
    own: Agent | None = None,
    origin: Agent | None = None,
    **values: Any,
) -> Agent:
    """Make the machine an agent. `own`: the one whose keys it shows; `origin`: the one whose disk its own is a copy of."""
    evidence = said.evidence("", unit, now)
    like = _recognise(connection, evidence)
    if own is not None and own.revoked is not None and _holder(connection, own.key) is not None:
        own = None  # another machine is that device by now
    before = own or _before(connection, like, origin)
    note = _note(like)
    if before is not None and own is None and (why := _doubt(connection, before, unit, origin, now)):
        log.warning("agent not replaced device=%s unit=%s by=%s reason=%r", before.key, before.unit, said.address, why)
        note = f"says it is {before.key}, {why}"
        before = None
    if before is not None:
        key, note = before.key, f"enrolled again; was {before.name}" + (f" of {before.unit}" if before.unit != unit else "")
        still = (AGENT.c.id == before.id, AGENT.c.revoked.is_(None))
        connection.execute(update(AGENT).where(*still).values(revoked=now, replaced=None if own else now, who=REPLACED))
    else:
        key = _key(connection, said.host, taken)
    if origin is not None:
        note = f"its disk is a copy of that of {origin.key}" + (f"; {note}" if note else "")
    row = {
        "key": key, "name": new_name(), "unit": unit, "generation": 1, "taken": 1, "enrolled": now, "seen": now,
        "address": said.address, "host": said.host, "version": clean(said.version), "evidence": dump(evidence.values),
        "note": note, "who": "", **values,
    }  # fmt: skip
    made = connection.execute(insert(AGENT), row).inserted_primary_key
    assert made is not None
    return get(connection, made[0])


def restore(connection: Connection, agent: Agent, now: float, taken: Collection[str]) -> Agent:
    """An agent whose place was taken asks again, so its machine was not set up anew: it has its place back, and who has it
    becomes a device of its own. Raises AgentError when that is too long ago."""
    if agent.replaced is None or now - agent.replaced > RETURNS:
        raise AgentError(f"this agent was revoked by {agent.who}; enrol the machine again if it shall report")
    holding = (AGENT.c.key == agent.key, AGENT.c.revoked.is_(None))
    for other in [agent_of(row) for row in connection.execute(select(AGENT).where(*holding))]:
        key = _key(connection, other.host, taken)
        note = f"said it was {agent.key}, which came back"
        connection.execute(update(AGENT).where(AGENT.c.id == other.id).values(key=key, note=note))
        log.warning("agent came back device=%s unit=%s taken_by=%s now=%s", agent.key, agent.unit, other.address, key)
    values = {"revoked": None, "replaced": None, "who": "", "note": "came back after another machine had said it was this one"}
    connection.execute(update(AGENT).where(AGENT.c.id == agent.id).values(**values))
    return get(connection, agent.id)


def get(connection: Connection, number: int) -> Agent:
    """An agent by its number in the database."""
    return agent_of(connection.execute(select(AGENT).where(AGENT.c.id == number)).one())


def agent_of(row: Row[Any]) -> Agent:
    """An agent as its row says."""
    values = row._asdict()
    del values["evidence"]
    return Agent(**values)


def _recognise(connection: Connection, evidence: Evidence) -> Likeness:
    if not evidence.telling:
        return STRANGER
    like = recognise(connection, evidence)
    for revoked in (False, True):
        if like.verdict is not Verdict.SAME:
            like = max(like, _asking(connection, evidence, revoked), key=lambda one: (one.verdict is Verdict.SAME, one.points))
    return like


def _asking(connection: Connection, evidence: Evidence, revoked: bool) -> Likeness:
    """The agent that this machine is by what agents said here: their reports may not have come yet, or tell less."""
    known = Known()
    machines: dict[str, int] = {}
    columns = (AGENT.c.id, AGENT.c.key, AGENT.c.unit, AGENT.c.address, AGENT.c.seen, AGENT.c.evidence)
    alike = said_alike(AGENT.c.evidence, evidence.values), AGENT.c.revoked.is_not(None) == revoked
    for row in connection.execute(select(*columns).where(*alike).order_by(AGENT.c.id)):
        machine = machines.setdefault(row.key, row.id)
        known.add(Sighting(row.id, machine, row.key, row.unit, row.address, row.seen, pack(undump(row.evidence))))
    decision = match(evidence, known)
    found = [key for key, machine in machines.items() if machine == decision.machine]
    if decision.verdict is Verdict.NEW or not found:
        return STRANGER
    return Likeness(decision.verdict, device=found[0], points=decision.points)


def _before(connection: Connection, like: Likeness, origin: Agent | None) -> Agent | None:
    """The agent that the machine had before it enrolled now. (The one its disk was copied from is another machine's.)"""
    if like.verdict is not Verdict.SAME:
        return None
    found = _holder(connection, like.device)
    if found is None:  # one that was revoked may come back as what it was
        row = connection.execute(select(AGENT).where(AGENT.c.key == like.device).order_by(AGENT.c.id.desc())).first()
        found = agent_of(row) if row is not None else None
    return found if found is not None and (origin is None or found.id != origin.id) else None


def _holder(connection: Connection, key: str) -> Agent | None:
    """The agent that is this device now."""
    row = connection.execute(select(AGENT).where(AGENT.c.key == key, AGENT.c.revoked.is_(None))).first()
    return agent_of(row) if row is not None else None


def _doubt(connection: Connection, before: Agent, unit: str, origin: Agent | None, now: float) -> str:
    """Why the machine is not to be believed that it is the one of this agent; empty: it may be."""
    if before.revoked is not None:
        return ""
    if origin is not None and before.unit != unit:
        return f"an agent of {before.unit}"
    return "which is at work" if _at_work(connection, before, now) else ""


def _at_work(connection: Connection, agent: Agent, now: float) -> bool:
    standing = select(DEVICE.c.state, DEVICE.c.since, DEVICE.c.last_seen)
    row = connection.execute(standing.where(DEVICE.c.key == agent.key, DEVICE.c.forgotten.is_(None))).first()
    if row is not None and row.state in _AT_WORK and row.last_seen is not None and now - row.last_seen < STANDS:
        return True
    asked = agent.seen > agent.enrolled and now - agent.seen < HEARD
    return asked and not (row is not None and row.state == State.OFF and row.since >= agent.seen)


def _key(connection: Connection, host: str, taken: Collection[str]) -> str:
    """A device id that stays: the machine's name where it has one of its own."""
    plain = re.sub(r"[^\w.-]+", "-", name(host)).strip("-")[:100] or "agent"
    used = set(taken)
    for column in (DEVICE.c.key, CANDIDATE.c.key, AGENT.c.key):
        like = or_(column == plain, column.startswith(f"{plain}-", autoescape=True))
        used.update(connection.scalars(select(column).where(like)))
    number = 1
    while (key := plain if number == 1 else f"{plain}-{number}") in used:
        number += 1
    return key


def _note(like: Likeness) -> str:
    if like.verdict is Verdict.SAME:
        return f"the machine is also device {like.device}"
    if like.verdict is Verdict.ASK:
        return f"perhaps the machine of device {like.device} ({like.points:g} points)"
    return ""
