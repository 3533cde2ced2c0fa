"""What the devices of a portfolio of any size answer to a price (docs/maths/virtus.md, section 3)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from podium.errors import InputError, Problem
from podium.flex.exact import Schedule, by_device, by_pod, solve_exactly
from podium.flex.kernel import Groups
from podium.flexstore import FlexStore
from podium.market.virtus.joint import JointSet, Programme, add_bound_devices, solved
from podium.market.virtus.rules import Bools, Floats, Ints


@dataclass(frozen=True, slots=True)
class Fleet:
    """The devices that are not free, in their order and without costs, by how they are solved.

    store    the devices; below, rows of it
    own      devices alone: dynamic programme per device
    limited  devices of PODs with a connection limit and at most one store: dynamic programme per POD
    hard     per POD with a ramp, a cycle limit, or several stores at a limited connection: a linear programme
    """

    devices: JointSet
    store: FlexStore
    own: Ints
    limited: Ints
    hard: tuple[Ints, ...]

    @classmethod
    def of(cls, devices: JointSet) -> Fleet:
        """Sort the devices; those of a POD must stand together."""
        store = _without_costs(devices.store.take(~devices.free()))
        behind_limit = np.isin(store.pod, devices.limited_pods())
        coupled = np.isfinite(store.ramp) | np.isfinite(store.discharge_day_max)
        coupled |= behind_limit & np.isin(store.pod, _repeated(store.pod[store.has_store & behind_limit]))
        hard = coupled | (behind_limit & np.isin(store.pod, store.pod[coupled]))
        return cls(
            devices,
            store,
            np.flatnonzero(~hard & ~behind_limit),
            np.flatnonzero(~hard & behind_limit),
            tuple(np.flatnonzero(hard & (store.pod == pod)) for pod in np.unique(store.pod[hard])),
        )

    def powers(self, price: Floats, *, exclusive: bool) -> Floats:
        """Powers (device, step), kW, of least cost at `price` (step,), EUR/kWh of any sign.

        With `exclusive` no device in `own` charges and discharges at once; without, it may, which is solved
        much faster where prices are negative. On/off decisions are relaxed, and in `hard` all integers are.
        """
        powers = np.empty((self.store.devices, self.store.steps))
        step_hours = self.devices.step_hours
        alone = self.store.take(self.own)
        relaxed = _exclusive_powers if exclusive else _relaxed_powers
        powers[self.own] = relaxed(alone, by_device(alone, np.arange(len(self.own))), price, step_hours)
        behind = self.store.take(self.limited)
        powers[self.limited] = _exclusive_powers(behind, self._connections(behind), price, step_hours)
        for rows in self.hard:
            powers[rows] = _programmed_powers(replace(self.devices, store=self.store.take(rows)), price)
        return powers

    @property
    def mostly_alone(self) -> bool:
        """Whether nearly all devices can be asked one by one."""
        return len(self.own) >= 0.95 * self.store.devices

    def _connections(self, store: FlexStore) -> Groups:
        pods = np.unique(store.pod)
        free = np.full(int(store.pod.max(initial=-1)) + 1, np.inf)
        withdrawal, injection = self.devices.withdrawal_max_kw, self.devices.injection_max_kw
        return by_pod(store, pods, free if withdrawal is None else withdrawal, free if injection is None else injection)


def both_ways(store: FlexStore) -> Bools:
    """Device-steps (device, step) that can charge and discharge, and would lose energy by doing both at once."""
    lossy = store.full("k_plus") < store.full("k_minus")
    both: Bools = (store.full("p_min") < 0.0) & (store.full("p_max") > 0.0) & lossy
    return both


def _programmed_powers(devices: JointSet, price: Floats) -> Floats:
    """Powers (device, step) of least cost, all integers relaxed."""
    programme = Programme()
    flows = add_bound_devices(programme, devices, price, -price)
    return flows.powers(np.array(solved(programme.solver()).col_value))


def _exclusive_powers(store: FlexStore, groups: Groups, price: Floats, step_hours: float) -> Floats:
    return _solve(store, groups, price, step_hours).p


def _relaxed_powers(store: FlexStore, groups: Groups, price: Floats, step_hours: float) -> Floats:
    """Where energy is worth less than nothing: discharge fully, and be paid for undoing part of it.

    The same choice of net powers, but with convex steps: the undoing is an auxiliary flow into the store.
    """
    k_minus, p_min = store.full("k_minus"), store.full("p_min")
    burning = both_ways(store) & (price < 0.0)
    forced = np.where(burning, p_min, 0.0)
    saved = np.divide(price, k_minus, out=np.zeros_like(forced), where=burning)
    convex = replace(
        store,
        p_min=np.where(burning, 0.0, p_min),
        drift=store.full("drift") + step_hours * k_minus * forced,
        aux_max=np.where(burning, -k_minus * forced, store.full("aux_max")),
        aux_cost=np.where(burning, saved, store.full("aux_cost")),
    )
    schedule = _solve(convex, groups, price, step_hours)
    return schedule.p + forced + np.divide(schedule.aux, k_minus, out=np.zeros_like(forced), where=burning)


def _solve(store: FlexStore, groups: Groups, price: Floats, step_hours: float) -> Schedule:
    """Cheapest schedules, all groups at the same price."""
    schedule = Schedule.empty(store.devices, store.steps)
    same_price = groups._replace(price=np.zeros(len(groups.storing), dtype=np.int64))
    row = np.ascontiguousarray(price[None])
    conflicts = solve_exactly(store, same_price, row, row, step_hours, schedule)
    if conflicts:
        raise InputError([_conflict(store, groups, group, found.step) for group, found in conflicts.items()])
    return schedule


def _conflict(store: FlexStore, groups: Groups, group: int, step: int) -> Problem:
    device = store.ids[groups.members[groups.first[group]]]
    return Problem(f"device {device!r}, step {step}", "limits that contradict each other", "a feasible device")


def _without_costs(store: FlexStore) -> FlexStore:
    """Costs play no part in what devices can deliver."""
    none = np.zeros((store.devices, 1))
    return replace(
        store,
        cost_plus=none,
        cost_minus=none,
        aux_cost=none,
        shortfall_cost=none,
        e_value=np.zeros(store.devices),
    )


def _repeated(pod: Ints) -> Ints:
    pods, counts = np.unique(pod, return_counts=True)
    return pods[counts > 1]
