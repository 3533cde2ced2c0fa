"""A run: level 1, level 2, the reference's promise beside it, the check, and the files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from podium.checking import CheckReport, check_position, check_results, check_schedule
from podium.checking import Schedule as CheckedSchedule
from podium.compute import Progress, silent
from podium.devices import KINDS
from podium.flex.exact import Schedule
from podium.flex.exclusive import Limits
from podium.flexstore import Floats
from podium.local import Failure, LocalResult, optimise_local
from podium.market.energy import require_one_price
from podium.market.plan import Plan, optimise_portfolio, promise, undeliverable
from podium.market.virtus import VirtusResult
from podium.market.virtus.undelivered import Undelivered
from podium.report import write_report
from podium.results import RESULTS, labels, numbers, replaced, times, write_json, write_table
from podium.study import Study
from podium.version import __version__

#: Phases of a run, in order, as they are told to `progress`.
PHASES = ("level 1", "level 2", "reference promise", "check", "files", "report")
Phase = Callable[[str], Progress]


def _quiet(_phase: str) -> Progress:
    return silent


@dataclass(frozen=True)
class Promise:
    """What the reference method promises, and what of it the devices cannot deliver."""

    result: VirtusResult
    undelivered_max: Undelivered
    undelivered_min: Undelivered


@dataclass(frozen=True)
class Result:
    """Everything that a run found. `plan` and `promise` are None in a study without market prices."""

    study: Study
    local: LocalResult
    plan: Plan | None
    promise: Promise | None
    check: CheckReport

    @property
    def schedule(self) -> Schedule:
        """Set points of all devices: the plan's, or the baseline's in a study without a market."""
        return self.local.baseline.schedule if self.plan is None else self.plan.schedule

    @property
    def position_kw(self) -> Floats:
        """Net power of the portfolio. Shape (step,)."""
        return np.asarray(self.local.baseline.net_kw.sum(axis=0)) if self.plan is None else self.plan.position_kw

    @property
    def ok(self) -> bool:
        """True where every POD has a schedule and the check found nothing."""
        failed = self.local.baseline.failures or (self.plan is not None and self.plan.failures)
        return self.check.good and not failed

    @property
    def summary(self) -> dict[str, Any]:
        """The content of summary.json."""
        return _summary(self)

    def write(self, folder: Path, phase: Phase = _quiet) -> None:
        """Tables, summary, certificate, report and pictures into `folder`, which is replaced as a whole."""
        with replaced(folder) as aside:
            phase("files")
            _write_files(self, aside)
            phase("report")
            write_report(aside)


def run(study: Study, *, workers: int | None = None, phase: Phase = _quiet) -> Result:
    """Optimise a study on both levels and check it.

    `workers`: number of processes, None for all cores; the result does not depend on it. `phase` is told the name of
    each phase of `PHASES` as it begins, and gives back what is to be told the number of PODs done.
    Raises InputError where the study cannot be optimised at all; a POD that fails is in the result.
    """
    options, portfolio, prices = study.options, study.portfolio, study.prices
    limits = Limits(options.time_limit_seconds, options.mip_gap)
    if prices is not None and options.method == "exact":
        require_one_price(prices, portfolio.horizon)
    local = optimise_local(
        portfolio,
        market_eur_per_kwh=None if prices is None else prices.tariff_eur_per_kwh,
        sustain_hours=options.sustain_hours,
        limits=limits,
        workers=workers,
        progress=phase("level 1"),
    )
    plan = promised = None
    if prices is not None:
        plan = optimise_portfolio(
            portfolio,
            prices,
            local,
            method=options.method,
            limits=limits,
            workers=workers,
            progress=phase("level 2"),
        )
        phase("reference promise")
        promised = _promise(study, local)
    phase("check")
    return Result(study, local, plan, promised, _checked(study, local, plan))


def check(study: Study, results_dir: Path | None = None) -> CheckReport:
    """Judge the files of a run (default: `results` in the study's folder) by the study alone.

    Raises InputError where a file cannot be read.
    """
    folder = results_dir or (study.folder or Path()) / RESULTS
    return check_results(study.portfolio, study.prices, folder)


def _promise(study: Study, local: LocalResult) -> Promise:
    if study.prices is None:
        raise AssertionError("a promise needs prices")
    result = promise(study.portfolio, study.prices, local)
    most = undeliverable(study.portfolio, local, result.F_max_kw)
    least = undeliverable(study.portfolio, local, result.F_min_kw)
    return Promise(result, most, least)


def _checked(study: Study, local: LocalResult, plan: Plan | None) -> CheckReport:
    """Level 1's baseline and the plan, judged from the study's data alone."""
    base = local.baseline
    reports = [_judged(study, local, base.schedule, base.net_kw, base.failures)]
    if plan is not None and plan.schedule is not base.schedule:
        reports.append(_judged(study, local, plan.schedule, plan.pod_kw, plan.failures))
    return CheckReport.joined(reports)


def _judged(
    study: Study, local: LocalResult, schedule: Schedule, net_kw: Floats, failures: Sequence[Failure]
) -> CheckReport:
    """One schedule, and whether its powers sum to the net power of the PODs that have one."""
    failed = {failure.pod for failure in failures}
    kept = ~np.isin(study.portfolio.ids, list(failed))
    judged = CheckedSchedule(
        local.baseline.device_ids, schedule.p, _levels(local, schedule), schedule.aux, schedule.spill
    )
    return CheckReport.joined(
        (
            check_schedule(study.portfolio, judged, without_pods=failed),
            check_position(study.portfolio, judged, net_kw[kept].sum(axis=0), without_pods=failed),
        )
    )


def _levels(local: LocalResult, schedule: Schedule) -> Floats:
    """Energy at the end of each step, NaN where a device has no store. Shape (device, step)."""
    return np.where(local.baseline.has_store[:, None], schedule.e, np.nan)


def _summary(result: Result) -> dict[str, Any]:
    study, local, plan = result.study, result.local, result.plan
    portfolio, horizon, base = study.portfolio, study.horizon, local.baseline
    methods, counts = np.unique(base.method.astype(str), return_counts=True)
    found = dict(zip(methods.tolist(), counts.tolist(), strict=True))
    gaps = (base.cost_eur - base.bound_eur) / np.maximum(abs(base.cost_eur), 1e-6)
    left = abs(result.position_kw - _delivered_kw(result)).sum() * horizon.step_hours
    return {
        "study": study.name,
        "podium_version": __version__,
        "time_zone": horizon.time_zone,
        "start": horizon.start.isoformat(),
        "end": horizon.end.isoformat(),
        "step_minutes": horizon.step_minutes,
        "steps": horizon.steps,
        "pods": len(portfolio),
        "devices": portfolio.device_count,
        "level1": {
            "seconds": local.seconds,
            "cpu_seconds": local.cpu_seconds,
            "failed": len(base.failures),
            "failures": [{"pod": failure.pod, "reason": failure.reason} for failure in base.failures],
            "solvers": {
                "kernel": found.get("kernel", 0),
                "lp": found.get("lp", 0),
                "milp": found.get("milp", 0),
                "baseline": found.get("none", 0),
            },
            "cost_eur": float(base.cost_eur.sum()),
            "worst_gap": float(max(gaps.max(initial=0.0), 0.0)),
        },
        "level2": _level2(plan),
        "virtus": _virtus(result),
        "check": {"violations": result.check.count, "max_violation_kw": result.check.max_violation_kw},
        "undelivered_kwh": float(left),
        "notices": [*study.notices, *_late_notices(result)],
    }


def _delivered_kw(result: Result) -> Floats:
    """What the devices' set points sum to, with failed PODs at their baseline. Shape (step,)."""
    schedule, base = result.schedule.p, result.local.baseline
    lost = np.unique(base.device_pod[np.isnan(schedule[:, 0])]) if len(schedule) else np.zeros(0, dtype=np.int64)
    net = base.net_kw if result.plan is None else result.plan.pod_kw
    return np.asarray(np.nansum(schedule, axis=0) + net[lost].sum(axis=0))


def _late_notices(result: Result) -> list[str]:
    late = sorted({*result.local.baseline.late, *(result.plan.late if result.plan else ())})
    return [f"POD {pod!r}: time limit before the proof; the best schedule found is used" for pod in late]


def _level2(plan: Plan | None) -> dict[str, Any]:
    if plan is None:
        return {"method": None, "profit_eur": None, "bound_eur": None, "gap": None, "seconds": 0.0}
    certificate = plan.certificate
    return {
        "method": plan.method,
        "profit_eur": plan.profit_eur,
        "bound_eur": None if certificate is None else certificate.bound_eur,
        "gap": None if certificate is None else certificate.gap,
        "seconds": plan.seconds,
    }


def _virtus(result: Result) -> dict[str, Any] | None:
    promised = result.promise
    if promised is None:
        return None
    found = promised.result
    hours, declared = result.study.horizon.step_hours, found.baseline_declared_kw
    promised_max, promised_min = (
        float(abs(side - declared).sum()) * hours for side in (found.F_max_kw, found.F_min_kw)
    )
    return {
        "objective": found.objective,
        "profit_eur": found.profit_eur,
        "mean_profit_eur_per_step": found.mean_profit_eur / result.study.horizon.steps,
        "promised_kwh": promised_max + promised_min,
        "promised_max_kwh": promised_max,
        "promised_min_kwh": promised_min,
        "undelivered_max_kwh": [promised.undelivered_max.lower_kwh, promised.undelivered_max.upper_kwh],
        "undelivered_min_kwh": [promised.undelivered_min.lower_kwh, promised.undelivered_min.upper_kwh],
    }


def _write_files(result: Result, folder: Path) -> None:
    summary = result.summary
    write_json(folder / "summary.json", summary)
    rounds = [{"round": 1, "bound_eur": summary["level2"]["bound_eur"], "profit_eur": summary["level2"]["profit_eur"]}]
    certificate = {key: summary["level2"][key] for key in ("method", "profit_eur", "bound_eur", "gap")}
    write_json(folder / "certificate.json", certificate | {"rounds": rounds if certificate["gap"] is not None else []})
    write_table(folder / "steps.parquet", _steps(result))
    write_table(folder / "pods.parquet", _pods(result))
    write_table(folder / "pod_summary.parquet", _pod_summary(result))
    write_table(folder / "schedule.parquet", _schedule(result))


def _steps(result: Result) -> dict[str, Any]:
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
        "virtus_profit_eur": nothing if virtus is None else virtus.mean_profit_step_eur,
    }
    return {"time": times(horizon), **{name: numbers(values) for name, values in columns.items()}}


def _pods(result: Result) -> dict[str, Any]:
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


def _pod_summary(result: Result) -> dict[str, Any]:
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


def _plan_failures(result: Result) -> tuple[Failure, ...]:
    """PODs without an answer to the market price."""
    found = () if result.plan is None else result.plan.failures
    return tuple(Failure(failure.pod, f"at the market price: {failure.reason}") for failure in found)


def _compositions(result: Result) -> list[str]:
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


def _schedule(result: Result) -> dict[str, Any]:
    base, portfolio, horizon = result.local.baseline, result.study.portfolio, result.study.horizon
    schedule = result.schedule
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
        "power_kw": numbers(schedule.p),
        "energy_kwh": numbers(_levels(result.local, schedule)),
        "aux_kw": numbers(schedule.aux),
        "spill_kw": numbers(schedule.spill),
        "baseline_kw": numbers(base.schedule.p),
    }
