"""A plan's reserve put to the trial: random calls, and what of them is not delivered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from podium.dispatch.activation import Calls, Delivery, activate
from podium.dispatch.fleet import Backing, Fleet
from podium.dispatch.takeover import Order
from podium.flex.exact import Schedule

#: Share of the steps of an activation that are called where a call goes on and off.
ON = 0.6


@dataclass(frozen=True)
class Trial:
    """What came of random activations, summed over all of them."""

    activations: int
    called_kwh: float
    undelivered_kwh: float
    recovery_kwh: float
    """Energy beside the planned position after the calls, which nobody could take over."""
    beyond_kwh: float
    """Energy beyond limits of the portfolio and of groups (`Fleet.areas`)."""


def try_activations(
    fleet: Fleet, schedule: Schedule, backing: Backing, count: int = 1000, seed: int = 0, order: Order | None = None
) -> Trial:
    """Activate a plan's reserve `count` times, each time from the plan: the same calls for the same seed."""
    hours, sums = fleet.horizon.step_hours, np.zeros(4)
    for done in deliveries(fleet, schedule, backing, count, seed, order):
        powers = (done.called_kw, done.undelivered_kw, done.recovery_kw, done.beyond_kw)
        sums += [hours * float(abs(power).sum()) for power in powers]
    return Trial(count, *sums.tolist())


def deliveries(
    fleet: Fleet, schedule: Schedule, backing: Backing, count: int, seed: int = 0, order: Order | None = None
) -> Iterator[Delivery]:
    """What the devices do in each of `count` random activations."""
    random = np.random.default_rng(seed)
    for _ in range(count):
        yield activate(fleet, schedule, backing, random_calls(fleet, backing, random), order)


def random_calls(fleet: Fleet, backing: Backing, random: np.random.Generator) -> Calls:
    """One or more products, in one direction each, for at most the shortest of their sustains.

    In full all the time, in full on and off, or in any part.
    """
    steps, products = fleet.store.steps, len(backing.products)
    up, down = np.zeros((products, steps)), np.zeros((products, steps))
    chosen = np.flatnonzero(random.random(products) < random.choice([0.3, 1.0]))
    if not len(chosen):
        return Calls(up, down)
    longest = int(backing.sustain_steps(fleet.horizon.step_hours)[chosen].min())
    first = int(random.integers(steps))
    length = longest if random.random() < 0.5 else int(random.integers(1, longest + 1))
    last = min(first + length, steps)
    for product in chosen:
        offered = [side[product, :, first:last].sum(axis=0) for side in (backing.up_kw, backing.down_kw)]
        upwards = offered[0].any() and (not offered[1].any() or random.random() < 0.5)
        part = _pattern(last - first, random)
        (up if upwards else down)[product, first:last] = part * offered[0 if upwards else 1]
    return Calls(up, down)


def _pattern(steps: int, random: np.random.Generator) -> np.ndarray:
    """Called share of each step."""
    kind = random.integers(3)
    if kind == 0:
        return np.ones(steps)
    return (random.random(steps) < ON).astype(float) if kind == 1 else random.random(steps)
