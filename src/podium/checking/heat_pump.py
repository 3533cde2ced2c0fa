"""Heat pumps and electric boilers with a heat store."""

from __future__ import annotations

import numpy as np

from podium.checking.limits import Floats, Limits, StoreLimits, Use, column, constant
from podium.devices.device import DeviceTable
from podium.horizon import Horizon

HEAT_ABOVE = "the heat store would hold {level:.9g} kWh, more than the {limit:.9g} kWh allowed"
HEAT_BELOW = "the heat store would hold {level:.9g} kWh, less than the {limit:.9g} kWh required"


def heat_pump(table: DeviceTable, horizon: Horizon) -> Limits:
    """Electricity times the COP fills the heat store, the back-up adds to it, the demand drains it."""
    return Limits(
        table.ids,
        table.pod,
        constant(0.0, len(table)),
        column(table["electric_max_kw"]),
        above="takes {net:.9g} kW, more than the {limit:.9g} kW it can",
        below="its net power is {net:.9g} kW, but it cannot inject",
        least_withdrawal_kw=column(table["electric_min_kw"]),
        store=StoreLimits(
            above=HEAT_ABOVE,
            below=HEAT_BELOW,
            initial_kwh=table["heat_store_initial_kwh"],
            low_kwh=least_heat_kwh(table, column(table["heat_store_min_kwh"]), horizon),
            high_kwh=column(table["heat_store_max_kwh"]),
            per_withdrawn=_cop(table, horizon),
            per_injected=constant(0.0, len(table)),
            inflow_kwh=-horizon.step_hours * table.power_kw("heat_profile", "heat_scale_kw"),
            keep=heat_kept(table, horizon),
            aux_max_kw=table["backup_heat_max_kw"],
        ),
    )


def backup_eur(table: DeviceTable, horizon: Horizon, use: Use) -> Floats:
    """Heat of the back-up. Shape (device,)."""
    return np.asarray(table["backup_heat_eur_per_kwh"] * horizon.step_hours * use.aux_kw.sum(axis=1))


def least_heat_kwh(table: DeviceTable, always: Floats, horizon: Horizon) -> Floats:
    """Least content at the end of each step; at the end of the horizon what it held at the start, unless said.

    Shape (device, step).
    """
    low = np.repeat(always, horizon.steps, axis=1)
    low[:, -1] = np.maximum(low[:, -1], table.filled("heat_store_end_min_kwh", table["heat_store_initial_kwh"]))
    return low


def heat_kept(table: DeviceTable, horizon: Horizon) -> Floats:
    """Share of the content that a step leaves, from the loss per hour. Shape (device, 1)."""
    return column((1.0 - table["heat_store_loss_per_hour"]) ** horizon.step_hours)


def _cop(table: DeviceTable, horizon: Horizon) -> Floats:
    by_profile = table.profiles.scaled(table["cop_profile"], np.ones(len(table)))
    number = np.repeat(column(table["cop"]), horizon.steps, axis=1)
    return np.where(column(table["cop_profile"]) >= 0, by_profile, number)
