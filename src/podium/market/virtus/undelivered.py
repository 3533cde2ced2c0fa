"""How much of a promised trajectory the devices cannot deliver (docs/maths/virtus.md, section 3).

The least over all schedules of dt * sum over t of |promised[t] - sum over d of p[d, t]|, in kWh.
"""

from __future__ import annotations

from dataclasses import dataclass

import highspy
import numpy as np
from numpy.typing import ArrayLike

from podium.errors import InputError, Problem
from podium.flexstore import FlexStore
from podium.market.virtus.joint import JointSet, Programme, add_bound_devices, solved
from podium.market.virtus.response import Fleet, both_ways
from podium.market.virtus.rules import Floats

_GROUPS = 6
_SMOOTHING = 0.6
#: Cost of use in the programme, as a share of the cost of deviating.
_THROUGHPUT = 1e-3


@dataclass(frozen=True, slots=True)
class Undelivered:
    """What is missing of a promise, as a bracket.

    lower_kwh     proven: no schedule misses the promise by less
    upper_kwh     what `delivered_kw` misses
    delivered_kw  (step,) the sum of schedules found
    """

    lower_kwh: float
    upper_kwh: float
    delivered_kw: Floats


def undelivered(
    promised_kw: ArrayLike,
    devices: JointSet,
    *,
    gap: float = 0.01,
    rounds: int = 200,
    explicit_devices: int = 200,
) -> Undelivered:
    """The least absolute deviation from a promise (step,) over all that the devices can do together.

    First with charging and discharging at once allowed: by one linear programme for up to `explicit_devices`
    devices that are not free or where connections bind, else by prices until upper - lower <= gap * upper, or
    for `rounds`. Then without: the price found proves the lower end, and a replay of the schedules gives the
    upper one. On/off decisions stay relaxed, and a replay may inject more than a connection that binds allows.

    Raises InputError where the promise has not one number per step or a device contradicts itself, SolverError
    where the devices of a POD do together.
    """
    promised = _promise(promised_kw, devices.store.steps)
    fleet = Fleet.of(devices)
    by_prices = fleet.mostly_alone and fleet.store.devices > explicit_devices
    found = _by_prices(promised, fleet, gap, rounds) if by_prices else _explicit(promised, devices)
    free = devices.free_range_kw()
    answer = fleet.powers(-found.price / devices.step_hours, exclusive=True)
    proven = max(_proven(found.price, promised, answer.sum(axis=0), *free), 0.0)
    bound = _replayed(fleet.store, found.powers, devices.step_hours).sum(axis=0)
    delivered = bound + np.clip(promised - bound, *free)
    missing = float(devices.step_hours * np.abs(promised - delivered).sum())
    return Undelivered(min(proven, missing), missing, delivered)


@dataclass(frozen=True, slots=True)
class _Relaxed:
    """Solution with charging and discharging at once: price (step,) in kWh per kW, powers (device, step)."""

    price: Floats
    powers: Floats


def _explicit(promised: Floats, devices: JointSet) -> _Relaxed:
    """All devices in one linear programme, at a trifling cost of use that keeps stores from idle cycling."""
    programme = Programme()
    net = programme.rows(promised, promised)
    zeros = np.zeros(len(promised))
    for sign in (1.0, -1.0):
        programme.put(net, programme.columns(zeros, np.inf, devices.step_hours), sign)
    programme.put(net, programme.columns(*devices.free_range_kw()), 1.0)
    little = _THROUGHPUT * devices.step_hours
    flows = add_bound_devices(programme, devices, little, little)
    programme.put(net, flows.plus, 1.0)
    programme.put(net, flows.minus, -1.0)
    solution = solved(programme.solver(interior=True))
    price = np.clip(np.array(solution.row_dual)[net], -devices.step_hours, devices.step_hours)
    return _Relaxed(price, flows.powers(np.array(solution.col_value)))


def _by_prices(promised: Floats, fleet: Fleet, gap: float, rounds: int) -> _Relaxed:
    """By column generation, the schedules mixed from all answers."""
    search = _Search(promised, fleet)
    search.ask(np.zeros(len(promised)))
    search.run(gap, rounds)
    powers = np.zeros((fleet.store.devices, len(promised)))
    for weight, price in zip(search.master.weights(), search.tried, strict=True):
        if weight.any():
            answer = fleet.powers(-price / fleet.devices.step_hours, exclusive=False)
            powers += weight[search.group][:, None] * answer
    return _Relaxed(search.best, powers)


