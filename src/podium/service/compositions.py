"""Studies that are composed of the catalogue, and studies as JSON."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import IO
from uuid import UUID

import pyarrow.parquet as pq
from starlette.exceptions import HTTPException

import podium
from podium.errors import InputError, Problem
from podium.service import configurations, studies
from podium.service.accounts import Caller
from podium.service.archive import is_plain, write_file
from podium.service.composition_views import PROFILES_MAX, ConfigurationChange, ConfigurationView
from podium.service.installation import Installation
from podium.service.studies import INPUT, TABLES
from podium.service.views import StudyView
from podium.study.compose import compose
from podium.study.composition import Composition, composition_of
from podium.study.records import Lines, StudyRecords, in_records, records_of, write_records
from podium.study.supply import Given, read_given

GIVEN = "profiles.csv"
_SUFFIXES = (".csv", ".parquet", ".xlsx")


def given_text(place: Installation, composition: Composition, text: str | None) -> Given | None:
    """Profiles that are given as CSV, on the steps of a composition. Raises InputError with lines of `profiles.csv`."""
    if text is None:
        return None
    with tempfile.TemporaryDirectory(dir=place.uploads) as folder:
        path = Path(folder) / GIVEN
        path.write_text(text, encoding="utf-8", errors="replace")
        return read_given(path, composition.horizon, place.settings.study_limits)


def given_file(place: Installation, composition: Composition, name: str, content: IO[bytes]) -> Given:
    """Profiles of an uploaded table, on the steps of a composition. Raises InputError with lines of the file."""
    if not name.lower().endswith(_SUFFIXES):
        raise InputError(Problem(repr(name), "not a table", "a file that ends in .csv, .parquet or .xlsx"))
    if not is_plain(name):
        raise InputError(Problem("the upload", f"the name {name[:200]!r}", "a plain name"))
    with tempfile.TemporaryDirectory(dir=place.uploads) as folder:
        write_file(content, Path(folder) / name, name, place.settings.upload.bytes_max)
        return read_given(Path(folder) / name, composition.horizon, place.settings.study_limits)


def add_profiles(place: Installation, caller: Caller, wanted: UUID, name: str, content: IO[bytes]) -> ConfigurationView:
    """Keep the columns of an uploaded table with a configuration; those of the same name are replaced.

    They are kept on the steps of the composition. Raises InputError with lines of the file.
    """
    with place.database.reading() as session:
        found = configurations.configuration(session, caller, wanted)
    composition = composition_of(found.composition)
    added = given_file(place, composition, name, content)
    try:
        before = given_text(place, composition, found.profiles) or Given()
    except InputError:  # of another day, or of other steps: nothing that could be kept
        before = Given()
    text = before.updated(added).text(composition.horizon)
    if len(text) > PROFILES_MAX:
        raise InputError(Problem(repr(name), f"{len(text):,} characters as CSV", f"at most {PROFILES_MAX:,}"))
    return configurations.change(place, caller, wanted, ConfigurationChange(profiles=text))


def study_of(place: Installation, caller: Caller, composition: Composition, profiles: str | None) -> StudyView:
    """The study of a composition: the one of the caller's own with the same files, else a new one."""
    given = given_text(place, composition, profiles)
    return studies.kept(place, caller, lambda folder: compose(composition, folder, given))


def make(
    place: Installation, caller: Caller, composition: Composition, profiles: str | None, name: str | None = None
) -> StudyView:
    """Compose a study and keep it. Raises InputError with everything wrong and everything missing."""
    given = given_text(place, composition, profiles)
    return studies.create(place, caller, lambda folder: compose(composition, folder, given), name)


def make_of_records(place: Installation, caller: Caller, content: StudyRecords, name: str | None = None) -> StudyView:
    """Keep a study that is given as records. Raises InputError with everything wrong, by row and key."""
    lines: dict[int, str] = {}

    def fill(folder: Path) -> Mapping[int, str]:
        found: Lines = write_records(content, folder)
        lines.update(found)
        return found

    try:
        return studies.create(place, caller, fill, name)
    except InputError as error:
        raise in_records(error, lines) from None


def as_records(place: Installation, caller: Caller, study: UUID) -> StudyRecords:
    """A study as records. Raises an error of HTTP where there are too many of them."""
    with place.database.reading() as session:
        home = place.study_folder(studies.readable(session, caller, study).id)
    refuse_many(place, sum(_cells(path) for path in (home / TABLES).glob("*.parquet")), "read the tables in pages")
    return records_of(podium.load_study(home / INPUT, place.settings.study_limits))


def refuse_many(place: Installation, values: int, advice: str) -> None:
    """Raise an error of HTTP where an answer in JSON would have more values than it may."""
    if values > place.settings.json_cells_max:
        why = f"{values:,} values, and as JSON at most {place.settings.json_cells_max:,}; {advice}"
        raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, why)


def _cells(path: Path) -> int:
    found = pq.read_metadata(path)
    return int(found.num_rows * found.num_columns)
