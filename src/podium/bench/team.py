"""Rounds of prices and best responses by a team: speed-up, and what travels (docs/distributed.md)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from os import getpid
from time import perf_counter, process_time
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from podium.bench.benchmark_a import STEP_HOURS, STEPS, Batch, batches, meter_of, store_of
from podium.bench.measure import Found
from podium.bench.mixed import KINDS, LIMITS_KW
from podium.bench.synthetic import portfolio_of
from podium.compute import Team, Where, team_of
from podium.flex.solve import net_power, solve
from podium.flexstore import FlexStore, Floats
from podium.portfolio import Meter, Portfolio

Load = Literal["a", "mixed"]

#: PODs per part.
PART_PODS = 250
#: Rounds without work, to see what a round takes by itself.
EMPTY_ROUNDS = 50


@dataclass(frozen=True)
class Pods:
    """A state: PODs in canonical form."""

    store: FlexStore
    meter: Meter
    step_hours: float
    day: NDArray[np.int64]


@dataclass(frozen=True)
class Answer:
    """What comes back from a part: sums over its PODs."""

    bound_eur: float
    net_kw: Floats
    """Shape (step,)."""
    worker: int
    """Its process."""
    cpu_seconds: float


def pods_of_batch(batch: Batch) -> Pods:
    """State of a part of benchmark A."""
    return Pods(store_of(batch), meter_of(batch), STEP_HOURS, np.zeros(STEPS, dtype=np.int64))


def pods_of_portfolio(part: Portfolio) -> Pods:
    """State of a part of a portfolio."""
    horizon = part.horizon
    return Pods(part.store(), part.meter(), horizon.step_hours, horizon.day)


def best_response(price_eur_per_kwh: Floats, pods: Pods) -> Answer:
    """The cheapest schedules at one price, (step,), summed."""
    begun = process_time()
    meter = pods.meter.at_price(price_eur_per_kwh)
    solution = solve(pods.store, meter, pods.step_hours, pods.day)
    count = len(meter.withdrawal_max)
    net_kw = net_power(pods.store, solution.schedule.p, count).sum(axis=0)
    return Answer(float(solution.bound_eur.sum()), net_kw, getpid(), process_time() - begun)


def nothing(_pods: Pods) -> None:
    """A question without work."""


def run(pods: int = 10_000, load: Load = "a", rounds: int = 5, where: Where | None = None) -> Found:
    """Rounds by this process and by a team, in turn, at prices that change; of both the fastest round counts."""
    place = Where.processes(2) if where is None else where
    make, parts = _parts(pods, load)
    prices = _prices(rounds + 1)
    with team_of(make, parts, Where.serial()) as alone:
        begun = perf_counter()
        with team_of(make, parts, place) as team:
            made = perf_counter() - begun
            _rounds(alone, team, prices[:1])
            measured = _rounds(alone, team, prices[1:])
            empty = min(_seconds(partial(team.ask, nothing))[0] for _ in range(EMPTY_ROUNDS))
            workers, placed = team.workers, team.bytes_placed
            sent, received = team.bytes_sent[1], team.bytes_received[1]
    return {
        "benchmark": "team",
        "load": load,
        "pods": pods,
        "parts": len(parts),
        "where": place.address or place.kind,
        "workers": workers,
        "rounds": rounds,
        "make_seconds": made,
        "mb_placed": placed / 1e6,
        "bytes_sent_per_round": sent,
        "bytes_received_per_round": received,
        "empty_round_ms": 1000 * empty,
        "cpu_ms_per_pod_and_round": 1000 * measured["serial_cpu_seconds"] / pods,
        **measured,
    }


def _parts(pods: int, load: Load) -> tuple[Callable[[Any], Pods], list[Callable[[], Any]]]:
    """How a state is made, and the parts."""
    if load == "a":
        return pods_of_batch, [partial(_same, batch) for batch in batches(pods, PART_PODS)]
    portfolio = portfolio_of(KINDS, pods, buy_profile="buy", sell_profile="sell", **LIMITS_KW)
    starts = range(0, pods, PART_PODS)
    return pods_of_portfolio, [partial(portfolio.part, first, min(first + PART_PODS, pods)) for first in starts]


def _same(batch: Batch) -> Batch:
    return batch


def _prices(rounds: int) -> list[Floats]:
    """Prices that move less and less, as those of a coordination do, EUR/kWh. Each (step,)."""
    random = np.random.default_rng(5)
    begin = 0.1 + 0.1 * random.random(STEPS)
    return [begin + 0.05 / (1 + number) * random.normal(size=STEPS) for number in range(rounds)]


def _rounds(alone: Team[Pods], team: Team[Pods], prices: list[Floats]) -> Found:
    """Seconds of the fastest round of both; the same answers to the last bit."""
    serial, shared, serial_cpu, busiest = [], [], [], []
    same = True
    for price in prices:
        question = partial(best_response, price)
        seconds, expected = _seconds(partial(alone.ask, question))
        serial.append(seconds)
        serial_cpu.append(sum(answer.cpu_seconds for answer in expected))
        seconds, found = _seconds(partial(team.ask, question))
        shared.append(seconds)
        busiest.append(_busiest_cpu_seconds(found))
        same = same and all(map(_equal, expected, found))
    return {
        "serial_round_seconds": min(serial),
        "team_round_seconds": min(shared),
        "speed_up": min(serial) / min(shared),
        "serial_cpu_seconds": min(serial_cpu),
        "busiest_worker_cpu_seconds": min(busiest),
        "same_answers": same,
    }


def _busiest_cpu_seconds(answers: list[Answer]) -> float:
    taken: dict[int, float] = defaultdict(float)
    for answer in answers:
        taken[answer.worker] += answer.cpu_seconds
    return max(taken.values())


def _equal(one: Answer, other: Answer) -> bool:
    return one.bound_eur == other.bound_eur and bool((one.net_kw == other.net_kw).all())


def _seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    begun = perf_counter()
    result = work()
    return perf_counter() - begun, result
