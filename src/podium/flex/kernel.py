"""Exact optimum of one store behind a meter, by dynamic programming (docs/maths/kernel.md).

A *group* is one store (or none) and any number of devices without a store, sharing a meter with a buying and a selling
price, a withdrawal and an injection limit. Each stage cost and each value function is a list of (slope, length)
pieces; where all are sorted by slope (convex), minimising over a step is a merge of two lists. A battery facing a
negative price makes a stage non-convex; `piecewise.py` then keeps the general function.

Prototype figures and the idea: infimal convolution of piecewise-linear functions, e.g. Rockafellar (1970), section 5.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from podium.flex.piecewise import general_rows, general_step

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Slopes closer than this, EUR/kWh, count as equal: the least stored energy is then taken.
TIE = 1e-12
#: Powers and energies closer than this are equal to the solver's rounding, kW or kWh.
TINY = 1e-9

POWER, AUX, SPILL = 0, 1, 2
SOLVED, NO_POWER, NO_ENERGY = 0, 1, 2


class Columns(NamedTuple):
    """The columns of FlexStore that the dynamic programme needs, (device, step) or (device, 1)."""

    p_min: Floats
    p_max: Floats
    k_plus: Floats
    k_minus: Floats
    cost_plus: Floats
    cost_minus: Floats
    keep: Floats
    drift: Floats
    e_min: Floats
    e_max: Floats
    e_target: Floats
    shortfall_cost: Floats
    aux_max: Floats
    aux_cost: Floats
    spill_max: Floats
    e_initial: Floats
    e_value: Floats


class Groups(NamedTuple):
    """Which devices share a meter, and its prices. Devices of group g: members[first[g]:first[g + 1]]."""

    first: Ints
    members: Ints
    storing: Ints
    """The device with a store, -1 where none. Shape (group,)."""
    price: Ints
    """Row of the prices. Shape (group,)."""
    withdrawal_max: Floats
    injection_max: Floats


class Stages(NamedTuple):
    """Pieces of a group at every step. The meter's are in net power p, the store's in stored energy x."""

    meter_slope: Floats
    meter_length: Floats
    meter_owner: Ints
    meter_count: Ints
    meter_start: Floats
    meter_width: Floats
    """Sum of the lengths: from the store's least to its greatest net power, kW. Shape (step,)."""
    slope: Floats
    length: Floats
    owner: Ints
    pieces: Ints
    below: Ints
    """Pieces below x = 0 where the stage is not convex, else -1. Shape (step,)."""
    start: Floats
    width: Floats
    """Sum of the lengths: from the least to the greatest stored energy. Shape (step,)."""
    power_start: Floats
    p_free: Floats
    """Power where it does not touch the store. Shape (step,)."""


class Values(NamedTuple):
    """Value function after each step, as pieces first[t] : first[t] + pieces[t] of `slope` and `length`."""

    slope: Floats
    length: Floats
    first: Ints
    pieces: Ints
    start: Floats
    width: Floats


class Answer(NamedTuple):
    """Schedules of all devices, (device, step), and how each group ended, (group,)."""

    p: Floats
    e: Floats
    aux: Floats
    spill: Floats
    status: Ints
    step: Ints
    """Step where the limits conflict, -1 where solved."""
    amount: Floats
    """By how much they conflict, kW or kWh."""


@njit(cache=True)
def _at(column: Floats, device: int, step: int) -> float:
    return column[device, step] if column.shape[1] > 1 else column[device, 0]


@njit(cache=True)
def _insert(slope: Floats, length: Floats, owner: Ints, t: int, count: int, s: float, size: float, who: int) -> int:
    """Put a piece among those of step t, sorted by slope, behind its equals."""
    if size <= 0.0:
        return count
    place = count
    while place > 0 and slope[t, place - 1] > s:
        slope[t, place], length[t, place] = slope[t, place - 1], length[t, place - 1]
        owner[t, place] = owner[t, place - 1]
        place -= 1
    slope[t, place], length[t, place], owner[t, place] = s, size, who
    return count + 1


