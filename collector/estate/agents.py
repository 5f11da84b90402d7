"""The agents that may report: invited, enrolled, rotated, revoked; each of them a device, whatever becomes of its disk."""

from __future__ import annotations

import hmac
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Engine, func, insert, select, text, update

from config.settings import Settings
from snmp.usm import User

from ..errors import AgentError
from ..model import Device
from .access import Secrets, Vault, new_code, split_user, typed_code
from .admission import Agent, Said, admit, agent_of, get, restore
from .database import changing, connect, leave, reading
from .ledger import clean
from .recognition import dump
from .schema import AGENT, DEVICE, INVITATION

PROFILE = "workstation"
"""The device profile by which reports are read."""
COPIES = 20
"""Copies of one agent's disk, and copies of those, that may make themselves agents within `COPIES_WITHIN` seconds."""
COPIES_WITHIN = 86400.0
ANSWER_LOST = 3600.0
"""Seconds within which a machine that enrols a second time with the same code gets the same answer."""


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


class Grant(NamedTuple):
    """What an agent gets: who it is, and its secrets."""

    agent: Agent
    secrets: Secrets


class Agents:
    """The agents of an inventory. Blocking; raises CollectorError."""

    def __init__(self, engine: Engine, vault: Vault) -> None:
        self._engine = engine
        self._vault = vault

    @classmethod
    def open(cls, settings: Settings) -> Agents:
        """The agents of the database and with the key that the settings name; raises InventoryError, AgentError."""
        key = settings.agents.key
        vault = Vault.open(settings.collector.state_directory, key.encode() if key is not None else None)
        return cls(connect(settings.collector.database.reveal()), vault)

    def close(self) -> None:
        """Let go of the database."""
        leave(self._engine)

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
            return [agent_of(row) for row in connection.execute(query if revoked else query.where(AGENT.c.revoked.is_(None)))]

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
        """Nothing they send is taken any more, nor what those send whose places they took."""
        with changing(self._engine) as connection:
            for agent in agents:
                values = {"revoked": now, "who": clean(who)}
                connection.execute(update(AGENT).where(AGENT.c.id == agent.id, AGENT.c.revoked.is_(None)).values(**values))
                connection.execute(update(AGENT).where(AGENT.c.key == agent.key).values(replaced=None))

    def rotate(self, agents: Iterable[Agent]) -> None:
        """They get new keys when they ask next; until they have them, the old ones hold."""
        with changing(self._engine) as connection:
            for agent in agents:
                if agent.generation == agent.taken:
                    values = {"generation": agent.generation + 1}
                    connection.execute(update(AGENT).where(AGENT.c.id == agent.id).values(**values))

    # -- what agents do

    def enrol(self, code: str, said: Said, now: float, taken: Collection[str] = (), own: Agent | None = None) -> Grant:
        """A machine enrols with a code; `taken` are device ids of the settings, `own` the agent whose keys it has, revoked or
        not. Raises AgentError.

        A machine that is known for one an agent had before (its disk is new) becomes that device again.
        """
        digest = self._vault.digest(typed_code(code))
        with _alone(self._engine) as connection:
            row = connection.execute(select(INVITATION.c.id).where(INVITATION.c.digest == digest)).first()
            if row is None:
                raise AgentError("there is no such code; check it, or ask for another one")
            invitation = _invitation(connection, row.id)
            again = _unanswered(connection, AGENT.c.invitation_id == invitation.id, said, invitation.unit, now)
            if again is not None:
                return self._grant(again)
            if not invitation.open(now):
                why = "was withdrawn" if invitation.withdrawn is not None else "has expired"
                why = f"was used {invitation.count} times already" if invitation.used >= invitation.count else why
                raise AgentError(f"the code {why}; ask for another one")
            values = {"used": INVITATION.c.used + 1}
            connection.execute(update(INVITATION).where(INVITATION.c.id == invitation.id).values(**values))
            unit, number = invitation.unit, invitation.id
            return self._grant(admit(connection, unit, said, now, taken, own, invitation_id=number))

    def copied(self, agent: Agent, said: Said, now: float, taken: Collection[str] = ()) -> Grant:
        """A machine says that its disk is a copy of this agent's: it becomes an agent of its own; raises AgentError."""
        first = agent.id if agent.origin_id is None else agent.origin_id
        with _alone(self._engine) as connection:
            again = _unanswered(connection, AGENT.c.origin_id == first, said, agent.unit, now)
            if again is not None:
                return self._grant(again)
            recent = (AGENT.c.origin_id == first, AGENT.c.enrolled > now - COPIES_WITHIN)
            if (connection.scalar(select(func.count()).where(*recent)) or 0) >= COPIES:
                raise AgentError(f"{agent.key} was copied {COPIES} times within a day; enrol this machine with a code")
            made = admit(connection, agent.unit, said, now, taken, origin=agent, origin_id=first)
            return self._grant(made)

    def authenticate(self, user: str, token: str, returning: bool = False, revoked: bool = False) -> Agent:
        """The agent that shows this token; raises AgentError for one that is not known, was revoked, or has old keys.

        `returning`: one whose place was taken is let in as well, for `asked` to give it back; `revoked`: every revoked one.
        Keys newer than are known here are those of an agent whose database was restored.
        """
        parts = split_user(user)
        agent = None
        if parts is not None:
            with reading(self._engine) as connection:
                row = connection.execute(select(AGENT).where(AGENT.c.name == parts[0])).first()
                agent = agent_of(row) if row is not None else None
        if parts is None or agent is None or not hmac.compare_digest(self._vault.secrets(*parts).token.encode(), token.encode()):
            raise AgentError("this agent is not known here; enrol it again")
        if agent.revoked is not None and not revoked and not (returning and agent.replaced is not None):
            raise AgentError(f"this agent was revoked by {agent.who}; enrol the machine again if it shall report")
        if parts[1] < agent.taken:
            raise AgentError("these keys were replaced by newer ones; enrol the machine again")
        return agent

    def asked(self, agent: Agent, user: str, said: Said, now: float, taken: Collection[str] = ()) -> Grant:
        """An agent, authentic, asks: note it, and give it the newest of its secrets. What it shows it has, it has taken.

        Raises AgentError for one whose place was taken too long ago.
        """
        parts = split_user(user)
        values: dict[str, Any] = {"seen": now, "address": said.address, "version": clean(said.version)}
        evidence = said.evidence(agent.key, agent.unit, now)
        if evidence.values:
            values |= {"evidence": dump(evidence.values), "host": said.host}
        with _alone(self._engine) as connection:
            agent = get(connection, agent.id)
            if agent.revoked is not None:
                agent = restore(connection, agent, now, taken)
            values["taken"] = max(agent.taken, parts[1] if parts is not None else 0)
            values["generation"] = max(agent.generation, values["taken"])
            connection.execute(update(AGENT).where(AGENT.c.id == agent.id).values(**values))
            return self._grant(get(connection, agent.id))

    def may_test(self, agent: Agent, every: float, now: float) -> bool:
        """Shall this agent test its unit's line now? Then it is noted that it does, so that no other one is told to."""
        with _alone(self._engine) as connection:
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

    def _grant(self, agent: Agent) -> Grant:
        return Grant(agent, self._vault.secrets(agent.name, agent.generation))


