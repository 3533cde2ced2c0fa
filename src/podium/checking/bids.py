"""Bids as they are filed: offers of reserve by block, and curves of energy by market time unit."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podium.checking.limits import Floats
from podium.checking.offers import KW_PER_MW, Offers, called_kw
from podium.checking.report import Findings
from podium.horizon import Horizon
from podium.market.terms import Market, ReserveProduct

BID_COLUMNS = (
    "market", "direction", "start", "end", "price_eur_per_mwh", "availability_eur_per_mw_h", "quantity_mw",
)  # fmt: skip
ENERGY = "energy"
#: Energy is traded in these steps, MW, and at most this many of them make a curve.
LOT_MW = 0.1
ROWS_MAX = 200
#: Prices closer than this are the same, EUR/MWh, and so are quantities, MW.
SAME_PRICE = 1e-6
SAME_MW = 1e-6
SAME_STEP = 1e-6


@dataclass(frozen=True)
class Curve:
    """What is bid for one market time unit: net withdrawal `quantity_mw` at each price, by rising price."""

    unit: int
    price: Floats
    quantity_mw: Floats


@dataclass(frozen=True)
class Bids:
    """The content of bids.parquet, as far as it can be understood."""

    offers_kw: dict[str, Floats] = field(default_factory=dict)
    """By product and block."""
    curves: tuple[Curve, ...] = ()


def units_of(horizon: Horizon, minutes: int | None) -> NDArray[np.int64]:
    """Market time unit of each step, from 0; the first begins with the horizon. Shape (step,)."""
    passed = np.arange(horizon.steps) * horizon.step_minutes
    return np.asarray(passed // max(minutes or 0, horizon.step_minutes))


def bids_of(findings: Findings, frame: pd.DataFrame, market: Market) -> Bids:
    """Offers and curves, with everything told that is in no place where a bid can be."""
    offers = {product.name: _offers(findings, frame, product) for product in market.reserves}
    names = {ENERGY, *offers}
    for name in sorted(set(frame["market"].astype(str)) - names):
        rows = float((frame["market"].astype(str) == name).sum())
        findings.note(f"bids.parquet has bids for {name!r}, which the study does not know", rows, "rows")
    return Bids(offers, _curves(findings, frame[frame["market"] == ENERGY], market))


def check_curves(
    findings: Findings, curves: tuple[Curve, ...], unit: NDArray[np.int64], position_kw: Floats,
    prices: tuple[Floats, Floats],
) -> None:  # fmt: skip
    """Curves are monotone, in lots, short enough, one per unit, and give the plan at the market's price.

    `position_kw`, and buying and selling `prices` in EUR/MWh, are of shape (step,).
    """
    count = np.bincount(unit)
    mean_mw = np.bincount(unit, position_kw) / count / KW_PER_MW
    middle = np.bincount(unit, (prices[0] + prices[1]) / 2.0) / count
    times = findings.horizon.times[np.unique(unit, return_index=True)[1]]
    missing = np.setdiff1d(np.arange(len(count)), [curve.unit for curve in curves])
    for number in missing:
        findings.note(f"bids.parquet has no energy bid for the market time unit from {times[number]}", 1.0, "bids")
    for curve in curves:
        where = f"the energy bid from {times[curve.unit].isoformat(timespec='minutes')}"
        _check_shape(findings, curve, where)
        _check_position(findings, curve, where, float(mean_mw[curve.unit]), float(middle[curve.unit]))


def check_curve_limits(
    findings: Findings, curves: tuple[Curve, ...], unit: NDArray[np.int64], position_kw: Floats, market: Market,
    offers_kw: Offers,
) -> None:  # fmt: skip
    """No curve goes a lot beyond the portfolio's limits with all offers called, in the mean of its unit.

    Where the plan at `position_kw` (step,) misses a limit, which is told elsewhere, the curve may reach the plan.
    """
    if market.limits is None:
        return
    count, called = np.bincount(unit), called_kw(market, len(unit), offers_kw)
    rows = (called.up_kw - market.limits.injection_max_kw, market.limits.withdrawal_max_kw - called.down_kw)
    times = findings.horizon.times[np.unique(unit, return_index=True)[1]]
    planned, least, most = (np.bincount(unit, row) / count / KW_PER_MW for row in (position_kw, *rows))
    for curve in curves:
        where = f"the energy bid from {times[curve.unit].isoformat(timespec='minutes')}"
        low, high = min(least[curve.unit], planned[curve.unit]), max(most[curve.unit], planned[curve.unit])
        for off, words in (
            (curve.quantity_mw - high, f"more than the {high:.9g} MW that the portfolio's limits leave"),
            (low - curve.quantity_mw, f"less than the {low:.9g} MW that the portfolio's limits leave"),
        ):
            row = int(np.argmax(off))
            if off[row] > LOT_MW + SAME_MW:
                findings.note(f"{where} has {curve.quantity_mw[row]:.9g} MW, {words}", float(off[row]), "MW")


def _check_shape(findings: Findings, curve: Curve, where: str) -> None:
    price, quantity = curve.price, curve.quantity_mw
    if not (np.isfinite(price).all() and np.isfinite(quantity).all()):
        findings.note(f"{where} has a price or quantity that is no finite number", 1.0, "values")
        return
    if len(price) > ROWS_MAX:
        findings.note(f"{where} has {len(price)} rows; at most {ROWS_MAX} are allowed", float(len(price)), "rows")
    step = np.diff(price)
    if (step <= 0).any():
        row = int(np.argmax(step <= 0))
        what = f"{where} has the price {price[row + 1]:.9g} EUR/MWh after {price[row]:.9g}; prices must rise"
        findings.note(what, float(-step[row]), "EUR/MWh")
    rise = np.diff(quantity)
    if (rise > SAME_MW).any():
        row = int(np.argmax(rise))
        what = (
            f"{where} takes {quantity[row + 1]:.9g} MW at {price[row + 1]:.9g} EUR/MWh, more than the "
            f"{quantity[row]:.9g} MW at the lower price of {price[row]:.9g} EUR/MWh"
        )
        findings.note(what, float(rise[row]), "MW")
    off = abs(quantity - LOT_MW * np.round(quantity / LOT_MW))
    if (off > SAME_MW).any():
        row = int(np.argmax(off))
        findings.note(f"{where} has {quantity[row]:.9g} MW, no multiple of {LOT_MW:g} MW", float(off[row]), "MW")


def _check_position(findings: Findings, curve: Curve, where: str, mean_mw: float, price: float) -> None:
    """At the market's price, midway between buying and selling, the curve gives the plan within a lot."""
    low, high = _quantities(curve, price)
    off = max(low - mean_mw, mean_mw - high)
    if off > LOT_MW + SAME_MW:
        given = f"{low:.9g} MW" if high - low < SAME_MW else f"{low:.9g} to {high:.9g} MW"
        findings.note(
            f"{where} gives {given} at the market's {price:.9g} EUR/MWh, but the plan's mean position is "
            f"{mean_mw:.9g} MW",
            off,
            "MW",
        )


