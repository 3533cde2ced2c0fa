"""Level 1 of the reference method: every POD's least and greatest sum of net power (docs/maths/virtus.md, 1).

The sum over steps and devices separates over the devices, so each is a small problem with an exact answer:
a box with one limit on its sum, or the storage of `storage.py`. No solver, no POD model.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from podium.errors import Problem
from podium.market.virtus.rules import Bools, Floats, Ints, ShiftTable, StorageTable
from podium.market.virtus.storage import net_power

_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class Level1:
    """The two trajectories of every POD and what the reference says they cost.

    min_kw, max_kw          (pod, step) net power whose sum over the steps is least and greatest
    min_sum_kw, max_sum_kw  (pod,) those sums: kW summed over steps, for want of a step length
    min_cost, max_cost      (pod, step) mean over the POD's priced devices of the cost of shifting at all
    failed                  (pod,) PODs without a schedule; they stand with the sum of their forecasts
    problems                one per device that has no schedule
    """

    min_kw: Floats
    max_kw: Floats
    min_sum_kw: Floats
    max_sum_kw: Floats
    min_cost: Floats
    max_cost: Floats
    failed: Bools
    problems: tuple[Problem, ...]


def solve_level1(shifts: ShiftTable, storages: StorageTable | None, pods: int) -> Level1:
    """Both trajectories of `pods` PODs from all their devices.

    Given profiles (BESS, PONTLAB) are not in the reference's model, so they are in neither table.
    Of all trajectories with the same sum, a device takes the one that uses the same fraction of its room in
    every step, starting from its forecast; a storage moves as early as possible.
    """
    problems, bad_shift, bad_storage = _unsolvable(shifts, storages)
    failed = np.zeros(pods, dtype=bool)
    failed[shifts.pod[bad_shift]] = True
    if storages is not None:
        failed[storages.pod[bad_storage]] = True
    low = _side(shifts, storages, failed, 1.0)
    high = _side(shifts, storages, failed, -1.0)
    return Level1(low[0], high[0], low[1], high[1], low[2], high[2], failed, problems)


def least_shift(table: ShiftTable) -> Floats:
    """Shift (device, step) of least sum."""
    return _shift_to(table, np.maximum(table.sum_min_kw, table.shift_min_kw.sum(axis=1)))


def greatest_shift(table: ShiftTable) -> Floats:
    """Shift (device, step) of greatest sum."""
    return _shift_to(table, np.minimum(table.sum_max_kw, table.shift_max_kw.sum(axis=1)))


def _shift_to(table: ShiftTable, target: Floats) -> Floats:
    """From the shift nearest to zero, the same fraction of every step's room until the sum is `target`."""
    start = np.clip(0.0, table.shift_min_kw, table.shift_max_kw)
    missing = target - start.sum(axis=1)
    room = np.where((missing < 0.0)[:, None], table.shift_min_kw, table.shift_max_kw) - start
    whole = room.sum(axis=1)
    fraction = np.divide(missing, whole, out=np.zeros_like(missing), where=whole != 0.0)
    shift: Floats = start + np.clip(fraction, 0.0, 1.0)[:, None] * room
    return shift


def _side(
    shifts: ShiftTable, storages: StorageTable | None, failed: Bools, sign: float
) -> tuple[Floats, Floats, Floats]:
    """Trajectory (pod, step), its sum (pod,) and cost (pod, step) on one side: sign 1 least, -1 greatest."""
    shift = least_shift(shifts) if sign > 0 else greatest_shift(shifts)
    shift[failed[shifts.pod]] = 0.0
    power = sum_by_pod(shifts.forecast_kw + shift, shifts.pod, len(failed))
    if storages is not None and len(storages):
        net = _storage_power(storages, sign)
        net[failed[storages.pod]] = 0.0
        power += sum_by_pod(net, storages.pod, len(failed))
    return power, power.sum(axis=1), _mean_cost(shifts, shift, len(failed))


def _mean_cost(shifts: ShiftTable, shift: Floats, pods: int) -> Floats:
    """The reference's POD cost: a flat sum per shifting device and step, averaged over the priced devices.

    A POD without a priced device divides by zero in the reference; its cost is zero here.
    """
    charged = np.where(shift < 0.0, shifts.down_cost, 0.0) + np.where(shift > 0.0, shifts.up_cost, 0.0)
    total = sum_by_pod(charged * shifts.priced[:, None], shifts.pod, pods)
    devices = np.bincount(shifts.pod, weights=shifts.priced, minlength=pods)
    return total / np.maximum(devices, 1.0)[:, None]


