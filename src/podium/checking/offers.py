"""Do offers keep the rules of their products, do devices back them, and does the portfolio bear them?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from podium.checking.backing import HEADROOM, Backing
from podium.checking.judge import TOLERANCE_KW
from podium.checking.limits import Floats
from podium.checking.report import CheckReport, Findings
from podium.errors import InputError, Problem
from podium.horizon import Horizon
from podium.market.terms import Market, PositionLimits, ReserveProduct
from podium.portfolio import Portfolio

KW_PER_MW = 1000.0
#: Offers this far from a multiple of their increment are that multiple, kW.
SAME_KW = 1e-4

Offers = Mapping[str, Floats]
"""What is offered of each product, kW, by block: shape (block,); a product that is absent is not offered."""


@dataclass(frozen=True)
class Called:
    """Power that all offers ask for when they are called, kW. Shapes (step,)."""

    up_kw: Floats
    down_kw: Floats


def check_offers(
    market: Market, horizon: Horizon, offers_kw: Offers, tolerance_kw: float = TOLERANCE_KW
) -> CheckReport:
    """Judge offers by the rules of their products: only products and blocks there are, minimum, increment, maximum.

    Raises InputError where a product's offers have another number of blocks.
    """
    findings = Findings(horizon, np.array([], dtype=object), tolerance_kw)
    products = {product.name: product for product in market.reserves}
    for name in sorted(set(offers_kw) - set(products)):
        if np.any(np.asarray(offers_kw[name]) != 0):
            findings.note(f"{name!r} is offered, but the study has no such product", 1.0, "products")
    for name, product in products.items():
        if name in offers_kw:
            _check_product(findings, product, _by_block(product, offers_kw))
    return findings.report()


def check_backed(
    market: Market, horizon: Horizon, offers_kw: Offers, backing: Backing, tolerance_kw: float = TOLERANCE_KW
) -> CheckReport:
    """Judge whether devices back every offer at every step of its block, and the headroom at all steps."""
    findings = Findings(horizon, np.array([], dtype=object), tolerance_kw)
    for product in market.reserves:
        offer = by_step(product, offers_kw, horizon.steps)
        for direction, wanted in (("up", product.up), ("down", product.down)):
            if wanted:
                _check_sum(
                    findings, repr(product.name), product, direction, offer, _backed(backing, product.name, direction)
                )
    for direction, held in (("up", market.headroom_up_kw), ("down", market.headroom_down_kw)):
        if held > 0:
            wanted_kw = np.full(horizon.steps, held)
            _check_sum(findings, "the headroom", None, direction, wanted_kw, _backed(backing, HEADROOM, direction))
    return findings.report()


def check_portfolio_limits(
    portfolio: Portfolio, market: Market, net_kw: Floats, offers_kw: Offers, backing: Backing,
    tolerance_kw: float = TOLERANCE_KW,
) -> CheckReport:  # fmt: skip
    """Judge the limits of the portfolio and of its groups, with all offers and the headroom called.

    `net_kw` (pod, step) is the plan. A group takes the part of a call that its devices back.
    """
    findings = Findings(portfolio.horizon, portfolio.ids, tolerance_kw)
    if market.limits is not None:
        called = called_kw(market, portfolio.horizon.steps, offers_kw)
        _check_limits(findings, "the portfolio", market.limits, np.nansum(net_kw, axis=0), called)
    group_of = portfolio.columns["group"].astype(str)
    for group in market.groups:
        mine = group_of == group.name
        called = _called_of(portfolio, market, offers_kw, backing, mine)
        _check_limits(findings, f"the group {group.name!r}", group.limits, np.nansum(net_kw[mine], axis=0), called)
    return findings.report()


def called_kw(market: Market, steps: int, offers_kw: Offers) -> Called:
    """All offers and the headroom called at once."""
    up, down = np.full(steps, market.headroom_up_kw), np.full(steps, market.headroom_down_kw)
    for product in market.reserves:
        offer = by_step(product, offers_kw, steps)
        up, down = up + product.up * offer, down + product.down * offer
    return Called(up, down)


def _check_product(findings: Findings, product: ReserveProduct, offer_kw: Floats) -> None:
    most = np.broadcast_to(product.maximum_mw if len(product.maximum_mw) else np.inf, product.blocks) * KW_PER_MW
    least, increment = product.minimum_mw * KW_PER_MW, product.increment_mw * KW_PER_MW
    slack = np.maximum(SAME_KW, findings.tolerance * abs(np.nan_to_num(offer_kw)))
    rules = [
        (np.where(np.isfinite(offer_kw), -offer_kw, np.inf), "but offers are finite numbers of at least 0"),
        (offer_kw - most, "more than its maximum of {most:.9g} MW"),
        (np.where(offer_kw > slack, least - offer_kw, 0.0), f"below its minimum of {product.minimum_mw:.9g} MW"),
    ]
    if increment > 0:
        off = abs(offer_kw - increment * np.round(offer_kw / increment))
        rules.append((off, f"no multiple of its increment of {product.increment_mw:.9g} MW"))
    sold = np.isin(np.arange(product.blocks), product.block)
    rules.append((np.where(sold, 0.0, offer_kw), "but the block has no step in the horizon"))
    for excess, why in rules:
        for block in np.flatnonzero(excess > slack):
            what = why.format(most=most[block] / KW_PER_MW)
            when = _block_words(findings, product, int(block))
            said = f"offers {offer_kw[block] / KW_PER_MW:.9g} MW of {product.name!r} in {when}"
            findings.note(f"{said}, {what}", float(excess[block]), "kW")


def _block_words(findings: Findings, product: ReserveProduct, block: int) -> str:
    steps = np.flatnonzero(product.block == block)
    if not steps.size:
        return f"block {block}"
    first = findings.horizon.times[int(steps[0])].isoformat(timespec="minutes")
    return f"block {block} (from {first})"


def _check_sum(
    findings: Findings, what: str, product: ReserveProduct | None, direction: str, offer_kw: Floats, backed_kw: Floats
) -> None:
    def words(row: int, step: int) -> str:  # noqa: ARG001
        block = "" if product is None else f" in {_block_words(findings, product, int(product.block[step]))}"
        return f"{what} promises {offer_kw[step]:.9g} kW {direction}{block}, but devices back {backed_kw[step]:.9g} kW"

    tolerance = findings.tolerance_kw(np.array([[float(offer_kw.max(initial=0.0))]]))
    excess = np.where(offer_kw > 0, offer_kw - backed_kw, 0.0)[None, :]
    findings.add(np.array([-1]), np.array([""], dtype=object), excess, tolerance, words)


def _check_limits(findings: Findings, who: str, limits: PositionLimits, net_kw: Floats, called: Called) -> None:
    for side, limit, power, calls in (
        ("withdrawal", limits.withdrawal_max_kw, net_kw, called.down_kw),
        ("injection", limits.injection_max_kw, -net_kw, called.up_kw),
    ):
        total = power + calls

        def words(
            _row: int, step: int, side: str = side, limit: Floats = limit, total: Floats = total, calls: Floats = calls
        ) -> str:
            with_calls = f" with {calls[step]:.9g} kW called" if calls[step] > 0 else ""
            return f"the {side} of {who}{with_calls} is {total[step]:.9g} kW, more than its {limit[step]:.9g} kW"

        finite = limit[np.isfinite(limit)]
        tolerance = findings.tolerance_kw(np.array([[float(abs(finite).max(initial=0.0))]]))
        findings.add(np.array([-1]), np.array([""], dtype=object), (total - limit)[None, :], tolerance, words)


def _called_of(portfolio: Portfolio, market: Market, offers_kw: Offers, backing: Backing, mine: Floats) -> Called:
    """What a call of everything asks of the devices of some PODs: each its part of what backs the product."""
    steps = portfolio.horizon.steps
    owned = {name for table in portfolio.devices.values() for name in table.ids[mine[table.pod].astype(bool)]}
    rows = np.array([name in owned for name in backing.device_ids], dtype=bool)
    wanted = {product.name: by_step(product, offers_kw, steps) for product in market.reserves}
    total = {"up": np.zeros(steps), "down": np.zeros(steps)}
    for number, name in enumerate(backing.products):
        for direction, side, held in (
            ("up", backing.up_kw, market.headroom_up_kw),
            ("down", backing.down_kw, market.headroom_down_kw),
        ):
            everybody, own = side[number].sum(axis=0), side[number][rows].sum(axis=0)
            asked = np.full(steps, held) if name == HEADROOM else wanted.get(name, np.zeros(steps))
            share = np.divide(asked, everybody, out=np.zeros(steps), where=everybody > 0)
            total[direction] += own * np.minimum(share, 1.0)
    return Called(total["up"], total["down"])


def _backed(backing: Backing, name: str, direction: str) -> Floats:
    side = backing.up_kw if direction == "up" else backing.down_kw
    rows = [row for row, product in enumerate(backing.products) if product == name]
    return np.asarray(side[rows].sum(axis=(0, 1)))


def _by_block(product: ReserveProduct, offers_kw: Offers) -> Floats:
    offer = np.asarray(offers_kw.get(product.name, np.zeros(product.blocks)), dtype=float)
    if offer.shape != (product.blocks,):
        expected = f"{product.blocks} values, one per block"
        raise InputError(Problem(f"offers of {product.name!r}", f"shape {offer.shape}", expected))
    return offer


def by_step(product: ReserveProduct, offers_kw: Offers, steps: int) -> Floats:
    """What is offered at each step. Shape (step,)."""
    offer = np.append(_by_block(product, offers_kw), 0.0)
    return np.asarray(offer[product.block]) if product.blocks else np.zeros(steps)
