"""The queue from the side of the workers: a run is taken, kept by a lease, and ended by the one who holds it."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import ColumnElement, CursorResult, func, select, update
from sqlalchemy.orm import Session, aliased

from podium.service.installation import Installation
from podium.service.problems import details
from podium.service.runs import lease_end, note
from podium.service.tables import RunRow, now

_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
_BYTES = 8


@dataclass(frozen=True)
class Job:
    """A run that a worker holds. `attempt` is the worker's proof, and the name of its folder of results."""

    run: UUID
    study: UUID
    kind: str
    local_run: UUID | None
    options: dict[str, Any]
    attempt: str
    pods: int


def take(place: Installation) -> Job | None:
    """The next run, now held by the caller; None where none waits.

    Runs whose worker was not heard of any more wait again first. Of the users with waiting runs, the one with the
    fewest running is served, then the one who was served longest ago, then the earlier run.
    """
    with place.database.reading() as session:  # most often nothing waits, and nobody who writes has to wait for that
        lost = (RunRow.state == "running") & (RunRow.lease_until < now())
        if session.scalar(select(RunRow.id).where((RunRow.state == "queued") | lost).limit(1)) is None:
            return None
    with place.database.writing() as session:
        _requeue_lost(session, place)
        run = session.scalar(_next())
        if run is None:
            return None
        run.state, run.attempt, run.lease_until = "running", secrets.token_hex(_BYTES), lease_end(place)
        run.started_at = run.started_at or now()
        run.attempts += 1
        run.phase, run.pods_done = None, 0
        note(session, run.id, "state", "running" if run.attempts == 1 else f"running again, attempt {run.attempts}")
        return Job(run.id, run.study_id, run.kind, run.local_run, dict(run.options), run.attempt, run.pods)


def _next() -> Any:
    other, earlier = aliased(RunRow), aliased(RunRow)
    running = select(func.count()).where(other.owner_id == RunRow.owner_id, other.state == "running")
    served = select(func.max(earlier.started_at)).where(earlier.owner_id == RunRow.owner_id)
    return (
        select(RunRow)
        .where(RunRow.state == "queued")
        .order_by(
            running.scalar_subquery(),
            func.coalesce(served.scalar_subquery(), _LONG_AGO),
            RunRow.created_at,
        )
        .limit(1)
        .with_for_update(skip_locked=True, of=RunRow)
    )


def _requeue_lost(session: Session, place: Installation) -> None:
    """Runs whose lease is over wait again; those that died too often have failed, those to be cancelled are."""
    lost = select(RunRow).where(RunRow.state == "running", RunRow.lease_until < now())
    for run in session.scalars(lost.with_for_update(skip_locked=True)):
        run.lease_until = run.attempt = None
        if run.cancel_wanted:
            run.state, run.finished_at = "cancelled", now()
        elif run.attempts >= place.settings.attempts_max:
            run.state, run.finished_at = "failed", now()
            run.problem = details(500, "worker-lost", f"{run.attempts} workers died computing this run")
        else:
            run.state = "queued"
        note(session, run.id, "state", f"worker lost; {run.state}")
    session.flush()


def _held(job: Job) -> ColumnElement[bool]:
    return (RunRow.id == job.run) & (RunRow.attempt == job.attempt) & (RunRow.state == "running")


def _changed(session: Session, job: Job, **values: Any) -> bool:
    """Change a run that the job still holds; False where it does not."""
    done = session.execute(update(RunRow).where(_held(job)).values(**values))
    return cast("CursorResult[Any]", done).rowcount == 1


def keep(place: Installation, job: Job) -> bool:
    """Say that the worker lives. False where the run is to end: cancelled, deleted, or given to another."""
    with place.database.writing() as session:
        if not _changed(session, job, lease_until=lease_end(place)):
            return False
        return not session.scalar(select(RunRow.cancel_wanted).where(RunRow.id == job.run))


def tell(place: Installation, job: Job, phase: str, pods_done: int, lines: Sequence[tuple[str, str]] = ()) -> None:
    """Write down how far a run is, and lines for its log."""
    with place.database.writing() as session:
        if _changed(session, job, phase=phase, pods_done=pods_done):
            for event, text in lines:
                note(session, job.run, event, text)


def end(place: Installation, job: Job, state: str, **values: Any) -> bool:
    """End a run that the job still holds; of several workers that think they do, one does."""
    with place.database.writing() as session:
        ended = _changed(session, job, state=state, finished_at=now(), lease_until=None, phase=None, **values)
        if ended:
            note(session, job.run, "state", state)
        return ended


def give_back(place: Installation, job: Job) -> None:
    """Put a run back into the queue, as if it had not been begun: the worker is told to end."""
    with place.database.writing() as session:
        back = {"state": "queued", "lease_until": None, "attempt": None, "phase": None}
        if _changed(session, job, attempts=RunRow.attempts - 1, **back):
            note(session, job.run, "state", "queued")
