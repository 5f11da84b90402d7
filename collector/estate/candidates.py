"""What discovery found, and what people and rules make of it: candidates, accepted to be polled, rejected, or known already."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Engine, Row, delete, insert, select, update

from config.ranges import Spans, number_of
from config.settings import Device as DeviceSettings

from ..errors import DiscoveryError
from ..model import Device, Facts
from ..model import State as Standing
from .database import changing, connect, leave, reading
from .evidence import evidence, name
from .identity import TOGETHER, Verdict
from .ledger import clean
from .recognition import STRANGER, Likeness, Recognition, candidate_of, dump, source
from .runs import Runs
from .schema import CANDIDATE, DEVICE, FACT, OPEN
from .tried import Tried, forget

GONE = 86400.0
"""Seconds for which an accepted device must have been silent before a rule takes what is found elsewhere for it: a day in which
the machine could have answered, were the find a copy of it."""


class State(StrEnum):
    """How a candidate stands. KNOWN: another address of a known machine; LOCKED: it answers, but no credential opens it."""

    NEW = "new"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    KNOWN = "known"
    LOCKED = "locked"


@dataclass(frozen=True, slots=True)
class Find:
    """What answered at an address. Without a credential nothing opened it, `facts` are None, and `note` says what is known."""

    address: str
    port: int
    unit: str
    how: str
    when: float
    credential: str = ""
    facts: Facts | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A find as it is kept. `key` is the device's id once it is accepted; `same_as` the device, or candidate, it is known as."""

    id: int
    address: str
    port: int
    unit: str
    state: State
    credential: str
    how: str
    kind: str
    vendor: str
    model: str
    serial: str
    name: str
    profile: str
    note: str
    same_as: str
    key: str | None
    first_seen: float
    last_seen: float
    decided: float | None
    who: str


