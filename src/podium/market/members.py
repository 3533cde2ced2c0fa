"""A part of the portfolio that answers prices and remembers its answers (docs/maths/coordination.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from podium.dispatch import Backing, Fleet, safe_backing
from podium.flex.exact import Schedule
from podium.flex.exclusive import Limits
from podium.flex.offering import Offering
from podium.flex.replay import replayed
from podium.flex.reserve import room_of
from podium.flex.respond import Answer, Programmes, Responder, Signal
from podium.flex.solve import device_cost_eur, net_power
from podium.market.coupling import Product
from podium.market.master import Sums
from podium.portfolio import Meter, Portfolio

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Brief:
    """What a part of the portfolio needs to know to answer."""

    portfolio: Portfolio
    area: Ints
    """Area of each POD. Shape (pod,)."""
    absent: Bools
    """PODs that do not answer. Shape (pod,)."""
    retail: bool
    """Whether PODs pay their own tariffs."""
    market_eur_per_kwh: Floats | None
    """The tariff of PODs that have none, (2, step)."""
    products: tuple[Product, ...]
    sold: Bools
    number: int
    """Of the part."""
    clusters: int
    """Number of clusters that PODs which mix are put into, at least one per area."""
    limits: Limits
    windows: bool = True
    strict: bool = False
    """Whether every answer holds calls over all of their steps, or only their mix does."""


@dataclass(frozen=True)
class Members:
    """Which cluster each POD belongs to, and the area of each cluster."""

    cluster: Ints
    """Shape (pod,); -1 for PODs that do not answer."""
    area: Ints
    """Shape (cluster,)."""
    whole: Bools
    """Clusters that take one answer as it is. Shape (cluster,)."""
    backing_most_kw: Floats
    """No answers back more than this, (product, step): all of the power between their devices' limits."""


@dataclass(frozen=True)
class Settled:
    """What a part finally does."""

    schedule: Schedule
    backing: Floats
    """kW. Shape (product, 2, device, step)."""
    net_kw: Floats
    """Shape (pod, step)."""
    retail_eur: Floats
    """Bills at the PODs' own tariffs. Shape (pod,)."""
    device_eur: Floats
    """Use of the devices. Shape (pod,)."""

    @classmethod
    def joined(cls, parts: Sequence[Settled]) -> Settled:
        """Consecutive parts of a portfolio as one."""
        names = ("p", "e", "aux", "spill")
        schedule = Schedule(*(np.concatenate([getattr(part.schedule, n) for part in parts]) for n in names))
        rest = [np.concatenate([getattr(part, n) for part in parts]) for n in ("net_kw", "retail_eur", "device_eur")]
        return cls(schedule, np.concatenate([part.backing for part in parts], axis=2), *rest)


