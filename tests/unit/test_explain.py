"""Why a device does what it does: values worked out by hand, and what the sentences say of them."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import podium
from one_pod import half_hours
from podium.devices import Battery, Chp, EvCharger, FixedLoad, Pv
from podium.errors import InputError
from podium.explaining import DeviceReason, Explanation
from podium.market.prices import EnergyPrices
from podium.market.terms import GroupLimits, Market, PositionLimits, ReserveProduct
from podium.portfolio import Pod, Portfolio
from podium.study import Study

HORIZON = half_hours(3)
PRICES = EnergyPrices.single(np.array([40.0, 100.0, 200.0]))
MOMENTS = ("2018-05-14T00:00+02:00", "2018-05-14T00:40+02:00", "2018-05-14T01:00+02:00")


def battery(name: str = "b", **fields: float) -> Battery:
    return Battery.model_validate(
        {"device": name, "charge_max_kw": 4, "discharge_max_kw": 4, "energy_max_kwh": 10, "energy_initial_kwh": 0,
         "charge_efficiency": 0.9, "discharge_efficiency": 0.8, "wear_eur_per_kwh": 0.01, **fields}
    )  # fmt: skip


def study(*pods: Pod, prices: EnergyPrices | None = PRICES, market: Market | None = None) -> Study:
    profiles = {"load": np.array([1.0, 0.5, 2.0]), "sun": np.array([0.0, 2.0, 0.0])}
    return Study("Test", Portfolio.of(pods, HORIZON, profiles), prices, market=market or Market())


def written(given: Study, folder: Path) -> Path:
    podium.run(given, workers=1).write(folder / "results")
    return folder / "results"


def lone(found: Explanation) -> DeviceReason:
    return found.devices[0]


def test_the_value_of_stored_energy_is_what_the_last_kwh_costs(tmp_path: Path) -> None:
    """A stored kWh is worth what it saves: here 0.1 / 0.9 EUR.

    4 kW for half an hour out of the battery at 200 EUR/MWh need 2.5 kWh in it: 1.8 from the step at 40 at full
    power, the rest at 100. So a kWh that came into the store by itself would save 0.1 / 0.9, in every step.
    """
    given = study(Pod(pod="home", devices=[battery()]))
    folder = written(given, tmp_path)
    full, part, sale = (podium.explain(given, folder, pod="home", at=at) for at in MOMENTS)
    for found in (full, part, sale):
        assert lone(found).value_more_eur_per_kwh == pytest.approx(0.1 / 0.9, rel=1e-6)
        assert lone(found).value_less_eur_per_kwh == pytest.approx(0.1 / 0.9, rel=1e-6)
        assert lone(found).withdraw_below_eur_per_kwh == pytest.approx(0.1, rel=1e-6)
        assert lone(found).inject_above_eur_per_kwh == pytest.approx(0.1 / 0.9 / 0.8 + 0.01, rel=1e-6)
    assert lone(full).power_kw == pytest.approx(4)
    assert "It withdraws: the price of 0.0400 EUR/kWh is below that, so it takes all it can." in lone(full).why
    assert "It withdraws: the price of 0.1000 EUR/kWh is at that." in lone(part).why
    assert "It injects: the price of 0.2000 EUR/kWh is above that." in lone(sale).why
    assert "Stored energy is worth 0.1111 EUR/kWh at the end of the step." in sale.text


def test_a_kw_more_is_worth_what_it_moves(tmp_path: Path) -> None:
    """Charging: 0.5 kWh for 0.04 instead of 0.1 EUR. Selling: 0.5 kWh at 0.2 less wear, from 0.625 kWh at 0.1 / 0.9.

    At part power no limit binds.
    """
    given = study(Pod(pod="home", devices=[battery()]))
    folder = written(given, tmp_path)
    full, part, sale = (podium.explain(given, folder, pod="home", at=at) for at in MOMENTS)
    (most,) = lone(full).limits
    assert (most.limit, most.value, most.unit) == ("greatest withdrawal", 4, "kW")
    assert most.worth_eur == pytest.approx(0.5 * 0.06, rel=1e-6)
    assert lone(part).limits == ()
    by_name = {limit.limit: limit.worth_eur for limit in lone(sale).limits}
    assert by_name["greatest injection"] == pytest.approx(0.5 * 0.19 - 0.625 * 0.1 / 0.9, rel=1e-6)
    assert by_name["least energy"] == pytest.approx(0.1 / 0.9, rel=1e-6)


def test_a_limit_of_the_portfolio_has_the_price_that_the_market_has_not(tmp_path: Path) -> None:
    """Two batteries may take 6 kW together: what they lack at 40 EUR/MWh they buy at 100.

    So energy is worth 0.1 EUR/kWh to the portfolio in the first step, and a kW more of the limit 0.5 h x 0.06 EUR/kWh,
    within the gap of the plan; later nothing binds.
    """
    limits = PositionLimits(np.full(3, 6.0), np.full(3, math.inf))
    pods = [Pod(pod=name, devices=[battery(f"{name} b")]) for name in ("one", "two")]
    given = study(*pods, market=Market(limits=limits))
    folder = written(given, tmp_path)
    table = pd.read_parquet(folder / "limits.parquet")
    assert table[["what", "group"]].to_numpy().tolist() == [["withdrawal", ""]]
    assert table["time"][0] == HORIZON.times[0]
    assert table["limit_kw"][0] == 6
    assert table["eur_per_kw"][0] == pytest.approx(0.03, rel=0.01)
    first, later = (podium.explain(given, folder, pod="two", at=at) for at in MOMENTS[:2])
    assert first.coordination_eur_per_kwh == pytest.approx(0.1, rel=0.01)
    assert [limit.limit for limit in first.limits] == ["withdrawal of the portfolio"]
    assert "withdrawal of the portfolio, 6.000 kW; 1 kW more room is worth 0.0" in first.text
    assert later.limits == ()


def test_a_limit_of_a_group_is_told_to_its_members_alone(tmp_path: Path) -> None:
    """The feeder's limit stands in the explanation of a POD behind it, and in no other."""
    limits = PositionLimits(np.full(3, 3.0), np.full(3, math.inf))
    pods = [Pod(pod=name, group=group, devices=[battery(f"{name} b")]) for name, group in (("in", "f1"), ("out", ""))]
    given = study(*pods, market=Market(groups=(GroupLimits("f1", limits),)))
    folder = written(given, tmp_path)
    inside, outside = (podium.explain(given, folder, pod=pod, at=MOMENTS[0]) for pod in ("in", "out"))
    assert [limit.limit for limit in inside.limits] == ["withdrawal of group 'f1'"]
    assert inside.limits[0].worth_eur == pytest.approx(0.03, rel=0.01)
    assert inside.coordination_eur_per_kwh == pytest.approx(0.1, rel=0.01)
    assert outside.limits == ()
    assert outside.coordination_eur_per_kwh == pytest.approx(0.04, rel=0.01)


