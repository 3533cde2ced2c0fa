"""How far a store may be moved from its schedule and still keep its limits by itself to the horizon's end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from podium.checking.ev_charger import sessions_of
from podium.checking.limits import Floats, StoreLimits, at, column
from podium.checking.reach import fixed_level
from podium.checking.schedule import Part
from podium.horizon import Horizon

#: Loads whose store counts what they moved: unsteered, they take their load.
LOADS = ("curtailable_load", "shiftable_load")


@dataclass(frozen=True)
class Room:
    """Levels with a way on, and how fast a call moves the level. Shapes (device, step)."""

    low_kwh: Floats
    """Least level at the end of the step from which the device can keep its limits by itself."""
    high_kwh: Floats
    kappa: Floats
    """kWh that the level moves by per kWh at the meter, at most."""
    up_fills: NDArray[np.bool_]
    """Whether giving up power raises the level, as an engine's heat does; shape (device, step)."""
    anew: NDArray[np.bool_]
    """Whether the store starts anew in the step, whatever was before."""


def room_of(part: Part, store: StoreLimits, horizon: Horizon, roomy: NDArray[np.bool_]) -> Room:
    """The room of the devices of one kind.

    With power anywhere between least and greatest, boiler, back-up and vent as well; where the connection does not
    leave room for that (`roomy` (device,) is False) at rest, since the POD's other devices may need it all. What a car
    wants at its departure is a limit as far as full power can reach it.
    """
    shape = part.power_kw.shape
    full = part.limits.low_kw, part.limits.high_kw
    least, most = _gains(part, store, horizon, full)
    reach = most
    if not roomy.all():
        rest = _rest_kw(part, store, horizon)
        still = _gains(part, store, horizon, (rest, rest))
        least, most = (np.where(roomy[:, None], *pair) for pair in zip((least, most), still, strict=True))
    low = np.array(np.broadcast_to(store.low_kwh, shape))
    high = np.array(np.broadcast_to(store.high_kwh, shape))
    if part.name == "ev_charger":
        low = np.maximum(low, _wanted(part, store, reach, horizon))
    fixed = np.zeros(shape, dtype=bool)
    for step in range(shape[1] - 1, -1, -1):
        fixed[:, step] = fixed_level(store, step)[0]
        if step:
            keep = np.where(fixed[:, step], 1.0, at(store.keep, step))
            need, bear = (low[:, step] - most[:, step]) / keep, (high[:, step] - least[:, step]) / keep
            low[:, step - 1] = np.maximum(low[:, step - 1], np.where(fixed[:, step], -np.inf, need))
            high[:, step - 1] = np.minimum(high[:, step - 1], np.where(fixed[:, step], np.inf, bear))
    return Room(low, high, _kappa(part, store), np.broadcast_to(store.per_injected > 0, shape), fixed)


def _rest_kw(part: Part, store: StoreLimits, horizon: Horizon) -> Floats:
    """Power of a device that nobody steers: a load takes its load, all else as little as it may. (device, step)."""
    usual = -store.inflow_kwh / horizon.step_hours if part.name in LOADS else np.zeros((1, 1))
    return np.asarray(np.clip(np.broadcast_to(usual, part.power_kw.shape), part.limits.low_kw, part.limits.high_kw))


def _gains(part: Part, store: StoreLimits, horizon: Horizon, powers: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
    """Least and greatest gain of each step, kWh, with powers from the one to the other. Shapes (device, step)."""
    shape, hours = part.power_kw.shape, horizon.step_hours
    ends = [np.broadcast_to(bound, shape) for bound in powers]
    least = [store.gain_kwh(power, 0.0, column(part.spill_max_kw), hours) for power in ends]
    most = [store.gain_kwh(power, column(part.aux_max_kw), 0.0, hours) for power in ends]
    return np.minimum(*least), np.maximum(*most)


def _kappa(part: Part, store: StoreLimits) -> Floats:
    """The greater of both slopes, each where the device can move to that side of 0. Shape (device, step)."""
    withdrawn = np.where(part.limits.high_kw > 0, abs(store.per_withdrawn), 0.0)
    injected = np.where(part.limits.low_kw < 0, abs(store.per_injected), 0.0)
    return np.array(np.broadcast_to(np.maximum(withdrawn, injected), part.power_kw.shape))


def _wanted(part: Part, store: StoreLimits, most_kwh: Floats, horizon: Horizon) -> Floats:
    """What each car wants in its last step, as far as full power can reach it; else 0. Shape (device, step)."""
    sessions = sessions_of(part.table, horizon)
    priced = part.table["shortfall_eur_per_kwh"] > 0
    rows = np.flatnonzero((sessions.last > sessions.first) & sessions.touched(horizon) & priced)
    ends = sessions.charger[rows], sessions.last[rows] - 1
    wanted = np.zeros(most_kwh.shape)
    wanted[ends] = np.minimum(sessions.target_kwh[rows], _reached(store, most_kwh)[ends])
    return wanted


def _reached(store: StoreLimits, most_kwh: Floats) -> Floats:
    """Level at full power from the start. Shape (device, step)."""
    reached, level = np.empty(most_kwh.shape), store.initial_kwh
    for step in range(most_kwh.shape[1]):
        level = np.minimum(store.carried_kwh(level, step) + most_kwh[:, step], at(store.high_kwh, step))
        reached[:, step] = level
    return reached
