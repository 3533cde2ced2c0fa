"""Level 1 over many PODs: in parts of fixed size, so that the result does not depend on the number of workers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from time import perf_counter, process_time
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from podium.compute import Kept, Progress, Workers, each, fingerprint, silent
from podium.flex.exact import Schedule
from podium.flex.exclusive import DEFAULT, Limits
from podium.flex.solve import CONTRADICTION, Solution, net_power, solve
from podium.flexstore import FlexStore, Floats
from podium.horizon import Horizon
from podium.local.band import band
from podium.local.conflict import reason
from podium.local.problems import LocalProblem, posed
from podium.portfolio import Meter, Portfolio
from podium.version import __version__

Ints = NDArray[np.int64]

Done = TypeVar("Done")

#: PODs per part.
PART_PODS = 64
#: Its name where parts are kept.
PHASE = "level 1"
#: Least and greatest energy of PODs that would need integers are found within this share, or as far as this time goes.
BOUND_GAP = 2e-3
BOUND_SECONDS = 1.0
#: Their value functions may be off by this much per step, kWh (relative above 1 kWh).
BOUND_FLAT = 1e-5
_BOUNDS: dict[str, LocalProblem] = {"min": "min_energy", "max": "max_energy"}


@dataclass(frozen=True)
class Failure:
    """A POD without a schedule, and why; its declared baseline stands in."""

    pod: str
    reason: str


@dataclass(frozen=True)
class Response:
    """Every device's cheapest schedule under given prices. A failed POD has NaN powers for its devices."""

    device_ids: NDArray[np.object_]
    """Shape (device,)."""
    device_pod: Ints
    """Row of each device's POD. Shape (device,)."""
    has_store: NDArray[np.bool_]
    schedule: Schedule
    net_kw: Floats
    """Net power of each POD; the declared baseline where it failed. Shape (pod, step)."""
    cost_eur: Floats
    """Tariff and device costs; the baseline's bill where the POD failed. Shape (pod,)."""
    bound_eur: Floats
    """No schedule costs less. Shape (pod,)."""
    method: NDArray[np.object_]
    """"kernel", "lp", "milp", or "none" for a failed POD. Shape (pod,)."""
    seconds: Floats
    failures: tuple[Failure, ...]
    late: tuple[str, ...]
    """PODs whose time limit came before the proof."""


@dataclass(frozen=True)
class LocalResult:
    """Level 1 of a portfolio. Net powers in kW, load convention; bands never negative."""

    baseline: Response
    """`min_cost` under each POD's own tariff."""
    min_kw: Floats
    """Net power with the least sum over the horizon. Shape (pod, step)."""
    max_kw: Floats
    """Net power with the greatest sum over the horizon. Shape (pod, step)."""
    min_seconds: Floats
    max_seconds: Floats
    up_kw: Floats
    """Power each POD can surely give up around its baseline. Shape (pod, step)."""
    down_kw: Floats
    """Power each POD can surely take. Shape (pod, step)."""
    device_up_kw: Floats
    device_down_kw: Floats
    seconds: float
    """Wall time."""
    cpu_seconds: float
    """CPU time of all workers."""


def optimise_local(
    portfolio: Portfolio,
    *,
    market_eur_per_kwh: ArrayLike | None = None,
    sustain_hours: float = 1.0,
    limits: Limits = DEFAULT,
    workers: Workers = None,
    progress: Progress = silent,
    kept: Kept | None = None,
) -> LocalResult:
    """Baseline, least and greatest energy, and band of every POD alone.

    `market_eur_per_kwh`, (step,) or (2, step) for buying and selling, is the tariff of PODs that have none. `progress`
    is told how many PODs are done. Parts of the portfolio that `kept` knows from earlier are taken from there, times
    included, the others kept there as they are done. Raises InputError where a POD has no tariff at all.
    """
    market = _row(market_eur_per_kwh)
    work = partial(_local_part, market=market, sustain_hours=sustain_hours, limits=limits)
    keeping = None if kept is None else _Keeping(kept, (market, sustain_hours, limits))
    begun = perf_counter()
    parts = _over_parts(work, portfolio, workers, progress, keeping)
    joined = _joined([part[0] for part in parts])
    return LocalResult(
        baseline=joined,
        **{name: np.concatenate([part[1][name] for part in parts]) for name in parts[0][1]},
        seconds=perf_counter() - begun,
        cpu_seconds=sum(part[2] for part in parts),
    )


