"""The dynamic programme of a store that backs reserve, by hand, against scipy, and against a POD's own programme."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podium.devices import Battery, Device, FixedLoad, Pv
from podium.flex.offering import Offering
from podium.flex.reserve import room_of
from podium.flex.respond import Answer, Responder, Signal
from podium.horizon import Horizon
from podium.portfolio import Pod, Portfolio
from random_pods import ZONE
from reserve_programme import Home, least_eur

NONE = np.zeros(0, dtype=np.int64)


class ByProgramme(Responder):
    """Solves every POD by its own linear programme, which lets a store charge and discharge at once."""

    def _sort(self) -> None:
        super()._sort()
        self.plain_single = self.plain_separable = self.backed_single = self.backed_separable = NONE
        self.programmed = np.flatnonzero(~self.absent)
        self.batches = self._batches(self.programmed)


def responder(
    home: Home, kind: type[Responder] = Responder, *, windows: bool = False, strict: bool = False
) -> Responder:  # fmt: skip
    """The home, ready to answer; calls are held from the end of every step, with `windows` also during the schedule.

    `strict`: by every answer, also where the dynamic programme does not.
    """
    minutes, steps = round(60 * home.step_hours), len(home.buy)
    horizon = Horizon(Horizon.days("2018-05-14", 1, 60, ZONE).start, minutes, steps, ZONE)
    devices: list[Device] = [home.battery, FixedLoad(device="load", profile="load")]
    devices += [Pv(device="sun", profile="sun")] if home.sun_kw.any() else []
    limits = {"withdrawal_max_kw": home.withdrawal_max_kw, "injection_max_kw": home.injection_max_kw}
    pod = Pod(
        pod="home", devices=devices, buy_profile="buy", sell_profile="sell",
        **{name: kw for name, kw in limits.items() if np.isfinite(kw)},
    )  # fmt: skip
    profiles = {"load": home.fixed_kw, "sun": home.sun_kw, "buy": home.buy, "sell": home.sell}
    portfolio = Portfolio.of([pod], horizon, profiles)
    store, meter = portfolio.store(), portfolio.meter()
    products = len(home.sustain_hours)
    eligible = np.broadcast_to(store.has_store, (products, store.devices)).copy()
    sold = np.ones((products, 2, steps), dtype=bool)
    offering = Offering(home.sustain_hours, sold, eligible, room_of(store, meter, home.step_hours), windows)
    one = np.zeros(1, dtype=np.int64)
    return kind(store, meter, home.step_hours, horizon.day, one, offering, np.zeros(1, dtype=bool), strict=strict)


def answer(home: Home, found: Responder) -> tuple[Answer, float, float]:
    """The answer, what it costs with earnings taken off, and the least that is said to be possible, EUR."""
    given = found.answer(Signal(np.zeros((1, len(home.buy))), home.price[None]))
    earned = float(np.einsum("kst,ksdt->", home.price, given.backing))
    return given, float(given.own_eur[0]) - earned, float(given.least_eur[0])


def test_a_battery_charges_for_what_it_backs() -> None:
    """Half-hours at 0.1 EUR/kWh; 1 kWh in store, up reserve of an hour pays 0.05 EUR/kW in the first of two steps.

    A kWh of store backs 0.8 kW for an hour. Charging x kW costs 0.05 x, backs 0.36 x more and so earns 0.018 x, and of
    the 0.45 x kWh stored 0.36 x kWh are sold: 0.036 x. It pays until the second step sells all it can, 1 kWh, of
    1.25 kWh: x = 5/9. Earned 0.05 EUR for 1 kW and 0.1 EUR for 1 kWh, paid 0.05 x = 0.25 / 9 EUR.
    """
    battery = Battery(
        device="b", charge_max_kw=2, discharge_max_kw=2, energy_max_kwh=4, energy_initial_kwh=1, energy_end_min_kwh=0,
        charge_efficiency=0.9, discharge_efficiency=0.8,
    )  # fmt: skip
    row = np.full(2, 0.1)
    price = np.zeros((1, 2, 2))
    price[0, 0, 0] = 0.05
    home = Home(battery, 0.5, np.zeros(2), np.zeros(2), row, row, np.inf, np.inf, np.ones(1), price)
    found = responder(home)
    assert len(found.backed_single) == 1
    given, paid, least = answer(home, found)
    assert paid == pytest.approx(0.25 / 9 - 0.1 - 0.05, abs=1e-6)
    assert least == pytest.approx(paid, abs=1e-6)
    row_of = int(np.flatnonzero(given.schedule.e.any(axis=1))[0])
    np.testing.assert_allclose(given.schedule.p[row_of], [5 / 9, -2], atol=1e-6)
    np.testing.assert_allclose(given.schedule.e[row_of], [1.25, 0], atol=1e-6)
    np.testing.assert_allclose(given.backing[0, 0, row_of], [1, 0], atol=1e-6)
    assert least_eur(home, apart=True) == pytest.approx(paid, abs=1e-6)


def drawn(seed: int, *, calm: bool = False) -> Home:
    """Any battery; one to three products; prices that may be negative, spiky, or alike for buying and selling.

    Calm: a kW of reserve never earns more than its energy of a step costs, so that no energy is burnt for it.
    """
    random = np.random.default_rng(seed)
    steps, products = int(random.integers(2, 13)), int(random.integers(1, 4))
    size = random.uniform(1, 12)
    limited = random.random() < 0.3
    battery = Battery(
        device="b",
        charge_max_kw=random.uniform(0.5, 5),
        discharge_max_kw=random.uniform(0.5, 5) * (random.random() < 0.9),
        energy_max_kwh=size,
        energy_min_kwh=random.uniform(0, 0.2) * size,
        energy_initial_kwh=random.uniform(0.3, 0.8) * size,
        charge_efficiency=random.uniform(0.7, 0.99),
        discharge_efficiency=random.uniform(0.7, 0.99),
        self_discharge_per_hour=0.0 if limited else random.uniform(0, 0.01) * (random.random() < 0.4),
        wear_eur_per_kwh=random.uniform(0, 0.03),
        energy_end_min_kwh=0.2 * size if random.random() < 0.5 else None,
    )
    buy = random.uniform(-0.1 if random.random() < 0.3 and not calm else 0.02, 0.3, steps)
    if random.random() < 0.3:
        buy[random.integers(steps)] *= 20
    sell = buy - random.uniform(0, 0.1, steps) * (random.random() < 0.6)
    sell = np.maximum(sell, 0.5 * buy) if calm else sell
    price = random.uniform(0, 0.1, (products, 2, steps)) * (random.random((products, 2, steps)) < 0.7)
    if random.random() < 0.3:
        price[0, random.integers(2), random.integers(steps)] *= 30
    load = random.uniform(0, 3, steps)
    sun = np.zeros(steps) if limited else random.uniform(0, 4, steps) * (random.random(steps) < 0.5)
    withdrawal = load.max() + random.uniform(0, 1) * battery.charge_max_kw if limited else np.inf
    injection = random.uniform(0, 1) * battery.discharge_max_kw + 0.1 if limited else np.inf
    hours = float(random.choice([0.25, 0.5]))
    sustain = random.choice([hours, 2 * hours, 1.25, 1.5, 4.0], products, replace=False)
    price = np.minimum(price, 0.9 * hours * sell) if calm else price
    return Home(battery, hours, load, sun, buy, sell, float(withdrawal), float(injection), sustain, price)


@settings(max_examples=60)
@given(st.integers(0, 10**6))
def test_answers_lie_between_bound_and_optimum(seed: int) -> None:
    """No answer beats scipy's optimum, and no bound exceeds it, whatever the prices."""
    home = drawn(seed)
    found = responder(home)
    _, paid, least = answer(home, found)
    optimum = least_eur(home, apart=True)
    slack = 1e-6 * max(1.0, abs(optimum))
    assert len(found.batches) == 0
    assert least <= optimum + slack
    assert paid >= optimum - slack


