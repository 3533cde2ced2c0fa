"""What PODs with programmes withdraw at the prices of one market time unit (docs/maths/bids.md).

A programme that is solved once is asked again and again at other prices of a few of its steps, each time from where it
ended.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import highspy
import numpy as np
from numpy.typing import NDArray

from podium.flex.curve import Rungs
from podium.flex.exclusive import AT_ONCE, Limits, at_once, one_direction
from podium.flex.highs import Solver
from podium.flex.program import PodProgram, build
from podium.flexstore import FlexStore, Floats
from podium.portfolio import Meter

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

#: Rungs that answer alike to this, kW, have nothing else between them.
SAME_KW = 1e-9
_OPTIMAL = highspy.HighsModelStatus.kOptimal


@dataclass(frozen=True)
class Programmed:
    """What programmes need to know beside the devices."""

    day: Ints
    """Local day of each step. Shape (step,)."""
    planned_kw: Floats
    """Set points of the devices, by which those that are on or off keep running. Shape (device, step)."""
    limits: Limits


def asked_at_rungs(
    store: FlexStore, priced: Meter, pod: int, rungs: Rungs, step_hours: float, known: Programmed
) -> Floats | None:  # fmt: skip
    """Mean net power of a POD over each unit at each rung, kW (unit, rung), not rising with the price.

    Devices that are on or off run as planned. Where a store would charge and discharge at once at a price, the POD is
    solved again with integers that forbid it. None where it has no schedule within the limits.
    """
    rows = np.flatnonzero(store.pod == pod)
    program = build(store, rows[None, :], priced, np.array([pod]), step_hours, known.day, exclusive=False)
    solver = Solver(program.arrays.relaxed(), known.limits.time_limit_seconds, 0.0)
    solver.load(0)
    _run_as_planned(solver, program, known.planned_kw)
    solver.run("dual")
    if solver.highs.getModelStatus() != _OPTIMAL:
        return None

    def apart(steps: Ints, change: float) -> float:
        """The same without charging and discharging at once; NaN where there is no answer."""
        if any(device.on is not None for device in program.devices):
            return np.nan
        change_at = np.zeros(priced.buy.shape)
        change_at[:, steps] = change
        meter = priced.plus(change_at)
        used = build(store, rows[None, :], meter, np.array([pod]), step_hours, known.day, exclusive=True)
        x = one_direction(store, used, meter, pod, step_hours, known.limits).x
        return np.nan if x is None else float((x[used.grid[0][steps]] - x[used.grid[1][steps]]).mean())

    found = np.zeros(rungs.change.shape)
    for unit in range(len(found)):
        steps = np.arange(rungs.first[unit], rungs.first[unit + 1])
        found[unit] = _unit(solver, program, steps, rungs.change[unit], rungs.order, step_hours, apart)
    return None if np.isnan(found).any() else np.maximum.accumulate(found[:, ::-1], axis=1)[:, ::-1]


def _run_as_planned(solver: Solver, program: PodProgram, planned_kw: Floats) -> None:
    for device in program.devices:
        if device.on is not None:
            running = (abs(planned_kw[device.row[0]]) > AT_ONCE).astype(float)
            solver.highs.changeColsBounds(len(running), device.on.astype(np.int32), running, running)


def _unit(
    solver: Solver, program: PodProgram, steps: Ints, change: Floats, order: Ints, step_hours: float,
    apart: Callable[[Ints, float], float],
) -> Floats:  # fmt: skip
    """Mean net power at each rung of a unit, kW (rung,), NaN without an answer; the expected prices are put back."""
    withdrawal, injection = (columns[steps] for columns in program.grid)
    columns = np.concatenate((withdrawal, injection)).astype(np.int32)
    expected = program.arrays.cost[0, columns]
    per_price = step_hours * np.repeat([1.0, -1.0], len(steps))
    found = np.full(len(change), np.nan)
    for rung, left, right in order.tolist():
        if left >= 0 and abs(found[left] - found[right]) <= SAME_KW:
            found[rung] = found[left]
            continue
        solver.highs.changeColsCost(len(columns), columns, expected + per_price * change[rung])
        solver.run("primal")
        if solver.highs.getModelStatus() != _OPTIMAL:
            break
        x = np.array(solver.highs.getSolution().col_value)
        both = at_once(program, x)
        found[rung] = apart(steps, float(change[rung])) if both else (x[withdrawal] - x[injection]).mean()
    solver.highs.changeColsCost(len(columns), columns, expected)
    return found
