"""Who takes over what others do not deliver: in proportion, by cost, or by a list (docs/maths/dispatch.md)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from podium.dispatch.fleet import Ints
from podium.errors import InputError, Problem, listed
from podium.flexstore import FlexStore, Floats
from podium.market.terms import Market


@dataclass(frozen=True)
class Order:
    """Devices in ranks: the lowest takes over first, equals in proportion to their room. Shapes (device,)."""

    up: Ints
    """Rank for giving up power."""
    down: Ints
    """Rank for taking power."""

    def shares(self, missing_kw: float, room_up: Floats, room_down: Floats) -> Floats:
        """Changes of net power, kW, that cover a missing net power (+ too little) as far as the rooms (device,) go."""
        sign, room, rank = (1.0, room_down, self.down) if missing_kw > 0 else (-1.0, room_up, self.up)
        if not len(room):
            return np.zeros(0)
        total = np.bincount(rank, room)
        before = np.cumsum(total) - total
        taken = np.clip(abs(missing_kw) - before, 0.0, total)
        part = np.divide(taken, total, out=np.zeros_like(total), where=total > 0)
        return np.asarray(sign * room * part[rank])


def order_of(market: Market, store: FlexStore, kinds: Sequence[str], kept_eur_per_kwh: ArrayLike = 0.0) -> Order:
    """The order that the study chooses (`Market.takeover`).

    `kinds` is the kind of each device, `kept_eur_per_kwh` (device,) what a kWh in its store is worth.
    """
    if market.takeover == "cost":
        return by_cost(store, kept_eur_per_kwh)
    if market.takeover == "priority":
        return by_priority(store, kinds, market.priority)
    return in_proportion(store.devices)


def in_proportion(devices: int) -> Order:
    """All devices in one rank."""
    same = np.zeros(devices, dtype=np.int64)
    return Order(same, same)


def by_cost(store: FlexStore, kept_eur_per_kwh: ArrayLike) -> Order:
    """The cheapest first.

    `kept_eur_per_kwh` (device,) is what a kWh in the device's store is worth; giving up power takes from the store
    and wears it, taking power fills it (an engine's the other way round, and saves or burns fuel).
    """
    value = np.broadcast_to(np.asarray(kept_eur_per_kwh, dtype=float), (store.devices,))
    plus, minus = (np.asarray(getattr(store, name).mean(axis=1)) for name in ("k_plus", "k_minus"))
    wear_plus, wear_minus = (np.asarray(getattr(store, name).mean(axis=1)) for name in ("cost_plus", "cost_minus"))
    injects, withdraws = (store.p_min < 0).any(axis=1), (store.p_max > 0).any(axis=1)
    up = np.where(injects, value * minus + wear_minus, value * plus - wear_plus)
    down = np.where(withdraws, wear_plus - value * plus, -(value * minus + wear_minus))
    return Order(_ranks(up), _ranks(down))


def by_priority(store: FlexStore, kinds: Sequence[str], priority: Sequence[str]) -> Order:
    """As the list says, which holds kinds of devices and device ids; who is not in it comes last.

    `kinds` is the kind of each device. An id counts before a kind. Raises InputError for names that are neither.
    """
    place = {name: number for number, name in enumerate(priority)}
    unknown = place.keys() - set(kinds) - set(store.ids)
    if unknown:
        expected = "kinds of devices or device ids of the portfolio"
        raise InputError(Problem("market.priority", listed(unknown), expected))
    last = len(place)
    of_kind = [place.get(kind, last) for kind in kinds]
    rank = [place.get(name, other) for name, other in zip(store.ids, of_kind, strict=True)]
    ranks = np.asarray(rank, dtype=np.int64)
    return Order(ranks, ranks)


def _ranks(cost: Floats) -> NDArray[np.int64]:
    return np.unique(cost, return_inverse=True)[1].astype(np.int64)
