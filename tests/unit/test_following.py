"""A large fleet follows a promise: whatever is asked, its schedules stay possible, and near to the best there is."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from podium.flexstore import FlexStore, concatenate
from podium.market import virtus
from podium.market.virtus.following import Followers, nearest

STEPS, HOURS = 12, 0.25


def fleet(seed: int, count: int = 12) -> FlexStore:
    """Batteries with losses, limits that change, and an end level; two per POD. Some start anew at noon."""
    random = np.random.default_rng(seed)
    energy = random.uniform(2, 8, count)
    power = energy[:, None] * random.uniform(0.0, 1.2, (count, STEPS))
    least = np.zeros((count, STEPS))
    least[:, -1] = 0.5 * energy
    keep = np.full((count, STEPS), 0.999)
    drift = np.zeros((count, STEPS))
    keep[::4, 6], drift[::4, 6] = 0.0, 0.6 * energy[::4]
    power[:, -4:] = np.maximum(power[:, -4:], energy[:, None])
    return FlexStore.of(
        np.array([f"battery {row}" for row in range(count)], dtype=object),
        np.arange(count) // 2,
        STEPS,
        p_min=-power,
        p_max=power,
        k_plus=random.uniform(0.8, 1.0, count),
        k_minus=1 / random.uniform(0.8, 1.0, count),
        e_min=least,
        e_max=energy,
        e_initial=0.5 * energy,
        keep=keep,
        drift=drift,
    )


def at_rest(store: FlexStore) -> np.ndarray:
    """The schedule of least energy: possible for each device alone."""
    return Followers.of(virtus.JointSet(store, HOURS), np.zeros((store.devices, STEPS))).follow(
        np.zeros(STEPS), np.zeros(STEPS), np.zeros(STEPS)
    )


def levels(store: FlexStore, powers: np.ndarray) -> np.ndarray:
    """Energy at the end of each step, by the store's equation."""
    energy, found = store.e_initial, np.empty(powers.shape)
    for step in range(STEPS):
        column = {name: store.full(name)[:, step] for name in ("keep", "drift", "k_plus", "k_minus")}
        plus, minus = np.maximum(powers[:, step], 0.0), np.maximum(-powers[:, step], 0.0)
        energy = column["keep"] * energy + column["drift"]
        energy = energy + HOURS * (column["k_plus"] * plus - column["k_minus"] * minus)
        found[:, step] = energy
    return found


def assert_possible(store: FlexStore, powers: np.ndarray) -> None:
    assert np.all(powers >= store.full("p_min") - 1e-9)
    assert np.all(powers <= store.full("p_max") + 1e-9)
    energy = levels(store, powers)
    assert np.all(energy >= store.full("e_min") - 1e-9)
    assert np.all(energy <= store.full("e_max") + 1e-9)


@given(st.integers(0, 2**32 - 1), st.floats(0.0, 2.0))
def test_whatever_is_asked_stays_possible(seed: int, share: float) -> None:
    """Any promise, within reach or not: powers, levels and end levels keep their limits."""
    store = fleet(seed)
    promised = np.random.default_rng(seed).uniform(-1, 1, STEPS) * share * store.full("p_max").sum(axis=0)
    followers = Followers.of(virtus.JointSet(store, HOURS), np.zeros((store.devices, STEPS)))
    for powers in (
        followers.follow(promised, np.zeros(STEPS), np.zeros(STEPS)),
        nearest(followers, promised, np.zeros(STEPS), np.full(STEPS, 3.0)),
    ):
        assert_possible(store, powers)


@given(st.integers(0, 2**32 - 1))
def test_connections_that_bind_keep_their_limits(seed: int) -> None:
    """Two batteries behind one meter share what room it leaves beside the schedule that they hold."""
    store = fleet(seed)
    held = at_rest(store)
    net = held.reshape(-1, 2, STEPS).sum(axis=1)
    withdrawal, injection = (side.max(axis=1) + 0.5 for side in (net, -net))
    joint = virtus.JointSet(store, HOURS, np.maximum(withdrawal, 0.0), np.maximum(injection, 0.0))
    asked = np.random.default_rng(seed).uniform(-1, 1, STEPS) * store.full("p_max").sum(axis=0)
    powers = Followers.of(joint, held[~joint.free()]).follow(asked, np.zeros(STEPS), np.zeros(STEPS))
    assert_possible(store, powers)
    together = powers.reshape(-1, 2, STEPS).sum(axis=1)
    assert np.all(together <= joint.withdrawal_max_kw[:, None] + 1e-9)
    assert np.all(together >= -joint.injection_max_kw[:, None] - 1e-9)


