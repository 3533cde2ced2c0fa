"""What a portfolio may sell beside its energy, and the limits it keeps as a whole (docs/maths/reserve.md).

All powers are in kW at the PODs; products are traded in MW. *Up* is less net withdrawal, *down* more; offers are
never negative.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

Direction = Literal["up", "down", "symmetric"]
Settlement = Literal["market", "retail", "both"]
Takeover = Literal["proportional", "cost", "priority"]

#: Kinds of devices that back reserve where a product names none: what is there when it is called.
BACKING_KINDS = ("battery", "chp", "curtailable_load", "ev_charger", "heat_pump", "shiftable_load")


@dataclass(frozen=True)
class ReserveProduct:
    """Reserve on the steps of a horizon: one power offered for a whole block, in the blocks where it is sold."""

    name: str
    direction: Direction
    block: Ints
    """Block of each step, from 0; -1 in steps where the product is not sold. Shape (step,)."""
    availability_eur_per_mw_h: Floats
    """Paid for each MW offered and hour. Shape (block,)."""
    activation_eur_per_mwh: Floats
    """Paid for up energy, or asked for down energy, when it is called. Shape (step,)."""
    activated_share: float = 0.0
    """Expected share of the offered energy that is called."""
    sustain_hours: float = 1.0
    """How long an offer must be held once it is called, h."""
    minimum_mw: float = 0.0
    """Least offer of a block; 0 where any is fine."""
    increment_mw: float = 0.0
    """Offers are multiples of this; 0 where any is fine."""
    maximum_mw: Floats = field(default_factory=lambda: np.zeros(0))
    """Greatest offer. Shape (block,); inf where free."""
    kinds: tuple[str, ...] = BACKING_KINDS
    """Kinds of devices that may back an offer."""

    @property
    def blocks(self) -> int:
        """Number of blocks."""
        return len(self.availability_eur_per_mw_h)

    @property
    def up(self) -> bool:
        """True where an offer has an up side."""
        return self.direction != "down"

    @property
    def down(self) -> bool:
        """True where an offer has a down side."""
        return self.direction != "up"


@dataclass(frozen=True)
class PositionLimits:
    """Limits on the net power of some PODs together."""

    withdrawal_max_kw: Floats
    """Greatest net withdrawal, inf where free. Shape (step,)."""
    injection_max_kw: Floats
    """Greatest net injection, inf where free. Shape (step,)."""

    @classmethod
    def free(cls, steps: int) -> PositionLimits:
        """No limits."""
        return cls(np.full(steps, np.inf), np.full(steps, np.inf))

    @property
    def binding(self) -> bool:
        """True where there is any limit at all."""
        return bool(np.isfinite(self.withdrawal_max_kw).any() or np.isfinite(self.injection_max_kw).any())


@dataclass(frozen=True)
class GroupLimits:
    """PODs behind one feeder, in one zone or price area, with limits of their own."""

    name: str
    """The value of the PODs' column `group`."""
    limits: PositionLimits


@dataclass(frozen=True)
class Market:
    """What the portfolio meets beside energy prices. The default adds nothing to them."""

    settlement: Settlement = "market"
    """Who is billed where: the portfolio's net position on the market, each POD at its retail tariff, or both."""
    time_unit_minutes: int | None = None
    """Length of the energy market's time unit, whose mean position is settled; None for a step."""
    reserves: tuple[ReserveProduct, ...] = ()
    limits: PositionLimits | None = None
    """On the whole portfolio. Offers that are called keep within them too."""
    peak_eur_per_kw: float = 0.0
    """Paid on the greatest net withdrawal of the portfolio in the horizon."""
    headroom_up_kw: float = 0.0
    """Power kept free at all times, beside all offers, that devices could give up."""
    headroom_down_kw: float = 0.0
    """Power kept free at all times, beside all offers, that devices could take."""
    headroom_sustain_hours: float = 1.0
    """How long the headroom must last, h."""
    groups: tuple[GroupLimits, ...] = ()
    takeover: Takeover = "proportional"
    """Who takes over in real time what another device does not deliver."""
    priority: tuple[str, ...] = ()
    """Kinds of devices, or device ids, in the order in which they take over where `takeover` is `priority`."""

    def unit_of(self, steps: int, step_minutes: int) -> Ints:
        """Market time unit of each step, from 0. Shape (step,)."""
        per_unit = max((self.time_unit_minutes or step_minutes) // step_minutes, 1)
        return np.asarray(np.arange(steps) // per_unit)

    @property
    def sells(self) -> bool:
        """True where there is something to plan even without an energy market."""
        limited = any(group.limits.binding for group in self.groups)
        limited = limited or (self.limits is not None and self.limits.binding)
        held = self.headroom_up_kw > 0 or self.headroom_down_kw > 0
        return bool(self.reserves) or held or limited or self.peak_eur_per_kw > 0
