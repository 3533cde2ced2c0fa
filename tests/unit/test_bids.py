"""Bids by hand: the curve of one battery, fees, limits, rounding, rows, and the clock on days of 23 and 25 hours."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from one_pod import half_hours, portfolio_of
from podium.devices import Battery
from podium.errors import InputError
from podium.flex.elastic import Bidders, Elastic, Ladder, elastic
from podium.flex.respond import Signal
from podium.horizon import Horizon
from podium.market.bids import (
    EnergyCurve,
    Expected,
    bid_rows,
    energy_curve,
    joint_net_kw,
    mean_limits,
    price_ladder,
    thinned,
)
from podium.market.terms import PositionLimits, ReserveProduct

Floats = NDArray[np.float64]

BATTERY = Battery(
    device="battery",
    charge_max_kw=4000.0,
    discharge_max_kw=4000.0,
    energy_max_kwh=2000.0,
    energy_initial_kwh=1000.0,
    charge_efficiency=0.9,
    discharge_efficiency=0.8,
    energy_end_min_kwh=0.0,
)
UNIT = np.array([0, 1])


def expected(
    auction: list[float], planned_kw: list[float], fee: float = 0.0, coordination: list[float] | None = None
) -> Expected:
    price = np.array(auction)
    met = price if coordination is None else np.array(coordination)
    return Expected(price + fee, price - fee, met, np.array(planned_kw))


def of_battery(ladder: Ladder, price: list[float], absent: bool = False) -> Elastic:
    portfolio = portfolio_of([BATTERY], half_hours(2), buy_eur_per_kwh=0.0, sell_eur_per_kwh=0.0)
    store, meter = portfolio.store(), portfolio.meter()
    bidders = Bidders.of(store, meter, 0.5, np.zeros(1, dtype=np.int64), np.array([not absent]))
    return elastic(bidders, Signal(np.array([price]), np.zeros((1, 0, 2, 2))), ladder, np.array([[100.0, 200.0]]))


def test_a_battery_between_two_half_hours() -> None:
    """Expected 0.10 and 0.20 EUR/kWh; 1 of 2 MWh in store; 4 MW, 0.9 in and 0.8 out.

    First half-hour: a kWh in store earns 0.8 x 0.20 = 0.16 later. It is filled (1 MWh / 0.9 in half an hour: 2.222 MW)
    while 1 / 0.9 kWh cost less, up to 0.144, and emptied (1.6 MW) where 0.8 kWh earn more, above 0.20.
    Second half-hour: above 0.10 / 0.9 / 0.8 = 0.1389 all 2 MWh are sold (3.2 MW); above 0.10 the first one (1.6 MW),
    which below 0.10 was better sold before; below 0 the store is filled with all its power (4 MW).
    """
    asked = np.array([[0.05, 0.10, 0.143, 0.145, 0.199, 0.201], [-0.01, 0.001, 0.099, 0.101, 0.138, 0.14]])
    ladder = Ladder(UNIT, asked - [[0.10], [0.20]])
    found = of_battery(ladder, [0.10, 0.20])
    assert not len(found.held)
    full, out = 1000 / 0.9 / 0.5, -1000 * 0.8 / 0.5
    np.testing.assert_allclose(found.net_kw[0, 0], [full, full, full, 0.0, 0.0, out], atol=1e-9)
    np.testing.assert_allclose(found.net_kw[0, 1], [4000.0, 0.0, 0.0, out, out, 2 * out], atol=1e-9)


def test_its_bids_are_steps_of_a_tenth_of_a_megawatt() -> None:
    """The ladder's rungs lie at the ends of the steps; quantities 2.2, 0, -1.6 MW; 4, 0, -1.6, -3.2 MW."""
    ladder = price_ladder(UNIT, np.array([100.0, 200.0]))
    found = of_battery(ladder, [0.10, 0.20])
    curve = energy_curve(found.net_kw[0], ladder, expected([100.0, 200.0], [1000 / 0.45, -3200.0]))
    assert curve.rows(0)[1].tolist() == [2.2, 0.0, -1.6]
    assert curve.rows(1)[1].tolist() == [0.0, -1.6, -3.2]
    step = np.diff(ladder.change_eur_per_kwh, axis=1).max() * 1000
    np.testing.assert_allclose(curve.rows(0)[0][:2], [144.0, 200.0], atol=step)
    np.testing.assert_allclose(curve.rows(1)[0][:2], [100.0, 0.1 / 0.72 * 1000], atol=step)
    assert (curve.at(0, 100.0), curve.at(1, 200.0)) == (2.2, -3.2)
    assert (curve.at(0, -1e4), curve.at(0, 1e4)) == (2.2, -1.6)


