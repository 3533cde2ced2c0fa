"""`method="exact"` where PODs couple: prices, the best mix, and what is sold (docs/maths/coordination.md)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from podium.compute import Team, Where, Workers, team_of
from podium.errors import SolverError
from podium.flex.exclusive import Limits
from podium.flex.respond import Signal
from podium.market.coordination import Coordination, Round, Until, begin, go_on, weights_of
from podium.market.coupling import SIDES, Coupling, portfolio_profit_eur
from podium.market.master import Master, Mixed
from podium.market.members import Brief, Members, Part, Settled
from podium.market.search import Search
from podium.market.selling import (
    reach_kw,
    sellable,
    shared_by_area,
    unsellable,
    within_reach,
)
from podium.portfolio import Portfolio

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

#: Clusters of PODs that share the weights of their answers: more need fewer rounds, and more time for each mix.
CLUSTERS = 128
#: Sizes of the samples on which the first prices are learned, and how closely.
SAMPLES = (8, 64, 512)
SAMPLE_GAP = 5e-3
SAMPLE_ROUNDS = 60
PART_PODS = 64
#: Portfolios of at most so many PODs hold calls over all of their steps in every answer, larger ones only in mixes.
STRICT_PODS = 256
#: All programmes are solved at once up to so many devices times steps, rows in which PODs meet, and PODs times the
#: square of the rows in which each meets others (1,000 PODs with three products: 5e8): beyond, it takes too long.
DIRECT_CELLS = 400_000
DIRECT_ROWS = 6_000
DIRECT_WORK = 1e9
#: How often a mix that devices back less than offered is mended, by how much more, and what is no lack, kW.
MENDS = 5
MEND_MORE = 1.2
LACKING_KW = 1e-6


@dataclass(frozen=True)
class Task:
    """A portfolio, what couples it, and how its PODs are billed."""

    portfolio: Portfolio
    coupling: Coupling
    area: Ints
    """Area of each POD. Shape (pod,)."""
    absent: Bools
    """PODs that keep their declared baseline. Shape (pod,)."""
    retail: bool
    market_eur_per_kwh: Floats | None
    limits: Limits
    windows: bool = True

    def brief(
        self, portfolio: Portfolio, rows: Ints, clusters: int, number: int = 0, *, strict: bool = False
    ) -> Brief:  # fmt: skip
        """What the PODs of these rows need to know."""
        return Brief(
            portfolio, self.area[rows], self.absent[rows], self.retail, self.market_eur_per_kwh,
            self.coupling.products, self.coupling.sold, number, clusters, self.limits, self.windows, strict,
        )  # fmt: skip


@dataclass(frozen=True)
class Found:
    """The plan of a coupled portfolio."""

    settled: Settled
    offers_kw: tuple[Floats, ...]
    """Of each product, by block."""
    signal: Signal
    """Prices at which the bound was best."""
    dual: Floats
    rounds: tuple[Round, ...]
    least_eur: float
    profit: dict[str, float]
    """energy, reserve and peak of the portfolio, EUR."""
    missing_kw: float
    """Most by which limits of the portfolio, or its headroom, could not be kept."""
    dropped: tuple[str, ...] = ()
    """Offers that cannot be sold, in words."""
    late: bool = False
    bytes_per_round: tuple[float, float] = field(default=(0.0, 0.0))


def solve_coupled(
    task: Task, *, gap: float, time_limit_seconds: float, workers: Workers = None,
    told: Callable[[Round], None] = lambda _round: None,
) -> Found:  # fmt: skip
    """The plan of a coupled portfolio, within `gap` of its bound or as good as it gets in the time."""
    deadline = perf_counter() + time_limit_seconds
    learned = _learned(task, deadline)
    count = len(task.portfolio)
    size = max(PART_PODS, -(-count // CLUSTERS))
    starts = range(0, count, size)
    parts = [partial(_brief_of, task, number, first, min(first + size, count)) for number, first in enumerate(starts)]
    with team_of(Part, parts, _where(workers, len(parts))) as team:
        members = team.ask(_members)
        offsets = np.cumsum([0, *(len(part.area) for part in members)])
        area = np.concatenate([part.area for part in members])
        whole = np.concatenate([part.whole for part in members])
        reach = reach_kw(task.coupling, np.sum([part.backing_most_kw for part in members], axis=0))
        task = replace(task, coupling=within_reach(task.coupling, reach))
        state = begin(task.coupling, area, learned)
        search = Search(state, team, told, gap, deadline, whole, task.limits, _few(task, state.master))
        search.converge()
        wanted = _wanted(state, reach)
        search.sell()
        sent = (float(np.mean(team.bytes_sent[1:] or [0])), float(np.mean(team.bytes_received[1:] or [0])))
        return _finished(task, state, team, offsets, wanted, late=perf_counter() > deadline, sent=sent)


def _few(task: Task, master: Master) -> bool:
    """Whether all programmes can be solved at once."""
    layout, areas = master.layout, len(task.coupling.areas)
    rows = int((layout.position >= 0).sum() + (layout.backing >= 0).sum())
    devices = sum(len(table.ids) for table in task.portfolio.devices.values())
    work = len(task.portfolio) * (rows / areas) ** 2
    return devices * task.portfolio.horizon.steps <= DIRECT_CELLS and rows <= DIRECT_ROWS and work <= DIRECT_WORK


def _wanted(state: Coordination, reach: Sequence[Floats]) -> list[Floats]:
    """Offers of any size in the best mix, kW; where the devices cannot back one that is sold, all that they have."""
    own, layout, products = state.master.solve().own, state.master.layout, state.master.coupling.products
    return [
        np.where(product.most_kw > 0, own[columns], kw)
        for product, columns, kw in zip(products, layout.offers, reach, strict=True)
    ]


def _where(workers: Workers, parts: int) -> Where:
    return Where.serial() if parts == 1 and not isinstance(workers, Where) else Where.of(workers)


def _brief_of(task: Task, number: int, first: int, last: int) -> Brief:
    share = min(last - first, max(1, round(CLUSTERS * (last - first) / len(task.portfolio))))
    strict = len(task.portfolio) <= STRICT_PODS
    return task.brief(task.portfolio.part(first, last), np.arange(first, last), share, number, strict=strict)


def _members(part: Part) -> Members:
    return part.members


def _learned(task: Task, deadline: float) -> Floats | None:
    """Duals to begin with, learned on samples of the PODs, a larger one after a smaller."""
    count, dual = len(task.portfolio), None
    for size in SAMPLES:
        if 2 * size > count or perf_counter() > deadline:
            break
        rows = np.unique(np.linspace(0, count - 1, size).round().astype(np.int64))
        held = np.zeros_like(task.coupling.held_kw)
        part = Part(task.brief(task.portfolio.take(rows), rows, min(size, PART_PODS)))
        mixing = ~part.responder.whole & ~task.absent[rows]
        if mixing.sum() < size / 2:
            break
        if not mixing.all():
            part = Part(task.brief(task.portfolio.take(rows[mixing]), rows[mixing], min(size, PART_PODS)))
        state = begin(task.coupling.scaled(mixing.sum() / count, held), part.members.area, dual)
        go_on(state, part.answer, Until(SAMPLE_GAP, SAMPLE_ROUNDS, deadline))
        dual = state.centre
    return dual


def _finished(
    task: Task, state: Coordination, team: Team[Part], offsets: Ints, wanted: Sequence[Floats], *, late: bool,
    sent: tuple[float, float],
) -> Found:  # fmt: skip
    """Whole answers chosen, offers rounded, the mix made real, and its money counted."""
    coupling = task.coupling
    mixed, settled = _settled(task, state, team, offsets)
    offers = _backed_offers(coupling, settled, [mixed.own[columns] for columns in state.master.layout.offers])
    if len(coupling.areas) > 1:
        area = _device_area(task)
        backing = shared_by_area(coupling, state.master.layout, mixed.own, area, settled.backing, offers)
        settled = replace(settled, backing=backing)
    misses = mixed.own[state.master.layout.misses]
    return Found(
        settled, offers, state.master.signal_of(state.proof), state.proof, tuple(state.rounds), state.proven_eur,
        portfolio_profit_eur(coupling, _power(task, settled), offers), float(misses.max(initial=0.0)),
        unsellable(coupling, wanted, offers), late, sent,
    )  # fmt: skip


def _settled(task: Task, state: Coordination, team: Team[Part], offsets: Ints) -> tuple[Mixed, Settled]:
    """The best mix that can be sold, made real.

    What the devices then lack of an offer, the next mix has more of; by what they then pass a limit, it keeps away.
    """
    master, coupling = state.master, task.coupling
    more, less = np.zeros(master.layout.backing.shape), np.zeros(master.rows)
    area = _device_area(task)
    mixed = master.solve()
    for _ in range(MENDS):
        settled = Settled.joined(team.ask(partial(_settle, weights=_by_part(master, mixed, offsets))))
        lacking = _lacking(coupling, master, mixed, settled, area)
        beyond = _beyond(coupling, master, mixed, _power(task, settled))
        if lacking.max(initial=0.0) <= LACKING_KW and beyond.max(initial=0.0) <= LACKING_KW:
            break
        more += MEND_MORE * lacking
        less += MEND_MORE * beyond
        master.tighten(less)
        mixed = _with_more(coupling, master, mixed, more)
    return mixed, settled


def _power(task: Task, settled: Settled) -> Floats:
    """Net power of the PODs of each area that answer, kW (area, step)."""
    areas = range(len(task.coupling.areas))
    return np.stack([settled.net_kw[(task.area == a) & ~task.absent].sum(axis=0) for a in areas])


def _beyond(coupling: Coupling, master: Master, mixed: Mixed, power_kw: Floats) -> Floats:
    """By how much the real power (area, step) passes limits that the mix keeps, kW (row,)."""
    layout, own, beyond = master.layout, mixed.own, np.zeros(master.rows)
    for limit in layout.limits:
        if limit.what not in SIDES:
            continue
        side = SIDES.index(limit.what)
        sign, areas = 2.0 * side - 1.0, range(len(power_kw)) if limit.area is None else [limit.area]
        real = sign * sum(power_kw[a] + coupling.held_kw[a] for a in areas)
        meant = sign * sum(own[layout.power[a]] for a in areas)
        over = real + _called_kw(coupling, master, mixed, side, limit.area) - master.row_upper[limit.rows]
        beyond[limit.rows] = np.maximum(np.minimum(over, real - meant), 0.0)
    return beyond


def _called_kw(coupling: Coupling, master: Master, mixed: Mixed, side: int, area: int | None) -> Floats:
    """What all offers of a side come to where they are called, of the portfolio or of an area, kW (step,)."""
    layout, called = master.layout, np.zeros(coupling.steps)
    for k, product in enumerate(coupling.products):
        sold = np.flatnonzero((product.block >= 0) & product.sides[side])
        columns = layout.offers[k][product.block[sold]] if area is None else layout.shares[area][k][side]
        if columns is not None and len(sold):
            called[sold] += mixed.own[columns]
    return called


def _device_area(task: Task) -> Ints:
    """Area of each device; empty where there is only one area. Shape (device,)."""
    several = len(task.coupling.areas) > 1
    return task.area[task.portfolio.store().pod] if several else np.zeros(0, dtype=np.int64)


def _lacking(coupling: Coupling, master: Master, mixed: Mixed, settled: Settled, area: Ints) -> Floats:
    """What the devices of each area back less than it gives to offers, kW (area, product, 2, step)."""
    layout = master.layout
    lacking = np.zeros(layout.backing.shape)
    for a in range(len(lacking)):
        mine = settled.backing[:, :, area == a] if len(area) else settled.backing
        total = mine.sum(axis=2)
        for k, product in enumerate(coupling.products):
            sold = product.block >= 0
            for side in (0, 1):
                if product.sides[side]:
                    columns = layout.shares[a][k][side]
                    given = layout.offers[k][product.block[sold]] if columns is None else columns
                    lacking[a, k, side, sold] = np.maximum(mixed.own[given] - total[k, side, sold], 0.0)
    return lacking


def _with_more(coupling: Coupling, master: Master, mixed: Mixed, more: Floats) -> Mixed:
    """A mix with more backing; where there is none, the offers that lack it go one step down."""
    master.require_more(more)
    try:
        return master.solve()
    except SolverError:
        for k, product in enumerate(coupling.products):
            short = np.unique(product.block[(product.block >= 0) & (more[:, k] > 0).any(axis=(0, 1))])
            for block in short.tolist():
                kw = float(mixed.own[master.layout.offers[k][block]])
                less = max(kw - max(product.increment_kw, float(more[:, k][:, :, product.block == block].max())), 0.0)
                master.fix_offers(k, block, sellable(coupling, k, block, less))
        return master.solve()


def _by_part(master: Master, mixed: Mixed, offsets: Ints) -> list[dict[int, list[tuple[int, float]]]]:
    """Weights of each part's clusters, by their number in the part."""
    weights = weights_of(master, mixed)
    return [
        {cluster - first: chosen for cluster, chosen in weights.items() if first <= cluster < last}
        for first, last in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)
    ]


def _settle(part: Part, weights: Sequence[dict[int, list[tuple[int, float]]]]) -> Settled:
    return part.settle(weights[part.brief.number])


def _backed_offers(coupling: Coupling, settled: Settled, held: Sequence[Floats]) -> tuple[Floats, ...]:
    """What the devices back of each offer over its whole block, in steps that can be sold, kW."""
    total = settled.backing.sum(axis=2)
    offers = []
    for k, product in enumerate(coupling.products):
        kw = np.array(held[k])
        for block in range(product.blocks):
            steps = product.block == block
            backed = min(
                (float(total[k, side, steps].min()) for side in (0, 1) if product.sides[side] and steps.any()),
                default=0.0,
            )
            kw[block] = sellable(coupling, k, block, min(kw[block], backed))
        offers.append(kw)
    return tuple(offers)
