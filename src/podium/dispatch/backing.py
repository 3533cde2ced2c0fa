"""Backing that power, energy and connection can bear (docs/maths/dispatch.md)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from podium.dispatch.course import Course
from podium.dispatch.fleet import Backing, Bools, Fleet, Ints
from podium.flex.exact import Schedule
from podium.flex.reserve import CRUMB
from podium.flex.windows import energy_load, least_ahead, window_sum
from podium.flexstore import Floats


def safe_backing(fleet: Fleet, schedule: Schedule, backing: Backing) -> Backing:
    """The backing, shrunk in proportion where power, connection, energy or cycles could not bear it.

    Every product of a device is shrunk by the least share that any rule over its step leaves; what holds already
    stays as it is. Devices that may not back (`Room.backs`) and those without a schedule (NaN) back nothing.
    """
    course = Course.of(fleet, schedule)
    up = _within_power(fleet, course, np.maximum(backing.up_kw, 0.0), course.room_up)
    down = _within_power(fleet, course, np.maximum(backing.down_kw, 0.0), course.room_down)
    net = fleet.pod_sum(course.p)
    up = up * _connection_share(fleet, up.sum(axis=0), fleet.meter.injection_max[:, None] + net)
    down = down * _connection_share(fleet, down.sum(axis=0), fleet.meter.withdrawal_max[:, None] - net)
    steps = backing.sustain_steps(fleet.horizon.step_hours)
    up = up * _energy_share(fleet, backing, steps, up, fleet.room.kappa_up, course.energy_up)
    down = down * _energy_share(fleet, backing, steps, down, fleet.room.kappa_down, course.energy_down)
    up = up * _cycle_share(fleet, course, steps, up)
    return replace(backing, up_kw=up, down_kw=down)


def greatest_backing(
    fleet: Fleet, schedule: Schedule, sustain_hours: float, beside: Backing | None = None
) -> tuple[Floats, Floats]:
    """What each device could back for one more product, up and down, kW. Shapes (device, step).

    Beside what is backed already. A store's room is shared evenly by the steps of a call, and a connection in
    proportion to power, so that some device could do better at one step at the expense of others.
    """
    taken = beside or Backing.none(fleet.store.devices, fleet.store.steps)
    course = Course.of(fleet, schedule)
    sides = (
        (taken.up_kw, course.room_up, course.energy_up, fleet.room.kappa_up),
        (taken.down_kw, course.room_down, course.energy_down, fleet.room.kappa_down),
    )
    up, down = (_greatest(fleet, taken, sustain_hours, *side) for side in sides)
    span = int(max(np.ceil(sustain_hours / fleet.horizon.step_hours - 1e-9), 1))
    up = np.minimum(up, _cycle_room(fleet, course, taken, span))
    net = fleet.pod_sum(course.p)
    left_up = fleet.meter.injection_max[:, None] + net - fleet.pod_sum(taken.up_kw.sum(axis=0, initial=0.0))
    left_down = fleet.meter.withdrawal_max[:, None] - net - fleet.pod_sum(taken.down_kw.sum(axis=0, initial=0.0))
    up = up * _connection_share(fleet, up, left_up)
    down = down * _connection_share(fleet, down, left_down)
    return up, down


def _greatest(
    fleet: Fleet, taken: Backing, sustain_hours: float, side: Floats, power: Floats, energy: Floats, kappa: Floats
) -> Floats:
    """Power left, and of the energy left an even share for each step of a call. Shape (device, step)."""
    hours = fleet.horizon.step_hours
    span = int(max(np.ceil(sustain_hours / hours - 1e-9), 1))
    left = np.maximum(power - side.sum(axis=0, initial=0.0), 0.0)
    used = energy_load(side, kappa, taken.sustain_hours, taken.sustain_steps(hours), hours, fleet.fresh)
    room = least_ahead(np.maximum(energy - used, 0.0), span, fleet.fresh)
    with np.errstate(divide="ignore", invalid="ignore"):
        lasting = np.where(kappa > 0, room / (span * hours * kappa), np.inf)
    return np.where(fleet.room.backs[:, None], np.minimum(left, lasting), 0.0)


def _within_power(fleet: Fleet, course: Course, side: Floats, room: Floats) -> Floats:
    """A side (product, device, step) that the devices' power limits can bear."""
    able = fleet.room.backs & course.known
    return np.asarray(side * (_share(side.sum(axis=0), room) * able[:, None]))


