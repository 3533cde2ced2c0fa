"""A backup becomes a service again, in an empty folder and an empty database."""

from __future__ import annotations

import json
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Any
from uuid import UUID

from sqlalchemy import Integer, Table, Uuid, func, insert, select, text
from sqlalchemy.orm import Session

from podium.errors import InputError, Problem
from podium.service.backup import MANIFEST, TABLES, Manifest
from podium.service.database import Database, database_url, newest_revision, revision
from podium.service.installation import opened
from podium.service.seal import SECRET_FILE
from podium.service.settings import Settings
from podium.service.tables import Base, Moment

_CHUNK_ROWS = 1000


def restore(settings: Settings, source: Path | IO[bytes]) -> Manifest:
    """Put the content of an archive into the folder of the data and the database, both of which must be empty.

    An archive holds pickles and opens every account: it must be one's own. Runs that were under way go on. Raises
    InputError where it is none, or of another version, or where there is something already; then nothing is changed.
    """
    _ensure_empty(settings)
    with _archive(source, settings.data) as archive:
        manifest = _manifest(archive)
        with _filled(settings.data, archive), opened(settings) as place, place.database.writing() as session:
            for table in Base.metadata.sorted_tables:
                _insert(session, table, _rows(archive, table))
    return manifest


def _ensure_empty(settings: Settings) -> None:
    """Raise InputError where there are files already, or tables with rows or of another version."""
    if settings.data.exists() and any(settings.data.iterdir()):
        raise InputError(Problem(str(settings.data), "is not empty", "a new or empty folder"))
    if settings.database_url is None:
        return
    database = Database(database_url(settings.data, settings.database_url.get_secret_value()))
    try:
        with database.engine.connect() as connection:
            at = revision(connection)
            tables = Base.metadata.sorted_tables if at == newest_revision() else []
            filled = [table.name for table in tables if connection.scalar(select(func.count()).select_from(table))]
    finally:
        database.close()
    if filled or at not in (None, newest_revision()):
        what = f"rows in {', '.join(filled)}" if filled else f"tables of revision {at}"
        raise InputError(Problem("database", what, "an empty database"))


@contextmanager
def _archive(source: Path | IO[bytes], data: Path) -> Iterator[tarfile.TarFile]:
    """An archive; what comes through a pipe lies in a file without a name meanwhile."""
    expected = "an archive that `podium backup` made"
    try:
        with ExitStack() as stack:
            if isinstance(source, Path):
                file: IO[bytes] = stack.enter_context(source.open("rb"))
            else:
                data.mkdir(mode=0o700, parents=True, exist_ok=True)
                file = stack.enter_context(tempfile.TemporaryFile(dir=data))
                shutil.copyfileobj(source, file)
                file.seek(0)
            yield stack.enter_context(tarfile.open(fileobj=file))
    except (tarfile.TarError, EOFError) as error:
        raise InputError(Problem("backup", str(error), expected)) from None


def _manifest(archive: tarfile.TarFile) -> Manifest:
    if MANIFEST not in archive.getnames():
        raise InputError(Problem("backup", f"has no {MANIFEST}", "a whole archive that `podium backup` made"))
    manifest = Manifest(**json.loads(_text(archive, MANIFEST)))
    if manifest.revision != newest_revision():
        what = f"made by Podium {manifest.version}, with tables of revision {manifest.revision}"
        expected = f"revision {newest_revision()}: restore with Podium {manifest.version}, then upgrade"
        raise InputError(Problem("backup", what, expected))
    return manifest


def _text(archive: tarfile.TarFile, name: str) -> str:
    file = archive.extractfile(name)
    return "" if file is None else file.read().decode()


@contextmanager
def _filled(data: Path, archive: tarfile.TarFile) -> Iterator[None]:
    """The archive's files in the folder of the data; emptied again where the rest fails."""
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        for member in archive:
            steps = member.name.split("/")
            if steps[0] in (SECRET_FILE, "studies", "runs") and not {"", ".", ".."} & set(steps):
                _put(archive, member, data / member.name)
        yield
    except BaseException:
        for path in data.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        raise


def _put(archive: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    """A file of the archive, for its owner's eyes alone; links and all else that is no file are none."""
    if not member.isreg():
        return
    content = archive.extractfile(member)
    if content is None:
        raise AssertionError("a regular file has content")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with content, os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        shutil.copyfileobj(content, file)


def _rows(archive: tarfile.TarFile, table: Table) -> list[dict[str, Any]]:
    lines = _text(archive, f"{TABLES}/{table.name}.jsonl").splitlines()
    rows = [{name: _value(table, name, value) for name, value in json.loads(line).items()} for line in lines]
    return sorted(rows, key=lambda row: row.get("local_run") is not None)  # whom others refer to comes first


def _value(table: Table, name: str, value: Any) -> Any:
    """A value as its column takes it."""
    kind = table.columns[name].type
    if value is not None and isinstance(kind, Uuid):
        return UUID(value)
    return datetime.fromisoformat(value) if value is not None and isinstance(kind, Moment) else value


def _insert(session: Session, table: Table, rows: list[dict[str, Any]]) -> None:
    for first in range(0, len(rows), _CHUNK_ROWS):
        session.execute(insert(table), rows[first : first + _CHUNK_ROWS])
    numbered = "id" in table.columns and isinstance(table.columns["id"].type, Integer)
    if rows and numbered and session.get_bind().dialect.name == "postgresql":  # it counts apart from the rows
        following = text("SELECT setval(pg_get_serial_sequence(:name, 'id'), :last)")
        session.execute(following, {"name": table.name, "last": max(row["id"] for row in rows)})
