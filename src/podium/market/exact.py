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
from podium.flex.respond import Programmes, Signal
from podium.market.coordination import Coordination, Round, Until, answered, begin, go_on, refocus, weights_of
from podium.market.coupling import SIDES, Coupling, portfolio_profit_eur
from podium.market.direct import Running, nearest_running, solve_direct
from podium.market.master import Master, Mixed, Sums
from podium.market.members import Brief, Members, Part, Settled
from podium.market.selling import (
    hold_nearest,
    hold_offers,
    hold_whole,
    lower_short,
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
ROUNDS = 300
#: Rounds after which a portfolio of at most `STRICT_PODS` goes on from all its programmes at once, where these have at
#: most so many devices times steps: beyond, they are a programme for minutes and gigabytes.
PATIENCE = 25
DIRECT_CELLS = 100_000
#: Rounds once offers are held that are sold in steps.
HELD_ROUNDS = 6
#: ... and at which part of the gap they end.
HELD_PART = 0.2
#: At this many times the gap, offers that were rounded to the next are also rounded down.
SELL_AGAIN = 1.5
#: How often offers that were rounded up are tried before none of them may lack anything.
LOWERED = 4
#: Rounds once answers that are whole are held, how closely these are solved, and between which prices they are asked.
WHOLE_ROUNDS = 6
WHOLE_GAP = 1e-4
WHOLE_AT = (0.0, 0.5, 1.0)
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
        search = _Search(task, state, team, told, gap, deadline, whole, offsets)
        search.go_on(ROUNDS, PATIENCE)
        mixed = state.master.solve()
        if whole.any():
            search.choose_whole()
        if search.few:
            wanted = _wanted(state, reach)
            search.sell_few(mixed)
        else:
            if whole.any():
                search.go_on(WHOLE_ROUNDS, WHOLE_ROUNDS)
            wanted = _wanted(state, reach)
            search.sell()
        sent = (float(np.mean(team.bytes_sent[1:] or [0])), float(np.mean(team.bytes_received[1:] or [0])))
        return _finished(task, state, team, offsets, wanted, late=perf_counter() > deadline, sent=sent)


@dataclass(frozen=True)
class _Held:
    """A mix around what is held, and the answers that it takes."""

    mixed: Mixed
    answers: set[tuple[int, int]]


@dataclass
class _Search:
    """The way from prices to a plan that can be sold and run."""

    task: Task
    state: Coordination
    team: Team[Part]
    told: Callable[[Round], None]
    gap: float
    deadline: float
    whole: Bools
    """Clusters that take one answer as it is."""
    offsets: Ints
    """First cluster of each part, and their number."""
    running: list[Running] = field(default_factory=list)
    """What devices that are on or off do, once it is chosen, for the PODs of each part."""

    @property
    def few(self) -> bool:
        """Whether all PODs fit into one programme."""
        portfolio = self.task.portfolio
        devices = sum(len(table.ids) for table in portfolio.devices.values())
        return len(portfolio) <= STRICT_PODS and devices * portfolio.horizon.steps <= DIRECT_CELLS

    def go_on(self, rounds: int, patience: int) -> None:
        """Rounds; where there are few PODs, after some of them from all programmes at once."""
        until = Until(self.gap, rounds, self.deadline, patience, HELD_PART * self.gap)
        go_on(self.state, partial(_ask, self.team), until, self.told, self.at_once if self.few else None)

    def at_once(self) -> None:
        """All programmes as one: its duals are asked with next, and its solution is an answer."""
        state, parts = self.state, self.team.ask(_programmes)
        running = self.running or [{}] * len(parts)
        found = solve_direct(state.master, parts, running, self.deadline - perf_counter())
        if found is None:
            return
        asked = state.asked
        state.master.add(asked, _joined(self.team.ask(partial(_take, solutions=found.solutions))))
        state.asked += 1
        state.dual = found.dual
        if self.running:
            self._hold_whole(lambda answer: answer[1] == asked)

    def sell(self) -> None:
        """Offers in steps are held, and the rest goes on around them."""
        if hold_offers(self.state.master, self.task.coupling):
            refocus(self.state)
            self.go_on(HELD_ROUNDS, HELD_ROUNDS)

    def choose_whole(self) -> None:
        """Answers of clusters that are whole, at the prices around the best; one of each is held."""
        state = self.state
        left_out = len(state.master.answers)
        last = state.centre if state.mixed is None else state.mixed.dual
        for share in WHOLE_AT:
            dual = (1.0 - share) * state.centre + share * last
            answered(state, partial(_ask, self.team), dual, max(self.task.limits.mip_gap, WHOLE_GAP))
        hold_whole(state.master, self.whole, left_out)

    def sell_few(self, mixed: Mixed) -> None:
        """Offers next to those of a mix, and devices on or off to suit them; all else follows from programmes at once.

        Offers that then lack something are lowered. Where much is lost, they are also rounded down.
        """
        state, master, coupling = self.state, self.state.master, self.task.coupling
        raised = hold_nearest(master, coupling, mixed)
        if not raised and not self.whole.any():
            return
        before = self._held()
        if self.whole.any():
            self._switch()
        for _ in range(LOWERED):
            self._around_held()
            if not lower_short(master, coupling, master.solve(), raised):
                break
        self._unless_better(before)
        before = self._held()
        if raised and Round(0, -state.proven_eur, -before.mixed.cost_eur, 0.0).gap > SELL_AGAIN * self.gap:
            master.free_offers()
            hold_offers(master, coupling)
            self._around_held()
            self._unless_better(before)

    def _around_held(self) -> None:
        """Rounds around offers that are held, and around devices that are on or off."""
        refocus(self.state)
        patience = 0 if self.whole.any() else HELD_ROUNDS
        self.go_on(patience + 1, patience)

    def _held(self) -> _Held:
        """What is held, and the best mix around it."""
        master = self.state.master
        mixed = master.solve()
        return _Held(mixed, {master.answers[number] for number in np.flatnonzero(mixed.weights > 0).tolist()})

    def _unless_better(self, before: _Held) -> None:
        """Hold again what was held, where what is held now does not earn more."""
        master = self.state.master
        if master.solve().cost_eur < before.mixed.cost_eur:
            return
        for k, columns in enumerate(master.layout.offers):
            for block, kw in enumerate(before.mixed.own[columns].tolist()):
                master.fix_offers(k, block, kw)
        self._hold_whole(lambda answer: answer in before.answers)

    def _switch(self) -> None:
        """Devices are on or off as next as can be to what all programmes as one would like."""
        parts = self.team.ask(_programmes)
        found = solve_direct(self.state.master, parts, [{}] * len(parts), self.deadline - perf_counter())
        if found is not None:
            self.running = nearest_running(parts, found, self.task.limits.time_limit_seconds)

    def _hold_whole(self, held: Callable[[tuple[int, int]], bool]) -> None:
        """Of whole clusters, hold the answers that are meant, and none of the others."""
        master = self.state.master
        of_whole = [number for number, (cluster, _) in enumerate(master.answers) if self.whole[cluster]]
        master.hold_answers(of_whole, [float(held(master.answers[number])) for number in of_whole])


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


def _answers(part: Part, signal: Signal, gap: float | None) -> Sums:
    return part.answer(signal, gap)


def _ask(team: Team[Part], signal: Signal, gap: float | None) -> Sums:
    return _joined(team.ask(partial(_answers, signal=signal, gap=gap)))


def _joined(found: Sequence[Sums]) -> Sums:
    return Sums(
        np.concatenate([sums.own_eur for sums in found]),
        np.concatenate([sums.power_kw for sums in found]),
        np.concatenate([sums.backing_kw for sums in found]),
        sum(sums.least_eur for sums in found),
    )


def _programmes(part: Part) -> list[Programmes]:
    return part.programmes()


def _take(part: Part, solutions: Sequence[Sequence[Floats]]) -> Sums:
    return part.take(solutions[part.brief.number])


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
        sign, areas = (
            (1.0, -1.0)[limit.what == "injection"],
            range(len(power_kw)) if limit.area is None else [limit.area],
        )
        real = sign * sum(power_kw[a] + coupling.held_kw[a] for a in areas)
        meant = sign * sum(own[layout.power[a]] for a in areas)
        side = SIDES.index(limit.what)
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
