"""The reference method by hand and against independent programmes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.optimize import LinearConstraint, linprog, milp

from podium.errors import InputError, SolverError
from podium.flexstore import FlexStore, concatenate
from podium.market import virtus

SEEDS = st.integers(0, 2**31)


# --- level 1: devices that shift around a forecast -----------------------------------------------------------------


def test_curtailable_load_cuts_its_allowance_and_no_more() -> None:
    """Steps 0 and 2 may give 3 and 4 kW, the day 5 kW: five sevenths of each."""
    load = virtus.curtailable_loads(0, [[6.0, 8.0, 4.0]], [[1, 0, 1]], [[3.0, 9.0, 9.0]], 5.0)
    assert_allclose(virtus.least_shift(load), [[-3 * 5 / 7, 0.0, -4 * 5 / 7]])
    assert_allclose(virtus.greatest_shift(load), [[0.0, 0.0, 0.0]])


def test_curtailable_load_cannot_go_below_zero() -> None:
    load = virtus.curtailable_loads(0, [[1.0, 2.0]], [[1, 1]], [[9.0, 0.5]], 100.0)
    assert_allclose(virtus.least_shift(load), [[-1.0, -0.5]])


def test_shiftable_load_loses_at_most_what_is_permitted() -> None:
    """20 % of 10 and 30 kW are 8 kW; 2 of them may be lost, none gained."""
    load = virtus.shiftable_loads(0, [[10.0, 30.0]], 1.0, [[-2.0, -6.0]], [[2.0, 6.0]], 2.0)
    assert_allclose(virtus.least_shift(load).sum(), -2.0)
    assert_allclose(virtus.least_shift(load), [[-0.5, -1.5]])
    assert_allclose(virtus.greatest_shift(load), [[0.0, 0.0]])


def test_photovoltaics_may_exceed_its_forecast_but_keeps_its_day() -> None:
    """Defect 6: with a day's shift of 1.5 kW the sum falls by 1.5, and no choice of sides changes it."""
    pv = virtus.photovoltaics(0, [[-10.0, -20.0]], [[-1.0, -2.0]], [[1.0, 2.0]], 1.5)
    for shift in (virtus.least_shift(pv), virtus.greatest_shift(pv)):
        assert_allclose(shift, [[-0.5, -1.0]])


def test_bounds_at_zero_as_the_reference_has_them() -> None:
    """Wind stops at zero generation; PV and CHP instead stop at twice their forecast."""
    limits = [[-15.0]], [[15.0]]
    wind = virtus.wind_turbines(0, [[-10.0]], *limits)
    pv = virtus.photovoltaics(0, [[-10.0]], *limits)
    chp = virtus.combined_heat_and_power(0, [[-10.0]], 1.0, *limits)
    assert (wind.shift_min_kw[0, 0], wind.shift_max_kw[0, 0]) == (-15.0, 10.0)
    assert (pv.shift_min_kw[0, 0], pv.shift_max_kw[0, 0]) == (-10.0, 15.0)
    assert (chp.shift_min_kw[0, 0], chp.shift_max_kw[0, 0]) == (-10.0, 15.0)


def test_pod_cost_is_a_mean_over_priced_devices() -> None:
    """A flat cost wherever a device shifts: 0.3 of a load, none of a fixed load (not counted) or of idle wind."""
    wind = virtus.wind_turbines(0, [[-1.0, -1.0]], [[-0.1, -0.1]], [[0.1, 0.1]], cost_min=0.7, cost_max=0.9)
    load = virtus.curtailable_loads(0, [[5.0, 5.0]], [[1, 0]], 9.0, 2.0, cost_min=0.3)
    fixed = virtus.fixed_loads([0, 1], [[4.0, 4.0], [1.0, 1.0]])
    result = virtus.solve_level1(virtus.stack([wind, load, fixed]), None, pods=2)
    assert_allclose(result.min_cost, [[0.15, 0.0], [0.0, 0.0]])
    assert_allclose(result.max_cost, 0.0)


