"""Judge a folder of results by its files: do schedule, sums, money and certificate agree with the study?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podium.checking.judge import TOLERANCE_KW, check_equal, check_schedule, net_kw
from podium.checking.limits import Floats
from podium.checking.money import KWH_PER_MWH, MarketPrices, device_cost_eur, energy_profit_eur, level1_cost_eur
from podium.checking.report import CheckReport, Findings
from podium.checking.results_folder import (
    POD_COLUMNS,
    SCHEDULE_COLUMNS,
    STEP_COLUMNS,
    ResultsFolder,
    by_step,
    number_of,
)
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


def check_results(
    portfolio: Portfolio, prices: MarketPrices | None, results_dir: Path, tolerance_kw: float = TOLERANCE_KW
) -> CheckReport:
    """Judge the results of a run on this study by the files in `results_dir`.

    The schedule keeps every rule; devices sum to PODs and PODs to the position; prices, costs, profits and the gap are
    what the study makes of them, within 1e-6 of their size. `prices` is None in a study without a market. Raises
    InputError where a file cannot be read.
    """
    results = ResultsFolder.read(results_dir)
    findings = Findings(portfolio.horizon, portfolio.ids, tolerance_kw)
    ids, values = by_step(findings, results.schedule, "device", SCHEDULE_COLUMNS, "schedule.parquet")
    plan = Schedule(ids, values["power_kw"], values["energy_kwh"], values["aux_kw"], values["spill_kw"])
    nothing = np.zeros_like(plan.power_kw)
    baseline = Schedule(ids, values["baseline_kw"], nothing, nothing, nothing)
    case = Case(portfolio, prices, results, findings, plan, baseline)
    check_size(case)
    check_sums(case)
    check_level1_money(case)
    if prices is not None:
        check_level2_money(case, prices)
    check_certificate(case)
    physics = check_schedule(portfolio, plan, tolerance_kw, case.names(case.without(plan)))
    return CheckReport.joined((physics, findings.report()))


def check_size(case: Case) -> None:
    """The summary is about this study."""
    horizon, summary = case.portfolio.horizon, case.results.summary
    counts = {"pods": len(case.portfolio), "devices": case.portfolio.device_count, "steps": horizon.steps}
    for name, count in (counts | {"step_minutes": horizon.step_minutes}).items():
        case.equal(f"summary.json, {name}", summary.get(name), count, name)
    for name, moment in (("start", horizon.start), ("end", horizon.end)):
        said = pd.to_datetime([str(summary.get(name))], errors="coerce", utc=True)
        late = float((said - pd.Timestamp(moment)).total_seconds()[0])
        case.equal(f"summary.json, {name} of {summary.get(name)}, counted from the study's,", late, 0.0, "s")


def check_sums(case: Case) -> None:
    """Devices sum to their PODs, and PODs to the portfolio, for the plan and for the baseline.

    Where a POD failed, its plan and its baseline are what it declares, if it declares anything.
    """
    pods = _pods(case)
    steps = _steps(case)
    declared = case.portfolio.declared_baseline_kw()
    for name, total, schedule in (
        ("plan_kw", "position_kw", case.plan),
        ("baseline_kw", "baseline_kw", case.baseline),
    ):
        absent = case.without(schedule)
        expected = np.where(absent[:, None], declared, case.net_kw(schedule))
        rows = np.flatnonzero(~(absent & np.isnan(declared).any(axis=1)))
        what = f"pods.parquet, {name}"
        check_equal(case.findings, what, pods[name][rows], "its devices", expected[rows], rows)
        check_equal(case.findings, f"steps.parquet, {total}", steps[total], "the PODs", pods[name].sum(axis=0))


def check_level1_money(case: Case) -> None:
    """Costs of level 1 add up, and are what tariffs and devices make of the baseline.

    Not where a boiler or back-up heater may have run, whose heat the files do not keep for level 1, and not where a POD
    without a tariff meets different prices for buying and selling.
    """
    summary = case.results.summary
    given = case.results.pod_summary["cost_eur"].to_numpy(dtype=float)
    total, scale = float(np.nansum(given)), float(np.nansum(abs(given)))
    case.equal("summary.json, level1.cost_eur", number_of(summary, "level1", "cost_eur"), total, "EUR", scale)
    failed = number_of(summary, "level1", "failed")
    case.equal("summary.json, level1.failed", failed, len(case.results.failed), "PODs")
    price = None if case.prices is None else case.prices.buy / KWH_PER_MWH
    absent = case.without(case.baseline)
    expected = level1_cost_eur(case.portfolio, case.baseline, price, case.names(absent))
    row_of = pd.Index(case.results.pod_summary["pod"].astype(str)).get_indexer(pd.Index(case.portfolio.ids))
    for pod in np.flatnonzero(_priced(case) & ~_heated(case) & ~absent & (row_of >= 0)):
        what = f"pod_summary.parquet, cost_eur of POD {case.portfolio.ids[pod]!r}"
        case.equal(what, given[row_of[pod]], float(expected[pod]), "EUR")


def check_level2_money(case: Case, prices: MarketPrices) -> None:
    """Market money of each step, and the plan's profit: that less the use of the devices."""
    steps = _steps(case)
    for side in ("buy", "sell"):
        name = f"{side}_eur_per_mwh"
        check_equal(
            case.findings,
            f"steps.parquet, {name}",
            steps[name],
            "the study's prices",
            getattr(prices, side),
            unit="EUR/MWh",
        )
    profit = energy_profit_eur(case.portfolio, steps["position_kw"], prices)
    check_equal(
        case.findings,
        "steps.parquet, profit_eur",
        steps["profit_eur"],
        "position and prices",
        profit,
        unit="EUR",
        least_scale=LEAST_EUR,
    )
    use = device_cost_eur(case.portfolio, case.plan, case.names(case.without(case.plan)))
    total, scale = float(profit.sum() - use.sum()), float(abs(profit).sum() + abs(use).sum())
    case.equal(
        "summary.json, level2.profit_eur", number_of(case.results.summary, "level2", "profit_eur"), total, "EUR", scale
    )
    shares = float(case.results.pod_summary["plan_profit_eur"].sum())
    case.equal("pod_summary.parquet, the sum of plan_profit_eur", shares, total, "EUR", scale)


