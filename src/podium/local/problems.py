"""The problems of level 1 (docs/maths/level1.md)."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from podium.flexstore import FlexStore
from podium.portfolio import Meter

LocalProblem = Literal["min_cost", "min_energy", "max_energy"]

#: A kWh missing from a target (a car's wish) weighs this many kWh of net energy, so that targets come first.
TARGET_WEIGHT = 1000.0


def posed(store: FlexStore, meter: Meter, problem: LocalProblem) -> tuple[FlexStore, Meter]:
    """The problem as one of cost: `min_cost` is; the others price every kWh of net energy at 1 or -1 and use at 0.

    `min_energy` and `max_energy` are the least and greatest sum of net power over the horizon that keep every limit,
    and meet every target as far as can be.
    """
    if problem == "min_cost":
        return store, meter
    zero = np.zeros((store.devices, 1))
    free = replace(
        store,
        cost_plus=zero,
        cost_minus=zero,
        aux_cost=zero,
        shortfall_cost=np.where(store.shortfall_cost > 0, TARGET_WEIGHT, 0.0),
        start_cost=zero[:, 0],
        e_value=zero[:, 0],
        cost_fixed=zero[:, 0],
    )
    return free, meter.at_price(1.0 if problem == "min_energy" else -1.0)
