"""Level 1 over many PODs: what fails and what is said of it, and that nothing else changes the result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from one_pod import half_hours, portfolio_of
from podium.devices import Battery, Chp, CurtailableLoad, Device, FixedLoad, HeatPump, Pv, ShiftableLoad
from podium.errors import InputError
from podium.flex.exclusive import Limits
from podium.flex.solve import Solution, solve
from podium.flexstore import FlexStore
from podium.local import LocalResult, optimise_local, respond
from podium.local.batch import BOUND_FLAT
from podium.portfolio import Meter, Pod, Portfolio

HORIZON = half_hours(4, "2018-05-14 06:00")
PROFILES = {"load": [1, 2, 5, 1], "sun": [1.0, 4, 6, 1], "even": [4.0] * 4, "heat": [0, 0, 6, 0], "declared": [7.0] * 4}
TARIFF = {"buy_eur_per_kwh": 0.3, "sell_eur_per_kwh": 0.1}


def battery(name: str = "b", **fields: float) -> Battery:
    return Battery.model_validate(
        {
            "device": name,
            "charge_max_kw": 2,
            "discharge_max_kw": 2,
            "energy_max_kwh": 10,
            "energy_initial_kwh": 5,
            "charge_efficiency": 0.9,
            "discharge_efficiency": 0.8,
            **fields,
        }
    )


def load(profile: str = "load", name: str = "load") -> FixedLoad:
    return FixedLoad(device=name, profile=profile)


def heat_pump(**fields: float) -> HeatPump:
    return HeatPump.model_validate(
        {
            "device": "hp",
            "electric_max_kw": 1,
            "cop": 3,
            "heat_profile": "even",
            "heat_store_max_kwh": 5,
            "heat_store_initial_kwh": 1,
            "heat_store_end_min_kwh": 0,
            **fields,
        }
    )


def chp(**fields: float | str) -> Chp:
    return Chp.model_validate(
        {
            "device": "chp",
            "electric_max_kw": 5,
            "heat_ratio": 1.2,
            "heat_profile": "even",
            "heat_store_max_kwh": 2.1,
            "heat_store_initial_kwh": 2,
            **fields,
        }
    )


def pods(*listed: Pod) -> Portfolio:
    return Portfolio.of(listed, HORIZON, {name: np.asarray(row, dtype=float) for name, row in PROFILES.items()})


def pod(name: str, *devices: Device, **fields: float | str) -> Pod:
    return Pod.model_validate({"pod": name, "devices": devices, **TARIFF, **fields})


def full(level_kwh: float, name: str) -> Battery:
    return battery(name, energy_initial_kwh=level_kwh, discharge_max_kw=0)


IMPOSSIBLE: list[tuple[Sequence[Device], dict[str, float], str]] = [
    (
        [battery(energy_end_min_kwh=9.5)],
        {},
        "device 'b': even at full input its store ends the step of 2018-05-14T07:30+02:00 0.900 kWh short of "
        "the 9.500 kWh it must hold",
    ),
    (
        [battery(energy_min_kwh=4, self_discharge_per_hour=0.5), battery("c")],
        {},
        "device 'b': even at full input its store ends the step of 2018-05-14T07:00+02:00 0.246 kWh short of "
        "the 4.000 kWh it must hold",
    ),
    (
        [heat_pump()],
        {},
        "device 'hp': even at full input its store ends the step of 2018-05-14T07:00+02:00 0.500 kWh short of "
        "the 0.000 kWh it must hold",
    ),
    (
        [load()],
        {"withdrawal_max_kw": 3},
        "in the step of 2018-05-14T07:00+02:00 its devices withdraw at least 5.000 kW, 2.000 kW more than "
        "withdrawal_max_kw 3",
    ),
    (
        [load(), battery()],
        {"withdrawal_max_kw": 2.5},
        "in the step of 2018-05-14T07:00+02:00 its devices withdraw at least 3.000 kW, 0.500 kW more than "
        "withdrawal_max_kw 2.5",
    ),
    (
        [load("even"), battery(energy_initial_kwh=1, energy_end_min_kwh=0)],
        {"withdrawal_max_kw": 2.5},
        "to keep its devices' limits it must withdraw at least 3.600 kW in some step, 1.100 kW more than "
        "withdrawal_max_kw 2.5",
    ),
    (
        [Pv(device="pv", profile="sun", curtailable=False)],
        {"injection_max_kw": 3},
        "in the step of 2018-05-14T07:00+02:00 its devices inject at least 6.000 kW, 3.000 kW more than "
        "injection_max_kw 3",
    ),
    (
        [Pv(device="pv", profile="even", curtailable=False), full(9.1, "b"), full(5, "c")],
        {"injection_max_kw": 1},
        "to keep its devices' limits it must inject at least 1.500 kW in some step, 0.500 kW more than "
        "injection_max_kw 1",
    ),
    (
        [chp(heat_profile="heat", ramp_kw_per_hour=1)],
        {},
        "device 'chp': its heat or energy needed, least power, least times, ramp and cycles cannot all be kept",
    ),
]


@pytest.mark.parametrize(("devices", "limits", "words"), IMPOSSIBLE)
def test_a_pod_that_fails_says_which_limits_and_by_how_much(
    devices: Sequence[Device], limits: dict[str, float], words: str
) -> None:
    """0.9 kWh: 5 + 4 x 0.5 h x 2 kW x 0.9 = 8.6 of 9.5. 3.6 kW: 1 kWh of the cells is 0.4 kW at the meter for 2 h.

    1.5 kW of injection: of 4 kW of sun two batteries take 4 kW, but the first has room for 0.9 kWh, 0.5 kW for 2 h.
    """
    result = optimise_local(pods(pod("bad", *devices, **limits)), workers=1)
    assert [failure.pod for failure in result.baseline.failures] == ["bad"]
    assert result.baseline.failures[0].reason == words


def test_a_failing_pod_stops_no_other_and_keeps_what_it_declared() -> None:
    """Its devices have no schedule and no band; the others are as they are without it."""
    good = [pod("first", load(name="l1"), battery("b1")), pod("last", load(name="l2"), battery("b2"))]
    bad = pod("bad", load(), battery(energy_end_min_kwh=9.5), baseline_profile="declared", baseline_scale_kw=0.5)
    result = optimise_local(pods(good[0], bad, good[1]), workers=1)
    alone = optimise_local(pods(*good), workers=1)
    base = result.baseline
    assert [failure.pod for failure in base.failures] == ["bad"]
    assert base.method.tolist() == ["kernel", "none", "kernel"]
    np.testing.assert_array_equal(base.net_kw[1], [3.5] * 4)
    np.testing.assert_allclose(base.cost_eur[1], 0.3 * 3.5 * 2)
    assert np.isnan(base.schedule.p[base.device_pod == 1]).all()
    for band in (result.up_kw, result.down_kw):
        assert (band[1] == 0).all()
    for name in ("min_kw", "max_kw"):
        np.testing.assert_array_equal(getattr(result, name)[1], [3.5] * 4)
    for name in ("min_kw", "max_kw", "up_kw", "down_kw"):
        np.testing.assert_array_equal(getattr(result, name)[[0, 2]], getattr(alone, name))
    np.testing.assert_array_equal(base.net_kw[[0, 2]], alone.baseline.net_kw)


def test_without_a_declared_baseline_loads_and_sun_come_as_they_are_and_stores_rest() -> None:
    devices = [load(), Pv(device="pv", profile="sun"), battery(energy_end_min_kwh=9.5)]
    result = optimise_local(pods(pod("bad", *devices)), workers=1)
    np.testing.assert_array_equal(result.baseline.net_kw[0], [0, -2, -1, 0])


def test_a_pod_may_fail_at_the_market_price_too() -> None:
    answer = respond(pods(pod("bad", battery(energy_end_min_kwh=9.5)), pod("good", load())), [0.1] * 4, workers=1)
    assert [failure.pod for failure in answer.failures] == ["bad"]
    np.testing.assert_array_equal(answer.net_kw, [[0] * 4, [1, 2, 5, 1]])


def test_a_pod_without_a_tariff_needs_a_market() -> None:
    lonely = Portfolio.of([Pod(pod="p", devices=[load()])], HORIZON, {"load": [1, 2, 5, 1]})
    with pytest.raises(InputError, match="POD 'p': no buying price"):
        optimise_local(lonely, workers=1)
    result = optimise_local(lonely, market_eur_per_kwh=[0.1, 0.2, 0.3, 0.4], workers=1)
    np.testing.assert_allclose(result.baseline.cost_eur, 0.5 * (0.1 + 0.4 + 1.5 + 0.4))


def many() -> Portfolio:
    """150 PODs of five makes, solved by the dynamic programme, linear and mixed-integer programmes; two fail."""
    makes: list[Callable[[int], Pod]] = [
        lambda n: pod(f"p{n}", load(name=f"l{n}"), battery(f"b{n}", energy_initial_kwh=4 + n % 3)),
        lambda n: pod(f"p{n}", load("even", f"l{n}"), battery(f"b{n}"), battery(f"c{n}"), withdrawal_max_kw=4.5),
        lambda n: pod(f"p{n}", heat_pump(device=f"h{n}", electric_max_kw=2 + 0.1 * (n % 4), electric_min_kw=0.5)),
        lambda n: pod(f"p{n}", Pv(device=f"s{n}", profile="sun"), battery(f"b{n}", wear_eur_per_kwh=0.01 * (n % 5))),
        lambda n: pod(f"p{n}", load("even", f"l{n}"), withdrawal_max_kw=3.0 if n in (49, 104) else None),
    ]
    return pods(*(makes[n % 5](n) for n in range(150)))


def same(one: LocalResult, other: LocalResult) -> None:
    for name in ("min_kw", "max_kw", "up_kw", "down_kw", "device_up_kw", "device_down_kw"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    for name in ("net_kw", "cost_eur", "bound_eur", "method", "device_ids", "device_pod"):
        np.testing.assert_array_equal(getattr(one.baseline, name), getattr(other.baseline, name), err_msg=name)
    for name in ("p", "e", "aux", "spill"):
        np.testing.assert_array_equal(getattr(one.baseline.schedule, name), getattr(other.baseline.schedule, name))
    assert one.baseline.failures == other.baseline.failures


def test_the_number_of_workers_changes_nothing() -> None:
    """Equal to the last bit, in the order of the study; the progress adds up."""
    portfolio, told = many(), [0, 0]

    def counted(place: int) -> Callable[[int], None]:
        def tell(done: int) -> None:
            told[place] += done

        return tell

    one, two = (optimise_local(portfolio, workers=n, progress=counted(n - 1)) for n in (1, 2))
    same(one, two)
    assert told == [150, 150]
    assert [failure.pod for failure in one.baseline.failures] == ["p49", "p104"]
    assert set(one.baseline.method) == {"kernel", "lp", "milp", "none"}


def test_the_size_of_parts_changes_no_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of 64 PODs or of 7: the same numbers to rounding, also where a programme starts from its neighbour's."""
    whole = optimise_local(many(), workers=1)
    monkeypatch.setattr("podium.local.batch.PART_PODS", 7)
    parted = optimise_local(many(), workers=1)
    np.testing.assert_allclose(whole.baseline.cost_eur, parted.baseline.cost_eur, rtol=0, atol=1e-9)
    for name in ("min_kw", "max_kw"):
        sums = (getattr(result, name).sum(axis=1) for result in (whole, parted))
        np.testing.assert_allclose(*sums, rtol=0, atol=1e-6)
    assert whole.baseline.failures == parted.baseline.failures