def respond(
    portfolio: Portfolio,
    price_eur_per_kwh: ArrayLike,
    *,
    limits: Limits = DEFAULT,
    workers: Workers = None,
    progress: Progress = silent,
) -> Response:
    """Every POD's exact best response to one price for buying and selling, EUR/kWh, of shape (step,).

    Connection limits and device costs count, retail tariffs and peak charges do not.
    """
    work = partial(_response_part, price=np.asarray(price_eur_per_kwh, dtype=float), limits=limits)
    parts = _over_parts(work, portfolio, workers, progress)
    return _joined([part[0] for part in parts])


def _row(price: ArrayLike | None) -> Floats | None:
    return None if price is None else np.asarray(price, dtype=float)


def _over_parts(
    work: Callable[[Portfolio], Done],
    portfolio: Portfolio,
    workers: Workers,
    progress: Progress,
    keeping: _Keeping | None = None,
) -> list[Done]:
    starts = range(0, len(portfolio), PART_PODS)
    parts = [partial(portfolio.part, first, min(first + PART_PODS, len(portfolio))) for first in starts]
    done: dict[int, Done] = {} if keeping is None else keeping.known(parts)
    progress(sum(_size(portfolio, number) for number in done))
    missing = [number for number in range(len(parts)) if number not in done]
    for place, result in each(work, [parts[number] for number in missing], workers):
        number = missing[place]
        done[number] = result
        if keeping is not None:
            keeping.keep(number, result)
        progress(_size(portfolio, number))
    return [done[number] for number in range(len(parts))]


def _size(portfolio: Portfolio, number: int) -> int:
    """PODs of a part."""
    return min(PART_PODS, len(portfolio) - number * PART_PODS)


class _Keeping:
    """Keeps parts by what decides their result: its PODs, the facts that hold for all, and the version."""

    def __init__(self, kept: Kept, facts: tuple[object, ...]) -> None:
        self._kept, self._facts = kept, facts
        self._keys: list[str] = []

    def known(self, parts: Sequence[Callable[[], Portfolio]]) -> dict[int, Any]:
        self._keys = [fingerprint(__version__, PHASE, self._facts, part()) for part in parts]
        return self._kept.known(PHASE, self._keys)

    def keep(self, number: int, done: object) -> None:
        self._kept.keep(PHASE, self._keys[number], done)


def _local_part(
    portfolio: Portfolio, market: Floats | None, sustain_hours: float, limits: Limits
) -> tuple[Response, dict[str, Floats], float]:
    """Level 1 of a part: its baseline, the further fields of `LocalResult`, and CPU seconds."""
    begun = process_time()
    horizon, store, meter = portfolio.horizon, portfolio.store(), portfolio.meter(market)
    solution = solve(store, meter, horizon.step_hours, horizon.day, limits)
    sustain = max(1, int(np.ceil(min(sustain_hours / horizon.step_hours, horizon.steps) - 1e-9)))
    found = band(store, solution.schedule, meter, horizon.step_hours, sustain, horizon.day)
    baseline = _response(portfolio, store, meter, solution)
    lost = np.isnan(baseline.schedule.p[:, 0])
    bands = [np.where(lost[:, None], 0.0, side) for side in (found.up_kw, found.down_kw)]
    more = {
        "up_kw": net_power(store, bands[0], len(portfolio)),
        "down_kw": net_power(store, bands[1], len(portfolio)),
        "device_up_kw": bands[0],
        "device_down_kw": bands[1],
    }
    for name, problem in _BOUNDS.items():
        more[f"{name}_kw"], more[f"{name}_seconds"] = _energy_bound(portfolio, store, meter, problem, limits, baseline)
    return baseline, more, process_time() - begun


