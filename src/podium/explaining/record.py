"""What the files of a run say of one POD at one step."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from podium.errors import InputError, Problem
from podium.flex.respond import Signal
from podium.flexstore import Floats
from podium.horizon import Horizon
from podium.market.coupling import Product, products_of
from podium.study import Study
from podium.study.wording import one_of

#: Of the sides of an offer.
DIRECTIONS = ("up", "down")


@dataclass(frozen=True)
class Record:
    """One POD's part of the results."""

    study: Study
    row: int
    """Of the POD in the portfolio."""
    pod: str
    group: str
    """The group of the POD where that has limits of its own, "" otherwise."""
    step: int
    kinds: dict[str, str]
    """Kind of each device."""
    power_kw: dict[str, Floats]
    """Set points of each device. Shape (step,)."""
    energy_kwh: dict[str, Floats]
    """Levels at the end of each step, NaN without a store. Shape (step,)."""
    signal: Signal | None
    """Prices that the POD answered, with one area; None where each POD met its tariff alone."""
    backing: pd.DataFrame
    """Rows of reserve.parquet of this POD and step."""
    limits: pd.DataFrame
    """Rows of limits.parquet that bind at this step."""

    @property
    def products(self) -> tuple[Product, ...]:
        """What is sold, and headroom, in the order of the signal."""
        return products_of(self.study.market, self.study.prices, self.study.horizon)


def read_record(study: Study, folder: Path, pod: str, at: str | datetime) -> Record:
    """Read one POD's part of the results at the step that holds `at`.

    Raises InputError for an unknown POD, a time outside the horizon or without an offset, missing results, and a POD
    without a schedule.
    """
    row = _row_of(study, pod)
    step = step_of(study.horizon, at)
    if not folder.is_dir():
        raise InputError(Problem(str(folder), "no such folder", "the results of a run (`podium run` writes them)"))
    table = _table(folder / "schedule.parquet", [("pod", "==", pod)])
    parts = {str(name): part for name, part in table.groupby("device", observed=True, sort=False)}
    power = {name: part["power_kw"].to_numpy(dtype=float, na_value=np.nan) for name, part in parts.items()}
    _ensure_planned(study, folder, pod, power)
    group = _group_of(study, row)
    moment = study.horizon.times[step]
    return Record(
        study, row, pod, group, step,
        {name: str(part["kind"].iloc[0]) for name, part in parts.items()},
        power,
        {name: part["energy_kwh"].to_numpy(dtype=float, na_value=np.nan) for name, part in parts.items()},
        _signal(study, folder, group),
        _rows_at(folder / "reserve.parquet", moment, [("pod", "==", pod)]),
        _rows_at(folder / "limits.parquet", moment, [("group", "in", ["", group])]),
    )  # fmt: skip


def step_of(horizon: Horizon, at: str | datetime) -> int:
    """The step that holds a moment; raises InputError where it has no offset or lies outside the horizon."""
    span = f"a time from {horizon.start.isoformat()} to before {horizon.end.isoformat()}"
    try:
        moment = pd.Timestamp(at)
    except ValueError:
        raise InputError(Problem("time", repr(at), span)) from None
    if moment.tzinfo is None:
        offset = f"an offset such as {horizon.start.isoformat()[-6:]} behind it"
        raise InputError(Problem("time", f"{str(at)!r} has no offset from UTC", offset))
    step = int(np.floor(horizon.index_of(pd.DatetimeIndex([moment]))[0]))
    if not 0 <= step < horizon.steps:
        raise InputError(Problem("time", f"{str(at)!r} lies outside the horizon", span))
    return step


def _row_of(study: Study, pod: str) -> int:
    names = study.portfolio.ids.astype(str)
    found = np.flatnonzero(names == pod)
    if not len(found):
        raise InputError(Problem("POD", repr(pod), one_of(pod, names.tolist())))
    return int(found[0])


def _group_of(study: Study, row: int) -> str:
    name = str(study.portfolio.columns["group"][row])
    return name if any(group.name == name and group.limits.binding for group in study.market.groups) else ""


def _ensure_planned(study: Study, folder: Path, pod: str, power: dict[str, Floats]) -> None:
    steps = study.horizon.steps
    if any(len(row) != steps for row in power.values()):
        value = f"other steps than the {steps} of the study"
        raise InputError(Problem(str(folder / "schedule.parquet"), value, "results of this study (run it again)"))
    if any(np.isnan(row).any() for row in power.values()):
        told = _table(folder / "pod_summary.parquet", [("pod", "==", pod)])["message"]
        reason = str(told.iloc[0]) if len(told) else "it failed"
        raise InputError(Problem(f"POD {pod!r}", f"has no schedule: {reason}", "a POD that did not fail"))


def _table(path: Path, filters: list[tuple[str, str, Any]]) -> pd.DataFrame:
    if not path.is_file():
        raise InputError(Problem(str(path), "no such file", "the results of a run (`podium run` writes them)"))
    table: pd.DataFrame = pq.read_table(path, filters=filters).to_pandas()
    return table


def _rows_at(path: Path, moment: pd.Timestamp, filters: list[tuple[str, str, Any]]) -> pd.DataFrame:
    """Rows of one step; none where the run wrote no such table."""
    if not path.is_file():
        return pd.DataFrame()
    table = _table(path, filters)
    return table[table["time"] == moment].reset_index(drop=True)


def _signal(study: Study, folder: Path, group: str) -> Signal | None:
    """Prices of energy and backing for a group, from shadow.parquet."""
    path = folder / "shadow.parquet"
    if not path.is_file():
        return None
    table = _table(path, [("group", "==", group)])
    rows = {str(name): part["eur_per_kwh"].to_numpy(dtype=float) for name, part in table.groupby("what", sort=False)}
    nothing = np.zeros(study.horizon.steps)
    products = products_of(study.market, study.prices, study.horizon)
    reserve = np.zeros((1, len(products), 2, study.horizon.steps))
    for k, product in enumerate(products):
        for side, direction in enumerate(DIRECTIONS):
            if product.sides[side]:
                reserve[0, k, side] = study.horizon.step_hours * rows.get(f"{product.name} {direction}", nothing)
    return Signal(rows.get("energy", nothing)[None, :], reserve)
