"""Real time: who takes over, step by step, when devices do other than planned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from podium.dispatch.course import Course
from podium.dispatch.fleet import Backing, Fleet
from podium.dispatch.following import Follower, Now
from podium.dispatch.takeover import Order, in_proportion
from podium.errors import InputError, Problem
from podium.flex.exact import Schedule
from podium.flexstore import Floats


@dataclass(frozen=True)
class Reallocation:
    """What the devices do in one step."""

    step: int
    p_kw: Floats
    """Set points; for devices that nobody steers, what they do. NaN without a schedule. Shape (device,)."""
    energy_kwh: Floats
    """At the end of the step. Shape (device,)."""
    aux_kw: Floats
    spill_kw: Floats
    uncovered_kw: float
    """Net power beside the plan that nobody could take over: + too much withdrawal, - too much injection."""
    beyond_kw: float
    """By how much a limit of the portfolio or of a group (`Fleet.areas`) is exceeded at most, beyond the plan."""


class Reallocator:
    """Steps through a plan with its devices' energies, and hands over what some of them do not deliver.

    Others take over within their limits, without power or energy that they back for a product now or later. Where a
    promise would be lost otherwise they return to its level as late as can be.
    """

    def __init__(
        self, fleet: Fleet, schedule: Schedule, backing: Backing | None = None, order: Order | None = None
    ) -> None:
        devices, steps = fleet.store.devices, fleet.store.steps
        self._course = Course.of(fleet, schedule)
        promised = backing or Backing.none(devices, steps)
        self._follower = Follower(fleet, self._course, promised, order or in_proportion(devices))
        self.energy_kwh: Floats = fleet.store.e_initial.copy()
        """Energy of every device now. Shape (device,)."""
        self.next_step = 0

    def step(self, given_kw: Floats | None = None, beside_kw: float = 0.0) -> Reallocation:
        """The next step.

        `given_kw` (device,): what devices do that cannot be steered now (0 where a POD has dropped out, what the sun
        gives), NaN for all others. `beside_kw`: withdrawal beyond the plan that is none of these devices', to be made
        good by them. Raises InputError at the end of the horizon.
        """
        t, course = self.next_step, self._course
        if t >= course.p.shape[1]:
            raise InputError(Problem("step", str(t), f"one of the {course.p.shape[1]} steps of the horizon"))
        nothing = np.zeros(len(course.p))
        given = np.full(len(course.p), np.nan) if given_kw is None else np.asarray(given_kw, dtype=float)
        done = self._follower.step(
            Now(t, self.energy_kwh, course.p[:, t], True, nothing, nothing, given, float(beside_kw))
        )
        self.energy_kwh, self.next_step = done.e, t + 1
        p = np.where(course.known, done.p, np.nan)
        return Reallocation(t, p, done.e, done.aux, done.spill, -done.missing_kw, done.beyond_kw)
