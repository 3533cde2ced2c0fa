"""Runs: started, looked at, cancelled, and what became of them."""

from __future__ import annotations

import hashlib
import json
import shutil
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import and_, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from podium.engine import PHASES
from podium.service.accounts import Caller
from podium.service.database import take_turns
from podium.service.exports import row_count
from podium.service.installation import Installation
from podium.service.problems import ConflictError, NotFoundError, TooManyError
from podium.service.studies import owned, readable
from podium.service.tables import Entry, RunRow, StudyRow, User, now
from podium.service.views import LogLine, QueueView, ResultFile, RunKind, RunState, RunView, RunWish
from podium.version import __version__

#: Kind of run -> its phases, in order.
PHASES_OF = {
    "full": PHASES,
    "local": tuple(phase for phase in PHASES if phase not in ("level 2", "bids", "reference promise")),
    "portfolio": PHASES[1:],
}
OVER = ("done", "failed", "cancelled")
_WAIT_SECONDS = 60


@dataclass(frozen=True)
class Started:
    """A run that was asked for; `fresh` is False where it was there already."""

    run: RunView
    fresh: bool


def start(place: Installation, caller: Caller, wish: RunWish, key: str | None) -> Started:
    """Put a run into the queue.

    One of the same study, options and version that waits, runs or is done is given instead, unless `wish.again`; the
    same `key` always means the same run. Raises ConflictError where the key was used for something else, and
    TooManyError where too many wait.
    """
    try:
        with place.database.writing() as session:
            return _started(session, place, caller, wish, key)
    except IntegrityError:  # another request with the same key was quicker
        with place.database.writing() as session:
            return _started(session, place, caller, wish, key)


def _started(session: Session, place: Installation, caller: Caller, wish: RunWish, key: str | None) -> Started:
    take_turns(session, f"start\0{caller.user_id}")
    study = readable(session, caller, wish.study)
    local = _local_run(session, caller, wish)
    digest = _digest(study, wish, local)
    found = _by_key(session, caller, key, digest) or (None if wish.again else _same(session, caller, digest))
    if found is not None:
        return Started(view(session, found), fresh=False)
    waiting = select(func.count()).where(RunRow.owner_id == caller.user_id, RunRow.state == "queued")
    if (session.scalar(waiting) or 0) >= place.settings.queue_max:
        raise TooManyError(f"{place.settings.queue_max} waiting runs are the most", _WAIT_SECONDS)
    run = RunRow(
        owner_id=caller.user_id,
        study_id=study.id,
        kind=wish.kind,
        local_run=wish.local_run,
        options={**(local.options if local else {}), **wish.options.given()},
        digest=digest,
        idempotency_key=key,
        pods=study.facts["pods"],
    )
    session.add(run)
    session.flush()
    note(session, run.id, "state", "queued")
    return Started(view(session, run), fresh=True)


def _local_run(session: Session, caller: Caller, wish: RunWish) -> RunRow | None:
    """The run whose level 1 a run of kind `portfolio` starts from."""
    if wish.local_run is None:
        return None
    run = owned_run(session, caller, wish.local_run)
    if (run.kind, run.state, run.study_id) != ("local", "done", wish.study):
        raise ConflictError("'local_run' must be a run of kind 'local' of the same study that is done")
    of_level2 = {"method", "gap", "portfolio_time_limit_seconds", "curves"}
    given = wish.options.model_dump(exclude_none=True, exclude=of_level2)
    if given.items() - run.options.items():
        raise ConflictError("options of level 1 cannot differ from those of the local run")
    return run


def _digest(study: StudyRow, wish: RunWish, local: RunRow | None) -> str:
    """Digest of everything that the result depends on."""
    parts = [study.digest, wish.kind, wish.options.given(), local and local.digest, __version__]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _by_key(session: Session, caller: Caller, key: str | None, digest: str) -> RunRow | None:
    if key is None:
        return None
    run = session.scalar(select(RunRow).where(RunRow.owner_id == caller.user_id, RunRow.idempotency_key == key))
    if run is not None and run.digest != digest:
        raise ConflictError("this idempotency key was used for another study or other options")
    return run


