"""Benchmark A: the cheapest day of N PODs with a fixed load, PV that may be curtailed, and a battery.

Every POD buys at one price and sells at a lower one, so that its devices are coupled by the meter. The optimum is
unique: -1.606537 EUR for 10 PODs, -60.743429 for 100.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from podium.bench.measure import Found, least
from podium.flex.solve import Solution, solve
from podium.flexstore import FlexStore, Floats, concatenate
from podium.portfolio import Meter

STEPS, STEP_HOURS = 96, 0.25
ENERGY_KWH, POWER_KW, EFFICIENCY = 13.5, 5.0, 0.95
"""Each battery: capacity, power each way, one-way efficiency. It starts half full and ends at least so."""
BATCH_PODS = 1000


@dataclass(frozen=True)
class Batch:
    """Some of the PODs: load and PV (pod, step) in kW, buying and selling price (step,) in EUR/kWh."""

    load: Floats
    pv: Floats
    buy: Floats
    sell: Floats


def batches(pods: int, size: int = BATCH_PODS) -> Iterator[Batch]:
    """The first `pods` PODs of the benchmark, in batches: they are the same whatever the size of a batch."""
    random = np.random.default_rng(0)
    price = 0.1 + 0.1 * random.random(STEPS)
    for first in range(0, pods, size):
        drawn = [_pod(random) for _ in range(min(size, pods - first))]
        load, pv = (np.array(rows) for rows in zip(*drawn, strict=True))
        yield Batch(load, pv, price + 0.05, price - 0.02)


def _pod(random: np.random.Generator) -> tuple[Floats, Floats]:
    """Load with an evening peak, and the sun of some height."""
    step = np.arange(STEPS)
    evening = np.exp(-(((step - 76) / 8.0) ** 2))
    load = 0.3 + 0.5 * random.random(STEPS) + 0.8 * evening * random.random()
    sun = np.maximum(0.0, 5 * random.random() * np.sin((step - 24) / 48 * np.pi))
    return load, sun * (step > 24) * (step < 72)


def optimised(batch: Batch) -> Solution:
    """From arrays to schedules: canonical form, then the cheapest schedule of every device."""
    return solve(store_of(batch), meter_of(batch), STEP_HOURS, np.zeros(STEPS, dtype=np.int64))


def store_of(batch: Batch) -> FlexStore:
    """Three devices per POD in canonical form."""
    pod = np.arange(len(batch.load))
    ids = pod.astype(object)
    least_kwh = np.zeros((len(pod), STEPS))
    least_kwh[:, -1] = ENERGY_KWH / 2
    load = FlexStore.of(ids, pod, STEPS, has_store=False, p_min=batch.load, p_max=batch.load)
    pv = FlexStore.of(ids, pod, STEPS, has_store=False, p_min=-batch.pv)
    battery = FlexStore.of(
        ids,
        pod,
        STEPS,
        p_min=-POWER_KW,
        p_max=POWER_KW,
        k_plus=EFFICIENCY,
        k_minus=1 / EFFICIENCY,
        e_min=least_kwh,
        e_max=ENERGY_KWH,
        e_initial=ENERGY_KWH / 2,
    )
    return concatenate([load, pv, battery], STEPS)


def meter_of(batch: Batch) -> Meter:
    """The tariff of every POD; no limits."""
    free = np.full(len(batch.load), np.inf)
    shape = batch.load.shape
    return Meter(np.broadcast_to(batch.buy, shape), np.broadcast_to(batch.sell, shape), free, free, np.zeros(len(free)))


def run(pods: int, repeats: int = 3) -> Found:
    """Solve the benchmark; CPU seconds are the least of `repeats`, batch by batch, so that memory stays as it is."""
    objective = cpu = wall = 0.0
    for batch in batches(pods):
        taken = least(partial(optimised, batch), repeats)
        objective += float(taken.result.cost_eur.sum())
        cpu, wall = cpu + taken.cpu_seconds, wall + taken.wall_seconds
    return {
        "benchmark": "a",
        "pods": pods,
        "steps": STEPS,
        "objective_eur": objective,
        "cpu_seconds": cpu,
        "cpu_ms_per_pod": 1000 * cpu / pods,
        "wall_seconds": wall,
        "repeats": repeats,
    }
