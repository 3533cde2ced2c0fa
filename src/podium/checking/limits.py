"""What the study lets devices do, in the check's own words: limits of power, and a store with limits of energy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class StoreLimits:
    """The energy behind devices: cells, a car, heat, an allowance, energy shifted.

    Within a step the level first shrinks to `keep` of itself (or becomes `restart_kwh` where that is a number), then
    takes what flows in. Step arrays have shape (device, step), or (device, 1) where constant in time.
    """

    above: str
    """Words for a level above its limit, with {level}, {limit} and {amount} in kWh."""
    below: str
    initial_kwh: Floats
    """Shape (device,)."""
    low_kwh: Floats
    """Least level at the end of the step."""
    high_kwh: Floats
    """Greatest level at the end of the step."""
    per_withdrawn: Floats
    """kWh into the store per kWh withdrawn at the meter."""
    per_injected: Floats
    """kWh into the store per kWh injected; below 0 where injecting empties it."""
    inflow_kwh: Floats
    """What enters in the step by itself."""
    keep: Floats
    restart_kwh: Floats | None = None
    aux_max_kw: Floats | None = None
    """Greatest heat of boiler or back-up. Shape (device,)."""
    spill_max_kw: Floats | None = None
    """Greatest heat vented. Shape (device,)."""

    def gain_kwh(self, power_kw: Floats, aux_kw: Floats | float, spill_kw: Floats | float, hours: float) -> Floats:
        """What the store gains in each step of `hours`. Shape (device, step)."""
        gain = np.maximum(power_kw, 0.0) * self.per_withdrawn
        gain += np.maximum(-power_kw, 0.0) * self.per_injected
        if self.aux_max_kw is not None:
            gain += aux_kw
        if self.spill_max_kw is not None:
            gain -= spill_kw
        gain *= hours
        return np.asarray(gain + self.inflow_kwh)

    def levels_kwh(self, gain_kwh: Floats) -> Floats:
        """Level at the end of each step. Shape (device, step)."""
        levels = np.empty(gain_kwh.shape)
        level = self.initial_kwh
        for step in range(gain_kwh.shape[1]):
            level = self.carried_kwh(level, step) + gain_kwh[:, step]
            levels[:, step] = level
        return levels

    def carried_kwh(self, level_kwh: Floats, step: int) -> Floats:
        """What of the level at the end of the step before counts in this step. Shape (device,)."""
        kept = at(self.keep, step) * level_kwh
        if self.restart_kwh is None:
            return kept
        restart = at(self.restart_kwh, step)
        return np.asarray(np.where(np.isnan(restart), kept, restart))

    @property
    def scale_kwh(self) -> Floats:
        """Size of the store's numbers, for tolerances. Shape (device, 1)."""
        ends = [np.where(np.isfinite(limit), abs(limit), 0.0).max(axis=1) for limit in (self.low_kwh, self.high_kwh)]
        return np.asarray(np.maximum(abs(self.initial_kwh), np.maximum(*ends))[:, None])


@dataclass(frozen=True)
class Limits:
    """What the devices of one table may do. Step arrays have shape (device, step), or (device, 1)."""

    ids: NDArray[np.object_]
    """Shape (device,)."""
    pod: NDArray[np.int64]
    """Row of each device's POD. Shape (device,)."""
    low_kw: Floats
    """Least net power (load convention)."""
    high_kw: Floats
    """Greatest net power."""
    above: str
    """Words for a net power above its limit: {net}, {net_limit} signed, {power}, {limit} their magnitudes, kW."""
    below: str
    least_withdrawal_kw: Floats | None = None
    """Where it withdraws at all, it withdraws at least this."""
    least_injection_kw: Floats | None = None
    """Where it injects at all, it injects at least this."""
    store: StoreLimits | None = None

    @property
    def scale_kw(self) -> Floats:
        """Size of the devices' powers, for tolerances. Shape (device, 1)."""
        return np.asarray(np.maximum(abs(self.low_kw).max(axis=1), abs(self.high_kw).max(axis=1))[:, None])


@dataclass(frozen=True)
class Use:
    """How devices are used: what their cost depends on. Arrays of shape (device, step)."""

    limits: Limits
    power_kw: Floats
    levels_kwh: Floats
    """Level of the store at the end of the step."""
    aux_kw: Floats


def at(array: Floats, step: int) -> Floats:
    """One step of an array of shape (device, step) or (device, 1). Shape (device,)."""
    return np.asarray(array[:, step] if array.shape[1] > 1 else array[:, 0])


def during(array: Floats, window: slice) -> Floats:
    """Some steps of an array of shape (device, step) or (device, 1)."""
    return np.asarray(array[:, window] if array.shape[1] > 1 else array)


def column(values: Floats) -> Floats:
    """A number per device as a step array constant in time. Shape (device, 1)."""
    return np.asarray(values, dtype=float)[:, None]


def constant(value: float, devices: int) -> Floats:
    """One number for all devices and steps. Shape (device, 1)."""
    return np.full((devices, 1), value)
