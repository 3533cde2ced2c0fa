"""Level 2: what the portfolio does on the market, what it earns, and how far that is from the best possible."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from podium.compute import Kept, Progress, Workers, silent
from podium.dispatch import Backing
from podium.errors import InputError, Problem
from podium.flex.exact import Schedule
from podium.flex.exclusive import Limits
from podium.flex.respond import Signal
from podium.flexstore import Floats
from podium.local import Failure, LocalResult, optimise_local
from podium.market.coordination import Round
from podium.market.coupling import Coupling
from podium.market.energy import ensure_no_arbitrage, respond_to_market
from podium.market.exact import Found, Task, solve_coupled
from podium.market.master import MISSING_KW
from podium.market.prices import KWH_PER_MWH, EnergyPrices
from podium.market.shares import Shares, shares_of
from podium.market.task import task_of
from podium.market.virtus import VirtusResult, aggregate
from podium.market.virtus.joint import JointSet, targets_as_limits
from podium.market.virtus.study import reference_level1
from podium.market.virtus.undelivered import Undelivered, undelivered
from podium.portfolio import Portfolio
from podium.study import Study

Method = Literal["exact", "virtus"]

#: The rounds aim for this part of the gap that is asked for; making the mix real and selling it takes the rest.
AIM = 0.6
#: What may leave a greater gap than is asked for.
WHY_MORE = "whole offers, devices that are on or off, or calls that last several steps leave it"


@dataclass(frozen=True)
class Certificate:
    """Profit of a plan that the devices can deliver, and a bound that no plan exceeds, EUR."""

    profit_eur: float
    bound_eur: float
    rounds: tuple[Round, ...] = ()
    """How they came about; the profit of a round is that of a mix before it is made real."""

    @property
    def gap(self) -> float:
        """(bound - profit) / |profit|; 0 where both are 0."""
        missing = self.bound_eur - self.profit_eur
        if self.profit_eur == 0:
            return 0.0 if missing == 0 else float("inf")
        return missing / abs(self.profit_eur)


@dataclass(frozen=True)
class Money:
    """What a plan earns and pays, EUR."""

    energy_eur: float
    reserve_eur: float
    retail_eur: float
    device_eur: float
    peak_eur: float

    @property
    def profit_eur(self) -> float:
        """Energy and reserve, less bills, use of devices, and peak charge."""
        return self.energy_eur + self.reserve_eur - self.retail_eur - self.device_eur - self.peak_eur


@dataclass(frozen=True)
class Plan:
    """Set points of all devices and the position they sum to."""

    method: Method
    schedule: Schedule
    """Set points, in the order of `LocalResult.baseline.device_ids`."""
    pod_kw: Floats
    """Net power of each POD. Shape (pod, step)."""
    pod_profit_eur: Floats
    """What each POD contributes to the profit. Shape (pod,)."""
    energy_profit_eur: Floats
    """Market revenue of each step, device costs apart. Shape (step,)."""
    certificate: Certificate | None
    """None for the reference method, which proves nothing, and where limits of the portfolio are not kept: what plans
    earn that miss them is no measure."""
    failures: tuple[Failure, ...]
    late: tuple[str, ...]
    seconds: float
    money: Money
    offers_kw: dict[str, Floats]
    """Reserve offered of each product, by block."""
    backing: Backing | None = None
    """What backs the offers, and headroom; None where nothing is sold."""
    prices: Signal | None = None
    """Prices that coordinate the PODs; None where each POD meets the market price alone."""
    shares: Shares | None = None
    coupling: Coupling | None = None
    duals: Floats | None = None
    """Shadow prices of the portfolio's rows, in the order of `layout_of(coupling)`."""
    area: NDArray[np.int64] | None = None
    """Area of each POD, as the rows of `prices`."""
    notices: tuple[str, ...] = ()
    bytes_per_round: tuple[float, float] = (0.0, 0.0)
    """Sent to workers and received from them, mean of the rounds."""

    @property
    def position_kw(self) -> Floats:
        """Net power of the portfolio. Shape (step,)."""
        return np.asarray(self.pod_kw.sum(axis=0))

    @property
    def profit_eur(self) -> float:
        """Energy and reserve, less bills, use of devices, and peak charge, EUR."""
        return self.money.profit_eur


def optimise_portfolio(
    study: Study,
    local: LocalResult | None = None,
    *,
    gap: float | None = None,
    time_limit_seconds: float | None = None,
    workers: Workers = None,
    progress: Progress = silent,
    told: Callable[[Round], None] = lambda _round: None,
) -> Plan:
    """The plan of a study's portfolio on its markets, by the study's method.

    `exact`: the best that all devices can do together, with set points, offers, and a certificate; at the latest after
    `time_limit_seconds` the best plan so far. `gap` is the certified distance to the best possible at which the rounds
    end; both default to the study's options. `virtus`: the reference method gives a promise (`promise`) and no set
    points, so the plan is level 1's baseline and its profit what the market pays for that, never the promised one.
    `local` is the study's level 1, worked out where it is not given. `told` hears of every round.
    Raises InputError where there is no market, or where selling pays more than buying costs.
    """
    begun = perf_counter()
    options, prices = study.options, study.prices
    if local is None:
        local = local_of(study, workers)
    if options.method == "virtus":
        if prices is None:
            raise InputError(Problem(f"study {study.name!r}", "no market prices", "prices, for method 'virtus'"))
        return _baseline_plan(study.portfolio, prices, local, perf_counter() - begun)
    ensure_no_arbitrage(prices, study.horizon)
    task = task_of(study, local)
    if not task.coupling.coupled and prices is not None and study.market.settlement == "market":
        return _uncoupled(study, prices, workers, progress, begun)
    wanted = options.gap if gap is None else gap
    seconds = options.portfolio_time_limit_seconds if time_limit_seconds is None else time_limit_seconds
    found = solve_coupled(task, gap=AIM * wanted, time_limit_seconds=seconds, workers=workers, told=told)
    return _coupled(study, local, task, found, perf_counter() - begun, wanted)