def test_who_does_not_answer_holds_its_plan() -> None:
    found = of_battery(price_ladder(UNIT, np.array([100.0, 200.0]), 5), [0.10, 0.20], absent=True)
    assert found.held.tolist() == [0]
    np.testing.assert_allclose(found.net_kw[0], [[100.0] * 5, [200.0] * 5])


NET = np.array([[500.0, 300.0, 120.0, -260.0, -400.0]])
LADDER = Ladder(np.zeros(2, dtype=np.int64), np.array([[-0.04, -0.01, 0.0, 0.02, 0.05]]))


def test_a_fee_leaves_a_range_without_trade() -> None:
    """Auction at 100, fee 3 each way. The position buys: what it meets is 103, and the rungs 63, 93, 103, 123, 153.

    Buying stops 3 below the rung's price, selling begins 3 above; between 100 and 106 nobody trades.
    """
    curve = energy_curve(NET, LADDER, expected([100.0], [120.0], 3.0, [103.0]))
    np.testing.assert_allclose(curve.price_eur_per_mwh, [60.0, 90.0, 100.0, 106.0, 126.0, 156.0])
    assert curve.quantity_mw.tolist() == [0.5, 0.3, 0.1, 0.0, -0.3, -0.4]
    assert curve.at(0, 100.0) == 0.1


def test_a_position_that_sells_meets_the_selling_price() -> None:
    """It meets 97: rungs at 57, 87, 97, 117, 147. No price between makes it idle, so 0 is put between 84 and 90."""
    net = np.array([[500.0, 300.0, -260.0, -260.0, -400.0]])
    curve = energy_curve(net, LADDER, expected([100.0], [-260.0], 3.0, [97.0]))
    np.testing.assert_allclose(curve.price_eur_per_mwh, [54.0, 84.0, 90.0, 120.0, 150.0])
    assert curve.quantity_mw.tolist() == [0.5, 0.3, 0.0, -0.3, -0.4]


@pytest.mark.parametrize("fee", [0.0, 3.0])
@pytest.mark.parametrize("planned_kw", [700.0, 349.0, 120.0, 20.0, 0.0, -30.0, -149.0, -410.0])
def test_the_plan_is_bid_at_the_price_it_expects(planned_kw: float, fee: float) -> None:
    """Whatever the rungs say: a plan between equally good answers is one of them. The rest makes way for it."""
    met = 100.0 + (fee if planned_kw > 0 else -fee if planned_kw < 0 else fee / 3)
    curve = energy_curve(NET, LADDER, expected([100.0], [planned_kw], fee, [met]))
    assert curve.at(0, 100.0) == round(planned_kw / 100) / 10
    assert (np.diff(curve.quantity_mw) < 0).all()
    assert (np.diff(curve.price_eur_per_mwh) > 0).all()


def test_quantities_keep_the_limits_with_all_offers_called() -> None:
    """Two steps: withdrawal at most 400 and 420 kW less 60 of offers down: 350 on average, so 0.3 MW.

    Injection at most 300 less 50 of offers up: 0.2 MW.
    """
    limits = PositionLimits(np.array([400.0, 420.0]), np.array([300.0, 300.0]))
    least, most = mean_limits(limits, LADDER, np.array([[50.0, 50.0], [60.0, 60.0]]))
    assert (least.tolist(), most.tolist()) == ([-250.0], [350.0])
    curve = energy_curve(NET, LADDER, expected([100.0], [120.0]), least, most)
    assert curve.quantity_mw.tolist() == [0.3, 0.1, -0.2]
    assert mean_limits(None, LADDER, np.zeros((2, 2)))[1].tolist() == [np.inf]


def test_the_curve_reaches_a_plan_that_misses_its_limits() -> None:
    """A plan at 520 kW, of at most 350 and at least -250: 0.5 MW at its price; the other side keeps its limit."""
    curve = energy_curve(NET, LADDER, expected([100.0], [520.0]), -250.0, 350.0)
    assert curve.at(0, 100.0) == 0.5
    assert curve.quantity_mw.min() == -0.2
    below = energy_curve(NET, LADDER, expected([100.0], [-420.0]), -250.0, 350.0)
    assert below.at(0, 100.0) == -0.4
    assert below.quantity_mw.max() == 0.3


