"""The cheapest schedule of every POD, by the method its structure asks for.

1. One store at most behind the meter: the dynamic programme, exactly.
2. Several stores, one price for buying and selling: the devices separate; the dynamic programme for each. Where the
   result breaks a connection limit, as 3.
3. Otherwise the linear programme; with integers where a device is on or off, or where the linear optimum charges and
   discharges at once.

Among equally cheap schedules the one with the least stored energy is taken (docs/maths/kernel.md).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from time import perf_counter
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from podium.errors import SolverError
from podium.flex.exact import Conflict, Schedule, by_device, by_pod, ready, solve_exactly
from podium.flex.exclusive import AT_ONCE, DEFAULT, Limits, at_once, one_direction
from podium.flex.highs import Solved, Solver
from podium.flex.piecewise import EXACT
from podium.flex.program import PodProgram, build, composition
from podium.flexstore import FlexStore, Floats
from podium.portfolio import Meter

Ints = NDArray[np.int64]
Method = Literal["kernel", "lp", "milp", "none"]

#: Why a programme has no solution, before anybody looks for the limits at fault.
CONTRADICTION = "its limits contradict each other"
#: Breaking a connection limit by less than this, kW, is rounding.
OVER = 1e-9


@dataclass
class Solution:
    """Schedules of all devices, and per POD: cost, lower bound, method, seconds, and why it failed."""

    schedule: Schedule
    cost_eur: Floats
    """Tariff and device costs. Shape (pod,)."""
    bound_eur: Floats
    """No schedule costs less. Shape (pod,)."""
    method: NDArray[np.object_]
    seconds: Floats
    conflicts: dict[int, Conflict] = field(default_factory=dict)
    """Why a POD has no schedule, where the dynamic programme says so."""
    failures: dict[int, str] = field(default_factory=dict)
    """Why a POD has no schedule, in words."""
    late: set[int] = field(default_factory=set)
    """PODs whose time limit came before the proof of the optimum."""


def solve(store: FlexStore, meter: Meter, step_hours: float, day: Ints, limits: Limits = DEFAULT) -> Solution:
    """The cheapest schedule of every POD (row of the meter). `day` is the local day of each step, from 0."""
    ready()
    pods = len(meter.withdrawal_max)
    solution = Solution(
        Schedule.empty(store.devices, store.steps),
        np.zeros(pods),
        np.zeros(pods),
        np.full(pods, "none", dtype=object),
        np.zeros(pods),
    )
    single, separable, coupled = structure(store, meter)
    _exactly(store, meter, single, step_hours, limits, solution)
    coupled = np.concatenate((coupled, _separately(store, meter, separable, step_hours, limits, solution)))
    solution.cost_eur[:] = np.nan
    _programmes(store, meter, np.sort(coupled), step_hours, day, limits, solution)
    net = net_power(store, solution.schedule.p, pods)
    solution.cost_eur[:] = meter.bill(net, step_hours) + device_cost_eur(store, solution.schedule, step_hours, pods)
    exact = solution.method == "kernel"
    off = 0.0 if limits.flat_eur == EXACT else 2.0 * store.steps * limits.flat_eur
    solution.bound_eur[exact] = solution.cost_eur[exact] - off * (1.0 + abs(solution.cost_eur[exact]))
    return solution


def structure(store: FlexStore, meter: Meter) -> tuple[Ints, Ints, Ints]:
    """Rows of the PODs with one store at most, with devices that separate, and with coupled devices."""
    pods = len(meter.withdrawal_max)
    stores = np.bincount(store.pod[store.has_store], minlength=pods)
    memory = np.bincount(store.pod[store.memory], minlength=pods) > 0
    programmed = memory | (meter.peak_cost > 0) | (np.bincount(store.pod[vented(store)], minlength=pods) > 0)
    one_price = (meter.buy == meter.sell).all(axis=1)
    single = ~programmed & (stores <= 1)
    separable = ~programmed & ~single & one_price
    return np.flatnonzero(single), np.flatnonzero(separable), np.flatnonzero(~single & ~separable)


def vented(store: FlexStore) -> NDArray[np.bool_]:
    """Stores that charge, discharge and have other flows too: the dynamic programme knows no kink among those."""
    both = (store.p_min < 0).any(axis=1) & (store.p_max > 0).any(axis=1) & store.has_store
    return np.asarray(both & ((store.aux_max > 0).any(axis=1) | (store.spill_max > 0).any(axis=1)))


def net_power(store: FlexStore, p: Floats, pods: int) -> Floats:
    """Net power of each POD, kW. Shape (pod, step)."""
    net = np.zeros((pods, store.steps))
    if store.devices:
        first = np.flatnonzero(np.concatenate(([True], np.diff(store.pod) > 0)))
        net[store.pod[first]] = np.add.reduceat(p, first, axis=0)
    return net


def device_cost_eur(store: FlexStore, schedule: Schedule, step_hours: float, pods: int) -> Floats:
    """What the devices' use costs beyond the energy: wear, fuel, auxiliary heat, shortfalls, starts. Shape (pod,)."""
    p, cost = schedule.p, np.zeros(store.devices)
    worn = np.flatnonzero((store.cost_plus != 0).any(axis=1) | (store.cost_minus != 0).any(axis=1))
    plus, minus = np.maximum(p[worn], 0.0), np.maximum(-p[worn], 0.0)
    cost[worn] = step_hours * (store.cost_plus[worn] * plus + store.cost_minus[worn] * minus).sum(axis=1)
    helped = np.flatnonzero(store.has_store & (store.aux_cost != 0).any(axis=1))
    cost[helped] += step_hours * (store.aux_cost[helped] * schedule.aux[helped]).sum(axis=1)
    wanting = np.flatnonzero(store.has_store & (store.shortfall_cost != 0).any(axis=1))
    missed = np.maximum(store.full("e_target")[wanting] - schedule.e[wanting], 0.0)
    cost[wanting] += (store.shortfall_cost[wanting] * missed).sum(axis=1)
    if store.steps:
        cost -= np.where(store.has_store, store.e_value * schedule.e[:, -1], 0.0)
    starting = np.flatnonzero(store.start_cost > 0)
    cost[starting] += store.start_cost[starting] * starts(store.take(starting), p[starting])
    return np.bincount(store.pod, cost + store.cost_fixed, minlength=pods).astype(float)


