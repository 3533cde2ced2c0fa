"""Why a POD has no schedule, in words and numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from podium.errors import SolverError
from podium.flex.exact import Conflict, Schedule, by_device, solve_exactly
from podium.flex.highs import Solver
from podium.flex.program import build
from podium.flexstore import FlexStore
from podium.horizon import Horizon
from podium.portfolio import Meter

Ints = NDArray[np.int64]


def reason(store: FlexStore, meter: Meter, pod: int, horizon: Horizon) -> str:
    """The limits in conflict and the number that breaks them, for a POD (row) without a schedule."""
    devices = np.flatnonzero(store.pod == pod)
    groups = by_device(store, devices)
    free = np.zeros((len(meter.withdrawal_max), store.steps))
    scratch = Schedule.empty(store.devices, store.steps)
    alone = solve_exactly(store, groups, free, free, horizon.step_hours, scratch)
    for n, conflict in alone.items():
        return _device_words(store, int(devices[n]), conflict, horizon)
    return _connection_words(store, meter, pod, devices, horizon)


def _device_words(store: FlexStore, device: int, conflict: Conflict, horizon: Horizon) -> str:
    name, moment = store.ids[device], horizon.times[conflict.step].isoformat()
    if not conflict.energy:
        return f"device {name!r}: its least power lies above its greatest in the step of {moment}"
    low = store.full("e_min")[device, conflict.step]
    high = store.full("e_max")[device, conflict.step]
    if conflict.amount < 0:
        return (
            f"device {name!r}: at full input its store ends the step of {moment} at least "
            f"{-conflict.amount:.3f} kWh short of what later steps need (limits {low:g} to {high:g} kWh)"
        )
    return (
        f"device {name!r}: at least input its store ends the step of {moment} at least "
        f"{conflict.amount:.3f} kWh above what later steps allow (limits {low:g} to {high:g} kWh)"
    )


def _connection_words(store: FlexStore, meter: Meter, pod: int, devices: Ints, horizon: Horizon) -> str:
    """Compare the connection with the least peaks of withdrawal and of injection that the devices can do with."""
    w_max, i_max = meter.withdrawal_max[pod], meter.injection_max[pod]
    low, high = store.full("p_min")[devices].sum(axis=0), store.full("p_max")[devices].sum(axis=0)
    if (low > w_max).any():
        step = int(np.argmax(low - w_max))
        return _beyond("withdraw", low[step], "withdrawal_max_kw", w_max, horizon.times[step].isoformat())
    if (-high > i_max).any():
        step = int(np.argmax(-high - i_max))
        return _beyond("inject", -high[step], "injection_max_kw", i_max, horizon.times[step].isoformat())
    least = _least_peak(store, meter, pod, devices, horizon)
    if least is not None and least > w_max + 1e-6:
        return (
            f"its devices need a withdrawal of at least {least:.3f} kW in some step, {least - w_max:.3f} kW more than "
            f"withdrawal_max_kw {w_max:g}"
        )
    return f"its devices' rules and the connection (withdrawal {w_max:g} kW, injection {i_max:g} kW) cannot all be kept"


def _beyond(verb: str, power: float, name: str, limit: float, moment: str) -> str:
    return f"its devices {verb} at least {power:.3f} kW in the step of {moment}, above {name} {limit:g}"


def _least_peak(store: FlexStore, meter: Meter, pod: int, devices: Ints, horizon: Horizon) -> float | None:
    """The least greatest withdrawal, kW, that the devices can do with; None where that cannot be told."""
    zero = np.zeros_like(meter.buy)
    peak = replace(
        meter,
        buy=zero,
        sell=zero,
        withdrawal_max=np.full_like(meter.withdrawal_max, np.inf),
        peak_cost=np.ones_like(meter.peak_cost),
    )
    pods = np.array([pod])
    program = build(store, devices[None, :], peak, pods, horizon.step_hours, horizon.day, exclusive=False)
    try:
        solved = Solver(program.arrays, 10.0, 1e-3).solve(0)
    except SolverError:
        return None
    return float(solved.bound) if solved.x is not None else None
