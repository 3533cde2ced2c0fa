"""Runs as a short table, on pages that are about something else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from podium.service.views import RunView
from podium.web import figures, parts

_COLUMNS = (
    parts.Column("study", "Study", href=lambda row: f"/runs/{row['id']}"),
    parts.Column("kind", "Kind"),
    parts.Column("state", "State", classes=lambda row: parts.badge_classes(row["state"])),
    parts.Column("seconds", "Took", text=figures.duration, numeric=True),
    parts.Column("created", "Started (UTC)", classes=lambda _: "pd-nowrap"),
)


def run_table(runs: Sequence[RunView], names: Mapping[UUID, str]) -> None:
    """Some runs, newest first, each linked to its page; `names` are those of their studies."""
    if not runs:
        parts.empty("No runs yet.")
        return
    rows = [
        {
            "id": str(run.id),
            "study": names.get(run.study, "a study no longer shared"),
            "kind": run.kind,
            "state": run.state,
            "seconds": _seconds(run),
            "created": f"{run.created_at:%Y-%m-%d %H:%M}",
        }
        for run in runs
    ]
    parts.table(rows, _COLUMNS, label="Runs")


def _seconds(run: RunView) -> float | None:
    if run.started_at is None or run.finished_at is None:
        return None
    return (run.finished_at - run.started_at).total_seconds()
