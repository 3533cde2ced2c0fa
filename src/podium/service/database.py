"""The database: SQLite in the data folder, or PostgreSQL; brought up to date when the service starts."""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.orm import Session, sessionmaker

SQLITE_FILE = "podium.sqlite3"
_WRITES = "podium_writes"
_BUSY_SECONDS = 30
#: Names the lock of migrations in PostgreSQL.
_LOCK_NUMBER = 7_640_518_270


class Database:
    """Transactions that read, and transactions that write."""

    def __init__(self, url: str) -> None:
        self.engine = create_engine(url, pool_pre_ping=True)
        if self.engine.dialect.name == "sqlite":
            event.listen(self.engine, "connect", _set_up_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A transaction that changes nothing."""
        with self._sessions() as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A transaction that is kept where its block ends well."""
        with self._sessions.begin() as session:
            session.connection(execution_options={_WRITES: True})
            yield session

    def migrate(self, data: Path) -> None:
        """Bring the tables up to date. Of several processes that start at once, one does it and the others wait."""
        with _locked(data / ".migrations"), self.engine.connect() as connection:
            if self.engine.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_lock(:number)"), {"number": _LOCK_NUMBER})
                connection.commit()
            try:
                with connection.execution_options(**{_WRITES: True}).begin():
                    command.upgrade(migrations(connection), "head")
            finally:
                if self.engine.dialect.name == "postgresql":
                    connection.execute(text("SELECT pg_advisory_unlock(:number)"), {"number": _LOCK_NUMBER})
                    connection.commit()

    def close(self) -> None:
        """Give back all connections."""
        self.engine.dispose()


def database_url(data: Path, given: str | None) -> str:
    """Address of the database; SQLite in the data folder where none is given."""
    if given is None:
        return f"sqlite:///{(data / SQLITE_FILE).resolve()}"
    return given.replace("postgresql://", "postgresql+psycopg://", 1).replace("postgres://", "postgresql+psycopg://", 1)


def migrations(connection: Connection) -> Config:
    """Alembic's view of the folder of migrations."""
    config = _config()
    config.attributes["connection"] = connection
    return config


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def revision(connection: Connection) -> str | None:
    """Which migration the tables are at; None where there are none."""
    return MigrationContext.configure(connection).get_current_revision()


def newest_revision() -> str:
    """The last migration of this version."""
    found = ScriptDirectory.from_config(_config()).get_current_head()
    if found is None:
        raise AssertionError("this version has migrations")
    return found


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    """Readers and one writer at once, and references that hold; transactions are begun by `_begin_sqlite`."""
    connection.isolation_level = None
    for pragma in (
        f"busy_timeout={_BUSY_SECONDS * 1000}",
        "journal_mode=WAL",
        "synchronous=NORMAL",
        "foreign_keys=ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    """Writers take their turn at the start: one that began by reading could not wait for another later."""
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def take_turns(session: Session, *names: str) -> None:
    """Of transactions that name the same thing, one goes on at a time, until its end. In SQLite all writers do.

    Who names several things names them in the same order as everybody.
    """
    if session.get_bind().dialect.name == "postgresql":
        for name in names:
            number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)
            session.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": number})


def is_up(engine: Engine) -> bool:
    """Whether the database answers."""
    with engine.connect() as connection:
        return bool(connection.execute(text("SELECT 1")).scalar())
