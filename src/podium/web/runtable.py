"""Runs as a short table, on pages that are about something else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from podium.service.views import RunView
from podium.web import figures, parts
from podium.web.runs.words import KINDS, STATES, seconds_of


def run_table(runs: Sequence[RunView], *, of_one_study: bool = False) -> None:
    """Some runs, newest first, each linked to its page; with their studies unless all are `of_one_study`."""
    if not runs:
        parts.empty("No runs yet.")
        return
    parts.table([_row(run) for run in runs], _columns(of_one_study=of_one_study), label="Runs")


def _columns(*, of_one_study: bool) -> list[parts.Column]:
    study = parts.Column("study", "Study", href=_address)
    return [
        *([] if of_one_study else [study]),
        parts.Column("kind", "Kind", href=_address if of_one_study else None),
        parts.Column("state", "State", text=STATES.__getitem__, classes=lambda row: parts.badge_classes(row["state"])),
        parts.Column("seconds", "Took", text=figures.duration, numeric=True),
        parts.Column("created", "Asked for", moment=True),
    ]


def _address(row: Mapping[str, Any]) -> str:
    return f"/runs/{row['id']}"


def _row(run: RunView) -> dict[str, object]:
    return {
        "id": str(run.id),
        "study": run.study_name,
        "kind": KINDS[run.kind],
        "state": run.state,
        "seconds": seconds_of(run),
        "created": run.created_at.isoformat(),
    }