def test_cost_of_generation_follows_the_reference_sign() -> None:
    """More generation is a positive shift there: it costs cost_max, and less costs cost_min."""
    more = virtus.photovoltaics(0, [[-10.0]], [[-1.0]], [[1.0]], 1.0, cost_min=0.7, cost_max=0.9)
    less = virtus.photovoltaics(0, [[-10.0]], [[-1.0]], [[1.0]], -1.0, cost_min=0.7, cost_max=0.9)
    assert_allclose(virtus.solve_level1(more, None, pods=1).min_cost, 0.9)
    assert_allclose(virtus.solve_level1(less, None, pods=1).min_cost, 0.7)


def test_a_failing_pod_stands_with_its_forecast_and_stops_nobody() -> None:
    """Defect 10: a negative allowance has no schedule."""
    loads = virtus.curtailable_loads([0, 1], [[5.0, 5.0], [5.0, 5.0]], 1.0, 9.0, [-1.0, 4.0])
    result = virtus.solve_level1(loads, None, pods=2)
    assert result.failed.tolist() == [True, False]
    assert_allclose(result.min_sum_kw, [10.0, 6.0])
    assert "POD 0" in str(result.problems[0])
    assert "1 to inf kW" in str(result.problems[0])


def test_a_storage_above_its_level_is_reported() -> None:
    one, room = np.ones(1), np.ones((1, 2))
    storage = virtus.StorageTable(np.zeros(1, np.int64), 5 * one, 4 * one, room, room, 0.9 * one, 0.9 * one)
    result = virtus.solve_level1(virtus.fixed_loads(0, [[1.0, 1.0]]), storage, pods=1)
    assert result.failed.all()
    assert "level 5 of 4 kW" in str(result.problems[0])
    assert_allclose(result.min_kw, 1.0)


@settings(max_examples=60)
@given(SEEDS)
def test_shift_tables_reach_the_optimum_of_a_programme(seed: int) -> None:
    random = np.random.default_rng(seed)
    forecast = random.uniform(-3, 3, (1, 7))
    low, high = -random.uniform(0, 2, (1, 7)), random.uniform(0, 2, (1, 7))
    loss = random.uniform(0, 6)
    table = virtus.shiftable_loads(0, abs(forecast), random.integers(0, 2, (1, 7)), low, high, loss)
    bounds = list(zip(table.shift_min_kw[0], table.shift_max_kw[0], strict=True))
    for sign, shift in ((1.0, virtus.least_shift(table)), (-1.0, virtus.greatest_shift(table))):
        rows = np.vstack([np.ones(7), -np.ones(7)])
        found = linprog(sign * np.ones(7), rows, [0.0, loss], bounds=bounds, method="highs")
        assert_allclose(shift.sum(), sign * found.fun, atol=1e-8)
        assert (shift >= table.shift_min_kw - 1e-12).all()
        assert (shift <= table.shift_max_kw + 1e-12).all()


# --- level 1: storage ----------------------------------------------------------------------------------------------


def test_storage_discharges_at_most_what_is_left_after_it() -> None:
    """From 3.8 kW at 0.9: d <= 3.8 - 0.9 d gives 2.0, then d <= 2.0 - 0.9 d gives 1.05263."""
    net = storage_net(1.0, level=3.8, most=10.0, charge=[0.0, 0.0], discharge=[9.0, 9.0], eta=(0.9, 0.9))
    assert_allclose(net, [-2.0, -2.0 / 1.9])


def test_storage_charges_at_most_its_room_before_losses() -> None:
    """From 4 to 10 kW: 6 kW fit, 5.4 arrive; then 0.6 fit."""
    net = storage_net(-1.0, level=4.0, most=10.0, charge=[9.0, 9.0], discharge=[0.0, 0.0], eta=(0.9, 0.9))
    assert_allclose(net, [6.0, 0.6])


def test_storage_earns_by_charging_and_discharging_at_once() -> None:
    """Defect 3: 0.5 kW in keeps the level while 1 kW goes out, in every step; the store alone would give 4 / 0.5."""
    net = storage_net(1.0, level=4.0, most=10.0, charge=[0.5] * 40, discharge=[1.0] * 40, eta=(1.0, 0.5))
    assert_allclose(net[10:30], -0.5)
    assert net.sum() < -20.0


