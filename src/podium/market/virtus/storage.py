"""The reference's storage: least and greatest sum of net power, exactly (docs/maths/virtus.md, section 1).

A step charges `c` and discharges `d` and changes the level to e' = e + eta_c c - eta_d d, with
c <= min(c_max, e_max - e) and d <= min(d_max, e'). Both at once cost nothing in the reference, so a step is
two moves of one level, up to m = e + eta_c c and then down to e'. Each move has a convex piecewise-linear
value function and is therefore a threshold: go towards the level m* as far as one may.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_SLOPES_EQUAL = 1e-12


@numba.njit(cache=True)
def net_power(
    level_initial: Floats,
    level_max: Floats,
    charge_max: Floats,
    discharge_max: Floats,
    charge_efficiency: Floats,
    discharge_efficiency: Floats,
    sign: float,
) -> Floats:
    """Net power c - d (device, step) whose sum is least (sign 1) or greatest (sign -1).

    Among equally good schedules: the move that pays is made as early and as far as possible, the one that
    costs as little as possible.
    """
    devices, steps = charge_max.shape
    result = np.empty((devices, steps))
    for device in range(devices):
        up, down = _thresholds(
            level_max[device],
            charge_max[device],
            discharge_max[device],
            charge_efficiency[device],
            discharge_efficiency[device],
            sign,
        )
        level = level_initial[device]
        for step in range(steps):
            eta_c, eta_d = charge_efficiency[device], discharge_efficiency[device]
            room = min(charge_max[device, step], level_max[device] - level)
            middle = min(max(up[step], level), level + eta_c * room)
            lowest = max(middle - eta_d * discharge_max[device, step], middle / (1.0 + eta_d))
            after = min(max(down[step], lowest), middle)
            result[device, step] = (middle - level) / eta_c - (middle - after) / eta_d
            level = after
    return result


@numba.njit(cache=True)
def _thresholds(
    level_max: float, charge_max: Floats, discharge_max: Floats, eta_c: float, eta_d: float, sign: float
) -> tuple[Floats, Floats]:
    """Levels (step,) to charge up to and to discharge down to, from the last step backwards."""
    steps = len(charge_max)
    up, down = np.empty(steps), np.empty(steps)
    keep = 1.0 / (1.0 + eta_d)  # d <= e' leaves at least this share of the level m
    most = 6 * steps + 4  # a move adds at most three segments
    knots, slopes, new_knots, new_slopes = np.empty(most), np.empty(most), np.empty(most), np.empty(most)
    knots[0], knots[1], slopes[0], count = 0.0, level_max, 0.0, 1
    for step in range(steps - 1, -1, -1):
        _mirror(knots, slopes, count)
        reach, base = eta_d * discharge_max[step], (1.0 - keep) * level_max
        count, top = _move_up(new_knots, new_slopes, knots, slopes, count, -sign / eta_d, reach, base, keep)
        down[step] = level_max - top
        _mirror(new_knots, new_slopes, count)
        reach, base = eta_c * charge_max[step], eta_c * level_max
        count, top = _move_up(knots, slopes, new_knots, new_slopes, count, sign / eta_c, reach, base, 1.0 - eta_c)
        up[step] = top
    return up, down


@numba.njit(cache=True)
def _mirror(knots: Floats, slopes: Floats, count: int) -> None:
    """Turn to the value function of the free room y = e_max - e, in place; moving down becomes moving up."""
    full = knots[count]
    for low in range((count + 2) // 2):
        high = count - low
        knots[low], knots[high] = full - knots[high], full - knots[low]
    for low in range((count + 1) // 2):
        high = count - 1 - low
        slopes[low], slopes[high] = -slopes[high], -slopes[low]


@numba.njit(cache=True)
def _move_up(
    new_knots: Floats,
    new_slopes: Floats,
    knots: Floats,
    slopes: Floats,
    count: int,
    price: float,
    reach: float,
    base: float,
    pull: float,
) -> tuple[int, float]:
    """V(x) = min of price (y - x) + W(y) over x <= y <= u(x) = min(x + reach, base + pull x).

    W is given by the first `count` segments of `slopes` and their `knots` (one more). Writes those of V and returns
    their number and the best level y*: below it one moves up as far as u allows or y* asks, above it one stays.
    """
    best = _best_segment(slopes, count, price)
    best_level = knots[best]
    last_full_move = min(_last_full_move(best_level, reach, base, pull), best_level)
    new_knots[0] = 0.0
    found = _full_moves(new_knots, new_slopes, knots, slopes, best, last_full_move, price, reach, base, pull)
    found = _append(new_knots, new_slopes, found, best_level, -price)
    for segment in range(best, count):
        found = _append(new_knots, new_slopes, found, knots[segment + 1], slopes[segment])
    return found, best_level


@numba.njit(cache=True)
def _best_segment(slopes: Floats, count: int, price: float) -> int:
    """First segment on which moving up no longer pays; on a tie one moves if the move earns (price < 0)."""
    tie = -_SLOPES_EQUAL * price
    segment = 0
    while segment < count and slopes[segment] + price < tie:
        segment += 1
    return segment


@numba.njit(cache=True)
def _last_full_move(best_level: float, reach: float, base: float, pull: float) -> float:
    """Greatest x with u(x) <= best_level: so far even the longest move stops short of the best level."""
    if pull > 0.0:
        return max(best_level - reach, (best_level - base) / pull)
    return np.inf if base <= best_level else best_level - reach


@numba.njit(cache=True)
def _full_moves(
    new_knots: Floats,
    new_slopes: Floats,
    knots: Floats,
    slopes: Floats,
    best: int,
    last_full_move: float,
    price: float,
    reach: float,
    base: float,
    pull: float,
) -> int:
    """Write the part of V where y = u(x) < y*, that is price (u(x) - x) + W(u(x)); return its segments."""
    bend = (base - reach) / (1.0 - pull)  # from here on the room to the full end limits the move
    count, segment, x = 0, 0, 0.0
    while segment < best and x < last_full_move:
        before_bend = x < bend
        if before_bend:
            end, rate = min(knots[segment + 1] - reach, bend), 1.0
        else:
            end, rate = (knots[segment + 1] - base) / pull if pull > 0.0 else np.inf, pull
        if end > x:
            x = min(end, last_full_move)
            count = _append(new_knots, new_slopes, count, x, (rate - 1.0) * price + rate * slopes[segment])
        if not (before_bend and end == bend):
            segment += 1
    return count


@numba.njit(cache=True)
def _append(knots: Floats, slopes: Floats, count: int, end: float, slope: float) -> int:
    """Add a segment up to `end`, joining it to the last one when their slopes agree."""
    if end <= knots[count]:
        return count
    if count > 0 and abs(slopes[count - 1] - slope) <= _SLOPES_EQUAL * (1.0 + abs(slope)):
        knots[count] = end
        return count
    knots[count + 1], slopes[count] = end, slope
    return count + 1
