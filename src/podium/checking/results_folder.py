"""The files of a run, read for the check."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podium.checking.bids import BID_COLUMNS
from podium.checking.limits import Floats
from podium.checking.report import Findings
from podium.errors import InputError, Problem
from podium.horizon import Horizon

SCHEDULE_COLUMNS = ("power_kw", "energy_kwh", "aux_kw", "spill_kw", "baseline_kw")
STEP_COLUMNS = ("position_kw", "baseline_kw", "buy_eur_per_mwh", "sell_eur_per_mwh", "profit_eur")
POD_COLUMNS = ("baseline_kw", "plan_kw")
SHARE_PARTS = ("energy_eur", "reserve_eur", "retail_eur", "device_eur", "limits_eur")
SHARE_COLUMNS = ("pod", *SHARE_PARTS, "contribution_eur")
#: Columns that the check needs of the tables that every run has, and of those that not every run has.
ALWAYS = {
    "steps": ("time", *STEP_COLUMNS),
    "pods": ("pod", "time", *POD_COLUMNS),
    "pod_summary": ("pod", "status", "cost_eur", "plan_profit_eur"),
    "schedule": ("device", "time", *SCHEDULE_COLUMNS),
}
SOMETIMES = {
    "bids": BID_COLUMNS,
    "reserve": ("device", "product", "direction", "time", "backed_kw"),
    "shares": SHARE_COLUMNS,
    "shadow": ("what", "group", "time", "eur_per_kwh"),
}
#: A time stamp this near to the start of a step (in steps) is that start.
SAME_STEP = 1e-6

Table = Callable[[str, Sequence[str]], pd.DataFrame]
"""Columns of a table by its name."""


@dataclass(frozen=True)
class ResultsFolder:
    """The files of a run, as written or as they are going to be."""

    summary: Mapping[str, Any]
    certificate: Mapping[str, Any]
    steps: pd.DataFrame
    pods: pd.DataFrame
    pod_summary: pd.DataFrame
    schedule: pd.DataFrame
    bids: pd.DataFrame | None = None
    """None where there is no such file, as below."""
    reserve: pd.DataFrame | None = None
    shares: pd.DataFrame | None = None
    shadow: pd.DataFrame | None = None

    @classmethod
    def read(cls, folder: Path) -> ResultsFolder:
        """Read the files that the check needs. Raises InputError where one is missing or lacks a column."""
        there = [*ALWAYS, *(name for name in SOMETIMES if (folder / f"{name}.parquet").exists())]
        return cls.of(
            _json(folder / "summary.json"),
            _json(folder / "certificate.json"),
            there,
            lambda name, columns: _table(folder / f"{name}.parquet", *columns),
        )

    @classmethod
    def of(
        cls, summary: Mapping[str, Any], certificate: Mapping[str, Any], there: Collection[str], table: Table
    ) -> ResultsFolder:
        """Files that are `there`, by name; `table` gives columns of one."""
        columns = {name: wanted for name, wanted in (ALWAYS | SOMETIMES).items() if name in there}
        return cls(summary, certificate, **{name: table(name, wanted) for name, wanted in columns.items()})

    @property
    def failed(self) -> frozenset[str]:
        """PODs that keep their declared baseline."""
        summary = self.pod_summary
        return frozenset(summary.loc[summary["status"].astype(str) == "failed", "pod"].astype(str))


def number_of(written: Mapping[str, Any], *path: str) -> Any:
    """An entry of a JSON file, None where it is absent."""
    found: Any = written
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def by_step(
    findings: Findings, frame: pd.DataFrame, key: str, names: Sequence[str], file: str
) -> tuple[NDArray[np.object_], dict[str, Floats]]:
    """Ids, and columns of a long table as arrays (id, step), NaN where a row is absent.

    Every id needs one row for each step of the horizon, and no others.
    """
    horizon = findings.horizon
    codes, ids = pd.factorize(frame[key].astype(object))
    known, step = steps_of(findings, frame["time"], file)
    place = codes[known] * horizon.steps + step[known]
    rows = np.bincount(place, minlength=len(ids) * horizon.steps)
    for wrong, words in ((rows > 1, "more than one row"), (rows == 0, "no row")):
        if wrong.any():
            first, when = divmod(int(np.flatnonzero(wrong)[0]), horizon.steps)
            what = f"{file} has {words} for a step of the study, such as {key} {ids[first]!r} at {horizon.times[when]}"
            findings.note(what, float(wrong.sum()), "rows")
    return np.asarray(ids, dtype=object), {name: _grid(frame[name], known, place, rows.size, horizon) for name in names}


def steps_of(findings: Findings, times: pd.Series[Any], file: str) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Which rows stand at a step of the study, and at which. Shapes (row,)."""
    horizon = findings.horizon
    position = horizon.index_of(pd.DatetimeIndex(times))
    step = np.rint(position).astype(np.int64)
    known = (abs(position - step) < SAME_STEP) & (step >= 0) & (step < horizon.steps)
    if not known.all():
        stray = times.iloc[int(np.flatnonzero(~known)[0])]
        findings.note(
            f"{file} has rows at times that are no steps of the study, such as {stray}", float((~known).sum()), "rows"
        )
    return known, step


def _grid(
    column: pd.Series[Any], known: NDArray[np.bool_], place: NDArray[np.int64], size: int, horizon: Horizon
) -> Floats:
    grid = np.full(size, np.nan)
    grid[place] = column.to_numpy(dtype=float, na_value=np.nan)[known]
    return grid.reshape(-1, horizon.steps)


def _json(path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(Problem(str(path), str(error), "a JSON file as `podium run` writes it")) from None
    if not isinstance(found, dict):
        raise InputError(Problem(str(path), type(found).__name__, "a JSON object"))
    return found


def _table(path: Path, *columns: str) -> pd.DataFrame:
    try:
        found = pd.read_parquet(path, columns=list(columns))
    except (OSError, ValueError) as error:
        expected = f"a Parquet file with the columns {', '.join(columns)}"
        raise InputError(Problem(str(path), str(error), expected)) from None
    return found
