"""Does a schedule keep every rule of the study?"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from podium.checking.ends import free_to_end
from podium.checking.limits import Floats, Limits, StoreLimits, at, column, during
from podium.checking.report import CheckReport, Findings
from podium.checking.schedule import Part, Schedule, parts
from podium.errors import InputError, Problem
from podium.portfolio import Portfolio

TOLERANCE_KW = 1e-6
WHOLE = slice(None)


def check_schedule(
    portfolio: Portfolio,
    schedule: Schedule,
    tolerance_kw: float = TOLERANCE_KW,
    without_pods: Collection[str] = (),
    *,
    end_levels: bool = True,
) -> CheckReport:
    """Judge a schedule by the study alone: completeness, powers, stores, times, and the PODs' connections.

    `tolerance_kw` is relative where a device is greater than 1 kW. `without_pods` names PODs that have no schedule
    (because level 1 failed); their devices are left out. Without `end_levels`, stores may end at any level that they
    bear: after an activation, recovering goes on beyond the horizon. Raises InputError where the schedule has other
    steps.
    """
    portfolio = portfolio if end_levels else free_to_end(portfolio)
    findings = Findings(portfolio.horizon, portfolio.ids, tolerance_kw)
    placed = list(parts(portfolio, schedule, without_pods))
    _check_devices(findings, portfolio, schedule, placed, without_pods)
    for part in placed:
        _check_numbers(findings, part)
        check_power(findings, part.limits, part.power_kw)
        _check_store(findings, part)
        if part.kind.rule is not None:
            part.kind.rule(findings, part.table, part.limits, portfolio.horizon, part.power_kw)
    check_connections(findings, portfolio, net_kw(portfolio, placed))
    return findings.report()


def check_position(
    portfolio: Portfolio,
    schedule: Schedule,
    position_kw: ArrayLike,
    tolerance_kw: float = TOLERANCE_KW,
    without_pods: Collection[str] = (),
) -> CheckReport:
    """Judge whether the powers of all devices sum to `position_kw` (step,), the portfolio's net power.

    The devices of `without_pods` do not count.
    """
    position = np.asarray(position_kw, dtype=float)
    if position.shape != (portfolio.horizon.steps,):
        expected = f"{portfolio.horizon.steps} values, one per step"
        raise InputError(Problem("position", f"shape {position.shape}", expected))
    findings = Findings(portfolio.horizon, portfolio.ids, tolerance_kw)
    net = net_kw(portfolio, list(parts(portfolio, schedule, without_pods)))
    missing = np.isin(portfolio.ids, list(without_pods))
    check_equal(findings, "the position", position, "the devices' powers", net[~missing].sum(axis=0))
    return findings.report()


def check_equal(
    findings: Findings,
    what: str,
    value: Floats,
    other: str,
    expected: Floats,
    pod: NDArray[np.int64] | None = None,
    unit: str = "kW",
    least_scale: float = 1.0,
) -> None:
    """Record where `value` (step,) or (pod, step) is not `expected`; NaN in both is equal.

    The tolerance is relative to the row's greatest number, or to `least_scale` where that is greater.
    """
    value, expected = np.atleast_2d(value), np.atleast_2d(expected)
    owner = np.full(len(value), -1) if pod is None else pod
    difference = np.where(np.isnan(value) & np.isnan(expected), 0.0, abs(value - expected))
    difference[np.isnan(difference)] = np.inf

    def words(row: int, step: int) -> str:
        return f"{what} is {value[row, step]:.9g} {unit}, but {other} make {expected[row, step]:.9g} {unit}"

    scale = np.fmax.reduce(abs(expected), axis=1, keepdims=True, initial=least_scale)
    nobody = np.full(len(value), "", dtype=object)
    findings.add(owner, nobody, difference, findings.tolerance * scale, words, unit)


def net_kw(portfolio: Portfolio, placed: Sequence[Part]) -> Floats:
    """Net power of each POD, NaN where a device of it has none. Shape (pod, step)."""
    net = np.zeros((len(portfolio), portfolio.horizon.steps))
    for part in placed:
        order = np.argsort(part.limits.pod, kind="stable")
        pods, first = np.unique(part.limits.pod[order], return_index=True)
        net[pods] += np.add.reduceat(part.power_kw[order], first, axis=0)
    return net


def check_connections(findings: Findings, portfolio: Portfolio, net: Floats, first_step: int = 0) -> None:
    """Withdrawal and injection of each POD stay below what its connection allows. `net` is (pod, step), kW."""
    steps = np.arange(first_step, first_step + net.shape[1])
    for side, sign in (("withdrawal", 1.0), ("injection", -1.0)):
        rows = np.flatnonzero(np.isfinite(portfolio.columns[f"{side}_max_kw"]))
        limit = column(portfolio.columns[f"{side}_max_kw"][rows])
        power = sign * net[rows]

        def words(row: int, step: int, side: str = side, power: Floats = power, limit: Floats = limit) -> str:
            return (
                f"the POD's {side} is {power[row, step]:.9g} kW, more than the {limit[row, 0]:.9g} kW of its connection"
            )

        nobody = np.full(len(rows), "", dtype=object)
        findings.add(rows, nobody, power - limit, findings.tolerance_kw(limit), words, step_of=steps)


def check_power(findings: Findings, limits: Limits, power: Floats, window: slice = WHOLE) -> None:
    """Limits of power, and the least power of what runs. `power` (device, step of the window), kW."""
    steps = np.arange(findings.horizon.steps)[window]
    tolerance = findings.tolerance_kw(limits.scale_kw)
    for sign, bound, text in ((1.0, limits.high_kw, limits.above), (-1.0, limits.low_kw, limits.below)):
        limit = during(bound, window)

        def words(row: int, step: int, limit: Floats = limit, text: str = text) -> str:
            net, net_limit = float(power[row, step]), float(at(limit, step)[row]) + 0.0
            return text.format(net=net, net_limit=net_limit, power=abs(net), limit=abs(net_limit))

        findings.add(limits.pod, limits.ids, sign * (power - limit), tolerance, words, step_of=steps)
    for sign, least in ((1.0, limits.least_withdrawal_kw), (-1.0, limits.least_injection_kw)):
        if least is not None:
            _check_least(findings, limits, np.maximum(sign * power, 0.0), during(least, window), steps)


def _check_least(findings: Findings, limits: Limits, power: Floats, least: Floats, steps: NDArray[np.int64]) -> None:
    """Each power is 0 or at least `least`."""

    def words(row: int, step: int) -> str:
        return f"runs at {power[row, step]:.9g} kW, below its least power of {at(least, step)[row]:.9g} kW"

    excess = np.minimum(power, least - power)
    findings.add(limits.pod, limits.ids, excess, findings.tolerance_kw(limits.scale_kw), words, step_of=steps)


def _check_store(findings: Findings, part: Part) -> None:
    """Auxiliary flows, levels, and the level as reported."""
    _check_flows(findings, part)
    levels = part.levels_kwh(findings.horizon)
    if part.limits.store is not None:
        check_levels(findings, part.limits, part.limits.store, levels)
    _check_reported(findings, part, levels)


def check_levels(findings: Findings, limits: Limits, store: StoreLimits, levels: Floats) -> None:
    """Levels (device, step), kWh, stay within the store's limits."""
    tolerance = findings.tolerance_kwh(store.scale_kwh)
    for sign, bound, text in ((1.0, store.high_kwh, store.above), (-1.0, store.low_kwh, store.below)):
        excess = sign * (levels - bound)

        def words(row: int, step: int, bound: Floats = bound, text: str = text, excess: Floats = excess) -> str:
            limit = float(at(bound, step)[row])
            return text.format(
                level=levels[row, step], limit=limit, amount=excess[row, step], behind=-levels[row, step], loss=-limit
            )

        findings.add(limits.pod, limits.ids, excess, tolerance, words, "kWh")


