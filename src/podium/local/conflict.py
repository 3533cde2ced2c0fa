"""Why a POD has no schedule, in words and numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from podium.errors import SolverError
from podium.flex.highs import Solver
from podium.flex.program import build
from podium.flexstore import FlexStore, Floats
from podium.horizon import Horizon
from podium.portfolio import Meter

Ints = NDArray[np.int64]

#: Less than this, kW or kWh, breaks no limit.
CRUMB = 1e-6
#: Time for each question to a programme, s, and how often the least injection is halved in.
SECONDS, HALVINGS = 5.0, 14


def reason(store: FlexStore, meter: Meter, pod: int, horizon: Horizon) -> str:
    """The limits in conflict and the number that breaks them, for a POD (row) without a schedule."""
    devices = np.flatnonzero(store.pod == pod)
    for device in devices:
        words = _power_words(store, int(device), horizon) or _store_words(store, int(device), horizon)
        if words is not None:
            return f"device {str(store.ids[device])!r}: {words}"
    return _least_power_words(store, meter, pod, devices, horizon) or _rules_words(store, meter, pod, devices, horizon)


def _power_words(store: FlexStore, device: int, horizon: Horizon) -> str | None:
    low, high = store.full("p_min")[device], store.full("p_max")[device]
    for step in np.flatnonzero(low > high + CRUMB)[:1]:
        return (
            f"{_at(horizon, step)} its least power of {low[step]:.4g} kW is above its greatest of {high[step]:.4g} kW"
        )
    return None


def _store_words(store: FlexStore, device: int, horizon: Horizon) -> str | None:
    """The first step by which a store cannot have been kept within its limits, whatever its power before."""
    if not store.has_store[device]:
        return None
    part = store.take(np.array([device]))
    least, most = _gains(part, horizon.step_hours)
    keep, drift, floor, ceiling = (part.full(name)[0] for name in ("keep", "drift", "e_min", "e_max"))
    low = high = float(part.e_initial[0])
    for step in range(store.steps):
        low, high = keep[step] * low + drift[step] + least[step], keep[step] * high + drift[step] + most[step]
        ends = f"its store ends the step of {_moment(horizon, step)}"
        if high < floor[step] - CRUMB:
            short = f"{floor[step] - high:.3f} kWh short of the {floor[step]:.3f} kWh it must hold"
            return f"even at full input {ends} {short}"
        if low > ceiling[step] + CRUMB:
            above = f"{low - ceiling[step]:.3f} kWh above the {ceiling[step]:.3f} kWh it can hold"
            return f"even at least input {ends} {above}"
        low, high = max(low, floor[step]), min(high, ceiling[step])
    return None


def _gains(part: FlexStore, step_hours: float) -> tuple[Floats, Floats]:
    """Least and greatest gain of one store in each step, kWh. Shapes (step,)."""
    ends = [
        np.where(power > 0, part.full("k_plus") * power, part.full("k_minus") * power)[0]
        for power in (part.full("p_min"), part.full("p_max"))
    ]
    least = np.minimum(*ends) - part.full("spill_max")[0]
    return step_hours * least, step_hours * (np.maximum(*ends) + part.full("aux_max")[0])


def _least_power_words(store: FlexStore, meter: Meter, pod: int, devices: Ints, horizon: Horizon) -> str | None:
    """Power that no choice can bring down to the connection."""
    w_max, i_max = meter.withdrawal_max[pod], meter.injection_max[pod]
    low, high = store.full("p_min")[devices].sum(axis=0), store.full("p_max")[devices].sum(axis=0)
    for verb, power, name, limit in (
        ("withdraw", low, "withdrawal_max_kw", w_max),
        ("inject", -high, "injection_max_kw", i_max),
    ):
        step = int(np.argmax(power))
        if power[step] > limit + CRUMB:
            over = f"{power[step] - limit:.3f} kW more than {name} {limit:g}"
            return f"{_at(horizon, step)} its devices {verb} at least {power[step]:.3f} kW, {over}"
    return None


def _rules_words(store: FlexStore, meter: Meter, pod: int, devices: Ints, horizon: Horizon) -> str:
    """Conflicts over several steps: rules of one device, or what the connection leaves for the energy needed."""
    free = _freed(meter, withdrawal=True, injection=True)
    for device in devices[store.memory[devices]]:
        if _impossible(store, free, pod, np.array([device]), horizon):
            what = "its heat or energy needed, least power, least times, ramp and cycles cannot all be kept"
            return f"device {str(store.ids[device])!r}: {what}"
    w_max, i_max = meter.withdrawal_max[pod], meter.injection_max[pod]
    least = _least_withdrawal(store, meter, pod, devices, horizon)
    if least is not None and least > w_max + CRUMB:
        over = f"{least - w_max:.3f} kW more than withdrawal_max_kw {w_max:g}"
        return f"to keep its devices' limits it must withdraw at least {least:.3f} kW in some step, {over}"
    least = _least_injection(store, meter, pod, devices, horizon)
    if least is not None:
        over = f"{least - i_max:.3f} kW more than injection_max_kw {i_max:g}"
        return f"to keep its devices' limits it must inject at least {least:.3f} kW in some step, {over}"
    given = [f"{name} {limit:g}" for name, limit in (("withdrawal_max_kw", w_max), ("injection_max_kw", i_max))]
    bounds = " and ".join(text for text in given if not text.endswith("inf"))
    return "its devices' limits" + (f" cannot be kept with {bounds}" if bounds else " contradict each other")


def _least_withdrawal(store: FlexStore, meter: Meter, pod: int, devices: Ints, horizon: Horizon) -> float | None:
    """The least greatest withdrawal, kW, that the devices can do with; None where that cannot be told."""
    zero = np.zeros_like(meter.buy)
    peak = replace(_freed(meter, withdrawal=True), buy=zero, sell=zero, peak_cost=np.ones_like(meter.peak_cost))
    program = build(store, devices[None, :], peak, np.array([pod]), horizon.step_hours, horizon.day, exclusive=False)
    try:
        solved = Solver(program.arrays, SECONDS, 1e-3).solve(0)
    except SolverError:
        return None
    return float(solved.bound) if solved.x is not None else None


def _least_injection(store: FlexStore, meter: Meter, pod: int, devices: Ints, horizon: Horizon) -> float | None:
    """The least greatest injection, kW, that the devices can do with, by halving; None where it is not at fault."""
    low = float(meter.injection_max[pod])
    high = max(float(-store.full("p_min")[devices].sum(axis=0).min()), 0.0)
    if low >= high or _impossible(store, _freed(meter, injection=True), pod, devices, horizon):
        return None
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        tried = replace(meter, injection_max=np.full_like(meter.injection_max, middle))
        if _impossible(store, tried, pod, devices, horizon):
            low = middle
        else:
            high = middle
    return low


def _freed(meter: Meter, *, withdrawal: bool = False, injection: bool = False) -> Meter:
    """The meter without limits on one side or both."""
    none = np.full_like(meter.withdrawal_max, np.inf)
    return replace(
        meter,
        withdrawal_max=none if withdrawal else meter.withdrawal_max,
        injection_max=none if injection else meter.injection_max,
    )


def _impossible(store: FlexStore, meter: Meter, pod: int, devices: Ints, horizon: Horizon) -> bool:
    """Whether the devices are proven to have no schedule behind this meter."""
    pods = np.array([pod])
    program = build(store, devices[None, :], meter, pods, horizon.step_hours, horizon.day, exclusive=False)
    try:
        return Solver(program.arrays, SECONDS, 1.0).solve(0).infeasible
    except SolverError:
        return False


def _at(horizon: Horizon, step: int | np.int64) -> str:
    return f"in the step of {_moment(horizon, step)}"


def _moment(horizon: Horizon, step: int | np.int64) -> str:
    return horizon.times[int(step)].isoformat(timespec="minutes")