def check_certificate(case: Case) -> None:
    """gap = (bound - profit) / |profit|, the bound not below the profit, and the same in both files."""
    written = case.results.certificate
    profit, bound, gap = (written.get(name) for name in ("profit_eur", "bound_eur", "gap"))
    for name in ("method", "profit_eur", "bound_eur", "gap"):
        said = number_of(case.results.summary, "level2", name)
        if said != written.get(name):
            what = f"summary.json, level2.{name} is {said}, but certificate.json has {written.get(name)}"
            case.findings.note(what, np.nan, "")
    if bound is None and gap is None:
        return
    if not isinstance(profit, int | float) or not isinstance(bound, int | float):
        case.findings.note("certificate.json lacks profit_eur or bound_eur", 1.0, "numbers")
        return
    if gap is not None or np.isfinite(gap_of(bound, profit)):
        case.equal("certificate.json, gap", gap, gap_of(bound, profit), "")
    short = profit - bound
    if short > MONEY_TOLERANCE * max(abs(profit), LEAST_EUR):
        case.findings.note(f"the bound of {bound:.9g} EUR is below the profit of {profit:.9g} EUR", short, "EUR")


def gap_of(bound_eur: float, profit_eur: float) -> float:
    """(bound - profit) / |profit|; where nothing is earned, 0 if the bound is 0 too, else inf."""
    if profit_eur == 0:
        return 0.0 if bound_eur == 0 else np.inf
    return (bound_eur - profit_eur) / abs(profit_eur)


def _pods(case: Case) -> Mapping[str, Floats]:
    """Columns of pods.parquet in the study's order, NaN where a POD is missing. Shapes (pod, step)."""
    ids, values = by_step(case.findings, case.results.pods, "pod", POD_COLUMNS, "pods.parquet")
    for name in sorted(set(ids) - set(case.portfolio.ids)):
        case.findings.note("the study has no such POD, but pods.parquet has", 1.0, "PODs", str(name))
    row_of = pd.Index(ids).get_indexer(pd.Index(case.portfolio.ids))
    for name in case.portfolio.ids[row_of < 0]:
        case.findings.note("pods.parquet lacks this POD", 1.0, "PODs", str(name))
    nothing = np.full((1, case.portfolio.horizon.steps), np.nan)
    return {name: np.concatenate((grid, nothing))[row_of] for name, grid in values.items()}


def _steps(case: Case) -> Mapping[str, Floats]:
    """Columns of steps.parquet. Shapes (step,)."""
    frame = case.results.steps.assign(portfolio="portfolio")
    _, values = by_step(case.findings, frame, "portfolio", STEP_COLUMNS, "steps.parquet")
    nothing = np.full((1, case.portfolio.horizon.steps), np.nan)
    return {name: np.concatenate((grid, nothing))[0] for name, grid in values.items()}


def _priced(case: Case) -> NDArray[np.bool_]:
    """PODs whose prices are known for certain. Shape (pod,)."""
    columns = case.portfolio.columns
    own = [~np.isnan(columns[f"{side}_eur_per_kwh"]) | (columns[f"{side}_profile"] >= 0) for side in ("buy", "sell")]
    one_price = case.prices is None or bool((case.prices.buy == case.prices.sell).all())
    return np.asarray((own[0] & own[1]) | one_price)


def _heated(case: Case) -> NDArray[np.bool_]:
    """PODs with a boiler or a back-up heater. Shape (pod,)."""
    heated = np.zeros(len(case.portfolio), dtype=bool)
    for part in parts(case.portfolio, case.baseline):
        heated[part.limits.pod[part.aux_max_kw > 0]] = True
    return heated
