"""The table of a run's PODs."""

from __future__ import annotations

from urllib.parse import quote
from uuid import UUID

import pandas as pd

from podium.report.files import Results
from podium.report.text import kind_text
from podium.web import figures, parts
from podium.web.paged import Paged
from podium.web.runs.words import brief

_LOOKS = {"ok": "pd-badge pd-good", "time limit": "pd-badge pd-warn", "failed": "pd-badge pd-bad"}


def pod_address(run: UUID, pod: str) -> str:
    """The page of a POD of a run."""
    return f"/runs/{run}/pods/{quote(pod, safe='')}"


def pod_rows(results: Results, *, planned: bool) -> pd.DataFrame:
    """The PODs of a run as the table shows them."""
    rows = results.pods.copy()
    pod, name, message = (rows[column].fillna("").astype(str) for column in ("pod", "name", "message"))
    known = {text: composition_text(str(text)) for text in rows["composition"].unique()}
    rows["composition"] = rows["composition"].map(known)
    rows["result"] = message.where(message != "", rows["status"])
    rows["label"] = pod.where((name == "") | (name == pod), pod + " · " + name)
    return rows if planned else rows.drop(columns="plan_profit_eur")


def composition_text(text: str) -> str:
    """What stands behind a POD, as people write it.

    >>> composition_text("1 pv, 2 ev_charger")
    '1 PV, 2 EV charger'
    """
    parts_of = (part.partition(" ") for part in text.split(", ") if part)
    return ", ".join(f"{count} {kind_text(kind)}" for count, _, kind in parts_of)


def pod_table(run: UUID, results: Results, *, planned: bool, page_size: int = 25) -> Paged:
    """Composition, times, cost and result of each POD, searched, sorted and in pages."""
    columns = [
        parts.Column("label", "POD", href=lambda row: pod_address(run, str(row["pod"]))),
        parts.Column("composition", "Composition"),
        parts.Column("min_seconds", "Minimisation", text=brief, numeric=True),
        parts.Column("max_seconds", "Maximisation", text=brief, numeric=True),
        parts.Column("seconds", "Least cost", text=brief, numeric=True),
        parts.Column("cost_eur", "Cost", text=figures.eur, numeric=True),
        parts.Column("solver", "Solver"),
        parts.Column("result", "Result", classes=lambda row: _LOOKS.get(str(row["result"]), "pd-bad-text")),
    ]
    if planned:
        columns.insert(6, parts.Column("plan_profit_eur", "Profit in the plan", text=figures.eur, numeric=True))
    if (results.pods["group"] != "").any():
        columns.insert(1, parts.Column("group", "Group"))
    searched = ("pod", "name", "group", "composition", "solver", "result")
    rows = pod_rows(results, planned=planned)
    return Paged(rows, columns, label="PODs", searched=searched, choices="status", page_size=page_size)