def test_the_most_of_an_offer_is_worth_what_it_earns(tmp_path: Path) -> None:
    """At one price for all, a battery backs 1 kW for nothing: another kW would earn 100 EUR/MW/h for 1.5 h."""
    product = ReserveProduct("up", "up", np.zeros(3, dtype=np.int64), np.array([100.0]), np.zeros(3),
                             sustain_hours=0.5, maximum_mw=np.array([0.001]))  # fmt: skip
    flat = EnergyPrices.single(np.full(3, 100.0))
    given = study(
        Pod(pod="home", devices=[battery(energy_initial_kwh=5)]), prices=flat, market=Market(reserves=(product,))
    )
    folder = written(given, tmp_path)
    table = pd.read_parquet(folder / "limits.parquet")
    assert table["what"].tolist() == ["most of up"]
    assert table["limit_kw"][0] == pytest.approx(1)
    assert table["eur_per_kw"][0] == pytest.approx(0.15, rel=0.01)
    found = podium.explain(given, folder, pod="home", at=MOMENTS[1])
    (held,) = lone(found).held
    assert (held.product, held.direction) == ("up", "up")
    assert held.kw >= 1 - 1e-6
    assert "kW up ready for up, at" in found.text


def test_headroom_costs_what_it_keeps_from_the_market(tmp_path: Path) -> None:
    """A full battery sells 2 of 4 kW in every step, to keep 2 kW free: a kW less of that sells half a kWh."""
    full = battery(energy_initial_kwh=10, energy_end_min_kwh=0)
    given = study(Pod(pod="home", devices=[full]), market=Market(headroom_up_kw=2.0))
    folder = written(given, tmp_path)
    table = pd.read_parquet(folder / "limits.parquet")
    assert table["what"].tolist() == ["headroom up"] * 3
    np.testing.assert_allclose(table["limit_kw"], 2.0)
    np.testing.assert_allclose(table["eur_per_kw"], [0.5 * 0.03, 0.5 * 0.09, 0.5 * 0.19], rtol=0.02)
    found = podium.explain(given, folder, pod="home", at=MOMENTS[2])
    assert lone(found).power_kw == pytest.approx(-2, abs=1e-6)
    assert "greatest injection, with the reserve held, −4.000 kW" in found.text