@settings(max_examples=60)
@given(st.integers(0, 10**6))
def test_answers_are_optimal_where_no_energy_is_burnt(seed: int) -> None:
    """Answer, bound, and scipy's optimum: all the same."""
    home = drawn(seed, calm=True)
    found = responder(home)
    _, paid, least = answer(home, found)
    optimum = least_eur(home, apart=True)
    slack = 1e-6 * max(1.0, abs(optimum))
    assert len(found.batches) == 0
    assert paid == pytest.approx(optimum, abs=slack)
    assert least == pytest.approx(optimum, abs=slack)


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.booleans())
def test_the_programme_of_a_pod_finds_what_scipy_finds(seed: int, calm: bool) -> None:
    """Its bound is at most the optimum with flows both ways, and that optimum where these gain nothing."""
    home = drawn(seed, calm=calm)
    found = responder(home, ByProgramme)
    assert [len(batch.programmes.pods) for batch in found.batches] == [1]
    _, _, least = answer(home, found)
    both_ways = least_eur(home, apart=False)
    slack = 1e-6 * max(1.0, abs(both_ways))
    assert least <= both_ways + slack
    if both_ways > least_eur(home, apart=True) - slack / 100:
        assert least == pytest.approx(both_ways, abs=slack)


def test_a_call_of_one_step_bounds_what_is_stored() -> None:
    """Half-hours at 0.1 EUR/kWh; giving up charging pays 0.06 EUR/kW in the first, room for it 0.04 in both others.

    The battery never gives back; of its 1.2 kWh it holds 0.55. Charging x kW costs 0.05 x and lets it offer x up, but
    leaves 0.65 - 0.45 x kWh of room, of which a kW down needs 0.45 for a half-hour: 1 kW fits up to x = 4/9, and each
    kW beyond would lose 0.08 to gain 0.01.
    """
    battery = Battery(
        device="b", charge_max_kw=1, discharge_max_kw=0, energy_max_kwh=1.2, energy_initial_kwh=0.55,
        charge_efficiency=0.9,
    )  # fmt: skip
    row = np.full(3, 0.1)
    price = np.zeros((1, 2, 3))
    price[0, 0, 0], price[0, 1, 1:] = 0.06, 0.04
    home = Home(battery, 0.5, np.zeros(3), np.zeros(3), row, row, np.inf, np.inf, np.array([0.5]), price)
    given, paid, least = answer(home, responder(home))
    battery_row = int(np.flatnonzero(given.schedule.e.any(axis=1))[0])
    np.testing.assert_allclose(given.schedule.p[battery_row], [4 / 9, 0, 0], atol=1e-6)
    np.testing.assert_allclose(given.backing[0, :, battery_row], [[4 / 9, 0, 0], [0, 1, 1]], atol=1e-6)
    assert (paid, least) == pytest.approx((-0.08 - 0.01 * 4 / 9, -0.08 - 0.01 * 4 / 9), abs=1e-6)


