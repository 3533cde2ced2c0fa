"""What a portfolio may earn: one programme in cvxpy from the fields of devices, PODs and market, without any rounds.

Only batteries back reserve here. Their efficiencies lose energy, so charging and discharging at once is left out only
where a first programme, which allows it, makes use of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import cvxpy as cp
import numpy as np
from numpy.typing import NDArray

from device_physics import MEANING, Model
from podium.devices import Battery
from podium.horizon import Horizon
from podium.market.prices import EnergyPrices
from podium.market.terms import Market, PositionLimits, ReserveProduct
from podium.portfolio import Pod

Floats = NDArray[np.float64]

KW_PER_MW = 1000.0
#: Both flows of a battery above this, kW, are charging and discharging at once.
AT_ONCE_KW = 1e-5
SIDES = ("up", "down")


@dataclass
class Store:
    """A battery's flows, and its room for either side: power, kW, and stored energy, kWh. Shapes (step,)."""

    power: dict[str, Any]
    energy: dict[str, Any]
    moved: float
    """kWh of the store per kWh called, at most."""
    backed: dict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))


@dataclass
class Member(Model):
    """A POD's devices."""

    apart: bool = False
    """Whether charging and discharging at once is ruled out."""
    stores: list[Store] = field(default_factory=list)
    pairs: list[tuple[Any, Any]] = field(default_factory=list)

    def either(self, one: Any, one_max: float, other: Any, other_max: float) -> None:
        self.pairs.append((one, other))
        if self.apart:
            super().either(one, one_max, other, other_max)


def battery(m: Member, d: Battery) -> None:
    """A battery that keeps room for what it backs, to its own limits; the level at the end is not one of them."""
    charge, discharge = m.flow(d.charge_max_kw), m.flow(d.discharge_max_kw)
    m.either(charge, d.charge_max_kw, discharge, d.discharge_max_kw)
    gained = m.dt * (d.charge_efficiency * charge - discharge / d.discharge_efficiency)
    level = d.energy_initial_kwh + cp.cumsum(gained)
    end = d.energy_initial_kwh if d.energy_end_min_kwh is None else d.energy_end_min_kwh
    m.rules += [level <= d.energy_max_kwh, level >= d.energy_min_kwh, level[-1] >= end]
    m.cost.append(m.dt * d.wear_eur_per_kwh * cp.sum(discharge))
    net = charge - discharge
    m.net.append(net)
    moved = max(d.charge_efficiency, 1 / d.discharge_efficiency)
    power = {"up": net + d.discharge_max_kw, "down": d.charge_max_kw - net}
    energy = {"up": level - d.energy_min_kwh, "down": d.energy_max_kwh - level}
    m.stores.append(Store(power, energy, moved))


@dataclass(frozen=True)
class Case:
    """A study, as the oracle reads it."""

    horizon: Horizon
    profiles: Mapping[str, Floats]
    pods: Sequence[Pod]
    prices: EnergyPrices
    market: Market

    def limited(self, limits: PositionLimits | None, groups: Mapping[str, PositionLimits]) -> Case:
        """The same with these limits of the portfolio and of its groups."""
        kept = tuple(replace(group, limits=groups[group.name]) for group in self.market.groups)
        return replace(self, market=replace(self.market, limits=limits, groups=kept))


