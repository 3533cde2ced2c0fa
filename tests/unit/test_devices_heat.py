"""Heat pumps and CHP, by hand: half-hour steps, stores that lose 19 % an hour (10 % a step) where they lose."""

from itertools import pairwise, product

import numpy as np
import pytest

from one_pod import cheapest, half_hours, portfolio_of, store_of
from podium.devices import Chp, HeatPump
from podium.errors import InputError

HEAT = {"heat": [1.0, 1.0, 1.0, 1.0], "cop": [2.0, 4.0, 2.0, 4.0], "none": [0.0] * 4}


def heat_pump(**changes: float | str | None) -> HeatPump:
    fields = {
        "electric_max_kw": 2.0,
        "cop": 3.0,
        "heat_profile": "heat",
        "heat_scale_kw": 3.0,
        "heat_store_max_kwh": 6.0,
        "heat_store_initial_kwh": 1.5,
        "heat_store_end_min_kwh": 0.0,
    }
    return HeatPump.model_validate({"device": "pump", **fields, **changes})


def chp(**changes: float | str | bool | None) -> Chp:
    fields = {
        "electric_max_kw": 2.0,
        "heat_ratio": 1.5,
        "heat_profile": "heat",
        "heat_scale_kw": 2.0,
        "heat_store_max_kwh": 3.0,
        "heat_store_end_min_kwh": 0.0,
        "boiler_max_kw": 5.0,
        "boiler_eur_per_kwh": 0.08,
        "fuel_eur_per_kwh": 0.2,
    }
    return Chp.model_validate({"device": "engine", **fields, **changes})


def test_heat_pump_makes_heat_when_power_is_cheap() -> None:
    """1.5 kWh of heat a step at COP 3. The first is in store; 0.1 EUR makes the next two: 1 kWh electric."""
    found = cheapest([heat_pump()], half_hours(4), [0.4, 0.1, 0.3, 0.2], [0.0] * 4, HEAT)
    assert found.power_kw("pump") == pytest.approx([0, 2, 0, 1])
    assert found.energy_kwh("pump") == pytest.approx([0, 1.5, 0, 0])


def test_heat_pump_follows_its_cop_profile() -> None:
    """A kWh of heat costs price / COP: 0.2, 0.025, 0.15, 0.05. It makes 4 kWh at 0.1 EUR, and 0.5 later."""
    found = cheapest([heat_pump(cop_profile="cop")], half_hours(4), [0.4, 0.1, 0.3, 0.2], [0.0] * 4, HEAT)
    assert found.power_kw("pump") == pytest.approx([0, 2, 0, 0.25])


def test_heat_store_loses_per_hour_whatever_the_step() -> None:
    """3 kWh needed in the second step are 3.333 kWh in the first."""
    pump = heat_pump(
        heat_store_initial_kwh=0.0, heat_profile="late", heat_scale_kw=6.0, heat_store_loss_per_hour=0.19, cop=5.0
    )
    found = cheapest([pump], half_hours(2), [0.1, 0.4], [0.0, 0.0], {"late": [0.0, 1.0]})
    assert 0.5 * 5.0 * found.power_kw("pump") == pytest.approx([3.0 / 0.9, 0.0])
    assert found.energy_kwh("pump") == pytest.approx([3.0 / 0.9, 0.0])


def test_backup_heats_where_it_is_cheaper() -> None:
    """Heat costs 0.4 / 3 = 0.133 or 0.1: the back-up gives 1 kW of the 3, its greatest, and the pump the rest."""
    pump = heat_pump(heat_store_initial_kwh=0.0, backup_heat_max_kw=1.0, backup_heat_eur_per_kwh=0.1)
    found = cheapest([pump], half_hours(2), [0.4, 0.2], [0.0, 0.0], HEAT | {"heat": [1.0, 1.0]} | _two())
    assert found.schedule.aux[0] == pytest.approx([1.0, 0.0])
    assert found.power_kw("pump") == pytest.approx([2 / 3, 1.0])
    assert found.cost_eur == pytest.approx(0.5 * (0.1 + 0.4 * 2 / 3 + 0.2))


def _two() -> dict[str, list[float]]:
    return {"cop": [2.0, 4.0], "none": [0.0, 0.0]}


@pytest.mark.parametrize(("end", "least"), [(None, 1.5), (0.6, 0.6), (0.4, 0.4)])
def test_heat_at_the_end(end: float | None, least: float) -> None:
    """As at the start unless a level is given."""
    pump = heat_pump(heat_store_end_min_kwh=end, heat_store_min_kwh=0.3)
    found = cheapest([pump], half_hours(4), [0.4, 0.1, 0.3, 0.2], [0.0] * 4, HEAT)
    assert found.energy_kwh("pump")[-1] == pytest.approx(least)
    assert found.energy_kwh("pump").min() >= 0.3 - 1e-12


def test_heat_pump_runs_at_its_least_power_or_stands() -> None:
    """Brute force over 0 or 1 to 2 kW in steps of 0.125 kW."""
    pump = heat_pump(electric_min_kw=1.0)
    buy = [0.4, 0.1, 0.3, 0.2]
    found = cheapest([pump], half_hours(4), buy, [0.0] * 4, HEAT)
    best = np.inf
    for powers in product([0.0, *np.arange(1.0, 2.01, 0.125)], repeat=4):
        levels = 1.5 + np.cumsum(0.5 * (3.0 * np.array(powers) - 3.0))
        if levels.min() >= -1e-9 and levels.max() <= 6.0 + 1e-9:
            best = min(best, 0.5 * float(np.dot(powers, buy)))
    assert found.cost_eur == pytest.approx(best)


