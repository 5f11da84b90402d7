"""Links kept: what hangs on what and since when, held against each new survey. Off is not gone: a link stays until its
machine is seen elsewhere, or not at all for long."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, Row, and_, delete, insert, or_, select, update

from ..model import Interface, Link, State
from .database import changing, connect, leave, reading
from .directory import Node
from .ledger import Fact, clean
from .schema import DEVICE, FACT, LINK, OPEN

GIVEN_UP = 60 * 86400.0
"""Seconds after which a device not seen anywhere is no longer said to be where it was: longer than any holiday."""
FORGOTTEN = 7 * 86400.0
"""The same for strangers, of whom nothing is kept."""
_CHUNK = 400
"""Values in one SQL list; SQLite takes 999 in old builds."""


class Kept(NamedTuple):
    """A link, the times between which it was seen, and when it was found to be no longer (None: it stands)."""

    link: Link
    first_seen: float
    last_seen: float
    ended: float | None = None


class Merged(NamedTuple):
    """What a survey does to the links known: numbers (places in the list) seen again, with what is told of them now;
    ended; and links that are new."""

    seen: dict[int, Link]
    ended: list[int]
    begun: list[Link]


def merge(known: Sequence[Kept], found: Iterable[Link], when: float) -> Merged:
    """Hold what is kept against what was found."""
    by_remote: dict[str, list[int]] = defaultdict(list)
    for number, kept in enumerate(known):
        by_remote[_end(kept.link)].append(number)
    fresh: dict[str, list[Link]] = defaultdict(list)
    for link in found:
        fresh[_end(link)].append(link)
    merged = Merged({}, [], [])
    for end, links in fresh.items():
        _merge_end(known, by_remote.pop(end, []), links, merged)
    for numbers in by_remote.values():
        for number in numbers:
            kept = known[number]
            if when - kept.last_seen > (GIVEN_UP if kept.link.remote else FORGOTTEN):
                merged.ended.append(number)
    return merged


def _merge_end(known: Sequence[Kept], numbers: list[int], links: list[Link], merged: Merged) -> None:
    """One device or stranger: where it was, and where it is found now."""
    free = {(known[number].link.device, known[number].link.port): number for number in numbers}
    begun = []
    for link in links:
        number = free.pop((link.device, link.port), None)
        if number is None:
            begun.append(link)
        else:
            before = known[number].link
            merged.seen[number] = replace(link, remote_port=link.remote_port or before.remote_port, vlan=link.vlan or before.vlan)
    exact = any(map(_exact, links))
    for number in free.values():
        if not exact and _exact(known[number].link):
            begun = []  # somewhere behind the router is no news of one whose port is known
        else:
            merged.ended.append(number)
    merged.begun.extend(begun)


def _end(link: Link) -> str:
    return link.remote or f"stranger {link.name}"


def _exact(link: Link) -> bool:
    return link.how != "arp" and bool(link.port)


class Links:
    """The links of an inventory. Every call is a transaction of its own and may come from any thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @classmethod
    def open(cls, url: str) -> Links:
        """The links in the database of an SQLAlchemy URL; raises InventoryError."""
        return cls(connect(url))

    def close(self) -> None:
        """Let go of the database."""
        leave(self._engine)

    def keep(self, found: Sequence[Link], surveyed: Collection[str], when: float) -> None:
        """Take what a survey found; `surveyed` are the devices that were asked. Raises InventoryError.

        Links at devices that were not asked stay, but for those whose machine was found elsewhere.
        """
        with changing(self._engine) as connection:
            ends = {*surveyed, *(link.device for link in found), *(link.remote for link in found if link.remote)}
            ids = _ids(connection, ends)
            asked = [ids[key] for key in surveyed if key in ids]
            remotes = [ids[link.remote] for link in found if link.remote in ids]
            rows = list(_open(connection, asked, remotes))
            merged = merge([_kept(row) for row in rows], [one for one in found if one.device in ids and _known(one, ids)], when)
            for number, link in merged.seen.items():
                row = rows[number]
                values = {**_values(link, ids), "first_seen": min(row.first_seen, when), "last_seen": when}  # clocks go back
                connection.execute(update(LINK).where(LINK.c.id == row.id).values(**values))
            gone = [rows[number] for number in merged.ended]
            for some in _chunks([row.id for row in gone if row.remote is not None]):
                connection.execute(update(LINK).where(LINK.c.id.in_(some)).values(ended=when))
            for some in _chunks([row.id for row in gone if row.remote is None]):
                connection.execute(delete(LINK).where(LINK.c.id.in_(some)))
            if merged.begun:
                begun = [{**_values(link, ids), "first_seen": when, "last_seen": when} for link in merged.begun]
                connection.execute(insert(LINK), begun)

    def standing(self, devices: Collection[str] | None = None) -> list[Kept]:
        """The links that stand, of these devices (at either end) or of all, without devices taken out of the settings;
        raises InventoryError."""
        with reading(self._engine) as connection:
            if devices is None:
                rows: Iterable[Row[Any]] = connection.execute(_QUERY.where(LINK.c.ended.is_(None))).all()
            else:
                ids = list(_ids(connection, devices).values())
                rows = _open(connection, ids, ids)
            return [_kept(row) for row in rows if row.gone is None and row.remote_gone is None]

    def history(self, device: str) -> list[Kept]:
        """Where a device has been, oldest first; raises InventoryError."""
        with reading(self._engine) as connection:
            rows = connection.execute(_QUERY.where(_REMOTE.c.key == device).order_by(LINK.c.first_seen, LINK.c.id))
            return list(map(_kept, rows))

    def ports(self, devices: Collection[str], word: str) -> dict[tuple[str, str], list[Fact]]:
        """What the ledger has of each port of these devices, oldest first, by device and port; raises InventoryError.

        `word` is speed_bps or duplex.
        """
        found: dict[tuple[str, str], list[Fact]] = defaultdict(list)
        with reading(self._engine) as connection:
            for some in _chunks(sorted(devices)):
                query = (
                    select(DEVICE.c.key, FACT.c.path, FACT.c.value, FACT.c.first_seen, FACT.c.last_seen, FACT.c.ended)
                    .join_from(FACT, DEVICE)
                    .where(DEVICE.c.key.in_(some), FACT.c.path.like(f"interface[%].{word}"))
                )
                for key, path, value, first, last, ended in connection.execute(query):
                    port = path[len("interface[") : -len(word) - 2]
                    found[key, port].append(Fact(path, value, first, last or first, ended or None))
        for facts in found.values():
            facts.sort(key=lambda fact: fact.ended or float("inf"))
        return dict(found)

    def states(self, devices: Collection[str]) -> dict[str, State]:
        """How these devices stood when they were last asked; raises InventoryError."""
        with reading(self._engine) as connection:
            return {
                row.key: State(row.state)
                for some in _chunks(sorted(devices))
                for row in connection.execute(select(DEVICE.c.key, DEVICE.c.state).where(DEVICE.c.key.in_(some)))
            }

    def nodes(self, units: Collection[str] | None = None) -> list[Node]:
        """The devices (of these units) as the ledger has them, with the ports that have addresses; raises InventoryError."""
        member = FACT.alias("member")
        query = select(DEVICE.c.id).where(DEVICE.c.forgotten.is_(None))
        if units is not None:
            query = query.join_from(DEVICE, member, _open_fact(member, "unit")).where(member.c.value.in_(list(units)))
        with reading(self._engine) as connection:
            return _nodes(connection, connection.scalars(query).all())

    def named(self, devices: Collection[str]) -> list[Node]:
        """These devices as the ledger has them, but for those taken out of the settings; raises InventoryError."""
        with reading(self._engine) as connection:
            ids: list[int] = []
            for some in _chunks(sorted(devices)):
                query = select(DEVICE.c.id).where(DEVICE.c.key.in_(some), DEVICE.c.forgotten.is_(None))
                ids += connection.scalars(query)
            return _nodes(connection, ids)


