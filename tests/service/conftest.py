"""A service of its own for each test, on SQLite and on PostgreSQL, set up."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, text

from podium.service.installation import Installation, opened
from podium.service.settings import Settings


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """Address of a PostgreSQL server that lives as long as the tests, on a socket in a folder of its own."""
    folders = [*map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), os.environ.get("PATH", "")]
    initdb, pg_ctl = (shutil.which(name, path=os.pathsep.join(folders)) for name in ("initdb", "pg_ctl"))
    if initdb is None or pg_ctl is None:
        pytest.skip("no PostgreSQL server here (Debian: apt-get install postgresql)")
    user = "postgres" if os.getuid() == 0 else None
    home = Path(tempfile.mkdtemp(prefix="podium-pg-"))
    try:
        if user is not None:
            shutil.chown(home, user)
        data = home / "data"

        def run(*command: str | Path) -> None:
            subprocess.run(command, check=True, capture_output=True, user=user, cwd=home, timeout=60)

        run(initdb, "-D", data, "-U", "podium", "-A", "trust", "--no-sync", "-E", "UTF8")
        options = f"-c listen_addresses='' -k {home} -c fsync=off -c max_connections=50"
        run(pg_ctl, "-D", data, "-w", "-l", home / "log", "-o", options, "start")
        try:
            yield f"postgresql+psycopg://podium@/postgres?host={home}"
        finally:
            run(pg_ctl, "-D", data, "-m", "immediate", "stop")
    except (subprocess.CalledProcessError, LookupError) as error:
        pytest.skip(f"PostgreSQL does not start here: {getattr(error, 'stderr', error)!r}")
    finally:
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """Address of an empty database; None for SQLite in the data folder."""
    if request.param == "sqlite":
        yield None
        return
    server: str = request.getfixturevalue("postgresql")
    name = f"test_{uuid4().hex}"
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield server.replace("/postgres?", f"/{name}?")
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


@pytest.fixture
def settings(tmp_path: Path, database_url: str | None) -> Settings:
    """Settings of a service without workers; tests compute runs themselves."""
    return Settings.read(data=tmp_path / "data", database_url=database_url, workers=0, cores_per_run=1)


@pytest.fixture
def place(settings: Settings) -> Iterator[Installation]:
    """The service, set up and without users."""
    with opened(settings) as found:
        yield found