def starts(part: FlexStore, p: Floats) -> Ints:
    """How often each device starts. One without a least power may idle: once on, it stays so. Shape (device,)."""
    running = abs(p) > AT_ONCE
    idles = (part.p_on <= 0).all(axis=1)
    before = part.on_initial > 0
    running[idles] = np.logical_or.accumulate(running[idles], axis=1) | before[idles, None]
    return np.asarray((running & ~np.column_stack((before, running[:, :-1]))).sum(axis=1))


def _exactly(store: FlexStore, meter: Meter, pods: Ints, step_hours: float, limits: Limits, solution: Solution) -> None:
    if not len(pods):
        return
    begun = perf_counter()
    groups = by_pod(store, pods, meter.withdrawal_max, meter.injection_max)
    conflicts = solve_exactly(store, groups, meter.buy, meter.sell, step_hours, solution.schedule, limits.flat_eur)
    solution.conflicts |= {int(pods[n]): conflict for n, conflict in conflicts.items()}
    solution.method[pods] = "kernel"
    solution.seconds[pods] = (perf_counter() - begun) / len(pods)


def _separately(
    store: FlexStore, meter: Meter, pods: Ints, step_hours: float, limits: Limits, solution: Solution
) -> Ints:
    """Every device at the price alone. Returns the PODs whose sum breaks a connection limit."""
    if not len(pods):
        return pods
    begun = perf_counter()
    devices = np.flatnonzero(np.isin(store.pod, pods))
    groups = by_device(store, devices)
    conflicts = solve_exactly(store, groups, meter.buy, meter.buy, step_hours, solution.schedule, limits.flat_eur)
    solution.conflicts |= {int(store.pod[devices[n]]): conflict for n, conflict in conflicts.items()}
    net = net_power(store, solution.schedule.p, len(meter.withdrawal_max))[pods]
    over = (net > meter.withdrawal_max[pods, None] + OVER) | (net < -meter.injection_max[pods, None] - OVER)
    fits = ~over.any(axis=1)
    solution.method[pods[fits]] = "kernel"
    solution.seconds[pods] = (perf_counter() - begun) / len(pods)
    return np.setdiff1d(pods[~fits], np.array(list(solution.conflicts), dtype=np.int64))


