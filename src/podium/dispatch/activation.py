"""Called reserve: set points that deliver it, keep every other promise, and return to the plan."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from podium.dispatch.backing import safe_backing
from podium.dispatch.course import Course
from podium.dispatch.fleet import Backing, Fleet
from podium.dispatch.following import Done, Follower, Now
from podium.dispatch.takeover import Order, in_proportion
from podium.errors import InputError, Problem
from podium.flex.exact import Schedule
from podium.flexstore import Floats

#: A call may exceed what is backed by this, kW: rounding.
ROUNDING = 1e-6


@dataclass(frozen=True)
class Calls:
    """Power called of each product, kW, never negative. Shapes (product, step)."""

    up_kw: Floats
    down_kw: Floats

    @property
    def net_kw(self) -> Floats:
        """Change of the portfolio's net power. Shape (step,)."""
        return np.asarray(self.down_kw.sum(axis=0) - self.up_kw.sum(axis=0))


@dataclass(frozen=True)
class Delivery:
    """Set points of all devices over the horizon, and what they do not reach."""

    schedule: Schedule
    """NaN for devices without a schedule, as in the plan."""
    called_kw: Floats
    """Change of net power that was called: + down, - up. Shape (step,)."""
    undelivered_kw: Floats
    """By how much the portfolio misses its position and the call, to the last called step. Shape (step,)."""
    recovery_kw: Floats
    """Net power beside the planned position after the call, which nobody could take over. Shape (step,)."""
    beyond_kw: Floats
    """By how much a limit of the portfolio or of a group (`Fleet.areas`) is exceeded at most, beyond the plan and the
    call, because devices cannot do otherwise. Shape (step,)."""
    kept: Backing
    """What is still backed after the call; less than the plan's only where it could not be recovered in time."""


def activate(fleet: Fleet, schedule: Schedule, backing: Backing, calls: Calls, order: Order | None = None) -> Delivery:
    """Set points that deliver the calls of one activation and then return to the plan.

    Each device delivers its share of what backs the product, so that what the windows promise holds. After the last
    called step all follow the plan, but for what limits and later promises force; others with room take that over,
    in `order` (in proportion where None). Raises InputError for calls that are not offered.
    """
    _ensure_offered(fleet, backing, calls)
    called = np.flatnonzero((calls.up_kw > 0).any(axis=0) | (calls.down_kw > 0).any(axis=0))
    first, last = (int(called[0]), int(called[-1]) + 1) if len(called) else (0, 0)
    course = Course.of(fleet, schedule)
    up, down = (_shares(*side) for side in ((backing.up_kw, calls.up_kw), (backing.down_kw, calls.down_kw)))
    follower = Follower(fleet, course, backing, order or in_proportion(fleet.store.devices), last)
    states = [values.copy() for values in (course.p, course.e, course.aux, course.spill)]
    missing, beyond = np.zeros(fleet.store.steps), np.zeros(fleet.store.steps)
    e = course.e[:, first - 1] if first else fleet.store.e_initial
    for t in range(first, fleet.store.steps):
        done = follower.step(_now(course, t, e, up[:, t], down[:, t], returning=t >= last))
        _write(states, t, done)
        e, missing[t], beyond[t] = done.e, done.missing_kw, done.beyond_kw
    return _delivery(fleet, course, backing, calls, states, missing, beyond, last)


def _now(course: Course, t: int, e: Floats, up: Floats, down: Floats, *, returning: bool) -> Now:
    nobody = np.full(len(e), np.nan)
    return Now(t, e, course.p[:, t] - up + down, returning, up, down, nobody)


def _write(states: list[Floats], t: int, done: Done) -> None:
    for values, column in zip(states, (done.p, done.e, done.aux, done.spill), strict=True):
        values[:, t] = column


def _delivery(
    fleet: Fleet,
    course: Course,
    backing: Backing,
    calls: Calls,
    states: list[Floats],
    missing: Floats,
    beyond: Floats,
    last: int,
) -> Delivery:
    known = course.known[:, None]
    set_points = Schedule(*(np.where(known, values, np.nan) for values in states))
    after = np.arange(fleet.store.steps) >= last
    return Delivery(
        set_points,
        calls.net_kw,
        np.where(after, 0.0, abs(missing)),
        np.where(after, -missing, 0.0),
        beyond,
        safe_backing(fleet, set_points, backing.since(last)),
    )


def _shares(side: Floats, called: Floats) -> Floats:
    """Each device's part of the calls, in proportion to its backing. Shape (device, step)."""
    offered = side.sum(axis=1)
    share = np.divide(called, offered, out=np.zeros_like(offered), where=offered > 0)
    return np.asarray((side * np.minimum(share, 1.0)[:, None, :]).sum(axis=0))


def _ensure_offered(fleet: Fleet, backing: Backing, calls: Calls) -> None:
    expected = (len(backing.products), fleet.store.steps)
    for name, called in (("up_kw", calls.up_kw), ("down_kw", calls.down_kw)):
        if called.shape != expected:
            raise InputError(Problem(f"calls.{name}", f"shape {called.shape}", f"{expected}, product x step"))
    problems = list(_not_offered(fleet, backing, calls))
    if problems:
        raise InputError(problems)


def _not_offered(fleet: Fleet, backing: Backing, calls: Calls) -> Iterator[Problem]:
    for side, called, devices in (("up", calls.up_kw, backing.up_kw), ("down", calls.down_kw, backing.down_kw)):
        offered = devices.sum(axis=1)
        for product, step in np.argwhere(~((called >= 0) & (called <= offered + ROUNDING))):
            moment = fleet.horizon.times[step].isoformat(timespec="minutes")
            value = f"{called[product, step]:.6g} kW called {side}"
            expected = f"from 0 to the {offered[product, step]:.6g} kW offered"
            yield Problem(f"{backing.products[product]} at {moment}", value, expected)
    for product, step in np.argwhere((calls.up_kw > 0) & (calls.down_kw > 0)):
        moment = fleet.horizon.times[step].isoformat(timespec="minutes")
        value = f"{calls.up_kw[product, step]:.6g} kW up and {calls.down_kw[product, step]:.6g} kW down"
        yield Problem(f"{backing.products[product]} at {moment}", value, "a call in one direction")
