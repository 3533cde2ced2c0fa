"""Loads, generation and given profiles, by hand: half-hour steps around midnight, prices that differ."""

import pytest

from one_pod import cheapest, half_hours, portfolio_of, store_of
from podium.devices import CurtailableLoad, FixedLoad, GivenProfile, Pv, ShiftableLoad, Wind
from podium.errors import InputError

LATE = half_hours(6, "2018-05-14 22:30")
"""Three steps before midnight, three after."""
BUY, SELL = [0.3, 0.5, 0.4, 0.6, 0.2, 0.1], [0.1] * 6


def curtailable(**changes: float | str) -> CurtailableLoad:
    fields = {"profile": "load", "scale_kw": 2.0, "curtailable_fraction": 0.5}
    return CurtailableLoad.model_validate({"device": "load", **fields, **changes})


def shiftable(**changes: float | str) -> ShiftableLoad:
    fields = {"profile": "load", "scale_kw": 2.0, "shift_down_fraction": 0.5, "shift_up_fraction": 0.25}
    return ShiftableLoad.model_validate({"device": "load", **fields, **changes})


def test_fixed_load_takes_profile_times_scale() -> None:
    """0.5 h x 1.5 x (1 x 0.3 + 2 x 0.5) = 0.975 EUR."""
    load = FixedLoad(device="load", profile="load", scale_kw=1.5)
    found = cheapest([load], half_hours(2), [0.3, 0.5], [0.1, 0.2], {"load": [1.0, 2.0]})
    assert found.power_kw("load") == pytest.approx([1.5, 3.0])
    assert found.cost_eur == pytest.approx(0.975)


@pytest.mark.parametrize("kind", [Pv, Wind])
def test_generation_is_curtailed_where_selling_costs(kind: type[Pv]) -> None:
    """It sells at 0.1 and not at -0.2; one that cannot be curtailed pays 0.5 h x 3 kW x 0.2."""
    for curtailable_, power, cost in ((True, [-1.5, 0.0], -0.075), (False, [-1.5, -3.0], 0.225)):
        plant = kind(device="plant", profile="sun", scale_kw=3.0, curtailable=curtailable_)
        found = cheapest([plant], half_hours(2), [0.2, -0.1], [0.1, -0.2], {"sun": [0.5, 1.0]})
        assert found.power_kw("plant") == pytest.approx(power)
        assert found.cost_eur == pytest.approx(cost)


@pytest.mark.parametrize(
    ("band", "power"),
    [({}, [-2.0, 4.0]), ({"band_kw": 0.3}, [-2.3, 4.3]), ({"band_fraction": 0.1}, [-2.2, 4.4])],
)
def test_given_profile_moves_within_its_band(band: dict[str, float], power: list[float]) -> None:
    """Down where energy costs, up where it pays; the fraction is of the magnitude."""
    plant = GivenProfile.model_validate({"device": "plant", "profile": "plan", "scale_kw": 2.0, **band})
    found = cheapest([plant], half_hours(2), [0.4, -0.1], [0.3, -0.2], {"plan": [-1.0, 2.0]})
    assert found.power_kw("plant") == pytest.approx(power)


def test_curtailable_load_cuts_what_is_dear() -> None:
    """Half of 2 kW at most, where a kWh costs more than the 0.35 that cutting it does."""
    load = curtailable(curtailment_eur_per_kwh=0.35)
    found = cheapest([load], LATE, BUY, SELL, {"load": [1.0] * 6})
    assert found.power_kw("load") == pytest.approx([2, 1, 1, 1, 2, 2])
    assert found.cost_eur == pytest.approx(0.5 * (0.6 + 0.5 + 0.4 + 0.6 + 0.4 + 0.2 + 3 * 0.35))


def test_curtailable_load_has_a_new_allowance_each_local_day() -> None:
    """0.7 kWh a day: before midnight 0.5 at 0.5 and 0.2 at 0.4, after it 0.5 at 0.6 and 0.2 at 0.2."""
    load = curtailable(curtailable_energy_kwh_per_day=0.7)
    found = cheapest([load], LATE, BUY, SELL, {"load": [1.0] * 6})
    assert 2.0 - found.power_kw("load") == pytest.approx([0, 1, 0.4, 1, 0.4, 0])
    assert found.energy_kwh("load") == pytest.approx([0.7, 0.2, 0.0, 0.2, 0.0, 0.0])