def test_least_and_greatest_energy_are_what_trying_everything_finds() -> None:
    """PV of 0 to 4 kW, 0 to 1 kW of a load cut, and a battery that may end 1 kWh lower, on a grid of powers.

    Least: all the sun, all cut, 1 kWh of cells out: 0.8 kWh. Greatest: no sun, nothing cut, and the battery takes what
    it can hold, or burns energy by charging and discharging in turn.
    """
    devices = [
        CurtailableLoad(device="cool", profile="even", curtailable_max_kw=1.0),
        Pv(device="pv", profile="even"),
        battery(energy_end_min_kwh=4.0),
    ]
    result = optimise_local(pods(pod("p", *devices)), workers=1)
    found = {"min": result.min_kw[0].sum() * 0.5, "max": result.max_kw[0].sum() * 0.5}
    assert found["min"] == pytest.approx(2 * (4 - 1) - 2 * 4 - 0.8, abs=1e-6)
    tried = [energy for energy in map(burnt, product(np.linspace(-2, 2, 17), repeat=4)) if energy is not None]
    assert -0.8 - 1e-9 <= min(tried) <= -0.6
    assert max(tried) - 1e-9 <= found["max"] - 2 * 4 <= max(tried) + 0.2


def burnt(powers: tuple[float, ...]) -> float | None:
    """Net energy of the battery under these powers, None where it ends below 4 kWh or breaks a limit."""
    level = 5.0
    for power in powers:
        level += 0.5 * (0.9 * max(power, 0) - max(-power, 0) / 0.8)
        if not 0 <= level <= 10:
            return None
    return 0.5 * sum(powers) if level >= 4 - 1e-9 else None


