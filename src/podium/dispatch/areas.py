"""Limits of groups and of the whole portfolio, as the devices of a fleet meet them (docs/maths/dispatch.md)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from podium.flexstore import Floats
from podium.market.terms import Market, PositionLimits

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Areas:
    """Each device in one area, and the limits of the areas' net power, less what others draw there."""

    of_device: Ints
    """Area of each device. Shape (device,)."""
    withdrawal_max_kw: Floats
    """inf where free. Shape (area, step)."""
    injection_max_kw: Floats

    @property
    def whole(self) -> bool:
        """True where one area holds all devices."""
        return len(self.withdrawal_max_kw) == 1

    def sum(self, values: Floats) -> Floats:
        """Sum over each area's devices: (device, ...) to (area, ...)."""
        areas = len(self.withdrawal_max_kw)
        if values.ndim == 1:
            return np.asarray(np.bincount(self.of_device, values, minlength=areas), dtype=float)
        total = np.zeros((areas, *values.shape[1:]))
        np.add.at(total, self.of_device, values)
        return total

    def bound(self, step: int, wanted: Floats, kept_up: Floats, kept_down: Floats, beside_kw: float) -> Bound:
        """The limits in a step, less what is kept ready, and widened to what is wanted in any case.

        Shapes (device,); `beside_kw` is net power that is none of the devices'.
        """
        net = self.sum(wanted) - beside_kw
        least = self.sum(kept_up) - self.injection_max_kw[:, step] - beside_kw
        most = self.withdrawal_max_kw[:, step] - self.sum(kept_down) - beside_kw
        return Bound(self, np.minimum(least, net), np.maximum(most, net))


def areas_of(market: Market, pod: Ints, groups: Sequence[str], held_kw: Floats | None = None) -> tuple[Areas, ...]:
    """The groups that have limits (and all others as one area without), then the whole portfolio.

    `pod` (device,) is the POD of each device, `groups` the column `group` of PODs, `held_kw` (pod, step) net power that
    is none of the devices': that of PODs that keep their declared baseline.
    """
    return tuple(_areas(market, pod, np.asarray(groups, dtype=str), held_kw))


def _areas(market: Market, pod: Ints, groups: NDArray[np.str_], held_kw: Floats | None) -> Iterator[Areas]:
    limited = [group for group in market.groups if group.limits.binding]
    if limited:
        steps = len(limited[0].limits.withdrawal_max_kw)
        of_pod = np.full(len(groups), len(limited), dtype=np.int64)
        for number, group in enumerate(limited):
            of_pod[groups == group.name] = number
        yield _beside(of_pod, pod, [*(group.limits for group in limited), PositionLimits.free(steps)], held_kw)
    if market.limits is not None and market.limits.binding:
        yield _beside(np.zeros(len(groups), dtype=np.int64), pod, [market.limits], held_kw)


def _beside(of_pod: Ints, pod: Ints, limits: Sequence[PositionLimits], held_kw: Floats | None) -> Areas:
    """Areas whose limits leave room for what is held."""
    withdrawal = np.stack([limit.withdrawal_max_kw for limit in limits])
    injection = np.stack([limit.injection_max_kw for limit in limits])
    if held_kw is not None:
        held = np.zeros(withdrawal.shape)
        np.add.at(held, of_pod, held_kw)
        withdrawal, injection = withdrawal - held, injection + held
    return Areas(of_pod[pod], withdrawal, injection)


@dataclass(frozen=True)
class Bound:
    """Least and greatest net power of the areas in one step, kW. Shapes (area,)."""

    areas: Areas
    least: Floats
    most: Floats

    def over(self, p: Floats) -> Floats:
        """By how much the areas withdraw (+) or inject (-) too much. Shape (area,)."""
        net = self.areas.sum(p)
        return np.asarray(np.maximum(net - self.most, 0.0) - np.maximum(self.least - net, 0.0))

    def room(self, p: Floats) -> tuple[Floats, Floats]:
        """Power that the areas may give up and take, below 0 where they are beyond already. Shapes (area,)."""
        net = self.areas.sum(p)
        return net - self.least, self.most - net
