"""From which levels can a store still be kept within its limits? Worked out backwards from the horizon's end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from podium.checking.limits import Floats, StoreLimits, at

Interval = tuple[float, float]

#: Levels this close are the same, kWh: rounding must not make a single possible level vanish.
SAME_KWH = 1e-9


@dataclass(frozen=True)
class Gains:
    """What stores can gain in each step, kWh, between `low` and `high`. Shapes (device, step).

    Or, where these are numbers, between `second_low` and `second_high`: a least power leaves a gap.
    """

    low: Floats
    high: Floats
    second_low: Floats
    second_high: Floats

    @property
    def broken(self) -> NDArray[np.bool_]:
        """Where the possible gains fall into two. Shape (device, step)."""
        return ~np.isnan(self.second_low)

    @property
    def first_only(self) -> Gains:
        """Without the second ranges: one way on among others."""
        nothing = np.full_like(self.second_low, np.nan)
        return Gains(self.low, self.high, nothing, nothing)

    def of(self, row: int, step: int) -> Iterator[Interval]:
        """The possible gains of one device in one step."""
        yield float(self.low[row, step]), float(self.high[row, step])
        if self.second_low[row, step] == self.second_low[row, step]:
            yield float(self.second_low[row, step]), float(self.second_high[row, step])


def lack_kwh(store: StoreLimits, gains: Gains, start_kwh: Floats, first: int) -> Floats:
    """How far levels of `start_kwh` before step `first` are from the nearest that can go on; at most 0 where they can.

    Exact where gains are one interval per step, else a lower bound. Shape (device,).
    """
    low_gain, high_gain = np.fmin(gains.low, gains.second_low), np.fmax(gains.high, gains.second_high)
    low, high = np.full(len(start_kwh), -np.inf), np.full(len(start_kwh), np.inf)
    lack = np.full(len(start_kwh), -np.inf)
    for step in reversed(range(first, gains.low.shape[1])):
        low = np.maximum(low, at(store.low_kwh, step))
        high = np.minimum(high, at(store.high_kwh, step))
        lack = np.maximum(lack, low - high)
        low, high = low - high_gain[:, step], high - low_gain[:, step]
        fixed, value = fixed_level(store, step)
        lack = np.where(fixed, np.maximum(lack, np.maximum(low - value, value - high)), lack)
        keep = np.where(fixed, 1.0, at(store.keep, step))
        low, high = np.where(fixed, -np.inf, low / keep), np.where(fixed, np.inf, high / keep)
    return np.asarray(np.maximum(lack, np.maximum(low - start_kwh, start_kwh - high)))


def lack_of_one_kwh(store: StoreLimits, gains: Gains, start_kwh: float, first: int, row: int) -> float:
    """The same for one device, exact where its possible gains fall into two."""
    levels: list[Interval] = [(-np.inf, np.inf)]
    for step in reversed(range(first, gains.low.shape[1])):
        bounds = float(at(store.low_kwh, step)[row]), float(at(store.high_kwh, step)[row])
        levels = _within(levels, bounds)
        levels = _merged((low - most, high - least) for low, high in levels for least, most in gains.of(row, step))
        fixed, value = fixed_level(store, step)
        if fixed[row]:
            lack = _distance(levels, float(value[row]))
            if lack > SAME_KWH:
                return lack
            levels = [(-np.inf, np.inf)]
        else:
            keep = float(at(store.keep, step)[row])
            levels = [(low / keep, high / keep) for low, high in levels]
    return _distance(levels, start_kwh)


def fixed_level(store: StoreLimits, step: int) -> tuple[NDArray[np.bool_], Floats]:
    """Where the level a step begins with does not depend on the one before, and that level. Shapes (device,)."""
    lost = at(store.keep, step) == 0
    value = np.where(lost, 0.0, np.nan)
    if store.restart_kwh is not None:
        restart = at(store.restart_kwh, step)
        value = np.where(np.isnan(restart), value, restart)
    return ~np.isnan(value), value


def _within(levels: list[Interval], bounds: Interval) -> list[Interval]:
    cut = ((max(low, bounds[0]), min(high, bounds[1])) for low, high in levels)
    return [(low, max(low, high)) for low, high in cut if low <= high + SAME_KWH]


def _merged(levels: Iterator[Interval]) -> list[Interval]:
    merged: list[Interval] = []
    for low, high in sorted(levels):
        if merged and low <= merged[-1][1] + SAME_KWH:
            merged[-1] = merged[-1][0], max(merged[-1][1], high)
        else:
            merged.append((low, high))
    return merged


def _distance(levels: list[Interval], level: float) -> float:
    return min((max(low - level, level - high, 0.0) for low, high in levels), default=np.inf)