@pytest.mark.parametrize(("sustain", "quick"), [((0.2, 0.3), True), ((0.2, 2.0), False), ((0.5, 2.0), True)])
def test_calls_shorter_than_a_step_need_the_programme_beside_longer_ones(
    sustain: tuple[float, ...], quick: bool
) -> None:
    """Alone they need room for the step they fall into; beside longer ones they do not share that room one for one."""
    home = replace(drawn(1), sustain_hours=np.array(sustain), price=np.full((2, 2, len(drawn(1).buy)), 0.01))
    found = responder(replace(home, step_hours=0.5), windows=True)
    assert (len(found.backed_single), len(found.batches)) == ((1, 0) if quick else (0, 1))


def seller() -> Home:
    """2 kWh in store that may be sold at up to 2 kW, at 0.02 EUR/kWh and then at 0.1; a call of an hour in the first.

    Half-hours; a kW sold or called takes 0.625 kWh from the store. A kW ready in the first step earns 0.04 EUR.
    """
    battery = Battery(
        device="b", charge_max_kw=0, discharge_max_kw=2, energy_max_kwh=4, energy_initial_kwh=2, energy_end_min_kwh=0,
        discharge_efficiency=0.8,
    )  # fmt: skip
    price = np.zeros((1, 2, 2))
    price[0, 0, 0] = 0.04
    row = np.array([0.02, 0.1])
    return Home(battery, 0.5, np.zeros(2), np.zeros(2), row, row, np.inf, np.inf, np.ones(1), price)


@pytest.mark.parametrize(("strict", "ready_kw"), [(False, 1.6), (True, 1.2)])
def test_a_call_goes_on_while_the_store_is_sold(strict: bool, ready_kw: float) -> None:
    """From the end of the first step, 2 kWh last an hour at 1.6 kW. But in its second half 2 kW are sold.

    These take 1.25 kWh and leave 0.75 for what the call moved in the first half: 1.2 kW. Selling less would lose
    0.05 EUR/kW to gain 0.04. The quick answer alone does not see it.
    """
    given, paid, least = answer(seller(), responder(seller(), windows=True, strict=strict))
    assert given.backing[0, 0].max() == pytest.approx(ready_kw, abs=1e-6)
    np.testing.assert_allclose(given.schedule.p.min(axis=0), [0, -2], atol=1e-6)
    assert (paid, least) == pytest.approx((-0.1 - 0.04 * ready_kw, -0.1 - 0.04 * ready_kw), abs=1e-6)


def test_quick_answers_that_hold_calls_are_taken_as_they_are() -> None:
    """With 3 kWh in store the power of 2 kW bounds the call, which leaves 1.75 kWh where 1.25 are needed."""
    home = seller()
    roomy = replace(home, battery=home.battery.model_copy(update={"energy_initial_kwh": 3.0}))
    found = responder(roomy, windows=True, strict=True)
    given, paid, _ = answer(roomy, found)
    assert given.backing[0, 0].max() == pytest.approx(2.0)
    assert paid == pytest.approx(-0.1 - 0.04 * 2)
    assert [len(batch.asked.solvers) for batch in found.batches] == [0]


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.booleans())
def test_strict_answers_hold_calls_to_their_end(seed: int, calm: bool) -> None:
    """Against scipy: the bound never exceeds the optimum that holds them, and is that where no energy is burnt."""
    home = drawn(seed, calm=calm)
    _, paid, least = answer(home, responder(home, windows=True, strict=True))
    optimum, both_ways = (least_eur(home, apart=apart, windows=True) for apart in (True, False))
    slack = 1e-6 * max(1.0, abs(optimum))
    assert least <= optimum + slack
    if calm and both_ways > optimum - slack / 100:
        assert (paid, least) == pytest.approx((optimum, optimum), abs=slack)
