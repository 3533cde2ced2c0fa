"""Prices that bring PODs to what the portfolio needs, and the proof of how good that is (docs/maths/coordination.md).

Rounds: PODs answer prices, the portfolio's programme mixes all answers so far and its duals are new prices. Each
round's answers give a bound (weak duality), each mix a plan. Prices move from the best ones so far towards the new
ones only in part (Wentges 1997, "Weighted Dantzig-Wolfe decomposition"); the first ones are learned on a sample.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from podium.flex.respond import Signal
from podium.market.coupling import Coupling
from podium.market.master import Master, Mixed, Sums

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: How far prices stay with the best ones so far.
STAY = 0.85
#: A round that shows the best bound by less than this, relative, is no better.
BETTER = 1e-12

Ask = Callable[[Signal, float | None], Sums]


@dataclass(frozen=True)
class Round:
    """Where the coordination stood after a round, EUR of profit."""

    number: int
    bound_eur: float
    profit_eur: float
    seconds: float

    @property
    def gap(self) -> float:
        """(bound - profit) / |profit|."""
        missing = self.bound_eur - self.profit_eur
        return missing / abs(self.profit_eur) if self.profit_eur else (0.0 if missing <= 0 else np.inf)


@dataclass
class Coordination:
    """Rounds of prices and answers, and what they led to."""

    master: Master
    rounds: list[Round] = field(default_factory=list)
    least_eur: float = -np.inf
    """No plan costs less that keeps what is held."""
    proven_eur: float = -np.inf
    """No plan costs less, whatever is held."""
    centre: Floats = field(default_factory=lambda: np.zeros(0))
    """Duals of the best bound on what is held."""
    proof: Floats = field(default_factory=lambda: np.zeros(0))
    """Duals of the best bound, whatever is held."""
    dual: Floats = field(default_factory=lambda: np.zeros(0))
    """Duals to ask with next."""
    mixed: Mixed | None = None
    asked: int = 0
    known: list[tuple[Floats, float]] = field(default_factory=list)
    """Duals that were asked with, and the least that all PODs could pay at their prices, EUR."""
    begun: float = field(default_factory=perf_counter)

    @property
    def gap(self) -> float:
        """Of the best mix, among plans that keep what is held."""
        if self.mixed is None:
            return np.inf
        return Round(0, -self.least_eur, -self.mixed.cost_eur, 0.0).gap


@dataclass(frozen=True)
class Until:
    """When the rounds end: within `gap`, after so many, or at the clock's `deadline` (of `perf_counter`).

    They also end within `held_gap` of the best plan that keeps what is held. After `patience` rounds they go on from
    the programmes of all PODs at once, where these are few.
    """

    gap: float
    rounds: int
    deadline: float
    patience: int = 0
    held_gap: float = 0.0


def begin(coupling: Coupling, area: Ints, first: Floats | None) -> Coordination:
    """Before the first round. `area` has the area of each cluster, `first` duals to begin with."""
    state = Coordination(Master(coupling, area))
    state.dual = state.master.dual_of(first_signal(coupling)) if first is None else first
    return state


def go_on(
    state: Coordination, ask: Ask, until: Until, told: Callable[[Round], None] = lambda _round: None,
    at_once: Callable[[], None] | None = None,
) -> None:  # fmt: skip
    """Rounds of answers and new prices. Integers are left out of the answers.

    `at_once` gives duals to ask with next, and answers that fit them.
    """
    for done in range(until.rounds):
        if at_once is not None and done == until.patience:
            at_once()
        answered(state, ask, state.dual, None)
        state.mixed = state.master.solve()
        state.master.forget(state.mixed)
        number = len(state.rounds) + 1
        state.rounds.append(Round(number, -state.proven_eur, -state.mixed.cost_eur, perf_counter() - state.begun))
        told(state.rounds[-1])
        state.dual = STAY * state.centre + (1.0 - STAY) * state.mixed.dual
        if state.rounds[-1].gap <= until.gap or state.gap <= until.held_gap or perf_counter() > until.deadline:
            break


def answered(state: Coordination, ask: Ask, dual: Floats, gap: float | None) -> None:
    """Everybody's answer to these duals, as columns and as a bound."""
    sums = ask(state.master.signal_of(dual), gap)
    state.master.add(state.asked, sums)
    state.asked += 1
    state.known.append((dual, sums.least_eur))
    least_eur = sums.least_eur + state.master.rest_eur(dual)
    if _better(least_eur, state.least_eur):
        state.least_eur, state.centre = least_eur, dual
    proven_eur = sums.least_eur + state.master.rest_eur(dual, free=True)
    if _better(proven_eur, state.proven_eur):
        state.proven_eur, state.proof = proven_eur, dual


def _better(found_eur: float, best_eur: float) -> bool:
    return bool(np.isneginf(best_eur) or found_eur > best_eur + BETTER * abs(best_eur))


def refocus(state: Coordination) -> None:
    """The best bound and its duals once the portfolio's columns have other limits."""
    bounds = [least_eur + state.master.rest_eur(dual) for dual, least_eur in state.known]
    best = int(np.argmax(bounds))
    state.least_eur, state.centre = bounds[best], state.known[best][0]
    state.dual = state.centre


def first_signal(coupling: Coupling) -> Signal:
    """Prices before anything is known: the market's, and each block's value spread over its steps."""
    energy = np.array(np.broadcast_to(coupling.known_price, (len(coupling.areas), coupling.steps)))
    if coupling.positions and coupling.buy is not None and coupling.sell is not None:
        energy += ((coupling.buy + coupling.sell) / 2)[coupling.unit]
    reserve = np.zeros((len(coupling.areas), len(coupling.products), 2, coupling.steps))
    for k, product in enumerate(coupling.products):
        sold = np.flatnonzero(product.block >= 0)
        size = np.bincount(product.block[sold], minlength=product.blocks)
        each = np.maximum(product.value_eur_per_kw, 0.0) / np.maximum(size, 1) / max(sum(product.sides), 1)
        for side in (0, 1):
            if product.sides[side]:
                reserve[:, k, side, sold] = each[product.block[sold]]
    return Signal(energy, reserve)


def weights_of(master: Master, mixed: Mixed) -> dict[int, list[tuple[int, float]]]:
    """Cluster -> the answers that it takes, as (number, weight)."""
    found: dict[int, list[tuple[int, float]]] = {}
    for (cluster, number), weight in zip(master.answers, mixed.weights, strict=True):
        if weight > 1e-12:
            found.setdefault(cluster, []).append((number, float(weight)))
    for chosen in found.values():
        total = sum(weight for _, weight in chosen)
        chosen[:] = [(number, weight / total) for number, weight in chosen]
    return found