def _energy_bound(
    portfolio: Portfolio, store: FlexStore, meter: Meter, problem: LocalProblem, limits: Limits, baseline: Response
) -> tuple[Floats, Floats]:
    """Net power with the least or greatest sum, and seconds; the baseline where no such schedule was found in time."""
    horizon = portfolio.horizon
    seconds = min(limits.time_limit_seconds, BOUND_SECONDS)
    within = replace(limits, time_limit_seconds=seconds, mip_gap=max(limits.mip_gap, BOUND_GAP), flat_eur=BOUND_FLAT)
    solution = solve(*posed(store, meter, problem), horizon.step_hours, horizon.day, within)
    net = net_power(store, solution.schedule.p, len(portfolio))
    sign = 1.0 if problem == "min_energy" else -1.0
    worse = {pod for pod in solution.late if sign * (net[pod] - baseline.net_kw[pod]).sum() > 0}
    absent = list(solution.conflicts.keys() | solution.failures.keys() | worse)
    net[absent] = baseline.net_kw[absent]
    return net, solution.seconds


def _response_part(portfolio: Portfolio, price: Floats, limits: Limits) -> tuple[Response]:
    horizon, store = portfolio.horizon, portfolio.store()
    meter = portfolio.meter(price).at_price(price)
    solution = solve(store, meter, horizon.step_hours, horizon.day, limits)
    return (_response(portfolio, store, meter, solution),)


def _response(portfolio: Portfolio, store: FlexStore, meter: Meter, solution: Solution) -> Response:
    """The solution with failed PODs on their declared baseline and their devices' schedules NaN."""
    net = net_power(store, solution.schedule.p, len(portfolio))
    failed = sorted(solution.conflicts.keys() | solution.failures.keys())
    failures = tuple(
        Failure(str(portfolio.ids[pod]), _why(store, meter, solution, pod, portfolio.horizon)) for pod in failed
    )
    if failed:
        rows = np.isin(store.pod, failed)
        net[failed] = _stand_in(portfolio, store)[failed]
        for values in (solution.schedule.p, solution.schedule.e, solution.schedule.aux, solution.schedule.spill):
            values[rows] = np.nan
        bill = meter.bill(net, portfolio.horizon.step_hours)
        solution.cost_eur[failed] = solution.bound_eur[failed] = bill[failed]
        solution.method[failed] = "none"
    return Response(
        store.ids,
        store.pod,
        store.has_store,
        solution.schedule,
        net,
        solution.cost_eur,
        solution.bound_eur,
        solution.method,
        solution.seconds,
        failures,
        tuple(str(portfolio.ids[pod]) for pod in sorted(solution.late)),
    )


def _why(store: FlexStore, meter: Meter, solution: Solution, pod: int, horizon: Horizon) -> str:
    said = solution.failures.get(pod)
    return said if said is not None and said != CONTRADICTION else reason(store, meter, pod, horizon)


def _stand_in(portfolio: Portfolio, store: FlexStore) -> Floats:
    """Declared baselines; without one, all generation and load as they come and stores at rest. Shape (pod, step)."""
    declared = portfolio.declared_baseline_kw()
    return np.where(np.isnan(declared), net_power(store, store.full("p_usual"), len(portfolio)), declared)


def _joined(parts: Sequence[Response]) -> Response:
    """The responses of consecutive parts of a portfolio as one."""
    offsets = np.arange(len(parts)) * PART_PODS
    schedule = Schedule(
        *(np.concatenate([getattr(part.schedule, name) for part in parts]) for name in ("p", "e", "aux", "spill"))
    )
    names = ("device_ids", "has_store", "net_kw", "cost_eur", "bound_eur", "method", "seconds")
    arrays = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    return Response(
        schedule=schedule,
        device_pod=np.concatenate([part.device_pod + first for part, first in zip(parts, offsets, strict=True)]),
        failures=tuple(failure for part in parts for failure in part.failures),
        late=tuple(pod for part in parts for pod in part.late),
        **arrays,
    )