def _unanswered(connection: Connection, way: ColumnElement[bool], said: Said, unit: str, now: float) -> Agent | None:
    """The very machine that just became an agent this way asks once more: it has not got the answer, for it has never used it."""
    evidence = said.evidence("", unit, now)
    same = (
        AGENT.c.evidence == dump(evidence.values), AGENT.c.revoked.is_(None), AGENT.c.enrolled > now - ANSWER_LOST,
        AGENT.c.seen == AGENT.c.enrolled, AGENT.c.key.not_in(select(DEVICE.c.key)),
    )  # fmt: skip
    row = connection.execute(select(AGENT).where(way, *same)).first() if evidence.values.get("mac") else None
    return agent_of(row) if row is not None else None


@contextmanager
def _alone(engine: Engine) -> Iterator[Connection]:
    """A transaction beside which no other one changes agents, in this process or another; raises InventoryError."""
    with changing(engine) as connection:
        if connection.dialect.name == "postgresql":  # SQLite has one writer anyway
            connection.execute(text("LOCK TABLE agent IN SHARE ROW EXCLUSIVE MODE"))
        yield connection


def _invitation(connection: Connection, number: int) -> Invitation:
    columns = [column for column in INVITATION.c if column.name != "digest"]
    row = connection.execute(select(*columns).where(INVITATION.c.id == number)).first()
    if row is None:
        raise AgentError(f"there is no invitation {number}; `haidang agent invitations` shows all")
    return Invitation(**row._asdict())
