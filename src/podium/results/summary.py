"""The figures of a run: summary.json and certificate.json (docs/results.md)."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np

from podium.flexstore import Floats
from podium.market.coupling import KW_PER_MW
from podium.market.plan import Plan
from podium.results.outcome import Outcome
from podium.version import __version__


def summary_of(result: Outcome) -> dict[str, Any]:
    """The content of summary.json."""
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
        "worth": _worth(result),
        "notices": [*study.notices, *(plan.notices if plan else ()), *_late_notices(result)],
    }


def _delivered_kw(result: Outcome) -> Floats:
    """What the devices' set points sum to, with failed PODs at their baseline. Shape (step,)."""
    schedule, base = result.schedule.p, result.local.baseline
    lost = np.unique(base.device_pod[np.isnan(schedule[:, 0])]) if len(schedule) else np.zeros(0, dtype=np.int64)
    net = base.net_kw if result.plan is None else result.plan.pod_kw
    return np.asarray(np.nansum(schedule, axis=0) + net[lost].sum(axis=0))


def _late_notices(result: Outcome) -> list[str]:
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
        **{f.name: getattr(plan.money, f.name) for f in fields(plan.money)},
        "rounds": 0 if certificate is None else len(certificate.rounds),
        "offers_mw": {name: (kw / KW_PER_MW).tolist() for name, kw in plan.offers_kw.items()},
    }


def _virtus(result: Outcome) -> dict[str, Any] | None:
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


def _worth(result: Outcome) -> dict[str, Any] | None:
    """What the pool is worth, EUR: the plan, each POD alone at its tariff, and what the reference method promises."""
    if result.plan is None:
        return None
    alone = -float(result.local.baseline.cost_eur.sum())
    promised = result.promise
    return {
        "plan_eur": result.plan.profit_eur,
        "alone_eur": alone,
        "reference_promise_eur": None if promised is None else promised.result.profit_eur,
        "reference_delivered_eur": None if promised is None else promised.delivered_eur,
    }


def certificate_of(result: Outcome, summary: dict[str, Any]) -> dict[str, Any]:
    """The content of certificate.json: profit, bound and gap, and how they came about round by round."""
    written = {key: summary["level2"][key] for key in ("method", "profit_eur", "bound_eur", "gap")}
    certificate = None if result.plan is None else result.plan.certificate
    rounds = () if certificate is None else certificate.rounds
    return written | {
        "rounds": [
            {
                "round": number + 1,
                "bound_eur": told.bound_eur,
                "profit_eur": told.profit_eur,
                "gap": told.gap,
                "seconds": told.seconds,
            }
            for number, told in enumerate(rounds)
        ],
        "worth": summary["worth"],
    }
