"""CONF_7, the reference's largest POD: 24 devices; least and greatest energy over the day.

In canonical form on made-up profiles, and, where the reference's data are at hand, by the reference's own rules on
its own profiles (golden sums 437069.434 and 647129.014).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from podium.bench.measure import Found, least
from podium.bench.synthetic import portfolio_of
from podium.flex.solve import Solution, solve
from podium.flexstore import Floats
from podium.local.problems import posed
from podium.market import virtus
from podium.portfolio import Portfolio

KIND = (
    *["pv"] * 5,
    *["wind"] * 5,
    "battery",
    *["load"] * 3,
    *["curtailable"] * 5,
    *["shiftable"] * 5,
)
"""What stands behind a POD of CONF_7."""
POD = "p7"


def run(pods: int = 100, repeats: int = 2, shared: Path | None = None) -> Found:
    """Both problems for `pods` PODs at once; `shared`: the folder with the reference's data."""
    portfolio = portfolio_of([KIND], pods, buy_eur_per_kwh=0.2, sell_eur_per_kwh=0.1)
    taken = least(lambda: _bounds(portfolio), repeats)
    found: Found = {
        "benchmark": "conf7",
        "pods": pods,
        "devices": portfolio.device_count,
        "min_energy_kwh": _energy_kwh(taken.result[0], portfolio),
        "max_energy_kwh": _energy_kwh(taken.result[1], portfolio),
        "cpu_seconds": taken.cpu_seconds,
        "cpu_ms_per_pod": 1000 * taken.cpu_seconds / pods,
        "wall_seconds": taken.wall_seconds,
        "repeats": repeats,
    }
    data = None if shared is None else shared / "reference" / "pods.json"
    if data is not None and data.is_file():
        found["reference_rules"] = _by_the_references_rules(json.loads(data.read_text())[POD], pods, repeats)
    return found


def _bounds(portfolio: Portfolio) -> tuple[Solution, Solution]:
    """From portfolio to schedules: `min_energy` and `max_energy`."""
    store, meter, horizon = portfolio.store(), portfolio.meter(), portfolio.horizon
    least_energy = solve(*posed(store, meter, "min_energy"), horizon.step_hours, horizon.day)
    return least_energy, solve(*posed(store, meter, "max_energy"), horizon.step_hours, horizon.day)


def _energy_kwh(solution: Solution, portfolio: Portfolio) -> float:
    """Net energy of all PODs together."""
    return float(solution.schedule.p.sum() * portfolio.horizon.step_hours)


def _by_the_references_rules(entry: dict[str, Any], pods: int, repeats: int) -> Found:
    shifts, storages = _tables(entry, pods)
    taken = least(lambda: virtus.solve_level1(shifts, storages, pods), repeats)
    return {
        "min_sum": float(taken.result.min_sum_kw[0]),
        "max_sum": float(taken.result.max_sum_kw[0]),
        "cpu_seconds": taken.cpu_seconds,
        "cpu_ms_per_pod": 1000 * taken.cpu_seconds / pods,
    }


def _tables(entry: dict[str, Any], pods: int) -> tuple[virtus.ShiftTable, virtus.StorageTable]:
    """The reference's devices, once for every POD."""
    shifts = [_shifts(pod, device) for pod in range(pods) for device in entry["devices"] if device["type"] != "STORAGE"]
    stores = [device for device in entry["devices"] if device["type"] == "STORAGE"] * pods
    names = ("initial_charge", "max_charge", "max_delta_charge", "max_delta_discharge")
    level, most, charge, discharge = (np.array([_row(store[name]) for store in stores]) for name in names)
    losses = ([store[f"{way}_efficiency"] for store in stores] for way in ("charge", "discharge"))
    owner = np.repeat(np.arange(pods), len(stores) // pods)
    eta_c, eta_d = (np.array(values, dtype=float) for values in losses)
    return virtus.stack(shifts), virtus.StorageTable(owner, level[:, 0], most[:, 0], charge, discharge, eta_c, eta_d)


def _shifts(pod: int, device: dict[str, Any]) -> virtus.ShiftTable:
    """One device by the reference's rules."""
    kind, forecast = device["type"], _row(device["profile"])
    if kind == "LOAD_T1":
        return virtus.fixed_loads(pod, forecast)
    if kind == "LOAD_T2":
        reduction, total = _row(device["allowed_reduction"]), device["allowed_reduction_total"]
        return virtus.curtailable_loads(pod, forecast, _row(device["allowed_t"]), reduction, total)
    limits = _row(device["min_shift"]), _row(device["max_shift"])
    if kind == "LOAD_T3":
        return virtus.shiftable_loads(pod, forecast, _row(device["allowed_t"]), *limits, device["total_shift"])
    make = {"PV": virtus.photovoltaics, "WIND": virtus.wind_turbines}[kind]
    return make(pod, forecast, *limits, device["total_shift"])


def _row(value: Any) -> Floats:
    """A series of the data, where a constant one is written {"const": x}; a number is constant too."""
    constant = value["const"] if isinstance(value, dict) else value
    return np.array(np.broadcast_to(np.asarray(constant, dtype=float), (96,)))