def _quantities(curve: Curve, price: float) -> tuple[float, float]:
    """Least and greatest quantity that the curve means at a price: two where it is that of a row, but for rounding.

    A quantity holds up to and including its price; that of the last row beyond it too.
    """
    rows = np.searchsorted(curve.price, [price - SAME_PRICE, price + SAME_PRICE])
    found = curve.quantity_mw[np.minimum(rows, len(curve.price) - 1)]
    return float(found.min()), float(found.max())


def _offers(findings: Findings, frame: pd.DataFrame, product: ReserveProduct) -> Floats:
    """What is offered of a product, kW, by block; 0 where there is no bid. Shape (block,)."""
    offers = np.zeros(product.blocks)
    seen = np.zeros(product.blocks, dtype=bool)
    for row in frame[frame["market"] == product.name].to_dict("records"):
        what = f"the bid for {product.name!r} from {row['start']}"
        block = _block_of(findings, product, row["start"], row["end"])
        if block < 0:
            findings.note(f"{what} to {row['end']} is no block in which the product is sold", 1.0, "bids")
            continue
        if seen[block]:
            findings.note(f"{what} stands there more than once", 1.0, "bids")
        seen[block] = True
        offers[block] += KW_PER_MW * float(row["quantity_mw"])
        if row["direction"] != product.direction:
            findings.note(
                f"{what} has the direction {row['direction']!r}, but should have {product.direction!r}", 1.0, "bids"
            )
        paid, given = float(product.availability_eur_per_mw_h[block]), float(row["availability_eur_per_mw_h"])
        if not abs(given - paid) <= 1e-6 * max(1.0, abs(paid)):
            findings.note(
                f"{what} has an availability price of {given:.9g} EUR/MW/h, but the study's is {paid:.9g}",
                abs(given - paid),
                "EUR/MW/h",
            )
    return offers


def _block_of(findings: Findings, product: ReserveProduct, start: pd.Timestamp, end: pd.Timestamp) -> int:
    """The block that runs from `start` to `end`; -1 where there is none."""
    span = _steps_of(findings.horizon, start, end)
    if span is None:
        return -1
    first, last = span
    block = int(product.block[first])
    mine = np.flatnonzero(product.block == block)
    return block if block >= 0 and (int(mine[0]), int(mine[-1]) + 1) == (first, last) else -1


def _steps_of(horizon: Horizon, start: pd.Timestamp, end: pd.Timestamp) -> tuple[int, int] | None:
    """First step and one past the last between two moments; None where these are no steps of the study."""
    place = horizon.index_of(pd.DatetimeIndex([start, end]))
    first, last = (int(step) for step in np.rint(place))
    whole = bool((abs(place - np.rint(place)) < SAME_STEP).all())
    return (first, last) if whole and 0 <= first < last <= horizon.steps else None


def _curves(findings: Findings, frame: pd.DataFrame, market: Market) -> tuple[Curve, ...]:
    unit = units_of(findings.horizon, market.time_unit_minutes)
    curves = []
    for _, rows in frame.groupby(["start", "end"], sort=True):
        start, end = rows["start"].iloc[0], rows["end"].iloc[0]
        span = _steps_of(findings.horizon, start, end)
        number = -1 if span is None else int(unit[span[0]])
        mine = np.flatnonzero(unit == number)
        if span is None or not mine.size or (int(mine[0]), int(mine[-1]) + 1) != span:
            findings.note(f"the energy bid from {start} to {end} is no market time unit of the study", 1.0, "bids")
            continue
        price, quantity = (rows[name].to_numpy(dtype=float) for name in ("price_eur_per_mwh", "quantity_mw"))
        curves.append(Curve(number, price, quantity))
    return tuple(curves)