@njit(cache=True)
def _rest_stages(c: Columns, members: Ints, storing: int, st: Stages, low: Floats, high: Floats) -> None:
    """Pieces of the devices without a store, at every step, and the bounds of all devices' power."""
    st.meter_count[:] = 0
    st.meter_start[:] = 0.0
    st.meter_width[:] = 0.0
    low[:] = 0.0
    high[:] = 0.0
    for j in members:
        for t in range(low.shape[0]):
            least, most = _at(c.p_min, j, t), _at(c.p_max, j, t)
            low[t] += least
            high[t] += most
            if j == storing:
                continue
            st.meter_start[t] -= most
            st.meter_width[t] += most - least
            if most > least:
                zero = min(max(0.0, least), most)
                count = st.meter_count[t]
                count = _insert(
                    st.meter_slope,
                    st.meter_length,
                    st.meter_owner,
                    t,
                    count,
                    -_at(c.cost_plus, j, t),
                    most - zero,
                    j,
                )
                st.meter_count[t] = _insert(
                    st.meter_slope,
                    st.meter_length,
                    st.meter_owner,
                    t,
                    count,
                    _at(c.cost_minus, j, t),
                    zero - least,
                    j,
                )


@njit(cache=True)
def _grid_stages(
    buy: Floats, sell: Floats, w_max: float, i_max: float, st: Stages, low: Floats, high: Floats
) -> tuple[int, float]:
    """Pieces of the grid behind the others: cost of the store's net power. Returns step and kW of a conflict."""
    for t in range(low.shape[0]):
        least, most = max(-i_max, low[t]), min(w_max, high[t])
        if least > most:
            if least > most + TINY:
                return t, least - most
            most = least
        zero = min(max(0.0, least), most)
        count = st.meter_count[t]
        count = _insert(st.meter_slope, st.meter_length, st.meter_owner, t, count, sell[t], zero - least, -1)
        count = _insert(st.meter_slope, st.meter_length, st.meter_owner, t, count, buy[t], most - zero, -1)
        st.meter_count[t] = count
        st.meter_start[t] += least
        st.meter_width[t] += most - least
    return -1, 0.0


@njit(cache=True)
def _power_pieces(
    meter_slope: Floats, meter_length: Floats, t: int, meter_count: int, position: float, p_low: float, p_high: float,
    kp: float, km: float, cp: float, cm: float, dt: float, slope: Floats, length: Floats,
) -> tuple[int, int, float, float, float]:  # fmt: skip
    """The meter's pieces between p_low and p_high, in stored energy.

    Returns their number, how many lie below p = 0, where p ends, how much of p is worth taking though it stores
    nothing (k = 0), kW, and the sum of their lengths.
    """
    count, below, free, width = 0, 0, 0.0, 0.0
    last = max(position, p_low)
    for i in range(meter_count):
        a = max(position, p_low)
        position += meter_length[t, i]
        b = min(position, p_high)
        while b > a:
            negative = a < 0.0
            end = min(b, 0.0) if negative else b
            k, s = (km, meter_slope[t, i] - cm) if negative else (kp, meter_slope[t, i] + cp)
            if k != 0.0:
                slope[t, count], length[t, count] = s / k, dt * abs(k) * (end - a)
                width += length[t, count]
                count += 1
                below += int(negative)
            elif s < 0.0:
                free += end - a
            last = end
            a = end
    return count, below, last, free, width


