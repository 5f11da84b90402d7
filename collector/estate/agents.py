"""The agents that may report: invited, enrolled, rotated, revoked; each of them a device, whatever becomes of its disk."""

from __future__ import annotations

import hmac
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, Row, func, insert, select, update

from config.settings import Settings
from snmp.usm import User

from ..errors import AgentError
from ..model import Device
from .access import Secrets, Vault, new_code, new_name, split_user, typed_code
from .database import changing, connect, reading
from .evidence import Evidence, gather, name
from .identity import Verdict
from .ledger import clean
from .recognition import STRANGER, Likeness, Recognition, dump
from .schema import AGENT, CANDIDATE, DEVICE, INVITATION

PROFILE = "workstation"
"""The device profile by which reports are read."""
COPIES = 20
"""Copies of one agent's disk that may make themselves agents of their own within `COPIES_WITHIN` seconds."""
COPIES_WITHIN = 86400.0
ANSWER_LOST = 3600.0
"""Seconds within which a machine that enrols a second time with the same code gets the same answer."""
SAID = ("serial", "board", "disk", "mac", "uuid", "machine", "name", "model")
"""What an agent may say of its machine's identity (`evidence` explains the kinds)."""
MOST_SAID, LONGEST = 64, 200
"""Values of a kind, and characters of each, that are looked at."""


@dataclass(frozen=True, slots=True)
class Invitation:
    """Leave for `count` machines to enrol into a unit; `expires` is Unix seconds."""

    id: int
    unit: str
    count: int
    used: int
    made: float
    expires: float
    who: str
    withdrawn: float | None

    def open(self, now: float) -> bool:
        """Can a machine enrol with it now?"""
        return self.withdrawn is None and now < self.expires and self.used < self.count


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
    who: str


class Said(NamedTuple):
    """What an agent says of itself when it enrols or asks: its machine's identity by kind, its version, where it asks from."""

    machine: Mapping[str, Sequence[str]]
    version: str
    address: str


class Grant(NamedTuple):
    """What an agent gets: who it is, and its secrets."""

    agent: Agent
    secrets: Secrets


