"""Results folders made of plausible numbers, in the format that a run writes, for tests of the report.

`python tests/unit/synthetic_results.py FOLDER --pods 10000` writes one to look at.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from podium.horizon import Horizon

Array = NDArray[np.float64]

COMPOSITIONS = (
    ("fixed_load", "pv", "battery"),
    ("fixed_load", "pv", "ev_charger"),
    ("fixed_load", "heat_pump", "battery"),
    ("shiftable_load", "chp", "pv"),
)
SOLVER_OF = ("kernel", "lp", "lp", "milp")
STORES = ("battery", "ev_charger", "heat_pump", "chp")


@dataclass(frozen=True)
class Case:
    """What to make up: `failed` PODs have neither answers nor a band; `rounds` is the certificate's length."""

    pods: int = 200
    start: str = "2018-05-14"
    days: int = 1
    step_minutes: int = 15
    time_zone: str = "Europe/Rome"
    failed: int = 0
    rounds: int = 1
    sold: bool = False
    """Whether to make up bids, reserve, shares and worth, too."""
    pod_id: str = "pod-{:05d}"
    seed: int = 7

    @property
    def horizon(self) -> Horizon:
        return Horizon.days(self.start, self.days, self.step_minutes, self.time_zone)


def write_results(folder: Path, case: Case) -> Path:
    """Write the six files of a run for `case` into `folder`, and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(case.seed)
    devices = _devices(case)
    power, energy = _device_power(case, devices, rng), _device_energy(case, devices, rng)
    pods = _pod_series(case, devices, power, rng)
    steps = _steps(case, pods, rng)
    _write_long(folder / "pods.parquet", case, {"pod": _pod_names(case)}, pods)
    columns = {name: devices[name].to_numpy() for name in ("pod", "device", "kind")}
    idle = np.zeros_like(power)
    schedule = {"power_kw": power, "energy_kwh": energy, "aux_kw": idle, "spill_kw": idle, "baseline_kw": power * 0.9}
    _write_long(folder / "schedule.parquet", case, columns, schedule)
    steps.to_parquet(folder / "steps.parquet")
    summary = _pod_summary(case, devices, pods, rng)
    summary.to_parquet(folder / "pod_summary.parquet")
    certificate = _certificate(case, float(steps.profit_eur.sum()))
    if case.sold:
        certificate["worth"] = _write_sold(folder, case, devices)
    _write_json(folder / "certificate.json", certificate)
    _write_json(folder / "summary.json", _summary(case, len(devices), summary, certificate))
    return folder


def _pod_names(case: Case) -> NDArray[np.str_]:
    return np.array([case.pod_id.format(number) for number in range(case.pods)])


def _devices(case: Case) -> pd.DataFrame:
    """One row per device: pod, number of the pod, device, kind."""
    rows = [
        (name, number, f"{name}.{kind}", kind)
        for number, name in enumerate(_pod_names(case))
        for kind in COMPOSITIONS[number % len(COMPOSITIONS)]
    ]
    return pd.DataFrame(rows, columns=["pod", "number", "device", "kind"])


def _shapes(case: Case) -> dict[str, Array]:
    """A day's shape per kind, of about 1 kW at most and in the load convention. Shape (step,) each."""
    hour = case.horizon.minute_of_day / 60.0
    sun = np.clip(np.sin((hour - 5.5) / 15 * np.pi), 0, None) * ((hour > 5.5) & (hour < 20.5))
    evening = np.exp(-(((hour - 19.5) / 2.2) ** 2))
    morning = np.exp(-(((hour - 7.5) / 1.5) ** 2))
    return {
        "fixed_load": 0.15 + 0.5 * morning + 0.8 * evening,
        "shiftable_load": 0.4 + 0.6 * ((hour > 7) & (hour < 18)),
        "pv": -sun,
        "battery": np.round(sun - evening, 0) * 0.8,
        "ev_charger": 1.0 * ((hour < 4) | (hour > 22)),
        "heat_pump": 0.2 + 0.6 * morning,
        "chp": -1.0 * ((hour > 6) & (hour < 21)),
    }


def _device_power(case: Case, devices: pd.DataFrame, rng: np.random.Generator) -> Array:
    """Plan of each device, kW. Shape (device, step)."""
    shapes = _shapes(case)
    size = 2.0 + 8.0 * rng.random(len(devices)) + 400.0 * (devices["number"].to_numpy() % 4 == 3)
    noise = 1.0 + 0.08 * rng.standard_normal((len(devices), case.horizon.steps))
    return size[:, None] * np.array([shapes[kind] for kind in devices["kind"]]) * noise