class _Search:
    """Column generation: each price brings an answer, the answers' best mix brings the next price.

    The next price is drawn towards the one that has proven most (Wentges smoothing).
    """

    def __init__(self, promised: Floats, fleet: Fleet) -> None:
        self._promised, self._fleet = promised, fleet
        self._free = fleet.devices.free_range_kw()
        self.group = np.arange(fleet.store.devices) % _GROUPS
        self.master = _Master(promised, fleet.devices.step_hours, *self._free)
        self.tried: list[Floats] = []
        self.best, self.lower = np.zeros(len(promised)), 0.0

    def ask(self, price: Floats) -> None:
        """The devices' answer to a price (step,), and what it proves."""
        powers = self._fleet.powers(-price / self._fleet.devices.step_hours, exclusive=False)
        answer = np.zeros((_GROUPS, len(price)))
        np.add.at(answer, self.group, powers)
        self.tried.append(price)
        self.master.add(answer)
        proven = _proven(price, self._promised, answer.sum(axis=0), *self._free)
        if proven > self.lower:
            self.best, self.lower = price, proven

    def run(self, gap: float, rounds: int) -> None:
        """Until the best mix misses at most a share `gap`, or 0.1 % of the promise, more than is proven."""
        enough = 1e-3 * self._fleet.devices.step_hours * np.abs(self._promised).sum()
        upper, price = self.master.solve()
        smoothing = 0.0
        for _ in range(rounds):
            if upper - self.lower <= max(gap * upper, enough):
                break
            self.ask(smoothing * self.best + (1.0 - smoothing) * price)
            before = upper
            upper, price = self.master.solve()
            smoothing = _SMOOTHING if upper < before else 0.0


def _proven(price: Floats, promised: Floats, answer: Floats, free_min: Floats, free_max: Floats) -> float:
    """Weak duality: price . promised - (greatest price . power that the devices reach), for |price| <= dt."""
    return float(price @ (promised - answer) - np.maximum(price * free_min, price * free_max).sum())


def _replayed(store: FlexStore, powers: Floats, step_hours: float) -> Floats:
    """The same net powers (device, step) without charging and discharging at once, less where a store is full.

    Doing both loses energy, so the replayed level is never below the planned one: it can only run full.
    """
    both = both_ways(store)
    k_plus, k_minus = store.full("k_plus"), store.full("k_minus")
    replayed, energy = powers.copy(), store.e_initial.copy()
    for step in range(store.steps):
        kept = store.full("keep")[:, step] * energy + store.full("drift")[:, step]
        room = store.full("e_max")[:, step] - kept
        rate = np.where(room > 0.0, k_plus[:, step], k_minus[:, step]) * step_hours
        most = np.divide(room, rate, out=np.full(len(room), np.inf), where=both[:, step])
        power = np.maximum(np.minimum(powers[:, step], most), store.full("p_min")[:, step])
        stored = np.where(power > 0.0, k_plus[:, step], k_minus[:, step]) * power
        replayed[:, step] = power
        energy = kept + step_hours * np.where(both[:, step], stored, 0.0)
    return replayed


class _Master:
    """Least deviation over the mixes of the answers so far: one convex combination per group."""

    def __init__(self, promised: Floats, step_hours: float, free_min: Floats, free_max: Floats) -> None:
        self._steps = len(promised)
        programme = Programme()
        net = programme.rows(promised, promised)
        zeros = np.zeros(self._steps)
        for sign in (1.0, -1.0):
            programme.put(net, programme.columns(zeros, np.inf, step_hours), sign)
        programme.put(net, programme.columns(free_min, free_max), 1.0)
        programme.rows(np.ones(_GROUPS), 1.0)
        self._solver = programme.solver()
        self._solution = highspy.HighsSolution()

    def add(self, answer: Floats) -> None:
        """Columns for the groups' sums (group, step)."""
        for group, power in enumerate(answer):
            rows = np.append(np.flatnonzero(power), self._steps + group).astype(np.int32)
            values = np.append(power[power != 0.0], 1.0)
            self._solver.addCol(0.0, 0.0, np.inf, len(rows), rows, values)

    def solve(self) -> tuple[float, Floats]:
        """(kWh missed by the best mix, price (step,) in kWh per kW, within -dt..dt)."""
        self._solution = solved(self._solver)
        price = np.array(self._solution.row_dual[: self._steps])
        return float(self._solver.getInfo().objective_function_value), price

    def weights(self) -> Floats:
        """Share of each answer in the best mix (answer, group)."""
        return np.array(self._solution.col_value[3 * self._steps :]).reshape(-1, _GROUPS)


def _promise(promised_kw: ArrayLike, steps: int) -> Floats:
    promised = np.asarray(promised_kw, dtype=np.float64)
    if promised.shape != (steps,) or not np.all(np.isfinite(promised)):
        value = f"shape {promised.shape}, {np.sum(~np.isfinite(promised))} numbers missing"
        raise InputError(Problem("promised trajectory", value, f"{steps} finite numbers, one per step"))
    return promised
