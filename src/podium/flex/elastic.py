"""Net power of many PODs as a function of the price of one market time unit (docs/maths/bids.md)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from podium.flex.branches import Programmed
from podium.flex.curve import Rungs, curve_groups
from podium.flex.exact import by_device, by_pod
from podium.flex.kernel import SOLVED, Columns, Groups
from podium.flex.piecewise import EXACT
from podium.flex.reserve import CRUMB, room_of
from podium.flex.respond import Signal
from podium.flex.rungs import asked_at_rungs
from podium.flex.solve import structure, vented
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
    store, pods, priced = bidders.store, len(bidders.area), bidders.meter.plus(signal.energy[bidders.area])
    rungs = Rungs(ladder.first, np.ascontiguousarray(ladder.change_eur_per_kwh), ladder.order())
    net, held = np.zeros((pods, *ladder.change_eur_per_kwh.shape)), ~bidders.answers
    ways = _ways(bidders, programmed)
    for groups, sell in _groups(store, priced, ways):
        mine, lost = _by_kernel(store, groups, priced.buy, sell, rungs, bidders.step_hours)
        np.add.at(net, groups.price, mine)
        held[groups.price[lost]] = True
    if programmed is None:
        held[[store.pod[members[0]] for members in ways.programmes]] = True
    else:
        _by_programmes(bidders, priced, rungs, programmed, ways, net, held)
    net[held] = ladder.mean(planned_kw[held])[:, :, None]
    of_area = np.zeros((len(signal.energy), *net.shape[1:]))
    np.add.at(of_area, bidders.area, net)
    return Elastic(of_area, np.flatnonzero(held))


@dataclass(frozen=True)
class _Ways:
    """Who answers how, of those that answer."""

    single: Ints
    """PODs of one store at most, by the dynamic programme."""
    alone: Ints
    """Devices by the dynamic programme, each alone."""
    programmes: list[Ints]
    """Devices by programmes: each alone where devices separate, else all of a POD."""
    apart: Bools
    """PODs whose devices separate: one price for buying and selling, a connection that holds all of them. (pod,)."""


def _ways(bidders: Bidders, programmed: Programmed | None) -> _Ways:
    """By structure; what a connection leaves from step to step, only programmes know."""
    store, meter = bidders.store, bidders.meter
    single = np.isin(np.arange(len(bidders.area)), structure(store, meter)[0])
    if programmed is not None:
        single &= ~(programmed.withdrawal_max_kw > meter.withdrawal_max[:, None] + CRUMB).any(axis=1)
        single &= ~(programmed.injection_max_kw > meter.injection_max[:, None] + CRUMB).any(axis=1)
    apart = ~single & bidders.roomy & (meter.buy == meter.sell).all(axis=1) & (meter.peak_cost == 0)
    mine = bidders.answers[store.pod]
    needs = store.memory | vented(store)
    alone = np.flatnonzero(mine & apart[store.pod] & ~needs)
    programmes = [np.array([d]) for d in np.flatnonzero(mine & apart[store.pod] & needs)]
    programmes += [np.flatnonzero(store.pod == pod) for pod in np.flatnonzero(bidders.answers & ~single & ~apart)]
    return _Ways(np.flatnonzero(single & bidders.answers), alone, programmes, apart)


def _groups(store: FlexStore, priced: Meter, ways: _Ways) -> list[tuple[Groups, Floats]]:
    """What the dynamic programme solves, and selling prices."""
    found = list[tuple[Groups, Floats]]()
    if len(ways.single):
        found.append((by_pod(store, ways.single, priced.withdrawal_max, priced.injection_max), priced.sell))
    if len(ways.alone):
        found.append((by_device(store, ways.alone), priced.buy))
    return found


def _by_programmes(
    bidders: Bidders, priced: Meter, rungs: Rungs, programmed: Programmed, ways: _Ways, net: Floats, held: Bools
) -> None:  # fmt: skip
    """Add answers to `net` (pod, unit, rung), and say in `held` who has none. The time limit is that of a POD."""
    store, spent, without = bidders.store, np.zeros(len(held)), programmed.free
    for members in ways.programmes:
        pod, begun = int(store.pod[members[0]]), perf_counter()
        if held[pod]:
            continue
        known = (without if ways.apart[pod] else programmed).after(float(spent[pod]))
        answers = asked_at_rungs(store, members, priced, pod, rungs, bidders.step_hours, known)
        spent[pod] += perf_counter() - begun
        held[pod] = answers is None
        net[pod] += 0.0 if answers is None else answers


def _by_kernel(
    store: FlexStore, groups: Groups, buy: Floats, sell: Floats, rungs: Rungs, step_hours: float
) -> tuple[Floats, Bools]:  # fmt: skip
    """Mean net power of each group, kW (group, unit, rung), and those that have no schedule (group,)."""
    columns = Columns(*(getattr(store, name) for name in Columns._fields))
    status, net = np.full(len(groups.price), -1, dtype=np.int64), np.zeros((len(groups.price), *rungs.change.shape))
    curve_groups(
        columns, groups, np.ascontiguousarray(buy), np.ascontiguousarray(sell), rungs, step_hours, EXACT, net, status
    )
    return net, status != SOLVED
