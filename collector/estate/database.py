"""The inventory's database: SQLite (WAL) or PostgreSQL by URL, brought to the current schema when it is opened."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from weakref import WeakSet

from sqlalchemy import URL, Connection, Dialect, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from ..errors import InventoryError

MIGRATIONS = Path(__file__).parent / "migrations"
PATIENCE = 10.0
"""Seconds to wait for another process that holds SQLite's write lock, or for PostgreSQL to accept a connection."""
_LINE = {
    "connect_timeout": f"{PATIENCE:.0f}",
    "tcp_user_timeout": "15000",
    "keepalives_idle": "5",
    "keepalives_interval": "5",
    "keepalives_count": "3",
}
"""libpq's parameters for a line that goes dark: what we sent is given up 15 s after nobody acknowledged it, an answer we wait
for 20 s after the last sign of life. The kernel's own are a quarter of an hour and two hours."""
_SESSION = {
    "lock_timeout": "30s",
    "idle_in_transaction_session_timeout": "60s",
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
}
"""The same at the server's end, where the other half of a line that went dark holds its locks and its place among
max_connections; and no lock of anybody's is waited for without end."""
_LOCK = 4_701_861_273_119_026_244
"""PostgreSQL advisory lock under which one process at a time migrates."""


def connect(url: str) -> Engine:
    """An engine with an up-to-date schema; an SQLite file and its directory are made when absent, for their owner only.

    Raises InventoryError, without the URL's password, when the database cannot be reached or is of a newer release.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise InventoryError(
            "collector.database is no SQLAlchemy URL; expected sqlite:///PATH or postgresql://USER@HOST/DATABASE"
        ) from None
    shown = parsed.render_as_string(hide_password=True)
    try:
        if parsed.get_backend_name() == "sqlite":
            if parsed.database and parsed.database != ":memory:":
                Path(parsed.database).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                Path(parsed.database).touch(mode=0o600)
            engine = create_engine(parsed, connect_args={"timeout": PATIENCE})
            event.listen(engine, "connect", _prepare_sqlite)
            event.listen(engine, "begin", _begin_sqlite)
        elif parsed.get_backend_name() == "postgresql":
            door = Door()
            parsed = _patient(parsed.set(drivername="postgresql+psycopg"))
            engine = create_engine(parsed, pool_pre_ping=True, execution_options={"door": door})
            event.listen(engine, "do_connect", door)
        else:
            raise InventoryError(f"cannot use {shown}: expected sqlite:///PATH or postgresql://USER@HOST/DATABASE")
        try:
            with writing(engine) as connection:
                migrate(connection)
        except BaseException:
            engine.dispose()
            raise
    except ModuleNotFoundError as error:
        raise InventoryError(f"cannot use {shown}: {error.name} is not installed; install haidang[postgresql]") from error
    except (SQLAlchemyError, OSError) as error:
        raise InventoryError(f"cannot open {shown}: {reason(error)}") from error
    return engine


def _patient(url: URL) -> URL:
    """The URL with our limits of waiting, where it does not set its own."""
    ours = " ".join(f"-c {name}={value}" for name, value in _SESSION.items())
    theirs = url.query.get("options", ())
    options = " ".join((ours, theirs) if isinstance(theirs, str) else (ours, *theirs))  # of two that say the same the last holds
    return url.set(query={**_LINE, **url.query, "options": options})


class Door:
    """While the server does not answer, one thread at a time waits for it; the others hear at once what the last one heard."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._heard: Exception | None = None
        self._shut = False
        self._within: WeakSet[Any] = WeakSet()

    def __call__(self, dialect: Dialect, _: ConnectionPoolEntry, words: Any, parameters: Any) -> Any:
        """SQLAlchemy's do_connect: a connection of the driver's, or the driver's error."""
        heard = self._heard
        if heard is None and not self._shut:
            return self._try(dialect, words, parameters)
        if self._shut or not self._turn.acquire(blocking=False):
            raise dialect.loaded_dbapi.OperationalError(str(heard or "the inventory was closed"))
        try:
            return self._try(dialect, words, parameters)
        finally:
            self._turn.release()

    def _try(self, dialect: Dialect, words: Any, parameters: Any) -> Any:
        try:
            connection = dialect.connect(*words, **parameters)
        except Exception as error:
            self._heard = error
            raise
        self._heard = None
        self._within.add(connection)
        return connection

    def shut(self) -> None:
        """Nobody comes in any more, and who waits for an answer of the server's hears that there is none."""
        self._shut = True
        for connection in tuple(self._within):
            if not connection.closed:  # if it is not just now, by the thread it belongs to
                with suppress(Exception), socket.socket(fileno=os.dup(connection.fileno())) as line:
                    line.shutdown(socket.SHUT_RDWR)


