"""Energies with a way on, against a mixed-integer programme that looks for the way on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from formulation import cheapest
from podium.flex.reserve import room_of
from podium.flexstore import DEVICE_COLUMNS, STEP_COLUMNS, FlexStore
from podium.portfolio import Meter
from random_pods import random_case

Floats = NDArray[np.float64]

#: Beside a limit by this, kWh: far more than tolerances, far less than a step's energy.
BESIDE = 1e-4


def alone(store: FlexStore, device: int) -> FlexStore:
    """One device of its own kind, without costs and memory, with only the limits that it bears itself."""
    part = store.take(np.array([device]))
    nothing = np.zeros((1, 1))
    free = dict.fromkeys(("cost_plus", "cost_minus", "aux_cost", "p_on"), nothing)
    plain = {name: np.array([float(DEVICE_COLUMNS[name])]) for name in ("start_cost", "min_up", "min_down", "e_value")}
    return replace(part, pod=np.zeros(1, dtype=np.int64), e_min=part.e_floor, **free, **plain)


def floor_with_wish(part: FlexStore, dt: float) -> Floats:
    """The least level, and a car's wish as far as charging from the start reaches it. Shape (step,)."""
    floor, level = np.array(part.full("e_floor")[0]), float(part.e_initial[0])
    for t in range(part.steps):
        keep, drift, plus, power, cap = (
            float(part.full(name)[0, t]) for name in ("keep", "drift", "k_plus", "p_max", "e_max")
        )
        level = min(keep * level + drift + dt * plus * power, cap)
        if part.full("shortfall_cost")[0, t] > 0:
            floor[t] = max(floor[t], min(level, part.full("e_target")[0, t]))
    return floor


def goes_on(part: FlexStore, floor: Floats, step: int, level: float, dt: float) -> bool:
    """Whether the device can keep its limits after `step`, at whose end it holds `level`."""
    columns = {name: np.array(part.full(name))[:, step + 1 :] for name in STEP_COLUMNS}
    columns["e_min"], columns["shortfall_cost"] = floor[None, step + 1 :], np.zeros((1, 1))
    later = replace(part, steps=part.steps - step - 1, e_initial=np.array([level]), **columns)
    row, none = np.zeros((1, later.steps)), np.full(1, np.inf)
    return cheapest(later, Meter(row, row, none, none, np.zeros(1)), dt, np.zeros(later.steps, int)) is not None


def test_the_room_ends_where_no_way_on_is_left() -> None:
    """Just inside both ends a way on exists, just outside none, but where the device's own limit ends the room."""
    tried = narrowed = 0
    for seed in range(60):
        case = random_case(seed, 2, steps_max=12)
        store = case.portfolio.store()
        random = np.random.default_rng(seed)
        free = replace(case.meter, withdrawal_max=np.full(1, np.inf), injection_max=np.full(1, np.inf))
        room = room_of(store, free, case.step_hours)
        spared = np.isfinite(store.discharge_day_max)
        for device in np.flatnonzero(store.has_store & ~spared):
            if store.steps < 2 or (room.low[device] > room.high[device]).any():
                continue
            part = alone(store, int(device))
            floor = floor_with_wish(part, case.step_hours)
            step = int(random.integers(store.steps - 1))
            low, high = room.low[device, step], room.high[device, step]
            inside = min(BESIDE, (high - low) / 2)
            for level in (low + inside, high - inside):
                assert goes_on(part, floor, step, level, case.step_hours), (seed, device, step)
            if low > floor[step] + BESIDE:
                narrowed += 1
                assert not goes_on(part, floor, step, low - BESIDE, case.step_hours), (seed, device, step)
            if high < part.full("e_max")[0, step] - BESIDE:
                narrowed += 1
                assert not goes_on(part, floor, step, high + BESIDE, case.step_hours), (seed, device, step)
            tried += 1
    assert (tried > 50, narrowed > 15) == (True, True), (tried, narrowed)