def test_curtailable_load_keeps_to_its_daily_window_across_midnight() -> None:
    """From 23:30 to 00:30 the steps 23:30 and 00:00, and at most 0.6 kW of the 2 x 0.5."""
    load = curtailable(curtailable_from="23:30", curtailable_to="00:30", curtailable_max_kw=0.6)
    found = cheapest([load], LATE, BUY, SELL, {"load": [1.0] * 6})
    assert 2.0 - found.power_kw("load") == pytest.approx([0, 0, 0.6, 0.6, 0, 0])


def test_curtailable_load_never_injects() -> None:
    """Of 0.4 kW nothing more than 0.4 can be cut, whatever curtailable_max_kw says."""
    load = CurtailableLoad(device="load", profile="load", curtailable_max_kw=5.0)
    found = cheapest([load], half_hours(2), [0.3, 0.5], [0.2, 0.4], {"load": [0.4, 0.2]})
    assert found.power_kw("load") == pytest.approx([0, 0], abs=1e-12)


def test_shiftable_load_makes_good_within_the_day() -> None:
    """Each day for itself: 1 kW down in the dearest step, half of it up in each of the two others.

    Before midnight down at 0.5, up at 0.3 and 0.4; after it down at 0.6, up at 0.2 and 0.1.
    """
    found = cheapest([shiftable()], LATE, BUY, SELL, {"load": [1.0] * 6})
    assert found.power_kw("load") == pytest.approx([2.5, 1, 2.5, 1, 2.5, 2.5])
    assert found.energy_kwh("load") == pytest.approx([0.25, -0.25, 0, -0.5, -0.25, 0])


def test_shiftable_load_may_lose_what_is_permitted() -> None:
    """0.1 kWh a day: 0.2 kW less where making good costs most, 0.4 before midnight and 0.2 after it."""
    found = cheapest([shiftable(energy_loss_max_kwh=0.1)], LATE, BUY, SELL, {"load": [1.0] * 6})
    assert found.power_kw("load") == pytest.approx([2.5, 1, 2.3, 1, 2.3, 2.5])


def test_shiftable_load_holds_back_at_most_its_shift_energy() -> None:
    """0.2 kWh at a time is 0.4 kW in a half-hour: up 0.4, down 0.8, up 0.4; after midnight down 0.4, up at 0.1 only."""
    found = cheapest([shiftable(shift_energy_max_kwh=0.2)], LATE, BUY, SELL, {"load": [1.0] * 6})
    assert found.power_kw("load") == pytest.approx([2.4, 1.2, 2.4, 1.6, 2.0, 2.4])
    assert abs(found.energy_kwh("load")).max() == pytest.approx(0.2)


def test_shiftable_load_moves_in_its_window_only() -> None:
    """From 22:30 to 23:30 the first two steps: 0.5 kW from 0.5 to 0.3."""
    found = cheapest([shiftable(shiftable_from="22:30", shiftable_to="23:30")], LATE, BUY, SELL, {"load": [1.0] * 6})
    assert found.power_kw("load") == pytest.approx([2.5, 1.5, 2, 2, 2, 2])


def test_a_day_of_25_hours_is_one_day() -> None:
    """On 2018-10-28 a day's allowance serves 50 half-hours; the hour from 02:00 is in its window twice."""
    horizon = half_hours(98, "2018-10-28 00:00")
    load = curtailable(curtailable_from="02:00", curtailable_to="03:00", curtailable_energy_kwh_per_day=1.6)
    store = store_of([load], horizon, {"load": [1.0] * 98})
    assert store.keep[0].nonzero()[0].tolist() == [n for n in range(98) if n not in (0, 50)]
    assert (store.p_min[0] < store.p_max[0]).nonzero()[0].tolist() == [4, 5, 6, 7, 54, 55]


@pytest.mark.parametrize(
    ("device", "said"),
    [
        (curtailable(curtailable_from="08:00"), "curtailable_from without curtailable_to"),
        (shiftable(shiftable_to="08:00"), "shiftable_to without shiftable_from"),
        (CurtailableLoad(device="load", profile="load"), "expected curtailable_max_kw or curtailable_fraction"),
        (GivenProfile(device="load", profile="load", band_kw=1, band_fraction=0.1), "not both"),
        (FixedLoad(device="load", profile="minus"), "profile 'minus' goes down to -1"),
        (Pv(device="load", profile="minus"), "profile 'minus' goes down to -1"),
        (FixedLoad(device="load", profile="typo"), "no profile 'typo'"),
    ],
)
def test_fields_that_do_not_fit_are_refused(device: FixedLoad, said: str) -> None:
    """The message says which field, and what was expected."""
    with pytest.raises(InputError, match=said):
        portfolio_of([device], half_hours(2), {"load": [1.0, 2.0], "minus": [1.0, -1.0]})
