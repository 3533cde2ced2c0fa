"""Prices of energy on the market."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from podium.errors import InputError, Problem

KWH_PER_MWH = 1000.0


@dataclass(frozen=True)
class EnergyPrices:
    """Market prices per step, EUR/MWh. Each of shape (step,).

    `buy` is paid for net withdrawal, `sell` received for net injection, and `production` is what a kWh of generation
    costs (used by the reference method only). The reference method takes any of them; `exact` wants sell <= buy.
    """

    buy: NDArray[np.float64]
    sell: NDArray[np.float64]
    production: NDArray[np.float64]

    @classmethod
    def single(cls, price: ArrayLike) -> Self:
        """One price for buying and selling, EUR/MWh; generation costs nothing."""
        row = np.asarray(price, dtype=float)
        return cls(row, row, np.zeros_like(row))

    def __post_init__(self) -> None:
        for name in ("buy", "sell", "production"):
            row = getattr(self, name)
            if row.shape != self.buy.shape or not np.isfinite(row).all():
                raise InputError(Problem(f"prices, {name}", f"shape {row.shape}", "a finite price per step"))

    @property
    def one_price(self) -> bool:
        """True where buying and selling cost the same at every step."""
        return bool((self.buy == self.sell).all())

    @property
    def tariff_eur_per_kwh(self) -> NDArray[np.float64]:
        """What a POD without a tariff pays and gets. Shape (2, step).

        Where the market pays more than it asks, a POD gets what it pays: its cost has a least value then.
        """
        return np.stack((self.buy, np.minimum(self.sell, self.buy))) / KWH_PER_MWH