def _open_fact(table: Any, path: str) -> Any:
    return and_(table.c.device_id == DEVICE.c.id, table.c.path == path, table.c.ended == OPEN)


def _nodes(connection: Connection, ids: Sequence[int]) -> list[Node]:
    said: dict[str, dict[str, str]] = defaultdict(dict)
    wanted = or_(FACT.c.path.in_(("kind", "name", "address", "unit")), FACT.c.path.like("interface[%].mac"))
    query = select(DEVICE.c.key, FACT.c.path, FACT.c.value).join_from(FACT, DEVICE).where(FACT.c.ended == OPEN, wanted)
    for some in _chunks(ids):
        for key, path, value in connection.execute(query.where(FACT.c.device_id.in_(some))):
            said[key][path] = value
    return [_node(key, facts) for key, facts in sorted(said.items())]


def _node(key: str, facts: Mapping[str, str]) -> Node:
    interfaces = tuple(
        Interface(0, path[len("interface[") : -len("].mac")], mac=mac) for path, mac in facts.items() if path.endswith("].mac")
    )
    words = (facts.get(word, "") for word in ("kind", "name", "address", "unit"))
    kind, name, address, unit = words
    return Node(key, kind or "other", name, address, unit, interfaces)


_REMOTE = DEVICE.alias("remote_device")
_QUERY = (
    select(
        LINK,
        DEVICE.c.key.label("device"),
        DEVICE.c.forgotten.label("gone"),
        _REMOTE.c.key.label("remote"),
        _REMOTE.c.forgotten.label("remote_gone"),
    )
    .join_from(LINK, DEVICE, DEVICE.c.id == LINK.c.device_id)
    .outerjoin(_REMOTE, _REMOTE.c.id == LINK.c.remote_id)
)


def _open(connection: Connection, devices: Sequence[int], remotes: Sequence[int]) -> Iterable[Row[Any]]:
    """The links that stand at these devices, or lead to these ones; each once."""
    found: dict[int, Row[Any]] = {}
    for column, ids in ((LINK.c.device_id, devices), (LINK.c.remote_id, remotes)):
        for some in _chunks(ids):
            for row in connection.execute(_QUERY.where(and_(LINK.c.ended.is_(None), column.in_(some)))):
                found[row.id] = row
    return found.values()


def _ids(connection: Connection, keys: Iterable[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for some in _chunks(sorted(set(keys))):
        rows = connection.execute(select(DEVICE.c.key, DEVICE.c.id).where(DEVICE.c.key.in_(some)))
        found |= {row.key: row.id for row in rows}
    return found


def _known(link: Link, ids: Mapping[str, int]) -> bool:
    return not link.remote or link.remote in ids


def _values(link: Link, ids: Mapping[str, int]) -> dict[str, Any]:
    texts = {word: clean(getattr(link, word)) for word in ("port", "remote_port", "name", "how", "via")}
    return {"device_id": ids[link.device], "remote_id": ids.get(link.remote), "vlan": link.vlan, **texts}


def _kept(row: Row[Any]) -> Kept:
    link = Link(row.device, row.port, row.remote or "", row.remote_port, row.name, row.how, row.via, row.vlan)
    return Kept(link, row.first_seen, row.last_seen, row.ended)


def _chunks(things: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return (things[start : start + _CHUNK] for start in range(0, len(things), _CHUNK))