def storage_net(sign: float, level: float, most: float, charge: list, discharge: list, eta: tuple) -> np.ndarray:
    one = np.ones(1)
    table = virtus.StorageTable(
        np.zeros(1, np.int64),
        level * one,
        most * one,
        np.array([charge]),
        np.array([discharge]),
        eta[0] * one,
        eta[1] * one,
    )
    result = virtus.solve_level1(virtus.fixed_loads(0, np.zeros((1, len(charge)))), table, pods=1)
    return result.min_kw[0] if sign > 0 else result.max_kw[0]


def storage_programme(sign: float, level: float, most: float, charge: list, discharge: list, eta: tuple) -> float:
    """The reference's own storage constraints for an independent solver: columns c, d, e."""
    steps = len(charge)
    eye, before = np.eye(steps), np.eye(steps, k=-1)
    start = np.eye(steps)[0] * level
    balance = np.hstack([-eta[0] * eye, eta[1] * eye, eye - before])
    room = np.hstack([eye, 0 * eye, before])
    rest = np.hstack([0 * eye, eye, -eye])
    found = linprog(
        sign * np.r_[np.ones(steps), -np.ones(steps), np.zeros(steps)],
        np.vstack([room, rest]),
        np.r_[most - start, np.zeros(steps)],
        balance,
        start,
        [(0, c) for c in charge] + [(0, d) for d in discharge] + [(0, most)] * steps,
        method="highs",
    )
    return float(sign * found.fun)


@settings(max_examples=150)
@given(SEEDS)
def test_storage_reaches_the_optimum_of_a_programme(seed: int) -> None:
    """Unequal efficiencies, empty and full stores, steps without power, powers far above the store."""
    random = np.random.default_rng(seed)
    steps, most = int(random.integers(1, 20)), random.uniform(0.5, 50)
    level = random.choice([0.0, most, random.uniform(0, most)])
    charge, discharge = (
        random.uniform(0, most * random.choice([0.05, 0.5, 3]), steps) * (random.random(steps) > 0.2) for _ in "cd"
    )
    charge_eta = random.choice([1.0, 0.95, random.uniform(0.2, 1)])
    eta = charge_eta, random.choice([charge_eta, 1.0, random.uniform(0.2, 1)])
    for sign in (1.0, -1.0):
        net = storage_net(sign, level, most, charge, discharge, eta)
        assert_allclose(net.sum(), storage_programme(sign, level, most, charge, discharge, eta), atol=1e-6 * most)


# --- a device alone ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "forecast", "band"),
    [
        ("pv", -10.0, (-11.0, -9.0)),
        ("wind", -10.0, (-11.0, -9.0)),
        ("shiftable_load", 10.0, (9.0, 11.0)),
        ("given_profile", -10.0, (-9.0, -11.0)),
        ("fixed_load", 10.0, (0.0, 0.0)),
        ("curtailable_load", 10.0, (0.0, 0.0)),
    ],
)
def test_band_of_a_device_alone(kind: str, forecast: float, band: tuple[float, float]) -> None:
    """Defect 7: the loads show nothing, a given profile inverts where it is negative."""
    low, high = virtus.alone_band(kind, [forecast], 0.1, 0.1)
    assert_allclose((low[0], high[0]), band)


def test_unknown_kind_alone_is_refused() -> None:
    with pytest.raises(ValueError, match="'tree'"):
        virtus.alone_band("tree", [1.0], 0.1, 0.1)


# --- level 2 -------------------------------------------------------------------------------------------------------


def test_level2_by_hand() -> None:
    """Four steps: buying with a gain, with a loss, selling, and a tie; half-hour steps.

    Gain when buying is production - buy, when selling production - sell (as a factor of a negative power).
    """
    least = [[1.0, 1.0, -4.0, 1.0], [1.0, 1.0, -4.0, 1.0]]
    most = [[4.0, 4.0, -1.0, 4.0], [3.0, 3.0, -2.0, 3.0]]
    result = virtus.aggregate(
        least, most, [3.0, 99.0, -5.0, 3.0], [20.0, 50.0, 20.0, 30.0], 10.0 * np.ones(4), 30.0 * np.ones(4), 0.5
    )
    assert_allclose(result.baseline_kw, [3.0, 7.0, -5.0, 3.0])
    assert_allclose(result.gain_max_eur_per_mwh, [10.0, -20.0, 20.0, 0.0])
    assert_allclose(result.gain_min_eur_per_mwh, [10.0, -20.0, 20.0, 0.0])
    assert_allclose(result.F_max_kw, [7.0, 7.0, -3.0, 3.0])
    assert_allclose(result.F_min_kw, [3.0, 2.0, -5.0, 3.0])
    assert result.tie_max.tolist() == result.tie_min.tolist() == [False, False, False, True]
    assert_allclose(result.profit_step, [100.0, -180.0, -160.0, 0.0])
    assert result.objective == pytest.approx(-240.0)
    assert result.profit_eur == pytest.approx(-240.0 * 0.5 / 1000)
    assert_allclose(result.mean_profit_step, [50.0, -90.0, -80.0, 0.0])
    assert_allclose(result.mean_profit_step_eur, result.profit_step_eur / 2)