def _device_energy(case: Case, devices: pd.DataFrame, rng: np.random.Generator) -> Array:
    """Level of each store at the end of the step, kWh, NaN where a device has none. Shape (device, step)."""
    walk = np.cumsum(rng.standard_normal((len(devices), case.horizon.steps)), axis=1)
    level = 8.0 + 6.0 * np.tanh(walk / 10.0)
    return np.where(devices["kind"].isin(STORES).to_numpy()[:, None], level, np.nan)


def _pod_series(case: Case, devices: pd.DataFrame, power: Array, rng: np.random.Generator) -> dict[str, Array]:
    plan = np.zeros((case.pods, case.horizon.steps))
    np.add.at(plan, devices["number"].to_numpy(), power)
    room = 1.0 + 0.3 * np.abs(plan).max(axis=1, keepdims=True) * rng.random(plan.shape)
    baseline = plan + 0.4 * room * np.sin(np.arange(plan.shape[1]) / 9.0)
    series = {
        "baseline_kw": baseline, "min_kw": plan - room, "max_kw": plan + room,
        "up_kw": 0.3 * room, "down_kw": 0.2 * room, "plan_kw": plan,
    }  # fmt: skip
    for name in ("min_kw", "max_kw", "up_kw", "down_kw"):
        series[name][: case.failed] = np.nan
    return series


def _steps(case: Case, pods: dict[str, Array], rng: np.random.Generator) -> pd.DataFrame:
    sums = {name: np.nansum(values, axis=0) for name, values in pods.items()}
    hour = case.horizon.minute_of_day // 60
    price = (45.0 + 22.0 * np.sin((hour - 3) / 24 * 4 * np.pi) + 3.0 * rng.random(24)[hour]).round(2)
    position = sums.pop("plan_kw")
    low, high = np.minimum(sums["min_kw"], position), np.maximum(sums["max_kw"], position)
    mwh = position * case.horizon.step_hours / 1000.0
    return pd.DataFrame(
        {
            "time": case.horizon.times, "position_kw": position, **sums,
            "buy_eur_per_mwh": price, "sell_eur_per_mwh": price, "production_eur_per_mwh": 0.6 * price,
            "profit_eur": -mwh * price,
            "virtus_max_kw": np.where(price < 45, high, sums["baseline_kw"]),
            "virtus_min_kw": np.where(price > 45, low, sums["baseline_kw"]),
            "virtus_sum_max_kw": high, "virtus_sum_min_kw": low,
            "virtus_profit_eur": np.abs(mwh) * price * 0.3,
        }
    )  # fmt: skip


def _pod_summary(case: Case, devices: pd.DataFrame, pods: dict[str, Array], rng: np.random.Generator) -> pd.DataFrame:
    number = np.arange(case.pods)
    kinds = devices.groupby("number")["kind"].apply(lambda names: ", ".join(f"1 {kind}" for kind in sorted(names)))
    failed = number < case.failed
    seconds = np.array([2e-5, 1.5e-3, 1.5e-3, 8e-2])[number % 4] * rng.lognormal(0, 0.4, case.pods)
    cost = pods["plan_kw"].sum(axis=1) * case.horizon.step_hours * 0.21
    reason = "battery b: needs 12.5 kWh at 07:00 but can charge 4.0 kWh until then; <b>no</b> way"
    return pd.DataFrame(
        {
            "pod": _pod_names(case), "name": [f"Household {n}" if n % 3 else None for n in number],
            "group": [f"feeder {n % 7}" for n in number], "composition": kinds.to_numpy(),
            "solver": np.where(failed, "baseline", np.array(SOLVER_OF)[number % 4]),
            "seconds": seconds, "min_seconds": 0.4 * seconds, "max_seconds": 0.5 * seconds,
            "cost_eur": np.where(failed, np.nan, cost), "bound_eur": np.where(failed, np.nan, cost),
            "plan_profit_eur": -0.3 * cost,
            "status": np.where(failed, "failed", np.where(number % 97 == 95, "time limit", "ok")),
            "message": np.where(failed, reason, ""),
        }
    )  # fmt: skip


def _certificate(case: Case, profit_eur: float) -> dict[str, object]:
    left = [0.8**number if case.rounds > 1 else 0.0 for number in range(case.rounds)]
    rounds = [
        {
            "round": n + 1,
            "bound_eur": profit_eur + abs(profit_eur) * x,
            "profit_eur": profit_eur * (1 - 0.5 * x),
            "gap": 1.5 * x,
            "seconds": 0.5 * n,
        }
        for n, x in enumerate(left)
    ]
    gap = left[-1] if left else 0.0
    bound_eur = profit_eur + abs(profit_eur) * gap
    return {"method": "exact", "profit_eur": profit_eur, "bound_eur": bound_eur, "gap": gap, "rounds": rounds}


