"""What a portfolio bids: energy as a curve of prices and quantities, reserve as offers (docs/maths/bids.md)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from podium.errors import InputError, Problem
from podium.flex.elastic import Elastic, Ladder
from podium.horizon import Horizon
from podium.market.prices import KWH_PER_MWH
from podium.market.terms import PositionLimits, ReserveProduct

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

KW_PER_MW = 1000.0
#: Bids per MW: quantities are multiples of 0.1 MW.
STEPS_PER_MW = 10.0
#: Most rows of the curve of a unit.
ROWS_MAX = 200
#: Prices at which PODs are asked in each unit.
RUNGS = 41
#: Prices are asked at least this far beyond the expected ones, EUR/MWh.
BEYOND_MIN_EUR_PER_MWH = 20.0


@dataclass(frozen=True)
class EnergyCurve:
    """Net withdrawal by price in each market time unit, as rows by unit and rising price.

    A quantity holds up to and including its price, from above that of the row before it; that of the last row beyond
    it too.
    """

    unit: Ints
    """Market time unit of each row. Shape (row,)."""
    price_eur_per_mwh: Floats
    """Rising within a unit. Shape (row,)."""
    quantity_mw: Floats
    """Multiples of 0.1 MW in load convention, not rising within a unit. Shape (row,)."""

    def rows(self, unit: int) -> tuple[Floats, Floats]:
        """Prices and quantities of a unit."""
        mine = slice(*np.searchsorted(self.unit, [unit, unit + 1]))
        return self.price_eur_per_mwh[mine], self.quantity_mw[mine]

    def at(self, unit: int, price_eur_per_mwh: float) -> float:
        """Quantity of a unit at a price, MW."""
        prices, quantities = self.rows(unit)
        return float(quantities[min(int(np.searchsorted(prices, price_eur_per_mwh)), len(quantities) - 1)])


@dataclass(frozen=True)
class Expected:
    """What a plan expects of the energy market and does there, by market time unit."""

    buy_eur_per_mwh: Floats
    """Paid for net withdrawal. Shape (unit,)."""
    sell_eur_per_mwh: Floats
    """Received for net injection, not above `buy_eur_per_mwh`. Shape (unit,)."""
    coordination_eur_per_mwh: Floats
    """Price that the PODs answer in the plan, mean over the unit. Shape (unit,)."""
    planned_kw: Floats
    """Mean position of the plan. Shape (unit,)."""

    @property
    def auction_eur_per_mwh(self) -> Floats:
        """The auction's own price, without fees: the middle. Shape (unit,)."""
        return np.asarray((self.buy_eur_per_mwh + self.sell_eur_per_mwh) / 2)

    @property
    def fee_eur_per_mwh(self) -> Floats:
        """What buying costs beyond the auction's price, and selling yields below it. Shape (unit,)."""
        return np.asarray((self.buy_eur_per_mwh - self.sell_eur_per_mwh) / 2)

    @property
    def met_beyond_eur_per_mwh(self) -> Floats:
        """What the next kWh costs the position on the market, beyond the auction's price. Shape (unit,)."""
        fee = self.fee_eur_per_mwh
        between = np.clip(self.coordination_eur_per_mwh - self.auction_eur_per_mwh, -fee, fee)
        return np.where(self.planned_kw > 0, fee, np.where(self.planned_kw < 0, -fee, between))