def test_sustain_is_counted_in_whole_steps() -> None:
    """0.6 h are two half-hours; too long a time is the horizon, 1 kWh of cells over 4 h; a short one is a step."""
    resting = battery(energy_end_min_kwh=4)
    portfolio = portfolio_of([resting], half_hours(8), buy_eur_per_kwh=0.3, sell_eur_per_kwh=-0.1)

    def up(hours: float) -> float:
        return float(optimise_local(portfolio, sustain_hours=hours, workers=1).up_kw[0, 0])

    assert up(0.6) == up(1.0)
    assert up(0.01) == up(0.5)
    assert up(100.0) == up(4.0) == pytest.approx(0.2, abs=1e-8)


def test_a_shiftable_load_has_one_sum_and_two_trajectories() -> None:
    mill = ShiftableLoad(device="mill", profile="load", shift_down_fraction=0.5, shift_up_fraction=0.5)
    result = optimise_local(pods(pod("p", mill)), workers=1)
    np.testing.assert_allclose([result.min_kw.sum(), result.max_kw.sum()], [9.0, 9.0], atol=1e-6)


def test_an_energy_bound_cut_short_by_time_is_never_worse_than_the_baseline(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first schedule that the solver meets may lie on the wrong side; the baseline is known to be possible."""
    portfolio = pods(pod("p", heat_pump(electric_max_kw=3.0, electric_min_kw=1.0, heat_store_max_kwh=5)))
    usual = optimise_local(portfolio, workers=1)

    def late(store: FlexStore, meter: Meter, hours: float, day: np.ndarray, limits: Limits) -> Solution:
        found = solve(store, meter, hours, day, limits)
        if limits.flat_eur == BOUND_FLAT:
            found.late, found.schedule = {0}, replace(found.schedule, p=3.0 - found.schedule.p)
        return found

    monkeypatch.setattr("podium.local.batch.solve", late)
    hurried = optimise_local(portfolio, workers=1)
    base = usual.baseline.net_kw
    assert hurried.min_kw.sum() <= base.sum() <= hurried.max_kw.sum()
    assert (hurried.min_kw == base).all() or (hurried.max_kw == base).all()
