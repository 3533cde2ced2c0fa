"""Loads: fixed, curtailable, shiftable, and plants known by a given profile."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from podium.checking.limits import Floats, Limits, StoreLimits, Use, column, constant
from podium.devices.device import DeviceTable
from podium.horizon import Horizon

MINUTES_PER_DAY = 1440


def fixed_load(table: DeviceTable, horizon: Horizon) -> Limits:  # noqa: ARG001
    """It takes its load."""
    load = table.power_kw()
    return Limits(
        table.ids,
        table.pod,
        load,
        load,
        above="takes {net:.9g} kW, more than its load of {net_limit:.9g} kW",
        below="takes {net:.9g} kW, less than its load of {net_limit:.9g} kW",
    )


def given_profile(table: DeviceTable, horizon: Horizon) -> Limits:  # noqa: ARG001
    """It stays within `band_kw` (or `band_fraction` of the profile's magnitude) on either side of its profile."""
    power = table.power_kw()
    band = column(table.filled("band_kw", 0.0)) + column(table.filled("band_fraction", 0.0)) * abs(power)
    return Limits(
        table.ids,
        table.pod,
        power - band,
        power + band,
        above="its net power of {net:.9g} kW is above its band, which ends at {net_limit:.9g} kW",
        below="its net power of {net:.9g} kW is below its band, which begins at {net_limit:.9g} kW",
    )


def curtailable_load(table: DeviceTable, horizon: Horizon) -> Limits:
    """It takes its load less what may be cut in the step; the store is what may still be cut on that local day.

    An allowance that is absent, or more than the load of the whole horizon, counts as that load.
    """
    load = table.power_kw()
    cut = load * column(table.filled("curtailable_fraction", 1.0))
    cut = np.minimum(cut, column(table.filled("curtailable_max_kw", np.inf)))
    cut *= daily_window(table, horizon, "curtailable_from", "curtailable_to")
    allowance = np.minimum(table.filled("curtailable_energy_kwh_per_day", np.inf), _energy_kwh(load, horizon))
    return Limits(
        table.ids,
        table.pod,
        load - cut,
        load,
        above="takes {net:.9g} kW, more than its load of {net_limit:.9g} kW",
        below="takes {net:.9g} kW; after all that may be cut in this step {net_limit:.9g} kW would remain",
        store=StoreLimits(
            above="has {level:.9g} kWh left to cut on this day, more than its allowance of {limit:.9g} kWh",
            below="has cut {amount:.9g} kWh more than its allowance for this day",
            initial_kwh=allowance,
            low_kwh=constant(0.0, len(table)),
            high_kwh=column(allowance),
            per_withdrawn=constant(1.0, len(table)),
            per_injected=constant(-1.0, len(table)),
            inflow_kwh=-horizon.step_hours * load,
            keep=constant(1.0, len(table)),
            restart_kwh=np.where(horizon.day_starts, column(allowance), np.nan),
        ),
    )


def curtailment_eur(table: DeviceTable, horizon: Horizon, use: Use) -> Floats:
    """The price of each kWh cut. Shape (device,)."""
    return np.asarray(table["curtailment_eur_per_kwh"] * _energy_kwh(use.limits.high_kw - use.power_kw, horizon))


def shiftable_load(table: DeviceTable, horizon: Horizon) -> Limits:
    """It moves by fractions of its load within its daily window; the store is what it took in advance on that day.

    By the end of the local day, and of the horizon, nothing is left in advance and at most the permitted loss
    outstanding.
    """
    load = table.power_kw()
    movable = load * daily_window(table, horizon, "shiftable_from", "shiftable_to")
    most = np.repeat(column(table.filled("shift_energy_max_kwh", np.inf)), horizon.steps, axis=1)
    loss = column(table["energy_loss_max_kwh"])
    ends = last_steps_of_days(horizon)
    return Limits(
        table.ids,
        table.pod,
        load - movable * column(table["shift_down_fraction"]),
        load + movable * column(table["shift_up_fraction"]),
        above="takes {net:.9g} kW, more than the {net_limit:.9g} kW to which its load may be raised in this step",
        below="takes {net:.9g} kW, less than the {net_limit:.9g} kW to which its load may be lowered in this step",
        store=StoreLimits(
            above="has taken {level:.9g} kWh in advance since the day began; {limit:.9g} kWh are allowed now",
            below="is {behind:.9g} kWh behind its load since the day began; {loss:.9g} kWh are allowed now",
            initial_kwh=np.zeros(len(table)),
            low_kwh=-np.where(ends, np.minimum(most, loss), most),
            high_kwh=np.where(ends, 0.0, most),
            per_withdrawn=constant(1.0, len(table)),
            per_injected=constant(-1.0, len(table)),
            inflow_kwh=-horizon.step_hours * load,
            keep=constant(1.0, len(table)),
            restart_kwh=np.where(horizon.day_starts, 0.0, np.nan)[None, :],
        ),
    )


def daily_window(table: DeviceTable, horizon: Horizon, first: str, last: str) -> NDArray[np.bool_]:
    """Steps that start, by the local clock, from `first` on and before `last`; all where these are absent or equal.

    Shape (row, step).
    """
    length = (table[last] - table[first]) % MINUTES_PER_DAY
    length[(length == 0) | (table[first] < 0)] = MINUTES_PER_DAY
    since = (horizon.minute_of_day[None, :] - table[first][:, None]) % MINUTES_PER_DAY
    return np.asarray(since < length[:, None])


def last_steps_of_days(horizon: Horizon) -> NDArray[np.bool_]:
    """True in the last step of each local day and of the horizon. Shape (step,)."""
    return np.append(horizon.day_starts[1:], True)


def _energy_kwh(power_kw: Floats, horizon: Horizon) -> Floats:
    return np.asarray(horizon.step_hours * power_kw.sum(axis=1))
