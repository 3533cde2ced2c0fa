"""Which limits of a portfolio bind, and what one kW more of each would be worth (docs/explain.md)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from podium.market.coupling import Coupling, Layout, LimitRows, layout_of

Floats = NDArray[np.float64]

#: A shadow price below this, EUR/kW, is rounding.
LEAST_EUR_PER_KW = 1e-6
#: The directions of an offer, in the order of the sides.
DIRECTIONS = ("up", "down")


@dataclass(frozen=True)
class BindingLimit:
    """A limit in a step in which the plan would earn more with more of it."""

    what: str
    """"withdrawal", "injection", "peak", "headroom up", "headroom down", or "most of PRODUCT"."""
    area: int | None
    """None for the whole portfolio."""
    step: int
    """Of an offer's maximum: the first step of the block."""
    limit_kw: float
    eur_per_kw: float
    """What one kW more (of headroom: less) is worth; for an offer's maximum over the whole block."""


def binding_limits(coupling: Coupling, duals: Floats, peak_kw: float) -> tuple[BindingLimit, ...]:
    """Limits with a shadow price, by kind and step; `duals` as in `Plan.duals`, `peak_kw` the plan's peak."""
    layout = layout_of(coupling)
    found: list[BindingLimit] = []
    for limit in layout.limits:
        found += _of_rows(limit, layout, duals, peak_kw)
    found += _of_headroom(coupling, layout, duals)
    return (*found, *_of_offers(coupling, layout, duals))


def _of_rows(limit: LimitRows, layout: Layout, duals: Floats, peak_kw: float) -> list[BindingLimit]:
    upper = np.concatenate(layout.programme.row_upper)
    price = -duals[limit.rows]
    return [
        BindingLimit(
            limit.what,
            limit.area,
            step,
            peak_kw if limit.what == "peak" else float(upper[limit.rows[step]]),
            float(price[step]),
        )
        for step in np.flatnonzero(price > LEAST_EUR_PER_KW).tolist()
    ]


def _of_headroom(coupling: Coupling, layout: Layout, duals: Floats) -> list[BindingLimit]:
    """Headroom is held by rows that its backing has to cover."""
    found = []
    for k, product in enumerate(coupling.products):
        if product.required_kw <= 0:
            continue
        for side, direction in enumerate(DIRECTIONS):
            rows = layout.covered[k, side]
            price = np.where(rows >= 0, duals[rows], 0.0)
            found += [
                BindingLimit(f"{product.name} {direction}", None, step, product.required_kw, float(price[step]))
                for step in np.flatnonzero(price > LEAST_EUR_PER_KW).tolist()
            ]
    return found


def _of_offers(coupling: Coupling, layout: Layout, duals: Floats) -> list[BindingLimit]:
    """An offer at its maximum would rise if it could: what it earns is above what its backing costs."""
    programme = layout.programme
    rows, columns, values = (np.concatenate([entry[n] for entry in programme.entries]) for n in range(3))
    columns, rows = columns.astype(np.int64), rows.astype(np.int64)
    met = np.bincount(columns, values * duals[rows], minlength=programme.columns)
    gain = met - np.concatenate(programme.cost)
    found = []
    for product, offers in zip(coupling.products, layout.offers, strict=True):
        free = product.required_kw <= 0
        for block in np.flatnonzero((gain[offers] > LEAST_EUR_PER_KW) & np.isfinite(product.most_kw) & free).tolist():
            first = int(np.flatnonzero(product.block == block)[0])
            most = float(product.most_kw[block])
            found.append(BindingLimit(f"most of {product.name}", None, first, most, float(gain[offers[block]])))
    return found