def test_prices_of_a_peak_sum_to_its_charge(tmp_path: Path) -> None:
    """Rows of the peak share its charge among the steps that make it; the limit is the plan's peak."""
    pods = [Pod(pod=name, devices=[battery(f"{name} b"), FixedLoad(device=name, profile="load")]) for name in "ab"]
    given = study(*pods, market=Market(peak_eur_per_kw=0.01))
    folder = written(given, tmp_path)
    table = pd.read_parquet(folder / "limits.parquet")
    position = pd.read_parquet(folder / "steps.parquet")["position_kw"]
    assert set(table["what"]) == {"peak"}
    assert table["eur_per_kw"].sum() == pytest.approx(0.01, rel=0.02)
    np.testing.assert_allclose(table["limit_kw"], position.max())


def test_reserve_pays_for_what_the_price_does_not(tmp_path: Path) -> None:
    """Down reserve at 1,000 EUR/MW/h makes a full battery sell at a price below what its energy is worth."""
    product = ReserveProduct("down", "down", np.zeros(3, dtype=np.int64), np.array([1000.0]), np.zeros(3),
                             sustain_hours=0.5, maximum_mw=np.array([math.inf]))  # fmt: skip
    full = battery(energy_initial_kwh=10, energy_end_min_kwh=0)
    given = study(Pod(pod="home", devices=[full]), market=Market(reserves=(product,)))
    found = podium.explain(given, written(given, tmp_path), pod="home", at=MOMENTS[0])
    assert lone(found).power_kw < 0
    assert lone(found).held
    assert any("kW down ready for down" in line for line in found.lines)


@pytest.mark.parametrize(
    ("priced", "words"),
    [(True, "the reserve that it holds ready pays for that"), (False, "it holds ready has no price in this step")],
)
def test_only_reserve_with_a_price_is_a_reason(tmp_path: Path, priced: bool, words: str) -> None:
    """A battery that holds headroom is made to buy at 200 EUR/MWh; without a price, headroom does not pay for that."""
    full = battery(energy_initial_kwh=10, energy_end_min_kwh=0)
    given = study(Pod(pod="home", devices=[full]), market=Market(headroom_up_kw=2.0))
    folder = written(given, tmp_path)
    schedule, shadow = (pd.read_parquet(folder / f"{name}.parquet") for name in ("schedule", "shadow"))
    schedule.loc[2, "power_kw"] = 1.0
    schedule.to_parquet(folder / "schedule.parquet")
    if not priced:
        shadow.assign(eur_per_kwh=shadow["eur_per_kwh"].where(shadow["what"] == "energy", 0.0)).to_parquet(
            folder / "shadow.parquet"
        )
    found = podium.explain(given, folder, pod="home", at=MOMENTS[2])
    (line,) = [line for line in lone(found).why if line.startswith("It withdraws although")]
    assert words in line


def test_devices_without_a_choice_say_so(tmp_path: Path) -> None:
    """A load is given; the sun's limit is worth the price of half an hour; each device once, or only the one asked."""
    given = study(Pod(pod="home", devices=[FixedLoad(device="load", profile="load"), Pv(device="pv", profile="sun")]))
    folder = written(given, tmp_path)
    found = podium.explain(given, folder, pod="home", at=MOMENTS[1])
    load, sun = found.devices
    assert load.why == ("It has no choice in this step: its power is given.",)
    assert load.value_more_eur_per_kwh is None
    assert sun.limits[0].worth_eur == pytest.approx(0.5 * 0.1, rel=1e-6)
    assert found.net_kw == pytest.approx(-1.5)
    assert [each.device for each in podium.explain(given, folder, pod="home", at=MOMENTS[1], device="pv").devices] == [
        "pv"
    ]


def test_a_tariff_is_part_of_the_price(tmp_path: Path) -> None:
    """In a study without a market each POD meets its tariff.

    A kWh is worth the selling price where the POD injects, the buying price where it withdraws.
    """
    pod = Pod(
        pod="home", buy_eur_per_kwh=0.3, sell_eur_per_kwh=0.08,
        devices=[FixedLoad(device="load", profile="load"), Pv(device="pv", profile="sun")],
    )  # fmt: skip
    given = study(pod, prices=None)
    folder = written(given, tmp_path)
    night, noon = (podium.explain(given, folder, pod="home", at=at) for at in MOMENTS[:2])
    assert (night.price_withdrawn_eur_per_kwh, noon.price_injected_eur_per_kwh) == (0.3, 0.08)
    assert night.coordination_eur_per_kwh is None
    assert "at the meter, tariff included, 1 kWh costs 0.3000 EUR" in night.text


