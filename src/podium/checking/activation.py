"""Attack a promise: call it, and see by physics alone whether devices can do what they back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from podium.checking.backing import Backing
from podium.checking.judge import TOLERANCE_KW, check_schedule
from podium.checking.limits import Floats
from podium.checking.replay import replay
from podium.checking.report import CheckReport, Findings
from podium.checking.schedule import Schedule, parts
from podium.errors import InputError, Problem
from podium.portfolio import Portfolio


@dataclass(frozen=True)
class Calls:
    """Power called of products by name, kW, never negative. Shapes (step,)."""

    up_kw: Mapping[str, Floats]
    down_kw: Mapping[str, Floats]

    def net_kw(self, steps: int) -> Floats:
        """Change of the portfolio's net power that is called. Shape (step,)."""
        change = np.zeros(steps)
        for called, sign in ((self.up_kw, -1.0), (self.down_kw, 1.0)):
            for kw in called.values():
                change += sign * np.asarray(kw, dtype=float)
        return change

    def steps(self, steps: int) -> np.ndarray:
        """Steps in which anything is called. Shape (any,)."""
        called = np.zeros(steps, dtype=bool)
        for kw in (*self.up_kw.values(), *self.down_kw.values()):
            called |= np.asarray(kw) > 0
        return np.flatnonzero(called)


def replay_calls(
    portfolio: Portfolio, schedule: Schedule, backing: Backing, calls: Calls, tolerance_kw: float = TOLERANCE_KW
) -> CheckReport:
    """Judge an activation in which each device gives its part of what backs the product, by physics alone.

    Within the call, powers, least powers, ramps, cycles and connections hold; after it every store has some way on to
    the horizon's end, where it may stand at any level. Raises InputError where more is called than is backed.
    """
    up, down = (
        _shares(backing, side, called, direction)
        for side, called, direction in (
            (backing.up_kw, calls.up_kw, "up"),
            (backing.down_kw, calls.down_kw, "down"),
        )
    )
    moved = dict(zip(backing.device_ids, down - up, strict=True))
    nothing = np.zeros(portfolio.horizon.steps)
    delta = np.array([moved.get(name, nothing) for name in schedule.device_ids]).reshape(schedule.power_kw.shape)
    called = calls.steps(portfolio.horizon.steps)
    window = (int(called[0]), int(called[-1]) + 1) if called.size else (0, 0)
    return replay(portfolio, schedule, delta, tolerance_kw, window, end_levels=False)


def check_delivery(
    portfolio: Portfolio, schedule: Schedule, delivered: Schedule, calls: Calls, tolerance_kw: float = TOLERANCE_KW
) -> CheckReport:
    """Judge set points after an activation: every device keeps its limits, and the called power is there.

    `schedule` is the plan, `delivered` what devices do instead. Before the call nothing has changed; in its steps the
    portfolio's net power is the planned one and the call; after it, and for levels at the horizon's end, only the
    devices' limits count.
    """
    steps = portfolio.horizon.steps
    findings = Findings(portfolio.horizon, portfolio.ids, tolerance_kw)
    planned, given = (_net_kw(portfolio, found) for found in (schedule, delivered))
    wanted, called = planned + calls.net_kw(steps), calls.steps(steps)
    last = int(called[-1]) + 1 if called.size else steps
    excess = abs(given - wanted)[None, :last]

    def words(row: int, step: int) -> str:  # noqa: ARG001
        return (
            f"the devices' net power is {given[step]:.9g} kW, but plan and call make {wanted[step]:.9g} kW (planned "
            f"{planned[step]:.9g} kW)"
        )

    scale = np.array([[float(abs(wanted).max(initial=0.0))]])
    findings.add(np.array([-1]), np.array([""], dtype=object), excess, findings.tolerance_kw(scale), words)
    physics = check_schedule(portfolio, delivered, tolerance_kw, end_levels=False)
    return CheckReport.joined((physics, findings.report()))


def _net_kw(portfolio: Portfolio, schedule: Schedule) -> Floats:
    powers = [np.nansum(part.power_kw, axis=0) for part in parts(portfolio, schedule)]
    return np.asarray(np.sum(powers, axis=0))


def _shares(backing: Backing, side: Floats, called: Mapping[str, Floats], direction: str) -> Floats:
    """Each device's part of the calls, in proportion to what it backs. Shape (device, step)."""
    total = np.zeros(side.shape[1:])
    for name, kw in called.items():
        rows = [row for row, product in enumerate(backing.products) if product == name]
        own = side[rows].sum(axis=0)
        everybody = own.sum(axis=0)
        wanted = np.asarray(kw, dtype=float)
        over = wanted - everybody * (1 + TOLERANCE_KW) > TOLERANCE_KW
        if over.any() or (wanted < 0).any():
            step = int(np.argmax(over | (wanted < 0)))
            value = f"{wanted[step]:g} kW {direction} in step {step}"
            raise InputError(Problem(f"call of {name!r}", value, f"0 to the {everybody[step]:g} kW that are backed"))
        total += own * np.divide(wanted, everybody, out=np.zeros_like(wanted), where=everybody > 0)
    return total
