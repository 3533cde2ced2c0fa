"""Sums over the steps of a call, for stores that may start anew within them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from podium.flexstore import Floats

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]


def window_sum(side: Floats, spans: Ints, fresh: Bools) -> Floats:
    """Sum over the last `spans[k]` steps up to each, none before the store started anew. Shape (product, device, step).

    `side` has the same shape, `fresh` (device, step).
    """
    products, devices, steps = side.shape
    place = np.arange(steps)
    begun = np.maximum.accumulate(np.where(fresh, place, 0), axis=1)
    total = np.zeros((products, devices, steps + 1))
    np.cumsum(side, axis=2, out=total[:, :, 1:])
    found = np.empty_like(side)
    for product, span in enumerate(spans):
        start = np.maximum(begun, place - int(span) + 1)
        found[product] = total[product, :, 1:] - np.take_along_axis(total[product], start, axis=1)
    return np.maximum(found, 0.0)


def least_ahead(values: Floats, span: int, fresh: Bools) -> Floats:
    """The least of this step and the next `span` - 1, until the store starts anew. Shape (device, step)."""
    steps = values.shape[1]
    least, reached = np.array(values), np.ones_like(fresh)
    for ahead in range(1, min(span, steps)):
        reached = reached[:, : steps - ahead] & ~fresh[:, ahead:]
        window = np.where(reached, values[:, ahead:], np.inf)
        least[:, : steps - ahead] = np.minimum(least[:, : steps - ahead], window)
    return least


def energy_load(
    side: Floats, kappa: Floats, sustain_hours: Floats, spans: Ints, step_hours: float, fresh: Bools
) -> Floats:
    """Energy, kWh, that a backing asks of a store at the end of each step. Shape (device, step).

    The greater of what a call that begins now needs, and what the steps of one that ends now have moved.
    """
    if not len(side):
        return np.zeros(kappa.shape)
    lasting = (side * sustain_hours[:, None, None]).sum(axis=0) * kappa
    moved = window_sum(side * kappa, spans, fresh).sum(axis=0) * step_hours
    return np.asarray(np.maximum(lasting, moved))
