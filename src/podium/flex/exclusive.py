"""PODs whose linear optimum charges and discharges a store in one step, which it cannot (docs/maths/program.md).

Branch and bound proves such a POD slowly. First the devices take turns: each store that goes both ways gets its exact
optimum (dynamic programme) given what the others do, then the others theirs (linear programme) given it. The linear
relaxation is a bound; where it shows the turns' result to be good enough, no branching is needed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from podium.flex.exact import Schedule, by_pod, solve_exactly
from podium.flex.highs import Solved, Solver
from podium.flex.piecewise import EXACT
from podium.flex.program import DeviceColumns, PodProgram
from podium.flexstore import FlexStore, Floats, concatenate
from podium.portfolio import Meter

Ints = NDArray[np.int64]

#: Charging and discharging at once beyond this, kW, is not rounding.
AT_ONCE = 1e-7
#: By how much rounding may pass the connection between two turns, kW (half of HiGHS' own tolerance).
SLACK = 5e-8
#: Turns that the devices take.
TURNS = 4


@dataclass(frozen=True)
class Limits:
    """When a programme with integers may stop, and how exact value functions that are not convex are."""

    time_limit_seconds: float = 30.0
    mip_gap: float = 1e-6
    flat_eur: float = EXACT
    """Per step; see `piecewise.py`."""


#: Limits where none are given.
DEFAULT = Limits()


def at_once(program: PodProgram, x: Floats) -> bool:
    """Whether a store charges and discharges in one step."""
    return any(bool((np.minimum(x[plus], x[minus]) > AT_ONCE).any()) for plus, minus in both_ways(program).values())


def one_direction(
    store: FlexStore, program: PodProgram, meter: Meter, pod: int, step_hours: float, limits: Limits
) -> Solved:
    """The POD's programme with "never both at once", by turns where these prove good enough, else by branching.

    `program` holds this POD alone, with the integers.
    """
    relaxed = Solver(program.arrays.relaxed(), limits.time_limit_seconds, limits.mip_gap)
    bound = relaxed.solve(0)
    on_off = program.arrays.integer.sum() > store.steps * len(both_ways(program))
    if bound.x is None or on_off or not at_once(program, bound.x):
        return bound if bound.x is not None and not on_off else _branched(program, limits)
    found = _by_turns(store, program, relaxed, bound, meter, pod, step_hours, limits)
    if found is not None and _good(program, found.x, bound.bound, limits):
        return Solved(found.x, bound.bound)
    branched = _branched(program, limits)
    if found is None or (branched.x is not None and _cost(program, branched.x) <= _cost(program, found.x)):
        return branched
    return Solved(found.x, max(branched.bound, bound.bound), time_limit=branched.time_limit)


def both_ways(program: PodProgram) -> dict[int, tuple[Ints, Ints]]:
    """Columns of charging and discharging of the stores that do both, by the device's place in the programme."""
    return {
        place: (device.plus, device.minus)
        for place, device in enumerate(program.devices)
        if device.energy is not None and device.plus is not None and device.minus is not None
    }


def _branched(program: PodProgram, limits: Limits) -> Solved:
    return Solver(program.arrays, limits.time_limit_seconds, limits.mip_gap).solve(0)


def _cost(program: PodProgram, x: Floats | None) -> float:
    return np.inf if x is None else float(program.arrays.cost[0] @ x)


def _good(program: PodProgram, x: Floats | None, bound: float, limits: Limits) -> bool:
    cost = _cost(program, x)
    return bool(np.isfinite(cost) and cost - bound <= limits.mip_gap * max(abs(cost), 1.0))


def _by_turns(
    store: FlexStore, program: PodProgram, relaxed: Solver, start: Solved, meter: Meter, pod: int, step_hours: float,
    limits: Limits,
) -> Solved | None:  # fmt: skip
    """Devices take turns from the relaxed solution; the best solution that is possible, or None."""
    best, x, both = None, start.x, both_ways(program)
    for _turn in range(TURNS):
        for place, (plus, minus) in both.items():
            if x is None:
                return best
            power = _best_power(store, program, place, x, meter, pod, step_hours, limits.flat_eur)
            if power is None:
                return best
            x = x.copy()
            x[plus], x[minus] = np.maximum(power, 0.0), np.maximum(-power, 0.0)
        columns = np.concatenate([column for pair in both.values() for column in pair])
        answer = relaxed.solve(0, columns, x[columns] if x is not None else None)
        before, x = _cost(program, best.x if best else None), answer.x
        if _cost(program, x) < before:
            best = answer
        if _good(program, x, start.bound, limits) or not _cost(program, x) < before - 1e-9 * abs(before):
            break
    return best


def _best_power(
    store: FlexStore, program: PodProgram, place: int, x: Floats, meter: Meter, pod: int, step_hours: float,
    flat_eur: float,
) -> Floats | None:  # fmt: skip
    """Exact optimum of one store, kW (step,), with the other devices as they are in x; None where there is none."""
    others = sum(
        (_power(store, device, x) for n, device in enumerate(program.devices) if n != place), np.zeros(store.steps)
    )
    ids, zero = np.array(["others"], dtype=object), np.zeros(1, dtype=np.int64)
    rest = FlexStore.of(ids, zero, store.steps, has_store=False, p_min=others[None, :], p_max=others[None, :])
    own = replace(store.take(program.devices[place].row[:1]), pod=zero)
    pair = concatenate([rest, own], store.steps)
    schedule = Schedule.empty(2, store.steps)
    groups = by_pod(pair, zero, meter.withdrawal_max[[pod]] + SLACK, meter.injection_max[[pod]] + SLACK)
    if solve_exactly(pair, groups, meter.buy[[pod]], meter.sell[[pod]], step_hours, schedule, flat_eur):
        return None
    power: Floats = schedule.p[1]
    return power


def _power(store: FlexStore, device: DeviceColumns, x: Floats) -> Floats:
    """Net power of a device in a solution, kW; fixed devices have no columns."""
    if device.plus is None and device.minus is None:
        return np.asarray(store.full("p_min")[device.row[0]])
    return device.power(x)