def test_devices_with_a_memory_stay_where_they_are() -> None:
    """A cycle limit on the first, a boiler at the second: only the others move."""
    store = fleet(1)
    held = at_rest(store)
    cycles, boiler = np.full(store.devices, np.inf), np.zeros((store.devices, STEPS))
    cycles[0], boiler[1] = 1.0, 0.5
    limited = FlexStore(**{**vars(store), "discharge_day_max": cycles, "aux_max": boiler})
    followers = Followers.of(virtus.JointSet(limited, HOURS), held)
    powers = followers.follow(np.full(STEPS, 5.0), np.zeros(STEPS), np.zeros(STEPS))
    assert_allclose(powers[:2], held[:2], atol=1e-9)
    assert abs(powers[2:] - held[2:]).max() > 0.1


def test_hours_left_are_levelled() -> None:
    """8 kW asked of 4 kW x 4 h and 8 kW x 1 h: the longer store gives its 4 kW, the shorter one the other 4."""
    ids, pods = np.array(["long", "short"], dtype=object), np.arange(2)
    store = FlexStore.of(
        ids, pods, 2, p_min=[-4.0, -8.0], p_max=0.0, k_minus=1.0, k_plus=1.0, e_max=16.0, e_initial=[16.0, 8.0]
    )
    followers = Followers.of(virtus.JointSet(store, 0.5), np.zeros((2, 2)))
    powers = followers.follow(np.full(2, -8.0), np.zeros(2), np.zeros(2))
    assert_allclose(powers[:, 0], [-4.0, -4.0], atol=1e-6)


def test_energy_that_must_be_bought_back_is_not_sold() -> None:
    """All discharge and a full store at the end: giving 1 kWh costs 1 / (0.9 x 0.8) kWh later, so nothing is given."""
    count = 300
    store = FlexStore.of(
        np.array([f"b{row}" for row in range(count)], dtype=object), np.arange(count), 8,
        p_min=-2.0, p_max=2.0, k_plus=0.9, k_minus=1.25, e_max=4.0, e_initial=4.0,
        e_min=np.concatenate([np.zeros((count, 7)), np.full((count, 1), 4.0)], axis=1),
    )  # fmt: skip
    promised = np.full(8, -0.5 * count)
    found = virtus.undelivered(promised, virtus.JointSet(store, 0.5))
    assert found.upper_kwh == pytest.approx(8 * 0.5 * 0.5 * count, rel=0.01)
    assert found.lower_kwh == pytest.approx(found.upper_kwh, rel=0.02)


@pytest.mark.parametrize("seed", range(4))
def test_large_fleets_have_the_bracket_of_one_programme(seed: int) -> None:
    """What follows and prices prove, against all devices in one linear programme: overlapping and no wider than 5 %."""
    random = np.random.default_rng(seed)
    stores = [fleet(seed + 10 * n) for n in range(6)]
    shifted = [FlexStore(**{**vars(store), "pod": store.pod + 6 * n}) for n, store in enumerate(stores)]
    store = concatenate(shifted, STEPS)
    promised = np.repeat(random.uniform(-1, 1, STEPS // 4), 4) * 0.4 * store.full("p_max").sum(axis=0)
    joint = virtus.JointSet(store, HOURS)
    one, many = virtus.undelivered(promised, joint), virtus.undelivered(promised, joint, explicit_devices=0)
    for low, high in pairwise((one, many, one)):
        assert low.lower_kwh <= high.upper_kwh + 1e-6
    promise_kwh = HOURS * abs(promised).sum()
    assert many.upper_kwh - many.lower_kwh <= 0.05 * many.upper_kwh + 2e-3 * promise_kwh
    assert_allclose(HOURS * abs(promised - many.delivered_kw).sum(), many.upper_kwh, atol=1e-9)


def test_many_connections_that_bind_still_have_a_bracket() -> None:
    """150 PODs with two batteries each and a connection of 1 kW: no schedule passes it, whatever is promised."""
    stores = [fleet(n) for n in range(25)]
    store = concatenate([FlexStore(**{**vars(s), "pod": s.pod + 6 * n}) for n, s in enumerate(stores)], STEPS)
    held = at_rest(store)
    net = abs(held.reshape(-1, 2, STEPS).sum(axis=1)).max(axis=1)
    joint = virtus.JointSet(store, HOURS, net + 1.0, net + 1.0)
    promised = np.where(np.arange(STEPS) < 6, 1.0, -1.0) * 2.0 * len(net)
    found = virtus.undelivered(promised, joint, held_kw=held)
    one = virtus.undelivered(promised, joint, explicit_devices=1000)
    assert found.lower_kwh <= one.upper_kwh + 1e-6
    assert one.lower_kwh <= found.upper_kwh + 1e-6
    assert found.upper_kwh >= one.lower_kwh - 1e-6
