"""Runs as a short table, on pages that are about something else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from podium.service.views import RunView
from podium.web import figures, parts
from podium.web.runs.words import KINDS, STATES, seconds_of

_COLUMNS = (
    parts.Column("study", "Study", href=lambda row: f"/runs/{row['id']}"),
    parts.Column("kind", "Kind"),
    parts.Column("state", "State", text=STATES.__getitem__, classes=lambda row: parts.badge_classes(row["state"])),
    parts.Column("seconds", "Took", text=figures.duration, numeric=True),
    parts.Column("created", "Asked for", moment=True),
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
            "kind": KINDS[run.kind],
            "state": run.state,
            "seconds": seconds_of(run),
            "created": run.created_at.isoformat(),
        }
        for run in runs
    ]
    parts.table(rows, _COLUMNS, label="Runs")
