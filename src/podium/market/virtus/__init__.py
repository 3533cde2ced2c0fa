"""`method="virtus"`: the reference method, for comparison and with its defects (docs/maths/virtus.md)."""

from podium.market.virtus.joint import JointSet, targets_as_limits
from podium.market.virtus.level1 import Level1, greatest_shift, least_shift, solve_level1
from podium.market.virtus.level2 import VirtusResult, aggregate, gains
from podium.market.virtus.rules import (
    ShiftTable,
    StorageTable,
    alone_band,
    combined_heat_and_power,
    curtailable_loads,
    fixed_loads,
    photovoltaics,
    shiftable_loads,
    stack,
    wind_turbines,
)
from podium.market.virtus.undelivered import Undelivered, undelivered

__all__ = [
    "JointSet",
    "Level1",
    "ShiftTable",
    "StorageTable",
    "Undelivered",
    "VirtusResult",
    "aggregate",
    "alone_band",
    "combined_heat_and_power",
    "curtailable_loads",
    "fixed_loads",
    "gains",
    "greatest_shift",
    "least_shift",
    "photovoltaics",
    "shiftable_loads",
    "solve_level1",
    "stack",
    "targets_as_limits",
    "undelivered",
    "wind_turbines",
]
