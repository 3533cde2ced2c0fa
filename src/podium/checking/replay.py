"""Can devices follow an activation: their powers moved away from a schedule during a window?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from podium.checking.chp import running
from podium.checking.ends import free_to_end
from podium.checking.judge import TOLERANCE_KW, check_connections, check_power, net_kw
from podium.checking.limits import Floats, StoreLimits, column
from podium.checking.reach import Gains, lack_kwh, lack_of_one_kwh
from podium.checking.report import CheckReport, Findings
from podium.checking.schedule import Part, Schedule, parts
from podium.errors import InputError, Problem
from podium.portfolio import Portfolio


def replay(
    portfolio: Portfolio,
    schedule: Schedule,
    delta_kw: Floats,
    tolerance_kw: float = TOLERANCE_KW,
    window: tuple[int, int] | None = None,
    *,
    end_levels: bool = True,
) -> CheckReport:
    """Judge an activation `delta_kw` (device, step), + for more net withdrawal, rows in the order of the schedule.

    The window runs from the first to the last step in which any delta is not 0, or is given as first and one past the
    last step. Before it everything is as scheduled. Within it powers are scheduled + delta and must keep the limits of
    power and of the PODs' connections; boilers, back-up heaters and vents may respond. After it each device must have
    some way on by itself that keeps its store within its limits to the horizon's end, its end level included (unless
    `end_levels` is False); the way on of a CHP keeps its scheduled running and resting, and with a ramp its scheduled
    power. The schedule itself is taken to be good. An EV that leaves with less than it wanted breaks no limit: that is
    a matter of money.
    """
    if delta_kw.shape != schedule.power_kw.shape:
        raise InputError(Problem("delta_kw", f"shape {delta_kw.shape}", f"{schedule.power_kw.shape}, device x step"))
    portfolio = portfolio if end_levels else free_to_end(portfolio)
    first, last = window or _window(delta_kw)
    findings = Findings(portfolio.horizon, portfolio.ids, tolerance_kw)
    moved = replace(schedule, power_kw=schedule.power_kw + delta_kw)
    planned, followed = list(parts(portfolio, schedule)), list(parts(portfolio, moved))
    inside = slice(first, last)
    for plan, part in zip(planned, followed, strict=True):
        check_power(findings, part.limits, part.power_kw[:, inside], inside)
        _check_rule(findings, plan, part, inside)
        _check_way_on(findings, plan, part, inside)
    check_connections(findings, portfolio, net_kw(portfolio, followed)[:, inside], first)
    return findings.report()


def _window(delta_kw: Floats) -> tuple[int, int]:
    moved = np.flatnonzero((delta_kw != 0).any(axis=0))
    return (int(moved[0]), int(moved[-1]) + 1) if moved.size else (0, 0)


def _check_rule(findings: Findings, plan: Part, part: Part, inside: slice) -> None:
    """Rules over several steps; after the window a battery rests and an engine does as scheduled."""
    if part.kind.rule is None:
        return
    power = plan.power_kw.copy()
    power[:, inside] = part.power_kw[:, inside]
    if part.name == "battery":
        power[:, inside.stop :] = 0.0
    part.kind.rule(findings, part.table, part.limits, findings.horizon, power)


def _check_way_on(findings: Findings, plan: Part, part: Part, inside: slice) -> None:
    """From the scheduled level at the window's start the store can be kept within its limits to the end."""
    store = part.limits.store
    if store is None or inside.stop <= inside.start:
        return
    gains = _possible_gains(findings, store, plan, part, inside)
    start = store.initial_kwh if inside.start == 0 else plan.levels_kwh(findings.horizon)[:, inside.start - 1]
    lack = lack_kwh(store, gains, start, inside.start)
    standing = lack_kwh(store, gains.first_only, start, inside.start)
    for row in np.flatnonzero(gains.broken.any(axis=1) & (lack <= 0) & (standing > 0)):
        lack[row] = lack_of_one_kwh(store, gains, float(start[row]), inside.start, int(row))

    def words(row: int, column: int) -> str:  # noqa: ARG001
        return (
            f"with {start[row]:.9g} kWh at the start of this step it cannot follow the activation and keep its store "
            f"within its limits until the end: {lack[row]:.9g} kWh are too many or missing at some time"
        )

    tolerance = findings.tolerance_kwh(store.scale_kwh)
    first = np.array([inside.start])
    findings.add(part.limits.pod, part.limits.ids, lack[:, None], tolerance, words, "kWh", first)


def _possible_gains(findings: Findings, store: StoreLimits, plan: Part, part: Part, inside: slice) -> Gains:
    """Powers as followed in the window, free after it; boiler, back-up and vent free in both."""
    lower, upper = _possible_power(plan)
    for bound in lower:
        bound[:, inside] = part.power_kw[:, inside]
    upper[0][:, inside], upper[1][:, inside] = np.nan, np.nan
    first, second = (_gain_range(findings, store, part, *bounds) for bounds in (lower, upper))
    return Gains(first[0], first[1], second[0], second[1])


def _possible_power(plan: Part) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats]]:
    """Two ranges (low, high) of net power, kW, the second NaN where there is one range only. Shapes (device, step)."""
    limits, shape = plan.limits, plan.power_kw.shape
    low, high = (np.array(np.broadcast_to(bound, shape)) for bound in (limits.low_kw, limits.high_kw))
    second_low, second_high = np.full(shape, np.nan), np.full(shape, np.nan)
    if limits.least_withdrawal_kw is not None:
        least = np.broadcast_to(limits.least_withdrawal_kw, shape)
        second_low, second_high = np.where(least > 0, least, np.nan), np.where(least > 0, high, np.nan)
        high = np.where(least > 0, 0.0, high)
    if limits.least_injection_kw is not None:
        on, ramped = running(plan.table, plan.power_kw), np.isfinite(plan.table["ramp_kw_per_hour"])
        low = np.where(on, low, 0.0)
        high = np.where(on, -limits.least_injection_kw, 0.0)
        low[ramped], high[ramped] = plan.power_kw[ramped], plan.power_kw[ramped]
    return (low, high), (second_low, second_high)


def _gain_range(
    findings: Findings, store: StoreLimits, part: Part, low_kw: Floats, high_kw: Floats
) -> tuple[Floats, Floats]:
    """Least and greatest gain, kWh, of powers between low and high. Shapes (device, step)."""
    hours, aux, spill = findings.horizon.step_hours, column(part.aux_max_kw), column(part.spill_max_kw)
    least = [store.gain_kwh(power, 0.0, spill, hours) for power in (low_kw, high_kw)]
    greatest = [store.gain_kwh(power, aux, 0.0, hours) for power in (low_kw, high_kw)]
    return np.minimum(*least), np.maximum(*greatest)
