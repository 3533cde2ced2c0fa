"""What server, workers and command line share: settings, the data folder, the database, the secret."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from podium.errors import InputError, Problem
from podium.service.database import Database, database_url
from podium.service.seal import SECRET_FILE, Seal, read_seal
from podium.service.settings import Settings

#: Folder beside those of a run's attempts.
KEPT = "kept"


@dataclass(frozen=True)
class Installation:
    """A service that is set up, running or not."""

    settings: Settings
    database: Database
    seal: Seal

    def study_folder(self, study: UUID) -> Path:
        """Where the files of a study lie."""
        return self.settings.data / "studies" / str(study)

    def run_folder(self, run: UUID) -> Path:
        """Where the results of a run lie, a folder per attempt."""
        return self.settings.data / "runs" / str(run)

    def kept_folder(self, run: UUID) -> Path:
        """Where a run that is not over keeps what is done of it, for all attempts."""
        return self.run_folder(run) / KEPT

    @property
    def uploads(self) -> Path:
        """Where uploads are looked at before they become studies."""
        return self.settings.data / "uploads"


@contextmanager
def opened(settings: Settings) -> Iterator[Installation]:
    """The installation of these settings; folders, secret and tables are made where they are not there yet.

    Raises InputError where the secret may be read by others.
    """
    data = settings.data
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in ("studies", "runs", "uploads"):
        (data / name).mkdir(mode=0o700, exist_ok=True)
    with _connected(settings) as place:
        place.database.migrate(data)
        yield place


@contextmanager
def found(settings: Settings) -> Iterator[Installation]:
    """The installation of these settings as it is: nothing is made, nothing brought up to date.

    Raises InputError where there is none.
    """
    if not (settings.data / SECRET_FILE).is_file():
        raise InputError(Problem(str(settings.data), "no data of a service", "the folder of one (`podium serve`)"))
    with _connected(settings) as place:
        yield place


@contextmanager
def _connected(settings: Settings) -> Iterator[Installation]:
    given = settings.database_url
    database = Database(database_url(settings.data, None if given is None else given.get_secret_value()))
    try:
        yield Installation(settings, database, read_seal(settings.data))
    finally:
        database.close()
