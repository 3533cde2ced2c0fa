"""What a little more of anything would be worth to one POD, by solving it again at the prices of the plan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from podium.errors import SolverError
from podium.explaining.record import Record
from podium.flex.exclusive import DEFAULT
from podium.flex.offering import Offering
from podium.flex.reserve import room_of
from podium.flex.respond import Responder, Signal
from podium.flex.solve import net_power, solve
from podium.flexstore import FlexStore
from podium.market.members import Brief, Part
from podium.portfolio import Meter

#: What is added to a store or a limit, kW or kWh: small, so that the answer stays on one piece of its cost.
LITTLE = 1e-3


@dataclass(frozen=True)
class Change:
    """A column of the POD's devices at one step, or of its meter, and how much is added to it."""

    column: str
    device: int
    step: int
    amount: float = LITTLE


class PodModel:
    """One POD at the prices of the plan; devices that are on or off may run in part here."""

    def __init__(self, record: Record) -> None:
        study = record.study
        portfolio = study.portfolio.take(np.array([record.row]))
        retail = record.signal is None or study.market.settlement != "market"
        tariff = None if study.prices is None else study.prices.tariff_eur_per_kwh
        products = record.products if record.signal is not None else ()
        steps = study.horizon.steps
        nothing = Signal(np.zeros((1, steps)), np.zeros((1, 0, 2, steps)))
        self.signal = nothing if record.signal is None else record.signal
        sold = np.array([[p.sides[side] & (p.block >= 0) for side in (0, 1)] for p in products], dtype=bool)
        one = np.zeros(1, dtype=np.int64)
        part = Part(
            Brief(
                portfolio, one, one.astype(bool), retail, tariff if retail else None, products,
                sold.reshape(len(products), 2, steps), 0, 1, DEFAULT,
            )
        )  # fmt: skip
        self.store: FlexStore = part.store
        self.meter: Meter = part.meter
        self.offering: Offering = part.responder.offering
        self.hours, self.day = part.hours, study.horizon.day
        self.least_eur = self._cost(self.store, self.meter, self.offering)

    @property
    def priced(self) -> Meter:
        """What the POD meets: its own tariff, and the price of the plan."""
        return self.meter.plus(self.signal.energy)

    def worth(self, *changes: Change) -> float | None:
        """EUR per unit gained by a change, None where it leaves no schedule. Limits of backing follow the change."""
        store, meter = self.store, self.meter
        for change in changes:
            if hasattr(meter, change.column):
                meter = replace(meter, **{change.column: getattr(meter, change.column) + change.amount})
            else:
                store = _changed(store, change)
        offering = replace(self.offering, room=room_of(store, meter, self.hours))
        return self._gain(lambda: self._cost(store, meter, offering), abs(changes[0].amount))

    def value(self, device: int, step: int, sign: float) -> float | None:
        """EUR per kWh more (sign 1) or less (sign -1) in a store at the end of a step: its dual from one side."""
        store = _changed(self.store, Change("drift", device, step, sign * LITTLE))
        gain = self._gain(lambda: self._cost(store, self.meter, self.offering), LITTLE)
        return None if gain is None else sign * gain

    def _gain(self, cost_eur: Callable[[], float | None], amount: float) -> float | None:
        try:
            cost = cost_eur()
        except SolverError:
            return None
        return None if cost is None or self.least_eur is None else (self.least_eur - cost) / amount

    def _cost(self, store: FlexStore, meter: Meter, offering: Offering) -> float | None:
        """What the POD pays at best, EUR; None without a schedule, or where it could not back reserve as it did."""
        no = np.zeros(1, dtype=np.int64)
        responder = Responder(store, meter, self.hours, self.day, no, offering, no.astype(bool))
        able = responder.offering
        answer = responder.answer(self.signal)
        plainly = len(responder.plain_single) + len(responder.plain_separable) > 0
        if responder.offering is not able or (plainly and not self._feasible(store, meter)):
            return None
        net = net_power(store, answer.schedule.p, 1)
        energy = self.hours * float((self.signal.energy * net).sum())
        reserve = float((self.signal.reserve[0][:, :, None, :] * answer.backing).sum())
        return float(answer.own_eur[0]) + energy - reserve

    def _feasible(self, store: FlexStore, meter: Meter) -> bool:
        """Whether the POD has a schedule at all, which the dynamic programme alone does not tell the responder."""
        solved = solve(store, meter.plus(self.signal.energy), self.hours, self.day)
        return not solved.conflicts and not solved.failures


def _changed(store: FlexStore, change: Change) -> FlexStore:
    column: Any = np.array(store.full(change.column))
    column[change.device, change.step] += change.amount
    return replace(store, **{change.column: column})