def _write_sold(folder: Path, case: Case, devices: pd.DataFrame) -> dict[str, float | None]:
    """Two blocks of up reserve at 5 and 8 kW, backed by batteries and CHP, an energy curve per step, and shares."""
    times = case.horizon.times
    end = times[-1] + pd.Timedelta(minutes=case.step_minutes)
    half = times[len(times) // 2]
    offers = pd.DataFrame(
        {"market": "afrr-up", "direction": "up", "start": [times[0], half], "end": [half, end],
         "price_eur_per_mwh": np.nan, "availability_eur_per_mw_h": [10.0, 12.5], "quantity_mw": [0.005, 0.008]}
    )  # fmt: skip
    curve = pd.DataFrame(
        {"market": "energy", "direction": "net", "start": times.repeat(2), "end": (times + times.freq).repeat(2),
         "price_eur_per_mwh": np.tile([30.0, 60.0], len(times)), "availability_eur_per_mw_h": np.nan,
         "quantity_mw": np.tile([0.4, -0.2], len(times))}
    )  # fmt: skip
    pd.concat([curve, offers]).to_parquet(folder / "bids.parquet")
    backing = devices[devices["kind"].isin(["battery", "chp"])]
    rows = backing.loc[backing.index.repeat(len(times)), ["pod", "device"]].reset_index(drop=True)
    rows["product"], rows["direction"] = "afrr-up", "up"
    rows["time"], rows["backed_kw"] = times[np.tile(np.arange(len(times)), len(backing))], 2.5
    rows.to_parquet(folder / "reserve.parquet")
    parts = {"energy_eur": 2.0, "reserve_eur": 1.5, "retail_eur": -0.5, "device_eur": -0.25, "limits_eur": 0.25}
    shares = pd.DataFrame({"pod": _pod_names(case), **parts, "contribution_eur": 3.0})
    shares.to_parquet(folder / "shares.parquet")
    return {"plan_eur": 120.0, "alone_eur": -35.5, "reference_promise_eur": 300.0, "reference_delivered_eur": None}


def _summary(case: Case, devices: int, pods: pd.DataFrame, certificate: dict[str, object]) -> dict[str, object]:
    failed = pods[pods.status == "failed"]
    level2 = {name: value for name, value in certificate.items() if name not in ("rounds", "worth")}
    return {
        "study": f"Synthetic {case.pods}", "podium_version": "0.1.0", "time_zone": case.time_zone,
        "start": case.horizon.start.isoformat(), "end": case.horizon.end.isoformat(),
        "step_minutes": case.step_minutes, "steps": case.horizon.steps, "pods": case.pods, "devices": devices,
        "level1": {
            "seconds": float(pods.seconds.sum()) / 2, "cpu_seconds": float(pods.seconds.sum()),
            "failed": len(failed),
            "failures": [{"pod": row.pod, "reason": row.message} for row in failed.itertuples()],
            "solvers": {str(name): int(count) for name, count in pods.solver.value_counts().items()},
            "cost_eur": float(pods.cost_eur.sum()), "worst_gap": 1.2e-5,
        },
        "level2": {**level2, "seconds": 0.021},
        "virtus": {
            "objective": 28962.68, "profit_eur": 7.240669, "mean_profit_eur_per_step": 0.075424,
            "undelivered_max_kwh": [117.8, 117.9], "undelivered_min_kwh": [12.5, 12.5], "promised_kwh": 352.1,
        },
        "check": {"violations": 0, "max_violation_kw": 0.0}, "undelivered_kwh": 0.0,
        "notices": ["Profile HH_A: hourly values held constant over quarter-hours."],
    }  # fmt: skip


def _write_json(path: Path, content: dict[str, object]) -> None:
    path.write_text(json.dumps(content, indent=1), encoding="utf-8")


def _write_long(path: Path, case: Case, ids: dict[str, NDArray[np.str_]], values: dict[str, Array]) -> None:
    """A long table: ids (row,) repeated for every step, and values (row, step)."""
    steps = case.horizon.steps
    columns: dict[str, pa.Array] = {}
    for name, column in ids.items():
        names, codes = np.unique(column, return_inverse=True)
        columns[name] = pa.DictionaryArray.from_arrays(pa.array(np.repeat(codes, steps).astype(np.int32)), names)
    rows = len(next(iter(ids.values())))
    columns["time"] = pa.array(case.horizon.times[np.tile(np.arange(steps), rows)])
    columns |= {name: pa.array(matrix.ravel(), from_pandas=True) for name, matrix in values.items()}
    pq.write_table(pa.table(columns), path, compression="zstd")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    for field in ("pods", "days", "step_minutes", "failed", "rounds"):
        parser.add_argument("--" + field.replace("_", "-"), type=int, default=getattr(Case, field), dest=field)
    parser.add_argument("--start", default=Case.start)
    arguments = vars(parser.parse_args())
    write_results(arguments.pop("folder"), Case(**arguments))
