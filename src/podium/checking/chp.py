"""Combined heat and power: an engine with least power and least times, a heat store, a boiler."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from podium.checking.heat_pump import HEAT_ABOVE, HEAT_BELOW, heat_kept, least_heat_kwh
from podium.checking.limits import Floats, Limits, StoreLimits, Use, column, constant
from podium.checking.report import Findings
from podium.devices.device import DeviceTable
from podium.horizon import Horizon

#: An engine below this power, kW (and this share of its greatest), stands still: solvers leave such crumbs.
STANDSTILL = 1e-6


def chp(table: DeviceTable, horizon: Horizon) -> Limits:
    """Generation makes heat in a fixed ratio; boiler and vent close the balance."""
    return Limits(
        table.ids,
        table.pod,
        column(-table["electric_max_kw"]),
        constant(0.0, len(table)),
        above="its net power is {net:.9g} kW, but it cannot withdraw",
        below="generates {power:.9g} kW, more than the {limit:.9g} kW it can",
        least_injection_kw=column(table["electric_min_kw"]),
        store=StoreLimits(
            above=HEAT_ABOVE,
            below=HEAT_BELOW,
            initial_kwh=table["heat_store_initial_kwh"],
            low_kwh=least_heat_kwh(table, constant(0.0, len(table)), horizon),
            high_kwh=column(table["heat_store_max_kwh"]),
            per_withdrawn=constant(0.0, len(table)),
            per_injected=column(table["heat_ratio"]),
            inflow_kwh=-horizon.step_hours * table.power_kw("heat_profile", "heat_scale_kw"),
            keep=heat_kept(table, horizon),
            aux_max_kw=table["boiler_max_kw"],
            spill_max_kw=table["heat_spill_max_kw"],
        ),
    )


def running(table: DeviceTable, power_kw: Floats) -> NDArray[np.bool_]:
    """Steps in which the engine runs. Shape (device, step).

    Without a least power it may idle, and no step shows whether it does: it then counts as running from the first
    step it generates in (from the beginning where `on_initial`), which breaks no least time and starts least often.
    """
    generates = -power_kw > STANDSTILL * column(np.maximum(1.0, table["electric_max_kw"]))
    idles = table["electric_min_kw"] <= 0
    generates[idles] = np.logical_or.accumulate(generates[idles], axis=1) | table["on_initial"][idles][:, None]
    return generates


def check_running(findings: Findings, table: DeviceTable, limits: Limits, horizon: Horizon, power_kw: Floats) -> None:
    """Least times of running and resting, and the ramp."""
    on, on_before = running(table, power_kw), table["on_initial"]
    up, down = (_steps(table[name], horizon) for name in ("min_up_hours", "min_down_hours"))
    _check_runs(findings, limits, on, on_before, up, "runs")
    _check_runs(findings, limits, ~on, ~on_before, down, "rests")
    _check_ramp(findings, table, limits, horizon, power_kw)


def chp_eur(table: DeviceTable, horizon: Horizon, use: Use) -> Floats:
    """Fuel per kWh of electricity, boiler heat, and starts. Shape (device,)."""
    on = running(table, use.power_kw)
    before = np.concatenate((table["on_initial"][:, None], on[:, :-1]), axis=1)
    starts = (on & ~before).sum(axis=1)
    fuel = table["fuel_eur_per_kwh"] * np.maximum(-use.power_kw, 0.0).sum(axis=1)
    boiler = table["boiler_eur_per_kwh"] * use.aux_kw.sum(axis=1)
    return np.asarray(horizon.step_hours * (fuel + boiler) + table["start_eur"] * starts)


def _steps(hours: Floats, horizon: Horizon) -> NDArray[np.int64]:
    """Whole steps that last at least so many hours."""
    return np.ceil(hours / horizon.step_hours - 1e-9).astype(np.int64)


def _check_runs(
    findings: Findings,
    limits: Limits,
    state: NDArray[np.bool_],
    before: NDArray[np.bool_],
    least: NDArray[np.int64],
    verb: str,
) -> None:
    """Every run of `state` lasts `least` steps, but those under way at the start or cut by the end of the horizon."""
    length = np.zeros(state.shape[0])
    length[before] = np.inf
    lasted = np.zeros(state.shape)
    for step in range(state.shape[1]):
        lasted[:, step] = np.where(state[:, step], np.inf, length)
        length = np.where(state[:, step], length + 1, 0.0)
    ended = np.concatenate((before[:, None], state[:, :-1]), axis=1) & ~state
    missing = np.where(ended, least[:, None] - lasted, 0.0)

    def words(row: int, step: int) -> str:
        return f"{verb} for {lasted[row, step]:.0f} steps only before this one; it must for {least[row]}"

    findings.add(limits.pod, limits.ids, missing, np.full((len(least), 1), 0.5), words, "steps")


def _check_ramp(findings: Findings, table: DeviceTable, limits: Limits, horizon: Horizon, power_kw: Floats) -> None:
    """Power changes by at most the ramp from one step to the next; before the first step it is not known."""
    allowed = column(table.filled("ramp_kw_per_hour", np.inf) * horizon.step_hours)
    change = abs(np.diff(power_kw, axis=1))

    def words(row: int, gap: int) -> str:
        return f"changes by {change[row, gap]:.9g} kW from the step before; its ramp allows {allowed[row, 0]:.9g} kW"

    tolerance = findings.tolerance_kw(limits.scale_kw)
    later = np.arange(1, power_kw.shape[1])
    findings.add(limits.pod, limits.ids, change - allowed, tolerance, words, "kW", later)
