"""What a run has left in its results folder, read back for the report."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from podium.errors import InputError, Problem, listed
from podium.report.clock import LocalClock

STEP_COLUMNS = (
    "time", "position_kw", "baseline_kw", "min_kw", "max_kw", "up_kw", "down_kw", "buy_eur_per_mwh",
    "sell_eur_per_mwh", "production_eur_per_mwh", "profit_eur", "virtus_max_kw", "virtus_min_kw",
    "virtus_sum_max_kw", "virtus_sum_min_kw", "virtus_profit_eur",
)  # fmt: skip
POD_SUMMARY_COLUMNS = (
    "pod", "name", "group", "composition", "solver", "seconds", "min_seconds", "max_seconds", "cost_eur", "bound_eur",
    "plan_profit_eur", "status", "message",
)  # fmt: skip
POD_SERIES = ("baseline_kw", "min_kw", "max_kw", "up_kw", "down_kw", "plan_kw")
DEVICE_SERIES = ("power_kw", "energy_kwh", "aux_kw", "spill_kw", "baseline_kw")


@dataclass(frozen=True)
class Results:
    """A run's results: `steps` has a row per step, `pods` a row per POD; the long tables stay on disk."""

    folder: Path
    summary: dict[str, Any]
    certificate: dict[str, Any]
    steps: pd.DataFrame
    pods: pd.DataFrame

    @cached_property
    def clock(self) -> LocalClock:
        """The study's wall clock."""
        times = pd.DatetimeIndex(self.steps["time"]).tz_convert(self.summary["time_zone"])
        return LocalClock(times, int(self.summary["step_minutes"]))

    @property
    def step_hours(self) -> float:
        """Length of a step, h."""
        return self.clock.step_minutes / 60.0

    @property
    def pod_series_file(self) -> Path:
        """A row per POD and step: net power, kW."""
        return self.folder / "pods.parquet"

    @property
    def device_series_file(self) -> Path:
        """A row per device and step: power, kW, and level of the store, kWh."""
        return self.folder / "schedule.parquet"


def read_results(folder: Path) -> Results:
    """The results in `folder`; raises InputError for a missing file or column."""
    results = Results(
        folder,
        _read_json(folder / "summary.json"),
        _read_json(folder / "certificate.json"),
        _read_table(folder / "steps.parquet", STEP_COLUMNS),
        _read_table(folder / "pod_summary.parquet", POD_SUMMARY_COLUMNS),
    )
    _demand_columns(results.pod_series_file, ("pod", "time", *POD_SERIES))
    _demand_columns(results.device_series_file, ("pod", "device", "kind", "time", *DEVICE_SERIES))
    return results


def _read_json(path: Path) -> dict[str, Any]:
    _demand_file(path)
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def _read_table(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    _demand_columns(path, columns)
    table: pd.DataFrame = pq.read_table(path, columns=list(columns)).to_pandas()
    return table.reset_index(drop=True)


def _demand_file(path: Path) -> None:
    if not path.is_file():
        raise InputError(Problem(str(path), "no such file", "the results of a run (`podium run` writes them)"))


def _demand_columns(path: Path, columns: tuple[str, ...]) -> None:
    _demand_file(path)
    missing = set(columns) - set(pq.read_schema(path).names)
    if missing:
        raise InputError(Problem(str(path), f"no column {listed(missing)}", "a table as this version writes it"))
