"""Studies and their tables."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from io import BytesIO
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, File, Form, Query, Response, UploadFile
from fastapi.responses import FileResponse, StreamingResponse

from podium.errors import InputError
from podium.service import runs, studies
from podium.service.access import Place, StudyReader, StudyWriter, own_page
from podium.service.accounts import Name
from podium.service.archive import packed, place_files
from podium.service.exports import csv_lines, page
from podium.service.installation import Installation
from podium.service.problems import Where
from podium.service.routes import API
from podium.service.studies import Fill
from podium.service.views import (
    ExampleWish,
    Page,
    PageSize,
    Paging,
    ShareView,
    ShareWish,
    StudyFacts,
    StudyName,
    StudyView,
    TextFiles,
    Validation,
)
from podium.study.examples import EXAMPLES, write_example

router = APIRouter(prefix=API, tags=["studies"], dependencies=[Depends(own_page)])
Files = Annotated[list[UploadFile], File(description="One zip archive, or study.yaml and the tables that it names.")]
PodId = Annotated[str | None, Query(max_length=200, description="Rows of this POD alone.")]
FILES: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/csv": {}, "application/vnd.apache.parquet": {}}, "description": "The file."}
}
PARQUET = "application/vnd.apache.parquet"
ZIP = "application/zip"
ARCHIVE: dict[int | str, dict[str, Any]] = {200: {"content": {ZIP: {}}, "description": "The archive."}}


def _from_upload(place: Installation, files: Sequence[UploadFile]) -> Fill:
    named = [(file.filename or "", file.file) for file in files]
    return lambda folder: place_files(named, folder, place.settings.upload)


def _from_text(place: Installation, given: TextFiles) -> Fill:
    named = [(name, BytesIO(text.encode("utf-8", "replace"))) for name, text in given.files.items()]
    return lambda folder: place_files(named, folder, place.settings.upload)


def from_example(example: str) -> Fill:
    """Writes an example as the files of a study."""

    def fill(folder: Path) -> Path:
        return write_example(example, folder)

    return fill


@router.get("/examples")
def list_examples(_caller: StudyReader) -> dict[str, str]:
    """Examples, and what they show."""
    return EXAMPLES


@router.get("/studies")
def list_studies(caller: StudyReader, place: Place) -> list[StudyView]:
    """One's own studies and those shared with one, newest first."""
    with place.database.reading() as session:
        return studies.studies_of(session, caller)


@router.post("/studies", status_code=HTTPStatus.CREATED)
def upload_study(
    files: Files, caller: StudyWriter, place: Place, name: Annotated[Name | None, Form()] = None
) -> StudyView:
    """Keep an uploaded study. An invalid one is refused with everything that is wrong."""
    return studies.create(place, caller, _from_upload(place, files), name)


@router.post("/studies/from-text", status_code=HTTPStatus.CREATED)
def make_study(given: TextFiles, caller: StudyWriter, place: Place) -> StudyView:
    """Keep a study given as the text of its files."""
    return studies.create(place, caller, _from_text(place, given), given.name)


@router.post("/studies/from-example", status_code=HTTPStatus.CREATED)
def make_example(wish: ExampleWish, caller: StudyWriter, place: Place) -> StudyView:
    """Keep a copy of an example."""
    return studies.create(place, caller, from_example(wish.example), wish.name)


@router.post("/studies/validation")
def validate_study(files: Files, _caller: StudyWriter, place: Place) -> Validation:
    """Everything wrong with an uploaded study; nothing is kept."""
    try:
        with studies.taken_in(place, _from_upload(place, files)) as taken:
            return Validation(valid=True, problems=[], facts=StudyFacts.model_validate(taken.facts))
    except InputError as error:
        problems = [Where(where=found.where, value=found.value, expected=found.expected) for found in error.problems]
        return Validation(valid=False, problems=problems, facts=None)


@router.get("/studies/{study}")
def read_study(study: UUID, caller: StudyReader, place: Place) -> StudyView:
    """A study."""
    with place.database.reading() as session:
        return studies.view(session, caller, study)


@router.patch("/studies/{study}")
def rename_study(study: UUID, change: StudyName, caller: StudyWriter, place: Place) -> StudyView:
    """Give a study another name."""
    return studies.rename(place, caller, study, change.name)


@router.post("/studies/{study}/copies", status_code=HTTPStatus.CREATED)
def copy_study(study: UUID, wish: StudyName, caller: StudyWriter, place: Place) -> StudyView:
    """A copy of one's own."""
    return studies.copy(place, caller, study, wish.name)


@router.delete("/studies/{study}", status_code=HTTPStatus.NO_CONTENT)
def delete_study(study: UUID, caller: StudyWriter, place: Place) -> None:
    """Delete a study with all its runs, those of others included."""
    runs.delete_study(place, caller, study)


@router.get("/studies/{study}/shares")
def list_shares(study: UUID, caller: StudyReader, place: Place) -> list[ShareView]:
    """With whom a study is shared; for its owner."""
    return studies.shares(place, caller, study)


@router.post("/studies/{study}/shares", status_code=HTTPStatus.CREATED)
def share_study(study: UUID, wish: ShareWish, caller: StudyWriter, place: Place) -> ShareView:
    """Let another user read, run and copy a study. The answer does not tell whether there is such a user."""
    return studies.share(place, caller, study, wish.email)


@router.delete("/studies/{study}/shares/{share}", status_code=HTTPStatus.NO_CONTENT)
def unshare_study(study: UUID, share: UUID, caller: StudyWriter, place: Place) -> None:
    """End a sharing."""
    studies.unshare(place, caller, study, share)


@router.get("/studies/{study}/archive", response_class=Response, responses=ARCHIVE)
def download_study(study: UUID, caller: StudyReader, place: Place) -> Response:
    """The files of a study as they were given, in a zip archive: `podium run` takes them, and so does an upload."""
    pieces = packed(studies.input_folder(place, caller, study), place.uploads)
    headers = {"Content-Disposition": 'attachment; filename="study.zip"'}
    return StreamingResponse(pieces, media_type=ZIP, headers=headers)


@router.get("/studies/{study}/tables/{table}")
def read_table(
    study: UUID,
    table: str,
    caller: StudyReader,
    place: Place,
    offset: Paging = 0,
    limit: PageSize = 100,
    pod: PodId = None,
) -> Page:
    """Rows of a table of a study: pods, profiles, prices, or a kind of device."""
    return page(studies.table_file(place, caller, study, table), offset, limit, pod)


@router.get("/studies/{study}/tables/{table}/{kind}", response_class=Response, responses=FILES)
def download_table(
    study: UUID, table: str, caller: StudyReader, place: Place, kind: Literal["csv", "parquet"]
) -> Response:
    """A table of a study as a file."""
    return download(studies.table_file(place, caller, study, table), kind)


def download(path: Path, kind: Literal["csv", "parquet"]) -> Response:
    """A Parquet file as it is, or as CSV."""
    if kind == "parquet":
        return FileResponse(path, media_type=PARQUET, filename=path.name)
    headers = {"Content-Disposition": f'attachment; filename="{path.stem}.csv"'}
    return StreamingResponse(csv_lines(path), media_type="text/csv; charset=utf-8", headers=headers)
