from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from peers import DEADLINE, PostgreSQL
from sqlalchemy import Engine, inspect, text
from sqlalchemy.exc import OperationalError

from collector.errors import InventoryError
from collector.estate.database import MIGRATIONS, connect, leave, writing
from collector.estate.schema import METADATA


def difference(engine: Engine) -> list[object]:
    with engine.connect() as connection:
        found: list[object] = compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), METADATA)
        return found


def test_migrations_build_the_schema(database_url: str) -> None:
    """Opening an empty database migrates it to exactly the tables the code speaks of; several may open it at once."""
    engines: list[Engine] = []
    threads = [threading.Thread(target=lambda: engines.append(connect(database_url))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(engines) == 4
    assert difference(engines[0]) == []
    partial = next(index for index in inspect(engines[0]).get_indexes("fact") if index["name"] == "ix_fact_ended")
    assert any("ended > " in str(condition) for condition in partial["dialect_options"].values())
    for engine in engines:
        engine.dispose()


def test_a_migration_is_named_for_its_revision() -> None:
    """The files of the migrations begin with their revisions, in their order: that is how an up-to-date schema is known."""
    script = ScriptDirectory(str(MIGRATIONS))
    names = sorted(path.name for path in (MIGRATIONS / "versions").glob("*.py"))
    revisions = [one.revision for one in script.walk_revisions()][::-1]
    assert [name.partition("_")[0] for name in names] == revisions


def test_newer_schema_is_refused(database_url: str) -> None:
    """A database that a newer release has migrated is left alone, with a message that says so."""
    engine = connect(database_url)
    with writing(engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(InventoryError, match="has schema 9999, this release knows 0"):
        connect(database_url)
    engine.dispose()


def test_sqlite_is_in_wal_mode(tmp_path: Path) -> None:
    """Readers of an SQLite inventory do not hold up the writer: it is in WAL mode, with foreign keys held."""
    engine = connect(f"sqlite:///{tmp_path}/inventory.db")
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    engine.dispose()


def test_an_inventory_is_its_owners_only(tmp_path: Path) -> None:
    """A new SQLite file, what stands beside it and its directory can be read by nobody else: it tells what is where, and the
    digests of credentials."""
    engine = connect(f"sqlite:///{tmp_path}/state/inventory.db")
    with writing(engine):
        modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "state").iterdir()}
    engine.dispose()
    assert modes
    assert set(modes.values()) == {0o600}
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700


def test_a_silent_server_is_given_up(server: PostgreSQL) -> None:
    """Connections to PostgreSQL have limits of waiting at both ends, those of the URL where it has its own."""
    engine = connect(f"{server.url('postgresql')}?tcp_user_timeout=7000&options=-c%20lock_timeout%3D3s%20-c%20work_mem%3D1MB")
    with engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        with socket.socket(fileno=os.dup(driver.fileno())) as line:
            assert line.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 7000
            assert line.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 5
        for name, value in {
            "lock_timeout": "3s", "work_mem": "1MB", "idle_in_transaction_session_timeout": "1min", "tcp_keepalives_idle": "30",
        }.items():  # fmt: skip
            assert connection.exec_driver_sql(f"SHOW {name}").scalar() == value
    leave(engine)


def test_leaving_frees_who_waits(server: PostgreSQL) -> None:
    """A thread that waits for the server's answer hears at once that there is none when its engine is left, and nobody who comes
    later is kept waiting."""
    engine = connect(server.url("postgresql"))
    asked = threading.Event()
    heard: list[Exception] = []

    def wait() -> None:
        with engine.connect() as connection:
            asked.set()
            try:
                connection.exec_driver_sql("SELECT pg_sleep(600)")
            except OperationalError as error:
                heard.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    assert asked.wait(DEADLINE)
    leave(engine)
    thread.join(DEADLINE)
    assert len(heard) == 1
    with pytest.raises(OperationalError, match="was closed"):
        engine.connect()


def test_one_waits_for_a_dead_server(server: PostgreSQL, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one thread waits for a server that did not answer the last one, the others hear at once what that one heard."""
    engine = connect(server.url("postgresql"))
    engine.dispose()
    held, go = threading.Event(), threading.Event()

    def refuse(*_: object, **__: object) -> None:
        held.set()
        go.wait(DEADLINE)
        raise psycopg.OperationalError("connection timeout expired")

    def knock() -> None:
        with pytest.raises(OperationalError, match="timeout expired"):
            engine.connect()

    with monkeypatch.context() as patched:
        patched.setattr(engine.dialect, "connect", refuse)
        go.set()
        knock()
        held.clear()
        go.clear()
        thread = threading.Thread(target=knock)
        thread.start()
        assert held.wait(DEADLINE)
        knock()
        assert thread.is_alive(), "the other one still waits"
        go.set()
        thread.join(DEADLINE)
    engine.connect().close()
    leave(engine)
