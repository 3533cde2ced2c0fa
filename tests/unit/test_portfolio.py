"""PODs, their tariffs and connections, and parts of a portfolio."""

from collections.abc import Mapping

import numpy as np
import pytest

from one_pod import half_hours
from podium.devices import Battery, Device, FixedLoad, Pv
from podium.errors import InputError
from podium.flexstore import STEP_COLUMNS
from podium.portfolio import Pod, Portfolio
from random_pods import random_case

PROFILES: Mapping[str, list[float]] = {
    "load": [1.0, 2.0],
    "unused": [9.0, 9.0],
    "sun": [0.0, 3.0],
    "tariff": [0.2, 0.4],
    "plan": [0.5, -0.5],
}


def pods() -> list[Pod]:
    load = FixedLoad(device="load", profile="load", scale_kw=1.5)
    sun = Pv(device="sun", profile="sun")
    store = Battery(device="store", charge_max_kw=2, discharge_max_kw=2, energy_max_kwh=3, energy_initial_kwh=1)
    return [
        Pod(pod="home", devices=[store, load], buy_profile="tariff", buy_scale=1.5, sell_eur_per_kwh=0.1),
        Pod(pod="empty", baseline_profile="plan", baseline_scale_kw=3.0, peak_eur_per_kw=0.7),
        Pod(pod="park", devices=[sun], buy_eur_per_kwh=0.3, sell_eur_per_kwh=0.05, injection_max_kw=2.0),
    ]


def portfolio() -> Portfolio:
    return Portfolio.of(pods(), half_hours(2), PROFILES)


def test_devices_stand_by_pod_and_kind() -> None:
    """One row per device, sorted by POD; within a POD in the order of the kinds, not of the input."""
    store = portfolio().store()
    assert store.ids.tolist() == ["load", "store", "sun"]
    assert store.pod.tolist() == [0, 0, 2]
    assert store.has_store.tolist() == [False, True, False]
    assert store.full("p_max")[0] == pytest.approx([1.5, 3.0])


def test_tariffs_are_a_number_a_profile_or_the_market() -> None:
    """1.5 x the profile; the market where there is none; inf where a connection has no limit."""
    meter = portfolio().meter([0.11, 0.22])
    assert meter.buy == pytest.approx(np.array([[0.3, 0.6], [0.11, 0.22], [0.3, 0.3]]))
    assert meter.sell == pytest.approx(np.array([[0.1, 0.1], [0.11, 0.22], [0.05, 0.05]]))
    assert meter.injection_max.tolist() == [np.inf, np.inf, 2.0]
    assert meter.withdrawal_max.tolist() == [np.inf] * 3


def test_bill_is_energy_and_peak() -> None:
    """Half-hours: 0.5 x (2 x 0.3 - 1 x 0.1); 0.5 x (4 x 0.11 + 3 x 0.22) + 0.7 x 4; -0.5 x 1 x 0.05."""
    meter = portfolio().meter([0.11, 0.22])
    net = np.array([[2.0, -1.0], [4.0, 3.0], [-1.0, 0.0]])
    assert meter.bill(net, 0.5) == pytest.approx([0.25, 3.35, -0.025])


def test_at_one_price_there_is_no_peak_charge() -> None:
    """The same connections: 0.5 x (2 x 0.2 - 1 x 0.4), and nothing for the peak."""
    meter = portfolio().meter([0.1, 0.2]).at_price([0.2, 0.4])
    net = np.array([[2.0, -1.0]] * 3)
    assert meter.bill(net, 0.5) == pytest.approx([0.0] * 3)
    assert meter.injection_max.tolist() == [np.inf, np.inf, 2.0]


def test_a_pod_without_any_price_is_named() -> None:
    """Neither a tariff nor a market."""
    with pytest.raises(InputError, match=r"POD 'empty': no buying price"):
        portfolio().meter()


def test_selling_above_buying_is_refused() -> None:
    """Otherwise profit has no limit."""
    dear = Pod(pod="home", buy_eur_per_kwh=0.3, sell_profile="tariff")
    with pytest.raises(InputError, match=r"sells at 0.4 and buys at 0.3 EUR/kWh in step 1"):
        Portfolio.of([dear], half_hours(2), PROFILES).meter()