def _same(session: Session, caller: Caller, digest: str) -> RunRow | None:
    """The newest run of the caller with the same input that did not fail."""
    alive = RunRow.state.in_(("queued", "running", "done")) & ~RunRow.cancel_wanted
    found = select(RunRow).where(RunRow.owner_id == caller.user_id, RunRow.digest == digest, alive)
    return session.scalar(found.order_by(RunRow.created_at.desc()).limit(1))


def note(session: Session, run: UUID, event: str, text: str) -> None:
    """Write a line into a run's log."""
    session.add(Entry(run_id=run, event=event, text=text))


def _waiting(session: Session) -> list[datetime]:
    """When the waiting runs of all users were asked for, earliest first."""
    return sorted(session.scalars(select(RunRow.created_at).where(RunRow.state == "queued")))


def view(session: Session, run: RunRow, waiting: Sequence[datetime] | None = None) -> RunView:
    """A run as users see it; `waiting` as `_waiting` gives it, where it is known."""
    if waiting is None:
        waiting = _waiting(session) if run.state == "queued" else ()
    return RunView(
        id=run.id,
        study=run.study_id,
        study_name=session.get_one(StudyRow, run.study_id).name,
        kind=run.kind,  # type: ignore[arg-type]
        local_run=run.local_run,
        options=run.options,
        state=run.state,  # type: ignore[arg-type]
        phase=run.phase,
        phases=list(PHASES_OF[run.kind]),
        pods=run.pods,
        pods_done=min(run.pods_done, run.pods),
        created_at=run.created_at,
        started_at=run.started_at,
        finished_at=run.finished_at,
        attempts=run.attempts,
        ahead=bisect_left(waiting, run.created_at) if run.state == "queued" else None,
        problem=run.problem,
        summary=run.summary,
    )


def owned_run(session: Session, caller: Caller, run: UUID) -> RunRow:
    """A run of the caller's own; raises NotFoundError where there is none."""
    row = session.get(RunRow, run)
    if row is None or row.owner_id != caller.user_id:
        raise NotFoundError("no such run")
    return row


@dataclass(frozen=True)
class Chosen:
    """Which of one's own runs; None stands for all."""

    study: UUID | None = None
    state: RunState | None = None
    kind: RunKind | None = None
    local_run: UUID | None = None

    def of(self, caller: Caller) -> Any:
        """The condition that a run is one of them."""
        wanted = {
            RunRow.study_id: self.study,
            RunRow.state: self.state,
            RunRow.kind: self.kind,
            RunRow.local_run: self.local_run,
        }
        return and_(RunRow.owner_id == caller.user_id, *(key == value for key, value in wanted.items() if value))


def runs_of(
    session: Session, caller: Caller, study: UUID | None, offset: int, limit: int, chosen: Chosen | None = None
) -> list[RunView]:
    """One's own runs, newest first: those of a study, or those that are `chosen`."""
    found = select(RunRow).where((chosen or Chosen(study)).of(caller))
    found = found.order_by(RunRow.created_at.desc()).offset(offset).limit(limit)
    waiting = _waiting(session)
    return [view(session, run, waiting) for run in session.scalars(found)]


def count_of(session: Session, caller: Caller, chosen: Chosen) -> int:
    """How many of one's own runs there are."""
    return session.scalar(select(func.count()).select_from(RunRow).where(chosen.of(caller))) or 0


def studies_with_runs(session: Session, caller: Caller) -> dict[UUID, str]:
    """Id and name of each study of which one has runs, by name."""
    mine = select(RunRow.study_id).where(RunRow.owner_id == caller.user_id)
    found = select(StudyRow.id, StudyRow.name).where(StudyRow.id.in_(mine)).order_by(StudyRow.name)
    return {row[0]: row[1] for row in session.execute(found)}


