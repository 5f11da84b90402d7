"""What every test shares: settings, and for each that asks a database of its own, once SQLite, once on one PostgreSQL server."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import peers
import pytest
import sqlalchemy
from hypothesis import HealthCheck, settings

settings.register_profile("haidang", deadline=None, derandomize="CI" in os.environ, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("haidang")

_numbers = itertools.count()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The whole ways, which take longest, begin first, so that they do not end last."""
    items.sort(key=lambda item: item.path.parent != Path(__file__).parent)


@pytest.fixture(scope="session")
def server() -> Iterator[peers.PostgreSQL]:
    """A running PostgreSQL."""
    with peers.postgresql() as found:
        yield found


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database: once SQLite, once PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/a directory, 100%/inventory.db"
    found: peers.PostgreSQL = request.getfixturevalue("server")
    name = f"test{next(_numbers)}"
    engine = sqlalchemy.create_engine(found.url(), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    engine.dispose()
    return replace(found, database=name).url("postgresql")
