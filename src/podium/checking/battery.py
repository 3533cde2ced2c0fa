"""Stationary batteries."""

from __future__ import annotations

import numpy as np

from podium.checking.limits import Floats, Limits, StoreLimits, Use, column, constant
from podium.checking.report import Findings
from podium.devices.device import DeviceTable
from podium.horizon import Horizon


def battery(table: DeviceTable, horizon: Horizon) -> Limits:
    """Charging and discharging each lose their share; what is stored shrinks by `self_discharge_per_hour`."""
    valued = table["energy_end_eur_per_kwh"] != 0
    end = table.filled("energy_end_min_kwh", np.where(valued, table["energy_min_kwh"], table["energy_initial_kwh"]))
    low = np.repeat(column(table["energy_min_kwh"]), horizon.steps, axis=1)
    low[:, -1] = np.maximum(low[:, -1], end)
    return Limits(
        table.ids,
        table.pod,
        column(-table["discharge_max_kw"]),
        column(table["charge_max_kw"]),
        above="charges with {power:.9g} kW, more than the {limit:.9g} kW it can",
        below="discharges with {power:.9g} kW, more than the {limit:.9g} kW it can",
        store=StoreLimits(
            above="the battery would hold {level:.9g} kWh, more than the {limit:.9g} kWh it can",
            below="the battery would hold {level:.9g} kWh, less than the {limit:.9g} kWh it must",
            initial_kwh=table["energy_initial_kwh"],
            low_kwh=low,
            high_kwh=column(table["energy_max_kwh"]),
            per_withdrawn=column(table["charge_efficiency"]),
            per_injected=column(-1.0 / table["discharge_efficiency"]),
            inflow_kwh=constant(0.0, len(table)),
            keep=column((1.0 - table["self_discharge_per_hour"]) ** horizon.step_hours),
        ),
    )


def check_cycles(findings: Findings, table: DeviceTable, limits: Limits, horizon: Horizon, power_kw: Floats) -> None:
    """Per local day, the energy taken from the cells is at most `cycles_max_per_day` times the capacity."""
    rows = np.flatnonzero(np.isfinite(table["cycles_max_per_day"]))
    first_steps = np.flatnonzero(horizon.day_starts)
    taken_kw = np.maximum(-power_kw[rows], 0.0) / column(table["discharge_efficiency"][rows])
    taken = horizon.step_hours * np.add.reduceat(taken_kw, first_steps, axis=1)
    allowed = column((table["cycles_max_per_day"] * table["energy_max_kwh"])[rows])

    def words(row: int, day: int) -> str:
        return (
            f"on the day of this step {taken[row, day]:.9g} kWh are taken from the cells, more than the "
            f"{allowed[row, 0]:.9g} kWh that the cycle limit allows"
        )

    tolerance = findings.tolerance_kwh(allowed)
    findings.add(limits.pod[rows], limits.ids[rows], taken - allowed, tolerance, words, "kWh", first_steps)


def battery_eur(table: DeviceTable, horizon: Horizon, use: Use) -> Floats:
    """Wear per kWh discharged at the meter, less the value of what is left at the end. Shape (device,)."""
    discharged = horizon.step_hours * np.maximum(-use.power_kw, 0.0).sum(axis=1)
    wear = table["wear_eur_per_kwh"] * discharged
    return np.asarray(wear - table["energy_end_eur_per_kwh"] * use.levels_kwh[:, -1])
