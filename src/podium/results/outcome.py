"""Everything that a run found, and how it is kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from podium.checking import CheckReport
from podium.flex.exact import Schedule
from podium.flexstore import Floats
from podium.local import LocalResult
from podium.market.bidding import Bids
from podium.market.plan import Plan
from podium.market.virtus import VirtusResult
from podium.market.virtus.undelivered import Undelivered
from podium.study import Study


@dataclass(frozen=True)
class Promise:
    """What the reference method promises, and what of it the devices cannot deliver."""

    result: VirtusResult
    undelivered_max: Undelivered
    undelivered_min: Undelivered
    delivered_eur: float
    """What the same formula pays for what the devices can deliver of both bounds."""


@dataclass(frozen=True)
class Outcome:
    """Everything that a run found. `plan` and `promise` are None in a study without market prices."""

    study: Study
    local: LocalResult
    plan: Plan | None
    promise: Promise | None
    check: CheckReport
    """What the check finds in the files that this makes, and in level 1's baseline."""
    bids: Bids | None = None
    """What the plan bids; None without a plan of method `exact`."""

    @property
    def schedule(self) -> Schedule:
        """Set points of all devices: the plan's, or the baseline's in a study without a market."""
        return self.local.baseline.schedule if self.plan is None else self.plan.schedule

    @property
    def position_kw(self) -> Floats:
        """Net power of the portfolio. Shape (step,)."""
        return np.asarray(self.local.baseline.net_kw.sum(axis=0)) if self.plan is None else self.plan.position_kw

    @property
    def ok(self) -> bool:
        """True where every POD has a schedule and the check found nothing."""
        failed = self.local.baseline.failures or (self.plan is not None and self.plan.failures)
        return self.check.good and not failed

    @property
    def level_kwh(self) -> Floats:
        """Energy at the end of each step, NaN where a device has no store. Shape (device, step)."""
        return np.where(self.local.baseline.has_store[:, None], self.schedule.e, np.nan)
