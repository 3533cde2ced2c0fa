"""Bids of random curves: what every auction relies on."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from podium.market.bids import ROWS_MAX, Expected, energy_curve, price_ladder

UNITS = 3


@given(st.integers(0, 10_000))
@settings(max_examples=150)
def test_bids_are_what_an_auction_takes(seed: int) -> None:
    """Multiples of 0.1 MW that do not rise with the price, 200 rows at most, the plan at the expected price.

    At every rung, moved by the fee, the curve gives the answer of the PODs to 0.05 MW, where it is on the plan's side
    and rows were not thinned; nowhere more or less than the limits, or than a plan that could not keep them.
    """
    random = np.random.default_rng(seed)
    fee = float(random.choice([0.0, 2.5]))
    auction = random.uniform(-40.0, 120.0, UNITS)
    planned = np.round(random.normal(0.0, 1500.0, UNITS), 1) * random.choice([0, 1, 1], UNITS)
    dual = auction + fee * random.uniform(-1, 1, UNITS)
    expected = Expected(auction + fee, auction - fee, dual, planned)
    ladder = price_ladder(np.arange(UNITS), auction, int(random.choice([3, 41, 501])))
    middle = ladder.rungs // 2
    around = random.exponential(60.0, (UNITS, ladder.rungs)) * random.choice([0, 0, 1], (UNITS, ladder.rungs))
    net = planned[:, None] - np.cumsum(around, axis=1) + np.cumsum(around, axis=1)[:, [middle]]
    limit = float(random.choice([np.inf, 2000.0]))
    curve = energy_curve(net, ladder, expected, -limit, limit)
    for unit in range(UNITS):
        price, mw = curve.rows(unit)
        assert 1 <= len(price) <= ROWS_MAX
        assert np.array_equal(mw, np.round(mw * 10) / 10)
        assert (np.diff(price) > 0).all()
        assert (np.diff(mw) <= 0).all()
        beyond = 100 * np.round(planned[unit] / 100) if abs(planned[unit]) > limit else 0.0
        low, high = min(-limit, beyond), max(limit, beyond)
        assert (mw * 1000 >= low - 1e-6).all()
        assert (mw * 1000 <= high + 1e-6).all()
        assert abs(curve.at(unit, auction[unit]) - planned[unit] / 1000) <= 0.05 + 1e-9
        if len(price) == ROWS_MAX:
            continue
        for rung in range(ladder.rungs):
            wanted = float(np.clip(net[unit, rung], low, high)) / 1000
            met = auction[unit] + expected.met_beyond_eur_per_mwh[unit] + 1000 * ladder.change_eur_per_kwh[unit, rung]
            asked = met - fee * np.sign(np.round(10 * wanted))
            assert abs(curve.at(unit, asked - 1e-9) - wanted) <= 0.05 + 1e-9