def test_an_area_s_limits_hold_before_areas_are_summed() -> None:
    """Two parts of two areas; the second may take 30 kW together: 20 + 25 become 30, and 5 - 50 stay."""
    ladder = Ladder(np.zeros(2, dtype=np.int64), np.array([[-0.01, 0.0]]))
    first = Elastic(np.array([[[10.0, 5.0]], [[20.0, 5.0]]]), np.zeros(0, dtype=np.int64))
    second = Elastic(np.array([[[1.0, 0.0]], [[25.0, -50.0]]]), np.zeros(0, dtype=np.int64))
    narrow = PositionLimits(np.array([30.0, 30.0]), np.array([np.inf, np.inf]))
    assert joint_net_kw([first, second], [None, narrow], ladder).tolist() == [[11.0 + 30.0, 5.0 - 45.0]]


def test_two_hundred_rows_at_most_and_the_expected_one_among_them() -> None:
    """Of 300 rows those go whose successor has least less; first, last and expected stay, no quantity is invented."""
    price = np.arange(300.0)
    quantity = -np.cumsum(np.where(np.arange(300) % 3 == 0, 0.1, 0.7))
    kept_price, kept_quantity = thinned(price, quantity, 150.0)
    assert len(kept_price) == 200
    assert kept_price[[0, -1]].tolist() == [0.0, 299.0]
    assert 150.0 in kept_price
    assert np.array_equal(kept_quantity, quantity[np.searchsorted(price, kept_price)])
    assert kept_price[kept_price % 3 == 2].tolist() == [299.0]
    many = Ladder(np.zeros(2, dtype=np.int64), np.linspace(-0.2, 0.2, 601)[None])
    net = np.linspace(9e4, -9e4, 601)[None]
    curve = energy_curve(net, many, expected([100.0], [0.0]))
    assert len(curve.unit) == 200
    assert curve.at(0, 100.0) == 0.0


def test_the_ladder_is_dense_where_the_price_is_expected() -> None:
    """Prices from 40 to 90: it reaches from -10 to 140, and its first steps are 1/400 of the way."""
    ladder = price_ladder(UNIT, np.array([40.0, 90.0]))
    np.testing.assert_allclose(ladder.change_eur_per_kwh[:, [0, 20, 40]] * 1000, [[-50, 0, 100], [-100, 0, 50]])
    assert ladder.change_eur_per_kwh[0, 21] == pytest.approx(0.1 / 400)
    with pytest.raises(InputError, match="odd number"):
        price_ladder(UNIT, np.array([40.0, 90.0]), 40)


@pytest.mark.parametrize(("date", "hours"), [("2018-03-25", 23), ("2018-10-28", 25)])
def test_units_and_blocks_on_days_when_clocks_change(date: str, hours: int) -> None:
    """Hours of four quarter-hours, and one block of the day's first 4 hours: times join without gap or overlap.

    On the long day 02:00 comes twice, two hours that differ in their offset from UTC alone.
    """
    horizon = Horizon.days(date, 1, 15, "Europe/Rome")
    unit = np.arange(horizon.steps) // 4
    curve = EnergyCurve(np.arange(hours), np.full(hours, 50.0), np.full(hours, 0.1))
    block = np.where(np.arange(horizon.steps) < 16, 0, -1)
    product = ReserveProduct("aFRR down", "down", block, np.array([7.5]), np.zeros(horizon.steps))
    rows = bid_rows(horizon, unit, curve, [product], [np.array([1.25])])
    energy, reserve = rows[rows["market"] == "energy"], rows[rows["market"] == "aFRR down"]
    assert len(energy) == hours
    assert (energy["end"] - energy["start"] == pd.Timedelta(hours=1)).all()
    assert energy["start"].iloc[1:].tolist() == energy["end"].iloc[:-1].tolist()
    assert energy["end"].iloc[-1] == pd.Timestamp(horizon.end)
    assert energy["direction"].unique().tolist() == ["net"]
    assert energy["availability_eur_per_mw_h"].isna().all()
    assert (reserve["end"] - reserve["start"]).tolist() == [pd.Timedelta(hours=4)]
    assert reserve[["direction", "availability_eur_per_mw_h", "quantity_mw"]].to_numpy().tolist() == [
        ["down", 7.5, 1.25]
    ]
    assert reserve["price_eur_per_mwh"].isna().all()
    assert energy["start"].iloc[3].hour == (2 if hours == 25 else 4)


def test_without_markets_there_are_no_bids() -> None:
    rows = bid_rows(half_hours(2), UNIT, None)
    assert (len(rows), "quantity_mw" in rows) == (0, True)
    assert str(rows["start"].dtype) == "datetime64[ns, Europe/Rome]"
