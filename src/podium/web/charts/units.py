"""Units and decimals of a chart: power and energy in the unit that fits their size, no more digits than can be read."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from podium.web.charts.figure import Floats

#: Unit -> the larger one, its size, and from which peak on it is shown.
_LARGER = {"kW": ("MW", 1000.0), "kWh": ("MWh", 1000.0)}
_DIGITS = 4
_MOST_DECIMALS = 5


@dataclass(frozen=True)
class Scale:
    """How values of an axis are shown: divided by `size`, in `unit`, with so many decimals."""

    unit: str
    size: float
    decimals: int


def scale_of(unit: str, rows: Iterable[Floats], *, logarithmic: bool = False) -> Scale:
    """The scale that fits the greatest of all values, with four digits of it (of the least, on a logarithmic axis).

    >>> scale_of("kW", [np.array([3.2, -1500.0])])
    Scale(unit='MW', size=1000.0, decimals=3)
    >>> scale_of("EUR", [np.array([0.0, np.nan])]).decimals
    2
    """
    sizes = np.abs(np.concatenate([np.zeros(1), *(np.ravel(row) for row in rows)]))
    peak = float(np.nanmax(sizes))
    if logarithmic and peak > 0:
        return Scale(unit, 1.0, _decimals(float(np.nanmin(sizes[sizes > 0]))))
    larger = _LARGER.get(unit)
    if larger is not None and peak >= larger[1]:
        unit, size = larger
    else:
        size = 1.0
    return Scale(unit, size, _decimals(peak / size))


def _decimals(peak: float) -> int:
    """Decimals that show the digits of a number of this size.

    >>> [_decimals(peak) for peak in (0.0, 0.04, 8.0, 850.0, 1e6)]
    [2, 5, 3, 1, 0]
    """
    if peak <= 0 or not math.isfinite(peak):
        return 2
    return min(max(_DIGITS - 1 - math.floor(math.log10(peak)), 0), _MOST_DECIMALS)


def rounded(values: Floats, scale: Scale) -> list[float | None]:
    """Values as they are sent: in the scale's unit, one decimal more than is shown, None where there is none.

    >>> rounded(np.array([1234.5678, np.nan]), Scale("MW", 1000.0, 2))
    [1.235, None]
    """
    numbers = (np.asarray(values, dtype=float) / scale.size).round(scale.decimals + 1) + 0.0
    return [value if math.isfinite(value) else None for value in numbers.tolist()]
