"""Judge a folder of results by its files: do schedule, sums, money and certificate agree with the study?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podium.checking.case import Case
from podium.checking.certificate import check_certificate
from podium.checking.judge import TOLERANCE_KW, check_equal, check_schedule
from podium.checking.market_results import check_market
from podium.checking.money import KWH_PER_MWH, MarketPrices, level1_cost_eur
from podium.checking.report import CheckReport, Findings
from podium.checking.results_folder import SCHEDULE_COLUMNS, ResultsFolder, by_step, number_of
from podium.checking.schedule import Schedule, parts
from podium.checking.worth import check_undelivered
from podium.market.terms import Market
from podium.portfolio import Portfolio


def check_results(
    portfolio: Portfolio,
    prices: MarketPrices | None,
    results_dir: Path,
    tolerance_kw: float = TOLERANCE_KW,
    *,
    market: Market | None = None,
) -> CheckReport:
    """Judge the results of a run on this study by the files in `results_dir`.

    The schedule keeps every rule; devices sum to PODs and PODs to the position; prices, costs, profits and the gap are
    what the study makes of them, within 1e-6 of their size; bids, what backs them, limits of the whole and shares are
    those of `market` (docs/maths/check.md). `prices` is None in a study without a market. Raises InputError where a
    file cannot be read.
    """
    return check_files(portfolio, prices, ResultsFolder.read(results_dir), tolerance_kw, market=market)


def check_files(
    portfolio: Portfolio,
    prices: MarketPrices | None,
    results: ResultsFolder,
    tolerance_kw: float = TOLERANCE_KW,
    *,
    market: Market | None = None,
) -> CheckReport:
    """`check_results` of files that may not have been written yet."""
    findings = Findings(portfolio.horizon, portfolio.ids, tolerance_kw)
    ids, values = by_step(findings, results.schedule, "device", SCHEDULE_COLUMNS, "schedule.parquet")
    plan = Schedule(ids, values["power_kw"], values["energy_kwh"], values["aux_kw"], values["spill_kw"])
    nothing = np.zeros_like(plan.power_kw)
    baseline = Schedule(ids, values["baseline_kw"], nothing, nothing, nothing)
    case = Case(portfolio, prices, results, findings, plan, baseline)
    check_size(case)
    check_sums(case)
    check_undelivered(case)
    check_level1_money(case)
    absent = case.names(case.without(plan))
    sold = check_market(case, market or Market(), absent)
    check_certificate(case)
    physics = check_schedule(portfolio, plan, tolerance_kw, absent)
    return CheckReport.joined((physics, findings.report(), sold))


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
    pods = case.pods
    steps = case.steps
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
