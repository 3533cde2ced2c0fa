"""How far a device may be moved from its schedule and still keep its limits by itself (docs/maths/dispatch.md).

Energies in [low, high] at the end of a step are those from which the device can keep its physical limits to the end
of the horizon, with its power anywhere within its limits. A level wanted at the end of the horizon is none of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from podium.flexstore import FlexStore, Floats
from podium.portfolio import Meter

Bools = NDArray[np.bool_]

#: Less than this, kW or kWh, is rounding.
CRUMB = 1e-9


@dataclass(frozen=True)
class Room:
    """What bounds a device's backing of reserve. Shapes (device, step); for devices without a store all 0."""

    low: Floats
    """Least energy at the end of the step with a way on, kWh."""
    high: Floats
    """Greatest energy at the end of the step with a way on, kWh."""
    kappa_up: Floats
    """Energy that the store moves by per energy given up at the meter, at most, kWh/kWh."""
    kappa_down: Floats
    """The same per energy taken."""
    fills_up: Bools
    """True where giving up power fills the store (an engine's heat store); else it empties it."""
    backs: Bools
    """Whether the device may back anything. Shape (device,)."""
    free: Bools
    """Where the connection leaves room for all devices of the POD at full power. Shape (device,)."""


def room_of(store: FlexStore, meter: Meter, step_hours: float) -> Room:
    """The room of every device behind these meters (rows: POD).

    Where a connection does not leave room for all devices of its POD at full power, nobody may count on power for
    the way on: devices are then taken to rest (`p_usual`) after an activation, and back only where the others keep
    the connection without them. Devices with a ramp never back. One with a cycle limit never discharges for the way
    on.
    """
    low, high = viable(store, step_hours, *_box(store))
    rest = np.asarray(store.full("p_usual"))
    low_rest, high_rest = viable(store, step_hours, rest, rest)
    free, spared = _connection(store, meter, rest)
    low, high = np.where(free[:, None], low, low_rest), np.where(free[:, None], high, high_rest)
    moves = (store.full("p_max") - store.full("p_min") > CRUMB).any(axis=1)
    sound = ~store.has_store | (low <= high + CRUMB).all(axis=1)
    kept = store.has_store[:, None]
    kappa = np.where(kept, np.maximum(*_slopes(store)), 0.0)
    fills = kept & ((store.full("k_minus") < 0) | (store.full("k_plus") < 0))
    backs = moves & sound & (free | spared) & ~np.isfinite(store.ramp)
    return Room(np.where(kept, low, 0.0), np.where(kept, high, 0.0), kappa, kappa.copy(), fills, backs, free)


def viable(store: FlexStore, step_hours: float, p_low: Floats, p_high: Floats) -> tuple[Floats, Floats]:
    """Least and greatest energy at the end of each step from which every later limit can be kept, kWh.

    Powers of the way on lie between `p_low` and `p_high`. Shapes (device, step).
    """
    return carried_back(store, step_hours, (p_low, p_high), _floor(store, step_hours), np.array(store.full("e_max")))


def carried_back(
    store: FlexStore, step_hours: float, powers: tuple[Floats, Floats], low: Floats, high: Floats
) -> tuple[Floats, Floats]:
    """`low` and `high`, kWh, narrowed to energies from which all later ones can be kept with these powers.

    Both are changed in place. Shapes (device, step).
    """
    x_low, x_high = _gains(store, step_hours, *powers)
    keep, drift = store.full("keep"), store.full("drift")
    for t in range(store.steps - 1, 0, -1):
        carried = keep[:, t] > 0
        share = np.where(carried, keep[:, t], 1.0)
        need = (low[:, t] - x_high[:, t] - drift[:, t]) / share
        most = (high[:, t] - x_low[:, t] - drift[:, t]) / share
        low[:, t - 1] = np.maximum(low[:, t - 1], np.where(carried, need, -np.inf))
        high[:, t - 1] = np.minimum(high[:, t - 1], np.where(carried, most, np.inf))
    return low, high


def stored_kw(store: FlexStore, p: Floats) -> Floats:
    """Flow into the store at net power `p`, kW. Shape (device, step)."""
    return np.where(p > 0, store.k_plus * p, store.k_minus * p)


def _gains(store: FlexStore, step_hours: float, p_low: Floats, p_high: Floats) -> tuple[Floats, Floats]:
    """Least and greatest gain of each step, kWh, with boiler and vent. Shapes (device, step)."""
    ends = stored_kw(store, p_low), stored_kw(store, p_high)
    least, most = np.minimum(*ends) - store.spill_max, np.maximum(*ends) + store.aux_max
    return step_hours * least, step_hours * most


def _box(store: FlexStore) -> tuple[Floats, Floats]:
    """Powers that a way on may use: all, but for a cycle limit, which rules out discharging."""
    p_min, p_max = store.full("p_min"), np.asarray(store.full("p_max"))
    spared = np.isfinite(store.discharge_day_max)[:, None]
    return np.where(spared, np.clip(0.0, p_min, p_max), p_min), p_max


def _floor(store: FlexStore, step_hours: float) -> Floats:
    """Least energy: the device's own, and a target as far as full power can reach it. Shape (device, step)."""
    floor = np.array(store.full("e_floor"))
    wanted = (store.full("shortfall_cost") > 0) & (store.full("e_target") > floor)
    rows = np.flatnonzero(wanted.any(axis=1))
    part = store.take(rows)
    reached = np.minimum(part.full("e_target"), _reach(part, step_hours))
    floor[rows] = np.where(wanted[rows], np.maximum(floor[rows], reached), floor[rows])
    return floor


def _reach(store: FlexStore, step_hours: float) -> Floats:
    """Greatest energy at the end of each step, charging at full power from the start, kWh. Shape (device, step)."""
    _, most = _gains(store, step_hours, np.asarray(store.full("p_min")), np.asarray(store.full("p_max")))
    keep, drift, e_max = (store.full(name) for name in ("keep", "drift", "e_max"))
    reach, level = np.empty(most.shape), store.e_initial
    for t in range(store.steps):
        level = np.minimum(keep[:, t] * level + drift[:, t] + most[:, t], e_max[:, t])
        reach[:, t] = level
    return reach


def _slopes(store: FlexStore) -> tuple[Floats, Floats]:
    """|k_plus| and |k_minus| where the device can withdraw and inject; else 0. Shapes (device, step)."""
    plus = np.where(store.full("p_max") > 0, abs(store.full("k_plus")), 0.0)
    minus = np.where(store.full("p_min") < 0, abs(store.full("k_minus")), 0.0)
    return plus, minus


def _connection(store: FlexStore, meter: Meter, rest: Floats) -> tuple[Bools, Bools]:
    """Where the connection leaves room for everything at full power, and with the device at rest. Shapes (device,)."""
    sides = ((store.full("p_max"), rest, meter.withdrawal_max), (-store.full("p_min"), -rest, meter.injection_max))
    free, spared = np.ones(store.devices, dtype=bool), np.ones(store.devices, dtype=bool)
    for full, at_rest, limit in sides:
        total = np.zeros((len(limit), store.steps))
        np.add.at(total, store.pod, full)
        most = limit[store.pod, None] + CRUMB
        free &= (total[store.pod] <= most).all(axis=1)
        spared &= (total[store.pod] - full + at_rest <= most).all(axis=1)
    return free, spared
