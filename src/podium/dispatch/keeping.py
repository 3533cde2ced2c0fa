"""Limits within which devices still keep what they back (docs/maths/bids.md)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from podium.dispatch.fleet import Backing, Fleet
from podium.flex.exact import Schedule
from podium.flex.windows import energy_load
from podium.flexstore import FlexStore, Floats
from podium.portfolio import Meter


def keeping(fleet: Fleet, schedule: Schedule, backing: Backing) -> tuple[FlexStore, Meter]:
    """Devices and connections whose limits leave the backing its room, whatever the devices do within them.

    The schedule itself keeps them all, but for connections: there the greatest backing of the horizon is left free in
    every step. Ends of ranges that the schedule touches within rounding are its own.
    """
    store, room, hours = fleet.store, fleet.room, fleet.horizon.step_hours
    spans = backing.sustain_steps(hours)
    loads = [
        energy_load(side, kappa, backing.sustain_hours, spans, hours, fleet.fresh)
        for side, kappa in ((backing.up_kw, room.kappa_up), (backing.down_kw, room.kappa_down))
    ]
    empties, fills = np.where(room.fills_up, loads[1], loads[0]), np.where(room.fills_up, loads[0], loads[1])
    up, down = backing.up_kw.sum(axis=0), backing.down_kw.sum(axis=0)
    low, high = store.full("e_min"), store.full("e_max")
    narrow = replace(
        store,
        p_min=np.fmin(store.full("p_min") + up, np.fmax(store.full("p_min"), schedule.p)),
        p_max=np.fmax(store.full("p_max") - down, np.fmin(store.full("p_max"), schedule.p)),
        e_min=np.where(empties > 0, np.fmax(low, np.fmin(room.low + empties, schedule.e)), low),
        e_max=np.where(fills > 0, np.fmin(high, np.fmax(room.high - fills, schedule.e)), high),
    )
    meter = replace(
        fleet.meter,
        withdrawal_max=fleet.meter.withdrawal_max - _greatest(fleet, down),
        injection_max=fleet.meter.injection_max - _greatest(fleet, up),
    )
    return narrow, meter


def _greatest(fleet: Fleet, side: Floats) -> Floats:
    """Greatest backing of each POD in the horizon. Shape (pod,)."""
    return np.asarray(fleet.pod_sum(side).max(axis=1, initial=0.0))
