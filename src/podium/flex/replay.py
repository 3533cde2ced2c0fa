"""Mixes of schedules made real: the energy that given powers lead to (docs/maths/coordination.md).

A mix of charging and discharging loses less energy than its parts, so its store ends above their mix, never below.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from podium.flex.exact import Schedule
from podium.flexstore import FlexStore, Floats

#: Above a limit by less than this, kWh, is rounding.
TINY = 1e-9


@njit(cache=True)
def _replay(
    p: Floats, e: Floats, aux: Floats, spill: Floats, initial: Floats, keep: Floats, drift: Floats, k_plus: Floats,
    k_minus: Floats, e_max: Floats, p_min: Floats, spill_max: Floats, dt: float,
) -> None:  # fmt: skip
    for d in range(p.shape[0]):
        level = initial[d]
        for t in range(p.shape[1]):
            carried = keep[d, t] * level + drift[d, t] + dt * (aux[d, t] - spill[d, t])
            k = k_plus[d, t] if p[d, t] > 0.0 else k_minus[d, t]
            level = carried + dt * k * p[d, t]
            over = level - e_max[d, t]
            if over > TINY and spill_max[d, t] > spill[d, t]:
                vented = min(over / dt, spill_max[d, t] - spill[d, t])
                spill[d, t] += vented
                level -= dt * vented
                over -= dt * vented
            if over > TINY and k > 0.0:
                less = over / (dt * k)
                if p[d, t] > 0.0 and less > p[d, t]:
                    over -= dt * k * p[d, t]
                    level -= dt * k * p[d, t]
                    p[d, t] = 0.0
                    k = k_minus[d, t]
                    less = over / (dt * k) if k > 0.0 else 0.0
                less = min(less, p[d, t] - p_min[d, t])
                p[d, t] -= less
                level -= dt * k * less
            e[d, t] = level


def replayed(store: FlexStore, mixed: Schedule, step_hours: float) -> Schedule:
    """The same powers, but for what a full store cannot take, with the energies that they lead to."""
    rows = np.flatnonzero(store.has_store)
    part = store.take(rows)
    p, aux, spill = (np.array(side[rows]) for side in (mixed.p, mixed.aux, mixed.spill))
    e = np.zeros_like(p)
    keep, drift, k_plus, k_minus, e_max, p_min, spill_max = (
        np.ascontiguousarray(part.full(name))
        for name in ("keep", "drift", "k_plus", "k_minus", "e_max", "p_min", "spill_max")
    )
    _replay(
        p, e, aux, spill, part.e_initial, keep, drift, k_plus, k_minus, e_max, p_min, spill_max, step_hours
    )  # fmt: skip
    found = Schedule(np.array(mixed.p), np.array(mixed.e), np.array(mixed.aux), np.array(mixed.spill))
    found.p[rows], found.e[rows], found.aux[rows], found.spill[rows] = p, e, aux, spill
    return found
