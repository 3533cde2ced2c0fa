"""From the canonical form to the dynamic programme and back."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from podium.flex.kernel import SOLVED, Answer, Columns, Groups, solve_groups
from podium.flex.piecewise import EXACT
from podium.flexstore import FlexStore, Floats


@dataclass(frozen=True)
class Schedule:
    """What every device does. All of shape (device, step)."""

    p: Floats
    """Net power, kW, load convention."""
    e: Floats
    """Energy at the end of the step, kWh (0 without a store)."""
    aux: Floats
    """Auxiliary flow into the store, kW."""
    spill: Floats
    """Flow vented from the store, kW."""

    @classmethod
    def empty(cls, devices: int, steps: int) -> Schedule:
        """A schedule of zeros."""
        return cls(*(np.zeros((devices, steps)) for _ in range(4)))


@dataclass(frozen=True)
class Conflict:
    """Where a POD's limits contradict each other: `energy` tells a store's limits from the meter's."""

    step: int
    amount: float
    energy: bool


def by_pod(store: FlexStore, pods: NDArray[np.int64], withdrawal_max: Floats, injection_max: Floats) -> Groups:
    """One group per POD (row numbers `pods`), each with at most one device that has a store."""
    first, last = np.searchsorted(store.pod, pods), np.searchsorted(store.pod, pods, side="right")
    sizes = last - first
    offsets = np.concatenate(([0], np.cumsum(sizes)))
    members = np.arange(offsets[-1]) - np.repeat(offsets[:-1] - first, sizes)
    storing = np.full(len(pods), -1, dtype=np.int64)
    owner = np.repeat(np.arange(len(pods)), sizes)
    kept = store.has_store[members]
    storing[owner[kept]] = members[kept]
    return Groups(offsets, members, storing, pods, withdrawal_max[pods], injection_max[pods])


def by_device(store: FlexStore, devices: NDArray[np.int64]) -> Groups:
    """One group per device, without limits at the meter."""
    free = np.full(len(devices), np.inf)
    storing = np.where(store.has_store[devices], devices, -1)
    return Groups(np.arange(len(devices) + 1), devices, storing, store.pod[devices], free, free)


@cache
def ready() -> None:
    """Load the compiled kernel once per process, so that no POD's time contains it."""
    nothing = np.zeros(0, dtype=np.int64)
    store = FlexStore.of(np.zeros(0, dtype=object), nothing, 1)
    groups = Groups(np.zeros(1, dtype=np.int64), nothing, nothing, nothing, np.zeros(0), np.zeros(0))
    solve_exactly(store, groups, np.zeros((1, 1)), np.zeros((1, 1)), 1.0, Schedule.empty(0, 1))


def solve_exactly(
    store: FlexStore,
    groups: Groups,
    buy: Floats,
    sell: Floats,
    step_hours: float,
    into: Schedule,
    flat_eur: float = EXACT,
) -> dict[int, Conflict]:
    """Write the optimal schedule of every group into `into`; returns the conflict of each group without one.

    `buy` and `sell`, EUR/kWh, have shape (price row, step). `flat_eur`: value functions that are not convex may be off
    by this much per step.
    """
    count = len(groups.storing)
    status, step = np.zeros(count, dtype=np.int64), np.full(count, -1, dtype=np.int64)
    answer = Answer(into.p, into.e, into.aux, into.spill, status, step, np.zeros(count))
    columns = Columns(*(getattr(store, name) for name in Columns._fields))
    solve_groups(columns, groups, np.ascontiguousarray(buy), np.ascontiguousarray(sell), step_hours, flat_eur, answer)
    return {
        int(n): Conflict(int(step[n]), float(answer.amount[n]), bool(status[n] == 2))
        for n in np.flatnonzero(status != SOLVED)
    }