def price_ladder(unit: Ints, auction_eur_per_mwh: Floats, rungs: int = RUNGS) -> Ladder:
    """Prices to ask at in each unit, dense near the expected one: their distances grow with the square of the rung.

    They reach as far below the cheapest and above the dearest expected price as these lie apart. `unit` is the market
    time unit of each step; `auction_eur_per_mwh` has shape (unit,). Raises InputError for less than 3 rungs or an even
    number, which would not hold the expected price between equals.
    """
    if rungs < 3 or rungs % 2 == 0:
        raise InputError(Problem("price ladder", f"{rungs} rungs", "an odd number of at least 3"))
    least, most = float(auction_eur_per_mwh.min()), float(auction_eur_per_mwh.max())
    beyond = max(most - least, BEYOND_MIN_EUR_PER_MWH)
    share = np.linspace(0.0, 1.0, rungs // 2 + 1)[1:] ** 2
    below = (auction_eur_per_mwh - least + beyond)[:, None] * share[::-1]
    above = (most + beyond - auction_eur_per_mwh)[:, None] * share
    change = np.hstack((-below, np.zeros((len(auction_eur_per_mwh), 1)), above))
    return Ladder(unit, change / KWH_PER_MWH)


def mean_limits(limits: PositionLimits | None, ladder: Ladder, offers_kw: Floats) -> tuple[Floats, Floats]:
    """Least and greatest mean net power of each unit, kW, that leave all offers their room. Shapes (unit,).

    `offers_kw` are all offers and the headroom, up and down, in each step. Shape (2, step).
    """
    kept = PositionLimits.free(offers_kw.shape[1]) if limits is None else limits
    return ladder.mean(offers_kw[0] - kept.injection_max_kw), ladder.mean(kept.withdrawal_max_kw - offers_kw[1])


def joint_net_kw(parts: Sequence[Elastic], areas: Sequence[PositionLimits | None], ladder: Ladder) -> Floats:
    """Net power of all parts of a portfolio at the rungs, each area within its own limits. Shape (unit, rung)."""
    net = np.sum([part.net_kw for part in parts], axis=0)
    nothing = np.zeros((2, len(ladder.unit)))
    for area, limits in enumerate(areas):
        least, most = mean_limits(limits, ladder, nothing)
        net[area] = np.clip(net[area], least[:, None], most[:, None])
    return np.asarray(net.sum(axis=0))


def energy_curve(
    net_kw: Floats, ladder: Ladder, expected: Expected, least_kw: ArrayLike = -np.inf, most_kw: ArrayLike = np.inf
) -> EnergyCurve:
    """The bids for net power `net_kw` at the rungs, shape (unit, rung), within limits of shape (unit,).

    At the auction price that the plan expects the curve gives its position, rounded to 0.1 MW (within the limits).
    Where the plan itself could not keep a limit, the curve reaches as far as the plan.
    """
    units, planned, per_kw = len(net_kw), expected.planned_kw, STEPS_PER_MW / KW_PER_MW
    least, most = np.asarray(least_kw, dtype=float), np.asarray(most_kw, dtype=float)
    lots = np.round(per_kw * planned) / per_kw
    least = np.where(planned < least, np.minimum(least, lots), least)
    most = np.where(planned > most, np.maximum(most, lots), most)
    unit, prices, quantities = [], [], []
    for u in range(units):
        change = KWH_PER_MWH * ladder.change_eur_per_kwh[u]
        tenths = _tenths(net_kw[u], change, expected.planned_kw[u], least[u], most[u])
        beyond, fee = float(expected.met_beyond_eur_per_mwh[u]), float(expected.fee_eur_per_mwh[u])
        auction = float(expected.auction_eur_per_mwh[u])
        change, tenths = _with_fee(*_ends_of_runs(change, tenths), beyond, fee)
        price, tenths = thinned(auction + change, tenths, auction)
        unit.append(np.full(len(price), u))
        prices.append(price)
        quantities.append(tenths / STEPS_PER_MW)
    return EnergyCurve(np.concatenate(unit), np.concatenate(prices), np.concatenate(quantities))


def _tenths(net_kw: Floats, change: Floats, planned_kw: float, least_kw: float, most_kw: float) -> Floats:
    """Quantities in steps of 0.1 MW, not rising: at no change the planned one, before it no less, behind it no more."""
    around = np.where(change < 0, np.maximum(net_kw, planned_kw), np.minimum(net_kw, planned_kw))
    wanted = np.minimum.accumulate(np.where(change == 0, planned_kw, around))
    per_kw = STEPS_PER_MW / KW_PER_MW
    low, high = np.ceil(per_kw * least_kw - 1e-9), np.floor(per_kw * most_kw + 1e-9)
    return np.asarray(np.minimum(np.maximum(np.round(per_kw * wanted), low), high) + 0.0)


def _ends_of_runs(price: Floats, tenths: Floats) -> tuple[Floats, Floats]:
    """The last rung of each quantity: it holds up to there."""
    last = np.append(tenths[1:] != tenths[:-1], True)
    return price[last], tenths[last]


def _with_fee(change: Floats, tenths: Floats, beyond: float, fee: float) -> tuple[Floats, Floats]:
    """Changes of the auction's price from those of what the position meets, now `beyond` it.

    Whoever buys pays the fee, who sells loses it; between the two nobody trades.
    """
    moved = change + (beyond - fee * np.where(tenths > 0, 1.0, -1.0))
    turn = int(np.searchsorted(-tenths, 0.0))
    if fee > 0 and 0 < turn < len(tenths) and tenths[turn] < 0:
        idle = change[turn - 1] + (beyond + fee)
        moved, tenths = np.insert(moved, turn, idle), np.insert(tenths, turn, 0.0)
    return moved, tenths


def thinned(price: Floats, quantity: Floats, expected: float, rows_max: int = ROWS_MAX) -> tuple[Floats, Floats]:
    """At most `rows_max` rows: those go first whose quantity changes least over the least range of prices.

    Where a row goes, the next one's quantity, which is not greater, holds instead. The first and last row and the one
    that holds at the price `expected` stay.
    """
    kept = min(int(np.searchsorted(price, expected)), len(price) - 1)
    while len(price) > rows_max:
        loss = (quantity[1:-1] - quantity[2:]) * np.diff(price[:-1])
        if 0 < kept < len(price) - 1:
            loss[kept - 1] = np.inf
        gone = int(np.argmin(loss)) + 1
        price, quantity = np.delete(price, gone), np.delete(quantity, gone)
        kept -= gone < kept
    return price, quantity


def bid_rows(
    horizon: Horizon,
    unit: Ints,
    curve: EnergyCurve | None,
    products: Sequence[ReserveProduct] = (),
    offers_mw: Sequence[Floats] = (),
) -> pd.DataFrame:
    """All bids, in the columns of bids.parquet (docs/results.md): the curve's rows, then each product's blocks.

    `unit` is the market time unit of each step. `offers_mw` has the offers of each product, shape (block,).
    """
    tables = [] if curve is None else [_energy_rows(horizon, unit, curve)]
    tables += [_offer_rows(horizon, product, mw) for product, mw in zip(products, offers_mw, strict=True)]
    if not tables:
        tables = [_rows(horizon, np.zeros((2, 0), dtype=np.int64), "", "", np.zeros(0), np.zeros(0), np.zeros(0))]
    return pd.concat(tables, ignore_index=True)


def _energy_rows(horizon: Horizon, unit: Ints, curve: EnergyCurve) -> pd.DataFrame:
    spans = _spans(unit, int(unit.max()) + 1)[:, curve.unit]
    none = np.full(len(curve.unit), np.nan)
    return _rows(horizon, spans, "energy", "net", curve.price_eur_per_mwh, none, curve.quantity_mw)


def _offer_rows(horizon: Horizon, product: ReserveProduct, mw: Floats) -> pd.DataFrame:
    none = np.full(product.blocks, np.nan)
    spans = _spans(product.block, product.blocks)
    return _rows(horizon, spans, product.name, product.direction, none, product.availability_eur_per_mw_h, mw)


def _spans(number: Ints, count: int) -> Ints:
    """First step, and the one after the last, of each number from 0. Shape (2, count)."""
    steps = np.arange(len(number))
    first, end = np.full(count, len(number)), np.zeros(count, dtype=np.int64)
    named = number >= 0
    np.minimum.at(first, number[named], steps[named])
    np.maximum.at(end, number[named], steps[named] + 1)
    return np.stack((first, end))


def _rows(
    horizon: Horizon, spans: Ints, market: str, direction: str, price: Floats, availability: Floats, mw: Floats
) -> pd.DataFrame:
    length = pd.Timedelta(minutes=horizon.step_minutes)
    return pd.DataFrame(
        {
            "market": [market] * len(mw),
            "direction": [direction] * len(mw),
            "start": horizon.times[spans[0]],
            "end": horizon.times[spans[1] - 1] + length,
            "price_eur_per_mwh": price,
            "availability_eur_per_mw_h": availability,
            "quantity_mw": mw,
        }
    )
