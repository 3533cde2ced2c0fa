"""A service of its own for each test, on SQLite and on PostgreSQL, and visitors that use it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
import uvicorn
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import NullPool, create_engine, text
from starlette.types import ASGIApp

from podium.client import Client
from podium.service import accounts, passwords
from podium.service.accounts import Role
from podium.service.app import create_app
from podium.service.installation import Installation, opened
from podium.service.settings import Settings
from processes import PATIENCE_SECONDS, until

GRACE_SECONDS = 5
PASSWORD = "correct horse battery"
Visit = Callable[..., Client]


@dataclass(frozen=True)
class PostgreSql:
    """A server of the tests' own, on a socket in its folder."""

    pg_ctl: str
    home: Path
    user: str | None

    @property
    def address(self) -> str:
        """Address of its first database."""
        return f"postgresql+psycopg://podium@/postgres?host={self.home}"

    def run(self, *command: str | Path) -> None:
        """Run a command as the server's user."""
        subprocess.run(
            command, check=True, capture_output=True, user=self.user, cwd=self.home, timeout=PATIENCE_SECONDS
        )

    def control(self, *words: str) -> None:
        """Tell the server to start, stop, restart."""
        options = f"-c listen_addresses='' -k {self.home} -c fsync=off -c max_connections=50"
        places = ("-D", self.home / "data", "-l", self.home / "log")
        self.run(self.pg_ctl, *places, "-w", "-t", str(int(PATIENCE_SECONDS)), "-o", options, *words)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSql]:
    """A server that lives as long as the tests."""
    folders = [*map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), os.environ.get("PATH", "")]
    initdb, pg_ctl = (shutil.which(name, path=os.pathsep.join(folders)) for name in ("initdb", "pg_ctl"))
    if initdb is None or pg_ctl is None:
        pytest.skip("no PostgreSQL server here (Debian: apt-get install postgresql)")
    home = Path(tempfile.mkdtemp(prefix="podium-pg-"))
    server = PostgreSql(pg_ctl, home, "postgres" if os.getuid() == 0 else None)
    try:
        if server.user is not None:
            shutil.chown(home, server.user)
        server.run(initdb, "-D", home / "data", "-U", "podium", "-A", "trust", "--no-sync", "-E", "UTF8")
        server.control("start")
    except (subprocess.CalledProcessError, LookupError) as error:
        shutil.rmtree(home, ignore_errors=True)
        pytest.skip(f"PostgreSQL does not start here: {getattr(error, 'stderr', error)!r}")
    yield server
    server.control("stop", "-m", "immediate")
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(autouse=True)
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Argon2 at its least cost: tests hash many passwords, and none that is worth guessing."""
    cheap = PasswordHash((Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1),))
    monkeypatch.setattr(passwords, "_argon2", lambda: cheap)
    passwords._nobody.cache_clear()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """Address of an empty database; None for SQLite in the data folder."""
    if request.param == "sqlite":
        yield None
        return
    with new_database(request.getfixturevalue("postgresql")) as address:
        yield address


@contextmanager
def new_database(server: PostgreSql) -> Iterator[str]:
    """Address of an empty database of the server."""
    name = f"test_{uuid4().hex}"
    engine = create_engine(server.address, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    try:
        yield server.address.replace("/postgres?", f"/{name}?")
    finally:
        with engine.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
def settings(tmp_path: Path, database_url: str | None) -> Settings:
    """Settings of a service without workers; tests compute runs themselves."""
    return Settings.read(data=tmp_path / "data", database_url=database_url, workers=0, cores_per_run=1)


@pytest.fixture
def place(settings: Settings) -> Iterator[Installation]:
    """The service, set up and without users."""
    with opened(settings) as found:
        yield found


@contextmanager
def serving(place: Installation, create: Callable[[Installation], ASGIApp] = create_app) -> Iterator[str]:
    """Address of a server of this process, on a port that is free; at its end nobody waits for streams without end."""
    config = uvicorn.Config(
        create(place), port=0, log_config=None, access_log=False, timeout_graceful_shutdown=GRACE_SECONDS
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        until(lambda: server.started or not thread.is_alive(), "the server starts")
        assert thread.is_alive(), "the server does not start"
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def url(place: Installation) -> Iterator[str]:
    """Address of the server."""
    with serving(place) as found:
        yield found


@pytest.fixture
def visit(place: Installation, url: str) -> Iterator[Visit]:
    """Makes visitors: nobody in particular, or a new user of an address, signed in."""
    made: list[Client] = []

    def visitor(email: str | None = None, role: Role = Role.operator, token: str | None = None) -> Client:
        made.append(Client(http=httpx.Client(base_url=url, timeout=PATIENCE_SECONDS, trust_env=False), token=token))
        if email is not None:
            accounts.add_user(place, email, email.partition("@")[0], PASSWORD, role)
            made[-1].sign_in(email, PASSWORD)
        return made[-1]

    yield visitor
    for client in made:
        client.http.close()