def log_of(session: Session, caller: Caller, run: UUID, after: int = 0, limit: int = 10_000) -> list[LogLine]:
    """Lines of a run's log behind the one with number `after`."""
    row = owned_run(session, caller, run)
    found = select(Entry).where(Entry.run_id == row.id, Entry.id > after).order_by(Entry.id).limit(limit)
    return [LogLine.model_validate(entry) for entry in session.scalars(found)]


def cancel(place: Installation, caller: Caller, run: UUID) -> RunView:
    """Cancel a run: a waiting one at once, a running one as soon as its worker hears of it."""
    with place.database.writing() as session:
        owned_run(session, caller, run)
        row = session.get_one(RunRow, run, with_for_update=True)
        if row.state in OVER:
            raise ConflictError(f"the run is {row.state} already")
        row.cancel_wanted = True
        if row.state == "queued":
            row.state, row.finished_at = "cancelled", now()
            note(session, row.id, "state", "cancelled")
        return view(session, row)


def delete(place: Installation, caller: Caller, run: UUID) -> None:
    """Delete a run that is over, and its results."""
    with place.database.writing() as session:
        row = owned_run(session, caller, run)
        if row.state not in OVER:
            raise ConflictError("cancel the run first")
        session.delete(row)
    shutil.rmtree(place.run_folder(run), ignore_errors=True)


def delete_study(place: Installation, caller: Caller, study: UUID) -> None:
    """Delete a study with all its runs; those under way end."""
    with place.database.writing() as session:
        row = owned(session, caller, study)
        runs = list(session.scalars(select(RunRow.id).where(RunRow.study_id == study)))
        session.delete(row)
    for run in runs:
        shutil.rmtree(place.run_folder(run), ignore_errors=True)
    shutil.rmtree(place.study_folder(study), ignore_errors=True)


# Results --------------------------------------------------------------------------------------------------------------


def results_folder(place: Installation, caller: Caller, run: UUID) -> Path:
    """Folder of the results of a run that is done; raises ConflictError while it is not."""
    with place.database.reading() as session:
        row = owned_run(session, caller, run)
    if row.state != "done" or row.attempt is None:
        raise ConflictError(f"the run is {row.state}; there are results once it is done")
    return place.run_folder(run) / row.attempt


def result_files(folder: Path) -> list[ResultFile]:
    """All files of the results."""
    return [
        ResultFile(
            name=path.name,
            bytes=path.stat().st_size,
            rows=row_count(path) if path.suffix == ".parquet" else None,
        )
        for path in sorted(folder.iterdir())
        if path.is_file()
    ]


def result_file(folder: Path, name: str) -> Path:
    """A file of the results; raises NotFoundError where there is none of that name."""
    for path in folder.iterdir():
        if path.name == name and path.is_file():
            return path
    raise NotFoundError("no such file of results")


def queue(place: Installation) -> QueueView:
    """What is waiting and running."""
    counted = (
        select(User.email, RunRow.state, func.count())
        .join(User, User.id == RunRow.owner_id)
        .where(RunRow.state.in_(("queued", "running")))
        .group_by(User.email, RunRow.state)
    )
    users: dict[str, dict[str, int]] = {}
    with place.database.reading() as session:
        for email, state, count in session.execute(counted):
            users.setdefault(email, {})[state] = count
    total = {state: sum(found.get(state, 0) for found in users.values()) for state in ("queued", "running")}
    return QueueView(**total, workers=place.settings.workers, users=users)


def counts(place: Installation) -> dict[str, int]:
    """State -> number of runs, of all users."""
    with place.database.reading() as session:
        return {row[0]: row[1] for row in session.execute(select(RunRow.state, func.count()).group_by(RunRow.state))}


def lease_end(place: Installation) -> Any:
    """Until when a worker that is heard of now keeps its run."""
    return now() + timedelta(seconds=place.settings.lease_seconds)