def sum_by_pod(values: Floats, pod: Ints, pods: int) -> Floats:
    """Sum of device rows (device, step) by POD (pod, step)."""
    result = np.zeros((pods, values.shape[1]))
    np.add.at(result, pod, values)
    return result


def _storage_power(storages: StorageTable, sign: float) -> Floats:
    usable = ~_storage_faults(storages)
    result = np.zeros(storages.charge_max_kw.shape)
    result[usable] = net_power(
        storages.level_initial_kw[usable],
        storages.level_max_kw[usable],
        storages.charge_max_kw[usable],
        storages.discharge_max_kw[usable],
        storages.charge_efficiency[usable],
        storages.discharge_efficiency[usable],
        sign,
    )
    return result


def _unsolvable(shifts: ShiftTable, storages: StorageTable | None) -> tuple[tuple[Problem, ...], Bools, Bools]:
    least, most = shifts.shift_min_kw.sum(axis=1), shifts.shift_max_kw.sum(axis=1)
    slack = _TOLERANCE * (1.0 + np.abs(shifts.forecast_kw).sum(axis=1))
    crossed = np.any(shifts.shift_min_kw > shifts.shift_max_kw + slack[:, None], axis=1)
    apart = (least > shifts.sum_max_kw + slack) | (most < shifts.sum_min_kw - slack)
    apart |= shifts.sum_min_kw > shifts.sum_max_kw + slack
    problems = [_crossed_problem(shifts, row) for row in _rows(crossed)]
    problems += [_sum_problem(shifts, row) for row in _rows(apart & ~crossed)]
    faulty = np.zeros(0, dtype=bool) if storages is None else _storage_faults(storages)
    if storages is not None:
        problems += [_storage_problem(storages, row) for row in _rows(faulty)]
    return tuple(problems), crossed | apart, faulty


def _rows(marked: Bools) -> list[int]:
    return [int(row) for row in np.flatnonzero(marked)]


def _storage_faults(storages: StorageTable) -> Bools:
    level_ok = (storages.level_initial_kw >= 0.0) & (storages.level_initial_kw <= storages.level_max_kw)
    limits_ok = np.all((storages.charge_max_kw >= 0.0) & (storages.discharge_max_kw >= 0.0), axis=1)
    charge, discharge = storages.charge_efficiency, storages.discharge_efficiency
    losses_ok = (charge > 0.0) & (charge <= 1.0) & (discharge > 0.0) & (discharge <= 1.0)
    faults: Bools = ~(level_ok & limits_ok & losses_ok)
    return faults


def _crossed_problem(shifts: ShiftTable, row: int) -> Problem:
    gap = shifts.shift_min_kw[row] - shifts.shift_max_kw[row]
    step = int(np.argmax(gap))
    least, most = shifts.shift_min_kw[row, step], shifts.shift_max_kw[row, step]
    value = f"shift limits {least:g} to {most:g} kW at step {step}"
    where = f"POD {shifts.pod[row]}, shifting device {row}"
    return Problem(where, value, "a lower limit not above the upper one")


def _sum_problem(shifts: ShiftTable, row: int) -> Problem:
    least, most = shifts.shift_min_kw[row].sum(), shifts.shift_max_kw[row].sum()
    value = f"a sum of shifts from {shifts.sum_min_kw[row]:g} to {shifts.sum_max_kw[row]:g} kW"
    expected = f"a range that meets what the steps allow, {least:g} to {most:g} kW"
    return Problem(f"POD {shifts.pod[row]}, shifting device {row}", value, expected)


def _storage_problem(storages: StorageTable, row: int) -> Problem:
    value = (
        f"level {storages.level_initial_kw[row]:g} of {storages.level_max_kw[row]:g} kW, efficiencies "
        f"{storages.charge_efficiency[row]:g} and {storages.discharge_efficiency[row]:g}"
    )
    expected = "0 <= level <= greatest level, power limits >= 0, efficiencies above 0 and at most 1"
    return Problem(f"POD {storages.pod[row]}, storage {row}", value, expected)
