"""The dynamic programme where it is easily wrong: ranges of length zero, ties, tiny and huge numbers, long horizons."""

import numpy as np
import pytest
from numpy.typing import NDArray

from formulation import cheapest, violation
from podium.flex.solve import Solution, solve
from podium.flexstore import FlexStore, concatenate
from podium.portfolio import Meter

Floats = NDArray[np.float64]
DT = 0.25
BATTERY = {"p_min": -3.0, "p_max": 3.0, "k_plus": 0.9, "k_minus": 1 / 0.85, "e_max": 10.0, "e_initial": 5.0}


def home(load: Floats, **store: float | Floats) -> FlexStore:
    """A fixed load and one store."""
    row, steps = np.zeros(1, dtype=np.int64), len(load)
    ids = [np.array([name], dtype=object) for name in ("load", "store")]
    fixed = FlexStore.of(ids[0], row, steps, has_store=False, p_min=load[None], p_max=load[None])
    return concatenate([fixed, FlexStore.of(ids[1], row, steps, **store)], steps)


def metered(buy: Floats, sell: Floats) -> Meter:
    free = np.array([np.inf])
    return Meter(buy[None], sell[None], free, free, np.zeros(1))


def solved(store: FlexStore, meter: Meter) -> Solution:
    return solve(store, meter, DT, np.zeros(store.steps, dtype=np.int64))


def series(steps: int) -> tuple[Floats, Floats]:
    """A load, kW, and prices between 0.05 and 0.3 EUR/kWh."""
    random = np.random.default_rng(steps)
    return random.random(steps) * 2, random.uniform(0.05, 0.3, steps)


@pytest.mark.parametrize(
    ("scale", "store"),
    [
        (1.0, BATTERY),
        (1.0, BATTERY | {"keep": 0.999}),
        (1.0, BATTERY | {"k_plus": 1.0, "k_minus": 1.0}),
        (1.0, BATTERY | {"e_min": 5.0, "e_max": 5.0}),
        (1.0, BATTERY | {"p_min": 0.0, "p_max": 0.0}),
        (1.0, BATTERY | {"p_min": 0.01, "p_max": 0.01, "e_initial": 2.0}),
        (1.0, BATTERY | {"p_min": -1e-3, "p_max": 1e-3, "e_max": 1e6, "e_initial": 5e5}),
        (1e-6, BATTERY | {"p_min": -3e-6, "p_max": 3e-6, "e_max": 1e-5, "e_initial": 5e-6}),
        (1e5, BATTERY | {"p_min": -3e5, "p_max": 3e5, "e_max": 1e6, "e_initial": 5e5}),
    ],
)
@pytest.mark.parametrize("spread", [0.05, 1e-9, 0.0])
@pytest.mark.parametrize("flat", [False, True])
def test_odd_stores(scale: float, store: dict[str, float], spread: float, flat: bool) -> None:
    """A day of 96 steps: cost equal to the independent programme, relative to the size; limits and dynamics hold."""
    load, price = series(96)
    buy = np.full(96, 0.2) if flat else price
    pod, meter = home(load * scale, **store), metered(buy, buy - spread)
    found, other = solved(pod, meter), cheapest(pod, meter, DT)
    assert other is not None
    size = max(1e-6, scale)
    assert found.cost_eur[0] == pytest.approx(other.cost_eur, rel=1e-8, abs=1e-8 * size)
    assert broken_by(pod, meter, found) <= 1e-9 * max(1.0, scale)


def broken_by(pod: FlexStore, meter: Meter, found: Solution) -> float:
    schedule = found.schedule
    return violation(pod, meter, DT, schedule.p, schedule.e, schedule.aux, schedule.spill)


@pytest.mark.parametrize("keep", [1.0, 0.999])
@pytest.mark.parametrize("low", [-0.3, 0.05])
def test_a_month_of_quarter_hours(keep: float, low: float) -> None:
    """2,976 steps at once, prices positive or negative throughout: limits hold, in less than 5 s (it takes 0.1 s)."""
    load, price = series(2976)
    buy = price if low > 0 else -price
    pod, meter = home(load, **BATTERY, keep=keep), metered(buy, buy - 0.05)
    solved(home(load[:1], **BATTERY), metered(buy[:1], buy[:1]))  # compiled
    found = solved(pod, meter)
    assert found.method[0] == "kernel"
    assert broken_by(pod, meter, found) <= 1e-9
    assert found.seconds[0] < 5.0


