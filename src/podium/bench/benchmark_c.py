"""Benchmark C: the PODs of benchmark A, and reserve that they offer together in six 4-hour blocks, up and down.

Every POD pays its bill; the portfolio earns for the power that it holds ready for a whole block. A battery backs what
its power and, for one hour from the end of any step, its energy bear. Optimum (bills less revenue): -27.17219640 EUR
for 10 PODs, -316.83955550 for 100.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from time import perf_counter, process_time

import numpy as np
from numpy.typing import NDArray

from podium.bench.benchmark_a import EFFICIENCY, ENERGY_KWH, STEP_HOURS, STEPS, Batch, batches, meter_of, store_of
from podium.bench.measure import Found, certified
from podium.flex.offering import Offering
from podium.flex.reserve import Room
from podium.flex.respond import Responder, Signal
from podium.flex.solve import device_cost_eur, net_power
from podium.flexstore import FlexStore, Floats
from podium.market.coordination import Coordination, Round, Until, begin, go_on, weights_of
from podium.market.coupling import Coupling, Product
from podium.market.exact import SAMPLE_GAP, SAMPLE_ROUNDS, SAMPLES
from podium.market.master import Mixed, Sums
from podium.portfolio import Meter

Ints = NDArray[np.int64]

BLOCK_STEPS, SUSTAIN_HOURS = 16, 1.0
CLUSTERS, PART_PODS = 128, 500


def coupling_of(pods: int) -> Coupling:
    """Two products whose blocks have drawn prices (EUR per MW and hour)."""
    random = np.random.default_rng(7)
    block = np.arange(STEPS) // BLOCK_STEPS
    hours = BLOCK_STEPS * STEP_HOURS
    products = tuple(
        Product(
            name, block, random.uniform(5, 20, 6) * hours / 1000, (side == 0, side == 1), SUSTAIN_HOURS, ("battery",),
            0.0, 0.0, np.full(6, np.inf),
        )
        for side, name in enumerate(("up", "down"))
    )  # fmt: skip
    held = np.zeros((1, STEPS))
    return Coupling(STEP_HOURS, np.arange(STEPS), None, None, products, (None,), None, 0.0, held, 5.0, 20.0 * pods)


class Members:
    """Some of the PODs, in clusters, that answer prices and remember what they answered."""

    def __init__(self, store: FlexStore, meter: Meter, sold: NDArray[np.bool_], clusters: int) -> None:
        pods, shape = len(meter.withdrawal_max), (store.devices, store.steps)
        room = Room(
            np.zeros(shape), np.full(shape, ENERGY_KWH), np.full(shape, 1 / EFFICIENCY), np.full(shape, EFFICIENCY),
            np.zeros(shape, dtype=bool), store.has_store.copy(), np.ones(store.devices, dtype=bool),
        )  # fmt: skip
        offering = Offering(np.full(2, SUSTAIN_HOURS), sold, np.stack([store.has_store] * 2), room, windows=False)
        none, day = np.zeros(pods, dtype=np.int64), np.zeros(STEPS, dtype=np.int64)
        self.responder = Responder(store, meter, STEP_HOURS, day, none, offering, np.zeros(pods, dtype=bool))
        self.cluster, self.clusters = np.arange(pods) % clusters, clusters
        self.batteries = np.flatnonzero(store.has_store)
        self.kept: list[tuple[Floats, Floats]] = []

    def answer(self, signal: Signal, _gap: float | None = None) -> Sums:
        """Sums over the clusters."""
        answer, store = self.responder.answer(signal), self.responder.store
        own = np.bincount(self.cluster, answer.own_eur, minlength=self.clusters).astype(float)
        backing = np.zeros((self.clusters, 2, 2, STEPS))
        mine = answer.backing[:, :, self.batteries]
        np.add.at(backing, self.cluster, mine.transpose(2, 0, 1, 3))
        self.kept.append((answer.schedule.p[store.p_min.any(axis=1)], np.stack((mine[0, 0], mine[1, 1]))))
        return Sums(own, np.zeros((self.clusters, STEPS)), backing, float(answer.least_eur.sum()))

    def mixed(self, weights: dict[int, list[tuple[int, float]]]) -> tuple[float, Floats]:
        """Bills of the mix, EUR, and what the batteries back, kW (2, step): of real schedules."""
        from podium.flex.exact import Schedule
        from podium.flex.replay import replayed

        store, meter = self.responder.store, self.responder.meter
        share = np.zeros((len(self.kept), len(self.cluster)))
        for cluster, chosen in weights.items():
            for number, weight in chosen:
                share[number, self.cluster == cluster] = weight
        free = np.flatnonzero(store.p_min.any(axis=1))
        schedule = Schedule.empty(store.devices, STEPS)
        schedule.p[:] = np.clip(0.0, store.full("p_min"), store.full("p_max"))
        schedule.p[free] = 0.0
        held = np.zeros((2, len(self.batteries), STEPS))
        for number in np.flatnonzero(share.any(axis=1)).tolist():
            power, backing = self.kept[number]
            schedule.p[free] += share[number, store.pod[free]][:, None] * power
            held += share[number][None, :, None] * backing
        real = replayed(store, schedule, STEP_HOURS)
        p, e = real.p[self.batteries], real.e[self.batteries]
        most = store.full("p_max")[self.batteries]
        up = np.minimum(np.minimum(held[0], most + p), np.maximum(e, 0.0) * EFFICIENCY / SUSTAIN_HOURS)
        down = np.minimum(np.minimum(held[1], most - p), np.maximum(ENERGY_KWH - e, 0.0) / EFFICIENCY / SUSTAIN_HOURS)
        bills = meter.bill(net_power(store, real.p, len(self.cluster)), STEP_HOURS)
        use = device_cost_eur(store, real, STEP_HOURS, len(self.cluster))
        return float(bills.sum() + use.sum()), np.stack((up.sum(axis=0), down.sum(axis=0)))


def _ask(parts: Sequence[Members], signal: Signal, gap: float | None) -> Sums:
    found = [part.answer(signal, gap) for part in parts]
    return Sums(
        np.concatenate([sums.own_eur for sums in found]),
        np.concatenate([sums.power_kw for sums in found]),
        np.concatenate([sums.backing_kw for sums in found]),
        sum(sums.least_eur for sums in found),
    )


def _sample(pods: int, size: int, coupling: Coupling, dual: Floats | None) -> Floats:
    rows = set(np.linspace(0, pods - 1, size).round().astype(int).tolist())
    load, pv, first = [], [], 0
    for batch in batches(pods):
        mine = [row - first for row in sorted(rows) if first <= row < first + len(batch.load)]
        load.append(batch.load[mine])
        pv.append(batch.pv[mine])
        first += len(batch.load)
    drawn = Batch(np.concatenate(load), np.concatenate(pv), batch.buy, batch.sell)
    clusters = min(size, 64)
    members = Members(store_of(drawn), meter_of(drawn), coupling.sold, clusters)
    state = begin(coupling.scaled(size / pods, coupling.held_kw), np.zeros(clusters, dtype=np.int64), dual)
    go_on(state, members.answer, Until(SAMPLE_GAP, SAMPLE_ROUNDS, np.inf))
    return state.centre


def run(pods: int, gap: float, told: Callable[[Round], None] = lambda _round: None) -> Found:
    """Solve the benchmark to a certified gap, on one core; the objective is that of real schedules."""
    begun, wall = process_time(), perf_counter()
    coupling, dual = coupling_of(pods), None
    for size in SAMPLES:
        if 2 * size <= pods:
            dual = _sample(pods, size, coupling, dual)
    parts = []
    for batch in batches(pods, PART_PODS):
        share = max(1, round(CLUSTERS * len(batch.load) / pods))
        parts.append(Members(store_of(batch), meter_of(batch), coupling.sold, min(share, len(batch.load))))
    area = np.zeros(sum(part.clusters for part in parts), dtype=np.int64)
    state = begin(coupling, area, dual)
    go_on(state, partial(_ask, parts), Until(gap, 300, np.inf), told)
    bills, backed = _made_real(state.master.solve(), state, parts)
    blocks = backed.reshape(2, 6, BLOCK_STEPS).min(axis=2)
    revenue = sum(float(p.value_eur_per_kw @ blocks[k]) for k, p in enumerate(coupling.products))
    objective = bills - revenue
    return {
        "benchmark": "c",
        "pods": pods,
        **certified(objective, state.least_eur),
        "rounds": len(state.rounds),
        "cpu_seconds": process_time() - begun,
        "cpu_ms_per_pod": 1000 * (process_time() - begun) / pods,
        "wall_seconds": perf_counter() - wall,
    }


def _made_real(mixed: Mixed, state: Coordination, parts: Sequence[Members]) -> tuple[float, Floats]:
    """Bills of the mix, EUR, and what all batteries back, kW (2, step)."""
    weights, first = weights_of(state.master, mixed), 0
    bills, backed = 0.0, np.zeros((2, STEPS))
    for part in parts:
        mine = {c - first: chosen for c, chosen in weights.items() if first <= c < first + part.clusters}
        cost, kw = part.mixed(mine)
        bills, backed, first = bills + cost, backed + kw, first + part.clusters
    return bills, backed