def test_level2_raises_an_inverted_band_per_pod() -> None:
    """POD 0 has max below min, so its max becomes its min before the sums are taken."""
    result = virtus.aggregate([[5.0], [1.0]], [[2.0], [9.0]], [[0.0], [0.0]], [10.0], [5.0], [20.0], 0.25)
    assert_allclose((result.min_sum_kw[0], result.max_sum_kw[0]), (6.0, 14.0))
    assert_allclose((result.baseline_declared_kw[0], result.baseline_kw[0]), (0.0, 6.0))


def test_level2_min_may_buy_and_sell_at_once() -> None:
    """min < 0 <= baseline: both gains count, as in 14 steps of the reference case."""
    gain_max, gain_min = virtus.gains(*(np.array([value]) for value in (-2.0, 5.0, 1.0, 20.0, 10.0, 35.0)))
    assert_allclose(gain_max, 15.0)
    assert_allclose(gain_min, 15.0 + 25.0)


def test_level2_refuses_gaps_and_wrong_shapes() -> None:
    with pytest.raises(InputError, match="buy_eur_per_mwh"):
        virtus.aggregate([[1.0]], [[1.0]], [1.0], [np.nan], [1.0], [1.0], 0.25)
    with pytest.raises(InputError, match="max_kw"):
        virtus.aggregate([[1.0, 1.0]], [[1.0]], [1.0, 1.0], [1.0, 1.0], [1.0, 1.0], [1.0, 1.0], 0.25)


# --- undelivered ---------------------------------------------------------------------------------------------------


def batteries(count: int, steps: int, seed: int = 0, **more: object) -> FlexStore:
    """Batteries of 2 to 8 kWh that must end as full as they began."""
    random = np.random.default_rng(seed)
    energy = random.uniform(2, 8, count)
    power = energy * random.uniform(0.2, 0.9, count)
    least = np.zeros((count, steps))
    least[:, -1] = energy / 2
    columns = {
        "p_min": -power, "p_max": power, "k_plus": 0.9, "k_minus": 1 / 0.85, "e_min": least, "e_max": energy,
        "e_initial": energy / 2, "keep": 0.999,
    }  # fmt: skip
    ids = np.array([f"battery {row}" for row in range(count)], dtype=object)
    return FlexStore.of(ids, np.arange(count), steps, **columns | more)


def test_a_battery_cannot_hold_its_power_all_day() -> None:
    """5 of 8 kWh free at 0.9: 5.5556 kWh in; 4 kW for 4 half-hours are 8 kWh, so 2.4444 are missing.

    A price alone proves less for one battery: its schedules do not mix (discharging to charge again loses energy).
    """
    store = FlexStore.of(
        np.array(["b"], dtype=object), np.zeros(1, np.int64), 4,
        p_min=-4.0, p_max=4.0, k_plus=0.9, k_minus=1.25, e_max=8.0, e_initial=3.0,
    )  # fmt: skip
    found = virtus.undelivered(np.full(4, 4.0), virtus.JointSet(store, 0.5))
    assert found.upper_kwh == pytest.approx(8 - 5 / 0.9, abs=1e-6)
    assert 0.94 * found.upper_kwh < found.lower_kwh <= found.upper_kwh
    assert_allclose(0.5 * found.delivered_kw.sum(), 5 / 0.9, atol=1e-6)


