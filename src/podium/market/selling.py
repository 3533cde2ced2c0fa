"""The last mix: answers that are whole or not there, and offers in steps that can be sold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from podium.errors import SolverError
from podium.market.coupling import Coupling, Layout
from podium.market.master import MISSING_KW, Master, Mixed

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: So many other choices are tried, one by one, for answers that are whole and for offers in steps.
TRIES = 60
#: An offer that lacks less than this, kW, to the next step is that step: solvers keep rows no more closely.
ROUNDING_KW = 1e-6
#: Offers that lack less than this, kW, are mended when the mix is made real.
SHORT_KW = 1.0
#: Less than this, kW, is not worth a note where it cannot be sold.
WORTH_SAYING_KW = 1.0


def hold_whole(master: Master, whole: Bools, left_out: int) -> None:
    """Hold one answer of each cluster that is `whole`: the one with most weight, unless another proves better.

    The first `left_out` answers left integers out, so those of whole clusters cannot be taken.
    """
    of_whole = [number for number, (cluster, _) in enumerate(master.answers) if whole[cluster]]
    barred = [number for number in of_whole if number < left_out]
    master.hold_answers(barred, [0.0] * len(barred))
    choices: dict[int, list[int]] = {}
    for number in of_whole:
        if number >= left_out:
            choices.setdefault(master.answers[number][0], []).append(number)
    weights = master.solve().weights
    taken = {cluster: max(numbers, key=lambda n: (weights[n], -n)) for cluster, numbers in choices.items()}
    for cluster, numbers in choices.items():
        _hold(master, numbers, taken[cluster])
    best, tries = _cost(master), TRIES
    for cluster, numbers in choices.items():
        for other in numbers:
            if other == taken[cluster] or tries == 0:
                continue
            tries -= 1
            _hold(master, numbers, other)
            cost = _cost(master)
            if cost < best - 1e-9 * abs(best):
                best, taken[cluster] = cost, other
            else:
                _hold(master, numbers, taken[cluster])


def _hold(master: Master, numbers: list[int], taken: int) -> None:
    master.hold_answers(numbers, [float(number == taken) for number in numbers])


def _cost(master: Master) -> float:
    """EUR of the best mix, inf where there is none."""
    try:
        return master.solve().cost_eur
    except SolverError:
        return float("inf")


def hold_offers(master: Master, coupling: Coupling) -> bool:
    """Hold offers that are sold in steps at multiples of their increments and not below their least.

    All are first rounded down; then those that were cut most are tried one step higher. False where none is in steps.
    """
    wanted = {(k, b): kw for k, b, kw in _stepped(master, coupling, master.solve().own)}
    if not wanted:
        return False
    taken = {place: sellable(coupling, *place, kw) for place, kw in wanted.items()}
    for place, kw in taken.items():
        master.fix_offers(*place, kw)
    best = _cost(master)
    by_cut = sorted(wanted, key=lambda place: (taken[place] - wanted[place], place))
    for place in by_cut[:TRIES]:
        k, b = place
        product = coupling.products[k]
        higher = max(taken[place] + product.increment_kw, product.least_kw)
        if higher > product.most_kw[b] or higher <= taken[place] or wanted[place] <= taken[place] + 1e-6:
            continue
        master.fix_offers(k, b, higher)
        cost = _cost(master)
        if cost < best - 1e-9 * abs(best):
            best, taken[place] = cost, higher
        else:
            master.fix_offers(k, b, taken[place])
    return True


def hold_least(master: Master, coupling: Coupling, own: Floats) -> bool:
    """Offers of a solution, its `own` columns, that are too small to be sold become none or at least the least.

    Whichever is nearer. False where there are none.
    """
    found = False
    for k, b, kw in _stepped(master, coupling, own):
        least, most = coupling.products[k].least_kw, float(coupling.products[k].most_kw[b])
        if ROUNDING_KW < kw < least - SHORT_KW:
            found = True
            master.limit_offers(k, b, *((least, most) if 2.0 * kw > least and most >= least else (0.0, 0.0)))
    return found


def hold_nearest(master: Master, coupling: Coupling, own: Floats) -> dict[tuple[int, int], float]:
    """Hold offers in steps at what can be sold next to a solution. Returns what is held, kW, by place."""
    taken = {}
    for k, b, kw in _stepped(master, coupling, own):
        product = coupling.products[k]
        below = sellable(coupling, k, b, kw)
        above = sellable(coupling, k, b, max(below + product.increment_kw, product.least_kw))
        taken[k, b] = above if above - kw < kw - below else below
        master.fix_offers(k, b, taken[k, b])
    return taken


def lower_short(master: Master, coupling: Coupling, mixed: Mixed, raised: dict[tuple[int, int], float]) -> bool:
    """Take the offer back that was raised most where offers are not covered or limits are missed.

    False where nothing is, or nothing can be taken back.
    """
    short = _short_kw(master, coupling, mixed.own)
    while short.any():
        step = int(np.argmax(short))
        there = {
            (k, b): raised[k, b]
            for k, product in enumerate(coupling.products)
            if (b := int(product.block[step])) >= 0 and (k, b) in raised and mixed.own[master.layout.offers[k][b]] > 0
        }
        if there:
            k, b = max(there, key=lambda place: (there[place], place))
            held = float(mixed.own[master.layout.offers[k][b]])
            step_kw = max(coupling.products[k].increment_kw, SHORT_KW)
            lower = sellable(coupling, k, b, max(held - step_kw, 0.0))
            master.fix_offers(k, b, lower)
            raised[k, b] += lower - held
            return True
        short[step] = 0.0
    return False


def _short_kw(master: Master, coupling: Coupling, own: Floats) -> Floats:
    """Most that is missing in each step from what must be kept, or, worth a change, from an offer, kW (step,)."""
    layout, missing, short = master.layout, master.missing_kw(own), np.zeros(coupling.steps)
    places = [(np.arange(coupling.steps), limit.rows, MISSING_KW) for limit in layout.limits] + [
        (np.flatnonzero(rows >= 0), rows[rows >= 0], MISSING_KW if product.required_kw > 0 else SHORT_KW)
        for product, sides in zip(coupling.products, layout.covered, strict=True)
        for rows in sides
    ]
    for steps, rows, least in places:
        short[steps] = np.maximum(short[steps], np.where(missing[rows] > least, missing[rows], 0.0))
    return short


def _stepped(master: Master, coupling: Coupling, own: Floats) -> list[tuple[int, int, float]]:
    """Offers that are sold in steps or not below a least one: product, block, kW wanted."""
    return [
        (k, b, float(own[master.layout.offers[k][b]]))
        for k, product in enumerate(coupling.products)
        for b in range(product.blocks)
        if (product.increment_kw > 0 or product.least_kw > 0) and not product.required_kw
    ]


def sellable(coupling: Coupling, k: int, b: int, kw: float) -> float:
    """The greatest offer of product k in block b of at most `kw` that may be sold, kW; 0 where none."""
    product = coupling.products[k]
    kw = min(kw, float(product.most_kw[b]))
    if product.required_kw > 0:
        return kw
    if product.increment_kw > 0:
        kw = float(np.floor((kw + ROUNDING_KW) / product.increment_kw) * product.increment_kw)
    return kw if kw >= product.least_kw - ROUNDING_KW and kw > 0 else 0.0


def reach_kw(coupling: Coupling, most_kw: Floats) -> tuple[Floats, ...]:
    """The least of what the devices have, (product, step), in the steps of each block, for each product: (block,)."""
    found = []
    for product, most in zip(coupling.products, most_kw, strict=True):
        reach = np.full(product.blocks, np.inf)
        sold = product.block >= 0
        np.minimum.at(reach, product.block[sold], most[sold])
        found.append(reach)
    return tuple(found)


def within_reach(coupling: Coupling, reach: Sequence[Floats]) -> Coupling:
    """The same with no offer beyond what of the devices' reach, kW, can be sold.

    So the bound of a pool that is too small for the least offer knows that it sells none.
    """
    products = tuple(
        product
        if product.required_kw > 0
        else replace(product, most_kw=np.array([sellable(coupling, k, b, float(kw)) for b, kw in enumerate(reach[k])]))
        for k, product in enumerate(coupling.products)
    )
    return replace(coupling, products=products)


def unsellable(coupling: Coupling, wanted: Sequence[Floats], offers: Sequence[Floats]) -> tuple[str, ...]:
    """In words, for each product the blocks in which nothing is offered though something is wanted, kW."""
    notes = []
    for product, wishes, offered in zip(coupling.products, wanted, offers, strict=True):
        least = max(product.least_kw, product.increment_kw)
        blocks = np.flatnonzero((offered == 0.0) & (wishes > WORTH_SAYING_KW) & (wishes < least))
        if len(blocks):
            numbers = ", ".join(str(block + 1) for block in blocks.tolist())
            notes.append(
                f"{product.name}: nothing is offered in block {numbers} of {product.blocks}, since it would be "
                f"{wishes[blocks].max():,.1f} kW at most, and the least offer is {least:,g} kW"
            )
    return tuple(notes)


def shared_by_area(
    coupling: Coupling, layout: Layout, own: Floats, area: Ints, backing: Floats, offers_kw: Sequence[Floats]
) -> Floats:
    """Backing (product, 2, device, step), kW, of which each area gives an offer the part that its limits leave.

    `own` holds the portfolio's columns and `area` the area of each device. What devices back beyond an offer would be
    called in proportion, and so might break the limits of an area that has more of it.
    """
    if len(coupling.areas) == 1:
        return backing
    backing = backing.copy()
    for k, product in enumerate(coupling.products):
        for side in (0, 1):
            columns = [shares[k][side] for shares in layout.shares]
            given = np.stack([own[found] for found in columns if found is not None]) if columns[0] is not None else None
            if given is None:
                continue
            sold = np.flatnonzero(product.block >= 0)
            mine = backing[k, side]
            held = np.stack([mine[area == a][:, sold].sum(axis=0) for a in range(len(columns))])
            wanted = _parts(given, held, offers_kw[k][product.block[sold]])
            mine[:, sold] *= _ratio(wanted, held)[area]
    return backing


def _parts(given: Floats, held: Floats, offer: Floats) -> Floats:
    """What each area gives, (area, step): as planned, as far as it holds it, and all areas together the offer."""
    parts = np.minimum(given, held)
    spare = held - parts
    parts = parts + spare * np.minimum(_ratio(np.maximum(offer - parts.sum(axis=0), 0.0), spare.sum(axis=0)), 1.0)
    return parts * np.minimum(_ratio(offer, parts.sum(axis=0)), 1.0)


def _ratio(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
