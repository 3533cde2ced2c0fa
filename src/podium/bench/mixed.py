"""Ten kinds of mixed PODs whose devices are coupled: a tariff spread and a connection limit (linear programmes)."""

from __future__ import annotations

import numpy as np

from podium.bench.measure import Found, least
from podium.bench.synthetic import portfolio_of
from podium.flex.solve import solve

KINDS: list[tuple[str, ...]] = [
    ("battery", "car"),
    ("load", "battery", "car"),
    ("load", "car", "heat_pump"),
    ("load", "pv", "battery", "car"),
    ("load", "pv", "battery", "heat_pump"),
    ("load", "curtailable", "shiftable", "battery"),
    ("load", "pv", "shiftable", "car"),
    ("load", "pv", "wind", "battery", "shiftable"),
    ("load", "pv", "battery", "car", "heat_pump"),
    ("load", "pv", "curtailable", "shiftable", "battery", "car"),
]
"""Devices of each kind of POD; every one has two stores or more."""
LIMITS_KW = {"withdrawal_max_kw": 12.0, "injection_max_kw": 5.0}


def run(pods: int = 1000, repeats: int = 2) -> Found:
    """Cheapest schedules of one batch of PODs, all kinds in equal numbers; from portfolio to schedules."""
    portfolio = portfolio_of(KINDS, pods, buy_profile="buy", sell_profile="sell", **LIMITS_KW)
    horizon = portfolio.horizon
    taken = least(lambda: solve(portfolio.store(), portfolio.meter(), horizon.step_hours, horizon.day), repeats)
    methods, counts = np.unique(taken.result.method.astype(str), return_counts=True)
    return {
        "benchmark": "mixed",
        "pods": pods,
        "devices": portfolio.device_count,
        "objective_eur": float(taken.result.cost_eur.sum()),
        "cpu_seconds": taken.cpu_seconds,
        "cpu_ms_per_pod": 1000 * taken.cpu_seconds / pods,
        "wall_seconds": taken.wall_seconds,
        "solvers": dict(zip(methods.tolist(), counts.tolist(), strict=True)),
        "repeats": repeats,
    }