class Part:
    """The state that a worker keeps."""

    def __init__(self, brief: Brief) -> None:
        self.brief = brief
        portfolio = brief.portfolio
        self.store = portfolio.store()
        self.meter = _own_meter(portfolio, brief)
        self.hours = portfolio.horizon.step_hours
        offering = self._offering()
        self.responder = Responder(
            self.store, self.meter, self.hours, portfolio.horizon.day, brief.area, offering, brief.absent,
            brief.limits, strict=brief.strict,
        )  # fmt: skip
        self.members = self._members()
        store = self.store
        self.free = np.flatnonzero((store.p_max > store.p_min).any(axis=1))
        self.heated = np.flatnonzero((store.aux_max > 0).any(axis=1) | (store.spill_max > 0).any(axis=1))
        self.backs = np.flatnonzero(self.responder.offering.eligible.any(axis=0))
        self.kept: list[_Kept] = []
        self.given: list[Programmes] = []

    def answer(self, signal: Signal, gap: float | None = None) -> Sums:
        """Sums over each cluster of the answers to a signal, which are remembered.

        Integers are kept to a relative `gap`, or left out where that is None.
        """
        return self._remembered(self.responder.answer(signal, gap))

    def programmes(self) -> list[Programmes]:
        """Programmes of all PODs that answer."""
        self.given = self.responder.programmes()
        return self.given

    def take(self, solutions: Sequence[Floats]) -> Sums:
        """Sums over each cluster of a solution of the last `programmes`, (pod, column) each, which is remembered."""
        answer = self.responder.made_real(self.given, solutions)
        return self._remembered(replace(answer, backing=self._safe(answer.schedule, answer.backing)))

    def _remembered(self, answer: Answer) -> Sums:
        schedule = answer.schedule
        self.kept.append(
            _Kept(
                schedule.p[self.free],
                schedule.aux[self.heated],
                schedule.spill[self.heated],
                answer.backing[:, :, self.backs],
            )
        )
        return self._sums(answer)

    def settle(self, weights: Mapping[int, Sequence[tuple[int, float]]]) -> Settled:
        """The mix of remembered answers with these weights, cluster -> (number of the answer, weight), made real."""
        store, pods = self.store, len(self.brief.area)
        share = np.zeros((len(self.kept), pods))
        for cluster, chosen in weights.items():
            for number, weight in chosen:
                share[number, self.members.cluster == cluster] = weight
        mixed = Schedule.empty(store.devices, store.steps)
        mixed.p[:] = np.clip(0.0, store.full("p_min"), store.full("p_max"))
        mixed.p[self.free] = 0.0
        backing = np.zeros((len(self.brief.products), 2, store.devices, store.steps))
        for number in [int(used) for used in np.flatnonzero(share.any(axis=1))]:
            weight, kept = share[number, store.pod][:, None], self.kept[number]
            mixed.p[self.free] += weight[self.free] * kept.p
            mixed.aux[self.heated] += weight[self.heated] * kept.aux
            mixed.spill[self.heated] += weight[self.heated] * kept.spill
            backing[:, :, self.backs] += weight[self.backs] * kept.backing
        mixed.p[:] = np.clip(mixed.p, store.full("p_min"), store.full("p_max"))
        schedule = replayed(store, mixed, self.hours)
        net = net_power(store, schedule.p, pods)
        device = device_cost_eur(store, schedule, self.hours, pods)
        backing = self._safe(schedule, backing)
        return Settled(schedule, backing, net, self.meter.bill(net, self.hours), device)

    def _offering(self) -> Offering:
        brief, store = self.brief, self.store
        kind_of = {name: kind for kind, table in brief.portfolio.devices.items() for name in table.ids}
        kinds = np.array([kind_of[name] for name in store.ids], dtype=object)
        eligible = np.zeros((len(brief.products), store.devices), dtype=bool)
        for k, product in enumerate(brief.products):
            eligible[k] = np.isin(kinds, product.kinds)
        sustain = np.array([product.sustain_hours for product in brief.products])
        return Offering(sustain, brief.sold, eligible, room_of(store, self.meter, self.hours), brief.windows)

    def _safe(self, schedule: Schedule, backing: Floats) -> Floats:
        """Backing that the devices can hold for as long as a call may last, whatever its pattern."""
        if not len(self.brief.products) or not self.brief.windows:
            return backing
        horizon = self.brief.portfolio.horizon
        fleet = Fleet(self.store, self.meter, horizon, self.responder.offering.room)
        names = tuple(product.name for product in self.brief.products)
        sustain = self.responder.offering.sustain_hours
        safe = safe_backing(fleet, schedule, Backing(names, sustain, backing[:, 0], backing[:, 1]))
        return np.stack((safe.up_kw, safe.down_kw), axis=1)

    def _members(self) -> Members:
        """PODs that mix are dealt out to clusters of their area; those that do not are clusters of their own."""
        whole, area, absent = self.responder.whole, self.brief.area, self.brief.absent
        cluster, areas, alone = np.full(len(area), -1), list[int](), list[bool]()
        for a in [int(found) for found in np.unique(area[~absent])]:
            mixing = np.flatnonzero(~absent & ~whole & (area == a))
            count = min(len(mixing), max(1, round(self.brief.clusters * len(mixing) / len(area))))
            if count:
                cluster[mixing] = len(areas) + np.arange(len(mixing)) % count
                areas += [a] * count
                alone += [False] * count
        for lone in [int(row) for row in np.flatnonzero(~absent & whole)]:
            cluster[lone] = len(areas)
            areas.append(int(area[lone]))
            alone.append(True)
        return Members(cluster, np.array(areas, dtype=np.int64), np.array(alone, dtype=bool), self._backing_most_kw())

    def _backing_most_kw(self) -> Floats:
        store, offering = self.store, self.responder.offering
        able = offering.eligible & offering.room.backs & ~self.brief.absent[store.pod]
        return np.asarray(able.astype(float) @ (store.full("p_max") - store.full("p_min")))

    def _sums(self, answer: Answer) -> Sums:
        count, store = len(self.members.area), self.store
        present = self.members.cluster >= 0
        own = np.bincount(self.members.cluster[present], answer.own_eur[present], minlength=count).astype(float)
        net = net_power(store, answer.schedule.p, len(self.brief.area))
        power = np.zeros((count, store.steps))
        np.add.at(power, self.members.cluster[present], net[present])
        backing = np.zeros((count, len(self.brief.products), 2, store.steps))
        of_device = self.members.cluster[store.pod]
        for d in np.flatnonzero(answer.backing.any(axis=(0, 1, 3)) & (of_device >= 0)):
            backing[of_device[d]] += answer.backing[:, :, d]
        return Sums(own, power, backing, float(answer.least_eur.sum()))


def _own_meter(portfolio: Portfolio, brief: Brief) -> Meter:
    """Each POD's own tariff; 0 where it is billed on the market alone."""
    if brief.retail:
        return portfolio.meter(brief.market_eur_per_kwh)
    return portfolio.meter(np.zeros(portfolio.horizon.steps)).at_price(0.0)


@dataclass(frozen=True)
class _Kept:
    """What is remembered of an answer: powers of devices that have a choice, and backing of those that back."""

    p: Floats
    aux: Floats
    spill: Floats
    backing: Floats
