"""Runs, their events, logs and results."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Response
from fastapi.responses import FileResponse, StreamingResponse

from podium.service import runs
from podium.service.access import Place, RunReader, RunWriter, own_page
from podium.service.events import stream
from podium.service.exports import page
from podium.service.problems import NotFoundError
from podium.service.routes import API
from podium.service.routes.studies import FILES, PodId, download
from podium.service.views import LogLine, Page, PageSize, Paging, ResultFile, RunKind, RunState, RunView, RunWish

router = APIRouter(prefix=API, tags=["runs"], dependencies=[Depends(own_page)])
Key = Annotated[str | None, Header(min_length=1, max_length=200, pattern=r"^[\x21-\x7e]+$")]
#: The report runs its own scripts, and can reach nothing: no network, no cookies, no other page of this server.
REPORT_POLICY = (
    "sandbox allow-scripts allow-downloads; default-src 'none'; script-src 'unsafe-inline'; "
    "style-src 'unsafe-inline'; img-src data: blob:; font-src data:"
)
_MEDIA = {".json": "application/json", ".html": "text/html", ".png": "image/png"}
_EVENTS: dict[int | str, dict[str, Any]] = {200: {"content": {"text/event-stream": {}}, "description": "Events."}}
_STARTED: dict[int | str, dict[str, Any]] = {200: {"model": RunView, "description": "A run that was there already."}}
_OTHER: dict[int | str, dict[str, Any]] = {
    200: {"content": {kind: {} for kind in _MEDIA.values()}, "description": "The file."}
}


@router.post("/runs", status_code=HTTPStatus.CREATED, responses=_STARTED)
def start_run(
    wish: RunWish, caller: RunWriter, place: Place, response: Response, idempotency_key: Key = None
) -> RunView:
    """Start a run. Where one of the same input and options is there already, it is given instead, with 200."""
    started = runs.start(place, caller, wish, idempotency_key)
    response.status_code = HTTPStatus.CREATED if started.fresh else HTTPStatus.OK
    return started.run


@router.get("/runs")
def list_runs(
    caller: RunReader,
    place: Place,
    study: UUID | None = None,
    state: RunState | None = None,
    kind: RunKind | None = None,
    offset: Paging = 0,
    limit: PageSize = 100,
) -> list[RunView]:
    """One's own runs, newest first."""
    with place.database.reading() as session:
        return runs.runs_of(session, caller, study, offset, limit, runs.Chosen(study, state, kind))


@router.get("/runs/{run}")
def read_run(run: UUID, caller: RunReader, place: Place) -> RunView:
    """A run: its state, phase, PODs done, and its summary once it is done."""
    with place.database.reading() as session:
        return runs.view(session, runs.owned_run(session, caller, run))


@router.post("/runs/{run}/cancel", status_code=HTTPStatus.ACCEPTED)
def cancel_run(run: UUID, caller: RunWriter, place: Place) -> RunView:
    """Cancel a run: a waiting one at once, a running one within seconds."""
    return runs.cancel(place, caller, run)


@router.delete("/runs/{run}", status_code=HTTPStatus.NO_CONTENT)
def delete_run(run: UUID, caller: RunWriter, place: Place) -> None:
    """Delete a run that is over, with its results."""
    runs.delete(place, caller, run)


@router.get("/runs/{run}/log")
def read_log(
    run: UUID, caller: RunReader, place: Place, after: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0
) -> list[LogLine]:
    """The run's log, behind line number `after`."""
    with place.database.reading() as session:
        return runs.log_of(session, caller, run, after)


@router.get("/runs/{run}/events", response_class=StreamingResponse, responses=_EVENTS)
def watch_run(
    run: UUID,
    caller: RunReader,
    place: Place,
    last_event_id: Annotated[int, Header(ge=0, le=2**31 - 1)] = 0,
) -> StreamingResponse:
    """Live events: `log` lines, `run` whenever it changes, and `end`. Last-Event-ID resumes the log."""
    with place.database.reading() as session:
        runs.owned_run(session, caller, run)
    return StreamingResponse(stream(place, caller, run, last_event_id), media_type="text/event-stream")


@router.get("/runs/{run}/results")
def list_results(run: UUID, caller: RunReader, place: Place) -> list[ResultFile]:
    """The files of a run's results (docs/results.md)."""
    return runs.result_files(runs.results_folder(place, caller, run))


@router.get("/runs/{run}/results/tables/{table}")
def read_result(
    run: UUID,
    table: str,
    caller: RunReader,
    place: Place,
    offset: Paging = 0,
    limit: PageSize = 100,
    pod: PodId = None,
) -> Page:
    """Rows of a table of the results: steps, pods, pod_summary, schedule and so on."""
    folder = runs.results_folder(place, caller, run)
    return page(runs.result_file(folder, f"{table}.parquet"), offset, limit, pod)


@router.get("/runs/{run}/results/tables/{table}/{kind}", response_class=Response, responses=FILES)
def download_result(
    run: UUID, table: str, caller: RunReader, place: Place, kind: Literal["csv", "parquet"]
) -> Response:
    """A table of the results as a file."""
    return download(runs.result_file(runs.results_folder(place, caller, run), f"{table}.parquet"), kind)


@router.get("/runs/{run}/results/files/{name}", response_class=FileResponse, responses=_OTHER)
def read_file(run: UUID, name: str, caller: RunReader, place: Place) -> FileResponse:
    """summary.json, certificate.json, report.html, or a picture."""
    path = runs.result_file(runs.results_folder(place, caller, run), name)
    if path.suffix not in _MEDIA:
        raise NotFoundError("no such file of results; tables are under results/tables")
    headers = {"Content-Security-Policy": REPORT_POLICY} if path.suffix == ".html" else None
    return FileResponse(path, media_type=_MEDIA[path.suffix], headers=headers)
