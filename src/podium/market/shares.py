"""What each POD contributes to the profit of a portfolio, at the final prices (docs/maths/coordination.md)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from podium.flex.respond import Signal
from podium.market.coupling import Coupling
from podium.market.members import Settled

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Shares:
    """EUR of each POD; all parts of all PODs sum to the profit of the plan. Shapes (pod,)."""

    energy_eur: Floats
    """Its net power at the price of energy that coordinates the portfolio."""
    reserve_eur: Floats
    """What it backs of the offers, at the price of backing in each step."""
    retail_eur: Floats
    """Minus its retail bill."""
    device_eur: Floats
    """Minus the use of its devices."""
    limits_eur: Floats
    """Its part of what prices do not explain: limits, netting, peak charge and what is left of the gap."""

    @property
    def contribution_eur(self) -> Floats:
        """Sum of the parts."""
        return self.energy_eur + self.reserve_eur + self.retail_eur + self.device_eur + self.limits_eur


def shares_of(
    coupling: Coupling, area: Ints, signal: Signal, settled: Settled, device_pod: Ints, offers_kw: tuple[Floats, ...],
    profit_eur: float,
) -> Shares:  # fmt: skip
    """Shares at the prices of a signal. The rest goes to PODs in proportion to the energy that they move."""
    hours, net = coupling.step_hours, settled.net_kw
    energy = -hours * (signal.energy[area] * net).sum(axis=1)
    reserve = np.zeros(len(net))
    backed = np.zeros(len(net))
    for k, product in enumerate(coupling.products):
        sold = np.flatnonzero(product.block >= 0)
        offer = offers_kw[k][product.block[sold]]
        for side in (0, 1):
            if not product.sides[side]:
                continue
            mine = settled.backing[k, side][:, sold]
            total = mine.sum(axis=0)
            used = mine * np.divide(offer, total, out=np.zeros_like(total), where=total > 0)
            price = signal.reserve[area[device_pod], k, side][:, sold]
            reserve += np.bincount(device_pod, (price * used).sum(axis=1), minlength=len(net))
            backed += np.bincount(device_pod, hours * used.sum(axis=1), minlength=len(net))
    moved = hours * abs(net).sum(axis=1) + backed
    whole = moved.sum()
    part = moved / whole if whole > 0 else np.full(len(net), 1.0 / max(len(net), 1))
    explained = energy + reserve - settled.retail_eur - settled.device_eur
    return Shares(
        energy, reserve, -settled.retail_eur, -settled.device_eur, part * (profit_eur - explained.sum())
    )  # fmt: skip
