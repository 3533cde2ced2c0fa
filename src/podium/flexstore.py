"""The canonical form: everything a VPP controls is a store with limited power (docs/maths/store.md).

For device d and step t of length dt hours

    p[t]   = pp[t] - pm[t]                  net power at the meter, kW, load convention, pp, pm >= 0
    e[t+1] = keep e[t] + dt (k_plus pp - k_minus pm + aux - spill) + drift
    cost   = sum_t dt (cost_plus pp + cost_minus pm + aux_cost aux)
             + sum_t shortfall_cost max(0, e_target - e[t+1]) + start_cost starts - e_value e[T] + cost_fixed

with p_min <= p <= p_max, e_min <= e[t+1] <= e_max, 0 <= aux <= aux_max, 0 <= spill <= spill_max.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

#: Columns with a value per device and step, and their defaults.
STEP_COLUMNS: dict[str, float] = {
    "p_min": 0.0,
    "p_max": 0.0,
    "k_plus": 0.0,
    "k_minus": 0.0,
    "cost_plus": 0.0,
    "cost_minus": 0.0,
    "keep": 1.0,
    "drift": 0.0,
    "e_min": 0.0,
    "e_max": 0.0,
    "e_floor": np.nan,
    "e_target": 0.0,
    "shortfall_cost": 0.0,
    "aux_max": 0.0,
    "aux_cost": 0.0,
    "spill_max": 0.0,
    "p_on": 0.0,
    "p_usual": np.nan,
}
#: Columns with a value per device, and their defaults.
DEVICE_COLUMNS: dict[str, float] = {
    "e_initial": 0.0,
    "e_value": 0.0,
    "discharge_day_max": np.inf,
    "ramp": np.inf,
    "start_cost": 0.0,
    "min_up": 0,
    "min_down": 0,
    "on_initial": 0,
    "cost_fixed": 0.0,
}


@dataclass(frozen=True)
class FlexStore:
    """Devices in canonical form. Step columns have shape (device, step), or (device, 1) where constant in time.

    Limits, targets and shortfall costs of step t hold at its end, for e[t+1].
    """

    ids: NDArray[np.object_]
    """Device ids. Shape (device,)."""
    pod: NDArray[np.int64]
    """Row of the device's POD. Shape (device,)."""
    steps: int
    has_store: NDArray[np.bool_]
    """False where the device keeps no energy: e is 0 throughout. Shape (device,)."""
    p_min: Floats
    """Least net power, kW."""
    p_max: Floats
    """Greatest net power, kW."""
    k_plus: Floats
    """Energy stored per energy withdrawn, kWh/kWh."""
    k_minus: Floats
    """Energy taken from the store per energy injected, kWh/kWh (negative where injecting fills the store: CHP)."""
    cost_plus: Floats
    """Cost of withdrawing beyond the energy itself (wear), EUR/kWh."""
    cost_minus: Floats
    """Cost of injecting (wear, fuel), EUR/kWh."""
    keep: Floats
    """Share of e[t] still there at the end of the step; 0 where the store starts anew (a new EV session, a new day)."""
    drift: Floats
    """Energy that enters the store by itself during the step, kWh."""
    e_min: Floats
    """Least energy at the end of the step, kWh."""
    e_max: Floats
    """Greatest energy at the end of the step, kWh."""
    e_floor: Floats
    """Least energy that the device itself bears, kWh: `e_min` without a level wanted at the end of the horizon."""
    e_target: Floats
    """Energy wanted at the end of the step, kWh; missing it costs `shortfall_cost`."""
    shortfall_cost: Floats
    """EUR per kWh below the target."""
    aux_max: Floats
    """Greatest paid auxiliary flow into the store (boiler, back-up heater), kW."""
    aux_cost: Floats
    """EUR per kWh of auxiliary flow."""
    spill_max: Floats
    """Greatest free flow out of the store (heat vented), kW."""
    p_on: Floats
    """Least |p| while running, kW (of a device that goes both ways: while withdrawing); 0 where any power is fine."""
    p_usual: Floats
    """Net power where nobody steers the device, kW: load and generation as they come, stores at rest."""
    e_initial: Floats
    """Energy at the start, kWh. Shape (device,)."""
    e_value: Floats
    """Value of energy left at the end of the horizon, EUR/kWh. Shape (device,)."""
    discharge_day_max: Floats
    """Greatest energy injected per local day (cycle limit), kWh; inf where free. Shape (device,)."""
    ramp: Floats
    """Greatest change of p between two steps, kW; inf where free. Shape (device,)."""
    start_cost: Floats
    """EUR per start. Shape (device,)."""
    min_up: Floats
    """Least number of steps on. Shape (device,)."""
    min_down: Floats
    """Least number of steps off. Shape (device,)."""
    on_initial: Floats
    """1 where the device runs before the first step. Shape (device,)."""
    cost_fixed: Floats
    """Cost over the horizon whatever the schedule, EUR. Shape (device,)."""

    @classmethod
    def of(
        cls,
        ids: NDArray[np.object_],
        pod: NDArray[np.int64],
        steps: int,
        *,
        has_store: bool = True,
        **columns: ArrayLike,
    ) -> FlexStore:
        """A FlexStore from the columns that differ from their defaults.

        A step column may be a number, shape (device,), (device, 1) or (device, step).
        """
        count = len(ids)
        filled: dict[str, Floats] = {}
        for name, default in STEP_COLUMNS.items():
            given = columns.pop(name, None)
            filled[name] = np.full((count, 1), default) if given is None else _step_column(given, count)
        for name, default in DEVICE_COLUMNS.items():
            filled[name] = np.full(count, columns.pop(name, default), dtype=float)
        rest = np.clip(0.0, filled["p_min"], filled["p_max"])
        filled["p_usual"] = np.where(np.isnan(filled["p_usual"]), rest, filled["p_usual"])
        filled["e_floor"] = np.where(np.isnan(filled["e_floor"]), filled["e_min"], filled["e_floor"])
        if columns:
            raise TypeError(f"FlexStore has no column {sorted(columns)}")
        return cls(ids, pod, steps, np.full(count, has_store), **filled)

    @property
    def devices(self) -> int:
        """Number of devices."""
        return len(self.ids)

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> FlexStore:
        """Only these devices, in this order."""
        names = [field.name for field in fields(self) if field.name != "steps"]
        return replace(self, **{name: getattr(self, name)[rows] for name in names})

    def full(self, name: str) -> Floats:
        """A step column with all its steps. Shape (device, step)."""
        return np.broadcast_to(getattr(self, name), (self.devices, self.steps))

    @property
    def on_off(self) -> NDArray[np.bool_]:
        """Devices that need an on/off decision. Shape (device,)."""
        floor = (self.p_on > 0).any(axis=1)
        return floor | (self.start_cost > 0) | (self.min_up > 1) | (self.min_down > 1)

    @property
    def memory(self) -> NDArray[np.bool_]:
        """Devices with a memory beside e (on/off, ramp, cycle limit), which a programme must solve. Shape (device,)."""
        return self.on_off | np.isfinite(self.ramp) | np.isfinite(self.discharge_day_max)


def concatenate(stores: Sequence[FlexStore], steps: int) -> FlexStore:
    """All devices of several stores, sorted by POD (stable, so that a POD's devices keep the order of the stores)."""
    if not stores:
        empty = np.zeros(0, dtype=np.int64)
        return FlexStore.of(np.zeros(0, dtype=object), empty, steps)
    order = np.argsort(np.concatenate([store.pod for store in stores]), kind="stable")
    joined: dict[str, Any] = {
        field.name: _join([getattr(store, field.name) for store in stores])[order]
        for field in fields(FlexStore)
        if field.name != "steps"
    }
    return FlexStore(steps=steps, **joined)


def _join(parts: Sequence[NDArray[np.generic]]) -> NDArray[np.generic]:
    if parts[0].ndim == 2:
        width = max(part.shape[1] for part in parts)
        parts = [part if part.shape[1] == width else np.broadcast_to(part, (len(part), width)) for part in parts]
    return np.concatenate(parts)


def _step_column(value: ArrayLike, count: int) -> Floats:
    column = np.asarray(value, dtype=float)
    if column.ndim < 2:
        column = np.broadcast_to(column, (count,))[:, None]
    return np.ascontiguousarray(np.broadcast_to(column, (count, column.shape[1])))
