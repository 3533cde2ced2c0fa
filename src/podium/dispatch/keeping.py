"""Limits within which devices still keep what they back (docs/maths/bids.md)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from podium.dispatch.backing import Cycles
from podium.dispatch.course import STILL_ON, Course
from podium.dispatch.fleet import Backing, Bools, Fleet, Ints
from podium.flex.exact import Schedule
from podium.flex.exclusive import AT_ONCE
from podium.flex.reserve import CRUMB
from podium.flex.windows import energy_load
from podium.flexstore import FlexStore, Floats
from podium.portfolio import Meter


@dataclass(frozen=True)
class Kept:
    """Devices and connections with limits that leave a backing its room."""

    store: FlexStore
    meter: Meter
    """Where a connection does not hold all devices, the greatest backing of the horizon is left free in every step."""
    withdrawal_max_kw: Floats
    """What the backing of each step leaves of the connections. Shape (pod, step)."""
    injection_max_kw: Floats
    discharge_day_max: Floats
    """Greatest energy injected per local day, kWh; inf where free. Shape (device, day)."""


def keeping(fleet: Fleet, schedule: Schedule, backing: Backing) -> Kept:
    """Limits that leave the backing its room, whatever the devices do within them.

    The schedule itself keeps them all, but for those of `Kept.meter`. Ends of ranges that it touches within rounding
    are its own. Devices that are on or off run as planned where that decides whether a call can be borne.
    """
    store, hours, course = fleet.store, fleet.horizon.step_hours, Course.of(fleet, schedule)
    spans = backing.sustain_steps(hours)
    loads = [
        energy_load(side, kappa, backing.sustain_hours, spans, hours, fleet.fresh)
        for side, kappa in ((backing.up_kw, fleet.room.kappa_up), (backing.down_kw, fleet.room.kappa_down))
    ]
    empties, fills = np.where(course.fills_up, loads[1], loads[0]), np.where(course.fills_up, loads[0], loads[1])
    up, down = backing.up_kw.sum(axis=0), backing.down_kw.sum(axis=0)
    low, high = store.full("e_min"), store.full("e_max")
    p_low, p_high = _powers(fleet, course, up, down)
    discharge, charging = _cycles(fleet, course, backing, spans)
    narrow = replace(
        store,
        p_min=np.maximum(np.minimum(p_low + up, np.maximum(p_low, course.p)), charging),
        p_max=np.maximum(p_high - down, np.minimum(p_high, course.p)),
        e_min=np.where(empties > 0, np.fmax(low, np.fmin(course.low + empties, schedule.e)), low),
        e_max=np.where(fills > 0, np.fmin(high, np.fmax(course.high - fills, schedule.e)), high),
    )
    net, meter = fleet.pod_sum(course.p), fleet.meter
    withdrawal = np.maximum(meter.withdrawal_max[:, None] - fleet.pod_sum(down), net)
    injection = np.maximum(meter.injection_max[:, None] - fleet.pod_sum(up), -net)
    tight = fleet.pod_sum((~fleet.room.free).astype(float)) > 0
    meter = replace(
        meter,
        withdrawal_max=np.where(tight, meter.withdrawal_max - _greatest(fleet, down), meter.withdrawal_max),
        injection_max=np.where(tight, meter.injection_max - _greatest(fleet, up), meter.injection_max),
    )
    return Kept(narrow, meter, withdrawal, injection, discharge)


def _greatest(fleet: Fleet, side: Floats) -> Floats:
    """Greatest backing of each POD in the horizon. Shape (pod,)."""
    return np.asarray(fleet.pod_sum(side).max(axis=1, initial=0.0))


def _powers(fleet: Fleet, course: Course, up: Floats, down: Floats) -> tuple[Floats, Floats]:
    """Least and greatest power beside what is backed; what is held on keeps its least power. Shapes (device, step)."""
    running, held = _held(fleet, up + down > 0)
    low = np.where(running, course.p_low, fleet.store.full("p_min"))
    high = np.where(running, course.p_high, fleet.store.full("p_max"))
    on = running & (abs(course.p) > AT_ONCE)
    low = np.where(on & (course.p > 0), np.maximum(low, np.minimum(STILL_ON, course.p)), low)
    high = np.where(on & (course.p < 0), np.minimum(high, np.maximum(-STILL_ON, course.p)), high)
    return np.where(held, course.p, low), np.where(held, course.p, high)


def _held(fleet: Fleet, backs: Bools) -> tuple[Bools, Bools]:
    """Where devices run, and where they have the power, that is planned. Shapes (device, step).

    What is on or off runs as planned where it backs. Whether a store can bear a call depends on how it runs afterwards,
    and behind a connection that does not hold all devices, on its power too.
    """
    store, switched = fleet.store, fleet.store.on_off[:, None]
    since = np.logical_or.accumulate(backs, axis=1) & store.has_store[:, None]
    running = switched & (backs | since)
    return running, switched & since & ~fleet.room.free[:, None]


def _cycles(fleet: Fleet, course: Course, backing: Backing, spans: Ints) -> tuple[Floats, Floats]:
    """What calls leave of each day's discharge, kWh (device, day), and the least power for that, kW (device, step).

    A call may discharge all that is backed, or, where the schedule leaves too little for that, what is left of it
    beyond the charging of the schedule, which then goes on as far as it backs.
    """
    store, horizon, cycles = fleet.store, fleet.horizon, Cycles.of(fleet, course)
    rows, starts = cycles.rows, np.flatnonzero(horizon.day_starts)
    most = np.tile(store.discharge_day_max[:, None], len(starts))
    charging = np.full(course.p.shape, -np.inf)
    if not len(rows):
        return most, charging
    idle = replace(cycles, p=np.zeros_like(cycles.p))
    lasting = (backing.up_kw[:, rows] * backing.sustain_hours[:, None, None]).sum(axis=0)
    called = np.maximum(idle.moved(backing.up_kw, spans, horizon.step_hours), lasting)
    beyond = cycles.moved(backing.up_kw, spans, horizon.step_hours)
    spared = (called > cycles.left + CRUMB).any(axis=1)
    taken = np.maximum.reduceat(np.where(spared[:, None], np.maximum(beyond, lasting), called), starts, axis=1)
    used = most[rows] - cycles.left[:, starts]
    most[rows] = np.maximum(most[rows] - taken, used)
    backed = np.minimum(np.maximum(cycles.p, 0.0), backing.up_kw[:, rows].sum(axis=0))
    charging[rows] = np.where(spared[:, None] & (backed > 0), backed, -np.inf)
    return most, charging
