"""What PODs with programmes withdraw at the prices of one market time unit (docs/maths/bids.md).

A programme that is solved once is asked again and again at other prices of a few of its steps, each time from where it
ended.
"""

from __future__ import annotations

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

#: Rungs that answer alike to this, kW, have nothing else between them.
SAME_KW = 1e-9


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
    solved again with integers that forbid it. None where it has no schedule within the limits, or would have to be
    solved again beside devices that are on or off.
    """
    asked = _Asked(store, priced, pod, step_hours, known)
    if not asked.solved("dual"):
        return None
    found = np.stack([asked.unit(rungs, unit) for unit in range(len(rungs.change))])
    return None if np.isnan(found).any() else np.maximum.accumulate(found[:, ::-1], axis=1)[:, ::-1]


class _Asked:
    """The programme of a POD, ready for other prices."""

    def __init__(self, store: FlexStore, priced: Meter, pod: int, step_hours: float, known: Programmed) -> None:
        self.store, self.priced, self.pod, self.step_hours, self.known = store, priced, pod, step_hours, known
        self.program = self._program(priced, exclusive=False)
        self.solver = Solver(self.program.arrays.relaxed(), known.limits.time_limit_seconds, 0.0)
        self.solver.load(0)
        for device in self.program.devices:
            if device.on is not None:
                running = (abs(known.planned_kw[device.row[0]]) > AT_ONCE).astype(float)
                self.solver.highs.changeColsBounds(len(running), device.on.astype(np.int32), running, running)

    def solved(self, strategy: str) -> bool:
        """Whether there is an optimum at the prices as they are."""
        self.solver.run(strategy)
        return bool(self.solver.highs.getModelStatus() == highspy.HighsModelStatus.kOptimal)

    def unit(self, rungs: Rungs, unit: int) -> Floats:
        """Mean net power at each rung of a unit, kW (rung,), NaN without an answer; then prices are as before."""
        steps = np.arange(rungs.first[unit], rungs.first[unit + 1])
        columns = np.concatenate([grid[steps] for grid in self.program.grid]).astype(np.int32)
        expected = self.program.arrays.cost[0, columns]
        per_price = self.step_hours * np.repeat([1.0, -1.0], len(steps))
        found = np.full(len(rungs.change[unit]), np.nan)
        for rung, left, right in rungs.order.tolist():
            if left >= 0 and abs(found[left] - found[right]) <= SAME_KW:
                found[rung] = found[left]
                continue
            change = float(rungs.change[unit, rung])
            self.solver.highs.changeColsCost(len(columns), columns, expected + per_price * change)
            if not self.solved("primal"):
                break
            x = np.array(self.solver.highs.getSolution().col_value)
            found[rung] = self._apart(steps, change) if at_once(self.program, x) else _mean(self.program, x, steps)
        self.solver.highs.changeColsCost(len(columns), columns, expected)
        return found

    def _apart(self, steps: Ints, change: float) -> float:
        """Mean net power of steps at another price, kW, without charging and discharging at once; NaN where unknown."""
        if any(device.on is not None for device in self.program.devices):
            return np.nan
        change_at = np.zeros(self.priced.buy.shape)
        change_at[:, steps] = change
        meter = self.priced.plus(change_at)
        program = self._program(meter, exclusive=True)
        x = one_direction(self.store, program, meter, self.pod, self.step_hours, self.known.limits).x
        return np.nan if x is None else _mean(program, x, steps)

    def _program(self, meter: Meter, *, exclusive: bool) -> PodProgram:
        members = np.flatnonzero(self.store.pod == self.pod)[None, :]
        pods = np.array([self.pod])
        return build(self.store, members, meter, pods, self.step_hours, self.known.day, exclusive=exclusive)


def _mean(program: PodProgram, x: Floats, steps: Ints) -> float:
    withdrawal, injection = program.grid
    return float((x[withdrawal[steps]] - x[injection[steps]]).mean())
