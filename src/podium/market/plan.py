"""Level 2: what the portfolio does on the market, what it earns, and how far that is from the best possible."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import Literal

import numpy as np

from podium.compute import Progress, Workers, silent
from podium.errors import InputError, Problem
from podium.flex.exact import Schedule
from podium.flex.exclusive import DEFAULT, Limits
from podium.flexstore import Floats
from podium.local import Failure, LocalResult
from podium.market.energy import respond_to_market
from podium.market.prices import KWH_PER_MWH, EnergyPrices
from podium.market.virtus import VirtusResult, aggregate
from podium.market.virtus.joint import JointSet, targets_as_limits
from podium.market.virtus.study import reference_level1
from podium.market.virtus.undelivered import Undelivered, undelivered
from podium.portfolio import Portfolio

Method = Literal["exact", "virtus"]


@dataclass(frozen=True)
class Certificate:
    """Profit of a plan that the devices can deliver, and a bound that no plan exceeds, EUR."""

    profit_eur: float
    bound_eur: float

    @property
    def gap(self) -> float:
        """(bound - profit) / |profit|; 0 where both are 0."""
        missing = self.bound_eur - self.profit_eur
        if self.profit_eur == 0:
            return 0.0 if missing == 0 else float("inf")
        return missing / abs(self.profit_eur)


@dataclass(frozen=True)
class Plan:
    """Set points of all devices and the position they sum to."""

    method: Method
    schedule: Schedule
    """Set points, in the order of `LocalResult.baseline.device_ids`."""
    pod_kw: Floats
    """Net power of each POD. Shape (pod, step)."""
    pod_profit_eur: Floats
    """Market revenue less device costs of each POD. Shape (pod,)."""
    energy_profit_eur: Floats
    """Market revenue of each step, device costs apart. Shape (step,)."""
    certificate: Certificate | None
    """None for the reference method, which proves nothing."""
    failures: tuple[Failure, ...]
    late: tuple[str, ...]
    seconds: float

    @property
    def position_kw(self) -> Floats:
        """Net power of the portfolio. Shape (step,)."""
        return np.asarray(self.pod_kw.sum(axis=0))

    @property
    def profit_eur(self) -> float:
        """Market revenue less device costs, EUR."""
        return float(self.pod_profit_eur.sum())


def optimise_portfolio(
    portfolio: Portfolio,
    prices: EnergyPrices,
    local: LocalResult,
    *,
    method: Method = "exact",
    limits: Limits = DEFAULT,
    workers: Workers = None,
    progress: Progress = silent,
) -> Plan:
    """The plan of the portfolio on the energy market.

    `exact`: every device's best response to the price, with a certificate. `virtus`: the reference method gives a
    promise (`promise`) and no set points, so the plan is level 1's baseline and its profit what the market pays for
    that, never the promised one.
    Raises InputError where `exact` meets different prices for buying and selling.
    """
    begun = perf_counter()
    if method == "virtus":
        return _baseline_plan(portfolio, prices, local, perf_counter() - begun)
    if method != "exact":
        raise InputError(Problem("method", repr(method), "'exact' or 'virtus'"))
    answer = respond_to_market(portfolio, prices, limits, workers, progress)
    profit = -answer.cost_eur
    return Plan(
        "exact",
        answer.schedule,
        answer.net_kw,
        profit,
        energy_profit_eur(answer.net_kw.sum(axis=0), prices, portfolio.horizon.step_hours),
        _certificate(float(profit.sum()), float(-answer.bound_eur.sum())),
        answer.failures,
        answer.late,
        perf_counter() - begun,
    )


def _certificate(profit_eur: float, bound_eur: float) -> Certificate:
    """A bound below the profit by rounding alone is the profit; by more, it stays as it is and the check will tell."""
    rounding = 1e-9 * max(abs(profit_eur), 1.0)
    return Certificate(profit_eur, max(bound_eur, profit_eur) if profit_eur - bound_eur < rounding else bound_eur)


def energy_profit_eur(position_kw: Floats, prices: EnergyPrices, step_hours: float) -> Floats:
    """What the market pays for a net position, EUR per step. Shape (step,)."""
    withdrawal, injection = np.maximum(position_kw, 0.0), np.maximum(-position_kw, 0.0)
    return step_hours / KWH_PER_MWH * (prices.sell * injection - prices.buy * withdrawal)


def promise(portfolio: Portfolio, prices: EnergyPrices, local: LocalResult) -> VirtusResult:
    """What the reference method promises: its own level 1 and level 2, as it defines them (docs/maths/virtus.md).

    Of Podium's level 1 it takes only what the reference wants as an input and a study does not say: the baseline's
    power of CHP, chargers and heat pumps, and what stands for PODs that failed.
    """
    pods = reference_level1(portfolio, local.baseline)
    return aggregate(
        pods.min_kw,
        pods.max_kw,
        pods.baseline_kw,
        prices.buy,
        prices.sell,
        prices.production,
        portfolio.horizon.step_hours,
    )


def undeliverable(portfolio: Portfolio, local: LocalResult, promised_kw: Floats) -> Undelivered:
    """How much of a promise (step,) the devices cannot deliver, kWh. Failed PODs hold their baseline."""
    store = targets_as_limits(portfolio.store(), local.baseline.schedule.e)
    meter = portfolio.meter(np.zeros(portfolio.horizon.steps))
    lost = np.isnan(local.baseline.schedule.p[:, 0])
    failed = np.unique(local.baseline.device_pod[lost])
    held = local.baseline.net_kw[failed].sum(axis=0)
    joint = JointSet(
        store.take(~lost),
        portfolio.horizon.step_hours,
        meter.withdrawal_max,
        meter.injection_max,
        portfolio.horizon.day,
    )
    return undelivered(promised_kw - held, joint, held_kw=local.baseline.schedule.p[~lost])


def _baseline_plan(portfolio: Portfolio, prices: EnergyPrices, local: LocalResult, seconds: float) -> Plan:
    """Level 1's baseline, valued on the market.

    In each step all PODs meet the price that the portfolio's net position meets: so their shares sum to its profit.
    """
    base = local.baseline
    hours = portfolio.horizon.step_hours
    devices = base.cost_eur - portfolio.meter(prices.tariff_eur_per_kwh).bill(base.net_kw, hours)
    position = base.net_kw.sum(axis=0)
    price = np.where(position > 0, prices.buy, prices.sell)
    share = -hours / KWH_PER_MWH * (base.net_kw * price).sum(axis=1) - devices
    energy = energy_profit_eur(position, prices, hours)
    return Plan("virtus", base.schedule, base.net_kw, share, energy, None, base.failures, base.late, seconds)
