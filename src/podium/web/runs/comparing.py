"""Two runs beside each other: figures with their differences, and rows of both in one chart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from podium.report.files import Results
from podium.web import figures
from podium.web.charts import Figure, Series, TimeAxis, ValueAxis
from podium.web.runs.portfolio_charts import known, row
from podium.web.runs.words import brief


@dataclass(frozen=True)
class Fact:
    """A figure of both runs; None where a run has none."""

    name: str
    first: float | None
    second: float | None
    text: Callable[[float | None], str]
    better: int = 0
    """1 where more is better, -1 where less is, 0 where neither."""

    @property
    def difference(self) -> float | None:
        """Second less first."""
        return None if self.first is None or self.second is None else self.second - self.first

    @property
    def verdict(self) -> int:
        """1 where the second is better, -1 where it is worse, 0 where neither can be said."""
        difference = self.difference
        if difference is None or self.text(difference) == self.text(0.0):
            return 0
        return self.better * (1 if difference > 0 else -1)


def _percent(value: float | None) -> str:
    return figures.percent(value, 3)


#: Name, place in summary.json, how it is shown, and what is better.
_FACTS: tuple[tuple[str, tuple[str, ...], Callable[[Any], str], int], ...] = (
    ("Profit of the plan", ("level2", "profit_eur"), figures.eur, 1),
    ("No plan can earn more than", ("level2", "bound_eur"), figures.eur, 0),
    ("Gap", ("level2", "gap"), _percent, -1),
    ("Energy market", ("level2", "energy_eur"), figures.eur, 1),
    ("Reserve", ("level2", "reserve_eur"), figures.eur, 1),
    ("Retail bills", ("level2", "retail_eur"), figures.eur, -1),
    ("Use of devices", ("level2", "device_eur"), figures.eur, -1),
    ("Peak charge", ("level2", "peak_eur"), figures.eur, -1),
    ("Cost, each POD alone", ("level1", "cost_eur"), figures.eur, -1),
    ("Promise of the reference method", ("virtus", "profit_eur"), figures.eur, 0),
    ("PODs", ("pods",), figures.count, 0),
    ("Devices", ("devices",), figures.count, 0),
    ("PODs that failed", ("level1", "failed"), figures.count, -1),
    ("Violations", ("check", "violations"), figures.count, -1),
    ("Undelivered", ("undelivered_kwh",), figures.energy_kwh, -1),
    ("Rounds", ("level2", "rounds"), figures.count, 0),
    ("Time of level 1", ("level1", "seconds"), brief, -1),
    ("Time of level 2", ("level2", "seconds"), brief, -1),
)


def facts(first: dict[str, Any], second: dict[str, Any]) -> list[Fact]:
    """The figures of two summaries, without those that neither has."""
    found = [Fact(name, _at(first, place), _at(second, place), text, better) for name, place, text, better in _FACTS]
    return [fact for fact in found if fact.first is not None or fact.second is not None]


def _at(summary: dict[str, Any], place: tuple[str, ...]) -> float | None:
    value: Any = summary
    for key in place:
        value = value.get(key) if isinstance(value, dict) else None
    return None if value is None else float(value)


def same_steps(first: Results, second: Results) -> bool:
    """Whether both runs are of the same steps, so that their rows fit one axis."""
    return first.clock.step_minutes == second.clock.step_minutes and first.clock.times.equals(second.clock.times)


_DRAWN = (
    ("Position of the plan", "position_kw", "Net power (+ withdraws)", "kW"),
    ("Baseline", "baseline_kw", "Net power (+ withdraws)", "kW"),
    ("Profit per step on the energy market", "profit_eur", "Profit per step", "EUR"),
    ("Buying price", "buy_eur_per_mwh", "Price", "EUR/MWh"),
)


def overlaid(first: Results, second: Results, names: tuple[str, str]) -> list[Figure]:
    """Rows of both runs and their difference; rows that are the same in both are left out."""
    found = []
    for title, column, axis, unit in _DRAWN:
        a, b = row(first.steps, column), row(second.steps, column)
        if not (known(a) and known(b)) or np.allclose(a, b, equal_nan=True, rtol=0, atol=1e-6):
            continue
        lines = [
            Series(names[0], a, "bound", width=1.8),
            Series(names[1], b, "plan", width=2.0),
            Series("difference, B less A", b - a, "reference", dashed=True, width=1.2),
        ]
        most = float(np.nanmax(np.abs(b - a), initial=0.0))
        words = f"{title} of both runs; they differ by up to {figures.number(most, 2)} {unit}."
        found.append(Figure(title, words, TimeAxis.of(first.clock), ValueAxis(axis, unit), lines))
    return found


def pods_compared(first: Results, second: Results) -> pd.DataFrame:
    """Cost and profit of the PODs that both runs have, and the differences; the greatest ones first."""
    columns = ["pod", "composition", "cost_eur", "plan_profit_eur"]
    both = first.pods[columns].merge(second.pods[columns].drop(columns="composition"), on="pod", suffixes=("_a", "_b"))
    for name in ("cost_eur", "plan_profit_eur"):
        both[f"{name}_difference"] = both[f"{name}_b"].astype(float) - both[f"{name}_a"].astype(float)
    most = both[["plan_profit_eur_difference", "cost_eur_difference"]].abs().max(axis=1)
    return both.loc[most.sort_values(ascending=False, kind="stable").index].reset_index(drop=True)
