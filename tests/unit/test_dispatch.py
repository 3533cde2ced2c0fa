"""Backing, activation and takeover by hand: half-hours, losses, no two prices or powers alike."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from one_pod import at, half_hours, portfolio_of
from podium.devices import Battery, Chp, Device, EvCharger, FixedLoad, HeatPump, Pv
from podium.dispatch import (
    Areas,
    Backing,
    Calls,
    Fleet,
    Reallocator,
    activate,
    areas_of,
    by_cost,
    by_priority,
    greatest_backing,
    in_proportion,
    order_of,
    safe_backing,
)
from podium.errors import InputError
from podium.flex.exact import Schedule
from podium.flexstore import FlexStore
from podium.market.terms import GroupLimits, Market, PositionLimits

Floats = NDArray[np.float64]
STEPS = 4


def battery(name: str, **fields: float) -> Battery:
    """3 kW either way, 1 to 9 kWh, 5 kWh at the start, efficiencies 0.9 and 0.8."""
    given = {
        "charge_max_kw": 3.0,
        "discharge_max_kw": 3.0,
        "energy_max_kwh": 9.0,
        "energy_min_kwh": 1.0,
        "energy_initial_kwh": 5.0,
        "charge_efficiency": 0.9,
        "discharge_efficiency": 0.8,
    }
    return Battery.model_validate({"device": name, **given, **fields})


def fleet_of(*devices: Device, **pod: float) -> Fleet:
    profiles = {"load": [4.0] * STEPS, "sun": [2.0] * STEPS, "heat": [3.0] * STEPS}
    portfolio = portfolio_of(devices, half_hours(STEPS), profiles, buy_eur_per_kwh=0.3, sell_eur_per_kwh=0.1, **pod)
    return Fleet.of(portfolio.store(), portfolio.meter(), portfolio.horizon)


def followed(store: FlexStore, p: Floats) -> Schedule:
    """The schedule of these powers, boiler and vent closed."""
    e, level = np.zeros(p.shape), store.e_initial
    for t in range(p.shape[1]):
        flow = np.where(p[:, t] > 0, store.full("k_plus")[:, t], store.full("k_minus")[:, t]) * p[:, t]
        level = store.full("keep")[:, t] * level + 0.5 * flow + store.full("drift")[:, t]
        e[:, t] = np.where(store.has_store, level, 0.0)
    return Schedule(p, e, np.zeros(p.shape), np.zeros(p.shape))


def at_rest(fleet: Fleet) -> Schedule:
    return followed(fleet.store, np.array(fleet.store.full("p_usual")))


def backing_of(up: Floats | None, down: Floats | None, *sustain_hours: float) -> Backing:
    shape = (up if up is not None else down).shape
    names = tuple(f"product {number}" for number in range(len(sustain_hours)))
    sides = (np.zeros(shape) if side is None else side for side in (up, down))
    return Backing(names, np.array(sustain_hours), *sides)


def constant(*kilowatts: float) -> Floats:
    """One product, the same backing in every step. Shape (1, device, step)."""
    return np.repeat(np.array(kilowatts)[None, :, None], STEPS, axis=2)


def test_a_store_s_room_is_shared_by_the_steps_of_a_call() -> None:
    """4 kWh above its least level: for one hour 4 x 0.8 = 3.2 kW, more than its 3 kW; for two hours 1.6 kW.

    Filling: 4 kWh below its greatest, at worst 1 / 0.8 stored per kWh taken, hence the same.
    """
    fleet = fleet_of(battery("b"))
    for hours, most in ((1.0, 3.0), (2.0, 1.6), (0.2, 3.0)):
        up, down = greatest_backing(fleet, at_rest(fleet), hours)
        np.testing.assert_allclose(up, [[most] * STEPS])
        np.testing.assert_allclose(down, [[most] * STEPS])


def test_what_is_backed_already_counts() -> None:
    """1 kW for two hours takes 2 x 1 / 0.8 = 2.5 of the 4 kWh; 1.5 kWh are 1.2 kW for one hour more."""
    fleet = fleet_of(battery("b"))
    up, _ = greatest_backing(fleet, at_rest(fleet), 1.0, backing_of(constant(1.0), None, 2.0))
    np.testing.assert_allclose(up, [[1.2] * STEPS])


def test_backing_is_shrunk_in_proportion_and_only_where_it_must() -> None:
    """Two products of two hours and half an hour, 2 kW each: at once 2 x 2 x 1.25 + 0.5 x 2 x 1.25 = 6.25 > 4 kWh.

    All steps shrink by 4 / 6.25 = 0.64. With the first product in the first step only, every other window holds.
    """
    fleet = fleet_of(battery("b"))
    both = np.concatenate((constant(2.0), constant(1.0)))
    safe = safe_backing(fleet, at_rest(fleet), backing_of(both, None, 2.0, 0.5))
    np.testing.assert_allclose(safe.up_kw[0], [[2.0 * 4 / 5.625] * STEPS])
    np.testing.assert_allclose(safe.up_kw[1], [[1.0 * 4 / 5.625] * STEPS])
    once = both.copy()
    once[0, 0, 1:] = 0.0
    safe = safe_backing(fleet, at_rest(fleet), backing_of(once, None, 2.0, 0.5))
    np.testing.assert_allclose(safe.up_kw[1], [[1.0 * 4 / 5.625, 1.0, 1.0, 1.0]])


def test_power_and_connection_bound_backing() -> None:
    """Charging 1 kW it can give up 4 and take 2; the connection of 6 kW leaves 6 - 4 - 1 = 1 kW to take."""
    fleet = fleet_of(FixedLoad(device="load", profile="load"), battery("b"), withdrawal_max_kw=6.0)
    plan = followed(fleet.store, np.array([[4.0] * STEPS, [1.0, 0.0, 0.0, 0.0]]))
    asked = np.zeros((1, 2, STEPS))
    asked[0, :, 0] = [2.5, 5.0]
    safe = safe_backing(fleet, plan, backing_of(asked, asked, 0.5))
    np.testing.assert_allclose(safe.up_kw[0, :, 0], [0.0, 4.0])
    np.testing.assert_allclose(safe.down_kw[0, :, 0], [0.0, 1.0])


def test_what_is_off_backs_nothing_and_what_is_on_stays_on() -> None:
    """An engine of 2 to 5 kW at 3 kW can give 2 kW more and take 1; while it is off, nothing."""
    engine = Chp(
        device="chp",
        electric_max_kw=5.0,
        electric_min_kw=2.0,
        heat_profile="heat",
        heat_store_max_kwh=20.0,
        heat_store_initial_kwh=10.0,
        boiler_max_kw=6.0,
        heat_spill_max_kw=9.0,
    )
    fleet = fleet_of(engine)
    up, down = greatest_backing(fleet, followed(fleet.store, np.array([[-3.0, -3.0, 0.0, 0.0]])), 0.5)
    np.testing.assert_allclose(up, [[2.0, 2.0, 0.0, 0.0]])
    np.testing.assert_allclose(down, [[1.0, 1.0, 0.0, 0.0]])


def test_a_cycle_limit_leaves_what_the_plan_does_not_discharge() -> None:
    """0.25 cycles of 9 kWh x 0.8 = 1.8 kWh a day, 1 kWh of it planned: 0.8 kWh in an hour; charging less is free."""
    fleet = fleet_of(battery("b", cycles_max_per_day=0.25))
    plan = followed(fleet.store, np.array([[-2.0, 0.0, 0.0, 1.0]]))
    up, _ = greatest_backing(fleet, plan, 1.0)
    np.testing.assert_allclose(up, [[0.8, 0.8, 0.8, 1.8]])


def test_a_call_is_shared_in_proportion_and_then_the_plan_goes_on() -> None:
    """3 and 1 kW behind an offer of 4 kW: a call of 3 kW takes 2.25 and 0.75; energies fall by 0.625 times that."""
    fleet = fleet_of(battery("a"), battery("b"))
    offer = np.zeros((1, 2, STEPS))
    offer[0, :, 1:3] = [[3.0, 3.0], [1.0, 1.0]]
    calls = Calls(np.array([[0.0, 3.0, 0.0, 0.0]]), np.zeros((1, STEPS)))
    done = activate(fleet, at_rest(fleet), backing_of(offer, None, 0.5), calls)
    np.testing.assert_allclose(done.schedule.p, [[0, -2.25, 0, 0], [0, -0.75, 0, 0]], atol=1e-9)
    np.testing.assert_allclose(done.schedule.e[:, 1], [5 - 0.625 * 2.25, 5 - 0.625 * 0.75])
    assert (done.undelivered_kw.max(), abs(done.recovery_kw).max()) == (0.0, 0.0)
    np.testing.assert_allclose(done.kept.up_kw[0, :, 2], [3.0, 1.0])


def car() -> EvCharger:
    """From the start until 01:30, 4 kW with 0.9, 10 of 20 kWh there, 12.7 wanted."""
    return EvCharger(
        device="car",
        arrival=at("2018-05-14 00:00"),
        departure=at("2018-05-14 01:30"),
        charge_max_kw=4.0,
        energy_max_kwh=20.0,
        energy_arrival_kwh=10.0,
        energy_wanted_kwh=12.7,
        charge_efficiency=0.9,
    )


def test_a_car_catches_up_before_it_leaves_and_others_make_room() -> None:
    """3, 3 and 0 kW bring 2.7 kWh. Called 3 kW in the first step, it lacks 1.35 kWh: 3 kW more in the third.

    The battery gives up those 3 kW. Without it the position rises by them, and that is said.
    """
    plan = [[3.0, 3.0, 0.0, 0.0]]
    calls = Calls(np.array([[3.0, 0.0, 0.0, 0.0]]), np.zeros((1, STEPS)))
    alone = fleet_of(car())
    offer = np.zeros((1, 1, STEPS))
    offer[0, 0, 0] = 3.0
    done = activate(alone, followed(alone.store, np.array(plan)), backing_of(offer, None, 0.5), calls)
    np.testing.assert_allclose(done.schedule.p, [[0.0, 3.0, 3.0, 0.0]], atol=1e-6)
    np.testing.assert_allclose(done.recovery_kw, [0.0, 0.0, 3.0, 0.0], atol=1e-6)
    helped = fleet_of(battery("b"), car())
    order = [list(helped.store.ids).index(name) for name in ("car", "b")]
    p = np.zeros((2, STEPS))
    p[order[0]] = plan[0]
    offer = np.zeros((1, 2, STEPS))
    offer[0, order[0], 0] = 3.0
    done = activate(helped, followed(helped.store, p), backing_of(offer, None, 0.5), calls)
    np.testing.assert_allclose(done.schedule.p[order[1]], [0.0, 0.0, -3.0, 0.0], atol=1e-6)
    np.testing.assert_allclose(done.recovery_kw, 0.0, atol=1e-6)


def within(fleet: Fleet, withdrawal_max_kw: list[float]) -> Fleet:
    """The fleet under a limit of the whole portfolio."""
    everywhere = np.zeros(fleet.store.devices, dtype=np.int64)
    return replace(fleet, areas=(Areas(everywhere, np.array([withdrawal_max_kw]), np.full((1, STEPS), np.inf)),))


def test_a_car_catches_up_earlier_where_the_portfolio_has_room() -> None:
    """Of the 3 kW that it lacks, 2 kW fit beside the plan in the third step, so that the second has 1 kW more.

    Where the limits leave nothing in the second step and 1 kW in the third, the car comes first, and 2 kW are told.
    """
    calls = Calls(np.array([[3.0, 0.0, 0.0, 0.0]]), np.zeros((1, STEPS)))
    offer = np.zeros((1, 1, STEPS))
    offer[0, 0, 0] = 3.0
    fleet = fleet_of(car())
    plan = followed(fleet.store, np.array([[3.0, 3.0, 0.0, 0.0]]))
    done = activate(within(fleet, [3.0, 4.0, 2.0, 0.0]), plan, backing_of(offer, None, 0.5), calls)
    np.testing.assert_allclose(done.schedule.p, [[0.0, 4.0, 2.0, 0.0]], atol=1e-6)
    np.testing.assert_allclose(done.recovery_kw, [0.0, 1.0, 2.0, 0.0], atol=1e-6)
    np.testing.assert_allclose(done.beyond_kw, 0.0, atol=1e-6)
    done = activate(within(fleet, [3.0, 3.0, 1.0, 0.0]), plan, backing_of(offer, None, 0.5), calls)
    np.testing.assert_allclose(done.schedule.p, [[0.0, 3.0, 3.0, 0.0]], atol=1e-6)
    np.testing.assert_allclose(done.beyond_kw, [0.0, 0.0, 2.0, 0.0], atol=1e-6)


def test_a_promise_is_given_up_where_the_portfolio_has_no_room_to_recover() -> None:
    """2 kW called leave 3.75 kWh; 2.4 kW for an hour need 4. With 0.1 kW a step brings 0.045 kWh: 3.795, 3.84, 3.885.

    2.84 of 3 kWh above the least level are 2.272 kW, 2.885 are 2.308 kW. Without the limit step three brings 0.25 kWh.
    """
    fleet, offer = fleet_of(battery("b")), np.zeros((1, 1, STEPS))
    offer[0, 0] = [2.0, 0.0, 2.4, 2.4]
    calls = Calls(np.array([[2.0, 0.0, 0.0, 0.0]]), np.zeros((1, STEPS)))
    free = activate(fleet, at_rest(fleet), backing_of(offer, None, 1.0), calls)
    np.testing.assert_allclose(free.schedule.p, [[-2.0, 0.0, 0.25 / 0.45, 0.0]], atol=1e-6)
    np.testing.assert_allclose(free.kept.up_kw[0, 0], [0.0, 0.0, 2.4, 2.4], atol=1e-6)
    done = activate(within(fleet, [0.1] * STEPS), at_rest(fleet), backing_of(offer, None, 1.0), calls)
    np.testing.assert_allclose(done.schedule.p, [[-2.0, 0.1, 0.1, 0.1]], atol=1e-6)
    np.testing.assert_allclose(done.kept.up_kw[0, 0], [0.0, 0.0, 2.272, 2.308], atol=1e-6)
    np.testing.assert_allclose(done.beyond_kw, 0.0, atol=1e-6)


def test_who_makes_room_stays_within_the_limits_of_its_group() -> None:
    """5 kW beside are shared by two batteries; the group of the first may inject 1 kW, so that the other gives 3 kW."""
    fleet = fleet_of(battery("a"), battery("b"))
    limits = PositionLimits(np.full(STEPS, np.inf), np.full(STEPS, 1.0))
    market = Market(groups=(GroupLimits("north", limits),))
    areas = areas_of(market, np.array([0, 1]), ["north", ""])
    step = Reallocator(replace(fleet, areas=areas), at_rest(fleet)).step(beside_kw=5.0)
    np.testing.assert_allclose((*step.p_kw, step.uncovered_kw), (-1.0, -3.0, 1.0), atol=1e-6)
    assert step.beyond_kw == pytest.approx(0.0, abs=1e-6)


def test_areas_are_groups_with_limits_and_then_the_whole() -> None:
    """What others draw there is taken from the limits; a group without limits is as none."""
    free, some = PositionLimits.free(2), PositionLimits(np.array([9.0, 8.0]), np.array([7.0, np.inf]))
    market = Market(limits=some, groups=(GroupLimits("south", free), GroupLimits("north", some)))
    held = np.array([[0.0, 0.0], [1.5, -2.0], [0.5, 0.0]])
    groups, whole = areas_of(market, np.array([0, 0, 2]), ["north", "north", "south"], held)
    assert (groups.of_device.tolist(), whole.of_device.tolist()) == ([0, 0, 1], [0, 0, 0])
    assert groups.withdrawal_max_kw.tolist() == [[7.5, 10.0], [np.inf, np.inf]]
    assert groups.injection_max_kw.tolist() == [[8.5, np.inf], [np.inf, np.inf]]
    assert (whole.withdrawal_max_kw.tolist(), whole.injection_max_kw.tolist()) == ([[7.0, 10.0]], [[9.0, np.inf]])
    assert areas_of(Market(), np.array([0]), ["north"]) == ()


def test_a_back_up_heater_answers_when_the_tank_would_run_dry() -> None:
    """1 kW at COP 3 meets the demand. Not running for an hour misses 3 kWh; the tank has 2, the back-up gives 1.

    (No rule would let it back that much.)
    """
    pump = HeatPump(
        device="pump",
        electric_max_kw=1.0,
        heat_profile="heat",
        heat_store_max_kwh=8.0,
        heat_store_initial_kwh=2.0,
        backup_heat_max_kw=2.0,
    )
    fleet = fleet_of(pump)
    plan = followed(fleet.store, np.ones((1, STEPS)))
    offer = np.zeros((1, 1, STEPS))
    offer[0, 0, :2] = 1.0
    calls = Calls(np.array([[1.0, 1.0, 0.0, 0.0]]), np.zeros((1, STEPS)))
    done = activate(fleet, plan, backing_of(offer, None, 1.0), calls)
    np.testing.assert_allclose(done.schedule.p, [[0.0, 0.0, 1.0, 1.0]])
    np.testing.assert_allclose(done.schedule.e, [[0.5, 0.0, 0.0, 0.0]], atol=1e-7)
    np.testing.assert_allclose(done.schedule.aux, [[0.0, 2.0, 0.0, 0.0]], atol=1e-7)


def test_calls_that_were_not_offered_are_refused() -> None:
    """By product, time, what was called and what is offered; all of them at once."""
    fleet = fleet_of(battery("b"))
    backing = backing_of(constant(1.25), constant(0.5), 0.5)
    calls = Calls(np.array([[0.0, 1.5, 0.5, 0.0]]), np.array([[0.0, 0.0, 0.25, -0.1]]))
    with pytest.raises(InputError) as raised:
        activate(fleet, at_rest(fleet), backing, calls)
    assert [str(problem) for problem in raised.value.problems] == [
        "product 0 at 2018-05-14T00:30+02:00: 1.5 kW called up; expected from 0 to the 1.25 kW offered",
        "product 0 at 2018-05-14T01:30+02:00: -0.1 kW called down; expected from 0 to the 0.5 kW offered",
        "product 0 at 2018-05-14T01:00+02:00: 0.5 kW up and 0.25 kW down; expected a call in one direction",
    ]
    with pytest.raises(InputError, match="expected \\(1, 4\\), product x step"):
        activate(fleet, at_rest(fleet), backing, Calls(np.zeros((2, 4)), np.zeros((2, 4))))


def test_devices_without_a_schedule_stay_out() -> None:
    """They back nothing, take nothing over, and keep their NaN."""
    fleet = fleet_of(battery("a"), battery("b"))
    plan = at_rest(fleet)
    for values in (plan.p, plan.e, plan.aux, plan.spill):
        values[1] = np.nan
    up, down = greatest_backing(fleet, plan, 1.0)
    assert (up[1].any(), down[1].any(), up[0].all()) == (False, False, True)
    calls = Calls(up[None].sum(axis=1), np.zeros((1, STEPS)))
    calls.up_kw[:, 2:] = 0.0
    done = activate(fleet, plan, backing_of(up[None], None, 1.0), calls)
    assert np.isnan(done.schedule.p[1]).all()
    np.testing.assert_allclose(done.schedule.p[0, :2], -up[0, :2])
    assert np.isnan(Reallocator(fleet, plan).step().p_kw).tolist() == [False, True]


def test_orders_of_takeover() -> None:
    """5 kW are missing; rooms are 4, 2 and 2 kW."""
    fleet = fleet_of(battery("a"), battery("b"), battery("c"))
    room, kinds = np.array([4.0, 2.0, 2.0]), ["battery"] * 3
    shares = in_proportion(3).shares(-5.0, room, room)
    np.testing.assert_allclose(shares, [-2.5, -1.25, -1.25])
    cheap_first = by_cost(fleet.store, [0.3, 0.1, 0.2])
    np.testing.assert_allclose(cheap_first.shares(-5.0, room, room), [-1.0, -2.0, -2.0])
    np.testing.assert_allclose(cheap_first.shares(5.0, room, room), [4.0, 0.0, 1.0])
    np.testing.assert_allclose(cheap_first.shares(-9.0, room, room), [-4.0, -2.0, -2.0])
    listed = by_priority(fleet.store, kinds, ["c", "battery"])
    np.testing.assert_allclose(listed.shares(-5.0, room, room), [-2.0, -1.0, -2.0])
    with pytest.raises(InputError, match=r"market\.priority: 'boiler'; expected kinds of devices or device ids"):
        by_priority(fleet.store, kinds, ["c", "boiler"])


def test_the_study_chooses_the_order() -> None:
    """The default shares in proportion."""
    fleet = fleet_of(battery("a"), battery("b"))
    kinds, value = ["battery", "battery"], np.array([0.3, 0.1])
    assert order_of(Market(), fleet.store, kinds).up.tolist() == [0, 0]
    assert order_of(Market(takeover="cost"), fleet.store, kinds, value).up.tolist() == [1, 0]
    assert order_of(Market(takeover="priority", priority=("b",)), fleet.store, kinds).up.tolist() == [1, 0]


def test_others_take_over_when_a_device_drops_out_and_the_sun_fails() -> None:
    """The sun gives 0.75 of 2 kW: both batteries give half of 1.25. Then one drops out while it should give 1 kW.

    Beside them 7 kW more are taken in the third step: of 2 x 3 kW that can be given up, 1 kW remains uncovered.
    """
    fleet = fleet_of(Pv(device="sun", profile="sun"), battery("a"), battery("b"))
    ids = list(fleet.store.ids)
    sun, one, other = (ids.index(name) for name in ("sun", "a", "b"))
    p = np.zeros((3, STEPS))
    p[sun], p[one, 1] = -2.0, -1.0
    live = Reallocator(fleet, followed(fleet.store, p))
    free = np.full(3, np.nan)
    dark, absent = free.copy(), free.copy()
    dark[sun], absent[one] = -0.75, 0.0
    first = live.step(dark)
    np.testing.assert_allclose(first.p_kw[[sun, one, other]], [-0.75, -0.625, -0.625])
    assert first.uncovered_kw == pytest.approx(0.0)
    np.testing.assert_allclose(live.energy_kwh[[one, other]], 5 - 0.5 * 0.625 / 0.8)
    np.testing.assert_allclose(live.step(absent).p_kw[[sun, one, other]], [-2.0, 0.0, -1.0])
    third = live.step(beside_kw=7.0)
    np.testing.assert_allclose(third.p_kw[[one, other]], -3.0)
    assert third.uncovered_kw == pytest.approx(1.0)
    live.step()
    with pytest.raises(InputError, match="step: 4; expected one of the 4 steps"):
        live.step()


def test_a_takeover_spends_nothing_that_is_promised() -> None:
    """2.4 kW for an hour later need 3 of the 4 kWh: 1 kWh, 1.6 kW in one step, can be given now, and not 3 kW."""
    fleet = fleet_of(battery("b"))
    offer = np.zeros((1, 1, STEPS))
    offer[0, 0, 2:] = 2.4
    # No way to charge again before.
    weak = fleet_of(battery("b", charge_max_kw=0.0))
    taken = Reallocator(weak, at_rest(weak), backing_of(offer, None, 1.0)).step(beside_kw=3.0)
    np.testing.assert_allclose((taken.p_kw[0], taken.uncovered_kw), (-1.6, 1.4), atol=1e-6)
    # It can charge again before: 1.35 kWh in the next step, and 2.35 kWh are 3.76 kW.
    assert Reallocator(fleet, at_rest(fleet), backing_of(offer, None, 1.0)).step(beside_kw=3.0).p_kw[0] == -3.0


def test_a_pod_s_own_devices_mend_its_connection_first() -> None:
    """Without its sun of 2 kW the POD would withdraw 4 of the 3 kW allowed: its battery gives 1 kW first."""
    fleet = fleet_of(
        FixedLoad(device="load", profile="load"),
        Pv(device="sun", profile="sun"),
        battery("b"),
        withdrawal_max_kw=3.0,
    )
    ids = list(fleet.store.ids)
    p = np.zeros((3, STEPS))
    p[ids.index("load")], p[ids.index("sun")] = 4.0, -2.0
    given = np.full(3, np.nan)
    given[ids.index("sun")] = 0.0
    live = Reallocator(fleet, followed(fleet.store, p))
    step = live.step(given)
    assert not fleet.room.backs[ids.index("b")]
    np.testing.assert_allclose(step.p_kw[ids.index("b")], -1.0)
    assert step.uncovered_kw == pytest.approx(1.0)