def test_free_devices_take_what_they_can() -> None:
    """A fixed load of 2 kW and PV of 0 to 3 kW reach -1 to 2 kW."""
    ids, pods = np.array(["load", "pv"], dtype=object), np.zeros(2, np.int64)
    store = FlexStore.of(ids, pods, 3, has_store=False, p_min=[2.0, -3.0], p_max=[2.0, 0.0])
    found = virtus.undelivered([0.5, 4.0, -2.0], virtus.JointSet(store, 0.25))
    assert found.lower_kwh == pytest.approx((2.0 + 1.0) / 4)
    assert found.upper_kwh == pytest.approx((2.0 + 1.0) / 4)
    assert_allclose(found.delivered_kw, [0.5, 2.0, -1.0])


def test_a_connection_limit_binds() -> None:
    """The same devices behind 1 kW of withdrawal and 0.5 kW of injection."""
    ids, pods = np.array(["load", "pv"], dtype=object), np.zeros(2, np.int64)
    store = FlexStore.of(ids, pods, 3, has_store=False, p_min=[2.0, -3.0], p_max=[2.0, 0.0])
    limits = np.array([1.0]), np.array([0.5])
    found = virtus.undelivered([0.5, 4.0, -2.0], virtus.JointSet(store, 0.25, *limits))
    assert_allclose(found.delivered_kw, [0.5, 1.0, -0.5], atol=1e-6)
    assert found.upper_kwh == pytest.approx((3.0 + 1.5) / 4)


def test_cycles_ramps_boiler_and_vent_count() -> None:
    """Each limit makes the promise dearer to keep, by the amount that an independent programme finds."""
    promise = np.array([-6.0, -6.0, 6.0, 6.0, -6.0, -6.0, 6.0, 6.0])
    day = np.repeat([0, 1], 4)
    for more in ({}, {"discharge_day_max": 0.7}, {"ramp": 1.5}, {"aux_max": 0.5}, {"spill_max": 0.8}):
        store = batteries(2, 8, seed=3, k_minus=0.9, **more)
        found = virtus.undelivered(promise, virtus.JointSet(store, 0.5, day=day))
        assert_allclose(found.upper_kwh, deviation_programme(promise, store, 0.5, day), atol=1e-5)
        assert found.lower_kwh == pytest.approx(found.upper_kwh, rel=0.05)


def test_both_ways_agree_on_a_larger_fleet() -> None:
    """By prices and by one programme: overlapping brackets around the same promise."""
    store = batteries(30, 24)
    promise = np.where(np.arange(24) % 8 < 4, 1.0, -0.8) * store.p_max.sum() * 0.8
    one = virtus.undelivered(promise, virtus.JointSet(store, 0.5))
    prices = virtus.undelivered(promise, virtus.JointSet(store, 0.5), explicit_devices=0)
    for low, high in ((one, prices), (prices, one), (one, one), (prices, prices)):
        assert 0.0 < low.lower_kwh <= high.upper_kwh + 1e-6
    assert_allclose(prices.lower_kwh, one.lower_kwh, rtol=0.03)


@settings(max_examples=25)
@given(SEEDS)
def test_bracket_holds_the_true_deviation(seed: int) -> None:
    """The truth by a mixed-integer programme in which no store charges and discharges at once."""
    random = np.random.default_rng(seed)
    store = batteries(2, 6, seed)
    rest = random.uniform(0, 2, (1, 6))
    pv = FlexStore.of(np.array(["pv"], dtype=object), np.array([5]), 6, has_store=False, p_min=-rest, p_max=0.0)
    promise = random.uniform(-1.2, 1.2, 6) * store.p_max.sum()
    truth = deviation_programme(promise, concatenate([store, pv], 6), 0.25, exclusive=True)
    for explicit in (0, 10):
        found = virtus.undelivered(
            promise, virtus.JointSet(concatenate([store, pv], 6), 0.25), explicit_devices=explicit
        )
        assert found.lower_kwh <= truth + 1e-6
        assert found.upper_kwh >= truth - 1e-6
        assert_allclose(0.25 * np.abs(promise - found.delivered_kw).sum(), found.upper_kwh, atol=1e-9)


def test_devices_without_a_schedule_are_named() -> None:
    store = batteries(1, 4, p_max=0.0, p_min=0.0, keep=0.5)
    with pytest.raises((InputError, SolverError), match=r"battery 0|no schedule"):
        virtus.undelivered(np.zeros(4), virtus.JointSet(store, 0.25))