class Agents:
    """The agents of an inventory. Blocking; raises CollectorError."""

    def __init__(self, engine: Engine, vault: Vault) -> None:
        self._engine = engine
        self._vault = vault
        self._recognition = Recognition(prompt=True)

    @classmethod
    def open(cls, settings: Settings) -> Agents:
        """The agents of the database and with the key that the settings name; raises InventoryError, AgentError."""
        key = settings.agents.key
        vault = Vault.open(settings.collector.state_directory, key.encode() if key is not None else None)
        return cls(connect(settings.collector.database.reveal()), vault)

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    # -- what people do

    def invite(self, unit: str, count: int, expires: float, who: str, now: float) -> tuple[str, Invitation]:
        """A new code, which is told this once and kept nowhere."""
        code = new_code()
        values = {
            "digest": self._vault.digest(code), "unit": unit, "count": count, "used": 0, "made": now, "expires": expires,
            "who": clean(who),
        }  # fmt: skip
        with changing(self._engine) as connection:
            made = connection.execute(insert(INVITATION), values).inserted_primary_key
            assert made is not None
            return code, _invitation(connection, made[0])

    def invitations(self) -> list[Invitation]:
        """All of them, the newest last."""
        with reading(self._engine) as connection:
            query = select(*(column for column in INVITATION.c if column.name != "digest")).order_by(INVITATION.c.id)
            return [Invitation(**row._asdict()) for row in connection.execute(query)]

    def withdraw(self, number: int, now: float) -> Invitation:
        """Nobody enrols with this invitation any more; raises AgentError when there is none of this number."""
        with changing(self._engine) as connection:
            found = _invitation(connection, number)
            if found.withdrawn is None:
                connection.execute(update(INVITATION).where(INVITATION.c.id == number).values(withdrawn=now))
            return _invitation(connection, number)

    def all(self, revoked: bool = False) -> list[Agent]:
        """By unit and device; with those that were revoked, or without."""
        with reading(self._engine) as connection:
            query = select(AGENT).order_by(AGENT.c.unit, AGENT.c.key, AGENT.c.id)
            return [_agent(row) for row in connection.execute(query if revoked else query.where(AGENT.c.revoked.is_(None)))]

    def find(self, names: Iterable[str], unit: str = "") -> list[Agent]:
        """Agents that stand, by device id or agent name, and all of a unit; raises AgentError for a name that is none."""
        standing = self.all()
        found = [agent for agent in standing if unit and agent.unit == unit]
        for wanted in names:
            matching = [agent for agent in standing if wanted in (agent.key, agent.name)]
            if not matching:
                raise AgentError(f"no agent is called {wanted!r}; `haidang agent list` shows all")
            found += [agent for agent in matching if agent not in found]
        if unit and not found:
            raise AgentError(f"no agent is enrolled in unit {unit!r}; `haidang agent list` shows all")
        return found

    def revoke(self, agents: Iterable[Agent], who: str, now: float) -> None:
        """Nothing they send is taken any more."""
        with changing(self._engine) as connection:
            for agent in agents:
                _revoke(connection, agent.id, who, now)

    def rotate(self, agents: Iterable[Agent]) -> None:
        """They get new keys when they ask next; until they have them, the old ones hold."""
        with changing(self._engine) as connection:
            for agent in agents:
                if agent.generation == agent.taken:
                    values = {"generation": agent.generation + 1}
                    connection.execute(update(AGENT).where(AGENT.c.id == agent.id).values(**values))

    # -- what agents do

    def enrol(self, code: str, said: Said, now: float, taken: Collection[str] = ()) -> Grant:
        """A machine enrols with a code; `taken` are device ids of the settings. Raises AgentError.

        A machine that is known for one an agent had before (its disk is new) becomes that device again.
        """
        digest = self._vault.digest(typed_code(code))
        with changing(self._engine) as connection:
            row = connection.execute(select(INVITATION.c.id).where(INVITATION.c.digest == digest)).first()
            if row is None:
                raise AgentError("there is no such code; check it, or ask for another one")
            invitation = _invitation(connection, row.id)
            again = self._answer_lost(connection, invitation, said, now)
            if again is not None:
                return again
            if not invitation.open(now):
                why = "was withdrawn" if invitation.withdrawn is not None else "has expired"
                why = f"was used {invitation.count} times already" if invitation.used >= invitation.count else why
                raise AgentError(f"the code {why}; ask for another one")
            values = {"used": INVITATION.c.used + 1}
            connection.execute(update(INVITATION).where(INVITATION.c.id == invitation.id).values(**values))
            return self._admit(connection, invitation.unit, said, now, taken, {"invitation_id": invitation.id})

    def copied(self, agent: Agent, said: Said, now: float, taken: Collection[str] = ()) -> Grant:
        """A machine says that its disk is a copy of this agent's: it becomes an agent of its own; raises AgentError."""
        with changing(self._engine) as connection:
            recent = (AGENT.c.origin_id == agent.id, AGENT.c.enrolled > now - COPIES_WITHIN)
            if (connection.scalar(select(func.count()).where(*recent)) or 0) >= COPIES:
                raise AgentError(f"{agent.key} was copied {COPIES} times within a day; enrol this machine with a code")
            return self._admit(connection, agent.unit, said, now, taken, {"origin_id": agent.id})

    def authenticate(self, user: str, token: str) -> Agent:
        """The agent that shows this token; raises AgentError for one that is not known, was revoked, or has old keys."""
        parts = split_user(user)
        agent = None
        if parts is not None:
            with reading(self._engine) as connection:
                row = connection.execute(select(AGENT).where(AGENT.c.name == parts[0])).first()
                agent = _agent(row) if row is not None else None
        if parts is None or agent is None or not hmac.compare_digest(self._vault.secrets(*parts).token.encode(), token.encode()):
            raise AgentError("this agent is not known here; enrol it again")
        if agent.revoked is not None:
            raise AgentError(f"this agent was revoked by {agent.who}; enrol the machine again if it shall report")
        if not agent.taken <= parts[1] <= agent.generation:
            raise AgentError("these keys were replaced by newer ones; enrol the machine again")
        return agent

    def asked(self, agent: Agent, user: str, said: Said, now: float) -> Grant:
        """An agent, authentic, asks: note it, and give it the newest of its secrets. What it shows it has, it has taken."""
        parts = split_user(user)
        taken = parts[1] if parts is not None else agent.taken
        values = {"seen": now, "address": said.address, "version": clean(said.version), "taken": max(agent.taken, taken)}
        host = self._evidence(agent.key, agent.unit, said, now)
        if host.values:
            values |= {"evidence": dump(host.values), "host": _host(said)}
        with changing(self._engine) as connection:
            connection.execute(update(AGENT).where(AGENT.c.id == agent.id).values(**values))
            agent = _get(connection, agent.id)
        return Grant(agent, self._vault.secrets(agent.name, agent.generation))

    def may_test(self, agent: Agent, every: float, now: float) -> bool:
        """Shall this agent test its unit's line now? Then it is noted that it does, so that no other one is told to."""
        with changing(self._engine) as connection:
            last = connection.scalar(select(func.max(AGENT.c.tested)).where(AGENT.c.unit == agent.unit))
            if last is not None and last <= now < last + every:
                return False
            connection.execute(update(AGENT).where(AGENT.c.id == agent.id).values(tested=now))
            return True

    def reporting(self) -> dict[str, tuple[Device, list[User]]]:
        """Device id -> the device, and the users as which it may report: one, or two while its keys are changed."""
        found: dict[str, tuple[Device, list[User]]] = {}
        for agent in self.all():
            device = Device(agent.key, agent.address, 0, "", agent.unit, PROFILE, "")
            generations = range(agent.taken, agent.generation + 1)
            found[agent.key] = device, [self._vault.secrets(agent.name, one).opened() for one in generations]
        return found

    # -- within

    def _admit(
        self, connection: Connection, unit: str, said: Said, now: float, taken: Collection[str], values: Mapping[str, Any]
    ) -> Grant:
        evidence = self._evidence("", unit, said, now)
        like = self._recognition.recognise(connection, evidence) if evidence.telling else STRANGER
        before = self._before(connection, like, values.get("origin_id"))
        if before is not None:
            key, note = before.key, f"enrolled again; was {before.name}"
            _revoke(connection, before.id, "its machine, which enrolled again", now)
        else:
            key, note = _key(connection, said, taken), _note(like)
        if (origin := values.get("origin_id")) is not None:
            note = f"its disk is a copy of that of {_get(connection, origin).key}" + (f"; {note}" if note else "")
        row = {
            "key": key, "name": new_name(), "unit": unit, "generation": 1, "taken": 1, "enrolled": now, "seen": now,
            "address": said.address, "host": _host(said), "version": clean(said.version), "evidence": dump(evidence.values),
            "note": note, "who": "", **values,
        }  # fmt: skip
        made = connection.execute(insert(AGENT), row).inserted_primary_key
        assert made is not None
        agent = _get(connection, made[0])
        return Grant(agent, self._vault.secrets(agent.name, agent.generation))

    def _answer_lost(self, connection: Connection, invitation: Invitation, said: Said, now: float) -> Grant | None:
        """The very machine that just enrolled with this invitation asks once more: it has not got the answer."""
        evidence = self._evidence("", invitation.unit, said, now)
        same = (
            AGENT.c.invitation_id == invitation.id, AGENT.c.evidence == dump(evidence.values), AGENT.c.revoked.is_(None),
            AGENT.c.enrolled > now - ANSWER_LOST,
        )  # fmt: skip
        row = connection.execute(select(AGENT).where(*same)).first() if evidence.values.get("mac") else None
        if row is None:
            return None
        agent = _agent(row)
        return Grant(agent, self._vault.secrets(agent.name, agent.generation))

    def _before(self, connection: Connection, like: Likeness, origin: int | None) -> Agent | None:
        """The agent that the machine had before it enrolled now. (The one its disk was copied from is another machine's.)"""
        if like.verdict is not Verdict.SAME:
            return None
        standing = (AGENT.c.key == like.device, AGENT.c.revoked.is_(None))
        row = connection.execute(select(AGENT).where(*standing)).first()
        if row is None:  # one that was revoked may come back as what it was
            row = connection.execute(select(AGENT).where(AGENT.c.key == like.device).order_by(AGENT.c.id.desc())).first()
        return _agent(row) if row is not None and row.id != origin else None

    @staticmethod
    def _evidence(source: str, unit: str, said: Said, now: float) -> Evidence:
        texts = {kind: [clean(text[:LONGEST]) for text in said.machine.get(kind, ())[:MOST_SAID]] for kind in SAID}
        return gather(source, now, unit, said.address, texts)


