"""How far each device may leave its schedule, step by step (docs/maths/dispatch.md)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from podium.dispatch.fleet import Backing, Bools, Fleet
from podium.flex.exact import Schedule
from podium.flex.exclusive import AT_ONCE
from podium.flex.reserve import carried_back, viable
from podium.flex.windows import energy_load
from podium.flexstore import Floats

#: Widens the limits of energy, kWh, by what solvers leave in a plan.
SLACK = 1e-8
#: What feeds back, kW, of a device that is on; at 0 it would count as off.
STILL_ON = 10 * AT_ONCE


@dataclass(frozen=True)
class Course:
    """A schedule with the powers and energies that its devices may take instead. Shapes (device, step)."""

    p: Floats
    """Planned power, kW; 0 for devices without a schedule."""
    e: Floats
    aux: Floats
    spill: Floats
    known: Bools
    """Whether the device has a schedule. Shape (device,)."""
    p_low: Floats
    """Least power: what is on stays on, what is off stays off, and a ramp holds to the plan."""
    p_high: Floats
    spare_low: Floats
    """Least power that is free to use: the plan's where the device may not back, and with a cycle limit."""
    spare_high: Floats
    low: Floats
    """Least energy with a way on, kWh."""
    high: Floats
    fills_up: Bools

    @classmethod
    def of(cls, fleet: Fleet, schedule: Schedule) -> Course:
        """The course of a schedule; rows of NaN are devices without one, which then do nothing."""
        known = np.asarray(np.isfinite(schedule.p).all(axis=1))
        given = (schedule.p, schedule.e, schedule.aux, schedule.spill)
        p, e, aux, spill = (np.where(known[:, None], values, 0.0) for values in given)
        p_low, p_high = _powers(fleet, p, known)
        low, high = _levels(fleet, p, p_low, p_high)
        held = fleet.store.has_store & ~fleet.room.backs
        spent = held | np.isfinite(fleet.store.discharge_day_max)
        spare = np.where(spent[:, None], p, p_low), np.where(held[:, None], p, p_high)
        return cls(p, e, aux, spill, known, p_low, p_high, *spare, low, high, fleet.room.fills_up)

    @property
    def room_up(self) -> Floats:
        """Power that the device can give up, kW."""
        return np.maximum(self.p - self.p_low, 0.0)

    @property
    def room_down(self) -> Floats:
        """Power that it can take, kW."""
        return np.maximum(self.p_high - self.p, 0.0)

    @property
    def energy_up(self) -> Floats:
        """Energy, kWh, that giving up power may move the store by."""
        return np.where(self.fills_up, self.high - self.e, self.e - self.low)

    @property
    def energy_down(self) -> Floats:
        """Energy, kWh, that taking power may move the store by."""
        return np.where(self.fills_up, self.e - self.low, self.high - self.e)


@dataclass(frozen=True)
class Levels:
    """Least and greatest energy at the end of each step, kWh. Shapes (device, step)."""

    low: Floats
    high: Floats

    def around(self, e: Floats) -> Levels:
        """Widened to hold these energies: a plan may stay short of a car's wish, and so may what follows it."""
        return Levels(np.minimum(self.low, e) - SLACK, np.maximum(self.high, e) + SLACK)


def own_levels(course: Course) -> Levels:
    """The levels that a device must keep for itself."""
    return Levels(course.low, course.high).around(course.e)