def test_promise_needs_a_number_per_step() -> None:
    with pytest.raises(InputError, match="4 finite numbers"):
        virtus.undelivered([1.0, 2.0], virtus.JointSet(batteries(1, 4), 0.25))


def test_cars_stay_charged_as_far_as_they_would_be() -> None:
    """Wanted 6 kWh, reached 5: at least 5 become a limit at that step, and nothing elsewhere."""
    target = np.array([[0.0, 6.0, 0.0]])
    store = batteries(1, 3, e_target=target, shortfall_cost=np.array([[0.0, 1.0, 0.0]]))
    limited = virtus.targets_as_limits(store, np.array([[3.0, 5.0, 4.0]]))
    assert_allclose(limited.e_min, np.where(target > 0, 5.0, store.e_min), atol=1e-5)


def deviation_programme(
    promise: np.ndarray, store: FlexStore, hours: float, day: np.ndarray | None = None, exclusive: bool = False
) -> float:
    """The least deviation by scipy. Columns: short, over, then pp, pm, e, aux, spill, on of each device."""
    devices, steps = store.devices, store.steps
    width = 2 * steps + 6 * steps * devices
    names = {name: number for number, name in enumerate(("pp", "pm", "e", "aux", "spill", "on"))}

    def column(device: int, name: str, step: int) -> int:
        return 2 * steps + (device * 6 + names[name]) * steps + step

    low, high, integer = np.zeros(width), np.full(width, np.inf), np.zeros(width)
    rows: list[tuple[dict[int, float], float, float]] = []
    net: list[dict[int, float]] = [{step: 1.0, steps + step: -1.0} for step in range(steps)]
    value = {name: store.full(name) for name in ("p_min", "p_max", "k_plus", "k_minus", "keep", "drift", "e_min",
                                                 "e_max", "aux_max", "spill_max")}  # fmt: skip
    for d in range(devices):
        for t in range(steps):
            pp, pm, e, aux, spill, on = (column(d, name, t) for name in names)
            top, bottom = value["p_max"][d, t], value["p_min"][d, t]
            low[[pp, pm]], high[[pp, pm]] = (max(bottom, 0), max(-top, 0)), (max(top, 0), max(-bottom, 0))
            high[aux], high[spill], high[on] = value["aux_max"][d, t], value["spill_max"][d, t], 1.0
            low[e], high[e] = value["e_min"][d, t], value["e_max"][d, t]
            net[t] |= {pp: 1.0, pm: -1.0}
            if exclusive:
                integer[on] = 1
                rows += [({pp: 1.0, on: -high[pp]}, -np.inf, 0.0), ({pm: 1.0, on: high[pm]}, -np.inf, high[pm])]
            if store.has_store[d]:
                row = {e: 1.0, pp: -hours * value["k_plus"][d, t], pm: hours * value["k_minus"][d, t]}
                row |= {aux: -hours, spill: hours}
                known = value["drift"][d, t] + (value["keep"][d, 0] * store.e_initial[d] if t == 0 else 0.0)
                if t:
                    row[column(d, "e", t - 1)] = -value["keep"][d, t]
                rows.append((row, known, known))
            if t and np.isfinite(store.ramp[d]):
                earlier = {column(d, "pp", t - 1): -1.0, column(d, "pm", t - 1): 1.0}
                rows.append(({pp: 1.0, pm: -1.0} | earlier, -store.ramp[d], store.ramp[d]))
        for one in np.unique(day) if day is not None else ():
            used = {column(d, "pm", int(t)): hours for t in np.flatnonzero(day == one)}
            rows.append((used, -np.inf, store.discharge_day_max[d]))
    rows += [(net[t], promise[t], promise[t]) for t in range(steps)]
    matrix = np.zeros((len(rows), width))
    for number, (row, _, _) in enumerate(rows):
        matrix[number, list(row)] = list(row.values())
    limits = LinearConstraint(matrix, [row[1] for row in rows], [row[2] for row in rows])
    cost = np.r_[np.full(2 * steps, hours), np.zeros(width - 2 * steps)]
    found = milp(cost, constraints=limits, bounds=(low, high), integrality=integer, options={"mip_rel_gap": 1e-9})
    assert found.success
    return float(found.fun)
