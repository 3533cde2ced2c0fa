"""Chargers of electric vehicles: sessions with an arrival and a departure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podium.checking.limits import Floats, Limits, StoreLimits, Use, constant
from podium.devices.device import DeviceTable
from podium.horizon import Horizon

#: A moment this close to the start of a step counts as that start.
CLOCK_TOLERANCE_NS = 1000


@dataclass(frozen=True)
class Sessions:
    """The sessions of a table as the steps of its chargers see them."""

    rows: NDArray[np.int64]
    """A row of the table for each charger (its first). Shape (device,)."""
    charger: NDArray[np.int64]
    """Charger of each session. Shape (row,)."""
    first: NDArray[np.int64]
    """First step that lies wholly within the session (0 where it began before the horizon). Shape (row,)."""
    last: NDArray[np.int64]
    """One past the last such step; at most `first` where there is none. Shape (row,)."""
    target_kwh: Floats
    """Energy wanted at the end of the session, or of the horizon where it goes on. Shape (row,)."""
    present: NDArray[np.int64]
    """Session at each charger in each step, -1 where there is none. Shape (device, step)."""

    def of_steps(self, values: Floats, absent: float = 0.0) -> Floats:
        """A number of each session (row,) at the charger's steps. Shape (device, step)."""
        return np.where(self.present >= 0, values[self.present], absent)

    def touched(self, horizon: Horizon) -> NDArray[np.bool_]:
        """Sessions that last into the horizon and begin before its end. Shape (row,)."""
        return (self.last > 0) & (self.first < horizon.steps)


def sessions_of(table: DeviceTable, horizon: Horizon) -> Sessions:
    """Place the sessions of a table in the horizon's steps."""
    charger, ids = pd.factorize(table.ids)
    rows = np.full(len(ids), len(table), dtype=np.int64)
    np.minimum.at(rows, charger, np.arange(len(table)))
    first, leaves = _whole_steps(table, horizon)
    last = np.minimum(leaves, horizon.steps)
    later_hours = np.maximum(leaves - horizon.steps, 0) * horizon.step_hours
    later_kwh = later_hours * table["charge_max_kw"] * table["charge_efficiency"]
    target = np.maximum(table["energy_wanted_kwh"] - later_kwh, 0.0)
    present = _present(charger, first, last, (len(ids), horizon.steps))
    return Sessions(rows, charger.astype(np.int64), first, last, target, present)


def ev_charger(table: DeviceTable, horizon: Horizon) -> Limits:
    """While a car is there it is a battery that starts with what it brought; without one nothing flows."""
    sessions = sessions_of(table, horizon)
    devices = len(sessions.rows)
    return Limits(
        table.ids[sessions.rows],
        table.pod[sessions.rows],
        -sessions.of_steps(table["discharge_max_kw"]),
        sessions.of_steps(table["charge_max_kw"]),
        above="charges with {power:.9g} kW, more than the {limit:.9g} kW possible (0 without a car all the step)",
        below="feeds back {power:.9g} kW, more than the {limit:.9g} kW possible (0 without a car all the step)",
        least_withdrawal_kw=sessions.of_steps(table["charge_min_kw"]),
        store=StoreLimits(
            above="the car would hold {level:.9g} kWh, more than the {limit:.9g} kWh it can (0 while there is none)",
            below="the car would hold {level:.9g} kWh, less than nothing",
            initial_kwh=np.zeros(devices),
            low_kwh=constant(0.0, devices),
            high_kwh=sessions.of_steps(table["energy_max_kwh"]),
            per_withdrawn=sessions.of_steps(table["charge_efficiency"]),
            per_injected=-1.0 / sessions.of_steps(table["discharge_efficiency"], absent=1.0),
            inflow_kwh=constant(0.0, devices),
            keep=constant(1.0, devices),
            restart_kwh=_restarts_kwh(sessions, table["energy_arrival_kwh"]),
        ),
    )


def ev_eur(table: DeviceTable, horizon: Horizon, use: Use) -> Floats:
    """Wear of what the cars feed back, and each kWh short at departure. Shape (device,)."""
    sessions = sessions_of(table, horizon)
    wear = sessions.of_steps(table["wear_eur_per_kwh"]) * np.maximum(-use.power_kw, 0.0)
    cost = horizon.step_hours * wear.sum(axis=1)
    stays = sessions.last > sessions.first
    leaving = use.levels_kwh[sessions.charger, np.maximum(sessions.last - 1, 0)]
    leaving = np.where(stays, leaving, table["energy_arrival_kwh"])
    wanted = np.where(stays, sessions.target_kwh, table["energy_wanted_kwh"])
    short_eur = table["shortfall_eur_per_kwh"] * np.maximum(wanted - leaving, 0.0)
    np.add.at(cost, sessions.charger, np.where(sessions.touched(horizon), short_eur, 0.0))
    return np.asarray(cost)


def _whole_steps(table: DeviceTable, horizon: Horizon) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First whole step of each session and one past the last (beyond the horizon where it goes on). Shape (row,)."""
    start = pd.Timestamp(horizon.start).as_unit("ns").value
    step = horizon.step_minutes * 60 * 10**9
    arrives = -((start - table["arrival"] + CLOCK_TOLERANCE_NS) // step)
    leaves = (table["departure"] - start + CLOCK_TOLERANCE_NS) // step
    return np.maximum(arrives, 0), leaves


def _present(
    charger: NDArray[np.intp], first: NDArray[np.int64], last: NDArray[np.int64], shape: tuple[int, int]
) -> NDArray[np.int64]:
    present = np.full(shape, -1, dtype=np.int64)
    length = np.maximum(last - first, 0)
    before = np.cumsum(length) - length
    step = np.arange(length.sum()) - np.repeat(before - first, length)
    present[np.repeat(charger, length), step] = np.repeat(np.arange(len(first)), length)
    return present


def _restarts_kwh(sessions: Sessions, arrival_kwh: Floats) -> Floats:
    """What the car brings where a session begins, 0 where one has ended, else NaN. Shape (device, step)."""
    before = np.concatenate((np.full((len(sessions.rows), 1), -1), sessions.present[:, :-1]), axis=1)
    changed = sessions.present != before
    return np.where(changed, sessions.of_steps(arrival_kwh), np.nan)