def promised_levels(fleet: Fleet, course: Course, backing: Backing, *, paced: bool = False) -> Levels:
    """The levels from which everything that is backed can be called, with power that is not backed for the way on.

    Where they are `paced`, the way on is with each device's part of what the areas' limits leave beside the plan.
    """
    hours = fleet.horizon.step_hours
    steps = backing.sustain_steps(hours)
    up = energy_load(backing.up_kw, fleet.room.kappa_up, backing.sustain_hours, steps, hours, fleet.fresh)
    down = energy_load(backing.down_kw, fleet.room.kappa_down, backing.sustain_hours, steps, hours, fleet.fresh)
    low = course.low + np.where(course.fills_up, down, up)
    high = course.high - np.where(course.fills_up, up, down)
    least = np.maximum(course.spare_low, course.p_low + backing.up_kw.sum(axis=0, initial=0.0))
    most = np.minimum(course.spare_high, course.p_high - backing.down_kw.sum(axis=0, initial=0.0))
    powers = _way_on(fleet, course.p, least, most)
    if paced:
        powers = _in_areas(fleet, course.p, backing, *powers)
    return Levels(*carried_back(fleet.store, hours, powers, low, high)).around(course.e)


def _powers(fleet: Fleet, p: Floats, known: Bools) -> tuple[Floats, Floats]:
    """Least and greatest power beside the plan. Shapes (device, step)."""
    store = fleet.store
    low, high = np.array(store.full("p_min")), np.array(store.full("p_max"))
    semi = store.on_off[:, None] & np.ones_like(p, dtype=bool)
    off, floor = semi & (abs(p) <= AT_ONCE), np.asarray(store.full("p_on"))
    low = np.where(semi & (p > 0), np.maximum(floor, 0.0), low)
    high = np.where(semi & (p < 0), np.where(store.full("p_max") <= 0, -floor, -STILL_ON), high)
    fixed = off | (~known | np.isfinite(store.ramp))[:, None]
    return np.where(fixed, p, np.minimum(low, p)), np.where(fixed, p, np.maximum(high, p))


def _levels(fleet: Fleet, p: Floats, p_low: Floats, p_high: Floats) -> tuple[Floats, Floats]:
    """The room's levels; for on/off devices narrowed to a way on that keeps them on or off as planned."""
    low, high = np.array(fleet.room.low), np.array(fleet.room.high)
    rows = np.flatnonzero(fleet.store.on_off & fleet.store.has_store)
    if not len(rows):
        return low, high
    powers = (power[rows] for power in _way_on(fleet, p, p_low, p_high))
    narrow_low, narrow_high = viable(fleet.store.take(rows), fleet.horizon.step_hours, *powers)
    low[rows], high[rows] = np.maximum(low[rows], narrow_low), np.minimum(high[rows], narrow_high)
    return low, high


def _way_on(fleet: Fleet, p: Floats, p_low: Floats, p_high: Floats) -> tuple[Floats, Floats]:
    """Powers that a way on may use: the plan's where the connection does not leave room for everything."""
    free = fleet.room.free[:, None]
    return np.where(free, np.minimum(p_low, p), p), np.where(free, np.maximum(p_high, p), p)


def _in_areas(fleet: Fleet, p: Floats, backing: Backing, least: Floats, most: Floats) -> tuple[Floats, Floats]:
    """Powers between `least` and `most` at which areas keep their limits, whoever uses them; stores in proportion."""
    up, down = backing.up_kw.sum(axis=0, initial=0.0), backing.down_kw.sum(axis=0, initial=0.0)
    stores = fleet.store.has_store[:, None]
    below, above = (np.where(stores, np.maximum(way, 0.0), 0.0) for way in (p - least, most - p))
    for areas in fleet.areas:
        net = areas.sum(p)
        share_up = share_of(areas.sum(below), areas.injection_max_kw + net - areas.sum(up))
        share_down = share_of(areas.sum(above), areas.withdrawal_max_kw - net - areas.sum(down))
        below, above = below * share_up[areas.of_device], above * share_down[areas.of_device]
    return np.maximum(least, p - below), np.minimum(most, p + above)


def share_of(wanted: Floats, room: Floats) -> Floats:
    """The share of what is wanted for which there is room, up to 1."""
    left = np.maximum(room, 0.0)
    fits = wanted <= left
    return np.where(fits, 1.0, left / np.where(fits, 1.0, wanted))
