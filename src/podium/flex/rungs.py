"""What PODs with programmes withdraw at the prices of one market time unit (docs/maths/bids.md).

The least cost over that price is concave. It lies below the cost of every schedule known, a line, and above every chord
of bounds: where these meet, nothing has to be solved. What is withdrawn is the slope of the line that is least.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from podium.flex.branches import Branches, Programmed, UnansweredError
from podium.flex.curve import Rungs
from podium.flexstore import FlexStore, Floats
from podium.portfolio import Meter

Ints = NDArray[np.int64]


def asked_at_rungs(
    store: FlexStore, members: Ints, priced: Meter, pod: int, rungs: Rungs, step_hours: float, known: Programmed
) -> Floats | None:  # fmt: skip
    """Mean net power of devices of a POD over each unit at each rung, kW (unit, rung), not rising with the price.

    `members` are rows of the store: all devices of the POD, or one. None where they have no schedule within the limits,
    or where the time limit came before all answers.
    """
    try:
        known_by = Branches(store, members, priced, pod, rungs.first, step_hours, known)
        energy = np.stack([_unit(known_by, unit, changes) for unit, changes in enumerate(rungs.change)])
    except UnansweredError:
        return None
    return np.asarray(energy / (step_hours * np.diff(rungs.first))[:, None])


def _unit(known: Branches, unit: int, changes: Floats) -> Floats:
    """Energy of a unit at each rung, kWh (rung,).

    Asked where the bounds are furthest apart: mostly where two lines cross, since there one solution proves both.
    """
    branches = known.expected
    known.turn_to(unit, changes)
    while True:
        cost, energy = known.lines
        best = (cost[:, None] + energy[:, None] * changes).argmin(axis=0)
        points = np.concatenate((changes, _crossings(cost[best], energy[best], changes)))
        upper = known.least(points)
        apart = upper - known.lower(unit, points, branches).min(axis=0) - known.within(upper)
        open_rungs = apart[: len(changes)] > 0
        if not open_rungs.any():
            return np.asarray(energy[best])
        beside = np.concatenate((open_rungs, open_rungs[:-1] | open_rungs[1:]))
        branches = known.proven(unit, float(points[np.where(beside, apart, -np.inf).argmax()]), branches)


def _crossings(cost: Floats, energy: Floats, changes: Floats) -> Floats:
    """Changes at which the lines of neighbouring rungs cross, the rung itself where they are one. Shape (rung - 1,)."""
    less = -np.diff(energy)
    change = np.divide(np.diff(cost), less, out=changes[:-1].copy(), where=less > 0)
    return np.clip(change, changes[:-1], changes[1:])
