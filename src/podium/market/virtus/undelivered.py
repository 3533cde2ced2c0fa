"""How much of a promised trajectory the devices cannot deliver (docs/maths/virtus.md, section 3).

The least over all schedules of dt * sum over t of |promised[t] - sum over d of p[d, t]|, in kWh.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import highspy
import numpy as np
from numpy.typing import ArrayLike

from podium.errors import InputError, Problem
from podium.flexstore import FlexStore
from podium.market.virtus.following import Followers, nearest
from podium.market.virtus.joint import JointSet, Programme, add_bound_devices, solved
from podium.market.virtus.response import Fleet, both_ways
from podium.market.virtus.rules import Floats

_GROUPS = 6
_SMOOTHING = 0.6
#: Cost of use in the programme, as a share of the cost of deviating.
_THROUGHPUT = 1e-3
#: How many times as long a device takes to answer where it must not charge and discharge at once.
_EXCLUSIVE = 20


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
    held_kw: Floats | None = None,
    gap: float = 0.01,
    effort: int = 100_000,
    explicit_devices: int = 500,
) -> Undelivered:
    """The least absolute deviation from a promise (step,) over all that the devices can do together.

    Up to `explicit_devices` devices that are not free are one linear programme with charging and discharging at once
    allowed; its prices prove the lower end, and a replay of its schedules without it gives the upper one. More of them
    follow the promise step after step, which gives the upper end, and are asked at prices until
    upper - lower <= gap * upper, at most `effort` times in all (a device at a time), which proves the lower end.
    On/off decisions stay relaxed, and a replay may inject more than a connection that binds allows.

    `held_kw` (device, step): powers that are possible for all devices together, such as their baseline; large fleets
    leave devices with ramps, cycle limits or on/off decisions there.

    Raises InputError where the promise has not one number per step or a device contradicts itself, SolverError
    where the devices of a POD do together.
    """
    promised = _promise(promised_kw, devices.store.steps)
    fleet = Fleet.of(devices)
    if fleet.store.devices > explicit_devices:
        return _of_many(promised, fleet, held_kw, gap, effort)
    found = _explicit(promised, devices)
    replayed = _replayed(fleet.store, found.powers, devices.step_hours)
    return _bracket(promised, fleet, _proven_exclusively(found.price, promised, fleet), replayed)


def _of_many(promised: Floats, fleet: Fleet, held_kw: Floats | None, gap: float, effort: int) -> Undelivered:
    """Upper end by following the promise, or the best mix of answers to prices; lower end by the prices."""
    devices, nothing = fleet.devices, np.zeros(len(promised))
    asked = fleet if fleet.mostly_alone else Fleet.of(_loosened(devices))
    search = _Search(promised, asked)
    search.ask(nothing)
    held = fleet.powers(nothing, exclusive=True) if held_kw is None else held_kw[~devices.free()]
    powers = nearest(Followers.of(devices, held), promised, *devices.free_range_kw())
    found = _bracket(promised, fleet, search.lower, powers)
    if found.upper_kwh > search.enough(gap, found.upper_kwh):
        short = float(np.sum(promised - found.delivered_kw))
        search.ask(np.full(len(promised), np.sign(short) * devices.step_hours))
    if fleet.mostly_alone:
        search.know(powers)
    search.run(gap, effort // fleet.store.devices, found.upper_kwh)
    if fleet.mostly_alone and search.mixed_kwh < found.upper_kwh:
        mixed = _bracket(promised, fleet, search.lower, _replayed(fleet.store, search.mix(), devices.step_hours))
        found = min(found, mixed, key=lambda bracket: bracket.upper_kwh)
    proven = search.lower
    if found.upper_kwh - proven > search.enough(gap, found.upper_kwh) and _EXCLUSIVE * fleet.store.devices <= effort:
        proven = max(proven, _proven_exclusively(search.best, promised, asked))
    return replace(found, lower_kwh=min(proven, found.upper_kwh))


def _bracket(promised: Floats, fleet: Fleet, lower_kwh: float, powers: Floats) -> Undelivered:
    """What is proven, and what powers (device, step) of the devices that are not free miss."""
    missing = promised - powers.sum(axis=0)
    missing -= np.clip(missing, *fleet.devices.free_range_kw())
    upper_kwh = float(fleet.devices.step_hours * np.abs(missing).sum())
    return Undelivered(min(max(lower_kwh, 0.0), upper_kwh), upper_kwh, promised - missing)


def _proven_exclusively(price: Floats, promised: Floats, fleet: Fleet) -> float:
    """What a price proves where no store charges and discharges at once, kWh."""
    answer = fleet.powers(-price / fleet.devices.step_hours, exclusive=True).sum(axis=0)
    return _proven(price, promised, answer, *fleet.devices.free_range_kw())


def _loosened(devices: JointSet) -> JointSet:
    """Without what couples steps or devices beyond the dynamic programme: all that was possible still is."""
    store = devices.store
    free = np.full(store.devices, np.inf)
    stores = np.bincount(store.pod[store.has_store], minlength=int(store.pod.max(initial=-1)) + 1)
    several = stores > 1
    withdrawal, injection = (
        None if limit is None else np.where(several, np.inf, limit[: len(several)])
        for limit in (devices.withdrawal_max_kw, devices.injection_max_kw)
    )
    loose = replace(store, ramp=free, discharge_day_max=free)
    return replace(devices, store=loose, withdrawal_max_kw=withdrawal, injection_max_kw=injection)


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


class _Search:
    """Column generation: each price brings an answer, the answers' best mix brings the next price.

    The next price is drawn towards the one that has proven most (Wentges smoothing).
    """

    def __init__(self, promised: Floats, fleet: Fleet) -> None:
        self._promised, self._fleet = promised, fleet
        self._free = fleet.devices.free_range_kw()
        self._group = np.arange(fleet.store.devices) % _GROUPS
        self._master = _Master(promised, fleet.devices.step_hours, *self._free)
        self._schedules: list[Callable[[], Floats]] = []
        self.best, self.lower = np.zeros(len(promised)), 0.0
        self.mixed_kwh = np.inf
        """What the best mix misses, once there is one."""

    def know(self, powers: Floats) -> None:
        """A schedule (device, step) to be mixed with the answers."""
        self._add(powers, lambda: powers)

    def ask(self, price: Floats) -> None:
        """The devices' answer to a price (step,), and what it proves."""
        powers = self._answer(price)
        self._add(powers, lambda: self._answer(price))
        proven = _proven(price, self._promised, powers.sum(axis=0), *self._free)
        if proven > self.lower:
            self.best, self.lower = price, proven

    def enough(self, gap: float, upper_kwh: float) -> float:
        """Between the ends of a good bracket, kWh: a share `gap` of the upper one, or 0.1 % of the promise."""
        return max(gap * upper_kwh, 1e-3 * self._fleet.devices.step_hours * float(np.abs(self._promised).sum()))

    def run(self, gap: float, rounds: int, upper_kwh: float) -> None:
        """Until the best mix, or the schedule that misses `upper_kwh`, misses little more than is proven."""
        smoothing = 0.0
        for _ in range(rounds):
            if upper_kwh - self.lower <= self.enough(gap, upper_kwh):
                break
            before = self.mixed_kwh
            self.mixed_kwh, price = self._master.solve()
            smoothing = _SMOOTHING if self.mixed_kwh < before < np.inf else 0.0
            upper_kwh = min(upper_kwh, self.mixed_kwh)
            self.ask(smoothing * self.best + (1.0 - smoothing) * price)

    def mix(self) -> Floats:
        """The best mix of all schedules (device, step); those found after it have no share."""
        powers = np.zeros((self._fleet.store.devices, len(self._promised)))
        for weight, schedule in zip(self._master.weights(), self._schedules, strict=False):
            if weight.any():
                powers += weight[self._group][:, None] * schedule()
        return powers

    def _answer(self, price: Floats) -> Floats:
        return self._fleet.powers(-price / self._fleet.devices.step_hours, exclusive=False)

    def _add(self, powers: Floats, schedule: Callable[[], Floats]) -> None:
        """A column per group; its powers are found again when they are mixed, so that not all are in memory."""
        summed = np.zeros((_GROUPS, len(self._promised)))
        np.add.at(summed, self._group, powers)
        self._master.add(summed)
        self._schedules.append(schedule)


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