def _programmes(
    store: FlexStore,
    meter: Meter,
    pods: Ints,
    step_hours: float,
    day: Ints,
    limits: Limits,
    solution: Solution,
) -> None:
    """Programmes, in batches of one composition."""
    batches: dict[tuple[object, ...], list[int]] = {}
    first, last = np.searchsorted(store.pod, pods), np.searchsorted(store.pod, pods, side="right")
    for n, pod in enumerate(pods):
        key = composition(store, slice(first[n], last[n]), bool(meter.peak_cost[pod] > 0))
        batches.setdefault(key, []).append(n)
    for numbers in batches.values():
        members = np.array([np.arange(first[n], last[n]) for n in numbers], dtype=np.int64)
        _batch(store, members, meter, pods[numbers], step_hours, day, limits, solution)
    solved = pods[solution.method[pods] != "none"]
    if len(solved):
        solution.bound_eur[solved] += constant_eur(store, len(meter.withdrawal_max))[solved]


def _batch(
    store: FlexStore,
    members: Ints,
    meter: Meter,
    pods: Ints,
    step_hours: float,
    day: Ints,
    limits: Limits,
    solution: Solution,
) -> None:
    begun = perf_counter()
    program = build(store, members, meter, pods, step_hours, day, exclusive=False)
    solver = Solver(program.arrays, limits.time_limit_seconds, limits.mip_gap)
    solution.seconds[pods] += (perf_counter() - begun) / len(pods)
    for n, pod in enumerate(pods):
        begun = perf_counter()
        try:
            used, method = program, "milp" if program.arrays.integer.any() else "lp"
            solved, row = solver.solve(n), n
            if solved.x is not None and at_once(program, solved.x):
                used = build(store, members[n : n + 1], meter, pods[n : n + 1], step_hours, day, exclusive=True)
                row, method = 0, "milp"
                solved = one_direction(store, used, meter, int(pod), step_hours, limits)
            _keep(store, used, solved, row, int(pod), method, solution)
        except SolverError as error:
            solution.failures[int(pod)] = str(error)
        solution.seconds[pod] += perf_counter() - begun


def _keep(
    store: FlexStore, program: PodProgram, solved: Solved, row: int, pod: int, method: str, solution: Solution
) -> None:
    """Write a POD's solution into the schedule."""
    if solved.x is None:
        reason = CONTRADICTION if solved.infeasible else "no schedule within the time limit"
        solution.failures[pod] = reason
        return
    write_schedule(store, program, solved.x, row, solution.schedule)
    solution.method[pod] = method
    solution.bound_eur[pod] = solved.bound
    if solved.time_limit:
        solution.late.add(pod)


def write_schedule(store: FlexStore, program: PodProgram, x: Floats, row: int, schedule: Schedule) -> None:
    """Write a programme's solution (column,) for POD `row` of its batch into a schedule."""
    for device in program.devices:
        d = device.row[row]
        if device.plus is None and device.minus is None:
            schedule.p[d] = np.clip(0.0, store.full("p_min")[d], store.full("p_max")[d])
        else:
            p = device.power(x)
            schedule.p[d] = np.where(abs(p) <= AT_ONCE, 0.0, p) if store.p_on[d].any() else p
        if device.aux is not None:
            schedule.aux[d] = x[device.aux]
        if device.spill is not None:
            schedule.spill[d] = x[device.spill]
        if device.energy is not None:
            schedule.e[d] = x[device.energy] + (x[device.beyond] if device.beyond is not None else 0.0)


def constant_eur(store: FlexStore, pods: int) -> Floats:
    """What programmes leave out: fixed costs, and shortfalls counted from the target. EUR of each POD, (pod,)."""
    at_least = np.maximum(store.e_target, store.e_min)
    missed = np.where(store.shortfall_cost > 0, store.shortfall_cost * at_least, 0.0)
    whole = np.broadcast_to(missed, (store.devices, store.steps)).sum(axis=1)
    constant = np.where(store.has_store, whole, 0.0) + store.cost_fixed
    return np.bincount(store.pod, constant, minlength=pods).astype(float)