@pytest.mark.parametrize("seed", range(4))
def test_prices_that_are_negative_throughout(seed: int) -> None:
    """12 steps, a lossy battery: the cheapest schedule found by branching, and no step does both."""
    random = np.random.default_rng(seed)
    buy = -random.uniform(0.05, 0.3, 12)
    pod, meter = home(random.random(12), **BATTERY | {"e_max": 2.0, "e_initial": 1.0}), metered(buy, buy - 0.02)
    found, other = solved(pod, meter), cheapest(pod, meter, DT)
    assert other is not None
    assert other.whole
    assert found.cost_eur[0] == pytest.approx(other.cost_eur, abs=1e-9)


def test_among_equals_the_least_energy_is_stored() -> None:
    """At one price, without losses, everything costs the same: nothing is charged, and what is there goes at once."""
    lossless = BATTERY | {"k_plus": 1.0, "k_minus": 1.0, "e_initial": 1.0}
    flat = np.full(6, 0.2)
    found = solved(home(np.full(6, 0.5), **lossless), metered(flat, flat))
    assert found.schedule.e[1] == pytest.approx([0.25, 0, 0, 0, 0, 0])


@pytest.mark.parametrize(
    ("store", "step", "kwh"),
    [
        (BATTERY | {"e_min": np.array([[0, 0, 0, 8.0]])}, 0, -0.3),
        (BATTERY | {"e_min": np.array([[0, 6.0, 0, 0]]), "e_max": np.array([[10, 5.0, 10, 10]])}, 1, 1.0),
        (BATTERY | {"drift": np.array([[0, 0, 0, -9.0]])}, 0, -1.3),
    ],
)
def test_an_impossible_store_says_when_and_by_how_much(store: dict[str, float], step: int, kwh: float) -> None:
    """Charging gives 4 x 0.25 x 3 x 0.9 = 2.7 kWh: 7.7 of 8 wanted; a least level above the greatest; 7.7 of 9 lost.

    Negative where the store cannot get as high as it must.
    """
    load, price = series(4)
    found = solved(home(load, **store), metered(price, price - 0.01))
    assert sorted(found.conflicts) == [0]
    assert found.conflicts[0].energy
    assert found.conflicts[0].step == step
    assert found.conflicts[0].amount == pytest.approx(kwh)


def test_an_impossible_meter_says_when_and_by_how_much() -> None:
    """A load of 2 kW behind a connection of 1.5 kW, in the third step."""
    load = np.array([1.0, 1.2, 2.0, 0.5])
    buy = np.array([0.1, 0.2, 0.3, 0.4])
    pod = home(load, e_max=1.0, e_initial=0.5)
    meter = Meter(buy[None], buy[None], np.array([1.5]), np.array([np.inf]), np.zeros(1))
    conflict = solved(pod, meter).conflicts[0]
    assert (conflict.step, conflict.energy) == (2, False)
    assert conflict.amount == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("initial", "levels", "cost"), [(0.0, [0.625, 0.0], 0.625 * 0.2 / 0.9), (2.0, [2.0, 0.0], -1.375 * 0.1 * 0.8)]
)
def test_the_worked_example(initial: float, levels: list[float], cost: float) -> None:
    """docs/maths/kernel.md: empty it charges 0.625 kWh for the load, full it also sells 1.375 x 0.8 kWh at 0.1."""
    pod = home(np.array([0.0, 1.0]), p_min=-4.0, p_max=4.0, k_plus=0.9, k_minus=1.25, e_max=2.0, e_initial=initial)
    meter = metered(np.array([0.2, 0.3]), np.array([0.05, 0.1]))
    found = solve(pod, meter, 0.5, np.zeros(2, dtype=np.int64))
    assert found.schedule.e[1] == pytest.approx(levels)
    assert found.cost_eur[0] == pytest.approx(cost)
