"""Peak charge: batteries behind one connection that pays for its energy and for its greatest withdrawal of the day.

The battery's sizes and the load follow a fixed random sequence. What is proven is the gap between a mix of schedules
and the bound; every mix is made real, so that no battery charges and discharges at once.
"""

from __future__ import annotations

from time import perf_counter, process_time

import numpy as np

from podium.bench.measure import Found, certified
from podium.flex.exact import Schedule
from podium.flex.offering import Offering
from podium.flex.replay import replayed
from podium.flex.reserve import room_of
from podium.flex.respond import Responder, Signal
from podium.flexstore import FlexStore, Floats
from podium.market.coordination import Coordination, Until, begin, go_on, weights_of
from podium.market.coupling import Coupling, portfolio_profit_eur
from podium.market.exact import SAMPLE_GAP, SAMPLE_ROUNDS, SAMPLES
from podium.market.master import Sums
from podium.portfolio import Meter

STEPS, STEP_HOURS, PEAK_EUR_PER_KW, HOMES = 96, 0.25, 0.5, 200
CLUSTERS = 64


def batteries(pods: int) -> tuple[FlexStore, Floats, Floats]:
    """Stores, the load and sun of all homes together (step,) in kW, and the price (step,) in EUR/kWh."""
    random, step = np.random.default_rng(1), np.arange(STEPS)
    base = np.zeros(STEPS)
    for _ in range(HOMES):
        evening = np.exp(-(((step - 76) / 8.0) ** 2)) * random.random()
        load = 0.3 + 0.5 * random.random(STEPS) + 0.8 * evening
        sun = np.maximum(0.0, 5 * random.random() * np.sin((step - 24) / 48 * np.pi)) * (step > 24) * (step < 72)
        base += (load - sun) / HOMES
    price = 0.1 + 0.05 * np.sin(step / 96 * 4 * np.pi) + 0.02 * random.random(STEPS)
    power = random.uniform(2, 7, pods)
    energy = power * random.uniform(1.5, 4, pods)
    first = energy * random.uniform(0.2, 0.8, pods)
    efficiency = random.uniform(0.9, 0.98, pods)
    least = np.zeros((pods, STEPS))
    least[:, -1] = first
    store = FlexStore.of(
        np.arange(pods).astype(object), np.arange(pods), STEPS, p_min=-power, p_max=power, k_plus=efficiency,
        k_minus=1 / efficiency, e_min=least, e_max=energy, e_initial=first,
    )  # fmt: skip
    return store, pods * base, price


class Members:
    """Batteries in clusters, each alone at the prices."""

    def __init__(self, store: FlexStore, clusters: int) -> None:
        pods = store.devices
        free, nothing = np.full(pods, np.inf), np.zeros((pods, STEPS))
        meter = Meter(nothing, nothing, free, free, np.zeros(pods))
        offering = Offering(
            np.zeros(0), np.zeros((0, 2, STEPS), dtype=bool), np.zeros((0, pods), dtype=bool),
            room_of(store, meter, STEP_HOURS),
        )  # fmt: skip
        none, day = np.zeros(pods, dtype=np.int64), np.zeros(STEPS, dtype=np.int64)
        self.responder = Responder(store, meter, STEP_HOURS, day, none, offering, np.zeros(pods, dtype=bool))
        self.cluster, self.clusters = np.arange(pods) % clusters, clusters
        self.kept: list[Floats] = []

    def answer(self, signal: Signal, _gap: float | None = None) -> Sums:
        """Sums over the clusters."""
        answer = self.responder.answer(signal)
        power = np.zeros((self.clusters, STEPS))
        np.add.at(power, self.cluster, answer.schedule.p)
        self.kept.append(answer.schedule.p)
        nothing = np.zeros((self.clusters, 0, 2, STEPS))
        return Sums(np.zeros(self.clusters), power, nothing, float(answer.least_eur.sum()))

    def real_kw(self, state: Coordination) -> Floats:
        """Net power (step,) of the best mix, of schedules that are possible."""
        store = self.responder.store
        mixed = Schedule.empty(store.devices, STEPS)
        for cluster, chosen in weights_of(state.master, state.master.solve()).items():
            mine = np.flatnonzero(self.cluster == cluster)
            for number, weight in chosen:
                mixed.p[mine] += weight * self.kept[number][mine]
        return np.asarray(replayed(store, mixed, STEP_HOURS).p.sum(axis=0))


def run(pods: int, gap: float) -> Found:
    """Solve it to a certified gap, on one core."""
    begun, wall = process_time(), perf_counter()
    store, held, price = batteries(pods)
    unit = np.arange(STEPS)
    coupling = Coupling(
        STEP_HOURS, unit, price, price, (), (None,), None, PEAK_EUR_PER_KW, held[None], 5.0, 10.0 * pods + 1.0
    )
    dual = None
    for size in SAMPLES:
        if 2 * size <= pods:
            rows = np.linspace(0, pods - 1, size).round().astype(np.int64)
            part = Members(_renumbered(store, rows), min(size, CLUSTERS))
            sample = coupling.scaled(size / pods, held[None] * size / pods)
            state = begin(sample, np.zeros(part.clusters, dtype=np.int64), dual)
            go_on(state, part.answer, Until(SAMPLE_GAP, SAMPLE_ROUNDS, np.inf))
            dual = state.centre
    members = Members(store, min(CLUSTERS, pods))
    state = begin(coupling, np.zeros(members.clusters, dtype=np.int64), dual)
    go_on(state, members.answer, Until(gap, 500, np.inf))
    earned = portfolio_profit_eur(coupling, members.real_kw(state)[None], ())
    objective = earned["peak"] - earned["energy"]
    return {
        "benchmark": "peak",
        "pods": pods,
        **certified(objective, state.least_eur),
        "rounds": len(state.rounds),
        "cpu_seconds": process_time() - begun,
        "wall_seconds": perf_counter() - wall,
    }


def _renumbered(store: FlexStore, rows: np.ndarray) -> FlexStore:
    from dataclasses import replace

    return replace(store.take(rows), pod=np.arange(len(rows)))
