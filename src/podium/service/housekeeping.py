"""What was left behind by a server that was killed is put away."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from uuid import UUID

from sqlalchemy import select

from podium.service.installation import KEPT, Installation
from podium.service.runs import OVER
from podium.service.tables import RunRow, StudyRow

#: Anything younger may belong to a request under way in another process, s.
_OLD_SECONDS = 3600.0


def sweep(place: Installation) -> None:
    """Delete old uploads, and folders of studies and runs that the database does not know (any more)."""
    with place.database.reading() as session:
        known = {*session.scalars(select(StudyRow.id)), *session.scalars(select(RunRow.id))}
        runs = [(row[0], row[1], row[2]) for row in session.execute(select(RunRow.id, RunRow.attempt, RunRow.state))]
    for folder in _old(place.uploads):
        shutil.rmtree(folder, ignore_errors=True)
    for kind in ("studies", "runs"):
        for folder in _old(place.settings.data / kind):
            if _id(folder) not in known:
                shutil.rmtree(folder, ignore_errors=True)
    for run, attempt, state in runs:
        needed = (attempt,) if state in OVER else (attempt, KEPT)
        for folder in _old(place.run_folder(run)):
            if folder.name not in needed:
                shutil.rmtree(folder, ignore_errors=True)


def _old(folder: Path) -> list[Path]:
    """Folders in a folder that nothing has changed for a while."""
    if not folder.is_dir():
        return []
    return [path for path in folder.iterdir() if path.is_dir() and time.time() - path.stat().st_mtime > _OLD_SECONDS]


def _id(folder: Path) -> UUID | None:
    try:
        return UUID(folder.name)
    except ValueError:
        return None