def leave(engine: Engine) -> None:
    """Have done with an engine, at once: other threads that still use it get an error instead of an answer."""
    engine.dispose()
    if (door := engine.get_execution_options().get("door")) is not None:
        door.shut()


def writing(engine: Engine) -> Any:
    """A transaction that writes: on SQLite it takes the write lock at once, so that it cannot fail half-way for it."""
    return engine.execution_options(writing=True).begin()


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that reads; raises InventoryError."""
    try:
        with engine.begin() as connection:
            yield connection
    except SQLAlchemyError as error:
        raise InventoryError(f"cannot read the inventory: {reason(error)}") from error


@contextmanager
def changing(engine: Engine) -> Iterator[Connection]:
    """The same as `writing`; raises InventoryError."""
    try:
        with writing(engine) as connection:
            yield connection
    except SQLAlchemyError as error:
        raise InventoryError(f"cannot write the inventory: {reason(error)}") from error


class File:
    """An SQLite database's file, seen from outside: what is open goes on being written though nobody will find it again."""

    def __init__(self, engine: Engine) -> None:
        url = engine.url
        named = url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:")
        self._path = Path(url.database or "").absolute() if named else None
        self._was = self._identity()

    def _identity(self) -> tuple[int, int] | None:
        if self._path is None:
            return None
        found = self._path.stat()
        return found.st_dev, found.st_ino

    @property
    def trouble(self) -> str:
        """Why what is written will be lost, or will soon not be written; empty in health and where there is no file."""
        try:
            found = self._identity()
        except OSError as error:
            return f"{self._path}: {error.strerror}: it was taken away while in use; put it back, or restart the collector"
        if found != self._was:
            return f"{self._path} is another file than was opened: restart the collector"
        if self._path is not None:
            for place in (self._path, self._path.parent):
                if not os.access(place, os.W_OK):
                    return f"{place} cannot be written: give the collector's user the right to"
        return ""


def migrate(connection: Connection) -> None:
    """Bring the schema to the newest revision; raises InventoryError when it is newer than this program knows."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    known = sorted(path.name.partition("_")[0] for path in (MIGRATIONS / "versions").glob("*.py"))
    found = None
    if inspect(connection).has_table("alembic_version"):
        found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if found is not None and found not in known:
        raise InventoryError(f"the inventory has schema {found}, this release knows {known[-1]} at most; install the newer one")
    if found != known[-1]:
        _upgrade(connection)


def _upgrade(connection: Connection) -> None:
    logging.getLogger("alembic").setLevel(logging.WARNING)  # what it does in health is nobody's news
    from alembic import command  # takes 0.1 s to import, which a command that reads the inventory would wait for
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def reason(error: BaseException) -> str:
    """What a database or system error says, in one line without SQL and parameters."""
    origin = getattr(error, "orig", None) or error
    return " ".join(str(origin).split()) or type(origin).__name__


def _prepare_sqlite(connection: Any, _: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # transactions are begun below; sqlite3's own begin comes too late for reads
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("writing") else "BEGIN")