@njit(cache=True)
def _store_stages(c: Columns, d: int, dt: float, st: Stages) -> tuple[int, bool]:
    """The meter's pieces seen from the store: cost of storing x kWh in a step.

    Returns the step where the meter leaves the store no power (-1: none), and whether all stages are convex.
    """
    convex = True
    for t in range(st.pieces.shape[0]):
        p_low, p_high, kp, km = _at(c.p_min, d, t), _at(c.p_max, d, t), _at(c.k_plus, d, t), _at(c.k_minus, d, t)
        first = max(st.meter_start[t], p_low)
        count, below, last, free, width = _power_pieces(
            st.meter_slope, st.meter_length, t, st.meter_count[t], st.meter_start[t], p_low, p_high,
            kp, km, _at(c.cost_plus, d, t), _at(c.cost_minus, d, t), dt, st.slope, st.length,
        )  # fmt: skip
        if first > p_high + TINY or st.meter_start[t] + st.meter_width[t] < p_low - TINY:
            return t, convex
        st.p_free[t] = first + free
        st.start[t] = dt * (km if first < 0.0 else kp) * first
        if p_high <= 0.0 and km < 0.0:
            _turn(st.slope, st.length, t, count)
            st.start[t] = dt * km * last
        st.power_start[t] = st.start[t]
        st.below[t] = -1
        if 0 < below < count and st.slope[t, below] < st.slope[t, below - 1]:
            st.below[t] = below
            convex = False
        st.pieces[t], st.width[t] = count, width
    return -1, convex


