"""Offers in steps: branch and bound over prices and answers (docs/maths/coordination.md, "Offers in steps").

A node holds offers, and sums of offers of the same hours, between bounds. It shares all answers with the others, so that
few rounds tell whether it can hold a better plan; any dual of any round bounds every node.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from podium.market.coordination import STAY, Ask, Coordination, Round, Until, answered, refocus
from podium.market.coupling import Coupling
from podium.market.master import Master, Mixed
from podium.market.selling import hold_offers, is_stepped, sellable

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]

#: Rounds of a node before it is branched or left at its bound.
NODE_ROUNDS = 8
#: Times that sums are cut, rounds to prove that there is no good plan beyond, and rounds with all cuts.
PASSES = 3
PROBE_ROUNDS = 10
PRICE = 0.0005
ROOT_ROUNDS = 15
#: The step from the best prices to the mix's becomes longer where it improves the bound, and else shorter.
LONGER, SHORTER = 1.0, 1.0
#: Answers of each cluster beyond which those that no mix takes are left out.
ANSWERS = 24
#: Sums are branched on before single offers where they are further than this, in steps, from what may be sold.
CLEAR = 0.02
#: Offers this close, in kW, to what may be sold are there.
NEAR_KW = 1e-4


@dataclass(eq=False)
class Node:
    """Offers and sums between bounds, kW, and what no plan among them costs less than, EUR."""

    low: Floats
    high: Floats
    least_eur: float
    depth: int


class Terms:
    """What is branched on: every offer in steps, and sums of offers of the same hours."""

    def __init__(self, master: Master, coupling: Coupling) -> None:
        self.master, self.coupling = master, coupling
        layout = master.layout
        self.places = [
            (k, b) for k, product in enumerate(coupling.products) if is_stepped(product) for b in range(product.blocks)
        ]
        self.columns = np.array([layout.offers[k][b] for k, b in self.places], dtype=np.int64)
        self.sums = [s for s in layout.sums if s.increment_kw > 0]
        self.weights = np.array([[s.weights.get(place, 0.0) for place in self.places] for s in self.sums])
        self.weights = self.weights.reshape(len(self.sums), len(self.places))
        self.steps = np.array([s.increment_kw for s in self.sums])

    def root(self) -> Node:
        """All that may be sold."""
        most = [self._most(*place) for place in self.places]
        free = np.full(len(self.sums), np.inf)
        return Node(
            np.concatenate((np.zeros(len(most)), -free)), np.concatenate((np.array(most), free)), -np.inf, 0
        )

    def _most(self, k: int, b: int) -> float:
        return sellable(self.coupling, k, b, min(float(self.coupling.products[k].most_kw[b]), self.coupling.most_kw))

    def values(self, mixed: Mixed) -> Floats:
        """Offers, then sums, of a mix, kW."""
        offers = mixed.own[self.columns]
        return np.concatenate((offers, self.weights @ offers))

    def neighbours(self, values: Floats) -> tuple[Floats, Floats]:
        """For each value what may be sold at most below or at it, and at least above it, kW."""
        count = len(self.places)
        below, above = np.empty(len(values)), np.empty(len(values))
        for n, ((k, b), value) in enumerate(zip(self.places, values[:count].tolist(), strict=True)):
            product = self.coupling.products[k]
            below[n] = sellable(self.coupling, k, b, value + NEAR_KW)
            above[n] = max(below[n] + product.increment_kw, product.least_kw)
        below[count:] = np.floor((values[count:] + NEAR_KW) / self.steps) * self.steps
        above[count:] = below[count:] + self.steps
        return below, above

    def rows_of(self, term: int) -> NDArray[np.int64]:
        """Rows of the backing that a sum needs."""
        layout, found = self.master.layout, []
        for k, b in self.sums[term - len(self.places)].weights:
            steps = self.coupling.products[k].block == b
            found += [layout.backing[:, k][:, :, steps].ravel(), layout.covered[k][:, steps].ravel()]
        rows = np.unique(np.concatenate(found))
        return rows[rows >= 0]

    def hold(self, low: Floats, high: Floats) -> None:
        """Keep offers and sums between bounds, kW."""
        count = len(self.places)
        for column, least, most in zip(self.columns.tolist(), low[:count], high[:count], strict=True):
            self.master.bound_column(column, float(least), float(most))
        for total, least, most in zip(self.sums, low[count:], high[count:], strict=True):
            self.master.bound_row(total.row, float(least), float(most))


def sell_in_steps(
    state: Coordination, ask: Ask, coupling: Coupling, until: Until, told: Callable[[Round], None]
) -> bool:
    """Hold the best offers found that can be sold; `state.least_eur` is then what no plan with such offers costs less.

    Ends within `until.gap` of that bound, after so many rounds, or at the clock. False where no offer is in steps.
    """
    terms = Terms(state.master, coupling)
    if not terms.places:
        return False
    search = _Search(state, ask, terms, until, told)
    search.run()
    return True


class _Search:
    """Branch and bound, best bound first, and deepest among equals."""

    def __init__(
        self, state: Coordination, ask: Ask, terms: Terms, until: Until, told: Callable[[Round], None]
    ) -> None:
        self.state, self.ask, self.terms, self.until, self.told = state, ask, terms, until, told
        self.rounds = 0
        self.closed_eur = np.inf
        """Least bound of the nodes that are not branched any more."""
        root = terms.root()
        root.least_eur = state.least_eur
        self.open = [root]
        hold_offers(state.master, terms.coupling)
        mixed = state.master.solve()
        self.cost_eur, self.offers = mixed.cost_eur, terms.values(mixed)[: len(terms.places)]
        self.close = until.gap / 2

    @property
    def least_eur(self) -> float:
        """No plan with offers that can be sold costs less."""
        return min([self.closed_eur, *(node.least_eur for node in self.open)])

    @property
    def enough_eur(self) -> float:
        """A node whose bound is at least this needs no closer look."""
        return self.cost_eur - self.until.gap * abs(self.cost_eur)

    def run(self) -> None:
        """Cut sums, then look at nodes until the bound is close enough; then hold the best offers."""
        root = self.open[0]
        for _ in range(PASSES):
            if self.least_eur >= self.enough_eur or self._over() or not self._cut(root):
                break
            self._settle(root)
        while self.open and self.least_eur < self.enough_eur and not self._over():
            node = min(self.open, key=lambda n: (n.least_eur, -n.depth))
            self.open.remove(node)
            self._look_at(node)
        count = len(self.terms.places)
        free = np.full(len(self.terms.sums), np.inf)
        held = self.offers
        self.terms.hold(np.concatenate((held, -free)), np.concatenate((held, free)))
        self.state.least_eur = self.least_eur

    def _cut(self, root: Node) -> bool:
        """Hold sums at what can be sold where no good plan has more; whether there was one.

        Offers of the same hours often need all that the devices have together: their sum then is what has no room for
        a step more, and each of them has.
        """
        self.terms.hold(root.low, root.high)
        values = self.terms.values(self.state.master.solve_after_bounds())
        below, above = self.terms.neighbours(values)
        cut = False
        for term in range(len(self.terms.places), len(values)):
            if values[term] - below[term] > CLEAR * (above[term] - below[term]):
                probe = Node(root.low.copy(), root.high, root.least_eur, 1)
                probe.low[term] = above[term]
                self._price(probe, term)
                if probe.least_eur >= self.enough_eur:
                    root.high[term] = below[term]
                    cut = True
        return cut

    def _price(self, probe: Node, term: int) -> None:
        """Ask at ever higher prices of the reserve that a sum needs, as long as that improves the bound."""
        state = self.state
        self.terms.hold(probe.low, probe.high)
        refocus(state)
        base, rows = state.centre, self.terms.rows_of(term)
        price = PRICE
        for _ in range(PROBE_ROUNDS):
            if state.least_eur >= self.enough_eur or self._over():
                break
            before = state.least_eur
            dual = base.copy()
            dual[rows] += price
            answered(state, self.ask, dual, None)
            print('   price', price, -state.least_eur, -(state.known[-1][1] + state.master.rest_eur(dual)))
            self.rounds += 1
            price *= 2.0
        probe.least_eur = max(probe.least_eur, state.least_eur)

    def _settle(self, root: Node) -> None:
        """Rounds within the root, until answers hold what its bound promises, and offers that follow from it."""
        mixed = self._converge(root, ROOT_ROUNDS, closely=True)
        hold_offers(self.state.master, self.terms.coupling)
        mixed = self.state.master.solve()
        self._keep(mixed)

    def _over(self) -> bool:
        return self.rounds >= self.until.rounds or perf_counter() > self.until.deadline

    def _look_at(self, node: Node) -> None:
        """Rounds within a node, until it is proven to be no better, or clear that it must be branched."""
        mixed = self._converge(node, NODE_ROUNDS)
        children = [] if node.least_eur >= self.enough_eur else self._children(node, mixed)
        if children:
            self.open += children
        else:
            self.closed_eur = min(self.closed_eur, node.least_eur)

    def _converge(self, node: Node, rounds: int, *, closely: bool = False) -> Mixed:
        """Rounds between the bounds of a node; the best mix by then."""
        state = self.state
        self.terms.hold(node.low, node.high)
        refocus(state)
        mixed = state.master.solve_after_bounds()
        step = 1.0 - STAY
        for _ in range(rounds):
            sold = self._keep(mixed)
            if state.least_eur >= self.enough_eur or self._over():
                break
            better = mixed.cost_eur < self.enough_eur and not sold
            if better and not (closely and state.least_eur < mixed.cost_eur - self.close * abs(mixed.cost_eur)):
                break
            before = state.least_eur
            mixed = self._round(mixed, step, min(self.least_eur, max(node.least_eur, before)))
            step = min(step * LONGER, 1.0) if state.least_eur > before else step * SHORTER
        node.least_eur = max(node.least_eur, state.least_eur)
        return mixed

    def _keep(self, mixed: Mixed) -> bool:
        """Whether a mix can be sold; the best one's offers are kept."""
        count = len(self.terms.places)
        values = self.terms.values(mixed)
        below, _ = self.terms.neighbours(values)
        sold = bool((values - below <= 2 * NEAR_KW)[:count].all())
        if sold and mixed.cost_eur < self.cost_eur:
            self.cost_eur, self.offers = mixed.cost_eur, below[:count]
        return sold

    def _round(self, mixed: Mixed, step: float, least_eur: float) -> Mixed:
        state = self.state
        answered(state, self.ask, (1.0 - step) * state.centre + step * mixed.dual, None)
        self.rounds += 1
        mixed = state.master.solve()
        if len(state.master.answers) > ANSWERS * len(state.master.area):
            state.master.forget(mixed)
        number = len(state.rounds) + 1
        state.rounds.append(Round(number, -least_eur, -self.cost_eur, perf_counter() - state.begun))
        self.told(state.rounds[-1])
        return mixed

    def _children(self, node: Node, mixed: Mixed) -> list[Node]:
        """The node in two, where an offer or a sum is between what can be sold; else none."""
        values = self.terms.values(mixed)
        below, above = self.terms.neighbours(values)
        inside = (values - below) / (above - below)
        off = np.minimum(inside, 1.0 - inside)
        off[values - below <= 2 * NEAR_KW] = 0.0
        if off.max() <= 0.0:
            return []
        count = len(self.terms.places)
        sums = off[count:].max(initial=0.0) > CLEAR
        term = count + int(np.argmax(off[count:])) if sums else int(np.argmax(off))
        lower = Node(node.low, node.high.copy(), node.least_eur, node.depth + 1)
        lower.high[term] = below[term]
        upper = Node(node.low.copy(), node.high, node.least_eur, node.depth + 1)
        upper.low[term] = above[term]
        return [child for child in (upper, lower) if child.low[term] <= child.high[term]]
