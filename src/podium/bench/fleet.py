"""Energy alone: the PODs of benchmark A answer one market price, which nothing couples; one round, no gap.

From arrays to the set points of all devices, on several threads: the dynamic programme leaves Python's lock alone.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from time import perf_counter, process_time

import numpy as np

from podium.bench.benchmark_a import STEP_HOURS, STEPS, Batch, batches, store_of
from podium.bench.measure import Found, certified
from podium.compute import available_workers
from podium.flex.solve import Solution, solve
from podium.flexstore import Floats
from podium.portfolio import Meter


def respond(batch: Batch, price: Floats) -> tuple[Solution, Floats]:
    """The cheapest set points of every device at one price (step,), EUR/kWh, and their sum, kW (step,)."""
    pods = len(batch.load)
    free, row = np.full(pods, np.inf), np.broadcast_to(price, batch.load.shape)
    meter = Meter(row, row, free, free, np.zeros(pods))
    found = solve(store_of(batch), meter, STEP_HOURS, np.zeros(STEPS, dtype=np.int64))
    return found, found.schedule.p.sum(axis=0)


def run(pods: int, workers: int | None) -> Found:
    """Answer the middle of benchmark A's buying and selling prices."""
    parts = list(batches(pods))
    price = 0.5 * (parts[0].buy + parts[0].sell)
    threads = available_workers() if workers is None else workers
    respond(parts[0], price)
    begun, wall = process_time(), perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        answers = list(pool.map(lambda part: respond(part, price), parts))
    position = np.sum([sums for _, sums in answers], axis=0)
    cost = sum(float(found.cost_eur.sum()) for found, _ in answers)
    bound = sum(float(found.bound_eur.sum()) for found, _ in answers)
    return {
        "benchmark": "fleet",
        "pods": pods,
        "set_points": sum(found.schedule.p.size for found, _ in answers),
        **certified(cost, bound),
        "position_greatest_kw": float(position.max()),
        "threads": threads,
        "cpu_seconds": process_time() - begun,
        "wall_seconds": perf_counter() - wall,
    }