@dataclass
class Oracle:
    """The portfolio's programme."""

    case: Case
    apart: bool = False

    def __post_init__(self) -> None:
        case = self.case
        self.dt, self.steps = case.horizon.step_hours, case.horizon.steps
        self.rules: list[Any] = []
        self.costs: list[Any] = []
        self.members = [self._member(pod) for pod in case.pods]
        self.nets = [sum(member.net, np.zeros(self.steps)) for member in self.members]
        self.position = sum(self.nets)
        self.offers: dict[str, Any] = {}
        self.called = {name: {side: [] for side in SIDES} for name in ("", *(g.name for g in case.market.groups))}
        for pod, member, net in zip(case.pods, self.members, self.nets, strict=True):
            self._contract(pod, member, net)
        self._reserve()
        self._headroom()
        for member in self.members:
            self._rooms(member)
        self._energy()

    def _member(self, pod: Pod) -> Member:
        member = Member(self.case.horizon, dict(self.case.profiles), apart=self.apart)
        for device in pod.devices:
            if isinstance(device, Battery):
                battery(member, device)
            else:
                MEANING[type(device)](member, device)
        return member

    def _contract(self, pod: Pod, member: Member, net: Any) -> None:
        """Devices' costs and, where PODs are billed, their tariffs; connections stand with the rooms."""
        self.rules += member.rules
        self.costs += member.cost
        if self.case.market.settlement == "market":
            return
        withdrawal, injection = cp.Variable(self.steps, nonneg=True), cp.Variable(self.steps, nonneg=True)
        self.rules.append(withdrawal - injection == net)
        buy, sell = member.profile(pod.buy_profile), member.profile(pod.sell_profile)
        self.costs.append(self.dt * (buy @ withdrawal - sell @ injection) + pod.peak_eur_per_kw * cp.max(withdrawal))

    def _reserve(self) -> None:
        """Offers of every product and block, what they earn, and what backs them."""
        energy = (self.case.prices.buy + self.case.prices.sell) / 2
        for product in self.case.market.reserves:
            offer = cp.Variable(product.blocks, nonneg=True)
            self.offers[product.name] = offer
            if len(product.maximum_mw):
                self.rules.append(offer <= KW_PER_MW * product.maximum_mw)
            self._in_steps(product, offer)
            by_step = np.array([product.block == b for b in range(product.blocks)]).T.astype(float) @ offer
            margin = {"up": product.activation_eur_per_mwh - energy, "down": energy - product.activation_eur_per_mwh}
            paid = np.append(product.availability_eur_per_mw_h, 0.0)[product.block]
            paid = paid + product.activated_share * margin.get(product.direction, np.zeros(self.steps))
            self.costs.append(-self.dt / KW_PER_MW * (paid @ by_step))
            for side in SIDES:
                if product.direction in (side, "symmetric"):
                    self._backed(side, by_step, product.block >= 0, product.sustain_hours)

    def _in_steps(self, product: ReserveProduct, offer: Any) -> None:
        """Multiples of the increment, from the least offer on or nothing."""
        if product.increment_mw > 0:
            steps = cp.Variable(product.blocks, integer=True)
            self.rules.append(offer == KW_PER_MW * product.increment_mw * steps)
        if product.minimum_mw > 0:
            sold = cp.Variable(product.blocks, boolean=True)
            self.rules.append(offer >= KW_PER_MW * product.minimum_mw * sold)
            self.rules.append(offer <= self._power_kw() * sold)

    def _power_kw(self) -> float:
        """More than all batteries back."""
        batteries = [d for pod in self.case.pods for d in pod.devices if isinstance(d, Battery)]
        return sum(d.charge_max_kw + d.discharge_max_kw for d in batteries)

    def _headroom(self) -> None:
        market = self.case.market
        for side, held in zip(SIDES, (market.headroom_up_kw, market.headroom_down_kw), strict=True):
            if held > 0:
                always = np.ones(self.steps, dtype=bool)
                self._backed(side, np.full(self.steps, held), always, market.headroom_sustain_hours)

    def _backed(self, side: str, asked: Any, sold: NDArray[np.bool_], sustain_hours: float) -> None:
        """Every store backs a part; a group is called for the part of its stores."""
        parts = defaultdict(list)
        for pod, member in zip(self.case.pods, self.members, strict=True):
            for store in member.stores:
                part = cp.Variable(self.steps, nonneg=True)
                self.rules.append(part[~sold] == 0)
                store.backed[side].append((part, sustain_hours))
                parts[pod.group].append(part)
        everybody = [part for found in parts.values() for part in found]
        self.rules.append(sum(everybody, np.zeros(self.steps)) == asked)
        self.called[""][side].append(asked)
        for group in self.case.market.groups:
            self.called[group.name][side].append(sum(parts[group.name], np.zeros(self.steps)))

    def _rooms(self, member: Member) -> None:
        """Power, energy from the end of every step, and energy of any call that lasts until then."""
        for store in member.stores:
            for side, backed in store.backed.items():
                self.rules.append(sum(part for part, _ in backed) <= store.power[side])
                lasting = sum(hours * part for part, hours in backed)
                self.rules.append(store.moved * lasting <= store.energy[side])
                within = sum(self._window(hours) @ part for part, hours in backed)
                self.rules.append(self.dt * store.moved * within <= store.energy[side])

    def _window(self, hours: float) -> Floats:
        """Sums over the steps that a call may have lasted. Shape (step, step)."""
        span = max(1, int(np.ceil(hours / self.dt - 1e-9)))
        return np.array([[float(i - span < j <= i) for j in range(self.steps)] for i in range(self.steps)])

    def _energy(self) -> None:
        """The mean position of each market time unit is bought or sold; the greatest withdrawal is charged."""
        market, prices = self.case.market, self.case.prices
        self.costs.append(market.peak_eur_per_kw * cp.max(cp.pos(self.position)))
        if market.settlement == "retail":
            return
        per_unit = (market.time_unit_minutes or self.case.horizon.step_minutes) // self.case.horizon.step_minutes
        unit = np.arange(self.steps) // per_unit
        member = (unit == np.arange(unit[-1] + 1)[:, None]).astype(float)
        mean = member / member.sum(axis=1, keepdims=True)
        bought, sold = cp.Variable(len(mean), nonneg=True), cp.Variable(len(mean), nonneg=True)
        self.rules.append(bought - sold == mean @ self.position)
        hours = self.dt * member.sum(axis=1) / KW_PER_MW
        self.costs.append((hours * (mean @ prices.buy)) @ bought - (hours * (mean @ prices.sell)) @ sold)

    def called_kw(self, name: str, side: str) -> Any:
        """Power that calls ask for, of the portfolio ("") or of a group. Shape (step,)."""
        return sum(self.called[name][side], np.zeros(self.steps))

    def net(self, name: str) -> Any:
        """Net power of the portfolio ("") or of a group. Shape (step,)."""
        chosen = [net for pod, net in zip(self.case.pods, self.nets, strict=True) if name in ("", pod.group)]
        return sum(chosen, np.zeros(self.steps))

    def limits(self) -> list[Any]:
        """Limits of portfolio and groups, with everything called."""
        found = []
        own = {"": self.case.market.limits} | {group.name: group.limits for group in self.case.market.groups}
        for name, limits in own.items():
            if limits is not None:
                withdrawal, injection = limits.withdrawal_max_kw, limits.injection_max_kw
                kept = np.isfinite(withdrawal), np.isfinite(injection)
                found.append((self.net(name) + self.called_kw(name, "down"))[kept[0]] <= withdrawal[kept[0]])
                found.append((self.called_kw(name, "up") - self.net(name))[kept[1]] <= injection[kept[1]])
        return found

    def profit_eur(self) -> float:
        """The most that the portfolio can earn, EUR."""
        return -solved(cp.Minimize(sum(self.costs)), self.rules + self.limits())

    def peaks_kw(self, name: str) -> tuple[tuple[float, float], tuple[float, float]]:
        """Greatest withdrawal and injection with everything called: the least possible, and at the best profit."""
        parts = (self.net(name) + self.called_kw(name, "down"), self.called_kw(name, "up") - self.net(name))
        solved(cp.Minimize(sum(self.costs)), self.rules)
        free = [float(np.max(part.value)) for part in parts]
        highest = [cp.max(part) for part in parts]
        solved(cp.Minimize(highest[0] + highest[1]), self.rules)
        return tuple((float(most.value), at_best) for most, at_best in zip(highest, free, strict=True))  # type: ignore[return-value]

    @property
    def at_once(self) -> bool:
        """Whether a store charges and discharges at once."""
        pairs = [pair for member in self.members for pair in member.pairs]
        return any(bool((np.minimum(one.value, other.value) > AT_ONCE_KW).any()) for one, other in pairs)


def greatest_profit_eur(case: Case) -> float:
    """The most that a portfolio can earn, EUR; with integers where a store would charge and discharge at once."""
    oracle = Oracle(case)
    profit = oracle.profit_eur()
    return Oracle(case, apart=True).profit_eur() if oracle.at_once else profit


def solved(objective: cp.Minimize, rules: list[Any]) -> float:
    """Its value; raises AssertionError where there is no optimum."""
    problem = cp.Problem(objective, [rule for rule in rules if not isinstance(rule, bool)])
    with np.errstate(invalid="ignore"):  # cvxpy multiplies its bounds, 0 by inf
        problem.solve(
            solver=cp.HIGHS, mip_rel_gap=1e-7, primal_feasibility_tolerance=1e-9, dual_feasibility_tolerance=1e-9
        )
    assert problem.status == "optimal", problem.status
    return float(problem.value)