def test_declared_baseline() -> None:
    """Scaled where declared, else not a number."""
    declared = portfolio().declared_baseline_kw()
    assert declared[1] == pytest.approx([1.5, -1.5])
    assert np.isnan(declared[[0, 2]]).all()


def test_unused_profiles_are_left_out() -> None:
    """All columns still point to their profiles."""
    small = portfolio().compact()
    assert small.profiles.names == ("load", "sun", "tariff", "plan")
    np.testing.assert_array_equal(small.store().full("p_min"), portfolio().store().full("p_min"))
    np.testing.assert_array_equal(small.meter([0.1, 0.2]).buy, portfolio().meter([0.1, 0.2]).buy)
    np.testing.assert_array_equal(small.declared_baseline_kw(), portfolio().declared_baseline_kw())


@pytest.mark.parametrize("seed", range(6))
def test_parts_make_the_whole(seed: int) -> None:
    """20 random PODs cut in four, one part empty: the same devices, tariffs and limits as in the whole."""
    whole = random_case(seed, 2, pods=20, on_off=True).portfolio
    store, meter, first = whole.store(), whole.meter(), 0
    for last in (7, 7, 8, 20):
        part = whole.part(first, last)
        rows = (store.pod >= first) & (store.pod < last)
        assert part.ids.tolist() == whole.ids[first:last].tolist()
        mine = part.store()
        assert mine.ids.tolist() == store.ids[rows].tolist()
        assert (mine.pod + first).tolist() == store.pod[rows].tolist()
        for name in STEP_COLUMNS:
            np.testing.assert_array_equal(mine.full(name), store.full(name)[rows])
        np.testing.assert_array_equal(part.meter().buy, meter.buy[first:last])
        assert set(part.profiles.names) <= set(whole.profiles.names)
        first = last


def test_no_pods() -> None:
    """An empty portfolio has no devices and no bill."""
    empty = Portfolio.of([], half_hours(2), {})
    assert (len(empty), empty.device_count, empty.store().devices) == (0, 0, 0)
    assert empty.meter([0.1, 0.2]).bill(np.zeros((0, 2)), 0.5).shape == (0,)


@pytest.mark.parametrize(
    ("devices", "said"),
    [
        ([("a", "home"), ("a", "home")], "fixed_load 'a': this id occurs twice"),
        ([("a", "home"), ("b", "park"), ("b", "park")], "fixed_load 'b': this id occurs twice"),
    ],
)
def test_ids_are_unique(devices: list[tuple[str, str]], said: str) -> None:
    """Within a POD and across them."""
    listed: dict[str, list[Device]] = {}
    for name, pod in devices:
        listed.setdefault(pod, []).append(FixedLoad(device=name, profile="load"))
    with pytest.raises(InputError, match=said):
        Portfolio.of([Pod(pod=pod, devices=own) for pod, own in listed.items()], half_hours(2), PROFILES)


def test_ids_are_unique_across_kinds_and_pods() -> None:
    """A load and a PV plant of one id, and two PODs of one id: both are said at once."""
    same = [FixedLoad(device="a", profile="load"), Pv(device="a", profile="sun")]
    with pytest.raises(InputError) as caught:
        Portfolio.of([Pod(pod="home", devices=same), Pod(pod="home")], half_hours(2), PROFILES)
    assert "POD 'home': this id occurs twice" in str(caught.value)
    assert "pv 'a': a fixed_load has the same id" in str(caught.value)


def test_every_problem_is_said() -> None:
    """Three batteries, three faults; per cent instead of a fraction is recognised on the way in."""
    faulty = [
        Battery(device=f"b{n}", charge_max_kw=2, discharge_max_kw=2, energy_max_kwh=3, energy_initial_kwh=4 + n)
        for n in range(3)
    ]
    with pytest.raises(InputError) as caught:
        Portfolio.of([Pod(pod="home", devices=faulty)], half_hours(2), PROFILES)
    assert len(caught.value.problems) == 3
