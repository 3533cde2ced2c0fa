"""How much power each device can surely give up or take around its schedule (docs/maths/band.md).

*Up* is less net withdrawal, *down* is more; neither is ever negative. The promise: for any activation inside the
band, all of it up or all of it down, of any pattern, lasting at most `sustain` steps in a row, no limit is broken
while it lasts, and afterwards a schedule that keeps every limit (and every target that the schedule meets) still
exists. Boilers, back-up heaters and vents may answer at once. What is on stays on, what is off stays off; a device
with a ramp returns to its schedule.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from podium.flex.exact import Schedule
from podium.flex.exclusive import AT_ONCE
from podium.flexstore import FlexStore, Floats
from podium.portfolio import Meter

Ints = NDArray[np.int64]

#: Left between the band and a limit, kW or kWh: rounding never breaks a promise.
MARGIN = 1e-9


@dataclass(frozen=True)
class Band:
    """Power that each device can give up (`up_kw`) or take (`down_kw`). Shape (device, step)."""

    up_kw: Floats
    down_kw: Floats


def band(store: FlexStore, schedule: Schedule, meter: Meter, step_hours: float, sustain: int, day: Ints) -> Band:
    """The band of every device around a schedule, for activations of at most `sustain` steps."""
    up, down = _power_room(store, schedule.p, sustain, step_hours, day)
    up, down = _share_connection(store, schedule.p, meter, up, down)
    up, down = (
        np.minimum(side, _energy_room(store, schedule, step_hours, sustain, up, down, sign))
        for side, sign in ((up, 1.0), (down, -1.0))
    )
    return Band(np.where(up > MARGIN, up - MARGIN, 0.0), np.where(down > MARGIN, down - MARGIN, 0.0))


def _power_room(store: FlexStore, p: Floats, sustain: int, step_hours: float, day: Ints) -> tuple[Floats, Floats]:
    """Room to the power limits, the least power while running, the ramp and the cycle limit. Shapes (device, step)."""
    up, down = np.maximum(p - store.p_min, 0.0), np.maximum(store.p_max - p, 0.0)
    semi = store.on_off[:, None]
    floor = np.where(semi & (store.p_on > 0), store.p_on, 0.0)
    off = semi & (abs(p) <= AT_ONCE)
    up = np.where(semi & (p > 0), np.minimum(up, np.maximum(p - floor, 0.0)), up)
    stops = np.where(store.p_max <= 0, floor, 0.0)
    down = np.where(semi & (p < 0), np.minimum(down, np.maximum(-p - stops, 0.0)), down)
    up, down = np.where(off, 0.0, up), np.where(off, 0.0, down)
    up, down = _ramp_room(store, p, up, down)
    return np.minimum(up, _cycle_room(store, p, sustain, step_hours, day)), down


def _ramp_room(store: FlexStore, p: Floats, up: Floats, down: Floats) -> tuple[Floats, Floats]:
    """With p changed at one step and not at its neighbours, both changes stay within the ramp."""
    limited = np.flatnonzero(np.isfinite(store.ramp))
    if not len(limited):
        return up, down
    change = np.diff(p[limited], axis=1)
    ramp = store.ramp[limited, None]
    wide = np.full((len(limited), 1), np.inf)
    rise_in, rise_out = np.hstack((wide, ramp - change)), np.hstack((ramp + change, wide))
    fall_in, fall_out = np.hstack((wide, ramp + change)), np.hstack((ramp - change, wide))
    up[limited] = np.maximum(np.minimum(up[limited], np.minimum(fall_in, fall_out)), 0.0)
    down[limited] = np.maximum(np.minimum(down[limited], np.minimum(rise_in, rise_out)), 0.0)
    return up, down


def _cycle_room(store: FlexStore, p: Floats, sustain: int, step_hours: float, day: Ints) -> Floats:
    """What is left of the day's discharge, spread over the activation. Shape (device, step)."""
    room = np.full(p.shape, np.inf)
    limited = np.flatnonzero(np.isfinite(store.discharge_day_max))
    for d in limited:
        used = np.bincount(day, step_hours * np.maximum(-p[d], 0.0))
        left = np.maximum(store.discharge_day_max[d] - used, 0.0)
        room[d] = np.maximum(p[d], 0.0) + left[day] / (sustain * step_hours)
    return room


