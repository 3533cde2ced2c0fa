"""Judge what a run sells: bids, what backs them, limits of the whole, money and shares, by the files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from podium.checking.backing import Backing
from podium.checking.bids import Bids, bids_of, check_curve_limits, check_curves, units_of
from podium.checking.case import LEAST_EUR, Case
from podium.checking.earnings import Earnings, earnings_of
from podium.checking.judge import check_equal
from podium.checking.limits import Floats
from podium.checking.money import device_cost_eur
from podium.checking.offers import KW_PER_MW, check_backed, check_offers, check_portfolio_limits
from podium.checking.report import CheckReport, Findings
from podium.checking.reserve import check_reserve
from podium.checking.results_folder import number_of, steps_of
from podium.checking.shares import check_shares
from podium.checking.worth import check_worth
from podium.market.terms import Market


def check_market(case: Case, market: Market, absent: Sequence[str]) -> CheckReport:
    """All that level 2 says beside its schedule. The reference method sells nothing, so nothing of the kind is asked.

    `absent` names PODs without a schedule.
    """
    method = number_of(case.results.summary, "level2", "method")
    terms = market if method == "exact" else Market()
    if method is None:
        _check_nothing_planned(case)
        return CheckReport.joined(())
    bids = _bids(case, terms)
    backing, reports = _backing(case), []
    if method == "exact":
        _check_files(case, terms)
        reports.append(_sold(case, terms, bids, backing, absent))
    earned = earnings_of(
        case.portfolio,
        case.pods["plan_kw"],
        device_cost_eur(case.portfolio, case.plan, absent),
        terms,
        case.prices,
        bids.offers_kw,
        case.steps["position_kw"],
    )
    _check_steps(case, terms, earned)
    _check_profit(case, terms, earned)
    _check_offers_told(case, terms, bids)
    check_shares(case, terms, bids.offers_kw, backing, earned)
    check_worth(case, earned)
    return CheckReport.joined(reports)


def _check_nothing_planned(case: Case) -> None:
    """Level 1 alone, and a study without a market, have no plan: no file says that anything is sold or earned."""
    tables = [name for name in ("bids", "reserve", "shares") if getattr(case.results, name) is not None]
    for name in tables:
        case.findings.note(f"summary.json names no method of level 2, but there is a {name}.parquet", 1.0, "files")
    earned = {
        "summary.json, level2.profit_eur": number_of(case.results.summary, "level2", "profit_eur"),
        "steps.parquet, profit_eur": _any_number(case.results.steps["profit_eur"]),
        "pod_summary.parquet, plan_profit_eur": _any_number(case.results.pod_summary["plan_profit_eur"]),
    }
    for what, said in earned.items():
        if said is not None:
            case.findings.note(f"{what} has {said}, but summary.json names no method of level 2", np.nan, "EUR")


def _any_number(column: pd.Series[Any]) -> float | None:
    there = column.dropna()
    return None if there.empty else float(there.iloc[0])


def _check_files(case: Case, market: Market) -> None:
    """Files that the terms of the market ask for are there."""
    held = market.headroom_up_kw > 0 or market.headroom_down_kw > 0
    coupled = market.sells or market.settlement != "market"
    traded = case.prices is not None and market.settlement != "retail"
    wanted = {
        "bids": ("sells reserve" if market.reserves else "has an energy market", bool(market.reserves) or traded),
        "reserve": ("sells reserve or keeps headroom", bool(market.reserves) or held),
        "shares": ("couples its PODs", coupled),
        "shadow": ("couples its PODs", coupled),
    }
    for name, (why, needed) in wanted.items():
        if needed and getattr(case.results, name) is None:
            case.findings.note(f"the study {why}, but there is no {name}.parquet", 1.0, "files")


def _bids(case: Case, market: Market) -> Bids:
    """What bids.parquet says; nothing where there is none."""
    frame = case.results.bids
    if frame is None:
        return Bids()
    bids = bids_of(case.findings, frame, market)
    if case.prices is not None and market.settlement != "retail":
        unit, position = (
            units_of(case.portfolio.horizon, market.time_unit_minutes),
            np.asarray(case.steps["position_kw"]),
        )
        check_curves(case.findings, bids.curves, unit, position, (case.prices.buy, case.prices.sell))
        check_curve_limits(case.findings, bids.curves, unit, position, market, bids.offers_kw)
    elif bids.curves:
        case.findings.note("bids.parquet bids for energy, but the study has no energy market", 1.0, "bids")
    return bids


def _backing(case: Case) -> Backing:
    """What reserve.parquet says that devices back; nothing where there is none."""
    steps = case.portfolio.horizon.steps
    frame = case.results.reserve
    if frame is None or frame.empty:
        nothing = np.zeros((0, 0, steps))
        return Backing(np.zeros(0, dtype=object), (), nothing, nothing)
    known, step = steps_of(case.findings, frame["time"], "reserve.parquet")
    device, ids = pd.factorize(frame["device"].astype(object))
    product, names = pd.factorize(frame["product"].astype(object))
    sides = frame["direction"].astype(str).to_numpy()
    _check_rows(case.findings, frame, sides)
    kw = frame["backed_kw"].to_numpy(dtype=float, na_value=np.nan)
    found: dict[str, Floats] = {}
    for side in ("up", "down"):
        rows = known & (sides == side)
        found[side] = np.zeros((len(names), len(ids), steps))
        np.add.at(found[side], (product[rows], device[rows], step[rows]), kw[rows])
    return Backing(np.asarray(ids, dtype=object), tuple(str(name) for name in names), found["up"], found["down"])


def _check_rows(findings: Findings, frame: pd.DataFrame, sides: np.ndarray) -> None:
    """Each row has a side, and each device and product one row per side and step."""
    stray = ~np.isin(sides, ["up", "down"])
    if stray.any():
        what = f"reserve.parquet has the direction {sides[stray][0]!r}; 'up' or 'down' is possible"
        findings.note(what, float(stray.sum()), "rows")
    twice = frame.duplicated(["device", "product", "direction", "time"])
    if twice.any():
        row = frame[twice].iloc[0]
        what = (
            f"reserve.parquet has more than one row, such as {row['device']!r} for {row['product']!r} at {row['time']}"
        )
        findings.note(what, float(twice.sum()), "rows")


def _sold(case: Case, market: Market, bids: Bids, backing: Backing, absent: Sequence[str]) -> CheckReport:
    """Offers by the rules of their products, what backs them, and the limits of the whole."""
    horizon, tolerance = case.portfolio.horizon, case.findings.tolerance
    return CheckReport.joined(
        (
            check_offers(market, horizon, bids.offers_kw, tolerance),
            check_backed(market, horizon, bids.offers_kw, backing, tolerance),
            check_reserve(case.portfolio, case.plan, backing, market, tolerance, absent),
            check_portfolio_limits(
                case.portfolio, market, case.pods["plan_kw"], bids.offers_kw, backing, tolerance
            ),
        )
    )  # fmt: skip


def _check_steps(case: Case, market: Market, earned: Earnings) -> None:
    """Prices of the study, and what the energy market pays: in every step, or for every longer market time unit."""
    if case.prices is None:
        return
    steps, unit = case.steps, units_of(case.portfolio.horizon, market.time_unit_minutes)
    for side in ("buy", "sell"):
        name = f"{side}_eur_per_mwh"
        given, price = steps[name], getattr(case.prices, side)
        check_equal(case.findings, f"steps.parquet, {name}", given, "the study's prices", price, unit="EUR/MWh")
    profit = np.array(steps["profit_eur"])
    profit = np.nan_to_num(profit) if market.settlement == "retail" else profit
    first = np.unique(unit, return_index=True)[1]
    given, expected = np.zeros(len(unit)), np.zeros(len(unit))
    given[first], expected[first] = np.bincount(unit, profit), earned.energy_by_unit_eur
    check_equal(
        case.findings,
        "steps.parquet, profit_eur",
        given,
        "position and prices",
        expected,
        unit="EUR",
        least_scale=LEAST_EUR,
    )


def _check_profit(case: Case, market: Market, earned: Earnings) -> None:
    """The plan's profit, and each part of it that the summary names (all, where money has more of them)."""
    summary, scale = case.results.summary, earned.scale_eur
    profit = number_of(summary, "level2", "profit_eur")
    case.equal("summary.json, level2.profit_eur", profit, earned.profit_eur, "EUR", scale)
    for name, expected in earned.parts.items():
        said = number_of(summary, "level2", name)
        if said is not None or market.reserves or market.settlement != "market" or market.peak_eur_per_kw > 0:
            case.equal(f"summary.json, level2.{name}", said, expected, "EUR", scale)
    shares = float(case.results.pod_summary["plan_profit_eur"].sum())
    case.equal("pod_summary.parquet, the sum of plan_profit_eur", shares, earned.profit_eur, "EUR", scale)


def _check_offers_told(case: Case, market: Market, bids: Bids) -> None:
    """Offers that the summary tells, MW by block, are those that are bid."""
    for product in market.reserves:
        told = number_of(case.results.summary, "level2", "offers_mw", product.name)
        if told is None:
            continue
        bid = (bids.offers_kw.get(product.name, np.zeros(product.blocks)) / KW_PER_MW).tolist()
        if len(told) != len(bid):
            what = f"summary.json, level2.offers_mw of {product.name!r} has {len(told)} blocks, not {len(bid)}"
            case.findings.note(what, abs(len(told) - len(bid)), "blocks")
            continue
        for block, (said, mw) in enumerate(zip(told, bid, strict=True)):
            case.equal(f"summary.json, level2.offers_mw of {product.name!r} in block {block}", said, mw, "MW")