@njit(cache=True)
def _turn(slope: Floats, length: Floats, t: int, count: int) -> None:
    """The pieces of step t in reverse order."""
    for i in range(count // 2):
        k = count - 1 - i
        slope[t, i], slope[t, k] = slope[t, k], slope[t, i]
        length[t, i], length[t, k] = length[t, k], length[t, i]


@njit(cache=True)
def _aux_stages(c: Columns, d: int, dt: float, st: Stages) -> bool:
    """Add auxiliary flow and spill to the store's stages. Returns whether there are any."""
    found = False
    for t in range(st.pieces.shape[0]):
        aux, spill = dt * _at(c.aux_max, d, t), dt * _at(c.spill_max, d, t)
        if aux <= 0.0 and spill <= 0.0:
            if found:
                st.owner[t, : st.pieces[t]] = POWER
            continue
        if not found:
            found = True
            st.owner[: t + 1] = POWER
        st.owner[t, : st.pieces[t]] = POWER
        count = _insert(st.slope, st.length, st.owner, t, st.pieces[t], 0.0, spill, SPILL)
        st.pieces[t] = _insert(st.slope, st.length, st.owner, t, count, _at(c.aux_cost, d, t), aux, AUX)
        st.start[t] -= spill
        st.width[t] += aux + spill
    return found


@njit(cache=True)
def _merge(
    slope: Floats, length: Floats, i: int, i_end: int, stage_slope: Floats, stage_length: Floats, t: int, pieces: int,
    cursor: float, y_low: float, y_high: float, keep: float, out: int,
) -> tuple[int, float, float]:  # fmt: skip
    """Merge a value's pieces with a stage's, mirrored, from `cursor` on, clipped to [y_low, y_high].

    Appends the pieces of the value one step earlier at `out`; returns the end of the merge, their number and width.
    """
    j, made, width, share = pieces - 1, 0, 0.0, 1.0 / keep
    while (i < i_end or j >= 0) and cursor < y_high:
        if j < 0 or (i < i_end and slope[i] <= -stage_slope[t, j]):
            s, size = slope[i], length[i]
            i += 1
        else:
            s, size = -stage_slope[t, j], stage_length[t, j]
            j -= 1
        a, b = max(cursor, y_low), min(cursor + size, y_high)
        cursor += size
        if b > a:
            size = (b - a) * share
            width += size
            if made > 0 and slope[out + made - 1] == s * keep:
                length[out + made - 1] += size
            else:
                slope[out + made], length[out + made] = s * keep, size
                made += 1
    return made, cursor, width


@njit(cache=True)
def _add_target(slope: Floats, length: Floats, first: int, count: int, start: float, target: float, cost: float) -> int:
    """Below `target` each kWh less costs `cost` more. Returns the number of pieces."""
    position = start
    for i in range(first, first + count):
        if position >= target:
            break
        size = length[i]
        if position + size > target + 1e-12:
            for n in range(first + count, i, -1):
                slope[n], length[n] = slope[n - 1], length[n - 1]
            length[i], length[i + 1] = target - position, position + size - target
            slope[i] -= cost
            return count + 1
        slope[i] -= cost
        position += size
    return count


@njit(cache=True)
def _miss(start: float, width: float, low: float, high: float) -> float:
    """By how much [low, high] misses [start, start + width]; 0 where they meet."""
    if high < start - TINY:
        return high - start
    return max(low - start - width, 0.0) if low > start + width + TINY else 0.0


@njit(cache=True)
def _backward(c: Columns, d: int, st: Stages, v: Values) -> tuple[Values, int, float]:
    """Value after each step. Returns the values (grown), and step and kWh of a conflict (-1 where none)."""
    st_slope, st_length, st_pieces, st_start, st_width = st.slope, st.length, st.pieces, st.start, st.width
    slope, length, v_first, v_pieces, v_start, v_width = v.slope, v.length, v.first, v.pieces, v.start, v.width
    e_min, e_max, keeps, drifts, shortfall = c.e_min, c.e_max, c.keep, c.drift, c.shortfall_cost
    steps = st_pieces.shape[0]
    low, high = _at(e_min, d, steps - 1), _at(e_max, d, steps - 1)
    if low > high + TINY:
        return v, steps - 1, low - high
    first, count, start, width = 0, 1, low, max(high - low, 0.0)
    slope[0], length[0] = -c.e_value[d], width
    for t in range(steps - 1, -1, -1):
        penalty = _at(shortfall, d, t)
        if penalty > 0.0:
            count = _add_target(slope, length, first, count, start, _at(c.e_target, d, t), penalty)
        v_first[t], v_pieces[t], v_start[t], v_width[t] = first, count, start, width
        keep, drift = _at(keeps, d, t), _at(drifts, d, t)
        low = high = c.e_initial[d]
        if t > 0:
            low, high = _at(e_min, d, t - 1), _at(e_max, d, t - 1)
            if low > high + TINY:
                return v, t - 1, low - high
            high = max(low, high)
        begin, y_low, y_high = start - st_start[t] - st_width[t], keep * low + drift, keep * high + drift
        miss = _miss(begin, width + st_width[t], y_low, y_high)
        if t == 0 or miss != 0.0:
            return v, t if miss != 0.0 else -1, miss
        out = first + count
        if out + count + st_pieces[t] + 2 > slope.shape[0]:
            slope, length = np.concatenate((slope, slope)), np.concatenate((length, length))
            v = Values(slope, length, v_first, v_pieces, v_start, v_width)
        if keep == 0.0:
            slope[out], length[out] = 0.0, high - low
            count, start, width = 1, low, high - low
        else:
            count, _, width = _merge(
                slope, length, first, first + count, st_slope, st_length, t, st_pieces[t],
                begin, y_low, y_high, keep, out,
            )  # fmt: skip
            start = (min(max(begin, y_low), y_high) - drift) / keep
        first = out
    return v, -1, 0.0


@njit(cache=True)
def _convex_step(
    stage_slope: Floats, stage_length: Floats, t: int, pieces: int, slope: Floats, length: Floats, j: int, j_end: int,
    y: float, x_low: float, x_high: float, v_start: float, v_end: float,
) -> float:  # fmt: skip
    """The best energy to store in a step, kWh; among equals the least."""
    at_stage, at_value = x_low, v_start - y
    x, x_high = max(x_low, v_start - y), min(x_high, v_end - y)
    if x >= x_high:
        return max(min(x, x_high), x_low)
    i = 0
    while i < pieces and at_stage + stage_length[t, i] <= x + 1e-13:
        at_stage += stage_length[t, i]
        i += 1
    while j < j_end and at_value + length[j] <= x + 1e-13:
        at_value += length[j]
        j += 1
    while i < pieces and j < j_end and stage_slope[t, i] + slope[j] < -TIE:
        stage_end, value_end = at_stage + stage_length[t, i], at_value + length[j]
        x = min(stage_end, value_end)
        if x >= x_high:
            return x_high
        if x >= stage_end - 1e-13:
            at_stage = stage_end
            i += 1
        if x >= value_end - 1e-13:
            at_value = value_end
            j += 1
    return x


@njit(cache=True)
def _split(st: Stages, t: int, x: float, dt: float, spill_max: float) -> tuple[float, float, float]:
    """Split the stored energy of a step: by power [kWh], auxiliary flow [kW] and spill [kW]."""
    left, power, aux, kept = max(x - st.start[t], 0.0), 0.0, 0.0, 0.0
    for i in range(st.pieces[t]):
        size = min(left, st.length[t, i])
        left -= size
        if st.owner[t, i] == POWER:
            power += size
        elif st.owner[t, i] == AUX:
            aux += size
        else:
            kept += size
    return st.power_start[t] + power, aux / dt, max(spill_max - kept / dt, 0.0)


@njit(cache=True)
def _forward(c: Columns, d: int, dt: float, st: Stages, v: Values, general: bool, with_aux: bool, a: Answer) -> None:
    """Follow the value functions from the initial energy."""
    # Arrays are taken out of their tuples once: numba counts references whenever it does so.
    slope, length, pieces, start, width = st.slope, st.length, st.pieces, st.start, st.width
    v_slope, v_length, v_first, v_pieces, v_start, v_width = v.slope, v.length, v.first, v.pieces, v.start, v.width
    keep, drift, p_min, p_max, k_plus, k_minus = c.keep, c.drift, c.p_min, c.p_max, c.k_plus, c.k_minus
    out_p, out_e, out_aux, out_spill, p_free = a.p, a.e, a.aux, a.spill, st.p_free
    e = c.e_initial[d]
    for t in range(pieces.shape[0]):
        y = _at(keep, d, t) * e + _at(drift, d, t)
        first, count = v_first[t], v_pieces[t]
        if general:
            x = general_step(
                slope[t, : pieces[t]], length[t, : pieces[t]], start[t],
                v_slope[first : first + count], v_length[first : first + count], y,
            )  # fmt: skip
        else:
            x = _convex_step(
                slope, length, t, pieces[t], v_slope, v_length, first, first + count,
                y, start[t], start[t] + width[t], v_start[t], v_start[t] + v_width[t],
            )  # fmt: skip
        stored = x
        if with_aux:
            stored, out_aux[d, t], out_spill[d, t] = _split(st, t, x, dt, _at(c.spill_max, d, t))
        p_low, p_high = _at(p_min, d, t), _at(p_max, d, t)
        injects = p_high <= 0.0 or (p_low < 0.0 and stored < 0.0)
        k = _at(k_minus, d, t) if injects else _at(k_plus, d, t)
        p = min(max(p_free[t] if k == 0.0 else stored / (dt * k), p_low), p_high)
        e = y + dt * (k * p + out_aux[d, t] - out_spill[d, t])
        out_p[d, t], out_e[d, t] = p, e


@njit(cache=True)
def _spread(c: Columns, members: Ints, storing: int, st: Stages, out: Floats) -> None:
    """Powers of the devices without a store, given the store's net power."""
    for j in members:
        if j != storing:
            for t in range(st.meter_count.shape[0]):
                out[j, t] = _at(c.p_max, j, t)
    for t in range(st.meter_count.shape[0]):
        p = out[storing, t] if storing >= 0 else 0.0
        left = p - st.meter_start[t]
        for i in range(st.meter_count[t]):
            size = min(left, st.meter_length[t, i])
            if size <= 0.0:
                break
            left -= size
            j = st.meter_owner[t, i]
            if j >= 0:
                out[j, t] = max(out[j, t] - size, _at(c.p_min, j, t))


@njit(cache=True)
def _solve_group(
    c: Columns, members: Ints, storing: int, buy: Floats, sell: Floats, w_max: float, i_max: float, dt: float,
    st: Stages, v: Values, bounds: Floats, flat: float, a: Answer,
) -> tuple[int, int, float, Values]:  # fmt: skip
    """Solve one group; returns status, step and amount of the conflict, and the (grown) values."""
    _rest_stages(c, members, storing, st, bounds[0], bounds[1])
    step, amount = _grid_stages(buy, sell, w_max, i_max, st, bounds[0], bounds[1])
    if step >= 0:
        return NO_POWER, step, amount, v
    if storing >= 0:
        step, convex = _store_stages(c, storing, dt, st)
        if step >= 0:
            return NO_POWER, step, 0.0, v
        with_aux = _aux_stages(c, storing, dt, st)
        if convex:
            v, step, amount = _backward(c, storing, st, v)
        else:
            v, step, amount = _backward_general(c, storing, st, v, flat)
        if step >= 0:
            return NO_ENERGY, step, amount, v
        _forward(c, storing, dt, st, v, not convex, with_aux, a)
    _spread(c, members, storing, st, a.p)
    return SOLVED, -1, 0.0, v


@njit(cache=True)
def _backward_general(c: Columns, d: int, st: Stages, v: Values, flat: float) -> tuple[Values, int, float]:
    """As `_backward`, where a stage is not convex: `slope` and `length` then hold points (energy, cost)."""
    slope, length, step, amount = general_rows(
        st.slope, st.length, st.pieces, st.below, st.start, c.keep[d], c.drift[d], c.e_min[d], c.e_max[d],
        c.e_target[d], c.shortfall_cost[d], c.e_value[d], c.e_initial[d], v.slope, v.length, v.first, v.pieces, flat,
    )  # fmt: skip
    return Values(slope, length, v.first, v.pieces, v.start, v.width), step, amount


@njit(cache=True)
def _scratch(steps: int, wide: int) -> tuple[Stages, Values]:
    shape = (steps, wide)
    st = Stages(
        np.empty(shape), np.empty(shape), np.empty(shape, np.int64), np.zeros(steps, np.int64), np.zeros(steps),
        np.zeros(steps), np.empty(shape), np.empty(shape), np.empty(shape, np.int64), np.zeros(steps, np.int64),
        np.zeros(steps, np.int64), np.zeros(steps), np.zeros(steps), np.zeros(steps), np.zeros(steps),
    )  # fmt: skip
    size = 16 * steps * wide
    whole = np.zeros(steps, np.int64)
    return st, Values(np.empty(size), np.empty(size), whole, whole.copy(), np.zeros(steps), np.zeros(steps))


@njit(cache=True, nogil=True)
def solve_groups(c: Columns, g: Groups, buy: Floats, sell: Floats, dt: float, flat: float, a: Answer) -> None:
    """The optimum of every group. `buy` and `sell` have shape (price row, step), EUR/kWh; writes into `a`."""
    widest = 0
    for n in range(g.storing.shape[0]):
        widest = max(widest, g.first[n + 1] - g.first[n])
    st, v = _scratch(buy.shape[1], 2 * widest + 6)
    bounds = np.zeros((2, buy.shape[1]))
    for n in range(g.storing.shape[0]):
        members = g.members[g.first[n] : g.first[n + 1]]
        row = g.price[n]
        a.status[n], a.step[n], a.amount[n], v = _solve_group(
            c, members, g.storing[n], buy[row], sell[row], g.withdrawal_max[n], g.injection_max[n], dt,
            st, v, bounds, flat, a,
        )  # fmt: skip