def local_of(
    study: Study, workers: Workers = None, progress: Progress = silent, kept: Kept | None = None
) -> LocalResult:
    """Level 1 of a study; `kept` as of `optimise_local`."""
    options = study.options
    return optimise_local(
        study.portfolio,
        market_eur_per_kwh=None if study.prices is None else study.prices.tariff_eur_per_kwh,
        sustain_hours=options.sustain_hours,
        limits=Limits(options.time_limit_seconds, options.mip_gap),
        workers=workers,
        progress=progress,
        kept=kept,
    )


def _uncoupled(study: Study, prices: EnergyPrices, workers: Workers, progress: Progress, begun: float) -> Plan:
    """Every POD meets the market price alone: one round, and no gap but that of integers."""
    options, hours = study.options, study.horizon.step_hours
    limits = Limits(options.time_limit_seconds, options.mip_gap)
    answer = respond_to_market(study.portfolio, prices, limits, workers, progress)
    profit = -answer.cost_eur
    energy = energy_profit_eur(answer.net_kw.sum(axis=0), prices, hours)
    total, bound = float(profit.sum()), float(-answer.bound_eur.sum())
    seconds = perf_counter() - begun
    certificate = _certificate(total, bound)
    certificate = replace(certificate, rounds=(Round(1, certificate.bound_eur, total, seconds),))
    money = Money(float(energy.sum()), 0.0, 0.0, float(energy.sum()) - total, 0.0)
    return Plan(
        "exact", answer.schedule, answer.net_kw, profit, energy, certificate, answer.failures, answer.late, seconds,
        money, {},
    )  # fmt: skip


def _coupled(study: Study, local: LocalResult, task: Task, found: Found, seconds: float, wanted: float) -> Plan:
    """The plan that a coordination found."""
    settled, coupling, base = found.settled, task.coupling, local.baseline
    failed = task.absent
    net = np.where(failed[:, None], base.net_kw, settled.net_kw)
    lost = failed[base.device_pod]
    schedule = Schedule(
        *(np.where(lost[:, None], np.nan, getattr(settled.schedule, n)) for n in ("p", "e", "aux", "spill"))
    )
    settled = replace(settled, net_kw=net, retail_eur=_retail(study, settled.retail_eur, base.net_kw, task))
    money = Money(
        found.profit["energy"],
        found.profit["reserve"],
        float(settled.retail_eur.sum()),
        float(settled.device_eur.sum()),
        found.profit["peak"],
    )
    shares = shares_of(coupling, task.area, found.signal, settled, base.device_pod, found.offers_kw, money.profit_eur)
    names = tuple(product.name for product in coupling.products)
    sustain = np.array([product.sustain_hours for product in coupling.products])
    backing = Backing(names, sustain, settled.backing[:, 0], settled.backing[:, 1]) if names else None
    kept = found.missing_kw <= MISSING_KW
    certificate = replace(_certificate(money.profit_eur, -found.least_eur), rounds=found.rounds) if kept else None
    energy = _energy_by_step(study, net.sum(axis=0))
    offers = {p.name: kw for p, kw in zip(coupling.products, found.offers_kw, strict=True) if not p.required_kw}
    return Plan(
        "exact", schedule, net, shares.contribution_eur, energy, certificate, base.failures, (), seconds, money,
        offers, backing, found.signal, shares, coupling, found.dual, task.area,
        _notices(found, certificate, wanted), found.bytes_per_round,
    )  # fmt: skip


def _retail(study: Study, bills: Floats, held_kw: Floats, task: Task) -> Floats:
    """Retail bills, those of failed PODs at their declared baseline. Shape (pod,)."""
    if not task.retail or not task.absent.any():
        return bills
    meter = study.portfolio.meter(task.market_eur_per_kwh)
    return np.where(task.absent, meter.bill(held_kw, study.horizon.step_hours), bills)


def _energy_by_step(study: Study, position_kw: Floats) -> Floats:
    """What the market pays in each step, (step,); 0 where the portfolio is not settled there."""
    if study.prices is None or study.market.settlement == "retail":
        return np.zeros(len(position_kw))
    unit = study.market.unit_of(study.horizon.steps, study.horizon.step_minutes)
    mean = (np.bincount(unit, position_kw) / np.bincount(unit))[unit]
    return energy_profit_eur(mean, study.prices, study.horizon.step_hours)


def _notices(found: Found, certificate: Certificate | None, wanted: float) -> tuple[str, ...]:
    notices = list(found.dropped)
    if certificate is None:
        when = " in the time" if found.late else ""
        notices.append(
            f"limits of the portfolio or its headroom could not be kept{when}: {found.missing_kw:.1f} kW are missing "
            "at most; so there is no bound and no gap, and bids for energy reach as far as the plan"
        )
    elif certificate.gap > wanted:
        why = "the time limit came first" if found.late else WHY_MORE
        notices.append(f"the certified gap is {certificate.gap:.2%} and not {wanted:.2%}: {why}")
    return tuple(notices)


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
    found = undelivered(promised_kw - held, joint, held_kw=local.baseline.schedule.p[~lost])
    return replace(found, delivered_kw=found.delivered_kw + held)


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
    money = Money(float(energy.sum()), 0.0, 0.0, float(devices.sum()), 0.0)
    return Plan(
        "virtus", base.schedule, base.net_kw, share, energy, None, base.failures, base.late, seconds, money, {}
    )  # fmt: skip
