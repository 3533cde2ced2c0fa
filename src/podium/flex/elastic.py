"""Net power of many PODs as a function of the price of one market time unit (docs/maths/bids.md)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from podium.flex.curve import Rungs, curve_groups
from podium.flex.exact import by_device, by_pod
from podium.flex.kernel import SOLVED, Columns, Groups
from podium.flex.piecewise import EXACT
from podium.flex.reserve import room_of
from podium.flex.respond import Signal
from podium.flex.rungs import Programmed, asked_at_rungs
from podium.flex.solve import structure
from podium.flexstore import FlexStore, Floats
from podium.portfolio import Meter

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


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
class Bidders:
    """PODs of a part of the portfolio, and what they need to know to answer a ladder."""

    store: FlexStore
    """Devices; where they back reserve, with limits that leave room for it (`podium.dispatch.keeping`)."""
    meter: Meter
    """Each POD's own tariff (0 where it is billed on the market alone) and its connection."""
    step_hours: float
    area: Ints
    """Row of the prices that each POD sees. Shape (pod,)."""
    answers: Bools
    """Where False, a POD holds its plan. Shape (pod,)."""
    roomy: Bools
    """Where the connection leaves room for all devices at full power. Shape (pod,)."""

    @classmethod
    def of(cls, store: FlexStore, meter: Meter, step_hours: float, area: Ints, answers: Bools) -> Bidders:
        """PODs whose devices back nothing."""
        tight = np.bincount(store.pod[~room_of(store, meter, step_hours).free], minlength=len(area)) > 0
        return cls(store, meter, step_hours, area, answers, ~tight)

    def keeping(self, store: FlexStore, meter: Meter) -> Bidders:
        """The same PODs with narrower limits of devices and connections."""
        narrow = replace(
            self.meter, withdrawal_max=meter.withdrawal_max, injection_max=meter.injection_max
        )  # fmt: skip
        return replace(self, store=store, meter=narrow)


@dataclass(frozen=True)
class Elastic:
    """What PODs withdraw at the rungs of a ladder."""

    net_kw: Floats
    """Mean over the unit, not rising with the price. Shape (area, unit, rung)."""
    held: Ints
    """PODs that keep their planned power whatever the price, by number. Shape (any,)."""


def elastic(
    bidders: Bidders, signal: Signal, ladder: Ladder, planned_kw: Floats, programmed: Programmed | None = None
) -> Elastic:
    """The exact answer of every POD to the price of each market time unit, all other prices held at `signal`.

    PODs that the dynamic programme does not solve (docs/maths/bids.md) answer by programmes where `programmed` says
    what these need. Without it, and where they have no answer, they hold `planned_kw`, shape (pod, step).
    """
    net = np.zeros((len(signal.energy), *ladder.change_eur_per_kwh.shape))
    held = np.ones(len(bidders.area), dtype=bool)
    priced, store = bidders.meter.plus(signal.energy[bidders.area]), bidders.store
    rungs = Rungs(ladder.first, np.ascontiguousarray(ladder.change_eur_per_kwh), ladder.order())
    columns = Columns(*(getattr(store, name) for name in Columns._fields))
    for groups, sell in _groups(bidders, priced):
        status = np.full(len(groups.price), -1, dtype=np.int64)
        mine = np.zeros((len(status), *net.shape[1:]))
        curve_groups(
            columns, groups, np.ascontiguousarray(priced.buy), np.ascontiguousarray(sell), rungs, bidders.step_hours,
            EXACT, mine, status,
        )  # fmt: skip
        lost = np.isin(groups.price, groups.price[status != SOLVED])
        np.add.at(net, bidders.area[groups.price[~lost]], mine[~lost])
        held[groups.price[~lost]] = False
    if programmed is not None:
        for pod in np.flatnonzero(held & bidders.answers).tolist():
            answers = asked_at_rungs(store, priced, pod, rungs, bidders.step_hours, programmed)
            if answers is not None:
                net[bidders.area[pod]] += answers
                held[pod] = False
    np.add.at(net, bidders.area[held], ladder.mean(planned_kw[held])[:, :, None])
    return Elastic(net, np.flatnonzero(held))


def _groups(bidders: Bidders, priced: Meter) -> list[tuple[Groups, Floats]]:
    """PODs that the dynamic programme solves, and their selling prices: by one store, or device by device."""
    store, found = bidders.store, list[tuple[Groups, Floats]]()
    single, separable, _ = structure(store, bidders.meter)
    one, several = single[bidders.answers[single]], separable[(bidders.answers & bidders.roomy)[separable]]
    if len(one):
        found.append((by_pod(store, one, priced.withdrawal_max, priced.injection_max), priced.sell))
    if len(several):
        found.append((by_device(store, np.flatnonzero(np.isin(store.pod, several))), priced.buy))
    return found
