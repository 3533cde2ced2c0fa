"""Level 2 of the reference method: clamp, gains, one of two ends per step (docs/maths/virtus.md)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from podium.errors import InputError, Problem
from podium.market.virtus.rules import Bools, Floats


@dataclass(frozen=True, slots=True)
class VirtusResult:
    """What the reference method promises, per step.

    max_sum_kw, min_sum_kw    (step,) sums of the PODs' trajectories, each POD's max raised to its min
    baseline_kw               (step,) declared baseline, clamped between those sums
    baseline_declared_kw      (step,) as given
    F_max_kw                  (step,) the chosen bound, baseline <= F_max <= max_sum
    F_min_kw                  (step,) the chosen bound, min_sum <= F_min <= baseline
    gain_max_eur_per_mwh, gain_min_eur_per_mwh  (step,) what a kW of F_max and of F_min counts
    tie_max, tie_min          (step,) the gain is zero: any value between the ends is as good
    objective                 the reference's number, EUR/kWh times W: step_hours and the kilo are missing
    step_hours                length of a step, by which the money below is true
    """

    F_max_kw: Floats
    F_min_kw: Floats
    baseline_kw: Floats
    baseline_declared_kw: Floats
    max_sum_kw: Floats
    min_sum_kw: Floats
    gain_max_eur_per_mwh: Floats
    gain_min_eur_per_mwh: Floats
    tie_max: Bools
    tie_min: Bools
    step_hours: float

    @property
    def profit_step(self) -> Floats:
        """(step,) the objective's terms in the reference's number (EUR/kWh x W)."""
        return self.gain_max_eur_per_mwh * self.F_max_kw + self.gain_min_eur_per_mwh * self.F_min_kw

    @property
    def objective(self) -> float:
        """The reference's objective in the reference's number (EUR/kWh x W)."""
        return float(self.profit_step.sum())

    @property
    def profit_step_eur(self) -> Floats:
        """(step,) `profit_step` in EUR: 1 EUR/MWh on 1 kW for step_hours; a quarter-hour makes 1/4000."""
        return self.profit_step * (self.step_hours / 1000.0)

    @property
    def profit_eur(self) -> float:
        """The objective in EUR. The reference pays F_max and F_min both (defect 9)."""
        return float(self.profit_step_eur.sum())

    @property
    def mean_profit_step(self) -> Floats:
        """(step,) the reference's figure "mean profit": half of `profit_step`, in its number."""
        return 0.5 * self.profit_step

    @property
    def mean_profit_step_eur(self) -> Floats:
        """(step,) "mean profit" in EUR."""
        return 0.5 * self.profit_step_eur

    @property
    def mean_profit_eur(self) -> float:
        """Sum of `mean_profit_step_eur` over the horizon: the mean of being paid for F_max and for F_min."""
        return float(self.mean_profit_step_eur.sum())


def aggregate(
    min_kw: ArrayLike,
    max_kw: ArrayLike,
    baseline_kw: ArrayLike,
    buy_eur_per_mwh: ArrayLike,
    sell_eur_per_mwh: ArrayLike,
    production_eur_per_mwh: ArrayLike,
    step_hours: float,
) -> VirtusResult:
    """The reference's level 2 on the PODs' two trajectories.

    min_kw, max_kw (pod, step); baseline_kw (pod, step) or already summed (step,); prices (step,).
    On a tie, where the reference's solver may return anything, F stays at the clamped baseline.

    Raises InputError where shapes differ or a number is missing.
    """
    low, high = np.atleast_2d(_numbers("min_kw", min_kw)), np.atleast_2d(_numbers("max_kw", max_kw))
    declared = _numbers("baseline_kw", baseline_kw)
    declared = declared.sum(axis=0) if declared.ndim == 2 else declared
    prices = {
        "buy_eur_per_mwh": _numbers("buy_eur_per_mwh", buy_eur_per_mwh),
        "sell_eur_per_mwh": _numbers("sell_eur_per_mwh", sell_eur_per_mwh),
        "production_eur_per_mwh": _numbers("production_eur_per_mwh", production_eur_per_mwh),
    }
    _require_shapes(low, high, {"baseline_kw": declared, **prices})
    max_sum, min_sum = np.maximum(high, low).sum(axis=0), low.sum(axis=0)
    baseline = np.maximum(np.minimum(declared, max_sum), min_sum)
    gain_max, gain_min = gains(min_sum, max_sum, baseline, *prices.values())
    return VirtusResult(
        F_max_kw=np.where(gain_max > 0.0, max_sum, baseline),
        F_min_kw=np.where(gain_min < 0.0, min_sum, baseline),
        baseline_kw=baseline,
        baseline_declared_kw=declared,
        max_sum_kw=max_sum,
        min_sum_kw=min_sum,
        gain_max_eur_per_mwh=gain_max,
        gain_min_eur_per_mwh=gain_min,
        tie_max=gain_max == 0.0,
        tie_min=gain_min == 0.0,
        step_hours=step_hours,
    )


def gains(
    min_sum: Floats, max_sum: Floats, baseline: Floats, buy: Floats, sell: Floats, production: Floats
) -> tuple[Floats, Floats]:
    """(gain_max, gain_min) (step,), in the unit of the prices.

    The portfolio can buy with F_max where its max is above zero, and sell where its max or baseline is not;
    it can buy with F_min where its min or baseline is not below zero, and sell where its min is below.
    """
    if_buying, if_selling = production - buy, sell - production
    gain_max = if_buying * (max_sum > 0.0) - if_selling * ((max_sum <= 0.0) | (baseline <= 0.0))
    gain_min = if_buying * ((min_sum >= 0.0) | (baseline >= 0.0)) - if_selling * (min_sum < 0.0)
    return gain_max, gain_min


def _numbers(name: str, values: ArrayLike) -> Floats:
    array = np.asarray(values, dtype=np.float64)
    if not np.all(np.isfinite(array)):
        raise InputError(Problem(name, "a missing or infinite number", "finite numbers only"))
    return array


def _require_shapes(low: Floats, high: Floats, per_step: dict[str, Floats]) -> None:
    steps = low.shape[1]
    problems = [
        Problem(name, f"shape {values.shape}", f"({steps},), one value per step of min_kw")
        for name, values in per_step.items()
        if values.shape != (steps,)
    ]
    if low.shape != high.shape:
        problems.append(Problem("max_kw", f"shape {high.shape}", f"{low.shape}, the shape of min_kw"))
    if problems:
        raise InputError(problems)
