"""A backup: everything that a service keeps, of one moment, in one archive, while it serves and computes.

Rows are read in one transaction, then the files that they name are added. Files of studies and of runs that are done
never change; what is deleted while they are read is left out, rows and all. Archives do not depend on the database, so
that one made of SQLite can be restored into PostgreSQL.
"""

from __future__ import annotations

import io
import json
import os
import secrets
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any
from uuid import UUID

from sqlalchemy import Connection, Table, select

from podium.errors import InputError, Problem
from podium.service.database import newest_revision, revision
from podium.service.installation import KEPT, Installation
from podium.service.level1 import FILE as LEVEL_1
from podium.service.runs import OVER
from podium.service.seal import SECRET_FILE
from podium.service.tables import Base, now
from podium.version import __version__

MANIFEST = "podium-backup.json"
TABLES = "tables"
Rows = dict[str, list[dict[str, Any]]]


@dataclass(frozen=True)
class Manifest:
    """What an archive is; written last, so that one that breaks off has none."""

    made_at: str
    version: str
    revision: str
    """Of the tables."""
    rows: dict[str, int]
    """Table -> number of its rows."""


def back_up(place: Installation, target: Path | IO[bytes]) -> Manifest:
    """Write an archive, for its owner's eyes alone; compressed where its name ends with .gz or .tgz.

    As a file it is there whole or not at all. Raises InputError where there is such a file, or where the tables are of
    another version of Podium.
    """
    if isinstance(target, Path) and target.exists():
        raise InputError(Problem(str(target), "is there already", "the name of a new file"))
    with _reading(place) as connection:
        made_at, rows = now(), _all_rows(connection)
    with _archive(target) as archive:
        archive.add(place.settings.data / SECRET_FILE, SECRET_FILE)
        for path in _files(place, rows):
            _add(archive, path, str(path.relative_to(place.settings.data)))
        with _reading(place) as connection:
            rows = _still_there(connection, rows)
        for name, of_table in rows.items():
            text = "".join(json.dumps(row, default=_plain) + "\n" for row in of_table)
            _add_text(archive, f"{TABLES}/{name}.jsonl", text)
        counts = {name: len(of_table) for name, of_table in rows.items()}
        manifest = Manifest(made_at.isoformat(), __version__, newest_revision(), counts)
        _add_text(archive, MANIFEST, json.dumps(asdict(manifest), indent=2) + "\n")
    return manifest


@contextmanager
def _reading(place: Installation) -> Iterator[Connection]:
    """One moment of the database, whatever others write meanwhile. Raises InputError where it is of another version."""
    with place.database.engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            connection = connection.execution_options(isolation_level="REPEATABLE READ")
        with connection.begin():
            found = revision(connection)
            if found != newest_revision():
                what = f"tables of revision {found}"
                expected = f"{newest_revision()}, which is that of Podium {__version__}: use the version that serves"
                raise InputError(Problem("database", what, expected))
            yield connection


def _all_rows(connection: Connection) -> Rows:
    return {
        table.name: [dict(row) for row in connection.execute(select(table)).mappings()]
        for table in Base.metadata.sorted_tables
    }


def _still_there(connection: Connection, rows: Rows) -> Rows:
    """Rows whose things were not deleted while files were read, nor what they refer to."""
    lost: dict[str, set[Any]] = {}
    for name in ("user_account", "study", "run"):
        key = Base.metadata.tables[name].c.id
        lost[name] = {row["id"] for row in rows[name]} - set(connection.scalars(select(key)))
    found: Rows = {}
    for table in Base.metadata.sorted_tables:
        found[table.name] = [row for row in rows[table.name] if not _refers_to_lost(table, row, lost)]
        if table.name in lost:
            kept = {row["id"] for row in found[table.name]}
            lost[table.name] |= {row["id"] for row in rows[table.name]} - kept
    for row in found["run"]:
        row["local_run"] = None if row["local_run"] in lost["run"] else row["local_run"]
    return found


def _refers_to_lost(table: Table, row: dict[str, Any], lost: dict[str, set[Any]]) -> bool:
    if row.get("id") in lost.get(table.name, ()):
        return True
    others = ((key.parent.name, key.column.table.name) for key in table.foreign_keys if key.column.table is not table)
    return any(row[column] in lost.get(name, ()) for column, name in others)


def _files(place: Installation, rows: Rows) -> Iterator[Path]:
    """Files of studies; of runs their results, or what they have kept so far."""
    for row in rows["study"]:
        yield from _within(place.study_folder(row["id"]))
    for row in rows["run"]:
        folder = place.run_folder(row["id"])
        if (folder / LEVEL_1).is_file():
            yield folder / LEVEL_1
        if row["state"] == "done":
            yield from _within(folder / row["attempt"])
        elif row["state"] not in OVER:
            yield from _within(folder / KEPT)


def _within(folder: Path) -> Iterable[Path]:
    """Files in a folder, those apart that are being written."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))


@contextmanager
def _archive(target: Path | IO[bytes]) -> Iterator[tarfile.TarFile]:
    """A new archive; a file has its name once it is whole."""
    if not isinstance(target, Path):
        with tarfile.open(fileobj=target, mode="w|") as archive:
            yield archive
        return
    aside = target.with_name(f".{target.name}-{secrets.token_hex(4)}")
    mode = "w:gz" if target.suffix in (".gz", ".tgz") else "w"
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            with tarfile.open(fileobj=file, mode=mode) as archive:  # type: ignore[call-overload]
                yield archive
            file.flush()
            os.fsync(file.fileno())
        aside.replace(target)
    finally:
        aside.unlink(missing_ok=True)


def _add(archive: tarfile.TarFile, path: Path, name: str) -> None:
    """Add a file, unless it was deleted in the meantime."""
    try:
        archive.add(path, name, recursive=False)
    except FileNotFoundError:
        return


def _add_text(archive: tarfile.TarFile, name: str, text: str) -> None:
    content = text.encode()
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = len(content), 0o600, int(now().timestamp())
    archive.addfile(info, io.BytesIO(content))


def _plain(value: object) -> str:
    """What JSON does not know."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"a row holds a {type(value).__name__}")