def _share(load: Floats, room: Floats) -> Floats:
    """The share of a load that the room bears: 1 where it bears all."""
    left = np.maximum(room, 0.0)
    fits = load <= left + CRUMB
    return np.where(fits, 1.0, left / np.where(fits, 1.0, load))


def _connection_share(fleet: Fleet, side: Floats, room: Floats) -> Floats:
    """Share that the connections (pod, step) leave of a side (device, step). Shape (device, step)."""
    return _share(fleet.pod_sum(side), room)[fleet.store.pod]


def _energy_share(fleet: Fleet, backing: Backing, steps: Ints, side: Floats, kappa: Floats, room: Floats) -> Floats:
    """Share of each product that the stores' energy bears for as long as it must. Shape (product, device, step)."""
    hours, factor = fleet.horizon.step_hours, np.ones_like(side)
    lasting = (side * backing.sustain_hours[:, None, None]).sum(axis=0) * kappa
    moved = window_sum(side * kappa, steps, fleet.fresh).sum(axis=0) * hours
    at_once, window = _share(lasting, room), _share(moved, room)
    return _least_in_windows(factor * at_once, window, steps, fleet.fresh)


@dataclass(frozen=True)
class Cycles:
    """Devices with a cycle limit: what their day's discharge leaves beside the schedule."""

    rows: Ints
    p: Floats
    left: Floats
    """kWh of the day. Shape (row, step)."""
    new_day: Bools

    @classmethod
    def of(cls, fleet: Fleet, course: Course) -> Cycles:
        """Beside the schedule of a course."""
        rows = np.flatnonzero(np.isfinite(fleet.store.discharge_day_max))
        day, p = fleet.horizon.day, course.p[rows]
        used = np.zeros((len(rows), int(day[-1]) + 1))
        np.add.at(used.T, day, fleet.horizon.step_hours * np.maximum(-p, 0.0).T)
        left = np.maximum(fleet.store.discharge_day_max[rows, None] - used, 0.0)[:, day]
        return cls(rows, p, left, np.broadcast_to(fleet.horizon.day_starts, p.shape))

    def moved(self, up: Floats, steps: Ints, step_hours: float) -> Floats:
        """Discharge, kWh, that calls of these up sides (product, device, step) add to the plan's. Shape (row, step).

        Giving up charging comes first, for the products in their order; it discharges nothing.
        """
        total = np.cumsum(up[:, self.rows], axis=0)
        beyond = np.maximum(total - np.maximum(self.p, 0.0), 0.0)
        part = np.diff(beyond, axis=0, prepend=0.0)
        return np.asarray(window_sum(part, steps, self.new_day).sum(axis=0) * step_hours)


def _cycle_share(fleet: Fleet, course: Course, steps: Ints, up: Floats) -> Floats:
    """Share of each up side that the cycle limits bear beside the schedule. Shape (product, device, step)."""
    factor, cycles = np.ones_like(up), Cycles.of(fleet, course)
    share = _share(cycles.moved(up, steps, fleet.horizon.step_hours), cycles.left)
    factor[:, cycles.rows] = _least_in_windows(factor[:, cycles.rows], share, steps, cycles.new_day)
    return factor


def _cycle_room(fleet: Fleet, course: Course, taken: Backing, span: int) -> Floats:
    """Up power that the cycle limits bear for one more product, kW; inf where there is none. Shape (device, step)."""
    hours, cycles = fleet.horizon.step_hours, Cycles.of(fleet, course)
    used = cycles.moved(taken.up_kw, taken.sustain_steps(hours), hours)
    left = least_ahead(np.maximum(cycles.left - used, 0.0), span, cycles.new_day) / (span * hours)
    charged = np.maximum(cycles.p, 0.0) - taken.up_kw.sum(axis=0, initial=0.0)[cycles.rows]
    room = np.full(course.p.shape, np.inf)
    room[cycles.rows] = np.maximum(charged, 0.0) + left
    return room


def _least_in_windows(factor: Floats, share: Floats, steps: Ints, fresh: Bools) -> Floats:
    """`factor` (product, device, step), narrowed to the least share (device, step) of the windows around each step."""
    rows = np.flatnonzero((share < 1.0).any(axis=1))
    for product, span in enumerate(steps):
        ahead = least_ahead(share[rows], int(span), fresh[rows])
        factor[product, rows] = np.minimum(factor[product, rows], ahead)
    return factor
