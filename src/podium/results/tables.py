"""The tables of a run, long and by column (docs/results.md)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from podium.devices import KINDS
from podium.local import Failure
from podium.results.files import labels, numbers, times
from podium.results.outcome import Outcome


def steps(result: Outcome) -> dict[str, Any]:
    """The portfolio step by step."""
    local, horizon, prices = result.local, result.study.horizon, result.study.prices
    nothing = np.full(horizon.steps, np.nan)
    virtus = None if result.promise is None else result.promise.result
    columns = {
        "position_kw": result.position_kw,
        "baseline_kw": local.baseline.net_kw.sum(axis=0),
        "min_kw": local.min_kw.sum(axis=0),
        "max_kw": local.max_kw.sum(axis=0),
        "up_kw": local.up_kw.sum(axis=0),
        "down_kw": local.down_kw.sum(axis=0),
        "buy_eur_per_mwh": nothing if prices is None else prices.buy,
        "sell_eur_per_mwh": nothing if prices is None else prices.sell,
        "production_eur_per_mwh": nothing if prices is None else prices.production,
        "profit_eur": nothing if result.plan is None else result.plan.energy_profit_eur,
        "virtus_max_kw": nothing if virtus is None else virtus.F_max_kw,
        "virtus_min_kw": nothing if virtus is None else virtus.F_min_kw,
        "virtus_sum_max_kw": nothing if virtus is None else virtus.max_sum_kw,
        "virtus_sum_min_kw": nothing if virtus is None else virtus.min_sum_kw,
        "virtus_profit_eur": nothing if virtus is None else virtus.mean_profit_step_eur,
    }
    return {"time": times(horizon), **{name: numbers(values) for name, values in columns.items()}}


def pods(result: Outcome) -> dict[str, Any]:
    """Every POD step by step."""
    local, ids, horizon = result.local, result.study.portfolio.ids, result.study.horizon
    plan = local.baseline.net_kw if result.plan is None else result.plan.pod_kw
    columns = {
        "baseline_kw": local.baseline.net_kw,
        "min_kw": local.min_kw,
        "max_kw": local.max_kw,
        "up_kw": local.up_kw,
        "down_kw": local.down_kw,
        "plan_kw": plan,
    }
    head = {"pod": labels(ids, horizon.steps), "time": times(horizon, len(ids))}
    return head | {name: numbers(values) for name, values in columns.items()}


def pod_summary(result: Outcome) -> dict[str, Any]:
    """A row per POD."""
    local, portfolio, base = result.local, result.study.portfolio, result.local.baseline
    failures = {failure.pod: failure.reason for failure in (*_plan_failures(result), *base.failures)}
    late = {*base.late, *(result.plan.late if result.plan else ())}
    status = [
        "failed" if pod in failures else "time limit" if pod in late else "ok" for pod in portfolio.ids.astype(str)
    ]
    nothing = np.full(len(portfolio), np.nan)
    return {
        "pod": pa.array(portfolio.ids.astype(str)),
        "name": pa.array(portfolio.columns["name"].astype(str)),
        "group": pa.array(portfolio.columns["group"].astype(str)),
        "composition": pa.array(_compositions(result)),
        "solver": pa.array(np.where(base.method == "none", "baseline", base.method).astype(str)),
        "seconds": base.seconds,
        "min_seconds": local.min_seconds,
        "max_seconds": local.max_seconds,
        "cost_eur": base.cost_eur,
        "bound_eur": base.bound_eur,
        "plan_profit_eur": pa.array(nothing if result.plan is None else result.plan.pod_profit_eur, from_pandas=True),
        "status": pa.array(status),
        "message": pa.array([failures.get(pod, "") for pod in portfolio.ids.astype(str)]),
    }


def _plan_failures(result: Outcome) -> tuple[Failure, ...]:
    """PODs without an answer to the market price."""
    found = () if result.plan is None else result.plan.failures
    return tuple(Failure(failure.pod, f"at the market price: {failure.reason}") for failure in found)


def _compositions(result: Outcome) -> list[str]:
    """What stands behind each POD, such as "1 battery, 2 fixed_load"."""
    portfolio = result.study.portfolio
    counts = {
        name: np.bincount(
            table.pod[_first_rows(table.ids) if table.kind.sessions else slice(None)], minlength=len(portfolio)
        )
        for name, table in portfolio.devices.items()
    }
    order = [name for name in KINDS if name in counts]
    return [
        ", ".join(f"{counts[name][pod]} {name}" for name in order if counts[name][pod]) for pod in range(len(portfolio))
    ]


def _first_rows(ids: np.ndarray) -> np.ndarray:
    return np.unique(ids.astype(str), return_index=True)[1]


def schedule(result: Outcome) -> dict[str, Any]:
    """Every device step by step."""
    base, portfolio, horizon = result.local.baseline, result.study.portfolio, result.study.horizon
    found = result.schedule
    kind_of = {name: kind for kind, table in portfolio.devices.items() for name in table.ids}
    kinds = [kind_of[name] for name in base.device_ids]
    codes = pa.array(np.repeat(base.device_pod.astype(np.int32), horizon.steps))
    pods = pa.DictionaryArray.from_arrays(codes, pa.array(portfolio.ids.astype(str)))
    names = {kind: code for code, kind in enumerate(KINDS)}
    kind_codes = np.repeat(np.array([names[kind] for kind in kinds], dtype=np.int32), horizon.steps)
    return {
        "pod": pods,
        "device": labels(base.device_ids, horizon.steps),
        "kind": pa.DictionaryArray.from_arrays(pa.array(kind_codes), pa.array(list(KINDS))),
        "time": times(horizon, len(base.device_ids)),
        "power_kw": numbers(found.p),
        "energy_kwh": numbers(result.level_kwh),
        "aux_kw": numbers(found.aux),
        "spill_kw": numbers(found.spill),
        "baseline_kw": numbers(base.schedule.p),
    }