class Candidates:
    """The candidates of an inventory, with the memory of credentials and runs. Blocking; raises CollectorError."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._recognition = Recognition()
        self.tried = Tried(engine)
        self.runs = Runs(engine)

    @classmethod
    def open(cls, url: str) -> Candidates:
        """The candidates in the database of an SQLAlchemy URL; raises InventoryError."""
        return cls(connect(url))

    def close(self) -> None:
        """Let go of the database."""
        leave(self._engine)

    # -- what discovery does

    def found(self, find: Find, accept: bool = False, taken: Collection[str] = ()) -> Candidate:
        """Note a find; to `accept` it is what a rule says, `taken` are device ids of the settings. Gives how it stands now."""
        with changing(self._engine) as connection:
            try:
                return self._found(connection, find, accept, taken)
            except BaseException:
                self._recognition.forget()
                raise

    def _found(self, connection: Connection, find: Find, accept: bool, taken: Collection[str]) -> Candidate:
        here = (CANDIDATE.c.address == find.address, CANDIDATE.c.port == find.port)
        row = connection.execute(select(CANDIDATE).where(*here)).first()
        before = _candidate(row) if row is not None else None
        if find.facts is None:
            return self._locked(connection, find, before)
        facts = find.facts
        device = Device(source(before.id if before else 0), find.address, find.port, find.credential, find.unit)
        said = evidence(device, facts, find.when)
        like = _named(connection, self._recognition.recognise(connection, said), before) if said.telling else STRANGER
        words = ("kind", "vendor", "model", "serial", "name", "profile")
        values: dict[str, Any] = {word: clean(getattr(facts, word)) for word in words}
        values |= {
            **_place(find),
            "credential": find.credential,
            "evidence": dump(said.values),
            "note": _note(like) or clean(find.note),
        }
        values["same_as"] = like.device if like.verdict is Verdict.SAME else ""
        undecided = before is None or before.state in (State.NEW, State.KNOWN, State.LOCKED)
        same = _same(connection, like)
        if undecided and (moved := _moved(connection, same, like, find, accept)) is not None:
            if before is not None:
                connection.execute(delete(CANDIDATE).where(CANDIDATE.c.id == before.id))
                self._recognition.drop(before.id)
            number = moved.id
            values |= {"note": f"moved here from {moved.address}", "same_as": ""}
        elif before is not None:
            number = before.id
            if undecided:
                values["state"] = _state(connection, same, like, find)
        else:
            number = _insert(connection, {**values, "state": _state(connection, same, like, find)}, find.when)
        connection.execute(update(CANDIDATE).where(CANDIDATE.c.id == number).values(**values))
        candidate = _get(connection, number)
        if accept and candidate.state is State.NEW and like.verdict is not Verdict.ASK and not candidate.same_as:
            candidate = _accept(connection, candidate, "", "a rule", find.when, taken)
        self._recognition.note(number, said, like)
        return candidate

    def _locked(self, connection: Connection, find: Find, before: Candidate | None) -> Candidate:
        values = {**_place(find), "note": clean(find.note)}
        if before is None:
            empty = dict.fromkeys(("credential", "kind", "vendor", "model", "serial", "name", "profile", "same_as"), "")
            return _get(connection, _insert(connection, {**values, **empty, "evidence": "{}", "state": State.LOCKED}, find.when))
        if before.state is State.NEW:
            values["state"] = State.LOCKED
        connection.execute(update(CANDIDATE).where(CANDIDATE.c.id == before.id).values(**values))
        return _get(connection, before.id)

    def accepted(self) -> list[DeviceSettings]:
        """The devices that are polled because they were accepted."""
        with reading(self._engine) as connection:
            rows = connection.execute(select(CANDIDATE).where(CANDIDATE.c.state == State.ACCEPTED).order_by(CANDIDATE.c.id))
            return [DeviceSettings(row.key, row.address, row.port, row.unit, row.credential, "", "") for row in rows]

    def all(self, unit: str = "", states: Iterable[State] = State) -> list[Candidate]:
        """The candidates, by address."""
        with reading(self._engine) as connection:
            query = select(CANDIDATE).where(CANDIDATE.c.state.in_(list(states)))
            rows = connection.execute(query.where(CANDIDATE.c.unit == unit) if unit else query)
            return sorted(map(_candidate, rows), key=lambda one: (one.unit, number_of(one.address) or 0, one.port))

    # -- what people do

    def accept(self, number: int, who: str, when: float, key: str = "", taken: Collection[str] = ()) -> Candidate:
        """Have it polled, as a device called `key` (without one, after its name); `taken` are device ids of the settings.

        An accepted device found elsewhere moves there. Raises DiscoveryError for what cannot be polled, or is already.
        """
        with changing(self._engine) as connection:
            self._recognition.forget()
            return _accept(connection, _get(connection, number), key, who, when, taken)

    def reject(self, number: int, who: str, when: float) -> Candidate:
        """Do not poll it, nor offer it again; raises DiscoveryError when there is no such candidate."""
        with changing(self._engine) as connection:
            _get(connection, number)
            values = {"state": State.REJECTED, "key": None, "who": who, "decided": when}
            connection.execute(update(CANDIDATE).where(CANDIDATE.c.id == number).values(**values))
            return _get(connection, number)

    def forget(self, number: int) -> Candidate:
        """As if it had never been found, nor anything been tried there; raises DiscoveryError when there is no such candidate."""
        with changing(self._engine) as connection:
            candidate = _get(connection, number)
            connection.execute(delete(CANDIDATE).where(CANDIDATE.c.id == number))
            at = number_of(candidate.address)
            if at is not None:
                forget(connection, Spans([(at, at)]))
            self._recognition.forget()
            return candidate

    def forget_at(self, spans: Spans) -> tuple[list[Candidate], int]:
        """The same for all candidates at these addresses but accepted ones; also how many addresses had seen credentials."""
        with changing(self._engine) as connection:
            rows = connection.execute(select(CANDIDATE).where(CANDIDATE.c.state != State.ACCEPTED))
            gone = [one for one in map(_candidate, rows) if (at := number_of(one.address)) is not None and at in spans]
            for one in gone:
                connection.execute(delete(CANDIDATE).where(CANDIDATE.c.id == one.id))
            self._recognition.forget()
            return gone, forget(connection, spans)


def _accept(connection: Connection, candidate: Candidate, key: str, who: str, when: float, taken: Collection[str]) -> Candidate:
    what = f"candidate {candidate.id} ({candidate.address})"
    if candidate.state is State.ACCEPTED:
        raise DiscoveryError(f"{what} is accepted already, as device {candidate.key}")
    if not candidate.credential:
        raise DiscoveryError(f"{what} cannot be polled: no credential opens it; name one more in [[discovery]] and look again")
    if candidate.same_as and not key:
        return _follow(connection, candidate, what, who, when)
    used = {*taken, *connection.scalars(select(DEVICE.c.key)), *connection.scalars(select(CANDIDATE.c.key))}
    if key and key in used:
        raise DiscoveryError(f"a device is called {key!r} already; give {what} another name")
    values = {"state": State.ACCEPTED, "key": key or _key(candidate, used), "who": who, "decided": when, "same_as": ""}
    connection.execute(update(CANDIDATE).where(CANDIDATE.c.id == candidate.id).values(**values))
    return _get(connection, candidate.id)


def _follow(connection: Connection, candidate: Candidate, what: str, who: str, when: float) -> Candidate:
    """The candidate is another address of a machine that is known: an accepted one that no longer answers moves there."""
    anyway = "to poll it as a device of its own, accept it --as NAME"
    other = connection.execute(select(CANDIDATE).where(CANDIDATE.c.key == candidate.same_as)).first()
    if other is None:
        where = "in the settings" if candidate_of(candidate.same_as) is None else "instead"
        right = "change its address" if candidate_of(candidate.same_as) is None else "accept that"
        raise DiscoveryError(f"{what} is known as {candidate.same_as}: {right} {where}; {anyway}")
    seen = connection.execute(select(DEVICE.c.last_seen).where(DEVICE.c.key == other.key)).scalar()
    if seen is not None and candidate.last_seen - seen < TOGETHER:
        raise DiscoveryError(f"{what} is known as {other.key}, which also answers at {other.address}; {anyway}")
    connection.execute(delete(CANDIDATE).where(CANDIDATE.c.id == candidate.id))
    values = {
        "address": candidate.address, "port": candidate.port, "unit": candidate.unit, "credential": candidate.credential,
        "note": f"moved here from {other.address}", "who": who, "decided": when, "last_seen": candidate.last_seen,
    }  # fmt: skip
    connection.execute(update(CANDIDATE).where(CANDIDATE.c.id == other.id).values(**values))
    return _get(connection, other.id)


def _same(connection: Connection, like: Likeness) -> Candidate | None:
    """The candidate that is the same machine, where it is one."""
    if like.verdict is not Verdict.SAME:
        return None
    number = candidate_of(like.device)
    row = connection.execute(
        select(CANDIDATE).where(CANDIDATE.c.id == number if number is not None else CANDIDATE.c.key == like.device)
    ).first()
    return None if row is None else _candidate(row)


def _moved(connection: Connection, same: Candidate | None, like: Likeness, find: Find, accept: bool) -> Candidate | None:
    """The candidate that stands at another address now: one nobody has decided on, or one that was accepted, where rules accept
    the find, it stands in the same unit, and the device has not answered for long. All else is for a person to say."""
    if same is None or like.together:
        return None
    if same.state is State.ACCEPTED:
        return same if accept and same.unit == find.unit and _gone(connection, same, find.when) else None
    return same if same.state is State.NEW else None


def _gone(connection: Connection, same: Candidate, when: float) -> bool:
    """Was it polled, and has it been silent for long? One that nobody asks may well be there."""
    row = connection.execute(select(DEVICE.c.last_seen, DEVICE.c.state).where(DEVICE.c.key == same.key)).first()
    if row is None or row.last_seen is None or row.state not in (Standing.SILENT, Standing.OFF):
        return False
    return bool(when - row.last_seen > GONE)


def _named(connection: Connection, like: Likeness, before: Candidate | None) -> Likeness:
    """A candidate that was accepted is called by its device's id; one that is known as something else, by that."""
    if (number := candidate_of(like.device)) is None:
        return like
    row = connection.execute(select(CANDIDATE).where(CANDIDATE.c.id == number)).first()
    if row is None or row.state != State.KNOWN:
        return like._replace(device=(row.key if row is not None else "") or like.device)
    if before is not None and row.same_as == source(before.id):
        return STRANGER  # it is known as the very candidate that was found again
    return like._replace(device=row.same_as or like.device)