def test_chp_runs_where_power_and_heat_pay() -> None:
    """A kWh of electricity costs 0.2 of fuel and saves 1.5 x 0.08 = 0.12 of boiler heat: it runs from 0.08 on.

    At 0.1 it runs for the heat that the demand of 2 kW takes: 2 / 1.5 = 1.333 kW; at 0.05 the boiler heats.
    """
    engine = chp(heat_store_max_kwh=0.0)
    found = cheapest([engine], half_hours(4), [0.4] * 4, [0.1, 0.05, 0.09, 0.07], HEAT)
    assert found.power_kw("engine") == pytest.approx([-4 / 3, 0, -4 / 3, 0])
    assert found.schedule.aux[0] == pytest.approx([0, 2, 0, 2], abs=1e-12)
    assert found.cost_eur == pytest.approx(0.5 * (4 / 3 * (0.4 - 0.19) + 4 * 0.08))


def test_chp_vents_heat_where_power_alone_pays() -> None:
    """Sold at 0.3 for 0.2 of fuel: 2 kW make 3 kW of heat, 2 are taken, up to 0.4 vented, none stored."""
    engine = chp(heat_store_max_kwh=0.0, heat_spill_max_kw=0.4)
    found = cheapest([engine], half_hours(4), [0.4] * 4, [0.3, 0.31, 0.32, 0.33], HEAT)
    assert found.power_kw("engine") == pytest.approx([-1.6] * 4)
    assert found.schedule.spill[0] == pytest.approx([0.4] * 4)


def test_chp_times_are_rounded_up_to_steps() -> None:
    """45 minutes are two half-hours, an hour too; 2 kW per hour are 1 kW per step."""
    store = store_of(
        [chp(electric_min_kw=0.5, min_up_hours=0.75, min_down_hours=1.0, ramp_kw_per_hour=2.0)], half_hours(4), HEAT
    )
    assert (store.min_up[0], store.min_down[0], store.ramp[0]) == (2, 2, 1)


@pytest.mark.parametrize("on_initial", [False, True])
@pytest.mark.parametrize(("up", "down"), [(0.0, 0.0), (1.5, 0.0), (0.0, 1.5), (1.0, 1.0)])
def test_chp_starts_runs_and_rests(up: float, down: float, on_initial: bool) -> None:
    """Brute force over all 128 ways to be on or off in seven steps; heat plays no part."""
    engine = chp(
        heat_ratio=0.0, heat_profile=None, electric_min_kw=0.8, start_eur=0.15, min_up_hours=up, min_down_hours=down,
        on_initial=on_initial, boiler_max_kw=0.0,
    )  # fmt: skip
    sell = [0.35, 0.1, 0.45, 0.05, 0.3, 0.12, 0.5]
    found = cheapest([engine], half_hours(7), [0.6] * 7, sell)
    best = min(cost for on in product([0, 1], repeat=7) if (cost := _cost(on, sell, on_initial, up, down)) is not None)
    assert found.solution.method[0] == "milp"
    assert found.cost_eur == pytest.approx(best)


def _cost(on: tuple[int, ...], sell: list[float], before: bool, up: float, down: float) -> float | None:
    """What running so costs, None where a run or rest that begins and ends within the steps is too short."""
    edges = [n for n in range(7) if on[n] != (on[n - 1] if n else int(before))]
    for first, last in pairwise(edges):
        if (last - first) * 0.5 < (up if on[first] else down):
            return None
    power = [(2.0 if price > 0.2 else 0.8) * running for price, running in zip(sell, on, strict=True)]
    starts = sum(on[n] for n in edges)
    return 0.15 * starts + sum(0.5 * p * (0.2 - price) for p, price in zip(power, sell, strict=True))


def test_chp_ramps() -> None:
    """1 kW per step: to sell 2 kW at 0.9 it runs at 1 kW before and after, at a loss of 0.5 h x (0.1 + 0.15)."""
    engine = chp(heat_ratio=0.0, heat_profile=None, boiler_max_kw=0.0, ramp_kw_per_hour=2.0)
    found = cheapest([engine], half_hours(5), [1.0] * 5, [0.05, 0.1, 0.9, 0.05, 0.0])
    assert found.power_kw("engine") == pytest.approx([0, -1, -2, -1, 0])
    assert found.cost_eur == pytest.approx(0.5 * (0.1 + 0.15) - 0.5 * 2 * 0.7)


@pytest.mark.parametrize(
    ("device", "said"),
    [
        (heat_pump(electric_min_kw=3.0), "electric_min_kw 3, electric_max_kw 2"),
        (heat_pump(heat_store_initial_kwh=7.0), "heat_store_initial_kwh 7"),
        (heat_pump(cop_profile="none"), "cop_profile 'none' goes down to 0"),
        (chp(electric_min_kw=3.0), "electric_min_kw 3, electric_max_kw 2"),
        (chp(start_eur=0.3), "electric_min_kw above 0 with a start cost"),
        (chp(heat_store_end_min_kwh=4.0), "heat_store_end_min_kwh 4"),
    ],
)
def test_fields_that_do_not_fit_are_refused(device: Chp, said: str) -> None:
    """The message gives the numbers."""
    with pytest.raises(InputError, match=said):
        portfolio_of([device], half_hours(4), HEAT)
