"""Net power of many PODs as a function of the price of one market time unit (docs/maths/bids.md)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from podium.flex.curve import Rungs, curve_groups
from podium.flex.exact import by_device, by_pod
from podium.flex.kernel import SOLVED, Columns, Groups
from podium.flex.piecewise import EXACT
from podium.flex.respond import Responder, Signal
from podium.flexstore import Floats

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Ladder:
    """At which prices PODs are asked in each market time unit, as differences to the expected ones."""

    unit: Ints
    """Market time unit of each step, rising from 0. Shape (step,)."""
    change_eur_per_kwh: Floats
    """Rising; one rung is 0, the expected price itself. Shape (unit, rung)."""

    @property
    def first(self) -> Ints:
        """First step of each unit, and last the number of steps. Shape (unit + 1,)."""
        return np.searchsorted(self.unit, np.arange(len(self.change_eur_per_kwh) + 1))

    @property
    def rungs(self) -> int:
        """Rungs of each unit."""
        return int(self.change_eur_per_kwh.shape[1])

    def mean(self, of_steps: Floats) -> Floats:
        """Mean over the steps of each unit. Shape (..., step) to (..., unit)."""
        first = self.first
        return np.asarray(np.add.reduceat(of_steps, first[:-1], axis=-1) / np.diff(first))

    def order(self) -> Ints:
        """Every rung and two around it that come before it: the ends, then the middles of what is left.

        Shape (rung, 3); -1 where there are none.
        """
        last = self.rungs - 1
        rows, spans = [(0, -1, -1), (last, -1, -1)][: self.rungs], [(0, last)]
        for left, right in spans:
            if right - left > 1:
                middle = (left + right) // 2
                rows.append((middle, left, right))
                spans += [(left, middle), (middle, right)]
        return np.array(rows, dtype=np.int64)


@dataclass(frozen=True)
class Elastic:
    """What PODs withdraw at the rungs of a ladder."""

    net_kw: Floats
    """Mean over the unit, not rising with the price. Shape (area, unit, rung)."""
    held: Ints
    """PODs that keep their planned power whatever the price, by number. Shape (any,)."""


def elastic(responder: Responder, signal: Signal, ladder: Ladder, planned_kw: Floats) -> Elastic:
    """The exact answer of every POD to the price of each market time unit, all other prices held at `signal`.

    PODs that the dynamic programme does not solve (docs/maths/bids.md), and those that do not answer, hold
    `planned_kw`, shape (pod, step).
    """
    net = np.zeros((len(signal.energy), *ladder.change_eur_per_kwh.shape))
    priced = responder.meter.plus(signal.energy[responder.area])
    store, held = responder.store, np.ones(len(responder.area), dtype=bool)
    rungs = Rungs(ladder.first, np.ascontiguousarray(ladder.change_eur_per_kwh), ladder.order())
    columns = Columns(*(getattr(store, name) for name in Columns._fields))
    apart = np.flatnonzero(np.isin(store.pod, responder.plain_separable))
    batches: list[tuple[Groups, Floats]] = []
    if len(responder.plain_single):
        one = by_pod(store, responder.plain_single, priced.withdrawal_max, priced.injection_max)
        batches.append((one, priced.sell))
    if len(apart):
        batches.append((by_device(store, apart), priced.buy))
    for groups, sell in batches:
        status = np.full(len(groups.price), -1, dtype=np.int64)
        curve_groups(
            columns, groups, np.ascontiguousarray(priced.buy), np.ascontiguousarray(sell), rungs, responder.step_hours,
            EXACT, responder.area[groups.price], net, status,
        )  # fmt: skip
        held[groups.price[status == SOLVED]] = False
    np.add.at(net, responder.area[held], ladder.mean(planned_kw[held])[:, :, None])
    return Elastic(net, np.flatnonzero(held))