def _share_connection(store: FlexStore, p: Floats, meter: Meter, up: Floats, down: Floats) -> tuple[Floats, Floats]:
    """Scale the rooms of a POD's devices so that their sum fits its connection."""
    pods = len(meter.withdrawal_max)
    sums = [np.zeros((pods, store.steps)) for _ in range(3)]
    for total, part in zip(sums, (p, up, down), strict=True):
        np.add.at(total, store.pod, part)
    net, all_up, all_down = sums
    room_up = np.maximum(net + meter.injection_max[:, None], 0.0)
    room_down = np.maximum(meter.withdrawal_max[:, None] - net, 0.0)
    share_up = np.minimum(1.0, room_up / np.maximum(all_up, MARGIN))
    share_down = np.minimum(1.0, room_down / np.maximum(all_down, MARGIN))
    return up * share_up[store.pod], down * share_down[store.pod]


def _energy_room(
    store: FlexStore, schedule: Schedule, step_hours: float, sustain: int, up: Floats, down: Floats, sign: float
) -> Floats:
    """Power that `sustain` steps can keep before a store's limit. `sign` 1: up, -1: down. Shape (device, step)."""
    limit = np.full(schedule.p.shape, np.inf)
    rows = np.flatnonzero(store.has_store)
    part, p, e = store.take(rows), schedule.p[rows], schedule.e[rows]
    low, high = _floors(part, e), part.full("e_max")
    low, high = _viable(part, p, up[rows], down[rows], step_hours, low, high)
    more, less = _answers(part, schedule.aux[rows], schedule.spill[rows])
    filling = ((part.full("k_minus") < 0) | (part.full("k_plus") < 0)) ^ (sign < 0)
    room = np.maximum(np.where(filling, high - e, e - low), 0.0) / step_hours
    answer = np.where(filling, less, more)
    called = np.maximum(_stored(part, p, (up if sign > 0 else down)[rows], sign) - answer, 0.0)
    limit[rows] = _inverse(part, p, _shared_out(part, called, room, sustain) + answer, sign)
    return limit


def _answers(part: FlexStore, aux: Floats, spill: Floats) -> tuple[Floats, Floats]:
    """Flow, kW, that auxiliary source and vent can put into the store at once, and take from it. Shape (device, step).

    At most what they have left beside the schedule: more source and less vent, or the other way round.
    """
    more = np.maximum(part.aux_max - aux, 0.0) + np.maximum(spill, 0.0)
    less = np.maximum(aux, 0.0) + np.maximum(part.spill_max - spill, 0.0)
    return more, less


def _floors(part: FlexStore, e: Floats) -> Floats:
    """Least energy: the limit, and a target as far as the schedule meets it. Shape (device, step)."""
    promised = np.where(part.shortfall_cost > 0, np.minimum(e, part.e_target), -np.inf)
    return np.maximum(part.e_min, promised)


def _viable(
    part: FlexStore, p: Floats, up: Floats, down: Floats, dt: float, low: Floats, high: Floats
) -> tuple[Floats, Floats]:
    """Energies at the end of each step from which every later limit can still be kept. Shape (device, step).

    Devices with a ramp are held to the schedule instead, so their limits stay as they are; those with a cycle limit
    discharge no more than scheduled.
    """
    held, spared = np.isfinite(part.ramp), np.isfinite(part.discharge_day_max)[:, None]
    ends = [
        dt * np.where(power > 0, part.full("k_plus") * power, part.full("k_minus") * power)
        for power in (np.where(spared, p, p - up), p + down)
    ]
    x_low = np.minimum(*ends) - dt * part.spill_max
    x_high = np.maximum(*ends) + dt * part.aux_max
    low, high = np.array(low), np.array(high)
    keep, drift = part.full("keep"), part.full("drift")
    for t in range(part.steps - 1, 0, -1):
        carried = keep[:, t] > 0
        safe = np.where(carried, keep[:, t], 1.0)
        need = np.where(carried, (low[:, t] - x_high[:, t] - drift[:, t]) / safe, -np.inf)
        most = np.where(carried, (high[:, t] - x_low[:, t] - drift[:, t]) / safe, np.inf)
        low[:, t - 1] = np.maximum(low[:, t - 1], np.where(held, -np.inf, need))
        high[:, t - 1] = np.minimum(high[:, t - 1], np.where(held, np.inf, most))
    return low, high


