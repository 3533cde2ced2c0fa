"""What devices hold ready for products, as it is judged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podium.checking.limits import Floats
from podium.errors import InputError, Problem
from podium.market.terms import BACKING_KINDS, Market

#: Power kept free beside all offers stands among the products under this name.
HEADROOM = "headroom"


@dataclass(frozen=True)
class Backing:
    """Power that each device holds ready for each product, never negative; rows in any order."""

    device_ids: NDArray[np.object_]
    """Shape (device,)."""
    products: tuple[str, ...]
    """Names; `headroom` is what is kept free beside all offers."""
    up_kw: Floats
    """Shape (product, device, step), as below."""
    down_kw: Floats

    def __post_init__(self) -> None:
        shape = (len(self.products), len(self.device_ids))
        for name in ("up_kw", "down_kw"):
            given = getattr(self, name).shape
            if given[:2] != shape or given != self.up_kw.shape:
                raise InputError(Problem(f"backing, {name}", f"shape {given}", f"{shape}, product x device, x step"))

    def of(self, ids: NDArray[np.object_]) -> tuple[Floats, Floats]:
        """Up and down of these devices, 0 where nothing is said; of one named twice, the first row counts.

        Shapes (product, device, step).
        """
        first = np.flatnonzero(~pd.Index(self.device_ids).duplicated())
        found = pd.Index(self.device_ids[first]).get_indexer(pd.Index(ids))
        rows = np.where(found >= 0, np.append(first, -1)[found], -1)
        there = (rows >= 0)[None, :, None]
        if not len(self.device_ids):
            nothing = np.zeros((len(self.products), len(ids), self.up_kw.shape[2]))
            return nothing, nothing.copy()
        return np.where(there, self.up_kw[:, rows], 0.0), np.where(there, self.down_kw[:, rows], 0.0)


@dataclass(frozen=True)
class Held:
    """What the market says of one product that devices back."""

    name: str
    sold: NDArray[np.bool_]
    """Steps in which it is sold. Shape (step,)."""
    up: bool
    down: bool
    sustain_hours: float
    kinds: tuple[str, ...]


def held_products(market: Market, steps: int) -> dict[str, Held]:
    """Products by name, the headroom among them."""
    found = {
        product.name: Held(
            product.name, product.block >= 0, product.up, product.down, product.sustain_hours, product.kinds
        )
        for product in market.reserves
    }
    always = np.ones(steps, dtype=bool)
    headroom = Held(HEADROOM, always, True, True, market.headroom_sustain_hours, BACKING_KINDS)
    return found | {HEADROOM: headroom}
