"""What results are judged by: the study, its files, and where findings go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podium.checking.judge import net_kw
from podium.checking.limits import Floats
from podium.checking.money import MarketPrices
from podium.checking.report import Findings
from podium.checking.results_folder import POD_COLUMNS, STEP_COLUMNS, ResultsFolder, by_step
from podium.checking.schedule import Schedule, parts
from podium.portfolio import Portfolio

MONEY_TOLERANCE = 1e-6
#: Sums of money below this, EUR, are not told apart.
LEAST_EUR = 1e-3


@dataclass(frozen=True)
class Case:
    """What the results are judged by: the study, its prices, the files, and where findings go."""

    portfolio: Portfolio
    prices: MarketPrices | None
    results: ResultsFolder
    findings: Findings
    plan: Schedule
    baseline: Schedule
    """Level 1's powers; the files keep no more of it."""

    def without(self, schedule: Schedule) -> NDArray[np.bool_]:
        """PODs that failed and have no device with a power in this schedule. Shape (pod,)."""
        named = set(schedule.device_ids[np.isfinite(schedule.power_kw).any(axis=1)])
        has_power = np.zeros(len(self.portfolio), dtype=bool)
        for table in self.portfolio.devices.values():
            has_power[table.pod[[name in named for name in table.ids]]] = True
        return ~has_power & np.isin(self.portfolio.ids, list(self.results.failed))

    def net_kw(self, schedule: Schedule) -> Floats:
        """Net power of each POD by its devices, NaN where it has no schedule. Shape (pod, step)."""
        return net_kw(self.portfolio, list(parts(self.portfolio, schedule, self.names(self.without(schedule)))))

    def names(self, pods: NDArray[np.bool_]) -> list[str]:
        """Ids of PODs (pod,)."""
        return [str(name) for name in self.portfolio.ids[pods]]

    def equal(self, what: str, value: Any, expected: float, unit: str, scale: float = 0.0) -> None:
        """Record where a single number is not what was expected, within 1e-6 of it or of `scale`."""
        given = np.nan if value is None or isinstance(value, str) else float(value)
        difference = abs(given - expected)
        if not difference <= MONEY_TOLERANCE * max(scale, abs(expected), LEAST_EUR):
            self.findings.note(f"{what} is {value}, but should be {expected:.9g}", difference, unit)

    @cached_property
    def pods(self) -> Mapping[str, Floats]:
        """Columns of pods.parquet in the study's order, NaN where a POD is missing. Shapes (pod, step)."""
        ids, values = by_step(self.findings, self.results.pods, "pod", POD_COLUMNS, "pods.parquet")
        for name in sorted(set(ids) - set(self.portfolio.ids)):
            self.findings.note("the study has no such POD, but pods.parquet has", 1.0, "PODs", str(name))
        row_of = pd.Index(ids).get_indexer(pd.Index(self.portfolio.ids))
        for name in self.portfolio.ids[row_of < 0]:
            self.findings.note("pods.parquet lacks this POD", 1.0, "PODs", str(name))
        nothing = np.full((1, self.portfolio.horizon.steps), np.nan)
        return {name: np.concatenate((grid, nothing))[row_of] for name, grid in values.items()}

    @cached_property
    def steps(self) -> Mapping[str, Floats]:
        """Columns of steps.parquet. Shapes (step,)."""
        frame = self.results.steps.assign(portfolio="portfolio")
        _, values = by_step(self.findings, frame, "portfolio", STEP_COLUMNS, "steps.parquet")
        nothing = np.full((1, self.portfolio.horizon.steps), np.nan)
        return {name: np.concatenate((grid, nothing))[0] for name, grid in values.items()}
