"""From first prices to a plan that can be sold and run: rounds, whole answers, offers in steps.

What is done in which order, and why, is in docs/maths/coordination.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from podium.compute import Team
from podium.flex.exclusive import Limits
from podium.flex.respond import Programmes, Signal
from podium.market.coordination import Coordination, Round, Until, answered, go_on, refocus
from podium.market.direct import Running, nearest_running, solve_direct
from podium.market.master import Mixed, Sums
from podium.market.members import Part
from podium.market.selling import hold_least, hold_nearest, hold_offers, hold_whole, lower_short
from podium.market.whole import Whole, solve_whole

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

ROUNDS = 300
#: Rounds after which few PODs go on from all their programmes at once.
PATIENCE = 8
#: How closely these are solved, as a part of the gap.
DIRECT_PART = 0.001
#: Rounds once offers are held that are sold in steps.
HELD_ROUNDS = 6
#: ... and at which part of the gap they end.
HELD_PART = 0.2
#: After so many of these that still miss something, all programmes are solved again, to cover so much more of it.
COVER_EVERY = 3
COVER_MORE = 1.5
#: Programmes that lack less, kW, lack nothing.
COVERED_KW = 1e-3
#: At this many times the gap, offers that were rounded to the next are also rounded down.
SELL_AGAIN = 1.5
#: How closely small portfolios are then solved as a whole, as a part of the gap, and how much more than the plan so far
#: the solution has to earn to be tried.
BRANCH_PART = 0.5
BRANCH_WORTH = 0.05
#: How often offers follow those that would be too small to be sold, and are none or the least then.
FOLLOWED = 3
#: How often offers that were rounded up are tried before none of them may lack anything.
LOWERED = 6
#: How long a plan that misses nothing may take once time is up.
GRACE_SECONDS = 60.0
#: Rounds once answers that are whole are held, how closely these are solved, and between which prices they are asked.
WHOLE_ROUNDS = 6
WHOLE_GAP = 1e-4
WHOLE_AT = (0.0, 0.5, 1.0)


@dataclass(frozen=True)
class _Held:
    """A mix around what is held, and the answers that it takes alone."""

    mixed: Mixed
    answers: set[tuple[int, int]]


@dataclass
class Search:
    """The way from prices to a plan that can be sold and run."""

    state: Coordination
    team: Team[Part]
    told: Callable[[Round], None]
    gap: float
    deadline: float
    """Of `perf_counter`."""
    whole: Bools
    """Clusters that take one answer as it is. Shape (cluster,)."""
    limits: Limits
    """Of PODs with integers."""
    few: bool
    """Whether all programmes can be solved at once."""
    relaxed: Mixed | None = None
    """The best mix before anything is held."""
    granted: float = 0.0
    """Until when there is time beyond the deadline."""
    running: list[Running] = field(default_factory=list)
    """What devices that are on or off do, once it is chosen, for the PODs of each part."""
    more_kw: Floats | None = None
    """By how much all programmes at once cover offers and keep limits more closely than asked. Shape (row,)."""
    possible: bool = False
    """Whether their last solution missed nothing."""

    def converge(self) -> None:
        """Rounds to the end; then devices that are on or off take one answer as it is."""
        self._go_on(ROUNDS, PATIENCE)
        if self.few and self.late and self._misses():
            self._grant()
            self._go_on(1, 0)
        self.relaxed = self.state.master.solve()
        if self.whole.any():
            self._choose_whole()
            if not self.few:
                self._go_on(WHOLE_ROUNDS, WHOLE_ROUNDS)

    def sell(self) -> None:
        """Offers in steps are held, and the rest goes on around them."""
        if not self.few or self.relaxed is None:
            if hold_offers(self.state.master, self.state.master.coupling):
                refocus(self.state)
                self._go_on(HELD_ROUNDS, HELD_ROUNDS)
        elif not self.late or self._misses():
            self._grant()
            self._sell_few(self.relaxed)
            if not self.late or self._misses():
                self._branch()
        self._record(self.state.master.solve().cost_eur)

    @property
    def late(self) -> bool:
        """Whether the time is up."""
        return perf_counter() > self.deadline

    @property
    def _end(self) -> float:
        """When all work ends, with what was granted."""
        return max(self.deadline, self.granted)

    def _misses(self) -> bool:
        """Whether the best mix misses limits, or reserve that must be held."""
        return self.state.master.misses(self.state.master.solve())

    def _grant(self) -> None:
        """Where time is up, some more, for a plan that can be delivered."""
        if self.late:
            self.granted = perf_counter() + GRACE_SECONDS

    def _go_on(self, rounds: int, patience: int) -> None:
        """Rounds; where there are few PODs, after some of them from all programmes at once."""
        until = Until(self.gap, rounds, self._end, patience, HELD_PART * self.gap)
        go_on(self.state, partial(_ask, self.team), until, self.told, self._at_once if self.few else None)

    def _at_once(self) -> None:
        """All programmes as one: its duals are asked with next, and its solution is an answer."""
        state, parts = self.state, self.team.ask(_programmes)
        running = self.running or [{}] * len(parts)
        found = solve_direct(state.master, parts, running, DIRECT_PART * self.gap, self._end, self.more_kw)
        if found is None:
            return
        self._answer_with(found.solutions)
        state.dual = found.dual
        self.possible = bool(found.own[state.master.missing].max(initial=0.0) < COVERED_KW)

    def _answer_with(self, solutions: Sequence[Sequence[Floats]]) -> None:
        """Solutions, by part and pattern, as an answer, which is held where it is known what is on or off."""
        state, asked = self.state, self.state.asked
        state.master.add(asked, _joined(self.team.ask(partial(_take, solutions=solutions))))
        state.asked += 1
        if self.running:
            self._hold_whole(lambda answer: answer[1] == asked)

    def _choose_whole(self) -> None:
        """Answers of clusters that are whole, at the prices around the best; one of each is held."""
        state = self.state
        left_out = len(state.master.answers)
        last = state.centre if state.mixed is None else state.mixed.dual
        for share in WHOLE_AT[:1] if self.late else WHOLE_AT:
            dual = (1.0 - share) * state.centre + share * last
            answered(state, partial(_ask, self.team), dual, max(self.limits.mip_gap, WHOLE_GAP))
        hold_whole(state.master, self.whole, left_out)

    def _sell_few(self, mixed: Mixed) -> None:
        """Offers next to those of a mix, and devices on or off to suit them; all else follows from programmes at once.

        Offers that then lack something are lowered. Where much is lost, they are also rounded down.
        """
        master, coupling = self.state.master, self.state.master.coupling
        taken = hold_nearest(master, coupling, self._with_least(mixed.own))
        if not taken and not self.whole.any():
            return
        raised = {(k, b): kw - float(mixed.own[master.layout.offers[k][b]]) for (k, b), kw in taken.items()}
        before = self._held()
        if self.whole.any():
            self._switch()
        for _ in range(LOWERED):
            self._around_held()
            if not lower_short(master, coupling, master.solve(), raised):
                break
        self._unless_better(before)
        before = self._held()
        if raised and self._much_is_lost(before) and not self.late:
            master.free_offers()
            hold_offers(master, coupling)
            self._around_held()
            self._unless_better(before)

    def _with_least(self, own: Floats) -> Floats:
        """The portfolio's columns where none of its offers is below the least that can be sold.

        The others are not rounded before they have followed.
        """
        state, parts = self.state, self.team.ask(_programmes)
        for _ in range(FOLLOWED):
            if self.late or not hold_least(state.master, state.master.coupling, own):
                break
            found = solve_direct(state.master, parts, [{}] * len(parts), DIRECT_PART * self.gap, self._end)
            if found is None:
                break
            own = found.own
        return own

    def _branch(self) -> None:
        """Where much is lost, a small portfolio is solved as a whole: what integers cost is proven, or they are better.

        Its bound is a round of its own. What it would hold is tried as any other choice.
        """
        state, before = self.state, self._held()
        if not self._much_is_lost(before):
            return
        begin_with = (before.mixed, self.running)
        parts = self.team.ask(_programmes)
        found = solve_whole(state.master, parts, BRANCH_PART * self.gap, self._end, begin_with)
        if found is None:
            return
        # Mixes whose answers do not hold calls to their end may earn more than can be: then the mix is the bound.
        state.proven_eur = max(state.proven_eur, min(found.least_eur, before.mixed.cost_eur))
        self._record(before.mixed.cost_eur)
        if before.mixed.cost_eur - found.cost_eur > BRANCH_WORTH * self.gap * abs(before.mixed.cost_eur):
            self._hold_found(found)
            self._unless_better(before)

    def _record(self, cost_eur: float) -> None:
        """A bound that no round has told is a round of its own."""
        state = self.state
        if -state.proven_eur < min((done.bound_eur for done in state.rounds), default=np.inf):
            seconds = perf_counter() - state.begun
            state.rounds.append(Round(len(state.rounds) + 1, -state.proven_eur, -cost_eur, seconds))
            self.told(state.rounds[-1])

    def _hold_found(self, found: Whole) -> None:
        """Offers and what devices do, of a solution that may leave no room for any other answer."""
        for (k, block), kw in found.offers.items():
            self.state.master.fix_offers(k, block, kw)
        self.running = found.running
        self._answer_with(found.solutions)

    def _much_is_lost(self, held: _Held) -> bool:
        return Round(0, -self.state.proven_eur, -held.mixed.cost_eur, 0.0).gap > SELL_AGAIN * self.gap

    def _around_held(self) -> None:
        """Rounds around offers that are held, and around devices that are on or off.

        Programmes may back a little more than stores can do, which never charge and discharge at once. Where a solution
        that misses nothing does so once it is made real, some more answers make up for it, or another solution that
        backs more there.
        """
        refocus(self.state)
        self.possible = False
        patience = 0 if self.whole.any() else HELD_ROUNDS
        self._go_on(patience + 1, patience)
        for n in range(HELD_ROUNDS):
            if self.late or not self.possible or not self._misses():
                break
            if n % COVER_EVERY == COVER_EVERY - 1:
                master = self.state.master
                lacking = COVER_MORE * master.missing_kw(master.solve().own)
                self.more_kw = lacking if self.more_kw is None else self.more_kw + lacking
                self._at_once()
            self._go_on(1, 1)

    def _held(self) -> _Held:
        """What is held, and the best mix around it. Of a whole cluster one answer is held, not a crumb beside it."""
        master = self.state.master
        mixed = master.solve()
        master.remembered = {master.answers[number] for number in np.flatnonzero(mixed.weights > 0.5).tolist()}
        return _Held(mixed, master.remembered)

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
        found = solve_direct(self.state.master, parts, [{}] * len(parts), DIRECT_PART * self.gap, self._end)
        if found is not None:
            self.running = nearest_running(parts, found, self.limits.time_limit_seconds)

    def _hold_whole(self, held: Callable[[tuple[int, int]], bool]) -> None:
        """Of whole clusters, hold the answers that are meant, and none of the others."""
        master = self.state.master
        of_whole = [number for number, (cluster, _) in enumerate(master.answers) if self.whole[cluster]]
        master.hold_answers(of_whole, [float(held(master.answers[number])) for number in of_whole])


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