def test_other_kinds_and_connections_are_explained(tmp_path: Path) -> None:
    """A connection has a worth where it holds a car's charging back; heat from an engine saves the boiler's.

    So the engine runs from 0.12 EUR/kWh of fuel less 1.5 kWh of heat at 0.09 EUR/kWh on.
    """
    car = EvCharger.model_validate(
        {"device": "car", "arrival": HORIZON.start, "departure": HORIZON.end, "charge_max_kw": 11,
         "energy_max_kwh": 40, "energy_arrival_kwh": 10, "energy_wanted_kwh": 14, "charge_efficiency": 0.9}
    )  # fmt: skip
    engine = Chp.model_validate(
        {"device": "chp", "electric_max_kw": 5, "heat_ratio": 1.5, "heat_profile": "load", "heat_store_max_kwh": 5,
         "heat_scale_kw": 8, "heat_store_initial_kwh": 2, "boiler_max_kw": 6,
         "boiler_eur_per_kwh": 0.09, "fuel_eur_per_kwh": 0.12}
    )  # fmt: skip
    pods = [Pod(pod="car", devices=[car], withdrawal_max_kw=4), Pod(pod="chp", devices=[engine])]
    given = study(*pods)
    folder = written(given, tmp_path)
    found = podium.explain(given, folder, pod="car", at=MOMENTS[0])
    (limit,) = found.limits
    assert limit.limit == "greatest withdrawal of the POD (in all steps)"
    assert limit.worth_eur is not None
    assert limit.worth_eur > 0
    for at in MOMENTS:
        reason = lone(podium.explain(given, folder, pod="chp", at=at))
        assert reason.inject_above_eur_per_kwh == pytest.approx(0.12 - 1.5 * 0.09)


def test_what_cannot_be_explained_is_told(tmp_path: Path) -> None:
    """A POD, a device or a time that is not there, and results that are not, are errors that say what was expected."""
    given = study(Pod(pod="home-1", devices=[battery()]), Pod(pod="mill", devices=[battery("m")]))
    with pytest.raises(InputError, match=r"no such folder; expected the results of a run"):
        podium.explain(given, tmp_path / "results", pod="mill", at=MOMENTS[0])
    folder = written(given, tmp_path)
    for words, options in (
        ("POD: 'hme-1'; expected 'home-1'", {"pod": "hme-1"}),
        ("has no offset from UTC; expected an offset such as .02:00", {"at": "2018-05-14T00:00"}),
        ("lies outside the horizon; expected a time from 2018-05-14T00:00:00", {"at": "2018-05-14T01:30+02:00"}),
        ("time: 'noon'; expected a time from", {"at": "noon"}),
        ("device 'bb': not at POD 'home-1'; expected 'b'", {"device": "bb"}),
    ):
        with pytest.raises(InputError, match=words):
            podium.explain(given, folder, **{"pod": "home-1", "at": MOMENTS[0], **options})


def test_a_pod_that_failed_has_no_reasons(tmp_path: Path) -> None:
    """It keeps its declared baseline: the error gives the reason of level 1."""
    broken = Pod(pod="broken", baseline_profile="load",
                 devices=[battery("x", energy_max_kwh=60, energy_end_min_kwh=50)])  # fmt: skip
    given = study(broken, Pod(pod="home", devices=[battery()]))
    folder = written(given, tmp_path)
    with pytest.raises(InputError, match="POD 'broken': has no schedule: "):
        podium.explain(given, folder, pod="broken", at=MOMENTS[0])


def test_an_explanation_is_plain_for_machines(tmp_path: Path) -> None:
    """JSON holds what the words say."""
    given = study(Pod(pod="home", devices=[battery()]))
    found = podium.explain(given, written(given, tmp_path), pod="home", at=MOMENTS[0])
    content = json.loads(json.dumps(found.as_dict()))
    assert content["devices"][0]["power_kw"] == pytest.approx(4)
    assert content["start"] == "2018-05-14T00:00:00+02:00"
    assert "\n".join(content["lines"]) == found.text