def _shared_out(part: FlexStore, called: Floats, room: Floats, sustain: int) -> Floats:
    """Flow, kW, that any `sustain` steps in a row may each move a store by, though not beyond `called`.

    The room at the end of a step (in kW of one step) is shared by the steps up to it: the level l with sum min(called,
    l) = room. Devices with a ramp keep what was moved, so all later room counts. Shape (device, step).
    """
    fresh = part.full("keep") == 0
    held = np.isfinite(part.ramp)[:, None]
    room = np.where(held, _least_to_the_end(room, fresh), room)
    span = min(sustain, part.steps)
    before = np.concatenate((np.zeros((len(called), span - 1)), called), axis=1)
    windows = np.array(np.lib.stride_tricks.sliding_window_view(before, span, axis=1))
    begun = np.maximum.accumulate(np.where(fresh, np.arange(part.steps), 0), axis=1)
    place = np.arange(part.steps)[:, None] + np.arange(1 - span, 1)
    windows[place[None] < begun[:, :, None]] = 0.0
    return _least_ahead(_water_level(windows, room), span, fresh)


def _water_level(called: Floats, room: Floats) -> Floats:
    """The level l with sum min(called, l) = room over the last axis; inf where all that is called fits."""
    ordered = np.sort(called, axis=-1)
    total = ordered.cumsum(axis=-1)
    count = called.shape[-1]
    levels = (room[..., None] - (total - ordered)) / (count - np.arange(count))
    return np.where(total[..., -1] <= room, np.inf, levels.max(axis=-1))


def _least_to_the_end(room: Floats, fresh: NDArray[np.bool_]) -> Floats:
    """The least room at the end of this step and of all later ones until the store starts anew."""
    least = np.array(room)
    for t in range(room.shape[1] - 2, -1, -1):
        least[:, t] = np.where(fresh[:, t + 1], room[:, t], np.minimum(room[:, t], least[:, t + 1]))
    return least


def _least_ahead(values: Floats, span: int, fresh: NDArray[np.bool_]) -> Floats:
    """The least of this step and the next `span` - 1 until the store starts anew: it then forgets the activation."""
    steps = values.shape[1]
    least, reached = np.array(values), np.ones_like(fresh)
    for ahead in range(1, span):
        reached = reached[:, : steps - ahead] & ~fresh[:, ahead:]
        window = np.where(reached, values[:, ahead:], np.inf)
        least[:, : steps - ahead] = np.minimum(least[:, : steps - ahead], window)
    return least


def _stored(part: FlexStore, p: Floats, power: Floats, sign: float) -> Floats:
    """By how many kW a change of net power moves the store: the inverse of `_inverse`."""
    plus, minus = abs(part.full("k_plus")), abs(part.full("k_minus"))
    first, second = (plus, minus) if sign > 0 else (minus, plus)
    near = np.maximum(sign * p, 0.0)
    return np.asarray(first * np.minimum(power, near) + second * np.maximum(power - near, 0.0))


def _inverse(part: FlexStore, p: Floats, room: Floats, sign: float) -> Floats:
    """Power that moves the store by `room` kWh per hour: first on this side of p = 0, then on the other."""
    plus, minus = abs(part.full("k_plus")), abs(part.full("k_minus"))
    first, second = (plus, minus) if sign > 0 else (minus, plus)
    near = np.maximum(sign * p, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        within = np.where(first > 0, room / first, np.inf)
        beyond = near + np.where(second > 0, (room - first * near) / second, np.inf)
    return np.where(within <= near, within, beyond)