def _state(connection: Connection, same: Candidate | None, like: Likeness, find: Find) -> State:
    """A machine that is known, but for an accepted one that may have moved, or answers where it moved from: a person says which
    is the machine and which a copy."""
    if like.verdict is not Verdict.SAME:
        return State.NEW
    if same is None or same.state is not State.ACCEPTED or (like.together and not _left(connection, same, find.address)):
        return State.KNOWN
    return State.NEW


def _left(connection: Connection, same: Candidate, address: str) -> bool:
    """Was the device polled at this address before?"""
    former = select(FACT.c.value).join_from(FACT, DEVICE).where(
        DEVICE.c.key == same.key, FACT.c.path == "address", FACT.c.value == address, FACT.c.ended != OPEN
    )  # fmt: skip
    return connection.execute(former.limit(1)).first() is not None


def _note(like: Likeness) -> str:
    if like.verdict is Verdict.SAME:
        return f"known as {like.device}, " + ("which also answers at" if like.together else "moved from") + f" {like.address}"
    if like.verdict is Verdict.ASK:
        return f"perhaps {like.device} at {like.address} ({like.points:g} points)"
    return ""


def _key(candidate: Candidate, used: Collection[str | None]) -> str:
    """An id that stays when the address changes: the machine's name where it has one of its own."""
    plain = re.sub(r"[^\w.-]+", "-", name(candidate.name)).strip("-")[:100]
    wanted = plain or f"{candidate.kind}-{candidate.id}"
    return wanted if wanted not in used else f"{wanted}-{candidate.id}"


def _place(find: Find) -> dict[str, Any]:
    return {"address": find.address, "port": find.port, "unit": find.unit, "how": find.how, "last_seen": find.when}


def _insert(connection: Connection, values: Mapping[str, Any], when: float) -> int:
    result = connection.execute(insert(CANDIDATE), {**values, "first_seen": when, "who": ""})
    assert result.inserted_primary_key is not None
    return int(result.inserted_primary_key[0])


def _get(connection: Connection, number: int) -> Candidate:
    row = connection.execute(select(CANDIDATE).where(CANDIDATE.c.id == number)).first()
    if row is None:
        raise DiscoveryError(f"there is no candidate {number}; `haidang discover list` shows all")
    return _candidate(row)


def _candidate(row: Row[Any]) -> Candidate:
    values = row._asdict()
    del values["evidence"]
    return Candidate(**{**values, "state": State(values["state"])})


def known_addresses(candidates: Sequence[Candidate]) -> set[tuple[str, int]]:
    """Where discovery need not look again: what was accepted or rejected."""
    return {(one.address, one.port) for one in candidates if one.state in (State.ACCEPTED, State.REJECTED)}