def _host(said: Said) -> str:
    return clean(next(iter(said.machine.get("name", ())), "")[:LONGEST])


def _key(connection: Connection, said: Said, taken: Collection[str]) -> str:
    """A device id that stays: the machine's name where it has one of its own."""
    used = {*taken, *connection.scalars(select(DEVICE.c.key)), *connection.scalars(select(CANDIDATE.c.key))}
    used |= set(connection.scalars(select(AGENT.c.key)))
    plain = re.sub(r"[^\w.-]+", "-", name(_host(said))).strip("-")[:100] or "agent"
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


def _revoke(connection: Connection, number: int, who: str, now: float) -> None:
    still = (AGENT.c.id == number, AGENT.c.revoked.is_(None))
    connection.execute(update(AGENT).where(*still).values(revoked=now, who=clean(who)))


def _invitation(connection: Connection, number: int) -> Invitation:
    columns = [column for column in INVITATION.c if column.name != "digest"]
    row = connection.execute(select(*columns).where(INVITATION.c.id == number)).first()
    if row is None:
        raise AgentError(f"there is no invitation {number}; `haidang agent invitations` shows all")
    return Invitation(**row._asdict())


def _get(connection: Connection, number: int) -> Agent:
    return _agent(connection.execute(select(AGENT).where(AGENT.c.id == number)).one())


def _agent(row: Row[Any]) -> Agent:
    values = row._asdict()
    del values["evidence"]
    return Agent(**values)