def _check_reported(findings: Findings, part: Part, levels: Floats) -> None:
    def words(row: int, step: int) -> str:
        reported, level = part.energy_kwh[row, step], levels[row, step]
        return f"reports {reported:.9g} kWh in its store, but its powers make {level:.9g} kWh"

    store = part.limits.store
    scale = np.zeros((len(levels), 1)) if store is None else store.scale_kwh
    difference = abs(part.energy_kwh - levels)
    tolerance = findings.tolerance_kwh(scale)
    findings.add(part.limits.pod, part.limits.ids, difference, tolerance, words, "kWh")


def _check_flows(findings: Findings, part: Part) -> None:
    """Heat of boiler or back-up and heat vented lie between 0 and their limits."""
    for name, flow, most in (
        ("heat of its boiler or back-up", part.aux_kw, column(part.aux_max_kw)),
        ("heat it vents", part.spill_kw, column(part.spill_max_kw)),
    ):

        def words(row: int, step: int, name: str = name, flow: Floats = flow, most: Floats = most) -> str:
            return f"the {name} is {flow[row, step]:.9g} kW; from 0 to {most[row, 0]:.9g} kW is possible"

        excess = np.maximum(flow - most, -flow)
        findings.add(part.limits.pod, part.limits.ids, excess, findings.tolerance_kw(most), words)


def _check_numbers(findings: Findings, part: Part) -> None:
    """Every quantity that the device has is a finite number in every step."""
    named = {"power": part.power_kw, "energy": part.energy_kwh, "boiler or back-up": part.aux_kw, "vent": part.spill_kw}
    half = np.full((len(part.scheduled), 1), 0.5)
    for name, values in named.items():
        absent = np.isnan(values) & part.scheduled[:, None]

        def words(row: int, step: int, name: str = name) -> str:  # noqa: ARG001
            return f"there is no finite number for its {name}"

        findings.add(part.limits.pod, part.limits.ids, absent.astype(float), half, words, "values")


def _check_devices(
    findings: Findings, portfolio: Portfolio, schedule: Schedule, placed: Sequence[Part], without: Collection[str]
) -> None:
    """Every device of the study is there exactly once, and no other."""
    counts = pd.Series(schedule.device_ids, dtype=object).value_counts()
    known: set[str] = set()
    for part in placed:
        known |= set(part.limits.ids)
        for row in np.flatnonzero(~part.scheduled):
            pod = str(portfolio.ids[part.limits.pod[row]])
            if pod not in without:
                findings.note("the schedule does not name this device", 1.0, "devices", pod, str(part.limits.ids[row]))
    for device, count in counts[counts > 1].items():
        findings.note(f"the schedule names this device {count} times", count - 1.0, "devices", device=str(device))
    for device in sorted(set(counts.index) - known, key=str):
        findings.note("the study has no such device", 1.0, "devices", device=str(device))
